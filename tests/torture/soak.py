"""Days of business on a clock that is wound forward, and what they leave behind.

Every flow runs by its real trigger, on a real SQLite state, through a night in
which the clocks change; orders come in daily peaks. Each virtual hour the
memory, the open files and the size of the state's log are noted: they must not
follow the number of orders. At the end every order must be where it belongs.
"""

from __future__ import annotations

import gc
import logging
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import event, text

from sync.domain.ids import InvoiceNumber, OrganisationId
from sync.domain.order import Buyer, OrderState, PaymentState, WebOrder
from sync.flows.cycle import FLOWS
from sync.scheduling.jobs import in_its_words
from sync.settings.models import Cron5, ScheduleSettings
from sync.state import open_state
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    World,
    build_world,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
)
from tests.torture.shelved import ShelvedErp, ShelvedStore

ZONE = ZoneInfo("Europe/Berlin")
# Noon of the day before the clocks go forward; half past two does not exist that night.
START = datetime(2025, 3, 29, 11, tzinfo=UTC)
SCHEDULE = ScheduleSettings(time_zone="Europe/Berlin", prices_cron="30 2 * * *")

# How many orders come in each hour of the day, in parts: two peaks, and a quiet night.
_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 18, 12, 14, 18, 20, 16, 12, 10, 12, 14, 10, 6, 3)

# Hours in which caches and pools fill, and pages of the first peak are touched.
WARM_UP_H = 0.25
MAX_RSS_SLOPE_MIB_PER_H = 0.5
# The page caches of five SQLite connections, each of two MiB, fill as the files grow.
CACHES_MIB = 12.0
MAX_WAL_MIB = 32.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One virtual hour. Sizes in MiB; ``seconds`` are real ones."""

    hour: int
    orders: int
    rss: float
    files: int
    wal: float
    state: float
    seconds: float


@dataclass(slots=True)
class Report:
    hours: int
    orders: int
    seed: int
    seconds: float = 0.0
    cpu_s: float = 0.0
    runs: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    rss_slope_mib_per_h: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Soak:
    """One soak in one folder."""

    def __init__(self, folder: Path, *, hours: int, orders: int, seed: int) -> None:
        self._hours, self._orders = hours, orders
        self._chance = Random(f"{seed}/soak")
        self._clock = ManualClock(START)
        self._file = folder / "state.sqlite"
        self._engine = open_state(f"sqlite:///{self._file}")
        event.listen(self._engine, "connect", _hurried)
        self._engine.dispose()  # its connections so far are not
        erp = ShelvedErp(folder / "erp.sqlite", self._clock)
        fill_erp(erp)
        self._store = ShelvedStore(folder / "store.sqlite", self._clock)
        fill_store(self._store)
        self._erp = erp
        self._world: World = build_world(
            self._engine, clock=self._clock, erp=erp, store=self._store
        )
        self._number = 0
        self._kinds: dict[str, str] = {}
        self._due: list[tuple[datetime, Callable[[], None]]] = []
        self.report = Report(hours, orders, seed)

    def run(self, say: Callable[[str], None] = print) -> Report:
        begun, cpu = time.monotonic(), time.process_time()
        runs: Counter[str] = Counter()
        fires = {flow: _Fires(flow) for flow in FLOWS}
        arrivals = self._arrivals()
        end = START + timedelta(hours=self._hours)
        next_hour = START + timedelta(hours=1)
        with _quiet():
            while (now := self._clock.now()) < end:
                self._place(next(arrivals, 0))
                for flow, fire in fires.items():
                    if fire.due(now):
                        result = self._world.run(flow)
                        runs[flow] += 1
                        if result.outcome != "ok":
                            self.report.wrong.append(f"{now:%d %H:%M} {flow}: {result.message}")
                # Runs take no time here; the next minute begins when it should.
                self._clock.advance(max(0.0, 60 - (self._clock.now() - now).total_seconds()))
                if self._clock.now() >= next_hour:
                    next_hour += timedelta(hours=1)
                    self._of_the_hour()
                    self._sample(time.monotonic() - begun, say)
            self._wind_down()
        self.report.runs = dict(runs)
        self._judge()
        self.report.seconds = round(time.monotonic() - begun, 1)
        self.report.cpu_s = round(time.process_time() - cpu, 1)
        self._engine.dispose()
        return self.report

    # What happens in the shop and at the ERP

    def _arrivals(self) -> Iterator[int]:
        """Orders in each minute, in all exactly as many as were asked for."""
        minutes = self._hours * 60
        parts = [
            _BY_HOUR[(START + timedelta(minutes=each)).astimezone(ZONE).hour] / 60.0
            for each in range(minutes)
        ]
        whole, placed, reached = sum(parts), 0, 0.0
        for part in parts:
            reached += part
            wanted = round(self._orders * reached / whole)
            yield wanted - placed
            placed = wanted

    def _place(self, count: int) -> None:
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            self._due.pop(0)[1]()
        for _ in range(count):
            self._number += 1
            number, luck = self._number, self._chance.random()
            at = now - timedelta(seconds=self._chance.uniform(0, 59))
            given = {"placed_at": at, "modified_at": now}
            make = self._chance.choice((harbour_order, mill_order, guest_order))
            kind = "good"
            order = make(number, **given)
            if luck < 0.01:
                stranger = Buyer(a.WEB_USER, True, OrganisationId("org-99"))
                order, kind = harbour_order(number, buyer=stranger, **given), "quarantined"
            elif luck < 0.02:
                pending = (a.a_card_payment(state=PaymentState.PENDING),)
                order = guest_order(number, payments=pending, **given)
                self._later(40, order, payments=(a.a_card_payment(),))
            elif luck < 0.025:
                order, kind = make(number, state=OrderState.CANCELLED, **given), "closed"
            elif luck < 0.03:
                kind = "review"
                self._later(15, order, notes="Changed my mind.")
            elif luck < 0.2 and make is not guest_order:
                order = replace(order, po_number=f"PO-{number % 5000}")
            self._kinds[order.order_id.value] = kind
            self._store.place_order(order)

    def _later(self, minutes: int, order: WebOrder, **changes: object) -> None:
        """The same order, changed, so many minutes from now."""
        at = self._clock.now() + timedelta(minutes=minutes)

        def change() -> None:
            changed = replace(order, modified_at=self._clock.now(), **changes)  # type: ignore[arg-type]
            self._store.place_order(changed)

        self._due.append((at, change))
        self._due.sort(key=lambda each: each[0])

    def _of_the_hour(self) -> None:
        """The ERP's own day: an invoice, a new price, somebody's address."""
        hour = int((self._clock.now() - START).total_seconds() // 3600)
        invoice = InvoiceNumber(f"INV-{8000 + hour}")
        self._erp.add_invoice(a.an_invoice(sold_to=(HARBOUR, MILL)[hour % 2], number=invoice))
        self._erp.set_price(a.a_price(f"9.{90 + hour % 3}00", currency="USD"))
        self._erp.change_account(MILL, name=f"Mill Tools {hour % 7}")

    def _wind_down(self) -> None:
        """What is still due after the last hour, such as a payment that came late."""
        for _ in range(60):
            self._clock.advance(60)
            self._place(0)
            self._world.run("orders")
        self._world.run("order_status")

    # What is left behind

    def _sample(self, seconds: float, say: Callable[[str], None]) -> None:
        gc.collect()
        log = self._file.with_name(self._file.name + "-wal")
        sample = Sample(
            hour=len(self.report.samples) + 1,
            orders=self._number,
            rss=round(_rss_mib(), 2),
            files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - a count, not paths
            wal=round(_mib(log), 2),
            state=round(_mib(self._file), 2),
            seconds=round(seconds, 1),
        )
        self.report.samples.append(sample)
        if sample.hour % 6 == 0 or self._hours <= 6:
            say(
                f"  hour {sample.hour}: {sample.orders} orders, {sample.rss} MiB,"
                f" {sample.files} files, log {sample.wal} MiB, {sample.seconds} s"
            )

    def _judge(self) -> None:
        report = self.report
        report.wrong += growth(report.samples)
        warm = report.samples[int(len(report.samples) * WARM_UP_H) :]
        report.rss_slope_mib_per_h = round(slope(warm), 4) if len(warm) > 1 else 0.0
        with self._engine.connect() as connection:
            rows = connection.execute(text("SELECT order_id, state, erp_order FROM ledger")).all()
        states = {str(row[0]): (str(row[1]), row[2]) for row in rows}
        report.states = dict(Counter(state for state, _ in states.values()))
        report.wrong += self._misplaced(states)
        if self._number != self._orders:
            report.wrong.append(f"{self._number} orders were placed instead of {self._orders}")

    def _misplaced(self, states: Mapping[str, tuple[str, str | None]]) -> list[str]:
        wrong = []
        in_erp = Counter(web_order for web_order, _ in self._erp.held())
        shown = self._store.shown_numbers()
        ends = {
            "good": ("acknowledged", 1),
            "review": ("review", 1),
            "quarantined": ("quarantined", 0),
            "closed": ("closed", 0),
        }
        for order_id, kind in self._kinds.items():
            state, number = states.get(order_id, ("lost", None))
            times = in_erp[order_id]
            if (state, times) != ends[kind]:
                wrong.append(f"{order_id}: {kind}, and ends {state}, {times} times in the ERP")
            elif kind == "good" and shown.get(order_id) != ("processed", number):
                wrong.append(f"{order_id}: the store shows {shown.get(order_id)} for {number}")
        return wrong


class _Fires:
    """When a flow is due, by the trigger that the daemon would give its scheduler."""

    def __init__(self, flow: str) -> None:
        trigger = SCHEDULE.trigger(flow)
        assert trigger is not None
        self._trigger = in_its_words(trigger)
        # As in the daemon: what goes by an interval is due at the start.
        by_hours = isinstance(trigger, Cron5)
        self._next = self._trigger.get_next_fire_time(None, START) if by_hours else START

    def due(self, now: datetime) -> bool:
        if self._next is None or self._next > now:
            return False
        self._next = self._trigger.get_next_fire_time(self._next, now + timedelta(seconds=1))
        return True


def growth(samples: Sequence[Sample]) -> list[str]:
    """What grows with the number of orders and must not, in sentences."""
    warm = samples[int(len(samples) * WARM_UP_H) :]
    wrong = []
    if len(warm) < 3:
        return ["too few hours to tell"]
    more = warm[-1].rss - warm[0].rss
    if (rise := slope(warm)) > MAX_RSS_SLOPE_MIB_PER_H and more > CACHES_MIB:
        wrong.append(f"memory grows by {rise:.2f} MiB an hour")
    if max(each.files for each in warm) > warm[0].files + 2:
        wrong.append(f"open files grow from {warm[0].files} to {max(e.files for e in warm)}")
    if (largest := max(each.wal for each in samples)) > MAX_WAL_MIB:
        wrong.append(f"the state's log grew to {largest} MiB")
    return wrong


def slope(samples: Sequence[Sample]) -> float:
    """MiB of memory an hour, by least squares."""
    hours = [float(each.hour) for each in samples]
    return statistics.linear_regression(hours, [each.rss for each in samples]).slope


def _hurried(connection: object, _record: object) -> None:
    # What a power cut would take is not the question here.
    connection.execute("PRAGMA synchronous = OFF")  # type: ignore[attr-defined]


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _mib(file: Path) -> float:
    return file.stat().st_size / 1024 / 1024 if file.exists() else 0.0


@contextmanager
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


__all__ = ["Report", "Sample", "Soak", "growth", "slope"]
