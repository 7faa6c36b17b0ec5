"""What a run can be narrowed to, and whether a name that narrows it stands for anything.

A restriction that a flow does not know would be dropped, and the flow would run
for everything; a misspelt name finds nothing, which looks like "all is well".
Neither may pass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.ids import CustomerId, Sku, well_formed
from sync.errors import Misconfigured
from sync.flows.context import Context, needs
from sync.flows.orders.discovery import named_order
from sync.ports.erp import ReadsAccounts, ReadsItems
from sync.ports.state import ResyncScope

NARROWED_BY: Mapping[str, tuple[str, ...]] = {
    "accounts": ("customer",),
    "ship_tos": ("customer",),
    "prices": ("customer", "sku", "channel"),
    "invoices": ("customer",),
    "balances": ("customer",),
    "customer_parts": ("customer",),
    "entitlements": ("customer", "sku", "channel"),
    "availability": ("customer", "sku", "channel"),
    "registrations": (),
    "orders": ("customer", "order", "channel", "since", "until"),
    "order_status": ("customer", "order", "channel"),
    "documents": ("customer",),
    "account_orders": ("customer",),
}
"""The parts of a scope that each flow knows."""


def takes(flow: str, scope: ResyncScope) -> bool:
    """Whether the flow knows every restriction of the scope."""
    return set(scope.parts) <= set(NARROWED_BY[flow])


def refuse_unknown_parts(flow: str, scope: ResyncScope) -> None:
    """Raises Misconfigured where the flow would run for more than was asked for, or for
    what can be nobody's name."""
    unknown = [part for part in scope.parts if part not in NARROWED_BY[flow]]
    if unknown:
        known = NARROWED_BY[flow]
        only = f"only by {', '.join(known)}" if known else "and runs for all or not at all"
        raise Misconfigured(
            f"{flow} cannot be narrowed by {' and '.join(unknown)}, {only}; nothing was done"
        )
    for part in scope.parts:
        value = getattr(scope, part)
        if isinstance(value, str) and not well_formed(value):
            raise Misconfigured(f"{value!r} can be no {part}; nothing was done")


def flows_of(
    name: str, flows: Sequence[str], scope: ResyncScope, *, without: Collection[str] = ()
) -> list[str]:
    """The flows that a request for ``name``, or for all, is about, in their order.

    Of all flows those that know every restriction, but none of ``without``. Raises
    Misconfigured for none.
    """
    if name != "all":
        refuse_unknown_parts(name, scope)
        return [name]
    found = [each for each in flows if takes(each, scope)]
    if not found:
        raise Misconfigured(f"no flow can be narrowed by {' and '.join(scope.parts)} together")
    kept = [each for each in found if each not in without]
    if not kept:
        raise Misconfigured(f"nothing is left: {', '.join(found)} cannot be served, and is off")
    return kept


def unknown_names(context: Context, scope: ResyncScope) -> list[str]:
    """A sentence for each name of the scope that neither the systems nor the mapping know."""
    told = []
    if scope.customer is not None and not _is_customer(context, scope.customer):
        told.append(f"there is no customer {scope.customer}{_near(context, scope.customer)}")
    if scope.sku is not None and not _is_item(context, scope.sku):
        told.append(f"the ERP has no item {scope.sku}")
    if scope.channel is not None and scope.channel not in _channels(context):
        known = ", ".join(_channels(context))
        told.append(f"there is no channel {scope.channel} (there are {known})")
    if scope.order is not None and not _is_order(context, scope.order):
        told.append(f"the ledger has no order {scope.order}, and this run found none in the store")
    return told


def nothing_of_its_own(flow: str, scope: ResyncScope) -> list[str]:
    """What a run of prices for one customer is not about: it found none that is theirs alone."""
    if flow != "prices" or scope.customer is None:
        return []
    item = f" of {scope.sku}" if scope.sku else ""
    ask = f"tradesync explain price {scope.customer} {scope.sku or 'SKU'}"
    own = f"There was no price{item} to compare that is customer {scope.customer}'s own"
    whose = "of a customer to whom nobody is mapped none is mirrored"
    return [f"{own} ({whose}); what they pay by lists that others have, too: {ask}"]


def _is_customer(context: Context, name: str) -> bool:
    try:
        customer_id = CustomerId(name)
    except ValueError:
        return False
    if customer_id in _mapped(context):
        return True
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    return customer_id in context.retrying()(erp.accounts, [customer_id])


def _is_item(context: Context, name: str) -> bool:
    try:
        sku = Sku(name)
    except ValueError:
        return False
    return not isinstance(context.erp, ReadsItems) or sku in context.retrying()(
        context.erp.items, [sku]
    )


def _is_order(context: Context, name: str) -> bool:
    order_id = named_order(context.state, name)
    with context.state.transaction() as state:
        return state.ledger.entry(order_id) is not None


def _channels(context: Context) -> list[str]:
    return sorted(each.value for each in context.mapping.channels)


def _mapped(context: Context) -> set[CustomerId]:
    groups = set(context.mapping.retail_groups.customer_ids)
    return groups | {each.customer_id for each in context.mapping.assignments}


def _near(context: Context, name: str) -> str:
    """An ID that is the same but for its leading zeros, which spreadsheets drop."""
    bare = name.lstrip("0")
    near = sorted(each.value for each in _mapped(context) if each.value.lstrip("0") == bare)
    return f"; {near[0]} is known, and zeros count" if near else ""
