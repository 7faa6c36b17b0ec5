"""Engines that end in time, keep secrets, and whose transactions are transactions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from sync.errors import Misconfigured
from sync.kit import engines
from sync.kit.engines import EngineOptions, engine_for, parse_url
from tests import postgres

Open = Callable[..., Engine]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "erp's # data?.db"
    path.touch()
    return path


@pytest.fixture
def opened(file: Path) -> Iterator[Open]:
    engines = []

    def open_engine(**options: object) -> Engine:
        url = parse_url(f"sqlite:///{file.name}".replace("?", "%3F"), file.parent)
        engine = engine_for(url.set(database=str(file)), EngineOptions(**options))  # type: ignore[arg-type]
        engines.append(engine)
        return engine

    yield open_engine
    for engine in engines:
        engine.dispose()


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


@pytest.mark.rule("OI-1")
def test_a_transaction_on_sqlite_is_undone_as_a_whole(opened: Open) -> None:
    engine = opened()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))

    def steps() -> None:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
            # Python's own handling would commit before this statement.
            connection.execute(text("CREATE TABLE later (n INTEGER)"))
            connection.execute(text("INSERT INTO later VALUES (2)"))
            connection.execute(text("INSERT INTO nowhere VALUES (3)"))

    with pytest.raises(OperationalError):
        steps()

    assert rows(engine) == 0
    with engine.connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master")).scalars().all()
    assert names == ["t"]


def test_a_second_writer_on_sqlite_waits_its_turn_and_is_told_when_it_takes_too_long(
    opened: Open,
) -> None:
    first, second = opened(), opened(statement_timeout_s=0.05)
    with first.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))

    with (
        first.begin(),
        pytest.raises(OperationalError, match="locked"),
        second.begin(),
    ):
        pass


def test_a_reading_engine_cannot_write(opened: Open) -> None:
    with opened().begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    reader = opened(read_only=True)

    with pytest.raises(OperationalError, match="readonly"), reader.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    assert rows(reader) == 0


def test_a_wrong_path_makes_no_empty_database(tmp_path: Path) -> None:
    engine = engine_for(parse_url("sqlite:///typo.db", tmp_path), EngineOptions())

    with pytest.raises(OperationalError, match="unable to open"):
        engine.connect()

    engine.dispose()
    assert list(tmp_path.iterdir()) == []


def test_a_relative_sqlite_file_is_found_in_the_site(tmp_path: Path) -> None:
    assert parse_url("sqlite:///data/erp.db", tmp_path).database == str(tmp_path / "data/erp.db")
    assert parse_url("sqlite:////srv/erp.db", tmp_path).database == "/srv/erp.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_a_database_without_a_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="named by its file"):
        parse_url(url, tmp_path)


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize(
    "url", ["postgresql//reader:hunter2@db/acme", "postgresql://reader:hunter2@db:port/acme"]
)
def test_a_url_that_is_none_is_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_url(url, tmp_path)

    assert "hunter2" not in str(caught.value)


@pytest.mark.rule("OP-7")
def test_the_password_comes_from_the_secret_and_shows_nowhere(tmp_path: Path) -> None:
    url = parse_url("postgresql+psycopg://reader@db.example/acme", tmp_path, "hunter2")
    engine = engine_for(url, EngineOptions())

    assert url.password == "hunter2"
    assert "hunter2" not in repr(engine) + str(url)
    engine.dispose()


@pytest.mark.rule("OP-7")
def test_what_was_bound_is_in_no_error(opened: Open) -> None:
    with pytest.raises(DBAPIError) as caught, opened().connect() as connection:
        connection.execute(text("SELECT * FROM nowhere WHERE name = :name"), {"name": "Ada Visser"})

    assert "Ada Visser" not in str(caught.value)


@pytest.mark.parametrize(
    "url, module, advice",
    [
        ("mssql+pyodbc://db.example/acme", "pyodbc", "unixodbc"),
        ("postgresql+psycopg://db.example/acme", "psycopg", r"tradesync\[postgresql\]"),
        ("mysql+pymysql://db.example/acme", "pymysql", r"tradesync\[mariadb\]"),
    ],
)
def test_a_missing_driver_is_named_with_what_to_install(
    url: str, module: str, advice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(Misconfigured, match=advice):
        engine_for(parse_url(url, tmp_path), EngineOptions())


def test_an_unknown_dialect_is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no dialect"):
        engine_for(parse_url("btrieve://db/acme", tmp_path), EngineOptions())


@pytest.mark.parametrize("seconds", [1e-9, 0.001, 0.0015])
def test_a_limit_is_never_so_short_that_it_is_none(seconds: float) -> None:
    """PostgreSQL takes a time-out of 0 for none at all."""
    with postgres.database() as url:
        engine = engine_for(make_url(url), EngineOptions(statement_timeout_s=seconds))
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.execute(text("SELECT pg_sleep(2)"))
        engine.dispose()


def test_a_schema_outside_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="schema is for PostgreSQL"):
        engine_for(parse_url("sqlite:///erp.db", tmp_path), EngineOptions(schema="dbo"))


@pytest.fixture
def server_url() -> Iterator[str]:
    with postgres.database() as url:
        yield url


def end_all_others(url: str) -> None:
    killer = create_engine(url, poolclass=NullPool)
    with killer.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )


@pytest.mark.parametrize("rested", [True, False])
def test_writer_that_rested_is_asked_whether_it_is_alive(
    server_url: str, monkeypatch: pytest.MonkeyPatch, rested: bool
) -> None:
    monkeypatch.setattr(engines, "RESTED_S", 0.0 if rested else 3600.0)
    engine = engine_for(make_url(server_url), EngineOptions())
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    end_all_others(server_url)
    if not rested:
        with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
            connection.execute(text("SELECT 1"))
        assert caught.value.connection_invalidated
    # Replaced before anybody meets it, or by whoever met it.
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
