"""Opening and creating the store's database.

Two engines look at one database: one that reads, each transaction as of one
moment, and one that writes. The reading one cannot write, so that a slip in a
query cannot change a shop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Engine

from sync.errors import Misconfigured
from sync.kit.engines import EngineOptions, engine_for, parse_url
from sync.stores.embedded import schema

_WRITING = EngineOptions(pool_size=2)
_READING = EngineOptions(read_only=True)


def store_url(text: str, secrets: Mapping[str, str], base: Path) -> URL:
    """The database's address; a relative SQLite file is found under ``base``.

    The password is the secret ``password``, never a part of the address, which
    is kept in a file that people share. Raises Misconfigured.
    """
    url = parse_url(text, base)
    if url.password is not None:
        raise Misconfigured("the url holds a password: move it to the secret named password")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise Misconfigured(f"the embedded store knows SQLite and PostgreSQL, not {url.drivername}")
    return url.set(password=secrets["password"]) if "password" in secrets else url


def writing_engine(url: URL) -> Engine:
    """Its ``begin()`` is a transaction that commits as a whole, or leaves nothing."""
    return engine_for(url, _WRITING)


def reading_engine(url: URL) -> Engine:
    """Within one of its connections, everything is seen as of one moment."""
    return engine_for(url, _READING)


def create_store(url: URL) -> None:
    """Make the database file, where it is one, and every table that is missing.

    On PostgreSQL the database itself must be there, empty or not.
    """
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            # Kept in the file: from now on nobody who reads holds up a writer.
            connection.execute("PRAGMA journal_mode = WAL")
    engine = writing_engine(url)
    try:
        schema.create_schema(engine)
    finally:
        engine.dispose()
