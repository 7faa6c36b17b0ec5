"""Finds the codes in what the drivers raise: psycopg, PyMySQL, pyodbc, sqlite3.

Each driver keeps them elsewhere. No driver is imported for it; the attributes
and arguments say enough.
"""

from __future__ import annotations

import re
import sqlite3

from sync.kit.sqlstate import DatabaseError

_ODBC_NATIVE = re.compile(r"\((-?\d+)\)")
_ODBC_PREFIX = re.compile(r"(?:\[[^\]]*\]\s*)+")
_LOGIN_SENTENCES = ("authentication failed", "no password supplied", "is not permitted to log in")


def read_error(original: BaseException, family: str) -> DatabaseError:
    """What a driver's exception tells. ``family`` is SQLAlchemy's dialect name."""
    if isinstance(original, sqlite3.Error):
        return _sqlite(original)
    if hasattr(original, "diag"):
        return _psycopg(original)
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
        words = str(error)
        refused = any(sentence in words for sentence in _LOGIN_SENTENCES)
        state = "28000" if refused else "3D000" if _names_no_database(words) else "08001"
    return DatabaseError("postgresql", state, None, text)


def _names_no_database(words: str) -> bool:
    return re.search(r'database ".*" does not exist', words) is not None


def _odbc(state: str, message: str, family: str) -> DatabaseError:
    numbers = _ODBC_NATIVE.findall(message)
    native = int(numbers[-1]) if numbers else None
    text = _ODBC_PREFIX.sub("", message)
    text = _ODBC_NATIVE.sub("", text).replace("(SQLExecDirectW)", "").strip()
    return DatabaseError(family, state, native, text)
