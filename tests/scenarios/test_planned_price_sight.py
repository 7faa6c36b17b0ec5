"""Which prices an edit of the mapping brings into sight is what the mirror then shows.

The plan is made, the edit comes into force, the flows run, and the store is asked what it
shows to whom: nothing else may have come into sight, and nothing that was told is missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.domain.account import Contact, Item
from sync.domain.channel import Channel, LoginWall, RetailGroup
from sync.domain.ids import ContactId, CustomerId, LocationId, Sku, WebUserId
from sync.domain.mapping import Assignment, Source, SyncMapping
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    PriceLevel,
    PriceScope,
)
from sync.planning.remapping import Actor, ActorKind
from sync.price_sight import PricesSeen
from sync.remapping import MappingPlan, plan_mapping
from sync.state import open_state
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from tests.scenarios.world import (
    FUSE,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_BUYER,
    MILL_ORG,
    RETAIL,
    TRADE,
    WEB,
    World,
    a_channel,
    a_mapping,
    build_world,
)

pytestmark = pytest.mark.rule("OP-4", "VE-5", "VE-7", "WA-6")

YARD = CustomerId("C-3003")
DOLLAR = CustomerId("RETAIL-US")
ACCOUNTS, GROUPS, TAGS = (HARBOUR, MILL, YARD), ("GOLD", "SILVER"), ("LICENSED", "OEM")
SITES = {each: LocationId(f"L-{each}") for each in ACCOUNTS}
SKUS = tuple(Sku(each) for each in ("OPEN-1", "SOME-1", "SOME-2", "SOME-3"))
SCOPES = (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    *map(PriceScope.group, GROUPS),
    *(PriceScope.account(each) for each in (*ACCOUNTS, RETAIL, DOLLAR)),
    *map(PriceScope.location, SITES.values()),
)
USERS = (HARBOUR_BUYER, MILL_BUYER, WebUserId("u-nobody"))
some = st.booleans


def mail(user: WebUserId) -> str:
    return f"{user}@x.example"


def subsets(values: tuple[Any, ...]) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(values))


@st.composite
def items(draw: st.DrawFn) -> tuple[Item, ...]:
    """One for everybody; of the others each may be for some accounts, tags or shoppers only."""
    found = [a.an_item(sku=SKUS[0])]
    for sku in SKUS[1:]:
        to = draw(st.none() | subsets((*ACCOUNTS, RETAIL)))
        tags = draw(subsets(TAGS)) if to is not None else frozenset()
        found.append(a.an_item(sku=sku, allowed_to=to, allowed_tags=tags))
    return tuple(found)


@st.composite
def mappings(draw: st.DrawFn) -> Mapping[str, Any]:
    """Who orders under which account, and what the channels show to shoppers."""
    account = st.none() | st.sampled_from(ACCOUNTS)
    assigned = [
        Assignment(customer, organisation=organisation, origin="customers.csv:2")
        for organisation in (HARBOUR_ORG, MILL_ORG)
        if (customer := draw(account)) is not None
    ]
    assigned += [
        Assignment(customer, user=user, origin="customers.csv:4")
        for user in USERS
        if (customer := draw(account)) is not None
    ]
    wall = draw(st.sampled_from(LoginWall))
    groups = [RetailGroup(RETAIL, ("EUR",))]
    if draw(some()):
        groups.append(RetailGroup(DOLLAR, ("USD",)))
    channels = {
        WEB: a_channel(login_wall=wall, retail_groups=tuple(groups)),
        TRADE: a_mapping().channels[TRADE],
    }
    return {"assignments": tuple(assigned), "channels": channels}


PRICES = st.frozensets(
    st.tuples(
        st.sampled_from(SCOPES),
        st.sampled_from(SKUS),
        st.sampled_from(("EUR", "USD")),
        st.sampled_from((None, date(2020, 1, 1))),
    ),
    max_size=14,
)


def the_world(
    stock: tuple[Item, ...],
    prices: Any,
    members: Mapping[CustomerId, Any],
    before: Mapping[str, Any],
) -> World:
    clock = ManualClock()
    erp = MemoryErp(clock, MEMORY_CAPABILITIES)
    for each in ACCOUNTS:
        groups, tags = members[each]
        erp.add_account(
            a.an_account(
                customer_id=each, price_groups=tuple(sorted(groups)), tags=tuple(sorted(tags))
            )
        )
        erp.add_location(a.a_location(sold_to=each, location_id=SITES[each]))
    groups, tags = members[RETAIL]
    for each in (RETAIL, DOLLAR):
        erp.add_account(
            a.a_retail_account(
                customer_id=each, price_groups=tuple(sorted(groups)), tags=tuple(sorted(tags))
            )
        )
    for item in stock:
        erp.add_item(item)
    for scope, sku, currency, until in sorted(prices, key=str):
        erp.set_price(a.a_price("2.00", scope=scope, sku=sku, currency=currency, valid_until=until))
    mapping = a_mapping(**before)
    engine = open_state("sqlite://")
    return build_world(engine, clock=clock, erp=erp, mapping=mapping)


Partition = tuple[Audience, PriceScope]


def shown(world: World) -> dict[Partition, frozenset[str]]:
    """Which items the store shows a price of, by audience and scope."""
    found: dict[Partition, set[str]] = {}
    for key in world.store.prices:
        found.setdefault((key.audience, key.key.scope), set()).add(key.key.sku.value)
    return {each: frozenset(items) for each, items in found.items()}


def seen_by(
    world: World, store: Mapping[Partition, frozenset[str]], customer_id: CustomerId
) -> set[tuple[PriceScope, bool, frozenset[str]]]:
    """What a buyer of the account is shown; items by name where nobody else sees the scope."""
    account = world.erp.accounts([customer_id])[customer_id]
    own = {
        (AudienceKind.ACCOUNT, customer_id.value),
        (AudienceKind.LOCATION, SITES[customer_id].value),
    }
    tags = {(AudienceKind.TAG, each) for each in account.tags}
    shared = {(AudienceKind.ACCOUNTS, "")} | {
        (AudienceKind.GROUP, each) for each in account.price_groups
    }
    found: dict[tuple[PriceScope, bool], frozenset[str]] = {}
    for (audience, scope), skus in store.items():
        who = (audience.kind, audience.key)
        if audience.channel is not None or who not in own | tags | shared:
            continue
        mine = scope.level in (PriceLevel.ACCOUNT, PriceLevel.LOCATION)
        restricted = not mine and who not in shared
        named = skus if mine or restricted else frozenset()
        key = (scope, restricted)
        found[key] = found.get(key, frozenset()) | named
    return {(scope, restricted, skus) for (scope, restricted), skus in found.items()}


def told(prices: Any) -> set[tuple[PriceScope, bool, frozenset[str]]]:
    listed = [(each.scope, each.restricted, frozenset(each.items)) for each in prices]
    assert len(set(listed)) == len(listed)
    return set(listed)


def mirrored(world: World) -> None:
    """All flows are through, the plans that the guard rails doubt with a person's word."""
    for _ in range(4):
        results = [world.run(flow) for flow in ("accounts", "entitlements", "prices")]
        held = [each for each in results if each.plan_id is not None]
        for each in held:
            world.confirm(each.plan_id or "")
        if not held:
            return
    raise AssertionError("the guard rails doubt it again and again")


def check(world: World, draft: SyncMapping) -> MappingPlan:
    mirrored(world)
    was = shown(world)
    plan = plan_mapping(world.context(), draft)
    world.mapping = draft
    mirrored(world)
    now = shown(world)
    for each in plan.accounts:
        customer_id = each.access.customer_id
        if each.new:
            assert told(each.prices) == seen_by(world, now, customer_id), customer_id
        else:
            assert told(each.prices) == seen_by(world, was, customer_id), customer_id
        if each.access.withdrawn:
            left = {audience for audience, _ in now if audience.key in
                    (customer_id.value, SITES[customer_id].value)}  # fmt: skip
            assert left == set(), customer_id
    # Nothing comes or goes for an account that the plan does not name.
    named = {each.access.customer_id for each in plan.accounts}
    for customer_id in set(ACCOUNTS) - named:
        own = {customer_id.value, SITES[customer_id].value}
        assert {k: v for k, v in was.items() if k[0].key in own} == {
            k: v for k, v in now.items() if k[0].key in own
        }
    check_shoppers(plan, was, now)
    return plan


def check_shoppers(
    plan: MappingPlan,
    was: Mapping[Partition, frozenset[str]],
    now: Mapping[Partition, frozenset[str]],
) -> None:
    for each in plan.shoppers:
        there, elsewhere = (now, was) if each.shown else (was, now)
        scopes = {scope for audience, scope in there if audience == each.audience}
        assert {one.scope for one in each.prices} == scopes, each.audience
        assert not {scope for audience, scope in elsewhere if audience == each.audience}
    changed = {each.audience for each in plan.shoppers}
    assert dict(to_others(was, changed)) == dict(to_others(now, changed))


def to_others(
    store: Mapping[Partition, frozenset[str]], changed: set[Audience]
) -> Iterator[tuple[Partition, frozenset[str]]]:
    for partition, skus in store.items():
        audience = partition[0]
        if audience.channel is not None and audience not in changed:
            yield partition, skus


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)
@given(
    stock=items(),
    prices=PRICES,
    members=st.fixed_dictionaries(
        dict.fromkeys((*ACCOUNTS, RETAIL), st.tuples(subsets(GROUPS), subsets(TAGS)))
    ),
    before=mappings(),
    after=mappings(),
)
def test_what_is_told_to_come_into_sight_is_what_the_store_then_shows(
    stock: tuple[Item, ...],
    prices: Any,
    members: Mapping[CustomerId, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    world = the_world(stock, prices, members, before)
    try:
        check(world, dataclasses.replace(world.mapping, version="v2", **after))
    finally:
        world.engine.dispose()


People = set[tuple[CustomerId, str]]


def people_in(world: World) -> People:
    """Who the store shows which account to."""
    accounts = world.store.shown_accounts(list(world.store.shown_customer_ids()))
    return {
        (customer_id, str(Actor(kind, user=user, organisation=organisation)))
        for customer_id, profile in accounts.items()
        for kind, user, organisation in (
            *((ActorKind.USER, each.value, "") for each in profile.users),
            *((ActorKind.ORGANISATION, "", each.value) for each in profile.organisations),
        )
    }


def check_away(world: World, draft: SyncMapping) -> None:
    """The plan names whom the run takes what from, and nobody else, without the ERP."""
    mirrored(world)
    was, people = shown(world), people_in(world)
    seen = {each: seen_by(world, was, each) for each in ACCOUNTS}
    world.erp.deny_access()
    plan = plan_mapping(world.context(), draft)
    assert plan.unread
    assert people_in(world) == people, "nothing may be written"
    world.mapping = draft
    mirrored(world)

    now, left = shown(world), people_in(world)
    loses = {
        (each.access.customer_id, str(who)) for each in plan.accounts for who in each.access.loses
    }
    gains = {
        (each.access.customer_id, str(who)) for each in plan.accounts for who in each.access.gains
    }
    assert (loses, gains) == (people - left, left - people)
    gone = {customer_id for customer_id, _ in people} - {customer_id for customer_id, _ in left}
    assert {each.access.customer_id for each in plan.accounts if each.access.withdrawn} == gone
    for each in plan.accounts:
        assert told(each.prices) == seen[each.access.customer_id]
    for move in plan.moves:
        if move.before is not None:
            assert (move.before, str(move.actor)) in loses
    check_shoppers(plan, was, now)
    own = {key for each in gone for key in (each.value, SITES[each].value)}
    assert not {audience for audience, _ in now if audience.key in own}


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(
    prices=PRICES,
    contacts=st.fixed_dictionaries(dict.fromkeys(USERS, subsets((*ACCOUNTS, RETAIL)))),
    precedence=st.permutations((Source.MAPPING_FILE, Source.ERP_EMAIL)),
    before=mappings(),
    after=mappings(),
)
def test_what_is_told_while_the_erp_is_away_is_what_the_mirror_takes_away_without_it(
    prices: Any,
    contacts: Mapping[WebUserId, frozenset[CustomerId]],
    precedence: list[Source],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    sources = {"precedence": tuple(precedence)}
    nobody = dict.fromkeys((*ACCOUNTS, RETAIL), (frozenset[str](), frozenset[str]()))
    world = the_world((a.an_item(sku=SKUS[0]),), prices, nobody, {**before, **sources})
    for user in USERS:
        world.store.add_user(a.a_web_user(web_user=user, memberships=(), verified_email=mail(user)))
    for each in (*ACCOUNTS, RETAIL):
        own = [
            Contact(ContactId(str(user)), mail(user)) for user in USERS if each in contacts[user]
        ]
        world.erp.change_account(each, contacts=tuple(own))
    try:
        check_away(world, dataclasses.replace(world.mapping, version="v2", **after))
    finally:
        world.engine.dispose()


def test_an_item_that_is_for_others_is_not_promised_to_a_new_account(world: World) -> None:
    for scope in (PriceScope.account(MILL), DEFAULT_LIST):
        world.erp.set_price(a.a_price("7.00", scope=scope, sku=FUSE))
    world.remap(assignments=())
    plan = check(world, a_mapping(version="v9", assignments=a_mapping().assignments[1:]))
    [mill] = plan.accounts
    assert PricesSeen(PriceScope.account(MILL), (a.SKU.value,)) in mill.prices
    assert FUSE.value not in {sku for each in mill.prices for sku in each.items}


def test_an_item_of_a_list_that_is_for_the_new_account_is_named(world: World) -> None:
    world.erp.set_price(a.a_price("7.00", scope=DEFAULT_LIST, sku=FUSE))
    world.remap(assignments=a_mapping().assignments[1:])
    [harbour] = check(world, a_mapping(version="v9")).accounts
    assert harbour.access.customer_id == HARBOUR
    assert [(each.name, each.items) for each in harbour.prices if each.restricted] == [
        ("the default list for items that not everybody sees", (FUSE.value,))
    ]


def test_a_channel_of_shoppers_is_not_promised_a_list_of_items_that_are_not_for_them(
    world: World,
) -> None:
    for each in (a.SKU, FUSE):
        world.erp.add_item(a.an_item(sku=each, allowed_to=frozenset({HARBOUR})))
    walled = a_channel(login_wall=LoginWall.LOGIN_REQUIRED)
    channels: dict[Any, Channel] = {**a_mapping().channels, WEB: walled}
    plan = check(world, a_mapping(version="v9", channels=channels))
    assert [(each.shown, each.prices) for each in plan.shoppers] == [(False, ()), (True, ())]


def test_an_item_that_a_tag_opens_is_named_for_the_new_account_that_carries_it(
    world: World,
) -> None:
    club = a.an_item(sku=FUSE, allowed_to=frozenset(), allowed_tags=frozenset({"LICENSED"}))
    world.erp.add_item(club)
    world.erp.change_account(MILL, tags=("LICENSED",))
    world.erp.set_price(a.a_price("7.00", scope=DEFAULT_LIST, sku=FUSE))
    world.remap(assignments=a_mapping().assignments[:1])
    [mill] = check(world, a_mapping(version="v9")).accounts
    assert PricesSeen(DEFAULT_LIST, (FUSE.value,), restricted=True) in mill.prices
