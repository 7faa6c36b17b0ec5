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
from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import DatabaseError, Failure, classify

_NO_LEDGER = "no order is imported without a ledger"

_ANSWERS: dict[Failure, tuple[type[SyncError], str]] = {
    Failure.BUSY: (TryLater, "the state database is locked by another process, or overloaded"),
    Failure.ROLLED_BACK: (TryLater, "the state database gave way to another transaction"),
    Failure.TIMEOUT: (TryLater, "the state database took too long"),
    Failure.LOST: (TryLater, "the state database is away, or the connection to it was lost"),
    Failure.FULL: (TryLater, f"the state database is full: {_NO_LEDGER}; make room on its disk"),
    Failure.READ_ONLY: (
        Misconfigured,
        f"the state database is read-only: {_NO_LEDGER}; check the owner and mode of its folder",
    ),
    Failure.DAMAGED: (
        Misconfigured,
        f"the state database is damaged, or is none: {_NO_LEDGER}; restore the last backup",
    ),
    Failure.LOGIN: (AccessDenied, "the state database refused the user or password"),
    Failure.PRIVILEGE: (AccessDenied, "the user of the state database lacks a right"),
}
_DISK_FAILS = (
    TryLater,
    f"the state's disk or folder fails: {_NO_LEDGER}; check its room, owner and mode",
)
_NO_DATABASE = (Misconfigured, "the state database does not exist on its server; create it")

# A server that turns us away at the door gives no code for it, only words.
# Taken for a server that is away, it would be asked again for ever.
_TURNED_AWAY = re.compile(r'role ".*" does not exist|no pg_hba\.conf entry')


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
        family = "sqlite" if isinstance(cause, sqlite3.Error) else "postgresql"
        told = read_error(cause or error, family)
        answer = _answer(told, str(cause))
        if answer is None:
            raise
        kind, words = answer
        raise kind(f"{words} ({told.text or told.code})") from error


def _answer(told: DatabaseError, words: str) -> tuple[type[SyncError], str] | None:
    if told.sqlstate == "3D000":
        return _NO_DATABASE
    failure = classify(told)
    if failure is Failure.LOST and told.family == "sqlite":
        return _DISK_FAILS
    if failure is Failure.LOST and _TURNED_AWAY.search(words):
        failure = Failure.LOGIN
    return None if failure is None else _ANSWERS.get(failure)
