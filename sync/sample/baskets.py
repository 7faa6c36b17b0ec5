"""How a sample order is put together, so that it always adds up.

A basket asks the price book what the buyer's price is, the way the store shows
it. Everything is kept in whole cents: where four-place prices make an odd
fraction, the shop rounds and names the difference, as a real one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from sync.domain.account import Account, Item
from sync.domain.address import TypedAddress
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    LocationId,
    ShipToId,
    WebOrderId,
    WebOrderNumber,
)
from sync.domain.money import Money
from sync.domain.order import (
    Adjustment,
    Buyer,
    Charge,
    ChargeKind,
    LineDiscount,
    OrderDiscount,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    SelectedShipTo,
    Tax,
    WebOrder,
)
from sync.domain.pricing import PriceQuestion
from sync.sample.catalogue import Catalogue
from sync.sample.customers import Customers
from sync.sample.directory import Directory
from sync.sample.price_book import ORDERED_WITHIN_DAYS, PriceBook

CENT = Decimal("0.01")
UNIT_NAMES = {"EA": "piece", "PR": "pair", "M": "metre", "CS": "case", "BX": "box", "RL": "roll"}
"""The store's words for the ERP's units; the code table ``units`` is this, turned round."""

_TAX_CODE = {"USD": ("US-SALES", Decimal("0.0625")), "EUR": ("EU-VAT", Decimal("0.19"))}
_FIRST_NUMBER = 50001


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class World:
    """Both systems as they stand before the first order comes in."""

    today: date
    catalogue: Catalogue
    customers: Customers
    prices: PriceBook
    directory: Directory


@dataclass(frozen=True, slots=True)
class Want:
    """What one buyer wants to order, and where from.

    ``account`` is the one whose prices the shop showed: a retail buyer's is the
    retail group's. ``items`` are (item, unit, quantity).
    """

    channel: ChannelId
    buyer: Buyer
    account: Account
    items: Sequence[tuple[Item, str, Decimal]]
    currency: str
    ship_to: SelectedShipTo | TypedAddress | None
    priced_for: CustomerId | None = None
    exempt: bool = False
    freight: Decimal | None = None
    fee: Decimal | None = None
    coupon: Decimal | None = None
    line_discount: Decimal | None = None


@dataclass(slots=True)
class Counter:
    """The shop's till: hands out order IDs, numbers and moments, and rings up baskets."""

    world: World
    chance: Random
    count: int = 0

    def ring_up(
        self, want: Want, payments: Sequence[Payment] | None = None, **more: Any
    ) -> WebOrder:
        """The order, adding up exactly. ``payments`` None: the whole by authorised card.

        ``more`` are further fields of the order, for whatever else the buyer said.
        """
        number = _FIRST_NUMBER + self.count
        self.count += 1
        placed = self._moment()
        lines = self.lines(want, placed.date())
        goods = sum((line.net.amount for line in lines if not line.kit_parent), Decimal(0))
        charges = self._charges(want)
        discounts = (
            (OrderDiscount("WELCOME5", Money(want.coupon, want.currency)),) if want.coupon else ()
        )
        off = want.coupon or Decimal(0)
        before_tax = goods + sum((each.amount.amount for each in charges), Decimal(0)) - off
        taxes = self._taxes(want, before_tax)
        exact = before_tax + sum((tax.amount.amount for tax in taxes), Decimal(0))
        total = cents(exact)
        adjustments = (
            (Adjustment("rounding", Money(total - exact, want.currency)),) if total != exact else ()
        )
        order = WebOrder(
            order_id=WebOrderId(f"ord-{number:06d}"),
            number=WebOrderNumber(f"W-{number}"),
            channel=want.channel,
            placed_at=placed,
            modified_at=placed + timedelta(seconds=self.chance.randint(5, 1800)),
            state=OrderState.AWAITING_FULFILMENT,
            buyer=want.buyer,
            currency=want.currency,
            lines=lines,
            total=Money(total, want.currency),
            ship_to=want.ship_to,
            charges=charges,
            discounts=discounts,
            taxes=taxes,
            adjustments=adjustments,
            payments=tuple(payments) if payments is not None else (self.card(),),
            priced_for=want.priced_for,
        )
        return replace(order, **more)

    def lines(self, want: Want, day: date) -> tuple[OrderLine, ...]:
        lines: list[OrderLine] = []
        for item, unit, quantity in want.items:
            number = len(lines) + 1
            price = self.price(want.account, want.buyer.location, item, unit, quantity, day, want)
            discounts: tuple[LineDiscount, ...] = ()
            if want.line_discount is not None and number == 1:
                off = cents(price * quantity * want.line_discount)
                code = f"SAVE{int(want.line_discount * 100)}"
                amount = Money(off, want.currency)
                discounts = (LineDiscount(code, amount, want.line_discount),)
            lines.append(
                OrderLine(
                    line_id=str(number),
                    sku=item.sku,
                    quantity=quantity,
                    unit=UNIT_NAMES[unit],
                    unit_price=Money(price, want.currency),
                    discounts=discounts,
                )
            )
            for part in self.world.catalogue.parts_of(item.sku) if item.kit else ():
                lines.append(
                    OrderLine(
                        line_id=str(len(lines) + 1),
                        sku=part.part,
                        quantity=part.quantity * quantity,
                        unit=UNIT_NAMES[self.world.catalogue.item(part.part).stock_unit],
                        unit_price=Money(Decimal("0.00"), want.currency),
                        kit_parent=str(number),
                    )
                )
        return tuple(lines)

    def price(
        self,
        account: Account,
        location: LocationId | None,
        item: Item,
        unit: str,
        quantity: Decimal,
        day: date,
        want: Want,
    ) -> Decimal:
        """What the store shows this buyer. Raises LookupError for a price on request."""
        question = PriceQuestion(item.sku, unit, want.currency, quantity, day)
        price = self.world.prices.unit_price(account, location, question)
        if price is None:
            raise LookupError(f"{item.sku} in {unit} is sold on request only")
        return price

    def goods(
        self, account: Account, currency: str, count: int, location: LocationId | None = None
    ) -> list[tuple[Item, str, Decimal]]:
        """So many different items that this buyer may buy at a price, in sensible quantities."""
        chosen: list[tuple[Item, str, Decimal]] = []
        while len(chosen) < count:
            item = self.chance.choice(self.world.catalogue.sellable())
            if any(item.sku == other.sku for other, _, _ in chosen):
                continue
            units = (item.stock_unit, *(unit for unit, _ in item.units))
            unit = self.chance.choice(units) if self.chance.random() < 0.25 else item.stock_unit
            quantity = self._quantity(item, unit)
            question = PriceQuestion(item.sku, unit, currency, quantity, self.world.today)
            if self.world.prices.unit_price(account, location, question) is not None:
                chosen.append((item, unit, quantity))
        return chosen

    def card(
        self,
        state: PaymentState = PaymentState.AUTHORISED,
        amount: Money | None = None,
        method: str = "card",
    ) -> Payment:
        """A card payment; without an amount it is for the whole order.

        It carries no end of its authorisation: the sample is played on days long
        after the one that it was made for.
        """
        reference = f"pay_{self.chance.getrandbits(48):012x}"
        return Payment(method, state, amount, reference)

    def _moment(self) -> datetime:
        """In the last five days, while it is the same day in Chicago and in Europe."""
        day = self.world.today - timedelta(days=self.chance.randint(1, ORDERED_WITHIN_DAYS))
        seconds = self.chance.randint(0, 6 * 3600)
        return datetime.combine(day, time(15), UTC) + timedelta(seconds=seconds)

    def _quantity(self, item: Item, unit: str) -> Decimal:
        if unit != item.stock_unit:
            return Decimal(self.chance.randint(1, 6))
        cost = self.world.catalogue.cost[item.sku]
        if not item.whole_units_only and cost > 4:
            return Decimal(self.chance.choice(("2.5", "10", "12.75", "50")))
        small = cost < 2
        return Decimal(self.chance.choice((10, 50, 100, 200, 600) if small else (1, 1, 2, 3, 6)))

    def _charges(self, want: Want) -> tuple[Charge, ...]:
        charges = []
        if want.freight is not None:
            amount = Money(want.freight, want.currency)
            charges.append(Charge(ChargeKind.FREIGHT, "standard-freight", amount))
        if want.fee is not None:
            charges.append(Charge(ChargeKind.FEE, "small-order", Money(want.fee, want.currency)))
        return tuple(charges)

    def _taxes(self, want: Want, amount: Decimal) -> tuple[Tax, ...]:
        if want.exempt:
            return ()
        code, rate = _TAX_CODE[want.currency]
        return (Tax(code, Money(cents(amount * rate), want.currency), rate),)


def selected(number: int = 1) -> SelectedShipTo:
    return SelectedShipTo(ShipToId(f"{number:04d}"))
