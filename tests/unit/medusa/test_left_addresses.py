"""Who leaves an account takes nothing of it along, whatever they did to their address book."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sync.domain.ids import CustomerId, WebUserId
from sync.domain.views import AccountView, ShipToView
from sync.errors import TryLater
from sync.stores.medusa.accounts import NOBODY
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from tests.unit.medusa.answers import a_form
from tests.unit.medusa.memory_shop import MemoryShop

OTHER = CustomerId("C-2002")
DOCK = a.a_ship_to_view()
TAG = ("ship_to", a.ACCOUNT.value, a.SHIP_TO.value)


def account(customer_id: CustomerId, *people: str) -> AccountView:
    users = tuple(WebUserId(each) for each in people)
    return a.an_account_view(customer_id=customer_id, users=users, price_groups=())


def mirror(store: MedusaStore, *wanted: ShipToView) -> int:
    """As the flow does in each run; how many changes it wrote."""
    shown = store.shown_ship_tos([a.ACCOUNT, OTHER])
    said = {(each.ship_to.sold_to, each.ship_to.ship_to_id): each for each in wanted}
    put = [each for key, each in said.items() if shown.get(key) != each.ship_to]
    gone = [key for key in shown if key not in said]
    store.apply_ship_tos(put, gone)
    return len(put) + len(gone)


@pytest.fixture
def shop() -> MemoryShop:
    shop = MemoryShop()
    shop.register("ada", "ben")
    return shop


@pytest.fixture
def store(shop: MemoryShop) -> MedusaStore:
    """Ada and Ben act for one account, whose only ship-to both have; Ben has a home, too."""
    store = shop.store()
    store.put_accounts([account(a.ACCOUNT, "ada", "ben"), account(OTHER)])
    shop.people["ben"]["addresses"].append({"id": "own", **a_form()})
    mirror(store, DOCK)
    assert (shop.book("ada"), shop.book("ben")) == ([TAG], [None, TAG])
    return store


@pytest.mark.rule("MI-1")
@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("turned", [False, True])
def test_who_moves_to_another_account_keeps_no_address_of_the_first(
    shop: MemoryShop, store: MedusaStore, batches: int, turned: bool
) -> None:
    views = [account(a.ACCOUNT, "ada"), account(OTHER, "ben")]
    if turned:
        views.reverse()
    for some in [views] if batches == 1 else [[each] for each in views]:
        store.put_accounts(some)

    assert (shop.book("ada"), shop.book("ben")) == ([TAG], [None])
    assert mirror(store, DOCK) == 0
    assert dict(store.shown_accounts([a.ACCOUNT, OTHER])) == {
        each.profile.customer_id: each.profile for each in views
    }


@pytest.mark.rule("VE-5", "MI-1")
def test_groups_of_the_erp_are_customer_groups_of_ours_and_staffs_own_are_left_alone(
    shop: MemoryShop, store: MedusaStore
) -> None:
    vip = shop.make_group("VIP", {})
    shop.move_members(vip["id"], ("ada",), ())

    def groups_of(person: str) -> set[str]:
        there = shop.groups_there.values()
        return {each["name"] for each in there if {"id": person} in each["customers"]}

    ours = {"ERP account C-1001 (tradesync)", "All ERP accounts (tradesync)"}
    tagged = account(a.ACCOUNT, "ada", "ben").profile
    for tags in (("LICENSED", "VIP"), ("OEM",), ()):
        view = a.an_account_view(users=tagged.users, price_groups=(), tags=tags)
        store.put_accounts([view])
        names = {f"ERP group {tag} (tradesync)" for tag in tags}
        assert groups_of("ada") == {"VIP"} | ours | names
        assert groups_of("ben") == ours | names
        assert store.shown_accounts([a.ACCOUNT]) == {a.ACCOUNT: view.profile}


@pytest.mark.rule("MI-1")
def test_who_is_unmapped_keeps_no_address_of_the_account(
    shop: MemoryShop, store: MedusaStore
) -> None:
    store.put_accounts([account(a.ACCOUNT, "ada")])

    assert (shop.book("ada"), shop.book("ben")) == ([TAG], [None])
    assert mirror(store, DOCK) == 0


@pytest.mark.rule("MI-1")
def test_who_was_taken_out_of_the_group_by_hand_and_then_unmapped_keeps_no_address(
    shop: MemoryShop, store: MedusaStore
) -> None:
    [group] = [each for each in shop.groups_there.values() if a.ACCOUNT.value in each["name"]]
    shop.move_members(group["id"], (), ("ben",))

    store.put_accounts([account(a.ACCOUNT, "ada")])

    assert shop.book("ben") == [None]


@pytest.mark.rule("MI-1")
def test_an_address_of_another_account_in_a_members_book_is_taken_out(
    shop: MemoryShop, store: MedusaStore
) -> None:
    mill = account(OTHER, "mia")
    shop.register("mia")
    store.put_accounts([mill])
    [tagged] = shop.people["ada"]["addresses"]
    shop.people["mia"]["addresses"] = [{**tagged, "id": "copy"}, {"id": "own", **a_form()}]

    [told] = store.shown_accounts([OTHER]).values()
    assert told != mill.profile
    store.put_accounts([mill])

    assert shop.book("mia") == [None]
    assert store.shown_accounts([OTHER]) == {OTHER: mill.profile}


@pytest.mark.rule("MI-1", "OI-1")
@pytest.mark.parametrize("at", ["drop_address", "move_members", "apply_records"])
def test_a_run_that_breaks_off_forgets_nobody(
    shop: MemoryShop, store: MedusaStore, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise TryLater("the shop is away")

    wanted = account(a.ACCOUNT, "ada")
    with monkeypatch.context() as broken:
        broken.setattr(shop, at, away)
        with pytest.raises(TryLater):
            store.put_accounts([wanted])
    mirror(store, DOCK)
    if store.shown_accounts([a.ACCOUNT]) != {a.ACCOUNT: wanted.profile}:
        store.put_accounts([wanted])

    assert (shop.book("ada"), shop.book("ben")) == ([TAG], [None])


@pytest.mark.rule("MI-1")
@pytest.mark.parametrize("wanted", [(), (DOCK,)], ids=["vanished", "kept"])
@pytest.mark.parametrize("meddling", ["edited", "deleted", "doubled"])
def test_a_ship_to_that_a_member_touched_is_removed_or_put_right(
    shop: MemoryShop, store: MedusaStore, meddling: str, wanted: Sequence[ShipToView]
) -> None:
    book = shop.people["ben"]["addresses"]
    if meddling == "edited":
        book[1]["city"] = "Delft"
    elif meddling == "deleted":
        del book[1]
    else:
        book.append({**book[1], "id": "double"})

    assert mirror(store, *wanted) == 1
    assert mirror(store, *wanted) == 0

    tags = [TAG for _ in wanted]
    assert shop.book("ada") == tags
    assert sorted(shop.book("ben"), key=str) == [*tags, None]
    assert len([key for key in shop.recorded if key[0] == "ship_to"]) == len(wanted)
    assert list(store.shown_ship_tos([a.ACCOUNT]).values()) == [each.ship_to for each in wanted]


@pytest.mark.rule("MI-1")
def test_a_bill_to_that_a_member_touched_and_that_vanishes_is_removed(
    shop: MemoryShop, store: MedusaStore
) -> None:
    view = a.a_bill_to_view()
    store.apply_bill_tos([view], [])
    [billed] = [each for each in shop.people["ada"]["addresses"] if "bill_to" in str(each)]
    billed["city"] = "Delft"

    [(key, told)] = store.shown_bill_tos([a.ACCOUNT]).items()
    assert told != view.bill_to
    store.apply_bill_tos([], [key])

    assert (shop.book("ada"), shop.book("ben")) == ([TAG], [None, TAG])
    assert dict(store.shown_bill_tos([a.ACCOUNT])) == {}


@pytest.mark.rule("MI-1", "WA-8")
def test_an_account_whose_group_staff_touched_is_seen_and_withdrawn(
    shop: MemoryShop, store: MedusaStore
) -> None:
    shop.register("rita")
    [group] = [each for each in shop.groups_there.values() if a.ACCOUNT.value in each["name"]]
    shop.move_members(group["id"], ("rita",), ())

    [told] = store.shown_accounts([a.ACCOUNT]).values()
    assert NOBODY in told.users
    store.withdraw_account(a.ACCOUNT)

    assert (shop.book("ada"), shop.book("ben")) == ([], [None])
    assert list(store.shown_customer_ids()) == [OTHER]
    assert all({"id": "rita"} not in each["customers"] for each in shop.groups_there.values())


@pytest.mark.rule("OP-2", "MI-3")
def test_a_look_at_accounts_and_addresses_writes_nothing(
    shop: MemoryShop, store: MedusaStore
) -> None:
    shop.people["ben"]["addresses"][1]["city"] = "Delft"
    shop.people["ada"]["addresses"].clear()
    before = list(shop.writes)

    store.shown_accounts([a.ACCOUNT, OTHER])
    store.shown_ship_tos([a.ACCOUNT, OTHER])
    store.shown_bill_tos([a.ACCOUNT, OTHER])

    assert shop.writes == before
