"""The pair, its people and a site between them: what every test of this folder begins with."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.daemon import Daemon
from tests.systems.live.pair import Pair, running_pair
from tests.systems.live.place import LiveSite
from tests.systems.live.shoppers import MILL, Placed, Shoppers, people_of
from tests.systems.medusa.shop import Person
from tests.torture.keeping import until

# So long an order may take whose outcome nobody knows, and then some for a busy machine.
REST_S = 300.0
_RESTLESS = ("discovered", "submitting", "imported")
MIRROR_S = 300.0
ONCE_A_DAY = 86400


@dataclass
class Live:
    """``known`` are the web numbers of all orders that any journal holds."""

    pair: Pair
    people: dict[str, Person]
    site: LiveSite
    journals: list[Shoppers]

    def shoppers(self, seed: str) -> Shoppers:
        """Shoppers with a journal of their own."""
        self.journals.append(Shoppers(self.pair, self.people, seed))
        return self.journals[-1]

    def journal(self) -> list[Placed]:
        """Every order that anybody placed."""
        return [placed for each in self.journals for placed in each.journal]

    def mirror(self) -> None:
        """Let the site check its systems, and fill the mirrors for the first time."""
        for words in (("check",), ("resync", "all")):
            done = self.site.tradesync(*words, timeout_s=MIRROR_S)
            assert done.code == 0, done.out + done.err

    def settle(
        self, daemon: Daemon, *, of: Collection[str] | None = None, patience_s: float = REST_S
    ) -> None:
        """Until nothing of these orders (or of any) moves any more; the daemon must be running."""
        until("rest", lambda: self.at_rest(of), patience_s=patience_s, pause_s=0.2)
        assert daemon.process.poll() is None, daemon.text[-2000:]

    def at_rest(self, of: Collection[str] | None) -> bool:
        wanted = set(of or (each.order_id for each in self.journal()))
        rows = self.site.rows(
            self.site.state,
            "SELECT order_id, state, change_due_at IS NULL AND notice_due_at IS NULL FROM ledger",
        )
        resting = {key for key, state, quiet in rows if state not in _RESTLESS and quiet}
        return wanted <= resting


def hurry(site: LiveSite, *, orders_s: float = 1.0) -> None:
    """Look for orders all the time; the mirrors once, as the daemon starts."""
    site.schedule(
        orders=orders_s,
        order_status=5,
        accounts=ONCE_A_DAY,
        ship_tos=ONCE_A_DAY,
        invoices=ONCE_A_DAY,
        prices=ONCE_A_DAY,
    )


def only_orders(site: LiveSite, *, orders_s: float = 1.0) -> None:
    site.schedule(orders=orders_s)


@contextmanager
def a_live_pair(folder: Path) -> Iterator[Live]:
    """Both servers, registered buyers, and a site that has not run yet."""
    with running_pair() as pair:
        people = people_of(pair.shop)
        site = LiveSite.made(folder / "site", pair, {MILL: people["mia"]})
        yield Live(pair, people, site, [])
