"""The sample's web orders: the good ones are admitted, each wrong one for its own reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from erp_adapters.sql.profile import load_profile
from sync.admission import AdmissionFacts, LinePrice, admit, wants_terms
from sync.admission.destination import country_of
from sync.domain.address import TypedAddress
from sync.domain.decision import Admitted, Closed, Closing, Outcome, Quarantined, Routed, Waits
from sync.domain.ids import CustomerId, WebOrderId
from sync.domain.mapping import SyncMapping
from sync.domain.order import BuyerRecord, OrderState, WebOrder
from sync.domain.pricing import PriceQuestion
from sync.domain.problem_codes import QUARANTINE_CODES, WAITING_CODES
from sync.mapping import read_mapping
from sync.ports.erp import ErpCapabilities
from sync.routing import AccountMap, RoutingFacts, route
from sync.sample.build import Sample, make_sample
from sync.sample.good_orders import GOOD_ORDER_COUNT, USED_PO
from sync.sample.wrong_orders import NOT_SHOWN, End, WrongOrder

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 3, 2)
SAMPLE = make_sample(seed=7, today=TODAY)
READABLE = [wrong for wrong in SAMPLE.wrong if not wrong.nonsense]
# Only the ERP itself can say this, when it is handed the order.
SAID_BY_THE_ERP = frozenset({"erp_refused"})
NOT_ON_A_MAP = frozenset({"channel_unknown"})


@cache
def mapping() -> SyncMapping:
    return read_mapping(ROOT / "mappings")


@cache
def capabilities() -> ErpCapabilities:
    return load_profile(ROOT / "erp_adapters/sql/profiles/sample.yaml").capabilities


def judged(sample: Sample, order: WebOrder) -> Outcome:
    """What admission says, on facts taken from the sample itself."""
    world, rules = sample.world, mapping()
    channel = rules.channels[order.channel]
    users = {user.web_user: user for user in world.directory.users}
    organisations = {each.organisation: each for each in world.directory.organisations}
    who, company = order.buyer.web_user, order.buyer.organisation
    record = BuyerRecord(
        users.get(who) if who else None, organisations.get(company) if company else None
    )
    verified = record.user.verified_email if record.user else None
    routing = route(
        order,
        RoutingFacts(
            channel=channel,
            record=record,
            email_accounts=_accounts_by_email(sample, verified) if verified else None,
            on_terms=wants_terms(order, rules.codes),
            country=country_of(order.ship_to, rules.codes)
            if isinstance(order.ship_to, TypedAddress)
            else None,
        ),
        AccountMap.of(rules),
    )
    accounts = {account.customer_id: account for account in world.customers.accounts()}
    account = accounts.get(routing.customer_id) if isinstance(routing, Routed) else None
    of = account.customer_id if account else CustomerId("nobody")
    prices = {}
    for line in order.lines:
        if account is not None and not line.kit_parent:
            question = PriceQuestion(
                line.sku,
                rules.codes.units.get(line.unit, line.unit),
                order.currency,
                line.quantity,
                order.placed_at.astimezone(ZoneInfo(capabilities().time_zone)).date(),
            )
            own = world.prices.unit_price(account, order.buyer.location, question)
            prices[line.line_id] = LinePrice(own)
    return admit(
        order,
        AdmissionFacts(
            channel=channel,
            mapping=rules,
            routing=routing,
            record=record,
            capabilities=capabilities(),
            now=datetime.combine(world.today, time(9), UTC),
            account=account,
            ship_tos=world.customers.ship_tos_of(of),
            bill_tos=world.customers.bill_tos_of(of),
            locations=world.customers.locations_of(of),
            items={item.sku: item for item in world.catalogue.items},
            prices=prices,
        ),
    )


def _accounts_by_email(sample: Sample, email: str) -> tuple[CustomerId, ...]:
    return tuple(
        account.customer_id
        for account in sample.world.customers.accounts()
        if any((contact.email or "").lower() == email.lower() for contact in account.contacts)
    )


def _ends_in(outcome: Outcome) -> tuple[End | None, frozenset[str]]:
    match outcome:
        case Quarantined(problems):
            return End.QUARANTINED, frozenset(problem.code for problem in problems)
        case Waits(code):
            return End.WAITING, frozenset({code})
        case Closed(why):
            return End.CLOSED, frozenset({why.value})
        case Admitted():
            return None, frozenset()


def _shown(orders: Iterable[WrongOrder]) -> set[str]:
    return {code for wrong in orders for code in wrong.ending.codes}


def _name(wrong: WrongOrder) -> str:
    return f"{wrong.order.number}-{'-'.join(sorted(wrong.ending.codes))}"


def test_same_seed_and_day_tell_the_same_story() -> None:
    assert make_sample(seed=7, today=TODAY) == SAMPLE


def test_another_seed_tells_another_story() -> None:
    assert make_sample(seed=8, today=TODAY).good != SAMPLE.good


def test_numbers_of_orders_are_given_once() -> None:
    orders = [*SAMPLE.good, *(wrong.order for wrong in SAMPLE.wrong)]
    assert len({order.order_id for order in orders}) == len(orders)
    assert len({order.number for order in orders}) == len(orders)


@pytest.mark.rule("OI-7")
def test_every_good_order_adds_up_to_the_cent() -> None:
    assert len(SAMPLE.good) == GOOD_ORDER_COUNT
    wrong = {
        order.number: (order.computed_total, order.total)
        for order in SAMPLE.good
        if order.computed_total.amount != order.total.amount
    }
    assert not wrong
    assert all(order.total.amount > 0 for order in SAMPLE.good)
    assert all(order.total.amount == round(order.total.amount, 2) for order in SAMPLE.good)


def test_every_good_order_is_admitted() -> None:
    stopped = {
        order.number.value: _ends_in(outcome)
        for order in SAMPLE.good
        if not isinstance(outcome := judged(SAMPLE, order), Admitted)
    }
    assert not stopped


@pytest.mark.rule("OI-1")
def test_good_orders_carry_the_price_that_the_erp_would_charge() -> None:
    assert not _flagged_prices(SAMPLE)


def _flagged_prices(sample: Sample) -> list[str]:
    return [
        flag
        for order in sample.good
        if isinstance(outcome := judged(sample, order), Admitted)
        for flag in outcome.order.flags
        if "price" in flag
    ]


@pytest.mark.parametrize(
    "today",
    [date(2027, 1, 1), date(2027, 1, 3), date(2027, 1, 5), date(2028, 2, 29), date(2028, 12, 31)],
    ids=str,
)
def test_sample_can_be_made_on_any_day(today: date) -> None:
    """In the first days of a year its orders are from the year before."""
    sample = make_sample(seed=7, today=today)
    assert len(sample.good) == GOOD_ORDER_COUNT
    assert all(isinstance(judged(sample, order), Admitted) for order in sample.good)
    assert not _flagged_prices(sample)


def test_good_orders_show_every_side_of_the_business() -> None:
    admitted = {order.order_id: judged(SAMPLE, order) for order in SAMPLE.good}
    sold = [each.order for each in admitted.values() if isinstance(each, Admitted)]
    assert {order.currency for order in sold} == {"USD", "EUR"}
    assert {order.channel.value for order in sold} == {"trade", "shop", "outlet"}
    assert {order.retail for order in sold} == {True, False}
    assert {order.sold_to.value for order in sold} >= {"RETAIL-US", "RETAIL-EU", "000101"}
    by_hand = Counter(type(order.ship_to).__name__ for order in sold if not order.retail)
    assert set(by_hand) == {"OnFileShipTo", "OneOffShipTo"}
    assert {line.unit for order in sold for line in order.lines} >= {"EA", "CS", "BX", "M"}
    codes = {payment.code for order in sold for payment in order.payments}
    assert codes == {"CARD", "TERMS", "GIFT", "WALLET"}
    assert any(order.discounts for order in sold)
    assert any(line.discount.amount for order in sold for line in order.lines)
    assert any(not order.taxes for order in sold)
    assert any(order.location for order in sold)
    assert any(order.po_number == USED_PO for order in SAMPLE.good)
    assert {order.state for order in SAMPLE.good} >= {
        OrderState.AWAITING_PAYMENT,
        OrderState.PARTLY_FULFILLED,
    }
    kits = {line.kit_parent for order in SAMPLE.good for line in order.lines}
    assert len(kits) > 1
    letters = {letter for order in sold for letter in order.notes if not letter.isascii()}
    assert letters


@pytest.mark.parametrize("wrong", READABLE, ids=_name)
def test_wrong_order_ends_for_exactly_its_reasons(wrong: WrongOrder) -> None:
    if wrong.ending.codes & NOT_ON_A_MAP:
        assert wrong.order.channel not in mapping().channels
        return
    expected: tuple[End | None, frozenset[str]] = (wrong.ending.end, wrong.ending.codes)
    if wrong.ending.codes & SAID_BY_THE_ERP:
        expected = (None, frozenset())
    assert _ends_in(judged(SAMPLE, wrong.order)) == expected


@pytest.mark.rule("OI-2", "VE-11")
def test_every_reason_that_admission_knows_is_shown_or_says_why_not() -> None:
    known = {*QUARANTINE_CODES, *WAITING_CODES, *(closing.value for closing in Closing)}
    shown = _shown(SAMPLE.wrong)
    assert known - shown == set(NOT_SHOWN)
    assert shown <= known


def test_unreadable_orders_are_spoiled_in_their_rows_only() -> None:
    spoiled = [wrong for wrong in SAMPLE.wrong if wrong.nonsense]
    assert len(spoiled) >= 3
    assert all(wrong.ending.codes == {"order_unreadable"} for wrong in spoiled)
    assert {wrong.order.order_id for wrong in spoiled}.isdisjoint(
        WebOrderId(wrong.order.order_id.value) for wrong in READABLE
    )
