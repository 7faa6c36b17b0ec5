"""A sales order in Tryton's words: what is written into ``sale.sale``, and what not.

Goods come first, a line each, at the price that the buyer saw. What Tryton has
no column for becomes a line of its own: charges, and discounts with a negative
price, each with the product of their code, whose account and taxes count. A
discount on a line follows with the taxes of that line's item. So every amount
of the order is a row in Tryton, and nothing has to be spread over prices.

Taxes are Tryton's own, by item, customer and ship-to. They are told by the
server (``on_change``), since ``create`` runs nothing of the kind: an order
without them would be booked without tax, and without a word.

Remarks for the staff stand in the note of a last line, which is printed on no
document; the buyer's own notes are the order's comment, which is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from erp_adapters.tryton.addresses import Addresses, OneOff
from erp_adapters.tryton.lookups import Header, Lookups
from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.remarks import remarks
from erp_adapters.tryton.rounding import booked_adjustments
from erp_adapters.tryton.sale_lines import (
    Values,
    added,
    amount_line,
    discount_product,
    goods_line,
    refuse_what_no_sale_holds,
)
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.site import Places
from erp_adapters.tryton.translate import AMOUNTS_FROM
from sync.domain.address import Address
from sync.domain.ids import IdempotencyKey
from sync.domain.money import Money
from sync.domain.sales_order import (
    CodedAmount,
    OneOffShipTo,
    OnFileBillTo,
    OnFileShipTo,
    SalesOrder,
)
from sync.errors import GroupRejected, Rejected

REMARKS_AT = 2 * AMOUNTS_FROM


@dataclass(frozen=True, slots=True)
class _Begun:
    """An order whose names are all known in Tryton, and what they are there."""

    order: SalesOrder
    key: IdempotencyKey
    header: Header
    products: Mapping[str, Row]
    carrier: int | None
    term: int | None
    contact: int | None
    ship_to: int | OneOff
    bill_to: int | OneOff | None


class Sales:
    """Makes the values of sales. It reads, and makes one-off addresses, but no sale.

    What was looked up is kept for as long as the object lives.
    """

    def __init__(self, rpc: Rpc, places: Places) -> None:
        self._settings, self._places = rpc.settings, places
        self.lookups, self.addresses = Lookups(rpc, places), Addresses(rpc, places)

    def values(self, order: SalesOrder, key: IdempotencyKey) -> Values:
        """What ``sale.sale`` is created with. Raises Rejected for what Tryton cannot hold."""
        refuse_what_no_sale_holds(order, self._settings)
        begun = self._begun(order, key)
        return self._whole(begun, self._made([begun]))

    def values_together(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[Values]:
        """The same for each of them. Raises GroupRejected."""
        self._read_ahead([order for order, _ in orders])
        begun = []
        for position, (order, key) in enumerate(orders):
            with _named(position):
                begun.append(self._begun(order, key))
        # Only once all are known to be possible: addresses stay.
        made = self._made(begun)
        whole = []
        for position, each in enumerate(begun):
            with _named(position):
                whole.append(self._whole(each, made))
        return whole

    def _read_ahead(self, orders: Sequence[SalesOrder]) -> None:
        codes: set[str] = set()
        for position, order in enumerate(orders):
            with _named(position):
                refuse_what_no_sale_holds(order, self._settings)
                codes.update(self._codes(order))
        self.lookups.read_ahead({order.sold_to.value for order in orders}, codes)
        ship_tos = [order.ship_to for order in orders]
        on_file = [each.ship_to_id.value for each in ship_tos if isinstance(each, OnFileShipTo)]
        self.addresses.read_ahead(on_file)

    def _begun(self, order: SalesOrder, key: IdempotencyKey) -> _Begun:
        header = self.lookups.header(order.sold_to.value, order.currency)
        products = self.lookups.products(sorted(self._codes(order)))
        self._places.amounts |= products.keys() - {line.sku.value for line in order.lines}
        return _Begun(
            order,
            key,
            header,
            products,
            carrier=self.lookups.carrier(order),
            term=self.lookups.term(order),
            contact=self.lookups.contact(order, header.party),
            ship_to=self._ship_to(order, header),
            bill_to=self._bill_to(order, header),
        )

    def _made(self, begun: Sequence[_Begun]) -> Mapping[OneOff, int]:
        uses = [use for each in begun for use in (each.ship_to, each.bill_to)]
        return self.addresses.made([use for use in uses if isinstance(use, OneOff)])

    def _whole(self, begun: _Begun, made: Mapping[OneOff, int]) -> Values:
        site, order, header = self._places.site, begun.order, begun.header
        ship_to, bill_to = begun.ship_to, begun.bill_to
        header.shipment_address = made[ship_to] if isinstance(ship_to, OneOff) else ship_to
        if isinstance(bill_to, OneOff):
            bill_to = made[bill_to]
        elif bill_to is None and order.retail:
            # The group's account may have no address at all; then the buyer's is the only one.
            bill_to = header.shipment_address
        values: Values = {
            "company": site.company,
            "party": header.party,
            "currency": header.currency,
            "web_shop": site.web_shop,
            "web_id": begun.key.value,
            "reference": order.po_number,
            "description": f"Web order {order.web_number}",
            "comment": order.notes or None,
            "sale_date": order.ordered_on,
            "shipping_date": _shipping_date(order),
            # Tryton cancels quotations that have expired; an order is no offer.
            "quotation_validity": None,
            "payment_term": begun.term,
            "price_list": header.price_list,
            "warehouse": site.warehouse,
            "invoice_address": bill_to,
            "shipment_address": header.shipment_address,
            "contact": begun.contact,
            "lines": [["create", self._lines(order, header, begun.products)]],
        }
        for name in ("invoice_method", "shipment_method"):
            if header.defaults.get(name) is not None:
                values[name] = header.defaults[name]
        if site.carriers:
            # A method without a carrier cannot be quoted, and one with it would
            # charge freight beside what the buyer has paid.
            values.update(carrier=begun.carrier, shipment_cost_method=None)
        return values

    # Lines

    def _codes(self, order: SalesOrder) -> set[str]:
        """Of the products that the order needs."""
        amounts = {each.code for each in (*order.charges, *order.discounts)}
        amounts |= {
            discount_product(line, self._settings) for line in order.lines if line.discount.amount
        }
        amounts |= {self._adjustment_product(each) for each in booked_adjustments(order)}
        return amounts | {line.sku.value for line in order.lines}

    def _lines(
        self, order: SalesOrder, header: Header, products: Mapping[str, Row]
    ) -> Sequence[Values]:
        taxes = self.lookups.taxes(list(products.values()), header)
        units = self.lookups.units(products.values())
        lines = [goods_line(line, products[line.sku.value], units) for line in order.lines]
        for line, values in zip(order.lines, lines, strict=True):
            values["taxes"] = added(taxes[products[line.sku.value]["account_category"]])
        at = AMOUNTS_FROM

        def amount(code: str, value: Money, text: str, taxed_as: str | None = None) -> None:
            nonlocal at
            at += 1
            product = products[code]
            taxed = products[taxed_as or code]["account_category"]
            lines.append(amount_line(at, product, value, text, taxes[taxed]))

        for line in order.lines:
            if line.discount.amount:
                text = f"Discount {line.discount_code or ''} on line {line.number}, {line.sku}"
                code = discount_product(line, self._settings)
                amount(code, -line.discount, " ".join(text.split()), taxed_as=line.sku.value)
        for charge in order.charges:
            amount(charge.code, charge.amount, charge.code)
        for discount in order.discounts:
            amount(discount.code, -discount.amount, discount.code)
        for each in booked_adjustments(order):
            amount(self._adjustment_product(each), each.amount, each.code)
        lines.append(
            {
                "type": "comment",
                "sequence": REMARKS_AT,
                "description": f"Web order {order.web_number}",
                "note": "\n".join(remarks(order)),
            }
        )
        return lines

    def _adjustment_product(self, adjustment: CodedAmount) -> str:
        return self._settings.adjustment_product or adjustment.code

    # Header

    def _ship_to(self, order: SalesOrder, header: Header) -> int | OneOff:
        match order.ship_to:
            case OnFileShipTo(ship_to_id):
                return self.addresses.on_file(ship_to_id.value, header.party, what="ship-to")
            case OneOffShipTo(address):
                return self.addresses.one_off(address, header.party)

    def _bill_to(self, order: SalesOrder, header: Header) -> int | OneOff | None:
        match order.bill_to:
            case OnFileBillTo(bill_to_id):
                return self.addresses.on_file(bill_to_id.value, header.party, what="bill-to")
            case Address() as address:
                return self.addresses.one_off(address, header.party)
        held = header.defaults.get("invoice_address")
        return None if held is None else int(held)


@contextmanager
def _named(position: int) -> Iterator[None]:
    """What is refused in here is about the order at that place of the group."""
    try:
        yield
    except Rejected as refusal:
        raise GroupRejected(
            str(refusal), code=refusal.code, remedy=refusal.remedy, position=position
        ) from refusal


def _shipping_date(order: SalesOrder) -> object:
    """Tryton refuses one before the day of the sale; the remark has it in any case."""
    wanted = order.requested_on
    return wanted if wanted is not None and wanted >= order.ordered_on else None
