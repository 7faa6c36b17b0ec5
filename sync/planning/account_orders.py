"""Which of the store's own orders an order of the ERP is (MI-5, WA-9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sync.domain.account_order import AccountOrder
from sync.domain.ids import CustomerId, IdempotencyKey, WebOrderId

FiledUnder = Mapping[tuple[CustomerId, IdempotencyKey], WebOrderId]
"""Web orders by the account that they went into and the key that the ERP has them under."""


def as_shown(order: AccountOrder, ours: FiledUnder) -> AccountOrder:
    """The order as a store may be told: without our key, and linked to its web order.

    One that went into another account is not linked: whoever reads this account's
    orders is nobody of that one. So an order that the ERP's staff moved is not.
    """
    mine = None if order.key is None else ours.get((order.sold_to, order.key))
    return replace(order, key=None, web_order=mine)
