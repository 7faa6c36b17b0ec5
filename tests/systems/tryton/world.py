"""What the contract arranges in Tryton, done as its administrator would do it.

Tryton gives numbers to addresses and contacts; the contract names them itself.
``Names`` is the list of who is who, and ``NamedTryton`` the adapter that reads
it in both directions, so that everything else is the real one.

Its own clock cannot be set back and its documents' numbers are given by it, so
those few columns are written past it, into the database.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from unittest.mock import ANY

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.site import PLAIN_LIST
from erp_adapters.tryton.translate import AMOUNTS_FROM
from sync.domain.account import Account, BillTo, Contact, CreditStatus, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.address import Address
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.document import DocumentKey, DocumentKind, DocumentRecord
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    ErpOrderNumber,
    IdempotencyKey,
    ShipToId,
    Sku,
)
from sync.domain.invoice import DueDate, Invoice, InvoiceKind
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price, PriceLevel
from sync.domain.sales_order import (
    ErpOrderState,
    OnFileBillTo,
    OnFileShipTo,
    OrderAcknowledgement,
    OrderStatus,
    SalesOrder,
)
from sync.ports.erp import AccountFile, Feed
from sync.testing.erp_world import OrderRows, WrittenLine, WrittenOrder
from tests.systems.tryton.client import Fault, Tryton
from tests.systems.tryton.kit import Database

T = TypeVar("T")

SHOP = "contract"
CATEGORY = "Contract customers"
_SHIPMENT = "stock_shipment_out"
_MODELS = {
    DocumentKind.INVOICE: "account.invoice",
    DocumentKind.ORDER_CONFIRMATION: "sale.sale",
    DocumentKind.DELIVERY_NOTE: "stock.shipment.out",
}
UNITS = (("BOX", Decimal("12")), ("PAL", Decimal("960.5")))
_REFERENCE = re.compile(r"reference (\S+?)(?:,|$)", re.MULTILINE)


@dataclasses.dataclass
class Names:
    """(customer, the contract's name) -> Tryton's number, for one kind of record."""

    numbers: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    def number(self, customer: CustomerId, name: str) -> str:
        return self.numbers.get((customer.value, name), name)

    def name(self, number: str) -> str:
        return next((name for (_, name), held in self.numbers.items() if held == number), number)


@dataclasses.dataclass
class Directory:
    """``settle`` puts into Tryton what the world has only noted down so far."""

    ship_tos: Names = dataclasses.field(default_factory=Names)
    bill_tos: Names = dataclasses.field(default_factory=Names)
    contacts: Names = dataclasses.field(default_factory=Names)
    settle: Callable[[], None] = lambda: None


class NamedTryton(TrytonErpAdapter):
    """The adapter, spoken to in the contract's names of addresses and contacts."""

    directory: Directory

    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        self.directory.settle()
        return {key: self._account(each) for key, each in super().accounts(customer_ids).items()}

    def account_files(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountFile]:
        self.directory.settle()
        return {
            key: AccountFile(
                self._account(each.account),
                tuple(map(self._ship_to_named, each.ship_tos)),
                tuple(map(self._bill_to_named, each.bill_tos)),
            )
            for key, each in super().account_files(customer_ids).items()
        }

    def customer_ids(self) -> Iterator[CustomerId]:
        self.directory.settle()
        return super().customer_ids()

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        return [self._ship_to_named(each) for each in super().ship_tos(customer_ids)]

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]:
        return [self._bill_to_named(each) for each in super().bill_tos(customer_ids)]

    def _account(self, account: Account) -> Account:
        default = account.default_ship_to
        return dataclasses.replace(
            account,
            contacts=tuple(
                Contact(ContactId(self.directory.contacts.name(c.contact_id.value)), c.email)
                for c in account.contacts
            ),
            default_ship_to=None
            if default is None
            else ShipToId(self.directory.ship_tos.name(default.value)),
        )

    def _ship_to_named(self, ship_to: ShipTo) -> ShipTo:
        name = self.directory.ship_tos.name(ship_to.ship_to_id.value)
        return dataclasses.replace(ship_to, ship_to_id=ShipToId(name))

    def _bill_to_named(self, bill_to: BillTo) -> BillTo:
        name = self.directory.bill_tos.name(bill_to.bill_to_id.value)
        return dataclasses.replace(bill_to, bill_to_id=BillToId(name))

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        self.directory.settle()
        return super().submit_order(self._numbered(order), key)

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        self.directory.settle()
        return super().submit_orders([(self._numbered(order), key) for order, key in orders])

    def _numbered(self, order: SalesOrder) -> SalesOrder:
        ship_to, bill_to, contact = order.ship_to, order.bill_to, order.contact
        if isinstance(ship_to, OnFileShipTo):
            known = self.directory.ship_tos.number(order.sold_to, ship_to.ship_to_id.value)
            ship_to = OnFileShipTo(ShipToId(known))
        if isinstance(bill_to, OnFileBillTo):
            known = self.directory.bill_tos.number(order.sold_to, bill_to.bill_to_id.value)
            bill_to = OnFileBillTo(BillToId(known))
        if contact is not None:
            contact = ContactId(self.directory.contacts.number(order.sold_to, contact.value))
        return dataclasses.replace(order, ship_to=ship_to, bill_to=bill_to, contact=contact)


def prepare(client: Tryton) -> None:
    """What every test of the contract finds in Tryton, beside the seed: in euros."""
    call = client
    [source] = call.rows(
        "product.category", [("accounting", "=", True)], "account_revenue", "account_expense"
    )
    untaxed = call.create(
        "product.category",
        name="Untaxed",
        accounting=True,
        account_revenue=source["account_revenue"],
        account_expense=source["account_expense"],
    )
    pieces = call.create("product.uom.category", name="Pieces")
    for symbol, factor in (("EA", 1.0), *((name, float(factor)) for name, factor in UNITS)):
        call.create(
            "product.uom",
            name=symbol,
            symbol=symbol,
            category=pieces,
            factor=factor,
            rate=round(1 / factor, 12),
            rounding=0.001,
            digits=3,
        )
    [each] = call.find("product.uom", ("symbol", "=", "EA"))
    for code in ("FRT", "CPN", "RND", "LOYAL", "CARRIAGE"):
        add_product(call, code, untaxed, each, kind="service", list_price=Decimal(0))
    [carriage] = call.find("product.product", ("code", "=", "CARRIAGE"))
    for name in ("EXPRESS", "DHL"):
        party = call.create("party.party", name=name, code=name)
        call.create("carrier", party=party, carrier_product=carriage)
    netherlands = call.create("country.country", name="Netherlands", code="NL", code3="NLD")
    call.create("country.country", name="Poland", code="PL", code3="POL")
    call.create(
        "country.subdivision",
        country=netherlands,
        code="NL-ZH",
        name="Zuid-Holland",
        type="province",
    )
    call.create("party.category", name=CATEGORY)
    [warehouse] = call.find("stock.location", ("type", "=", "warehouse"))
    call.create(
        "web.shop",
        name=SHOP,
        company=call.context["company"],
        currency=1,
        warehouses=[["add", [warehouse]]],
    )
    [held] = call.rows("account.tax", [], "invoice_account", "credit_note_account")
    call.create(
        "account.tax",
        name="VAT 21",
        description="VAT 21",
        type="percentage",
        rate=Decimal("0.21"),
        company=call.context["company"],
        invoice_account=held["invoice_account"],
        credit_note_account=held["credit_note_account"],
    )
    _fiscal_year(call, date(2025, 1, 1), date(2025, 10, 31))


def add_product(
    call: Tryton, code: str, category: int, unit: int, *, kind: str = "goods", **more: object
) -> int:
    return call.create(
        "product.template",
        name=str(more.pop("name", code)),
        default_uom=unit,
        sale_uom=unit,
        type=kind,
        salable=bool(more.pop("salable", True)),
        account_category=category,
        products=[["create", [{"suffix_code": code}]]],
        **more,
    )


def _fiscal_year(call: Tryton, start: date, end: date) -> None:
    sequences = {}
    for kind in ("Account Move", "Invoice"):
        [sequence_type] = call.find("ir.sequence.type", ("name", "=", kind))
        sequences[kind] = call.create(
            "ir.sequence.strict",
            name=f"{kind} {start.year}",
            sequence_type=sequence_type,
            company=call.context["company"],
            prefix=f"{start.year}-",
        )
    invoice = sequences["Invoice"]
    year = call.create(
        "account.fiscalyear",
        name=str(start.year),
        start_date=start,
        end_date=end,
        company=call.context["company"],
        move_sequence=sequences["Account Move"],
        invoice_sequences=[
            [
                "create",
                [
                    {
                        "company": call.context["company"],
                        "out_invoice_sequence": invoice,
                        "in_invoice_sequence": invoice,
                        "out_credit_note_sequence": invoice,
                        "in_credit_note_sequence": invoice,
                    }
                ],
            ]
        ],
    )
    call("account.fiscalyear.create_period", [year])


def _before(start: date | None, quantity: Decimal) -> int:
    """The first line that matches counts: the latest period, and of that the greatest step."""
    day = start.toordinal() if start is not None else 700_000
    return (800_000 - day) * 20_000 - int(quantity * 10)


class TrytonWorld:
    def __init__(self, file: Database, client: Tryton, directory: Directory) -> None:
        self._file, self._call, self._directory = file, client, directory
        self._lists: dict[str, int] = {}
        self._known: dict[tuple[str, str], int] = {}
        self._noted: list[dict[str, Any]] = []
        self._papers: dict[DocumentKey, int] = {}
        directory.settle = self._settle

    def _settle(self) -> None:
        """Customers without contacts go in together: one by one takes minutes for a thousand."""
        if self._noted:
            noted, self._noted = self._noted, []
            self._call("party.party.create", noted)

    def told(self, fact: T) -> T:
        changes: dict[str, Any] = {}
        match fact:
            case Account():
                changes = {
                    "prospect": False,
                    "tax_exempt": False,
                    "credit": CreditStatus.OK,
                    "currencies": fact.currencies[:1],
                    # A customer has one price list; without one it pays the list price.
                    "price_groups": fact.price_groups[:1] or (PLAIN_LIST,),
                    "po_required": False,
                    "tax_id": None,  # only what has a valid check digit is stored
                    "tags": (),
                }
            case ShipTo():
                changes = {"tax_exempt": None, "warehouse": None, "location": None}
            case Item():
                changes = {"units": UNITS, "discontinued": False, "kit": False}
                changes["whole_units_only"] = False
                changes |= {"allowed_to": None, "allowed_tags": frozenset()}
            case Price():
                key = dataclasses.replace(fact.key, price_list=fact.key.scope.owner)
                changes = {"key": key}
            case Invoice():
                changes = self._told_invoice(fact)
            case DocumentRecord():
                changes = self._told_paper(fact)
            case OrderStatus():
                shipments = (dataclasses.replace(each, tracking=None) for each in fact.shipments)
                changes = {"shipments": tuple(shipments)}
        return dataclasses.replace(fact, **changes) if changes else fact  # type: ignore[type-var]

    def _told_paper(self, record: DocumentRecord) -> dict[str, Any]:
        """Its place is a record of Tryton's, and it is given out in some version."""
        changes: dict[str, Any] = {
            "place": f"{_MODELS[record.kind]}/{self._papers[record.key]}",
            "size": None,
            "sha256": None,
            "version": ANY,
        }
        if record.kind is DocumentKind.ORDER_CONFIRMATION:
            changes["erp_order"] = ErpOrderNumber(record.number.value)
        return changes

    def _told_invoice(self, invoice: Invoice) -> dict[str, Any]:
        """Without terms an invoice is due at once; what is open is always told."""
        dues = invoice.dues or (DueDate(invoice.invoiced_on, invoice.total),)
        return {
            "freight": None,
            "erp_order": None,
            "web_reference": None,
            "dues": dues,
            "open_amount": invoice.open_amount or invoice.total,
        }

    # Customers

    def add_account(self, account: Account) -> None:
        values: dict[str, Any] = {
            "name": account.name,
            "code": account.customer_id.value,
            "categories": [["add", [self._one("party.category", CATEGORY)]]],
            "addresses": [],
        }
        if account.terms is not None:
            term = self._one("account.invoice.payment_term", account.terms)
            values["customer_payment_term"] = term
        if account.price_groups:
            values["sale_price_list"] = self._list(account.price_groups[0])
        if account.active and not account.contacts:
            self._noted.append(values)
            return
        party = self._call.create("party.party", **values)
        for contact in account.contacts:
            number = self._call.create(
                "party.contact_mechanism", party=party, type="email", value=contact.email
            )
            key = (account.customer_id.value, contact.contact_id.value)
            self._directory.contacts.numbers[key] = str(number)
        if not account.active:
            self._call("party.party.write", [party], {"active": False})

    def add_location(self, location: Location) -> None:
        pytest.skip("Tryton's customers have no sites of their own")

    def add_ship_to(self, ship_to: ShipTo) -> None:
        number = self._address(ship_to.sold_to, ship_to.address, delivery=True, invoice=False)
        key = (ship_to.sold_to.value, ship_to.ship_to_id.value)
        self._directory.ship_tos.numbers[key] = str(number)

    def add_bill_to(self, bill_to: BillTo) -> None:
        number = self._address(bill_to.sold_to, bill_to.address, delivery=False, invoice=True)
        key = (bill_to.sold_to.value, bill_to.bill_to_id.value)
        self._directory.bill_tos.numbers[key] = str(number)

    def _address(self, customer: CustomerId, address: Address, **use: bool) -> int:
        party = self._party(customer)
        [country] = self._call.find("country.country", ("code", "=", address.country))
        region = None
        if address.region is not None:
            code = f"{address.country}-{address.region}"
            [region] = self._call.find("country.subdivision", ("code", "=", code))
        number = self._call.create(
            "party.address",
            party=party,
            party_name=address.name,
            attn=address.attention,
            street_unstructured="\n".join(address.lines),
            postal_code=address.postal_code,
            city=address.city,
            country=country,
            subdivision=region,
            **use,
        )
        if address.phone is not None:
            self._call.create(
                "party.contact_mechanism",
                party=party,
                address=number,
                type="phone",
                value=address.phone,
            )
        return number

    def drop_account(self, customer_id: CustomerId) -> None:
        self._call("party.party.delete", [self._party(customer_id)])

    def drop_ship_to(self, customer_id: CustomerId, ship_to_id: ShipToId) -> None:
        number = self._directory.ship_tos.number(customer_id, ship_to_id.value)
        self._call("party.address.delete", [int(number)])

    def pad_keys(self, customer_id: CustomerId) -> None:
        pytest.skip("Tryton strips what it stores: a code cannot be padded")

    # Products and prices

    def add_item(self, item: Item) -> None:
        [unit] = self._call.find("product.uom", ("symbol", "=", item.stock_unit))
        template = add_product(
            self._call,
            item.sku.value,
            self._untaxed(),
            unit,
            name=item.description or item.sku.value,
        )
        if not item.active:
            self._call("product.template.write", [template], {"salable": False})

    def damage_price(self, price: Price) -> None:
        pytest.skip("Tryton itself refuses to keep a price that is none")

    def add_unreadable_contact(self, email: str) -> None:
        pytest.skip("Tryton has no contact of nobody's")

    def refuse_item(self, sku: Sku) -> None:
        rows = self._call.rows("product.product", [("code", "=", sku.value)], "template")
        self._call("product.template.write", [rows[0]["template"]], {"salable": False})

    def add_price(self, price: Price) -> None:
        key = price.key
        if key.scope.level is not PriceLevel.GROUP:
            pytest.skip(
                f"Tryton has no prices of level {key.scope.level.name}: every one is a list's"
            )
        if key.unit != "EA" or key.currency != "EUR":
            pytest.skip("a price of Tryton is in the company's currency and the unit of sale")
        [product] = self._call.find("product.product", ("code", "=", key.sku.value))
        self._call.create(
            "product.price_list.line",
            price_list=self._list(key.scope.owner),
            sequence=_before(key.valid_from, key.min_quantity),
            product=product,
            quantity=float(key.min_quantity),
            formula=f"{price.value.unit_price:f}",
            start_date=key.valid_from,
            end_date=price.value.valid_until,
        )

    def _list(self, name: str) -> int:
        if name not in self._lists:
            self._lists[name] = self._call.create(
                "product.price_list",
                name=name,
                company=self._call.context["company"],
                unit="product_default",
                price="list_price",
            )
        return self._lists[name]

    # Balances

    def add_balance(self, balance: AccountBalance) -> None:
        pytest.skip("Tryton's balances follow from its invoices")

    # Customers' item numbers

    def add_account_order(self, order: AccountOrder) -> None:
        pytest.skip("tryton's orders of an account are not read")

    def add_customer_part(self, part: CustomerPart) -> None:
        pytest.skip("Tryton's customers have no item numbers of their own")

    # Documents

    def add_document(self, record: DocumentRecord, file: bytes | None = None) -> None:
        """An invoice is kept as that file; of what Tryton prints itself, another file is
        another reference on the paper."""
        made = record.key not in self._papers
        file = file or f"%PDF-1.4 {record.number} %%EOF".encode()
        add = {
            DocumentKind.INVOICE: self._add_kept_invoice,
            DocumentKind.ORDER_CONFIRMATION: self._add_confirmed_sale,
            DocumentKind.DELIVERY_NOTE: self._add_gone_shipment,
        }[record.kind]
        if made:
            self._papers[record.key] = add(record)
        number = self._papers[record.key]
        if record.kind is not DocumentKind.INVOICE:
            table = "sale_sale" if record.kind is DocumentKind.ORDER_CONFIRMATION else _SHIPMENT
            words = hashlib.sha256(file).hexdigest()[:8]
            self._file.execute(f"UPDATE {table} SET reference = ? WHERE id = ?", words, number)
            return
        if not made:
            self._file.execute(
                "INSERT INTO account_invoice_report_revision (invoice, date) VALUES (?, ?)",
                number,
                "2025-03-02 10:00:00",
            )
        self._file.execute(
            "UPDATE account_invoice SET invoice_report_cache = ?, invoice_report_format = 'pdf'"
            " WHERE id = ?",
            file,
            number,
        )

    def _add_kept_invoice(self, record: DocumentRecord) -> int:
        line = {"type": "line", "description": "Goods", "quantity": 1.0, "unit_price": Decimal(5)}
        if record.erp_order is not None:
            sale = self._add_sale(record.sold_to)
            self._file.execute(
                "UPDATE sale_sale SET number = ?, web_id = ?, web_shop = ? WHERE id = ?",
                record.erp_order.value,
                record.web_reference,
                self._one("web.shop", SHOP),
                sale,
            )
            [origin] = self._call.find("sale.line", ("sale", "=", sale))
            line["origin"] = f"sale.line,{origin}"
        number = self._add_draft_invoice(record.sold_to, record.issued_on, [line])
        self._file.execute(
            "UPDATE account_invoice SET number = ?, state = 'posted' WHERE id = ?",
            record.number.value,
            number,
        )
        return number

    def _add_sale(self, customer: CustomerId) -> int:
        party = self._party(customer)
        [address] = self._call.find("party.address", ("party", "=", party))
        return self._call.create(
            "sale.sale",
            party=party,
            company=self._call.context["company"],
            currency=1,
            invoice_address=address,
            shipment_address=address,
            shipment_cost_method=None,
            lines=[["create", [{"type": "line", "quantity": 1.0, "unit_price": Decimal(5)}]]],
        )

    def _add_confirmed_sale(self, record: DocumentRecord) -> int:
        number = self._add_sale(record.sold_to)
        self._file.execute(
            "UPDATE sale_sale SET number = ?, sale_date = ?, state = 'confirmed' WHERE id = ?",
            record.number.value,
            record.issued_on.isoformat(),
            number,
        )
        return number

    def _add_gone_shipment(self, record: DocumentRecord) -> int:
        party = self._party(record.sold_to)
        [address] = self._call.find("party.address", ("party", "=", party))
        [warehouse] = self._call.rows(
            "stock.location", [("type", "=", "warehouse")], "storage_location", "output_location"
        )
        number = self._call.create(
            "stock.shipment.out",
            customer=party,
            company=self._call.context["company"],
            delivery_address=address,
            warehouse=warehouse["id"],
            warehouse_storage=warehouse["storage_location"],
            warehouse_output=warehouse["output_location"],
        )
        self._file.execute(
            f"UPDATE {_SHIPMENT} SET number = ?, effective_date = ?, state = 'done' WHERE id = ?",
            record.number.value,
            record.issued_on.isoformat(),
            number,
        )
        return number

    # Availability

    def add_availability(self, figure: Availability) -> None:
        pytest.skip("Tryton's stock is not read")

    # Invoices

    def add_invoice(self, invoice: Invoice) -> None:
        call = self._call
        sign = -1 if invoice.kind is InvoiceKind.CREDIT else 1
        tax = call.find("account.tax", ("name", "=", "VAT 21"))
        lines = []
        for line in invoice.lines:
            assert line.sku is not None
            [product] = call.find("product.product", ("code", "=", line.sku.value))
            [unit] = call.find("product.uom", ("symbol", "=", line.unit))
            assert line.unit_price is not None
            lines.append(
                {
                    "type": "line",
                    "sequence": line.number,
                    "product": product,
                    "description": line.description,
                    "unit": unit,
                    "quantity": float(sign * line.quantity),
                    "unit_price": Decimal(f"{line.unit_price.amount.normalize():f}"),
                    "taxes": [["add", tax]] if line.net.amount else [],
                }
            )
        number = self._add_draft_invoice(
            invoice.sold_to,
            invoice.invoiced_on,
            lines,
            payment_term=self._term(invoice),
            reference=invoice.po_number,
        )
        self.unwarned("account.invoice.post", [number])
        # A sequence of Tryton's own gives the number.
        self._file.execute(
            "UPDATE account_invoice SET number = ? WHERE id = ?", invoice.number.value, number
        )

    def _add_draft_invoice(
        self,
        customer: CustomerId,
        invoiced_on: date,
        lines: Sequence[dict[str, Any]],
        **more: object,
    ) -> int:
        call, party = self._call, self._party(customer)
        company = call.context["company"]
        [address] = call.find("party.address", ("party", "=", party), ("delivery", "=", True))
        revenue = call.find("account.account", ("type.revenue", "=", True), ("closed", "!=", True))[
            0
        ]
        receivable = call.find(
            "account.account", ("type.receivable", "=", True), ("party_required", "=", True)
        )[0]
        [journal] = call.find("account.journal", ("type", "=", "revenue"))
        same = {
            "account": revenue,
            "currency": 1,
            "company": company,
            "invoice_type": "out",
            "party": party,
        }
        return call.create(
            "account.invoice",
            type="out",
            company=company,
            party=party,
            invoice_address=address,
            invoice_date=invoiced_on,
            currency=1,
            journal=journal,
            account=receivable,
            lines=[["create", [{**each, **same} for each in lines]]],
            **more,
        )

    def _term(self, invoice: Invoice) -> int:
        """Terms that come to exactly these instalments."""
        lines: list[dict[str, Any]] = []
        dues = invoice.dues or (DueDate(invoice.invoiced_on, invoice.total),)
        for position, due in enumerate(dues, 1):
            days = (due.due_on - invoice.invoiced_on) // timedelta(days=1)
            line: dict[str, Any] = {"type": "remainder", "sequence": position}
            if position < len(dues):
                ratio = due.amount.amount / invoice.total.amount
                line.update(type="percent_on_total", ratio=ratio, divisor=1 / ratio)
            line["relativedeltas"] = [["create", [{"days": days}]]]
            lines.append(line)
        return self._call.create(
            "account.invoice.payment_term",
            name=f"as on {invoice.number}",
            lines=[["create", lines]],
        )

    def unwarned(self, method: str, *given: object) -> None:
        """Call it, and wave through what it warns of, as a clerk would."""
        for _ in range(5):
            try:
                self._call(method, *given)
            except Fault as fault:
                if fault.kind != "UserWarning":
                    raise
                self._call("res.user.warning.skip", fault.args[1][0], False)
            else:
                return
        pytest.fail(f"{method} warns again and again")

    # Orders

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        call = self._call
        sale = self._sale(key)
        if status.state is ErpOrderState.CANCELLED:
            call("sale.sale.cancel", [sale])
            return
        carrier = status.shipments[0].carrier if status.shipments else None
        if carrier is not None:
            numbers = call.find("carrier", ("party.name", "=", carrier))
            call("sale.sale.draft", [sale])
            call("sale.sale.write", [sale], {"carrier": numbers[0]})
            call("sale.sale.quote", [sale])
        self.unwarned("sale.sale.confirm", [sale])
        if status.state is ErpOrderState.OPEN:
            return
        [row] = call.rows("sale.sale", [("id", "=", sale)], "shipments")
        [shipment] = row["shipments"]
        for line in status.lines:
            for kind in ("inventory_moves", "outgoing_moves"):
                [held] = call.rows("stock.shipment.out", [("id", "=", shipment)], kind)
                if line.shipped < line.ordered and held[kind]:
                    call("stock.move.write", held[kind], {"quantity": float(line.shipped)})
        self.unwarned("stock.shipment.out.assign_force", [shipment])
        self.unwarned("stock.shipment.out.pick", [shipment])
        if status.state is ErpOrderState.PICKED:
            return
        self.unwarned("stock.shipment.out.pack", [shipment])
        self.unwarned("stock.shipment.out.do", [shipment])
        for each in status.shipments:
            self._file.execute(
                "UPDATE stock_shipment_out SET number = ?, effective_date = ? WHERE id = ?",
                each.number,
                None if each.shipped_on is None else each.shipped_on.isoformat(),
                shipment,
            )
        if status.state is ErpOrderState.INVOICED:
            [row] = call.rows("sale.sale", [("id", "=", sale)], "invoices")
            call("account.invoice.write", row["invoices"], {"invoice_date": date.today()})  # noqa: DTZ011
            self.unwarned("account.invoice.post", row["invoices"])

    def mark_changed(self, customer_id: CustomerId, feed: Feed, at: datetime) -> None:
        party = self._party(customer_id)
        told = at.strftime("%Y-%m-%d %H:%M:%S.%f")
        for table, column in (
            ("party_party", "id"),
            ("party_address", "party"),
            ("party_contact_mechanism", "party"),
            ("account_invoice", "party"),
        ):
            self._file.execute(
                f"UPDATE {table} SET create_date = ?, write_date = ? WHERE {column} = ?",
                told,
                told,
                party,
            )

    def order_rows(self, key: IdempotencyKey | None = None) -> OrderRows:
        domain: list[object] = [("web_shop.name", "=", SHOP)]
        if key is not None:
            domain.append(("web_id", "=", key.value))
        sales = self._call.find("sale.sale", *domain)
        lines = self._call.find(
            "sale.line",
            ("sale", "in", sales),
            ("type", "=", "line"),
            ("sequence", "<", AMOUNTS_FROM),
        )
        return OrderRows(len(sales), len(lines))

    def written(self, key: IdempotencyKey) -> WrittenOrder | None:
        found = self._call.rows(
            "sale.sale",
            [("web_shop.name", "=", SHOP), ("web_id", "=", key.value)],
            "party.code",
            "shipment_address.active",
            "shipment_address.party_name",
            "shipment_address.street",
            "shipment_address.city",
            "shipment_address.postal_code",
            "shipment_address.country.code",
            "reference",
            "comment",
            "lines.type",
            "lines.sequence",
            "lines.description",
            "lines.product.code",
            "lines.quantity",
            "lines.unit.symbol",
            "lines.unit_price",
            "lines.note",
        )
        if not found:
            return None
        [row] = found
        address = row["shipment_address."]
        lines = sorted(row["lines."], key=lambda line: int(line["sequence"]))
        priced = [line for line in lines if line["type"] == "line"]
        amounts = [
            (line["product."]["code"], abs(line["unit_price"]))
            for line in priced
            if line["sequence"] >= AMOUNTS_FROM and not line["description"].startswith("Discount ")
        ]
        one_off = None
        if not address["active"]:
            one_off = Address(
                name=address["party_name"],
                lines=tuple(address["street"].splitlines()),
                city=address["city"],
                country=address["country."]["code"],
                postal_code=address["postal_code"],
            )
        notes = "\n".join(line["note"] or "" for line in lines if line["type"] == "comment")
        name = self._directory.ship_tos.name(str(address["id"]))
        return WrittenOrder(
            sold_to=CustomerId(row["party."]["code"]),
            lines=tuple(
                WrittenLine(
                    Sku(line["product."]["code"]),
                    Decimal(str(line["quantity"])),
                    line["unit."]["symbol"],
                    line["unit_price"],
                )
                for line in priced
                if line["sequence"] < AMOUNTS_FROM
            ),
            ship_to_id=None if one_off is not None else ShipToId(name),
            one_off=one_off,
            po_number=row["reference"],
            notes=row["comment"],
            payment_references=tuple(_REFERENCE.findall(notes)),
            amounts=tuple(sorted(amounts)),
        )

    def filed_ship_tos(self, customer_id: CustomerId) -> Collection[ShipToId]:
        found = self._call.find("party.address", ("party", "=", self._party(customer_id)))
        return [ShipToId(self._directory.ship_tos.name(str(number))) for number in found]

    # Look-ups

    def _one(self, model: str, name: str) -> int:
        if (model, name) not in self._known:
            [self._known[model, name]] = self._call.find(model, ("name", "=", name))
        return self._known[model, name]

    def _party(self, customer_id: CustomerId) -> int:
        self._settle()
        domain = [("code", "=", customer_id.value), ("active", "in", [True, False])]
        [number] = self._call.find("party.party", *domain)
        return number

    def _sale(self, key: IdempotencyKey) -> int:
        domain = [("web_shop.name", "=", SHOP), ("web_id", "=", key.value)]
        [number] = self._call.find("sale.sale", *domain)
        return number

    def _untaxed(self) -> int:
        return self._one("product.category", "Untaxed")
