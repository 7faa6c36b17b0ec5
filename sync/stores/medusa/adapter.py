"""A Medusa store as the daemon uses it: every capability of ``sync.ports.store``.

Medusa itself has customers, groups, address books, price lists and orders; our
module in it has the records behind them, and who placed which order. A mirrored
fact is written into Medusa first and recorded last, a price the other way round, and
is told as it was recorded only while both say the same. What breaks off half-way, or
is changed by hand in the shop, is told with a value that equals nothing: the next
run puts it right where it is wanted, and removes it where it is not.

Medusa has no organisations: the account that a user is mapped to is the user's.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from sync.domain.account import BillTo, ShipTo
from sync.domain.document import Document, DocumentKey
from sync.domain.ids import (
    BillToId,
    CustomerId,
    InvoiceNumber,
    OrganisationId,
    ShipToId,
    Sku,
    StoreId,
    WebOrderId,
    WebUserId,
)
from sync.domain.invoice import Invoice
from sync.domain.order import BuyerRecord, Organisation, StoreOrder, WebUser
from sync.domain.pricing import Audience, AudienceKind, PriceKey, PriceScope, PriceValue
from sync.domain.sales_order import OrderStatus
from sync.domain.times import Watermark
from sync.domain.views import (
    AccountProfile,
    AccountView,
    BillToView,
    DocumentView,
    ImportNotice,
    InvoiceView,
    PublishedPriceKey,
    ShipToView,
)
from sync.errors import Conflict, Misconfigured
from sync.kit.hint_body import hinted
from sync.kit.http import HttpLimits, HttpSession
from sync.kit.limiter import TokenBucket
from sync.kit.pool import together
from sync.kit.turns import Turns
from sync.ports.erp import Finding
from sync.ports.price_lists import SharedChange, ShownList
from sync.ports.store import Delivery, ListLimits, OrderPage, PriceRows, StoreCapabilities
from sync.stores.medusa import notices, translate
from sync.stores.medusa.accounts import ACCOUNTS, Accounts
from sync.stores.medusa.checking import findings
from sync.stores.medusa.documents import Documents
from sync.stores.medusa.feed import order_pages
from sync.stores.medusa.places import Places
from sync.stores.medusa.price_lists import PriceLists
from sync.stores.medusa.price_rows import mixed_up
from sync.stores.medusa.queries import PRICES_PER_WRITE, Json, Queries
from sync.stores.medusa.settings import MedusaSettings, settings_from
from sync.stores.medusa.shared_lists import MEMBERS, SharedLists
from sync.stores.medusa.translate_orders import order_from

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
Entries = Mapping[PublishedPriceKey, PriceValue]

BATCH = 500
LISTS = ListLimits(PRICES_PER_WRITE, members=MEMBERS, overrides=False, sites=False)
_OF_AN_ACCOUNT = ("account", "ship_to", "bill_to", "invoice", "document")


def _limiter(settings: MedusaSettings) -> TokenBucket | None:
    if settings.requests_per_s is None:
        return None
    return TokenBucket(
        settings.requests_per_s,
        settings.threads,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


class MedusaStore:
    """One Medusa server with the tradesync module in it.

    ``mirror_writes`` counts records put and removed, as in every store.
    """

    def __init__(self, settings: MedusaSettings, limits: HttpLimits | None = None) -> None:
        self._settings = settings
        basic = base64.b64encode(f"{settings.api_key}:".encode()).decode()
        self._http = HttpSession(
            settings.url,
            system=f"store {settings.store_id}",
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            headers={"Authorization": f"Basic {basic}"},
            secrets=(settings.api_key,),
            ca_bundle=settings.ca_bundle,
            allow_plain=settings.allow_plain_http,
            limits=limits,
            limiter=_limiter(settings),
        )
        self._queries = Queries(self._http)
        self._accounts = Accounts(self._queries)
        self._documents = Documents(self._queries)
        self._places = Places(self._queries, self._accounts)
        self._price_lists = PriceLists(
            self._queries,
            unit=settings.unit,
            public_channel=settings.public_channel,
            zone=ZoneInfo(settings.time_zone),
            monotonic=time.monotonic,
            threads=settings.threads,
        )
        self._shared_lists = SharedLists(
            self._queries, self._price_lists, write=self._write_prices, monotonic=time.monotonic
        )
        # Groups and address books are read and then written: by one at a time, and while
        # nobody writes prices. Those who do take turns at their audiences.
        self._writing = Turns()
        self._counting = threading.Lock()
        self._capabilities = StoreCapabilities(
            name="medusa",
            organisations=False,
            call_for_pricing=False,
            prices_stay=False,
            overlap_s=settings.overlap_s,
            batch=BATCH,
            price_batch=PRICES_PER_WRITE,
            price_calls=settings.threads,
            price_time_zone=settings.time_zone,
            price_lists=LISTS if settings.price_lists else None,
        )
        self.mirror_writes = 0

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> MedusaStore:
        """The store of a site's settings; see the README beside this for the options.

        Raises Misconfigured with every problem found.
        """
        return cls(settings_from(options, secrets, base))

    @property
    def store_id(self) -> StoreId:
        return self._settings.store_id

    @property
    def capabilities(self) -> StoreCapabilities:
        return self._capabilities

    def check(self) -> Sequence[Finding]:
        """Access, the module, the channels of the settings, the clock; writes nothing."""
        return tuple(findings(self._queries, self._http, self._settings))

    # --- TakesHints ---

    @property
    def hints_expected(self) -> bool:
        return self._settings.hints_secret is not None

    def hinted_orders(self, delivery: Delivery) -> Collection[WebOrderId]:
        return hinted(
            delivery.headers, delivery.body, self._settings.hints_secret, datetime.now(UTC)
        )

    @property
    def clock_skew_s(self) -> float | None:
        return self._http.clock_skew_s

    def close(self) -> None:
        self._http.close()

    # --- ReadsWebOrders ---

    def changed_orders(self, since: Watermark | None) -> Iterator[OrderPage]:
        return order_pages(self._queries, since, self._settings.page_size, self._told)

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        found, checkouts = self._with_checkouts(
            [order_id.value], lambda: self._queries.order(order_id.value)
        )
        return self._of_carts([found], checkouts)[0] if found is not None else None

    def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
        """As the port says. A list leaves some kinds of order out, so each order that is
        missing in it is asked for by itself."""
        asked = {each.value for each in order_ids}
        found, checkouts = self._with_checkouts(asked, lambda: list(self._queries.orders(asked)))
        for order_id in sorted(asked - {each["id"] for each in found}):
            one = self._queries.order(order_id)
            if one is not None:
                found.append(one)
        told = self._of_carts(found, checkouts)
        return {WebOrderId(each["id"]): order for each, order in zip(found, told, strict=True)}

    # --- ReadsBuyers and ListsStaffAttributes ---

    def buyer(self, web_user: WebUserId | None, organisation: OrganisationId | None) -> BuyerRecord:
        found = self._queries.customer(web_user.value) if web_user else None
        return BuyerRecord(user=self._user(found) if found is not None else None)

    def web_users(self) -> Iterator[WebUserId]:
        for each in self._queries.registered():
            yield WebUserId(each["id"])

    def organisations(self) -> Iterator[OrganisationId]:
        return iter(())

    def with_staff_attribute(self) -> Iterator[WebUser | Organisation]:
        key = self._settings.account_key
        groups = [
            group["id"]
            for group in self._queries.groups()
            if (group.get("metadata") or {}).get(key) not in (None, "")
        ]
        seen: set[str] = set()
        for customer in self._queries.members(groups):
            user = self._user(customer)
            if user is not None and user.web_user.value not in seen:
                seen.add(user.web_user.value)
                yield user

    def with_verified_email(self) -> Iterator[WebUser]:
        """Nobody: Medusa keeps what somebody typed, and verifies no address."""
        return iter(())

    # --- ShowsImport ---

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        """As the port says. Counts as a change of the order in Medusa: the feed shows
        it once more, the same as before."""
        self._show(order_id, notices.of_notice(notice))

    def shown_imports(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, ImportNotice]:
        asked = [each.value for each in order_ids]
        found = {
            WebOrderId(each["id"]): notices.notice_in(each.get("metadata"))
            for each in self._queries.order_metadata(asked)
        }
        return {key: notice for key, notice in found.items() if notice is not None}

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        """As ``show_import``; an order that the store does not know raises Rejected."""
        self._show(order_id, notices.of_status(status))

    def shown_order_statuses(
        self, order_ids: Collection[WebOrderId]
    ) -> Mapping[WebOrderId, OrderStatus]:
        asked = [each.value for each in order_ids]
        found = {
            WebOrderId(each["id"]): notices.status_in(each.get("metadata"))
            for each in self._queries.order_metadata(asked)
        }
        return {key: status for key, status in found.items() if status is not None}

    # --- MirrorsAccounts ---

    def shown_customer_ids(self) -> Iterator[CustomerId]:
        owners = set()
        for kind, owner in self._queries.record_owners([*_OF_AN_ACCOUNT, "price"]):
            if kind != "price":
                owners.add(owner)
                continue
            shown = translate.shown_by(owner)
            if shown is not None and shown[0].kind is AudienceKind.ACCOUNT:
                owners.add(shown[0].key)
        return iter([CustomerId(each) for each in sorted(owners)])

    def shown_accounts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountProfile]:
        return self._accounts.shown(customer_ids)

    def put_accounts(self, views: Sequence[AccountView]) -> None:
        with self._writing.alone():
            self._price_lists.forget()
            self._accounts.put([view.profile for view in views])
        self.mirror_writes += len(views)

    def withdraw_account(self, customer_id: CustomerId) -> None:
        """As the port says. The group goes first, and with it all that hangs on it:
        from then on nobody sees any of the account. Retail prices stay."""
        with self._writing.alone():
            own = self._own_partitions(customer_id)
            users = self._accounts.dissolve(customer_id)
            self._price_lists.drop(customer_id)
            self._shared_lists.withdraw(Audience(AudienceKind.ACCOUNT, customer_id.value))
            self._places.clear(customer_id, users)
            if own:
                self._queries.drop_records(["price"], own)
            self._queries.drop_records(_OF_AN_ACCOUNT, [customer_id.value])
        self.mirror_writes += 1

    # --- MirrorsShipTos ---

    def shown_ship_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ShipToId], ShipTo]:
        shown = self._places.shown("ship_to", customer_ids).values()
        return {(each.sold_to, each.ship_to_id): each for each in shown if isinstance(each, ShipTo)}

    def shown_bill_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, BillToId], BillTo]:
        shown = self._places.shown("bill_to", customer_ids).values()
        return {(each.sold_to, each.bill_to_id): each for each in shown if isinstance(each, BillTo)}

    def apply_ship_tos(
        self, put: Sequence[ShipToView], remove: Sequence[tuple[CustomerId, ShipToId]]
    ) -> None:
        with self._writing.alone():
            gone = [(owner, key.value) for owner, key in remove]
            self._places.apply("ship_to", [view.ship_to for view in put], gone)
        self.mirror_writes += len(put) + len(remove)

    def apply_bill_tos(
        self, put: Sequence[BillToView], remove: Sequence[tuple[CustomerId, BillToId]]
    ) -> None:
        with self._writing.alone():
            gone = [(owner, key.value) for owner, key in remove]
            self._places.apply("bill_to", [view.bill_to for view in put], gone)
        self.mirror_writes += len(put) + len(remove)

    # --- MirrorsInvoices ---

    def shown_invoices(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, InvoiceNumber], Invoice]:
        records = self._queries.records("invoice", [each.value for each in customer_ids])
        found = [translate.invoice_of(record) for record in records]
        return {(each.sold_to, each.number): each for each in found}

    def apply_invoices(
        self, put: Sequence[InvoiceView], remove: Sequence[tuple[CustomerId, InvoiceNumber]]
    ) -> None:
        self._queries.apply_records(
            [translate.invoice_record(view.invoice) for view in put],
            [translate.named("invoice", owner, number.value) for owner, number in remove],
        )
        self.mirror_writes += len(put) + len(remove)

    # --- MirrorsDocuments ---

    def shown_documents(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[DocumentKey, Document]:
        """As the port says. Misconfigured where the shop has an older module."""
        return self._documents.shown(customer_ids)

    def publish_document(self, view: DocumentView, content: Iterable[bytes]) -> None:
        self._documents.publish(view.document, content)
        self.mirror_writes += 1

    def apply_documents(self, put: Sequence[DocumentView], remove: Sequence[DocumentKey]) -> None:
        self._documents.apply([view.document for view in put], remove)
        self.mirror_writes += len(put) + len(remove)

    def document_content(self, sha256: str) -> Iterator[bytes]:
        return self._documents.content(sha256)

    # --- MirrorsPrices and QuotesPrices ---

    def shown_price_partitions(self) -> Iterator[tuple[Audience, PriceScope]]:
        owners = self._queries.record_owners(["price"])
        return iter(sorted(self._shared_lists.partitions(owner for _, owner in owners), key=_order))

    def shown_prices(self, audience: Audience, scope: PriceScope) -> Mapping[PriceKey, PriceValue]:
        """As the port says; an item whose rows in Medusa say something else has ended for ever."""
        return self._shared_lists.shown(audience, scope)

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None:
        """As the port says. Misconfigured: two retail groups whose prices would both be public.

        The records of one call are written while Medusa writes the lists of another. Whoever
        comes last to the lists of an audience finds the records of all who came before.
        """
        latest = dict(put)
        gone = [key for key in remove if key not in latest]
        self._refuse_mixed(latest)
        accounts = {
            each.audience for each in (*latest, *gone) if each.audience.kind is AudienceKind.ACCOUNT
        }
        if accounts and self._shared_lists.concerns(accounts):
            with self._writing.alone():
                self._shared_lists.release(accounts)
        # Beside each other, and with nobody who takes an account away in between.
        with self._writing.of([object()]):
            self._write_prices(latest, gone)
        with self._counting:
            self.mirror_writes += len(put) + len(remove)

    def _write_prices(self, put: Entries, remove: Collection[PublishedPriceKey]) -> None:
        records = [translate.price_record(key, value) for key, value in put.items()]
        keys = [*put, *remove]
        with self._price_lists.call(keys) as call:
            # A row tells nothing of its entry: one without a record nobody would ever miss.
            self._price_lists.record(call, records)
            with self._price_lists.turn_of(keys):
                gains = any(key.audience == ACCOUNTS for key in put)
                if not gains:
                    self._shared_lists.items_change(put, remove)
                self._price_lists.apply(put, remove, call)
                if gains:
                    self._shared_lists.items_change(put, remove)
                # Within the turn: the next one would take them for entries that stay.
                if remove:
                    self._queries.apply_records([], [translate.price_named(key) for key in remove])

    # --- SharesPriceLists ---

    def shown_price_lists(self) -> Sequence[ShownList]:
        return self._shared_lists.lists()

    def shown_list_rows(self, list_id: str) -> pa.Table:
        return self._shared_lists.rows_of(list_id)

    def shown_own_rows(self, list_id: str, items: Collection[Sku]) -> Sequence[PriceRows]:
        """None: whoever has a row of its own is no member."""
        return ()

    def apply_shared_prices(self, change: SharedChange) -> None:
        """As the port says. Lost half-way it is the same call once more: the stamps come last."""
        with self._writing.alone():
            self._shared_lists.apply(change)
        self.mirror_writes += change.entries

    def shopper_findings(self, shoppers: Mapping[Audience, Collection[str]]) -> Sequence[Finding]:
        return mixed_up(shoppers, self._settings.public_channel)

    def shown_to(
        self, audiences: Collection[Audience]
    ) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
        wanted = set(audiences)
        partitions = list(self.shown_price_partitions()) if wanted else []
        for audience, scope in sorted(partitions, key=lambda each: (each[0].order, each[1])):
            if audience in wanted:
                yield from self._prices(audience, scope)

    # --- Parts of the above ---

    def _told(self, found: list[Json]) -> list[StoreOrder]:
        return self._of_carts(found, {})

    def _of_carts(self, found: Sequence[Json], checkouts: Mapping[str, Json]) -> list[StoreOrder]:
        """These orders, with who completed their carts; asked for those not known yet."""
        missing = [each["id"] for each in found if each["id"] not in checkouts]
        known = {**checkouts, **(self._queries.checkouts(missing) if missing else {})}
        return [order_from(each, known.get(each["id"]), self._settings) for each in found]

    def _with_checkouts(
        self, order_ids: Collection[str], read: Callable[[], T]
    ) -> tuple[T, Mapping[str, Json]]:
        """What ``read`` gives, and at the same time who completed the carts of these orders.

        Whoever that was, it is recorded before the order is there and does not change any
        more. Of an order that came to be between the two it is asked for once more.
        """
        found: dict[str, Any] = {}
        jobs: dict[str, Callable[[], object]] = {
            "orders": read,
            "checkouts": lambda: self._queries.checkouts(order_ids),
        }
        threads = min(len(jobs), self._settings.threads)
        together(jobs, lambda job: jobs[job](), threads=threads, done=found.__setitem__)
        return found["orders"], found["checkouts"]

    def _user(self, customer: Json) -> WebUser | None:
        return translate.web_user(customer, self._settings.account_key)

    def _show(self, order_id: WebOrderId, wanted: Mapping[str, str]) -> None:
        held = self._queries.set_order_metadata(order_id.value, wanted)
        # Two writers at once, and Medusa keeps the keys of one of them.
        if not notices.holds(held, wanted):
            raise Conflict(f"order {order_id} did not keep what was to be shown at it")
        self.mirror_writes += 1

    def _prices(
        self, audience: Audience, scope: PriceScope
    ) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
        owner = translate.partition_text(audience, scope)
        own = dict(translate.price_of(each) for each in self._queries.records("price", [owner]))
        listed = self._shared_lists.recorded(audience, scope)
        return iter(({PublishedPriceKey(audience, k): v for k, v in listed.items()} | own).items())

    def _refuse_mixed(self, put: Collection[PublishedPriceKey]) -> None:
        currencies: dict[Audience, set[str]] = {}
        for key in put:
            currencies.setdefault(key.audience, set()).add(key.key.currency)
        problems = self.shopper_findings(currencies)
        if problems:
            told = tuple(f"{each.subject}: {each.message}; {each.remedy}" for each in problems)
            raise Misconfigured("Medusa would mix these prices up", told)

    def _own_partitions(self, customer_id: CustomerId) -> list[str]:
        """Price partitions that only this account's buyers see: its own and its sites'."""
        owners = [customer_id.value]
        profiles = [translate.profile_of(each) for each in self._queries.records("account", owners)]
        own = {Audience(AudienceKind.ACCOUNT, customer_id.value)}
        own |= {
            Audience(AudienceKind.LOCATION, site.location_id.value)
            for profile in profiles
            for site in profile.locations
        }
        return [
            owner
            for _, owner in self._queries.record_owners(["price"])
            if (shown := translate.shown_by(owner)) is not None and shown[0] in own
        ]


def _order(partition: tuple[Audience, PriceScope]) -> tuple[object, ...]:
    audience, scope = partition
    return (audience.order, scope)
