"""Who is shown how much is there (MI-4, VE-7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from sync.domain.availability import Availability
from sync.domain.channel import Channel, CommerceMode, LoginWall, RetailGroup
from sync.domain.codec import dumps, loads
from sync.domain.ids import ChannelId, CustomerId, Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind
from sync.planning.availability import stock_audiences, wanted_availability
from sync.testing import builders as a

GROUP, OTHER = a.RETAIL_ACCOUNT, CustomerId("C-2002")
OPEN, WALLED, TRADE = ChannelId("open"), ChannelId("walled"), ChannelId("trade")
EVERYBODY = Audience(AudienceKind.ACCOUNTS)
FUSE = Sku("FUSE-9")


def a_mapping(
    wall: LoginWall = LoginWall.LOGIN_TO_PRICE, warehouse: str | None = None
) -> SyncMapping:
    groups = (RetailGroup(GROUP, ("EUR",)),)
    first = Channel(OPEN, CommerceMode.B2C, retail_groups=groups, warehouse=warehouse)
    second = Channel(WALLED, CommerceMode.HYBRID, login_wall=wall, retail_groups=groups)
    channels = {OPEN: first, WALLED: second, TRADE: Channel(TRADE, CommerceMode.B2B)}
    return SyncMapping(version="v1", channels=channels)


@pytest.mark.rule("MI-4", "VE-7")
@pytest.mark.parametrize("wall", [LoginWall.LOGIN_REQUIRED, LoginWall.LOGIN_TO_PRICE])
def test_only_an_open_channel_publishes_to_everybody(wall: LoginWall) -> None:
    found = stock_audiences(a_mapping(wall), [a.ACCOUNT], [GROUP])
    assert set(found) == {
        Audience(AudienceKind.PUBLIC, GROUP.value, OPEN),
        Audience(AudienceKind.RETAIL, GROUP.value, WALLED),
        EVERYBODY,
        a.account_audience(),
    }


@pytest.mark.rule("MI-4")
def test_without_accounts_or_without_the_retail_group_nobody_is_entitled() -> None:
    assert stock_audiences(a_mapping(), [], []) == ()
    assert EVERYBODY not in stock_audiences(a_mapping(), [], [GROUP])
    assert set(stock_audiences(a_mapping(), [a.ACCOUNT], [])) == {EVERYBODY, a.account_audience()}


@pytest.mark.rule("MI-4", "VE-7")
def test_item_that_some_alone_may_buy_is_shown_to_them_alone() -> None:
    told = [a.an_availability(), a.an_availability(sku=FUSE)]
    items = {a.SKU: a.an_item(), FUSE: a.an_item(sku=FUSE, allowed_to=frozenset({a.ACCOUNT}))}
    mapping = a_mapping()

    def seen(audience: Audience) -> set[Sku]:
        return {sku for sku, _ in wanted_availability(told, items, audience, mapping)}

    public = Audience(AudienceKind.PUBLIC, GROUP.value, OPEN)
    assert seen(EVERYBODY) == seen(public) == {a.SKU}
    assert seen(a.account_audience()) == {FUSE}
    assert seen(a.account_audience(OTHER)) == set()
    items[FUSE] = replace(items[FUSE], allowed_to=frozenset({GROUP}))
    assert seen(public) == {a.SKU, FUSE}
    assert seen(EVERYBODY) == {a.SKU}
    items[FUSE] = replace(items[FUSE], allowed_to=frozenset())
    assert seen(public) == seen(EVERYBODY) == {a.SKU}
    assert seen(a.account_audience()) == set()


@pytest.mark.rule("MI-4")
def test_item_that_is_not_for_sale_or_unknown_is_shown_to_nobody() -> None:
    told = [a.an_availability(), a.an_availability(sku=FUSE)]
    items = {a.SKU: a.an_item(active=False)}
    for audience in (EVERYBODY, Audience(AudienceKind.PUBLIC, GROUP.value, OPEN)):
        assert wanted_availability(told, items, audience, a_mapping()) == {}


@pytest.mark.rule("MI-4")
def test_discontinued_is_what_either_record_says_and_figures_stay_as_they_are() -> None:
    told = [a.an_availability("-2.50", next_due=date(2025, 4, 1))]
    items = {a.SKU: a.an_item(discontinued=True)}
    [figure] = wanted_availability(told, items, EVERYBODY, a_mapping()).values()
    assert figure == replace(told[0], discontinued=True)
    assert str(figure.available) == "-2.50"
    gone = [replace(told[0], discontinued=True)]
    [figure] = wanted_availability(gone, {a.SKU: a.an_item()}, EVERYBODY, a_mapping()).values()
    assert figure.discontinued


@pytest.mark.rule("MI-4")
def test_missing_item_is_no_zero() -> None:
    items = {a.SKU: a.an_item(), FUSE: a.an_item(sku=FUSE)}
    found = wanted_availability([a.an_availability("0")], items, EVERYBODY, a_mapping())
    assert {sku: each.available for (sku, _), each in found.items()} == {a.SKU: Decimal(0)}


@pytest.mark.rule("MI-4", "VE-7")
def test_shoppers_of_a_channel_with_a_warehouse_see_that_one() -> None:
    told = [a.an_availability(), a.an_availability(warehouse="W2")]
    mapping = a_mapping(warehouse="W2")
    items = {a.SKU: a.an_item()}
    public = Audience(AudienceKind.PUBLIC, GROUP.value, OPEN)
    assert list(wanted_availability(told, items, public, mapping)) == [(a.SKU, "W2")]
    assert len(wanted_availability(told, items, EVERYBODY, mapping)) == 2


def test_figure_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not a warehouse"):
        a.an_availability(warehouse=" ")
    with pytest.raises(ValueError, match="not an exact amount"):
        a.an_availability("NaN")


def test_figure_is_spooled_without_loss() -> None:
    figure = a.an_availability("0.0010", next_due=date(2025, 4, 1), discontinued=True)
    assert loads(Availability, dumps(figure)) == figure
