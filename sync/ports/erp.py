"""The ERP, reduced to what synchronization needs.

An adapter is one object that satisfies ``Erp`` and as many of the capability
protocols as the system can serve. The engine asks with ``isinstance`` once, at
start-up, and says what cannot be served. Every method may raise TryLater,
AccessDenied and Misconfigured besides what it names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.candidates import CustomerMatch, CustomerSearch
from sync.domain.document import DocumentRecord
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.money import Money, Rounding
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price, PriceLevel, PriceQuestion, PriceScope
from sync.domain.registration import NewCustomer
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, OrderStatus, SalesOrder
from sync.domain.settlement import Credit, CreditRequest
from sync.domain.times import Watermark
from sync.errors import Rejected

if TYPE_CHECKING:
    import pyarrow as pa


class Feed(Enum):
    """Kinds of record whose changes a source may be able to tell."""

    ACCOUNTS = "accounts"
    SHIP_TOS = "ship_tos"
    INVOICES = "invoices"
    ACCOUNT_ORDERS = "account_orders"


@dataclass(frozen=True, slots=True)
class ErpCapabilities:
    """Facts about the ERP that the engine plans around.

    ``ship_to_override``: an order may ship to an address that is not on file.
    ``needs_ship_to_id``: even then a ship-to ID must be named beside it.
    ``unique_external_key``: the ERP itself refuses a second order with our key.
    ``external_key_length``: characters that the key's field holds, of orders and customers.
    ``order_group``: so many orders may be written in one transaction (see
    ``SupportsOrderGroups``); with 1 each goes by itself.
    ``statement_timeout_s``: how long a write may still be under way after its
    answer was lost. ``number_follows``: the order number comes later, with the
    order status. ``text_encoding``: the Python codec of the ERP's text, None
    where it takes all of Unicode. Lengths are in characters, None: no limit;
    without lengths of their own a city is as long as an address line and an
    attention as long as a name.
    """

    name: str
    unit_price_rounding: Rounding
    amount_rounding: Rounding
    time_zone: str = "UTC"
    ship_to_override: bool = True
    needs_ship_to_id: bool = False
    needs_contact: bool = False
    unique_external_key: bool = True
    external_key_length: int = 64
    order_group: int = 1
    tax_override: bool = True
    order_hold: bool = False
    number_follows: bool = False
    statement_timeout_s: float = 60.0
    max_order_lines: int | None = None
    address_lines: int | None = None
    address_line_length: int | None = None
    name_length: int | None = None
    po_number_length: int | None = None
    notes_length: int | None = None
    line_note_length: int | None = None
    city_length: int | None = None
    region_length: int | None = None
    postal_code_length: int | None = None
    attention_length: int | None = None
    phone_length: int | None = None
    email_length: int | None = None
    collect_account_length: int | None = None
    text_encoding: str | None = None
    change_feeds: frozenset[Feed] = frozenset()


class FindingLevel(Enum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: what was looked at, what was found, the way out.

    ``place`` is where a person wrote it ("customers.csv:7"), empty where nobody did;
    ``path`` the names of the keys that lead to it there, of a line that of its field;
    ``text`` what stands in that field.
    """

    subject: str
    level: FindingLevel
    message: str
    remedy: str = ""
    place: str = ""
    path: tuple[int | str, ...] = ()
    text: str = ""

    @property
    def said(self) -> str:
        """Subject and message in one: "customer 000112 is inactive in the ERP"."""
        goes_on = self.message.startswith(("is ", "has "))
        return f"{self.subject}{' ' if goes_on else ': '}{self.message}"


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that the ERP holds and that cannot be understood, so it was left out.

    ``source`` says where it was read, ``key`` which it is, ``field`` what is
    wrong with it, as far as each can be told. ``customer`` is the account that
    it belongs to: what the store shows of that account must stay as it is,
    because the record has not vanished.
    """

    source: str
    key: str
    field: str
    message: str
    customer: CustomerId | None = None

    def __str__(self) -> str:
        told = f"{self.field} {self.message}" if self.field else self.message
        return f"{self.source} {self.key}: {told}"


@runtime_checkable
class Erp(Protocol):
    @property
    def capabilities(self) -> ErpCapabilities: ...

    def check(self) -> Sequence[Finding]:
        """Try everything that the adapter will need, without writing.

        Reports all findings instead of raising at the first one.
        """
        ...

    def close(self) -> None:
        """Give connections back. May be called twice."""
        ...


@runtime_checkable
class ReadsAccounts(Protocol):
    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        """The accounts with these IDs; one that the ERP does not have is absent."""
        ...

    def customer_ids(self) -> Iterator[CustomerId]:
        """Every customer that the ERP profile selects as an account, in any order."""
        ...

    def locations(self, customer_ids: Collection[CustomerId]) -> Sequence[Location]:
        """The sites of these accounts; none for an ERP without sites."""
        ...


@dataclass(frozen=True, slots=True)
class AccountFile:
    """An account with all that hangs on it for an order."""

    account: Account
    ship_tos: tuple[ShipTo, ...] = ()
    bill_tos: tuple[BillTo, ...] = ()
    locations: tuple[Location, ...] = ()


@runtime_checkable
class ReadsAccountFiles(Protocol):
    """Optional, beside ``ReadsAccounts`` and ``ReadsShipTos``: an ERP that tells both at
    once with fewer questions."""

    def account_files(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountFile]:
        """These accounts as ``accounts``, ``ship_tos``, ``bill_tos`` and ``locations`` tell
        them; one that the ERP does not have is absent."""
        ...


@runtime_checkable
class FindsContacts(Protocol):
    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        """Accounts that have a contact with exactly this address, case ignored.

        Raises Rejected where such a contact cannot be read: with fewer accounts than there
        are somebody would be taken for a buyer of another, or for retail.
        """
        ...


AccountsFound: TypeAlias = Sequence[CustomerId] | Rejected
"""The accounts with a contact of an address, or why that cannot be told."""


@runtime_checkable
class FindsContactsTogether(Protocol):
    """Optional, beside ``FindsContacts``: asks about many addresses as cheaply as about one."""

    def accounts_by_emails(self, emails: Collection[str]) -> Mapping[str, AccountsFound]:
        """For each of these addresses what ``accounts_by_email`` answers or raises.

        By the address as it is spelled in the question. A contact that cannot be read
        refuses its own address alone. An address is absent where it can only be told when
        it is asked for by itself: absent is not nobody's. The caller asks for some hundreds
        at once.
        """
        ...


@runtime_checkable
class FindsCustomers(Protocol):
    """Optional: looks for customers that an applicant may be already (VE-9)."""

    def customers_like(self, sought: CustomerSearch) -> Sequence[CustomerMatch]:
        """Customers with this tax ID, with a contact of this address, or alike in name.

        In any order, and rather one too many: what they have in common is judged
        elsewhere, and a person chooses. An empty field of the search asks nothing.
        """
        ...


@runtime_checkable
class CreatesCustomers(Protocol):
    """Optional: makes a customer of an applicant who was approved (VE-9)."""

    def find_customer(self, key: IdempotencyKey) -> CustomerId | None:
        """The customer that the ERP made under this key; None when there is none.

        Raises Rejected where there are several.
        """
        ...

    def create_customer(self, customer: NewCustomer, key: IdempotencyKey) -> CustomerId:
        """Make the customer with its contact under this key, in one transaction.

        The same key twice is one customer: the second call answers like the
        first. It is an account that ``accounts`` tells, usable or not. Raises
        Rejected when the ERP refuses it, with nothing made; OutcomeUnknown when
        it cannot be told whether it was made; TryLater only when it surely was not.
        """
        ...


@runtime_checkable
class ReadsShipTos(Protocol):
    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        """Addresses on file of these accounts, one-off addresses never among them."""
        ...

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]: ...


@dataclass(frozen=True, slots=True)
class ShipTosTold:
    """What accounts have whose records are not those that are known, and the state of all.

    A state (16 bytes) that is the same again: the same records, told in the same way, and
    none of them less readable. It is made of the very answer that the records are, so that
    none is older or newer than its state. An account without one cannot be told from what
    was known, and its records are here.
    """

    ship_tos: Sequence[ShipTo]
    bill_tos: Sequence[BillTo]
    states: Mapping[CustomerId, bytes]


@runtime_checkable
class SparesShipTos(Protocol):
    """Optional: an ERP that knows without much work that nothing is another."""

    def ship_tos_unless(
        self, customer_ids: Collection[CustomerId], known: Mapping[CustomerId, bytes]
    ) -> ShipTosTold:
        """What ``ship_tos`` and ``bill_tos`` tell of those whose state is not the known one."""
        ...


@runtime_checkable
class ReadsItems(Protocol):
    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        """The items with these numbers; one that the ERP does not have is absent.

        One whose restrictions cannot be read is left out: it is never told as
        open to everybody.
        """
        ...


@runtime_checkable
class ListsRestrictedItems(Protocol):
    """Optional: an ERP that can name what is not for everybody (VE-5).

    Who it is for, the items themselves say.
    """

    def restricted_items(self) -> Iterator[Sku]:
        """Every item that not everybody may buy, in any order, each once.

        Also those that nobody may buy, and those of which more cannot be read. A
        short read raises; it never looks like an end.
        """
        ...


@runtime_checkable
class ReadsPrices(Protocol):
    def price_scopes(self) -> Iterator[PriceScope]:
        """Every scope for which the ERP holds at least one entry, in any order."""
        ...

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        """All entries of these scopes, past, present and future, in any order.

        With ``skus`` only those of these items. A short read raises; it never
        looks like an end.
        """
        ...


AskedPrice: TypeAlias = tuple[PriceScope, PriceQuestion]
"""What does that cost by the entries of this scope alone?"""


@runtime_checkable
class AnswersPriceQuestions(Protocol):
    """Optional, beside ``ReadsPrices``: an ERP that answers a few questions sooner than
    it tells all entries of the items."""

    def asked_prices(self, asked: Collection[AskedPrice]) -> Mapping[AskedPrice, Price]:
        """The price that decides each question, as ``effective_price`` finds it among all
        entries of that scope.

        A question that no entry of the scope decides is absent, or has a price of None.
        The entry may be one that only says so much: from that quantity, on that day.
        """
        ...


@runtime_checkable
class SupportsPriceBatches(Protocol):
    """Optional, beside ``ReadsPrices``: tells whole price lists at once, column by column."""

    @property
    def batched_levels(self) -> Collection[PriceLevel]:
        """The levels whose entries ``price_vectors`` can tell; the others are read by row."""
        ...

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, pa.Table]]:
        """All entries of this level: each scope once, with all that ``prices`` tells of it.

        A vector is canonical (``sync.columnar.vectors``). At most a few scopes are in
        memory at a time. A short read raises; it never looks like an end. A record that
        cannot be understood is left out and told by ``TellsUnreadable``, before the scope
        that it is of comes.
        """
        ...


@dataclass(frozen=True, slots=True)
class PriceState:
    """What the ERP says of the entries of one scope without telling them.

    The same ``fingerprint`` (16 bytes) again: the same entries, as far as the ERP can say,
    and they would be told in the same way. ``entries``: how many rows it was made of, those
    that cannot be read included; so many are told of the scope.
    ``settled``: what changes from now on gives another fingerprint; not so for a moment
    where it is made of the time of the last change.
    """

    fingerprint: bytes
    entries: int
    settled: bool = True


@runtime_checkable
class TellsPriceStates(SupportsPriceBatches, Protocol):
    """Optional: says which prices changed without telling any, from its own server."""

    @property
    def stated_levels(self) -> Collection[PriceLevel]:
        """The levels, of ``batched_levels``, whose states ``price_states`` can tell."""
        ...

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        """The state of each scope of this level that has entries.

        A scope of which the state cannot be told is absent. A short read raises.
        """
        ...

    def price_states_of(self, scopes: Collection[PriceScope]) -> Mapping[PriceScope, PriceState]:
        """What ``price_states`` tells of these scopes alone, where that is less work."""
        ...

    def price_vectors_of(
        self, scopes: Collection[PriceScope]
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        """What ``price_vectors`` tells of these scopes alone; one without entries is absent."""
        ...


class Moment(Protocol):
    """A moment as of which prices are told."""

    @property
    def lasts(self) -> bool:
        """Whether all that was asked of prices so far was told as of this one moment.

        Raises TryLater where that cannot be said, and nothing of it is to be believed.
        """
        ...

    def end(self) -> None:
        """What is asked from now on is told as it is by then. May be called twice."""
        ...


@runtime_checkable
class HoldsPriceMoments(TellsPriceStates, Protocol):
    """Optional: tells states and then what they are the states of, whoever writes meanwhile."""

    def price_moment(self) -> AbstractContextManager[Moment]:
        """What this thread asks within of price states and vectors is told as of one moment.

        It begins with the first question. Where the ERP cannot hold it, or not any longer,
        it does not last, and whatever is asked is told as ever. It may keep others from
        emptying the tables that are read, and is not to be held longer than it serves.
        Asks nothing by itself.
        """
        ...


@runtime_checkable
class ReadsInvoices(Protocol):
    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        """Posted invoices and credits of these accounts, with lines and dues."""
        ...


@dataclass(frozen=True, slots=True)
class InvoicesTold:
    """The same as ``ShipTosTold``, of invoices."""

    invoices: Sequence[Invoice]
    states: Mapping[CustomerId, bytes]


@runtime_checkable
class SparesInvoices(Protocol):
    """Optional: an ERP that knows without much work that nothing is another."""

    def invoices_unless(
        self, customer_ids: Collection[CustomerId], known: Mapping[CustomerId, bytes]
    ) -> InvoicesTold:
        """What ``invoices`` tells of those accounts whose state is not the known one."""
        ...


@runtime_checkable
class ReadsBalances(Protocol):
    """Optional: an ERP that states what its accounts owe, beside their invoices."""

    def balances(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountBalance]:
        """What these accounts owe, at most one for each account and currency.

        With the ERP's own ageing where it has one. An account without a figure
        in the ERP is absent: it does not owe nothing, it is not known.
        """
        ...


@runtime_checkable
class ReadsAccountOrders(Protocol):
    """Optional: an ERP that shows its customers' orders, whoever entered them."""

    def account_orders(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountOrder]:
        """The orders of these accounts from every source, ours with the key, with lines.

        ``web_order`` is never told: which order of the store it is, the ledger knows.
        """
        ...


@runtime_checkable
class ReadsCustomerParts(Protocol):
    """Optional: an ERP that knows its customers' own item numbers."""

    def customer_parts(self, customer_ids: Collection[CustomerId]) -> Sequence[CustomerPart]:
        """The item numbers of these accounts, at most one for each key."""
        ...


@runtime_checkable
class ReadsDocuments(Protocol):
    """Optional: an ERP that knows the files of its invoices, confirmations and delivery notes."""

    def documents(self, customer_ids: Collection[CustomerId]) -> Sequence[DocumentRecord]:
        """The documents of these accounts, at most one for each key. It reads no file."""
        ...


@runtime_checkable
class ReadsDocumentFiles(Protocol):
    """Optional: an ERP that gives out files of its documents itself.

    Those documents are told with a version; all others lie in a place of files.
    """

    @property
    def document_size_limit(self) -> int:
        """Bytes that such a file may have."""
        ...

    def read_document(self, place: str, version: str) -> Iterator[bytes]:
        """The file in this version, piece by piece; it may be made at this moment.

        Two reads of one version need not be the same bytes: a report tells when it was
        made. Rejected where there is no such document, or no longer in this version,
        or where the ERP cannot make the file.
        """
        ...


@runtime_checkable
class ReadsAvailability(Protocol):
    """Optional: an ERP that says how much is there. Who may see it, its items say."""

    def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
        """Figures of every item, at most one for each warehouse; with ``skus`` of these.

        They come in the order of the item numbers, compared code point by code point,
        and nobody holds all of them at once. An item that is not among them is not
        known to be there or gone. A short read raises before the first; it never looks
        like an end.
        """
        ...


@runtime_checkable
class TellsChanges(Protocol):
    def changed_customers(
        self, feed: Feed, since: Watermark
    ) -> tuple[Collection[CustomerId], Watermark]:
        """Accounts with a record of this feed that changed at or after ``since``.

        The second value is how far this answer reaches: the ERP's own clock at
        the moment when the read began. Only for feeds in ``change_feeds``.
        """
        ...

    def feed_now(self, feed: Feed) -> Watermark:
        """The ERP's own clock, to start a watermark from a full read."""
        ...


@runtime_checkable
class FindsOrders(Protocol):
    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        """The order that the ERP holds under this key; None when there is none."""
        ...


@runtime_checkable
class SubmitsOrders(Protocol):
    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        """Write the whole order under this key, in one transaction.

        The same key twice is one order: the second call answers like the first
        or raises Conflict. Raises Rejected when the ERP refuses the order;
        OutcomeUnknown when it cannot be told whether it was written; TryLater
        only when it surely was not.
        """
        ...


@runtime_checkable
class ForeseesRefusals(Protocol):
    """Optional, beside ``SubmitsOrders``: says what the ERP has no place for."""

    def foreseen_refusal(self, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
        """What ``submit_order`` would raise of this order whatever its server said, in the
        same words; None where the server decides.

        It asks no system and changes nothing. An order of which it foresees nothing is
        not refused before the ERP itself is asked.
        """
        ...


@runtime_checkable
class FindsOrdersTogether(Protocol):
    """Optional: looks for many keys as cheaply as for one."""

    def find_orders(self, keys: Collection[IdempotencyKey]) -> Mapping[IdempotencyKey, FoundOrder]:
        """The orders under these keys, as ``find_order`` tells them; one not there is absent.

        Where one of them cannot be told, such as two orders under one key, it
        raises like ``find_order``, and nothing is known of any.
        """
        ...


@runtime_checkable
class SupportsOrderGroups(Protocol):
    """Optional, and only for an ERP that refuses a second order under the same key."""

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        """Write all of these orders, each under its key, in one transaction: all or none.

        The answers are in the order of the orders, of which there are at most
        ``order_group``. The caller has looked each key up. Raises GroupRejected,
        naming the order, when the ERP refuses one or a key is given twice;
        Conflict when it holds one of the keys already; OutcomeUnknown when it
        cannot be told whether they were written; TryLater only when they surely
        were not. Whatever it raises, either all of them are in the ERP or none.
        """
        ...


@runtime_checkable
class ReadsOrderStatus(Protocol):
    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        """The present status of these orders; one that the ERP lacks is absent."""
        ...


@runtime_checkable
class CancelsOrders(Protocol):
    def cancel_order(self, key: IdempotencyKey) -> None:
        """Cancel the whole order under this key, as the ERP's own staff would.

        Returns when it is cancelled, also where it was cancelled before. Raises
        Rejected when the ERP does not cancel it (any more), with its reason and
        nothing changed; OutcomeUnknown when it cannot be told whether it did;
        TryLater only when it surely did not.
        """
        ...


@runtime_checkable
class RequestsCredits(Protocol):
    """Optional: an ERP that takes down what the store gave back (OI-10).

    The ERP must refuse a second request under the same key where it says
    ``unique_external_key``.
    """

    def request_credit(self, request: CreditRequest, key: IdempotencyKey) -> Credit:
        """File the request for a credit, once under this key.

        Raises Rejected, with nothing filed, where the ERP does not take it; Conflict
        where it has another under the key; OutcomeUnknown when it cannot be told
        whether it was filed; TryLater only when it surely was not.
        """
        ...

    def find_credit(self, key: IdempotencyKey) -> Credit | None:
        """The request that the ERP holds under this key; None when there is none."""
        ...


@runtime_checkable
class ChecksPurchaseOrders(Protocol):
    def purchase_order_used(
        self, customer_id: CustomerId, po_number: str, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        """An order of this account with this PO number, other than the one under ``key``."""
        ...


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """A PO number of an account, on the order under ``key``."""

    customer_id: CustomerId
    po_number: str
    key: IdempotencyKey


@runtime_checkable
class ChecksPurchaseOrdersTogether(Protocol):
    """Optional: asks about many PO numbers as cheaply as about one."""

    def purchase_orders_used(
        self, asked: Collection[PurchaseOrder]
    ) -> Mapping[PurchaseOrder, ErpOrderNumber]:
        """Another order with that number, for each that has been used before."""
        ...


@dataclass(frozen=True, slots=True)
class TaxQuestion:
    """What tax would the ERP charge on this order?

    ``goods`` are the lines after all discounts, ``charges`` freight and fees;
    both in ``currency``, tax not included. ``ship_to_id`` is given for an
    address on file, the other parts for one typed at checkout; ``day`` is in
    the ERP's calendar. ``lines`` are what each item comes to before the
    discounts of the whole order, ``charge_codes`` and ``discount_codes`` the
    amounts under the ERP's codes, discounts positive: for an ERP whose tax
    depends on the item.
    """

    customer_id: CustomerId
    currency: str
    goods: Decimal
    charges: Decimal
    day: date
    ship_to_id: ShipToId | None = None
    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    lines: tuple[tuple[Sku, Decimal], ...] = ()
    charge_codes: tuple[tuple[str, Decimal], ...] = ()
    discount_codes: tuple[tuple[str, Decimal], ...] = ()


@runtime_checkable
class QuotesTax(Protocol):
    def order_tax(self, question: TaxQuestion) -> Money | None:
        """The ERP's own tax, in the question's currency; None where it cannot tell."""
        ...


@runtime_checkable
class WrittenCapabilities(Protocol):
    """An adapter that can do what somebody has written for it, such as in a profile."""

    @property
    def written_as(self) -> Mapping[str, str]:
        """Name of a protocol in here -> the name under which its documentation has it."""
        ...


def lacking(system: object, wanted: Iterable[type], name: str) -> str | None:
    """What of these the system cannot do, in the words of whoever can add it; None: nothing.

    A profile lacks statements; of any other adapter only is said what it does not do.
    """
    missing = [each.__name__ for each in wanted if not isinstance(system, each)]
    if not missing:
        return None
    if isinstance(system, WrittenCapabilities):
        written = system.written_as
        if all(each in written for each in missing):
            what = "statement" if len(missing) == 1 else "statements"
            told = ", ".join(written[each] for each in missing)
            return f"{name}'s profile lacks the {what} {told}"
    deeds = [_deed(each) for each in missing]
    return f"{name}'s adapter does not {' or '.join(deeds)}"


def _deed(capability: str) -> str:
    """ "read customer parts", of ReadsCustomerParts: each is named as what its owner does."""
    verb, *things = (word.lower() for word in re.findall("[A-Z][a-z]+", capability))
    return " ".join([verb.removesuffix("s"), *things])


@runtime_checkable
class TellsUnreadable(Protocol):
    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        """What reads in this thread had to leave out since the last call, oldest first."""
        ...
