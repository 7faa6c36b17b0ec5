"""The commerce store, reduced to what synchronization needs.

Every method may raise TryLater, AccessDenied and Misconfigured besides what it
names. Mirrored partitions are read with ``shown_*`` and changed with
``apply_*``; a call applies all of its changes or none, and is idempotent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sync.domain.account import BillTo, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.availability import Availability, StockKey
from sync.domain.balance import AccountBalance
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.document import Document, DocumentKey, DocumentKind
from sync.domain.entitlement import Entitlement
from sync.domain.ids import (
    ApplicationId,
    BillToId,
    ChannelId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    IdempotencyKey,
    InvoiceNumber,
    OrganisationId,
    ShipToId,
    Sku,
    StoreId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.invoice import Invoice
from sync.domain.money import Money
from sync.domain.order import BuyerRecord, Organisation, StoreOrder, WebUser
from sync.domain.part_number import CustomerPart, PartKey
from sync.domain.pricing import Audience, PriceKey, PriceScope, PriceValue
from sync.domain.registration import (
    AccountKind,
    Application,
    Registrant,
    RegistrationNotice,
    RegistrationView,
    UnreadableApplication,
)
from sync.domain.sales_order import OrderStatus
from sync.domain.settlement import Capture
from sync.domain.times import Watermark
from sync.domain.views import (
    AccountOrderView,
    AccountProfile,
    AccountView,
    BalanceView,
    BillToView,
    CustomerPartView,
    DocumentView,
    ImportNotice,
    InvoiceView,
    PublishedPriceKey,
    PublishedStockKey,
    ShipToView,
)
from sync.ports.erp import Finding

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ListLimits:
    """How far a store's shared price lists go; None: as far as anybody knows.

    ``lists`` there may be at a time, each with ``members``. One call that changes them
    carries ``entries``: rows, members and lists together.
    ``overrides``: a member may have rows of its own over those of its list. Where it may
    not, its buyers are shown the list and nothing else that is for them alone: whoever is
    told a price of its own leaves the list first, which makes the store write all of its
    rows once more. ``sites``: a site may be a member, too. ``gaps``: a member that loses a
    row of its list stays one, and is not shown that row; only with ``overrides``, since what
    comes there again is a row of its own.
    """

    entries: int
    lists: int | None = None
    members: int | None = None
    overrides: bool = True
    sites: bool = True
    gaps: bool = False

    def __post_init__(self) -> None:
        if self.gaps and not self.overrides:
            raise ValueError("gaps of members that may have no rows of their own are never filled")


@dataclass(frozen=True, slots=True)
class StoreCapabilities:
    """Facts about the store that the engine plans around.

    ``overlap_s``: how far back a read must reach behind its watermark so that
    no late commit is missed. ``batch``: changes that one ``apply`` may carry;
    ``price_batch``: the same for prices, where a store takes them in bulk.
    ``price_calls``: how many calls that write prices may be under way at once, each by a
    thread of its own; no two of them say anything of one key, though perhaps of one item.
    ``organisations``: the store knows organisations of its own; where it does
    not, the ERP account that a user is mapped to is the user's organisation.
    ``call_for_pricing``: an entry without a price hides the prices of the levels
    below it from its audience; where the store cannot do that, each run says so.
    ``prices_stay``: a price that the store took is shown until somebody changes it there.
    False where that hangs on what else the store has, such as an item that it sells only
    later: each run compares all prices with it then.
    ``price_lists``: the store has price lists that accounts share
    (``sync.ports.price_lists``), within these limits; None: it has none.
    ``price_time_zone``: the store begins and ends a price at a moment, which it takes for
    a day's begin or end in this zone; None: it is told days.
    """

    name: str
    organisations: bool = True
    call_for_pricing: bool = True
    prices_stay: bool = True
    overlap_s: float = 600.0
    batch: int = 500
    price_batch: int | None = None
    price_calls: int = 1
    price_lists: ListLimits | None = None
    price_time_zone: str | None = None

    @property
    def prices_at_once(self) -> int:
        return self.price_batch or self.batch


@runtime_checkable
class Store(Protocol):
    @property
    def store_id(self) -> StoreId: ...

    @property
    def capabilities(self) -> StoreCapabilities: ...

    def check(self) -> Sequence[Finding]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders by time of change, oldest first, and how far this page reaches.

    ``reached`` is the store's own time of change of the last order; a watermark
    may be set to it once every order of the page is in the ledger.
    """

    orders: tuple[StoreOrder, ...]
    reached: Watermark


@runtime_checkable
class ReadsWebOrders(Protocol):
    def changed_orders(self, since: Watermark | None) -> Iterator[OrderPage]:
        """Every order placed or changed at or after ``since``, oldest change first.

        Pages follow one another by key, to the end of the feed as it stood when
        the read began. An order may come twice. None means from the beginning.
        """
        ...

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        """The order as it is now; None when the store no longer shows it."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """What somebody posted to us: names of headers in small letters, the body as it came.

    Nothing in it is true before the store's adapter has said so.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@runtime_checkable
class TakesHints(Protocol):
    """A store that tells at once which orders have news, instead of waiting to be asked.

    A hint is only ever a reason to look: the order is read from the store, and
    all hints may be lost without an order being lost.
    """

    @property
    def hints_expected(self) -> bool:
        """Whether the settings give what it takes to know a genuine hint."""
        ...

    def hinted_orders(self, delivery: Delivery) -> Collection[WebOrderId]:
        """The orders that a genuine delivery is about; none for one about something else.

        Asks no system. Raises NotGenuine for a delivery that the store did not
        sign or signed too long ago, and Rejected for a genuine one that cannot
        be understood.
        """
        ...


@runtime_checkable
class ReadsOrdersTogether(Protocol):
    """Optional: reads many orders again as cheaply as one."""

    def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
        """These orders as they are now; one that the store no longer shows is absent."""
        ...


@runtime_checkable
class FindsWebOrders(Protocol):
    """Optional: finds orders by what people call them. For a person's question, not for runs."""

    def orders_numbered(self, number: WebOrderNumber) -> Collection[WebOrderId]:
        """The keys of all orders that the store shows under this number; empty for none."""
        ...


@runtime_checkable
class ReadsBuyers(Protocol):
    def buyer(self, web_user: WebUserId | None, organisation: OrganisationId | None) -> BuyerRecord:
        """What the directory says of them; a key that it does not know gives None."""
        ...

    def web_users(self) -> Iterator[WebUserId]: ...

    def organisations(self) -> Iterator[OrganisationId]: ...


@runtime_checkable
class ListsStaffAttributes(Protocol):
    def with_staff_attribute(self) -> Iterator[WebUser | Organisation]:
        """Users and organisations whose staff-only attribute names a customer ID."""
        ...


@runtime_checkable
class ListsVerifiedUsers(Protocol):
    """Optional, beside ``ReadsBuyers``: tells at once whom an e-mail address may assign.

    In a store without it the directory is read user by user.
    """

    def with_verified_email(self) -> Iterator[WebUser]:
        """Users whose e-mail address the store itself verified, each once.

        Their memberships may be left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class ShopChannel:
    """How the store itself treats shoppers of a sales channel; None: it does not say."""

    mode: CommerceMode | None = None
    login_wall: LoginWall | None = None
    guest_checkout: bool | None = None


@runtime_checkable
class ListsChannels(Protocol):
    """Optional: tells its sales channels, so that the mapping can be held against them."""

    def sales_channels(self) -> Mapping[ChannelId, ShopChannel]:
        """Every channel under the name that its orders carry."""
        ...


@runtime_checkable
class ShowsImport(Protocol):
    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        """Set (never append) how far the order is. Unknown order: Rejected."""
        ...

    def shown_imports(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, ImportNotice]:
        """What is shown at these orders; one without a notice is absent."""
        ...

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        """Set what the ERP says of the order: state, shipments, back-orders."""
        ...

    def shown_order_statuses(
        self, order_ids: Collection[WebOrderId]
    ) -> Mapping[WebOrderId, OrderStatus]: ...


@runtime_checkable
class CapturesPayments(Protocol):
    """Optional: a store that captures what it has authorised when it is asked (OI-10).

    A payment of the order stays authorised, with its whole amount, until all of it
    is captured.
    """

    def capture(self, order_id: WebOrderId, amount: Money, key: IdempotencyKey) -> Capture:
        """Capture so much of what is authorised on the order, once under this key.

        Asked again under the same key it only answers how far that one is, which may
        be REQUESTED for a while. Raises Rejected, with nothing captured, for an order
        that it does not know and where so much is not authorised (any more);
        OutcomeUnknown when it cannot be told; TryLater only when it surely did not.
        """
        ...

    def captures(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, Sequence[Capture]]:
        """Every capture that these orders were asked for, oldest first."""
        ...


@runtime_checkable
class MirrorsAccounts(Protocol):
    """Accounts with their terms. What the store's users own is never touched.

    Of every mirror: what was put and then changed by others is told with a value
    that equals nothing that could be wanted, never left out. So it is put right
    where it is wanted, and removed where it is not. ``shown_...`` writes nothing.
    """

    def shown_customer_ids(self) -> Iterator[CustomerId]:
        """Every customer ID under which anything at all is mirrored in this store."""
        ...

    def shown_accounts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountProfile]: ...

    def put_accounts(self, views: Sequence[AccountView]) -> None:
        """Replace these accounts whole; whoever no longer acts for one sees nothing of it.

        A tag that a view does not name any more is taken away. Tags that came from
        anybody else than this mirror stay as they are.
        """
        ...

    def withdraw_account(self, customer_id: CustomerId) -> None:
        """Take the account and everything mirrored under it out of sight.

        Takes any customer ID: what was shown for an account must be removable
        when the ID has become a retail group (WA-8).
        """
        ...


@runtime_checkable
class MirrorsShipTos(Protocol):
    def shown_ship_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ShipToId], ShipTo]: ...

    def shown_bill_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, BillToId], BillTo]: ...

    def apply_ship_tos(
        self, put: Sequence[ShipToView], remove: Sequence[tuple[CustomerId, ShipToId]]
    ) -> None: ...

    def apply_bill_tos(
        self, put: Sequence[BillToView], remove: Sequence[tuple[CustomerId, BillToId]]
    ) -> None: ...


@runtime_checkable
class MirrorsInvoices(Protocol):
    """Invoices of individual accounts: the types leave no room for a retail group's."""

    def shown_invoices(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, InvoiceNumber], Invoice]: ...

    def apply_invoices(
        self, put: Sequence[InvoiceView], remove: Sequence[tuple[CustomerId, InvoiceNumber]]
    ) -> None: ...


@runtime_checkable
class FindsShownInvoices(Protocol):
    """Optional: tells whose invoice of a number is in sight, at about the cost of a look-up.

    A store without it goes on showing an invoice that the ERP moved to another account
    to the former one's buyers until all accounts are compared.
    """

    def shown_invoice_keys(
        self, numbers: Collection[InvoiceNumber]
    ) -> Collection[tuple[CustomerId, InvoiceNumber]]:
        """Every key with one of these numbers under which an invoice is shown."""
        ...


@runtime_checkable
class MirrorsBalances(Protocol):
    """Optional: balances of individual accounts, one for each account and currency.

    The store shows them to whom it shows the account's invoices, and to nobody else.
    """

    def shown_balances(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, str], AccountBalance]: ...

    def apply_balances(
        self, put: Sequence[BalanceView], remove: Sequence[tuple[CustomerId, str]]
    ) -> None: ...


@runtime_checkable
class MirrorsAccountOrders(Protocol):
    """Optional: the ERP's orders of individual accounts, for reading only (MI-5).

    The store shows them to whom it shows the account's invoices, and to nobody
    else. They are no web orders: they come into no user's order history, and
    ``ReadsWebOrders`` never tells them (WA-9).
    """

    def shown_account_orders(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ErpOrderNumber], AccountOrder]: ...

    def apply_account_orders(
        self,
        put: Sequence[AccountOrderView],
        remove: Sequence[tuple[CustomerId, ErpOrderNumber]],
    ) -> None: ...


@runtime_checkable
class FindsShownAccountOrders(Protocol):
    """Optional: as FindsShownInvoices, for a store that shows orders of accounts."""

    def shown_account_order_keys(
        self, numbers: Collection[ErpOrderNumber]
    ) -> Collection[tuple[CustomerId, ErpOrderNumber]]:
        """Every key with one of these numbers under which an order is shown."""
        ...


@runtime_checkable
class MirrorsCustomerParts(Protocol):
    """Optional: each account's own item numbers, shown to its own buyers alone."""

    def shown_customer_parts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[PartKey, CustomerPart]: ...

    def apply_customer_parts(
        self, put: Sequence[CustomerPartView], remove: Sequence[PartKey]
    ) -> None: ...


@runtime_checkable
class MirrorsEntitlements(Protocol):
    """Optional: which items are not for everybody, and whom each is for (VE-5).

    The store shows and sells a restricted item to its audiences alone, and says to
    nobody else that there is such an item. An item that is not restricted is for
    everybody whom the channel shows its catalogue.
    """

    def shown_restricted_items(self) -> Iterator[Sku]:
        """Every item that the store keeps for somebody, or for nobody."""
        ...

    def shown_entitlements(self, skus: Collection[Sku]) -> Mapping[Sku, Entitlement]:
        """Whom these are kept for; an item that everybody may see is absent."""
        ...

    def apply_entitlements(self, put: Sequence[Entitlement], remove: Sequence[Sku]) -> None:
        """Restrict the items of ``put``, each as it says; open those of ``remove`` to everybody."""
        ...


@runtime_checkable
class MirrorsDocuments(Protocol):
    """Optional: documents of individual accounts with their files, once for each content.

    The store shows them to whom it shows the account's invoices, and the
    confirmation of an order only to those who may see that order: ``as_seen`` says it.
    """

    def shown_documents(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[DocumentKey, Document]:
        """As they were put. One whose content is not there whole has an empty version."""
        ...

    def publish_document(self, view: DocumentView, content: Iterable[bytes]) -> None:
        """Show the document with this content, in place of what is shown under its key.

        The content is taken piece by piece. Rejected, and nothing changed, where
        it has not the size and the SHA-256 that the document tells.
        """
        ...

    def apply_documents(self, put: Sequence[DocumentView], remove: Sequence[DocumentKey]) -> None:
        """Put documents whose content the store holds already; Rejected where it does not.

        Content that no document has any more goes with the last one.
        """
        ...

    def document_content(self, sha256: str) -> Iterator[bytes]:
        """The content piece by piece, nothing where the store does not hold it whole."""
        ...


@runtime_checkable
class FindsShownDocuments(Protocol):
    """Optional: as FindsShownInvoices, for a store that shows documents."""

    def shown_document_keys(
        self, papers: Collection[tuple[DocumentKind, DocumentNumber]]
    ) -> Collection[DocumentKey]:
        """Every key with one of these kinds and numbers under which a document is shown."""
        ...


@runtime_checkable
class MirrorsAvailability(Protocol):
    """Optional: availability, published to audiences as prices are."""

    def shown_stock_audiences(self) -> Iterator[Audience]:
        """Every audience to which the store shows some availability."""
        ...

    def shown_stocked_items(self, after: Sku | None, limit: int) -> Sequence[Sku]:
        """The next ``limit`` items past ``after`` of which a figure is shown; none at the end.

        In the order of their numbers, compared code point by code point.
        """
        ...

    def shown_stock(self, skus: Collection[Sku]) -> Mapping[PublishedStockKey, Availability]:
        """What is shown of these items, to whomever."""
        ...

    def shown_availability(self, audience: Audience) -> Mapping[StockKey, Availability]:
        """All that this audience is shown, for proofs: it may be a whole catalogue."""
        ...

    def apply_availability(
        self,
        put: Sequence[tuple[Audience, Availability]],
        remove: Sequence[PublishedStockKey],
    ) -> None: ...


@runtime_checkable
class MirrorsPrices(Protocol):
    def shown_price_partitions(self) -> Iterator[tuple[Audience, PriceScope]]:
        """Every audience and scope under which the store shows a price."""
        ...

    def shown_prices(
        self, audience: Audience, scope: PriceScope
    ) -> Mapping[PriceKey, PriceValue]: ...

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class PriceRows:
    """Many price rows of one scope for one audience, as ``sync.columnar.vectors`` has them.

    No two of them have one key.
    """

    audience: Audience
    scope: PriceScope
    rows: pa.Table


@runtime_checkable
class TakesPriceBatches(Protocol):
    """Optional, beside ``MirrorsPrices``: takes many rows at once, column by column."""

    def apply_price_rows(self, put: Sequence[PriceRows], remove: Sequence[PriceRows]) -> None:
        """The same as ``apply_prices`` for these rows, in one transaction; idempotent.

        As many as there are: no batch limits them. What is removed goes before
        anything is put; of it only the key columns count. Raises ValueError or
        Rejected, with nothing changed, for a key that is put twice and for a row
        that no ``PriceKey`` and ``PriceValue`` could say.
        """
        ...


@runtime_checkable
class ReadsRegistrations(Protocol):
    """Optional: a store in which people hand in a form that somebody decides on (VE-9)."""

    def open_applications(self) -> Iterator[Application | UnreadableApplication]:
        """Every application that is not decided, longest ago handed in first.

        Decided are those whose notice says so, unless they were handed in again
        after what it answers.
        """
        ...

    def application(self, application_id: ApplicationId) -> Application | None:
        """The application as it is now; None when the store no longer shows it."""
        ...


@runtime_checkable
class WritesRegistrations(Protocol):
    """Optional, beside ``ReadsRegistrations``: makes the accounts of those who register."""

    def create_registrant(self, application_id: ApplicationId, kind: AccountKind) -> Registrant:
        """Make the user of the application, and for a business its organisation (TL-5).

        The user becomes the organisation's manager, and both have an open
        application from the first moment on; the organisation is a prospect.
        What was made before is not made again, and the answer is the same. A
        user that the application names must be there, and nobody is taken for
        it by an e-mail address. Rejected: an application or user that the store
        does not have.
        """
        ...

    def show_registration(self, application_id: ApplicationId, view: RegistrationView) -> None:
        """Set how the application stands, and what follows from it for its registrant.

        The organisation gets the status. It and the user have an open application
        until it is decided, the user also while another one of theirs is not.
        Rejected: an application that the store does not have.
        """
        ...

    def shown_registrations(
        self, application_ids: Collection[ApplicationId]
    ) -> Mapping[ApplicationId, RegistrationNotice]:
        """What is shown at these applications; one without a notice is absent."""
        ...


@runtime_checkable
class TellsShoppersApart(Protocol):
    """A store that cannot show every audience of shoppers its own prices says so beforehand."""

    def shopper_findings(self, shoppers: Mapping[Audience, Collection[str]]) -> Sequence[Finding]:
        """Which of these would see each other's prices, given the currencies of each.

        An ERROR for each case, with the way out: no prices are mirrored then. Asks
        no system; no finding where all can be told apart.
        """
        ...


@runtime_checkable
class QuotesPrices(Protocol):
    def shown_to(
        self,
        audiences: Collection[Audience],
    ) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
        """Every price that these audiences together can see, for ``explain`` and proofs."""
        ...
