"""A commerce store in memory that is no kinder than a real one.

It implements every protocol of ``sync.ports.store``. The order feed goes by
time of change in pages of a few orders, read from the living data as a web API
would; ``apply_*`` writes everything or nothing and takes no more than a batch.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync.domain.account import AccountStatus, BillTo, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.address import Address
from sync.domain.availability import Availability, StockKey
from sync.domain.balance import AccountBalance
from sync.domain.channel import Channel
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
    RefundId,
    ShipToId,
    Sku,
    StoreId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.invoice import Invoice
from sync.domain.money import Money, total
from sync.domain.order import (
    BuyerRecord,
    Membership,
    Organisation,
    PaymentState,
    Refund,
    Role,
    StoreOrder,
    WebOrder,
    WebUser,
)
from sync.domain.part_number import CustomerPart, PartKey
from sync.domain.pricing import Audience, AudienceKind, PriceKey, PriceScope, PriceValue
from sync.domain.registration import (
    AccountKind,
    Application,
    Registrant,
    RegistrationNotice,
    RegistrationView,
    UnreadableApplication,
)
from sync.domain.sales_order import OrderStatus
from sync.domain.settlement import Capture, CaptureState
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
from sync.errors import AccessDenied, Rejected
from sync.kit.hint_body import hinted
from sync.ports.clock import Clock
from sync.ports.erp import Finding, FindingLevel
from sync.ports.price_lists import SharedChange, ShownList
from sync.ports.store import Delivery, OrderPage, PriceRows, ShopChannel, StoreCapabilities
from sync.testing.clock import ManualClock
from sync.testing.price_lists import MemoryPrices, entries, skus_of

if TYPE_CHECKING:
    import pyarrow as pa


class MemoryStore:
    """The store fake; mutators do what shoppers and the store's staff do.

    ``writes`` counts mirrored records written or removed, and 1 for a call
    that carried none; ``notices_shown`` counts notices and statuses set on
    orders. With ``echoes`` such a notice counts as a change of its order, as it
    does in many stores: the feed shows the order again.
    """

    def __init__(
        self,
        store_id: StoreId | None = None,
        capabilities: StoreCapabilities | None = None,
        *,
        clock: Clock | None = None,
        page_size: int = 50,
        echoes: bool = False,
        hints_secret: str | None = None,
    ) -> None:
        self._store_id = store_id or StoreId("shop")
        self._capabilities = capabilities or StoreCapabilities(name="memory")
        self._clock = clock or ManualClock()
        self._page_size = page_size
        self._echoes = echoes
        self._hints_secret = hints_secret
        self._orders: dict[WebOrderId, StoreOrder] = {}
        self._users: dict[WebUserId, WebUser] = {}
        self._organisations: dict[OrganisationId, Organisation] = {}
        self._channels: dict[ChannelId, ShopChannel] = {}
        self._own_addresses: dict[WebUserId, list[Address]] = {}
        self._own_tags: dict[OrganisationId, set[str]] = {}
        self._notices: dict[WebOrderId, ImportNotice] = {}
        self._statuses: dict[WebOrderId, OrderStatus] = {}
        self._accounts: dict[CustomerId, AccountProfile] = {}
        self._ship_tos: dict[tuple[CustomerId, ShipToId], ShipTo] = {}
        self._bill_tos: dict[tuple[CustomerId, BillToId], BillTo] = {}
        self._invoices: dict[tuple[CustomerId, InvoiceNumber], Invoice] = {}
        self._balances: dict[tuple[CustomerId, str], AccountBalance] = {}
        self._captures: dict[WebOrderId, list[Capture]] = {}
        self.captures_later = False
        self._parts: dict[PartKey, CustomerPart] = {}
        self._entitlements: dict[Sku, Entitlement] = {}
        self._documents: dict[DocumentKey, Document] = {}
        self._contents: dict[str, bytes] = {}
        self._account_orders: dict[tuple[CustomerId, ErpOrderNumber], AccountOrder] = {}
        self._stock: dict[PublishedStockKey, Availability] = {}
        self._prices = MemoryPrices(self._capabilities.price_lists)
        self._applications: dict[str, Application | UnreadableApplication] = {}
        self._registrants: dict[ApplicationId, Registrant] = {}
        self._registrations: dict[ApplicationId, RegistrationNotice] = {}
        self._refused: set[str] = set()
        self._access_denied = False
        self.writes = 0
        self.notices_shown = 0
        self.registrations_shown = 0
        self.closed = False

    # What the port promises.

    @property
    def store_id(self) -> StoreId:
        return self._store_id

    @property
    def capabilities(self) -> StoreCapabilities:
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        if self._access_denied:
            return (
                Finding("sign-in", FindingLevel.ERROR, "access denied", "renew the credentials"),
            )
        return (Finding("sign-in", FindingLevel.OK, f"{len(self._orders)} orders"),)

    def close(self) -> None:
        self.closed = True

    @property
    def hints_expected(self) -> bool:
        return self._hints_secret is not None

    def hinted_orders(self, delivery: Delivery) -> Collection[WebOrderId]:
        return hinted(delivery.headers, delivery.body, self._hints_secret, self._clock.now())

    def changed_orders(self, since: Watermark | None) -> Iterator[OrderPage]:
        self._admit()
        if not self._orders:
            return
        end = max(order.modified_at for order in self._orders.values())
        cursor = None
        while True:
            self._admit()
            waiting = sorted(
                (order.modified_at, order.order_id)
                for order in self._orders.values()
                if order.modified_at <= end and (since is None or order.modified_at >= since.at)
            )
            page = [key for key in waiting if cursor is None or key > cursor][: self._page_size]
            if not page:
                return
            cursor = page[-1]
            orders = tuple(self._orders[order_id] for _, order_id in page)
            yield OrderPage(orders, Watermark(cursor[0]))

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        self._admit()
        return self._orders.get(order_id)

    def orders_numbered(self, number: WebOrderNumber) -> Collection[WebOrderId]:
        self._admit()
        return [key for key, each in self._orders.items() if each.number == number]

    def buyer(self, web_user: WebUserId | None, organisation: OrganisationId | None) -> BuyerRecord:
        self._admit()
        return BuyerRecord(
            user=self._users.get(web_user) if web_user else None,
            organisation=self._organisations.get(organisation) if organisation else None,
        )

    def web_users(self) -> Iterator[WebUserId]:
        self._admit()
        return iter(list(self._users))

    def organisations(self) -> Iterator[OrganisationId]:
        self._admit()
        return iter(list(self._organisations))

    def with_staff_attribute(self) -> Iterator[WebUser | Organisation]:
        self._admit()
        holders: list[WebUser | Organisation] = [
            *self._users.values(),
            *self._organisations.values(),
        ]
        return iter([each for each in holders if each.staff_customer_id is not None])

    def with_verified_email(self) -> Iterator[WebUser]:
        self._admit()
        return iter([each for each in self._users.values() if each.verified_email is not None])

    def add_channel(self, channel: Channel) -> None:
        """The shop opens a channel that treats shoppers like this."""
        shown = ShopChannel(channel.mode, channel.login_wall, channel.guest_checkout)
        self._channels[channel.channel_id] = shown

    def sales_channels(self) -> Mapping[ChannelId, ShopChannel]:
        self._admit()
        return dict(self._channels)

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        self._note(order_id)
        self._notices[order_id] = notice

    def shown_imports(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, ImportNotice]:
        self._admit()
        return {key: self._notices[key] for key in order_ids if key in self._notices}

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        self._note(order_id)
        self._statuses[order_id] = status

    def shown_order_statuses(
        self, order_ids: Collection[WebOrderId]
    ) -> Mapping[WebOrderId, OrderStatus]:
        self._admit()
        return {key: self._statuses[key] for key in order_ids if key in self._statuses}

    def capture(self, order_id: WebOrderId, amount: Money, key: IdempotencyKey) -> Capture:
        self._admit()
        held = self._orders.get(order_id)
        if not isinstance(held, WebOrder):
            raise _unknown_order(order_id)
        asked = self._captures.setdefault(order_id, [])
        for position, each in enumerate(asked):
            if each.key == key:
                return asked[position]
        taken = (each.amount for each in asked if each.state is not CaptureState.REFUSED)
        left = self._authorised(held) - total(taken, held.currency)
        if amount.amount > left.amount:
            raise Rejected(
                f"{amount} is more than what is authorised on the order, {left}",
                code="store_refused_capture",
                remedy="collect it in another way",
            )
        state = CaptureState.REQUESTED if self.captures_later else CaptureState.CAPTURED
        asked.append(Capture(key, amount, state))
        self.writes += 1
        if amount == left and state is CaptureState.CAPTURED:
            self._all_captured(held)
        return asked[-1]

    def captures(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, Sequence[Capture]]:
        self._admit()
        return {key: tuple(self._captures[key]) for key in order_ids if self._captures.get(key)}

    def shown_customer_ids(self) -> Iterator[CustomerId]:
        self._admit()
        shown = set(self._accounts)
        shown.update(key[0] for key in self._ship_tos)
        shown.update(key[0] for key in self._bill_tos)
        shown.update(key[0] for key in self._invoices)
        shown.update(key[0] for key in self._balances)
        shown.update(key[0] for key in self._parts)
        shown.update(key[0] for key in self._documents)
        shown.update(key[0] for key in self._account_orders)
        published = self._prices.audiences() | {key.audience for key in self._stock}
        published |= {each for held in self._entitlements.values() for each in held.audiences}
        shown.update(
            CustomerId(each.key) for each in published if each.kind is AudienceKind.ACCOUNT
        )
        return iter(shown)

    def shown_accounts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountProfile]:
        self._admit()
        return {key: self._accounts[key] for key in customer_ids if key in self._accounts}

    def put_accounts(self, views: Sequence[AccountView]) -> None:
        self._take([view.profile.customer_id.value for view in views], len(views))
        for view in views:
            self._accounts[view.profile.customer_id] = view.profile

    def withdraw_account(self, customer_id: CustomerId) -> None:
        self._take([], 1)
        profile = self._accounts.pop(customer_id, None)
        gone = {Audience(AudienceKind.ACCOUNT, customer_id.value)}
        for location in profile.locations if profile else ():
            gone.add(Audience(AudienceKind.LOCATION, location.location_id.value))
        self._ship_tos = {k: v for k, v in self._ship_tos.items() if k[0] != customer_id}
        self._bill_tos = {k: v for k, v in self._bill_tos.items() if k[0] != customer_id}
        self._invoices = {k: v for k, v in self._invoices.items() if k[0] != customer_id}
        self._balances = {k: v for k, v in self._balances.items() if k[0] != customer_id}
        self._parts = {k: v for k, v in self._parts.items() if k[0] != customer_id}
        self._entitlements = {
            sku: Entitlement(sku, tuple(each for each in held.audiences if each not in gone))
            for sku, held in self._entitlements.items()
        }
        self._documents = {k: v for k, v in self._documents.items() if k[0] != customer_id}
        self._drop_contents()
        held = self._account_orders.items()
        self._account_orders = {k: v for k, v in held if k[0] != customer_id}
        self._stock = {k: v for k, v in self._stock.items() if k.audience not in gone}
        self._prices.withdraw(gone)

    def shown_ship_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ShipToId], ShipTo]:
        self._admit()
        wanted = set(customer_ids)
        return {key: value for key, value in self._ship_tos.items() if key[0] in wanted}

    def shown_bill_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, BillToId], BillTo]:
        self._admit()
        wanted = set(customer_ids)
        return {key: value for key, value in self._bill_tos.items() if key[0] in wanted}

    def apply_ship_tos(
        self, put: Sequence[ShipToView], remove: Sequence[tuple[CustomerId, ShipToId]]
    ) -> None:
        self._take([view.ship_to.ship_to_id.value for view in put], len(put) + len(remove))
        for key in remove:
            self._ship_tos.pop(key, None)
        for view in put:
            self._ship_tos[view.ship_to.sold_to, view.ship_to.ship_to_id] = view.ship_to

    def apply_bill_tos(
        self, put: Sequence[BillToView], remove: Sequence[tuple[CustomerId, BillToId]]
    ) -> None:
        self._take([view.bill_to.bill_to_id.value for view in put], len(put) + len(remove))
        for key in remove:
            self._bill_tos.pop(key, None)
        for view in put:
            self._bill_tos[view.bill_to.sold_to, view.bill_to.bill_to_id] = view.bill_to

    def shown_invoices(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, InvoiceNumber], Invoice]:
        self._admit()
        wanted = set(customer_ids)
        return {key: value for key, value in self._invoices.items() if key[0] in wanted}

    def apply_invoices(
        self, put: Sequence[InvoiceView], remove: Sequence[tuple[CustomerId, InvoiceNumber]]
    ) -> None:
        self._take([view.invoice.number.value for view in put], len(put) + len(remove))
        for key in remove:
            self._invoices.pop(key, None)
        for view in put:
            self._invoices[view.invoice.sold_to, view.invoice.number] = view.invoice

    def shown_invoice_keys(
        self, numbers: Collection[InvoiceNumber]
    ) -> Collection[tuple[CustomerId, InvoiceNumber]]:
        self._admit()
        wanted = set(numbers)
        return [key for key in self._invoices if key[1] in wanted]

    def shown_balances(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, str], AccountBalance]:
        self._admit()
        wanted = set(customer_ids)
        return {key: value for key, value in self._balances.items() if key[0] in wanted}

    def apply_balances(
        self, put: Sequence[BalanceView], remove: Sequence[tuple[CustomerId, str]]
    ) -> None:
        self._take([view.balance.sold_to.value for view in put], len(put) + len(remove))
        for key in remove:
            self._balances.pop(key, None)
        for view in put:
            self._balances[view.balance.sold_to, view.balance.currency] = view.balance

    def shown_account_orders(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ErpOrderNumber], AccountOrder]:
        self._admit()
        wanted = set(customer_ids)
        return {key: value for key, value in self._account_orders.items() if key[0] in wanted}

    def apply_account_orders(
        self,
        put: Sequence[AccountOrderView],
        remove: Sequence[tuple[CustomerId, ErpOrderNumber]],
    ) -> None:
        self._take([view.order.number.value for view in put], len(put) + len(remove))
        for key in remove:
            self._account_orders.pop(key, None)
        for view in put:
            self._account_orders[view.order.sold_to, view.order.number] = view.order

    def shown_account_order_keys(
        self, numbers: Collection[ErpOrderNumber]
    ) -> Collection[tuple[CustomerId, ErpOrderNumber]]:
        self._admit()
        wanted = set(numbers)
        return [key for key in self._account_orders if key[1] in wanted]

    def shown_customer_parts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[PartKey, CustomerPart]:
        self._admit()
        wanted = set(customer_ids)
        return {key: value for key, value in self._parts.items() if key[0] in wanted}

    def apply_customer_parts(
        self, put: Sequence[CustomerPartView], remove: Sequence[PartKey]
    ) -> None:
        self._take([view.part.part_number.value for view in put], len(put) + len(remove))
        for key in remove:
            self._parts.pop(key, None)
        for view in put:
            self._parts[view.part.key] = view.part

    def shown_restricted_items(self) -> Iterator[Sku]:
        self._admit()
        return iter(list(self._entitlements))

    def shown_entitlements(self, skus: Collection[Sku]) -> Mapping[Sku, Entitlement]:
        self._admit()
        return {sku: self._entitlements[sku] for sku in skus if sku in self._entitlements}

    def apply_entitlements(self, put: Sequence[Entitlement], remove: Sequence[Sku]) -> None:
        self._take([each.sku.value for each in put], len(put) + len(remove))
        for sku in remove:
            self._entitlements.pop(sku, None)
        for each in put:
            self._entitlements[each.sku] = each

    def shown_documents(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[DocumentKey, Document]:
        self._admit()
        wanted = set(customer_ids)
        return {
            key: value
            if self._content_of(value) is not None
            else dataclasses.replace(value, version="")
            for key, value in self._documents.items()
            if key[0] in wanted
        }

    def publish_document(self, view: DocumentView, content: Iterable[bytes]) -> None:
        told = view.document.content
        held = b"".join(content)
        self._take([view.document.number.value], 1)
        if told is None or (len(held), hashlib.sha256(held).hexdigest()) != (
            told.size,
            told.sha256,
        ):
            raise _no_content(view.document)
        self._contents[told.sha256] = held
        self._documents[view.document.key] = view.document
        self._drop_contents()

    def apply_documents(self, put: Sequence[DocumentView], remove: Sequence[DocumentKey]) -> None:
        for view in put:
            if self._content_of(view.document) is None:
                raise _no_content(view.document)
        self._take([view.document.number.value for view in put], len(put) + len(remove))
        for key in remove:
            self._documents.pop(key, None)
        for view in put:
            self._documents[view.document.key] = view.document
        self._drop_contents()

    def shown_document_keys(
        self, papers: Collection[tuple[DocumentKind, DocumentNumber]]
    ) -> Collection[DocumentKey]:
        self._admit()
        wanted = set(papers)
        return [key for key in self._documents if key[1:] in wanted]

    def document_content(self, sha256: str) -> Iterator[bytes]:
        self._admit()
        held = self._contents.get(sha256, b"")
        whole = hashlib.sha256(held).hexdigest() == sha256
        return iter([held] if held and whole else [])

    def _content_of(self, document: Document) -> bytes | None:
        told = document.content
        held = self._contents.get(told.sha256) if told else None
        return held if held is not None and told and len(held) == told.size else None

    def _drop_contents(self) -> None:
        """Content that no document has any more goes."""
        kept = {each.content.sha256 for each in self._documents.values() if each.content}
        self._contents = {key: each for key, each in self._contents.items() if key in kept}

    def shown_stock_audiences(self) -> Iterator[Audience]:
        self._admit()
        return iter({key.audience for key in self._stock})

    def shown_stocked_items(self, after: Sku | None, limit: int) -> Sequence[Sku]:
        self._admit()
        items = {key.sku for key in self._stock}
        return sorted(each for each in items if after is None or each > after)[:limit]

    def shown_stock(self, skus: Collection[Sku]) -> Mapping[PublishedStockKey, Availability]:
        self._admit()
        return {key: each for key, each in self._stock.items() if key.sku in skus}

    def shown_availability(self, audience: Audience) -> Mapping[StockKey, Availability]:
        self._admit()
        return {each.key: each for key, each in self._stock.items() if key.audience == audience}

    def apply_availability(
        self,
        put: Sequence[tuple[Audience, Availability]],
        remove: Sequence[PublishedStockKey],
    ) -> None:
        self._take([each.sku.value for _, each in put], len(put) + len(remove))
        for gone in remove:
            self._stock.pop(gone, None)
        for audience, each in put:
            self._stock[PublishedStockKey(audience, *each.key)] = each

    def shown_price_partitions(self) -> Iterator[tuple[Audience, PriceScope]]:
        self._admit()
        return iter(self._prices.partitions())

    def shown_prices(self, audience: Audience, scope: PriceScope) -> Mapping[PriceKey, PriceValue]:
        self._admit()
        return self._prices.of(audience, scope)

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None:
        self._take(
            [key.key.sku.value for key, _ in put],
            len(put) + len(remove),
            self._capabilities.prices_at_once,
        )
        self._prices.change(dict(put), remove)

    def apply_price_rows(self, put: Sequence[PriceRows], remove: Sequence[PriceRows]) -> None:
        told = [each for rows in put for each in entries(rows)]
        wanted = dict(told)
        if len(wanted) < len(told):
            raise ValueError("a price is put twice in one call")
        gone = [key for rows in remove for key, _ in entries(rows)]
        changes = len(told) + len(gone)
        self._take([key.key.sku.value for key in wanted], changes, max(1, changes))
        self._prices.change(wanted, gone)

    def shown_price_lists(self) -> Sequence[ShownList]:
        self._admit()
        return self._prices.lists()

    def shown_list_rows(self, list_id: str) -> pa.Table:
        self._admit()
        return self._prices.rows_of(list_id)

    def shown_own_rows(self, list_id: str, items: Collection[Sku]) -> Sequence[PriceRows]:
        self._admit()
        return self._prices.own_rows(list_id, items)

    def apply_shared_prices(self, change: SharedChange) -> None:
        limits = self._capabilities.price_lists
        most = limits.entries if limits is not None else change.entries
        self._take(skus_of(change), change.entries, max(1, most))
        self._prices.apply(change)

    def open_applications(self) -> Iterator[Application | UnreadableApplication]:
        self._admit()
        waiting = [
            each
            for key, each in self._applications.items()
            if isinstance(each, UnreadableApplication) or self._undecided(key, each)
        ]
        return iter(sorted(waiting, key=_handed_in))

    def application(self, application_id: ApplicationId) -> Application | None:
        self._admit()
        found = self._applications.get(application_id.value)
        return found if isinstance(found, Application) else None

    def create_registrant(self, application_id: ApplicationId, kind: AccountKind) -> Registrant:
        application = self._handed_in(application_id)
        made = self._registrants.get(application_id)
        user = made.web_user if made else application.web_user
        if user is None:
            user = WebUserId(f"u-{application_id}")
            self._users[user] = WebUser(user)
        elif user not in self._users:
            raise Rejected(
                f"application {application_id} names {user}, whom the store lacks",
                code="store_unknown_user",
                remedy="correct the user of the application in the store",
            )
        company = made.organisation if made else None
        if company is None and kind is AccountKind.BUSINESS:
            company = OrganisationId(f"org-{application_id}")
            name = application.company or f"application {application_id}"
            self._organisations[company] = Organisation(
                company, name, AccountStatus.PROSPECT, open_application=True
            )
            held = self._users[user]
            memberships = (*held.memberships, Membership(company, Role.MANAGE))
            self._users[user] = dataclasses.replace(
                held, memberships=memberships, open_application=True
            )
        self._registrants[application_id] = Registrant(user, company)
        return self._registrants[application_id]

    def show_registration(self, application_id: ApplicationId, view: RegistrationView) -> None:
        self._handed_in(application_id)
        notice = view.notice
        self._registrations[application_id] = notice
        self.registrations_shown += 1
        made = self._registrants.get(application_id)
        if made is None:
            return
        if made.organisation is not None:
            held = self._organisations[made.organisation]
            self._organisations[made.organisation] = dataclasses.replace(
                held,
                status=held.status if notice.status is None else notice.status,
                open_application=not notice.decided,
            )
        undecided = any(
            each.organisation is not None and each.web_user == made.web_user
            for key, each in self._registrants.items()
            if key not in self._registrations or not self._registrations[key].decided
        )
        self._users[made.web_user] = dataclasses.replace(
            self._users[made.web_user], open_application=undecided
        )

    def shown_registrations(
        self, application_ids: Collection[ApplicationId]
    ) -> Mapping[ApplicationId, RegistrationNotice]:
        self._admit()
        held = self._registrations
        return {key: held[key] for key in application_ids if key in held}

    def shown_to(
        self, audiences: Collection[Audience]
    ) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
        self._admit()
        wanted = set(audiences)
        return iter([(k, v) for k, v in self._prices.shown().items() if k.audience in wanted])

    # What a test arranges.

    def hand_in(self, application: Application | UnreadableApplication) -> None:
        """Somebody hands in the form, or hands it in again with what it says now."""
        if isinstance(application, UnreadableApplication):
            self._applications[application.reference] = application
        else:
            self._applications[application.application_id.value] = application

    def take_back(self, application_id: ApplicationId) -> None:
        """The store no longer shows the application."""
        del self._applications[application_id.value]

    def place_order(self, order: StoreOrder) -> None:
        """Place the order, or replace it as a whole, with the times that it carries."""
        self._orders[order.order_id] = order

    def change_order(self, order_id: WebOrderId, **changes: Any) -> StoreOrder:
        """Change fields of an order; it is modified now, unless ``modified_at`` is given."""
        changes.setdefault("modified_at", self._clock.now())
        changed: StoreOrder = dataclasses.replace(self._orders[order_id], **changes)
        self._orders[order_id] = changed
        return changed

    def vanish_order(self, order_id: WebOrderId) -> None:
        """The store no longer shows the order, as after a failed checkout."""
        del self._orders[order_id]

    def add_user(self, user: WebUser) -> None:
        self._users[user.web_user] = user

    def remove_user(self, web_user: WebUserId) -> None:
        """The directory no longer knows the user; their orders stay."""
        del self._users[web_user]

    def add_organisation(self, organisation: Organisation) -> None:
        self._organisations[organisation.organisation] = organisation

    def tag_organisation(self, organisation: OrganisationId, tag: str) -> None:
        """The store's own people put the organisation into a group of theirs."""
        self._own_tags.setdefault(organisation, set()).add(tag)

    def own_tags(self, organisation: OrganisationId) -> Collection[str]:
        return frozenset(self._own_tags.get(organisation, ()))

    def add_own_address(self, web_user: WebUserId, address: Address) -> None:
        """An address that a shopper keeps in their own address book."""
        self._own_addresses.setdefault(web_user, []).append(address)

    def own_addresses(self, web_user: WebUserId) -> Sequence[Address]:
        return tuple(self._own_addresses.get(web_user, ()))

    def offered_ship_tos(self, web_user: WebUserId) -> Collection[tuple[CustomerId, ShipToId]]:
        """The ship-tos of every account that this user acts for."""
        own = {key for key, profile in self._accounts.items() if web_user in profile.users}
        return {key for key in self._ship_tos if key[0] in own}

    def touch_ship_tos(self) -> None:
        """Somebody changes the town of every ship-to by hand."""
        for key, held in self._ship_tos.items():
            moved = dataclasses.replace(held.address, city="Elsewhere")
            self._ship_tos[key] = dataclasses.replace(held, address=moved)

    def touch_prices(self) -> None:
        """Somebody changes every price by hand."""
        self._prices.touch(lambda held: dataclasses.replace(held, unit_price=Decimal("0.01")))

    @property
    def contents(self) -> Mapping[str, bytes]:
        """Every file that is held, by its SHA-256."""
        return dict(self._contents)

    def spoil_content(self, sha256: str, content: bytes) -> None:
        """Somebody changes a file behind the store's back."""
        self._contents[sha256] = content

    def refuse_record(self, key: str) -> None:
        """From now on every mirrored record with this key or SKU is refused."""
        self._refused.add(key)

    def accept_record(self, key: str) -> None:
        self._refused.discard(key)

    def deny_access(self, denied: bool = True) -> None:
        """Every call but ``check`` and ``close`` raises AccessDenied."""
        self._access_denied = denied

    def notice(self, order_id: WebOrderId) -> ImportNotice | None:
        """What people see at the order; None where nothing was ever shown."""
        return self._notices.get(order_id)

    @property
    def stock(self) -> Mapping[PublishedStockKey, Availability]:
        """Every figure shown, to anybody."""
        return dict(self._stock)

    @property
    def prices(self) -> Mapping[PublishedPriceKey, PriceValue]:
        """Every price shown, to anybody."""
        return self._prices.shown()

    def refund(self, order_id: WebOrderId, amount: Money, refund_id: str) -> StoreOrder:
        """Give money back, as the store's staff does."""
        held = self._orders[order_id]
        assert isinstance(held, WebOrder)
        new = Refund(RefundId(refund_id), amount, self._clock.now())
        return self.change_order(order_id, refunds=(*held.refunds, new))

    def settle_captures(self, state: CaptureState, message: str | None = None) -> None:
        """The payment provider has answered for every capture that was only asked for."""
        for order_id, asked in self._captures.items():
            for position, each in enumerate(asked):
                if each.state is CaptureState.REQUESTED:
                    asked[position] = dataclasses.replace(each, state=state, message=message)
            held = self._orders.get(order_id)
            done = [each.amount for each in asked if each.state is CaptureState.CAPTURED]
            if isinstance(held, WebOrder) and total(done, held.currency) == self._authorised(held):
                self._all_captured(held)

    # How it keeps its promises.

    def _admit(self) -> None:
        if self._access_denied:
            raise AccessDenied("the store does not let this user in; renew the credentials")

    def _handed_in(self, application_id: ApplicationId) -> Application:
        found = self.application(application_id)
        if found is None:
            raise Rejected(
                f"the store has no application {application_id}",
                code="store_unknown_application",
                remedy="look in the store whether it was removed",
            )
        return found

    def _undecided(self, key: str, application: Application) -> bool:
        notice = self._registrations.get(ApplicationId(key))
        if notice is None or not notice.decided:
            return True
        return application.submitted_at > notice.submitted_at

    def _authorised(self, order: WebOrder) -> Money:
        """What the provider still lets the store take, captures not deducted."""
        now = self._clock.now()
        live = (
            each.amount or order.total
            for each in order.payments
            if each.state is PaymentState.AUTHORISED
            and (each.expires_at is None or each.expires_at > now)
        )
        return total(live, order.currency)

    def _all_captured(self, order: WebOrder) -> None:
        payments = tuple(
            dataclasses.replace(each, state=PaymentState.CAPTURED)
            if each.state is PaymentState.AUTHORISED
            else each
            for each in order.payments
        )
        if payments != order.payments:
            self.change_order(order.order_id, payments=payments)

    def _note(self, order_id: WebOrderId) -> None:
        self._admit()
        held = self._orders.get(order_id)
        if held is None:
            raise _unknown_order(order_id)
        self.notices_shown += 1
        if self._echoes:
            moved = max(held.modified_at, self._clock.now())
            if isinstance(held, WebOrder):
                self._orders[order_id] = dataclasses.replace(held, modified_at=moved)
            else:
                self._orders[order_id] = dataclasses.replace(held, modified_at=moved)

    def _take(self, keys: Sequence[str], changes: int, most: int | None = None) -> None:
        """Refuse the whole call before its first write, or count it."""
        self._admit()
        most = most or self._capabilities.batch
        if changes > most:
            raise ValueError(f"{changes} changes in a call that takes {most}")
        refused = self._refused.intersection(keys)
        if refused:
            raise Rejected(
                f"the store refuses {', '.join(sorted(refused))}",
                code="store_refused_record",
                remedy="release the record in the store",
            )
        self.writes += max(1, changes)


def _handed_in(application: Application | UnreadableApplication) -> tuple[str, str]:
    if isinstance(application, UnreadableApplication):
        return "", application.reference
    return application.submitted_at.isoformat(), application.application_id.value


def _no_content(document: Document) -> Rejected:
    return Rejected(
        f"the content of {document.kind.value} {document.number} is not what was told",
        code="store_content",
        remedy="read the file again",
    )


def _unknown_order(order_id: WebOrderId) -> Rejected:
    return Rejected(
        f"the store has no order {order_id}",
        code="store_unknown_order",
        remedy="see in the store whether the order was deleted",
    )
