"""Statements that go straight to the driver fail, and are answered, as through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.running import lane
from erp_adapters.sql.statement import Statement, scan
from sync.domain.ids import IdempotencyKey
from sync.errors import Rejected
from sync.testing import builders as a
from tests import postgres
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables

ADD = scan("INSERT INTO things (no, name) VALUES (:no, :name)")
RENAME = scan("UPDATE things SET name = :name WHERE no = :no")
READ = scan("SELECT no, name AS CALLED FROM things ORDER BY no")


@pytest.fixture(scope="module")
def server() -> Iterator[Engine]:
    with postgres.database() as url:
        engine = create_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    made: Engine
    if request.param == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path / 'things.db'}")
    else:
        made = request.getfixturevalue("server")
    with made.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS things"))
        connection.execute(text("CREATE TABLE things (no INTEGER PRIMARY KEY, name TEXT)"))
    yield made
    made.dispose()


def test_every_statement_is_answered_in_its_place(engine: Engine) -> None:
    with engine.begin() as connection, lane(connection, [ADD, RENAME, READ]) as running:
        running.send(ADD, {"no": 1, "name": "bolt 100 %"})
        running.send(ADD, {"no": 2, "name": None})
        running.send(RENAME, {"no": 3, "name": "nobody"})
        running.send(READ, {})
        added, again, renamed, read = running.replies()
        assert (added.count, again.count, renamed.count) == (1, 1, 0)
        assert [reply.rows for reply in (added, again, renamed)] == [None, None, None]
        assert [name.lower() for name in read.names] == ["no", "called"]
        assert [tuple(row) for row in read.rows or ()] == [(1, "bolt 100 %"), (2, None)]


def run(engine: Engine, *sent: tuple[Statement, dict[str, Any]]) -> list[int]:
    """What each statement touched, up to the first that fails, whose error is noted at it."""
    counts: list[int] = []
    try:
        with engine.begin() as connection, lane(connection, [sql for sql, _ in sent]) as running:
            for sql, values in sent:
                running.send(sql, values)
                if not running.waits:
                    counts += [reply.count for reply in running.replies()]
            for reply in running.replies():
                counts.append(reply.count)
    except DBAPIError as error:
        error.add_note(f"after {counts}")
        raise
    return counts


def test_error_comes_in_the_place_of_the_statement_that_it_is_about(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as caught:
        run(
            engine,
            (ADD, {"no": 1, "name": "bolt"}),
            (RENAME, {"no": 7, "name": "nobody"}),
            (ADD, {"no": 1, "name": "secret"}),
            (ADD, {"no": 2, "name": "nut"}),
        )
    assert caught.value.__notes__ == ["after [1, 0]"]
    assert "secret" not in str(caught.value)
    assert not caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM things")) == 0


def test_lost_connection_is_not_used_again(server: Engine) -> None:
    end = scan("SELECT pg_terminate_backend(pg_backend_pid()), CAST(:name AS TEXT)")
    with pytest.raises(DBAPIError) as caught:
        run(server, (end, {"name": "x"}))
    assert caught.value.connection_invalidated
    with server.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_several_statements_in_one_text_stay_possible(server: Engine) -> None:
    both = scan("SELECT 1 AS one; SELECT 2 AS two")
    with server.begin() as connection, lane(connection, [both]) as running:
        running.send(both, {})
        assert len(list(running.replies())) == 1


@pytest.fixture
def harbour() -> Iterator[tuple[Any, Engine]]:
    with postgres.database() as url:
        engine = create_engine(url)
        create_tables(engine)
        world = HarbourWorld(engine)
        world.add_account(a.an_account())
        world.add_ship_to(a.a_ship_to())
        world.add_item(a.an_item())
        erp = SqlErpAdapter.from_settings({"url": url, "profile": str(PROFILE)}, {}, Path("/"))
        yield erp, engine
        erp.close()
        engine.dispose()


def test_order_needs_no_round_trip_for_each_line(
    harbour: tuple[Any, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    pipeline = psycopg.Connection.pipeline

    def counted(connection: Any) -> Any:
        waits.append(connection)
        return pipeline(connection)

    monkeypatch.setattr(psycopg.Connection, "pipeline", counted)
    erp, _ = harbour
    lines = tuple(a.a_sales_line(number=number) for number in range(1, 9))
    erp.submit_order(a.a_sales_order(lines=lines), IdempotencyKey("k-1"))
    # The look-up, the header with its number, everything else.
    assert len(waits) == 3


def test_refused_line_is_named_though_others_left_with_it(harbour: tuple[Any, Engine]) -> None:
    erp, engine = harbour
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE order_lines ADD CONSTRAINT few CHECK (line_no <> 2 OR quantity < 50)")
        )
    lines = tuple(a.a_sales_line(number=n, quantity=Decimal(60)) for n in range(1, 4))
    with pytest.raises(Rejected, match=r"step lines, line 2"):
        erp.submit_order(a.a_sales_order(lines=lines), IdempotencyKey("k-2"))
    assert erp.find_order(IdempotencyKey("k-2")) is None
