"""What is mirrored, as the shop's buyers see it, and what happens when somebody meddles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.ids import ChannelId, CustomerId, Sku, WebUserId
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceScope,
)
from sync.domain.views import PublishedPriceKey
from sync.stores.medusa.accounts import NOBODY
from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.price_lists import NEVER
from sync.testing import builders as a
from tests.systems.medusa.shop import Person, Shop, address
from tests.systems.medusa.world import MedusaWorld

pytestmark = pytest.mark.system

OTHER = CustomerId("C-2002")
EVERYBODY = Audience(AudienceKind.ACCOUNTS)
GOLD = Audience(AudienceKind.GROUP, "GOLD")


@pytest.fixture
def store(shop: Shop, world: MedusaWorld) -> Iterator[MedusaStore]:
    store = shop.store()
    yield store
    store.close()


@pytest.fixture
def ada(shop: Shop, world: MedusaWorld) -> Person:
    return shop.register("ada", "b2b")


def account(store: MedusaStore, *people: Person, **changes: Any) -> None:
    users = tuple(sorted(WebUserId(each.id) for each in people))
    store.put_accounts([a.an_account_view(users=users, **changes)])


def whole(store: MedusaStore) -> bool:
    """Whether the account is in Medusa as it was recorded."""
    return NOBODY not in store.shown_accounts([a.ACCOUNT])[a.ACCOUNT].users


# Who acts for an account


@pytest.mark.rule("MI-1", "WA-8")
def test_only_the_buyers_of_an_account_see_its_invoices(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    ben, mia = shop.register("ben", "b2b"), shop.register("mia", "b2b")
    rita, mallory = shop.register("rita"), shop.register("mallory")
    account(store, ada, ben)
    account(store, mia, customer_id=OTHER, name="Mill Tools")
    mine, theirs = a.an_invoice_view(), a.an_invoice_view(sold_to=OTHER)
    store.apply_invoices([mine, theirs], [])
    said = {"metadata": {"erp_customer_id": "C-1001", "tradesync_account": "C-1001"}}
    assert shop.as_shopper(mallory, "POST", "/store/customers/me", said).ok

    for buyer in (ada, ben):
        [seen] = shop.seen(buyer, "invoices")
        assert (seen["account"], seen["number"]) == ("C-1001", "INV-5001")
        assert seen["total"] == {"is": "Money", "amount": "121.00", "currency": "EUR"}
    assert [each["account"] for each in shop.seen(mia, "invoices")] == ["C-2002"]
    assert shop.seen(rita, "invoices") == shop.seen(mallory, "invoices") == []
    assert shop.as_shopper(None, "GET", "/store/tradesync/invoices").status_code == 401
    [shown] = shop.seen(ada, "accounts")
    assert shown["name"] == "Harbour Hardware"
    # Who else acts for the account is nobody's business.
    assert mia.id not in str(shown)
    assert ben.id not in str(shown)


@pytest.mark.rule("WA-2", "MI-1")
def test_who_is_no_longer_mapped_is_out_at_once(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    ben = shop.register("ben", "b2b")
    account(store, ada, ben)
    store.apply_invoices([a.an_invoice_view()], [])

    account(store, ada)

    assert len(shop.seen(ada, "invoices")) == 1
    assert shop.seen(ben, "invoices") == []
    assert list(store.shown_accounts([a.ACCOUNT])) == [a.ACCOUNT]


@pytest.mark.rule("MI-1")
def test_a_group_that_staff_changed_by_hand_is_noticed_and_put_right(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    rita = shop.register("rita")
    account(store, ada, price_groups=("GOLD",))
    groups = {
        each["name"]: each["id"]
        for each in shop.admin.get("/admin/customer-groups")["customer_groups"]
    }
    own = groups["ERP account C-1001 (tradesync)"]
    gold = groups["ERP price group GOLD (tradesync)"]
    for path, body in (
        (f"/admin/customer-groups/{own}/customers", {"add": [rita.id]}),
        (f"/admin/customer-groups/{own}/customers", {"remove": [ada.id]}),
        (f"/admin/customer-groups/{gold}/customers", {"remove": [ada.id]}),
        (f"/admin/customer-groups/{own}", {"metadata": {"tradesync_account": "C-9"}}),
    ):
        shop.admin.post(path, body)
        assert not whole(store), path
        account(store, ada, price_groups=("GOLD",))
        assert whole(store), path
    store.apply_invoices([a.an_invoice_view()], [])
    assert shop.seen(rita, "invoices") == []


@pytest.mark.rule("WA-8")
def test_nothing_is_left_of_a_withdrawn_account(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    account(store, ada, price_groups=("GOLD",))
    store.apply_ship_tos([a.a_ship_to_view()], [])
    store.apply_invoices([a.an_invoice_view()], [])
    publish(store, entry(shop, "3.1000", PriceScope.account(a.ACCOUNT)), a.account_audience())

    store.withdraw_account(a.ACCOUNT)

    assert shop.seen(ada, "invoices") == shop.seen(ada, "accounts") == []
    book = shop.as_shopper(ada, "GET", "/store/customers/me/addresses").json()["addresses"]
    assert book == []
    found = shop.admin.get(f"/admin/customers/{ada.id}", fields="id,groups.name")["customer"]
    assert found["groups"] == []
    assert shop.admin.get("/admin/price-lists")["count"] == 0


# Address books


@pytest.mark.rule("MI-1")
def test_addresses_of_the_account_are_kept_and_those_of_shoppers_untouched(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    own = address(address_1="My own street 1", is_default_shipping=True)
    assert shop.as_shopper(ada, "POST", "/store/customers/me/addresses", own).ok
    ben = shop.register("ben", "b2b")
    account(store, ada, ben)
    dock = a.a_ship_to_view(
        address=a.an_address(lines=("Pier 3", "Gate B", "Hall 7"), country="US")
    )
    store.apply_ship_tos([dock], [])

    shown = {(a.ACCOUNT, a.SHIP_TO): dock.ship_to}
    assert dict(store.shown_ship_tos([a.ACCOUNT])) == shown
    assert [each["address_2"] for each in book(shop, ben)] == ["Gate B, Hall 7"]

    def edited() -> None:
        key = next(each["id"] for each in book(shop, ada) if each["address_1"] == "Pier 3")
        path = f"/store/customers/me/addresses/{key}"
        assert shop.as_shopper(ada, "POST", path, {"city": "Elsewhere"}).ok

    def deleted() -> None:
        key = next(each["id"] for each in book(shop, ada) if each["address_1"] == "Pier 3")
        assert shop.as_shopper(ada, "DELETE", f"/store/customers/me/addresses/{key}").ok

    def doubled() -> None:
        [there] = [each for each in book(shop, ben) if each["address_1"] == "Pier 3"]
        twin = {name: there[name] for name in (*address(), "metadata")}
        shop.admin.post(f"/admin/customers/{ben.id}/addresses", twin)

    for meddle in (edited, deleted, doubled):
        before = shop.admin.get(f"/admin/customers/{ada.id}")["customer"]["updated_at"]
        meddle()
        # No time of change tells it; only to look at the addresses does.
        assert shop.admin.get(f"/admin/customers/{ada.id}")["customer"]["updated_at"] == before
        assert dict(store.shown_ship_tos([a.ACCOUNT])) != shown, meddle.__name__
        store.apply_ship_tos([dock], [])
        assert dict(store.shown_ship_tos([a.ACCOUNT])) == shown, meddle.__name__

    edited()
    store.apply_ship_tos([], list(store.shown_ship_tos([a.ACCOUNT])))
    [left] = book(shop, ada)
    assert (left["address_1"], left["is_default_shipping"]) == ("My own street 1", True)
    assert book(shop, ben) == []


@pytest.mark.rule("MI-1")
def test_a_new_colleague_gets_the_addresses_of_the_account(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    account(store, ada)
    dock = a.a_ship_to_view(address=a.an_address(country="US"))
    store.apply_ship_tos([dock], [])
    ben = shop.register("ben", "b2b")

    account(store, ada, ben)

    assert dict(store.shown_ship_tos([a.ACCOUNT])) != {(a.ACCOUNT, a.SHIP_TO): dock.ship_to}
    store.apply_ship_tos([dock], [])
    assert len(book(shop, ben)) == len(book(shop, ada)) == 1


@pytest.mark.rule("MI-1")
def test_who_leaves_an_account_takes_none_of_its_addresses_along(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    ben, mia = shop.register("ben", "b2b"), shop.register("mia", "b2b")
    own = address(address_1="My own street 1")
    assert shop.as_shopper(ben, "POST", "/store/customers/me/addresses", own).ok
    account(store, ada, ben, mia)
    dock = a.a_ship_to_view(address=a.an_address(country="US"))
    store.apply_ship_tos([dock], [])
    assert len(book(shop, mia)) == 1

    account(store, ada)
    account(store, mia, customer_id=OTHER, name="Mill Tools")

    assert [each["address_1"] for each in book(shop, ben)] == ["My own street 1"]
    assert book(shop, mia) == []
    assert len(book(shop, ada)) == 1
    assert whole(store)


# Prices


def entry(shop: Shop, amount: str | None, scope: PriceScope, place: int = 0, **key: Any) -> Price:
    valid_until = key.pop("valid_until", None)
    base = {"currency": "USD", "sku": Sku(shop.sku(place)), "scope": scope, **key}
    return a.a_price(amount, valid_until=valid_until, **base)


def publish(store: MedusaStore, price: Price, audience: Audience) -> None:
    store.apply_prices([(PublishedPriceKey(audience, price.key), price.value)], [])


def right(store: MedusaStore, scope: PriceScope) -> list[PriceKey]:
    """The prices of the account whose rows in Medusa are as recorded."""
    shown = store.shown_prices(a.account_audience(), scope)
    return [key for key, value in shown.items() if value.valid_until != NEVER]


def rows(shop: Shop) -> int:
    lists = shop.admin.get("/admin/price-lists")["price_lists"]
    return sum(shop.admin.get(f"/admin/price-lists/{each['id']}/prices")["count"] for each in lists)


@pytest.mark.rule("WA-6", "VE-12")
def test_a_buyer_pays_the_price_of_the_account_by_quantity(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    rita = shop.register("rita")
    account(store, ada)
    listed = shop.price_for(None, shop.sku(0), 1)
    scope = PriceScope.account(a.ACCOUNT)
    for amount, quantity in (("3.1000", "1"), ("2.5050", "10")):
        price = entry(shop, amount, scope, min_quantity=Decimal(quantity))
        publish(store, price, a.account_audience())

    assert [shop.price_for(ada, shop.sku(0), n) for n in (1, 9, 10, 500)] == [
        3.1,
        3.1,
        2.505,
        2.505,
    ]
    assert shop.price_for(rita, shop.sku(0), 10) == listed


@pytest.mark.rule("WA-7")
def test_a_price_that_rises_is_changed_in_its_own_row(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    """A second row for the same quantity would do nothing: the cheaper one counts."""
    account(store, ada)
    scope = PriceScope.account(a.ACCOUNT)
    publish(store, entry(shop, "3.1000", scope), a.account_audience())
    before = rows(shop)

    publish(store, entry(shop, "3.3000", scope), a.account_audience())

    assert shop.price_for(ada, shop.sku(0), 1) == 3.3
    assert rows(shop) == before == 1


@pytest.mark.rule("VE-12", "VE-5")
def test_a_higher_level_wins_also_where_it_is_dearer(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    account(store, ada, price_groups=("GOLD",))

    def now() -> float:
        return shop.price_for(ada, shop.sku(0), 1)

    publish(store, entry(shop, "1.0000", DEFAULT_LIST, price_list="BASE"), EVERYBODY)
    assert now() == 1.0
    publish(store, entry(shop, "2.0000", PriceScope.group("GOLD")), GOLD)
    assert now() == 2.0
    publish(store, entry(shop, "3.0000", PriceScope.account(a.ACCOUNT)), a.account_audience())
    assert now() == 3.0
    item = entry(shop, "4.0000", ITEM_OVERRIDES)
    publish(store, item, EVERYBODY)
    assert now() == 4.0

    store.apply_prices([], [PublishedPriceKey(EVERYBODY, item.key)])
    assert now() == 3.0


@pytest.mark.rule("WA-6")
def test_a_price_counts_in_its_period_only(shop: Shop, store: MedusaStore, ada: Person) -> None:
    account(store, ada)
    today = datetime.now(UTC).date()
    scope = PriceScope.account(a.ACCOUNT)
    day = timedelta(days=1)
    for amount, since, until in (
        ("5.0000", None, None),
        ("6.0000", today - 3 * day, today + 3 * day),
        ("7.0000", today + day, None),
    ):
        price = entry(shop, amount, scope, valid_from=since, valid_until=until)
        publish(store, price, a.account_audience())

    assert shop.price_for(ada, shop.sku(0), 1) == 6.0
    lists = shop.admin.get("/admin/price-lists", fields="id,starts_at,ends_at")["price_lists"]
    begins = {each["starts_at"] and date.fromisoformat(each["starts_at"][:10]) for each in lists}
    assert begins == {None, today - 3 * day, today + day}


@pytest.mark.rule("VE-7", "WA-6")
def test_the_retail_price_is_everybodys_and_below_every_accounts(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    account(store, ada)
    public = Audience(AudienceKind.PUBLIC, "RETAIL-US", ChannelId("web"))
    walled = Audience(AudienceKind.RETAIL, "RETAIL-US", ChannelId("web"))
    publish(store, entry(shop, "8.0000", PriceScope.account(CustomerId("RETAIL-US"))), public)
    publish(store, entry(shop, "9.0000", PriceScope.account(a.ACCOUNT)), a.account_audience())
    hidden = entry(shop, "0.5000", PriceScope.account(CustomerId("RETAIL-US")), place=1)
    before = shop.price_for(None, shop.sku(1), 1)
    publish(store, hidden, walled)

    assert shop.price_for(None, shop.sku(0), 1) == 8.0
    assert shop.price_for(ada, shop.sku(0), 1) == 9.0
    # Medusa shows a price to everybody or to a group: behind a login wall it shows none.
    assert shop.price_for(None, shop.sku(1), 1) == before


@pytest.mark.rule("MI-2", "OP-5")
def test_a_price_that_staff_changed_by_hand_is_noticed_and_put_right(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    account(store, ada)
    scope = PriceScope.account(a.ACCOUNT)
    first, second = entry(shop, "3.1000", scope), entry(shop, "3.2000", scope, place=1)
    for each in (first, second):
        publish(store, each, a.account_audience())
    assert len(store.shown_prices(a.account_audience(), scope)) == 2
    [made] = shop.admin.get("/admin/price-lists")["price_lists"]
    path = f"/admin/price-lists/{made['id']}"
    variant = shop.variants[shop.sku(0)]

    shop.admin.post(
        f"{path}/prices/batch",
        {"create": [{"variant_id": variant, "currency_code": "usd", "amount": 0.01}]},
    )
    assert right(store, scope) == [second.key]
    publish(store, first, a.account_audience())
    assert shop.price_for(ada, shop.sku(0), 1) == 3.1
    assert rows(shop) == 2

    shop.admin.post(path, {"status": "draft"})
    assert right(store, scope) == []
    publish(store, first, a.account_audience())
    assert shop.price_for(ada, shop.sku(0), 1) == 3.1
    assert len(right(store, scope)) == 2

    shop.admin.post(path, {"status": "draft"})
    gone = store.shown_prices(a.account_audience(), scope)
    store.apply_prices([], [PublishedPriceKey(a.account_audience(), key) for key in gone])
    assert shop.admin.get("/admin/price-lists")["count"] == 0
    assert list(store.shown_price_partitions()) == []


@pytest.mark.rule("WA-10")
def test_an_item_to_call_for_loses_its_row_and_medusa_cannot_hide_the_others(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    """No price list can say that there is no price: the flow names such items instead."""
    account(store, ada)
    publish(store, entry(shop, "1.0000", DEFAULT_LIST, price_list="BASE"), EVERYBODY)
    scope = PriceScope.account(a.ACCOUNT)
    publish(store, entry(shop, "3.0000", scope), a.account_audience())
    assert shop.price_for(ada, shop.sku(0), 1) == 3.0

    call = entry(shop, None, scope)
    publish(store, call, a.account_audience())

    assert store.shown_prices(a.account_audience(), scope) == {call.key: call.value}
    assert rows(shop) == 1
    assert shop.price_for(ada, shop.sku(0), 1) == 1.0
    assert not store.capabilities.call_for_pricing


@pytest.mark.rule("WA-6")
def test_an_item_that_the_shop_does_not_sell_yet_waits_for_it(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    account(store, ada)
    scope = PriceScope.account(a.ACCOUNT)
    later = a.a_price("3.1000", scope=scope, currency="USD", sku=Sku("SKU-LATER"))

    publish(store, later, a.account_audience())

    assert list(store.shown_prices(a.account_audience(), scope)) == [later.key]
    assert rows(shop) == 0


def book(shop: Shop, person: Person) -> list[dict[str, Any]]:
    """The address book as Medusa has it, in full."""
    found: list[dict[str, Any]] = shop.admin.get(
        f"/admin/customers/{person.id}", fields="id,*addresses"
    )["customer"]["addresses"]
    return sorted(found, key=lambda each: str(each["id"]))
