"""The same orders through the ERP adapter, without a ledger and with it.

What this leaves out is everything that decides *whether* and *how* an order is
imported: discovery, look-ups, judging, reading again. Both sides write the very same
instructions with the very same adapter; the one with the ledger claims each order
before, freezes its instruction, and records its outcome after, in the hands and with
the transactions of the real import. So the difference is what the ledger costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sync.domain.decision import Admitted
from sync.domain.ids import ErpOrderNumber, IdempotencyKey, WebOrderId
from sync.domain.sales_order import SalesOrder
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import chunks
from sync.flows.orders.records import LaterRecords, look_again_after_s
from sync.flows.orders.sending import LARGEST_GROUP, SINGLES
from sync.ports.erp import SubmitsOrders, SupportsOrderGroups
from sync.ports.state import Claim

Instruction = tuple[WebOrderId, Admitted, IdempotencyKey]
Write = Callable[[Sequence[tuple[SalesOrder, IdempotencyKey]]], list[ErpOrderNumber | None]]


def without_ledger(context: Context, orders: Sequence[Instruction]) -> None:
    write, size = _writing(context)
    for some in chunks(orders, size):
        write([(admitted.order, key) for _, admitted, key in some])


def with_ledger(context: Context, orders: Sequence[Instruction]) -> None:
    """For orders that are discovered and not claimed."""
    write, size = _writing(context)
    later = LaterRecords(context, FlowResult("orders"))
    lease = context.limits.orders.lease_s + look_again_after_s(context)
    for some in chunks(orders, size):
        instructions = {order_id: admitted for order_id, admitted, _ in some}
        with later.transaction() as state:
            claims: list[Claim] = list(
                state.ledger.claim_all(list(instructions), context.clock.now(), lease)
            )
        assert len(claims) == len(some)
        for claim in claims:
            later.frozen(claim, instructions[claim.order_id])
        later.write()
        numbers = write([(instructions[claim.order_id].order, claim.key) for claim in claims])
        for claim, number in zip(claims, numbers, strict=True):
            later.imported(claim, instructions[claim.order_id].order, number)
    later.write()


def _writing(context: Context) -> tuple[Write, int]:
    """How this ERP takes orders, and how many are a hand."""
    erp = context.erp
    if context.erp.capabilities.order_group > 1 and isinstance(erp, SupportsOrderGroups):
        groups = erp
        return (
            lambda orders: [each.number for each in groups.submit_orders(orders)]
        ), LARGEST_GROUP
    singles = needs(erp, SubmitsOrders, "the ERP")
    return (lambda orders: [singles.submit_order(*each).number for each in orders]), SINGLES
