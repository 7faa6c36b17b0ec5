"""Who is shown how much is there (MI-4, VE-7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from sync.domain.account import Account, Item
from sync.domain.availability import Availability
from sync.domain.channel import Channel, CommerceMode, LoginWall, RetailGroup
from sync.domain.codec import dumps, loads
from sync.domain.ids import ChannelId, CustomerId
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.views import PublishedStockKey
from sync.planning.availability import open_to, stock_audiences, wanted_stock
from sync.planning.entitlements import Buyers
from sync.testing import builders as a

GROUP, OTHER = a.RETAIL_ACCOUNT, CustomerId("C-2002")
OPEN, WALLED, TRADE = ChannelId("open"), ChannelId("walled"), ChannelId("trade")
EVERYBODY = Audience(AudienceKind.ACCOUNTS)


def a_mapping(
    wall: LoginWall = LoginWall.LOGIN_TO_PRICE, warehouse: str | None = None
) -> SyncMapping:
    groups = (RetailGroup(GROUP, ("EUR",)),)
    first = Channel(OPEN, CommerceMode.B2C, retail_groups=groups, warehouse=warehouse)
    second = Channel(WALLED, CommerceMode.HYBRID, login_wall=wall, retail_groups=groups)
    channels = {OPEN: first, WALLED: second, TRADE: Channel(TRADE, CommerceMode.B2B)}
    return SyncMapping(version="v1", channels=channels)


def the(*accounts: CustomerId, retail: Account | None = None) -> Buyers:
    groups = {GROUP: retail} if retail is not None else {}
    return Buyers(frozenset(accounts), groups)


RETAIL_ACCOUNT = a.a_retail_account()
PUBLIC = Audience(AudienceKind.PUBLIC, GROUP.value, OPEN)


def audiences(
    item: Item | None, buyers: Buyers, mapping: SyncMapping | None = None, *, listed: bool = False
) -> set[Audience]:
    mapping = mapping or a_mapping()
    everybody = open_to(buyers, mapping)
    return set(stock_audiences(item, buyers, mapping, everybody, restricted=listed))


@pytest.mark.rule("MI-4", "VE-7")
@pytest.mark.parametrize("wall", [LoginWall.LOGIN_REQUIRED, LoginWall.LOGIN_TO_PRICE])
def test_only_an_open_channel_publishes_to_everybody(wall: LoginWall) -> None:
    found = audiences(a.an_item(), the(a.ACCOUNT, retail=RETAIL_ACCOUNT), a_mapping(wall))
    assert found == {PUBLIC, Audience(AudienceKind.RETAIL, GROUP.value, WALLED), EVERYBODY}


@pytest.mark.rule("MI-4")
def test_without_accounts_or_without_the_retail_group_nobody_is_entitled() -> None:
    assert audiences(a.an_item(), the()) == set()
    assert EVERYBODY not in audiences(a.an_item(), the(retail=RETAIL_ACCOUNT))
    assert audiences(a.an_item(), the(a.ACCOUNT)) == {EVERYBODY}


@pytest.mark.rule("MI-4", "VE-5", "VE-7")
def test_item_that_some_alone_may_buy_is_shown_to_them_alone() -> None:
    buyers = the(a.ACCOUNT, retail=a.a_retail_account(tags=("SHOP",)))

    def seen(*customers: CustomerId, tags: Collection[str] = ()) -> set[Audience]:
        allowed, club = frozenset(customers), frozenset(tags)
        return audiences(a.an_item(allowed_to=allowed, allowed_tags=club), buyers)

    walled = Audience(AudienceKind.RETAIL, GROUP.value, WALLED)
    assert seen(a.ACCOUNT, OTHER) == {a.account_audience()}
    assert seen() == set()
    assert seen(GROUP) == {PUBLIC, walled}
    assert seen(tags=["OEM"]) == {Audience(AudienceKind.TAG, "OEM")}
    assert seen(tags=["SHOP"]) == {Audience(AudienceKind.TAG, "SHOP"), PUBLIC, walled}


@pytest.mark.rule("MI-4", "VE-5")
def test_item_that_is_not_for_sale_or_unknown_is_shown_to_nobody() -> None:
    buyers = the(a.ACCOUNT, retail=RETAIL_ACCOUNT)
    assert audiences(a.an_item(active=False), buyers) == set()
    assert audiences(None, buyers) == set()
    # The ERP lists it as not for everybody, and does not say whom it is for.
    assert audiences(a.an_item(), buyers, listed=True) == set()


def wanted(
    figures: Iterable[Availability], item: Item, *to: Audience, warehouse: str | None = None
) -> dict[PublishedStockKey, Availability]:
    return wanted_stock(figures, item, to, a_mapping(warehouse=warehouse))


@pytest.mark.rule("MI-4")
def test_discontinued_is_what_either_record_says_and_figures_stay_as_they_are() -> None:
    told = [a.an_availability("-2.50", next_due=date(2025, 4, 1))]
    [figure] = wanted(told, a.an_item(discontinued=True), EVERYBODY).values()
    assert figure == replace(told[0], discontinued=True)
    assert str(figure.available) == "-2.50"
    gone = [replace(told[0], discontinued=True)]
    [figure] = wanted(gone, a.an_item(), EVERYBODY).values()
    assert figure.discontinued


@pytest.mark.rule("MI-4")
def test_missing_figure_is_no_zero() -> None:
    assert wanted([], a.an_item(), EVERYBODY) == {}
    [figure] = wanted([a.an_availability("0")], a.an_item(), EVERYBODY).values()
    assert figure.available == Decimal(0)


@pytest.mark.rule("MI-4", "VE-7")
def test_shoppers_of_a_channel_with_a_warehouse_see_that_one() -> None:
    told = [a.an_availability(), a.an_availability(warehouse="W2")]
    found = wanted(told, a.an_item(), PUBLIC, EVERYBODY, warehouse="W2")
    assert {(key.audience, key.warehouse) for key in found} == {
        (PUBLIC, "W2"),
        (EVERYBODY, "W1"),
        (EVERYBODY, "W2"),
    }


def test_figure_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not a warehouse"):
        a.an_availability(warehouse=" ")
    with pytest.raises(ValueError, match="not an exact amount"):
        a.an_availability("NaN")


def test_figure_is_spooled_without_loss() -> None:
    figure = a.an_availability("0.0010", next_due=date(2025, 4, 1), discontinued=True)
    assert loads(Availability, dumps(figure)) == figure
