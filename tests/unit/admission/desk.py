"""The order desk of the tests: a web order, judged in a situation of which a test states a part.

Everything that a test leaves out fits together: one hybrid channel, one account
that the default organisation is assigned to, one retail group. ``judge`` routes
and admits exactly as the import does, looking things up in the situation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP
from types import MappingProxyType
from typing import Any

from sync.admission import AdmissionFacts, LinePrice, admit, wants_terms
from sync.admission.destination import country_of
from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.address import TypedAddress
from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.decision import Admitted, Outcome, Quarantined, Routed, Unrouted
from sync.domain.ids import CustomerId, ErpOrderNumber, OrganisationId, WebUserId
from sync.domain.mapping import (
    DEFAULT_PRECEDENCE,
    AccountPolicy,
    Assignment,
    CodeTables,
    PaymentKind,
    PaymentMethod,
    RefusedAssignment,
    Source,
    SyncMapping,
)
from sync.domain.money import Money, Rounding
from sync.domain.order import BuyerRecord, Organisation, Payment, PaymentState, WebOrder, WebUser
from sync.domain.sales_order import SalesOrder
from sync.ports.erp import ErpCapabilities
from sync.routing import AccountMap, RoutingFacts, route
from sync.testing import builders as a

NOW = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
EURO_GROUP = RetailGroup(a.RETAIL_ACCOUNT, ("EUR",))
HYBRID = Channel(a.CHANNEL, CommerceMode.HYBRID, guest_checkout=True, retail_groups=(EURO_GROUP,))
B2B = Channel(a.CHANNEL, CommerceMode.B2B)
B2C = Channel(a.CHANNEL, CommerceMode.B2C, guest_checkout=True, retail_groups=(EURO_GROUP,))

OF_ORGANISATION = Assignment(a.ACCOUNT, organisation=a.ORGANISATION, origin="customers.csv:2")
OF_USER = Assignment(a.ACCOUNT, user=a.WEB_USER, origin="customers.csv:3")

PAYMENT_METHODS = {
    "card": PaymentMethod(PaymentKind.CARD, "CARD"),
    "gift_card": PaymentMethod(PaymentKind.CARD, "GIFT"),
    "on_account": PaymentMethod(PaymentKind.TERMS, "TERMS"),
    "cash": PaymentMethod(PaymentKind.REFUSED),
}
CODES = CodeTables(payment_methods=PAYMENT_METHODS)
POLICY = AccountPolicy()
RETAIL_POLICY = AccountPolicy(custom_ship_to=True)

ERP = ErpCapabilities(
    "an ERP",
    unit_price_rounding=Rounding(4, ROUND_HALF_UP),
    amount_rounding=Rounding(2, ROUND_HALF_UP),
)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything about the shop, the ERP and the mapping that an order meets."""

    channel: Channel = HYBRID
    more_channels: tuple[Channel, ...] = ()
    assignments: tuple[Assignment, ...] = (OF_ORGANISATION,)
    refused: tuple[RefusedAssignment, ...] = ()
    precedence: tuple[Source, ...] = DEFAULT_PRECEDENCE
    policies: Mapping[CustomerId, AccountPolicy] = field(default_factory=dict)
    policy: AccountPolicy = POLICY
    retail_policy: AccountPolicy = RETAIL_POLICY
    codes: CodeTables = CODES
    users: tuple[WebUser, ...] = (a.a_web_user(),)
    organisations: tuple[Organisation, ...] = (a.an_organisation(),)
    email_accounts: tuple[CustomerId, ...] | None = None
    store_organisations: bool = True
    erp: ErpCapabilities = ERP
    accounts: tuple[Account, ...] = (a.an_account(), a.a_retail_account())
    ship_tos: tuple[ShipTo, ...] = (a.a_ship_to(),)
    bill_tos: tuple[BillTo, ...] = (a.a_bill_to(),)
    locations: tuple[Location, ...] = (a.a_location(),)
    items: tuple[Item, ...] = (a.an_item(),)
    prices: Mapping[str, LinePrice] = field(default_factory=dict)
    po_used: ErpOrderNumber | None = None
    erp_tax: Money | None = None
    now: datetime = NOW

    @property
    def mapping(self) -> SyncMapping:
        channels = (self.channel, *self.more_channels)
        return SyncMapping(
            version="v1",
            channels=MappingProxyType({each.channel_id: each for each in channels}),
            assignments=self.assignments,
            refused=self.refused,
            precedence=self.precedence,
            account_policies=self.policies,
            default_policy=self.policy,
            retail_policy=self.retail_policy,
            codes=self.codes,
        )

    def record(self, user: WebUserId | None, organisation: OrganisationId | None) -> BuyerRecord:
        """What the store's directory answers."""
        users = {each.web_user: each for each in self.users}
        organisations = {each.organisation: each for each in self.organisations}
        return BuyerRecord(
            users.get(user) if user else None,
            organisations.get(organisation) if organisation else None,
        )


def situation(**changes: Any) -> Situation:
    return replace(Situation(), **changes)


class LookedUp(Exception):
    """Somebody asked for what may be looked up only where an order is judged."""


class _Unseen:
    """What nobody may ask anything, not even of what type it is."""

    def __getattribute__(self, name: str) -> Any:
        raise LookedUp(name)


UNSEEN: Any = _Unseen()


class Desk:
    """Judges one order after the other in the same situation."""

    def __init__(self, here: Situation) -> None:
        self._here = here
        self._mapping = here.mapping
        self._map = AccountMap.of(self._mapping)
        self._accounts = {each.customer_id: each for each in here.accounts}
        self._items = {item.sku: item for item in here.items}
        self._record = functools.cache(here.record)
        self._unseen = AdmissionFacts(
            channel=here.channel,
            mapping=self._mapping,
            routing=UNSEEN,
            record=UNSEEN,
            capabilities=UNSEEN,
            now=here.now,
            account=UNSEEN,
            items=UNSEEN,
            prices=UNSEEN,
        )

    def judge_unseen(self, order: WebOrder) -> Outcome:
        """The same for an order that is closed or waits. Raises LookedUp for any other."""
        return admit(order, self._unseen)

    def routed(self, order: WebOrder) -> Routed | Unrouted:
        here = self._here
        typed = order.ship_to if isinstance(order.ship_to, TypedAddress) else None
        facts = RoutingFacts(
            channel=here.channel,
            record=self._record(order.buyer.web_user, order.buyer.organisation),
            email_accounts=here.email_accounts,
            on_terms=wants_terms(order, here.codes),
            country=country_of(typed, here.codes) if typed else None,
            store_organisations=here.store_organisations,
        )
        return route(order, facts, self._map)

    def judge(self, order: WebOrder) -> Outcome:
        here = self._here
        routing = self.routed(order)
        account = self._accounts.get(routing.customer_id) if isinstance(routing, Routed) else None
        return admit(
            order,
            AdmissionFacts(
                channel=here.channel,
                mapping=self._mapping,
                routing=routing,
                record=self._record(order.buyer.web_user, order.buyer.organisation),
                capabilities=here.erp,
                now=here.now,
                account=account,
                ship_tos=here.ship_tos if account else (),
                bill_tos=here.bill_tos if account else (),
                locations=here.locations if account else (),
                items=self._items,
                prices=here.prices,
                po_used=here.po_used,
                erp_tax=here.erp_tax,
                store_organisations=here.store_organisations,
            ),
        )


def routed(order: WebOrder, given: Situation | None = None, **changes: Any) -> Routed | Unrouted:
    """Where the order is routed to in the situation."""
    return Desk(replace(given or Situation(), **changes)).routed(order)


def judge(order: WebOrder, given: Situation | None = None, **changes: Any) -> Outcome:
    """What becomes of the order in the situation."""
    return Desk(replace(given or Situation(), **changes)).judge(order)


def admitted(order: WebOrder, given: Situation | None = None, **changes: Any) -> SalesOrder:
    """The instruction for the ERP; fails the test where there is none."""
    outcome = judge(order, given, **changes)
    assert isinstance(outcome, Admitted), outcome
    return outcome.order


def refusals(order: WebOrder, given: Situation | None = None, **changes: Any) -> set[str]:
    """The codes under which the order is quarantined; fails where it is not."""
    outcome = judge(order, given, **changes)
    assert isinstance(outcome, Quarantined), outcome
    return {each.code for each in outcome.problems}


def sentence(order: WebOrder, given: Situation | None = None, **changes: Any) -> str:
    """The one sentence that a person reads of the order; fails where there are several."""
    outcome = judge(order, given, **changes)
    assert isinstance(outcome, Quarantined), outcome
    (reason,) = outcome.problems
    return reason.sentence


def codes(outcome: object) -> set[str]:
    """The codes of a routing or an outcome that names any."""
    assert isinstance(outcome, Unrouted | Quarantined), outcome
    return {each.code for each in outcome.problems}


def card(state: PaymentState = PaymentState.AUTHORISED, **changes: Any) -> Payment:
    """A card payment of the whole order."""
    return replace(Payment("card", state, reference="pay_123"), **changes)


def on_terms(**changes: Any) -> Payment:
    return replace(Payment("on_account"), **changes)


def personal(**changes: Any) -> WebOrder:
    """An order of a signed-in user for themselves: card, typed ship-to."""
    buyer = a.a_wholesale_buyer(organisation=None)
    return replace(a.a_retail_order(buyer=buyer), **changes)


def priced(order: WebOrder, **changes: Any) -> WebOrder:
    """The order with these changes, its total and its payments adding up again."""
    changed = replace(order, **changes)
    payments = tuple(replace(payment, amount=None) for payment in changed.payments)
    return replace(changed, total=changed.computed_total, payments=payments)
