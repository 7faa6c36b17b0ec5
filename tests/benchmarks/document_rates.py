"""The mirrors of ship-tos and invoices: what a night costs, in alternating rounds.

Each in a process of its own (``documents/run.py``; seconds without start-up), with the ERP and
the store in databases of their own, on SQLite or on one PostgreSQL:

- *first load*;
- *all compared*: nothing changed, and every account is compared with the store, as it is
  without a memory of what the store has confirmed;
- *nothing changed*, *one changed*, *one deleted*: with it;
- the same with a *change feed*, whose daily look at everything is *nothing told*.

Every run must write as many records as had changed, and the one after it none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from tests.benchmarks.documents.erp import Documents, Size
from tests.benchmarks.documents.site import DocumentSite
from tests.benchmarks.prices.rounds import Rounds, Told
from tests.benchmarks.prices.server import running

SQLITE, POSTGRESQL = "sqlite", "postgresql"
FLOWS = ("ship_tos", "invoices")
FIRST, COMPARED, SAME = "first load", "all compared", "nothing changed"
CHANGED, DELETED = "one changed", "one deleted"
FED_SAME, FED_CHANGED = "feed: nothing changed", "feed: one changed"


def environment() -> tuple[Size, int, Sequence[str]]:
    """The size, the rounds and the databases that are asked for."""
    size = Size(
        accounts=int(os.environ.get("BENCH_ACCOUNTS", "500")),
        invoices=int(os.environ.get("BENCH_INVOICES", "20000")),
        ship_tos=int(os.environ.get("BENCH_SHIP_TOS", "5000")),
    )
    on = os.environ.get("BENCH_DOCUMENTS_ON", f"{SQLITE},{POSTGRESQL}")
    return size, int(os.environ.get("BENCH_ROUNDS", "3")), on.split(",")


def measure(size: Size, count: int, folder: Path, log: Path, on: str) -> Rounds:
    """Fails where a run ends otherwise than well, or writes another number of records."""
    rounds = Rounds(log)
    with _databases(folder, on) as (erp, store):
        books = Documents(erp, size)
        books.fill()
        site = DocumentSite.made(folder / "site", books, store)
        bench = _Bench(rounds, site)
        bench.step("accounts", "accounts", size.accounts)
        bench.both(FIRST, (size.ship_tos + size.accounts, size.invoices))
        bench.both("(settling)", (0, 0))
        for number in range(count):
            rounds.number = number
            site.check_all(always=True)
            bench.both(COMPARED, (0, 0))
            site.check_all(always=False)
            bench.both(SAME, (0, 0))
            books.edit()
            bench.both(CHANGED, (1, 1))
            books.delete()
            bench.both(DELETED, (1, 1))
            books.undo()
            bench.both("(undone)", (1, 1))
            bench.parts()
        site.with_feed(told=True)
        bench.both("(another profile)", (0, 0))
        for number in range(count):
            rounds.number = number
            bench.both(FED_SAME, (0, 0))
            books.edit()
            bench.both(FED_CHANGED, (1, 1))
            books.undo()
            # Nothing tells that: only a look at everything sees what was long ago.
            site.with_feed(told=False)
            bench.both("(undone)", (1, 1))
            site.with_feed(told=True)
            bench.both("(another profile)", (0, 0))
    return rounds


@dataclass(frozen=True, slots=True)
class _Bench:
    rounds: Rounds
    site: DocumentSite

    def both(self, label: str, writes: tuple[int, int]) -> None:
        for flow, expected in zip(FLOWS, writes, strict=True):
            self.step(f"{flow}: {label}", flow, expected)

    def step(self, label: str, flow: str, writes: int) -> None:
        told = self._run(label, "flow", str(self.site.folder), flow)
        assert told["writes"] == writes, f"{label}: {told}"

    def parts(self) -> None:
        told = self._run("invoices: bare reads and comparison", "parts", str(self.site.folder))
        for part, (secs, cpu_s) in told["parts"].items():
            self.rounds.add(f"  {part}", {"secs": secs, "cpu_s": cpu_s, "rss_mb": 0.0})

    def _run(self, label: str, *words: str) -> Told:
        command = (sys.executable, "-m", "tests.benchmarks.documents.run")
        return self.rounds.command(label, *command, *words)


@contextmanager
def _databases(folder: Path, on: str) -> Iterator[tuple[URL, URL]]:
    """For the ERP and for the store."""
    if on == SQLITE:
        erp, store = (URL.create("sqlite", database=str(folder / f"{each}.db"))
                      for each in ("erp", "store"))  # fmt: skip
        yield erp, store
        return
    with running() as server:
        yield server.new_database(), server.new_database()
