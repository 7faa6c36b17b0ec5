"""Orders: looked up by their key, written whole, taken as far as the settings say.

A sale with its lines is one transaction of Tryton's; making it a quotation, and
confirming that, are further ones. So an attempt may end half way, and the order may
be another one by the time of the next. What the next one finds is held against the
order in everything that travels (``comparing.py``):

- a sale without a quotation number is not an order yet, and nobody has worked with
  it. Where it is the order it is gone on with, otherwise removed and made anew;
- one with a number stays. Where it is the order it is gone on with, otherwise it is
  told with its differences, so that a person decides.

A second confirmation is an error in Tryton, therefore the state decides, never the
memory of what was sent.

What a failed create has left behind is found by searching the key, whatever the
error said: its sentence is in the language of the user and names no record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from erp_adapters.tryton import translate
from erp_adapters.tryton.comparing import differences, unlike
from erp_adapters.tryton.finding import FindsOrdersByWebId
from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.sale_lines import Values, refuse_what_no_sale_holds
from erp_adapters.tryton.settings import Reach
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import OrderAcknowledgement, SalesOrder
from sync.errors import Conflict, Misconfigured, OutcomeUnknown, Rejected, TryLater
from sync.kit.foreseeing import refusal_of


class SubmitsOrdersAsSales(FindsOrdersByWebId):
    def foreseen_refusal(self, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
        return refusal_of(refuse_what_no_sale_holds, order, self.settings)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        held = self._sale(key)
        if held is not None and not self._unfinished(held):
            self._refuse_another(held, order, key)
            return OrderAcknowledgement(translate.order_number(held))
        if held is not None and held["number"]:
            self._refuse_another(held, order, key)
            return self._go_on(held, order, key)
        try:
            values = self._values(order, key)
        except Rejected:
            # A refused order leaves nothing behind, not of an earlier attempt either.
            if held is not None:
                self._discard(held, order)
            raise
        if held is not None:
            if held["state"] == "draft" and not differences(held, order, values):
                return self._go_on(held, order, key)
            self._discard(held, order)
        return self._go_on(self._created(values, order, key), order, key)

    def _values(self, order: SalesOrder, key: IdempotencyKey) -> Values:
        with nothing_written(), self._looking_up() as sales:
            sales.lookups.forget_taxes()
            return sales.values(order, key)

    def _refuse_another(self, row: Row, order: SalesOrder, key: IdempotencyKey) -> None:
        """Raises Conflict where the sale, which is one for people, is not this order."""
        found = translate.found_order(row).differences(order)
        if not found:
            try:
                with unknown_from_here(order):
                    found = differences(row, order, self._values(order, key))
            except Rejected as refusal:
                found = (f"whether it is the order as it is now cannot be told: {refusal}",)
        if found:
            raise another(row, order, key, found)

    def _created(self, values: Values, order: SalesOrder, key: IdempotencyKey) -> Row:
        """The sale as it stands in Tryton after the create, read back whole."""
        failed: Rejected | Conflict | OutcomeUnknown | None = None
        try:
            self._rpc.write("model.sale.sale.create", [values])
        except (Rejected, Conflict, OutcomeUnknown) as error:
            failed = error
        with unknown_from_here(order):
            row = self._sale(key)
        if row is None:
            raise failed or OutcomeUnknown(
                f"order {order.web_number}: Tryton took it and does not find it"
            )
        if failed is not None:
            self._refuse_anothers(row, order, key, values, failed)
        return row

    def _refuse_anothers(
        self, row: Row, order: SalesOrder, key: IdempotencyKey, values: Values, failed: Exception
    ) -> None:
        """Another worker may have made it meanwhile, of an earlier version of the order."""
        found = differences(row, order, values)
        if found and (row["number"] or not self._unfinished(row)):
            raise another(row, order, key, found) from failed
        if found and not unlike(row, order):
            self._discard(row, order)
            raise OutcomeUnknown(
                f"order {order.web_number}: another attempt made it of another version"
            ) from failed

    def _go_on(self, row: Row, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        """From where the sale stands to where it is to be. Raises Rejected, OutcomeUnknown."""
        if row["number"] is None and unlike(row, order):
            # Another worker's, or not what was sent: either way not this order.
            self._discard(row, order)
            raise differs(row, order)
        with unknown_from_here(order):
            row = self._quoted(row, order, key)
            row = self._confirmed(row, order, key)
        if self._unfinished(row):
            raise OutcomeUnknown(
                f"order {order.web_number}: Tryton took the steps, and sale {row['id']} stands"
                f" as {row['state']} all the same"
            )
        return same(row, order, key)

    def _quoted(self, row: Row, order: SalesOrder, key: IdempotencyKey) -> Row:
        if self.settings.reach < Reach.QUOTATION or row["state"] != "draft":
            return row
        try:
            self._step("quote", row)
        except Rejected:
            # Without a number nobody has worked with it: a refused order leaves nothing behind.
            if row["number"] is None:
                self._discard(row, order)
            raise
        return self._again(key, order)

    def _confirmed(self, row: Row, order: SalesOrder, key: IdempotencyKey) -> Row:
        waits = order.hold or translate.held(row)
        if self.settings.reach < Reach.CONFIRMED or row["state"] != "quotation" or waits:
            return row
        try:
            self._step("confirm", row)
        except Rejected as refusal:
            raise Rejected(
                f"{refusal}; quotation {row['number']} stays in Tryton",
                code=refusal.code,
                remedy=refusal.remedy,
            ) from refusal
        return self._again(key, order)

    def _step(self, name: str, *rows: Row) -> None:
        """Press a button of the sales, if they are as they were read; all of them or none."""
        numbers = [int(row["id"]) for row in rows]
        stamps = {f"sale.sale,{row['id']}": row["_timestamp"] for row in rows}
        self._rpc.write(f"model.sale.sale.{name}", numbers, _timestamp=stamps)

    def _again(self, key: IdempotencyKey, order: SalesOrder) -> Row:
        row = self._sale(key)
        if row is None:
            raise OutcomeUnknown(f"order {order.web_number}: Tryton had it and lost it")
        return row

    def _discard(self, row: Row, order: SalesOrder) -> None:
        """Remove a sale that never became an order. Raises Rejected where that is not allowed."""
        try:
            with unknown_from_here(order):
                if row["state"] == "draft":
                    self._step("cancel", row)
                self._rpc.write("model.sale.sale.delete", [int(row["id"])])
        except Rejected as refusal:
            raise Rejected(
                f"order {order.web_number}: an earlier attempt left sale {row['id']} without a"
                f" number in Tryton, which does not let it be deleted: {refusal}",
                code="erp_left_behind",
                remedy=f"Delete sale {row['id']} in Tryton, then replay.",
            ) from refusal


def differs(row: Row, order: SalesOrder) -> Rejected:
    found = translate.found_order(row)
    return Rejected(
        f"order {order.web_number}: in Tryton it would come to {found.total} with"
        f" {found.line_count} lines, the buyer saw {order.total} with {len(order.lines)}",
        code="erp_total_differs",
        remedy="Correct taxes, products or prices in Tryton or the store, then replay.",
    )


@contextmanager
def nothing_written() -> Iterator[None]:
    """Of an order that is only being prepared: at worst an unused address was made."""
    try:
        yield
    except (OutcomeUnknown, Conflict) as error:
        raise TryLater(f"nothing of the order was written: {error}") from error


@contextmanager
def unknown_from_here(order: SalesOrder) -> Iterator[None]:
    """A sale may be there: being away is no longer the same as not having written."""
    try:
        yield
    except (TryLater, Misconfigured) as error:
        raise OutcomeUnknown(f"order {order.web_number}: {error}") from error


def same(row: Row, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
    """The answer for the sale that was just written. Raises Conflict where it is another one."""
    found = translate.found_order(row).differences(order)
    if found:
        raise another(row, order, key, found)
    return OrderAcknowledgement(translate.order_number(row))


def another(row: Row, order: SalesOrder, key: IdempotencyKey, found: tuple[str, ...]) -> Conflict:
    shown = row["number"] or f"({row['id']})"
    return Conflict(
        f"order {order.web_number} is in Tryton under {key} already, and differs:"
        f" {'; '.join(found)}",
        differences=(f"Tryton has it as sale {shown} of an earlier attempt.", *found),
    )
