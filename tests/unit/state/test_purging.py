"""What was overwritten leaves the files of the state (OP-9)."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

from sync.domain.erasure import Person
from sync.domain.order import Buyer
from sync.errors import TryLater
from sync.state import SqlState
from sync.state.engine import sqlite_file
from sync.state.purging import copies_of, purge
from sync.testing.builders import a_retail_order
from tests.unit.state.steps import Steps

pytestmark = pytest.mark.rule("OP-9")

EMAIL = "quirk@buyer.example"


def brought_in_and_erased(ledger: Steps) -> None:
    ledger.discover(a_retail_order(buyer=Buyer(email=EMAIL)))
    ledger.closed(ledger.claim())
    person = Person(email=EMAIL)
    with ledger.state.transaction() as on:
        found = on.erasure.of_person(person)
        assert on.erasure.erase(found, person, "ann", "asked", ledger.now).orders == 1


def test_on_both_databases_nothing_else_changes(
    engine: Engine, ledger: Steps, state: SqlState
) -> None:
    brought_in_and_erased(ledger)
    before = ledger.entry()
    purge(engine)
    assert ledger.entry() == before
    with engine.connect() as connection:
        told = connection.execute(text("SELECT payload FROM ledger")).scalars().all()
    assert all(EMAIL not in each for each in told)


def test_somebody_who_reads_all_the_time_keeps_the_log(
    sqlite_engine: Engine,
) -> None:
    file = sqlite_file(sqlite_engine.url)
    assert file is not None
    log = file.with_name(file.name + "-wal")
    with closing(sqlite3.connect(file)) as reader:
        reader.isolation_level = None
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM ledger").fetchone()
        with pytest.raises(TryLater, match="run again"):
            purge(sqlite_engine)
    purge(sqlite_engine)
    assert log.stat().st_size == 0


def test_somebody_who_writes_makes_it_wait(sqlite_engine: Engine) -> None:
    file = sqlite_file(sqlite_engine.url)
    assert file is not None
    with closing(sqlite3.connect(file)) as writer:
        writer.isolation_level = None
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryLater, match="locked"):
            purge(sqlite_engine)


def test_only_replaced_states_are_copies(sqlite_engine: Engine) -> None:
    file = sqlite_file(sqlite_engine.url)
    assert file is not None
    kept = file.with_name(f"{file.name}.replaced-20260301T000000Z")
    for each in (kept, file.with_name("other.replaced-1")):
        each.touch()
    assert copies_of(sqlite_engine.url) == [kept]
