"""What an import would do, without keeping anything anywhere (OP-2).

A plan tells changes: an order that would stay what it is is only counted.
"""

from __future__ import annotations

from dataclasses import replace

from sync.domain.decision import Admitted, Quarantined, Waits
from sync.domain.order import StoreOrder
from sync.flows.context import Context, FlowResult, needs
from sync.flows.lookups import Lookups
from sync.flows.orders.discovery import in_scope, look_up, placed_before, reading_from
from sync.flows.orders.foreseeing import outlook
from sync.flows.orders.scoping import in_account
from sync.ports.state import LedgerEntry, LedgerState, ResyncScope
from sync.ports.store import ReadsWebOrders

TOLD = 100
_SETTLED = frozenset({LedgerState.IMPORTED, LedgerState.ACKNOWLEDGED, LedgerState.CLOSED})


def rehearse(context: Context, result: FlowResult, scope: ResyncScope) -> None:
    """Judge the orders that a run with this scope would look at."""
    store = needs(context.store, ReadsWebOrders, "the store")
    lookups = Lookups(context)
    retrying = context.retrying()
    if scope.order is not None:
        looked = look_up(context, scope.order)
        order = retrying(store.order, looked.order_id)
        if order is None:
            told = " ".join(looked.tried)
            result.remarks.append(f"The store shows no order {scope.order}. {told}".rstrip())
        else:
            _judge(context, lookups, result, order)
        return
    for page in retrying(store.changed_orders, reading_from(context, scope).since):
        for order in page.orders:
            if not in_scope(order, scope) or not in_account(lookups, scope, order):
                continue
            if _ours(context, result, order):
                _judge(context, lookups, result, order)


def _ours(context: Context, result: FlowResult, order: StoreOrder) -> bool:
    if not placed_before(context, order):
        return True
    with context.state.transaction() as state:
        known = state.ledger.entry(order.order_id) is not None
    result.count("orders_before_start", not known)
    return known


def _waits_for_a_person(entry: LedgerEntry, order: StoreOrder) -> bool:
    """Whether no run looks at it before it is replayed, or edited in the store."""
    if entry.state is LedgerState.REVIEW:
        return True
    same = replace(order, modified_at=entry.order.modified_at) == entry.order
    return entry.state is LedgerState.QUARANTINED and same


def _judge(context: Context, lookups: Lookups, result: FlowResult, order: StoreOrder) -> None:
    with context.state.transaction() as state:
        entry = state.ledger.entry(order.order_id)
        key = entry.key if entry is not None else state.ledger.key_of(order)
    if entry is not None and (entry.state in _SETTLED or _waits_for_a_person(entry, order)):
        result.count(f"already_{entry.state.value}")
        return
    outcome = outlook(lookups, order, key)
    if entry is not None and isinstance(outcome, Waits) and outcome.code == entry.waiting_for:
        result.count("already_waiting")
        return
    result.count(f"would_be_{type(outcome).__name__.lower()}")
    if isinstance(outcome, Admitted):
        told = f"import into {outcome.order.sold_to} by {outcome.decision.rule}"
    elif isinstance(outcome, Quarantined):
        told = "quarantine: " + " ".join(map(str, outcome.problems))
    else:
        told = outcome.sentence
    if len(result.samples) < TOLD:
        result.samples.append(f"{order.number}: {told}")
    else:
        result.unnamed += 1
