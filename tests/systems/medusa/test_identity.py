"""Who ordered is what the shop authenticated: every way to claim more is tried (WA-2e)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.domain.address import TypedAddress
from sync.domain.ids import WebOrderId, WebUserId
from sync.domain.order import SelectedBillTo, SelectedShipTo, WebOrder
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from tests.systems.medusa.shop import ON_ACCOUNT, Person, Shop, address
from tests.systems.medusa.world import MedusaWorld

pytestmark = pytest.mark.system


@pytest.fixture
def store(shop: Shop, world: MedusaWorld) -> Iterator[MedusaStore]:
    store = shop.store()
    yield store
    store.close()


@pytest.fixture
def ada(shop: Shop, world: MedusaWorld) -> Person:
    """A wholesale buyer: staff put her into the group of C-1001."""
    ada = shop.register("ada", "b2b", company_name="Harbour Hardware")
    shop.group("Harbour", {"erp_customer_id": "C-1001"}, [ada])
    return ada


def told(store: MedusaStore, order_id: str) -> WebOrder:
    order = store.order(WebOrderId(order_id))
    assert isinstance(order, WebOrder), order
    return order


@pytest.mark.rule("WA-2e")
def test_somebody_signed_in_is_proven_and_a_guest_with_their_address_is_not(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    own = told(store, shop.placed(ada, provider=ON_ACCOUNT))
    claimed = told(store, shop.placed(email=ada.email, provider=ON_ACCOUNT))

    assert (own.buyer.web_user, own.buyer.signed_in) == (WebUserId(ada.id), True)
    # Medusa itself gives the guest her ID: this is why the module is needed.
    assert (claimed.buyer.web_user, claimed.buyer.signed_in) == (WebUserId(ada.id), False)


@pytest.mark.rule("WA-2e")
def test_an_address_typed_by_somebody_signed_in_changes_nothing(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    rita = shop.register("rita")

    order = told(store, shop.placed(rita, email=ada.email))

    assert order.buyer.web_user == WebUserId(rita.id)
    assert order.buyer.signed_in
    assert order.buyer.email == ada.email


@pytest.mark.rule("WA-2e")
def test_completing_an_order_once_more_neither_proves_nor_unproves_it(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    answers = [
        shop.checkout(ada, provider=ON_ACCOUNT),
        shop.checkout(email=ada.email, provider=ON_ACCOUNT),
    ]
    ids = [str(each["order"]["id"]) for each in answers]
    with shop.server.sql() as on:
        rows = on.execute(
            "SELECT order_id, cart_id FROM order_cart WHERE order_id = ANY(%s)", [ids]
        ).fetchall()
    carts = dict(rows)
    own, claimed = (str(carts[each]) for each in ids)

    assert shop.as_shopper(None, "POST", f"/store/carts/{own}/complete").ok
    assert shop.as_shopper(ada, "POST", f"/store/carts/{claimed}/complete").ok

    assert told(store, ids[0]).buyer.signed_in
    assert not told(store, ids[1]).buyer.signed_in


@pytest.mark.rule("WA-2e", "WA-2")
def test_what_shoppers_write_about_themselves_maps_nobody(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    mallory = shop.register("mallory", company_name="Harbour Hardware")
    said = {"erp_customer_id": "C-1001", "tradesync_account": "C-1001"}
    assert shop.as_shopper(mallory, "POST", "/store/customers/me", {"metadata": said}).ok

    found = store.buyer(WebUserId(mallory.id), None).user
    holders = {
        each.web_user.value for each in store.with_staff_attribute() if hasattr(each, "web_user")
    }

    assert found is not None
    assert found.staff_customer_id is None
    assert holders == {ada.id}
    assert shop.seen(mallory, "invoices") == []


@pytest.mark.rule("WA-2", "WA-2c")
def test_two_groups_that_name_different_accounts_are_no_customer_id(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    shop.group("Mill", {"erp_customer_id": "C-2002"}, [ada])

    found = store.buyer(WebUserId(ada.id), None).user

    assert found is not None
    # Not well formed on purpose: routing refuses it, and never takes her for retail.
    assert found.staff_customer_id == "C-1001\nC-2002"


def test_a_group_changed_moves_no_time_and_is_seen_all_the_same(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    before = shop.admin.get(f"/admin/customers/{ada.id}")["customer"]["updated_at"]
    rita = shop.register("rita")
    group = shop.group("Quay", {"erp_customer_id": "C-3003"}, [rita])

    shop.admin.post(f"/admin/customer-groups/{group}/customers", {"remove": [rita.id]})

    assert shop.admin.get(f"/admin/customers/{ada.id}")["customer"]["updated_at"] == before
    found = store.buyer(WebUserId(rita.id), None).user
    assert found is not None
    assert found.staff_customer_id is None


@pytest.mark.rule("OI-3", "WA-2e")
def test_an_erp_number_that_a_shopper_put_into_the_cart_is_not_kept(
    shop: Shop, store: MedusaStore, world: MedusaWorld
) -> None:
    said = {"tradesync_state": "processed", "tradesync_erp_order": "SO-FAKE", "po_number": "77"}

    order_id = shop.placed(metadata={**said, "erp_order_no": "SO-FAKE"})

    assert world.notice(WebOrderId(order_id)) is None
    order = told(store, order_id)
    assert order.po_number == "77"
    assert "SO-FAKE" not in repr(order)


@pytest.mark.rule("WA-4")
def test_an_address_on_file_is_selected_only_by_buyers_of_its_account(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    rita = shop.register("rita")
    store.put_accounts([a.an_account_view(users=(WebUserId(ada.id),))])
    dock = a.a_ship_to_view(address=a.an_address(name="Harbour Hardware", country="US"))
    bill = a.a_bill_to_view(address=a.an_address(name="Harbour Office", country="US"))
    store.apply_ship_tos([dock], [])
    store.apply_bill_tos([bill], [])
    [in_book] = _book(shop, ada, "ship_to")
    [in_books] = _book(shop, ada, "bill_to")

    chosen = told(store, shop.placed(ada, ship_to=in_book, bill_to=in_books, provider=ON_ACCOUNT))
    changed = told(store, shop.placed(ada, ship_to={**in_book, "address_2": "Rear gate"}))
    copied = told(store, shop.placed(rita, ship_to=in_book))
    claimed = told(store, shop.placed(email=ada.email, ship_to=in_book))

    assert chosen.ship_to == SelectedShipTo(dock.ship_to.ship_to_id)
    assert chosen.bill_to == SelectedBillTo(bill.bill_to.bill_to_id)
    assert isinstance(changed.ship_to, TypedAddress)
    assert isinstance(copied.ship_to, TypedAddress)
    assert isinstance(claimed.ship_to, TypedAddress)


@pytest.mark.rule("WA-4", "OI-4")
def test_an_address_that_staff_change_afterwards_is_no_longer_the_one_on_file(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    store.put_accounts([a.an_account_view(users=(WebUserId(ada.id),))])
    dock = a.a_ship_to_view(address=a.an_address(name="Harbour Hardware", country="US"))
    store.apply_ship_tos([dock], [])
    order_id = shop.placed(ada, ship_to=_book(shop, ada, "ship_to")[0])
    assert told(store, order_id).ship_to == SelectedShipTo(dock.ship_to.ship_to_id)

    elsewhere = address(address_1="Another Street 1")
    shop.admin.post(f"/admin/orders/{order_id}", {"shipping_address": elsewhere})

    moved = told(store, order_id).ship_to
    assert isinstance(moved, TypedAddress)
    assert moved.lines == ("Another Street 1",)


@pytest.mark.rule("MI-1", "WA-2e")
def test_no_shopper_can_tag_an_address_as_one_of_the_accounts(
    shop: Shop, store: MedusaStore, ada: Person
) -> None:
    store.put_accounts([a.an_account_view(users=(WebUserId(ada.id),))])
    tag = {"tradesync": {"kind": "ship_to", "account": a.ACCOUNT.value, "key": "FORGED"}}

    made = shop.as_shopper(
        ada, "POST", "/store/customers/me/addresses", address(metadata={**tag, "mine": "yes"})
    )

    assert made.ok, made.text
    [own] = shop.as_shopper(ada, "GET", "/store/customers/me/addresses").json()["addresses"]
    assert own["metadata"] == {"mine": "yes"}
    assert dict(store.shown_ship_tos([a.ACCOUNT])) == {}


def _book(shop: Shop, person: Person, kind: str) -> list[dict[str, str]]:
    """The mirrored addresses in somebody's book, as a storefront would copy them into a cart."""
    found = shop.as_shopper(person, "GET", "/store/customers/me/addresses").json()["addresses"]
    names = address().keys()
    return [
        {name: each[name] for name in names}
        for each in found
        if ((each.get("metadata") or {}).get("tradesync") or {}).get("kind") == kind
    ]
