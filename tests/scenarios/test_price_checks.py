"""What is remembered of prices is checked once in a period, a share of it in each run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import CustomerId, OrganisationId
from sync.domain.mapping import Assignment
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import TryLater
from sync.flows.context import FlowResult, Limits
from sync.flows.price_checking import Checking
from sync.settings.models import PipelineEntry
from sync.testing import builders as a
from tests.scenarios.test_price_batches import DAY, SKUS, Site
from tests.scenarios.test_price_lists import ListSite
from tests.scenarios.world import ASSIGNMENTS

ACCOUNTS = [CustomerId(f"C-{number}") for number in range(1, 29)]
WEEK = 7 * DAY


def a_site() -> Site:
    """Many accounts with a price each, mirrored and confirmed; all is checked once a week."""
    site = Site()
    given = [Assignment(each, organisation=OrganisationId(f"org-{each}")) for each in ACCOUNTS]
    for each in ACCOUNTS:
        site.erp.add_account(a.an_account(customer_id=each))
        site.store.add_organisation(a.an_organisation(organisation=OrganisationId(f"org-{each}")))
        site.erp.set_price(a.a_price("5", scope=PriceScope.account(each), sku=SKUS[0]))
    site.remap(assignments=(*ASSIGNMENTS, *given))
    site.limits = replace(site.limits, full_price_check_s=float(WEEK))
    site.erp.states = tuple(PriceLevel)
    assert site.run().outcome == "ok"
    assert site.run().writes == 0
    return site


def night(site: Site) -> FlowResult:
    site.clock.advance(DAY)
    return site.run()


def others_change_everything(site: Site) -> int:
    shown = dict(site.store.prices)
    site.store.touch_prices()
    return len(shown)


def test_all_is_checked_once_a_week() -> None:
    assert Limits().full_price_check_s == PipelineEntry.model_fields["full_price_check_s"].default
    assert Limits().full_price_check_s == WEEK


@pytest.mark.rule("OP-5")
def test_each_night_checks_a_share_and_a_week_all_of_it() -> None:
    site = a_site()
    touched = others_change_everything(site)
    found = [night(site).counts.get("changed_by_others", 0) for _ in range(7)]
    assert sum(found) == touched
    assert dict(site.store.prices) == site.by_row_from_scratch()
    assert max(found) < touched / 2
    assert len([each for each in found if each]) > 3
    again = [night(site) for _ in range(7)]
    assert not any("changed_by_others" in each.counts or each.writes for each in again)


@pytest.mark.rule("OP-5", "MI-2")
def test_runs_that_follow_closely_check_nothing_twice() -> None:
    site = a_site()
    partitions = {(key.audience, key.key.scope) for key in site.store.prices}
    before = site.asked
    for _ in range(7 * 8):
        site.clock.advance(DAY / 8)
        assert site.run().writes == 0
    assert site.asked - before == len(partitions)


@pytest.mark.rule("OP-5", "WA-7")
def test_what_no_state_tells_is_found_within_the_week() -> None:
    site = a_site()
    site.erp.blind_states = True
    assert site.run().outcome == "ok"
    for each in ACCOUNTS:
        site.erp.set_price(a.a_price("6", scope=PriceScope.account(each), sku=SKUS[0]))
    found = Counter[str]()
    for _ in range(7):
        found.update(night(site).counts)
    assert (found["hidden_by_price_states"], found["changed"]) == (len(ACCOUNTS),) * 2
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("OP-5", "OP-1")
def test_what_a_run_that_broke_off_was_to_check_is_checked_by_the_next() -> None:
    site = a_site()
    touched = others_change_everything(site)
    real = site.erp.price_states

    def away(level: PriceLevel) -> object:
        raise TryLater("away")

    site.erp.price_states = away  # type: ignore[method-assign, assignment]
    assert [night(site).outcome for _ in range(3)] == ["try_later"] * 3
    site.erp.price_states = real  # type: ignore[method-assign]
    found = [night(site).counts.get("changed_by_others", 0) for _ in range(4)]
    assert sum(found) == touched
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("OP-5", "WA-7")
def test_what_was_loaded_anew_when_it_was_to_be_checked_is_checked_by_the_next_run() -> None:
    site = a_site()
    touched = others_change_everything(site)
    site.erp.reloads = [0] * 100
    site.clock.advance(WEEK)
    assert site.run().outcome == "try_later"
    site.erp.reloads = []
    assert site.run().counts["changed"] == touched
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("OP-5", "WA-6")
def test_lists_that_accounts_share_are_checked_all_in_one_night() -> None:
    site = ListSite()
    site.price_all()
    site.limits = replace(site.limits, full_price_check_s=float(WEEK))
    site.night()
    site.lists.touch_prices()
    found = [night(site).counts.get("changed_by_others", 0) for _ in range(7)]
    assert [bool(each) for each in found] == [False] * 6 + [True]
    assert site.members() == [8]
    assert site.lists.prices == site.by_row_from_scratch()


@pytest.mark.rule("OP-5")
def test_no_check_is_put_off_where_accounts_share_lists_from_now_on() -> None:
    site = ListSite()
    site.price_all()
    site.limits = replace(site.limits, full_price_check_s=float(WEEK), share_price_lists=False)
    site.night()
    for _ in range(9):
        night(site)
    touched = len(site.lists.prices)
    site.lists.touch_prices()
    site.limits = replace(site.limits, share_price_lists=True)
    # What was looked at a week ago is due, though other owners were looked at last night.
    found = [night(site).counts.get("changed_by_others", 0) for _ in range(8)]
    assert (found[0], sum(found)) == (touched, touched)
    assert site.lists.prices == site.by_row_from_scratch()


@pytest.mark.rule("OP-5", "OP-1")
@pytest.mark.parametrize("kind", [Site, ListSite])
def test_clock_that_was_ahead_once_puts_no_check_off(kind: type[Site]) -> None:
    site = a_site() if kind is Site else ListSite()
    if isinstance(site, ListSite):
        site.price_all()
        site.limits = replace(site.limits, full_price_check_s=float(WEEK))
    right = site.clock.now()
    site.clock.set_wall_clock(right + timedelta(days=365))
    site.run()
    site.clock.set_wall_clock(right)
    shown = site.lists.prices if isinstance(site, ListSite) else dict(site.store.prices)
    site.store.touch_prices()
    found = [night(site).counts.get("changed_by_others", 0) for _ in range(8)]
    assert sum(found) == len(shown)


moments = st.floats(0, 3 * WEEK, allow_nan=False)


@given(moments, moments, moments, st.text(max_size=5))
def test_nothing_is_due_twice_or_never_however_runs_follow(
    one: float, two: float, three: float, owner: str
) -> None:
    first, middle, last = sorted((one, two, three))
    scope = PriceScope(PriceLevel.GROUP, f"G{owner}")
    early, late = Checking(WEEK, first, middle), Checking(WEEK, middle, last)
    both = Checking(WEEK, first, last)
    assert both.due(scope) == (early.due(scope) or late.due(scope))
    # A second of seventy years is far more than what a float leaves out.
    if last - first < WEEK - 1:
        assert not (early.due(scope) and late.due(scope))


def test_owners_are_spread_over_the_week() -> None:
    start = datetime(2025, 3, 3, tzinfo=UTC)
    nights = Counter[int]()
    for number in range(7_000):
        scope = PriceScope.account(CustomerId(f"C{number}"))
        for each in range(7):
            since = (start + timedelta(days=each)).timestamp()
            nights[each] += Checking(WEEK, since, since + DAY).due(scope)
    assert sum(nights.values()) == 7_000
    assert all(900 < each < 1_100 for each in nights.values())
