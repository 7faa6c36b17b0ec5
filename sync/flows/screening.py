"""Which items are not for everybody, found out before a price tells of them (VE-5, VE-7).

A list of restricted items that has become shorter, or an ERP that has none, must not
publish a price. So the list only says what is restricted: that an item is open, the item
itself says, and the store keeps it for nobody in particular. The ERP alone is not enough
for that: the mirror of ``entitlements`` and its guard rails decide when an item opens.

What it costs: where prices are read row by row, the items of all lists are read in each
run, each once, a few hundred in a read. To look only at those whose prices change would
miss an item that becomes restricted, which changes no price. Where an ERP tells whole
vectors and lists what is restricted, that list is what tells such an item, and the ERP is
asked only of items with a price that would be published and was not (``vector_screening``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sync.domain.account import Item
from sync.domain.entitlement import Entitlement
from sync.domain.ids import Sku
from sync.flows.context import Context, FlowResult
from sync.flows.entitlements import ITEMS_PER_READ, all_kept_in_store, restricted_items
from sync.flows.mirroring import Unreadable, chunks, take_unreadable
from sync.planning.restricted_prices import Restricted
from sync.ports.erp import ReadsItems


@dataclass(frozen=True, slots=True)
class Screening:
    """Tells ``restricted`` of each item that is not for everybody.

    ``listed`` are those that the ERP lists, ``kept`` those that the store keeps for some.
    """

    context: Context
    result: FlowResult
    restricted: Restricted
    listed: frozenset[Sku]
    kept: Mapping[Sku, Entitlement]
    _seen: set[Sku] = field(default_factory=set)

    @classmethod
    def of(cls, context: Context, result: FlowResult, restricted: Restricted) -> Screening:
        """All that is known to be restricted is looked at already."""
        listed, kept = restricted_items(context), all_kept_in_store(context)
        found = cls(context, result, restricted, listed, kept)
        found.look_at(listed | kept.keys())
        return found

    def look_at(self, skus: Collection[Sku]) -> None:
        """Find out about these, those that were not looked at before in this run."""
        erp = self.context.erp
        for batch in chunks(sorted(set(skus) - self._seen), ITEMS_PER_READ):
            items: Mapping[Sku, Item] = {}
            unreadable = Unreadable(frozenset(), everybody=False)
            if isinstance(erp, ReadsItems):
                items = self.context.retrying()(erp.items, batch)
                outcome = "its prices are hidden until it can be read"
                unreadable = take_unreadable(self.context, self.result, outcome)
            for sku in batch:
                self._judge(sku, items.get(sku), unreadable)
            self._seen.update(batch)

    def _judge(self, sku: Sku, item: Item | None, unreadable: Unreadable) -> None:
        kept = self.kept.get(sku)
        if item is None:
            # One that the ERP does not have at all is for everybody who has a price of it.
            unclear = unreadable.vague or unreadable.names(sku.value)
            if unclear or sku in self.listed or kept is not None:
                self.restricted.add_told(sku, None)
        elif sku in self.listed or item.allowed_to is not None:
            self.restricted.add_told(sku, item)
        elif kept is not None:
            self.restricted.add_kept(kept)
