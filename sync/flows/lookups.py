"""Everything that must be looked up before an order can be judged.

Accounts and their addresses are read fresh for each order, since their status
counts at the moment of writing. Items and prices are kept for one batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

from sync.admission import AdmissionFacts, LinePrice, admit, unreadable, wants_terms
from sync.admission.destination import country_of
from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.address import TypedAddress
from sync.domain.channel import Channel
from sync.domain.decision import Outcome, Quarantined, Routed
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, Sku
from sync.domain.mapping import Source
from sync.domain.money import Money, total
from sync.domain.order import (
    BuyerRecord,
    SelectedShipTo,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
)
from sync.domain.pricing import (
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
    scopes_of,
)
from sync.domain.problem_codes import problem
from sync.flows.context import Context, needs
from sync.ports.erp import (
    ChecksPurchaseOrders,
    FindsContacts,
    QuotesTax,
    ReadsAccounts,
    ReadsItems,
    ReadsPrices,
    ReadsShipTos,
    TaxQuestion,
)
from sync.ports.store import ReadsBuyers
from sync.routing import RoutingFacts, route

NO_KEY = IdempotencyKey("-")


class Lookups:
    """Facts for admission, from both systems."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._retrying = context.retrying()
        self._items: dict[Sku, Item | None] = {}
        self._prices: dict[tuple[PriceScope, Sku], list[Price]] = {}

    def forget(self) -> None:
        """Read items and prices anew from here on."""
        self._items.clear()
        self._prices.clear()

    def prefetch(self, orders: Iterable[StoreOrder]) -> None:
        """Read the items of a whole batch at once."""
        skus = {line.sku for each in orders if isinstance(each, WebOrder) for line in each.lines}
        self._items_of(skus)

    def judge(self, order: StoreOrder, key: IdempotencyKey = NO_KEY) -> Outcome:
        """What becomes of the order if it were imported now; nothing is written."""
        if isinstance(order, UnreadableOrder):
            return unreadable(order)
        channel = self.context.mapping.channels.get(order.channel)
        if channel is None:
            return Quarantined(
                (
                    problem(
                        "channel_unknown",
                        f"Channel {order.channel} is in no mapping file.",
                        f'Add "{order.channel}" to channels.yaml, then replay '
                        f"order {order.number}.",
                    ),
                )
            )
        return admit(order, self.facts(order, channel, key))

    def facts(self, order: WebOrder, channel: Channel, key: IdempotencyKey) -> AdmissionFacts:
        """Route the order and read everything that admission asks about it."""
        context, mapping = self.context, self.context.mapping
        record = self.buyer(order)
        routing = route(order, self.routing_facts(order, channel, record), context.accounts)
        account = None
        ship_tos: tuple[ShipTo, ...] = ()
        bill_tos: tuple[BillTo, ...] = ()
        locations: tuple[Location, ...] = ()
        po_used = None
        if isinstance(routing, Routed):
            account = self.account(routing.customer_id)
        if isinstance(routing, Routed) and account is not None:
            ship_tos, bill_tos, locations = self._places(routing)
            po_used = self._po_used(order, routing.customer_id, key)
        items = self._items_of({line.sku for line in order.lines})
        return AdmissionFacts(
            channel=channel,
            mapping=mapping,
            routing=routing,
            record=record,
            capabilities=context.erp.capabilities,
            now=context.clock.now(),
            account=account,
            ship_tos=ship_tos,
            bill_tos=bill_tos,
            locations=locations,
            items=items,
            prices=self._line_prices(order, channel, account),
            po_used=po_used,
            erp_tax=self._erp_tax(order, account),
            store_organisations=context.store.capabilities.organisations,
        )

    def buyer(self, order: WebOrder) -> BuyerRecord:
        """What the store's directory says of the buyer; empty for a plain guest."""
        if order.buyer.web_user is None and order.buyer.organisation is None:
            return BuyerRecord()
        directory = needs(self.context.store, ReadsBuyers, "the store")
        return self._retrying(directory.buyer, order.buyer.web_user, order.buyer.organisation)

    def routing_facts(self, order: WebOrder, channel: Channel, record: BuyerRecord) -> RoutingFacts:
        codes = self.context.mapping.codes
        typed = order.ship_to if isinstance(order.ship_to, TypedAddress) else None
        return RoutingFacts(
            channel=channel,
            record=record,
            email_accounts=self._email_accounts(record),
            on_terms=wants_terms(order, codes),
            country=country_of(typed, codes) if typed else None,
            store_organisations=self.context.store.capabilities.organisations,
        )

    def account(self, customer_id: CustomerId) -> Account | None:
        erp = needs(self.context.erp, ReadsAccounts, "the ERP")
        return self._retrying(erp.accounts, [customer_id]).get(customer_id)

    def entries(
        self, scopes: Collection[PriceScope], skus: Collection[Sku]
    ) -> dict[Sku, list[Price]]:
        """The ERP's price entries of these scopes and items, by item."""
        erp = self.context.erp
        if not isinstance(erp, ReadsPrices):
            return {}
        missing = {sku for sku in skus if any((each, sku) not in self._prices for each in scopes)}
        if missing:
            found = self._retrying(lambda: list(erp.prices(scopes, missing)))
            for sku in missing:
                for each in scopes:
                    self._prices[(each, sku)] = []
            for entry in found:
                self._prices[(entry.key.scope, entry.key.sku)].append(entry)
        return {
            sku: [entry for each in scopes for entry in self._prices[(each, sku)]] for sku in skus
        }

    def _email_accounts(self, record: BuyerRecord) -> tuple[CustomerId, ...] | None:
        if Source.ERP_EMAIL not in self.context.mapping.precedence:
            return None
        if record.user is None or record.user.verified_email is None:
            return None
        erp = needs(self.context.erp, FindsContacts, "the ERP")
        return tuple(self._retrying(erp.accounts_by_email, record.user.verified_email))

    def _places(
        self, routing: Routed
    ) -> tuple[tuple[ShipTo, ...], tuple[BillTo, ...], tuple[Location, ...]]:
        erp = needs(self.context.erp, ReadsShipTos, "the ERP")
        accounts = needs(self.context.erp, ReadsAccounts, "the ERP")
        ids = [routing.customer_id]
        return (
            tuple(self._retrying(erp.ship_tos, ids)),
            tuple(self._retrying(erp.bill_tos, ids)),
            # Also for a buyer without a site: the ship-to's site decides on exemption.
            tuple(self._retrying(accounts.locations, ids)),
        )

    def _po_used(
        self, order: WebOrder, customer_id: CustomerId, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        erp = self.context.erp
        if not order.po_number or not isinstance(erp, ChecksPurchaseOrders):
            return None
        return self._retrying(erp.purchase_order_used, customer_id, order.po_number, key)

    def _erp_tax(self, order: WebOrder, account: Account | None) -> Money | None:
        """The ERP's own tax, asked only where it does not take the store's."""
        erp, codes = self.context.erp, self.context.mapping.codes
        if account is None or erp.capabilities.tax_override or not isinstance(erp, QuotesTax):
            return None
        typed = order.ship_to if isinstance(order.ship_to, TypedAddress) else None
        on_file = order.ship_to if isinstance(order.ship_to, SelectedShipTo) else None
        lines = total((line.net for line in order.lines if not line.kit_parent), order.currency)
        less = total((each.amount for each in order.discounts), order.currency)
        zone = ZoneInfo(erp.capabilities.time_zone)
        question = TaxQuestion(
            customer_id=account.customer_id,
            currency=order.currency,
            goods=(lines - less).amount,
            charges=total((each.amount for each in order.charges), order.currency).amount,
            day=order.placed_at.astimezone(zone).date(),
            ship_to_id=on_file.ship_to_id if on_file else None,
            country=country_of(typed, codes) if typed else None,
            region=typed.region if typed else None,
            postal_code=typed.postal_code if typed else None,
        )
        return self._retrying(erp.order_tax, question)

    def _items_of(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        erp = needs(self.context.erp, ReadsItems, "the ERP")
        missing = [sku for sku in skus if sku not in self._items]
        if missing:
            found = self._retrying(erp.items, missing)
            for sku in missing:
                self._items[sku] = found.get(sku)
        return {sku: item for sku in skus if (item := self._items[sku]) is not None}

    def _line_prices(
        self, order: WebOrder, channel: Channel, account: Account | None
    ) -> dict[str, LinePrice]:
        """The ERP's own price of each line, on the day and in the unit of the order."""
        if account is None or not isinstance(self.context.erp, ReadsPrices):
            return {}
        zone = ZoneInfo(self.context.erp.capabilities.time_zone)
        day = order.placed_at.astimezone(zone).date()
        scopes = scopes_of(account.customer_id, account.price_groups, order.buyer.location)
        lines = [line for line in order.lines if line.kit_parent is None]
        entries = self.entries(scopes, {line.sku for line in lines})
        units = self.context.mapping.codes.units
        found = {}
        for line in lines:
            unit = units.get(line.unit, line.unit)
            own = entries.get(line.sku, [])
            question = PriceQuestion(
                line.sku, unit, order.currency, line.quantity, day, channel.warehouse
            )
            decided = effective_price(own, question)
            priced_in: str | None = None
            item = self._items.get(line.sku)
            factor = item.factor(unit) if item is not None else None
            if decided is None and item is not None and factor is not None:
                # An ERP may price in stock units only; the quantity counts in those too.
                priced_in = item.stock_unit
                in_stock = replace(question, unit=priced_in, quantity=line.quantity * factor)
                decided = effective_price(own, in_stock)
            price = decided.price.value.unit_price if decided else None
            if price == 0 and self.context.mapping.zero_price_means_call:
                price = None
            found[line.line_id] = LinePrice(price, priced_in)
        return found
