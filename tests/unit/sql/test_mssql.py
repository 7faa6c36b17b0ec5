"""A profile for SQL Server as far as it goes without one: what is sent, what comes back.

The statements are compiled for the dialect and counted; the errors are Microsoft's
numbers in pyodbc's form, on Linux with one record, on Windows with all of them.
Nothing here has met a live server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc
from sqlalchemy.exc import DBAPIError

import erp_adapters.sql
from erp_adapters.sql.database import Settings
from erp_adapters.sql.errors import Attempt, DuplicateKey, Moment, translated
from erp_adapters.sql.profile import load_profile
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.statement import Statement
from sync.errors import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    RightMissing,
    TryLater,
)

DIALECT: Dialect = MSDialect_pyodbc(paramstyle="qmark")  # type: ignore[no-untyped-call]
PROFILES = Path(erp_adapters.sql.__file__).parent / "profiles"
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def profiles(folder: Path) -> Iterator[Profile]:
    """Every profile for SQL Server that is shipped, or an example of the guide."""
    yield load_profile(PROFILES / "prophet21_orders.yaml")
    for number, block in enumerate(BLOCK.findall((PROFILES / "README.md").read_text())):
        if "dialects: [mssql]" in block:
            path = folder / f"example_{number}.yaml"
            path.write_text(block)
            yield load_profile(path)


def statements(profile: Profile) -> Iterator[tuple[str, Statement]]:
    for read in profile.reads.values():
        sql = read.sql.of("mssql")
        assert sql is not None
        yield read.name, sql
    for step in profile.steps:
        sql = step.sql.of("mssql")
        assert sql is not None
        yield step.name, sql


def test_every_statement_becomes_one_with_a_mark_for_each_value(tmp_path: Path) -> None:
    found = [each for profile in profiles(tmp_path) for each in statements(profile)]

    assert len(found) > 15
    for name, sql in found:
        for have in {sql.always, sql.parameters}:
            values = {
                each: ["a", "b", "c"] if each in sql.lists else "a" for each in sql.used(have)
            }
            compiled = (
                sql.ready(have)
                .bindparams(**values)
                .compile(
                    dialect=DIALECT,
                    compile_kwargs={"render_postcompile": True},
                )
            )
            text = str(compiled)
            assert text.count("?") == len(compiled.positiontup or ()), name
            assert not re.search(r"(?<![:\w]):\w+", text.replace("::", "")), name
            assert "POSTCOMPILE" not in text, name
            assert "[[" not in text, name


def test_a_list_becomes_as_many_marks_as_it_has_keys(tmp_path: Path) -> None:
    *_, desk = (p for p in profiles(tmp_path) if p.name == "import-desk")
    sql = desk.reads["accounts"].sql.of("mssql")
    assert sql is not None

    compiled = (
        sql.ready(sql.parameters)
        .bindparams(customer_ids=["1", "2"])
        .compile(
            dialect=DIALECT,
            compile_kwargs={"render_postcompile": True},
        )
    )

    assert "cust_no IN (?, ?)" in str(compiled)


def test_a_check_compiles_each_step_without_a_value_in_it(tmp_path: Path) -> None:
    """NOEXEC has no parameters: NULL stands for each."""
    for profile in profiles(tmp_path):
        for step in profile.steps:
            sql = step.sql.of("mssql")
            assert sql is not None
            assert not re.search(r"(?<![:\w]):[a-z_]+", sql.with_nulls()), step.name


class OdbcError(Exception):
    """As pyodbc raises it."""


def refused(state: str, native: int, words: str, *, windows: bool) -> DBAPIError:
    wrapped = f"[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{words}"
    message = f"[{state}] {wrapped} ({native}) (SQLExecDirectW)"
    if windows:
        # The other records of the same failure, which pyodbc reads there.
        message += (
            f"; [{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"
            "The statement has been terminated. (3621)"
        )
    return DBAPIError("INSERT", {}, OdbcError(state, message))


DOCS = "Microsoft Learn, Database engine events and errors"
AZURE = "Microsoft Learn, Troubleshoot transient connection errors in Azure SQL"
ODBC = "Microsoft Learn, Appendix A: ODBC error codes"
CLIENT = "Microsoft Learn, SqlException.Number of SqlClient; also FreeTDS"

WHILE_WRITING: tuple[tuple[str, int, str, type[Exception], str], ...] = (
    ("40001", 1205, "Transaction (Process ID 52) was deadlocked", TryLater, DOCS),
    ("42000", 3960, "Snapshot isolation transaction aborted", TryLater, DOCS),
    ("HYT00", 1222, "Lock request time out period exceeded.", TryLater, DOCS),
    ("42000", 1222, "Lock request time out period exceeded.", TryLater, DOCS),
    ("42000", 1204, "cannot obtain a LOCK resource at this time", TryLater, DOCS),
    ("42000", 701, "There is insufficient system memory", TryLater, DOCS),
    ("42000", 9002, "The transaction log for database is full", TryLater, DOCS),
    ("42000", 40501, "The service is currently busy.", TryLater, AZURE),
    ("42000", 40613, "Database is not currently available.", TryLater, AZURE),
    ("HYT00", 0, "Query timeout expired", OutcomeUnknown, ODBC),
    ("HY000", -2, "Timeout expired.", OutcomeUnknown, CLIENT),
    ("08S01", 10054, "TCP Provider: Error code 0x2746", OutcomeUnknown, ODBC),
    ("08S01", 596, "the session is in the kill state.", OutcomeUnknown, DOCS),
    ("42000", 40197, "The service has encountered an error", OutcomeUnknown, AZURE),
    ("23000", 2627, "Violation of UNIQUE KEY constraint", DuplicateKey, DOCS),
    ("23000", 2601, "Cannot insert duplicate key row", DuplicateKey, DOCS),
    ("23000", 547, "The INSERT statement conflicted with", Rejected, DOCS),
    ("23000", 515, "Cannot insert the value NULL into column", Rejected, DOCS),
    ("42000", 50000, "The period (2024) is closed", Rejected, DOCS),
    ("42000", 51234, "Credit (limit) reached", Rejected, DOCS),
    ("42000", 3609, "The transaction ended in the trigger.", Rejected, DOCS),
    ("22001", 2628, "String or binary data would be truncated", Rejected, DOCS),
    ("22001", 8152, "String or binary data would be truncated.", Rejected, DOCS),
    ("22012", 8134, "Divide by zero error encountered.", Rejected, DOCS),
    ("22003", 8115, "Arithmetic overflow error", Rejected, DOCS),
    ("22018", 245, "Conversion failed when converting", Rejected, DOCS),
    ("42000", 229, "The INSERT permission was denied on the object", RightMissing, DOCS),
    ("42000", 230, "The SELECT permission was denied on the column", RightMissing, DOCS),
    ("42000", 916, "is not able to access the database", RightMissing, DOCS),
    ("28000", 18456, "Login failed for user 'web'.", AccessDenied, DOCS),
    ("28000", 18452, "The login is from an untrusted domain", AccessDenied, DOCS),
    ("28000", 18470, "The account is disabled.", AccessDenied, DOCS),
    ("42000", 4060, "Cannot open database requested by the login.", AccessDenied, DOCS),
    ("42S02", 208, "Invalid object name 'dbo.orders'.", Misconfigured, DOCS),
    ("42S22", 207, "Invalid column name 'colour'.", Misconfigured, DOCS),
    ("42000", 2812, "Could not find stored procedure", Misconfigured, DOCS),
    ("42000", 201, "expects parameter '@key'", Misconfigured, DOCS),
    ("42000", 102, "Incorrect syntax near ')'.", Misconfigured, DOCS),
    ("42000", 3906, "because the database is read-only.", Misconfigured, DOCS),
)


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("windows", [False, True], ids=["linux", "windows"])
@pytest.mark.parametrize(
    "state, native, words, ours, source", WHILE_WRITING, ids=[str(e[1]) for e in WHILE_WRITING]
)
def test_each_number_ends_in_the_class_that_says_what_to_do(
    state: str, native: int, words: str, ours: type[Exception], source: str, windows: bool
) -> None:
    attempt = Attempt("writing order W-1", Moment.WRITING)

    with pytest.raises(ours) as caught, translated(attempt, "mssql"):
        raise refused(state, native, words, windows=windows)

    assert type(caught.value) is ours, source


@pytest.mark.rule("WA-13")
@pytest.mark.parametrize("windows", [False, True], ids=["linux", "windows"])
def test_a_procedure_refuses_in_its_own_words(windows: bool) -> None:
    attempt = Attempt("writing order W-1", Moment.WRITING)

    with pytest.raises(Rejected) as caught, translated(attempt, "mssql"):
        raise refused("42000", 50001, "The period (2024) is closed", windows=windows)

    assert str(caught.value) == "writing order W-1: the ERP refused: The period (2024) is closed"


@pytest.mark.parametrize("native", [1205, 1222, -2, 596])
def test_while_reading_nothing_is_unknown(native: int) -> None:
    with pytest.raises(TryLater), translated(Attempt("reading accounts"), "mssql"):
        raise refused("HY000", native, "said so", windows=False)


def test_what_is_in_no_table_surfaces_as_it_came() -> None:
    attempt = Attempt("writing order W-1", Moment.WRITING)

    with pytest.raises(DBAPIError), translated(attempt, "mssql"):
        raise refused("42000", 7399, "of another server", windows=False)


OPTIONS = {"url": "mssql+pyodbc://web@erp.example/acme", "profile": "prophet21_orders"}


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("name", ["insecure_trust_any_certificate", "insecure_no_encryption"])
def test_an_open_way_is_a_switch_that_only_sql_server_has(name: str, tmp_path: Path) -> None:
    settings = Settings.read({**OPTIONS, name: True}, {}, tmp_path)

    assert settings.insecure == {name}
    assert Settings.read({**OPTIONS, name: False}, {}, tmp_path).insecure == frozenset()
    with pytest.raises(Misconfigured, match=f"{name}: neither true nor false"):
        Settings.read({**OPTIONS, name: "yes"}, {}, tmp_path)
    with pytest.raises(Misconfigured, match="SQL Server alone"):
        Settings.read({**OPTIONS, "url": "sqlite:///erp.db", name: True}, {}, tmp_path)
