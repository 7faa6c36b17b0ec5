"""The three ways to torture a daemon: kill it, take its databases away, or freeze it.

Each trial ends with a quiet while in which everything must come to rest, and
with ``checking``. What is done and to which order follows from the seed; the
moment at which a signal arrives depends on the machine.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.system.daemon import Daemon
from tests.torture.checking import violations
from tests.torture.keeping import Kept, until
from tests.torture.places import Place
from tests.torture.servers import Server
from tests.torture.shop import Shop

Say = Callable[[str], None]

# An order on its way when its worker went: lease, and one and a half statement time-outs.
REST_S = 4.0
# So long everything may take to come to rest at the end; the machine may be busy.
QUIET_S = 150.0
LIFE_S = 40.0
BACKLOG = 12
_RESTLESS = ("discovered", "submitting", "imported")


@dataclass(slots=True)
class Outcome:
    """How a trial ended; ``wrong`` is empty where every invariant held."""

    trial: str
    backend: str
    seed: str
    done: int
    orders: int = 0
    in_erp: int = 0
    cancelled: int = 0
    wrong_orders: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    recovery_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Torture:
    """One place with its shop, tortured in one way after the other."""

    place: Place
    shop: Shop
    seed: str
    say: Say = print

    # kill -9

    def kills(self, count: int, *, delay_s: float = 0.0, at_rest: bool = True) -> Outcome:
        """Kill the daemon ``count`` times, ``delay_s`` before each new start.

        The time from each kill to the next order that reaches the ERP is kept,
        for lives that were killed while orders were waiting.
        """
        outcome = self._begun("kills", count)
        chance = Random(f"{self.seed}/kills")
        seen: Counter[str] = Counter()
        killed_at: float | None = None
        begun = time.monotonic()
        for number in range(1, count + 1):
            self._top_up()
            with Daemon(self.place) as daemon:
                self._disturb(chance, seen)
                before = self.place.orders_in_erp()
                early = chance.random() < 0.15
                with ExitStack() as held:
                    if early and delay_s == 0.0:
                        # While it starts, or reads the store.
                        time.sleep(chance.uniform(0.05, 3.0))
                        killed_at = None
                    else:
                        # It has yet to start, and is not to be kept from it.
                        begun_work = self._await_orders(before, 1, pause_s=0.02)
                        if begun_work and killed_at is not None:
                            outcome.recovery_s.append(round(time.monotonic() - killed_at, 2))
                        held.enter_context(self._the_moment(chance))
                    if (code := daemon.process.poll()) is not None:
                        told = daemon.text[-1000:]
                        outcome.wrong.append(f"ended with {code} by itself: {told}")
                        break
                    daemon.end(signal.SIGKILL)
                killed_at = time.monotonic()
                seen.update(self._position())
            if number % 25 == 0:
                self.say(f"  {number} kills, {self.place.orders_in_erp()} orders in the ERP")
            if delay_s:
                time.sleep(max(0.0, killed_at + delay_s - time.monotonic()))
        outcome.counts = dict(seen)
        if at_rest:
            with Daemon(self.place) as daemon:
                self._come_to_rest()
                daemon.end()
        return self._ended(outcome, begun)

    @contextmanager
    def _the_moment(self, chance: Random) -> Iterator[None]:
        """Between an order and its record, after one, with one on its way, or anywhere."""
        kind = chance.choice(("unrecorded", "written", "frozen", "any"))
        if kind == "unrecorded":
            with self._unrecorded():
                yield
            return
        if kind == "written":
            self._await_orders(self.place.orders_in_erp(), chance.randint(1, 3))
        elif kind == "frozen":
            give_up_at = time.monotonic() + 2.0
            while not self._quietly(self.place.on_their_way) and time.monotonic() < give_up_at:
                pass
            time.sleep(chance.choice((0.0, 0.002, 0.005, 0.01)))
        else:
            time.sleep(chance.uniform(0.0, 1.0))
        yield

    @contextmanager
    def _unrecorded(self) -> Iterator[None]:
        """With an order in the ERP whose number cannot be recorded while this is open.

        Where none is on its way in the moment in which the ledger is taken, it is let
        go and taken again.
        """
        give_up_at = time.monotonic() + LIFE_S / 2
        while time.monotonic() < give_up_at:
            with self.place.ledger_held():
                before = self.place.orders_in_erp()
                if self._quietly(self.place.on_their_way) and (
                    "written, not recorded" in self._position()
                    or self._await_orders(before, 1, patience_s=1.0)
                ):
                    yield
                    return
            time.sleep(0.002)
        yield

    def _await_orders(
        self, before: int, more: int, *, patience_s: float = LIFE_S, pause_s: float = 0.002
    ) -> bool:
        """Until so many orders more are in the ERP, by default looked at as often as can be."""
        give_up_at = time.monotonic() + patience_s
        while self.place.orders_in_erp() < before + more:
            if time.monotonic() > give_up_at:
                return False
            time.sleep(pause_s)
        return True

    def _position(self) -> list[str]:
        """Where the kill found the daemon."""
        way = self._quietly(self.place.on_their_way)
        if not way:
            return ["between orders"]
        in_erp = {
            str(row[0])
            for row in self.place.ask(
                "erp", "SELECT web_order_id FROM sales_order WHERE source = 'WEB'"
            )
        }
        return [
            "written, not recorded" if each in in_erp else "frozen, not written" for each in way
        ]

    @staticmethod
    def _quietly(look: Callable[[], list[str]]) -> list[str]:
        with suppress(DBAPIError):
            return look()
        return []

    # A database server that is stopped

    def restarts(self, count: int, server: Server) -> Outcome:
        """Stop the PostgreSQL of all three databases under load, hard or fast."""
        outcome = self._begun("restarts", count)
        chance = Random(f"{self.seed}/restarts")
        begun = time.monotonic()
        seen: Counter[str] = Counter()
        with Kept(self.place, 1.0) as kept:
            for number in range(1, count + 1):
                self._top_up()
                self._disturb(chance, seen)
                if self._await_orders(self.place.orders_in_erp(), 1):
                    seen["restarted at work"] += 1
                time.sleep(chance.uniform(0.0, 0.6))
                mode = chance.choice(("immediate", "fast"))
                server.restart(mode)
                seen[mode] += 1
                if number % 10 == 0:
                    self.say(f"  {number} restarts, {self.place.orders_in_erp()} orders in the ERP")
                if kept.gave_up:
                    break
            if not kept.gave_up:
                self._come_to_rest()
            kept.stop()
        for code, times in kept.exits.items():
            seen[f"daemon ended with {code}"] = times
        self._gave_up(outcome, kept)
        outcome.counts = dict(seen)
        return self._ended(outcome, begun)

    # A daemon that is frozen while another one takes over

    def takeovers(self, count: int) -> Outcome:
        """Freeze a daemon at work, take its lock away, let another work, and thaw it.

        On PostgreSQL the session that holds the lock is ended, as a failed
        network does; on SQLite somebody has "cleaned up" the lock's file.
        """
        outcome = self._begun("takeovers", count)
        chance = Random(f"{self.seed}/takeovers")
        seen: Counter[str] = Counter()
        begun = time.monotonic()
        for _ in range(count):
            self._top_up()
            with Daemon(self.place) as zombie:
                self._await_orders(self.place.orders_in_erp(), 2)
                with self._the_moment(chance):
                    zombie.send(signal.SIGSTOP)
                seen.update(self._position())
                self._take_the_lock_away(zombie)
                self.shop.place(6)
                with Kept(self.place, 0.5) as heir:
                    patience = REST_S + chance.uniform(0.0, 8.0)
                    if self._await_orders(self.place.orders_in_erp(), 3):
                        seen["heir imported beside the frozen one"] += 1
                        # Past the lease, so that the heir has taken its order over.
                        time.sleep(patience)
                    zombie.send(signal.SIGCONT)
                    code = zombie.ended(90)
                    seen[f"zombie ended with {code}"] += 1
                    seen["zombie fenced off"] += len(zombie.found("order.fenced_off"))
                    if not heir.gave_up:
                        self._come_to_rest()
                    heir.stop()
                self._gave_up(outcome, heir)
                for exit_code, times in heir.exits.items():
                    seen[f"heir ended with {exit_code}"] += times
        outcome.counts = {name: number for name, number in seen.items() if number}
        return self._ended(outcome, begun)

    def _take_the_lock_away(self, daemon: Daemon) -> None:
        if self.place.backend == "sqlite":
            (self.place.root / "var" / "state.sqlite.lock").unlink()
            return
        with self.place.engines["state"].begin() as connection:
            ended = connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE :name"
                ),
                {"name": f"tradesync process {daemon.process.pid} %"},
            ).all()
        assert ended == [(True,)], "the lock's session was not found"

    # Common to all

    @staticmethod
    def _gave_up(outcome: Outcome, kept: Kept) -> None:
        if kept.gave_up:
            outcome.wrong.append(f"ended with 78, which nobody restarts: {kept.gave_up}")

    def _top_up(self) -> None:
        """Orders must be waiting, or there is nothing to disturb."""
        open_orders = len(self.shop.journal) - sum(self._ledger().values())
        busy = sum(self._ledger().get(state, 0) for state in ("discovered", "submitting"))
        missing = BACKLOG - open_orders - busy
        if missing > 0:
            self.shop.place(missing)

    def _ledger(self) -> dict[str, int]:
        with suppress(DBAPIError):
            return self.place.ledger()
        return {}

    def _disturb(self, chance: Random, seen: Counter[str]) -> None:
        while chance.random() < 0.4:
            seen[f"buyer: {self.shop.disturb()}"] += 1

    def _come_to_rest(self) -> None:
        """Until nothing moves any more; a daemon must be running."""

        def rests() -> bool:
            with suppress(DBAPIError):
                ledger = self.place.ledger()
                if sum(ledger.values()) != len(self.shop.journal):
                    return False
                if any(ledger.get(state) for state in _RESTLESS):
                    return False
                due = "SELECT count(*) FROM ledger WHERE change_due_at IS NOT NULL"
                told = "SELECT count(*) FROM ledger WHERE notice_due_at IS NOT NULL"
                return self.place.ask("state", due) == self.place.ask("state", told) == [(0,)]
            return False

        # One that never rests is told by what the check finds.
        with suppress(AssertionError):
            until("rest", rests, patience_s=QUIET_S, pause_s=0.2)
            # An edit that was made a moment ago is discovered by the next run only.
            time.sleep(2.5)
            until("rest", rests, patience_s=QUIET_S, pause_s=0.2)

    def _begun(self, trial: str, count: int) -> Outcome:
        self.say(f"{self.place.backend}: {count} {trial}, seed {self.seed}")
        return Outcome(trial, self.place.backend, self.seed, count)

    def _ended(self, outcome: Outcome, begun: float) -> Outcome:
        journal = self.shop.journal
        outcome.orders = len(journal)
        outcome.cancelled = sum(each.cancelled for each in journal.values())
        outcome.wrong_orders = sum(each.ending is not None for each in journal.values())
        outcome.in_erp = self.place.orders_in_erp()
        outcome.wrong += violations(self.place, journal)
        outcome.seconds = round(time.monotonic() - begun, 1)
        return outcome
