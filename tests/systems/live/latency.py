"""From the checkout in the live shop to the order in the live ERP."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tests.system.daemon import Daemon
from tests.systems.live.shoppers import Shoppers
from tests.systems.live.story import Live, only_orders

EVERY_S = 2.0
# Nothing but a hint can be as fast as this.
POLLED_EVERY_S = 600.0
LOOK_S = 0.02
PATIENCE_S = 300.0


@dataclass
class Latencies:
    """Seconds from the shop's answer to the buyer until the ERP had given a number."""

    seconds: list[float] = field(default_factory=list)
    missing: int = 0

    def share(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, round(share * len(ordered)))]

    def told(self) -> str:
        return (
            f"{len(self.seconds)} orders, one every {EVERY_S:.0f} s: p50 {self.share(0.5):.2f} s,"
            f" p95 {self.share(0.95):.2f} s, longest {max(self.seconds):.2f} s"
            + (f"; {self.missing} never came" if self.missing else "")
        )


class _Watch:
    """Looks into the ERP's own database for orders that have their number."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._over = threading.Event()
        self.came_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        query = "SELECT description FROM sale_sale WHERE web_id IS NOT NULL AND number IS NOT NULL"
        while not self._over.wait(LOOK_S):
            rows = self._live.pair.database.execute(query)
            now = time.monotonic()
            for (description,) in rows:
                self.came_at.setdefault(str(description), now)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def measure(live: Live, count: int, seed: str) -> Latencies:
    """So many accepted orders, one every two seconds, told of by the shop's own hints."""
    shoppers = live.shoppers(seed)
    found = Latencies()
    only_orders(live.site, orders_s=POLLED_EVERY_S)
    with Daemon(live.site) as daemon, _Watch(live) as watch:
        daemon.wait_for_notice("READY=1")
        daemon.wait_for("run.finished", flow="orders")
        with live.pair.post.passed_on(live.site.port):
            _at_a_pace(shoppers, count)
            give_up_at = time.monotonic() + PATIENCE_S
            while _lacking(shoppers, watch) and time.monotonic() < give_up_at:
                time.sleep(LOOK_S)
        found.missing = len(_lacking(shoppers, watch))
        live.settle(daemon)
        daemon.end()
    for placed in shoppers.journal:
        if (came := watch.came_at.get(f"Web order {placed.number}")) is not None:
            found.seconds.append(max(0.0, came - placed.answered_at))
    return found


def _at_a_pace(shoppers: Shoppers, count: int) -> None:
    begun = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begun + number * EVERY_S - time.monotonic()))
        shoppers.any(wrong_share=0.0)


def _lacking(shoppers: Shoppers, watch: _Watch) -> list[str]:
    names = [f"Web order {placed.number}" for placed in shoppers.journal]
    return [name for name in names if name not in watch.came_at]
