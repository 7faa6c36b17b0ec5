"""Rows to domain documents. A row that makes no sound document raises ValueError."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from erp_adapters.sql.catalogue import ACCOUNT_WORDS
from erp_adapters.sql.queries import Row
from sync.domain.account import (
    Account,
    AccountStatus,
    BillTo,
    Contact,
    CreditStatus,
    Item,
    Location,
    ShipTo,
)
from sync.domain.account_order import AccountOrder, AccountOrderLine, OrderSource
from sync.domain.address import Address
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance, AgeBucket, Ageing
from sync.domain.candidates import CustomerMatch
from sync.domain.document import DocumentKind, DocumentRecord
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    IdempotencyKey,
    InvoiceNumber,
    LocationId,
    PartNumber,
    ShipToId,
    Sku,
)
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.money import Money
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price, PriceKey, PriceLevel, PriceScope, PriceValue
from sync.domain.sales_order import (
    ErpOrderState,
    FoundOrder,
    LineStatus,
    OrderStatus,
    Shipment,
)

_STATUSES = dict(zip(ACCOUNT_WORDS, AccountStatus, strict=True))


def account(
    row: Row,
    currencies: Iterable[Row],
    price_groups: Iterable[Row],
    tags: Iterable[Row],
    contacts: Iterable[Row],
) -> Account:
    own = [row["currency"], *sorted(each["currency"] for each in currencies)]
    groups = {each["price_group"] for each in price_groups}
    if row["price_group"] is not None:
        groups.add(row["price_group"])
    return Account(
        customer_id=CustomerId(row["customer_id"]),
        name=row["name"],
        currencies=tuple(dict.fromkeys(own)),
        active=_default(row["active"], True),
        prospect=bool(row["prospect"]),
        terms=row["terms"],
        tax_exempt=bool(row["tax_exempt"]),
        credit=CreditStatus(row["credit"] or "ok"),
        price_groups=tuple(sorted(groups)),
        contacts=tuple(contact(each) for each in sorted(contacts, key=_contact_id)),
        default_ship_to=_ship_to_id(row["default_ship_to"]),
        po_required=bool(row["po_required"]),
        status=None if row["status"] is None else _STATUSES[row["status"]],
        tax_id=row["tax_id"],
        tags=tuple(sorted({each["tag"] for each in tags})),
    )


def _contact_id(row: Row) -> str:
    return str(row["contact_id"])


def contact(row: Row) -> Contact:
    return Contact(ContactId(row["contact_id"]), row["email"])


def customer_match(row: Row, rows: Sequence[Row]) -> CustomerMatch:
    """``rows``: all of this customer, one for each of its addresses."""
    return CustomerMatch(
        customer_id=CustomerId(row["customer_id"]),
        name=row["name"],
        tax_id=row["tax_id"],
        emails=tuple(dict.fromkeys(each["email"] for each in rows if each["email"])),
        active=row["active"] is not False,
        prospect=bool(row["prospect"]),
    )


def location(row: Row) -> Location:
    return Location(
        location_id=LocationId(row["location_id"]),
        sold_to=CustomerId(row["customer_id"]),
        name=row["name"],
        tax_exempt=row["tax_exempt"],
        default_ship_to=_ship_to_id(row["default_ship_to"]),
        bill_to=None if row["bill_to"] is None else BillToId(row["bill_to"]),
        warehouse=row["warehouse"],
    )


def address(row: Row) -> Address:
    lines = (row["line1"], row["line2"], row["line3"], row["line4"])
    return Address(
        name=row["name"],
        lines=tuple(line for line in lines if line is not None),
        city=row["city"],
        country=row["country"],
        postal_code=row["postal_code"],
        region=row["region"],
        attention=row["attention"],
        phone=row["phone"],
        email=row["email"],
        residential=row["residential"],
    )


def ship_to(row: Row) -> ShipTo:
    return ShipTo(
        ship_to_id=ShipToId(row["ship_to_id"]),
        sold_to=CustomerId(row["customer_id"]),
        address=address(row),
        default=bool(row["is_default"]),
        tax_exempt=row["tax_exempt"],
        warehouse=row["warehouse"],
        location=None if row["location_id"] is None else LocationId(row["location_id"]),
    )


def bill_to(row: Row) -> BillTo:
    return BillTo(
        bill_to_id=BillToId(row["bill_to_id"]),
        sold_to=CustomerId(row["customer_id"]),
        address=address(row),
        default=bool(row["is_default"]),
    )


def item(
    row: Row, units: Iterable[Row], customers: Sequence[Row], tags: Sequence[Row] = ()
) -> Item:
    allowed: frozenset[CustomerId] | None = None
    if customers or tags or row["restricted"]:
        allowed = frozenset(CustomerId(each["customer_id"]) for each in customers)
    factors = []
    for unit in units:
        if unit["factor"] <= 0:
            raise ValueError(f"unit {unit['unit']} has the factor {unit['factor']}")
        factors.append((unit["unit"], unit["factor"]))
    return Item(
        sku=Sku(row["sku"]),
        stock_unit=row["stock_unit"],
        units=tuple(sorted(factors)),
        description=row["description"] or "",
        active=_default(row["active"], True),
        discontinued=bool(row["discontinued"]),
        whole_units_only=_default(row["whole_units_only"], True),
        kit=bool(row["kit"]),
        allowed_to=allowed,
        allowed_tags=frozenset(each["tag"] for each in tags),
    )


def price_scope(row: Row) -> PriceScope:
    return PriceScope(PriceLevel[row["level"].upper()], row["owner"] or "")


def price(row: Row, level: PriceLevel, owner: str) -> Price:
    key = PriceKey(
        scope=PriceScope(level, owner),
        price_list=row["price_list"],
        sku=Sku(row["sku"]),
        unit=row["unit"],
        currency=row["currency"],
        min_quantity=row["min_quantity"],
        valid_from=row["valid_from"],
        priority=row["priority"] or 0,
        warehouse=row["warehouse"],
    )
    return Price(key, PriceValue(row["unit_price"], row["valid_until"]))


def invoice(row: Row, lines: Iterable[Row], dues: Iterable[Row]) -> Invoice:
    currency = row["currency"]
    total = Money(row["total"], currency)
    kind = InvoiceKind(row["kind"] or "invoice")
    if kind is InvoiceKind.CREDIT and total.amount < 0:
        raise ValueError("a credit has a positive total here; turn its sign in the statement")
    order = row["order_number"]
    return Invoice(
        number=InvoiceNumber(row["invoice_number"]),
        sold_to=CustomerId(row["customer_id"]),
        kind=kind,
        invoiced_on=row["invoiced_on"],
        total=total,
        tax=_money(row["tax"], currency),
        freight=_money(row["freight"], currency),
        open_amount=_money(row["open_amount"], currency),
        dues=tuple(
            DueDate(due["due_on"], Money(due["amount"], currency))
            for due in sorted(dues, key=lambda due: (due["due_on"], due["amount"]))
        ),
        lines=tuple(
            invoice_line(line, currency)
            for line in sorted(lines, key=lambda line: int(line["line_number"]))
        ),
        erp_order=None if order is None else ErpOrderNumber(order),
        po_number=row["po_number"],
        web_reference=row["web_reference"],
    )


def invoice_line(row: Row, currency: str) -> InvoiceLine:
    return InvoiceLine(
        number=row["line_number"],
        quantity=row["quantity"],
        net=Money(row["net"], currency),
        sku=None if row["sku"] is None else Sku(row["sku"]),
        description=row["description"],
        unit=row["unit"],
        unit_price=_money(row["unit_price"], currency),
    )


def balance(row: Row, ageing: Iterable[Row]) -> AccountBalance:
    currency = row["currency"]
    buckets = tuple(
        AgeBucket(Money(each["amount"], currency), each["from_days"], each["to_days"])
        for each in sorted(ageing, key=_days)
    )
    return AccountBalance(
        sold_to=CustomerId(row["customer_id"]),
        balance=Money(row["balance"], currency),
        credit_limit=_money(row["credit_limit"], currency),
        ageing=Ageing(buckets) if buckets else None,
    )


def _days(row: Row) -> int:
    return -1 if row["from_days"] is None else int(row["from_days"])


def account_order(row: Row, lines: Iterable[Row]) -> AccountOrder:
    currency, key = row["currency"], row["external_key"]
    return AccountOrder(
        number=ErpOrderNumber(row["order_number"]),
        sold_to=CustomerId(row["customer_id"]),
        source=OrderSource.OTHER if row["source"] is None else OrderSource(row["source"]),
        state=ErpOrderState(row["state"]),
        ordered_on=row["ordered_on"],
        total=Money(row["total"], currency),
        requested_on=row["requested_on"],
        po_number=row["po_number"],
        lines=tuple(
            AccountOrderLine(
                number=line["line_number"],
                quantity=line["quantity"],
                sku=None if line["sku"] is None else Sku(line["sku"]),
                description=line["description"],
                unit=line["unit"],
                unit_price=_money(line["unit_price"], currency),
                net=_money(line["net"], currency),
                shipped=line["shipped"],
            )
            for line in sorted(lines, key=lambda line: int(line["line_number"]))
        ),
        key=None if key is None else IdempotencyKey(key),
    )


def customer_part(row: Row) -> CustomerPart:
    return CustomerPart(
        sold_to=CustomerId(row["customer_id"]),
        part_number=PartNumber(row["part_number"]),
        sku=Sku(row["sku"]),
        unit=row["unit"],
        description=row["description"],
    )


def document(row: Row) -> DocumentRecord:
    return DocumentRecord(
        kind=DocumentKind(row["kind"]),
        number=DocumentNumber(row["document_number"]),
        sold_to=CustomerId(row["customer_id"]),
        issued_on=row["issued_on"],
        place=row["file_name"],
        erp_order=_order_number(row["order_number"]),
        web_reference=row["web_reference"],
        size=row["file_size"],
        sha256=None if row["sha256"] is None else row["sha256"].lower(),
    )


def availability(row: Row) -> Availability:
    return Availability(
        sku=Sku(row["sku"]),
        warehouse=row["warehouse"],
        available=row["available"],
        next_due=row["next_due"],
        discontinued=bool(row["discontinued"]),
    )


def found_order(row: Row) -> FoundOrder:
    total = row["total"]
    if total is not None and row["currency"] is None:
        raise ValueError("a total without a currency")
    return FoundOrder(
        number=_order_number(row["order_number"]),
        sold_to=None if row["customer_id"] is None else CustomerId(row["customer_id"]),
        line_count=row["line_count"],
        total=None if total is None else Money(total, row["currency"]),
        refusal=row["refusal"],
    )


def is_overdue(row: Row) -> bool:
    """Whether the ERP says of an order's status that its import should have answered by now."""
    return bool(row["overdue"]) and row["state"] == ErpOrderState.RECEIVED.value


# No age in it: the status would be another one at every look.
_OVERDUE = "The ERP's import has not answered to this order, and should have."


def order_status(row: Row, shipments: Iterable[Row], lines: Iterable[Row]) -> OrderStatus:
    return OrderStatus(
        state=ErpOrderState(row["state"]),
        number=_order_number(row["order_number"]),
        shipments=tuple(
            Shipment(each["shipment_number"], each["shipped_on"], each["carrier"], each["tracking"])
            for each in sorted(shipments, key=lambda each: str(each["shipment_number"]))
        ),
        lines=tuple(
            LineStatus(
                each["line_number"],
                Sku(each["sku"]),
                each["ordered"],
                each["shipped"],
                each["back_ordered"],
            )
            for each in sorted(lines, key=lambda each: int(each["line_number"]))
        ),
        message=row["message"] or (_OVERDUE if is_overdue(row) else None),
    )


def _default(value: bool | None, default: bool) -> bool:
    return default if value is None else value


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount, currency)


def _ship_to_id(value: str | None) -> ShipToId | None:
    return None if value is None else ShipToId(value)


def _order_number(value: str | None) -> ErpOrderNumber | None:
    return None if value is None else ErpOrderNumber(value)
