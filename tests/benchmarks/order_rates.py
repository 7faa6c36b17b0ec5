"""Orders a second, through the whole import and by a bare loop, in alternating rounds.

Compared is, on one machine and in one run, for the same orders and in databases of
the same kind, made anew for every round:

- *import, one at a time*: what the service does about orders that are discovered
  already, up to their records in the state: claim, look-ups in the ERP, judging,
  look-up of the key, freezing, reading again, the ERP's transaction, record. Each
  order is a transaction of the ERP of its own (``order_group: 1``);
- *bare loop, one at a time*: ``bare_loop.write``, a commit for each order;
- *import, in groups*: the same import, up to a hundred orders in one transaction;
- *bare loop, a hundred at a time*: a commit for each hundred;
- *adapter alone* and *adapter and ledger*, one at a time and in groups: what the ledger
  itself costs (``ledger_alone``), as the prototype measured it.

ERP and state are each a database of their own: two SQLite files in WAL mode with
``synchronous=FULL``, or two databases of one PostgreSQL server with ``fsync`` on. Not
timed: the reading of the store's feed, and showing the notices in the store.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sync.domain.decision import Admitted
from sync.ports.state import LedgerFilter, LedgerState
from tests import postgres
from tests.benchmarks import bare_loop, ledger_alone, order_site

SIDES = (
    "bare loop, one at a time",
    "import, one at a time",
    "bare loop, a hundred at a time",
    "import, in groups",
    "adapter alone, one at a time",
    "adapter and ledger, one at a time",
    "adapter alone, in groups",
    "adapter and ledger, in groups",
)
TABLES = ("orders", "order_lines", "order_payments", "order_addresses")
GROUP = 100

Rows = Mapping[str, list[tuple[str, ...]]]


@dataclass(slots=True)
class Rates:
    """Seconds for each side and round."""

    kind: str
    count: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def rate(self, side: str) -> float:
        """Orders a second, median of the rounds."""
        return self.count / statistics.median(self.seconds[side])

    def ratio(self, ours: str, bare: str) -> float:
        """Median over the rounds of our rate to that of the bare loop of the same round."""
        pairs = zip(self.seconds[bare], self.seconds[ours], strict=True)
        return statistics.median(loop / own for loop, own in pairs)

    @property
    def singly(self) -> float:
        return self.ratio(SIDES[1], SIDES[0])

    @property
    def in_groups(self) -> float:
        return self.ratio(SIDES[3], SIDES[2])

    @property
    def ledger_singly(self) -> float:
        return self.ratio(SIDES[5], SIDES[4])

    @property
    def ledger_in_groups(self) -> float:
        return self.ratio(SIDES[7], SIDES[6])


def measure(kind: str, count: int, rounds: int, folder: Path) -> Rates:
    """Both pairs, ``rounds`` times in turn. Fails where the sides hold different orders."""
    rates = Rates(kind, count)
    single = order_site.profile_of_inserts(_made(folder / "single"), order_group=1)
    group = order_site.profile_of_inserts(_made(folder / "group"), order_group=GROUP)
    instructions = _instructions(kind, count, folder, single)
    orders = _as_statements(kind, instructions, single)
    for number in range(rounds):
        here = _made(folder / f"round-{number}")
        written = [
            _timed_loop(rates, SIDES[0], kind, here / "a", orders, 1),
            _timed_import(rates, SIDES[1], kind, here / "b", single, count),
            _timed_loop(rates, SIDES[2], kind, here / "c", orders, GROUP),
            _timed_import(rates, SIDES[3], kind, here / "d", group, count),
            _timed_writes(rates, SIDES[4], kind, here / "e", single, instructions),
            _timed_writes(rates, SIDES[5], kind, here / "f", single, instructions),
            _timed_writes(rates, SIDES[6], kind, here / "g", group, instructions),
            _timed_writes(rates, SIDES[7], kind, here / "h", group, instructions),
        ]
        assert len(written[0]["orders"]) == count
        for other in written[1:]:
            assert other == written[0], "the sides hold different orders"
    return rates


def _instructions(
    kind: str, count: int, folder: Path, profile: Path
) -> list[ledger_alone.Instruction]:
    """What an import makes of these orders."""
    with _databases(kind, _made(folder / "rehearsal"), 2) as (erp, state):
        order_site.an_erp(erp)
        with order_site.a_site(erp, state, profile, count) as site:
            site.work()
            with site.context.state.transaction() as on:
                entries = on.ledger.entries(LedgerFilter(states=frozenset({LedgerState.IMPORTED})))
    assert len(entries) == count
    return [
        (entry.order_id, Admitted(entry.frozen, entry.decision), entry.key)
        for entry in sorted(entries, key=lambda entry: entry.order_id)
        if entry.frozen is not None and entry.decision is not None
    ]


def _as_statements(
    kind: str, instructions: list[ledger_alone.Instruction], profile: Path
) -> list[list[bare_loop.Statement]]:
    """What an import writes for these orders, order by order."""
    pairs = [(admitted.order, key) for _, admitted, key in instructions]
    dialect = "sqlite" if kind == "SQLite" else "postgresql"
    return bare_loop.statements_of(profile, dialect, pairs)


def _timed_loop(
    rates: Rates,
    side: str,
    kind: str,
    folder: Path,
    orders: list[list[bare_loop.Statement]],
    together: int,
) -> Rows:
    with _databases(kind, _made(folder), 1) as (erp,):
        order_site.an_erp(erp)
        _timed(rates, side, lambda: bare_loop.write(erp, orders, together))
        return _rows(erp)


def _timed_import(
    rates: Rates, side: str, kind: str, folder: Path, profile: Path, count: int
) -> Rows:
    with _databases(kind, _made(folder), 2) as (erp, state):
        order_site.an_erp(erp)
        with order_site.a_site(erp, state, profile, count) as site:
            _timed(rates, side, lambda: site.work())
        return _rows(erp)


def _timed_writes(
    rates: Rates,
    side: str,
    kind: str,
    folder: Path,
    profile: Path,
    orders: list[ledger_alone.Instruction],
) -> Rows:
    """The adapter's writes, with the ledger where the side has one."""
    write = ledger_alone.with_ledger if "ledger" in side else ledger_alone.without_ledger
    with _databases(kind, _made(folder), 2) as (erp, state):
        order_site.an_erp(erp)
        with order_site.a_site(erp, state, profile, len(orders)) as site:
            _timed(rates, side, lambda: write(site.context, orders))
        return _rows(erp)


def _timed(rates: Rates, side: str, work: Callable[[], object]) -> None:
    begun = time.perf_counter()
    work()
    rates.seconds.setdefault(side, []).append(time.perf_counter() - begun)


@contextmanager
def _databases(kind: str, folder: Path, number: int) -> Iterator[tuple[str, ...]]:
    with ExitStack() as stack:
        if kind == "SQLite":
            files = [folder / f"{each}.db" for each in range(number)]
            yield tuple(f"sqlite:///{file}" for file in files)
        else:
            yield tuple(stack.enter_context(postgres.database()) for _ in range(number))


def _rows(url: str) -> Rows:
    """Everything that was written, without the numbers that the ERP gave."""
    engine = create_engine(url, poolclass=NullPool)
    found: dict[str, list[tuple[str, ...]]] = {}
    with engine.connect() as connection:
        for table in TABLES:
            by_key = (
                f"SELECT o.web_key AS of_order, t.* FROM {table} t"
                " JOIN orders o ON o.order_no = t.order_no"
            )
            rows = connection.execute(text(by_key)).mappings().all()
            kept: list[tuple[str, ...]] = [
                tuple(str(row[name]) for name in row if name != "order_no") for row in rows
            ]
            found[table] = sorted(kept)
    engine.dispose()
    return found


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def table(all_rates: list[Rates]) -> str:
    """The figures as Markdown."""
    lines = ["| | " + " | ".join(rates.kind for rates in all_rates) + " |"]
    lines.append("| --- |" + " --- |" * len(all_rates))
    for side in SIDES:
        cells = " | ".join(f"{rates.rate(side):,.0f} orders/s" for rates in all_rates)
        lines.append(f"| {side} | {cells} |")
    singly = " | ".join(f"{rates.singly:.0%}" for rates in all_rates)
    groups = " | ".join(f"{rates.in_groups:.0%}" for rates in all_rates)
    lines.append(f"| one at a time: import / bare loop | {singly} |")
    lines.append(f"| groups: import / bare loop | {groups} |")
    singly = " | ".join(f"{rates.ledger_singly:.0%}" for rates in all_rates)
    groups = " | ".join(f"{rates.ledger_in_groups:.0%}" for rates in all_rates)
    lines.append(f"| one at a time: adapter and ledger / adapter alone | {singly} |")
    lines.append(f"| groups: adapter and ledger / adapter alone | {groups} |")
    return "\n".join(lines)
