"""What a database's codes mean, whichever driver brings them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import DatabaseError, Failure, classify


class OdbcError(Exception):
    """As pyodbc raises it: the SQLSTATE, then the driver manager's sentence."""


class MySqlError(Exception):
    """As PyMySQL raises it: the server's number, then its sentence."""


class Diagnosis:
    message_primary = "permission denied for table customers"


class PostgresError(Exception):
    """As psycopg raises it."""

    sqlstate = "42501"
    diag = Diagnosis()


def odbc(state: str, native: int, text: str = "said so") -> OdbcError:
    message = f"[{state}] [Vendor][Driver 18][SQL Server]{text} ({native}) (SQLExecDirectW)"
    return OdbcError(state, message)


@pytest.mark.parametrize(
    "error, family, meaning",
    [
        (odbc("40001", 1205), "mssql", Failure.ROLLED_BACK),
        (odbc("42000", 1222), "mssql", Failure.BUSY),
        (odbc("42000", 229), "mssql", Failure.PRIVILEGE),
        (odbc("42S02", 208), "mssql", Failure.MISSING),
        (odbc("42S22", 207), "mssql", Failure.MISSING),
        (odbc("28000", 18456), "mssql", Failure.LOGIN),
        (odbc("23000", 2627), "mssql", Failure.UNIQUE),
        (odbc("23000", 2601), "mssql", Failure.UNIQUE),
        (odbc("23000", 547), "mssql", Failure.CONSTRAINT),
        (odbc("42000", 50001, "The period is closed"), "mssql", Failure.RULE),
        (odbc("22001", 2628), "mssql", Failure.VALUE),
        (odbc("HYT00", 0), "mssql", Failure.TIMEOUT),
        (odbc("HYT01", 0), "mssql", Failure.TIMEOUT),
        (odbc("08S01", 10054), "mssql", Failure.LOST),
        (odbc("08001", 17), "mssql", Failure.LOST),
        (MySqlError(1205, "Lock wait timeout exceeded"), "mysql", Failure.BUSY),
        (MySqlError(1213, "Deadlock found"), "mysql", Failure.ROLLED_BACK),
        (MySqlError(2013, "Lost connection"), "mysql", Failure.LOST),
        (MySqlError(2006, "gone away"), "mysql", Failure.LOST),
        (MySqlError(1045, "Access denied"), "mysql", Failure.LOGIN),
        (MySqlError(1142, "command denied"), "mysql", Failure.PRIVILEGE),
        (MySqlError(1146, "no such table"), "mysql", Failure.MISSING),
        (MySqlError(1054, "unknown column"), "mysql", Failure.MISSING),
        (MySqlError(1062, "Duplicate entry"), "mysql", Failure.UNIQUE),
        (MySqlError(1452, "a foreign key fails"), "mysql", Failure.CONSTRAINT),
        (MySqlError(1644, "Customer is closed"), "mysql", Failure.RULE),
        (PostgresError(), "postgresql", Failure.PRIVILEGE),
    ],
)
def test_a_code_means_the_same_whatever_class_brings_it(
    error: Exception, family: str, meaning: Failure
) -> None:
    assert classify(read_error(error, family)) is meaning


@pytest.mark.parametrize(
    "state, meaning",
    [
        ("40001", Failure.ROLLED_BACK),
        ("40P01", Failure.ROLLED_BACK),
        ("55P03", Failure.BUSY),
        ("53300", Failure.BUSY),
        ("57014", Failure.TIMEOUT),
        ("57P01", Failure.LOST),
        ("08006", Failure.LOST),
        ("28P01", Failure.LOGIN),
        ("42P01", Failure.MISSING),
        ("42703", Failure.MISSING),
        ("23505", Failure.UNIQUE),
        ("23503", Failure.CONSTRAINT),
        ("23502", Failure.CONSTRAINT),
        ("22001", Failure.VALUE),
        ("P0001", Failure.RULE),
        ("45000", Failure.RULE),
        ("99999", None),
        (None, None),
    ],
)
def test_sqlstates_are_sorted_by_what_to_do(state: str | None, meaning: Failure | None) -> None:
    assert classify(DatabaseError("postgresql", state, None)) is meaning


def test_one_number_is_two_things_in_two_databases() -> None:
    assert classify(DatabaseError("mssql", "40001", 1205)) is Failure.ROLLED_BACK
    assert classify(DatabaseError("mysql", None, 1205)) is Failure.BUSY


def test_an_unknown_native_code_falls_back_to_its_sqlstate() -> None:
    assert classify(DatabaseError("mssql", "08S01", 99_999 - 90_000)) is Failure.LOST


@pytest.mark.parametrize(
    "script, meaning",
    [
        ("INSERT INTO t VALUES (1)", Failure.UNIQUE),
        ("INSERT INTO t VALUES (-1)", Failure.CONSTRAINT),
        ("INSERT INTO t VALUES (99)", Failure.RULE),
        ("SELECT colour FROM t", Failure.MISSING),
        ("SELECT 1 FROM nowhere", Failure.MISSING),
        ("SELEC 1", Failure.SYNTAX),
        ("PRAGMA query_only = 1; INSERT INTO t VALUES (2)", Failure.READ_ONLY),
    ],
)
def test_sqlite_is_understood_by_its_codes(script: str, meaning: Failure) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE t (n INTEGER UNIQUE CHECK (n > 0)); INSERT INTO t VALUES (1);"
        "CREATE TRIGGER rule BEFORE INSERT ON t WHEN NEW.n = 99"
        " BEGIN SELECT RAISE(ABORT, 'The period is closed'); END;"
    )
    *before, last = script.split("; ")
    for statement in before:
        connection.execute(statement)
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute(last)
    connection.close()

    assert classify(read_error(caught.value, "sqlite")) is meaning


def test_a_file_that_was_moved_away_under_a_write_is_a_lost_connection(tmp_path: Path) -> None:
    """SQLite calls it read-only; nobody has anything to correct."""
    file = tmp_path / "erp.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (n INTEGER)")
        file.rename(tmp_path / "away.db")
        with pytest.raises(sqlite3.OperationalError, match="readonly") as caught:
            connection.execute("INSERT INTO t VALUES (1)")

    assert classify(read_error(caught.value, "sqlite")) is Failure.LOST


def test_the_sentence_of_an_odbc_error_loses_its_technical_wrapping() -> None:
    told = read_error(odbc("42000", 50001, "The period is closed"), "mssql")

    assert told.text == "The period is closed"
    assert told.code == "SQLSTATE 42000, code 50001"


def test_a_postgresql_error_tells_no_row() -> None:
    class WithRow(Exception):
        sqlstate = "23505"

        class diag:  # noqa: N801 - psycopg's own name
            message_primary = 'duplicate key value violates unique constraint "k"'
            message_detail = "Key (email)=(ada@harbour.example) already exists."

    assert "ada@" not in read_error(WithRow(), "postgresql").text


@pytest.mark.parametrize(
    "sentence, meaning",
    [
        ('connection failed: FATAL:  password authentication failed for user "x"', Failure.LOGIN),
        ('connection failed: FATAL:  database "y" does not exist', Failure.NO_DATABASE),
        ("connection failed: Connection refused", Failure.LOST),
    ],
)
def test_a_postgresql_connection_that_was_never_made(sentence: str, meaning: Failure) -> None:
    class NeverMade(Exception):
        sqlstate = None
        diag = None

    assert classify(read_error(NeverMade(sentence), "postgresql")) is meaning
