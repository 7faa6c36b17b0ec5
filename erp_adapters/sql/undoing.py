"""Can the database take back what a step has written, when a later one is refused?

MySQL and MariaDB keep tables of engines that know no transactions, MyISAM and Aria
above all. A ROLLBACK leaves their rows where they are, and says nothing: of an order
that is refused at its second line the header would stay, be found by its key, and
count as imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, bindparam, text

from erp_adapters.sql.database import Database
from erp_adapters.sql.profile_model import Profile, Step
from sync.ports.erp import Finding, FindingLevel

SUBJECT = "transactions"

_WRITTEN = re.compile(
    r"(?:(?:INSERT|REPLACE)(?:\s+(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|IGNORE))*(?:\s+INTO)?"
    r"|UPDATE(?:\s+(?:LOW_PRIORITY|IGNORE))*"
    r"|DELETE(?:\s+(?:LOW_PRIORITY|QUICK|IGNORE))*\s+FROM)"
    r"\s+(?P<table>(?:`[^`]+`|[\w$]+)(?:\.(?:`[^`]+`|[\w$]+))?)",
    re.IGNORECASE,
)
_ENGINES = text(
    "SELECT t.ENGINE FROM information_schema.TABLES t"
    " JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE AND e.TRANSACTIONS = 'NO'"
    " WHERE t.TABLE_SCHEMA = COALESCE(:schema, DATABASE()) AND t.TABLE_NAME = :name"
).bindparams(bindparam("schema"), bindparam("name"))


def kept_after_all(profile: Profile, database: Database) -> Iterator[Finding]:
    """One error for each table that the steps write to and that knows no transactions."""
    if database.dialect != "mysql":
        return
    with database.writer.connect() as connection:
        for table in _written(profile, database.dialect):
            engine = _engine_without(connection, table)
            if engine is not None:
                yield Finding(
                    SUBJECT,
                    FindingLevel.ERROR,
                    f"{table} is a table of {engine}, which takes nothing back: an order that is"
                    " refused half-way would stay there, and count as imported",
                    f"ALTER TABLE {table} ENGINE=InnoDB",
                )


def _written(profile: Profile, dialect: str) -> Iterable[str]:
    steps: list[Step] = [*profile.steps, *profile.cancel_steps]
    steps += [*profile.customer_steps, *profile.credit_steps]
    told = (step.sql.of(dialect) for step in steps)
    found = (written_table(sql.source) for sql in told if sql is not None)
    return dict.fromkeys(each for each in found if each is not None)


def written_table(sql: str) -> str | None:
    """The table that the statement writes to, as far as its beginning tells."""
    match = _WRITTEN.match(sql)
    return None if match is None else match["table"].replace("`", "")


def _engine_without(connection: Connection, table: str) -> str | None:
    schema, _, name = table.rpartition(".")
    found = connection.execute(_ENGINES, {"schema": schema or None, "name": name})
    told: str | None = found.scalar()
    return told
