"""What stores tell of news: looked at soon, once, and never believed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sync.domain.ids import WebOrderId
from sync.ports.state import LedgerFilter
from sync.scheduling.hints import HintedOrders, Hints
from sync.scheduling.runner import Runner
from sync.testing.clock import ManualClock
from tests.scenarios.world import harbour_order, mill_order, order_id
from tests.unit.scheduling.conftest import Line

FEED = "store.changed_orders"


def ids(*names: str) -> tuple[WebOrderId, ...]:
    return tuple(WebOrderId(name) for name in names)


def in_ledger(line: Line) -> set[WebOrderId]:
    with line.pipeline.state.transaction() as state:
        return {each.order_id for each in state.ledger.entries(LedgerFilter())}


def hinting_at(*orders: WebOrderId) -> Hints:
    hints = Hints()
    hints.add(orders)
    return hints


# The list of hints.


def test_an_order_that_is_hinted_at_twice_is_looked_at_once_in_the_order_of_coming() -> None:
    hints = Hints()
    hints.add(ids("b", "a"))
    hints.add(ids("a", "c", "b"))
    assert hints.take() == HintedOrders(ids("b", "a", "c"), overflowed=False)
    assert hints.take() is None


def test_a_hint_that_comes_while_its_order_is_looked_at_is_kept() -> None:
    hints = hinting_at(*ids("a"))
    hints.take()
    hints.add(ids("a"))
    assert hints.take() == HintedOrders(ids("a"), overflowed=False)


def test_a_backlog_is_taken_in_pieces_and_nothing_of_it_is_lost() -> None:
    hints = hinting_at(*ids("a", "b", "c"))
    assert hints.take(2) == HintedOrders(ids("a", "b"), overflowed=False)
    assert hints.take(2) == HintedOrders(ids("c"), overflowed=False)


def test_a_flood_is_cut_off_and_remembered_as_a_reason_to_ask_the_store() -> None:
    hints = Hints(most_waiting=2)
    hints.add(ids("a", "b", "a"))
    hints.add(ids("c", "d"))
    assert hints.take() == HintedOrders(ids("a", "b"), overflowed=True)
    assert hints.take() is None, "one look at the store is enough"


def test_many_threads_lose_no_hint_between_them() -> None:
    hints = Hints()
    names = [ids(*(f"{thread}-{number}" for number in range(200))) for thread in range(8)]
    taken: list[WebOrderId] = []

    def tell(orders: tuple[WebOrderId, ...]) -> None:
        for order in orders:
            hints.add((order,))

    tellers = [threading.Thread(target=tell, args=(orders,)) for orders in names]
    for each in tellers:
        each.start()
    while any(each.is_alive() for each in tellers):
        if (news := hints.take(7)) is not None:
            taken += news.orders
    while (news := hints.take()) is not None:
        taken += news.orders
    assert sorted(taken) == sorted(each for orders in names for each in orders)


# What comes of them.


@pytest.mark.rule("OI-1", "OI-3")
def test_a_hinted_order_is_imported_without_reading_the_whole_feed(
    runner: Runner, line: Line
) -> None:
    for number in (1, 2):
        line.store.place_order(harbour_order(number))
    runner.hinted(line.pipeline, hinting_at(order_id(1)))
    (row,) = line.erp.orders
    assert row.order.web_order == order_id(1)
    assert in_ledger(line) == {order_id(1)}
    assert line.script.count(FEED) == 0
    assert [run.narrow for run in line.runs()] == [True]


@pytest.mark.rule("OI-1")
def test_a_hint_that_is_repeated_before_and_after_the_poll_makes_one_order(
    runner: Runner, line: Line
) -> None:
    line.store.place_order(harbour_order(1))
    hints = hinting_at(order_id(1))
    runner.hinted(line.pipeline, hints)
    hints.add([order_id(1)])
    runner.scheduled(line.pipeline, "orders")
    runner.hinted(line.pipeline, hints)
    hints.add([order_id(1)])
    runner.hinted(line.pipeline, hints)
    assert len(line.erp.orders) == line.erp.submitted == 1


@pytest.mark.rule("OI-2")
def test_hints_move_no_watermark_so_the_poll_still_finds_the_other_orders(
    runner: Runner, line: Line
) -> None:
    line.store.place_order(harbour_order(1))
    runner.hinted(line.pipeline, hinting_at(order_id(1)))
    line.store.place_order(mill_order(2))
    runner.scheduled(line.pipeline, "orders")
    assert {row.order.web_order for row in line.erp.orders} == {order_id(1), order_id(2)}


@pytest.mark.rule("OI-5")
def test_a_hint_at_an_order_that_the_store_does_not_show_leaves_nothing_behind(
    runner: Runner, line: Line
) -> None:
    runner.hinted(line.pipeline, hinting_at(WebOrderId("made-up")))
    assert in_ledger(line) == set()
    (run,) = line.runs()
    assert (run.outcome, run.counts) == ("ok", {})


@pytest.mark.rule("OI-4")
def test_a_hint_at_a_change_after_the_import_brings_the_order_to_a_person(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    line.store.place_order(harbour_order(1))
    runner.scheduled(line.pipeline, "orders")
    clock.advance(60)
    later = harbour_order(1).modified_at + timedelta(minutes=1)
    line.store.place_order(replace(harbour_order(1), modified_at=later, notes="to the back door"))
    runner.hinted(line.pipeline, hinting_at(order_id(1)))
    with line.pipeline.state.transaction() as state:
        entry = state.ledger.entry(order_id(1))
    assert entry is not None
    assert entry.state.value == "review"
    assert len(line.erp.orders) == 1


def test_a_hint_at_an_order_from_before_the_service_brings_nothing_in(
    runner: Runner, line: Line
) -> None:
    order = harbour_order(1)
    line.store.place_order(order)
    orders = line.pipeline.settings.orders.model_copy(
        update={"placed_since": order.placed_at + timedelta(days=1)}
    )
    pipeline = replace(line.pipeline, settings=replace(line.pipeline.settings, orders=orders))
    runner.hinted(pipeline, hinting_at(order_id(1)))
    assert not line.erp.orders
    assert in_ledger(line) == set()


def test_a_flood_ends_in_one_look_at_the_store(runner: Runner, line: Line) -> None:
    line.store.place_order(harbour_order(1))
    hints = Hints(most_waiting=1)
    hints.add(ids("x", "y", "z"))
    runner.hinted(line.pipeline, hints)
    assert line.script.count(FEED) == 1
    assert len(line.erp.orders) == 1


def test_a_hint_waits_for_the_import_that_runs(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    line = line_of()
    line.store.place_order(harbour_order(1))
    hints = hinting_at(order_id(1))
    began = threading.Thread(target=runner.hinted, args=(line.pipeline, hints))

    def meanwhile() -> None:
        began.start()
        began.join(0.3)
        assert began.is_alive(), "the same flow never runs beside itself"

    line.script.meanwhile(f"{FEED}.next", meanwhile)
    runner.scheduled(line.pipeline, "orders")
    began.join(10)
    assert not began.is_alive()
    assert not line.script.unused
    assert len(line.erp.orders) == line.erp.submitted == 1


@pytest.mark.rule("OP-1")
def test_no_hint_is_looked_at_any_more_once_the_daemon_stops(
    runner: Runner, line: Line, stop: threading.Event
) -> None:
    line.store.place_order(harbour_order(1))
    stop.set()
    runner.hinted(line.pipeline, hinting_at(order_id(1)))
    assert line.runs() == []


@pytest.mark.rule("OP-1")
def test_a_system_that_is_away_costs_the_hint_and_not_the_order(runner: Runner, line: Line) -> None:
    line.store.place_order(harbour_order(1))
    line.script.lost_request("store.order")
    hints = hinting_at(order_id(1))
    runner.hinted(line.pipeline, hints)
    (run,) = line.runs()
    assert run.outcome == "try_later"
    assert hints.take() is None
    runner.scheduled(line.pipeline, "orders")
    assert len(line.erp.orders) == 1
