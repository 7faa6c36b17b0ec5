"""What every adapter that writes orders in groups refuses before it writes any."""

from __future__ import annotations

from collections.abc import Sequence

from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import SalesOrder
from sync.errors import GroupRejected


def refuse_what_is_no_group(orders: Sequence[tuple[SalesOrder, IdempotencyKey]], most: int) -> None:
    """Raises GroupRejected for a key that is there twice, at its second place, and
    ValueError for more orders than the adapter says that it takes together."""
    if len(orders) > most:
        raise ValueError(f"{len(orders)} orders where the ERP takes {most} together")
    seen: set[IdempotencyKey] = set()
    for position, (_, key) in enumerate(orders):
        if key in seen:
            raise GroupRejected(
                f"the key {key} is twice in a group of orders",
                code="erp_duplicate",
                remedy="Submit the order once.",
                position=position,
            )
        seen.add(key)
