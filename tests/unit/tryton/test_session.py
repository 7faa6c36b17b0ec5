"""Signing in, staying signed in, and what becomes of errors on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from erp_adapters.tryton.session import FIRST_PAUSE_S
from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    SyncError,
    TryLater,
)
from sync.testing.clock import ManualClock
from tests.unit.tryton.tryton_kit import PASSWORD, FakeTryton, Refuses, Status, rpc

READ = "model.sale.sale.read"


def ended(times: int) -> Any:
    """Answers 401 so often, and then well."""
    left = times

    def answer(_: list[Any]) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise Status(401)
        return [{"id": 1}]

    return answer


@pytest.mark.rule("WA-7")
def test_every_call_carries_the_company_and_nothing_of_the_screen(fake: FakeTryton) -> None:
    fake.answers[READ] = lambda _: [{"id": 1}]
    session = rpc()
    assert session.read(READ, [1], ["number"], quantity=2.0) == [{"id": 1}]
    [params] = fake.called(READ)
    assert params[-1] == {"company": 1, "companies": [1], "language": "en", "quantity": 2}
    session.close()


@pytest.mark.rule("WA-7")
def test_a_user_without_a_company_is_misconfigured_and_reads_nothing(fake: FakeTryton) -> None:
    """Tryton would answer every price with null, and no error."""
    fake.answers["model.res.user.get_preferences"] = lambda _: {"company": None, "language": "en"}
    session = rpc()
    with pytest.raises(Misconfigured, match="no company"):
        session.read("model.product.product.read", [1], ["sale_price_uom"])
    assert fake.called("model.product.product.read") == []
    session.close()


def test_a_session_that_ended_is_renewed_once_and_the_call_repeated(fake: FakeTryton) -> None:
    keys = iter(["first", "second"])
    fake.answers["common.db.login"] = lambda _: [7, next(keys), None]
    fake.answers["model.sale.sale.create"] = ended(1)
    session = rpc()
    assert session.write("model.sale.sale.create", [{}]) == [{"id": 1}]
    assert len(fake.called("common.db.login")) == 2
    assert fake.tokens[-1] != fake.tokens[-3]
    session.close()


def test_a_server_that_ends_every_session_is_not_asked_in_a_loop(fake: FakeTryton) -> None:
    fake.answers[READ] = ended(100)
    session = rpc()
    session.context  # noqa: B018 - signs in
    with pytest.raises(AccessDenied):
        session.read(READ, [1], [])
    assert len(fake.called(READ)) == 2
    assert len(fake.called("common.db.login")) == 2
    session.close()


@pytest.mark.parametrize("answer", [Status(401), Status(429)], ids=["refused", "too many"])
def test_a_refused_login_is_left_alone_for_longer_and_longer(
    fake: FakeTryton, answer: Exception
) -> None:
    """After six refusals Tryton answers 429; a seventh try keeps the user locked out."""

    def refuse(_: list[Any]) -> Any:
        raise answer

    fake.answers["common.db.login"] = refuse
    clock = ManualClock()
    session = rpc(clock)
    for pause in (FIRST_PAUSE_S, 2 * FIRST_PAUSE_S):
        before = len(fake.called("common.db.login"))
        for _ in range(5):
            with pytest.raises(AccessDenied):
                session.read(READ, [1], [])
        assert len(fake.called("common.db.login")) == before + 1
        clock.advance(pause)
    session.close()


def test_the_right_password_works_again_after_the_pause(fake: FakeTryton) -> None:
    good = fake.answers["common.db.login"]

    def refuse(_: list[Any]) -> Any:
        raise Status(401)

    fake.answers["common.db.login"], fake.answers[READ] = refuse, lambda _: []
    clock = ManualClock()
    session = rpc(clock)
    with pytest.raises(AccessDenied):
        session.read(READ, [1], [])
    fake.answers["common.db.login"] = good
    clock.advance(FIRST_PAUSE_S)
    assert session.read(READ, [1], []) == []
    session.close()


def test_the_password_is_in_no_message(fake: FakeTryton) -> None:
    def refuse(_: list[Any]) -> Any:
        raise Refuses("LoginException", ["password", f"Password {PASSWORD}", "password"])

    fake.answers["common.db.login"] = refuse
    session = rpc()
    with pytest.raises(AccessDenied) as denied:
        session.read(READ, [1], [])
    assert PASSWORD not in f"{denied.value!r} {denied.value.__cause__!r}"
    session.close()


def test_a_server_that_is_still_loading_is_asked_again_later(fake: FakeTryton) -> None:
    """Right after its start Tryton answers the first login with the name of a model."""

    def loading(_: list[Any]) -> Any:
        raise Refuses("'res.user'", "")

    fake.answers["common.db.login"] = loading
    session = rpc()
    with pytest.raises(TryLater):
        session.read(READ, [1], [])
    session.close()


ERRORS: dict[str, tuple[Exception, type[SyncError], type[SyncError]]] = {
    "a rule": (Refuses("UserError", ["No.", "Because.", None]), Rejected, Rejected),
    "a warning": (Refuses("UserWarning", ["w1", "Sure?", ""]), Rejected, Rejected),
    "somebody else": (Refuses("ConcurrencyException", "modified"), Conflict, Conflict),
    "an unknown field": (Refuses("'nope'", ""), Misconfigured, Misconfigured),
    "a locked database": (Refuses("database is locked", ""), TryLater, TryLater),
    "a database that went away": (
        Refuses("server closed the connection unexpectedly", ""),
        TryLater,
        OutcomeUnknown,
    ),
    "a mistake of theirs": (Refuses("division by zero", ""), Misconfigured, OutcomeUnknown),
    "no such database": (Status(404), Misconfigured, Misconfigured),
    "a method that is not allowed": (Status(403), AccessDenied, AccessDenied),
    "a server that broke": (Status(500), TryLater, OutcomeUnknown),
}


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_says_what_may_be_done_next(fake: FakeTryton, name: str) -> None:
    thrown, reading, writing = ERRORS[name]

    def fail(_: list[Any]) -> Any:
        raise thrown

    fake.answers["model.x.do"] = fail
    session = rpc()
    with pytest.raises(reading):
        session.read("model.x.do")
    with pytest.raises(writing):
        session.write("model.x.do")
    session.close()


def test_a_refusal_tells_tryton_s_own_sentence_without_addresses_of_people(
    fake: FakeTryton,
) -> None:
    def fail(_: list[Any]) -> Any:
        raise Refuses("UserError", ["The mail ada@visser.example is taken.", "Choose.", [["x"]]])

    fake.answers["model.x.do"] = fail
    session = rpc()
    with pytest.raises(Rejected, match=r"The mail \*\*\* is taken\. Choose\.$") as refusal:
        session.write("model.x.do")
    assert (refusal.value.code, bool(refusal.value.remedy)) == ("erp_rule", True)
    session.close()


def test_the_server_s_clock_is_that_of_its_answers(fake: FakeTryton) -> None:
    fake.answers["common.server.version"] = lambda _: "8.2"
    session = rpc()
    assert session.server_clock() == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert fake.called("common.db.login") == []
    session.close()
