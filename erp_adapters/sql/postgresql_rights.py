"""What PostgreSQL tells of rights only when it is too late, or in other words.

A schema that the account may not use is passed over in the search path, so that each
of its tables "does not exist"; and an INSERT that takes a number from a sequence is
explained without the right to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection, text

_INSERTS = re.compile(
    r"INSERT\s+INTO\s+(?P<table>[\w.\"]+)\s*\((?P<columns>[^()]*)\)", re.IGNORECASE
)

# Nobody is asked for what the account itself owns; an identity column asks nobody either.
_SEQUENCES = text(
    """
    SELECT CAST(a.attname AS text) AS filled, CAST(n.nspname AS text) AS place,
           CAST(s.relname AS text) AS sequence
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      JOIN pg_catalog.pg_depend p
        ON p.classid = CAST('pg_catalog.pg_attrdef' AS regclass) AND p.objid = d.oid
       AND p.refclassid = CAST('pg_catalog.pg_class' AS regclass)
      JOIN pg_catalog.pg_class s ON s.oid = p.refobjid
      JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     WHERE a.attrelid = to_regclass(CAST(:relation AS text)) AND NOT a.attisdropped
       AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE')
                ELSE FALSE END
     ORDER BY a.attnum
    """
)


def unseen_schemas(connection: Connection, search_path: str) -> Sequence[str]:
    """Those of the search path that are not there, or that this account may not use."""
    seen = connection.exec_driver_sql("SELECT unnest(current_schemas(false))").scalars().all()
    return [name for name in _named(search_path) if name not in {str(each) for each in seen}]


def _named(search_path: str) -> Sequence[str]:
    parts = (part.strip() for part in search_path.split(","))
    names = [part[1:-1] if part.startswith('"') else part.lower() for part in parts if part]
    return [name for name in names if name not in ("$user", "pg_catalog")]


def ungranted_sequences(connection: Connection, source: str) -> Sequence[str]:
    """Sequences, with their schema, that an INSERT of this statement needs and may not use."""
    found: dict[str, None] = {}
    for match in _INSERTS.finditer(source):
        given = {column.strip().strip('"').lower() for column in match["columns"].split(",")}
        for row in connection.execute(_SEQUENCES, {"relation": match["table"]}).all():
            if row.filled not in given:
                found[f"{row.place}.{row.sequence}"] = None
    return list(found)
