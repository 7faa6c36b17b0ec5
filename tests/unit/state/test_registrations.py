"""Registrations survive a restart, step by step, and nobody's step is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sync.domain.account import AccountStatus
from sync.domain.decision import Problem
from sync.domain.ids import ApplicationId, CustomerId, IdempotencyKey
from sync.domain.registration import AccountKind, CreateCustomer, LinkCustomer, Registrant
from sync.errors import Conflict
from sync.ports.registrations import ENDED, Happened, RegistrationEntry, Stage
from sync.state import SqlState
from sync.testing import builders as a
from sync.testing.clock import ManualClock

pytestmark = pytest.mark.rule("VE-9")

TAKEN_UP = Happened("taken_up", "daemon")


def an_entry(clock: ManualClock, key: str = "app-1") -> RegistrationEntry:
    application = a.an_application(application_id=ApplicationId(key))
    now = clock.now()
    return RegistrationEntry(
        application.application_id, application, Stage.OPEN, AccountStatus.APPLIED, now, now
    )


def saved(
    state: SqlState, entry: RegistrationEntry, clock: ManualClock, happened: Happened = TAKEN_UP
) -> RegistrationEntry:
    clock.advance(1)
    with state.transaction() as transaction:
        return transaction.registrations.save(entry, happened, clock.now())


@pytest.mark.parametrize("approval", [LinkCustomer(CustomerId("C-1")), CreateCustomer()])
def test_everything_known_of_one_is_there_again(
    state: SqlState, clock: ManualClock, approval: LinkCustomer | CreateCustomer
) -> None:
    full = replace(
        an_entry(clock),
        stage=Stage.CREATING,
        status=AccountStatus.APPROVED,
        kind=AccountKind.BUSINESS,
        missing=("licence",),
        requested=("statement",),
        message="Please send it.",
        registrant=Registrant(a.WEB_USER, a.ORGANISATION),
        approved_as=approval,
        approved_by="ann",
        approval_reason="checked",
        customer_id=CustomerId("C-1"),
        key=IdempotencyKey("reg-1"),
        look_again_at=clock.now() + timedelta(seconds=90),
        problem=Problem("erp_refused", "No.", "Ask them.", "VE-9"),
    )
    kept = saved(state, full, clock)
    assert kept == replace(full, version=1, changed_at=clock.now())
    with state.transaction() as transaction:
        assert transaction.registrations.entry(full.application_id) == kept
        assert transaction.registrations.entry(ApplicationId("nobody")) is None


def test_a_step_on_what_somebody_else_has_changed_is_a_conflict(
    state: SqlState, clock: ManualClock
) -> None:
    first = saved(state, an_entry(clock), clock)
    with pytest.raises(Conflict):
        saved(state, an_entry(clock), clock)
    second = saved(state, replace(first, stage=Stage.REJECTED), clock, Happened("rejected", "ann"))
    with pytest.raises(Conflict):
        saved(state, replace(first, stage=Stage.CREATING), clock, Happened("asked", "daemon"))
    with state.transaction() as transaction:
        assert transaction.registrations.entry(first.application_id) == second
        events = transaction.registrations.history(first.application_id)
    assert [(each.event, each.actor) for each in events] == [
        ("taken_up", "daemon"),
        ("rejected", "ann"),
    ]


def test_those_that_are_not_settled_are_told_longest_known_first(
    state: SqlState, clock: ManualClock
) -> None:
    for key in ("app-2", "app-1", "app-3"):
        saved(state, an_entry(clock, key), clock)
    with state.transaction() as transaction:
        (entry,) = [
            each
            for each in transaction.registrations.entries()
            if each.application_id.value == "app-1"
        ]
    saved(state, replace(entry, stage=Stage.ACTIVE, settled=True), clock)
    with state.transaction() as transaction:
        registrations = transaction.registrations
        assert [each.value for each in registrations.unsettled()] == ["app-2", "app-3"]
        listed = [each.application_id.value for each in registrations.entries()]
        assert listed == ["app-1", "app-3", "app-2"]
        opened = registrations.entries([Stage.OPEN], limit=1)
        assert [each.application_id.value for each in opened] == ["app-3"]
        counted = [registrations.count(each) for each in ([Stage.OPEN], ENDED, list(Stage), ())]
        assert counted == [2, 1, 3, 0]


def test_each_pipeline_has_registrations_of_its_own(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    mine, other = state_of(), state_of()
    saved(mine, an_entry(clock), clock)
    with other.transaction() as transaction:
        assert transaction.registrations.entries() == []
        assert transaction.registrations.count(list(Stage)) == 0
        assert transaction.registrations.unsettled() == []
        assert transaction.registrations.history(a.APPLICATION) == []
    saved(other, an_entry(clock), clock)
