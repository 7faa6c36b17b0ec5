"""Whatever happens night after night, lists that accounts share show each its own prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.domain.ids import CustomerId
from sync.domain.pricing import PriceLevel, PriceScope
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from tests.scenarios.test_price_batches import DAY
from tests.scenarios.test_price_lists import ACCOUNTS, ITEMS, ListSite, assigned, listing
from tests.scenarios.world import ASSIGNMENTS

Event = Callable[[ListSite], object]

accounts = st.sampled_from(ACCOUNTS)
some_accounts = st.lists(accounts, min_size=1, max_size=8, unique=True)
items = st.integers(0, len(ITEMS) - 1)
amounts = st.sampled_from(["5", "6", "7", "0"])


def _for_each(
    who: Sequence[CustomerId], item: int, amount: str | None, days: int | None = None
) -> Event:
    def happen(site: ListSite) -> None:
        for account in who:
            if amount is None:
                site.no_price(account, item)
            else:
                site.price(account, item, amount, days)

    return happen


def _each_its_own(item: int, amounts: Sequence[str | None]) -> Event:
    """Some get the price that others lose in the same night."""

    def happen(site: ListSite) -> None:
        for account, amount in zip(ACCOUNTS, amounts, strict=True):
            _for_each([account], item, amount)(site)

    return happen


def _one_against_all(item: int, one: CustomerId, has: bool) -> Event:
    """Nobody else has the price that this account has, or everybody else."""
    return _each_its_own(item, ["6" if (each == one) == has else None for each in ACCOUNTS])


def _all_prices(who: Sequence[CustomerId], amount: str) -> Event:
    return lambda site: site.price_all(amount, who)


def _for_one(item: int, only: CustomerId | None) -> Event:
    allowed = frozenset({only}) if only is not None else None
    return lambda site: site.erp.add_item(a.an_item(sku=ITEMS[item], allowed_to=allowed))


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(_for_each, some_accounts, items, amounts, st.sampled_from([None, None, 0, 2])),
    st.builds(_for_each, st.just(ACCOUNTS), items, amounts),
    st.builds(_for_each, some_accounts, items, st.none()),
    st.builds(_for_each, st.just(ACCOUNTS), items, st.none()),
    st.builds(_all_prices, some_accounts, amounts),
    st.builds(
        _each_its_own,
        items,
        st.lists(st.sampled_from(["5", "5", "6", None]), min_size=8, max_size=8),
    ),
    st.builds(_one_against_all, st.integers(0, 1), st.sampled_from(ACCOUNTS[:2]), st.booleans()),
    st.builds(
        lambda who: (
            lambda site: site.remap(assignments=(*ASSIGNMENTS, *map(assigned, sorted(who))))
        ),
        some_accounts,
    ),
    st.builds(lambda days: lambda site: site.clock.advance(days * DAY), st.sampled_from([1, 3])),
    st.builds(_for_one, items, st.sampled_from([None, *ACCOUNTS[:2]])),
    st.builds(
        lambda name, levels: lambda site: setattr(site.erp, name, levels),
        st.sampled_from(["feeds", "states"]),
        st.sampled_from([tuple(PriceLevel), (PriceLevel.ACCOUNT,), ()]),
    ),
    st.builds(lambda zero: lambda site: site.remap(zero_price_means_call=zero), st.booleans()),
    st.builds(
        lambda on: lambda site: setattr(site, "limits", replace(site.limits, share_price_lists=on)),
        st.sampled_from([True, True, False]),
    ),
)
nights = st.lists(st.lists(events, min_size=1, max_size=3), min_size=1, max_size=5)
limits = st.builds(
    listing,
    st.sampled_from([3, 7, 20, 1000]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 2, 5]),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.rule("WA-6", "WA-7", "WA-10", "VE-7", "VE-8", "MI-2")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(st.lists(events, max_size=4), nights, limits)
def test_everybody_sees_at_every_moment_what_without_lists_would_be_seen(
    first: list[Event], runs: list[list[Event]], capabilities: StoreCapabilities
) -> None:
    assert capabilities.price_lists is not None
    site = ListSite(store_capabilities=capabilities)
    twin = ListSite(store_capabilities=replace(capabilities, price_lists=None))
    for each in (site, twin):
        each.price_all()
    for happened in ([], first, *runs):
        for event in happened:
            event(site)
            event(twin)
        spent = []
        for each in (site, twin):
            calls = each.lists.calls
            each.night()
            spent.append(each.lists.calls - calls)
            again = each.lists.calls
            assert each.night().writes == 0
            assert each.lists.calls == again
        assert site.lists.prices == twin.lists.prices
        with_lists, without = spent
        # Where whoever leaves is written anew by the store, that counts beside the calls.
        if capabilities.price_lists.overrides:
            assert with_lists <= without


@pytest.mark.rule("WA-6", "WA-7", "WA-8", "WA-10", "VE-7", "OP-1")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(nights, limits, st.integers(1, 6), st.booleans())
def test_run_that_dies_at_any_call_leaves_nothing_wrong_and_the_next_repairs_it(
    runs: list[list[Event]], capabilities: StoreCapabilities, at: int, arrives: bool
) -> None:
    site = ListSite(store_capabilities=capabilities)
    site.price_all()
    site.night()
    for happened in runs:
        for event in happened:
            event(site)
        site.dies(at, arrives=arrives)
        site.night()


# Few items that come and go with some members while others get or lose them.

maybe = st.sampled_from(["5", "6", None])
turned = st.none()
"""Whoever had a price has none, and all others have."""
rows = st.one_of(
    turned,
    turned,
    st.builds(lambda amount: [amount] * len(ACCOUNTS), maybe),
    st.builds(
        lambda one, its: [its if each == one else None for each in range(len(ACCOUNTS))],
        st.integers(0, 1),
        st.sampled_from(["5", "6"]),
    ),
    st.builds(
        lambda one, its, theirs: [its if each == one else theirs for each in range(len(ACCOUNTS))],
        st.integers(0, 1),
        maybe,
        maybe,
    ),
    st.lists(maybe, min_size=len(ACCOUNTS), max_size=len(ACCOUNTS)),
)
mapped = st.one_of(
    st.just(ACCOUNTS),
    st.just(ACCOUNTS),
    st.lists(accounts, min_size=4, max_size=8, unique=True).map(sorted),
)


@dataclass(frozen=True)
class Swing:
    """One night: what of two items each account has by now, and which accounts there are.

    The process dies at the ``dies_at``-th call, before it or after it ``arrives``.
    """

    rows: tuple[list[str | None] | None, list[str | None] | None]
    mapped: Sequence[CustomerId]
    dies_at: int | None
    arrives: bool
    everything: bool

    def befalls(self, site: ListSite) -> None:
        for item, amounts in enumerate(self.rows):
            _each_its_own(item, amounts or _turned(site, item))(site)
        site.remap(assignments=(*ASSIGNMENTS, *map(assigned, self.mapped)))


def _turned(site: ListSite, item: int) -> list[str | None]:
    scopes = [PriceScope.account(each) for each in ACCOUNTS]
    having = {each.key.scope for each in site.erp.prices(scopes, [ITEMS[item]])}
    return [None if scope in having else "6" for scope in scopes]


swings = st.builds(
    Swing,
    st.tuples(rows, rows),
    mapped,
    st.sampled_from([None, None, None, 1, 2, 4]),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
)


@pytest.mark.rule("WA-6", "WA-7", "WA-8", "VE-7", "OP-1")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(
    st.lists(swings, min_size=3, max_size=6),
    st.one_of(st.just(listing(20)), st.just(listing(20, gaps=True)), limits),
)
def test_member_that_has_what_others_lack_is_shown_its_own_prices_alone(
    nights: list[Swing], capabilities: StoreCapabilities
) -> None:
    site = ListSite(store_capabilities=capabilities)
    site.price_all()
    site.night()
    for swing in nights:
        swing.befalls(site)
        if swing.dies_at is not None:
            site.dies(swing.dies_at, arrives=swing.arrives)
        site.night(everything=swing.everything)
