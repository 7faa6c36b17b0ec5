"""What was asked for after the import is kept, found when it is due, and changed by one alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.domain.ids import IdempotencyKey, WebOrderId
from sync.errors import FencedOff
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.ports.state import LedgerState
from sync.state.state import SqlState
from sync.testing import builders as a
from tests.unit.state.steps import Steps

pytestmark = pytest.mark.rule("OI-10")

NOW = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
ONE, TWO = WebOrderId("order-1"), WebOrderId("order-2")
REFUND = Settlement(
    *(ONE, SettlementKind.REFUND, "R-1", SettlementState.WANTED, NOW),
    due_at=NOW,
    key=IdempotencyKey("key-1"),
    amount=a.money("123456789012345.6789"),
    reference="CR-1",
    happened_at=NOW - timedelta(days=1),
)


def put(state: SqlState, settlement: Settlement) -> Settlement:
    with state.transaction() as on:
        return on.settlements.put(settlement)


def due(state: SqlState, now: datetime = NOW, *kinds: SettlementKind) -> list[Settlement]:
    with state.transaction() as on:
        return list(on.settlements.due(kinds or tuple(SettlementKind), now, 10))


def test_what_is_put_comes_back_as_it_was_put(state: SqlState) -> None:
    kept = put(state, REFUND)
    assert kept == replace(REFUND, version=1)
    with state.transaction() as on:
        assert list(on.settlements.of(ONE)) == [kept]
        assert list(on.settlements.of(TWO)) == []
        assert on.settlements.counts() == {(SettlementKind.REFUND, SettlementState.WANTED): 1}


def test_one_that_another_worker_has_changed_is_not_changed(state: SqlState) -> None:
    first = put(state, REFUND)
    asked = put(state, replace(first, state=SettlementState.ASKED))
    with pytest.raises(FencedOff):
        put(state, replace(first, state=SettlementState.DONE))
    with pytest.raises(FencedOff):
        put(state, REFUND)
    with state.transaction() as on:
        assert list(on.settlements.of(ONE)) == [asked]


def test_those_that_are_due_come_longest_due_first(state: SqlState) -> None:
    put(state, REFUND)
    earlier = put(state, replace(REFUND, order_id=TWO, due_at=NOW - timedelta(hours=1)))
    put(state, replace(REFUND, number="R-2", due_at=NOW + timedelta(seconds=1)))
    put(state, replace(REFUND, number="R-3", due_at=None))
    shipped = replace(REFUND, kind=SettlementKind.SHIPPED, number="", key=None, amount=None)
    put(state, shipped)
    assert [(each.order_id, each.number) for each in due(state, NOW, SettlementKind.REFUND)] == [
        (TWO, "R-1"),
        (ONE, "R-1"),
    ]
    assert due(state)[0] == earlier
    with state.transaction() as on:
        assert len(on.settlements.due([SettlementKind.REFUND], NOW, 1)) == 1


def test_pipelines_keep_their_own(state_of: Callable[..., SqlState]) -> None:
    mine, theirs = state_of(), state_of()
    put(mine, REFUND)
    assert due(theirs) == []
    assert put(theirs, REFUND).version == 1


def test_order_that_the_erp_has_goes_to_review_with_every_sentence(
    ledger: Steps, state: SqlState
) -> None:
    ledger.discover()
    with state.transaction() as on:
        assert not on.ledger.needs_person(ONE, ("A.",), NOW), "it is not in the ERP"
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.imported(claim)
    for sentence in ("A.", "B.", "A."):
        with state.transaction() as on:
            assert on.ledger.needs_person(ONE, (sentence,), NOW)
    assert ledger.entry().state is LedgerState.REVIEW
    assert sorted(ledger.entry().differences) == ["A.", "B."]
    ledger.settle("C.")
    assert sorted(ledger.entry().differences) == ["A.", "B.", "C."]
