"""Finds the codes in what the drivers raise: psycopg, PyMySQL, pyodbc, sqlite3, ADBC.

Each driver keeps them elsewhere. No driver is imported for it; the attributes
and arguments say enough.
"""

from __future__ import annotations

import re
import sqlite3

from sync.kit.sqlstate import DatabaseError

# The driver manager's first record; on Windows others follow it, such as SQL Server's
# "The statement has been terminated", whose numbers say nothing.
_ODBC_RECORD = re.compile(
    r"\[[0-9A-Z]{5}\] (?P<text>.*?)\s*\((?P<native>-?\d+)\) \(SQL\w+\)", re.DOTALL
)
_ODBC_PREFIX = re.compile(r"(?:\[[^\]]*\]\s*)+")
_SQLITE_CODE = re.compile(r"\s*\(\d+\)$")
_PSQLODBC_PREFIX = re.compile(r"^(?:ERROR|FATAL|PANIC):\s+")
# What follows the sentence may repeat the row: "Failing row contains (Ada Visser, …)".
_PSQLODBC_MORE = re.compile(
    r"\n(?:DETAIL|HINT|CONTEXT|QUERY|LINE \d+):.*|;\n(?:Error while|The connection).*", re.DOTALL
)
_LOGIN_SENTENCES = (
    "authentication failed",
    "no password supplied",
    "is not permitted to log in",
    "no pg_hba.conf entry",
    "permission denied for database",
)
_NO_DRIVER_SENTENCE = "Can't open lib"


def read_error(original: BaseException, family: str) -> DatabaseError:
    """What a driver's exception tells. ``family`` is SQLAlchemy's dialect name."""
    if isinstance(original, sqlite3.Error):
        return _sqlite(original)
    if hasattr(original, "diag"):
        return _psycopg(original)
    if hasattr(original, "status_code") and hasattr(original, "details"):
        return _adbc(original)
    arguments = original.args
    if len(arguments) >= 2 and isinstance(arguments[0], int):
        return DatabaseError(family, None, arguments[0], str(arguments[1]))
    if len(arguments) >= 2 and isinstance(arguments[0], str) and len(arguments[0]) == 5:
        return _odbc(arguments[0], str(arguments[1]), family)
    return DatabaseError(family, None, None)


def _sqlite(error: sqlite3.Error) -> DatabaseError:
    code = getattr(error, "sqlite_errorcode", None)
    return DatabaseError("sqlite", None, code, str(error))


def _psycopg(error: BaseException) -> DatabaseError:
    state = getattr(error, "sqlstate", None)
    diagnosis = getattr(error, "diag", None)
    # The detail would hold the row; the primary sentence names objects only.
    text = getattr(diagnosis, "message_primary", None) or ""
    if state is None and not text:
        # libpq keeps no SQLSTATE of a connection that was never made.
        state = _never_connected(str(error))
    return DatabaseError("postgresql", state, None, text)


def _adbc(error: BaseException) -> DatabaseError:
    state = getattr(error, "sqlstate", None)
    details = dict(getattr(error, "details", None) or ())
    text = str(details.get(b"PG_DIAG_MESSAGE_PRIMARY", b""), "utf-8", "replace")
    if state is None:
        words = str(error)
        state = _never_connected(words) if "Failed to connect" in words else "08006"
    return DatabaseError("postgresql", state, None, text)


def _never_connected(words: str) -> str:
    """The SQLSTATE that libpq does not keep."""
    if any(sentence in words for sentence in _LOGIN_SENTENCES):
        return "28000"
    if re.search(r'role ".*" does not exist', words) is not None:
        return "28000"
    if re.search(r'database ".*" does not exist', words) is not None:
        return "3D000"
    return "08001"


def _odbc(state: str, message: str, family: str) -> DatabaseError:
    record = _ODBC_RECORD.search(message)
    native = int(record["native"]) if record else None
    text = _ODBC_PREFIX.sub("", record["text"] if record else message).strip()
    if state == "01000" and _NO_DRIVER_SENTENCE in message:
        # unixODBC has no state of its own for a driver that is registered and not there.
        state = "IM003"
    if family == "sqlite":
        text = _SQLITE_CODE.sub("", text)
    if family == "postgresql":
        # Its native numbers are the driver's and tell nothing.
        native = None
        text = _PSQLODBC_PREFIX.sub("", _PSQLODBC_MORE.sub("", text)).rstrip("; ")
        if state == "08001":
            state = _never_connected(text)
    return DatabaseError(family, state, native, text)
