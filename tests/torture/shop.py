"""Buyers who go on ordering, changing their minds and making mistakes while all else fails.

The shop writes into the store's own tables only, and keeps a journal of all that
it ever showed: each order with every version, the account that priced it, and
how it must end. The journal is what the daemon's work is judged by.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from sync.domain.order import OrderState, WebOrder
from sync.sample.baskets import Counter, Want, World
from sync.sample.good_orders import Desk, good_orders
from sync.sample.wrong_orders import Ending, wrong_orders
from sync.stores.embedded import schema, writing

# The store may be restarting: a shop's own program would try again, too.
PATIENCE_S = 90.0
_PARTS = {table.name: table for table in (schema.orders, *schema.ORDER_PARTS)}


@dataclass(slots=True)
class Placed:
    """One order as the shop knows it. ``ending`` is None for one that must be imported."""

    account: str
    versions: list[WebOrder]
    ending: Ending | None = None
    nonsense: tuple[tuple[str, str | None], ...] = ()
    spoiled_part: str = "orders"

    @property
    def latest(self) -> WebOrder:
        return self.versions[-1]

    @property
    def cancelled(self) -> bool:
        return self.latest.state is OrderState.CANCELLED


@dataclass(slots=True)
class _Till(Counter):
    """Remembers whose prices an order was rung up at: that is the account it belongs to."""

    accounts: dict[str, str] = field(default_factory=dict)

    def ring_up(self, want: Want, payments: Any = None, **more: Any) -> WebOrder:
        # By name: a dataclass with slots is another class than the one super() knows.
        order = Counter.ring_up(self, want, payments, **more)
        self.accounts[order.order_id.value] = want.account.customer_id.value
        return order


class Shop:
    """Reproducible from its seed, but for the moments at which things happen."""

    def __init__(self, store: Engine, world: World, seed: str) -> None:
        self._store = store
        self._chance = Random(f"{seed}/shop")
        self._till = _Till(world, Random(f"{seed}/till"))
        self._desk = Desk(world, Random(f"{seed}/desk"), self._till)
        self._good = self._shuffled(lambda: list(good_orders(self._desk)))
        self._wrong = self._shuffled(lambda: list(wrong_orders(self._desk)))
        self.journal: dict[str, Placed] = {}

    def place(self, count: int, *, wrong_share: float = 0.15) -> None:
        """So many new orders, some of which must never be imported."""
        for _ in range(count):
            if self._chance.random() < wrong_share:
                wrong = next(self._wrong)
                order = _now(wrong.order)
                known = Placed("", [order], wrong.ending, wrong.nonsense, wrong.spoiled_part)
            else:
                order = _now(next(self._good))
                known = Placed(self._till.accounts[order.order_id.value], [order])
            self.journal[order.order_id.value] = known
            self._write(known)

    def disturb(self) -> str:
        """Somebody edits or cancels one of the last orders; what was done, for the log."""
        recent = [
            each
            for each in list(self.journal.values())[-12:]
            if each.ending is None and not each.cancelled
        ]
        if not recent:
            return "nothing"
        known = self._chance.choice(recent)
        order = known.latest
        doing = self._chance.choice(("cancel", "note", "shorten"))
        if doing == "shorten" and (len(order.lines) < 2 or order.lines[-1].kit_parent is not None):
            doing = "note"
        if doing == "cancel":
            changed = replace(order, state=OrderState.CANCELLED)
        elif doing == "note":
            changed = replace(order, notes=f"Changed my mind, {len(known.versions)}.")
        else:
            changed = replace(order, lines=order.lines[:-1])
            changed = replace(changed, total=changed.computed_total)
            if any(each.amount is not None for each in changed.payments):
                changed = replace(order, notes=f"Changed my mind, {len(known.versions)}.")
        known.versions.append(_now(changed))
        self._write(known)
        return doing

    def _write(self, known: Placed) -> None:
        """The newest version, whole; again where nobody knows whether it was written."""

        def write(connection: Connection) -> None:
            order = known.latest
            writing.change_order(connection, order)
            if known.nonsense:
                part = _PARTS[known.spoiled_part]
                columns = dict(known.nonsense)
                writing.spoil_order(connection, order.order_id, part, None, **columns)

        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._store.begin() as connection:
                    write(connection)
            except DBAPIError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.1)
            else:
                return

    def _shuffled(self, deal: Callable[[], list[Any]]) -> Iterator[Any]:
        """Day after day the same kinds of orders, each with goods and a number of its own."""
        while True:
            day = deal()
            self._chance.shuffle(day)
            yield from day


def _now(order: WebOrder) -> WebOrder:
    return replace(order, modified_at=datetime.now(UTC))
