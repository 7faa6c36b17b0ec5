"""The commerce store, reduced to what synchronization needs.

Every method may raise TryLater, AccessDenied and Misconfigured besides what it
names. Mirrored partitions are read with ``shown_*`` and changed with
``apply_*``; a call applies all of its changes or none, and is idempotent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sync.domain.account import BillTo, ShipTo
from sync.domain.ids import (
    BillToId,
    CustomerId,
    InvoiceNumber,
    OrganisationId,
    ShipToId,
    StoreId,
    WebOrderId,
    WebUserId,
)
from sync.domain.invoice import Invoice
from sync.domain.order import BuyerRecord, Organisation, StoreOrder, WebUser
from sync.domain.pricing import Audience, PriceKey, PriceScope, PriceValue
from sync.domain.sales_order import OrderStatus
from sync.domain.times import Watermark
from sync.domain.views import (
    AccountProfile,
    AccountView,
    BillToView,
    ImportNotice,
    InvoiceView,
    PublishedPriceKey,
    ShipToView,
)
from sync.ports.erp import Finding


@dataclass(frozen=True, slots=True)
class StoreCapabilities:
    """Facts about the store that the engine plans around.

    ``overlap_s``: how far back a read must reach behind its watermark so that
    no late commit is missed. ``batch``: changes that one ``apply`` may carry.
    ``organisations``: the store knows organisations of its own; where it does
    not, the ERP account that a user is mapped to is the user's organisation.
    """

    name: str
    organisations: bool = True
    overlap_s: float = 600.0
    batch: int = 500


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
class ShowsImport(Protocol):
    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        """Set (never append) how far the order is. Unknown order: Rejected."""
        ...

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        """Set what the ERP says of the order: state, shipments, back-orders."""
        ...

    def shown_order_statuses(
        self, order_ids: Collection[WebOrderId]
    ) -> Mapping[WebOrderId, OrderStatus]: ...


@runtime_checkable
class MirrorsAccounts(Protocol):
    """Accounts with their terms. What the store's users own is never touched."""

    def shown_customer_ids(self) -> Iterator[CustomerId]:
        """Every customer ID under which anything at all is mirrored in this store."""
        ...

    def shown_accounts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountProfile]: ...

    def put_accounts(self, views: Sequence[AccountView]) -> None: ...

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


@runtime_checkable
class QuotesPrices(Protocol):
    def shown_to(
        self,
        audiences: Collection[Audience],
    ) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
        """Every price that these audiences together can see, for ``explain`` and proofs."""
        ...
