"""The fakes again, with what is optional in the ports: many at once.

``GroupingErp`` takes orders in groups and answers about many of them in one call, about
many contacts too, tells accounts with their addresses, and prices by the question;
``BatchStore`` reads many orders again in one call. A fault of such a call concerns all
that it carries.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.pricing import Price, effective_price
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, SalesOrder
from sync.errors import Conflict, GroupRejected, Rejected
from sync.ports.clock import Clock
from sync.ports.erp import AccountFile, AccountsFound, AskedPrice, ErpCapabilities, PurchaseOrder
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore

GROUPING_CAPABILITIES = dataclasses.replace(MEMORY_CAPABILITIES, order_group=100)


class GroupingErp(MemoryErp):
    """The ERP fake, with groups. ``groups`` counts those that were written."""

    def __init__(
        self,
        clock: Clock | None = None,
        capabilities: ErpCapabilities = GROUPING_CAPABILITIES,
    ) -> None:
        super().__init__(clock, capabilities)
        self.groups = 0

    def find_orders(self, keys: Collection[IdempotencyKey]) -> Mapping[IdempotencyKey, FoundOrder]:
        found = {key: self.find_order(key) for key in keys}
        return {key: order for key, order in found.items() if order is not None}

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        self._admit()
        if len(orders) > self.capabilities.order_group:
            raise ValueError(f"{len(orders)} orders in a group of {self.capabilities.order_group}")
        self.submitted += len(orders)
        seen: set[IdempotencyKey] = set()
        for position, (order, key) in enumerate(orders):
            if key in seen:
                raise GroupRejected(
                    f"the key {key} is twice in the group",
                    code="erp_duplicate",
                    remedy="submit the order once",
                    position=position,
                )
            seen.add(key)
            if self._row(key) is not None:
                raise Conflict(f"the ERP has an order under {key} already")
            try:
                self._refuse_what_has_no_place(order)
                self._refuse_what_a_real_one_would(order)
            except Rejected as refusal:
                raise GroupRejected(
                    str(refusal), code=refusal.code, remedy=refusal.remedy, position=position
                ) from refusal
        self.groups += 1
        return [self._write(order, key) for order, key in orders]

    def accounts_by_emails(self, emails: Collection[str]) -> Mapping[str, AccountsFound]:
        told: dict[str, AccountsFound] = {}
        for each in emails:
            try:
                told[each] = self.accounts_by_email(each)
            except Rejected as refusal:
                told[each] = refusal
        return told

    def account_files(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountFile]:
        return {
            each: AccountFile(
                account,
                tuple(self.ship_tos([each])),
                tuple(self.bill_tos([each])),
                tuple(self.locations([each])),
            )
            for each, account in self.accounts(customer_ids).items()
        }

    def asked_prices(self, asked: Collection[AskedPrice]) -> Mapping[AskedPrice, Price]:
        told = {}
        for scope, question in asked:
            found = effective_price(self.prices([scope], [question.sku]), question)
            if found is not None:
                told[scope, question] = found.price
        return told

    def purchase_orders_used(
        self, asked: Collection[PurchaseOrder]
    ) -> Mapping[PurchaseOrder, ErpOrderNumber]:
        found = {
            each: self.purchase_order_used(each.customer_id, each.po_number, each.key)
            for each in asked
        }
        return {each: number for each, number in found.items() if number is not None}


class BatchStore(MemoryStore):
    """The store fake, whose orders can be read many at a time."""

    def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
        found = {order_id: self.order(order_id) for order_id in order_ids}
        return {order_id: order for order_id, order in found.items() if order is not None}
