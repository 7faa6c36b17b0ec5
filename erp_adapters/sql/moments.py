"""One moment that several transactions see: the states of prices, and then the prices.

PostgreSQL lets a transaction lend what it sees to others, for as long as it lasts itself.
So what is read after the states were told is what they were told of, and nobody has to ask
for them once more. No other server lends that: then what is told before and after is compared,
as ever.

What the lender sees is not safe from everything: to whoever looks as of an earlier moment,
a table that was emptied by TRUNCATE, or made anew by ALTER TABLE, is empty, and no more
than that. But either waits for whoever has got at the table. So it lends only what it has
got at itself, by the very statement that the states are told of. And it lends nothing where
that reads foreign tables, whose own server tells each transaction what is so when it asks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import structlog
from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.running import as_sqlalchemy_says
from sync.domain.pricing import PriceLevel
from sync.errors import SyncError, TryLater

# Whoever waits for a table sees what was so before, if all that he asks is of one moment: of a
# table that was being filled anew, nothing. So the lender gets at the tables first, which takes
# no more than a plan, and looks then.
_EACH_ANEW = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"

# A transaction that lends does nothing else until it is over.
_MAY_IDLE = "SET LOCAL idle_in_transaction_session_timeout = 0"

# Nor would the server miss a client that went without a word, for two hours as a rule: as long
# nobody could empty the tables, nor clean up after a change.
_MISSED_SOON = (
    "SET LOCAL tcp_keepalives_idle = 30",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 6",
)

# What it was told of another server's tables is not of its moment. Whatever it has read, it keeps
# a lock of.
_LEND = """\
SELECT pg_export_snapshot()
 WHERE NOT EXISTS (
       SELECT FROM pg_locks JOIN pg_class ON pg_class.oid = pg_locks.relation
        WHERE pg_locks.pid = pg_backend_pid() AND pg_class.relkind = 'f'
          AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       )"""

_AS_OF_ONE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"

# What the lender has got at nobody has locked. Who has to wait for a table of it waits behind
# somebody who wants all of the table, and waits for the lender, which waits for this one: it is
# of no use, and meanwhile nobody in the ERP reads the table.
_NO_QUEUE = "SET LOCAL lock_timeout = '500ms'"

OVER = "the moment that prices were to be read of is over"

log = structlog.get_logger()


class HeldMoment:
    """A moment that begins when the states of one level are asked for, where it can be lent.

    The transaction that lends it is kept open then.
    """

    def __init__(self) -> None:
        self._lender = ExitStack()
        self._connection: Connection | None = None
        self.level: PriceLevel | None = None
        self.snapshot: str | None = None
        self._over = False

    @property
    def lasts(self) -> bool:
        """Raises TryLater where the server has ended it: what it kept in place until then, a
        reader may have found emptied."""
        if self.snapshot is None or self._connection is None:
            return False
        try:
            self._connection.exec_driver_sql("SELECT 1")
        except DBAPIError as error:
            self.end(error)
            raise TryLater(OVER) from error
        return True

    @property
    def may_begin(self) -> bool:
        return self.level is None and not self._over

    def begin(self, connection: Connection, sql: str, lender: ExitStack) -> None:
        """From now on others see what is so now, if the server of this transaction lends that.

        ``sql`` reads what is to be seen. ``lender`` ends the transaction, which has asked
        nothing yet.
        """
        self._lender, self._connection = lender, connection
        try:
            for statement in (_EACH_ANEW, _MAY_IDLE, *_MISSED_SOON):
                connection.exec_driver_sql(statement)
            get_at(connection, sql)
            self.snapshot = connection.exec_driver_sql(_LEND).scalar_one_or_none()
        except DBAPIError as error:
            log.info("erp.no_moment", reason=str(error.orig))
            self.end(error)
            return
        if self.snapshot is None:
            log.info("erp.no_moment", reason="the statement reads foreign tables")
            self.end()

    def end(self, why: DBAPIError | None = None) -> None:
        """``why``: what the transaction has met, and is to be ended with."""
        self._over, self.snapshot = True, None
        try:
            with self._lender.pop_all():
                if why is not None:
                    raise why
        except (SyncError, DBAPIError) as error:
            # It has nothing more to tell: how it ended is no matter.
            log.info("erp.moment_broken", reason=str(error))


class Moments:
    """The moments that the threads of one adapter hold, one each at most."""

    def __init__(self) -> None:
        self._threads = threading.local()

    @contextmanager
    def hold(self) -> Iterator[HeldMoment]:
        """What this thread asks within of prices is told as of one moment, while that lasts."""
        moment = self._threads.moment = HeldMoment()
        try:
            yield moment
        finally:
            if self.held is moment:
                self._threads.moment = None
            moment.end()

    @property
    def held(self) -> HeldMoment | None:
        """By this thread."""
        moment: HeldMoment | None = getattr(self._threads, "moment", None)
        return moment

    def snapshot(self, level: PriceLevel) -> str | None:
        """What is to be seen of this level, by its server's name; None for whatever is so now."""
        moment = self.held
        return moment.snapshot if moment is not None and moment.level is level else None

    def end(self) -> None:
        """What is asked from now on is told as it is by then."""
        if self.held is not None:
            self.held.end()


def may_lend(dialect: Dialect) -> bool:
    """Whether the server may lend, and the driver leaves its transactions to us."""
    return (dialect.name, dialect.driver) == ("postgresql", "psycopg")


def join(connection: Connection, snapshot: str) -> None:
    """Let this transaction, which has asked nothing yet, see what is lent.

    Raises TryLater where it is lent no more.
    """
    try:
        for statement in joining(snapshot):
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        raise TryLater(OVER) from error


def see(connection: Connection, snapshot: str | None) -> None:
    """The same; without a snapshot each of its statements sees what is so when it begins."""
    if snapshot is not None:
        join(connection, snapshot)
    else:
        connection.exec_driver_sql(_EACH_ANEW)


def get_at(connection: Connection, sql: str) -> None:
    """Wait until nobody keeps this transaction from the tables that ``sql`` reads, or may."""
    raw: Any = connection.connection.driver_connection
    with as_sqlalchemy_says(connection), raw.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")


def joining(snapshot: str) -> tuple[str, ...]:
    """What such a transaction begins with."""
    return _AS_OF_ONE, f"SET TRANSACTION SNAPSHOT '{snapshot}'", _NO_QUEUE
