"""A store whose database has tradesync's own schema, which a person has made by a command.

The database may be somebody else's: so it is looked at first, a person sees what would be
made and what else is there, and nothing is made where it is another by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Tables:
    """What is in the database, as far as it matters, and what making the tables comes to.

    ``database`` names it for people, ``place`` says where it is and in which schema, and
    ``new`` that it is a file yet to be made.
    ``missing`` are the store's tables that are not there, ``statements`` the SQL that makes
    just these. ``foreign`` are tables and views that are none of the store's, in any schema
    of the database; ``others`` says what has a name that the store needs and is something
    else: such a database is never touched. ``indexes`` are those that tables which are there
    lack: they are told, and not made.
    """

    database: str
    place: str
    missing: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    new: bool = False


@runtime_checkable
class MakesTables(Protocol):
    """Called by a person's command only: no flow makes a table."""

    def table_statements(self) -> Sequence[str]:
        """The SQL of all tables, in the dialect of the database, which is not asked."""
        ...

    def look_at_tables(self) -> Tables:
        """What is there and what is missing; writes nothing, not even the file.

        Raises Misconfigured, AccessDenied, TryLater.
        """
        ...

    def make_tables(self, looked: Tables) -> None:
        """Make what was found to be missing, as a whole or not at all.

        No table that is there is changed. Raises Conflict where the database is not as it
        was looked at, Misconfigured where this login or user may not make it.
        """
        ...
