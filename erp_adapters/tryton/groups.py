"""Several orders at a time: one create, one quotation, and all of them or none.

A list in one call is one transaction of Tryton's, so one refused order takes the
others with it, and so does a key that is there already. Which order a refused call
was about Tryton tells only in a sentence for people; what is found out before
anything is written (a customer, a product, an address that is missing) names it.

Between the two calls lie drafts without a number, which count as no orders
(``finding.py``). Where the second is refused they are all removed again; where that
cannot be done either, each order is taken up from its draft when it goes alone.

Turned down: confirming in groups. An order on hold is finished before the others are
confirmed, and a confirmation that one of them lacks stock or credit for is found out
by it only: that would leave a part of the group in the ERP. So each goes alone there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from erp_adapters.tryton.comparing import differences, unlike
from erp_adapters.tryton.orders import (
    SubmitsOrdersAsSales,
    differs,
    nothing_written,
    same,
)
from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.sale_lines import Values
from erp_adapters.tryton.settings import Reach
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import OrderAcknowledgement, SalesOrder
from sync.errors import (
    Conflict,
    GroupRejected,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    TryLater,
)
from sync.kit.order_groups import refuse_what_is_no_group

Orders = Sequence[tuple[SalesOrder, IdempotencyKey]]
Rows = Mapping[IdempotencyKey, Row]


class SubmitsGroupsOfSales(SubmitsOrdersAsSales):
    def submit_orders(self, orders: Orders) -> Sequence[OrderAcknowledgement]:
        refuse_what_is_no_group(orders, self.capabilities.order_group)
        with nothing_written(), self._looking_up() as sales:
            sales.lookups.forget_taxes()
            values = sales.values_together(orders)
        rows = self._created_together(values, orders)
        self._refuse_what_differs(rows, orders)
        rows = self._quoted_together(rows, orders)
        return [same(rows[key], order, key) for order, key in orders]

    def _created_together(self, values: Sequence[Values], orders: Orders) -> Rows:
        """The sales as they stand in Tryton after the create, read back whole."""
        failed: Rejected | Conflict | OutcomeUnknown | None = None
        try:
            self._rpc.write("model.sale.sale.create", list(values))
        except (Rejected, Conflict, OutcomeUnknown) as error:
            failed = error
        with _unknown_from_here(orders):
            rows = self._sales([key for _, key in orders])
        if isinstance(failed, OutcomeUnknown | None):
            whole = len(rows) == len(orders)
            if whole and (failed is None or _as_sent(rows, orders, values)):
                return rows
            raise failed or OutcomeUnknown(
                f"{_told(orders)}: Tryton took them and does not find them"
            )
        # It did nothing of ours, so what is there is an earlier attempt's or another worker's.
        if rows:
            raise Conflict(f"{_told(orders)}: Tryton has {len(rows)} of them already") from failed
        if isinstance(failed, Rejected):
            raise _group_refused(failed) from failed
        raise failed

    def _refuse_what_differs(self, rows: Rows, orders: Orders) -> None:
        for position, (order, key) in enumerate(orders):
            if unlike(rows[key], order):
                self._discard_together(rows, orders)
                raise _group_refused(differs(rows[key], order), position)

    def _quoted_together(self, rows: Rows, orders: Orders) -> Rows:
        if self.settings.reach < Reach.QUOTATION:
            return rows
        try:
            with _unknown_from_here(orders):
                self._step("quote", *rows.values())
        except Rejected as refusal:
            self._discard_together(rows, orders)
            raise _group_refused(refusal) from refusal
        with _unknown_from_here(orders):
            rows = self._sales([key for _, key in orders])
        if len(rows) != len(orders) or any(self._unfinished(row) for row in rows.values()):
            raise OutcomeUnknown(f"{_told(orders)}: Tryton had them and lost some")
        return rows

    def _discard_together(self, rows: Rows, orders: Orders) -> None:
        """Remove the sales that never became orders.

        Raises OutcomeUnknown where one of them did: people may work with that already.
        """
        if any(row["number"] for row in rows.values()):
            raise OutcomeUnknown(f"{_told(orders)}: some have numbers in Tryton already")
        try:
            with _unknown_from_here(orders):
                self._step("cancel", *rows.values())
                self._rpc.write("model.sale.sale.delete", [int(row["id"]) for row in rows.values()])
        except Rejected as refusal:
            # Each is looked at by itself then, which tells what stands in the way.
            raise OutcomeUnknown(f"{_told(orders)}: their drafts stay: {refusal}") from refusal


def _group_refused(refusal: Rejected, position: int | None = None) -> GroupRejected:
    return GroupRejected(str(refusal), code=refusal.code, remedy=refusal.remedy, position=position)


def _as_sent(rows: Rows, orders: Orders, values: Sequence[Values]) -> bool:
    """Whether all of them are what was to be created, and none of an earlier attempt."""
    return not any(
        differences(rows[key], order, each)
        for (order, key), each in zip(orders, values, strict=True)
    )


def _told(orders: Orders) -> str:
    return f"a group of {len(orders)} orders from {orders[0][0].web_number} on"


@contextmanager
def _unknown_from_here(orders: Orders) -> Iterator[None]:
    """Sales may be there: being away is no longer the same as not having written."""
    try:
        yield
    except (TryLater, Misconfigured) as error:
        raise OutcomeUnknown(f"{_told(orders)}: {error}") from error
