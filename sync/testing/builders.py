"""Documents with sensible defaults, of which a test states only what matters.

Every builder takes the fields of its type as keywords. The defaults fit
together: the wholesale order is of the default account, ships to its default
ship-to and buys the default item at the default price.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sync.domain import registration
from sync.domain.account import (
    Account,
    AccountStatus,
    BillTo,
    Contact,
    CreditStatus,
    IndividualAccount,
    Item,
    Location,
    RetailGroups,
    ShipTo,
)
from sync.domain.account_order import AccountOrder, AccountOrderLine, OrderSource
from sync.domain.address import Address, TypedAddress
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance, AgeBucket, Ageing
from sync.domain.document import (
    Content,
    Document,
    DocumentKind,
    DocumentRecord,
    MediaType,
)
from sync.domain.entitlement import Entitlement
from sync.domain.ids import (
    ApplicationId,
    BillToId,
    ChannelId,
    ContactId,
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
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.money import Money
from sync.domain.order import (
    Adjustment,
    Approval,
    Buyer,
    Charge,
    ChargeKind,
    LineDiscount,
    Membership,
    OrderDiscount,
    OrderLine,
    OrderState,
    Organisation,
    Payment,
    PaymentState,
    Refund,
    Role,
    SelectedBillTo,
    SelectedShipTo,
    Tax,
    UnreadableOrder,
    WebOrder,
    WebUser,
)
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Audience, AudienceKind, Price, PriceKey, PriceScope, PriceValue
from sync.domain.registration import (
    AccountKind,
    Application,
    NewCustomer,
    RegistrationNotice,
    RegistrationView,
    UsableAccount,
)
from sync.domain.sales_order import (
    CodedAmount,
    ErpOrderState,
    LineStatus,
    OneOffShipTo,
    OnFileBillTo,
    OnFileShipTo,
    OrderStatus,
    PayBy,
    SalesOrder,
    SalesOrderLine,
    SalesOrderPayment,
    Shipment,
)
from sync.domain.settlement import CreditRequest, settlement_key
from sync.domain.views import (
    AccountOrderView,
    AccountProfile,
    AccountView,
    BalanceView,
    BillToView,
    CustomerPartView,
    DocumentView,
    InvoiceView,
    ShipToView,
)

T = TypeVar("T")

ACCOUNT = CustomerId("C-1001")
RETAIL_ACCOUNT = CustomerId("RETAIL-EU")
SHIP_TO = ShipToId("MAIN")
BILL_TO = BillToId("BILL")
SKU = Sku("BOLT-M8")
CHANNEL = ChannelId("web")
WEB_USER = WebUserId("u-7719")
ORGANISATION = OrganisationId("org-12")
KEY = IdempotencyKey("shop/order-1")
APPLICATION = ApplicationId("app-1")
CREDIT_KEY = settlement_key(KEY, "refund", "R-1", 16)
PLACED_AT = datetime(2025, 3, 3, 8, 30, tzinfo=UTC)


def _with(base: T, changes: dict[str, Any]) -> T:
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]


def money(amount: str, currency: str = "EUR") -> Money:
    """``money("12.3400")``: the scale of the text is kept."""
    return Money(Decimal(amount), currency)


def an_address(**changes: Any) -> Address:
    base = Address(
        name="Harbour Hardware",
        lines=("Dock Road 7",),
        city="Rotterdam",
        country="NL",
        postal_code="3011 AA",
    )
    return _with(base, changes)


def a_typed_address(**changes: Any) -> TypedAddress:
    base = TypedAddress(
        name="Ada Visser",
        lines=("Canal Street 12", "2nd floor"),
        city="Delft",
        country="NL",
        postal_code="2611 AB",
    )
    return _with(base, changes)


def an_account(**changes: Any) -> Account:
    base = Account(
        customer_id=ACCOUNT,
        name="Harbour Hardware",
        currencies=("EUR",),
        terms="NET30",
        contacts=(Contact(ContactId("P-1"), "buying@harbour.example"),),
        default_ship_to=SHIP_TO,
    )
    return _with(base, changes)


def a_retail_account(**changes: Any) -> Account:
    """The ERP account behind a retail group: no terms, no contacts, no ship-tos."""
    base = Account(customer_id=RETAIL_ACCOUNT, name="Retail Europe", currencies=("EUR",))
    return _with(base, changes)


def a_location(**changes: Any) -> Location:
    base = Location(location_id=LocationId("SITE-1"), sold_to=ACCOUNT, name="North yard")
    return _with(base, changes)


def a_ship_to(**changes: Any) -> ShipTo:
    base = ShipTo(ship_to_id=SHIP_TO, sold_to=ACCOUNT, address=an_address(), default=True)
    return _with(base, changes)


def a_bill_to(**changes: Any) -> BillTo:
    base = BillTo(
        bill_to_id=BILL_TO,
        sold_to=ACCOUNT,
        address=an_address(lines=("Quay 1",)),
        default=True,
    )
    return _with(base, changes)


def an_item(**changes: Any) -> Item:
    base = Item(
        sku=SKU,
        stock_unit="EA",
        units=(("BOX", Decimal("12")),),
        description="Bolt M8, galvanised",
    )
    return _with(base, changes)


def a_price_key(**changes: Any) -> PriceKey:
    base = PriceKey(
        scope=PriceScope.account(ACCOUNT),
        price_list="CONTRACT",
        sku=SKU,
        unit="EA",
        currency="EUR",
        min_quantity=Decimal(1),
    )
    return _with(base, changes)


def a_price(
    amount: str | None = "9.9900", *, valid_until: date | None = None, **key_changes: Any
) -> Price:
    """One entry: the amount as text (None: call for pricing), and fields of its key."""
    unit_price = Decimal(amount) if amount is not None else None
    return Price(a_price_key(**key_changes), PriceValue(unit_price, valid_until))


def a_balance(owed: str = "121.00", **changes: Any) -> AccountBalance:
    """What the account owes in euros, of which some is two weeks overdue by the ERP's word."""
    base = AccountBalance(
        sold_to=ACCOUNT,
        balance=money(owed),
        credit_limit=money("5000.00"),
        ageing=Ageing(
            (
                AgeBucket(money("21.00")),
                AgeBucket(money("100.00"), 1, 30),
                AgeBucket(money("0.00"), 31),
            )
        ),
    )
    return _with(base, changes)


def a_refund(amount: str = "12.10", **changes: Any) -> Refund:
    base = Refund(RefundId("R-1"), money(amount), datetime(2025, 3, 10, 9, 0, tzinfo=UTC))
    return _with(base, changes)


def a_credit_request(**changes: Any) -> CreditRequest:
    """What the store gave back of the order under KEY."""
    base = CreditRequest(
        order=KEY,
        erp_order=None,
        sold_to=ACCOUNT,
        web_order=WebOrderId("order-1"),
        web_number=WebOrderNumber("W-10482"),
        refund=RefundId("R-1"),
        amount=money("12.10"),
        refunded_on=date(2025, 3, 10),
    )
    return _with(base, changes)


def an_account_order(number: str = "9001", **changes: Any) -> AccountOrder:
    """An order that the account gave by telephone, of which half has left."""
    base = AccountOrder(
        number=ErpOrderNumber(number),
        sold_to=ACCOUNT,
        source=OrderSource.PHONE,
        state=ErpOrderState.PARTLY_SHIPPED,
        ordered_on=date(2025, 2, 10),
        total=money("121.00"),
        requested_on=date(2025, 3, 1),
        po_number="PO 4711/A",
        lines=(
            AccountOrderLine(
                number=1,
                quantity=Decimal("10.000"),
                sku=SKU,
                description="Bolt M8",
                unit="EA",
                unit_price=money("10.0000"),
                net=money("100.00"),
                shipped=Decimal("5.000"),
            ),
        ),
    )
    return _with(base, changes)


def a_customer_part(**changes: Any) -> CustomerPart:
    base = CustomerPart(
        sold_to=ACCOUNT,
        part_number=PartNumber("HH-0042"),
        sku=SKU,
        unit="EA",
        description="Deck bolt",
    )
    return _with(base, changes)


PDF = b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


def a_document_record(**changes: Any) -> DocumentRecord:
    base = DocumentRecord(
        kind=DocumentKind.INVOICE,
        number=DocumentNumber("INV-5001"),
        sold_to=ACCOUNT,
        issued_on=date(2025, 3, 1),
        place="invoices/INV-5001.pdf",
    )
    return _with(base, changes)


def a_content(content: bytes = PDF, media_type: MediaType = MediaType.PDF) -> Content:
    return Content(media_type, len(content), hashlib.sha256(content).hexdigest())


def a_document(file: bytes = PDF, /, **changes: Any) -> Document:
    base = Document(
        kind=DocumentKind.INVOICE,
        number=DocumentNumber("INV-5001"),
        sold_to=ACCOUNT,
        issued_on=date(2025, 3, 1),
        place="invoices/INV-5001.pdf",
        version="1-80",
        content=a_content(file),
    )
    return _with(base, changes)


def an_availability(available: str = "12.000", **changes: Any) -> Availability:
    return _with(Availability(sku=SKU, warehouse="W1", available=Decimal(available)), changes)


def an_invoice(**changes: Any) -> Invoice:
    base = Invoice(
        number=InvoiceNumber("INV-5001"),
        sold_to=ACCOUNT,
        kind=InvoiceKind.INVOICE,
        invoiced_on=date(2025, 2, 14),
        total=money("121.00"),
        tax=money("21.00"),
        open_amount=money("121.00"),
        dues=(DueDate(date(2025, 3, 16), money("121.00")),),
        lines=(
            InvoiceLine(
                number=1,
                quantity=Decimal(10),
                net=money("100.00"),
                sku=SKU,
                description="Bolt M8, galvanised",
                unit="EA",
                unit_price=money("10.0000"),
            ),
        ),
    )
    return _with(base, changes)


def a_line(**changes: Any) -> OrderLine:
    base = OrderLine(
        line_id="1", sku=SKU, quantity=Decimal(10), unit="EA", unit_price=money("9.9900")
    )
    return _with(base, changes)


def a_wholesale_buyer(**changes: Any) -> Buyer:
    base = Buyer(
        web_user=WEB_USER, signed_in=True, organisation=ORGANISATION, email="ada@harbour.example"
    )
    return _with(base, changes)


def a_guest(**changes: Any) -> Buyer:
    return _with(Buyer(email="ada@visser.example"), changes)


def a_card_payment(**changes: Any) -> Payment:
    base = Payment(
        method="card", state=PaymentState.AUTHORISED, amount=money("99.90"), reference="pay_123"
    )
    return _with(base, changes)


def a_web_order(**changes: Any) -> WebOrder:
    """A wholesale order on account terms, shipping to a ship-to on file."""
    base = WebOrder(
        order_id=WebOrderId("order-1"),
        number=WebOrderNumber("W-10482"),
        channel=CHANNEL,
        placed_at=PLACED_AT,
        modified_at=PLACED_AT,
        state=OrderState.AWAITING_FULFILMENT,
        buyer=a_wholesale_buyer(),
        currency="EUR",
        lines=(a_line(),),
        total=money("99.90"),
        ship_to=SelectedShipTo(SHIP_TO),
        payments=(Payment(method="on_account", state=PaymentState.NONE),),
    )
    return _with(base, changes)


def a_retail_order(**changes: Any) -> WebOrder:
    """A guest's order: paid by card, shipping to a typed address."""
    base = a_web_order(
        buyer=a_guest(),
        ship_to=a_typed_address(),
        bill_to=a_typed_address(),
        payments=(a_card_payment(),),
        priced_for=RETAIL_ACCOUNT,
    )
    return _with(base, changes)


def a_full_web_order(**changes: Any) -> WebOrder:
    """An order with every field filled, a kit, and scales that a float would lose."""
    base = WebOrder(
        order_id=WebOrderId("order-full"),
        number=WebOrderNumber("W-20001"),
        channel=CHANNEL,
        placed_at=PLACED_AT,
        modified_at=datetime(2025, 3, 3, 8, 31, 2, 345678, tzinfo=UTC),
        state=OrderState.PARTLY_FULFILLED,
        buyer=Buyer(
            web_user=WEB_USER,
            signed_in=True,
            organisation=ORGANISATION,
            location=LocationId("SITE-1"),
            email="ada@harbour.example",
            phone="+31 10 555 0100",
        ),
        currency="EUR",
        lines=(
            OrderLine(
                line_id="1",
                sku=SKU,
                quantity=Decimal("2.500"),
                unit="BOX",
                unit_price=money("99.9900"),
                discounts=(
                    LineDiscount("LOYAL", money("5.00"), Decimal("0.020")),
                    LineDiscount("SPRING", money("1.00")),
                ),
                customer_part_number="HH-0042",
                note="Galvanised only, 50 % now",
            ),
            OrderLine(
                line_id="2",
                sku=Sku("KIT-1"),
                quantity=Decimal(1),
                unit="EA",
                unit_price=money("40.0000"),
            ),
            OrderLine(
                line_id="2a",
                sku=Sku("NUT-M8"),
                quantity=Decimal(4),
                unit="EA",
                unit_price=money("0.0000"),
                kit_parent="2",
            ),
        ),
        total=money("293.36"),
        ship_to=TypedAddress(
            name="Zoë Müller",
            lines=("Straße 1", "c/o O'Brien"),
            city="Łódź",
            country="PL",
            postal_code="90-001",
            region="ŁD",
            attention="Gate 3",
            phone="+48 42 555 0100",
            email="zoe@mueller.example",
            residential=False,
        ),
        bill_to=SelectedBillTo(BILL_TO),
        charges=(
            Charge(ChargeKind.FREIGHT, "DHL", money("7.50")),
            Charge(ChargeKind.FEE, "SMALL", money("1.00")),
            Charge(ChargeKind.DEPOSIT, "PALLET", money("10.00")),
        ),
        discounts=(OrderDiscount("WELCOME", money("10.00")),),
        taxes=(Tax("VAT-LOW", money("0.885"), Decimal("0.09")), Tax("NONE", money("0.00"))),
        adjustments=(Adjustment("rounding", money("0.000")),),
        payments=(
            Payment(
                method="card",
                state=PaymentState.CAPTURED,
                amount=money("250.00"),
                reference="pay_999",
                expires_at=datetime(2025, 3, 10, 8, 31, tzinfo=UTC),
            ),
            Payment(
                method="gift_card",
                state=PaymentState.CAPTURED,
                amount=money("43.36"),
                reference="GC-77",
            ),
        ),
        approval=Approval.APPROVED,
        priced_for=RETAIL_ACCOUNT,
        po_number="PO 4711/A",
        notes='Ring "twice", then wait\nBack door \\ left: 100 %',
        requested_date=date(2025, 3, 20),
        ship_complete=True,
        ship_via="express",
        collect_account="X-55",
        refunds=(a_refund(), a_refund("0.01", refund_id=RefundId("re_2B"))),
    )
    return _with(base, changes)


def an_unreadable_order(**changes: Any) -> UnreadableOrder:
    base = UnreadableOrder(
        order_id=WebOrderId("order-odd"),
        number=WebOrderNumber("W-13"),
        modified_at=PLACED_AT,
        problems=("lines[0].quantity: not a number",),
        payload='{"lines": [{"quantity": "many"}]}',
    )
    return _with(base, changes)


def a_web_user(**changes: Any) -> WebUser:
    base = WebUser(
        web_user=WEB_USER,
        memberships=(Membership(ORGANISATION, Role.ORDER),),
        verified_email="ada@harbour.example",
    )
    return _with(base, changes)


def an_organisation(**changes: Any) -> Organisation:
    base = Organisation(
        organisation=ORGANISATION, name="Harbour Hardware", status=AccountStatus.ACTIVE
    )
    return _with(base, changes)


def an_application(**changes: Any) -> Application:
    """A business that nobody knows yet, with everything that can be asked of it."""
    application = Application(
        application_id=APPLICATION,
        channel=CHANNEL,
        submitted_at=PLACED_AT,
        kind=AccountKind.BUSINESS,
        contact_name="Ines Brandt",
        email="ines@lantern.example",
        phone="+49 40 555 0199",
        company="Lantern Works GmbH",
        tax_id="DE 811 222 333",
        country="DE",
        documents=(
            registration.Document(
                "licence", "s3://registrations/app-1/licence.pdf", "application/pdf"
            ),
        ),
    )
    return _with(application, changes)


def a_new_customer(**changes: Any) -> NewCustomer:
    customer = NewCustomer(
        name="Lantern Works GmbH",
        tax_id="DE 811 222 333",
        contact_name="Ines Brandt",
        email="ines@lantern.example",
        country="DE",
        phone="+49 40 555 0199",
    )
    return _with(customer, changes)


def a_notice(
    status: AccountStatus | None = AccountStatus.UNDER_REVIEW, **changes: Any
) -> RegistrationNotice:
    return _with(RegistrationNotice(PLACED_AT, status), changes)


def a_registration_view(
    status: AccountStatus | None = AccountStatus.UNDER_REVIEW, **changes: Any
) -> RegistrationView:
    """With the proof that the default account is usable, where it is active."""
    usable = UsableAccount(individual(), an_account()) if status is AccountStatus.ACTIVE else None
    return RegistrationView(a_notice(status, **changes), usable)


def a_sales_line(**changes: Any) -> SalesOrderLine:
    base = SalesOrderLine(
        number=1,
        sku=SKU,
        quantity=Decimal(10),
        unit="EA",
        stock_quantity=Decimal(10),
        unit_price=money("9.9900"),
        discount=money("0.00"),
        net=money("99.90"),
    )
    return _with(base, changes)


def a_sales_order(**changes: Any) -> SalesOrder:
    """A wholesale instruction on account terms, shipping to a ship-to on file."""
    base = SalesOrder(
        sold_to=ACCOUNT,
        retail=False,
        web_order=WebOrderId("order-1"),
        web_number=WebOrderNumber("W-10482"),
        channel=CHANNEL,
        ordered_at=PLACED_AT,
        ordered_on=date(2025, 3, 3),
        currency="EUR",
        ship_to=OnFileShipTo(SHIP_TO),
        lines=(a_sales_line(),),
        total=money("99.90"),
        payments=(SalesOrderPayment(PayBy.TERMS, "NET30", money("99.90")),),
        terms="NET30",
        web_user=WEB_USER,
        organisation=ORGANISATION,
    )
    return _with(base, changes)


def a_retail_sales_order(**changes: Any) -> SalesOrder:
    """A retail instruction: the group's account, one-off addresses, a card."""
    base = a_sales_order(
        sold_to=RETAIL_ACCOUNT,
        retail=True,
        ship_to=OneOffShipTo(a_typed_address().completed()),
        bill_to=a_typed_address().completed(),
        payments=(SalesOrderPayment(PayBy.CARD, "CARD", money("99.90"), "pay_123"),),
        terms=None,
        web_user=None,
        organisation=None,
    )
    return _with(base, changes)


def a_full_sales_order(**changes: Any) -> SalesOrder:
    """An instruction with every field filled; its amounts add up to its total."""
    base = SalesOrder(
        sold_to=ACCOUNT,
        retail=False,
        web_order=WebOrderId("order-full"),
        web_number=WebOrderNumber("W-20001"),
        channel=CHANNEL,
        ordered_at=PLACED_AT,
        ordered_on=date(2025, 3, 3),
        currency="EUR",
        ship_to=OneOffShipTo(an_address(lines=("Pier 3", "Gate B")), under=SHIP_TO),
        lines=(
            a_sales_line(
                discount=money("2.00"),
                discount_rate=Decimal("0.0200"),
                discount_code="LOYAL",
                net=money("97.90"),
                customer_part_number="HH-0042",
                note="Galvanised only",
            ),
            a_sales_line(
                number=2,
                quantity=Decimal(2),
                unit="BOX",
                stock_quantity=Decimal(24),
                unit_price=money("110.5000"),
                net=money("221.00"),
            ),
        ),
        total=money("388.42"),
        bill_to=OnFileBillTo(BILL_TO),
        charges=(CodedAmount("FRT", money("12.10")),),
        discounts=(CodedAmount("CPN", money("10.00")),),
        taxes=(CodedAmount("VAT21", money("67.41"), Decimal("0.21")),),
        adjustments=(CodedAmount("RND", money("0.01")),),
        payments=(
            SalesOrderPayment(PayBy.CARD, "CARD", money("338.42"), "pay_999", captured=True),
            SalesOrderPayment(PayBy.CARD, "GIFT", money("50.00"), "GC-77", captured=True),
        ),
        contact=ContactId("P-1"),
        web_user=WEB_USER,
        organisation=ORGANISATION,
        location=LocationId("SITE-1"),
        terms="NET30",
        hold=True,
        po_number="PO 4711/A",
        notes="Ring twice\nBack door",
        requested_on=date(2025, 3, 20),
        ship_complete=True,
        ship_via="EXPRESS",
        collect_account="X-55",
        phone="+31 10 555 0100",
        email="ada@harbour.example",
        flags=("price differs from the ERP's",),
    )
    return _with(base, changes)


def an_order_status(**changes: Any) -> OrderStatus:
    """Partly shipped: six of ten left with a carrier, four are back-ordered."""
    base = OrderStatus(
        state=ErpOrderState.PARTLY_SHIPPED,
        number=ErpOrderNumber("SO-1"),
        shipments=(Shipment("DN-1", date(2025, 3, 4), "DHL", "JD0146000"),),
        lines=(LineStatus(1, SKU, Decimal(10), Decimal(6), Decimal(4)),),
    )
    return _with(base, changes)


def individual(customer_id: CustomerId = ACCOUNT) -> IndividualAccount:
    """The account as proven to be none of the retail groups (here: ``RETAIL-EU``)."""
    return IndividualAccount(customer_id, RetailGroups.of([RETAIL_ACCOUNT]))


def a_profile(**changes: Any) -> AccountProfile:
    base = AccountProfile(
        customer_id=ACCOUNT,
        name="Harbour Hardware",
        status=AccountStatus.ACTIVE,
        terms="NET30",
        currencies=("EUR",),
        tax_exempt=False,
        credit=CreditStatus.OK,
    )
    return _with(base, changes)


def an_account_view(**changes: Any) -> AccountView:
    profile = a_profile(**changes)
    return AccountView(individual(profile.customer_id), profile)


def a_ship_to_view(**changes: Any) -> ShipToView:
    ship_to = a_ship_to(**changes)
    return ShipToView(individual(ship_to.sold_to), ship_to)


def a_bill_to_view(**changes: Any) -> BillToView:
    bill_to = a_bill_to(**changes)
    return BillToView(individual(bill_to.sold_to), bill_to)


def an_invoice_view(**changes: Any) -> InvoiceView:
    invoice = an_invoice(**changes)
    return InvoiceView(individual(invoice.sold_to), invoice)


def a_balance_view(owed: str = "121.00", **changes: Any) -> BalanceView:
    balance = a_balance(owed, **changes)
    return BalanceView(individual(balance.sold_to), balance)


def an_account_order_view(number: str = "9001", **changes: Any) -> AccountOrderView:
    order = an_account_order(number, **changes)
    return AccountOrderView(individual(order.sold_to), order)


def a_customer_part_view(**changes: Any) -> CustomerPartView:
    part = a_customer_part(**changes)
    return CustomerPartView(individual(part.sold_to), part)


def an_entitlement(sku: Sku = SKU, audiences: Iterable[Audience] | None = None) -> Entitlement:
    """The item is kept for these, in any order; for one account where none are given."""
    kept_for = [account_audience()] if audiences is None else audiences
    return Entitlement(sku, tuple(sorted(kept_for, key=lambda each: each.order)))


def a_document_view(file: bytes = PDF, /, **changes: Any) -> DocumentView:
    document = a_document(file, **changes)
    return DocumentView(individual(document.sold_to), document)


def account_audience(customer_id: CustomerId = ACCOUNT) -> Audience:
    return Audience(AudienceKind.ACCOUNT, customer_id.value)


def retail_audience(group: CustomerId = RETAIL_ACCOUNT, channel: ChannelId = CHANNEL) -> Audience:
    return Audience(AudienceKind.RETAIL, group.value, channel)
