"""Mirror of each account's own item numbers, to the buyers of that account alone (TL-6).

ERPs rarely say when such a number was entered, so that there is no change feed:
each run compares them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.ids import CustomerId, PartNumber, Sku
from sync.domain.part_number import CustomerPart, PartKey
from sync.domain.views import CustomerPartView
from sync.flows.account_records import AccountRecords, RecordKey, mirror_records, no_place
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import individual, withdraw_retail_groups
from sync.planning.plan import Change
from sync.ports.erp import ReadsCustomerParts
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsCustomerParts


def mirror_customer_parts(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show each mapped account exactly its own part numbers.

    Does nothing, and says so, for a store that has no place for them. Raises SuspiciousPlan.
    """
    store = context.store
    withdraw_retail_groups(context, result, dry_run=dry_run)
    if not isinstance(store, MirrorsCustomerParts):
        no_place(result, "customer part numbers")
        return
    erp, retrying = context.erp, context.retrying()

    def wanted(customer_ids: Collection[CustomerId]) -> Mapping[RecordKey, CustomerPart]:
        if not isinstance(erp, ReadsCustomerParts):
            return {}
        return {_spelled(each.key): each for each in retrying(erp.customer_parts, customer_ids)}

    def shown(customer_ids: Collection[CustomerId]) -> Mapping[RecordKey, CustomerPart]:
        held = retrying(store.shown_customer_parts, customer_ids)
        return {_spelled(key): each for key, each in held.items()}

    def write(batch: Sequence[Change[RecordKey, CustomerPart]]) -> None:
        put = [
            CustomerPartView(individual(context, change.after.sold_to), change.after)
            for change in batch
            if change.after is not None
        ]
        store.apply_customer_parts(put, [_key(each.key) for each in batch if each.after is None])

    records = AccountRecords(CustomerPart, wanted, shown, write, retrying)
    mirror_records(context, result, scope, records, dry_run=dry_run)


def _spelled(key: PartKey) -> RecordKey:
    return tuple(part.value for part in key)


def _key(spelled: RecordKey) -> PartKey:
    owner, part_number, sku = spelled
    return CustomerId(owner), PartNumber(part_number), Sku(sku)
