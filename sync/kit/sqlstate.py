"""What a database's refusal means, by SQLSTATE and native code.

The exception class tells next to nothing: a deadlock comes from ODBC as a bare
``Error``, and a missing right as the same ``ProgrammingError`` as a slip of the
pen. The codes are kept by family, because 1205 is a deadlock in SQL Server and
a lock wait in MySQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Failure(Enum):
    """Kinds of refusal, by what they mean for the transaction that met them.

    ROLLED_BACK: the database undid all of it (deadlock, serialisation).
    BUSY: somebody else holds what it needs, or resources are short.
    TIMEOUT: it took too long. LOST: the connection is gone.
    NO_DATABASE: the server has no database of that name, or not for this account.
    DRIVER: the ODBC driver or data source is not there, so nothing was sent.
    """

    ROLLED_BACK = "rolled back"
    BUSY = "busy"
    TIMEOUT = "timed out"
    LOST = "connection lost"
    LOGIN = "login refused"
    NO_DATABASE = "database missing"
    PRIVILEGE = "privilege missing"
    MISSING = "object missing"
    SYNTAX = "not understood"
    UNIQUE = "unique index"
    CONSTRAINT = "constraint"
    VALUE = "value does not fit"
    RULE = "rule of the ERP"
    READ_ONLY = "read only"
    FULL = "disk full"
    DAMAGED = "damaged"
    DRIVER = "driver missing"


@dataclass(frozen=True, slots=True)
class DatabaseError:
    """What a driver told: its codes, and its own sentence without values in it.

    ``text`` is empty where the sentence could hold what was bound.
    """

    family: str
    sqlstate: str | None
    native: int | None
    text: str = ""

    @property
    def code(self) -> str:
        """The codes for a message: ``SQLSTATE 40001, code 1205``."""
        parts = [f"SQLSTATE {self.sqlstate}"] if self.sqlstate else []
        parts += [f"code {self.native}"] if self.native is not None else []
        return ", ".join(parts) or "no code"


def never_connected(told: DatabaseError) -> bool:
    """Whether nothing answered at the address, so that perhaps the address is wrong."""
    if told.family in ("mysql", "mariadb"):
        return told.native in _MYSQL_NO_SERVER
    return told.sqlstate == "08001"


_MYSQL_NO_SERVER = frozenset({2002, 2003, 2005})  # no socket, no server, no such host

_SQLITE: Mapping[int, Failure] = {
    3: Failure.PRIVILEGE,  # PERM
    5: Failure.BUSY,
    6: Failure.BUSY,  # LOCKED
    8: Failure.READ_ONLY,
    9: Failure.TIMEOUT,  # INTERRUPT
    10: Failure.LOST,  # IOERR
    11: Failure.DAMAGED,  # CORRUPT
    13: Failure.FULL,
    14: Failure.LOST,  # CANTOPEN
    18: Failure.VALUE,  # TOOBIG
    20: Failure.VALUE,  # MISMATCH
    23: Failure.PRIVILEGE,  # AUTH
    26: Failure.DAMAGED,  # NOTADB
}
_SQLITE_MOVED = 1032  # READONLY_DBMOVED: the file was moved away under a write
_SQLITE_CONSTRAINTS: Mapping[int, Failure] = {
    2067: Failure.UNIQUE,
    1555: Failure.UNIQUE,  # primary key
    2579: Failure.UNIQUE,  # rowid
    1811: Failure.RULE,  # RAISE() in a trigger
}

# Numbers of Microsoft's "Database engine events and errors", unless another source
# stands beside them. None has met a live server: erp_adapters/sql/ODBC.md.
MSSQL: Mapping[int, Failure] = {
    # The transaction was undone.
    1205: Failure.ROLLED_BACK,  # deadlock victim
    3960: Failure.ROLLED_BACK,  # snapshot conflict
    3961: Failure.ROLLED_BACK,  # snapshot, table changed meanwhile
    41302: Failure.ROLLED_BACK,  # memory-optimised: row updated by another
    41305: Failure.ROLLED_BACK,  # memory-optimised: repeatable read
    41325: Failure.ROLLED_BACK,  # memory-optimised: serializable
    # Somebody else holds what it needs.
    1222: Failure.BUSY,  # lock request time-out (SET LOCK_TIMEOUT)
    1204: Failure.BUSY,  # no locks left
    701: Failure.BUSY,  # no memory
    802: Failure.BUSY,
    8645: Failure.BUSY,
    8651: Failure.BUSY,
    8628: Failure.BUSY,  # no time to optimise
    17142: Failure.BUSY,  # paused
    922: Failure.BUSY,  # being recovered
    927: Failure.BUSY,  # being restored
    942: Failure.BUSY,  # offline
    # Azure SQL Database, "Troubleshoot transient connection errors".
    10928: Failure.BUSY,
    10929: Failure.BUSY,
    40197: Failure.LOST,
    40501: Failure.BUSY,
    40613: Failure.BUSY,
    49918: Failure.BUSY,
    49919: Failure.BUSY,
    49920: Failure.BUSY,
    # It took too long: what SqlClient and FreeTDS give where ODBC has HYT00.
    -2: Failure.TIMEOUT,
    # The connection is gone.
    596: Failure.LOST,  # the session was killed
    6005: Failure.LOST,  # shutting down
    1105: Failure.FULL,
    1101: Failure.FULL,
    9002: Failure.FULL,
    3906: Failure.READ_ONLY,
    3908: Failure.READ_ONLY,
    823: Failure.DAMAGED,
    824: Failure.DAMAGED,
    18456: Failure.LOGIN,
    18452: Failure.LOGIN,
    18470: Failure.LOGIN,  # disabled
    18486: Failure.LOGIN,
    18487: Failure.LOGIN,
    18488: Failure.LOGIN,
    4060: Failure.NO_DATABASE,  # not there, or not ours
    4064: Failure.NO_DATABASE,  # the account's default one
    911: Failure.NO_DATABASE,
    229: Failure.PRIVILEGE,
    230: Failure.PRIVILEGE,
    262: Failure.PRIVILEGE,
    297: Failure.PRIVILEGE,
    300: Failure.PRIVILEGE,
    916: Failure.PRIVILEGE,
    207: Failure.MISSING,
    208: Failure.MISSING,
    2812: Failure.MISSING,
    4121: Failure.MISSING,
    4104: Failure.MISSING,
    102: Failure.SYNTAX,
    156: Failure.SYNTAX,
    201: Failure.SYNTAX,  # a parameter of a procedure is missing
    8144: Failure.SYNTAX,  # too many parameters
    8145: Failure.SYNTAX,  # no such parameter
    2601: Failure.UNIQUE,
    2627: Failure.UNIQUE,
    515: Failure.CONSTRAINT,
    547: Failure.CONSTRAINT,
    3609: Failure.RULE,  # a trigger undid the transaction
    220: Failure.VALUE,
    241: Failure.VALUE,
    242: Failure.VALUE,
    245: Failure.VALUE,
    2628: Failure.VALUE,
    8114: Failure.VALUE,
    8115: Failure.VALUE,
    8134: Failure.VALUE,  # division by zero
    8152: Failure.VALUE,
}

_NATIVE: Mapping[str, Mapping[int, Failure]] = {
    "mssql": MSSQL,
    "mysql": {
        1213: Failure.ROLLED_BACK,
        1205: Failure.BUSY,
        3572: Failure.BUSY,
        1040: Failure.BUSY,
        1203: Failure.BUSY,
        1226: Failure.BUSY,
        1969: Failure.TIMEOUT,
        3024: Failure.TIMEOUT,
        1317: Failure.TIMEOUT,
        2002: Failure.LOST,
        2003: Failure.LOST,
        2005: Failure.LOST,
        2006: Failure.LOST,
        2013: Failure.LOST,
        2014: Failure.LOST,
        2055: Failure.LOST,
        # MariaDB Connector/C's own, errmsg.h.
        5013: Failure.LOST,
        5014: Failure.LOST,
        1053: Failure.LOST,
        1927: Failure.LOST,
        4031: Failure.LOST,
        1045: Failure.LOGIN,
        1049: Failure.NO_DATABASE,
        1130: Failure.LOGIN,
        1129: Failure.LOGIN,
        1698: Failure.LOGIN,
        1862: Failure.LOGIN,
        3118: Failure.LOGIN,
        1044: Failure.PRIVILEGE,
        1142: Failure.PRIVILEGE,
        1143: Failure.PRIVILEGE,
        1227: Failure.PRIVILEGE,
        1370: Failure.PRIVILEGE,
        1054: Failure.MISSING,
        1146: Failure.MISSING,
        1305: Failure.MISSING,
        1064: Failure.SYNTAX,
        1062: Failure.UNIQUE,
        1586: Failure.UNIQUE,
        1048: Failure.CONSTRAINT,
        1216: Failure.CONSTRAINT,
        1217: Failure.CONSTRAINT,
        1364: Failure.CONSTRAINT,
        1451: Failure.CONSTRAINT,
        1452: Failure.CONSTRAINT,
        3819: Failure.CONSTRAINT,
        4025: Failure.CONSTRAINT,
        1264: Failure.VALUE,
        1267: Failure.VALUE,  # compared with a column that has no such letter
        1265: Failure.VALUE,
        1292: Failure.VALUE,
        1366: Failure.VALUE,
        1406: Failure.VALUE,
        1644: Failure.RULE,
        1290: Failure.READ_ONLY,
        1792: Failure.READ_ONLY,
        1836: Failure.READ_ONLY,
        1021: Failure.FULL,
        1114: Failure.FULL,
    },
}

_STATES: Mapping[str, Failure] = {
    "40001": Failure.ROLLED_BACK,
    "40P01": Failure.ROLLED_BACK,
    "40002": Failure.CONSTRAINT,
    "55P03": Failure.BUSY,
    "55006": Failure.BUSY,
    "57014": Failure.TIMEOUT,
    "25P03": Failure.LOST,
    "25P04": Failure.TIMEOUT,
    "57P01": Failure.LOST,
    "57P02": Failure.LOST,
    "57P03": Failure.LOST,
    "57P05": Failure.LOST,
    "HYT00": Failure.TIMEOUT,
    "HYT01": Failure.TIMEOUT,
    "HY008": Failure.TIMEOUT,
    "42501": Failure.PRIVILEGE,
    "42P01": Failure.MISSING,
    "42703": Failure.MISSING,
    "42883": Failure.MISSING,
    "42S02": Failure.MISSING,
    "42S22": Failure.MISSING,
    "3D000": Failure.NO_DATABASE,
    "3F000": Failure.MISSING,
    "42601": Failure.SYNTAX,
    "42804": Failure.SYNTAX,
    "42P08": Failure.SYNTAX,
    "42P18": Failure.SYNTAX,
    "23505": Failure.UNIQUE,
    "P0001": Failure.RULE,
    "45000": Failure.RULE,
    "25006": Failure.READ_ONLY,
    "53100": Failure.FULL,
    "XX001": Failure.DAMAGED,
    "XX002": Failure.DAMAGED,
    "IM002": Failure.DRIVER,
    "IM003": Failure.DRIVER,
    "IM004": Failure.DRIVER,
    "IM005": Failure.DRIVER,
}

_CLASSES: Mapping[str, Failure] = {
    "08": Failure.LOST,
    "22": Failure.VALUE,
    "23": Failure.CONSTRAINT,
    "28": Failure.LOGIN,
    "40": Failure.ROLLED_BACK,
    "53": Failure.BUSY,
}

MSSQL_USER_ERRORS = 50000
"""From here on the numbers belong to THROW and RAISERROR in the ERP's own code."""


def classify(error: DatabaseError) -> Failure | None:
    """What it means; None for a code that is in no table."""
    if error.family == "sqlite" and error.native is not None:
        return _sqlite(error)
    if error.native is not None:
        if error.family == "mssql" and error.native >= MSSQL_USER_ERRORS:
            return Failure.RULE
        known = _NATIVE.get(error.family, {}).get(error.native)
        if known is not None:
            return known
    if error.sqlstate is None:
        return None
    return _STATES.get(error.sqlstate) or _CLASSES.get(error.sqlstate[:2])


def _sqlite(error: DatabaseError) -> Failure | None:
    assert error.native is not None  # noqa: S101 - the caller looked
    if error.native == _SQLITE_MOVED:
        return Failure.LOST
    primary = error.native & 0xFF
    if primary == 19:
        return _SQLITE_CONSTRAINTS.get(error.native) or _sqlite_constraint(error)
    if primary == 1:
        # SQLITE_ERROR has no finer code; its sentences are fixed in SQLite's source.
        missing = ("no such table", "no such column", "no such function", "has no column")
        if any(sentence in error.text for sentence in missing):
            return Failure.MISSING
        return Failure.SYNTAX if "syntax error" in error.text else None
    return _SQLITE.get(primary)


_SQLITE_OWN = re.compile(
    r"(?P<unique>UNIQUE constraint failed: )|(NOT NULL|CHECK|FOREIGN KEY) constraint failed"
    r"|constraint failed$|cannot store \w+ value in \w+ column"
)


def _sqlite_constraint(error: DatabaseError) -> Failure:
    """The kind of constraint, where the driver keeps the primary code alone, as ODBC's does.

    SQLite's own sentences are fixed; any other one is what a trigger raised.
    """
    if error.native != 19 or not error.text:
        return Failure.CONSTRAINT
    own = _SQLITE_OWN.match(error.text)
    if own is None:
        return Failure.RULE
    return Failure.UNIQUE if own["unique"] else Failure.CONSTRAINT
