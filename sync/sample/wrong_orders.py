"""The web orders that must not simply go through, one for every reason there is.

Each begins as an order that would be admitted, and then exactly one thing about
it is spoiled. ``WRONG_ORDERS`` says in what each must end; the tests hold the
daemon to it, and fail when admission learns a reason that nobody shows here.
What no store can provoke is listed at the end, with the why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import Enum

from sync.domain.address import TypedAddress
from sync.domain.decision import Closing
from sync.domain.ids import BillToId, ChannelId, CustomerId, ShipToId, Sku, WebOrderId
from sync.domain.money import Money
from sync.domain.order import (
    Approval,
    Buyer,
    Charge,
    ChargeKind,
    OrderDiscount,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    SelectedBillTo,
    SelectedShipTo,
    Tax,
    WebOrder,
)
from sync.sample.customers import (
    INACTIVE,
    NO_CARDS,
    ON_CREDIT_HOLD,
    OWN_PRICE_BRANCH,
    PO_REQUIRED,
    PREPAID,
    PROSPECT,
    RETAIL_EU,
    RETAIL_US,
    STRICT_PRICES,
    branch_id,
    trade,
)
from sync.sample.directory import (
    APPLICANT,
    MAPPED_TO_NOBODY,
    MEANT_AS_RETAIL,
    NOT_AN_ORGANISATION,
    NOT_IN_DIRECTORY,
    OUTLET,
    PADDED_ATTRIBUTE,
    SHARED_MAILBOX,
    SHOP,
    STILL_REVIEWED,
    UNMAPPED,
    WRONG_CONTACT,
    employee,
    newcomer,
    organisation_of,
)
from sync.sample.good_orders import Desk, on_terms
from sync.sample.names import private_address

MAX_ORDER_LINES = 60
"""What the profile says that the ERP takes."""
NOTES_LENGTH = 2000
"""Characters that the ERP's notes hold, by the profile."""


class End(Enum):
    """In what an order ends that is not imported."""

    QUARANTINED = "quarantined"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ending:
    """``codes`` are all that must be named: quarantine or waiting codes, or the closing."""

    end: End
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class WrongOrder:
    """One order that must not go through. ``nonsense`` is written over its row afterwards."""

    order: WebOrder
    ending: Ending
    nonsense: tuple[tuple[str, str | None], ...] = ()
    spoiled_part: str = "orders"


Teller = Callable[[Desk], WebOrder]


def _plain(desk: Desk) -> WebOrder:
    """An order of account 20 that would be admitted."""
    return desk.till.ring_up(desk.wholesale(trade(20)), [on_terms()])


def _retail(desk: Desk) -> WebOrder:
    """An order of a guest in America that would be admitted."""
    return desk.till.ring_up(desk.retail(RETAIL_US))


def _retail_of(desk: Desk, buyer: Buyer, channel: ChannelId = SHOP) -> WebOrder:
    return desk.till.ring_up(desk.retail(RETAIL_US, buyer, channel=channel))


def _of(desk: Desk, customer_id: CustomerId, buyer: Buyer | None = None) -> WebOrder:
    return desk.till.ring_up(desk.wholesale(customer_id, buyer), [on_terms()])


def _signed_in(desk: Desk, who_is: Buyer) -> Buyer:
    who = who_is.web_user
    email = desk.world.directory.emails.get(who) if who else None
    return replace(who_is, signed_in=True, email=email)


def _with_line(order: WebOrder, **changes: object) -> WebOrder:
    """The order with its first line changed, adding up again."""
    first = replace(order.lines[0], **changes)  # type: ignore[arg-type]
    return _adding_up(replace(order, lines=(first, *order.lines[1:])))


def _adding_up(order: WebOrder) -> WebOrder:
    return replace(order, total=order.computed_total)


def _address(desk: Desk) -> TypedAddress:
    return private_address(desk.chance, "Ada Whitfield", european=False)


# ------------------------------------------------------------------ the reader


def _channel_unknown(desk: Desk) -> WebOrder:
    return replace(_plain(desk), channel=ChannelId("marketplace"))


def _no_lines(desk: Desk) -> WebOrder:
    order = _plain(desk)
    return _adding_up(replace(order, lines=(), charges=(), taxes=(), adjustments=()))


# ------------------------------------------------------------------- who buys


def _identity_unproven(desk: Desk) -> WebOrder:
    order = _plain(desk)
    return replace(order, buyer=replace(order.buyer, signed_in=False))


def _user_unknown(desk: Desk) -> WebOrder:
    return _retail_of(desk, Buyer(NOT_IN_DIRECTORY, True, email="gone@people.example"))


def _guest_not_allowed(desk: Desk) -> WebOrder:
    return _retail_of(desk, Buyer(email="guest@mail.example"), OUTLET)


def _organisation_missing(desk: Desk) -> WebOrder:
    order = _plain(desk)
    return replace(order, buyer=replace(order.buyer, organisation=None, location=None))


def _organisation_unknown(desk: Desk) -> WebOrder:
    order = _plain(desk)
    return replace(order, buyer=replace(order.buyer, organisation=NOT_AN_ORGANISATION))


def _organisation_on_b2c(desk: Desk) -> WebOrder:
    buyer = Buyer(employee(trade(20), 1), organisation=organisation_of(trade(20)))
    return _retail_of(desk, _signed_in(desk, buyer), OUTLET)


def _not_a_member(desk: Desk) -> WebOrder:
    order = _plain(desk)
    return replace(order, buyer=replace(order.buyer, web_user=employee(trade(25), 2)))


def _no_right_to_order(desk: Desk) -> WebOrder:
    return _of(desk, trade(20), desk.employee_buyer(trade(20), 3))


def _location_on_personal_order(desk: Desk) -> WebOrder:
    order = _retail_of(desk, desk.shopper_buyer(5))
    return replace(order, buyer=replace(order.buyer, location=branch_id(trade(1), 1)))


def _approval_on_personal_order(desk: Desk) -> WebOrder:
    return replace(_retail_of(desk, desk.shopper_buyer(6)), approval=Approval.APPROVED)


def _location_not_of_account(desk: Desk) -> WebOrder:
    order = _plain(desk)
    elsewhere = branch_id(OWN_PRICE_BRANCH, 2)
    return replace(order, buyer=replace(order.buyer, location=elsewhere))


# ----------------------------------------------------------- for which account


def _organisation_unmapped(desk: Desk) -> WebOrder:
    buyer = _signed_in(desk, Buyer(newcomer(UNMAPPED), organisation=UNMAPPED))
    return replace(_plain(desk), buyer=buyer)


def _application_open(desk: Desk) -> WebOrder:
    order = _retail_of(desk, _signed_in(desk, Buyer(APPLICANT)))
    return replace(order, payments=(on_terms(),))


def _assignment_refused(desk: Desk) -> WebOrder:
    return _retail_of(desk, _signed_in(desk, Buyer(PADDED_ATTRIBUTE)))


def _assignment_conflict(desk: Desk) -> WebOrder:
    return _retail_of(desk, _signed_in(desk, Buyer(SHARED_MAILBOX)))


def _retail_group_as_individual(desk: Desk) -> WebOrder:
    return _retail_of(desk, _signed_in(desk, Buyer(MEANT_AS_RETAIL)))


def _retail_group_unclear(desk: Desk) -> WebOrder:
    return replace(_retail(desk), priced_for=CustomerId("RETAIL-UK"))


def _retail_group_currency(desk: Desk) -> WebOrder:
    return replace(_retail(desk), priced_for=RETAIL_EU)


def _customer_unknown(desk: Desk) -> WebOrder:
    buyer = _signed_in(desk, Buyer(newcomer(MAPPED_TO_NOBODY), organisation=MAPPED_TO_NOBODY))
    return replace(_plain(desk), buyer=buyer)


def _account_not_active(desk: Desk) -> WebOrder:
    """The ERP's account is in order, but the store has not finished with the organisation."""
    buyer = _signed_in(desk, Buyer(newcomer(STILL_REVIEWED), organisation=STILL_REVIEWED))
    return replace(_plain(desk), buyer=buyer)


def _contact_of_another_account(desk: Desk) -> WebOrder:
    buyer = Buyer(WRONG_CONTACT, organisation=organisation_of(trade(18)))
    return _of(desk, trade(18), _signed_in(desk, buyer))


def _currency_not_of_account(desk: Desk) -> WebOrder:
    want = desk.wholesale(trade(20), currency="EUR")
    return desk.till.ring_up(want, [on_terms()])


# --------------------------------------------------------------- where it goes


def _ship_to_missing(desk: Desk) -> WebOrder:
    return replace(_plain(desk), ship_to=None)


def _ship_to_incomplete(desk: Desk) -> WebOrder:
    order = _retail(desk)
    assert isinstance(order.ship_to, TypedAddress)  # noqa: S101 - retail always types
    return replace(order, ship_to=replace(order.ship_to, city=None))


def _ship_to_not_of_account(desk: Desk) -> WebOrder:
    return replace(_plain(desk), ship_to=SelectedShipTo(ShipToId("0099")))


def _ship_to_selected_by_retail(desk: Desk) -> WebOrder:
    return replace(_retail(desk), ship_to=SelectedShipTo(ShipToId("0001")))


def _custom_ship_to_forbidden(desk: Desk) -> WebOrder:
    return replace(_plain(desk), ship_to=_address(desk))


def _country_unknown(desk: Desk) -> WebOrder:
    return replace(_retail(desk), ship_to=replace(_address(desk), country="Freedonia"))


def _bill_to_not_of_account(desk: Desk) -> WebOrder:
    return replace(_plain(desk), bill_to=SelectedBillTo(BillToId("77")))


def _bill_to_incomplete(desk: Desk) -> WebOrder:
    return replace(_retail(desk), bill_to=replace(_address(desk), lines=()))


def _bill_to_typed_on_terms(desk: Desk) -> WebOrder:
    return replace(_plain(desk), bill_to=_address(desk))


# ---------------------------------------------------------------- how it is paid


def _payment_method_missing(desk: Desk) -> WebOrder:
    return replace(_plain(desk), payments=())


def _paid_by(method: str) -> Teller:
    def tell(desk: Desk) -> WebOrder:
        return replace(_plain(desk), payments=(Payment(method),))

    return tell


def _card_in_state(state: PaymentState) -> Teller:
    def tell(desk: Desk) -> WebOrder:
        return replace(_retail(desk), payments=(desk.till.card(state),))

    return tell


def _authorisation_ended(desk: Desk) -> WebOrder:
    order = _retail(desk)
    ended = datetime.combine(desk.world.today - timedelta(days=2), time(12), UTC)
    return replace(order, payments=(replace(order.payments[0], expires_at=ended),))


def _payments_do_not_add_up(desk: Desk) -> WebOrder:
    order = _retail(desk)
    short = order.total - Money(Decimal("1.00"), order.currency)
    return replace(order, payments=(desk.till.card(PaymentState.AUTHORISED, short),))


def _terms_for_retail(desk: Desk) -> WebOrder:
    return replace(_retail(desk), payments=(on_terms(),))


def _card_not_allowed(desk: Desk) -> WebOrder:
    return replace(_of(desk, NO_CARDS), payments=(desk.till.card(),))


# ------------------------------------------------------------------------- what


def _item_unknown(desk: Desk) -> WebOrder:
    return _with_line(_plain(desk), sku=Sku("XX-9999"))


def _item_discontinued(desk: Desk) -> WebOrder:
    items = desk.world.catalogue.items
    gone = next(item for item in items if item.discontinued and item.stock_unit == "EA")
    return _with_line(_plain(desk), sku=gone.sku, unit="piece")


def _item_restricted(desk: Desk) -> WebOrder:
    items = desk.world.catalogue.items
    kept = next(item for item in items if item.allowed_to is not None and item.stock_unit == "EA")
    return _with_line(_plain(desk), sku=kept.sku, unit="piece")


def _unit_unknown(desk: Desk) -> WebOrder:
    return _with_line(_plain(desk), unit="dozen")


def _quantity_uneven(desk: Desk) -> WebOrder:
    order = desk.till.ring_up(desk.wholesale(trade(20)), [on_terms()])
    bolt = desk.world.catalogue.items[0]
    return _with_line(order, sku=bolt.sku, unit="piece", quantity=Decimal("2.5"))


def _kit_parent_missing(desk: Desk) -> WebOrder:
    order = _plain(desk)
    stray = OrderLine(
        "98",
        order.lines[0].sku,
        Decimal(4),
        order.lines[0].unit,
        Money(Decimal("0.00"), order.currency),
        kit_parent="97",
    )
    return replace(order, lines=(*order.lines, stray))


def _too_many_lines(desk: Desk) -> WebOrder:
    want = desk.wholesale(trade(20), lines=MAX_ORDER_LINES + 1)
    return desk.till.ring_up(want, [on_terms()])


def _price_differs(desk: Desk) -> WebOrder:
    order = _of(desk, STRICT_PRICES)
    cheaper = Money(order.lines[0].unit_price.amount / 2, order.currency)
    return _with_line(order, unit_price=cheaper)


# ------------------------------------------------------------ amounts and codes


def _total_mismatch(desk: Desk) -> WebOrder:
    order = _plain(desk)
    return replace(order, total=order.total + Money(Decimal("0.01"), order.currency))


def _charge_unmapped(desk: Desk) -> WebOrder:
    order = _plain(desk)
    charge = Charge(ChargeKind.FEE, "gift-wrapping", Money(Decimal("3.00"), order.currency))
    return _adding_up(replace(order, charges=(*order.charges, charge)))


def _discount_unmapped(desk: Desk) -> WebOrder:
    order = _plain(desk)
    discount = OrderDiscount("INFLUENCER", Money(Decimal("0.05"), order.currency))
    return _adding_up(replace(order, discounts=(discount,)))


def _tax_unmapped(desk: Desk) -> WebOrder:
    order = _plain(desk)
    tax = Tax("MOON-TAX", Money(Decimal("1.00"), order.currency))
    return _adding_up(replace(order, taxes=(tax,)))


def _ship_method_unmapped(desk: Desk) -> WebOrder:
    return replace(_plain(desk), ship_via="drone")


# -------------------------------------------------------------------------- text


def _text_not_encodable(desk: Desk) -> WebOrder:
    address = replace(_address(desk), name="小林 さくら", city="札幌市")
    return replace(_retail(desk), ship_to=address)


def _notes_too_long(desk: Desk) -> WebOrder:
    sentence = "Please read the attached instructions carefully before loading. "
    return replace(_plain(desk), notes=sentence * (NOTES_LENGTH // len(sentence) + 1))


# ------------------------------------------------- what the ERP has against it


def _erp_refused(desk: Desk) -> WebOrder:
    """The ERP takes no requested date before the day of the order."""
    order = _plain(desk)
    return replace(order, requested_date=order.placed_at.date() - timedelta(days=30))


# --------------------------------------------------- later, never, and several


def _in_state(state: OrderState) -> Teller:
    return lambda desk: replace(_plain(desk), state=state)


def _waits_for_payment(desk: Desk) -> WebOrder:
    pending = desk.till.card(PaymentState.PENDING)
    return replace(_retail(desk), state=OrderState.AWAITING_PAYMENT, payments=(pending,))


def _declined_but_unfinished(desk: Desk) -> WebOrder:
    """The buyer may still try another card."""
    declined = desk.till.card(PaymentState.DECLINED)
    return replace(_retail(desk), state=OrderState.AWAITING_PAYMENT, payments=(declined,))


def _approval(approval: Approval, state: OrderState | None = None) -> Teller:
    def tell(desk: Desk) -> WebOrder:
        order = _plain(desk)
        return replace(order, approval=approval, state=state or order.state)

    return tell


def _waits_though_forbidden(desk: Desk) -> WebOrder:
    """What delays an order comes before what forbids it."""
    return replace(_plain(desk), state=OrderState.HELD, ship_to=None)


def _four_at_once(desk: Desk) -> WebOrder:
    """All reasons are named, so that nobody corrects one and finds the next."""
    order = replace(_plain(desk), ship_to=None, ship_via="drone", payments=(Payment("cheque"),))
    return replace(order, total=order.total + Money(Decimal("5.00"), order.currency))


def _quarantined(*codes: str) -> Ending:
    return Ending(End.QUARANTINED, frozenset(codes))


def _waiting(code: str) -> Ending:
    return Ending(End.WAITING, frozenset({code}))


def _closed(why: Closing) -> Ending:
    return Ending(End.CLOSED, frozenset({why.value}))


_TELLERS: tuple[tuple[Teller, Ending], ...] = (
    (_channel_unknown, _quarantined("channel_unknown")),
    (_no_lines, _quarantined("no_lines")),
    (_identity_unproven, _quarantined("identity_unproven")),
    (_user_unknown, _quarantined("user_unknown")),
    (_guest_not_allowed, _quarantined("guest_not_allowed")),
    (_organisation_missing, _quarantined("organisation_missing")),
    (_organisation_unknown, _quarantined("organisation_unknown")),
    (_organisation_on_b2c, _quarantined("organisation_on_b2c")),
    (_not_a_member, _quarantined("not_a_member")),
    (_no_right_to_order, _quarantined("no_right_to_order")),
    (_location_on_personal_order, _quarantined("location_on_personal_order")),
    (_approval_on_personal_order, _quarantined("approval_on_personal_order")),
    (_location_not_of_account, _quarantined("location_not_of_account")),
    (_organisation_unmapped, _quarantined("organisation_unmapped")),
    (_application_open, _quarantined("application_open")),
    (_assignment_refused, _quarantined("assignment_refused")),
    (_assignment_conflict, _quarantined("assignment_conflict")),
    (_retail_group_as_individual, _quarantined("retail_group_as_individual")),
    (_retail_group_unclear, _quarantined("retail_group_unclear")),
    (_retail_group_currency, _quarantined("retail_group_currency")),
    (_customer_unknown, _quarantined("customer_unknown")),
    (lambda desk: _of(desk, INACTIVE), _quarantined("customer_inactive")),
    (lambda desk: _of(desk, PROSPECT), _quarantined("customer_prospect")),
    (_account_not_active, _quarantined("account_not_active")),
    (_contact_of_another_account, _quarantined("contact_of_another_account")),
    (_currency_not_of_account, _quarantined("currency_not_of_account")),
    (lambda desk: _of(desk, ON_CREDIT_HOLD), _quarantined("credit_hold")),
    (lambda desk: _of(desk, PO_REQUIRED), _quarantined("po_missing")),
    (_ship_to_missing, _quarantined("ship_to_missing")),
    (_ship_to_incomplete, _quarantined("ship_to_incomplete")),
    (_ship_to_not_of_account, _quarantined("ship_to_not_of_account")),
    (_ship_to_selected_by_retail, _quarantined("ship_to_selected_by_retail")),
    (_custom_ship_to_forbidden, _quarantined("custom_ship_to_forbidden")),
    (_country_unknown, _quarantined("country_unknown")),
    (_bill_to_not_of_account, _quarantined("bill_to_not_of_account")),
    (_bill_to_incomplete, _quarantined("bill_to_incomplete")),
    (_bill_to_typed_on_terms, _quarantined("bill_to_typed_on_terms")),
    (_payment_method_missing, _quarantined("payment_method_missing")),
    (_paid_by("crypto"), _quarantined("payment_method_unmapped")),
    (_paid_by("cash-on-delivery"), _quarantined("payment_method_refused")),
    (_card_in_state(PaymentState.NONE), _quarantined("payment_absent")),
    (_card_in_state(PaymentState.DECLINED), _quarantined("payment_declined")),
    (_card_in_state(PaymentState.EXPIRED), _quarantined("payment_expired")),
    (_authorisation_ended, _quarantined("payment_expired")),
    (_card_in_state(PaymentState.REFUNDED), _quarantined("payment_refunded")),
    (_payments_do_not_add_up, _quarantined("payments_do_not_add_up")),
    (_terms_for_retail, _quarantined("terms_for_retail")),
    (lambda desk: _of(desk, PREPAID[0]), _quarantined("account_without_terms")),
    (_card_not_allowed, _quarantined("card_not_allowed")),
    (_item_unknown, _quarantined("item_unknown")),
    (_item_discontinued, _quarantined("item_discontinued")),
    (_item_restricted, _quarantined("item_restricted")),
    (_unit_unknown, _quarantined("unit_unknown")),
    (_quantity_uneven, _quarantined("quantity_uneven")),
    (_kit_parent_missing, _quarantined("kit_parent_missing")),
    (_too_many_lines, _quarantined("too_many_lines")),
    (_price_differs, _quarantined("price_differs")),
    (_total_mismatch, _quarantined("total_mismatch")),
    (_charge_unmapped, _quarantined("charge_unmapped")),
    (_discount_unmapped, _quarantined("discount_unmapped")),
    (_tax_unmapped, _quarantined("tax_unmapped")),
    (_ship_method_unmapped, _quarantined("ship_method_unmapped")),
    (_text_not_encodable, _quarantined("text_not_encodable")),
    (_notes_too_long, _quarantined("notes_too_long")),
    (_erp_refused, _quarantined("erp_refused")),
    (
        _four_at_once,
        _quarantined(
            "ship_to_missing", "ship_method_unmapped", "payment_method_unmapped", "total_mismatch"
        ),
    ),
    (_in_state(OrderState.CREATED), _waiting("order_not_ready")),
    (_in_state(OrderState.VERIFYING_PAYMENT), _waiting("order_not_ready")),
    (_waits_though_forbidden, _waiting("order_not_ready")),
    (_approval(Approval.PENDING, OrderState.PENDING_APPROVAL), _waiting("approval_pending")),
    (_approval(Approval.PENDING), _waiting("approval_pending")),
    (_waits_for_payment, _waiting("payment_pending")),
    (_declined_but_unfinished, _waiting("payment_pending")),
    (_in_state(OrderState.CANCELLED), _closed(Closing.CANCELLED)),
    (_in_state(OrderState.REFUNDED), _closed(Closing.REFUNDED)),
    (_approval(Approval.REFUSED), _closed(Closing.APPROVAL_REFUSED)),
)

# Rows as broken shops write them; what is readable of them stays as it was.
_NONSENSE: tuple[tuple[str, tuple[tuple[str, str | None], ...]], ...] = (
    ("order_lines", (("quantity", "NaN"),)),
    ("orders", (("currency", None),)),
    ("orders", (("placed_at", "yesterday"), ("total", "12,50"))),
)

NOT_SHOWN: dict[str, str] = {
    "user_unmapped": "a store with organisations misses the organisation first",
    "contact_missing": "the sample ERP needs no contact",
    "ship_to_override_unsupported": "the sample ERP ships to any address",
    "ship_to_id_missing": "the sample ERP needs no ship-to ID beside an address",
    "tax_differs": "the sample ERP takes the store's tax",
    "tax_cannot_be_compared": "the sample ERP takes the store's tax",
    "gave_up": "it takes an ERP that stays away for hours",
    "order_vanished": "it takes an order that is there first and then is not",
    Closing.VANISHED.value: "it takes an order that is there first and then is not",
    Closing.DISMISSED.value: "it takes a person who dismisses it",
}
"""Reasons that no order of the sample can show, each with the why."""


def wrong_orders(desk: Desk) -> Iterator[WrongOrder]:
    """One for every reason, in the order of the reasons, the unreadable ones last."""
    for tell, ending in _TELLERS:
        yield WrongOrder(tell(desk), ending)
    for part, nonsense in _NONSENSE:
        yield WrongOrder(_plain(desk), _quarantined("order_unreadable"), nonsense, part)


def endings(orders: Iterator[WrongOrder]) -> dict[WebOrderId, Ending]:
    """What must become of each, by its order ID."""
    return {wrong.order.order_id: wrong.ending for wrong in orders}
