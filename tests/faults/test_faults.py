"""Every single fault of every flow, and every two of them while an order is submitted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from sync.testing.enumerating import Enumeration, MakeTrial, every_fault, every_pair, learn
from sync.testing.faults import Fault, possible
from sync.testing.mirror_proof import MIRRORS
from tests.faults.checks import (
    changed_while_unknown,
    committed_after_its_answer,
    committed_late,
    decided_again_after_a_lost_answer,
    edits_at_every_point,
    group_committed_after_its_answer,
    group_path,
    lists_in_calls_of_every_size,
    numbers_of_a_group,
    one_in_quarantine_and_one_behind_it,
    one_of_a_group_taken_over,
    one_refused_in_a_group,
    replayed_without_need,
    sources_that_dry_up,
    states_that_dry_up,
    submit_path,
    tables_that_are_loaded_anew,
    told_by_the_next_run,
    walls_and_groups,
    what_came_half_way,
    what_is_told_tomorrow,
    what_need_not_be_read,
    what_nobody_told,
    zombies,
)
from tests.faults.money import refunded, shipped
from tests.faults.sites import GROUPS
from tests.faults.trials import (
    a_group,
    mirror,
    one_order,
    statuses,
    two_orders,
)

# On this way the others come to the same as one of these (``enumerating.distinct``).
FIRST_FAULTS = [each for each in Fault if each not in (Fault.CRASH_BEFORE, Fault.REORDER)]


def told(done: Enumeration) -> str:
    return "\n".join(done.found[:10])


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: str(fault.value))
def test_each_order_is_in_the_erp_once_whatever_fails(fault: Fault) -> None:
    done = every_fault(two_orders, [fault])
    assert done.cases
    assert not done.found, told(done)


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: str(fault.value))
def test_each_order_of_a_group_is_in_the_erp_once_whatever_fails(fault: Fault) -> None:
    done = every_fault(a_group, [fault])
    assert done.cases
    assert not done.found, told(done)


@pytest.mark.rule("OI-3", "OP-1")
def test_erp_status_is_shown_at_each_order_whatever_fails() -> None:
    done = every_fault(statuses)
    assert done.cases > 50
    assert not done.found, told(done)


@pytest.mark.rule("OI-10", "OP-1")
@pytest.mark.parametrize("make", [shipped, refunded], ids=lambda each: str(each.__name__))
def test_nothing_is_captured_or_credited_twice_or_forgotten_whatever_fails(
    make: MakeTrial,
) -> None:
    done = every_fault(make)
    assert done.cases > 50
    assert not done.found, told(done)


@pytest.mark.rule("MI-1", "MI-2", "OP-1")
@pytest.mark.parametrize("flow", MIRRORS)
@pytest.mark.parametrize("first", [True, False], ids=["into an empty store", "with news"])
def test_store_shows_what_the_erp_says_whatever_fails(flow: str, first: bool) -> None:
    done = every_fault(partial(mirror, flow, first=first))
    assert done.cases > 100
    assert not done.found, told(done)


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("first", FIRST_FAULTS, ids=lambda fault: str(fault.value))
def test_any_two_faults_on_the_way_into_the_erp_lose_and_double_nothing(first: Fault) -> None:
    done = every_pair(one_order, submit_path, first=[first])
    assert done.cases
    assert not done.found, told(done)


def test_way_of_a_group_goes_from_the_claims_to_the_record_of_the_outcomes() -> None:
    trial = a_group()
    trial.run()
    names = [point for point, _ in group_path(trial.script.log)]
    commit = "state.transaction.exit"
    assert names == [
        commit,  # the claims
        "erp.find_orders",
        commit,  # frozen
        "store.orders_now",
        "erp.submit_orders",
        commit,  # recorded
    ]


def test_way_into_the_erp_goes_from_the_claim_to_the_record_of_the_notice() -> None:
    trial = one_order()
    trial.run()
    names = [point for point, _ in submit_path(trial.script.log)]
    commit = "state.transaction.exit"
    assert names[:6] == [
        commit,  # the claim
        "erp.find_order",
        commit,  # frozen
        "store.order",
        "erp.submit_order",
        commit,  # recorded
    ]
    assert names[-2:] == ["store.show_import", commit]
    assert len(names) < len([each for each in learn(one_order) if each[0].endswith(".exit")])


def zombies_in_a_group() -> str | None:
    return zombies(a_group)


def edits_at_every_point_of_a_group() -> str | None:
    return edits_at_every_point(**GROUPS)


SITUATIONS: list[Callable[[], str | None]] = [
    committed_late,
    one_in_quarantine_and_one_behind_it,
    decided_again_after_a_lost_answer,
    changed_while_unknown,
    committed_after_its_answer,
    replayed_without_need,
    told_by_the_next_run,
    zombies,
    zombies_in_a_group,
    numbers_of_a_group,
    one_refused_in_a_group,
    one_of_a_group_taken_over,
    group_committed_after_its_answer,
    edits_at_every_point,
    edits_at_every_point_of_a_group,
]


@pytest.mark.rule("OI-1", "OI-2", "OI-4", "OI-5")
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: str(each.__name__))
def test_order_ends_where_it_belongs(situation: Callable[[], str | None]) -> None:
    assert situation() is None


@pytest.mark.rule("WA-6", "WA-7", "VE-5", "OP-1")
@pytest.mark.parametrize(
    "situation",
    [
        what_is_told_tomorrow,
        what_nobody_told,
        what_came_half_way,
        what_need_not_be_read,
        states_that_dry_up,
        tables_that_are_loaded_anew,
    ],
    ids=lambda each: str(each.__name__),
)
def test_what_is_remembered_of_prices_is_what_the_store_shows(
    situation: Callable[[], str | None],
) -> None:
    assert situation() is None


@pytest.mark.rule("WA-7", "VE-7")
def test_nobody_sees_another_price_between_any_two_calls() -> None:
    assert lists_in_calls_of_every_size() is None


@pytest.mark.rule("MI-3")
def test_source_that_dries_up_empties_no_store() -> None:
    assert sources_that_dry_up() is None


@pytest.mark.rule("WA-8", "VE-7")
def test_new_wall_or_retail_group_leaves_nothing_in_sight() -> None:
    assert walls_and_groups() is None


def test_fault_is_tried_only_where_it_can_happen() -> None:
    assert possible("erp.submit_order", Fault.OVERTAKEN)
    assert not possible("erp.find_order", Fault.OVERTAKEN)
    assert possible("erp.find_order", Fault.STALE)
    assert not possible("erp.submit_order", Fault.STALE)
    assert not possible("state.transaction.exit", Fault.STALE)
    assert not possible("state.transaction.exit", Fault.LATE_REQUEST)
    assert not possible("state.transaction.enter", Fault.LATE_REPLY)
    assert not possible("store.changed_orders", Fault.REORDER)
    assert possible("erp.invoices", Fault.REORDER)
