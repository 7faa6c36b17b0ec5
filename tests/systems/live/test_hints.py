"""The shop's own hints on their way to the daemon: repeated, out of order, and lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import pytest

from sync.cli.output import Exit
from tests.system.daemon import Daemon
from tests.systems.live.checking import violations
from tests.systems.live.latency import POLLED_EVERY_S, measure
from tests.systems.live.shoppers import Placed
from tests.systems.live.story import Live, only_orders
from tests.systems.medusa.hints import Hint

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

DELIVERIES, ORDERS, MEASURED = 1000, 24, 8


def orders_of(hint: Hint) -> list[str]:
    return [str(each) for each in json.loads(hint.body)["orders"]]


@pytest.mark.rule("OI-1", "OP-1")
def test_a_thousand_hints_repeated_disordered_and_lost_are_one_import_each(live: Live) -> None:
    shoppers, post = live.shoppers("hints"), live.pair.post
    only_orders(live.site, orders_s=POLLED_EVERY_S)
    with Daemon(live.site) as daemon:
        daemon.wait_for_notice("READY=1")
        daemon.wait_for("run.finished", flow="orders")
        before = len(post.seen)
        placed = [shoppers.any(wrong_share=0.1) for _ in range(ORDERS)]
        for each in placed:
            post.wait_for(_names(each))
        deliveries, unheard = _mixed(post.seen[before:], placed)
        with post.passed_on(live.site.port):
            answers = [post.deliver(hint) for hint in deliveries]
        live.settle(daemon, of={each.order_id for each in placed} - unheard)
        known = _in_ledger(live)
        late = [each for each in placed if each.order_id in unheard]
        wrong = any(each.account is None for each in late)
        code = live.site.tradesync("resync", "orders", timeout_s=100).code
        assert code == (Exit.NEEDS_PERSON if wrong else Exit.DONE)
        live.settle(daemon)
        assert daemon.end() == 0
    assert answers == [204] * DELIVERIES
    assert len(unheard) == ORDERS // 3
    assert not known & unheard, "found without a hint: this proves nothing of hints"
    assert violations(live.pair, live.site, live.journal()) == []


def _names(placed: Placed) -> Callable[[Hint], bool]:
    return lambda hint: placed.order_id in orders_of(hint)


def _in_ledger(live: Live) -> set[str]:
    return {str(row[0]) for row in live.site.rows(live.site.state, "SELECT order_id FROM ledger")}


def _mixed(genuine: list[Hint], placed: list[Placed]) -> tuple[list[Hint], set[str]]:
    """The module's deliveries again and again, shuffled; and the orders whose were all lost."""
    chance = Random("hints")
    unheard = {each.order_id for each in chance.sample(placed, len(placed) // 3)}
    heard = [hint for hint in genuine if not unheard & set(orders_of(hint))]
    deliveries = [heard[number % len(heard)] for number in range(DELIVERIES)]
    chance.shuffle(deliveries)
    return deliveries, unheard


@pytest.mark.rule("OI-1", "OP-1")
def test_a_hint_brings_an_order_in_long_before_the_next_poll(live: Live) -> None:
    """``make live-torture`` holds the goal; on a busy machine a second proves nothing."""
    found = measure(live, MEASURED, "latency")
    assert found.missing == 0, found.told()
    assert violations(live.pair, live.site, live.journal()) == []
