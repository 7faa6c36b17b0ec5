"""What is in both databases, to the last row, to see that a run wrote nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing

from tests.systems.live.pair import Pair

# Sessions come and go with every client; a key notes when it was used.
_NOT_DATA = {"ir_session", "ir_session_wizard", "res_user_login_attempt", "api_key"}


def everything(pair: Pair) -> dict[str, str]:
    """A digest of each table. In the shop it changes with every write, even one that
    changes nothing: it is made of the versions of rows."""
    found = {f"erp.{name}": digest for name, digest in _erp(pair).items()}
    with pair.shop.server.sql() as on:
        names = on.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            if name in _NOT_DATA:
                continue
            versions = "string_agg(ctid::text || xmin::text, ',' ORDER BY ctid)"
            [told] = on.execute(f'SELECT md5({versions}) FROM "{name}"').fetchall()
            found[f"shop.{name}"] = str(told[0])
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The tables that are not what they were."""
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )


def _erp(pair: Pair) -> dict[str, str]:
    found = {}
    with closing(sqlite3.connect(pair.erp_file, timeout=30)) as on:
        names = on.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            if name in _NOT_DATA:
                continue
            rows = on.execute(f'SELECT * FROM "{name}"').fetchall()
            if name == "sqlite_sequence":
                rows = [row for row in rows if row[0] not in _NOT_DATA]
            found[name] = hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()
    return found
