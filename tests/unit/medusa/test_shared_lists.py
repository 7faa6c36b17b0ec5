"""Accounts with the same prices share one price list of Medusa, and nobody sees another's price."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.columnar.vectors import vector_of
from sync.domain.ids import CustomerId, OrganisationId, Sku
from sync.domain.mapping import Assignment
from sync.domain.pricing import ITEM_OVERRIDES, Audience, AudienceKind, PriceScope
from sync.errors import Misconfigured, SyncError, TryLater
from sync.flows.context import FlowResult
from sync.flows.cycle import run_flow
from sync.ports.price_lists import Joining, ListRows, SharedChange
from sync.ports.state import ResyncScope
from sync.ports.store import PriceRows
from sync.stores.medusa.accounts import ACCOUNTS as ALL
from sync.stores.medusa.accounts import group_metadata, group_name
from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.settings import settings_from
from sync.stores.medusa.translate import list_owner
from sync.testing import builders as a
from sync.testing.faults import Call, Crash, Fault, Script, faulty
from sync.testing.price_list_contract import PriceListContract
from tests.scenarios.test_price_batches import DAY, Site
from tests.scenarios.world import ASSIGNMENTS
from tests.unit.medusa.answers import KEY, options
from tests.unit.medusa.answers import raw as raw_amount
from tests.unit.medusa.buyers_shop import WRITES, BuyersShop, Charged

ACCOUNTS = [CustomerId(f"C-{number}") for number in range(1, 7)]
ITEMS = [Sku(f"ITEM-{number}") for number in range(5)]


class ShopWorld:
    def __init__(self, shop: BuyersShop) -> None:
        self._shop = shop

    def refuse_record(self, key: str) -> None:
        self._shop.refused.add(key)


class TestListsOfMedusa(PriceListContract):
    @pytest.fixture
    def shop(self) -> BuyersShop:
        return BuyersShop()

    @pytest.fixture
    def store(self, shop: BuyersShop) -> MedusaStore:
        return shop.store(price_lists=True)

    @pytest.fixture
    def store_world(self, shop: BuyersShop) -> Any:
        return ShopWorld(shop)


class TestListsOfMedusaWithAnOlderModule(TestListsOfMedusa):
    @pytest.fixture
    def shop(self) -> BuyersShop:
        shop = BuyersShop()
        shop.old_module = True
        return shop


@dataclass
class MedusaSite(Site):
    """Six accounts of an ERP, and a shop in which those with the same prices share a list."""

    flows: Any = ("prices",)
    lists: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shop = BuyersShop()
        self.open()
        for sku in ITEMS:
            self.erp.add_item(a.an_item(sku=sku))
        for each in ACCOUNTS:
            self.erp.add_account(a.an_account(customer_id=each))
        self.map(ACCOUNTS)

    def open(self, behind: Any = None) -> None:
        """As a process does that starts now."""
        self.shop.now = self.clock.now
        self.store = self.shop.store(behind, price_lists=self.lists, threads=1)  # type: ignore[assignment]

    @property
    def medusa(self) -> MedusaStore:
        assert isinstance(self.store, MedusaStore)
        return self.store

    def map(self, accounts: Sequence[CustomerId]) -> None:
        mine = (Assignment(each, organisation=OrganisationId(f"org-{each}")) for each in accounts)
        self.remap(assignments=(*ASSIGNMENTS, *mine))

    def price(self, account: CustomerId, item: int, amount: str | None) -> None:
        scope = PriceScope.account(account)
        if amount is not None:
            self.erp.set_price(a.a_price(amount, scope=scope, sku=ITEMS[item]))
            return
        for each in list(self.erp.prices([scope], [ITEMS[item]])):
            self.erp.remove_price(each.key)

    def dated(self, account: CustomerId, item: int, amount: str, **days: date) -> None:
        scope = PriceScope.account(account)
        self.erp.set_price(a.a_price(amount, scope=scope, sku=ITEMS[item], **days))

    def price_all(self, amount: str = "5", accounts: Sequence[CustomerId] = ACCOUNTS) -> None:
        for account in accounts:
            for item in range(len(ITEMS)):
                self.price(account, item, amount)

    def night(self, **scope: Any) -> FlowResult:
        """One run, in which every buyer paid what was or what is to be, or everybody's price."""
        before, self.shop.moments = self.shop.charged(), []
        result = run_flow(self.context(), "prices", ResyncScope(**scope))
        assert result.outcome == "ok", result.message
        wanted = self.without_lists()
        assert self.shop.charged() == wanted
        self.never_wrong(before, wanted)
        return result

    def never_wrong(self, before: Charged, *wanted: Charged) -> None:
        """Every price was or is to be, and none that was and is to be went in between."""
        stays = set(before).intersection(*wanted)
        for charged in self.shop.moments:
            for key, price in charged.items():
                right = [each.get(key) for each in (before, *wanted)]
                assert price in (*right, self.everybodys(key[1])), key
            assert stays <= charged.keys()

    def everybodys(self, sku: str) -> Decimal | None:
        scope = [ITEM_OVERRIDES]
        found = [each.value.unit_price for each in self.erp.prices(scope, [Sku(sku)])]
        return found[0] if found else None

    def without_lists(self, shop: BuyersShop | None = None) -> Charged:
        """What a shop charges that was filled from nothing, account by account."""
        other = MedusaSite.__new__(MedusaSite)
        other.__dict__.update(self.__dict__)
        other.shop, other.lists = shop or BuyersShop(), False
        other.open()
        other.state = self.make_state(other.store, other.erp, other.clock)
        assert run_flow(other.context(), "prices").outcome == "ok"
        for name in self.shop.accounts() - other.shop.accounts():
            audience = a.account_audience(CustomerId(name))
            other.shop.make_group(group_name(audience), group_metadata(audience))
        there = self.shop.accounts()
        return {key: price for key, price in other.shop.charged().items() if key[0] in there}

    def members(self) -> list[int]:
        return sorted(len(each.members) for each in self.medusa.shown_price_lists())

    def rests(self) -> None:
        """Another run has nothing to write."""
        writes = list(self.shop.writes)
        assert run_flow(self.context(), "prices").writes == 0
        assert self.shop.writes == writes


@pytest.fixture
def site() -> MedusaSite:
    site = MedusaSite()
    site.price_all()
    site.night()
    return site


@pytest.mark.rule("WA-6", "MI-2", "VE-7")
def test_accounts_with_the_same_prices_share_one_list_that_names_their_groups(
    site: MedusaSite,
) -> None:
    assert site.shop.shared() == [[each.value for each in ACCOUNTS]]
    assert site.members() == [6]
    [held] = [
        each for each in site.shop.lists.values() if "shared" in each["metadata"]["tradesync"]
    ]
    assert len(site.shop.rows[held["id"]]) == len(ITEMS)
    charged = site.shop.charged()
    assert {charged[each.value, sku.value] for each in ACCOUNTS for sku in ITEMS} == {Decimal(5)}
    site.rests()


@pytest.mark.rule("WA-6")
def test_price_that_changes_for_all_changes_the_one_list(site: MedusaSite) -> None:
    for each in ACCOUNTS:
        site.price(each, 2, "7")
        site.price(each, 3, None)
    lists = sorted(site.shop.lists)
    assert site.night().counts["changed"] == len(ACCOUNTS)
    assert sorted(site.shop.lists) == lists
    site.rests()


@pytest.mark.rule("WA-7", "VE-7")
@pytest.mark.parametrize("amount", ["4", "6", None])
def test_account_with_a_price_of_its_own_pays_exactly_that_and_leaves_the_list(
    site: MedusaSite, amount: str | None
) -> None:
    site.price(ACCOUNTS[2], 1, amount)
    site.night()
    assert [each.value for each in (*ACCOUNTS[:2], *ACCOUNTS[3:])] in site.shop.shared()
    assert site.members() == [5]
    assert site.shop.charged().get((ACCOUNTS[2].value, ITEMS[1].value)) == (
        Decimal(amount) if amount else None
    )
    site.rests()


@pytest.mark.rule("WA-6", "VE-7")
def test_accounts_move_from_one_list_to_another_and_the_last_takes_the_list_along(
    site: MedusaSite,
) -> None:
    names = [each.value for each in ACCOUNTS]
    for moved in (2, 3, 4, 5):
        site.price_all("7", ACCOUNTS[:moved])
        site.night()
        site.rests()
        assert site.shop.shared() == [names[:moved], names[moved:]]
    for left in (5, 0):
        site.map(ACCOUNTS[:left])
        site.night()
        assert site.shop.shared() == ([names[:left]] if left else [])
    assert not [key for key in site.shop.recorded if "list" in key[1]]


@pytest.mark.rule("WA-8", "VE-7")
def test_account_that_nobody_acts_for_is_named_no_more(site: MedusaSite) -> None:
    site.map(ACCOUNTS[1:])
    site.night()
    assert site.shop.shared() == [[each.value for each in ACCOUNTS[1:]]]
    site.medusa.withdraw_account(ACCOUNTS[1])
    assert site.shop.shared() == [[each.value for each in ACCOUNTS[2:]]]


@pytest.mark.rule("MI-3", "WA-7")
def test_resync_of_one_account_leaves_the_list_of_the_others_as_it_is(site: MedusaSite) -> None:
    for each in ACCOUNTS[:2]:
        site.price(each, 1, "9")
    run_flow(site.context(), "prices", ResyncScope(customer=ACCOUNTS[0].value))
    charged = site.shop.charged()
    told = [charged[each.value, ITEMS[1].value] for each in ACCOUNTS[:3]]
    assert told == [Decimal(9), Decimal(5), Decimal(5)]
    assert site.members() == [5]
    site.night()
    site.rests()


@pytest.mark.rule("VE-5", "WA-7")
def test_item_price_for_all_accounts_stands_in_a_shared_list_too(site: MedusaSite) -> None:
    of_all = a.a_price("3", scope=ITEM_OVERRIDES, sku=ITEMS[1])
    site.erp.set_price(of_all)
    site.night()
    assert site.shop.charged()[ACCOUNTS[0].value, ITEMS[1].value] == Decimal(3)
    assert site.members() == [6]
    site.erp.remove_price(of_all.key)
    site.night()
    assert site.shop.charged()[ACCOUNTS[0].value, ITEMS[1].value] == Decimal(5)
    site.rests()


@pytest.mark.rule("VE-7")
def test_account_with_item_prices_of_its_own_shares_no_list(site: MedusaSite) -> None:
    only = frozenset({ACCOUNTS[0]})
    site.erp.set_price(a.a_price("3", scope=ITEM_OVERRIDES, sku=ITEMS[1]))
    site.erp.add_item(a.an_item(sku=ITEMS[1], allowed_to=only))
    run_flow(site.context(), "prices")
    assert site.shop.charged()[ACCOUNTS[0].value, ITEMS[1].value] == Decimal(3)
    members = {p[0].key for each in site.medusa.shown_price_lists() for p in each.members}
    assert ACCOUNTS[0].value not in members
    site.rests()


@pytest.mark.rule("WA-6")
def test_lists_that_are_there_stay_right_when_nobody_wants_them_any_more(site: MedusaSite) -> None:
    site.lists = False
    site.open()
    site.price(ACCOUNTS[0], 1, "9")
    site.night()
    assert site.shop.shared() == [[each.value for each in ACCOUNTS[1:]]]
    site.rests()


def test_lists_are_shared_where_the_settings_say_so(tmp_path: Path) -> None:
    for told, claimed in ((None, False), (True, True), (False, False)):
        given = options() if told is None else options(price_lists=told)
        found = settings_from(given, {"api_key": KEY}, tmp_path)
        store = MedusaStore(found)
        assert (store.capabilities.price_lists is not None) == claimed
        store.close()
    with pytest.raises(Misconfigured) as refused:
        settings_from(options(price_lists="yes"), {"api_key": KEY}, tmp_path)
    assert "price_lists" in str(refused.value.problems)


# A price of more digits than Medusa can be told.

TOO_PRECISE = "12345678.1234567891"


@pytest.mark.rule("WA-7", "OI-2")
def test_price_that_medusa_cannot_be_told_holds_up_no_other_of_the_list(site: MedusaSite) -> None:
    for each in ACCOUNTS:
        site.price(each, 0, TOO_PRECISE)
        site.price(each, 1, "8")
        site.price(each, 2, None)
    for _ in range(2):
        result = run_flow(site.context(), "prices")
        assert result.message.startswith(f"{len(ACCOUNTS)} changes were refused")
        charged = site.shop.charged()
        for each in ACCOUNTS:
            told = [charged.get((each.value, sku.value)) for sku in ITEMS[:4]]
            assert told == [Decimal(5), Decimal(8), None, Decimal(5)]


@pytest.mark.rule("WA-7", "VE-7")
def test_item_price_that_medusa_cannot_be_told_keeps_nobody_on_a_list(site: MedusaSite) -> None:
    site.erp.set_price(a.a_price(TOO_PRECISE, scope=ITEM_OVERRIDES, sku=ITEMS[0]))
    run_flow(site.context(), "prices")
    site.price(ACCOUNTS[0], 1, "8")
    site.price(ACCOUNTS[0], 2, None)
    run_flow(site.context(), "prices")
    charged = site.shop.charged()
    told = [charged.get((ACCOUNTS[0].value, sku.value)) for sku in ITEMS[1:4]]
    assert told == [Decimal(8), None, Decimal(5)]
    assert [charged[ACCOUNTS[1].value, sku.value] for sku in ITEMS[1:4]] == [Decimal(5)] * 3


# What others do to the lists.


def _list(shop: BuyersShop) -> dict[str, Any]:
    """The one that names the most."""
    shared = [each for each in shop.lists.values() if "shared" in each["metadata"]["tradesync"]]
    return max(shared, key=lambda each: len(each["rules"]["customer.groups.id"]))


def names_a_stranger(shop: BuyersShop) -> None:
    shop.make_group("VIP", {})
    [vip] = [key for key, each in shop.groups_there.items() if each["name"] == "VIP"]
    held = _list(shop)
    rules = held["rules"]
    held["rules"] = {**rules, "customer.groups.id": [*rules["customer.groups.id"], vip]}


def names_one_less(shop: BuyersShop) -> None:
    held = _list(shop)
    rules = held["rules"]
    held["rules"] = {**rules, "customer.groups.id": rules["customer.groups.id"][1:]}


def names_nobody_so_it_is_everybodys(shop: BuyersShop) -> None:
    _list(shop)["rules"] = {}


def is_a_draft(shop: BuyersShop) -> None:
    _list(shop)["status"] = "draft"


def is_dearer(shop: BuyersShop) -> None:
    shop.rows[_list(shop)["id"]][0]["raw_amount"] = raw_amount("99")


def is_twice(shop: BuyersShop) -> None:
    held = _list(shop)
    other = {**held, "id": shop.key("list")}
    shop.lists[other["id"]] = other
    shop.rows[other["id"]] = [{**each, "id": shop.key("p")} for each in shop.rows[held["id"]]]
    shop.rows[other["id"]][0]["raw_amount"] = raw_amount("1")


def is_gone(shop: BuyersShop) -> None:
    shop.drop_price_list(_list(shop)["id"])


def group_is_gone(shop: BuyersShop) -> None:
    del shop.groups_there[shop.group_of(ACCOUNTS[3].value)]


MEDDLING = pytest.mark.parametrize(
    "meddle",
    [
        names_a_stranger,
        names_one_less,
        names_nobody_so_it_is_everybodys,
        is_a_draft,
        is_dearer,
        is_twice,
        is_gone,
        group_is_gone,
    ],
)


@pytest.mark.rule("MI-1", "VE-7")
@MEDDLING
def test_list_that_somebody_changed_by_hand_is_put_right_by_the_next_run(
    site: MedusaSite, meddle: Callable[[BuyersShop], None]
) -> None:
    right = site.shop.charged()
    meddle(site.shop)

    run_flow(site.context(), "prices")

    assert site.shop.charged() == right
    groups = {
        each
        for held in site.shop.lists.values()
        if "shared" in held["metadata"]["tradesync"]
        for each in held["rules"]["customer.groups.id"]
    }
    assert groups == {site.shop.group_of(each) for some in site.shop.shared() for each in some}
    site.rests()
    # Whoever is a member is one where it counts.
    members = [p[0].key for each in site.medusa.shown_price_lists() for p in each.members]
    assert sorted(members) == sorted(each for some in site.shop.shared() for each in some)


@pytest.mark.rule("MI-1", "VE-7")
@pytest.mark.parametrize("apart", [1, 2])
def test_account_whose_group_somebody_put_on_a_list_is_taken_off_it(
    site: MedusaSite, apart: int
) -> None:
    """It has a list of its own, or shares another one."""
    site.price_all("9", ACCOUNTS[:apart])
    site.night()
    assert site.members() == ([5] if apart == 1 else [2, 4])
    right = site.shop.charged()
    held = _list(site.shop)
    named = [*held["rules"]["customer.groups.id"], site.shop.group_of(ACCOUNTS[0].value)]
    held["rules"] = {**held["rules"], "customer.groups.id": named}
    assert site.shop.charged()[ACCOUNTS[0].value, ITEMS[0].value] == Decimal(5)

    run_flow(site.context(), "prices")

    assert site.shop.charged() == right
    site.rests()


def of_all_accounts(shop: BuyersShop) -> str:
    return shop.group_named(group_name(ALL))


def of_a_price_group(shop: BuyersShop) -> str:
    gold = Audience(AudienceKind.GROUP, "GOLD")
    shop.make_group(group_name(gold), group_metadata(gold))
    return shop.group_named(group_name(gold))


def of_an_account_without_prices(shop: BuyersShop) -> str:
    other = a.account_audience(CustomerId("C-99"))
    shop.make_group(group_name(other), group_metadata(other))
    return shop.group_named(group_name(other))


@pytest.mark.rule("MI-1", "VE-7")
@pytest.mark.parametrize("made", [of_all_accounts, of_a_price_group, of_an_account_without_prices])
def test_group_of_ours_that_somebody_put_on_a_list_is_taken_off_it(
    site: MedusaSite, made: Callable[[BuyersShop], str]
) -> None:
    """Of nobody who shares a list, nor has a price of its own that would tell of it."""
    held, group = _list(site.shop), made(site.shop)
    named = [*held["rules"]["customer.groups.id"], group]
    held["rules"] = {**held["rules"], "customer.groups.id": named}

    run_flow(site.context(), "prices")

    held = _list(site.shop)
    assert group not in held["rules"]["customer.groups.id"]
    site.rests()


@pytest.mark.rule("MI-1", "WA-6")
def test_list_names_the_group_that_came_after_one_which_somebody_renamed(
    site: MedusaSite,
) -> None:
    account = a.account_audience(ACCOUNTS[2])
    former = site.shop.group_of(ACCOUNTS[2].value)
    site.shop.groups_there[former]["name"] = "Acme"
    site.shop.make_group(group_name(account), group_metadata(account))
    buyers = {site.shop.group_named(group_name(account))}

    run_flow(site.context(), "prices")

    charged = site.shop.charges(buyers)
    assert {charged[f"variant_{sku}"] for sku in ITEMS} == {Decimal(5)}
    assert site.shop.charges({former}).keys().isdisjoint(f"variant_{sku}" for sku in ITEMS)
    site.rests()


@pytest.mark.rule("WA-6", "WA-7", "MI-2")
@pytest.mark.parametrize("lists", [True, False])
def test_list_of_which_nothing_is_recorded_goes(site: MedusaSite, lists: bool) -> None:
    """As where the records were deleted, to go back to an older release, and not the list."""
    for key in [each for each in site.shop.recorded if '"shared' in each[1] or "member" in each[1]]:
        del site.shop.recorded[key]
    site.lists = lists
    site.open()
    site.price_all("9")
    site.price(ACCOUNTS[0], 0, "3")
    for _ in range(2):
        run_flow(site.context(), "prices")
    assert site.shop.charged() == site.without_lists()
    site.rests()


@pytest.mark.rule("OP-2", "MI-3")
@MEDDLING
def test_a_look_at_lists_writes_nothing_whatever_it_finds(
    site: MedusaSite, meddle: Callable[[BuyersShop], None]
) -> None:
    meddle(site.shop)
    before = copy.deepcopy((site.shop.lists, site.shop.rows, site.shop.recorded, site.shop.writes))
    run_flow(site.context(), "prices", dry_run=True)
    assert (site.shop.lists, site.shop.rows, site.shop.recorded, site.shop.writes) == before


@pytest.mark.rule("VE-7", "WA-7")
def test_nobody_joins_a_list_that_does_not_say_what_it_should(site: MedusaSite) -> None:
    site.price_all("9", ACCOUNTS[:1])
    run_flow(site.context(), "prices", ResyncScope(customer=ACCOUNTS[0].value))
    is_dearer(site.shop)
    [held] = site.medusa.shown_price_lists()
    scope = PriceScope.account(ACCOUNTS[0])
    own = PriceRows(a.account_audience(ACCOUNTS[0]), scope, site.medusa.shown_list_rows("none"))
    site.shop.moments = []

    site.medusa.apply_shared_prices(
        SharedChange("s", {held.list_id: held.stamp}, join=[Joining(held.list_id, own)])
    )

    assert site.shop.shared() == [[each.value for each in ACCOUNTS]]
    for moment in site.shop.moments:
        paid = {moment.get((ACCOUNTS[0].value, sku.value)) for sku in ITEMS}
        assert paid <= {Decimal(9), Decimal(5)}
    assert {site.shop.charged()[ACCOUNTS[0].value, sku.value] for sku in ITEMS} == {Decimal(5)}


# Whatever happens, and wherever it breaks off.

Event = Callable[[MedusaSite], object]
accounts = st.sampled_from(ACCOUNTS)
some_accounts = st.lists(accounts, min_size=1, max_size=6, unique=True)
items = st.integers(0, 2)
amounts = st.sampled_from(["5", "6", "7", None])


def _each(who: Sequence[CustomerId], item: int, amount: str | None) -> Event:
    def happen(site: MedusaSite) -> None:
        for account in who:
            site.price(account, item, amount)

    return happen


def _item_price(item: int, amount: str | None) -> Event:
    def happen(site: MedusaSite) -> None:
        price = a.a_price(amount or "1", scope=ITEM_OVERRIDES, sku=ITEMS[item])
        site.erp.set_price(price)
        if amount is None:
            site.erp.remove_price(price.key)

    return happen


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(_each, some_accounts, items, amounts),
    st.builds(_each, st.just(ACCOUNTS), items, amounts),
    st.builds(
        lambda who, amount: lambda site: site.price_all(amount, who),
        some_accounts,
        st.sampled_from(["5", "6", "7"]),
    ),
    st.builds(lambda who: lambda site: site.map(sorted(who)), some_accounts),
)
nights = st.lists(st.lists(events, min_size=1, max_size=3), min_size=1, max_size=4)


@pytest.mark.rule("WA-6", "WA-7", "VE-7", "MI-2")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=8)
@given(nights)
def test_everybody_pays_at_every_moment_what_was_or_what_is_to_be(
    runs: list[list[Event]],
) -> None:
    site = MedusaSite()
    site.price_all()
    for happened in ([], *runs):
        for event in happened:
            event(site)
        site.night()
        site.rests()


@pytest.mark.rule("WA-6", "WA-7", "VE-7", "OP-1")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=8)
@given(
    nights,
    st.integers(0, 30),
    st.sampled_from([Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.CRASH_AFTER]),
)
def test_run_that_breaks_off_anywhere_shows_nobody_another_price_and_the_next_repairs_it(
    runs: list[list[Event]], at: int, fault: Fault
) -> None:
    site = MedusaSite()
    site.price_all()
    site.night()
    for happened in runs:
        for event in happened:
            event(site)
        writes = writes_of(site)
        if writes:
            breaks_off(site, writes[at % len(writes)], fault, site.without_lists())
        site.night()
        site.rests()


def writes_of(site: MedusaSite) -> list[Call]:
    """Every write that a run comes to."""
    learning, twin = Script(), _again(site)
    twin.open(faulty(twin.shop, learning))
    run_flow(twin.context(), "prices")
    return [each for each in learning.log if each.point in (*WRITES, "write_rows", "put_prices")]


def breaks_off(site: MedusaSite, at: Call, fault: Fault, wanted: Charged) -> None:
    """A run of which this write fails; then the process is gone."""
    before, site.shop.moments = site.shop.charged(), []
    site.open(faulty(site.shop, Script().fail(at.point, fault, at=at.number)))
    with suppress(Crash, SyncError):
        run_flow(site.context(), "prices")
    site.never_wrong(before, wanted)
    site.open()


def _again(site: MedusaSite) -> MedusaSite:
    again = copy.copy(site)
    again.clock, again.shop, again.erp = copy.deepcopy((site.clock, site.shop, site.erp))
    again.state = again.make_state(site.store, again.erp, again.clock)
    again.open()
    return again


# Lists that begin and end on a day.


def dated() -> MedusaSite:
    """All have a price until today and another one from tomorrow on, one has neither."""
    site = MedusaSite()
    site.price_all()
    starts = site.today + timedelta(days=1)
    for each in ACCOUNTS[1:]:
        site.dated(each, 0, "6", valid_from=starts)
        site.dated(each, 1, "4", valid_until=site.today)
    site.night()
    assert site.members() == [5]
    for each in ACCOUNTS[2:]:
        site.dated(each, 0, "8", valid_from=starts + timedelta(days=1))
        site.dated(each, 2, "3", valid_from=starts, valid_until=starts)
    site.map([each for each in ACCOUNTS if each != ACCOUNTS[5]])
    return site


@pytest.mark.rule("WA-6", "WA-7", "VE-12", "OP-1")
@pytest.mark.parametrize("days", [0, 1, 2])
def test_night_of_dated_lists_may_break_off_at_any_write_and_days_may_pass(days: int) -> None:
    eve = dated()
    ours = {(account.value, item.value) for account in ACCOUNTS[:5] for item in ITEMS}
    for at in writes_of(eve)[days::3]:
        site = _again(eve)
        site.open(faulty(site.shop, Script().fail(at.point, Fault.CRASH_AFTER, at=at.number)))
        with suppress(Crash):
            run_flow(site.context(), "prices")
        site.open()
        for _ in range(days):
            site.clock.advance(DAY)
            for (account, sku), price in site.shop.charged().items():
                entries = site.erp.prices([PriceScope.account(CustomerId(account))], [Sku(sku)])
                amounts = {each.value.unit_price for each in entries}
                assert (account, sku) not in ours or price in amounts, at
        assert run_flow(site.context(), "prices").outcome == "ok"
        alone = BuyersShop()
        assert site.shop.charged() == site.without_lists(alone), at
        site.rests()
        # And as the days go by, without any run.
        for _ in range(3):
            site.clock.advance(DAY)
            there = {key for key in alone.charged() if key[0] in site.shop.accounts()}
            assert site.shop.charged() == {key: alone.charged()[key] for key in there}, at


# One night in which everything happens, broken off at each of its writes.


def eventful() -> MedusaSite:
    """One of a list moves to another's, one leaves it, one comes to it from its own, one goes."""
    site = MedusaSite()
    site.price_all("5", ACCOUNTS[:3])
    site.price_all("7", ACCOUNTS[3:])
    site.night()
    site.price(ACCOUNTS[5], 0, "6.5")
    run_flow(site.context(), "prices", ResyncScope(customer=ACCOUNTS[5].value))
    assert site.members() == [2, 3]
    site.price_all("7", ACCOUNTS[:1])
    site.price(ACCOUNTS[1], 1, "6")
    site.price(ACCOUNTS[1], 2, None)
    site.price(ACCOUNTS[5], 0, "7")
    site.map([each for each in ACCOUNTS if each != ACCOUNTS[4]])
    return site


def nothing(site: MedusaSite) -> None:
    """The next run is told the same."""


def news(site: MedusaSite) -> None:
    """What no list of the night before may show to whoever was to leave it."""
    for each in ACCOUNTS[2:4]:
        site.price(each, 0, "3")
        site.price(each, 3, None)


def drafts(site: MedusaSite) -> None:
    """Somebody makes drafts of all shared lists, so that all of their rows are told again."""
    for held in site.shop.lists.values():
        if "shared" in held["metadata"]["tradesync"]:
            held["status"] = "draft"


@pytest.fixture(scope="module")
def eve() -> MedusaSite:
    return eventful()


@pytest.mark.rule("WA-6", "WA-7", "VE-7", "OP-1")
@pytest.mark.parametrize("late", [0, 1, 2])
def test_worker_that_hung_names_nobody_again_who_has_left_meanwhile(
    site: MedusaSite, late: int
) -> None:
    """Another one had its run in between, and its lists are not what they were."""
    for each in ACCOUNTS:
        site.price(each, 2, "7")
    at, script = writes_of(site)[late], Script()

    def meanwhile() -> None:
        hangs = site.store
        site.open()
        site.price(ACCOUNTS[1], 1, "9")
        site.night()
        site.store = hangs

    script.meanwhile(at.point, meanwhile, at=at.number)
    site.open(faulty(site.shop, script))
    result = run_flow(site.context(), "prices")
    assert not script.unused
    assert (result.outcome, "somebody else meanwhile" in result.message) == ("try_later", True)
    assert site.shop.charged() == site.without_lists()
    site.open()
    site.night()
    assert site.members() == [5]
    site.rests()


@pytest.mark.rule("WA-6", "WA-7", "VE-7", "OP-1")
def test_worker_that_hung_does_not_pass_its_lists_off_as_those_of_the_last_run() -> None:
    """Or its next call would let somebody join a list that says what others are to pay."""
    eve = eventful()
    calls = [each for each in writes_of(eve) if each.point == "drop_records"]
    script = Script()

    def meanwhile() -> None:
        hangs = eve.store
        eve.open()
        eve.price(ACCOUNTS[3], 3, "2")
        assert run_flow(eve.context(), "prices").outcome == "ok"
        eve.store = hangs

    script.meanwhile(calls[0].point, meanwhile, at=calls[0].number)
    eve.open(faulty(eve.shop, script))
    assert run_flow(eve.context(), "prices").outcome == "try_later"
    assert not script.unused
    assert eve.shop.charged() == eve.without_lists()


@pytest.mark.rule("WA-6", "WA-7", "VE-7", "OP-1")
@pytest.mark.parametrize(
    "fault, then, deserted",
    [
        (Fault.CRASH_AFTER, nothing, False),
        (Fault.CRASH_AFTER, news, False),
        (Fault.CRASH_AFTER, news, True),
        (Fault.CRASH_AFTER, drafts, False),
    ],
)
def test_night_may_break_off_at_any_write(
    eve: MedusaSite, fault: Fault, then: Callable[[MedusaSite], None], deserted: bool
) -> None:
    eve = _again(eve)
    if deserted:
        eve.price_all("7", ACCOUNTS[2:3])
    was, wanted, told = eve.shop.charged(), eve.without_lists(), _again(eve)
    then(told)
    right = told.without_lists()
    for at in writes_of(eve):
        site = _again(eve)
        breaks_off(site, at, fault, wanted)
        then(site)
        before, site.shop.moments = site.shop.charged(), []
        run_flow(site.context(), "prices")
        assert site.shop.charged() == right, at
        site.never_wrong(before, was, wanted, right)
        site.rests()
        members = [p[0].key for each in site.medusa.shown_price_lists() for p in each.members]
        assert sorted(members) == sorted(each for some in site.shop.shared() for each in some)


@pytest.mark.rule("WA-7", "VE-7", "OP-1")
def test_write_that_nobody_heard_of_is_tried_again_within_the_run(eve: MedusaSite) -> None:
    eve = _again(eve)
    eve.price_all("7", ACCOUNTS[2:3])
    wanted, learning = eve.without_lists(), _again(eve)
    learning.shop.moments = []
    run_flow(learning.context(), "prices")
    for at in range(len(learning.shop.moments)):
        site = _again(eve)
        site.shop.unheard = at + 1
        before, site.shop.moments = site.shop.charged(), []
        assert run_flow(site.context(), "prices").outcome == "ok"
        site.never_wrong(before, wanted)
        assert site.shop.charged() == wanted, at
        site.rests()


@pytest.mark.rule("VE-7", "OP-1")
def test_list_that_all_leave_for_another_goes_also_where_the_call_is_tried_again() -> None:
    def joining(*numbers: int) -> list[Joining]:
        empty = vector_of([])
        return [
            Joining("M" if 2 in numbers else "L", PriceRows(a.account_audience(each), own, empty))
            for each, own in ((ACCOUNTS[n], PriceScope.account(ACCOUNTS[n])) for n in numbers)
        ]

    def filled() -> tuple[BuyersShop, MedusaStore]:
        shop = BuyersShop()
        store = shop.store(price_lists=True)
        for list_id, amount, members in (("L", "5", (0, 1)), ("M", "7", (2,))):
            rows = ListRows(list_id, vector_of([a.a_price(amount, sku=each) for each in ITEMS]))
            told = SharedChange("a", {list_id: None}, put=[rows], join=joining(*members))
            store.apply_shared_prices(told)
        shop.moments = []
        return shop, store

    moved = SharedChange("b", {"L": "a", "M": "a"}, join=joining(0, 1, 2)[:2])
    shop, store = filled()
    store.apply_shared_prices(moved)
    for at in range(len(shop.moments)):
        shop, store = filled()
        shop.unheard = at + 1
        with pytest.raises(TryLater):
            store.apply_shared_prices(moved)
        store.apply_shared_prices(moved)
        assert shop.shared() == [[each.value for each in ACCOUNTS[:3]]]
        assert [each.list_id for each in store.shown_price_lists()] == ["M"]
        assert {price for _, price in shop.charged().items()} == {Decimal(7)}
        assert not [key for key in shop.recorded if key[1] == list_owner("L")]
