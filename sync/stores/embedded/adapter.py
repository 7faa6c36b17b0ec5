"""The embedded store as the daemon uses it: every capability of ``sync.ports.store``.

The store's own tables are read, the mirrored ones are read and written. Every
write sets records to what they should be, in one transaction, so that repeating
it is harmless. ``mirror_writes`` counts records put and removed, which is how a
test proves that an unchanged cycle writes nothing (MI-2).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table

from sync.domain.account import BillTo, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.availability import Availability, StockKey
from sync.domain.balance import AccountBalance
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
    Key,
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
from sync.errors import Misconfigured, Rejected, RightMissing
from sync.kit.engines import address_of
from sync.kit.hint_body import hinted
from sync.ports.erp import Finding
from sync.ports.price_lists import SharedChange, ShownList
from sync.ports.price_memory import Partition
from sync.ports.store import (
    Delivery,
    ListLimits,
    OrderPage,
    PriceRows,
    ShopChannel,
    StoreCapabilities,
)
from sync.ports.tables import Tables
from sync.stores.embedded import (
    account_data,
    creating,
    documents,
    load,
    payments,
    price_lists,
    queries,
    registrations,
    schema,
    translate,
)
from sync.stores.embedded.checking import findings, settings_from
from sync.stores.embedded.engine import reading_engine, writing_engine
from sync.stores.embedded.errors import translated
from sync.stores.embedded.spelling import moment_text

if TYPE_CHECKING:
    import pyarrow as pa

K = TypeVar("K", bound=Key)
Row = Mapping[str, Any]

PAGE_SIZE = 200
OVERLAP_S = 600.0

LIST_ENTRIES = 50_000
"""Rows and members that one call carries which changes shared price lists."""


class EmbeddedStore:
    """One commerce store in one database, which ``create_store`` has made.

    ``engine`` is the one that writes, for whoever plays the shop.
    """

    def __init__(
        self,
        url: URL,
        store_id: StoreId,
        *,
        overlap_s: float = OVERLAP_S,
        page_size: int = PAGE_SIZE,
        hints_secret: str | None = None,
        price_lists: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self.engine = writing_engine(url)
        self._readers = reading_engine(url)
        self.mirror_writes = 0
        self._store_id = store_id
        self._capabilities = StoreCapabilities(
            name="embedded",
            overlap_s=overlap_s,
            price_lists=ListLimits(LIST_ENTRIES, gaps=True) if price_lists else None,
        )
        self._page_size = page_size
        self._hints_secret, self._now = hints_secret, now
        self._database = f"the database of store {store_id}"
        self._address = address_of(url)
        sqlite = url.get_backend_name() == "sqlite"
        self._file = Path(str(url.database)) if sqlite else None

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> EmbeddedStore:
        """The store of a site's settings: ``url``, ``store_id``, ``overlap_s``, ``page_size``,
        ``price_lists``.

        A relative SQLite path starts at ``base``; a database password is the
        secret ``password``, what signs hints the secret ``hints``. Raises
        Misconfigured with every problem found.
        """
        settings = settings_from(options, secrets, base)
        return cls(
            settings.url,
            settings.store_id,
            overlap_s=OVERLAP_S if settings.overlap_s is None else settings.overlap_s,
            page_size=settings.page_size or PAGE_SIZE,
            hints_secret=settings.hints_secret,
            price_lists=settings.price_lists,
        )

    @property
    def store_id(self) -> StoreId:
        return self._store_id

    @property
    def capabilities(self) -> StoreCapabilities:
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        """Whether the database answers, and which tables or columns it lacks."""
        return findings(self._readers, self._database, self._file)

    def close(self) -> None:
        self._readers.dispose()
        self.engine.dispose()

    # --- MakesTables ---

    def table_statements(self) -> Sequence[str]:
        return tuple(creating.statements(schema.metadata.sorted_tables, self.engine.dialect))

    def look_at_tables(self) -> Tables:
        with translated(self._database, self.engine.dialect.name, self._address, self._file):
            return creating.look(self._url, self._database)

    def make_tables(self, looked: Tables) -> None:
        try:
            with translated(self._database, self.engine.dialect.name, self._address, self._file):
                creating.make(self._url, looked)
        except (RightMissing, OSError, sqlite3.Error) as error:
            raise Misconfigured(
                f"the tables cannot be made: {error}. Give this login, or this user, the right to"
                " make them, or have whoever has it run what tradesync store sql prints"
            ) from error

    # --- TakesHints ---

    @property
    def hints_expected(self) -> bool:
        return self._hints_secret is not None

    def hinted_orders(self, delivery: Delivery) -> Collection[WebOrderId]:
        return hinted(delivery.headers, delivery.body, self._hints_secret, self._now())

    # --- ReadsWebOrders ---

    def changed_orders(self, since: Watermark | None) -> Iterator[OrderPage]:
        with self._reading() as connection:
            end = queries.end_of_feed(connection)
        reached = since or Watermark(datetime.min.replace(tzinfo=UTC))
        start = moment_text(since.at) if since else None
        after: tuple[str, str] | None = None
        while end is not None:
            with self._reading() as connection:
                rows = queries.orders_between(connection, start, after, end, self._page_size)
                orders = load.orders(connection, rows)
            if not rows:
                return
            reached = max(reached, *(Watermark(order.modified_at) for order in orders))
            yield OrderPage(orders, reached)
            after = (rows[-1]["modified_at"], rows[-1]["order_id"])

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        with self._reading() as connection:
            orders = load.orders(connection, queries.order_rows(connection, [order_id.value]))
        return orders[0] if orders else None

    # --- ReadsOrdersTogether ---

    def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
        with self._reading() as connection:
            rows = queries.order_rows(connection, [order_id.value for order_id in order_ids])
            return {order.order_id: order for order in load.orders(connection, rows)}

    # --- FindsWebOrders ---

    def orders_numbered(self, number: WebOrderNumber) -> Collection[WebOrderId]:
        with self._reading() as connection:
            return [
                WebOrderId(each) for each in queries.order_ids_numbered(connection, number.value)
            ]

    # --- ReadsBuyers ---

    def buyer(self, web_user: WebUserId | None, organisation: OrganisationId | None) -> BuyerRecord:
        with self._reading() as connection:
            return BuyerRecord(
                user=load.user(connection, web_user) if web_user else None,
                organisation=load.organisation(connection, organisation) if organisation else None,
            )

    def web_users(self) -> Iterator[WebUserId]:
        return self._keys(schema.web_users, WebUserId)

    def organisations(self) -> Iterator[OrganisationId]:
        return self._keys(schema.organisations, OrganisationId)

    # --- ListsStaffAttributes ---

    def with_staff_attribute(self) -> Iterator[WebUser | Organisation]:
        with self._reading() as connection:
            users = queries.staff_attributed(connection, schema.web_users)
            companies = queries.staff_attributed(connection, schema.organisations)
        yield from (translate.web_user(row, ()) for row in users)
        yield from (translate.organisation(row) for row in companies)

    # --- ListsVerifiedUsers ---

    def with_verified_email(self) -> Iterator[WebUser]:
        with self._reading() as connection:
            users = queries.verified(connection)
        yield from (translate.web_user(row, ()) for row in users)

    # --- ListsChannels ---

    def sales_channels(self) -> Mapping[ChannelId, ShopChannel]:
        with self._reading() as connection:
            found = queries.channels(connection)
        return {ChannelId(row["channel"]): translate.shop_channel(row) for row in found}

    # --- ShowsImport ---

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        with self._writing() as connection:
            _must_be_known(connection, order_id)
            _replace(connection, schema.order_imports, [translate.import_row(order_id, notice)])
        self.mirror_writes += 1

    def shown_imports(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, ImportNotice]:
        with self._reading() as connection:
            return load.import_notices(connection, order_ids)

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        """As ``show_import``; an order that the store does not know raises Rejected."""
        with self._writing() as connection:
            _must_be_known(connection, order_id)
            key = [(order_id.value,)]
            for table in (schema.order_shipments, schema.order_line_statuses):
                queries.delete_rows(connection, table, ["order_id"], key)
            _replace(connection, schema.order_statuses, [translate.status_row(order_id, status)])
            shipments = translate.shipment_rows(order_id, status)
            queries.insert_rows(connection, schema.order_shipments, shipments)
            lines = translate.line_status_rows(order_id, status)
            queries.insert_rows(connection, schema.order_line_statuses, lines)
        self.mirror_writes += 1

    def shown_order_statuses(
        self, order_ids: Collection[WebOrderId]
    ) -> Mapping[WebOrderId, OrderStatus]:
        with self._reading() as connection:
            return load.order_statuses(connection, order_ids)

    # --- CapturesPayments ---

    def capture(self, order_id: WebOrderId, amount: Money, key: IdempotencyKey) -> Capture:
        """As the port says. The shop carries it out, so that it is REQUESTED at first."""
        with self._writing() as connection:
            told = payments.ask(connection, order_id, amount, key, self._now())
        self.mirror_writes += 1
        return told

    def captures(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, Sequence[Capture]]:
        with self._reading() as connection:
            return payments.captures(connection, order_ids)

    # --- MirrorsAccounts ---

    def shown_customer_ids(self) -> Iterator[CustomerId]:
        with self._reading() as connection:
            found = queries.mirrored_customers(connection)
        return iter([CustomerId(each) for each in found])

    def shown_accounts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountProfile]:
        with self._reading() as connection:
            return load.accounts(connection, customer_ids)

    def put_accounts(self, views: Sequence[AccountView]) -> None:
        profiles = list({view.account.customer_id: view.profile for view in views}.values())
        keys = [(profile.customer_id.value,) for profile in profiles]
        rows: dict[Table, list[Row]] = {
            schema.accounts: [translate.account_row(each) for each in profiles],
            schema.account_locations: _flat(translate.location_rows(each) for each in profiles),
            schema.account_organisations: _flat(
                translate.member_rows(each, "organisation", each.organisations) for each in profiles
            ),
            schema.account_users: _flat(
                translate.member_rows(each, "web_user", each.users) for each in profiles
            ),
            schema.account_exceptions: _flat(
                translate.pair_rows(each, each.exceptions) for each in profiles
            ),
            schema.account_barred: _flat(
                translate.pair_rows(each, each.barred) for each in profiles
            ),
            schema.account_tags: _flat(translate.tag_rows(each) for each in profiles),
        }
        with self._writing() as connection:
            for table, of_table in rows.items():
                queries.delete_rows(connection, table, ["customer_id"], keys)
                queries.insert_rows(connection, table, of_table)
        self.mirror_writes += len(profiles)

    def withdraw_account(self, customer_id: CustomerId) -> None:
        """As the port says. Prices to the account's buyers go with it; a price to
        the shoppers of a channel, for whom this ID may be the retail group, stays."""
        with self._writing() as connection:
            lists = price_lists.members_of(connection, customer_id.value)
            removed = queries.withdraw(connection, customer_id.value)
            price_lists.deserted_by(connection, lists)
        self.mirror_writes += removed

    # --- MirrorsShipTos ---

    def shown_ship_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ShipToId], ShipTo]:
        with self._reading() as connection:
            keys = load.texts(customer_ids)
            rows = queries.by_keys(connection, schema.ship_tos, "customer_id", keys)
        found = [translate.ship_to(row) for row in rows]
        return {(each.sold_to, each.ship_to_id): each for each in found}

    def shown_bill_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, BillToId], BillTo]:
        with self._reading() as connection:
            keys = load.texts(customer_ids)
            rows = queries.by_keys(connection, schema.bill_tos, "customer_id", keys)
        found = [translate.bill_to(row) for row in rows]
        return {(each.sold_to, each.bill_to_id): each for each in found}

    def apply_ship_tos(
        self, put: Sequence[ShipToView], remove: Sequence[tuple[CustomerId, ShipToId]]
    ) -> None:
        rows = [translate.ship_to_row(view.ship_to) for view in put]
        self._apply(schema.ship_tos, rows, [(owner.value, key.value) for owner, key in remove])

    def apply_bill_tos(
        self, put: Sequence[BillToView], remove: Sequence[tuple[CustomerId, BillToId]]
    ) -> None:
        rows = [translate.bill_to_row(view.bill_to) for view in put]
        self._apply(schema.bill_tos, rows, [(owner.value, key.value) for owner, key in remove])

    # --- MirrorsInvoices ---

    def shown_invoices(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, InvoiceNumber], Invoice]:
        with self._reading() as connection:
            return load.invoices(connection, customer_ids)

    def apply_invoices(
        self, put: Sequence[InvoiceView], remove: Sequence[tuple[CustomerId, InvoiceNumber]]
    ) -> None:
        """As the port says. Rejected: an invoice with amounts in two currencies."""
        latest = {(view.invoice.sold_to, view.invoice.number): view.invoice for view in put}
        invoices = list(latest.values())
        try:
            rows = [translate.invoice_row(each) for each in invoices]
            lines = _flat(translate.invoice_line_rows(each) for each in invoices)
            dues = _flat(translate.invoice_due_rows(each) for each in invoices)
        except ValueError as error:
            raise Rejected(
                str(error),
                code="mixed_currencies",
                remedy="correct the document in the ERP; this store keeps one currency on each",
            ) from error
        keys = [(owner.value, number.value) for owner, number in (*latest, *remove)]
        with self._writing() as connection:
            for table in (schema.invoice_lines, schema.invoice_dues):
                queries.delete_rows(connection, table, ["customer_id", "invoice"], keys)
            queries.delete_rows(connection, schema.invoices, ["customer_id", "number"], keys)
            queries.insert_rows(connection, schema.invoices, rows)
            queries.insert_rows(connection, schema.invoice_lines, lines)
            queries.insert_rows(connection, schema.invoice_dues, dues)
        self.mirror_writes += len(put) + len(remove)

    # --- FindsShownInvoices ---

    def shown_invoice_keys(
        self, numbers: Collection[InvoiceNumber]
    ) -> Collection[tuple[CustomerId, InvoiceNumber]]:
        with self._reading() as connection:
            asked = load.texts(numbers)
            rows = queries.mirrored_keys(connection, schema.invoices, "number", asked)
        return [(CustomerId(row["customer_id"]), InvoiceNumber(row["number"])) for row in rows]

    # --- MirrorsBalances ---

    def shown_balances(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, str], AccountBalance]:
        with self._reading() as connection:
            return account_data.balances(connection, customer_ids)

    def apply_balances(
        self, put: Sequence[BalanceView], remove: Sequence[tuple[CustomerId, str]]
    ) -> None:
        latest = {(each.balance.sold_to, each.balance.currency): each.balance for each in put}
        balances = list(latest.values())
        keys = [(owner.value, currency) for owner, currency in (*latest, *remove)]
        rows: dict[Table, list[Row]] = {
            schema.account_balances: [account_data.balance_row(each) for each in balances],
            schema.account_ageing: _flat(account_data.ageing_rows(each) for each in balances),
        }
        with self._writing() as connection:
            for table, of_table in rows.items():
                queries.delete_rows(connection, table, ["customer_id", "currency"], keys)
                queries.insert_rows(connection, table, of_table)
        self.mirror_writes += len(put) + len(remove)

    # --- MirrorsAccountOrders ---

    def shown_account_orders(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ErpOrderNumber], AccountOrder]:
        with self._reading() as connection:
            return account_data.orders(connection, customer_ids)

    def apply_account_orders(
        self,
        put: Sequence[AccountOrderView],
        remove: Sequence[tuple[CustomerId, ErpOrderNumber]],
    ) -> None:
        latest = {(each.order.sold_to, each.order.number): each.order for each in put}
        orders = list(latest.values())
        keys = [(owner.value, number.value) for owner, number in (*latest, *remove)]
        rows: dict[Table, list[Row]] = {
            schema.account_orders: [account_data.order_row(each) for each in orders],
            schema.account_order_lines: _flat(map(account_data.order_line_rows, orders)),
        }
        with self._writing() as connection:
            for table, of_table in rows.items():
                queries.delete_rows(connection, table, ["customer_id", "erp_order"], keys)
                queries.insert_rows(connection, table, of_table)
        self.mirror_writes += len(put) + len(remove)

    # --- FindsShownAccountOrders ---

    def shown_account_order_keys(
        self, numbers: Collection[ErpOrderNumber]
    ) -> Collection[tuple[CustomerId, ErpOrderNumber]]:
        with self._reading() as connection:
            asked = load.texts(numbers)
            rows = queries.mirrored_keys(connection, schema.account_orders, "erp_order", asked)
        return [(CustomerId(row["customer_id"]), ErpOrderNumber(row["erp_order"])) for row in rows]

    # --- MirrorsCustomerParts ---

    def shown_customer_parts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[PartKey, CustomerPart]:
        with self._reading() as connection:
            return account_data.parts(connection, customer_ids)

    def apply_customer_parts(
        self, put: Sequence[CustomerPartView], remove: Sequence[PartKey]
    ) -> None:
        rows = [account_data.part_row(view.part) for view in put]
        removed = [tuple(each.value for each in key) for key in remove]
        self._apply(schema.customer_parts, rows, removed)

    # --- MirrorsEntitlements ---

    def shown_restricted_items(self) -> Iterator[Sku]:
        return self._keys(schema.restricted_items, Sku)

    def shown_entitlements(self, skus: Collection[Sku]) -> Mapping[Sku, Entitlement]:
        with self._reading() as connection:
            return account_data.entitlements(connection, skus)

    def apply_entitlements(self, put: Sequence[Entitlement], remove: Sequence[Sku]) -> None:
        latest = {each.sku: each for each in put}
        keys = [(sku.value,) for sku in (*latest, *remove)]
        rows: dict[Table, list[Row]] = {
            schema.restricted_items: [{"sku": sku.value} for sku in latest],
            schema.item_audiences: _flat(map(account_data.entitled_rows, latest.values())),
        }
        with self._writing() as connection:
            for table, of_table in rows.items():
                queries.delete_rows(connection, table, ["sku"], keys)
                queries.insert_rows(connection, table, of_table)
        self.mirror_writes += len(put) + len(remove)

    # --- FindsShownDocuments ---

    def shown_document_keys(
        self, papers: Collection[tuple[DocumentKind, DocumentNumber]]
    ) -> Collection[DocumentKey]:
        with self._reading() as connection:
            return documents.keys_of(connection, papers)

    # --- MirrorsDocuments ---

    def shown_documents(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[DocumentKey, Document]:
        with self._reading() as connection:
            return documents.shown(connection, customer_ids)

    def publish_document(self, view: DocumentView, content: Iterable[bytes]) -> None:
        with self._writing() as connection:
            documents.publish(connection, view.document, content)
        self.mirror_writes += 1

    def apply_documents(self, put: Sequence[DocumentView], remove: Sequence[DocumentKey]) -> None:
        with self._writing() as connection:
            documents.apply(connection, [view.document for view in put], remove)
        self.mirror_writes += len(put) + len(remove)

    def document_content(self, sha256: str) -> Iterator[bytes]:
        with self._reading() as connection:
            yield from documents.content(connection, sha256)

    # --- MirrorsAvailability ---

    def shown_stock_audiences(self) -> Iterator[Audience]:
        with self._reading() as connection:
            rows = queries.stock_audiences(connection)
        return iter([translate.audience(row) for row in rows])

    def shown_stocked_items(self, after: Sku | None, limit: int) -> Sequence[Sku]:
        with self._reading() as connection:
            found = queries.stocked_items(connection, after.value if after else None, limit)
        return [Sku(each) for each in found]

    def shown_stock(self, skus: Collection[Sku]) -> Mapping[PublishedStockKey, Availability]:
        with self._reading() as connection:
            return account_data.stock_of(connection, skus)

    def shown_availability(self, audience: Audience) -> Mapping[StockKey, Availability]:
        with self._reading() as connection:
            return account_data.stock(connection, audience)

    def apply_availability(
        self,
        put: Sequence[tuple[Audience, Availability]],
        remove: Sequence[PublishedStockKey],
    ) -> None:
        rows = [account_data.stock_row(audience, figure) for audience, figure in put]
        removed = [
            (*translate.audience_row(each.audience).values(), each.sku.value, each.warehouse)
            for each in remove
        ]
        self._apply(schema.availability, rows, removed)

    # --- ReadsRegistrations and WritesRegistrations ---

    def open_applications(self) -> Iterator[Application | UnreadableApplication]:
        after: Row | None = None
        while True:
            with self._reading() as connection:
                rows = registrations.open_page(connection, after, self._page_size)
                page = list(registrations.read(connection, rows))
            if not rows:
                return
            yield from page
            after = rows[-1]

    def application(self, application_id: ApplicationId) -> Application | None:
        with self._reading() as connection:
            key = [application_id.value]
            rows = queries.by_keys(connection, schema.applications, "application", key)
            found = list(registrations.read(connection, rows))
        return found[0] if found and isinstance(found[0], Application) else None

    def create_registrant(self, application_id: ApplicationId, kind: AccountKind) -> Registrant:
        with self._writing() as connection:
            return registrations.create(connection, application_id, kind)

    def show_registration(self, application_id: ApplicationId, view: RegistrationView) -> None:
        with self._writing() as connection:
            registrations.show(connection, application_id, view.notice)
        self.mirror_writes += 1

    def shown_registrations(
        self, application_ids: Collection[ApplicationId]
    ) -> Mapping[ApplicationId, RegistrationNotice]:
        with self._reading() as connection:
            return registrations.shown(connection, application_ids)

    # --- MirrorsPrices and QuotesPrices ---

    def shown_price_partitions(self) -> Iterator[tuple[Audience, PriceScope]]:
        with self._reading() as connection:
            rows = queries.price_partitions(connection)
        return iter([(translate.audience(row), translate.scope(row)) for row in rows])

    def shown_prices(self, audience: Audience, scope: PriceScope) -> Mapping[PriceKey, PriceValue]:
        partition = {**translate.audience_row(audience), **translate.scope_row(scope)}
        with self._reading() as connection:
            rows = queries.price_rows(connection, partition)
        return {translate.price_key(row): translate.price_value(row) for row in rows}

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None:
        rows = [{**_price_key_row(key), **translate.price_value_row(value)} for key, value in put]
        names = [column.name for column in schema.prices.primary_key]
        removed = [tuple(_price_key_row(key)[name] for name in names) for key in remove]
        gone: dict[Partition, set[tuple[Any, ...]]] = {}
        for key in remove:
            row = _price_key_row(key)
            entry = tuple(row[name] for name in queries.PRICE)
            gone.setdefault((key.audience, key.key.scope), set()).add(entry)
        touched = {(key.audience, key.key.scope) for key, _ in put}
        with self._writing() as connection:
            price_lists.touch(connection, touched | gone.keys())
            queries.delete_rows(connection, schema.prices, names, removed)
            _replace(connection, schema.prices, rows)
            price_lists.hide_keys(connection, gone)
        self.mirror_writes += len(put) + len(remove)

    def apply_price_rows(self, put: Sequence[PriceRows], remove: Sequence[PriceRows]) -> None:
        # Arrow is large, and a store whose prices come one by one never needs it.
        from sync.stores.embedded import price_batches

        with self._translated(self.engine), self.engine.connect() as connection:
            price_batches.apply(connection, put, remove)
        self.mirror_writes += sum(len(each.rows) for each in (*put, *remove))

    # --- SharesPriceLists ---

    def shown_price_lists(self) -> Sequence[ShownList]:
        with self._reading() as connection:
            return price_lists.shown(connection)

    def shown_list_rows(self, list_id: str) -> pa.Table:
        with self._reading() as connection:
            return price_lists.rows_of(connection, list_id)

    def shown_own_rows(self, list_id: str, items: Collection[Sku]) -> Sequence[PriceRows]:
        with self._reading() as connection:
            return price_lists.own_rows(connection, list_id, items)

    def apply_shared_prices(self, change: SharedChange) -> None:
        family = self.engine.dialect.name
        with translated(self._database, family, self._address), self.engine.connect() as connection:
            price_lists.apply(connection, change)
        self.mirror_writes += change.entries

    def shown_to(
        self, audiences: Collection[Audience]
    ) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
        for audience in sorted(set(audiences), key=lambda each: each.order):
            with self._reading() as connection:
                rows = queries.price_rows(connection, translate.audience_row(audience))
            for row in rows:
                key = PublishedPriceKey(audience, translate.price_key(row))
                yield key, translate.price_value(row)

    # --- Transactions ---

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._translated(self._readers), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._translated(self.engine), self.engine.begin() as connection:
            yield connection

    def _translated(self, engine: Engine) -> AbstractContextManager[None]:
        family = engine.dialect.name
        return translated(self._database, family, self._address, self._file)

    def _apply(self, table: Table, put: Sequence[Row], remove: Sequence[tuple[Any, ...]]) -> None:
        names = [column.name for column in table.primary_key]
        with self._writing() as connection:
            queries.delete_rows(connection, table, names, remove)
            _replace(connection, table, put)
        self.mirror_writes += len(put) + len(remove)

    def _keys(self, table: Table, kind: type[K]) -> Iterator[K]:
        after: str | None = None
        while True:
            with self._reading() as connection:
                page = queries.key_page(connection, table, after, queries.CHUNK)
            if not page:
                return
            yield from (kind(each) for each in page)
            after = page[-1]


def _must_be_known(connection: Connection, order_id: WebOrderId) -> None:
    if not queries.order_rows(connection, [order_id.value]):
        raise Rejected(
            f"the store has no order {order_id}",
            code="store_unknown_order",
            remedy="look in the store whether the order was removed; dismiss it if it was",
        )


def _replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows in place of whatever has their keys; of equal keys the last counts."""
    names = [column.name for column in table.primary_key]
    latest = {tuple(row[name] for name in names): row for row in rows}
    queries.delete_rows(connection, table, names, list(latest))
    queries.insert_rows(connection, table, list(latest.values()))


def _price_key_row(key: PublishedPriceKey) -> Row:
    return {**translate.audience_row(key.audience), **translate.price_key_row(key.key)}


def _flat(lists: Iterable[list[Row]]) -> list[Row]:
    return [row for each in lists for row in each]
