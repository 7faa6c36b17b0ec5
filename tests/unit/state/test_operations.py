"""Watermarks, runs, requests, held plans, mapping versions and the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from sync.domain.times import Watermark
from sync.ports.state import HeldPlan, KeptMapping, RequestState, ResyncScope, RunStep
from sync.state import SqlState, mappings
from sync.state.runs import KEEP
from sync.state.schema import requests, runs
from sync.testing.builders import a_web_order
from sync.testing.clock import ManualClock
from tests.unit.state.steps import Steps

EVERYTHING = ResyncScope()


@pytest.mark.rule("OP-1")
def test_the_watermark_and_what_lies_behind_it_commit_together(
    state: SqlState, clock: ManualClock
) -> None:
    reached = Watermark(clock.now())

    def crash() -> None:
        with state.transaction() as on:
            on.ledger.discover(a_web_order(), clock.now())
            on.watermarks.set("orders", reached)
            raise ConnectionError("killed here")

    with pytest.raises(ConnectionError):
        crash()
    with state.transaction() as on:
        assert on.watermarks.get("orders") is None
        assert on.ledger.counts() == {}
        on.watermarks.set("orders", reached)
    with state.transaction() as on:
        assert on.watermarks.get("orders") == reached
        on.watermarks.set("orders", Watermark(clock.now() - timedelta(days=1)))
    with state.transaction() as on:
        assert on.watermarks.get("orders") == Watermark(clock.now() - timedelta(days=1))
        assert on.watermarks.get("prices") is None


@pytest.mark.rule("MI-2")
def test_watermarks_are_told_and_removed_by_how_their_names_begin(
    state: SqlState, clock: ManualClock
) -> None:
    at = Watermark(clock.now())
    names = ("a_b:C-1", "a_b:C-2", "A_B:C-3", "axb:C-4", "a_b")
    with state.transaction() as on:
        for each in names:
            on.watermarks.set(each, at)
    with state.transaction() as on:
        assert on.watermarks.beneath("a_b:") == {"C-1": at, "C-2": at}
        on.watermarks.remove(["a_b:C-1", "a_b:C-9"])
        on.watermarks.remove([])
    with state.transaction() as on:
        assert on.watermarks.beneath("a_b:") == {"C-2": at}
        assert [on.watermarks.get(each) for each in names[2:]] == [at] * 3


@pytest.mark.rule("OP-1")
def test_runs_of_a_dead_process_are_marked_as_such(state: SqlState, clock: ManualClock) -> None:
    with state.transaction() as on:
        on.runs.start("r-1", "orders", clock.now())
        on.runs.finish("r-1", "ok", {"imported": 3}, "", clock.now())
    clock.advance(60)
    with state.transaction() as on:
        on.runs.start("r-2", "orders", clock.now())
        on.runs.start("r-3", "prices", clock.now())
    clock.advance(60)
    with state.transaction() as on:
        assert on.runs.abandon_running(clock.now()) == 2
        assert on.runs.abandon_running(clock.now()) == 0
        newest, oldest = on.runs.last("orders")
    assert (newest.run_id, newest.outcome) == ("r-2", "failed")
    assert newest.finished_at == clock.now()
    assert (oldest.outcome, oldest.counts) == ("ok", {"imported": 3})


@pytest.mark.rule("OP-2")
def test_how_far_a_run_is_is_told_until_it_ends(state: SqlState, clock: ManualClock) -> None:
    steps = (
        RunStep("prices: comparing lists", 50, 200, 0, clock.now(), clock.now()),
        RunStep("prices: comparing rows", 7_000_000, None, 1, clock.now(), clock.now()),
    )
    with state.transaction() as on:
        for name in ("r-1", "r-2", "r-3"):
            on.runs.start(name, "prices", clock.now())
            on.runs.tell(name, steps[:1])
            on.runs.tell(name, steps)
        assert [run.steps for run in on.runs.last()] == [steps] * 3
        on.runs.finish("r-1", "ok", {}, "", clock.now())
        on.runs.tell("r-1", steps)
        on.runs.tell("r-9", steps)
        assert {run.run_id: run.steps for run in on.runs.last()} == {
            "r-1": (), "r-2": steps, "r-3": steps,
        }  # fmt: skip
        on.runs.abandon_running(clock.now())
        assert [run.steps for run in on.runs.last()] == [()] * 3


@pytest.mark.rule("OP-1")
def test_runs_for_a_part_can_be_left_out_and_older_ones_count_as_whole(
    state: SqlState, clock: ManualClock, engine: Engine
) -> None:
    for name, narrow in (("old", False), ("whole", False), ("part", True)):
        with state.transaction() as on:
            on.runs.start(name, "orders", clock.now(), narrow=narrow)
        clock.advance(1)
    with engine.begin() as connection:
        before_it_was_kept = update(runs).where(runs.c.run_id == "old").values(narrow=None)
        connection.execute(before_it_was_kept)
    with state.transaction() as on:
        every = [(run.run_id, run.narrow) for run in on.runs.last("orders")]
        whole = [run.run_id for run in on.runs.last("orders", whole=True)]
    assert every == [("part", True), ("whole", False), ("old", False)]
    assert whole == ["whole", "old"]


def test_a_run_that_never_started_cannot_finish(state: SqlState, clock: ManualClock) -> None:
    with pytest.raises(KeyError), state.transaction() as on:
        on.runs.finish("r-9", "ok", {}, "", clock.now())


def test_old_runs_make_room(state: SqlState, clock: ManualClock) -> None:
    with state.transaction() as on:
        on.runs.start("old", "orders", clock.now())
        on.runs.start("other", "prices", clock.now())
    clock.advance(KEEP.total_seconds() + 1)
    with state.transaction() as on:
        on.runs.start("new", "orders", clock.now())
        assert [run.run_id for run in on.runs.last()] == ["new", "other"]


@pytest.mark.rule("OP-2")
def test_requests_are_taken_in_the_order_in_which_they_were_asked(
    state: SqlState, clock: ManualClock
) -> None:
    scope = ResyncScope(customer="C-1", since=clock.now())
    with state.transaction() as on:
        first = on.requests.ask("prices", scope, "alice", clock.now())
        second = on.requests.ask("orders", EVERYTHING, "bob", clock.now())
    with state.transaction() as on:
        taken = on.requests.next(clock.now())
        assert taken is not None
        assert (taken.request_id, taken.scope, taken.actor) == (first, scope, "alice")
        assert taken.state is RequestState.RUNNING
        following = on.requests.next(clock.now())
        assert following is not None
        assert following.request_id == second
        assert on.requests.next(clock.now()) is None
        assert [request.request_id for request in on.requests.last()] == [second, first]


@pytest.mark.rule("OP-2")
def test_a_request_shows_progress_and_a_result(state: SqlState, clock: ManualClock) -> None:
    with state.transaction() as on:
        name = on.requests.ask("prices", EVERYTHING, "alice", clock.now())
        on.requests.next(clock.now())
        assert on.requests.progress(name, 5, 20) is False
        running = on.requests.get(name)
        assert running is not None
        assert (running.done, running.total) == (5, 20)
        on.requests.finish(name, RequestState.DONE, "fine", {"changed": 7}, clock.now())
        over = on.requests.get(name)
    assert over is not None
    assert (over.state, over.message, over.result) == (RequestState.DONE, "fine", {"changed": 7})


@pytest.mark.rule("OP-2")
def test_a_queued_request_is_cancelled_at_once_a_running_one_when_it_next_looks(
    state: SqlState, clock: ManualClock
) -> None:
    with state.transaction() as on:
        running = on.requests.ask("prices", EVERYTHING, "alice", clock.now())
        on.requests.next(clock.now())
        queued = on.requests.ask("orders", EVERYTHING, "alice", clock.now())
        assert on.requests.cancel(queued)
        assert on.requests.cancel(running)
        assert on.requests.next(clock.now()) is None
        assert on.requests.progress(running, 1, None) is True
        on.requests.finish(running, RequestState.CANCELLED, "", {}, clock.now())
        assert not on.requests.cancel(running)
        assert not on.requests.cancel(queued)


@pytest.mark.rule("OP-1", "OP-2")
def test_a_request_that_a_dead_process_had_begun_is_queued_again(
    state: SqlState, clock: ManualClock
) -> None:
    with state.transaction() as on:
        again = on.requests.ask("prices", EVERYTHING, "alice", clock.now())
        given_up = on.requests.ask("orders", EVERYTHING, "alice", clock.now())
        on.requests.next(clock.now())
        on.requests.next(clock.now())
        on.requests.progress(again, 5, 20)
        on.requests.cancel(given_up)
    with state.transaction() as on:
        assert on.requests.requeue_running() == 1
        taken = on.requests.next(clock.now())
        assert taken is not None
        assert (taken.request_id, taken.done, taken.total) == (again, 0, None)
        cancelled = on.requests.get(given_up)
        assert cancelled is not None
        assert cancelled.state is RequestState.CANCELLED


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize(
    "scope",
    [
        '{"customer":"C-1","everything":[erased],"is":"ResyncScope"}',
        '{"[erased]":"C-1","is":"ResyncScope"}',
        '{"warehouse":"7","is":"ResyncScope"}',
        '{"since":"[erased]-03-03","is":"ResyncScope"}',
        '"everything"',
        "[]",
        "null",
        "",
    ],
)
def test_a_request_that_cannot_be_read_is_never_taken_for_one_of_everything(
    state: SqlState, clock: ManualClock, engine: Engine, scope: str
) -> None:
    with state.transaction() as on:
        odd = on.requests.ask("prices", EVERYTHING, "alice", clock.now())
        good = on.requests.ask("orders", EVERYTHING, "bob", clock.now())
    with engine.begin() as connection:
        one = requests.c.id == int(odd.removeprefix("r"))
        connection.execute(update(requests).where(one).values(scope=scope))
    with state.transaction() as on:
        assert [each.request_id for each in on.requests.last()] == [good, odd]
        waiting = on.requests.get(odd)
        assert waiting is not None
        assert (waiting.state, waiting.scope.narrow) == (RequestState.QUEUED, True)
        with capture_logs() as logs:
            taken = on.requests.next(clock.now())
        assert taken is not None
        assert taken.request_id == good
        assert [(each["event"], each["request"]) for each in logs] == [("request.unreadable", odd)]
        failed = on.requests.get(odd)
    assert failed is not None
    assert failed.state is RequestState.FAILED
    assert failed.message == (
        f"What {odd} asks for cannot be read, so nothing was done; ask again:"
        " tradesync resync prices"
    )


@pytest.mark.rule("OP-8")
def test_the_request_of_another_pipeline_is_unknown(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    mine, other = state_of(), state_of()
    with mine.transaction() as on:
        name = on.requests.ask("prices", EVERYTHING, "alice", clock.now())
    with other.transaction() as on:
        assert on.requests.next(clock.now()) is None
        assert on.requests.get(name) is None
        assert not on.requests.cancel(name)
        with pytest.raises(KeyError):
            on.requests.progress(name, 1, 1)


@pytest.mark.parametrize("name", ["", "r", "7x", "r-1", "r99999999999999999999", "r²"])
def test_a_request_id_that_is_none_is_just_unknown(state: SqlState, name: str) -> None:
    with state.transaction() as on:
        assert on.requests.get(name) is None
        assert not on.requests.cancel(name)


def held(clock: ManualClock, plan_id: str = "prices-1", digest: str = "d1") -> HeldPlan:
    reason = "90 of 100 would disappear"
    return HeldPlan(plan_id, "prices", digest, reason, {"removed": 90}, clock.now())


@pytest.mark.rule("MI-3")
def test_only_exactly_the_confirmed_plan_may_go_through(
    state: SqlState, clock: ManualClock
) -> None:
    with state.transaction() as on:
        on.plans.hold(held(clock))
        assert not on.plans.confirmed("prices", "d1")
        confirmed = on.plans.confirm("prices-1", "alice", clock.now())
        assert confirmed is not None
        assert (confirmed.confirmed_by, confirmed.counts) == ("alice", {"removed": 90})
    with state.transaction() as on:
        assert on.plans.confirmed("prices", "d1")
        assert not on.plans.confirmed("prices", "d2")
        assert not on.plans.confirmed("invoices", "d1")


@pytest.mark.rule("MI-3")
def test_the_same_plan_held_again_keeps_its_id_and_its_confirmation(
    state: SqlState, clock: ManualClock
) -> None:
    first = held(clock)
    with state.transaction() as on:
        on.plans.hold(first)
        on.plans.confirm("prices-1", "alice", clock.now())
        on.plans.hold(held(clock, plan_id="prices-2"))
        assert [plan.plan_id for plan in on.plans.open()] == ["prices-1"]
        assert on.plans.confirmed("prices", "d1")


@pytest.mark.rule("MI-3")
def test_a_plan_that_went_through_must_be_confirmed_anew_when_it_returns(
    state: SqlState, clock: ManualClock
) -> None:
    with state.transaction() as on:
        on.plans.hold(held(clock))
        on.plans.confirm("prices-1", "alice", clock.now())
        on.plans.clear("invoices")
        assert len(on.plans.open()) == 1
        on.plans.clear("prices")
        assert on.plans.open() == []
        assert not on.plans.confirmed("prices", "d1")
        assert on.plans.confirm("prices-1", "alice", clock.now()) is None
        on.plans.hold(held(clock))
        assert not on.plans.confirmed("prices", "d1")
        assert len(on.plans.open()) == 1


def test_one_plan_id_never_stands_for_two_plans(state: SqlState, clock: ManualClock) -> None:
    with state.transaction() as on:
        on.plans.hold(held(clock))
        with pytest.raises(ValueError, match="its ID is taken"):
            on.plans.hold(held(clock, digest="d2"))


@pytest.mark.rule("OP-4")
def test_the_last_good_mapping_survives_with_its_files(state: SqlState, clock: ManualClock) -> None:
    files = {"customers.yaml": "# Größe\nu-1: C-1\n"}
    with state.transaction() as on:
        assert on.mappings.last_good() is None
        on.mappings.save_good("v1", files, clock.now())
        on.mappings.note_refused("v2", ("customers.yaml:2: unknown column",), clock.now())
    with state.transaction() as on:
        good = on.mappings.last_good()
        assert good is not None
        assert (good.version, good.files, good.at) == ("v1", files, clock.now())
        assert good.refused_version == "v2"
        assert good.refused_problems == ("customers.yaml:2: unknown column",)
        on.mappings.note_refused("v3", ("still wrong",), clock.now())
        on.mappings.save_good("v4", files, clock.now())
        later = on.mappings.last_good()
    assert later is not None
    assert (later.version, later.refused_version, later.refused_problems) == ("v4", None, ())
    assert (good.before, later.before) == (None, files)


def test_going_back_to_an_earlier_mapping_makes_it_the_last_good_one(
    state: SqlState, clock: ManualClock
) -> None:
    with state.transaction() as on:
        for version in ("v1", "v2", "v1"):
            on.mappings.save_good(version, {"a": version}, clock.now())
        for number in range(mappings.KEEP_AT_MOST + 1):
            on.mappings.save_good(f"w{number}", {}, clock.now())
        on.mappings.save_good("v1", {"a": "v1"}, clock.now())
        good = on.mappings.last_good()
    assert good is not None
    assert good.version == "v1"


@pytest.mark.rule("OP-4")
def test_each_version_is_kept_with_its_files_and_what_is_in_it(
    state: SqlState, clock: ManualClock
) -> None:
    begun = clock.now()
    with state.transaction() as on:
        assert on.mappings.kept() == []
        on.mappings.save_good("v1", {"a": "one"}, begun, {"assignments": 3})
        on.mappings.save_good("v2", {"a": "two"}, begun + timedelta(minutes=1))
        on.mappings.save_good("v1", {"a": "one"}, begun + timedelta(minutes=2), {"assignments": 3})
    with state.transaction() as on:
        assert list(on.mappings.kept()) == [
            KeptMapping("v1", begun + timedelta(minutes=2), {"assignments": 3}),
            KeptMapping("v2", begun + timedelta(minutes=1), {}),
            KeptMapping("v1", begun, {"assignments": 3}),
        ]
        assert on.mappings.files_of("v2") == {"a": "two"}
        assert on.mappings.files_of("v3") is None


@pytest.mark.rule("OP-4")
def test_large_versions_are_given_up_sooner_but_never_the_last_few(
    state: SqlState, state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    large = {"a": "x" * (mappings.KEEP_CHARACTERS // 2)}
    with state.transaction() as on:
        for number in range(mappings.KEEP_AT_MOST + 5):
            on.mappings.save_good(f"v{number}", {}, clock.now())
        assert len(on.mappings.kept()) == mappings.KEEP_AT_MOST
    with state_of().transaction() as other:
        other.mappings.save_good("v0", {"a": "another pipeline's"}, clock.now())
    with state.transaction() as on:
        for number in range(mappings.KEEP - 3):
            on.mappings.save_good(f"w{number}", large, clock.now())
        left = [each.version for each in on.mappings.kept()]
        assert left[-3:] == ["v104", "v103", "v102"]
        assert len(left) == mappings.KEEP


@pytest.mark.rule("OI-2")
def test_what_people_did_is_kept_newest_first(state: SqlState, clock: ManualClock) -> None:
    with state.transaction() as on:
        on.audit.note("alice", "plan.confirmed", "prices-1", "year-end prices", clock.now())
        on.audit.note("bob", "service.paused", "prices", "", clock.now())
        newest, oldest = on.audit.entries()
        assert len(on.audit.entries(limit=1)) == 1
    assert (newest.actor, newest.action, newest.subject) == ("bob", "service.paused", "prices")
    assert (oldest.subject, oldest.reason) == ("prices-1", "year-end prices")


def test_a_transaction_within_another_is_a_programming_error(
    state: SqlState, state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    def nested() -> None:
        with state.transaction(), state_of().transaction():
            pass

    with pytest.raises(RuntimeError, match="open already"):
        nested()
    assert Steps(state, clock).due() == []
