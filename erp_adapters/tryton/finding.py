"""Orders that Tryton holds: looked up by their keys and PO numbers, and how far they are.

One search finds many as cheaply as one. Of the sales that an attempt left before they
were as far as the settings say, one without a number is told by nobody here, and one
with a number is told as unfinished: people see it, and may work with it already.
``orders.py`` goes on with either, where it is the order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from erp_adapters.tryton import queries, translate
from erp_adapters.tryton.base import TrytonBase
from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.settings import Reach
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey
from sync.domain.sales_order import FoundOrder, OrderStatus
from sync.errors import Misconfigured
from sync.ports.erp import PurchaseOrder


class FindsOrdersByWebId(TrytonBase):
    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        row = self._sale(key)
        return None if row is None else self._told(row)

    def _sale(self, key: IdempotencyKey) -> Row | None:
        domain = [("web_shop", "=", self._places.site.web_shop), ("web_id", "=", key.value)]
        return queries.one(self._rpc, "sale.sale", domain, self._fields())

    def find_orders(self, keys: Collection[IdempotencyKey]) -> Mapping[IdempotencyKey, FoundOrder]:
        told = {key: self._told(row) for key, row in self._sales(keys).items()}
        return {key: found for key, found in told.items() if found is not None}

    def _told(self, row: Row) -> FoundOrder | None:
        unfinished = self._unfinished(row)
        if unfinished and not row["number"]:
            return None
        return replace(translate.found_order(row), unfinished=unfinished)

    def _fields(self) -> tuple[str, ...]:
        carriers = self._places.site.carriers
        return queries.SALE + (queries.CARRIER_OF_SALE if carriers else ())

    def _sales(self, keys: Collection[IdempotencyKey]) -> Mapping[IdempotencyKey, Row]:
        """The sales under these keys, by one search. Raises Misconfigured for two under one."""
        wanted = {key.value: key for key in keys}
        domain = [("web_shop", "=", self._places.site.web_shop)] if wanted else []
        held: dict[IdempotencyKey, Row] = {}
        for row in queries.rows_in(
            self._rpc, "sale.sale", "web_id", wanted.keys(), domain, self._fields()
        ):
            key = wanted.get(row["web_id"])
            if key in held:
                raise Misconfigured(f"Tryton has several sales under {key} where there can be one")
            if key is not None:
                held[key] = row
        return held

    def _unfinished(self, row: Row) -> bool:
        """Whether an attempt ended before the sale was as far as the settings say.

        A number is given once and stays, so a sale that people put back has one.
        """
        reach = self.settings.reach
        if reach is Reach.DRAFT:
            return False
        if not row["number"]:
            return row["state"] in ("draft", "cancelled")
        return reach is Reach.CONFIRMED and row["state"] == "quotation" and not translate.held(row)


class ReadsOrderStatusByWebId(TrytonBase):
    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        site = self._places.site
        fields: tuple[str, ...] = queries.SALE_STATUS
        if site.carriers:
            fields += queries.CARRIER_OF_SHIPMENT
        found = queries.rows_in(
            self._rpc,
            "sale.sale",
            "web_id",
            {key.value for key in keys},
            [("web_shop", "=", site.web_shop)],
            fields,
        )
        return dict(
            self._built(
                "sale.sale",
                found,
                translate.order_status,
                lambda row: str(row["web_id"]),
                lambda row: None,
            )
        )


class ChecksPurchaseOrdersByReference(TrytonBase):
    def purchase_order_used(
        self, customer_id: CustomerId, po_number: str, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        asked = PurchaseOrder(customer_id, po_number, key)
        return self.purchase_orders_used([asked]).get(asked)

    def purchase_orders_used(
        self, asked: Collection[PurchaseOrder]
    ) -> Mapping[PurchaseOrder, ErpOrderNumber]:
        """By one search for all of the numbers, whose rows are then told apart."""
        if not asked:
            return {}
        own, shop = {each.customer_id.value for each in asked}, self._places.site.web_shop
        # Tryton strips what it stores.
        numbers = {each.po_number.strip() for each in asked}
        fields = ("number", "web_shop", "web_id", "reference", "party.code")
        domain = [("party.code", "in", sorted(own)), ("state", "!=", "cancelled")]
        by_number: dict[tuple[str, str], list[Row]] = {}
        for row in queries.rows_in(self._rpc, "sale.sale", "reference", numbers, domain, fields):
            by_number.setdefault((row["party."]["code"], row["reference"]), []).append(row)
        used = {}
        for each in asked:
            for row in by_number.get((each.customer_id.value, each.po_number.strip()), ()):
                if row["web_shop"] == shop and row["web_id"] == each.key.value:
                    continue
                # A draft has no number yet; its id in brackets is how Tryton shows it.
                used[each] = ErpOrderNumber(row["number"] or f"({row['id']})")
                break
        return used
