"""The web orders that are as they should be: nine kinds of ordinary business day.

Each function tells one kind of order; the table at the end says how often it
comes. Everything here must be admitted, and the tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sync.domain.account import Account
from sync.domain.ids import CustomerId, WebUserId
from sync.domain.money import Money
from sync.domain.order import (
    Approval,
    Buyer,
    OrderState,
    Payment,
    PaymentState,
    SelectedBillTo,
    SelectedShipTo,
    WebOrder,
)
from sync.sample.baskets import Counter, Want, World, cents
from sync.sample.customers import (
    CARD_LIFTS_HOLD,
    IN_BOTH_CURRENCIES,
    IN_EUROS,
    INACTIVE,
    NO_CARDS,
    ON_CREDIT_HOLD,
    OWN_PRICE_BRANCH,
    PO_REQUIRED,
    PREPAID,
    PROSPECT,
    RETAIL_EU,
    RETAIL_US,
    TRUSTED,
    trade,
)
from sync.sample.directory import (
    CONSULTANT,
    KNOWN_BY_EMAIL,
    OUTLET,
    SECOND_OF_ONE,
    SHOP,
    SOLE_TRADER,
    TRADE,
    TWIN,
    employee,
    newcomer,
    organisation_of,
    shopper,
)
from sync.sample.names import mailbox, person, private_address

MAY_TYPE_SHIP_TO = tuple(trade(number) for number in (1, 2, 17, 31))
"""Accounts whose policy in ``accounts.yaml`` allows an address typed at checkout."""
USED_PO = "PO-7000"
"""A PO number that the desk has already taken an order under, from account 22."""

_NOT_ORDINARY = {NO_CARDS, ON_CREDIT_HOLD, CARD_LIFTS_HOLD, INACTIVE, PROSPECT, *PREPAID}
_SHIP_METHODS = ("ground", "express", "freight-forwarder", "pickup")
_NOTES = (
    "Please ring the bell at the side entrance.",
    "Lieferung bitte an Tor 3, Müller fragen.",
    "Livraison avant midi, s'il vous plaît. Merci !",
    "Deliver with the other order.\nCall ahead.",
    "Palé de 1,2 m máximo, por favor.",
)


def on_terms() -> Payment:
    return Payment("on-account")


@dataclass(slots=True)
class Desk:
    """The store on an ordinary day."""

    world: World
    chance: Random
    till: Counter

    def employee_buyer(
        self, customer_id: CustomerId, number: int | None = None, *, retail_shop: bool = False
    ) -> Buyer:
        """Somebody of the account who may order, signed in and in its context."""
        who = employee(customer_id, number or self.chance.choice((1, 2)))
        user = self.world.directory.user(who)
        membership = user.memberships[0]
        return Buyer(
            web_user=who,
            signed_in=True,
            organisation=membership.organisation,
            location=membership.location,
            email=self.world.directory.emails[who],
            phone="+1 217 555 0100" if retail_shop else None,
        )

    def acting_for(self, who: WebUserId, customer_id: CustomerId) -> Buyer:
        return Buyer(
            who, True, organisation_of(customer_id), None, self.world.directory.emails[who]
        )

    def wholesale(self, customer_id: CustomerId, buyer: Buyer | None = None, **more: Any) -> Want:
        """A basket on the trade portal, shipped to an address on file."""
        account = self.world.customers.account(customer_id)
        buyer = buyer or self.employee_buyer(customer_id)
        currency = more.pop("currency", account.currencies[0])
        ship_to = more.pop("ship_to", None) or self._own_ship_to(account, buyer)
        return Want(
            channel=more.pop("channel", TRADE),
            buyer=buyer,
            account=account,
            items=self.till.goods(
                account, currency, more.pop("lines", self.chance.randint(1, 6)), buyer.location
            ),
            currency=currency,
            ship_to=ship_to,
            exempt=self._exempt(account, ship_to, buyer),
            freight=self.chance.choice((None, Decimal("9.50"), Decimal("24.00"))),
            **more,
        )

    def retail(self, group: CustomerId, buyer: Buyer | None = None, **more: Any) -> Want:
        """A basket of a private person. Without a buyer it is a guest's."""
        account = self.world.customers.account(group)
        european = group == RETAIL_EU
        name = person(self.chance)
        address = private_address(self.chance, name, european=european)
        return Want(
            channel=more.pop("channel", SHOP),
            buyer=buyer or Buyer(email=mailbox(name, "mail"), phone=address.phone),
            account=account,
            items=self.till.goods(account, account.currencies[0], self.chance.randint(1, 4)),
            currency=account.currencies[0],
            ship_to=more.pop("ship_to", address),
            priced_for=more.pop("priced_for", group),
            freight=Decimal("5.90") if european else Decimal("7.95"),
            fee=Decimal("2.50") if self.chance.random() < 0.2 else None,
            coupon=Decimal("5.00") if self.chance.random() < 0.2 else None,
            **more,
        )

    def shopper_buyer(self, number: int) -> Buyer:
        who = shopper(number)
        return Buyer(web_user=who, signed_in=True, email=self.world.directory.emails[who])

    def ordinary(self) -> CustomerId:
        """An account without anything special about it, in dollars."""
        while True:
            customer_id = trade(self.chance.randint(1, 40))
            special = customer_id in _NOT_ORDINARY or customer_id in IN_EUROS
            if not special:
                return customer_id

    def extras(self, customer_id: CustomerId, number: int) -> dict[str, Any]:
        """What else buyers say; each order says a part of it."""
        more: dict[str, Any] = {}
        if customer_id == PO_REQUIRED or number % 2:
            more["po_number"] = f"PO-{number:04d}/{self.chance.randint(10, 99)}"
        if number % 3 == 0:
            more["notes"] = self.chance.choice(_NOTES)
        if number % 4 == 0:
            more["requested_date"] = self.world.today + timedelta(days=self.chance.randint(2, 30))
        if number % 5 == 0:
            more["ship_via"] = self.chance.choice(_SHIP_METHODS)
        if number % 7 == 0:
            more["ship_complete"] = True
        if number % 11 == 0:
            more["collect_account"] = f"UPS-{self.chance.randint(100000, 999999)}"
        return more

    def _own_ship_to(self, account: Account, buyer: Buyer) -> SelectedShipTo:
        own = self.world.customers.ship_tos_of(account.customer_id)
        if buyer.location is not None:
            own = tuple(each for each in own if each.location in (None, buyer.location))
        return SelectedShipTo(self.chance.choice(own).ship_to_id)

    def _exempt(self, account: Account, ship_to: object, buyer: Buyer) -> bool:
        if isinstance(ship_to, SelectedShipTo):
            for each in self.world.customers.ship_tos_of(account.customer_id):
                if each.ship_to_id == ship_to.ship_to_id and each.tax_exempt is not None:
                    return each.tax_exempt
        for site in self.world.customers.locations_of(account.customer_id):
            if site.location_id == buyer.location and site.tax_exempt is not None:
                return site.tax_exempt
        return account.tax_exempt


def _trade_on_terms(desk: Desk, number: int) -> WebOrder:
    customer_id = desk.ordinary()
    want = desk.wholesale(customer_id)
    if number % 6 == 0:
        want = replace(want, line_discount=Decimal("0.05"))
    more = desk.extras(customer_id, number)
    if number % 10 == 0:
        # On account, nobody waits for the money.
        more["state"] = OrderState.AWAITING_PAYMENT
    elif number % 10 == 5:
        more["approval"] = Approval.APPROVED
    elif number % 13 == 0:
        more["state"] = OrderState.PARTLY_FULFILLED
    order = desk.till.ring_up(want, [on_terms()], **more)
    if number % 8 == 0:
        lines = (
            replace(order.lines[0], customer_part_number=f"OUR-{number:05d}", note="Bag singly"),
            *order.lines[1:],
        )
        order = replace(order, lines=lines)
    return order


def _bill_to_chosen(desk: Desk, number: int) -> WebOrder:
    customer_id = desk.ordinary()
    own = desk.world.customers.bill_tos_of(customer_id)
    bill_to = SelectedBillTo(own[-1].bill_to_id)
    more = desk.extras(customer_id, number)
    return desk.till.ring_up(desk.wholesale(customer_id), [on_terms()], bill_to=bill_to, **more)


def _wholesale_by_card(desk: Desk, number: int) -> WebOrder:
    customer_id = CARD_LIFTS_HOLD if number % 9 == 0 else desk.ordinary()
    buyer = desk.employee_buyer(customer_id, retail_shop=True)
    want = desk.wholesale(customer_id, buyer, channel=SHOP)
    state = PaymentState.CAPTURED if number % 2 else PaymentState.AUTHORISED
    more = desk.extras(customer_id, number)
    if number % 4 == 0:
        more["bill_to"] = private_address(
            desk.chance, person(desk.chance), european=want.currency == "EUR"
        )
    return desk.till.ring_up(want, [desk.till.card(state)], **more)


def _prepaid(desk: Desk, number: int) -> WebOrder:
    customer_id = PREPAID[number % len(PREPAID)]
    return desk.till.ring_up(desk.wholesale(customer_id), **desk.extras(customer_id, number))


def _typed_by_wholesale(desk: Desk, number: int) -> WebOrder:
    customer_id = MAY_TYPE_SHIP_TO[number % len(MAY_TYPE_SHIP_TO)]
    european = customer_id in IN_EUROS
    site = private_address(desk.chance, person(desk.chance), european=european)
    if number % 3 == 0:
        site = replace(
            site,
            lines=(*site.lines, "Building site north, second gate, container of the foreman"),
            country={"DE": "Germany", "US": "USA", "FR": "France"}.get(
                site.country or "", site.country
            ),
            residential=False,
        )
    want = desk.wholesale(customer_id, ship_to=site)
    return desk.till.ring_up(want, [on_terms()], **desk.extras(customer_id, number))


def _in_euros(desk: Desk, number: int) -> WebOrder:
    both = number % 5 == 0
    customer_id = IN_BOTH_CURRENCIES[0] if both else IN_EUROS[number % len(IN_EUROS)]
    want = desk.wholesale(customer_id, currency="EUR")
    return desk.till.ring_up(want, [on_terms()], **desk.extras(customer_id, number))


def _with_a_story(desk: Desk, number: int) -> WebOrder:
    """Buyers whose account takes a second look to find."""
    world, till = desk.world, desk.till
    stories: list[Callable[[], WebOrder]] = [
        lambda: till.ring_up(
            desk.wholesale(trade(3), desk.acting_for(TWIN, trade(3))), [on_terms()]
        ),
        lambda: till.ring_up(
            desk.wholesale(trade(4), desk.acting_for(TWIN, trade(4))), [on_terms()]
        ),
        lambda: till.ring_up(
            desk.wholesale(trade(19), desk.acting_for(CONSULTANT, trade(19))), [on_terms()]
        ),
        lambda: till.ring_up(
            desk.wholesale(trade(31), desk.acting_for(CONSULTANT, trade(31))), [on_terms()]
        ),
        lambda: till.ring_up(
            desk.wholesale(
                trade(26),
                Buyer(SOLE_TRADER, True, email=world.directory.emails[SOLE_TRADER]),
                channel=SHOP,
            )
        ),
        lambda: till.ring_up(
            desk.wholesale(
                trade(40),
                Buyer(KNOWN_BY_EMAIL, True, email=world.directory.emails[KNOWN_BY_EMAIL]),
                channel=SHOP,
            ),
            [on_terms()],
        ),
        lambda: till.ring_up(
            desk.wholesale(trade(17), Buyer(newcomer(SECOND_OF_ONE), True, SECOND_OF_ONE)),
            [on_terms()],
        ),
        lambda: till.ring_up(desk.wholesale(trade(22)), [on_terms()], po_number=USED_PO),
        lambda: till.ring_up(
            desk.wholesale(OWN_PRICE_BRANCH, desk.employee_buyer(OWN_PRICE_BRANCH, 2)),
            [on_terms()],
        ),
        lambda: till.ring_up(_restricted(desk), [on_terms()]),
    ]
    return stories[number % len(stories)]()


def _restricted(desk: Desk) -> Want:
    """A trusted account buys what others may not."""
    want = desk.wholesale(TRUSTED[0])
    day = desk.world.today
    for item in desk.world.catalogue.items:
        if item.allowed_to is not None and item.active and not item.discontinued:
            try:
                desk.till.price(
                    want.account, want.buyer.location, item, item.stock_unit, Decimal(10), day, want
                )
            except LookupError:
                continue
            return replace(want, items=[*want.items, (item, item.stock_unit, Decimal(10))])
    raise LookupError("the catalogue has no restricted item with a price")


def _kits(desk: Desk, number: int) -> WebOrder:
    customer_id = desk.ordinary()
    want = desk.wholesale(customer_id)
    kits = desk.world.catalogue.kits()
    for offset in range(len(kits)):
        kit = kits[(number + offset) % len(kits)]
        with_kit = replace(want, items=[(kit, "EA", Decimal(2)), *want.items])
        try:
            order = desk.till.ring_up(with_kit, [on_terms()], **desk.extras(customer_id, number))
        except LookupError:
            continue
        return order
    raise LookupError("no kit has a price")


def _retail_signed_in(desk: Desk, number: int) -> WebOrder:
    who = number % 40 + 1
    group = RETAIL_EU if who % 4 == 0 else RETAIL_US
    want = desk.retail(group, desk.shopper_buyer(who))
    if number % 4 == 1:
        # The shop does not always say who priced the cart; then it must be plain.
        want = replace(want, priced_for=None)
    method = ("card", "wallet")[number % 2]
    state = PaymentState.CAPTURED if number % 3 else PaymentState.AUTHORISED
    return desk.till.ring_up(want, [desk.till.card(state, method=method)])


def _guest(desk: Desk, number: int) -> WebOrder:
    want = desk.retail(RETAIL_EU if number % 3 == 0 else RETAIL_US)
    more: dict[str, Any] = {"notes": desk.chance.choice(_NOTES)} if number % 5 == 0 else {}
    return desk.till.ring_up(want, **more)


def _with_gift_card(desk: Desk, number: int) -> WebOrder:
    """A gift card pays a part. It is money, not a discount (OI-7)."""
    order = desk.till.ring_up(desk.retail(RETAIL_US, desk.shopper_buyer(number % 9 * 4 + 1)))
    gift = min(Decimal("10.00"), cents(order.total.amount / 2))
    rest = Money(order.total.amount - gift, order.currency)
    payments = (
        desk.till.card(PaymentState.CAPTURED, Money(gift, order.currency), "gift-card"),
        desk.till.card(PaymentState.AUTHORISED, rest),
    )
    return replace(order, payments=payments)


def _outlet(desk: Desk, number: int) -> WebOrder:
    """On a b2c channel everybody is retail, also the buyer of an account (VE-1)."""
    buyer = (
        Buyer(SOLE_TRADER, True, email=desk.world.directory.emails[SOLE_TRADER])
        if number % 4 == 0
        else desk.shopper_buyer(number % 10 * 4 + 2)
    )
    return desk.till.ring_up(desk.retail(RETAIL_US, buyer, channel=OUTLET))


_DAYS_WORK: Mapping[Callable[[Desk, int], WebOrder], int] = {
    _trade_on_terms: 90,
    _bill_to_chosen: 8,
    _wholesale_by_card: 30,
    _prepaid: 12,
    _typed_by_wholesale: 16,
    _in_euros: 20,
    _with_a_story: 20,
    _kits: 8,
    _retail_signed_in: 26,
    _guest: 24,
    _with_gift_card: 6,
    _outlet: 10,
}
GOOD_ORDER_COUNT = sum(_DAYS_WORK.values())


def good_orders(desk: Desk) -> Iterator[WebOrder]:
    """Every order here must be admitted as it stands."""
    for tell, times in _DAYS_WORK.items():
        for number in range(1, times + 1):
            yield tell(desk, number)
