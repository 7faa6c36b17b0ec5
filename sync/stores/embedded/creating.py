"""Making the tables of a store, in a database that may be somebody else's.

The database is looked at before anything is made, and once more in the transaction
that makes it: a table that came in between stops it. No table that is there is altered,
and a file is made only in a folder that is there, since a folder that is missing is most
likely a share that is not mounted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, Table, inspect, text
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from sync.errors import Conflict, Misconfigured, TryLater
from sync.kit.database_files import misplaced
from sync.kit.engines import address_of
from sync.ports.tables import Tables
from sync.stores.embedded import schema
from sync.stores.embedded.engine import reading_engine, writing_engine

_SQLITE = "SELECT '', name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_POSTGRESQL = """\
SELECT n.nspname, c.relname,
       CASE WHEN c.relkind IN ('r', 'p', 'f') THEN 'table'
            WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'index' END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
   AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'i', 'I', 'S', 'c')
 UNION ALL
SELECT n.nspname, t.typname, 'type'
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
   AND t.typtype <> 'c' AND t.typcategory <> 'A'"""
"""Each table has a type of its name, so that a domain, say, stands in its way; for an array
the server finds another name."""


def statements(tables: Iterable[Table], dialect: Dialect) -> Iterator[str]:
    """The SQL that makes these tables with their indexes."""
    for table in tables:
        yield str(CreateTable(table).compile(dialect=dialect)).strip()
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            yield str(CreateIndex(index).compile(dialect=dialect)).strip()


def look(url: URL, database: str) -> Tables:
    """What is in the database; its file is not made.

    Raises Misconfigured, TryLater, and what the driver raises.
    """
    file = _file_of(url)
    if file is not None and _is_new(file, database):
        _refuse_folder(file)
        dialect = url.get_dialect()()
        tables = schema.metadata.sorted_tables
        return _planned(database, _place(url), tables, dialect, new=True)
    if file is not None:
        _refuse_misplaced(file, database)
    engine = reading_engine(url)
    try:
        with engine.connect() as connection:
            return _looked_at(connection, database, url)
    finally:
        engine.dispose()


def make(url: URL, looked: Tables) -> None:
    """Make what is missing, where the database is as it was looked at."""
    file = _file_of(url)
    if file is not None:
        _refuse_root(file)
    if file is not None and looked.new:
        try:
            file.touch(0o644, exist_ok=False)
        except FileExistsError:
            raise _another(looked) from None
        with closing(sqlite3.connect(file)) as connection:
            # Kept in the file: from now on nobody who reads holds up a writer.
            connection.execute("PRAGMA journal_mode = WAL")
    engine = writing_engine(url)
    try:
        with engine.begin() as connection:
            now = _looked_at(connection, looked.database, url)
            if (now.place, now.missing, now.foreign, now.others) != (
                looked.place,
                looked.missing,
                looked.foreign,
                looked.others,
            ):
                raise _another(looked)
            wanted = [schema.metadata.tables[name] for name in looked.missing]
            schema.metadata.create_all(connection, tables=wanted, checkfirst=False)
    finally:
        engine.dispose()


def _another(looked: Tables) -> Conflict:
    return Conflict(
        f"{looked.database} has changed since it was looked at, and nothing was made; look again"
    )


def _place(url: URL, here: str = "") -> str:
    """Where it is, so that a person sees whether it is the right one; no login, no secret."""
    file = _file_of(url)
    if file is not None:
        return f"the file {file}"
    at = address_of(url) or "the address in url"
    return f"schema {here} of database {url.database or 'that url names'} at {at}"


def _looked_at(connection: Connection, database: str, url: URL) -> Tables:
    here = ""
    if connection.dialect.name == "postgresql":
        here = connection.scalar(text("SELECT current_schema()")) or ""
        if not here:
            raise Misconfigured(
                f"{database} has no schema in which this login makes tables: name one in its"
                " search_path"
            )
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    found = [(str(row[0]), str(row[1]), str(row[2])) for row in connection.execute(text(query))]
    kinds = {name: kind for where, name, kind in found if where == here and kind != "type"}
    types = {name for where, name, kind in found if where == here and kind == "type"}
    ours = schema.metadata.tables
    foreign = sorted(
        name if where == here else f"{where}.{name}"
        for where, name, kind in found
        if kind in ("table", "view") and not (where == here and name in ours)
    )
    missing = [each for each in schema.metadata.sorted_tables if each.name not in kinds]
    return _planned(
        database,
        _place(url, here),
        missing,
        connection.dialect,
        foreign=foreign,
        others=[
            *_something_else(connection, kinds),
            *_taken(missing, kinds, types, connection.dialect),
        ],
        indexes=sorted(
            str(index.name)
            for table in schema.metadata.sorted_tables
            for index in table.indexes
            if table.name in kinds and str(index.name) not in kinds
        ),
    )


def _planned(
    database: str,
    place: str,
    missing: Collection[Table],
    dialect: Dialect,
    *,
    foreign: Iterable[str] = (),
    others: Iterable[str] = (),
    indexes: Iterable[str] = (),
    new: bool = False,
) -> Tables:
    return Tables(
        database,
        place,
        tuple(each.name for each in missing),
        tuple(statements(missing, dialect)),
        tuple(foreign),
        tuple(others),
        tuple(indexes),
        new,
    )


def _something_else(connection: Connection, kinds: Mapping[str, str]) -> Iterator[str]:
    """What has the name of one of our tables and is none, or one with other columns."""
    inspector = inspect(connection)
    for table in schema.metadata.sorted_tables:
        kind = kinds.get(table.name)
        if kind is None:
            continue
        if kind != "table":
            yield f"{table.name} is no table"
            continue
        there = {column["name"] for column in inspector.get_columns(table.name)}
        wanted = {column.name for column in table.columns}
        if there != wanted:
            lacks = [f"lacks {name}" for name in sorted(wanted - there)]
            has = [f"has {name} besides" for name in sorted(there - wanted)]
            told, more = [*lacks, *has][:_TOLD], len(lacks) + len(has) - _TOLD
            rest = f" and {more} more such columns" if more > 0 else ""
            yield f"table {table.name} {', '.join(told)}{rest}"


_TOLD = 4


def _taken(
    missing: Iterable[Table], kinds: Collection[str], types: Collection[str], dialect: Dialect
) -> Iterator[str]:
    """Names that the missing tables and their indexes need, and that are something else's."""
    # SQLite takes Orders and orders for the same.
    spelled = str.casefold if dialect.name == "sqlite" else str
    held = {spelled(name): name for name in kinds}
    for table in missing:
        if spelled(table.name) in held:
            yield f"{held[spelled(table.name)]} differs from {table.name} by its letters only"
        if table.name in types:
            yield f"{table.name} is a type"
        yield from (
            f"{held[spelled(name)]} is there already"
            for name in sorted(str(index.name) for index in table.indexes)
            if spelled(name) in held
        )


def _file_of(url: URL) -> Path | None:
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def _is_new(file: Path, database: str) -> bool:
    """Whether nothing is there, not even a link that leads nowhere.

    Raises Misconfigured, TryLater where that cannot be seen: it is not taken for nothing.
    """
    try:
        file.lstat()
    except FileNotFoundError:
        return True
    except OSError as error:
        _refuse_misplaced(file, database)
        raise TryLater(f"{database}: {file} cannot be looked at now: {error.strerror}") from error
    return False


def _refuse_misplaced(file: Path, database: str) -> None:
    wrong = misplaced("url", file)
    if wrong is None:
        return
    way_out = "correct url"
    if not os.access(file, os.R_OK):
        way_out += ", or run the command as the user whom the service runs as"
    raise Misconfigured(f"{database}: {wrong}; {way_out}")


def _refuse_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise Misconfigured(
            f"url names {file}, and there is no such folder as {file.parent}; make it as the user"
            " that the service runs as, or correct url"
        )


def _refuse_root(file: Path) -> None:
    """What root makes in somebody's folder that somebody cannot write."""
    owner = (file if file.exists() else file.parent).stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise Misconfigured(
            f"{file} would become root's, and its place belongs to user {owner}, whom the service"
            f" runs as: run the command as that user, such as sudo -u '#{owner}' tradesync ..."
        )
