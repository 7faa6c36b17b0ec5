"""Who acts for which account, who sees which price, and what is told of a change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.account import Account, RetailGroups
from sync.domain.channel import Channel, CommerceMode, LoginWall, RetailGroup
from sync.domain.ids import (
    ChannelId,
    ContactId,
    CustomerId,
    LocationId,
    OrganisationId,
    Sku,
    WebUserId,
)
from sync.domain.mapping import Assignment, RefusedAssignment, Source, SyncMapping
from sync.domain.order import OrderState, PaymentState, WebOrder
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    PriceScope,
)
from sync.domain.sales_order import ErpOrderState
from sync.domain.views import Exceptional, LocationProfile
from sync.planning.accounts import hides, keeping_locations, profile_of
from sync.planning.changes import apart_from_refunds, late_changes, same_order
from sync.planning.membership import Members, mapped_accounts
from sync.planning.plan import Change
from sync.planning.prices import (
    Belonging,
    Entitled,
    audiences_of,
    shopper_audience,
    wanted_prices,
)
from sync.planning.remapping import assignments_moved, contacts_changed
from sync.routing import AccountMap
from sync.testing import builders as a

C1, C2, RETAIL = CustomerId("C-1"), CustomerId("C-2"), a.RETAIL_ACCOUNT
U1, U2 = WebUserId("u-1"), WebUserId("u-2")
O1, O2 = OrganisationId("o-1"), OrganisationId("o-2")
WEB = a.CHANNEL


def a_mapping(**changes: Any) -> SyncMapping:
    channel = Channel(WEB, CommerceMode.HYBRID, retail_groups=(RetailGroup(RETAIL, ("EUR",)),))
    return replace(SyncMapping("v1", {WEB: channel}), **changes)


def members_by(mapping: SyncMapping, *records: Any) -> Any:
    return mapped_accounts(mapping, AccountMap.of(mapping), records)


# Membership.


@pytest.mark.rule("WA-2", "TL-3")
def test_account_has_the_users_and_organisations_that_are_assigned_to_it() -> None:
    mapping = a_mapping(
        assignments=(
            Assignment(C1, organisation=O1),
            Assignment(C1, user=U1),
            Assignment(C2, organisation=O2),
            Assignment(C2, user=U2, organisation=O1),
        )
    )
    excepted = Exceptional(O1, U2)
    assert members_by(mapping) == {
        C1: Members((O1,), (U1,), (), (excepted,)),
        C2: Members((O2,), (), (excepted,)),
    }


@pytest.mark.rule("WA-2c", "WA-8", "TL-3")
def test_exception_bars_its_user_from_the_organisations_account_usable_or_not() -> None:
    company = Assignment(C1, organisation=O1)
    one, other = (Assignment(each, user=U2, organisation=O1) for each in (C1, C2))
    mine = Members((O1,), (), (), (Exceptional(O1, U2),))
    refused = RefusedAssignment("reason", "remedy", user=U2, organisation=O1)
    for mapping in (
        a_mapping(assignments=(company, replace(other, customer_id=RETAIL))),
        a_mapping(assignments=(company, replace(one, origin="a:1"), replace(other, origin="a:2"))),
        a_mapping(assignments=(company,), refused=(refused,)),
    ):
        assert members_by(mapping) == {C1: mine}
    assert members_by(a_mapping(assignments=(company, one))) == {
        C1: Members((O1,), (), (Exceptional(O1, U2),))
    }
    unread = a_mapping(assignments=(company, other), precedence=(Source.STORE_ATTRIBUTE,))
    by_staff = a.an_organisation(organisation=O1, staff_customer_id="C-1")
    assert members_by(unread, by_staff) == {C1: Members((O1,))}


@pytest.mark.rule("WA-2")
def test_attribute_of_the_stores_staff_counts_after_the_files() -> None:
    mapping = a_mapping(assignments=(Assignment(C1, user=U1),))
    first = a.a_web_user(web_user=U1, staff_customer_id="C-2")
    second = a.a_web_user(web_user=U2, staff_customer_id="C-2")
    company = a.an_organisation(organisation=O1, staff_customer_id="C-2")
    expected = {C1: Members(users=(U1,)), C2: Members((O1,), (U2,))}
    assert members_by(mapping, first, second, company) == expected

    turned = replace(mapping, precedence=(Source.STORE_ATTRIBUTE, Source.MAPPING_FILE))
    assert members_by(turned, first, second, company) == {C2: Members((O1,), (U1, U2))}


@pytest.mark.rule("WA-2b", "WA-8")
def test_retail_group_has_no_members_whoever_says_so() -> None:
    mapping = a_mapping(
        assignments=(
            Assignment(RETAIL, organisation=O1),
            Assignment(RETAIL, user=U1),
            Assignment(RETAIL, user=U1, organisation=O2),
        )
    )
    named = a.a_web_user(web_user=U2, staff_customer_id=RETAIL.value)
    assert members_by(mapping, named) == {}


@pytest.mark.rule("WA-2c")
def test_refused_and_contradictory_assignments_open_nothing() -> None:
    mapping = a_mapping(
        assignments=(
            Assignment(C1, user=U1, origin="a:1"),
            Assignment(C2, user=U1, origin="a:2"),
            Assignment(C1, organisation=O1),
        ),
        refused=(RefusedAssignment("reason", "remedy", organisation=O1, origin="b:1"),),
    )
    assert members_by(mapping) == {}


@given(st.permutations([(C1, U1, None), (C1, None, O1), (C2, U2, None), (C2, U1, O2)]))
def test_order_of_the_assignments_does_not_matter(order: list[tuple[Any, Any, Any]]) -> None:
    assignments = tuple(Assignment(each, user, company) for each, user, company in order)
    assert members_by(a_mapping(assignments=assignments)) == {
        C1: Members((O1,), (U1,)),
        C2: Members((), (U2,), (Exceptional(O2, U1),)),
    }


# Accounts.


@pytest.mark.rule("MI-1")
def test_profile_has_the_accounts_own_locations_sorted() -> None:
    account = a.an_account(price_groups=("Z", "A"))
    sites = [
        a.a_location(location_id=LocationId("B")),
        a.a_location(location_id=LocationId("A"), name="A"),
        a.a_location(location_id=LocationId("C"), sold_to=C2),
    ]
    profile = profile_of(account, sites, Members((O1,), (U1,)))
    assert [each.location_id.value for each in profile.locations] == ["A", "B"]
    assert profile.price_groups == ("A", "Z")
    assert (profile.organisations, profile.users) == ((O1,), (U1,))


@given(st.permutations(["A", "B", "C"]))
def test_profiles_are_equal_however_the_locations_come(order: list[str]) -> None:
    sites = [a.a_location(location_id=LocationId(each)) for each in order]
    assert profile_of(a.an_account(), sites, Members()) == profile_of(
        a.an_account(), sorted(sites, key=lambda each: each.location_id), Members()
    )


@pytest.mark.rule("MI-1")
def test_locations_that_could_not_be_read_are_kept_beside_those_that_could() -> None:
    def with_sites(*names: str, title: str = "old") -> Any:
        sites = tuple(LocationProfile(LocationId(each), title) for each in names)
        return a.a_profile(locations=sites)

    kept = keeping_locations(with_sites("B", title="new"), with_sites("A", "B"))
    assert [(each.location_id.value, each.name) for each in kept.locations] == [
        ("A", "old"),
        ("B", "new"),
    ]


# Prices.


@pytest.mark.rule("WA-8", "TL-3")
def test_a_profile_that_somebody_is_missing_from_hides_and_one_with_more_people_does_not() -> None:
    few = a.a_profile(organisations=(O1,), users=(U1,), exceptions=(Exceptional(O1, U1),))
    more = replace(few, organisations=(O1, O2), name="Another name")

    def changed(before: Any, after: Any) -> bool:
        return hides(Change(few.customer_id, before, after))

    assert not changed(None, few)
    assert not changed(few, more)
    assert changed(few, None)
    assert changed(more, few)
    assert changed(few, replace(few, organisations=(O2,)))
    assert changed(few, replace(few, users=()))
    assert changed(few, replace(few, exceptions=()))
    barred = replace(few, barred=(Exceptional(O1, U2),))
    assert changed(few, barred)
    assert not changed(barred, few)
    # Nobody loses what was never theirs.
    assert not changed(few, replace(more, barred=(Exceptional(O2, U2),)))


def entitled(*accounts: Account, retail: bool = True) -> Entitled:
    return Entitled(
        {each.customer_id: Belonging.of(each) for each in accounts},
        (a.a_location(sold_to=C1),),
        {RETAIL: a.a_retail_account(price_groups=("SHOP",))} if retail else {},
    )


GOLD = a.an_account(customer_id=C1, price_groups=("GOLD",))
OPEN = Audience(AudienceKind.PUBLIC, RETAIL.value, WEB)


@pytest.mark.rule("WA-6", "VE-7", "VE-12")
@pytest.mark.parametrize(
    "scope, expected",
    [
        (PriceScope.account(C1), {a.account_audience(C1)}),
        (PriceScope.account(C2), set()),
        (PriceScope.account(RETAIL), {OPEN}),
        (PriceScope.group("GOLD"), {Audience(AudienceKind.GROUP, "GOLD")}),
        (PriceScope.group("SHOP"), {OPEN}),
        (PriceScope.group("OTHER"), set()),
        (PriceScope.location(LocationId("SITE-1")), {Audience(AudienceKind.LOCATION, "SITE-1")}),
        (PriceScope.location(LocationId("ELSEWHERE")), set()),
        (DEFAULT_LIST, {Audience(AudienceKind.ACCOUNTS), OPEN}),
        (ITEM_OVERRIDES, {Audience(AudienceKind.ACCOUNTS), OPEN}),
    ],
    # A set has no order of its own, and every worker must know a test by one name.
    ids=lambda value: ", ".join(sorted(map(str, value))) if isinstance(value, set) else str(value),
)
def test_scope_is_published_to_those_who_are_entitled_to_it(
    scope: PriceScope, expected: set[Audience]
) -> None:
    assert set(audiences_of(scope, a_mapping(), entitled(GOLD))) == expected


@pytest.mark.rule("VE-7")
def test_nothing_is_published_to_accounts_where_there_are_none() -> None:
    assert audiences_of(DEFAULT_LIST, a_mapping(), entitled(retail=False)) == ()


@pytest.mark.rule("VE-7", "VE-1")
@pytest.mark.parametrize(
    "wall, kind",
    [
        (LoginWall.OPEN, AudienceKind.PUBLIC),
        (LoginWall.LOGIN_REQUIRED, AudienceKind.RETAIL),
        (LoginWall.LOGIN_TO_PRICE, AudienceKind.RETAIL),
    ],
)
def test_login_wall_decides_between_public_and_retail(wall: LoginWall, kind: AudienceKind) -> None:
    channel = replace(a_mapping().channels[WEB], login_wall=wall)
    assert shopper_audience(channel, RETAIL) == Audience(kind, RETAIL.value, WEB)


@pytest.mark.rule("VE-8", "WA-6")
def test_group_that_serves_two_channels_is_shown_on_both() -> None:
    other = ChannelId("popup")
    group = RetailGroup(RETAIL, ("EUR",))
    channel = Channel(
        other, CommerceMode.B2C, login_wall=LoginWall.LOGIN_REQUIRED, retail_groups=(group,)
    )
    mapping = a_mapping(channels={**a_mapping().channels, other: channel})
    assert audiences_of(PriceScope.account(RETAIL), mapping, entitled(GOLD)) == (
        OPEN,
        Audience(AudienceKind.RETAIL, RETAIL.value, other),
    )


@pytest.mark.rule("WA-6", "VE-12")
def test_ended_prices_are_left_out_and_future_ones_are_not() -> None:
    today = date(2025, 3, 3)
    ended = a.a_price("1", price_list="ENDED", valid_until=date(2025, 3, 2))
    ending = a.a_price("2", price_list="ENDING", valid_until=today)
    coming = a.a_price("3", price_list="COMING", valid_from=date(2025, 3, 4))
    wanted = wanted_prices([ended, ending, coming], a.account_audience(), a_mapping(), today)
    assert set(wanted) == {ending.key, coming.key}


@pytest.mark.rule("WA-10")
def test_zero_is_no_price_unless_the_mapping_says_so() -> None:
    today = date(2025, 3, 3)
    zero = a.a_price("0.0000", valid_until=today)
    (value,) = wanted_prices([zero], a.account_audience(), a_mapping(), today).values()
    assert (value.unit_price, value.valid_until) == (None, today)
    free = a_mapping(zero_price_means_call=False)
    (value,) = wanted_prices([zero], a.account_audience(), free, today).values()
    assert value.unit_price == 0


@pytest.mark.rule("WA-10")
@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("here", [True, False, None])
def test_zero_is_no_price_for_the_shoppers_of_a_channel_that_says_so_and_for_nobody_else(
    everywhere: bool, here: bool | None
) -> None:
    today = date(2025, 3, 3)
    zero = a.a_price("0.0000", scope=DEFAULT_LIST)
    channels = {WEB: replace(a_mapping().channels[WEB], zero_price_means_call=here)}
    mapping = a_mapping(channels=channels, zero_price_means_call=everywhere)

    def none_for(audience: Audience) -> bool:
        (value,) = wanted_prices([zero], audience, mapping, today).values()
        return value.unit_price is None

    assert none_for(OPEN) is (everywhere if here is None else here)
    assert none_for(Audience(AudienceKind.ACCOUNTS)) is everywhere
    assert none_for(a.account_audience()) is everywhere


@pytest.mark.rule("VE-8")
def test_shoppers_see_the_currencies_of_their_group_only() -> None:
    today = date(2025, 3, 3)
    entries = [a.a_price("1", currency=each) for each in ("EUR", "USD")]
    seen = wanted_prices(entries, OPEN, a_mapping(), today)
    assert {key.currency for key in seen} == {"EUR"}
    assert len(wanted_prices(entries, a.account_audience(), a_mapping(), today)) == 2


@given(st.permutations(range(5)))
def test_order_of_the_entries_does_not_matter(order: list[int]) -> None:
    entries = [a.a_price(str(each + 1), sku=Sku(f"I-{each}")) for each in order]
    today = date(2025, 3, 3)
    assert wanted_prices(entries, a.account_audience(), a_mapping(), today) == wanted_prices(
        sorted(entries, key=lambda each: each.key.order), a.account_audience(), a_mapping(), today
    )


# Late changes.


@pytest.mark.rule("OI-4")
def test_order_is_no_late_change_of_itself() -> None:
    order = a.a_full_web_order()
    assert late_changes(order, order) == ()
    assert same_order(order, order)


@pytest.mark.rule("OI-4")
@pytest.mark.parametrize(
    "changes, told",
    [
        ({"po_number": "PO-2"}, "The po number was changed from none to PO-2."),
        ({"notes": "x"}, "The notes was changed."),
        ({"ship_to": a.a_typed_address()}, "The ship to was changed."),
        ({"ship_complete": True}, "The ship complete was changed from False to True."),
        ({"total": a.money("1.00")}, "The total was changed from 99.90 EUR to 1.00 EUR."),
        ({"lines": ()}, "Lines: line 1 removed: 10 x BOLT-M8."),
    ],
)
def test_each_edit_is_told_in_a_sentence(changes: dict[str, Any], told: str) -> None:
    order = a.a_web_order()
    assert late_changes(order, replace(order, **changes)) == (told,)


@pytest.mark.rule("OI-4")
def test_every_part_of_an_order_is_either_told_or_progress() -> None:
    full, bare = a.a_full_web_order(), a.a_web_order()
    identity = {"order_id", "number", "channel", "placed_at", "modified_at"}
    # Refunds are seen to on their own, each once (OI-10).
    progress = {"state", "payments", "approval", "priced_for", "refunds"}
    for name in WebOrder.__dataclass_fields__:
        changed = replace(bare, **{name: getattr(full, name)})
        if name in identity | progress or getattr(full, name) == getattr(bare, name):
            continue
        assert late_changes(bare, changed), name


@pytest.mark.rule("OI-4")
def test_moving_lines_about_is_told_too() -> None:
    two = (a.a_line(), a.a_line(line_id="2"))
    order = a.a_web_order(lines=two, total=a.money("199.80"))
    assert late_changes(order, replace(order, lines=two[::-1])) == (
        "Lines: their order was changed.",
    )


@pytest.mark.rule("OI-4", "OI-10")
def test_refund_and_cancellation_are_told_once() -> None:
    order = a.a_retail_order()
    gone = replace(order, state=OrderState.CANCELLED)
    refunded = replace(order, payments=(a.a_card_payment(state=PaymentState.REFUNDED),))
    assert len(late_changes(order, gone)) == len(late_changes(order, refunded)) == 1
    assert late_changes(gone, replace(gone, state=OrderState.REFUNDED)) == ()


@pytest.mark.rule("OI-10")
def test_new_refund_is_no_change_and_one_that_is_told_otherwise_is() -> None:
    order = a.a_retail_order()
    refunded = replace(order, refunds=(a.a_refund(),))
    assert late_changes(order, refunded) == ()
    [gone] = late_changes(refunded, order)
    [moved] = late_changes(refunded, replace(order, refunds=(a.a_refund("50.00"),)))
    assert "R-1 of 12.10 EUR is no longer shown" in gone
    assert "R-1 was changed from 12.10 EUR to 50.00 EUR" in moved


@pytest.mark.rule("OI-10", "OI-4")
def test_what_a_credited_refund_did_to_the_order_is_no_change_once_all_has_left() -> None:
    order = a.a_retail_order(payments=(a.a_card_payment(state=PaymentState.CAPTURED),))
    back = (a.a_card_payment(state=PaymentState.REFUNDED),)
    whole = (a.a_refund("99.90"),)
    after = replace(order, state=OrderState.REFUNDED, payments=back, refunds=whole)
    left = a.an_order_status(state=ErpOrderState.SHIPPED)
    assert late_changes(order, apart_from_refunds(order, after, left)) == ()
    # Its goods would still be shipped: a person must hear of it.
    for status in (None, a.an_order_status(state=ErpOrderState.OPEN)):
        assert late_changes(order, apart_from_refunds(order, after, status))
    # More is refunded than the refunds tell.
    less = replace(after, refunds=(a.a_refund("1.00"),))
    assert late_changes(order, apart_from_refunds(order, less, left))
    part = replace(order, payments=back, refunds=(a.a_refund(),))
    assert late_changes(order, apart_from_refunds(order, part, None)) == ()
    edited = replace(part, notes="another")
    assert late_changes(order, apart_from_refunds(order, edited, left)) == (
        "The notes was changed.",
    )


def test_unreadable_versions_are_compared_without_a_guess() -> None:
    odd = a.an_unreadable_order()
    assert late_changes(a.a_web_order(), odd) == (
        "The order can no longer be read: lines[0].quantity: not a number.",
    )
    assert late_changes(odd, a.a_web_order()) == ()
    cancelled = a.a_web_order(state=OrderState.CANCELLED)
    assert len(late_changes(odd, cancelled)) == 1
    assert not same_order(odd, a.a_web_order())


@pytest.mark.rule("OI-5")
def test_time_of_change_alone_makes_no_other_order() -> None:
    order = a.a_web_order()
    touched = replace(order, modified_at=order.modified_at.replace(year=2026))
    assert same_order(order, touched)
    assert not same_order(order, replace(order, po_number="PO-9"))
    assert not same_order(order, replace(order, state=OrderState.HELD))


def test_quantities_that_only_look_different_are_the_same() -> None:
    order = a.a_web_order()
    longer = replace(order, lines=(a.a_line(quantity=Decimal("10.000")),))
    assert same_order(order, longer)
    assert late_changes(order, longer) == ()


def test_retail_groups_of_a_mapping_are_those_of_all_its_channels() -> None:
    assert a_mapping().retail_groups == RetailGroups.of([RETAIL])


# Two versions of the files.


@pytest.mark.rule("OP-4")
def test_versions_differ_by_who_is_assigned_where_and_never_by_the_order_of_lines() -> None:
    contact = ContactId("K-1")
    before = (
        Assignment(C1, organisation=O1, origin="customers.csv:2"),
        Assignment(C1, user=U1, origin="customers.csv:3"),
        Assignment(C1, user=U2, organisation=O1),
        Assignment(C2, organisation=O2),
    )
    after = (
        Assignment(C2, organisation=O2, contact=contact),
        Assignment(C2, user=U1),
        Assignment(C2, user=U2),
        Assignment(C1, organisation=O1, origin="customers.csv:9"),
    )
    one, other = a_mapping(assignments=before), a_mapping(assignments=after)

    assert [str(each).partition(";")[0] for each in assignments_moved(one, other)] == [
        "user u-1: C-1 -> C-2",
        "user u-2: nobody -> C-2",
        "user u-2 acting for organisation o-1: no longer C-1",
    ]
    assert str(assignments_moved(other, one)[-1]) == (
        "user u-2 acting for organisation o-1: as the organisation -> C-1"
    )
    assert contacts_changed(one, other) == ("organisation o-2: contact nothing -> K-1",)
    assert assignments_moved(one, a_mapping(assignments=before[::-1])) == ()
    assert contacts_changed(one, a_mapping(assignments=before[::-1])) == ()
