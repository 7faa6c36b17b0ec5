"""An ERP in memory that is no kinder than a real one.

It implements every protocol of ``sync.ports.erp``. An order is written whole or
not at all, a second one under the same key is refused (unless its capabilities
say that the ERP would not), and changes are told by its own clock.
"""

from __future__ import annotations

import dataclasses
import decimal
import functools
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from sync.domain.account import Account, BillTo, Contact, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder, AccountOrderLine, OrderSource
from sync.domain.availability import Availability, StockKey
from sync.domain.balance import AccountBalance
from sync.domain.candidates import CustomerMatch, CustomerSearch, bare_tax_id, telling_word
from sync.domain.codec import dumps
from sync.domain.document import DocumentKey, DocumentRecord
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    ErpOrderNumber,
    IdempotencyKey,
    InvoiceNumber,
    ShipToId,
    Sku,
)
from sync.domain.invoice import Invoice
from sync.domain.money import Money, Rounding
from sync.domain.part_number import CustomerPart, PartKey
from sync.domain.pricing import Price, PriceKey, PriceLevel, PriceScope
from sync.domain.registration import NewCustomer
from sync.domain.sales_order import (
    ErpOrderState,
    FoundOrder,
    LineStatus,
    OnFileBillTo,
    OnFileShipTo,
    OrderAcknowledgement,
    OrderStatus,
    SalesOrder,
)
from sync.domain.settlement import Credit, CreditRequest
from sync.domain.times import Watermark, utc
from sync.errors import AccessDenied, Conflict, Rejected
from sync.kit.foreseeing import refusal_of
from sync.ports.clock import Clock
from sync.ports.erp import (
    ErpCapabilities,
    Feed,
    Finding,
    FindingLevel,
    InvoicesTold,
    PriceState,
    ShipTosTold,
    TaxQuestion,
    UnreadableRecord,
)
from sync.testing.clock import ManualClock

if TYPE_CHECKING:
    import pyarrow as pa

ALL_FEEDS = frozenset(Feed)

CANCELLABLE = frozenset({ErpOrderState.RECEIVED, ErpOrderState.ON_HOLD, ErpOrderState.OPEN})

MEMORY_CAPABILITIES = ErpCapabilities(
    name="memory",
    unit_price_rounding=Rounding(4, decimal.ROUND_HALF_UP),
    amount_rounding=Rounding(2, decimal.ROUND_HALF_UP),
    order_hold=True,
    change_feeds=ALL_FEEDS,
)


@dataclasses.dataclass(frozen=True, slots=True)
class WrittenRow:
    """One order as it stands in the ERP: number, key, and all that was sent."""

    number: ErpOrderNumber
    key: IdempotencyKey
    order: SalesOrder


class MemoryErp:
    """The ERP fake; mutators arrange what the system behind it holds.

    ``submitted`` counts the calls of ``submit_order``, refused ones included,
    ``cancellations`` those of ``cancel_order``, ``creations`` those of
    ``create_customer``. With ``creates_prospects`` a new customer waits for the
    ERP's staff; ``refuse_customers`` says why none is made. ``feeds`` are the levels
    that ``price_vectors`` tells, ``states`` those of which ``price_states`` says what
    changed: by all that an entry says, unless ``blind_states``, which see their number
    alone. ``told_entries`` counts the entries that were told of prices, in either way.
    ``reloads``: so many entries of each list are there for the next reading of vectors, for
    the one after it, and so on: a table that is emptied and filled with the same rows
    while it is read. Afterwards, and whenever states are asked for, all are there.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        capabilities: ErpCapabilities = MEMORY_CAPABILITIES,
    ) -> None:
        self._clock = clock or ManualClock()
        self._capabilities = capabilities
        self._accounts: dict[CustomerId, Account] = {}
        self._locations: list[Location] = []
        self.tax_rates: dict[str, Decimal] = {}
        self.code_tax_rates: dict[str, Decimal] = {}
        self._ship_tos: dict[tuple[CustomerId, ShipToId], ShipTo] = {}
        self._bill_tos: dict[tuple[CustomerId, BillToId], BillTo] = {}
        self._items: dict[Sku, Item] = {}
        self._prices: dict[PriceKey, Price] = {}
        self._damaged: set[PriceKey] = set()
        self._unreadable: dict[UnreadableRecord, None] = {}
        self._unreadable_contacts: set[str] = set()
        self._invoices: dict[tuple[CustomerId, InvoiceNumber], Invoice] = {}
        self._balances: dict[tuple[CustomerId, str], AccountBalance] = {}
        self._parts: dict[PartKey, CustomerPart] = {}
        self._documents: dict[DocumentKey, DocumentRecord] = {}
        self._document_files: dict[str, tuple[str, bytes]] = {}
        self._versions = itertools.count(1)
        self.document_size_limit = 1024 * 1024
        self.document_reads = 0
        self._account_orders: dict[ErpOrderNumber, AccountOrder] = {}
        self._stock: dict[StockKey, Availability] = {}
        self._orders: list[WrittenRow] = []
        self._statuses: dict[IdempotencyKey, OrderStatus] = {}
        self._credits: list[tuple[IdempotencyKey, CreditRequest]] = []
        self._refuses_credits = False
        self._no_place_for: tuple[str, ...] = ()
        self._refused_skus: dict[Sku, str] = {}
        self._changed: dict[tuple[Feed, CustomerId], datetime] = {}
        self._created: dict[IdempotencyKey, CustomerId] = {}
        self._access_denied = False
        self.feeds: Collection[PriceLevel] = tuple(PriceLevel)
        self.states: Collection[PriceLevel] = ()
        self.blind_states = False
        self.told_entries = 0
        self.reloads: list[int] = []
        self.creations = 0
        self.creates_prospects = False
        self.refuse_customers: str | None = None
        self.submitted = 0
        self.cancellations = 0
        self.closed = False

    # What the port promises.

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        if self._access_denied:
            return (
                Finding("sign-in", FindingLevel.ERROR, "access denied", "renew the credentials"),
            )
        return (Finding("sign-in", FindingLevel.OK, f"{len(self._accounts)} accounts"),)

    def close(self) -> None:
        self.closed = True

    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        self._admit()
        return {key: self._accounts[key] for key in customer_ids if key in self._accounts}

    def customer_ids(self) -> Iterator[CustomerId]:
        self._admit()
        return iter(list(self._accounts))

    def locations(self, customer_ids: Collection[CustomerId]) -> Sequence[Location]:
        self._admit()
        wanted = set(customer_ids)
        return [location for location in self._locations if location.sold_to in wanted]

    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        self._admit()
        wanted = email.casefold()
        if wanted in self._unreadable_contacts:
            raise Rejected(
                "a contact cannot be read", code="erp_unreadable", remedy="correct the contact"
            )
        return [
            account.customer_id
            for account in self._accounts.values()
            if any(c.email is not None and c.email.casefold() == wanted for c in account.contacts)
        ]

    def customers_like(self, sought: CustomerSearch) -> Sequence[CustomerMatch]:
        self._admit()
        first = telling_word(sought.name)
        found = []
        for each in self._accounts.values():
            emails = tuple(c.email for c in each.contacts if c.email)
            bare = bare_tax_id(sought.tax_id)
            same_tax = bool(bare) and bare_tax_id(each.tax_id or "") == bare
            by_mail = bool(sought.email) and sought.email.casefold() in map(str.casefold, emails)
            if same_tax or by_mail or (first and first in each.name.casefold()):
                found.append(
                    CustomerMatch(
                        *(each.customer_id, each.name, each.tax_id, emails),
                        *(each.active, each.prospect),
                    )
                )
        return found

    def find_customer(self, key: IdempotencyKey) -> CustomerId | None:
        self._admit()
        return self._created.get(key)

    def create_customer(self, customer: NewCustomer, key: IdempotencyKey) -> CustomerId:
        self._admit()
        self.creations += 1
        held = self._created.get(key)
        if held is not None:
            return held
        if self.refuse_customers is not None:
            raise Rejected(
                self.refuse_customers, code="erp_refused_customer", remedy="put it right there"
            )
        number = 1
        while (made := CustomerId(f"N-{number:04d}")) in self._accounts:
            number += 1
        contact = Contact(ContactId(f"{made}-1"), customer.email)
        self._created[key] = made
        self.add_account(
            Account(
                made,
                customer.name,
                ("EUR",),
                prospect=self.creates_prospects,
                contacts=(contact,),
                tax_id=customer.tax_id,
            )
        )
        return made

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        self._admit()
        wanted = set(customer_ids)
        return [ship_to for ship_to in self._ship_tos.values() if ship_to.sold_to in wanted]

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]:
        self._admit()
        wanted = set(customer_ids)
        return [bill_to for bill_to in self._bill_tos.values() if bill_to.sold_to in wanted]

    def ship_tos_unless(
        self, customer_ids: Collection[CustomerId], known: Mapping[CustomerId, bytes]
    ) -> ShipTosTold:
        ship_tos, bill_tos = self.ship_tos(customer_ids), self.bill_tos(customer_ids)
        states = _states(customer_ids, [*ship_tos, *bill_tos])
        return ShipTosTold(
            [each for each in ship_tos if states[each.sold_to] != known.get(each.sold_to)],
            [each for each in bill_tos if states[each.sold_to] != known.get(each.sold_to)],
            states,
        )

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        self._admit()
        return {sku: self._items[sku] for sku in skus if sku in self._items}

    def restricted_items(self) -> Iterator[Sku]:
        self._admit()
        return iter([sku for sku, item in self._items.items() if item.allowed_to is not None])

    def price_scopes(self) -> Iterator[PriceScope]:
        self._admit()
        return iter({key.scope for key in self._prices})

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        self._admit()
        wanted = set(scopes)
        named = None if skus is None else set(skus)
        told = []
        for key, price in self._prices.items():
            if key.scope in wanted and (named is None or key.sku in named):
                if key in self._damaged:
                    self._unreadable[_unreadable(key)] = None
                else:
                    told.append(price)
        self.told_entries += len(told)
        return iter(told)

    @property
    def batched_levels(self) -> Collection[PriceLevel]:
        return self.feeds

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, pa.Table]]:
        return self._vectors({key.scope for key in self._prices if key.scope.level is level})

    @property
    def stated_levels(self) -> Collection[PriceLevel]:
        return [level for level in self.states if level in self.feeds]

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        self._admit()
        held: dict[PriceScope, list[str]] = defaultdict(list)
        for key, price in self._prices.items():
            if key.scope.level is level:
                told = "" if self.blind_states else f"{price} {key in self._damaged}"
                held[key.scope].append(told)
        return {
            scope: PriceState(_digest(sorted(entries)), len(entries))
            for scope, entries in held.items()
        }

    def price_states_of(self, scopes: Collection[PriceScope]) -> Mapping[PriceScope, PriceState]:
        levels = sorted({scope.level for scope in scopes})
        every = [item for level in levels for item in self.price_states(level).items()]
        return {scope: state for scope, state in every if scope in scopes}

    def price_vectors_of(
        self, scopes: Collection[PriceScope]
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        return self._vectors(scopes)

    def _vectors(self, scopes: Collection[PriceScope]) -> Iterator[tuple[PriceScope, pa.Table]]:
        self._admit()
        there = self.reloads.pop(0) if self.reloads and scopes else None
        for scope in sorted(scopes):
            vector = _vector(tuple(itertools.islice(self.prices([scope]), there)))
            if len(vector):
                yield scope, vector

    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        self._admit()
        wanted = set(customer_ids)
        return [invoice for invoice in self._invoices.values() if invoice.sold_to in wanted]

    def invoices_unless(
        self, customer_ids: Collection[CustomerId], known: Mapping[CustomerId, bytes]
    ) -> InvoicesTold:
        found = self.invoices(customer_ids)
        states = _states(customer_ids, found)
        left = [each for each in found if states[each.sold_to] != known.get(each.sold_to)]
        return InvoicesTold(left, states)

    def balances(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountBalance]:
        self._admit()
        wanted = set(customer_ids)
        return [balance for balance in self._balances.values() if balance.sold_to in wanted]

    def account_orders(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountOrder]:
        self._admit()
        wanted = set(customer_ids)
        held = [*self._account_orders.values(), *map(self._web_order, self._orders)]
        return [order for order in held if order.sold_to in wanted]

    def customer_parts(self, customer_ids: Collection[CustomerId]) -> Sequence[CustomerPart]:
        self._admit()
        wanted = set(customer_ids)
        return [part for part in self._parts.values() if part.sold_to in wanted]

    def documents(self, customer_ids: Collection[CustomerId]) -> Sequence[DocumentRecord]:
        self._admit()
        wanted = set(customer_ids)
        return [each for each in self._documents.values() if each.sold_to in wanted]

    def read_document(self, place: str, version: str) -> Iterator[bytes]:
        self._admit()
        self.document_reads += 1
        held, file = self._document_files.get(place, ("", b""))
        if held != version:
            why = "changed meanwhile" if held else "is not there"
            raise Rejected(why, code="document_file", remedy="")
        return (file[at : at + 64] for at in range(0, len(file), 64))

    def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
        self._admit()
        told = [each for each in self._stock.values() if skus is None or each.sku in skus]
        return iter(sorted(told, key=lambda each: each.key))

    def changed_customers(
        self, feed: Feed, since: Watermark
    ) -> tuple[Collection[CustomerId], Watermark]:
        self._admit()
        reached = self.feed_now(feed)
        changed = [
            customer_id
            for (of, customer_id), at in self._changed.items()
            if of is feed and at >= since.at
        ]
        return changed, reached

    def feed_now(self, feed: Feed) -> Watermark:
        self._admit()
        if feed not in self._capabilities.change_feeds:
            raise ValueError(f"{self._capabilities.name} tells no changes of {feed.value}")
        return Watermark(self._clock.now())

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        self._admit()
        row = self._row(key)
        if row is None:
            return None
        return FoundOrder(
            number=None if self._capabilities.number_follows else row.number,
            sold_to=row.order.sold_to,
            line_count=len(row.order.lines),
            total=row.order.total,
        )

    def foreseen_refusal(self, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
        return refusal_of(self._refuse_what_has_no_place, order)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        self._admit()
        self.submitted += 1
        self._refuse_what_has_no_place(order)
        held = self._row(key)
        if held is not None and self._capabilities.unique_external_key:
            if held.order != order:
                raise Conflict(f"the ERP has another order under {key}: {held.number}")
            return self._acknowledge(held)
        self._refuse_what_a_real_one_would(order)
        return self._write(order, key)

    def _write(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        row = WrittenRow(ErpOrderNumber(f"SO-{len(self._orders) + 1}"), key, order)
        self._orders.append(row)
        self._statuses.setdefault(key, self._first_status(row))
        self._touch(Feed.ACCOUNT_ORDERS, order.sold_to)
        return self._acknowledge(row)

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        self._admit()
        return {key: self._statuses[key] for key in keys if key in self._statuses}

    def cancel_order(self, key: IdempotencyKey) -> None:
        self._admit()
        self.cancellations += 1
        status = self._statuses.get(key)
        if status is None:
            raise Rejected("no such order", code="erp_unknown_order", remedy="look for it")
        if status.state is ErpOrderState.CANCELLED:
            return
        if status.state not in CANCELLABLE:
            raise Rejected(
                f"the order is {status.state.value} already",
                code="erp_too_late",
                remedy="agree with the buyer on a return",
            )
        self.set_order_status(key, dataclasses.replace(status, state=ErpOrderState.CANCELLED))

    def purchase_order_used(
        self, customer_id: CustomerId, po_number: str, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        self._admit()
        for row in self._orders:
            # Blanks around it make no other number: ERPs strip what they store.
            held = (row.order.po_number or "").strip()
            same = row.order.sold_to == customer_id and held == po_number.strip()
            if same and row.key != key:
                return row.number
        return None

    def order_tax(self, question: TaxQuestion) -> Money | None:
        self._admit()
        if self.code_tax_rates:
            return self._tax_by_code(question)
        country = question.country
        for each in self._ship_tos.values():
            if each.sold_to == question.customer_id and each.ship_to_id == question.ship_to_id:
                country = each.address.country
        rate = self.tax_rates.get(country or "")
        if rate is None:
            return None
        tax = (question.goods + question.charges) * rate
        return Money(self.capabilities.amount_rounding(tax), question.currency)

    def request_credit(self, request: CreditRequest, key: IdempotencyKey) -> Credit:
        self._admit()
        for held, other in self._credits:
            if held == key and self._capabilities.unique_external_key:
                if other != request:
                    raise Conflict(f"the ERP has another credit under {key}")
                return self._credit(key, other)
        if self._refuses_credits:
            raise Rejected(
                "the period is closed",
                code="erp_refused_credit",
                remedy="open the period in the ERP",
            )
        if self._row(request.order) is None:
            raise Rejected(
                f"the ERP has no order under {request.order}",
                code="erp_unknown_order",
                remedy="look for the order in the ERP",
            )
        self._credits.append((key, request))
        return self._credit(key, request)

    def find_credit(self, key: IdempotencyKey) -> Credit | None:
        self._admit()
        for held, request in self._credits:
            if held == key:
                return self._credit(key, request)
        return None

    def _credit(self, key: IdempotencyKey, request: CreditRequest) -> Credit:
        number = next(n for n, (held, _) in enumerate(self._credits, 1) if held == key)
        return Credit(f"CR-{number}", request.amount)

    def _tax_by_code(self, question: TaxQuestion) -> Money:
        """Each item, charge and discount at the rate of its own code."""
        parts = [(sku.value, net) for sku, net in question.lines]
        parts += question.charge_codes
        parts += [(code, -amount) for code, amount in question.discount_codes]
        tax = sum(
            (amount * self.code_tax_rates.get(code, Decimal(0)) for code, amount in parts),
            Decimal(0),
        )
        return Money(self.capabilities.amount_rounding(tax), question.currency)

    # What a test arranges in the system.

    def add_account(self, account: Account) -> None:
        """Add or replace the account."""
        self._accounts[account.customer_id] = account
        self._touch(Feed.ACCOUNTS, account.customer_id)

    def change_account(self, customer_id: CustomerId, **changes: object) -> None:
        """Replace fields of an account that is there."""
        held = self._accounts[customer_id]
        self.add_account(dataclasses.replace(held, **changes))  # type: ignore[arg-type]

    def remove_account(self, customer_id: CustomerId) -> None:
        """Remove the customer with everything that hangs on it, orders excepted."""
        self._accounts.pop(customer_id, None)
        self._locations = [held for held in self._locations if held.sold_to != customer_id]
        for ship_to in [key for key in self._ship_tos if key[0] == customer_id]:
            del self._ship_tos[ship_to]
        for bill_to in [key for key in self._bill_tos if key[0] == customer_id]:
            del self._bill_tos[bill_to]
        for invoice in [key for key in self._invoices if key[0] == customer_id]:
            del self._invoices[invoice]
        for balance in [key for key in self._balances if key[0] == customer_id]:
            del self._balances[balance]
        for part in [key for key in self._parts if key[0] == customer_id]:
            del self._parts[part]
        for document in [key for key in self._documents if key[0] == customer_id]:
            del self._documents[document]
        for order in list(self._account_orders.values()):
            if order.sold_to == customer_id:
                del self._account_orders[order.number]
        own = PriceScope.account(customer_id)
        for price in [key for key in self._prices if key.scope == own]:
            del self._prices[price]
        for feed in Feed:
            self._touch(feed, customer_id)

    def add_location(self, location: Location) -> None:
        self._locations = [
            held
            for held in self._locations
            if (held.sold_to, held.location_id) != (location.sold_to, location.location_id)
        ]
        self._locations.append(location)
        self._touch(Feed.ACCOUNTS, location.sold_to)

    def add_ship_to(self, ship_to: ShipTo) -> None:
        """Add or replace the ship-to."""
        self._ship_tos[ship_to.sold_to, ship_to.ship_to_id] = ship_to
        self._touch(Feed.SHIP_TOS, ship_to.sold_to)

    def remove_ship_to(self, customer_id: CustomerId, ship_to_id: ShipToId) -> None:
        del self._ship_tos[customer_id, ship_to_id]
        self._touch(Feed.SHIP_TOS, customer_id)

    def add_bill_to(self, bill_to: BillTo) -> None:
        self._bill_tos[bill_to.sold_to, bill_to.bill_to_id] = bill_to
        self._touch(Feed.SHIP_TOS, bill_to.sold_to)

    def remove_bill_to(self, customer_id: CustomerId, bill_to_id: BillToId) -> None:
        del self._bill_tos[customer_id, bill_to_id]
        self._touch(Feed.SHIP_TOS, customer_id)

    def add_item(self, item: Item) -> None:
        self._items[item.sku] = item

    def remove_item(self, sku: Sku) -> None:
        del self._items[sku]

    def set_price(self, price: Price) -> None:
        """Add the entry, or give the entry with that key another value."""
        self._prices[price.key] = price
        self._damaged.discard(price.key)

    def damage_price(self, key: PriceKey) -> None:
        """From now on nobody can understand this entry, until it is set again."""
        self._damaged.add(key)

    def add_unreadable_contact(self, email: str) -> None:
        """There is a contact with this address, and nobody can tell of which account."""
        self._unreadable_contacts.add(email.casefold())

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        told, self._unreadable = tuple(self._unreadable), {}
        return told

    def remove_price(self, key: PriceKey) -> None:
        self._damaged.discard(key)
        del self._prices[key]

    def add_invoice(self, invoice: Invoice) -> None:
        """Add or replace the invoice."""
        self._invoices[invoice.sold_to, invoice.number] = invoice
        self._touch(Feed.INVOICES, invoice.sold_to)

    def remove_invoice(self, customer_id: CustomerId, number: InvoiceNumber) -> None:
        del self._invoices[customer_id, number]
        self._touch(Feed.INVOICES, customer_id)

    def set_account_order(self, order: AccountOrder) -> None:
        """Add or replace an order that the ERP did not get from us."""
        held = self._account_orders.get(order.number)
        self._account_orders[order.number] = order
        for owner in {order.sold_to, held.sold_to if held else order.sold_to}:
            self._touch(Feed.ACCOUNT_ORDERS, owner)

    def remove_account_order(self, number: ErpOrderNumber) -> None:
        gone = self._account_orders.pop(number)
        self._touch(Feed.ACCOUNT_ORDERS, gone.sold_to)

    def set_balance(self, balance: AccountBalance) -> None:
        """Add or replace what the account owes in this currency."""
        self._balances[balance.sold_to, balance.currency] = balance

    def remove_balance(self, customer_id: CustomerId, currency: str) -> None:
        del self._balances[customer_id, currency]

    def add_document(self, record: DocumentRecord, file: bytes | None = None) -> None:
        """Add or replace the document; its file is nobody's business here.

        With ``file`` it is given out by this ERP, in a version of its own.
        """
        if file is not None:
            version = f"v{next(self._versions)}"
            record = dataclasses.replace(record, size=None, sha256=None, version=version)
            self._document_files[record.place] = (version, file)
        self._documents[record.key] = record

    def remove_document(self, key: DocumentKey) -> None:
        del self._documents[key]

    def add_customer_part(self, part: CustomerPart) -> None:
        """Add or replace the account's own number for the item."""
        self._parts[part.key] = part

    def remove_customer_part(self, key: PartKey) -> None:
        del self._parts[key]

    def set_availability(self, figure: Availability) -> None:
        """Add or replace what the warehouse has of the item."""
        self._stock[figure.key] = figure

    def remove_availability(self, key: StockKey) -> None:
        del self._stock[key]

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        self._statuses[key] = status
        row = self._row(key)
        if row is not None:
            self._touch(Feed.ACCOUNT_ORDERS, row.order.sold_to)

    def refuse_credits(self, refused: bool = True) -> None:
        """From now on the ERP takes no request for a credit."""
        self._refuses_credits = refused

    @property
    def credits(self) -> Sequence[CreditRequest]:
        """Every request for a credit in the ERP, in the order in which they came."""
        return tuple(request for _, request in self._credits)

    def cannot_keep(self, *fields: str) -> None:
        """From now on every order that has something in one of these fields is refused,
        whatever else is in the ERP: it has no place for them."""
        self._no_place_for = fields

    def refuse_item(self, sku: Sku, why: str = "item is blocked for sale") -> None:
        """From now on every order with a line of this item is refused."""
        self._refused_skus[sku] = why

    def accept_item(self, sku: Sku) -> None:
        self._refused_skus.pop(sku, None)

    def deny_access(self, denied: bool = True) -> None:
        """Every call but ``check`` and ``close`` raises AccessDenied."""
        self._access_denied = denied

    def mark_changed(self, customer_id: CustomerId, feed: Feed, at: datetime) -> None:
        """Let the customer's last change of this feed have happened then."""
        self._changed[feed, customer_id] = utc(at)

    def edit_order(self, key: IdempotencyKey, **changes: object) -> None:
        """What the ERP's staff did to an order after it came in."""
        for position, row in enumerate(self._orders):
            if row.key == key:
                changed = dataclasses.replace(row.order, **changes)  # type: ignore[arg-type]
                self._orders[position] = dataclasses.replace(row, order=changed)
                return
        raise KeyError(key)

    @property
    def created(self) -> Mapping[IdempotencyKey, CustomerId]:
        """Every customer that was made here, by its key."""
        return MappingProxyType(self._created)

    @property
    def orders(self) -> Sequence[WrittenRow]:
        """Every order in the ERP, in the order in which they were written."""
        return tuple(self._orders)

    @property
    def statuses(self) -> Mapping[IdempotencyKey, OrderStatus]:
        return MappingProxyType(self._statuses)

    # How it keeps its promises.

    def _admit(self) -> None:
        if self._access_denied:
            raise AccessDenied("the ERP does not let this user in; renew the credentials")

    def _row(self, key: IdempotencyKey) -> WrittenRow | None:
        return next((row for row in self._orders if row.key == key), None)

    def _acknowledge(self, row: WrittenRow) -> OrderAcknowledgement:
        return OrderAcknowledgement(None if self._capabilities.number_follows else row.number)

    def _first_status(self, row: WrittenRow) -> OrderStatus:
        state = ErpOrderState.ON_HOLD if row.order.hold else ErpOrderState.OPEN
        lines = tuple(
            LineStatus(line.number, line.sku, line.stock_quantity, Decimal(0), Decimal(0))
            for line in row.order.lines
        )
        return OrderStatus(state, row.number, lines=lines)

    def _refuse_what_has_no_place(self, order: SalesOrder) -> None:
        lost = [name for name in self._no_place_for if getattr(order, name)]
        if lost:
            raise Rejected(
                f"order {order.web_number}: the ERP has no place for {', '.join(lost)}",
                code="erp_cannot_keep",
                remedy="make room for it in the ERP, then replay",
            )

    def _refuse_what_a_real_one_would(self, order: SalesOrder) -> None:
        if order.sold_to not in self._accounts:
            raise Rejected(
                f"the ERP has no customer {order.sold_to}",
                code="erp_unknown_customer",
                remedy="create the customer in the ERP or correct the mapping, then replay",
            )
        ship_to = order.ship_to
        named = ship_to.ship_to_id if isinstance(ship_to, OnFileShipTo) else ship_to.under
        if named is not None and (order.sold_to, named) not in self._ship_tos:
            raise Rejected(
                f"{order.sold_to} has no ship-to {named}",
                code="erp_unknown_ship_to",
                remedy="correct the ship-to in the ERP, then replay",
            )
        bill_to = order.bill_to
        if (
            isinstance(bill_to, OnFileBillTo)
            and (order.sold_to, bill_to.bill_to_id) not in self._bill_tos
        ):
            raise Rejected(
                f"{order.sold_to} has no bill-to {bill_to.bill_to_id}",
                code="erp_unknown_bill_to",
                remedy="correct the bill-to in the ERP, then replay",
            )
        for line in order.lines:
            why = self._refused_skus.get(line.sku)
            if line.sku not in self._items:
                why = "no such item"
            if why is not None:
                raise Rejected(
                    f"line {line.number}, {line.sku}: {why}",
                    code="erp_refused_line",
                    remedy="release the item in the ERP, then replay",
                )

    def _touch(self, feed: Feed, customer_id: CustomerId) -> None:
        self._changed[feed, customer_id] = self._clock.now()

    def _web_order(self, row: WrittenRow) -> AccountOrder:
        """An order that came from us, as the ERP shows it among all the others."""
        order, status = row.order, self._statuses.get(row.key)
        shipped = {line.line: line.shipped for line in status.lines} if status else {}
        return AccountOrder(
            number=row.number,
            sold_to=order.sold_to,
            source=OrderSource.WEB,
            state=status.state if status else ErpOrderState.OPEN,
            ordered_on=order.ordered_on,
            total=order.total,
            requested_on=order.requested_on,
            po_number=order.po_number,
            lines=tuple(
                AccountOrderLine(
                    number=line.number,
                    quantity=line.stock_quantity,
                    sku=line.sku,
                    net=line.net,
                    shipped=shipped.get(line.number),
                )
                for line in order.lines
            ),
            key=row.key,
        )


@functools.lru_cache(maxsize=256)
def _vector(prices: tuple[Price, ...]) -> pa.Table:
    """Thousands of trials read the same few price lists again and again."""
    from sync.columnar.vectors import vector_of

    return vector_of(prices)


def _digest(entries: Sequence[str]) -> bytes:
    return hashlib.sha256("\n".join(entries).encode()).digest()[:16]


def _unreadable(key: PriceKey) -> UnreadableRecord:
    scope = key.scope
    customer = CustomerId(scope.owner) if scope.level is PriceLevel.ACCOUNT else None
    name = f"{scope}/{key.price_list}/{key.sku}"
    return UnreadableRecord("prices", name, "currency", "is none", customer)


def _states(
    customer_ids: Collection[CustomerId], records: Iterable[ShipTo | BillTo | Invoice]
) -> dict[CustomerId, bytes]:
    """What an account has, whatever order it is told in."""
    held: dict[CustomerId, list[str]] = {each: [] for each in customer_ids}
    for each in records:
        held[each.sold_to].append(dumps(each))
    return {
        each: hashlib.blake2b("\n".join(sorted(texts)).encode(), digest_size=16).digest()
        for each, texts in held.items()
    }
