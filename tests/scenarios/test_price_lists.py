"""Accounts with the same prices share a list: cheaper, and nobody sees another price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sync.cli.shown import as_record
from sync.domain.ids import CustomerId, OrganisationId, Sku
from sync.domain.mapping import Assignment
from sync.domain.pricing import ITEM_OVERRIDES, AudienceKind, PriceScope, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import OutcomeUnknown
from sync.flows.context import FlowResult
from sync.flows.cycle import run_flow
from sync.ports.price_lists import SharedChange
from sync.ports.state import ResyncScope
from sync.ports.store import ListLimits, StoreCapabilities
from sync.testing import builders as a
from sync.testing.store import MemoryStore
from tests.scenarios.test_price_batches import DAY, Site
from tests.scenarios.world import ASSIGNMENTS

ACCOUNTS = [CustomerId(f"C-{number}") for number in range(1, 9)]
ITEMS = [Sku(f"ITEM-{number}") for number in range(8)]
Prices = Mapping[PublishedPriceKey, PriceValue]


class ListStore(MemoryStore):
    """Counts calls that write prices, and remembers what was shown after each of them.

    It takes no rows by column: calls with and without lists are as large.
    """

    apply_price_rows: Any = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.calls = self.list_calls = self.entries = 0
        self.moments: list[Prices] = []
        self.before_call: Callable[[int], object] = lambda number: None

    def apply_prices(self, put: Any, remove: Any) -> None:
        self._counted(lambda: super(ListStore, self).apply_prices(put, remove))
        self.entries += len(put) + len(remove)

    def apply_shared_prices(self, change: SharedChange) -> None:
        self.list_calls += 1
        self._counted(lambda: super(ListStore, self).apply_shared_prices(change))
        self.entries += change.entries

    def _counted(self, call: Callable[[], object]) -> None:
        self.calls += 1
        self.before_call(self.calls)
        call()
        self.moments.append(self.prices)


@dataclass
class ListSite(Site):
    """Eight accounts of a store with lists."""

    flows: Any = ("prices",)
    store_kind: type[MemoryStore] = ListStore
    store_capabilities: StoreCapabilities = field(default_factory=lambda: listing(20))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.limits = replace(self.limits, full_price_check_s=1e9)
        for sku in ITEMS:
            self.erp.add_item(a.an_item(sku=sku))
        for each in ACCOUNTS:
            self.erp.add_account(a.an_account(customer_id=each))
            self.lists.add_organisation(a.an_organisation(organisation=_organisation(each)))
        self.remap(assignments=(*ASSIGNMENTS, *map(assigned, ACCOUNTS)))

    @property
    def lists(self) -> ListStore:
        assert isinstance(self.store, ListStore)
        return self.store

    def price(self, account: CustomerId, item: int, amount: str, days: int | None = None) -> None:
        until = None if days is None else self.today + timedelta(days=days)
        self.erp.set_price(
            a.a_price(amount, scope=PriceScope.account(account), sku=ITEMS[item], valid_until=until)
        )

    def no_price(self, account: CustomerId, item: int) -> None:
        scope = PriceScope.account(account)
        for each in list(self.erp.prices([scope], [ITEMS[item]])):
            self.erp.remove_price(each.key)

    def price_all(self, amount: str = "5", accounts: Sequence[CustomerId] = ACCOUNTS) -> None:
        for account in accounts:
            for item in range(len(ITEMS)):
                self.price(account, item, amount)

    def night(self, **scope: Any) -> FlowResult:
        """One run, after which the store shows what reading by row would, and did meanwhile."""
        before, self.lists.moments = self.lists.prices, []
        result = run_flow(self.context(), "prices", ResyncScope(**scope))
        assert result.outcome == "ok", result.message
        wanted = self.by_row_from_scratch()
        assert self.lists.prices == wanted
        self.never_wrong(before, wanted)
        return result

    def dies(self, at: int, *, arrives: bool) -> None:
        """A run that dies at its call of this number, before it or after it ``arrives``."""
        before, self.lists.moments = self.lists.prices, []
        last = self.lists.calls + at + arrives

        def dies(number: int) -> None:
            if number == last:
                raise OutcomeUnknown("the line is dead")

        self.lists.before_call = dies
        run_flow(self.context(), "prices")
        self.lists.before_call = lambda number: None
        self.never_wrong(before, self.by_row_from_scratch())

    def never_wrong(self, before: Prices, wanted: Prices) -> None:
        """At no moment anything else than what was or what will be, and first goes what goes."""
        going = before.keys() - wanted.keys()
        for shown in self.lists.moments:
            for key, value in shown.items():
                assert value in (before.get(key), wanted.get(key)), key
            if any(before.get(key) != value for key, value in shown.items()):
                assert not going & shown.keys()

    def members(self) -> list[int]:
        return sorted(len(each.members) for each in self.lists.shown_price_lists())


def listing(
    entries: int,
    lists: int | None = None,
    members: int | None = None,
    overrides: bool = True,
    gaps: bool = False,
) -> Any:
    limits = ListLimits(entries, lists, members, overrides, gaps=gaps and overrides)
    return StoreCapabilities("listing", price_batch=entries, price_lists=limits)


def _organisation(account: CustomerId) -> OrganisationId:
    return OrganisationId(f"org-{account}")


def assigned(account: CustomerId) -> Assignment:
    return Assignment(account, organisation=_organisation(account))


@pytest.fixture
def site() -> ListSite:
    """Eight accounts with the same eight prices."""
    site = ListSite()
    site.price_all()
    assert site.night().outcome == "ok"
    return site


@pytest.mark.rule("WA-6", "MI-2")
def test_accounts_with_the_same_prices_are_told_them_once(site: ListSite) -> None:
    assert site.members() == [8]
    # Eight rows and as many members, beside what the others of the scenario have.
    assert site.lists.entries < 2 * len(ITEMS) + 8
    calls = site.lists.calls
    result = site.night()
    assert (result.writes, site.lists.calls) == (0, calls)


@pytest.mark.rule("WA-6", "MI-2")
def test_price_that_changes_for_all_of_a_list_changes_the_list(site: ListSite) -> None:
    for account in ACCOUNTS:
        site.price(account, 3, "6")
        site.no_price(account, 4)
    entries = site.lists.entries
    result = site.night()
    assert site.lists.entries == entries + 2
    assert (result.counts["changed"], result.counts["removed"]) == (8, 8)
    assert site.members() == [8]


@pytest.mark.rule("WA-6", "MI-2")
def test_price_that_changes_for_one_of_a_list_is_its_own_row(site: ListSite) -> None:
    site.price(ACCOUNTS[2], 3, "6")
    entries = site.lists.entries
    assert site.night().counts["changed"] == 1
    assert site.lists.entries == entries + 1
    assert site.members() == [8]


@pytest.mark.rule("WA-6", "WA-7")
def test_list_changes_under_an_account_that_keeps_its_price(site: ListSite) -> None:
    site.price(ACCOUNTS[2], 3, "6")
    site.night()
    for account in ACCOUNTS:
        if account != ACCOUNTS[1]:
            site.price(account, 4, "7")
        if account != ACCOUNTS[2]:
            site.price(account, 3, "8")
    entries = site.lists.entries
    site.night()
    # Two rows of the list; the one who keeps item 4 at its price is given a row of its own.
    assert site.lists.entries == entries + 3
    assert site.members() == [8]


@pytest.mark.rule("WA-7", "VE-7")
def test_account_that_loses_the_price_which_its_list_gets_is_shown_none(site: ListSite) -> None:
    for account in ACCOUNTS:
        site.no_price(account, 4)
    site.night()
    site.price(ACCOUNTS[2], 4, "6")
    site.night()
    assert site.members() == [8]
    for account in ACCOUNTS:
        site.price(account, 4, "5")
    site.no_price(ACCOUNTS[2], 4)
    site.night()
    site.night(everything=True)


@pytest.mark.rule("WA-7", "WA-10")
def test_account_without_a_price_of_the_list_is_on_it_no_more(site: ListSite) -> None:
    site.no_price(ACCOUNTS[2], 3)
    assert site.night().counts["removed"] == 1
    assert site.members() == [7]
    for account in ACCOUNTS:
        site.price(account, 3, "9")
    site.no_price(ACCOUNTS[5], 3)
    site.night()
    site.night(everything=True)


@pytest.mark.rule("WA-7", "WA-10")
def test_account_without_a_price_of_the_list_stays_where_a_store_has_gaps() -> None:
    site = ListSite(store_capabilities=listing(20, gaps=True))
    site.price_all()
    site.night()
    for number, account in enumerate(ACCOUNTS):
        site.no_price(account, number)
    entries = site.lists.entries
    assert site.night().counts["removed"] == 8
    # Nobody is told more than what it lost, and the store writes nobody a list anew.
    assert (site.members(), site.lists.entries) == ([8], entries + 8)
    for account in ACCOUNTS[1:]:
        site.price(account, 0, "9")
    site.price(ACCOUNTS[1], 1, "4")
    site.no_price(ACCOUNTS[2], 0)
    entries = site.lists.entries
    site.night()
    # Two of them lack item 0 and are hidden the list's; one has what it lacked again.
    assert (site.members(), site.lists.entries) == ([8], entries + 3)
    for account in ACCOUNTS:
        site.price(account, 3, "7")
    site.night()
    assert site.members() == [8]
    site.night(everything=True)


@pytest.mark.rule("WA-7", "VE-7")
def test_list_gets_a_price_that_one_of_its_members_lacks_or_loses_where_a_store_has_gaps() -> None:
    site = ListSite(store_capabilities=listing(20, gaps=True))
    site.price_all()
    for account in ACCOUNTS:
        site.no_price(account, 4)
        site.no_price(account, 5)
    site.night()
    site.price(ACCOUNTS[2], 4, "6")
    site.night()
    for account in ACCOUNTS:
        site.price(account, 4, "5")
        site.price(account, 5, "5")
    site.no_price(ACCOUNTS[2], 4)
    site.no_price(ACCOUNTS[6], 5)
    entries = site.lists.entries
    site.night()
    # Two rows of the list, two gaps, and the row that one of them loses.
    assert (site.members(), site.lists.entries) == ([8], entries + 5)
    site.night(everything=True)


@pytest.mark.rule("WA-6", "VE-7")
def test_account_moves_to_the_list_that_shows_what_it_is_to_show(site: ListSite) -> None:
    site.price_all("7", ACCOUNTS[:4])
    site.night()
    assert site.members() == [4, 4]
    entries = site.lists.entries
    site.price_all("7", ACCOUNTS[4:5])
    site.night()
    assert site.members() == [3, 5]
    assert site.lists.entries == entries + 1


@pytest.mark.rule("WA-6")
def test_new_account_joins_the_list_that_is_nearest() -> None:
    site = ListSite()
    site.price_all(accounts=ACCOUNTS[:-1])
    site.night()
    site.price_all(accounts=ACCOUNTS[-1:])
    site.price(ACCOUNTS[-1], 0, "4")
    entries = site.lists.entries
    site.night()
    assert site.members() == [8]
    assert site.lists.entries == entries + 2


@pytest.mark.rule("WA-8", "VE-7")
def test_account_that_nobody_acts_for_any_more_quits_its_list(site: ListSite) -> None:
    site.remap(assignments=(*ASSIGNMENTS, *map(assigned, ACCOUNTS[1:])))
    entries = site.lists.entries
    assert site.night().counts["removed"] == len(ITEMS)
    assert site.members() == [7]
    assert site.lists.entries == entries + 1


@pytest.mark.rule("WA-6", "OP-1")
def test_nobody_joins_a_list_that_goes_with_its_last_member(site: ListSite) -> None:
    for only in (ACCOUNTS[0], ACCOUNTS[1]):
        site.remap(assignments=(*ASSIGNMENTS, assigned(only)))
        site.night()
    assert site.members() == []


@pytest.mark.rule("VE-8", "VE-7")
def test_shoppers_never_share_a_list(site: ListSite) -> None:
    for item in range(len(ITEMS)):
        site.erp.set_price(
            a.a_price("5", scope=PriceScope.account(a.RETAIL_ACCOUNT), sku=ITEMS[item])
        )
    site.night()
    assert any(key.audience.channel is not None for key in site.lists.prices)
    kinds = {p[0].kind for each in site.lists.shown_price_lists() for p in each.members}
    assert kinds == {AudienceKind.ACCOUNT}


@pytest.mark.rule("WA-6")
def test_prices_that_end_leave_the_list_on_the_day_after(site: ListSite) -> None:
    for account in ACCOUNTS:
        site.price(account, 0, "3", days=1)
    site.night()
    site.clock.advance(2 * DAY)
    entries = site.lists.entries
    assert site.night().counts["removed"] == 8
    assert site.lists.entries == entries + 1


def test_lists_are_used_only_where_the_store_has_them_and_somebody_wants_them() -> None:
    plain = ListSite(store_capabilities=StoreCapabilities("plain", price_batch=20))
    switched_off = ListSite()
    switched_off.limits = replace(switched_off.limits, share_price_lists=False)
    for site in (plain, switched_off):
        site.price_all()
        result = site.night()
        assert (site.lists.list_calls, result.price_lists) == (0, {})


@pytest.mark.rule("WA-6")
def test_lists_that_are_there_are_kept_right_when_they_are_wanted_no_more(site: ListSite) -> None:
    site.limits = replace(site.limits, share_price_lists=False)
    for account in ACCOUNTS[:6]:
        site.price(account, 1, "6")
        site.no_price(account, 2)
    site.night()
    assert site.members() == [2]


@pytest.mark.rule("MI-2")
def test_plan_says_how_prices_would_be_told_and_writes_nothing() -> None:
    site = ListSite()
    site.price_all()
    calls = site.lists.calls
    result = run_flow(site.context(), "prices", dry_run=True)
    assert site.lists.calls == calls
    told = result.price_lists
    assert (told["lists_made"], told["joining"], told["list_rows"]) == (1, 8, 8)
    assert told["calls"] < told["calls_without_lists"]
    assert as_record(result)["price_lists"] == told
    [said] = [each for each in result.remarks if each.startswith("Price lists that accounts")]
    assert "1 made, 8 members joining, 8 rows of lists" in said
    assert f"{told['calls']} instead of {told['calls_without_lists']}" in said
    done = site.night()
    assert done.price_lists == told
    assert site.lists.calls == calls + told["calls"]
    assert site.lists.entries == told["entries"]


def why_none(site: ListSite, **scope: Any) -> str:
    result = run_flow(site.context(), "prices", ResyncScope(**scope), dry_run=True)
    told = result.no_price_lists
    line = f"Told without price lists that accounts share: {told}."
    assert (line in result.remarks) == bool(told)
    assert as_record(result).get("no_price_lists", "") == told
    assert not (told and result.price_lists)
    return told


@pytest.mark.rule("OP-2")
def test_plan_says_why_it_uses_no_lists() -> None:
    site = ListSite(store_capabilities=replace(listing(20), price_lists=None))
    site.price_all()
    assert "the store has no lists that accounts share" in why_none(site)
    site = ListSite()
    for number, account in enumerate(ACCOUNTS):
        site.price(account, 1, str(number + 3))
        site.price(account, 2, str(number + 3))
    # The two companies of the mapping, with a row or two each.
    assert why_none(site).startswith("at most 2 accounts or sites have the same prices")
    site.night()
    assert why_none(site) == "", "nothing is to be told"
    for number, account in enumerate(ACCOUNTS):
        site.price(account, 1, str(number + 300))
    assert "accounts and sites that are told anything have the same prices" in why_none(site)
    assert why_none(site).startswith("no two of the ")
    site = ListSite(store_capabilities=listing(20, lists=0))
    site.price_all()
    assert why_none(site) == "the store has its 0 lists already, and holds no more"
    site.limits = replace(site.limits, share_price_lists=False)
    assert why_none(site) == ""
    shared = ListSite()
    shared.price_all()
    assert why_none(shared) == ""
    part = why_none(shared, customer=ACCOUNTS[0].value)
    assert part == "only a part of the prices is looked at, which is told account by account"
    shared.erp.feeds = ()
    assert why_none(shared).startswith("the ERP tells its prices account by account")


@pytest.mark.rule("MI-2")
def test_same_prices_come_to_the_same_lists_in_whatever_order_they_are_told() -> None:
    kept = []
    for order in (1, -1):
        site = ListSite()
        for account in ACCOUNTS[::order]:
            site.price_all("7" if account in ACCOUNTS[:3] else "5", [account])
        site.price(ACCOUNTS[6], 1, "4")
        site.night()
        kept.append([(each.list_id, each.members) for each in site.lists.shown_price_lists()])
    assert kept[0] == kept[1]
    assert len(kept[0]) == 2


@pytest.mark.rule("WA-7", "OI-2")
def test_refused_row_keeps_no_other_price_from_being_shown(site: ListSite) -> None:
    for account in ACCOUNTS:
        site.price(account, 1, "6")
        site.price(account, 2, "7")
    site.store.refuse_record(ITEMS[1].value)
    result = site.run()
    assert result.outcome == "failed"
    assert result.counts["refused_by_store"] == 8
    shown = site.lists.prices
    for account in ACCOUNTS:
        by_item = {
            k.key.sku: v.unit_price for k, v in shown.items() if k.audience.key == account.value
        }
        assert (by_item[ITEMS[1]], by_item[ITEMS[2]]) == (Decimal(5), Decimal(7))
    site.store.accept_record(ITEMS[1].value)
    site.night()


@pytest.mark.rule("MI-2")
def test_list_that_nobody_joined_goes_with_the_next_change() -> None:
    site = ListSite(store_capabilities=listing(5))
    site.price_all()

    def dies(number: int) -> None:
        if site.lists.shown_price_lists():
            raise OutcomeUnknown("the line is dead")

    site.lists.before_call = dies
    assert site.run().outcome == "try_later"
    assert site.members() == [0]
    site.lists.before_call = lambda number: None
    site.night()
    assert site.members() == [8]


@pytest.mark.rule("WA-6", "OP-1")
def test_list_that_somebody_else_changed_meanwhile_is_not_written(site: ListSite) -> None:
    for account in ACCOUNTS:
        site.price(account, 1, "6")

    def meddles(number: int) -> None:
        site.lists.before_call = lambda number: None
        site.lists.touch_prices()

    site.lists.before_call = meddles
    result = site.run()
    assert result.outcome == "try_later"
    assert {value.unit_price for value in site.lists.prices.values()} == {Decimal("0.01")}
    assert site.run(scope=ResyncScope(everything=True)).outcome == "ok"
    assert site.lists.prices == site.by_row_from_scratch()


@pytest.mark.rule("WA-7", "OP-5")
def test_list_that_somebody_changed_by_hand_is_put_right_as_a_list(site: ListSite) -> None:
    site.lists.touch_prices()
    entries = site.lists.entries
    result = site.night(everything=True)
    assert result.counts["changed"] > len(ACCOUNTS) * len(ITEMS)
    # The rows of the list, and the three single prices of the scenario.
    assert site.lists.entries < entries + 2 * len(ITEMS)
    assert site.members() == [8]


# A store that charges the cheaper of two prices can show a member nothing over its list.


@pytest.fixture
def strict() -> ListSite:
    site = ListSite(store_capabilities=listing(20, overrides=False))
    site.price_all()
    site.night()
    return site


@pytest.mark.rule("WA-6", "WA-7")
def test_account_that_differs_in_one_price_leaves_a_list_that_nothing_goes_over(
    strict: ListSite,
) -> None:
    assert strict.members() == [8]
    strict.price(ACCOUNTS[2], 3, "6")
    strict.night()
    assert strict.members() == [7]
    strict.price(ACCOUNTS[2], 3, "5")
    strict.night()
    # It costs one row to join once more, and one to be told: nothing is shuffled for that.
    assert strict.members() == [7]
    strict.price_all("7")
    strict.night()
    assert strict.members() == [8]


@pytest.mark.rule("WA-6", "MI-2")
def test_what_leaving_costs_is_told_and_counted(strict: ListSite) -> None:
    for account in ACCOUNTS:
        strict.price(account, 3, "6")
    strict.no_price(ACCOUNTS[0], 4)
    calls = strict.lists.calls
    told = strict.night().price_lists
    assert (told["leaving"], told["lists_changed"]) == (1, 1)
    # One leaves, whose rows are written once more, and is told two; the list is told one.
    assert told["entries"] == (1 + len(ITEMS)) + 2 + 1
    assert told["calls"] == strict.lists.calls - calls
    assert strict.members() == [7]


@pytest.mark.rule("WA-6")
def test_accounts_with_nearly_the_same_prices_share_no_list_that_nothing_goes_over() -> None:
    site = ListSite(store_capabilities=listing(20, overrides=False))
    site.price_all()
    for number, account in enumerate(ACCOUNTS):
        site.price(account, 0, str(number + 10))
    site.night()
    assert site.members() == []


@pytest.mark.rule("VE-7", "WA-7")
def test_account_with_item_prices_of_its_own_is_on_no_list_that_nothing_goes_over(
    strict: ListSite,
) -> None:
    only = frozenset({ACCOUNTS[1]})
    strict.erp.set_price(a.a_price("3", scope=ITEM_OVERRIDES, sku=ITEMS[1]))
    strict.erp.add_item(a.an_item(sku=ITEMS[1], allowed_to=only))
    strict.night()
    members = {p[0].key for each in strict.lists.shown_price_lists() for p in each.members}
    assert members
    assert ACCOUNTS[1].value not in members
    strict.erp.add_item(a.an_item(sku=ITEMS[1]))
    strict.night()
    strict.night(everything=True)
