"""What every part of the adapter has: calls, the site, and a list of what was left out."""

from __future__ import annotations

import decimal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog

from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.sales import Sales
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Reach, Settings
from erp_adapters.tryton.site import Places
from sync.domain.ids import CustomerId
from sync.domain.money import Rounding
from sync.errors import Misconfigured, Rejected
from sync.ports.erp import ErpCapabilities, Feed, UnreadableRecord

log = structlog.get_logger()

T = TypeVar("T")

MANY = 10
"""From so many records on, none of them readable is a wrong set-up, not bad data."""

FEEDS = frozenset({Feed.ACCOUNTS, Feed.SHIP_TOS, Feed.INVOICES})
KEY_LENGTH = 64
MOST_LINES = 5000
TOGETHER = 25
"""Orders in one transaction: it holds up everybody else who takes a number meanwhile."""
KEPT_S = 10.0
"""So long the ids behind the names of an order are kept."""


def capabilities(settings: Settings) -> ErpCapabilities:
    """Facts of Tryton 8, with what the settings say of this one.

    Tryton's texts have no length. It takes no tax from outside. Prices and
    order states are not among the feeds: a formula, a product's cost or a stock
    move changes them and leaves no trace where one could ask for it.
    """
    return ErpCapabilities(
        name="tryton",
        unit_price_rounding=Rounding(settings.price_decimals, decimal.ROUND_HALF_EVEN),
        amount_rounding=Rounding(2, decimal.ROUND_HALF_EVEN),
        time_zone=settings.time_zone,
        ship_to_override=True,
        unique_external_key=True,
        external_key_length=KEY_LENGTH,
        # A confirmation is not taken back, so these go one by one (see groups.py).
        order_group=1 if settings.reach is Reach.CONFIRMED else TOGETHER,
        tax_override=False,
        order_hold=True,
        number_follows=settings.reach is Reach.DRAFT,
        # A call that is still under way when its answer is given up ends within that time.
        statement_timeout_s=4 * settings.timeout_s,
        max_order_lines=MOST_LINES,
        change_feeds=FEEDS,
    )


class TrytonBase:
    def __init__(self, settings: Settings, rpc: Rpc) -> None:
        self.settings, self._rpc = settings, rpc
        self._places = Places(rpc)
        self._capabilities = capabilities(settings)
        self._unreadable = threading.local()
        self._kept = threading.local()

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    @property
    def clock_skew_s(self) -> float | None:
        return self._rpc.clock_skew_s

    def close(self) -> None:
        self._rpc.close()

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        held: dict[UnreadableRecord, None] = getattr(self._unreadable, "records", {})
        self._unreadable.records = {}
        return tuple(held)

    @contextmanager
    def _looking_up(self) -> Iterator[Sales]:
        """What orders are made with; of this thread, and made anew once some seconds old.

        Orders come within moments of each other, mostly about the same customers and
        items, and each is asked about several times: who the customer is and what the
        items are, for its prices, for its tax, and when it is written. Taxes
        are asked for anew then, so that a change in Tryton in between is found out by
        what the order comes to there (``unlike`` in ``orders.py``). Nothing is kept of a
        refusal: whoever puts its cause right in Tryton tries again at once.
        """
        now = self._rpc.monotonic()
        made: float | None = getattr(self._kept, "made", None)
        if made is None or now - made > KEPT_S:
            self._kept.made, self._kept.sales = now, Sales(self._rpc, self._places)
        sales: Sales = self._kept.sales
        try:
            yield sales
        except Rejected:
            self._kept.made = None
            raise

    def _built(
        self,
        model: str,
        rows: Iterable[Row],
        make: Callable[[Row], T],
        key: Callable[[Row], str],
        owner: Callable[[Row], str | None],
    ) -> Iterator[T]:
        """The documents of these rows; one that makes none is left out and told.

        Raises Misconfigured where of many not one could be read.
        """
        made, bad = 0, []
        for row in rows:
            try:
                document = make(row)
            except (ArithmeticError, KeyError, TypeError, ValueError) as error:
                bad.append(_record(model, key(row), owner(row), error))
            else:
                made += 1
                yield document
        if len(bad) >= MANY and not made:
            raise Misconfigured(f"none of {len(bad)} records could be read", (str(bad[0]),))
        self._remember(bad)

    def _remember(self, bad: Sequence[UnreadableRecord]) -> None:
        held: dict[UnreadableRecord, None] = getattr(self._unreadable, "records", {})
        for record in bad:
            if record not in held:
                log.warning(
                    "erp.record_unreadable",
                    erp="tryton",
                    model=record.source,
                    key=record.key,
                    reason=record.message,
                )
        self._unreadable.records = {**held, **dict.fromkeys(bad)}


def _record(model: str, key: str, owner: str | None, error: Exception) -> UnreadableRecord:
    told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    try:
        customer = CustomerId(owner) if owner else None
    except ValueError:
        customer = None
    return UnreadableRecord(source=model, key=key, field="", message=told, customer=customer)
