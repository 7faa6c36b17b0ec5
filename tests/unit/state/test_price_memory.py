"""What the store has confirmed of prices, on both databases; vectors are kept once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.domain.ids import ChannelId, CustomerId, LocationId, StoreId
from sync.domain.pricing import DEFAULT_LIST, Audience, AudienceKind, PriceScope
from sync.ports.erp import FindingLevel
from sync.ports.price_memory import Confirmed, PackedVector, Partition, Stated
from sync.state import SqlState, open_state
from sync.state.verifying import verify_file
from sync.testing.clock import ManualClock
from tests.unit.state.cost import instructions
from tests.unit.state.test_opening import state_on

C1, C2 = CustomerId("C-1"), CustomerId("c-1")
OWN: Partition = (Audience(AudienceKind.ACCOUNT, "C-1"), PriceScope.account(C1))
OTHER: Partition = (Audience(AudienceKind.ACCOUNT, "c-1"), PriceScope.account(C2))
SITE: Partition = (
    Audience(AudienceKind.LOCATION, "S-1"),
    PriceScope.location(LocationId("S-1")),
)
EVERYBODY: Partition = (Audience(AudienceKind.PUBLIC, "R", ChannelId("web")), DEFAULT_LIST)
ALL = (OWN, OTHER, SITE, EVERYBODY)


def name(number: int) -> bytes:
    return bytes([number]) * 16


def whole(number: int) -> PackedVector:
    return PackedVector(name(number), None, f"vector {number}".encode())


def confirmed(number: int, shown: int = 3) -> Confirmed:
    return Confirmed(name(number), name(255), date(2026, 2, 28), shown)


def fill(state: SqlState) -> None:
    """All are made of vector 1."""
    with state.transaction() as on:
        on.price_memory.keep([whole(1)])
        on.price_memory.confirm(dict.fromkeys(ALL, confirmed(1)))


def held(state: SqlState) -> set[Partition]:
    with state.transaction() as on:
        return set(on.price_memory.confirmed())


def test_what_many_partitions_have_in_common_is_there_once(state: SqlState) -> None:
    fill(state)
    with state.transaction() as on:
        told = on.price_memory.confirmed()
    assert len(told) == len(ALL)
    assert len({id(each.rules) for each in told.values()}) == 1
    assert len({id(each.day) for each in told.values()}) == 1
    own = [scope.owner is audience.key for audience, scope in told if scope.owner == audience.key]
    assert len(own) == 3
    assert all(own)


def test_what_was_confirmed_is_told_until_it_is_forgotten(state: SqlState) -> None:
    fill(state)
    with state.transaction() as on:
        assert on.price_memory.confirmed() == dict.fromkeys(ALL, confirmed(1))
        on.price_memory.confirm({OWN: confirmed(1, shown=7)})
        assert on.price_memory.confirmed()[OWN].shown == 7
        on.price_memory.forget([OWN, EVERYBODY])
    assert held(state) == {OTHER, SITE}
    with state.transaction() as on:
        on.price_memory.forget_all()
    assert held(state) == set()


def test_vector_is_told_with_the_one_that_it_differs_from(state: SqlState) -> None:
    differing = PackedVector(name(2), name(1), b"a difference")
    with state.transaction() as on:
        on.price_memory.keep([whole(1), differing, whole(1)])
        on.price_memory.keep([PackedVector(name(2), None, b"is there already")])
        told = on.price_memory.vectors([name(2), name(9)])
    assert told == {name(2): differing, name(1): whole(1)}


def test_vectors_are_given_up_once_nothing_needs_them(state: SqlState) -> None:
    fill(state)
    with state.transaction() as on:
        on.price_memory.keep([PackedVector(name(2), name(1), b"a difference"), whole(3)])
        on.price_memory.confirm(dict.fromkeys(ALL, confirmed(2)))
        assert on.price_memory.tidy() == 1  # the third
        # The first is nobody's any more, but the second cannot be read without it.
        assert on.price_memory.vectors([name(1), name(2)]).keys() == {name(1), name(2)}
        on.price_memory.forget(ALL)
        assert on.price_memory.tidy() == 2
        assert not on.price_memory.vectors([name(1), name(2)])


def test_account_is_forgotten_with_its_sites_and_nobody_else(state: SqlState) -> None:
    fill(state)
    with state.transaction() as on:
        on.price_memory.forget_account(C1, [LocationId("S-2")])
    assert held(state) == {OTHER, SITE, EVERYBODY}
    with state.transaction() as on:
        on.price_memory.forget_account(C1)
    assert held(state) == {OTHER, EVERYBODY}


def stated(number: int, ends: date | None = None) -> Stated:
    return Stated(name(100 + number), name(number), date(2026, 2, 28), ends)


def test_what_the_erp_said_is_told_with_its_vector_for_as_long_as_that_is_kept(
    state: SqlState,
) -> None:
    own, site, everybody = OWN[1], SITE[1], EVERYBODY[1]
    with state.transaction() as on:
        on.price_memory.keep([whole(1), whole(2)])
        told = {own: stated(1, date(2026, 3, 1)), site: stated(2), everybody: stated(9)}
        on.price_memory.remember(told)
        # Of the last the vector is not kept: it is to be read again.
        assert on.price_memory.stated() == {own: told[own], site: told[site]}
        on.price_memory.remember({site: stated(1)})
        assert on.price_memory.tidy() == 1
        assert on.price_memory.stated() == {own: told[own], site: stated(1)}
        assert on.price_memory.vectors([name(1), name(2)]).keys() == {name(1)}
        on.price_memory.forget_stated([own])
        assert on.price_memory.stated() == {site: stated(1)}
        on.price_memory.forget_all()
        assert on.price_memory.stated() == {}
        assert on.price_memory.tidy() == 1


def test_what_the_erp_said_of_an_account_is_forgotten_with_it(state: SqlState) -> None:
    scopes = [each[1] for each in ALL]
    with state.transaction() as on:
        on.price_memory.keep([whole(1)])
        on.price_memory.remember(dict.fromkeys(scopes, stated(1)))
        on.price_memory.forget_account(C1, [LocationId("S-2")])
        assert set(on.price_memory.stated()) == {OTHER[1], SITE[1], EVERYBODY[1]}
        on.price_memory.forget_account(C2, [LocationId("S-1")])
        assert set(on.price_memory.stated()) == {EVERYBODY[1]}


def test_what_the_erp_said_is_of_one_pipeline(state_of: Callable[..., SqlState]) -> None:
    one, other = state_of("states-one"), state_of("states-other")
    for each in (one, other):
        with each.transaction() as on:
            on.price_memory.keep([whole(1)])
            on.price_memory.remember({OWN[1]: stated(1)})
    with other.transaction() as on:
        on.price_memory.forget_all()
        assert on.price_memory.tidy() == 1
    with one.transaction() as on:
        assert on.price_memory.stated() == {OWN[1]: stated(1)}


@pytest.mark.rule("MI-2")
def test_what_the_erp_said_is_remembered_in_pieces_at_the_same_cost_each(
    sqlite_engine: Engine, clock: ManualClock
) -> None:
    """Counted in SQLite's own instructions, not in seconds."""
    state = state_on(sqlite_engine, clock)

    def remember(numbers: range) -> None:
        scopes = [PriceScope.account(CustomerId(f"C-{number}")) for number in numbers]
        with state.transaction() as on:
            on.price_memory.keep([whole(1)])
            on.price_memory.remember(dict.fromkeys(scopes, stated(1)))

    alone = instructions(sqlite_engine, lambda: remember(range(50)))
    remember(range(50, 5050))
    assert instructions(sqlite_engine, lambda: remember(range(5050, 5100))) <= 2 * alone


@pytest.mark.rule("MI-2")
def test_partitions_are_confirmed_in_pieces_at_the_same_cost_each(
    sqlite_engine: Engine, clock: ManualClock
) -> None:
    state = state_on(sqlite_engine, clock)

    def confirm(numbers: range) -> None:
        keys = [f"C-{number}" for number in numbers]
        partitions = [
            (Audience(AudienceKind.ACCOUNT, each), PriceScope.account(CustomerId(each)))
            for each in keys
        ]
        with state.transaction() as on:
            on.price_memory.keep([whole(1)])
            on.price_memory.confirm(dict.fromkeys(partitions, confirmed(1)))

    alone = instructions(sqlite_engine, lambda: confirm(range(50)))
    confirm(range(50, 5050))
    assert instructions(sqlite_engine, lambda: confirm(range(5050, 5100))) <= 2 * alone


def test_what_the_erp_said_is_given_up_once_its_vector_is_gone(
    sqlite_engine: Engine, clock: ManualClock
) -> None:
    state = state_on(sqlite_engine, clock)
    with state.transaction() as on:
        on.price_memory.keep([whole(1)])
        on.price_memory.remember({OWN[1]: stated(1)})
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM price_vectors")
    with state.transaction() as on:
        on.price_memory.tidy()
        on.price_memory.keep([whole(1)])
        assert on.price_memory.stated() == {}


def test_pipelines_and_stores_know_nothing_of_each_other(
    state_of: Callable[..., SqlState],
) -> None:
    one, other = state_of("price-one"), state_of("price-other")
    elsewhere = state_of("price-one", store=StoreId("another"))
    fill(one)
    assert held(other) == held(elsewhere) == set()
    with other.transaction() as on:
        on.price_memory.forget_all()
        assert not on.price_memory.vectors([name(1)])
        assert on.price_memory.tidy() == 0
    assert held(one) == set(ALL)
    # The pipeline has got another store: the old one's word counts for nothing there.
    with elsewhere.transaction() as on:
        on.price_memory.tidy()
    assert held(one) == set()


def test_many_partitions_go_in_and_out_together(state: SqlState) -> None:
    many: dict[Partition, Confirmed] = {
        (Audience(AudienceKind.ACCOUNT, f"C-{n}"), PriceScope.account(CustomerId(f"C-{n}"))): (
            confirmed(1, n)
        )
        for n in range(700)
    }
    with state.transaction() as on:
        on.price_memory.keep([whole(n) for n in range(250)])
        on.price_memory.confirm(many)
        assert on.price_memory.confirmed() == many
        on.price_memory.forget(many)
        assert on.price_memory.confirmed() == {}


def test_state_gives_back_the_room_of_vectors(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "state.sqlite"
    engine = open_state(f"sqlite:///{file}")
    state = state_on(engine, clock)
    big = PackedVector(name(1), None, bytes(4_000_000))
    with state.transaction() as on:
        on.price_memory.keep([big])
        on.price_memory.confirm({OWN: confirmed(1)})
    with state.transaction() as on:
        on.price_memory.forget([OWN])
        on.price_memory.tidy()
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert file.stat().st_size < 1_000_000


def test_log_of_the_state_gives_back_its_room(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.state.engine.LOG_LIMIT_BYTES", 200_000)
    file = tmp_path / "state.sqlite"
    log = file.with_name("state.sqlite-wal")
    engine = open_state(f"sqlite:///{file}")
    state = state_on(engine, clock)
    with state.transaction() as on:
        on.price_memory.keep([PackedVector(name(1), None, bytes(4_000_000))])
        on.price_memory.confirm({OWN: confirmed(1)})
    assert log.stat().st_size > 4_000_000
    for number in range(3):
        with state.transaction() as on:
            on.price_memory.confirm({OWN: confirmed(1, shown=number)})
    assert log.stat().st_size <= 200_000
    engine.dispose()


def test_partition_without_its_vector_is_found(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "state.sqlite"
    engine: Engine = open_state(f"sqlite:///{file}")
    state = state_on(engine, clock)
    fill(state)
    with state.transaction() as on:
        on.price_memory.keep([PackedVector(name(2), name(7), b"a difference from nothing")])
        on.price_memory.confirm({OWN: confirmed(2), SITE: confirmed(9)})
        # What it leaves is no partition.
        on.price_memory.forget_account(CustomerId("C-9"), [])
    engine.dispose()
    found = {each.subject: each for each in verify_file(file)}["prices"]
    assert found.level is FindingLevel.WARNING
    assert "2 of 4" in found.message


def test_partition_without_its_vector_is_not_told_and_its_vector_can_be_kept_anew(
    state: SqlState,
) -> None:
    fill(state)
    orphan = PackedVector(name(2), name(7), b"a difference from nothing")
    with state.transaction() as on:
        on.price_memory.keep([orphan])
        on.price_memory.confirm({OWN: confirmed(2), SITE: confirmed(9)})
    assert held(state) == {OTHER, EVERYBODY}
    with state.transaction() as on:
        on.price_memory.keep([whole(2), whole(9)])
        on.price_memory.confirm({OWN: confirmed(2), SITE: confirmed(9)})
    assert held(state) == set(ALL)
    with state.transaction() as on:
        assert on.price_memory.vectors([name(2)]) == {name(2): whole(2)}


def test_account_that_was_forgotten_is_told_until_it_is_tidy(state: SqlState) -> None:
    fill(state)
    account, site = (AudienceKind.ACCOUNT, "C-1"), (AudienceKind.LOCATION, "S-1")
    with state.transaction() as on:
        on.price_memory.forget_account(C1, [LocationId("S-1")])
        first = dict(on.price_memory.forgotten())
        on.price_memory.forget_account(C1, [LocationId("S-1")])
        again = dict(on.price_memory.forgotten())
    assert first.keys() == again.keys() == {account, site}
    assert not first.items() & again.items()
    assert held(state) == {OTHER, EVERYBODY}
    with state.transaction() as on:
        on.price_memory.forget_account(C1)
        assert (AudienceKind.LOCATION, "") in on.price_memory.forgotten()
        on.price_memory.tidy()
        assert not on.price_memory.forgotten()
    assert held(state) == {OTHER, EVERYBODY}
