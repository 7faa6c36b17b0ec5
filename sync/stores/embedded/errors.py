"""The database's errors in our classes, by what their codes mean.

A lost answer to a write counts as TryLater here, not as an unknown outcome:
everything that the daemon writes into this store sets a record to what it
should be, so that coming again is harmless. An error whose code is in no table
surfaces as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sync.errors import AccessDenied, Misconfigured, Rejected, RightMissing, SyncError, TryLater
from sync.kit.database_files import folder_is_there, misplaced
from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import Failure, classify, never_connected

_TRY_LATER = frozenset(
    {Failure.ROLLED_BACK, Failure.BUSY, Failure.TIMEOUT, Failure.LOST, Failure.FULL}
)
_MAY_BE_THE_FILE = frozenset({Failure.LOST, Failure.DAMAGED})
_RIGHT_MISSING = frozenset({Failure.PRIVILEGE, Failure.READ_ONLY})

CREATE = "correct url, or create the schema: tradesync store create"
FOLDER = (
    "correct url, or make that folder as the user that the service runs as, then create the"
    " schema: tradesync store create"
)
"""The way out where not even the folder is there: the command makes none, see creating.py."""
_REJECTED = frozenset({Failure.UNIQUE, Failure.CONSTRAINT, Failure.VALUE, Failure.RULE})


def way_to_create(file: Path | None) -> str:
    """What to do where the database is not there, in the order that it has to be done."""
    return CREATE if file is None or folder_is_there(file) else FOLDER


@contextmanager
def translated(
    database: str, family: str, address: str = "", file: Path | None = None
) -> Iterator[None]:
    """Raise what happens inside as our own classes, about this database.

    ``family`` is SQLAlchemy's name of the dialect, ``address`` host and port, ``file`` the
    one that a SQLite database lives in.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise TryLater(f"all connections to {database} are in use") from error
    except DBAPIError as error:
        ours = translate(error, database, family, address, file)
        if ours is None:
            raise
        raise ours from error


def translate(
    error: DBAPIError, database: str, family: str, address: str = "", file: Path | None = None
) -> SyncError | None:
    """What to do about it; None for an error that is not recognised."""
    if error.orig is None:
        return None
    read = read_error(error.orig, family)
    failure = classify(read)
    if never_connected(read):
        return TryLater(
            f"{database}: nothing answers at {address or 'the address in url'} ({read.code});"
            " see that it runs there, or correct url"
        )
    wrong = misplaced("url", file) if file is not None and failure in _MAY_BE_THE_FILE else None
    if wrong is not None:
        return Misconfigured(f"{database}: {wrong}; {way_to_create(file)}")
    if failure in _TRY_LATER or error.connection_invalidated:
        return TryLater(f"{database} cannot answer now ({read.code})")
    if failure is Failure.LOGIN:
        return AccessDenied(f"{database} refuses the login ({read.code})")
    if failure is Failure.NO_DATABASE:
        return AccessDenied(
            f"{database} is not on that server, or it is offline or not for this account"
            f" ({read.code}); see to it there, or correct its name in url"
        )
    if failure in _RIGHT_MISSING:
        return RightMissing(f"{database} refuses access ({read.code})")
    if failure is Failure.MISSING:
        return Misconfigured(
            f"{database} is not as its schema says: {read.text} ({read.code}). Either url names"
            " another database or its schema is older than this service: tradesync check names"
            " what is missing, and the way out"
        )
    if failure is Failure.DAMAGED:
        return Misconfigured(
            f"{database} is damaged: {read.text} ({read.code}); restore it from a backup"
        )
    if failure in _REJECTED:
        return Rejected(
            f"{database} refuses a record: {read.text} ({read.code})",
            code="store_refused_record",
            remedy="see which rule of the store's database refused it, and correct the record",
        )
    return None
