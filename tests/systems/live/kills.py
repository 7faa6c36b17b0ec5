"""kill -9 of the daemon while live shoppers check out, and the time an order takes.

Which kinds of moments and which baskets follows from the seed; the moments
themselves depend on the machine.
"""

from __future__ import annotations

import math
import signal
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from tests.system.daemon import Daemon
from tests.systems.live.checking import violations
from tests.systems.live.shoppers import Busy
from tests.systems.live.story import Live, hurry, only_orders
from tests.torture.trials import Outcome

Say = Callable[[str], None]
LIFE_S = 40.0
KINDS = ("starting", "half written", "written", "on its way", "any")


def kills(
    live: Live, count: int, seed: str, say: Say = print, within_s: float = math.inf
) -> Outcome:
    """Kill the daemon ``count`` times; then let everything come to rest, and judge it.

    On a slow machine it ends with fewer kills after ``within_s``.
    """
    outcome = Outcome("kills of the live pair", "medusa to tryton", seed, count)
    chance, seen = Random(f"{seed}/kills"), Counter[str]()
    begun = time.monotonic()
    shoppers = live.shoppers(f"{seed}/shoppers")
    with Busy(shoppers), live.pair.post.passed_on(live.site.port):
        for number in range(1, count + 1):
            # In every third life the mirrors are at work, too.
            (hurry if number % 3 == 0 else only_orders)(live.site, orders_s=5.0)
            with Daemon(live.site) as daemon:
                kind = chance.choice(KINDS)
                _await(live, kind, chance)
                if (code := daemon.process.poll()) is not None:
                    outcome.wrong.append(f"ended with {code} by itself: {daemon.text[-1000:]}")
                    break
                daemon.end(signal.SIGKILL)
                seen[f"{kind}, {_position(live)}"] += 1
            outcome.done = number
            if time.monotonic() > begun + within_s:
                break
            if number % 10 == 0:
                told = f"{len(shoppers.journal)} orders, {live.pair.sales()} in the ERP"
                say(f"  {number} kills, {told}")
    with Daemon(live.site) as daemon:
        live.settle(daemon)
        daemon.end()
    outcome.counts = dict(seen)
    outcome.orders = len(shoppers.journal)
    outcome.wrong_orders = sum(each.account is None for each in shoppers.journal)
    outcome.in_erp = live.pair.sales()
    outcome.wrong += violations(live.pair, live.site, live.journal())
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


def _await(live: Live, kind: str, chance: Random) -> None:
    """The moment of that kind, or the end of this life."""
    before, more = live.pair.sales(), chance.randint(1, 2)
    if kind == "starting":
        time.sleep(chance.uniform(0.05, 2.0))
        return
    moments: dict[str, Callable[[], bool]] = {
        "half written": lambda: _drafts(live) > 0,
        "written": lambda: live.pair.sales() >= before + more,
        "on its way": lambda: live.site.on_their_way() > 0,
        "any": lambda: live.pair.sales() > before,
    }
    give_up_at = time.monotonic() + LIFE_S
    while not moments[kind]() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    if kind == "any":
        time.sleep(chance.uniform(0.0, 2.0))
    elif kind != "half written":
        time.sleep(chance.choice((0.0, 0.01, 0.05, 0.1)))


def _drafts(live: Live) -> int:
    """Orders that the ERP has, and gave no number yet."""
    query = "SELECT count(*) FROM sale_sale WHERE web_id IS NOT NULL AND number IS NULL"
    [[count]] = live.pair.database.execute(query)
    return int(count)


def _position(live: Live) -> str:
    """Where the kill found the daemon."""
    if not live.site.on_their_way():
        return "between orders"
    rows = live.site.rows(
        live.site.state,
        "SELECT key FROM ledger WHERE state = 'submitting' AND frozen IS NOT NULL"
        " AND lease_until IS NOT NULL",
    )
    found = [
        live.pair.database.execute("SELECT number FROM sale_sale WHERE web_id = ?", key)
        for (key,) in rows
    ]
    if any(sale and sale[0][0] is not None for sale in found):
        return "written, not recorded"
    return "half written" if any(found) else "frozen, not written"
