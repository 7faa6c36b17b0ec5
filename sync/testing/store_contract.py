"""What every store adapter must do, as tests that its author inherits.

    class TestAcme(StoreContract):
        @pytest.fixture
        def store(self, database): return AcmeStore(database, page_size=3)

        @pytest.fixture
        def store_world(self, database): return AcmeWorld(database)

Both fixtures look at one and the same store, which is empty when a test
begins. The adapter should read its order feed in pages of three; where the
page size cannot be chosen, set ``page_size`` of the class to what it is.
"""

# mypy: disable-error-code="type-abstract"
# Protocols are handed to isinstance only, never called.

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sync.domain.account import AccountStatus, CreditStatus
from sync.domain.account_order import AccountOrderLine, OrderSource
from sync.domain.address import TypedAddress
from sync.domain.balance import AgeBucket, Ageing, FigureSource
from sync.domain.channel import Channel, CommerceMode, LoginWall, RetailGroup
from sync.domain.document import DocumentKind, MediaType
from sync.domain.ids import (
    ApplicationId,
    ChannelId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    IdempotencyKey,
    InvoiceNumber,
    LocationId,
    OrganisationId,
    PartNumber,
    RefundId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.invoice import DueDate, InvoiceKind, InvoiceLine
from sync.domain.order import (
    Approval,
    Membership,
    OrderState,
    Organisation,
    Payment,
    PaymentState,
    Role,
    SelectedBillTo,
    UnreadableOrder,
    WebOrder,
    WebUser,
)
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceScope,
    PriceValue,
)
from sync.domain.registration import AccountKind, Application, Document
from sync.domain.sales_order import ErpOrderState, OrderStatus, Shipment
from sync.domain.settlement import CaptureState
from sync.domain.times import Watermark
from sync.domain.views import (
    AccountView,
    ImportNotice,
    ImportState,
    LocationProfile,
    PublishedPriceKey,
    PublishedStockKey,
)
from sync.errors import Rejected, SyncError
from sync.kit.pool import together
from sync.ports.erp import FindingLevel
from sync.ports.store import (
    CapturesPayments,
    FindsShownAccountOrders,
    FindsShownDocuments,
    FindsShownInvoices,
    FindsWebOrders,
    ListsChannels,
    ListsStaffAttributes,
    ListsVerifiedUsers,
    MirrorsAccountOrders,
    MirrorsAccounts,
    MirrorsAvailability,
    MirrorsBalances,
    MirrorsCustomerParts,
    MirrorsDocuments,
    MirrorsEntitlements,
    MirrorsInvoices,
    MirrorsPrices,
    MirrorsShipTos,
    PriceRows,
    QuotesPrices,
    ReadsBuyers,
    ReadsOrdersTogether,
    ReadsRegistrations,
    ReadsWebOrders,
    ShowsImport,
    Store,
    TakesPriceBatches,
    WritesRegistrations,
)
from sync.testing import builders as a
from sync.testing.price_list_contract import PriceListContract
from sync.testing.store_world import StoreWorld

P = TypeVar("P")

NOON = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
OTHER = CustomerId("C-2002")
YARD = ShipToId("YARD")
NUT = Sku("NUT-M8")
TRICKY = 'Größe "M" & 50 % of :name\\path, O\'Brien; -- 東京 \U0001f529'
PROCESSED = ImportNotice(ImportState.PROCESSED, ErpOrderNumber("SO-1"))


def having(store: Store, capability: type[P]) -> P:
    """The adapter as that capability; skips by name where it is not claimed."""
    if not isinstance(store, capability):
        pytest.skip(f"{store.capabilities.name} does not claim {capability.__name__}")
    return store


def an_order(number: int, modified_at: datetime = NOON, **changes: object) -> WebOrder:
    return a.a_web_order(
        order_id=WebOrderId(f"order-{number:03}"),
        number=WebOrderNumber(f"W-{number:03}"),
        placed_at=min(modified_at, NOON),
        modified_at=modified_at,
        **changes,
    )


def a_user(key: str) -> WebUser:
    """A registered shopper who belongs to no organisation."""
    return a.a_web_user(web_user=WebUserId(key), memberships=(), staff_customer_id=None)


def read(orders: ReadsWebOrders, since: datetime | None = None) -> list[WebOrderId]:
    """The whole feed as order IDs, in its own order, repetitions included."""
    watermark = Watermark(since) if since else None
    return [order.order_id for page in orders.changed_orders(watermark) for order in page.orders]


def published(price: Price, audience: Audience | None = None) -> PublishedPriceKey:
    return PublishedPriceKey(audience or a.account_audience(), price.key)


def in_rows(prices: Sequence[Price], audience: Audience | None = None) -> list[PriceRows]:
    """The same prices as the columns of each of their scopes, for one audience."""
    from sync.columnar.vectors import vector_of

    scopes = dict.fromkeys(price.key.scope for price in prices)
    return [
        PriceRows(
            audience or a.account_audience(),
            scope,
            vector_of(price for price in prices if price.key.scope == scope),
        )
        for scope in scopes
    ]


def tricky_prices() -> list[Price]:
    """Entries with every spelling that a store could get wrong, each with a key of its own."""
    quantities = ["0", "0.0001", "0.0000000001", "1.0000", "10", "10.50", "100", "12345678.9000"]
    amounts = [
        *("0", "0.0000", "0.0000000001", "0.00000012", "0.1", "1.5", "1.5000", "10", "100.00"),
        *("120.0300", "999999999999999.9999", "9999999999999999999999999999.9999999999", None),
    ]
    texts = [TRICKY, "", "1,5", '"', "\\N", "\\.", "tab\there", "two\nlines", "NULL", " x "]
    days = [None, date(1, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date(9999, 12, 31)]
    return [
        *(a.a_price("2", min_quantity=Decimal(each)) for each in quantities if each != "1.0000"),
        *(a.a_price(each, sku=Sku(f"AMOUNT-{at}")) for at, each in enumerate(amounts)),
        *(a.a_price("3", price_list=each) for each in texts),
        *(a.a_price("4", unit=each, sku=NUT) for each in texts),
        *(a.a_price("5", warehouse=each, sku=NUT) for each in (None, "W2", TRICKY)),
        *(a.a_price("6", valid_from=each, sku=Sku("FROM")) for each in days),
        *(a.a_price("7", valid_until=day, sku=Sku(f"TO-{at}")) for at, day in enumerate(days)),
        *(a.a_price("8", priority=each, sku=Sku("PRIO")) for each in (-(2**31), -1, 0, 2**31 - 1)),
        *(a.a_price("9", sku=Sku(each)) for each in ("Ölfilter", "000123", "123", "a'b\\c", "%s")),
        *(a.a_price("10", currency=each, sku=Sku("CUR")) for each in ("USD", "JPY")),
    ]


class StoreContract(PriceListContract):
    """Inherit, give the fixtures ``store`` and ``store_world``, and pass."""

    page_size = 3

    # The order feed.

    def test_an_empty_store_gives_no_page(self, store: Store, store_world: StoreWorld) -> None:
        orders = having(store, ReadsWebOrders)

        assert list(orders.changed_orders(None)) == []
        assert list(orders.changed_orders(Watermark(NOON))) == []

    @pytest.mark.rule("OI-2")
    def test_orders_come_oldest_change_first(self, store: Store, store_world: StoreWorld) -> None:
        orders = having(store, ReadsWebOrders)
        for number, minutes in ((1, 30), (2, 10), (3, 20)):
            store_world.place_order(an_order(number, NOON + timedelta(minutes=minutes)))

        assert read(orders) == [an_order(number).order_id for number in (2, 3, 1)]

    @pytest.mark.rule("OI-2")
    def test_since_is_inclusive(self, store: Store, store_world: StoreWorld) -> None:
        orders = having(store, ReadsWebOrders)
        moments = [NOON + timedelta(minutes=number) for number in range(3)]
        for number, moment in enumerate(moments):
            store_world.place_order(an_order(number, moment))

        assert set(read(orders, moments[1])) >= {an_order(1).order_id, an_order(2).order_id}
        assert an_order(0).order_id not in read(orders, moments[1])
        assert read(orders, moments[2] + timedelta(minutes=1)) == []

    @pytest.mark.rule("OI-2")
    def test_orders_changed_at_one_moment_are_all_read(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders = having(store, ReadsWebOrders)
        count = 3 * self.page_size + 1
        for number in range(count):
            store_world.place_order(an_order(number))

        assert set(read(orders)) == {an_order(number).order_id for number in range(count)}

    @pytest.mark.rule("OI-2")
    def test_each_page_says_how_far_it_reaches(self, store: Store, store_world: StoreWorld) -> None:
        orders = having(store, ReadsWebOrders)
        count = 2 * self.page_size + 1
        for number in range(count):
            store_world.place_order(an_order(number, NOON + timedelta(minutes=number)))

        pages = list(orders.changed_orders(None))

        assert len(pages) == 3
        for page in pages:
            assert page.orders
            assert page.reached.at == page.orders[-1].modified_at
            assert all(order.modified_at <= page.reached.at for order in page.orders)
        assert [page.reached for page in pages] == sorted(page.reached for page in pages)

    @pytest.mark.rule("OI-2")
    def test_a_read_resumed_where_a_page_reached_misses_nothing(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders = having(store, ReadsWebOrders)
        count = 3 * self.page_size
        for number in range(count):
            # Two orders share each moment, so that a page may end between them.
            store_world.place_order(an_order(number, NOON + timedelta(minutes=number // 2)))
        first = next(iter(orders.changed_orders(None)))

        seen = {order.order_id for order in first.orders} | set(read(orders, first.reached.at))

        assert seen == {an_order(number).order_id for number in range(count)}

    @pytest.mark.rule("OI-2", "OI-4")
    def test_orders_that_arrive_or_move_between_pages_are_not_missed(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders = having(store, ReadsWebOrders)
        count = 3 * self.page_size
        for number in range(count):
            store_world.place_order(an_order(number, NOON + timedelta(minutes=number)))
        seen: dict[WebOrderId, datetime] = {}
        reached = NOON
        late = NOON + timedelta(hours=5)
        for position, page in enumerate(orders.changed_orders(None)):
            seen.update((order.order_id, order.modified_at) for order in page.orders)
            reached = page.reached.at
            if position == 0:
                # One that was read, one that was not, and one that is new.
                store_world.change_order(an_order(0, late, po_number="changed"))
                store_world.change_order(an_order(count - 1, late, po_number="changed"))
                store_world.place_order(an_order(count, late))
        stayed = {an_order(number).order_id for number in range(1, count - 1)}
        assert stayed <= set(seen)

        for page in orders.changed_orders(Watermark(reached)):
            seen.update((order.order_id, order.modified_at) for order in page.orders)

        for number in (0, count - 1, count):
            assert seen[an_order(number).order_id] == late

    @pytest.mark.rule("OI-4")
    def test_a_changed_order_is_shown_again_as_it_is_now(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders = having(store, ReadsWebOrders)
        store_world.place_order(an_order(1))
        store_world.place_order(an_order(2, NOON + timedelta(minutes=1)))
        changed = an_order(1, NOON + timedelta(minutes=2), state=OrderState.CANCELLED)
        store_world.change_order(changed)

        assert read(orders, NOON + timedelta(minutes=2)) == [changed.order_id]
        assert orders.order(changed.order_id) == store_world.told(changed)

    @pytest.mark.rule("OI-5")
    def test_a_vanished_order_is_none_and_left_out(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders = having(store, ReadsWebOrders)
        store_world.place_order(an_order(1))
        store_world.place_order(an_order(2))
        store_world.vanish_order(an_order(1).order_id)

        assert orders.order(an_order(1).order_id) is None
        assert orders.order(WebOrderId("never-was")) is None
        assert read(orders) == [an_order(2).order_id]

    @pytest.mark.rule("OP-3")
    def test_orders_are_found_by_the_number_that_people_read(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        finding = having(store, FindsWebOrders)
        for number in (1, 2):
            store_world.place_order(an_order(number))
        one = an_order(1)
        assert list(finding.orders_numbered(one.number)) == [one.order_id]
        assert list(finding.orders_numbered(WebOrderNumber("W-never"))) == []
        store_world.vanish_order(one.order_id)
        assert list(finding.orders_numbered(one.number)) == []

    @pytest.mark.rule("OI-5")
    def test_many_orders_are_read_again_as_one_is(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        together = having(store, ReadsOrdersTogether)
        for number in (1, 2, 3):
            store_world.place_order(an_order(number))
        store_world.vanish_order(an_order(2).order_id)
        changed = an_order(3, NOON + timedelta(minutes=2), state=OrderState.CANCELLED)
        store_world.change_order(changed)

        ids = [an_order(number).order_id for number in (1, 2, 3)]
        found = together.orders_now([*ids, WebOrderId("never-was")])
        assert found.keys() == {ids[0], ids[2]}
        for order_id, order in found.items():
            assert order == having(store, ReadsWebOrders).order(order_id)
        assert together.orders_now([]) == {}

    # Orders as the buyer saw them.

    @pytest.mark.rule("OI-1")
    @pytest.mark.parametrize(
        "order",
        [
            a.a_web_order(),
            a.a_retail_order(),
            a.a_full_web_order(),
            a.a_full_web_order(bill_to=a.a_typed_address(), ship_to=None),
            a.a_web_order(bill_to=SelectedBillTo(a.BILL_TO)),
            a.a_web_order(approval=Approval.PENDING, state=OrderState.PENDING_APPROVAL),
            a.a_web_order(payments=()),
            a.a_web_order(buyer=a.a_guest(email=None), bill_to=None, ship_to=None),
            a.a_retail_order(ship_to=TypedAddress(city="Delft")),
            a.a_web_order(notes=TRICKY, po_number=TRICKY, lines=(a.a_line(note=TRICKY),)),
        ],
        ids=[
            "wholesale",
            "retail",
            "every_field",
            "typed_bill_to",
            "selected_bill_to",
            "pending_approval",
            "no_payment",
            "nameless_guest",
            "half_an_address",
            "any_text",
        ],
    )
    def test_an_order_is_told_exactly_as_it_was_placed(
        self, store: Store, store_world: StoreWorld, order: WebOrder
    ) -> None:
        orders = having(store, ReadsWebOrders)
        store_world.place_order(order)

        told, expected = orders.order(order.order_id), store_world.told(order)

        assert told == expected
        assert isinstance(told, WebOrder)
        # Equal Decimals may differ in scale; the buyer saw the places, too.
        assert [str(line.unit_price) for line in told.lines] == [
            str(line.unit_price) for line in expected.lines
        ]
        assert [str(line.quantity) for line in told.lines] == [
            str(line.quantity) for line in expected.lines
        ]
        [page] = orders.changed_orders(None)
        assert page.orders == (told,)

    @pytest.mark.rule("OI-1")
    @pytest.mark.parametrize("state", list(OrderState))
    def test_every_state_of_an_order_is_told(
        self, store: Store, store_world: StoreWorld, state: OrderState
    ) -> None:
        orders = having(store, ReadsWebOrders)
        order = an_order(1, state=state)
        store_world.place_order(order)

        told = orders.order(order.order_id)

        assert isinstance(told, WebOrder)
        assert told.state is store_world.told(order).state

    @pytest.mark.rule("OI-1")
    def test_lines_keep_their_order(self, store: Store, store_world: StoreWorld) -> None:
        orders = having(store, ReadsWebOrders)
        # IDs that sort otherwise than the buyer's cart did.
        lines = tuple(a.a_line(line_id=line_id) for line_id in ("10", "9", "b", "A", "2"))
        order = an_order(1, lines=lines)
        store_world.place_order(order)

        told, expected = orders.order(order.order_id), store_world.told(order)

        assert isinstance(told, WebOrder)
        assert [line.line_id for line in told.lines] == [line.line_id for line in expected.lines]

    @pytest.mark.rule("OI-2")
    def test_an_order_that_cannot_be_read_arrives_as_such(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders = having(store, ReadsWebOrders)
        odd, moment = WebOrderId("order-odd"), NOON + timedelta(minutes=1)
        store_world.place_order(an_order(1))
        store_world.place_unreadable(odd, WebOrderNumber("W-13"), moment)
        store_world.place_order(an_order(2, NOON + timedelta(minutes=2)))

        # The others are not held up by it.
        assert read(orders) == [an_order(1).order_id, odd, an_order(2).order_id]
        told = orders.order(odd)
        assert isinstance(told, UnreadableOrder)
        assert told.number == WebOrderNumber("W-13")
        assert told.modified_at == moment
        assert all(told.problems)
        assert told.payload

    # The directory.

    @pytest.mark.rule("TL-3")
    def test_the_directory_knows_a_user_with_every_membership(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        directory = having(store, ReadsBuyers)
        second = OrganisationId("org-13")
        store_world.add_organisation(a.an_organisation())
        store_world.add_organisation(a.an_organisation(organisation=second, name="Second"))
        user = a.a_web_user(
            memberships=(
                Membership(a.ORGANISATION, Role.BROWSE, LocationId("SITE-1")),
                Membership(second, Role.MANAGE),
            ),
            staff_customer_id="C-1001",
            preferred_currency="USD",
        )
        store_world.add_user(user)

        told = directory.buyer(user.web_user, a.ORGANISATION)

        assert told.user is not None
        kept = store_world.told(user)
        assert set(told.user.memberships) == set(kept.memberships)
        assert dataclasses.replace(told.user, memberships=()) == dataclasses.replace(
            kept, memberships=()
        )
        assert told.organisation == store_world.told(a.an_organisation())

    @pytest.mark.rule("TL-1", "TL-5")
    def test_the_directory_tells_open_applications_and_unverified_mail(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        directory = having(store, ReadsBuyers)
        user = a.a_web_user(memberships=(), verified_email=None, open_application=True)
        organisation = a.an_organisation(
            status=AccountStatus.APPLIED, open_application=True, staff_customer_id="C-1001"
        )
        store_world.add_user(user)
        store_world.add_organisation(organisation)

        told = directory.buyer(user.web_user, organisation.organisation)

        assert told.user == store_world.told(user)
        assert told.organisation == store_world.told(organisation)

    # Registrations.

    @pytest.mark.rule("VE-9")
    def test_applications_are_told_as_they_were_handed_in_longest_ago_first(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        source = having(store, ReadsRegistrations)
        bare = Application(ApplicationId("app-2"), a.CHANNEL, a.PLACED_AT + timedelta(hours=1))
        whole = a.an_application(
            region="HH",
            web_user=a.WEB_USER,
            documents=(
                Document("licence", "s3://docs/1", "application/pdf"),
                Document("licence", "s3://docs/2", None),
            ),
        )
        person = a.an_application(
            application_id=ApplicationId("app-0"),
            kind=AccountKind.PERSONAL,
            submitted_at=a.PLACED_AT + timedelta(hours=1),
        )
        later = [
            dataclasses.replace(bare, application_id=ApplicationId(f"app-{number}"))
            for number in range(3, 9)
        ]
        for each in (bare, whole, person, *later):
            store_world.hand_in(each)

        assert list(source.open_applications()) == [whole, person, bare, *later]
        assert source.application(a.APPLICATION) == whole
        assert source.application(ApplicationId("nobody")) is None

    @pytest.mark.rule("TL-5", "WA-2a")
    def test_a_business_gets_a_user_an_organisation_and_its_manager_once(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        store_world.hand_in(a.an_application())

        made = makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS)

        assert makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS) == made
        assert made.organisation is not None
        told = directory.buyer(made.web_user, made.organisation)
        assert told.user is not None
        assert told.user.memberships == (Membership(made.organisation, Role.MANAGE),)
        assert told.user.open_application
        assert told.user.verified_email is None
        assert told.organisation == Organisation(
            made.organisation, "Lantern Works GmbH", AccountStatus.PROSPECT, open_application=True
        )
        assert list(directory.web_users()) == [made.web_user]
        assert list(directory.organisations()) == [made.organisation]

    @pytest.mark.rule("TL-5", "VE-8")
    def test_a_person_gets_a_personal_account_only(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        store_world.hand_in(a.an_application())

        made = makes.create_registrant(a.APPLICATION, AccountKind.PERSONAL)
        makes.show_registration(a.APPLICATION, a.a_registration_view(None))

        assert made.organisation is None
        user = directory.buyer(made.web_user, None).user
        assert user is not None
        assert not user.memberships
        assert not user.open_application
        assert list(directory.organisations()) == []

    @pytest.mark.rule("TL-5", "TL-3", "WA-2e")
    def test_somebody_who_is_signed_in_manages_the_new_organisation_too(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        store_world.add_organisation(a.an_organisation())
        store_world.add_user(a.a_web_user())
        store_world.hand_in(a.an_application(web_user=a.WEB_USER))
        stranger = ApplicationId("app-2")
        store_world.hand_in(
            a.an_application(application_id=stranger, web_user=WebUserId("u-nobody"))
        )

        made = makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS)

        assert made.web_user == a.WEB_USER
        assert made.organisation not in (None, a.ORGANISATION)
        user = directory.buyer(made.web_user, None).user
        assert user is not None
        assert set(user.memberships) == {
            *a.a_web_user().memberships,
            Membership(made.organisation, Role.MANAGE),
        }
        with pytest.raises(Rejected):
            makes.create_registrant(stranger, AccountKind.BUSINESS)
        assert set(directory.organisations()) == {a.ORGANISATION, made.organisation}

    @pytest.mark.rule("VE-3", "VE-9", "WA-2a")
    def test_the_organisation_stands_where_its_registration_does(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        source = having(store, ReadsRegistrations)
        store_world.hand_in(a.an_application())
        made = makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS)
        assert makes.shown_registrations([a.APPLICATION]) == {}
        for status in (AccountStatus.DOCUMENTS_PENDING, AccountStatus.APPROVED):
            view = a.a_registration_view(status, missing=("licence",), message="Nearly there")
            makes.show_registration(a.APPLICATION, view)
            assert makes.shown_registrations([a.APPLICATION]) == {a.APPLICATION: view.notice}
            told = directory.buyer(made.web_user, made.organisation)
            assert told.user is not None
            assert told.organisation is not None
            assert told.organisation.status is status
            assert told.user.open_application
            assert told.organisation.open_application
            assert list(source.open_applications()) == [a.an_application()]

        for _ in range(2):
            makes.show_registration(a.APPLICATION, a.a_registration_view(AccountStatus.ACTIVE))
        told = directory.buyer(made.web_user, made.organisation)
        assert told.user is not None
        assert told.organisation is not None
        assert told.organisation.status is AccountStatus.ACTIVE
        assert not told.user.open_application
        assert not told.organisation.open_application
        assert list(source.open_applications()) == []

    @pytest.mark.rule("VE-9")
    def test_a_rejected_application_is_closed_until_it_is_handed_in_again(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        source = having(store, ReadsRegistrations)
        store_world.hand_in(a.an_application())
        made = makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS)
        rejected = a.a_registration_view(
            AccountStatus.PROSPECT, rejected=True, message="We do not sell there."
        )

        makes.show_registration(a.APPLICATION, rejected)

        told = directory.buyer(made.web_user, made.organisation)
        assert told.user is not None
        assert told.organisation is not None
        assert told.organisation.status is AccountStatus.PROSPECT
        assert not told.user.open_application
        assert not told.organisation.open_application
        assert list(source.open_applications()) == []
        again = a.an_application(submitted_at=a.PLACED_AT + timedelta(days=2), company="Lantern")
        store_world.hand_in(again)
        assert list(source.open_applications()) == [again]
        assert makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS) == made

    @pytest.mark.rule("WA-2a")
    def test_a_user_has_an_open_application_while_one_of_theirs_is_not_decided(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        second = ApplicationId("app-2")
        store_world.add_user(a.a_web_user(memberships=()))
        for key in (a.APPLICATION, second):
            store_world.hand_in(a.an_application(application_id=key, web_user=a.WEB_USER))
            makes.create_registrant(key, AccountKind.BUSINESS)
        found = []
        for key in (a.APPLICATION, second):
            makes.show_registration(key, a.a_registration_view(AccountStatus.ACTIVE))
            user = directory.buyer(a.WEB_USER, None).user
            assert user is not None
            found.append(user.open_application)
        assert found == [True, False]

    @pytest.mark.rule("TL-5", "WA-2a")
    def test_a_business_that_becomes_a_person_has_no_open_application(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        makes, directory = having(store, WritesRegistrations), having(store, ReadsBuyers)
        store_world.hand_in(a.an_application())
        made = makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS)
        makes.show_registration(a.APPLICATION, a.a_registration_view(AccountStatus.APPLIED))

        makes.show_registration(a.APPLICATION, a.a_registration_view(None))

        told = directory.buyer(made.web_user, made.organisation)
        assert told.user is not None
        assert told.organisation is not None
        assert not told.user.open_application
        assert not told.organisation.open_application
        assert told.organisation.status is AccountStatus.APPLIED

    def test_an_application_that_the_store_lacks_is_refused(self, store: Store) -> None:
        makes = having(store, WritesRegistrations)
        with pytest.raises(Rejected):
            makes.create_registrant(a.APPLICATION, AccountKind.BUSINESS)
        with pytest.raises(Rejected):
            makes.show_registration(a.APPLICATION, a.a_registration_view())
        assert makes.shown_registrations([a.APPLICATION]) == {}

    @pytest.mark.rule("WA-2e")
    def test_only_holders_of_a_staff_attribute_are_listed(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = having(store, ListsStaffAttributes)
        expected = {("WebUser", "000123")}
        mapped = a.a_web_user(
            web_user=WebUserId("u-staff"), memberships=(), staff_customer_id="000123"
        )
        if store.capabilities.organisations:
            expected.add(("Organisation", "000124"))
            company = a.an_organisation(
                organisation=OrganisationId("org-staff"), staff_customer_id="000124"
            )
            store_world.add_organisation(company)
        store_world.add_user(mapped)
        store_world.add_user(a_user("u-plain"))

        listed = list(lists.with_staff_attribute())

        found = {(type(each).__name__, each.staff_customer_id) for each in listed}
        assert found == expected

    @pytest.mark.rule("WA-2", "WA-2e")
    def test_only_users_whose_address_the_store_verified_are_listed_by_it(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = having(store, ListsVerifiedUsers)
        for number in range(2 * self.page_size + 1):
            user = a_user(f"u-{number:03}")
            store_world.add_user(dataclasses.replace(user, verified_email=None))
        proven = a.a_web_user(
            web_user=WebUserId("u-proven"), memberships=(), verified_email="ada@harbour.example"
        )
        store_world.add_user(proven)
        told = having(store, ReadsBuyers).buyer(proven.web_user, None).user
        assert told is not None

        listed = [(each.web_user, each.verified_email) for each in lists.with_verified_email()]

        # A store that verifies nothing tells so of everybody, here as there.
        assert listed == ([(told.web_user, told.verified_email)] if told.verified_email else [])

    @pytest.mark.rule("TL-4", "VE-1", "VE-7")
    def test_sales_channels_are_told_as_the_shop_treats_their_shoppers(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = having(store, ListsChannels)
        assert dict(lists.sales_channels()) == {}
        outlet = Channel(
            ChannelId("outlet"),
            CommerceMode.B2C,
            login_wall=LoginWall.LOGIN_TO_PRICE,
            guest_checkout=True,
            retail_groups=(RetailGroup(a.RETAIL_ACCOUNT, ("EUR",)),),
        )
        for each in (outlet, Channel(ChannelId("trade"), CommerceMode.B2B)):
            store_world.add_channel(each)

        told = dict(lists.sales_channels())

        assert set(told) == {ChannelId("outlet"), ChannelId("trade")}
        # What the store has no place for stays open.
        said = told[ChannelId("outlet")]
        assert said.mode in (None, CommerceMode.B2C)
        assert said.login_wall in (None, LoginWall.LOGIN_TO_PRICE)
        assert said.guest_checkout in (None, True)

    def test_a_key_that_the_directory_does_not_know_gives_none(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        directory = having(store, ReadsBuyers)
        if store.capabilities.organisations:
            store_world.add_organisation(a.an_organisation())
        store_world.add_user(a_user(a.WEB_USER.value))

        unknown = directory.buyer(WebUserId("u-none"), OrganisationId("org-none"))
        assert (unknown.user, unknown.organisation) == (None, None)
        nobody = directory.buyer(None, None)
        assert (nobody.user, nobody.organisation) == (None, None)
        only_user = directory.buyer(a.WEB_USER, None)
        assert only_user.user is not None
        assert only_user.organisation is None

    def test_the_directory_lists_every_user_and_organisation_once(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        directory = having(store, ReadsBuyers)
        companies = [a.ORGANISATION] if store.capabilities.organisations else []
        for _ in companies:
            store_world.add_organisation(a.an_organisation())
        for number in range(2 * self.page_size + 1):
            store_world.add_user(a_user(f"u-{number:03}"))

        assert sorted(directory.web_users()) == [
            WebUserId(f"u-{number:03}") for number in range(2 * self.page_size + 1)
        ]
        assert list(directory.organisations()) == companies

    # How far an order is.

    @pytest.mark.rule("OI-3", "WA-13")
    def test_a_notice_is_set_and_never_appended(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        shows = having(store, ShowsImport)
        order = an_order(1)
        store_world.place_order(order)
        assert store_world.notice(order.order_id) is None
        aborted = ImportNotice(ImportState.ABORTED, message=f"line 1: item blocked. {TRICKY}")

        for notice in (
            ImportNotice(ImportState.PENDING),
            ImportNotice(ImportState.PROCESSING),
            aborted,
            PROCESSED,
            PROCESSED,
        ):
            shows.show_import(order.order_id, notice)
            assert store_world.notice(order.order_id) == notice
            assert shows.shown_imports([order.order_id]) == {order.order_id: notice}

    @pytest.mark.rule("OI-3", "WA-13")
    def test_notices_are_read_back_for_those_orders_that_have_one(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        shows = having(store, ShowsImport)
        for number in (1, 2, 3):
            store_world.place_order(an_order(number))
        shows.show_import(an_order(1).order_id, PROCESSED)
        shows.show_import(an_order(3).order_id, ImportNotice(ImportState.PENDING))
        shows.show_order_status(an_order(2).order_id, a.an_order_status())

        asked = [an_order(1).order_id, an_order(2).order_id, WebOrderId("never-was")]

        assert shows.shown_imports(asked) == {an_order(1).order_id: PROCESSED}
        assert dict(shows.shown_imports([])) == {}

    @pytest.mark.rule("WA-13")
    def test_a_notice_about_an_unknown_order_is_rejected(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        shows = having(store, ShowsImport)
        store_world.place_order(an_order(1))

        with pytest.raises(Rejected):
            shows.show_import(WebOrderId("never-was"), PROCESSED)

        assert store_world.notice(an_order(1).order_id) is None

    @pytest.mark.rule("OI-2", "WA-13")
    def test_an_unreadable_order_takes_a_notice(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        shows = having(store, ShowsImport)
        odd = WebOrderId("order-odd")
        store_world.place_unreadable(odd, WebOrderNumber("W-13"), NOON)
        notice = ImportNotice(ImportState.ABORTED, message="quantity is not a number")

        shows.show_import(odd, notice)

        assert store_world.notice(odd) == notice

    @pytest.mark.rule("OI-1", "OI-3")
    def test_a_notice_changes_nothing_that_the_buyer_saw(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        orders, shows = having(store, ReadsWebOrders), having(store, ShowsImport)
        order = a.a_full_web_order()
        store_world.place_order(order)

        shows.show_import(order.order_id, PROCESSED)
        shows.show_order_status(order.order_id, a.an_order_status())

        told, expected = orders.order(order.order_id), store_world.told(order)
        assert isinstance(told, WebOrder)
        # Some stores count a notice as a change; nothing else may differ.
        assert dataclasses.replace(told, modified_at=expected.modified_at) == expected

    @pytest.mark.rule("OI-3")
    @pytest.mark.parametrize(
        "status",
        [
            a.an_order_status(),
            a.an_order_status(state=ErpOrderState.CANCELLED, shipments=(), lines=()),
            a.an_order_status(number=None, message=TRICKY),
            a.an_order_status(
                shipments=(Shipment("DN-1"), Shipment("DN-2", date(2025, 3, 9), None, "T2"))
            ),
        ],
        ids=["partly_shipped", "cancelled", "message", "two_parcels"],
    )
    def test_an_order_status_is_shown_as_told(
        self, store: Store, store_world: StoreWorld, status: OrderStatus
    ) -> None:
        shows = having(store, ShowsImport)
        order_id = an_order(1).order_id
        store_world.place_order(an_order(1))
        store_world.place_order(an_order(2))
        shows.show_order_status(order_id, a.an_order_status(state=ErpOrderState.OPEN))
        shows.show_order_status(order_id, status)

        shown = shows.shown_order_statuses([order_id, an_order(2).order_id])

        assert shown == {order_id: store_world.told(status)}
        assert dict(shows.shown_order_statuses([])) == {}

    # Accounts.

    @pytest.mark.rule("MI-1", "TL-3")
    def test_an_account_is_shown_as_put(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsAccounts)
        full = a.an_account_view(
            name=TRICKY,
            status=AccountStatus.SUSPENDED,
            terms=None,
            currencies=("EUR", "USD"),
            tax_exempt=True,
            credit=CreditStatus.HOLD,
            price_groups=("GOLD", "TRADE"),
            locations=(
                LocationProfile(LocationId("SITE-1"), "North yard", tax_exempt=True),
                LocationProfile(LocationId("SITE-2"), "South yard"),
            ),
            organisations=(a.ORGANISATION,),
            users=(WebUserId("u-1"), WebUserId("u-2")),
            tags=("LICENSED", "Größe 2"),
        )
        bare = a.an_account_view(customer_id=OTHER)
        mirror.put_accounts([full, bare])

        shown = mirror.shown_accounts([a.ACCOUNT, OTHER, CustomerId("NOBODY")])

        assert shown == {
            a.ACCOUNT: store_world.told(full.profile),
            OTHER: store_world.told(bare.profile),
        }
        assert dict(mirror.shown_accounts([])) == {}
        assert sorted(mirror.shown_customer_ids()) == [a.ACCOUNT, OTHER]

    @pytest.mark.rule("MI-1")
    def test_an_account_put_again_is_replaced_whole(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccounts)
        first = a.an_account_view(
            price_groups=("GOLD",),
            locations=(LocationProfile(LocationId("SITE-1"), "North yard"),),
            users=(WebUserId("u-1"),),
        )
        second = a.an_account_view(name="Harbour Hardware BV", price_groups=("TRADE",))
        mirror.put_accounts([first])
        mirror.put_accounts([second])
        mirror.put_accounts([second])

        assert mirror.shown_accounts([a.ACCOUNT]) == {a.ACCOUNT: store_world.told(second.profile)}
        assert list(mirror.shown_customer_ids()) == [a.ACCOUNT]

    @pytest.mark.rule("VE-5", "MI-1")
    def test_tags_of_the_erp_come_and_go_and_those_of_the_stores_people_stay(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccounts)
        store_world.tag_organisation(a.ORGANISATION, "VIP")
        own = {"organisations": (a.ORGANISATION,)}

        def tags() -> tuple[str, ...]:
            return mirror.shown_accounts([a.ACCOUNT])[a.ACCOUNT].tags

        mirror.put_accounts([a.an_account_view(tags=("LICENSED", "VIP"), **own)])
        assert tags() == ("LICENSED", "VIP")
        mirror.put_accounts([a.an_account_view(tags=("OEM",), **own)])
        assert tags() == ("OEM",)
        mirror.put_accounts([a.an_account_view(**own)])
        assert tags() == ()
        mirror.withdraw_account(a.ACCOUNT)
        assert set(store_world.own_tags(a.ORGANISATION)) == {"VIP"}

    @pytest.mark.rule("MI-1", "WA-8")
    def test_a_withdrawn_account_takes_everything_with_it(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccounts)
        for customer_id in (a.ACCOUNT, OTHER):
            _mirror_everything(store, customer_id)

        mirror.withdraw_account(a.ACCOUNT)

        assert _shown_of(store, a.ACCOUNT) == _NOTHING
        assert _shown_of(store, OTHER) == _EVERYTHING
        assert list(mirror.shown_customer_ids()) == [OTHER]

    @pytest.mark.rule("WA-8")
    def test_an_id_that_became_a_retail_group_keeps_its_retail_prices(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, prices = having(store, MirrorsAccounts), having(store, MirrorsPrices)
        _mirror_everything(store, a.ACCOUNT)
        price = a.a_price()
        to_retail = published(price, a.retail_audience(a.ACCOUNT))
        prices.apply_prices([(to_retail, price.value)], [])

        mirror.withdraw_account(a.ACCOUNT)

        assert set(prices.shown_price_partitions()) == {(to_retail.audience, price.key.scope)}
        assert list(mirror.shown_customer_ids()) == []

    @pytest.mark.rule("WA-8")
    def test_withdrawing_what_is_not_there_is_harmless(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccounts)
        _mirror_everything(store, OTHER)
        mirror.withdraw_account(a.ACCOUNT)
        mirror.withdraw_account(a.RETAIL_ACCOUNT)

        assert _shown_of(store, OTHER) == _EVERYTHING

    @pytest.mark.rule("MI-1")
    def test_addresses_that_users_own_are_never_touched(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, ship_tos = having(store, MirrorsAccounts), having(store, MirrorsShipTos)
        store_world.add_user(a_user(a.WEB_USER.value))
        own = a.an_address(name="Ada at home", lines=("Canal Street 12",))
        store_world.add_own_address(a.WEB_USER, own)
        # The very same address as a ship-to is another record.
        same = a.a_ship_to_view(address=own)

        mirror.put_accounts([a.an_account_view(users=(a.WEB_USER,))])
        ship_tos.apply_ship_tos([same], [])
        ship_tos.apply_ship_tos([], [(a.ACCOUNT, a.SHIP_TO)])
        ship_tos.apply_ship_tos([same], [])
        mirror.withdraw_account(a.ACCOUNT)

        assert list(store_world.own_addresses(a.WEB_USER)) == [own]
        assert dict(ship_tos.shown_ship_tos([a.ACCOUNT])) == {}

    # Ship-tos and bill-tos.

    @pytest.mark.rule("MI-1")
    def test_ship_tos_are_shown_as_put(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsShipTos)
        _put_accounts(store)
        plain = a.a_ship_to_view()
        full = a.a_ship_to_view(
            ship_to_id=YARD,
            default=False,
            tax_exempt=True,
            warehouse="W2",
            location=LocationId("SITE-1"),
            address=a.an_address(
                name=TRICKY,
                lines=("Pier 3", "Gate B", "Hall 7"),
                region="ZH",
                attention="Gate 3",
                phone="+31 10 555 0100",
                email="yard@harbour.example",
                residential=False,
            ),
        )
        theirs = a.a_ship_to_view(sold_to=OTHER, tax_exempt=False)
        mirror.apply_ship_tos([plain, full, theirs], [])

        assert mirror.shown_ship_tos([a.ACCOUNT]) == {
            (a.ACCOUNT, a.SHIP_TO): store_world.told(plain.ship_to),
            (a.ACCOUNT, YARD): store_world.told(full.ship_to),
        }
        assert mirror.shown_ship_tos([OTHER]) == {
            (OTHER, a.SHIP_TO): store_world.told(theirs.ship_to)
        }
        assert dict(mirror.shown_ship_tos([])) == {}

    @pytest.mark.rule("MI-1")
    def test_a_ship_to_put_twice_is_one_and_removed_is_gone(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsShipTos)
        _put_accounts(store)
        mirror.apply_ship_tos([a.a_ship_to_view(), a.a_ship_to_view(ship_to_id=YARD)], [])
        moved = a.a_ship_to_view(address=a.an_address(lines=("Dock Road 8",)))
        mirror.apply_ship_tos([moved], [])
        mirror.apply_ship_tos([moved], [(a.ACCOUNT, YARD)])
        mirror.apply_ship_tos([], [(a.ACCOUNT, YARD), (OTHER, a.SHIP_TO)])

        assert mirror.shown_ship_tos([a.ACCOUNT, OTHER]) == {
            (a.ACCOUNT, a.SHIP_TO): store_world.told(moved.ship_to)
        }

    @pytest.mark.rule("MI-1")
    def test_bill_tos_are_shown_as_put_and_removed(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsShipTos)
        _put_accounts(store)
        mine, theirs = a.a_bill_to_view(), a.a_bill_to_view(sold_to=OTHER, default=False)
        mirror.apply_bill_tos([mine, theirs], [])
        mirror.apply_bill_tos([mine], [])

        assert mirror.shown_bill_tos([a.ACCOUNT]) == {
            (a.ACCOUNT, a.BILL_TO): store_world.told(mine.bill_to)
        }
        mirror.apply_bill_tos([], [(a.ACCOUNT, a.BILL_TO)])
        mirror.apply_bill_tos([], [(a.ACCOUNT, a.BILL_TO)])
        assert mirror.shown_bill_tos([a.ACCOUNT, OTHER]) == {
            (OTHER, a.BILL_TO): store_world.told(theirs.bill_to)
        }

    @pytest.mark.rule("MI-1")
    def test_a_refused_ship_to_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsShipTos)
        _put_accounts(store)
        mirror.apply_ship_tos([a.a_ship_to_view()], [])
        store_world.refuse_record("REFUSED")
        changed = a.a_ship_to_view(default=False)
        refused = a.a_ship_to_view(ship_to_id=ShipToId("REFUSED"))

        with pytest.raises(SyncError):
            mirror.apply_ship_tos([a.a_ship_to_view(ship_to_id=YARD), changed, refused], [])
        with pytest.raises(SyncError):
            mirror.apply_ship_tos([refused], [(a.ACCOUNT, a.SHIP_TO)])

        assert mirror.shown_ship_tos([a.ACCOUNT]) == {
            (a.ACCOUNT, a.SHIP_TO): store_world.told(a.a_ship_to())
        }

    @pytest.mark.rule("MI-1")
    def test_who_leaves_an_account_is_offered_none_of_its_ship_tos(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        accounts, mirror = having(store, MirrorsAccounts), having(store, MirrorsShipTos)
        ada, ben, mia = (WebUserId(f"u-{name}") for name in ("ada", "ben", "mia"))
        for each in (ada, ben, mia):
            store_world.add_user(a_user(each.value))
        accounts.put_accounts(
            [a.an_account_view(users=(ada, ben, mia)), a.an_account_view(customer_id=OTHER)]
        )
        mirror.apply_ship_tos([a.a_ship_to_view()], [])
        mine = {(a.ACCOUNT, a.SHIP_TO)}
        assert [set(store_world.offered_ship_tos(each)) for each in (ada, ben, mia)] == [mine] * 3

        accounts.put_accounts([a.an_account_view(users=(ada,))])
        accounts.put_accounts([a.an_account_view(customer_id=OTHER, users=(mia,))])
        theirs = a.a_ship_to_view(sold_to=OTHER)
        mirror.apply_ship_tos([theirs], [])

        assert set(store_world.offered_ship_tos(ada)) == mine
        assert set(store_world.offered_ship_tos(ben)) == set()
        assert set(store_world.offered_ship_tos(mia)) == {(OTHER, a.SHIP_TO)}

    @pytest.mark.rule("MI-1", "OP-5")
    def test_a_ship_to_that_others_touched_is_still_told(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        """What is left out, no plan would ever remove."""
        mirror, view = having(store, MirrorsShipTos), a.a_ship_to_view()
        store_world.add_user(a_user(a.WEB_USER.value))
        if isinstance(store, MirrorsAccounts):
            store.put_accounts([a.an_account_view(users=(a.WEB_USER,))])
        key, put = (a.ACCOUNT, a.SHIP_TO), store_world.told(view.ship_to)
        mirror.apply_ship_tos([view], [])

        store_world.touch_ship_tos()
        shown = mirror.shown_ship_tos([a.ACCOUNT])
        assert list(shown) == [key]
        assert shown[key] != put

        mirror.apply_ship_tos([view], [])
        assert mirror.shown_ship_tos([a.ACCOUNT]) == {key: put}
        store_world.touch_ship_tos()
        mirror.apply_ship_tos([], list(mirror.shown_ship_tos([a.ACCOUNT])))
        assert dict(mirror.shown_ship_tos([a.ACCOUNT])) == {}
        assert set(store_world.offered_ship_tos(a.WEB_USER)) == set()

    # Invoices.

    @pytest.mark.rule("WA-8", "MI-6")
    def test_invoices_are_shown_as_put(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsInvoices)
        _put_accounts(store)
        full = a.an_invoice_view(
            freight=a.money("0.005"),
            dues=(
                DueDate(date(2025, 3, 16), a.money("60.50")),
                DueDate(date(2025, 4, 16), a.money("60.50")),
            ),
            lines=(
                *a.an_invoice().lines,
                InvoiceLine(
                    number=2,
                    quantity=Decimal("0.1250"),
                    net=a.money("0.0001"),
                    description=TRICKY,
                ),
            ),
            erp_order=ErpOrderNumber("SO-1"),
            po_number="PO 4711/A",
            web_reference="W-10482",
        )
        credit = a.an_invoice_view(
            number=InvoiceNumber("CR-77"),
            kind=InvoiceKind.CREDIT,
            tax=None,
            open_amount=None,
            dues=(),
            lines=(),
        )
        theirs = a.an_invoice_view(sold_to=OTHER)
        mirror.apply_invoices([full, credit, theirs], [])

        assert mirror.shown_invoices([a.ACCOUNT]) == {
            (a.ACCOUNT, full.invoice.number): store_world.told(full.invoice),
            (a.ACCOUNT, credit.invoice.number): store_world.told(credit.invoice),
        }
        assert mirror.shown_invoices([OTHER]) == {
            (OTHER, theirs.invoice.number): store_world.told(theirs.invoice)
        }
        assert dict(mirror.shown_invoices([])) == {}

    @pytest.mark.rule("MI-1", "MI-6")
    def test_a_paid_invoice_is_replaced_and_a_voided_one_removed(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsInvoices)
        _put_accounts(store)
        voided = (a.ACCOUNT, InvoiceNumber("INV-VOID"))
        mirror.apply_invoices([a.an_invoice_view(), a.an_invoice_view(number=voided[1])], [])
        paid = a.an_invoice_view(open_amount=a.money("0.00"), dues=())
        mirror.apply_invoices([paid], [voided])
        mirror.apply_invoices([paid], [voided])

        assert mirror.shown_invoices([a.ACCOUNT]) == {
            (a.ACCOUNT, paid.invoice.number): store_world.told(paid.invoice)
        }

    def test_a_refused_invoice_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsInvoices)
        _put_accounts(store)
        mirror.apply_invoices([a.an_invoice_view()], [])
        store_world.refuse_record("REFUSED")
        refused = a.an_invoice_view(number=InvoiceNumber("REFUSED"))
        paid = a.an_invoice_view(open_amount=a.money("0.00"))

        with pytest.raises(SyncError):
            mirror.apply_invoices([paid, refused], [])

        assert mirror.shown_invoices([a.ACCOUNT]) == {
            (a.ACCOUNT, a.an_invoice().number): store_world.told(a.an_invoice())
        }

    @pytest.mark.rule("WA-8")
    def test_invoices_are_found_by_number_whosever_they_are(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, finder = having(store, MirrorsInvoices), having(store, FindsShownInvoices)
        _put_accounts(store)
        number, other = a.an_invoice().number, InvoiceNumber("INV-OTHER")
        mirror.apply_invoices(
            [
                a.an_invoice_view(),
                a.an_invoice_view(sold_to=OTHER),
                a.an_invoice_view(number=other),
            ],
            [],
        )
        asked = [number, InvoiceNumber("INV-NOBODYS"), InvoiceNumber(number.value.lower())]
        both = {(a.ACCOUNT, number), (OTHER, number)}
        assert set(finder.shown_invoice_keys(asked)) == both
        assert list(finder.shown_invoice_keys([])) == []
        mirror.apply_invoices([], [(a.ACCOUNT, number)])
        assert set(finder.shown_invoice_keys([number, other])) == {
            (OTHER, number),
            (a.ACCOUNT, other),
        }

    # Balances.

    @pytest.mark.rule("MI-6", "WA-8")
    def test_balances_are_shown_as_put(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsBalances)
        _put_accounts(store)
        full = a.a_balance_view("123456789012345.6789")
        dollars = a.a_balance_view(balance=a.money("-0.50", "USD"), credit_limit=None, ageing=None)
        made = Ageing((AgeBucket(a.money("-3.00")),), FigureSource.INVOICES)
        theirs = a.a_balance_view(sold_to=OTHER, ageing=made, source=FigureSource.INVOICES)
        mirror.apply_balances([full, dollars, theirs], [])

        assert mirror.shown_balances([a.ACCOUNT]) == {
            (a.ACCOUNT, "EUR"): store_world.told(full.balance),
            (a.ACCOUNT, "USD"): store_world.told(dollars.balance),
        }
        assert mirror.shown_balances([OTHER]) == {(OTHER, "EUR"): store_world.told(theirs.balance)}
        assert dict(mirror.shown_balances([])) == {}
        if isinstance(store, MirrorsAccounts):
            assert set(store.shown_customer_ids()) == {a.ACCOUNT, OTHER}

    @pytest.mark.rule("MI-1", "MI-6")
    def test_a_balance_is_replaced_whole_and_one_that_ended_removed(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsBalances)
        _put_accounts(store)
        dollars = a.a_balance_view(balance=a.money("1.00", "USD"), credit_limit=None, ageing=None)
        mirror.apply_balances([a.a_balance_view(), dollars], [])
        paid = a.a_balance_view("0.00", ageing=Ageing((AgeBucket(a.money("0.00")),)))
        for _ in range(2):
            mirror.apply_balances([paid], [(a.ACCOUNT, "USD")])

        assert mirror.shown_balances([a.ACCOUNT]) == {
            (a.ACCOUNT, "EUR"): store_world.told(paid.balance)
        }

    def test_a_refused_balance_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsBalances)
        _put_accounts(store)
        mirror.apply_balances([a.a_balance_view()], [])
        store_world.refuse_record(OTHER.value)

        with pytest.raises(SyncError):
            mirror.apply_balances([a.a_balance_view("0.00"), a.a_balance_view(sold_to=OTHER)], [])

        assert mirror.shown_balances([a.ACCOUNT, OTHER]) == {
            (a.ACCOUNT, "EUR"): store_world.told(a.a_balance())
        }

    # Captures.

    def _authorised(self, store: Store, world: StoreWorld, **changes: Any) -> CapturesPayments:
        """A store with an order of 121.00 of which 100.00 are authorised on a card."""
        captures = having(store, CapturesPayments)
        paid = Payment("visa", PaymentState.AUTHORISED, a.money("100.00"), "pay-1")
        fields = {"payments": (paid,), **changes}
        world.place_order(a.a_retail_order(order_id=WebOrderId("order-1"), **fields))
        return captures

    @pytest.mark.rule("OI-10")
    def test_a_capture_is_made_once_under_its_key(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        captures = self._authorised(store, store_world)
        one, two = WebOrderId("order-1"), WebOrderId("order-2")
        assert dict(captures.captures([one, two])) == {}

        first = captures.capture(one, a.money("60.50"), IdempotencyKey("key-1"))
        again = captures.capture(one, a.money("60.50"), IdempotencyKey("key-1"))

        assert (first.key, first.amount) == (IdempotencyKey("key-1"), a.money("60.50"))
        assert first.state in (CaptureState.REQUESTED, CaptureState.CAPTURED)
        assert again == first
        assert {key: list(held) for key, held in captures.captures([one, two]).items()} == {
            one: [first]
        }

    @pytest.mark.rule("OI-10")
    def test_no_more_is_captured_than_was_authorised(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        captures = self._authorised(store, store_world)
        order = WebOrderId("order-1")
        with pytest.raises(Rejected):
            captures.capture(order, a.money("100.01"), IdempotencyKey("key-0"))
        captures.capture(order, a.money("60.50"), IdempotencyKey("key-1"))
        with pytest.raises(Rejected):
            captures.capture(order, a.money("39.51"), IdempotencyKey("key-2"))
        captures.capture(order, a.money("39.50"), IdempotencyKey("key-3"))
        held = captures.captures([order])[order]
        assert [each.key.value for each in held] == ["key-1", "key-3"]
        # What was paid with stays what it was: it is progress, and no change of the order.
        assert isinstance(store, ReadsWebOrders)
        shown = store.order(order)
        assert isinstance(shown, WebOrder)
        assert [each.amount for each in shown.payments] == [a.money("100.00")]

    @pytest.mark.rule("OI-10")
    @pytest.mark.parametrize(
        "paid",
        [
            Payment("visa", PaymentState.EXPIRED, a.money("100.00"), "pay-1"),
            Payment("visa", PaymentState.DECLINED, a.money("100.00"), "pay-1"),
            Payment(
                *("visa", PaymentState.AUTHORISED, a.money("100.00"), "pay-1"),
                expires_at=datetime(2000, 1, 1, tzinfo=UTC),
            ),
            Payment("on-account", PaymentState.NONE),
        ],
        ids=["expired", "declined", "ended", "on terms"],
    )
    def test_nothing_is_captured_of_what_is_not_authorised(
        self, store: Store, store_world: StoreWorld, paid: Payment
    ) -> None:
        captures = self._authorised(store, store_world, payments=(paid,))
        order = WebOrderId("order-1")
        with pytest.raises(Rejected):
            captures.capture(order, a.money("0.01"), IdempotencyKey("key-1"))
        with pytest.raises(Rejected):
            captures.capture(WebOrderId("nothing"), a.money("0.01"), IdempotencyKey("key-1"))
        assert dict(captures.captures([order])) == {}

    @pytest.mark.rule("OI-10")
    def test_refunds_are_told_with_the_order(self, store: Store, store_world: StoreWorld) -> None:
        orders = having(store, ReadsWebOrders)
        having(store, CapturesPayments)
        refunds = (a.a_refund(), a.a_refund("0.01", refund_id=RefundId("R-2")))
        order = a.a_retail_order(order_id=WebOrderId("order-1"), refunds=refunds)
        store_world.place_order(order)
        assert orders.order(order.order_id) == order

    # Orders from every source.

    @pytest.mark.rule("WA-8", "MI-5")
    def test_orders_of_accounts_are_found_by_number_whosever_they_are(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccountOrders)
        finder = having(store, FindsShownAccountOrders)
        _put_accounts(store)
        number, other = ErpOrderNumber("9001"), ErpOrderNumber("09001")
        mirror.apply_account_orders(
            [
                a.an_account_order_view("9001"),
                a.an_account_order_view("9001", sold_to=OTHER),
                a.an_account_order_view("09001"),
            ],
            [],
        )
        both = {(a.ACCOUNT, number), (OTHER, number)}
        assert set(finder.shown_account_order_keys([number])) == both
        assert list(finder.shown_account_order_keys([])) == []
        mirror.apply_account_orders([], [(OTHER, number)])
        assert set(finder.shown_account_order_keys([number, other])) == {
            (a.ACCOUNT, number),
            (a.ACCOUNT, other),
        }

    @pytest.mark.rule("MI-5", "WA-8", "WA-9")
    def test_orders_of_an_account_are_shown_as_put_and_are_no_web_orders(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccountOrders)
        _put_accounts(store)
        full = a.an_account_order_view(web_order=WebOrderId("order-1"))
        bare = a.an_account_order_view(
            "9002",
            source=OrderSource.EDI,
            lines=(AccountOrderLine(1, Decimal("0.125")),),
            requested_on=None,
            po_number=None,
            total=a.money("123456789012345.6789"),
        )
        theirs = a.an_account_order_view(sold_to=OTHER)
        mirror.apply_account_orders([full, bare, theirs], [])

        assert mirror.shown_account_orders([a.ACCOUNT]) == {
            (a.ACCOUNT, each.order.number): store_world.told(each.order) for each in (full, bare)
        }
        assert mirror.shown_account_orders([OTHER]) == {
            (OTHER, theirs.order.number): store_world.told(theirs.order)
        }
        assert dict(mirror.shown_account_orders([])) == {}
        if isinstance(store, MirrorsAccounts):
            assert set(store.shown_customer_ids()) == {a.ACCOUNT, OTHER}
        if isinstance(store, ReadsWebOrders):
            assert list(store.changed_orders(None)) == []
            assert store.order(WebOrderId("order-1")) is None

    @pytest.mark.rule("MI-1", "MI-5")
    def test_an_order_of_an_account_is_replaced_whole_and_one_that_went_removed(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccountOrders)
        _put_accounts(store)
        gone = a.an_account_order_view("9002")
        mirror.apply_account_orders([a.an_account_order_view(), gone], [])
        shipped = a.an_account_order_view(state=ErpOrderState.SHIPPED, lines=())
        for _ in range(2):
            mirror.apply_account_orders([shipped], [(a.ACCOUNT, gone.order.number)])

        assert mirror.shown_account_orders([a.ACCOUNT]) == {
            (a.ACCOUNT, shipped.order.number): store_world.told(shipped.order)
        }

    def test_a_refused_order_of_an_account_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAccountOrders)
        _put_accounts(store)
        mirror.apply_account_orders([a.an_account_order_view()], [])
        store_world.refuse_record("REFUSED")
        moved = a.an_account_order_view(state=ErpOrderState.INVOICED)

        with pytest.raises(SyncError):
            mirror.apply_account_orders([moved, a.an_account_order_view("REFUSED")], [])

        assert mirror.shown_account_orders([a.ACCOUNT]) == {
            (a.ACCOUNT, moved.order.number): store_world.told(a.an_account_order())
        }

    # Customers' own part numbers.

    @pytest.mark.rule("TL-6")
    def test_part_numbers_are_shown_as_put(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsCustomerParts)
        _put_accounts(store)
        own = [
            a.a_customer_part_view(),
            a.a_customer_part_view(sku=NUT, unit=None, description=None),
            a.a_customer_part_view(part_number=PartNumber("Größe/8 ½"), description=TRICKY),
        ]
        theirs = a.a_customer_part_view(sold_to=OTHER)
        mirror.apply_customer_parts([*own, theirs], [])

        assert mirror.shown_customer_parts([a.ACCOUNT]) == {
            each.part.key: store_world.told(each.part) for each in own
        }
        assert mirror.shown_customer_parts([OTHER]) == {
            theirs.part.key: store_world.told(theirs.part)
        }
        assert dict(mirror.shown_customer_parts([])) == {}
        if isinstance(store, MirrorsAccounts):
            assert set(store.shown_customer_ids()) == {a.ACCOUNT, OTHER}

    @pytest.mark.rule("TL-6", "MI-1")
    def test_a_part_number_is_replaced_and_removed_with_its_item(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsCustomerParts)
        _put_accounts(store)
        nut = a.a_customer_part_view(sku=NUT)
        mirror.apply_customer_parts([a.a_customer_part_view(), nut], [])
        changed = a.a_customer_part_view(unit="BOX", description=None)
        for _ in range(2):
            mirror.apply_customer_parts([changed], [nut.part.key])

        assert mirror.shown_customer_parts([a.ACCOUNT]) == {
            changed.part.key: store_world.told(changed.part)
        }

    def test_a_refused_part_number_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsCustomerParts)
        _put_accounts(store)
        mirror.apply_customer_parts([a.a_customer_part_view()], [])
        store_world.refuse_record("REFUSED")
        refused = a.a_customer_part_view(part_number=PartNumber("REFUSED"))

        with pytest.raises(SyncError):
            mirror.apply_customer_parts([a.a_customer_part_view(unit="BOX"), refused], [])

        assert mirror.shown_customer_parts([a.ACCOUNT]) == {
            a.a_customer_part().key: store_world.told(a.a_customer_part())
        }

    # Entitlements.

    @pytest.mark.rule("VE-5")
    def test_a_restricted_item_is_kept_for_whom_it_was_put(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsEntitlements)
        _put_accounts(store)
        several = a.an_entitlement(
            audiences=(
                a.account_audience(OTHER),
                a.account_audience(),
                Audience(AudienceKind.TAG, "Größe 2"),
                Audience(AudienceKind.PUBLIC, a.RETAIL_ACCOUNT.value, a.CHANNEL),
                a.retail_audience(),
            )
        )
        nobodys = a.an_entitlement(sku=NUT, audiences=())
        mirror.apply_entitlements([several, nobodys], [])

        told = {each.sku: store_world.told(each) for each in (several, nobodys)}
        assert mirror.shown_entitlements([a.SKU, NUT, Sku("OPEN")]) == told
        assert sorted(mirror.shown_restricted_items()) == [a.SKU, NUT]
        assert dict(mirror.shown_entitlements([])) == {}

    @pytest.mark.rule("VE-5", "MI-2")
    def test_an_entitlement_is_replaced_whole_and_an_item_is_opened_alone(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsEntitlements)
        _put_accounts(store)
        nut = a.an_entitlement(sku=NUT)
        mirror.apply_entitlements([a.an_entitlement(), nut], [])
        narrowed = a.an_entitlement(audiences=(Audience(AudienceKind.TAG, "LICENSED"),))
        for _ in range(2):
            mirror.apply_entitlements([narrowed], [NUT, Sku("OPEN")])

        assert mirror.shown_entitlements([a.SKU, NUT]) == {a.SKU: store_world.told(narrowed)}
        assert list(mirror.shown_restricted_items()) == [a.SKU]

    @pytest.mark.rule("VE-5", "WA-8")
    def test_an_item_kept_for_an_account_that_is_withdrawn_is_nobodys_and_not_everybodys(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, accounts = having(store, MirrorsEntitlements), having(store, MirrorsAccounts)
        _put_accounts(store)
        both = a.an_entitlement(
            sku=NUT, audiences=(a.account_audience(OTHER), a.account_audience())
        )
        mirror.apply_entitlements([a.an_entitlement(), both], [])
        accounts.withdraw_account(a.ACCOUNT)

        shown = mirror.shown_entitlements([a.SKU, NUT])
        assert shown[a.SKU].audiences == ()
        assert shown[NUT].audiences == (a.account_audience(OTHER),)
        assert list(accounts.shown_customer_ids()) == [OTHER]

    @pytest.mark.rule("VE-5")
    def test_a_refused_item_leaves_the_restrictions_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsEntitlements)
        _put_accounts(store)
        mirror.apply_entitlements([a.an_entitlement()], [])
        store_world.refuse_record(NUT.value)

        with pytest.raises(SyncError):
            mirror.apply_entitlements([a.an_entitlement(sku=NUT)], [a.SKU])

        assert list(mirror.shown_restricted_items()) == [a.SKU]

    # Documents.

    @pytest.mark.rule("WA-8", "TL-7")
    def test_documents_are_found_by_kind_and_number_whosever_they_are(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, finder = having(store, MirrorsDocuments), having(store, FindsShownDocuments)
        _put_accounts(store)
        note = DocumentKind.DELIVERY_NOTE
        for view in (
            a.a_document_view(),
            a.a_document_view(sold_to=OTHER),
            a.a_document_view(kind=note),
        ):
            mirror.publish_document(view, [a.PDF])
        number = a.a_document_view().document.number
        kind = a.a_document_view().document.kind
        asked = [(kind, number), (kind, DocumentNumber("D-NOBODYS"))]
        assert set(finder.shown_document_keys(asked)) == {
            (a.ACCOUNT, kind, number),
            (OTHER, kind, number),
        }
        assert list(finder.shown_document_keys([])) == []

    @pytest.mark.rule("TL-7")
    def test_documents_are_shown_as_put(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsDocuments)
        _put_accounts(store)
        image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5
        own = [
            (a.a_document_view(), a.PDF),
            (
                a.a_document_view(
                    image,
                    kind=DocumentKind.DELIVERY_NOTE,
                    number=DocumentNumber("Größe/8 ½"),
                    place=f"notes/{TRICKY}",
                    web_reference=TRICKY,
                    erp_order=ErpOrderNumber("SO-1"),
                    web_order=WebOrderId("order-1"),
                    content=a.a_content(image, MediaType.PNG),
                ),
                image,
            ),
        ]
        theirs = a.a_document_view(b"%PDF-theirs%%EOF", sold_to=OTHER)
        for view, content in own:
            mirror.publish_document(view, [content[:7], b"", content[7:]])
        mirror.publish_document(theirs, [b"%PDF-theirs%%EOF"])

        assert mirror.shown_documents([a.ACCOUNT]) == {
            view.document.key: store_world.told(view.document) for view, _ in own
        }
        assert list(mirror.shown_documents([OTHER])) == [theirs.document.key]
        assert dict(mirror.shown_documents([])) == {}
        for view, content in own:
            assert view.document.content is not None
            held = mirror.document_content(view.document.content.sha256)
            assert b"".join(held) == content
        assert list(mirror.document_content("0" * 64)) == []
        if isinstance(store, MirrorsAccounts):
            assert set(store.shown_customer_ids()) == {a.ACCOUNT, OTHER}

    @pytest.mark.rule("TL-7")
    @pytest.mark.parametrize(
        "content", [b"", a.PDF[:-1], a.PDF + b" ", a.PDF.replace(b"Catalog", b"catalog")]
    )
    def test_content_that_is_not_what_the_document_tells_is_not_shown(
        self, store: Store, store_world: StoreWorld, content: bytes
    ) -> None:
        mirror = having(store, MirrorsDocuments)
        _put_accounts(store)
        other = a.a_document_view(number=DocumentNumber("2"))
        mirror.publish_document(other, [a.PDF])

        with pytest.raises(Rejected):
            mirror.publish_document(a.a_document_view(), [content])

        # Nor is what another document has of the same content lost over it.
        assert mirror.shown_documents([a.ACCOUNT]) == {
            other.document.key: store_world.told(other.document)
        }
        assert b"".join(mirror.document_content(a.a_content().sha256)) == a.PDF

    @pytest.mark.rule("TL-7")
    def test_content_is_kept_for_as_long_as_a_document_has_it(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsDocuments)
        _put_accounts(store)
        views = [a.a_document_view(number=DocumentNumber(each)) for each in "12"]
        for view in views:
            mirror.publish_document(view, [a.PDF])
        sha256 = a.a_content().sha256

        mirror.apply_documents([], [views[0].document.key])
        assert b"".join(mirror.document_content(sha256)) == a.PDF

        other = b"%PDF-another%%EOF"
        changed = a.a_document_view(other, number=DocumentNumber("2"), version="2-17")
        for _ in range(2):
            mirror.publish_document(changed, [other])
            mirror.apply_documents([], [views[0].document.key])
        assert list(mirror.document_content(sha256)) == []
        assert mirror.shown_documents([a.ACCOUNT]) == {
            changed.document.key: store_world.told(changed.document)
        }

    @pytest.mark.rule("TL-7")
    def test_a_document_is_put_again_without_its_content_only_where_that_is_held(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsDocuments)
        _put_accounts(store)
        mirror.publish_document(a.a_document_view(), [a.PDF])
        linked = a.a_document_view(web_order=WebOrderId("order-1"))
        mirror.apply_documents([linked], [])
        unheard = a.a_document_view(b"%PDF-unheard%%EOF", number=DocumentNumber("9"))

        with pytest.raises(Rejected):
            mirror.apply_documents([a.a_document_view(), unheard], [])

        assert mirror.shown_documents([a.ACCOUNT]) == {
            linked.document.key: store_world.told(linked.document)
        }

    @pytest.mark.rule("TL-7", "WA-8")
    def test_withdrawing_an_account_takes_its_contents_and_leaves_those_of_others(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, accounts = having(store, MirrorsDocuments), having(store, MirrorsAccounts)
        _put_accounts(store)
        secret = b"%PDF-secret%%EOF"
        mirror.publish_document(a.a_document_view(), [a.PDF])
        mirror.publish_document(a.a_document_view(secret, number=DocumentNumber("2")), [secret])
        mirror.publish_document(a.a_document_view(sold_to=OTHER), [a.PDF])

        accounts.withdraw_account(a.ACCOUNT)

        assert dict(mirror.shown_documents([a.ACCOUNT])) == {}
        assert list(mirror.document_content(a.a_content(secret).sha256)) == []
        assert b"".join(mirror.document_content(a.a_content().sha256)) == a.PDF

    def test_a_refused_document_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsDocuments)
        _put_accounts(store)
        mirror.publish_document(a.a_document_view(), [a.PDF])
        store_world.refuse_record("REFUSED")

        with pytest.raises(SyncError):
            mirror.publish_document(a.a_document_view(number=DocumentNumber("REFUSED")), [a.PDF])

        assert mirror.shown_documents([a.ACCOUNT]) == {
            a.a_document().key: store_world.told(a.a_document())
        }
        assert b"".join(mirror.document_content(a.a_content().sha256)) == a.PDF

    # Availability.

    @pytest.mark.rule("MI-4", "VE-7")
    def test_availability_is_shown_to_its_audience_as_put(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAvailability)
        _put_accounts(store)
        everybody = Audience(AudienceKind.ACCOUNTS)
        public = Audience(AudienceKind.PUBLIC, a.RETAIL_ACCOUNT.value, a.CHANNEL)
        figures = [
            a.an_availability("0.0010"),
            a.an_availability("-7", warehouse="Größe 2", next_due=date(2025, 4, 1)),
            a.an_availability("123456789012345.6789", sku=NUT, discontinued=True),
        ]
        mirror.apply_availability([(everybody, each) for each in figures], [])
        mirror.apply_availability([(public, figures[0])], [])

        shown = mirror.shown_availability(everybody)
        assert shown == {each.key: store_world.told(each) for each in figures}
        assert str(shown[figures[2].key].available) == "123456789012345.6789"
        assert list(mirror.shown_availability(public)) == [figures[0].key]
        assert dict(mirror.shown_availability(a.retail_audience())) == {}
        assert set(mirror.shown_stock_audiences()) == {everybody, public}

    @pytest.mark.rule("MI-4")
    def test_what_is_shown_of_stock_can_be_gone_through_item_by_item(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAvailability)
        _put_accounts(store)
        everybody, mine = Audience(AudienceKind.ACCOUNTS), a.account_audience()
        skus = [Sku(each) for each in ("b", "A-10", "\u00e4", "a", "A-9", "A9", "\u00c4")]
        for sku in skus:
            to = [(each, a.an_availability(sku=sku)) for each in (everybody, mine)]
            mirror.apply_availability(to, [])
        mirror.apply_availability([(mine, a.an_availability(sku=skus[0], warehouse="W2"))], [])

        assert list(mirror.shown_stocked_items(None, 99)) == sorted(skus)
        first = list(mirror.shown_stocked_items(None, 3))
        rest = list(mirror.shown_stocked_items(first[-1], 99))
        assert (len(first), [*first, *rest]) == (3, sorted(skus))
        assert list(mirror.shown_stocked_items(rest[-1], 3)) == []

        shown = mirror.shown_stock([skus[0], skus[1], NUT])
        figure, other = a.an_availability(sku=skus[0]), a.an_availability(sku=skus[1])
        second = a.an_availability(sku=skus[0], warehouse="W2")
        assert shown == {
            PublishedStockKey(audience, *each.key): store_world.told(each)
            for audience, each in [
                *((audience, each) for audience in (everybody, mine) for each in (figure, other)),
                (mine, second),
            ]
        }
        assert dict(mirror.shown_stock([])) == {}

    @pytest.mark.rule("MI-4", "MI-2")
    def test_availability_is_replaced_and_removed_for_one_audience(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAvailability)
        _put_accounts(store)
        both = [a.account_audience(), a.account_audience(OTHER)]
        mirror.apply_availability([(each, a.an_availability()) for each in both], [])
        gone = PublishedStockKey(both[0], *a.an_availability().key)
        sold = a.an_availability("0", next_due=date(2025, 4, 1))
        for _ in range(2):
            mirror.apply_availability([(both[1], sold)], [gone])

        assert dict(mirror.shown_availability(both[0])) == {}
        assert mirror.shown_availability(both[1]) == {sold.key: store_world.told(sold)}
        if isinstance(store, MirrorsAccounts):
            store.withdraw_account(OTHER)
            assert list(mirror.shown_stock_audiences()) == []

    def test_a_refused_item_leaves_the_availability_of_the_others_as_it_was(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsAvailability)
        _put_accounts(store)
        mine = a.account_audience()
        mirror.apply_availability([(mine, a.an_availability())], [])
        store_world.refuse_record(NUT.value)

        with pytest.raises(SyncError):
            mirror.apply_availability(
                [(mine, a.an_availability("1")), (mine, a.an_availability(sku=NUT))], []
            )

        assert mirror.shown_availability(mine) == {
            a.an_availability().key: store_world.told(a.an_availability())
        }

    # Prices.

    @pytest.mark.rule("WA-6", "WA-7")
    @pytest.mark.parametrize(
        "amount",
        ["0.0001", "9.9900", "10.0050", "123456789012345.6789", "0.0000", "0.00000001", None],
    )
    def test_a_price_is_shown_exactly(
        self, store: Store, store_world: StoreWorld, amount: str | None
    ) -> None:
        mirror = having(store, MirrorsPrices)
        _put_accounts(store)
        price = a.a_price(amount, valid_until=date(2025, 12, 31))
        mirror.apply_prices([(published(price), price.value)], [])

        shown = mirror.shown_prices(a.account_audience(), price.key.scope)

        assert shown == {price.key: price.value}
        assert str(shown[price.key].unit_price) == str(price.value.unit_price)

    @pytest.mark.rule("WA-6", "VE-12")
    def test_entries_that_differ_in_any_part_of_their_key_are_apart(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsPrices)
        _put_accounts(store)
        entries = [
            a.a_price("1.0000"),
            a.a_price("2.0000", min_quantity=Decimal(10)),
            a.a_price("3.0000", min_quantity=Decimal("10.5")),
            a.a_price("4.0000", unit="BOX"),
            a.a_price("5.0000", currency="USD"),
            a.a_price("6.0000", sku=NUT),
            a.a_price("7.0000", price_list="SUMMER"),
            a.a_price("8.0000", valid_from=date(2025, 6, 1)),
            a.a_price("9.0000", priority=5),
            a.a_price("10.0000", warehouse="W2"),
        ]
        mirror.apply_prices([(published(entry), entry.value) for entry in entries], [])
        mirror.apply_prices([(published(entry), entry.value) for entry in entries], [])

        assert mirror.shown_prices(a.account_audience(), entries[0].key.scope) == {
            entry.key: entry.value for entry in entries
        }

    @pytest.mark.rule("WA-6")
    def test_the_same_item_has_its_own_price_for_each_account(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsPrices)
        _put_accounts(store)
        mine, theirs = a.a_price("9.9900"), a.a_price("7.7700", scope=PriceScope.account(OTHER))
        audience = a.account_audience(OTHER)
        mirror.apply_prices(
            [(published(mine), mine.value), (published(theirs, audience), theirs.value)], []
        )

        assert mirror.shown_prices(a.account_audience(), mine.key.scope) == {mine.key: mine.value}
        assert mirror.shown_prices(audience, theirs.key.scope) == {theirs.key: theirs.value}
        assert dict(mirror.shown_prices(audience, mine.key.scope)) == {}

    @pytest.mark.rule("VE-7")
    def test_one_entry_is_shown_to_each_audience_by_itself(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsPrices)
        price = a.a_price(scope=DEFAULT_LIST)
        audiences = [
            Audience(AudienceKind.PUBLIC, a.RETAIL_ACCOUNT.value, a.CHANNEL),
            a.retail_audience(),
            a.retail_audience(CustomerId("RETAIL-US")),
            a.retail_audience(channel=ChannelId("other")),
            Audience(AudienceKind.ACCOUNTS),
            a.account_audience(),
            Audience(AudienceKind.LOCATION, "SITE-1"),
            Audience(AudienceKind.GROUP, "SITE-1"),
        ]
        mirror.apply_prices([(published(price, each), price.value) for each in audiences], [])
        assert set(mirror.shown_price_partitions()) == {(each, DEFAULT_LIST) for each in audiences}

        for gone in audiences:
            mirror.apply_prices([], [published(price, gone)])
            assert dict(mirror.shown_prices(gone, DEFAULT_LIST)) == {}
        assert list(mirror.shown_price_partitions()) == []

    @pytest.mark.rule("VE-7", "MI-1")
    def test_a_price_that_others_touched_is_still_told(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        """What is left out, no plan would ever remove: not even behind a new login wall."""
        mirror, price = having(store, MirrorsPrices), a.a_price(scope=DEFAULT_LIST)
        public = Audience(AudienceKind.PUBLIC, a.RETAIL_ACCOUNT.value, a.CHANNEL)
        mirror.apply_prices([(published(price, public), price.value)], [])

        store_world.touch_prices()
        shown = mirror.shown_prices(public, DEFAULT_LIST)
        assert list(shown) == [price.key]
        assert shown[price.key] != price.value

        mirror.apply_prices([(published(price, public), price.value)], [])
        assert mirror.shown_prices(public, DEFAULT_LIST) == {price.key: price.value}
        store_world.touch_prices()
        keys = list(mirror.shown_prices(public, DEFAULT_LIST))
        mirror.apply_prices([], [PublishedPriceKey(public, key) for key in keys])
        assert list(mirror.shown_price_partitions()) == []

    @pytest.mark.rule("MI-1", "WA-6")
    def test_partitions_are_listed_once_and_gone_when_empty(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsPrices)
        _put_accounts(store)
        entries = [
            a.a_price(),
            a.a_price(sku=NUT),
            a.a_price(scope=ITEM_OVERRIDES),
            a.a_price(scope=PriceScope.group("GOLD")),
        ]
        mirror.apply_prices([(published(entry), entry.value) for entry in entries], [])
        assert sorted(scope for _, scope in mirror.shown_price_partitions()) == [
            ITEM_OVERRIDES,
            PriceScope.account(a.ACCOUNT),
            PriceScope.group("GOLD"),
        ]

        mirror.apply_prices([], [published(entry) for entry in entries[:2]])
        mirror.apply_prices([], [published(entry) for entry in entries[:2]])

        assert sorted(scope for _, scope in mirror.shown_price_partitions()) == [
            ITEM_OVERRIDES,
            PriceScope.group("GOLD"),
        ]

    def test_a_refused_price_leaves_the_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsPrices)
        _put_accounts(store)
        held = a.a_price("9.9900")
        mirror.apply_prices([(published(held), held.value)], [])
        store_world.refuse_record("REFUSED")
        dearer, refused = a.a_price("10.9900"), a.a_price(sku=Sku("REFUSED"))

        with pytest.raises(SyncError):
            mirror.apply_prices(
                [(published(dearer), dearer.value), (published(refused), refused.value)], []
            )
        with pytest.raises(SyncError):
            mirror.apply_prices([(published(refused), refused.value)], [published(held)])

        assert mirror.shown_prices(a.account_audience(), held.key.scope) == {held.key: held.value}

    def test_a_full_batch_is_taken_in_one_call(self, store: Store, store_world: StoreWorld) -> None:
        mirror = having(store, MirrorsPrices)
        _put_accounts(store)
        most = store.capabilities.prices_at_once
        entries = [a.a_price(sku=Sku(f"ITEM-{number}")) for number in range(most)]
        mirror.apply_prices([(published(entry), entry.value) for entry in entries], [])

        assert len(mirror.shown_prices(a.account_audience(), entries[0].key.scope)) == len(entries)

        mirror.apply_prices([], [published(entry) for entry in entries])
        assert list(mirror.shown_price_partitions()) == []

    @pytest.mark.rule("MI-1", "WA-6")
    def test_calls_at_once_come_to_the_same_as_one_after_the_other(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror = having(store, MirrorsPrices)
        calls = store.capabilities.price_calls
        if calls == 1:
            pytest.skip(f"{store.capabilities.name} takes one call with prices at a time")
        _put_accounts(store)
        # Of one item, and of one that is for all accounts: what such calls have in common.
        entries = [a.a_price(f"{9 - n}.00", min_quantity=Decimal(n)) for n in range(1, 7)]
        entries += [
            a.a_price("8.50", scope=ITEM_OVERRIDES, sku=NUT),
            a.a_price("7.00", sku=NUT),
            a.a_price("6.00", scope=PriceScope.group("GOLD")),
        ]

        def shown() -> dict[PriceKey, PriceValue]:
            partitions = list(mirror.shown_price_partitions())
            found = [mirror.shown_prices(*each) for each in partitions]
            return {key: value for each in found for key, value in each.items()}

        together(
            entries,
            lambda entry: mirror.apply_prices([(published(entry), entry.value)], []),
            threads=calls,
        )
        assert shown() == {entry.key: entry.value for entry in entries}

        gone, stay = entries[::2], entries[1::2]
        together(gone, lambda entry: mirror.apply_prices([], [published(entry)]), threads=calls)
        assert shown() == {entry.key: entry.value for entry in stay}

    @pytest.mark.rule("VE-7", "OP-3")
    def test_a_quote_shows_what_the_audiences_see_and_no_more(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, quotes = having(store, MirrorsPrices), having(store, QuotesPrices)
        _put_accounts(store)
        mine, listed = a.a_price("9.9900"), a.a_price("12.0000", scope=DEFAULT_LIST)
        theirs = a.a_price("7.7700", scope=PriceScope.account(OTHER))
        everyone = Audience(AudienceKind.ACCOUNTS)
        shown = {
            published(mine): mine.value,
            published(listed, everyone): listed.value,
            published(theirs, a.account_audience(OTHER)): theirs.value,
        }
        mirror.apply_prices(list(shown.items()), [])

        assert dict(quotes.shown_to([a.account_audience(), everyone])) == {
            published(mine): mine.value,
            published(listed, everyone): listed.value,
        }
        assert list(quotes.shown_to([])) == []

    # Prices by column.

    @pytest.mark.rule("WA-6", "WA-7")
    def test_prices_put_in_rows_are_shown_as_those_put_one_by_one(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        mine, theirs = a.account_audience(), a.account_audience(OTHER)
        prices = tricky_prices()
        scope = prices[0].key.scope
        for price in prices:
            mirror.apply_prices([(published(price, theirs), price.value)], [])

        for _ in range(2):
            batches.apply_price_rows(in_rows(prices), [])
            shown = mirror.shown_prices(mine, scope)
            assert shown == {price.key: price.value for price in prices}
            assert shown == mirror.shown_prices(theirs, scope)

        mirror.apply_prices([], [published(price) for price in prices[::2]])
        batches.apply_price_rows([], in_rows(prices[::2], theirs))
        left = {price.key: price.value for price in prices[1::2]}
        assert mirror.shown_prices(mine, scope) == mirror.shown_prices(theirs, scope) == left
        batches.apply_price_rows([], in_rows(prices))
        mirror.apply_prices([], [published(price, theirs) for price in prices])
        assert list(mirror.shown_price_partitions()) == []

    @pytest.mark.rule("WA-6", "MI-2")
    @pytest.mark.parametrize("seed", range(3))
    def test_any_run_of_changes_ends_alike_in_rows_and_one_by_one(
        self, store: Store, store_world: StoreWorld, seed: int
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        mine, theirs = a.account_audience(), a.account_audience(OTHER)
        chance, pool = random.Random(seed), tricky_prices()
        scope = pool[0].key.scope
        for _ in range(6):
            put = [
                Price(each.key, PriceValue(Decimal(chance.randrange(10**6)).scaleb(-4)))
                for each in chance.sample(pool, chance.randrange(len(pool)))
            ]
            # Some of them are put in the same call, and some are not there.
            gone = chance.sample(pool, chance.randrange(len(pool)))
            mirror.apply_prices(
                [(published(each, theirs), each.value) for each in put],
                [published(each, theirs) for each in gone],
            )
            batches.apply_price_rows(in_rows(put), in_rows(gone))

            shown = mirror.shown_prices(mine, scope)
            assert shown == mirror.shown_prices(theirs, scope)
            assert {each.key: each.value for each in put}.items() <= shown.items()
            assert not {each.key for each in gone} - {each.key for each in put} & shown.keys()

    @pytest.mark.rule("VE-7", "WA-6")
    def test_rows_of_several_audiences_and_scopes_change_in_one_call(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        quotes = having(store, QuotesPrices)
        _put_accounts(store)
        everyone, shoppers = Audience(AudienceKind.ACCOUNTS), a.retail_audience()
        listed = [
            a.a_price("12.0000", scope=DEFAULT_LIST),
            a.a_price("11.0000", scope=ITEM_OVERRIDES),
        ]
        own, gold = a.a_price("9.9900"), a.a_price("8.0000", scope=PriceScope.group("GOLD"))
        audiences = {everyone: listed, shoppers: listed, a.account_audience(): [own, gold]}

        batches.apply_price_rows(
            [rows for each, prices in audiences.items() for rows in in_rows(prices, each)], []
        )
        assert dict(quotes.shown_to(audiences)) == {
            published(price, each): price.value
            for each, prices in audiences.items()
            for price in prices
        }

        dearer = Price(own.key, PriceValue(Decimal("10.01")))
        batches.apply_price_rows(
            [*in_rows([dearer]), *in_rows([own], everyone)],
            [*in_rows(listed, shoppers), *in_rows([gold, own])],
        )
        assert dict(quotes.shown_to(audiences)) == {
            **{published(price, everyone): price.value for price in (*listed, own)},
            published(own): dearer.value,
        }
        assert set(mirror.shown_price_partitions()) == {
            *((everyone, price.key.scope) for price in (*listed, own)),
            (a.account_audience(), own.key.scope),
        }

    @pytest.mark.rule("WA-7")
    def test_of_removed_rows_only_the_key_counts(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        price = a.a_price("9.9900", min_quantity=Decimal("10.50"), valid_until=date(2025, 12, 31))
        same = a.a_price(None, min_quantity=Decimal("10.5"))
        mirror.apply_prices([(published(price), price.value)], [])

        batches.apply_price_rows([], in_rows([same]))

        assert list(mirror.shown_price_partitions()) == []

    @pytest.mark.rule("WA-7")
    def test_rows_take_the_place_of_prices_put_one_by_one_and_the_other_way_round(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        first = a.a_price("9.9900", min_quantity=Decimal("10.50"), warehouse="W2")
        second = a.a_price("8.0000", min_quantity=Decimal("10.5"), warehouse="W2")
        mirror.apply_prices([(published(first), first.value)], [])

        for price in (second, first):
            batches.apply_price_rows(in_rows([price]), [])
            shown = mirror.shown_prices(a.account_audience(), first.key.scope)
            assert shown == {price.key: price.value}
        mirror.apply_prices([(published(second), second.value)], [])
        shown = mirror.shown_prices(a.account_audience(), first.key.scope)
        assert shown == {second.key: second.value}

    def test_rows_come_in_any_order_and_any_number(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        most = 2 * store.capabilities.prices_at_once + 1
        prices = [a.a_price(f"{number}.50", sku=Sku(f"ITEM-{number}")) for number in range(most)]
        [whole] = in_rows(prices)
        backwards = whole.rows.take(list(reversed(range(most))))
        # A part of a table does not begin where its memory begins.
        halves = [backwards.slice(most // 2), backwards.slice(0, most // 2)]

        for put in ([dataclasses.replace(whole, rows=half) for half in halves], [whole]):
            batches.apply_price_rows(put, [])
            assert mirror.shown_prices(whole.audience, whole.scope) == {
                price.key: price.value for price in prices
            }
        batches.apply_price_rows([], [dataclasses.replace(whole, rows=halves[0])])
        assert len(mirror.shown_prices(whole.audience, whole.scope)) == most // 2

    def test_no_rows_at_all_change_nothing(self, store: Store, store_world: StoreWorld) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        [one] = in_rows([a.a_price()])
        nothing = dataclasses.replace(one, rows=one.rows.slice(1))
        batches.apply_price_rows([one], [])

        batches.apply_price_rows([], [])
        batches.apply_price_rows([nothing], [nothing])

        assert len(mirror.shown_prices(one.audience, one.scope)) == 1

    @pytest.mark.rule("WA-7")
    def test_one_refused_row_leaves_all_others_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        many = [a.a_price(sku=Sku(f"ITEM-{number}")) for number in range(2000)]
        held, gone = a.a_price("9.9900"), a.a_price("7", sku=NUT)
        batches.apply_price_rows(in_rows([held, gone]), [])
        store_world.refuse_record("REFUSED")
        dearer, refused = a.a_price("10.9900"), a.a_price(sku=Sku("REFUSED"))
        elsewhere = in_rows([*many, refused], a.account_audience(OTHER))

        for put in (in_rows([dearer, refused]), [*in_rows([dearer, *many]), *elsewhere]):
            with pytest.raises(SyncError):
                batches.apply_price_rows(put, in_rows([gone]))

            assert set(mirror.shown_price_partitions()) == {(a.account_audience(), held.key.scope)}
            assert mirror.shown_prices(a.account_audience(), held.key.scope) == {
                held.key: held.value,
                gone.key: gone.value,
            }

    @pytest.mark.rule("WA-7")
    @pytest.mark.parametrize(
        "mistake",
        [
            {"unit_price": Decimal(2)},
            {"sku": "OTHER", "unit_price": Decimal("-0.01")},
            {"currency": "eur"},
            {"sku": ""},
            {"sku": " NUT"},
        ],
    )
    def test_rows_that_no_prices_could_be_are_refused_whole(
        self, store: Store, store_world: StoreWorld, mistake: dict[str, object]
    ) -> None:
        mirror, batches = having(store, MirrorsPrices), having(store, TakesPriceBatches)
        _put_accounts(store)
        held, fine = a.a_price("9.9900"), a.a_price("1", sku=NUT)
        batches.apply_price_rows(in_rows([held]), [])
        # The types of a price forbid such values; columns come from elsewhere.
        [rows] = in_rows([fine])
        columns = rows.rows.to_pylist()
        both = rows.rows.from_pylist([*columns, columns[0] | mistake], schema=rows.rows.schema)

        with pytest.raises((ValueError, Rejected)):
            batches.apply_price_rows([dataclasses.replace(rows, rows=both)], in_rows([held]))

        assert mirror.shown_prices(rows.audience, rows.scope) == {held.key: held.value}

    # Checking.

    def test_a_check_reports_and_changes_nothing(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        store_world.place_order(an_order(1))

        findings = store.check()

        assert findings
        assert [each for each in findings if each.level is FindingLevel.ERROR] == []
        if isinstance(store, ReadsWebOrders):
            assert store.order(an_order(1).order_id) == store_world.told(an_order(1))
        if isinstance(store, MirrorsAccounts):
            assert list(store.shown_customer_ids()) == []

    def test_closing_twice_is_harmless(self, store: Store, store_world: StoreWorld) -> None:
        store.close()
        store.close()


def _put_accounts(store: Store) -> None:
    """Both accounts, as a flow puts them before anything that hangs on them."""
    if isinstance(store, MirrorsAccounts):
        store.put_accounts([a.an_account_view(), a.an_account_view(customer_id=OTHER)])


def _mirror_everything(store: Store, customer_id: CustomerId) -> None:
    """One record of every kind that the store mirrors for an account."""
    site = LocationId(f"SITE-{customer_id}")
    if isinstance(store, MirrorsAccounts):
        profile = a.a_profile(customer_id=customer_id, locations=(LocationProfile(site, "Yard"),))
        store.put_accounts([AccountView(a.individual(customer_id), profile)])
    if isinstance(store, MirrorsShipTos):
        store.apply_ship_tos([a.a_ship_to_view(sold_to=customer_id)], [])
        store.apply_bill_tos([a.a_bill_to_view(sold_to=customer_id)], [])
    if isinstance(store, MirrorsInvoices):
        store.apply_invoices([a.an_invoice_view(sold_to=customer_id)], [])
    if isinstance(store, MirrorsBalances):
        store.apply_balances([a.a_balance_view(sold_to=customer_id)], [])
    if isinstance(store, MirrorsAccountOrders):
        store.apply_account_orders([a.an_account_order_view(sold_to=customer_id)], [])
    if isinstance(store, MirrorsCustomerParts):
        store.apply_customer_parts([a.a_customer_part_view(sold_to=customer_id)], [])
    if isinstance(store, MirrorsDocuments):
        store.publish_document(a.a_document_view(sold_to=customer_id), [a.PDF])
    if isinstance(store, MirrorsAvailability):
        store.apply_availability([(a.account_audience(customer_id), a.an_availability())], [])
    if isinstance(store, MirrorsPrices):
        own = a.a_price(scope=PriceScope.account(customer_id))
        sites = a.a_price(scope=PriceScope.location(site))
        at_site = Audience(AudienceKind.LOCATION, site.value)
        store.apply_prices(
            [
                (published(own, a.account_audience(customer_id)), own.value),
                (published(sites, at_site), sites.value),
            ],
            [],
        )


_EVERYTHING = {
    "accounts": 1,
    "ship_tos": 1,
    "bill_tos": 1,
    "invoices": 1,
    "balances": 1,
    "account_orders": 1,
    "customer_parts": 1,
    "documents": 1,
    "availability": 1,
    "prices": 2,
}
_NOTHING = dict.fromkeys(_EVERYTHING, 0)


def _shown_of(store: Store, customer_id: CustomerId) -> dict[str, int]:
    """How many records of each kind the store shows; what it does not mirror counts as asked."""
    shown = dict(_EVERYTHING if customer_id == OTHER else _NOTHING)
    if isinstance(store, MirrorsAccounts):
        shown["accounts"] = len(store.shown_accounts([customer_id]))
    if isinstance(store, MirrorsShipTos):
        shown["ship_tos"] = len(store.shown_ship_tos([customer_id]))
        shown["bill_tos"] = len(store.shown_bill_tos([customer_id]))
    if isinstance(store, MirrorsInvoices):
        shown["invoices"] = len(store.shown_invoices([customer_id]))
    if isinstance(store, MirrorsBalances):
        shown["balances"] = len(store.shown_balances([customer_id]))
    if isinstance(store, MirrorsAvailability):
        shown["availability"] = len(store.shown_availability(a.account_audience(customer_id)))
    if isinstance(store, MirrorsAccountOrders):
        shown["account_orders"] = len(store.shown_account_orders([customer_id]))
    if isinstance(store, MirrorsCustomerParts):
        shown["customer_parts"] = len(store.shown_customer_parts([customer_id]))
    if isinstance(store, MirrorsDocuments):
        shown["documents"] = len(store.shown_documents([customer_id]))
    if isinstance(store, MirrorsPrices):
        site = LocationId(f"SITE-{customer_id}")
        at_site = Audience(AudienceKind.LOCATION, site.value)
        own, sites = PriceScope.account(customer_id), PriceScope.location(site)
        shown["prices"] = len(store.shown_prices(a.account_audience(customer_id), own)) + len(
            store.shown_prices(at_site, sites)
        )
    return shown
