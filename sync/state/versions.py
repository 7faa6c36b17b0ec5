"""Versions of a web order: which of two is newer, and whether they differ at all.

A store touches orders without changing them, and a read overlaps the one
before, so the ledger sees the same order many times. The fingerprint answers
that cheaply; where fingerprints differ the contents themselves are compared,
because "10.0" and "10.00" are no change, nor is a field that a new version of
this program has added.

Of an order whose buyer's data were erased (OP-9) the fingerprint begins with a
mark and covers what is left. What the store shows of it later is stripped in the
same way before it is compared, or kept.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sync.domain import codec
from sync.domain.erasure import recognised
from sync.domain.order import StoreOrder, UnreadableOrder, WebOrder

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def fingerprint(order: StoreOrder) -> str:
    """SHA-256 over the whole order but the time of its last change."""
    return codec.fingerprint(replace(order, modified_at=_ANY_TIME))


_ERASED = "erased:"


def is_erased(row: dict[str, Any]) -> bool:
    """Whether the person's data were taken out of this order."""
    return str(row["fingerprint"]).startswith(_ERASED)


def erased_fingerprint(order: StoreOrder) -> str:
    """The fingerprint of what is left of an order; as long as any other, and never equal to one."""
    return (_ERASED + fingerprint(order))[:64]


def as_kept(order: StoreOrder, row: dict[str, Any]) -> tuple[StoreOrder, str]:
    """The order as it may be kept in this row, and the fingerprint of that."""
    if not is_erased(row):
        return order, fingerprint(order)
    order = recognised(order, read(row["newer_payload"] or row["payload"]))
    return order, erased_fingerprint(order)


@functools.lru_cache(maxsize=256)
def read(payload: str) -> StoreOrder:
    """The order in a row. On its way an order is read several times; it never changes."""
    order: StoreOrder = codec.loads(StoreOrder, payload)
    return order


def same(
    order: StoreOrder, its_fingerprint: str, row: dict[str, Any], modified_at: datetime
) -> bool:
    """Whether the order says nothing that the newest version in the row does not say.

    Contents that were reduced cannot be compared: there the store's own time of
    change tells, beside the fingerprint of the whole order.
    """
    if its_fingerprint == (row["newer_fingerprint"] or row["fingerprint"]):
        return True
    if row["reduced_at"] is not None and modified_at == row["modified_at"]:
        return True
    newest = read(row["newer_payload"] or row["payload"])
    return replace(order, modified_at=_ANY_TIME) == replace(newest, modified_at=_ANY_TIME)


def columns(order: StoreOrder) -> dict[str, Any]:
    """What the row says of the version that is acted on."""
    # An order that cannot be read has no known time of placing.
    placed_at = order.modified_at if isinstance(order, UnreadableOrder) else order.placed_at
    return {
        "payload": codec.dumps(order),
        "fingerprint": fingerprint(order),
        "number": order.number.value,
        "channel": order.channel.value if order.channel else None,
        "placed_at": placed_at,
    }


def adopted(row: dict[str, Any]) -> dict[str, Any]:
    """The changes that make the newer version the one that is acted on."""
    if row["newer_payload"] is None:
        return {}
    taken = columns(read(row["newer_payload"]))
    if is_erased(row):
        taken["fingerprint"] = row["newer_fingerprint"]
    return {**taken, "newer_payload": None, "newer_fingerprint": None, "reduced_at": None}


def difference(before: StoreOrder, after: StoreOrder) -> str:
    """What changed, by field, for the history."""
    if not isinstance(before, WebOrder) or not isinstance(after, WebOrder):
        return f"{_kind(before)} before, {_kind(after)} now"
    parts = []
    if before.state is not after.state:
        parts.append(f"{before.state.value} -> {after.state.value}")
    fields = [
        name
        for name in WebOrder.__dataclass_fields__
        if name not in ("state", "modified_at") and getattr(before, name) != getattr(after, name)
    ]
    if fields:
        parts.append(f"differs in {', '.join(fields)}")
    return "; ".join(parts)


def _kind(order: StoreOrder) -> str:
    return "readable" if isinstance(order, WebOrder) else "unreadable"
