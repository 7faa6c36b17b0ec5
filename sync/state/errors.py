"""What the state database can say, in the engine's words.

Only what is known by its code is translated; everything else surfaces as it is.
A connection lost during a commit is TryLater too: every step of the ledger can
be repeated, and a repeated one finds the order in its new state.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sync.errors import AccessDenied, Misconfigured, SyncError, TryLater

_NO_LEDGER = "no order is imported without a ledger"

_SQLITE: dict[int, tuple[type[SyncError], str]] = {
    sqlite3.SQLITE_BUSY: (TryLater, "the state database is locked by another process"),
    sqlite3.SQLITE_LOCKED: (TryLater, "the state database is locked by another connection"),
    sqlite3.SQLITE_FULL: (
        TryLater,
        f"the state database is full: {_NO_LEDGER}; make room on its disk",
    ),
    sqlite3.SQLITE_READONLY: (
        Misconfigured,
        f"the state database is read-only: {_NO_LEDGER}; check the owner and mode of its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        Misconfigured,
        "the state database cannot be opened; check that its folder exists and may be written",
    ),
    sqlite3.SQLITE_PERM: (AccessDenied, "the state database may not be accessed"),
    sqlite3.SQLITE_NOTADB: (
        Misconfigured,
        "the state file is no SQLite database; restore it from the last backup",
    ),
    sqlite3.SQLITE_CORRUPT: (
        Misconfigured,
        f"the state database is damaged: {_NO_LEDGER}; restore it from the last backup",
    ),
}

# By SQLSTATE, or by its class of two characters.
_POSTGRESQL: dict[str, tuple[type[SyncError], str]] = {
    "08": (TryLater, "the connection to the state database was lost"),
    "40": (TryLater, "the state database rolled the transaction back in favour of another one"),
    "53": (TryLater, f"the state database is out of resources: {_NO_LEDGER}"),
    "55P03": (TryLater, "the state database is locked by another process"),
    "57014": (TryLater, "the state database took too long"),
    "57P": (TryLater, "the state database is shutting down or starting"),
    "25006": (Misconfigured, f"the state database is read-only: {_NO_LEDGER}"),
    "28": (AccessDenied, "the state database refused the user or password"),
    "3D000": (Misconfigured, "the state database does not exist on its server; create it"),
    "42501": (AccessDenied, "the user of the state database lacks a right"),
}

# A connection that is refused at the door brings no SQLSTATE, only the words of
# the server. Not to recognise a wrong password would lock the account in the end.
_AT_THE_DOOR = (
    (re.compile(r'role ".*" does not exist|authentication failed|no password supplied'), "28"),
    (re.compile(r"no pg_hba\.conf entry"), "28"),
    (re.compile(r'database ".*" does not exist'), "3D000"),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raises TryLater, Misconfigured or AccessDenied for what the database says."""
    try:
        yield
    except PoolTimeout as error:
        raise TryLater("all connections to the state database are busy") from error
    except (DBAPIError, sqlite3.Error) as error:
        # While a connection is being prepared, the driver's error comes bare.
        cause = error.orig if isinstance(error, DBAPIError) else error
        known = _sqlite(cause) if isinstance(cause, sqlite3.Error) else _postgresql(cause)
        if known is None:
            raise
        kind, words = known
        said = str(cause).strip().partition("\n")[0]
        raise kind(f"{words} ({said})") from error


def _sqlite(cause: sqlite3.Error) -> tuple[type[SyncError], str] | None:
    # The low byte is the primary code; what is above it only narrows it down.
    # Errors that the driver makes up itself have no code at all.
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else _SQLITE.get(code & 0xFF)


def _postgresql(cause: BaseException | None) -> tuple[type[SyncError], str] | None:
    state: str | None = getattr(cause, "sqlstate", None)
    if state is None:
        if type(cause).__name__ != "OperationalError":
            return None
        for words, known in _AT_THE_DOOR:
            if words.search(str(cause)):
                return _POSTGRESQL[known]
        return _POSTGRESQL["08"]
    for width in (5, 3, 2):
        if state[:width] in _POSTGRESQL:
            return _POSTGRESQL[state[:width]]
    return None
