"""What has to be seen to after the import is noted with the step that shows it (OI-10).

Both notes are made within a transaction of somebody else's: whatever is remembered of
a shipment or a refund there, is remembered together with the note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync.domain.ids import WebOrderId
from sync.domain.order import Refund
from sync.domain.sales_order import OrderStatus
from sync.flows.context import Context
from sync.planning.captures import SHIPPING
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.ports.state import Transaction


def note_shipped(
    context: Context, state: Transaction, order_id: WebOrderId, status: OrderStatus
) -> None:
    """Something of the order has left: somebody has to see what is to be captured for it."""
    if status.state not in SHIPPING or not context.limits.orders.capture_channels:
        return
    now = context.clock.now()
    held = of_kind(state.settlements.of(order_id), SettlementKind.SHIPPED)
    shipped = (
        held[0]
        if held
        else Settlement(order_id, SettlementKind.SHIPPED, "", SettlementState.WANTED, now)
    )
    if shipped.due_at is None:
        wanted = replace(shipped, state=SettlementState.WANTED, changed_at=now, due_at=now)
        state.settlements.put(wanted)


def note_refunds(
    context: Context, state: Transaction, order_id: WebOrderId, refunds: Sequence[Refund]
) -> None:
    """Keep each refund that is not known yet, to be seen to by ``credit_refunds``."""
    if not refunds:
        return
    known = {
        each.number for each in state.settlements.of(order_id) if each.kind is SettlementKind.REFUND
    }
    now = context.clock.now()
    for refund in {each.refund_id: each for each in refunds}.values():
        if refund.refund_id.value not in known:
            state.settlements.put(
                Settlement(
                    order_id,
                    SettlementKind.REFUND,
                    refund.refund_id.value,
                    SettlementState.WANTED,
                    now,
                    due_at=now,
                    amount=refund.amount,
                    happened_at=refund.refunded_at,
                )
            )


def of_kind(records: Sequence[Settlement], kind: SettlementKind) -> list[Settlement]:
    return [each for each in records if each.kind is kind]
