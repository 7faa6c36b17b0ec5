"""Does the database itself refuse a second order, customer or credit with the same key?

Exactly-once rests on it when two writers meet, or when a statement whose answer was
lost is still under way. Of orders the profile claims it, customers and credits need it;
here it is held against the indexes of the table that the key is written to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from erp_adapters.sql.database import Database
from erp_adapters.sql.facts import SHORTEST_KEY
from erp_adapters.sql.profile_model import Profile, Step
from erp_adapters.sql.statement import Statement
from sync.ports.erp import Finding, FindingLevel

SUBJECT = "unique external key"

_INSERT = re.compile(
    r"INSERT\s+INTO\s+(?P<table>[\w.\"\[\]`]+)\s*\((?P<columns>[^()]*)\)"
    r"[^()]*?(?:VALUES\s*\(|SELECT\s)(?P<values>.*)",
    re.IGNORECASE | re.DOTALL,
)

_FROM = re.compile(r"(?<!\w)FROM\b", re.IGNORECASE)


def unique_keys(profile: Profile, database: Database) -> Iterator[Finding]:
    """One finding for each kind of record that the profile writes under a key of ours."""
    if profile.steps:
        yield unique_key_finding(profile, database)
    for what, field, steps, remedy in (
        ("customers", "customer.key", profile.customer_steps, _CUSTOMERS),
        ("credit requests", "credit.key", profile.credit_steps, _CREDITS),
    ):
        if steps:
            yield _needed_finding(
                what, _key_column(steps, field, database.dialect), database, remedy
            )


_CUSTOMERS = (
    "add a unique index on that column, or take create_customer out of the profile: otherwise one"
    " application could make two customers"
)
_CREDITS = (
    "add a unique index on that column, or take credit_request out of the profile: otherwise one"
    " refund could be credited twice"
)


def _needed_finding(
    what: str, place: tuple[str, str] | None, database: Database, remedy: str
) -> Finding:
    subject = f"{SUBJECT} of {what}"
    look = f"look by hand for it; where there is none: {remedy}"
    if place is None:
        told = "the profile's steps do not show where the key is kept, which needs a unique index"
        return Finding(subject, FindingLevel.WARNING, told, look)
    table, column = place
    try:
        unique = _is_unique(database.writer, table, column)
    except (NoSuchTableError, DBAPIError):
        told = f"the indexes of {table} cannot be read: does {column} have a unique one?"
        return Finding(subject, FindingLevel.WARNING, told, look)
    if unique:
        return Finding(subject, FindingLevel.OK, f"{table}.{column} has a unique index")
    told = f"{table}.{column} has no unique index, and {what} need one there"
    return Finding(subject, FindingLevel.ERROR, told, remedy)


def unique_key_finding(profile: Profile, database: Database) -> Finding:
    """Whether the claim ``unique_external_key`` holds, as far as it can be told."""
    claimed = profile.capabilities.unique_external_key
    place = _key_column(profile.steps, "order.key", database.dialect)
    if place is None:
        return _untold(claimed, "the profile's steps do not show where the key is kept")
    table, column = place
    try:
        unique = _is_unique(database.writer, table, column)
        short = _too_short(database, table, column, profile.capabilities.external_key_length)
    except (NoSuchTableError, DBAPIError):
        return _untold(claimed, f"the indexes of {table} cannot be read")
    if short is not None and (unique or not claimed):
        return short
    if unique:
        return Finding(SUBJECT, FindingLevel.OK, f"{table}.{column} has a unique index")
    if not claimed:
        return Finding(SUBJECT, FindingLevel.WARNING, f"{table}.{column} has no unique index", _FIX)
    return Finding(
        SUBJECT,
        FindingLevel.ERROR,
        f"the profile claims unique_external_key, and {table}.{column} has no unique index",
        _FIX,
    )


def _too_short(database: Database, table: str, column: str, needed: int) -> Finding | None:
    """A column that does not hold the longest key, where the database refuses what is longer."""
    if database.dialect != "mysql":
        return None
    before, _, name = table.rpartition(".")
    for each in inspect(database.writer).get_columns(name, before or None):
        length = getattr(each["type"], "length", None)
        if each["name"].lower() == column.lower() and length is not None and length < needed:
            return Finding(
                SUBJECT,
                FindingLevel.WARNING,
                f"{table}.{column} holds {length} characters, and external_key_length is {needed}:"
                " an order with a longer key is refused",
                f"say external_key_length: {length} under facts before the first order"
                if length >= SHORTEST_KEY
                else f"make it {SHORTEST_KEY} characters or longer, and say so under facts",
            )
    return None


_FIX = (
    "add a unique index on that column alone, where need be of the rows of one company, or say"
    " unique_external_key: false"
)


def _untold(claimed: bool, why: str) -> Finding:
    level = FindingLevel.WARNING if claimed else FindingLevel.OK
    return Finding(SUBJECT, level, why, "look by hand for a unique index on the external key")


def _key_column(steps: Sequence[Step], field: str, dialect: str) -> tuple[str, str] | None:
    """Table and column that the first step to insert this field puts it into."""
    for step in steps:
        sql = step.sql.of(dialect)
        for parameter, bound in step.bind.items():
            place = None
            if bound.field == field and sql is not None:
                place = _inserted(sql, parameter)
            if place is not None:
                return place
    return None


def _inserted(sql: Statement, parameter: str) -> tuple[str, str] | None:
    match = _INSERT.match(sql.source)
    if match is None:
        return None
    columns = [_bare(column) for column in match["columns"].split(",")]
    values = _top_level(match["values"])[: len(columns)]
    # Padded or cast, it is still the key: rpad(:key, 40).
    keeps = [place for place, value in enumerate(values) if _names(value, parameter)]
    if len(columns) != len(values) or len(keeps) != 1:
        return None
    table = ".".join(_bare(part) for part in match["table"].split("."))
    return table, columns[keeps[0]]


def _names(value: str, parameter: str) -> bool:
    return re.search(rf"(?<![\w:]):{re.escape(parameter)}\b", value) is not None


def _top_level(text: str) -> list[str]:
    """The parts between the commas that stand in no parentheses, as far as a FROM there."""
    parts, depth = [""], 0
    for at, letter in enumerate(text):
        if depth == 0 and _FROM.match(text, at):
            break
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _bare(name: str) -> str:
    return name.strip().strip('"[]`')


def _is_unique(engine: Engine, table: str, column: str) -> bool:
    before, _, name = table.rpartition(".")
    schema = before or None
    if engine.dialect.name == "postgresql":
        return _is_unique_on_postgresql(engine, schema, name, column)
    inspector = inspect(engine)
    # SQLite's constraints are read from the table's text, where not every one is
    # found; the index behind each of them always is.
    options = {"include_auto_indexes": True} if engine.dialect.name == "sqlite" else {}
    sets = [inspector.get_pk_constraint(name, schema)["constrained_columns"]]
    sets += [each["column_names"] for each in inspector.get_unique_constraints(name, schema)]
    sets += [
        [part for part in index["column_names"] if part is not None]
        for index in inspector.get_indexes(name, schema, **options)
        if index["unique"]
    ]
    return any([part.lower() for part in parts] == [column.lower()] for parts in sets)


# SQLAlchemy's own look at these indexes needs arrays, which ODBC gives as text.
_POSTGRESQL_INDEXES = text(
    """
    SELECT CAST(a.attname AS text) AS attname
      FROM (SELECT CAST(:name AS text) AS name, CAST(:schema AS text) AS schema) AS asked
      JOIN pg_catalog.pg_class c
        ON CAST(c.relname AS text) IN (asked.name, lower(asked.name)) AND c.relkind IN ('r', 'p')
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_index i
        ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
     WHERE CASE WHEN asked.schema = '' THEN pg_catalog.pg_table_is_visible(c.oid)
                ELSE CAST(n.nspname AS text) IN (asked.schema, lower(asked.schema)) END
    """
)


def _is_unique_on_postgresql(engine: Engine, schema: str | None, name: str, column: str) -> bool:
    with engine.connect() as connection:
        asked = {"name": name, "schema": schema or ""}
        found = connection.execute(_POSTGRESQL_INDEXES, asked).scalars().all()
    if not found:
        raise NoSuchTableError(name)
    return column.lower() in {each.lower() for each in found if each is not None}
