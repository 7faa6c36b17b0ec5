"""Engines that end in time, keep secrets, and whose transactions are transactions."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sync.errors import Misconfigured
from sync.kit.engines import EngineOptions, engine_for, parse_url

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
def test_a_url_that_is_none_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_url("postgresql//reader:hunter2@db/acme", tmp_path)

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


def test_a_schema_outside_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="schema is for PostgreSQL"):
        engine_for(parse_url("sqlite:///erp.db", tmp_path), EngineOptions(schema="dbo"))


def connection_string(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What pyodbc would be given; a stand-in takes the place of the driver."""
    driver = types.ModuleType("pyodbc")
    vars(driver).update(
        paramstyle="qmark",
        version="5.2.0",
        Error=Exception,
        DatabaseError=Exception,
        Cursor=type("Cursor", (), {"nextset": None}),
    )
    monkeypatch.setitem(sys.modules, "pyodbc", driver)
    engine = engine_for(parse_url(url, Path("/"), "p;w"), EngineOptions())
    [text], _ = engine.dialect.create_connect_args(engine.url)
    return str(text)


def test_sql_server_is_spoken_to_encrypted_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = connection_string("mssql+pyodbc://web@erp.example/acme", monkeypatch)
    chosen = connection_string(
        "mssql+pyodbc://web@erp.example/acme?driver=FreeTDS&encrypt=no", monkeypatch
    )

    assert "DRIVER={ODBC Driver 18 for SQL Server}" in plain
    assert "Encrypt=yes" in plain
    assert "PWD={p;w}" in plain
    assert "FreeTDS" in chosen
    assert "Encrypt=yes" not in chosen


def test_a_data_source_name_brings_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection_string("mssql+pyodbc://web@ACME_ERP", monkeypatch) == (
        "dsn=ACME_ERP;UID=web;PWD={p;w}"
    )
