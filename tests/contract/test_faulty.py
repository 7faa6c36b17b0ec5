"""The fault seam does what it says, and nothing where it was told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from sync.domain.ids import ShipToId, WebOrderId
from sync.domain.pricing import PriceLevel
from sync.errors import OutcomeUnknown, Rejected, TryLater
from sync.ports import erp as erp_ports
from sync.ports import price_lists
from sync.ports import store as store_ports
from sync.ports.store import ListLimits, StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.erp_contract import ErpAdapterContract
from sync.testing.erp_world import ErpWorld
from sync.testing.faults import Crash, Fault, Script, faulty
from sync.testing.past import Past, other_order
from sync.testing.store import MemoryStore
from sync.testing.store_contract import StoreContract
from sync.testing.store_world import StoreWorld
from sync.testing.together import BatchStore, GroupingErp
from tests.contract.test_memory_erp import MemoryWorld
from tests.contract.test_memory_store import MemoryStoreWorld

ERP_PROTOCOLS = [
    erp_ports.Erp,
    erp_ports.ReadsAccounts,
    erp_ports.FindsContacts,
    erp_ports.FindsContactsTogether,
    erp_ports.ReadsShipTos,
    erp_ports.ReadsItems,
    erp_ports.ReadsPrices,
    erp_ports.TellsPriceStates,
    erp_ports.ReadsInvoices,
    erp_ports.ReadsBalances,
    erp_ports.ReadsAvailability,
    erp_ports.ReadsAccountOrders,
    erp_ports.ReadsCustomerParts,
    erp_ports.ReadsDocuments,
    erp_ports.ReadsDocumentFiles,
    erp_ports.TellsChanges,
    erp_ports.FindsOrders,
    erp_ports.SubmitsOrders,
    erp_ports.ForeseesRefusals,
    erp_ports.ReadsOrderStatus,
    erp_ports.ChecksPurchaseOrders,
    erp_ports.CancelsOrders,
    erp_ports.RequestsCredits,
    erp_ports.FindsOrdersTogether,
    erp_ports.SupportsOrderGroups,
    erp_ports.ChecksPurchaseOrdersTogether,
    erp_ports.ReadsAccountFiles,
    erp_ports.AnswersPriceQuestions,
]
STORE_PROTOCOLS = [
    store_ports.Store,
    store_ports.ReadsWebOrders,
    store_ports.ReadsBuyers,
    store_ports.ShowsImport,
    store_ports.MirrorsAccounts,
    store_ports.MirrorsShipTos,
    store_ports.MirrorsInvoices,
    store_ports.MirrorsBalances,
    store_ports.MirrorsAvailability,
    store_ports.MirrorsAccountOrders,
    store_ports.MirrorsCustomerParts,
    store_ports.MirrorsDocuments,
    store_ports.FindsShownInvoices,
    store_ports.FindsShownAccountOrders,
    store_ports.FindsShownDocuments,
    store_ports.MirrorsPrices,
    store_ports.TakesPriceBatches,
    price_lists.SharesPriceLists,
    store_ports.QuotesPrices,
    store_ports.ReadsOrdersTogether,
    store_ports.CapturesPayments,
]


class TestErpBehindAnEmptyScript(ErpAdapterContract):
    @pytest.fixture
    def memory(self) -> MemoryErp:
        erp = GroupingErp()
        erp.states = tuple(PriceLevel)
        return erp

    @pytest.fixture
    def erp(self, memory: MemoryErp) -> MemoryErp:
        return faulty(memory, Script())

    @pytest.fixture
    def erp_world(self, memory: MemoryErp) -> ErpWorld:
        return MemoryWorld(memory)


class TestStoreBehindAnEmptyScript(StoreContract):
    @pytest.fixture
    def memory(self) -> MemoryStore:
        limits = StoreCapabilities("memory", price_lists=ListLimits(1000))
        return MemoryStore(page_size=3, capabilities=limits)

    @pytest.fixture
    def store(self, memory: MemoryStore) -> MemoryStore:
        return faulty(memory, Script())

    @pytest.fixture
    def store_world(self, memory: MemoryStore) -> StoreWorld:
        return MemoryStoreWorld(memory)


def an_erp() -> MemoryErp:
    erp = MemoryErp()
    erp.add_account(a.an_account())
    erp.add_ship_to(a.a_ship_to())
    erp.add_item(a.an_item())
    return erp


def a_store(count: int = 4) -> MemoryStore:
    store = MemoryStore(page_size=2)
    for number in range(count):
        store.place_order(
            a.a_web_order(
                order_id=WebOrderId(f"order-{number}"),
                modified_at=a.PLACED_AT + timedelta(minutes=number),
            )
        )
    return store


def test_a_faulty_port_claims_what_its_port_claims() -> None:
    erp, store = faulty(GroupingErp(), Script()), faulty(BatchStore(), Script())

    assert all(isinstance(erp, protocol) for protocol in ERP_PROTOCOLS)
    assert all(isinstance(store, protocol) for protocol in STORE_PROTOCOLS)
    assert not isinstance(erp, store_ports.ReadsWebOrders)
    assert not isinstance(store, erp_ports.SubmitsOrders)
    assert not isinstance(faulty(MemoryErp(), Script()), erp_ports.SupportsOrderGroups)


def test_a_lost_request_changes_nothing_and_may_be_tried_later() -> None:
    memory = an_erp()
    erp = faulty(memory, Script().lost_request("submit_order"))

    with pytest.raises(TryLater):
        erp.submit_order(a.a_sales_order(), a.KEY)

    assert memory.orders == ()
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None


def test_a_lost_reply_to_a_write_leaves_the_outcome_unknown() -> None:
    memory = an_erp()
    erp = faulty(memory, Script().lost_reply("submit_order"))

    with pytest.raises(OutcomeUnknown):
        erp.submit_order(a.a_sales_order(), a.KEY)

    assert [row.key for row in memory.orders] == [a.KEY]


def test_a_lost_reply_to_a_read_may_be_tried_later() -> None:
    erp = faulty(an_erp(), Script().lost_reply("accounts"))

    with pytest.raises(TryLater):
        erp.accounts([a.ACCOUNT])

    assert set(erp.accounts([a.ACCOUNT])) == {a.ACCOUNT}


def test_a_read_of_what_is_shown_is_no_write() -> None:
    store = faulty(MemoryStore(), Script().lost_reply("shown_accounts").lost_reply("put_accounts"))

    with pytest.raises(TryLater):
        store.shown_accounts([a.ACCOUNT])
    with pytest.raises(OutcomeUnknown):
        store.put_accounts([a.an_account_view()])


@pytest.mark.parametrize("fault, written", [(Fault.CRASH_BEFORE, 0), (Fault.CRASH_AFTER, 1)])
def test_a_crash_falls_on_its_side_of_the_write(fault: Fault, written: int) -> None:
    memory = an_erp()
    erp = faulty(memory, Script().fail("submit_order", fault))

    with pytest.raises(Crash):
        erp.submit_order(a.a_sales_order(), a.KEY)

    assert len(memory.orders) == written


def test_no_handler_of_errors_catches_a_crash() -> None:
    assert not issubclass(Crash, Exception)


def test_a_dead_process_does_nothing_until_it_is_started_again() -> None:
    script = Script().crash_before("erp.find_order")
    memory, shop = an_erp(), MemoryStore()
    erp, store = faulty(memory, script, "erp"), faulty(shop, script, "store")
    with pytest.raises(Crash):
        erp.find_order(a.KEY)

    with pytest.raises(Crash):
        erp.submit_order(a.a_sales_order(), a.KEY)
    with pytest.raises(Crash):
        store.put_accounts([a.an_account_view()])
    assert memory.orders == ()
    assert shop.writes == 0

    script.restart()
    assert erp.find_order(a.KEY) is None


def test_only_the_passage_named_fails() -> None:
    erp = faulty(an_erp(), Script().lost_request("accounts", at=2))

    erp.accounts([a.ACCOUNT])
    with pytest.raises(TryLater):
        erp.accounts([a.ACCOUNT])
    erp.accounts([a.ACCOUNT])


def test_each_page_of_a_feed_can_be_lost() -> None:
    store = faulty(a_store(), Script().lost_request("changed_orders.next", at=2))
    feed = store.changed_orders(None)

    assert len(next(feed).orders) == 2
    with pytest.raises(TryLater):
        next(feed)


def test_the_end_of_a_feed_can_be_lost_too() -> None:
    store = faulty(a_store(), Script().lost_reply("changed_orders.next", at=3))
    feed = store.changed_orders(None)
    next(feed)
    next(feed)

    # A feed that looks finished without being so would lose orders.
    with pytest.raises(TryLater):
        next(feed)


def test_a_page_can_come_twice() -> None:
    store = faulty(a_store(), Script().repeat("changed_orders.next", at=1))

    pages = [[order.order_id.value for order in p.orders] for p in store.changed_orders(None)]

    assert pages == [["order-0", "order-1"], ["order-0", "order-1"], ["order-2", "order-3"]]


@pytest.mark.rule("OI-1")
def test_a_write_that_is_delivered_twice_is_one_order() -> None:
    memory = an_erp()
    erp = faulty(memory, Script().repeat("submit_order"))

    acknowledged = erp.submit_order(a.a_sales_order(), a.KEY)

    assert [row.number for row in memory.orders] == [acknowledged.number]
    assert memory.submitted == 2


def test_something_else_can_happen_just_before_a_call() -> None:
    memory, clock = an_erp(), ManualClock()
    script = Script().meanwhile("find_order", lambda: clock.advance(3600), at=2)
    erp = faulty(memory, script)
    start = clock.now()

    erp.find_order(a.KEY)
    assert clock.now() == start
    erp.find_order(a.KEY)
    assert clock.now() == start + timedelta(hours=1)


def test_the_log_names_every_point_in_order() -> None:
    script = Script().lost_request("erp.find_order", at=2)
    erp, store = faulty(an_erp(), script, "erp"), faulty(a_store(2), script, "store")
    list(store.changed_orders(None))
    erp.find_order(a.KEY)
    with pytest.raises(TryLater):
        erp.find_order(key=a.KEY)

    assert script.points == (
        ("store.changed_orders", 1),
        ("store.changed_orders.next", 1),
        ("store.changed_orders.next", 2),
        ("erp.find_order", 1),
        ("erp.find_order", 2),
    )
    assert script.log[3].arguments == (a.KEY,)
    assert script.log[4].keywords == (("key", a.KEY),)
    assert [call.fault for call in script.log] == [None, None, None, None, Fault.LOST_REQUEST]
    assert script.count("erp.find_order") == 2


def test_a_fault_that_never_came_up_is_told() -> None:
    script = Script().crash_after("submit_order", at=2).lost_reply("find_order")
    erp = faulty(an_erp(), script)
    erp.submit_order(a.a_sales_order(), a.KEY)

    assert script.unused == (("find_order", 1), ("submit_order", 2))


def test_errors_of_the_port_itself_pass_through() -> None:
    erp = faulty(MemoryErp(), Script().lost_reply("submit_order"))

    with pytest.raises(Rejected):
        erp.submit_order(a.a_sales_order(), a.KEY)


def test_counters_of_a_fake_can_be_read_through_the_seam() -> None:
    store = faulty(MemoryStore(), Script())
    store.put_accounts([a.an_account_view()])

    assert store.writes == 1


class Notebook:
    """A state with transactions, as small as it gets."""

    def __init__(self) -> None:
        self.committed: list[str] = []
        self.rolled_back = 0

    @contextmanager
    def transaction(self) -> Iterator[list[str]]:
        notes = list(self.committed)
        try:
            yield notes
        except BaseException:
            self.rolled_back += 1
            raise
        self.committed = notes


@pytest.mark.parametrize(
    "point, fault, committed",
    [
        ("transaction.enter", Fault.CRASH_BEFORE, []),
        ("transaction.enter", Fault.CRASH_AFTER, []),
        ("transaction.exit", Fault.CRASH_BEFORE, []),
        ("transaction.exit", Fault.LOST_REQUEST, []),
        ("transaction.exit", Fault.CRASH_AFTER, ["note"]),
        ("transaction.exit", Fault.LOST_REPLY, ["note"]),
    ],
)
def test_a_transaction_fails_on_either_side_of_its_commit(
    point: str, fault: Fault, committed: list[str]
) -> None:
    notebook = Notebook()
    state = faulty(notebook, Script().fail(point, fault))

    with pytest.raises((Crash, TryLater, OutcomeUnknown)), state.transaction() as notes:
        notes.append("note")

    assert notebook.committed == committed


def test_a_transaction_that_was_begun_is_rolled_back_by_a_crash_inside() -> None:
    notebook, script = Notebook(), Script().crash_before("erp.find_order")
    state, erp = faulty(notebook, script), faulty(an_erp(), script, "erp")

    def work() -> None:
        with state.transaction() as notes:
            notes.append("note")
            erp.find_order(a.KEY)

    with pytest.raises(Crash):
        work()

    assert (notebook.committed, notebook.rolled_back) == ([], 1)


# What comes late, out of order, or as it was before.


@pytest.mark.rule("OI-1")
def test_call_that_is_late_happens_before_its_answer_or_after_the_wait() -> None:
    clock, erp = ManualClock(), an_erp_for_orders()
    seen: list[int] = []

    def late() -> None:
        seen.append(len(erp.orders))
        clock.advance(400)

    script = Script(late=late)
    port = faulty(erp, script)
    script.fail("submit_order", Fault.LATE_REQUEST).fail("submit_order", Fault.LATE_REPLY, at=2)

    port.submit_order(a.a_sales_order(), a.KEY)
    assert seen == [0]
    port.submit_order(a.a_sales_order(), a.KEY)
    assert seen == [0, 1]


def test_call_that_is_late_where_nobody_said_what_happens_is_a_mistake_of_the_test() -> None:
    script = Script().fail("check", Fault.LATE_REPLY)
    with pytest.raises(RuntimeError, match="nobody said what happens"):
        faulty(MemoryErp(), script).check()


@pytest.mark.rule("OI-1")
def test_write_that_is_overtaken_is_unknown_and_arrives_behind_the_next_call() -> None:
    erp = an_erp_for_orders()
    script = Script().fail("submit_order", Fault.OVERTAKEN)
    port = faulty(erp, script)

    with pytest.raises(OutcomeUnknown):
        port.submit_order(a.a_sales_order(), a.KEY)
    assert not erp.orders
    assert port.find_order(a.KEY) is None
    assert len(erp.orders) == 1


@pytest.mark.rule("OI-1")
def test_what_a_dead_process_had_sent_arrives_all_the_same() -> None:
    erp = an_erp_for_orders()
    script = Script().fail("submit_order", Fault.OVERTAKEN).crash_before("check")
    port = faulty(erp, script)
    with pytest.raises(OutcomeUnknown):
        port.submit_order(a.a_sales_order(), a.KEY)
    with pytest.raises(Crash):
        port.check()
    script.restart()
    assert len(erp.orders) == 1


def test_stale_read_answers_what_held_so_many_calls_ago_but_not_too_long_ago() -> None:
    clock, erp = ManualClock(), an_erp_for_orders()
    script = Script(past=Past(clock, calls=3, seconds=30))
    port = faulty(erp, script)
    script.fail("find_order", Fault.STALE, at=2).fail("find_order", Fault.STALE, at=3)

    assert port.find_order(a.KEY) is None
    port.submit_order(a.a_sales_order(), a.KEY)
    assert port.find_order(a.KEY) is None, "as it was before the order came"
    clock.advance(31)
    assert port.find_order(a.KEY) is not None


def test_items_come_the_other_way_round_where_no_order_is_promised() -> None:
    erp = an_erp_for_orders()
    erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    script = Script().fail("ship_tos", Fault.REORDER, at=2)
    port = faulty(erp, script)

    assert list(port.ship_tos([a.ACCOUNT])) == list(port.ship_tos([a.ACCOUNT]))[::-1]
    for answer in ({"a": 1, "b": 2}, iter([1, 2]), [1, 2], ([1, 2], "reached")):
        assert other_order(answer) is not answer
    assert other_order(None) is None
    assert other_order("ab") == "ab"


def an_erp_for_orders() -> MemoryErp:
    erp = MemoryErp()
    erp.add_account(a.an_account())
    erp.add_ship_to(a.a_ship_to())
    erp.add_item(a.an_item())
    return erp
