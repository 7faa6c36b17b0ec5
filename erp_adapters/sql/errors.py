"""Theirs to ours: what the engine is to do when the database says no.

One failure means different things at different moments. While reading, a
timeout changes nothing and one may come again. Once an order's first step has
run, nobody can tell any more: a procedure may have committed by itself, and a
COMMIT whose answer was lost may have happened. That is OutcomeUnknown, and the
next thing anybody does is to look with ``find_order``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from sqlalchemy.exc import DBAPIError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sync.errors import (
    AccessDenied,
    BrokenRead,
    Misconfigured,
    NobodyAnswers,
    OutcomeUnknown,
    Rejected,
    RightMissing,
    TryLater,
)
from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import DatabaseError, Failure, classify, never_connected


class Moment(Enum):
    """What was going on when it failed."""

    READING = "reading"
    WRITING = "writing"


class DuplicateKey(Exception):
    """A unique index stopped a write: perhaps the order is there already.

    ``error`` is the driver's own. Never leaves the adapter.
    """

    def __init__(self, doing: str, told: DatabaseError, error: BaseException) -> None:
        super().__init__(doing)
        self.told = told
        self.error = error


def _not_seen() -> str | None:
    return None


@dataclass(slots=True)
class Attempt:
    """What is being done, for the message, and how far it has come.

    ``order``: the place of the order that it is about, where there are several.
    ``address``: host and port of the database, where it has them. ``misplaced`` tells
    why there is none where the options say that it is, as far as that can be seen.
    """

    doing: str
    moment: Moment = Moment.READING
    order: int | None = None
    address: str = ""
    misplaced: Callable[[], str | None] = _not_seen


@contextmanager
def translated(attempt: Attempt, family: str) -> Iterator[Attempt]:
    """Runs a stretch of database work. ``attempt`` may be updated while it runs.

    Raises our errors with the driver's as cause. What no table knows surfaces
    as it came.
    """
    try:
        yield attempt
    except PoolTimeoutError as error:
        raise TryLater(f"{attempt.doing}: all connections to the ERP are in use") from error
    except ResourceClosedError as error:
        raise Misconfigured(f"{attempt.doing}: the statement answers no rows") from error
    except DBAPIError as error:
        original = error.orig
        if original is None:
            raise
        told = read_error(original, family)
        failure = classify(told)
        if failure is None and error.connection_invalidated:
            failure = Failure.LOST
        if failure is None:
            raise
        raise _ours(failure, attempt, told, original) from original


def _ours(
    failure: Failure, attempt: Attempt, told: DatabaseError, original: BaseException
) -> Exception:
    doing = attempt.doing
    writing = attempt.moment is Moment.WRITING
    match failure:
        case Failure.LOST | Failure.DAMAGED if not writing and (wrong := attempt.misplaced()):
            return Misconfigured(f"{doing}: {wrong}; correct that option, or put the file there")
        case Failure.LOST | Failure.TIMEOUT:
            if never_connected(told) and not writing:
                where = attempt.address or "the address in url"
                return NobodyAnswers(
                    f"{doing}: nothing answers at {where} ({told.code}); see that the database"
                    " runs there, or correct url"
                )
            what = "the connection broke" if failure is Failure.LOST else "it took too long"
            if writing:
                return OutcomeUnknown(f"{doing}: {what} while writing ({told.code})")
            return TryLater(f"{doing}: {what} ({told.code})")
        case Failure.ROLLED_BACK:
            return TryLater(f"{doing}: the ERP undid it in favour of another ({told.code})")
        case Failure.BUSY:
            return TryLater(f"{doing}: the ERP is busy or holds a lock ({told.code})")
        case Failure.FULL:
            return TryLater(f"{doing}: the ERP's disk is full ({told.code})")
        case Failure.LOGIN:
            return AccessDenied(
                f"{doing}: the ERP refused the login ({told.code}); correct the user or password"
            )
        case Failure.NO_DATABASE:
            # It may be offline or being restored, too: then it is as bad as a closed door.
            return AccessDenied(
                f"{doing}: the ERP's server has no database of that name, or it is offline or not"
                f" for this account ({told.code}); see to it there, or correct its name in url"
            )
        case Failure.PRIVILEGE:
            # MySQL and MariaDB tell nobody that a table is not there who has no right to it.
            perhaps = ", or it has no table of that name" if told.native == _NO_TABLE_RIGHT else ""
            return RightMissing(
                f"{doing}: the database account lacks a right{perhaps} ({told.code}); {told.text}"
            )
        case Failure.MISSING:
            return Misconfigured(
                f"{doing}: {failure.value} ({told.code}): {told.text}; see that url names the"
                " right database, and correct the profile if it does"
            )
        case Failure.SYNTAX | Failure.READ_ONLY | Failure.DAMAGED:
            return Misconfigured(f"{doing}: {failure.value} ({told.code}): {told.text}")
        case Failure.DRIVER:
            return Misconfigured(
                f"{doing}: the ODBC driver or data source is not there ({told.code}): {told.text};"
                " install the driver, or correct driver or the DSN's name in url"
            )
        case Failure.UNIQUE | Failure.RULE | Failure.CONSTRAINT | Failure.VALUE if not writing:
            return BrokenRead(f"{doing}: a read met: {failure.value} ({told.code})")
        case Failure.UNIQUE:
            return DuplicateKey(doing, told, original)
        case Failure.RULE:
            return Rejected(
                f"{doing}: the ERP refused: {told.text}",
                code="erp_rule",
                remedy="put right in the ERP what it names, then replay",
            )
        case Failure.CONSTRAINT:
            return Rejected(
                f"{doing}: the ERP refused: {told.text} ({told.code})",
                code="erp_constraint",
                remedy="correct in the ERP what the order names, or in the store what this rule"
                " refuses, then replay",
            )
        case Failure.VALUE:
            return Rejected(
                f"{doing}: a value is too long or of the wrong kind for {_place(told)}"
                f" ({told.code})",
                code="erp_value",
                remedy="compare the order with the ERP's fields and the facts of the profile",
            )


_NO_TABLE_RIGHT = 1142
_MYSQL_COLUMN = re.compile(r" for column (?P<column>[\w`'.$]+) at row \d+$")


def _place(told: DatabaseError) -> str:
    """The column that a value does not fit; of the sentence no more, it may hold the value."""
    named = _MYSQL_COLUMN.search(told.text) if told.family == "mysql" else None
    return f"the ERP's column {named['column'].replace('`', '')}" if named else "the ERP"
