"""Everything that must be looked up before an order can be judged.

Accounts and their addresses are read fresh for each order, since their status
counts at the moment of writing; or, with ``read_ahead``, together for a hand of
orders that are written within seconds. Items and prices are kept for one batch.
An account that cannot be read, although others can, is set aside for the whole run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from zoneinfo import ZoneInfo

from sync.admission import AdmissionFacts, LinePrice, admit, unreadable, wants_terms
from sync.admission.destination import country_of
from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.address import TypedAddress
from sync.domain.channel import Channel
from sync.domain.decision import Outcome, Quarantined, Routed, Unrouted
from sync.domain.ids import (
    CustomerId,
    ErpOrderNumber,
    IdempotencyKey,
    OrganisationId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.mapping import Source, SyncMapping
from sync.domain.money import Money, total
from sync.domain.order import (
    BuyerRecord,
    SelectedShipTo,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
)
from sync.domain.pricing import (
    EffectivePrice,
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
    scopes_of,
)
from sync.domain.problem_codes import problem
from sync.domain.unit_prices import unit_price_by, ways
from sync.errors import Refusal, TryLater
from sync.flows.apart import AccountUnread, Apart
from sync.flows.context import Context, needs
from sync.ports.erp import (
    AccountFile,
    AnswersPriceQuestions,
    AskedPrice,
    ChecksPurchaseOrders,
    ChecksPurchaseOrdersTogether,
    FindsContacts,
    PurchaseOrder,
    QuotesTax,
    ReadsAccountFiles,
    ReadsAccounts,
    ReadsItems,
    ReadsPrices,
    ReadsShipTos,
    TaxQuestion,
    TellsUnreadable,
)
from sync.ports.store import ReadsBuyers
from sync.routing import RoutingFacts, route

T = TypeVar("T")

NO_KEY = IdempotencyKey("-")

# More than that many prices at once would be read for orders that need few of them.
PRICES_AHEAD = 20_000

Places = tuple[list[ShipTo], list[BillTo], list[Location]]


@dataclass(slots=True)
class ReadAhead:
    """What has been read for a hand of orders together; None: the ERP has no such thing."""

    buyers: dict[tuple[WebUserId | None, OrganisationId | None], BuyerRecord] = field(
        default_factory=dict
    )
    routings: dict[WebOrderId, tuple[WebOrder, Routed | Unrouted]] = field(default_factory=dict)
    accounts: dict[CustomerId, Account | None] = field(default_factory=dict)
    places: dict[CustomerId, Places] = field(default_factory=dict)
    purchase_orders: dict[PurchaseOrder, ErpOrderNumber | None] = field(default_factory=dict)
    prices: dict[AskedPrice, Price | None] = field(default_factory=dict)


def known_accounts(mapping: SyncMapping) -> list[CustomerId]:
    """Accounts that may be asked for to see whether the ERP answers at all."""
    groups = sorted(mapping.retail_groups.customer_ids)
    return list(dict.fromkeys([*groups, *(each.customer_id for each in mapping.assignments)]))


class Lookups:
    """Facts for admission, from both systems."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._retrying = context.retrying()
        self._items: dict[Sku, Item | None] = {}
        self._prices: dict[PriceScope, dict[Sku, list[Price]]] = {}
        self._ahead = ReadAhead()
        self._apart = Apart(self._retrying, known_accounts(context.mapping))
        # Asked for every order, and to ask an object for a protocol takes long.
        erp = context.erp
        self._reads_prices = erp if isinstance(erp, ReadsPrices) else None
        self._answers_prices = erp if isinstance(erp, AnswersPriceQuestions) else None
        self._checks_purchase_orders = erp if isinstance(erp, ChecksPurchaseOrders) else None
        self._quotes_tax = erp if isinstance(erp, QuotesTax) else None
        self._tells_unreadable = erp if isinstance(erp, TellsUnreadable) else None
        self._unread: dict[CustomerId | Sku, str] = {}

    def forget(self) -> None:
        """Read everything anew from here on."""
        self._items.clear()
        self._prices.clear()
        self._unread.clear()
        self.forget_people()

    def _note_unread(self, asked: Collection[CustomerId] | Collection[Sku]) -> None:
        """Why some of what was just asked for is not among the answers."""
        if self._tells_unreadable is None:
            return
        of = {each.value: each for each in asked}
        for record in self._tells_unreadable.take_unreadable():
            # Its key begins with that of what it is a part of, and keys have slashes, too.
            names = list(itertools.accumulate(record.key.split("/"), "{}/{}".format))
            names += [record.customer.value] if record.customer else []
            for name in names:
                if name in of:
                    self._unread.setdefault(of[name], str(record))

    def forget_people(self) -> None:
        """Read buyers, accounts, their addresses and PO numbers anew from here on."""
        self._ahead = ReadAhead()

    def read_ahead(self, orders: Iterable[tuple[StoreOrder, IdempotencyKey]]) -> None:
        """Read for all of these orders at once what judging them will ask for.

        It lasts until ``forget_people``. What is not read ahead is read when it is
        asked for, so this saves time and decides nothing.
        """
        self.forget_people()
        ahead = ReadAhead()
        channels = self.context.mapping.channels
        readable = [
            (order, key, channel)
            for order, key in orders
            if isinstance(order, WebOrder) and (channel := channels.get(order.channel)) is not None
        ]
        asked: list[PurchaseOrder] = []
        for order, key, channel in readable:
            buyer = (order.buyer.web_user, order.buyer.organisation)
            if buyer not in ahead.buyers:
                ahead.buyers[buyer] = self.buyer(order)
            facts = self.routing_facts(order, channel, ahead.buyers[buyer])
            routing = route(order, facts, self.context.accounts)
            ahead.routings[order.order_id] = (order, routing)
            if isinstance(routing, Routed) and routing.customer_id not in self._apart.unread:
                ahead.accounts[routing.customer_id] = None
                if order.po_number:
                    asked.append(PurchaseOrder(routing.customer_id, order.po_number, key))
        self._read_accounts_ahead(ahead)
        asked = [each for each in asked if each.customer_id in ahead.accounts]
        self._read_purchase_orders_ahead(ahead, asked)
        self._items_of({line.sku for order, _, _ in readable for line in order.lines})
        self._read_prices_ahead(ahead, [(order, channel) for order, _, channel in readable])
        self._ahead = ahead

    def changed_accounts(self, ids: Collection[CustomerId]) -> set[CustomerId]:
        """Which of these accounts are no longer as they were read ahead; all are read anew.

        One that cannot be read now is among them.
        """
        erp = needs(self.context.erp, ReadsAccounts, "the ERP")
        now: dict[CustomerId, Account] = {}
        for found in self._apart.read(sorted(ids), lambda some: self._retrying(erp.accounts, some)):
            now.update(found)
        self._note_unread(ids)
        unread = {each for each in ids if each in self._apart.unread}
        changed = {each for each in ids if now.get(each) != self._ahead.accounts.get(each)}
        self._ahead.accounts.update({each: now.get(each) for each in changed})
        return changed | unread

    def _read_accounts_ahead(self, ahead: ReadAhead) -> None:
        ids = list(ahead.accounts)
        if not ids:
            return
        for accounts, places in self._apart.read(ids, self._people):
            ahead.accounts.update(accounts)
            ahead.places.update(places)
        for each in self._apart.unread:
            # Absent, not None: it is not known that the ERP has no such account.
            ahead.accounts.pop(each, None)

    def _people(
        self, ids: Sequence[CustomerId]
    ) -> tuple[Mapping[CustomerId, Account], Mapping[CustomerId, Places]]:
        """These accounts with their addresses and sites."""
        if isinstance(self.context.erp, ReadsAccountFiles):
            files = self._retrying(self.context.erp.account_files, ids)
            self._note_unread(ids)
            return _parted(files)
        erp = needs(self.context.erp, ReadsAccounts, "the ERP")
        addresses = needs(self.context.erp, ReadsShipTos, "the ERP")
        accounts = self._retrying(erp.accounts, ids)
        self._note_unread(ids)
        places: dict[CustomerId, Places] = {each: ([], [], []) for each in ids}
        for ship_to in self._retrying(addresses.ship_tos, ids):
            places[ship_to.sold_to][0].append(ship_to)
        for bill_to in self._retrying(addresses.bill_tos, ids):
            places[bill_to.sold_to][1].append(bill_to)
        for location in self._retrying(erp.locations, ids):
            places[location.sold_to][2].append(location)
        return accounts, places

    def _single(self, customer_id: CustomerId, read: Callable[[Sequence[CustomerId]], T]) -> T:
        """What is read of one account. Raises AccountUnread where others can be read."""
        for found in self._apart.read([customer_id], read):
            return found
        error = self._apart.unread[customer_id]
        if isinstance(error, Refusal):
            raise error
        asked = error.retry_after_s if isinstance(error, TryLater) else None
        raise AccountUnread(f"customer {customer_id} cannot be read: {error}", asked) from error

    def _read_purchase_orders_ahead(self, ahead: ReadAhead, asked: list[PurchaseOrder]) -> None:
        erp = self.context.erp
        if asked and isinstance(erp, ChecksPurchaseOrdersTogether):
            ahead.purchase_orders = dict.fromkeys(asked)
            ahead.purchase_orders.update(self._retrying(erp.purchase_orders_used, asked))

    def _read_prices_ahead(
        self, ahead: ReadAhead, orders: Sequence[tuple[WebOrder, Channel]]
    ) -> None:
        scopes: dict[PriceScope, None] = {}
        skus: set[Sku] = set()
        asked: dict[AskedPrice, None] = {}
        for order, channel in orders:
            skus.update(line.sku for line in order.lines)
            _, routing = ahead.routings[order.order_id]
            if not isinstance(routing, Routed):
                continue
            account = ahead.accounts.get(routing.customer_id)
            if account is None:
                continue
            own = scopes_of(account.customer_id, account.price_groups, order.buyer.location)
            scopes.update(dict.fromkeys(own))
            if self._answers_prices is None:
                continue
            for question in itertools.chain(*self._questions(order, channel).values()):
                asked.update(dict.fromkeys((scope, question) for scope in own))
        if self._answers_prices is not None:
            if len(asked) <= PRICES_AHEAD:
                ahead.prices = self._answered(self._answers_prices, asked)
        elif self._reads_prices is not None and len(scopes) * len(skus) <= PRICES_AHEAD:
            self._read_prices(self._reads_prices, scopes, skus)

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

    def account_of(self, order: StoreOrder) -> CustomerId | None:
        """The account that the order goes into by the mapping of today; None where none does."""
        if isinstance(order, UnreadableOrder):
            return None
        channel = self.context.mapping.channels.get(order.channel)
        if channel is None:
            return None
        facts = self.routing_facts(order, channel, self.buyer(order))
        routing = route(order, facts, self.context.accounts)
        return routing.customer_id if isinstance(routing, Routed) else None

    def facts(self, order: WebOrder, channel: Channel, key: IdempotencyKey) -> AdmissionFacts:
        """Route the order and read everything that admission asks about it."""
        context, mapping = self.context, self.context.mapping
        record = self.buyer(order)
        known, routing = self._ahead.routings.get(order.order_id, (None, None))
        if routing is None or known is not order:
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
            unread=dict(self._unread),
        )

    def buyer(self, order: WebOrder) -> BuyerRecord:
        """What the store's directory says of the buyer; empty for a plain guest."""
        if order.buyer.web_user is None and order.buyer.organisation is None:
            return BuyerRecord()
        known = self._ahead.buyers.get((order.buyer.web_user, order.buyer.organisation))
        if known is not None:
            return known
        directory = needs(self.context.store, ReadsBuyers, "the store")
        return self._retrying(directory.buyer, order.buyer.web_user, order.buyer.organisation)

    def routing_facts(self, order: WebOrder, channel: Channel, record: BuyerRecord) -> RoutingFacts:
        codes = self.context.mapping.codes
        typed = order.ship_to if isinstance(order.ship_to, TypedAddress) else None
        return RoutingFacts(
            channel=channel,
            record=record,
            email_accounts=self.email_accounts(record),
            on_terms=wants_terms(order, codes),
            country=country_of(typed, codes) if typed else None,
            store_organisations=self.context.store.capabilities.organisations,
        )

    def account(self, customer_id: CustomerId) -> Account | None:
        if customer_id in self._ahead.accounts and customer_id not in self._apart.unread:
            return self._ahead.accounts[customer_id]
        erp = needs(self.context.erp, ReadsAccounts, "the ERP")
        found = self._single(customer_id, lambda some: self._retrying(erp.accounts, some))
        self._note_unread([customer_id])
        return found.get(customer_id)

    def entries(
        self, scopes: Collection[PriceScope], skus: Collection[Sku]
    ) -> dict[Sku, list[Price]]:
        """The ERP's price entries of these scopes and items, by item."""
        if self._reads_prices is None:
            return {}
        known = self._read_prices(self._reads_prices, scopes, skus)
        return {sku: [entry for prices in known for entry in prices[sku]] for sku in skus}

    def _read_prices(
        self, erp: ReadsPrices, scopes: Collection[PriceScope], skus: Collection[Sku]
    ) -> list[dict[Sku, list[Price]]]:
        """Of each scope the entries of these items, and perhaps of others."""
        known = [self._prices.setdefault(each, {}) for each in scopes]
        missing: set[Sku] = set()
        for prices in known:
            missing.update(sku for sku in skus if sku not in prices)
        if missing:
            found = self._retrying(lambda: list(erp.prices(scopes, missing)))
            for prices in known:
                prices.update({sku: [] for sku in missing})
            for entry in found:
                self._prices[entry.key.scope][entry.key.sku].append(entry)
        return known

    def email_accounts(self, record: BuyerRecord) -> tuple[CustomerId, ...] | None:
        """The accounts with the user's verified address as a contact; None: not asked."""
        if Source.ERP_EMAIL not in self.context.mapping.precedence:
            return None
        if record.user is None or record.user.verified_email is None:
            return None
        erp = needs(self.context.erp, FindsContacts, "the ERP")
        return tuple(self._retrying(erp.accounts_by_email, record.user.verified_email))

    def _places(
        self, routing: Routed
    ) -> tuple[tuple[ShipTo, ...], tuple[BillTo, ...], tuple[Location, ...]]:
        known = self._ahead.places.get(routing.customer_id)
        if known is not None:
            return tuple(known[0]), tuple(known[1]), tuple(known[2])
        erp = needs(self.context.erp, ReadsShipTos, "the ERP")
        accounts = needs(self.context.erp, ReadsAccounts, "the ERP")

        def read(
            ids: Sequence[CustomerId],
        ) -> tuple[tuple[ShipTo, ...], tuple[BillTo, ...], tuple[Location, ...]]:
            return (
                tuple(self._retrying(erp.ship_tos, ids)),
                tuple(self._retrying(erp.bill_tos, ids)),
                # Also for a buyer without a site: the ship-to's site decides on exemption.
                tuple(self._retrying(accounts.locations, ids)),
            )

        return self._single(routing.customer_id, read)

    def _po_used(
        self, order: WebOrder, customer_id: CustomerId, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        erp = self._checks_purchase_orders
        if not order.po_number or erp is None:
            return None
        asked = PurchaseOrder(customer_id, order.po_number, key)
        if asked in self._ahead.purchase_orders:
            return self._ahead.purchase_orders[asked]
        return self._retrying(erp.purchase_order_used, customer_id, order.po_number, key)

    def _erp_tax(self, order: WebOrder, account: Account | None) -> Money | None:
        """The ERP's own tax, asked only where it does not take the store's."""
        erp, codes = self._quotes_tax, self.context.mapping.codes
        facts = self.context.erp.capabilities
        if account is None or facts.tax_override or erp is None:
            return None
        typed = order.ship_to if isinstance(order.ship_to, TypedAddress) else None
        on_file = order.ship_to if isinstance(order.ship_to, SelectedShipTo) else None
        sold = [line for line in order.lines if not line.kit_parent]
        lines = total((line.net for line in sold), order.currency)
        less = total((each.amount for each in order.discounts), order.currency)
        zone = ZoneInfo(facts.time_zone)
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
            lines=tuple((line.sku, line.net.amount) for line in sold),
            charge_codes=tuple(
                (codes.charges.get(each.code, each.code), each.amount.amount)
                for each in order.charges
            ),
            discount_codes=tuple(
                (codes.discounts.get(each.code, each.code), each.amount.amount)
                for each in order.discounts
            ),
        )
        return self._retrying(erp.order_tax, question)

    def _items_of(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        missing = [sku for sku in skus if sku not in self._items]
        if missing:
            erp = needs(self.context.erp, ReadsItems, "the ERP")
            found = self._retrying(erp.items, missing)
            self._note_unread(missing)
            for sku in missing:
                self._items[sku] = found.get(sku)
        return {sku: item for sku in skus if (item := self._items[sku]) is not None}

    def _line_prices(
        self, order: WebOrder, channel: Channel, account: Account | None
    ) -> dict[str, LinePrice]:
        """The ERP's own price of each line, on the day and in the unit of the order."""
        if account is None or self._reads_prices is None:
            return {}
        scopes = scopes_of(account.customer_id, account.price_groups, order.buyer.location)
        questions = self._questions(order, channel)
        decided = self._deciding(scopes, [each for some in questions.values() for each in some])
        mapping = self.context.mapping
        # As it was shown to the buyer: to shoppers by channel, to accounts everywhere alike.
        retail = account.customer_id in mapping.retail_groups
        zero_is_none = mapping.zero_means_call(channel.channel_id if retail else None)
        found = {}
        for line_id, (question, *_) in questions.items():
            found_in = unit_price_by(decided, question, self._items.get(question.sku))
            price = found_in.decided
            amount = price.price.value.unit_price if price else None
            if amount == 0 and zero_is_none:
                amount = None
            priced_in = found_in.question.unit if found_in.factor is not None else None
            found[line_id] = LinePrice(amount, priced_in)
        return found

    def _questions(self, order: WebOrder, channel: Channel) -> dict[str, tuple[PriceQuestion, ...]]:
        """By line what it costs in its own unit, and where its item is known in the stock unit:
        an ERP may price in those only, and the quantity counts in them too."""
        zone = ZoneInfo(self.context.erp.capabilities.time_zone)
        day = order.placed_at.astimezone(zone).date()
        units = self.context.mapping.codes.units
        found: dict[str, tuple[PriceQuestion, ...]] = {}
        for line in order.lines:
            if line.kit_parent is not None:
                continue
            unit = units.get(line.unit, line.unit)
            asked = PriceQuestion(
                line.sku, unit, order.currency, line.quantity, day, channel.warehouse
            )
            found[line.line_id] = ways(asked, self._items.get(line.sku))
        return found

    def _deciding(
        self, scopes: Collection[PriceScope], questions: Collection[PriceQuestion]
    ) -> Callable[[PriceQuestion], EffectivePrice | None]:
        """Tells what decides one of these questions among these scopes."""
        if self._answers_prices is None:
            entries = self.entries(scopes, {each.sku for each in questions})
            return lambda question: effective_price(entries.get(question.sku, ()), question)
        asked = {(scope, each): None for scope in scopes for each in questions}
        known = self._ahead.prices
        if not asked.keys() <= known.keys():
            known = self._answered(self._answers_prices, asked)

        def decided(question: PriceQuestion) -> EffectivePrice | None:
            told = (known[scope, question] for scope in scopes)
            return effective_price([each for each in told if each is not None], question)

        return decided

    def _answered(
        self, erp: AnswersPriceQuestions, asked: Collection[AskedPrice]
    ) -> dict[AskedPrice, Price | None]:
        told = self._retrying(erp.asked_prices, asked) if asked else {}
        return {each: told.get(each) for each in asked}


def _parted(
    files: Mapping[CustomerId, AccountFile],
) -> tuple[dict[CustomerId, Account], dict[CustomerId, Places]]:
    places = {
        each: (list(file.ship_tos), list(file.bill_tos), list(file.locations))
        for each, file in files.items()
    }
    return {each: file.account for each, file in files.items()}, places
