"""What the ERP has no place for is told by a plan as the import will tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, SalesOrder
from sync.errors import OutcomeUnknown
from sync.explaining import explain_order
from sync.ports.erp import ForeseesRefusals
from sync.ports.state import LedgerEvent, LedgerState
from sync.remapping import plan_mapping
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Script
from sync.testing.together import GroupingErp
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MakeWorld,
    World,
    fill_erp,
    harbour_order,
    mill_order,
    order_id,
)

NOTED: dict[str, Any] = {"notes": "Ring twice."}
TAKES_TWICE = replace(MEMORY_CAPABILITIES, unique_external_key=False)


class SaysNothingBefore(MemoryErp):
    """An adapter that must be asked to write to know."""

    foreseen_refusal = None  # type: ignore[assignment]


def history(world: World, number: int = 1) -> Sequence[LedgerEvent]:
    with world.state.transaction() as state:
        return state.ledger.history(order_id(number))


def events(world: World, number: int = 1) -> list[str]:
    return [each.event for each in history(world, number)]


@pytest.fixture
def noted(world: World) -> World:
    """The first order has notes, which this ERP has no place for; the second has none."""
    world.erp.cannot_keep("notes")
    world.store.place_order(harbour_order(1, **NOTED))
    world.store.place_order(mill_order(2))
    return world


@pytest.mark.rule("OP-2", "OI-2")
def test_plan_tells_the_quarantine_that_the_import_ends_in(noted: World) -> None:
    planned = noted.run("orders", dry_run=True)
    assert planned.counts == {"would_be_quarantined": 1, "would_be_admitted": 1}

    done = noted.import_orders()

    assert (done.counts["quarantined"], done.counts["imported"]) == (1, 1)
    [problem] = noted.entry(1).problems
    assert planned.samples[0] == f"W-1: quarantine: {problem}"
    assert "OI-2 erp_refused: The ERP would refuse it: " in planned.samples[0]
    assert "the ERP has no place for notes" in planned.samples[0]
    assert not any("ERP refused" in each.detail for each in history(noted))
    assert "Way out: make room for it in the ERP, then replay" in planned.samples[0]


@pytest.mark.rule("OP-3", "OI-2")
def test_explain_tells_it_before_and_after_in_words_and_for_programs(noted: World) -> None:
    before = explain_order(noted.context(), "order-1")
    noted.import_orders()
    after = explain_order(noted.context(), "W-1")

    [problem] = noted.entry(1).problems
    assert before["now"][:2] == ["Now it would be quarantined:", str(problem)]
    assert before["outlook"] == {
        "outcome": "quarantined",
        "problems": [
            {
                "code": "erp_refused",
                "sentence": problem.sentence,
                "remedy": problem.remedy,
                "rule": "OI-2",
            }
        ],
    }
    assert (after["now"], after["outlook"]) == (before["now"], before["outlook"])
    assert explain_order(noted.context(), "W-2").get("outlook") is None, "it is imported"
    noted.erp.cannot_keep()
    healed = explain_order(noted.context(), "W-1")["outlook"]
    assert (healed["outcome"], healed["customer"]) == ("admitted", HARBOUR.value)
    assert "erp_refused_at" not in healed, "the ERP was never asked"


@pytest.mark.rule("OP-2", "OI-2")
def test_adapter_that_foresees_nothing_is_planned_for_as_before_and_imports_alike(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = SaysNothingBefore(clock)
    assert not isinstance(erp, ForeseesRefusals)
    fill_erp(erp)
    erp.cannot_keep("notes")
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order(1, **NOTED))

    assert world.run("orders", dry_run=True).counts == {"would_be_admitted": 1}

    world.import_orders()
    assert world.codes() == {"erp_refused"}
    assert "the ERP has no place for notes" in world.entry().problems[0].sentence
    assert world.entry().problems[0].sentence.startswith("The ERP refused: ")


@pytest.mark.rule("OI-1", "OI-2")
def test_order_that_goes_alone_is_held_before_anybody_could_wonder_where_it_is(
    make_world: MakeWorld,
) -> None:
    """Such an ERP would take an order twice: an instruction that is out is for a person."""
    script = Script().crash_before("erp.submit_order")
    world = make_world(capabilities=TAKES_TWICE, script=script)
    world.erp.cannot_keep("notes")
    world.store.place_order(harbour_order(1, **NOTED))

    world.import_orders()

    assert world.codes() == {"erp_refused"}
    assert world.entry().customer_id == HARBOUR
    assert "admitted" not in events(world)
    assert world.erp.submitted == 0

    world.erp.cannot_keep()
    world.script = None
    assert world.replay()
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-1")
def test_order_that_the_erp_holds_already_is_no_refusal_however_little_it_can_keep_now(
    make_world: MakeWorld,
) -> None:
    """The state was lost, and the profile changed meanwhile."""
    before = make_world(capabilities=TAKES_TWICE)
    before.store.place_order(harbour_order(1, **NOTED))
    before.import_orders()
    before.erp.cannot_keep("notes")
    world = make_world(clock=before.clock, erp=before.erp, store=before.store)

    world.import_orders()

    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert len(world.in_erp()) == 1


class HoldsADraft(MemoryErp):
    """It keeps a draft of an order until it is asked to go on with it, and refuses then."""

    drafts = 1

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        return FoundOrder(None, unfinished=True) if self.drafts else super().find_order(key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        refusal = self.foreseen_refusal(order, key)
        if refusal is None:
            raise OutcomeUnknown("no answer to the second step")
        self.drafts = 0
        raise refusal


@pytest.mark.rule("OI-1", "OI-2")
def test_order_of_which_the_erp_holds_a_draft_is_sent_so_that_the_draft_goes(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = HoldsADraft(clock)
    fill_erp(erp)
    erp.cannot_keep("notes")
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order(1, **NOTED))

    world.import_orders()

    assert world.codes() == {"erp_refused"}
    assert erp.drafts == 0


@pytest.mark.rule("OI-2")
def test_in_a_group_it_costs_the_others_nothing(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = GroupingErp(clock)
    fill_erp(erp)
    erp.cannot_keep("notes")
    world = make_world(clock=clock, erp=erp)
    for number in range(1, 6):
        world.store.place_order(harbour_order(number, **(NOTED if number == 3 else {})))

    result = world.import_orders()

    assert (result.counts["imported"], result.counts["quarantined"]) == (4, 1)
    assert world.codes(3) == {"erp_refused"}
    # The adapter said so as soon as it was asked to write, with nothing sent.
    [problem] = world.entry(3).problems
    assert problem.sentence.startswith("The ERP would refuse it: ")
    assert not any("ERP refused" in each.detail for each in history(world, 3))
    world.erp.cannot_keep()
    assert "erp_refused_at" not in explain_order(world.context(), "W-3")["outlook"]


@pytest.mark.rule("OP-4", "OI-2")
def test_edited_mapping_is_not_said_to_let_in_what_the_erp_will_refuse(noted: World) -> None:
    noted.remap(assignments=())
    noted.import_orders()
    assert noted.codes(1) == {"organisation_unmapped"}

    draft = replace(noted.mapping, version="draft", assignments=ASSIGNMENTS)
    effects = plan_mapping(noted.context(), draft).orders

    told = {each.order_id: each.after for each in effects}
    assert told[order_id(1)] == "quarantined (erp_refused)"
    assert told[order_id(2)].startswith("into account")
