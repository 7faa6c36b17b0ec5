"""The statements that every step of an order costs, made once.

To build a statement and to find its compiled form takes several times as long as
SQLite needs for it. Here only the values are new each time. ``its_pipeline``,
``its_store_id`` and ``its_order_id`` say which row is meant.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Insert, Select, Update, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.state.schema import ledger, ledger_events

_mine = tuple(ledger.c[name] == bindparam(f"its_{name}") for name in ("pipeline", "store_id"))

ONE_LOCKED: Select[Any] = (
    select(ledger).where(*_mine, ledger.c.order_id == bindparam("its_order_id")).with_for_update()
)

# In one order, so that two workers cannot block each other.
SOME_LOCKED: Select[Any] = (
    select(ledger)
    .where(*_mine, ledger.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .order_by(ledger.c.order_id)
    .with_for_update()
)

ONE: Select[Any] = select(ledger).where(*_mine, ledger.c.order_id == bindparam("its_order_id"))

DUE: Select[Any] = (
    select(ledger.c.order_id)
    .where(*_mine, ledger.c.due_at.is_not(None), ledger.c.due_at <= bindparam("now"))
    .order_by(ledger.c.placed_at, ledger.c.order_id)
    .limit(bindparam("most"))
)

UNCHANGED: Select[Any] = select(
    ledger.c.order_id,
    ledger.c.modified_at,
    ledger.c.fingerprint,
    ledger.c.newer_fingerprint,
).where(*_mine, ledger.c.order_id.in_(bindparam("order_ids", expanding=True)))

TELL: Insert = insert(ledger_events)


@lru_cache(maxsize=512)
def change(names: tuple[str, ...], fence: tuple[str, ...]) -> Update:
    """Sets these columns (``set_``) of the row that is still as it was in those (``was_``)."""
    still = (ledger.c[name] == bindparam(f"was_{name}") for name in ("order_id", *fence))
    set_to: dict[str, Any] = {name: bindparam(f"set_{name}") for name in names}
    return update(ledger).where(*_mine, *still).values(set_to)


@lru_cache(maxsize=2)
def discover(dialect: str) -> Any:
    """A new row, unless it is there."""
    kind = postgresql if dialect == "postgresql" else sqlite
    return kind.insert(ledger).on_conflict_do_nothing()
