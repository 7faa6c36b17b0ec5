"""Price lists that others changed: what no longer counts is taken away all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from sync.domain.ids import ChannelId, CustomerId, Sku
from sync.domain.pricing import DEFAULT_LIST, Audience, AudienceKind, Price, PriceKey, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import TryLater
from sync.planning.plan import plan_mirror
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from tests.unit.medusa.answers import raw
from tests.unit.medusa.memory_shop import MemoryShop

WEB = ChannelId("web")
PUBLIC = Audience(AudienceKind.PUBLIC, "RETAIL-EU", WEB)
BOLT = a.a_price("9.9900", scope=DEFAULT_LIST)
NUT = a.a_price("0.2500", scope=DEFAULT_LIST, sku=Sku("NUT-M8"))


def published(price: Price, audience: Audience = PUBLIC) -> tuple[PublishedPriceKey, PriceValue]:
    return PublishedPriceKey(audience, price.key), price.value


def withdraw_hidden(store: MedusaStore) -> None:
    """As the flow does where a login wall went up."""
    for audience, scope in list(store.shown_price_partitions()):
        keys = [PublishedPriceKey(audience, key) for key in store.shown_prices(audience, scope)]
        store.apply_prices([], keys)


def mirror(store: MedusaStore, *wanted: Price) -> int:
    """As the flow does in each run; how many changes it wrote."""
    shown = store.shown_prices(PUBLIC, DEFAULT_LIST)
    said = {price.key: price.value for price in wanted}
    changes = list(plan_mirror(said, shown, lambda key: key.order))
    store.apply_prices(
        [(PublishedPriceKey(PUBLIC, c.key), c.after) for c in changes if c.after is not None],
        [PublishedPriceKey(PUBLIC, c.key) for c in changes if c.after is None],
    )
    return len(changes)


def dearer(shop: MemoryShop) -> None:
    [rows] = shop.rows.values()
    rows[0]["raw_amount"] = raw("8.99")


def doubled(shop: MemoryShop) -> None:
    [rows] = shop.rows.values()
    rows.append({**rows[0], "id": shop.key("price"), "raw_amount": raw("0.01")})


def emptied(shop: MemoryShop) -> None:
    [rows] = shop.rows.values()
    rows.clear()


def ends_later(shop: MemoryShop) -> None:
    [held] = shop.lists.values()
    held["ends_at"] = "2099-01-01T00:00:00.000Z"


def twin(shop: MemoryShop) -> None:
    [held] = shop.lists.values()
    other = {**held, "id": shop.key("list")}
    shop.lists[other["id"]] = other
    shop.rows[other["id"]] = [{**each, "id": shop.key("price")} for each in shop.rows[held["id"]]]


def renamed(shop: MemoryShop) -> None:
    shop.sold["BOLT-M8"] = "another_variant"


MEDDLING = pytest.mark.parametrize("meddle", [dearer, doubled, emptied, ends_later, twin])


@pytest.fixture
def shop() -> MemoryShop:
    return MemoryShop()


@pytest.fixture
def store(shop: MemoryShop) -> MedusaStore:
    store = shop.store()
    store.apply_prices([published(BOLT), published(NUT)], [])
    return store


@pytest.mark.rule("VE-7")
def test_untouched_prices_are_withdrawn_behind_a_login_wall(
    shop: MemoryShop, store: MedusaStore
) -> None:
    withdraw_hidden(store)

    assert (shop.everybodys(), shop.lists, shop.recorded) == ([], {}, {})


@pytest.mark.rule("VE-7", "MI-1")
@pytest.mark.parametrize("meddle", [dearer, doubled, emptied, ends_later, twin, renamed])
def test_a_price_that_staff_touched_is_withdrawn_behind_a_login_wall(
    shop: MemoryShop, store: MedusaStore, meddle: Callable[[MemoryShop], None]
) -> None:
    meddle(shop)

    withdraw_hidden(store)

    assert (shop.everybodys(), shop.lists, shop.recorded) == ([], {}, {})


@pytest.mark.rule("MI-1", "WA-7")
@MEDDLING
def test_what_staff_touched_is_put_right_where_wanted_and_removed_where_not(
    shop: MemoryShop, store: MedusaStore, meddle: Callable[[MemoryShop], None]
) -> None:
    meddle(shop)

    assert mirror(store, NUT) > 0

    assert shop.everybodys() == ["0.25"]
    assert store.shown_prices(PUBLIC, DEFAULT_LIST) == {NUT.key: NUT.value}
    assert mirror(store, NUT) == 0


@pytest.mark.rule("MI-1")
def test_what_staff_touched_equals_nothing_and_keeps_the_price_that_moves_are_judged_by(
    shop: MemoryShop, store: MedusaStore
) -> None:
    dearer(shop)

    shown: dict[PriceKey, PriceValue] = dict(store.shown_prices(PUBLIC, DEFAULT_LIST))

    assert shown == {
        BOLT.key: PriceValue(Decimal("9.9900"), date.min),
        NUT.key: NUT.value,
    }


@pytest.mark.rule("OP-2", "MI-3")
@MEDDLING
def test_a_look_writes_nothing_whatever_it_finds(
    shop: MemoryShop, store: MedusaStore, meddle: Callable[[MemoryShop], None]
) -> None:
    meddle(shop)
    lists, before = dict(shop.lists), list(shop.writes)

    assert store.shown_prices(PUBLIC, DEFAULT_LIST) != {BOLT.key: BOLT.value, NUT.key: NUT.value}

    assert (shop.lists, shop.writes) == (lists, before)


@pytest.mark.rule("VE-7", "MI-1")
@pytest.mark.parametrize("at", ["make_price_list", "write_prices", "apply_records"])
@pytest.mark.parametrize("after", [False, True])
def test_what_a_run_left_behind_when_it_broke_off_is_withdrawn(
    shop: MemoryShop, at: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer may get lost as well as the request."""
    store, done = shop.store(), getattr(shop, at)

    def away(*given: object) -> None:
        if after:
            done(*given)
        raise TryLater("the shop is away")

    with monkeypatch.context() as broken:
        broken.setattr(shop, at, away)
        with pytest.raises(TryLater):
            store.apply_prices([published(BOLT)], [])
        broken.undo()
    withdraw_hidden(store)

    assert (shop.everybodys(), shop.recorded) == ([], {})


@pytest.mark.rule("VE-7", "MI-1")
@pytest.mark.parametrize("at", ["drop_price_list", "apply_records"])
def test_a_withdrawal_that_broke_off_is_carried_out_by_the_next_run(
    shop: MemoryShop, store: MedusaStore, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise TryLater("the shop is away")

    with monkeypatch.context() as broken:
        broken.setattr(shop, at, away)
        with pytest.raises(TryLater):
            withdraw_hidden(store)
        broken.undo()
    withdraw_hidden(store)

    assert (shop.everybodys(), shop.lists, shop.recorded) == ([], {}, {})


@pytest.mark.rule("VE-7")
@pytest.mark.parametrize("wanted", [True, False])
def test_what_was_everybodys_is_so_no_longer_when_another_channel_is_the_public_one(
    shop: MemoryShop, store: MedusaStore, wanted: bool
) -> None:
    assert shop.everybodys() == ["9.99", "0.25"]
    store = shop.store(public_channel=ChannelId("other"))

    assert mirror(store, *([BOLT, NUT] if wanted else [])) == 2

    assert (shop.everybodys(), shop.lists) == ([], {})
    said = {BOLT.key: BOLT.value, NUT.key: NUT.value} if wanted else {}
    assert dict(store.shown_prices(PUBLIC, DEFAULT_LIST)) == said


@pytest.mark.rule("WA-8", "MI-1")
def test_a_withdrawn_account_leaves_no_list_not_even_a_twin(shop: MemoryShop) -> None:
    store, price = shop.store(), a.a_price("3.1000")
    store.apply_prices([published(price, a.account_audience())], [])
    twin(shop)

    store.withdraw_account(CustomerId(a.ACCOUNT.value))

    assert (shop.lists, shop.recorded) == ({}, {})
