"""How a run ends, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from sync.domain.account import Account
from sync.domain.ids import CustomerId, StoreId
from sync.domain.mapping import Source
from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    Misconfigured,
    OutcomeUnknown,
    SyncError,
    TryLater,
)
from sync.flows.context import Context, FlowResult, Limits, needs
from sync.flows.cycle import FLOWS, run_cycle, run_flow
from sync.flows.mirroring import NOBODY_MAPPED
from sync.planning.guards import Guard
from sync.ports.erp import ReadsAccounts, SubmitsOrders
from sync.ports.state import ResyncScope, RunRecord, RunStep
from sync.routing import AccountMap
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.world import a_mapping, fill_erp, fill_store


class Troubled(MemoryErp):
    """It raises the same error each time it is asked for accounts."""

    error: BaseException | None = None

    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        if self.error is not None:
            raise self.error
        return super().accounts(customer_ids)


@pytest.fixture
def erp() -> Troubled:
    made = Troubled(ManualClock())
    fill_erp(made)
    return made


@pytest.fixture
def context(erp: Troubled) -> Iterator[Context]:
    engine = open_state("sqlite://")
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    fill_store(store)
    shop = StoreId("shop")
    state = SqlState(engine, "main", shop, keys_of(shop, 64), clock)
    mapping = a_mapping()
    yield Context("main", erp, store, state, clock, mapping, AccountMap.of(mapping))
    engine.dispose()


def last_run(context: Context) -> RunRecord:
    with context.state.transaction() as state:
        return state.runs.last()[0]


@pytest.mark.rule("OP-1", "OP-6")
@pytest.mark.parametrize(
    "error, outcome",
    [
        (TryLater("busy"), "try_later"),
        (OutcomeUnknown("lost"), "try_later"),
        (Conflict("moved"), "try_later"),
        (AccessDenied("no"), "failed"),
        (Misconfigured("odd"), "failed"),
        (FencedOff("over"), "failed"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_each_kind_of_error_ends_the_run_in_its_own_way(
    context: Context, erp: Troubled, error: SyncError, outcome: str
) -> None:
    erp.error = error
    result = run_flow(context, "accounts")
    assert (result.outcome, result.message) == (outcome, str(error))
    assert (last_run(context).outcome, last_run(context).message) == (outcome, str(error))
    planned = run_flow(context, "accounts", dry_run=True)
    assert (planned.outcome, planned.message) == (outcome, str(error))
    assert planned.misconfigured is result.misconfigured is isinstance(error, Misconfigured)


@pytest.mark.rule("OP-1", "OP-7")
@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), KeyboardInterrupt()])
def test_error_that_nobody_knows_is_recorded_without_its_words_and_raised(
    context: Context, erp: Troubled, error: BaseException
) -> None:
    erp.error = error
    with pytest.raises(type(error)):
        run_flow(context, "accounts")
    run = last_run(context)
    assert run.outcome == "failed"
    assert "secret" not in run.message
    assert run.finished_at is not None


@pytest.mark.rule("OP-1")
def test_flow_that_fails_does_not_keep_the_next_from_running(
    context: Context, erp: Troubled
) -> None:
    erp.error = AccessDenied("no")
    outcomes = {result.flow: result.outcome for result in run_cycle(context)}
    assert list(outcomes) == list(FLOWS)
    assert outcomes["accounts"] == "failed"
    assert outcomes["orders"] == "ok"


@pytest.mark.rule("OP-6")
def test_successful_run_is_recorded_with_its_times_and_counts(context: Context) -> None:
    result = run_flow(context, "accounts")
    run = last_run(context)
    assert (run.outcome, run.counts) == ("ok", result.counts)
    assert run.started_at == run.finished_at == context.clock.now()


@pytest.mark.rule("OP-2")
def test_how_far_a_run_is_is_kept_once_a_second_while_it_lasts(
    context: Context, erp: Troubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[RunStep, ...]] = []
    began = context.clock.now()

    def slow(context: Context, _result: FlowResult, _scope: object, *, dry_run: bool) -> None:
        for done in range(1, 21):
            assert isinstance(context.clock, ManualClock)
            context.clock.advance(0.25)
            assert not context.progress("accounts: comparing", done, 20)
            kept.append(last_run(context).steps)

    monkeypatch.setitem(FLOWS, "accounts", slow)  # type: ignore[arg-type]
    seen: list[int] = []

    def passed_on(step: str, done: int, total: int | None) -> bool:
        seen.append(done)
        return False

    run_flow(replace(context, progress=passed_on), "accounts")
    assert seen == list(range(1, 21))
    assert kept[:3] == [()] * 3
    told = [step for [step] in kept[3:]]
    assert sorted({(each.done, each.total) for each in told}) == [(4 * n, 20) for n in range(1, 6)]
    # How long it takes yet is told from the first word of the step on.
    assert {each.begun_with for each in told} == {1}
    assert {each.begun_at - began for each in told} == {timedelta(seconds=0.25)}
    assert last_run(context).steps == ()


@pytest.mark.rule("OP-2")
def test_step_that_begins_anew_is_told_from_there(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[RunStep] = []

    def again(context: Context, _result: FlowResult, _scope: object, *, dry_run: bool) -> None:
        for done in (10, 20, 5, 15):
            assert isinstance(context.clock, ManualClock)
            context.clock.advance(2)
            context.progress("accounts: comparing", done, 20)
            kept.extend(last_run(context).steps)

    monkeypatch.setitem(FLOWS, "accounts", again)  # type: ignore[arg-type]
    run_flow(context, "accounts")
    assert [each.begun_with for each in kept] == [10, 10, 5, 5]


@pytest.mark.rule("OP-1", "OP-2")
def test_run_goes_on_where_it_cannot_be_kept_how_far_it_is(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise TryLater("the state is away")

    def slow(context: Context, result: FlowResult, _scope: object, *, dry_run: bool) -> None:
        assert isinstance(context.clock, ManualClock)
        context.clock.advance(2)
        context.progress("accounts: comparing", 1, 2)
        result.count("unchanged")

    monkeypatch.setitem(FLOWS, "accounts", slow)  # type: ignore[arg-type]
    monkeypatch.setattr("sync.state.runs.SqlRuns.tell", away)
    assert run_flow(context, "accounts").counts == {"unchanged": 1}


@pytest.mark.rule("OP-2", "OP-3")
def test_run_says_that_nobody_is_mapped_where_it_asked_the_erp_about_no_account(
    context: Context,
) -> None:
    """Files that are missing, or an ERP that is away, are not noticed by such a run."""
    mapping = replace(context.mapping, assignments=(), precedence=(Source.MAPPING_FILE,))
    nobody = replace(context, mapping=mapping, accounts=AccountMap.of(mapping))
    told = {each.flow for each in run_cycle(nobody) if NOBODY_MAPPED in each.remarks}
    assert told >= {"accounts", "ship_tos", "invoices", "balances", "account_orders"}
    assert NOBODY_MAPPED not in run_flow(context, "invoices").remarks


@pytest.mark.rule("OP-2", "OP-3")
def test_run_says_that_no_order_is_open_where_it_asked_the_erp_about_none(
    context: Context,
) -> None:
    said = "No imported order is open, so the ERP was asked about none."
    assert said in run_flow(context, "order_status").remarks
    a_channel = ResyncScope(channel="trade")
    assert said not in run_flow(context, "order_status", a_channel).remarks


@pytest.mark.rule("OP-2")
def test_rehearsal_is_not_recorded_as_a_run(context: Context) -> None:
    run_flow(context, "accounts", dry_run=True)
    with context.state.transaction() as state:
        assert not state.runs.last()


def test_capability_that_a_system_lacks_is_named(context: Context) -> None:
    assert needs(context.erp, ReadsAccounts, "the ERP").accounts([]) == {}
    with pytest.raises(Misconfigured, match="the store's adapter does not submit orders"):
        needs(context.store, SubmitsOrders, "the store")


def test_flow_without_a_guard_of_its_own_has_the_default_one() -> None:
    own = Guard(removal_floor=1)
    limits = Limits(guards={"prices": own})
    assert limits.guard("prices") is own
    assert limits.guard("invoices") == Guard()


def test_day_is_that_of_the_erps_calendar(context: Context, erp: Troubled) -> None:
    far = Troubled(ManualClock(), replace(erp.capabilities, time_zone="Pacific/Kiritimati"))
    assert (replace(context, erp=far).today() - context.today()).days == 0
    assert isinstance(context.clock, ManualClock)
    context.clock.advance(2 * 3600)  # 11:00 in Greenwich is past midnight there
    assert (replace(context, erp=far).today() - context.today()).days == 1


def test_result_counts_what_is_there_and_sums_up_what_was_written() -> None:
    result = FlowResult("accounts")
    count: Callable[..., None] = result.count
    count("added", 2)
    count("added")
    count("changed", 0)
    count("unchanged", 7)
    count("withdrawn")
    assert result.counts == {"added": 3, "unchanged": 7, "withdrawn": 1}
    assert result.writes == 4


@pytest.mark.rule("OP-6")
@pytest.mark.parametrize("error", [None, TryLater("the ERP is away")])
def test_the_line_of_a_run_has_a_message_only_where_there_is_one(
    context: Context, erp: Troubled, error: SyncError | None
) -> None:
    erp.error = error
    with capture_logs() as told:
        run_flow(context, "accounts")
    [line] = [each for each in told if each["event"] == "run.finished"]
    assert line.get("message") == (None if error is None else str(error))
    assert ("message" in line) is (error is not None)
