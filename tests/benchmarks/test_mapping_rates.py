"""`make bench`: how long a hundred thousand assignments take to check, to find and to import.

Measured on texts in memory, as the daemon and `tradesync check mappings` judge them;
what the live ERP and store are asked beside that is their own speed.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.cli.garbage import search_less_often
from sync.domain.ids import OrganisationId, WebUserId
from sync.domain.order import BuyerRecord
from sync.mapping import CheckedFiles, check_texts
from sync.mapping.bulk import taken_over
from sync.mapping.reading import rows_in
from sync.mapping.spreadsheets import KEYS, Known, decoded, read_sheet, sheet
from sync.routing import AccountMap, Usable

COUNT = int(os.environ.get("BENCH_ASSIGNMENTS", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
REPORT = Path("build/bench/mapping.md")

CHANNELS = """\
channels:
  shop:
    commerce_mode: hybrid
    retail_groups:
      - {customer_id: RETAIL-US, currencies: [USD]}
"""
TABLE, ENTRIES = "customers.csv", "customers.yaml"


def table(customer_id: str = "{:06}") -> str:
    """Half of the lines organisations, half of them users with a contact and a note."""
    lines = ["organisation,user,contact,note,customer_id"]
    for each in range(COUNT):
        who = f"org-{each},,," if each % 2 else f",u-{each},{each:06}-C1,note {each}"
        lines.append(f"{who},{customer_id.format(each)}")
    return "\n".join(lines) + "\n"


def entries(customer_id: str = '"{:06}"') -> str:
    lines = ["assignments:"]
    for each in range(COUNT):
        lines.append(f"  - organisation: org-{each}" if each % 2 else f"  - user: u-{each}")
        lines.append(f"    customer_id: {customer_id.format(each)}")
        if not each % 2:
            lines.append(f"    contact: '{each:06}-C1'\n    note: note {each}")
    return "\n".join(lines) + "\n"


def took(work: Callable[[], object]) -> float:
    """The median, in seconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def judged(name: str, text: str, problems: int = 0) -> CheckedFiles:
    found = check_texts({"channels.yaml": CHANNELS, name: text})
    assert len(found.problems) == problems
    return found


def lookup_s(accounts: AccountMap) -> float:
    """One look-up of a buyer, all of them once; every one finds an account."""
    nobody = BuyerRecord()
    buyers = [
        (None, OrganisationId(f"org-{each}")) if each % 2 else (WebUserId(f"u-{each}"), None)
        for each in range(COUNT)
    ]
    found = [accounts.find(user, organisation, nobody) for user, organisation in buyers]
    assert all(isinstance(each, Usable) for each in found)

    def all_of_them() -> None:
        for user, organisation in buyers:
            accounts.find(user, organisation, nobody)

    return took(all_of_them) / COUNT


def imported_s(texts: dict[str, str]) -> tuple[float, float]:
    """Out into a table, and back with every tenth account another one."""
    rows = rows_in(texts)
    out = took(lambda: sheet(rows_in(texts), ";"))
    changed = [each._replace(customer_id=f"X-{each.line}") if each.line % 10 == 0 else each
               for each in rows]  # fmt: skip
    content = sheet(changed, ";").encode("utf-8-sig")
    known = {name: Known.of({getattr(row, name) for row in rows}) for name in KEYS}

    def back() -> None:
        done = taken_over(texts, read_sheet("sheet.csv", decoded("sheet.csv", content), known))
        assert (done.moved, done.added, done.removed) == (COUNT // 10, 0, 0)

    return out, took(back)


@pytest.fixture
def as_the_command() -> Iterator[None]:
    """Garbage is searched for as every command of ours does."""
    before = gc.get_threshold()
    search_less_often()
    yield
    gc.set_threshold(*before)


@pytest.mark.timeout(3600)
def test_mapping_rates(as_the_command: None) -> None:
    good_table, good_entries = table(), entries()
    groups, numbers = table("RETAIL-US"), entries("1{:06}")
    mapping = judged(ENTRIES, good_entries).mapping
    assert mapping is not None
    out, back = imported_s({"channels.yaml": CHANNELS, TABLE: good_table})
    measured: list[tuple[str, float, float | None]] = [
        ("customers.csv, sound", took(lambda: judged(TABLE, good_table)), 5),
        ("customers.csv, each line refused", took(lambda: judged(TABLE, groups, COUNT)), 5),
        ("customers.yaml, sound", took(lambda: judged(ENTRIES, good_entries)), 30),
        ("customers.yaml, each entry refused", took(lambda: judged(ENTRIES, numbers, COUNT)), 30),
        ("index for look-ups", took(lambda: AccountMap.of(mapping)), None),
        ("export into a table", out, None),
        ("import of a table, every tenth account moved", back, None),
    ]
    find = lookup_s(AccountMap.of(mapping))
    about = (
        f"{COUNT} assignments, medians of {ROUNDS} rounds, Python {platform.python_version()},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end."
    )
    told = [
        about,
        "",
        "| what | s | goal |",
        "| --- | --- | --- |",
    ]
    for what, seconds, goal in measured:
        verdict = "" if goal is None else f"{goal}: {'reached' if seconds < goal else 'missed'}"
        told.append(f"| {what} | {seconds:.2f} | {verdict} |")
    verdict = "reached" if find < 10e-6 else "missed"
    told += ["", f"One look-up: {find * 1e6:.1f} microseconds, goal 10: {verdict}."]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + REPORT.read_text(encoding="utf-8"))
