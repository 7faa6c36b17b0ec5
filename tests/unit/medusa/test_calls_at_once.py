"""Calls with prices that overlap: the last to an audience finds what all others recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.ids import Sku
from sync.domain.pricing import ITEM_OVERRIDES, Audience, AudienceKind, Price, PriceScope
from sync.domain.views import PublishedPriceKey
from sync.errors import TryLater
from sync.kit.pool import together
from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.queries import PricesTold
from sync.testing import builders as a
from tests.unit.medusa.memory_shop import MemoryShop

PATIENCE_S = 30.0
# As long as another would need if it did not wait for its turn.
UNTURNED_S = 0.2
BOLT, NUT = Sku("BOLT-M8"), Sku("NUT-M8")
OWN = PriceScope.account(a.ACCOUNT)


class SlowShop(MemoryShop):
    """Stops whoever is about to do something for which a test has arranged it."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = threading.RLock()
        self.asked: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}

    def _stop(self, what: str) -> None:
        with self.guard:
            self.asked.append(what)
            stop = self.before.pop(what, None)
        if stop is not None:
            stop()

    def records(
        self,
        kind: str,
        owners: Collection[str] | None = None,
        about: Collection[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        with self.guard:
            found = list(super().records(kind, owners, about))
        # What was found is told late.
        self._stop("records")
        return iter(found)

    def apply_records(self, put: Sequence[Any], remove: Sequence[Any]) -> None:
        self._stop("remove" if remove else "put")
        with self.guard:
            super().apply_records(put, remove)

    def variants(self, skus: Collection[str]) -> dict[str, Any]:
        self._stop("variants")
        return super().variants(skus)

    def price_lists(self, words: str) -> Iterator[dict[str, Any]]:
        self._stop("lists")
        with self.guard:
            return super().price_lists(words)

    def write_prices(self, list_id: str, create: Any, update: Any, delete: Any) -> None:
        self._stop("write")
        with self.guard:
            super().write_prices(list_id, create, update, delete)

    def make_price_list(self, body: dict[str, Any]) -> dict[str, Any]:
        self._stop("list")
        with self.guard:
            return super().make_price_list(body)

    def put_prices(self, put: Sequence[Any], **asked: Any) -> PricesTold | None:
        told = super().put_prices(put, **asked)
        # What there was is told late.
        self._stop("told")
        return told

    def charged(self) -> set[tuple[str, int | None, str]]:
        """Variant, quantity from which, and price, of every row there is."""
        return {
            (row["price_set"]["variant"]["id"], row["min_quantity"], row["raw_amount"]["value"])
            for rows in self.rows.values()
            for row in rows
        }


def published(price: Price) -> PublishedPriceKey:
    audience = a.account_audience()
    if price.key.scope == ITEM_OVERRIDES:
        audience = Audience(AudienceKind.ACCOUNTS)
    return PublishedPriceKey(audience, price.key)


def put(store: MedusaStore, *prices: Price) -> None:
    store.apply_prices([(published(price), price.value) for price in prices], [])


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def over(thread: threading.Thread) -> None:
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


ONE = a.a_price("9.5", scope=OWN, sku=BOLT)
TEN = a.a_price("8.5", scope=OWN, sku=BOLT, min_quantity=Decimal(10))
ITEM = a.a_price("7.5", scope=ITEM_OVERRIDES, sku=BOLT)
OTHER = a.a_price("6.5", scope=OWN, sku=NUT)


@pytest.fixture(params=["module 3", "module 2"])
def shop(request: pytest.FixtureRequest) -> SlowShop:
    shop = SlowShop()
    shop.old_module = request.param == "module 2"
    return shop


@pytest.mark.rule("WA-6", "WA-7")
def test_two_calls_for_one_item_of_one_audience_come_to_both_entries_in_one_list(
    shop: SlowShop,
) -> None:
    store = shop.store(threads=4)
    told, second_put = threading.Event(), threading.Event()

    def late() -> None:
        told.set()
        assert second_put.wait(PATIENCE_S)

    # The first call has read the records, and the second records its own meanwhile.
    shop.before["records"] = late
    first = beside(lambda: put(store, ONE))
    assert told.wait(PATIENCE_S)
    shop.before["put"] = second_put.set
    second = beside(lambda: put(store, TEN))
    over(first)
    over(second)

    assert shop.charged() == {
        ("variant_BOLT-M8", None, "9.5"),
        ("variant_BOLT-M8", 10, "8.5"),
    }
    assert len(shop.lists) == 1
    assert dict(store.shown_prices(a.account_audience(), OWN)) == {
        each.key: each.value for each in (ONE, TEN)
    }


@pytest.mark.rule("WA-6", "WA-7")
def test_two_removals_of_one_item_leave_no_row_of_either(
    shop: SlowShop,
) -> None:
    store = shop.store(threads=4)
    put(store, ONE, TEN, OTHER)
    going, gone = threading.Event(), threading.Event()

    def late() -> None:
        going.set()
        gone.wait(UNTURNED_S)

    # The first has taken its row away and is about to forget its record.
    shop.before["remove"] = late
    first = beside(lambda: store.apply_prices([], [published(ONE)]))
    assert going.wait(PATIENCE_S)

    def other() -> None:
        store.apply_prices([], [published(TEN)])
        gone.set()

    second = beside(other)
    over(first)
    over(second)

    assert shop.charged() == {("variant_NUT-M8", None, "6.5")}
    assert set(store.shown_prices(a.account_audience(), OWN)) == {OTHER.key}


@pytest.mark.rule("WA-6", "WA-7")
def test_item_price_for_all_accounts_comes_into_the_list_of_an_account_written_beside_it(
    shop: SlowShop,
) -> None:
    store = shop.store(threads=4)
    writing, item_written = threading.Event(), threading.Event()

    def late() -> None:
        writing.set()
        item_written.wait(UNTURNED_S)

    shop.before["write"] = late
    first = beside(lambda: put(store, ONE))
    assert writing.wait(PATIENCE_S)
    # It knows nothing of the row that the first is about to write, unless it waits for it.
    shop.before["write"] = item_written.set
    second = beside(lambda: put(store, ITEM))
    over(first)
    over(second)

    assert {amount for _, _, amount in shop.charged()} == {"7.5"}
    assert dict(store.shown_prices(a.account_audience(), OWN)) == {ONE.key: ONE.value}


@pytest.mark.rule("WA-6", "WA-7")
def test_item_price_that_comes_after_the_answer_and_before_the_turn_of_another_call_counts() -> (
    None
):
    shop = SlowShop()
    store = shop.store(threads=4)
    put(store, TEN)
    told, item_written = threading.Event(), threading.Event()

    def late() -> None:
        told.set()
        assert item_written.wait(PATIENCE_S)

    # The first has put its record, and knows of no item price.
    shop.before["told"] = late
    first = beside(lambda: put(store, ONE))
    assert told.wait(PATIENCE_S)
    put(store, ITEM)
    item_written.set()
    over(first)

    assert {amount for _, _, amount in shop.charged()} == {"7.5"}


@pytest.mark.rule("WA-6", "WA-8")
def test_account_is_not_taken_away_between_the_records_and_the_rows_of_its_prices(
    shop: SlowShop,
) -> None:
    store = shop.store(threads=4)
    making = threading.Event()
    withdrawn = threading.Event()

    def late() -> None:
        making.set()
        withdrawn.wait(UNTURNED_S)

    shop.before["list"] = late
    first = beside(lambda: put(store, ONE))
    assert making.wait(PATIENCE_S)

    def other() -> None:
        store.withdraw_account(a.ACCOUNT)
        withdrawn.set()

    second = beside(other)
    over(first)
    over(second)

    assert (shop.charged(), shop.lists, shop.recorded) == (set(), {}, {})


@pytest.mark.rule("MI-2")
def test_what_the_shop_sells_is_asked_once_by_all_calls_of_a_run(
    shop: SlowShop,
) -> None:
    store = shop.store(threads=4)
    scopes = [PriceScope.group(name) for name in ("GOLD", "SILVER", "BRONZE")]
    prices = [a.a_price("5.5", scope=scope, sku=BOLT) for scope in scopes]

    def one(price: Price) -> None:
        audience = Audience(AudienceKind.GROUP, price.key.scope.owner)
        store.apply_prices([(PublishedPriceKey(audience, price.key), price.value)], [])

    together(prices, one, threads=3)
    assert shop.asked.count("variants") == 1
    assert len(shop.lists) == 3

    # A new look at what is shown asks anew: the item may be another variant by now.
    shop.sold["BOLT-M8"] = "variant_new"
    store.shown_prices(Audience(AudienceKind.GROUP, "GOLD"), scopes[0])
    assert shop.asked.count("variants") == 2
    one(prices[0])
    assert ("variant_new", None, "5.5") in shop.charged()


@pytest.mark.rule("WA-6", "WA-7")
@pytest.mark.parametrize("breaks", [False, True])
def test_a_list_that_another_call_made_meanwhile_is_not_made_again(*, breaks: bool) -> None:
    shop = SlowShop()
    store = shop.store(threads=4)
    listing, told, made = threading.Event(), threading.Event(), threading.Event()

    def make() -> None:
        listing.set()
        assert told.wait(PATIENCE_S)

    def late() -> None:
        told.set()
        assert made.wait(PATIENCE_S)

    def fail() -> None:
        raise TryLater("the shop rests")

    def first() -> None:
        try:
            put(store, ONE)
        except TryLater:
            assert breaks
        made.set()

    # While the first is about to make the list, the second is told that there is none.
    shop.before["list"] = make
    if breaks:
        shop.before["write"] = fail
    one = beside(first)
    assert listing.wait(PATIENCE_S)
    shop.before["told"] = late
    two = beside(lambda: put(store, OTHER))
    over(one)
    over(two)
    if breaks:
        put(store, ONE)

    assert len(shop.lists) == len(shop.groups_there) == 1
    assert {(variant, amount) for variant, _, amount in shop.charged()} == {
        ("variant_BOLT-M8", "9.5"),
        ("variant_NUT-M8", "6.5"),
    }


@pytest.mark.rule("MI-2")
def test_what_is_known_of_the_lists_is_not_asked_again_by_the_next_call() -> None:
    shop = SlowShop()
    store = shop.store(threads=4)
    put(store, ONE)
    shop.asked.clear()
    put(store, OTHER)
    put(store, TEN)

    # The item of the third is sold by the first already.
    assert shop.asked.count("told") == 2
    assert shop.asked.count("variants") == 1
    assert shop.asked.count("lists") == 0
    # A new look at what is shown asks anew: staff may have changed the list.
    for each in shop.lists.values():
        each["status"] = "draft"
    store.shown_prices(a.account_audience(), OWN)
    put(store, a.a_price("9.4", scope=OWN, sku=BOLT))
    assert [each["status"] for each in shop.lists.values()] == ["active"]
    # It is put right once, whether any row of it moved then or not.
    shop.writes.clear()
    put(store, a.a_price("9.3", scope=OWN, sku=BOLT))
    assert shop.writes.count("list") == 0


@pytest.mark.rule("WA-6")
def test_questions_of_a_call_that_broke_off_are_asked_by_the_next() -> None:
    shop = SlowShop()
    store = shop.store(threads=4)

    def fail() -> None:
        raise TryLater("the shop rests")

    shop.before["told"] = fail
    with pytest.raises(TryLater, match="rests"):
        put(store, ONE)
    assert shop.lists == {}
    put(store, ONE)
    assert shop.charged() == {("variant_BOLT-M8", None, "9.5")}
