"""The sample's business facts as rows of the sample ERP's tables.

This is the reverse of what the profile ``sample.yaml`` does, so a test can hold
the one against the other: what is written here must be read back the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, insert

from sync.domain.account import CreditStatus
from sync.domain.address import Address
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.document import DocumentKind, DocumentRecord
from sync.domain.invoice import Invoice, InvoiceKind
from sync.domain.pricing import Price, PriceLevel
from sync.sample import erp_schema as erp
from sync.sample.baskets import World
from sync.sample.customers import TERMS, Customers, trade
from sync.sample.good_orders import USED_PO
from sync.sample.ledger import build_balances
from sync.sample.papers import build_papers
from sync.sample.part_numbers import build_parts
from sync.sample.stock import RETURNS, build_stock

Row = dict[str, Any]
Rows = dict[Table, list[Row]]

_BATCH = 5000
_DESK_ORDERS = 12


def write_erp(connection: Connection, world: World, invoices: Iterable[Invoice]) -> None:
    """Fill the empty tables, in the caller's transaction."""
    # What stands here has not changed since; only newer moments are changes.
    changed = datetime.combine(world.today - timedelta(days=1), time(5))
    rows: Rows = {table: [] for table in erp.erp.sorted_tables}
    _customers(rows, world.customers)
    _items(rows, world)
    _prices(rows, world.prices.entries)
    invoices = tuple(invoices)
    _invoices(rows, invoices)
    rows[erp.printed].extend(printed_row(each) for each, _ in build_papers(invoices))
    rows[erp.customer_item].extend(
        {
            "customer_no": part.sold_to.value,
            "customer_item_no": part.part_number.value,
            "item_no": part.sku.value,
            "unit": part.unit,
            "customer_text": part.description,
        }
        for part in build_parts(world.catalogue)
    )
    _stock(rows, build_stock(world.catalogue, world.today))
    _ledger(rows, build_balances(invoices, world.today))
    _desk_orders(rows, world)
    for table, found in rows.items():
        if "changed_at" in table.c:
            for row in found:
                row["changed_at"] = changed
        for start in range(0, len(found), _BATCH):
            batch = [_stored(connection, row) for row in found[start : start + _BATCH]]
            connection.execute(insert(table), batch)


def _stored(connection: Connection, row: Row) -> Row:
    """Exact numbers as text, where the database has no exact numbers."""
    if connection.dialect.name != "sqlite":
        return row
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in row.items()
    }


def _yes(flag: bool) -> str:
    return "Y" if flag else "N"


def _maybe(flag: bool | None) -> str | None:
    return None if flag is None else _yes(flag)


def _address(address: Address) -> Row:
    lines = (*address.lines, None, None, None)
    return {
        "name": address.name,
        "street_1": lines[0],
        "street_2": lines[1],
        "street_3": lines[2],
        "city": address.city,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
        "attention": address.attention,
        "phone": address.phone,
        "email": address.email,
    }


def _customers(rows: Rows, customers: Customers) -> None:
    for code, (description, days) in TERMS.items():
        rows[erp.terms].append({"terms_code": code, "description": description, "net_days": days})
    for customer in customers.customers:
        account = customer.account
        key = account.customer_id.value
        status = "P" if account.prospect else "A" if account.active else "I"
        rows[erp.customer].append(
            {
                "customer_no": key,
                "name": account.name,
                "customer_class": customer.customer_class,
                "status": status,
                "terms_code": account.terms,
                "currency": account.currencies[0],
                "tax_id": account.tax_id,
                "tax_exempt": _yes(account.tax_exempt),
                "credit_hold": _yes(account.credit is CreditStatus.HOLD),
                "po_required": _yes(account.po_required),
                "parent_no": customer.parent.value if customer.parent else None,
                "default_ship_to": account.default_ship_to and account.default_ship_to.value,
            }
        )
        rows[erp.customer_currency].extend(
            {"customer_no": key, "currency": currency} for currency in account.currencies[1:]
        )
        rows[erp.customer_price_class].extend(
            {"customer_no": key, "price_class": group} for group in account.price_groups
        )
        rows[erp.customer_group].extend(
            {"customer_no": key, "group_code": tag} for tag in account.tags
        )
        rows[erp.contact].extend(
            {
                "contact_no": contact.contact_id.value,
                "customer_no": key,
                "name": name,
                "email": contact.email,
                "phone": None,
            }
            for contact, name in zip(account.contacts, customer.contact_names, strict=True)
        )
    rows[erp.branch].extend(
        {
            "branch_no": site.location_id.value,
            "customer_no": site.sold_to.value,
            "name": site.name,
            "tax_exempt": _maybe(site.tax_exempt),
            "default_ship_to": site.default_ship_to and site.default_ship_to.value,
            "bill_to_no": site.bill_to and site.bill_to.value,
            "warehouse": site.warehouse,
        }
        for site in customers.locations
    )
    rows[erp.ship_to].extend(
        {
            "customer_no": ship_to.sold_to.value,
            "ship_to_no": ship_to.ship_to_id.value,
            **_address(ship_to.address),
            "residential": _maybe(ship_to.address.residential),
            "tax_exempt": _maybe(ship_to.tax_exempt),
            "warehouse": ship_to.warehouse,
            "branch_no": ship_to.location and ship_to.location.value,
            "closed": "N",
        }
        for ship_to in customers.ship_tos
    )
    rows[erp.bill_to].extend(
        {
            "customer_no": bill_to.sold_to.value,
            "bill_to_no": bill_to.bill_to_id.value,
            **_address(bill_to.address),
            "is_default": _yes(bill_to.default),
            "closed": "N",
        }
        for bill_to in customers.bill_tos
    )
    _closed_addresses(rows)


def _closed_addresses(rows: Rows) -> None:
    """Former addresses, which the profile must leave out."""
    for row in rows[erp.ship_to][:5]:
        rows[erp.ship_to].append(
            {**row, "ship_to_no": f"9{row['ship_to_no'][1:]}", "closed": "Y", "branch_no": None}
        )


def _items(rows: Rows, world: World) -> None:
    for item in world.catalogue.items:
        status = "D" if item.discontinued else "A" if item.active else "X"
        rows[erp.item].append(
            {
                "item_no": item.sku.value,
                "description": item.description,
                "stock_unit": item.stock_unit,
                "status": status,
                "is_kit": _yes(item.kit),
                "divisible": _yes(not item.whole_units_only),
                "restricted": _yes(item.allowed_to is not None),
            }
        )
        rows[erp.item_unit].extend(
            {"item_no": item.sku.value, "unit": unit, "stock_units": factor}
            for unit, factor in item.units
        )
        rows[erp.item_allowed].extend(
            {"item_no": item.sku.value, "customer_no": customer_id.value}
            for customer_id in sorted(item.allowed_to or ())
        )
        rows[erp.item_group].extend(
            {"item_no": item.sku.value, "group_code": tag} for tag in sorted(item.allowed_tags)
        )
    rows[erp.kit_part].extend(
        {"kit_no": part.kit.value, "item_no": part.part.value, "quantity": part.quantity}
        for part in world.catalogue.parts
    )


def _prices(rows: Rows, entries: Iterable[Price]) -> None:
    """Each entry goes where this ERP keeps its level; a list's head is written once."""
    heads: set[str] = set()
    for entry in entries:
        key, value = entry.key, entry.value
        period = {"valid_from": key.valid_from, "valid_until": value.valid_until}
        line = {
            "item_no": key.sku.value,
            "unit": key.unit,
            "min_quantity": key.min_quantity,
            "unit_price": value.unit_price,
        }
        if key.scope.level is PriceLevel.ITEM:
            number = len(rows[erp.special]) + 1
            rows[erp.special].append(
                {"special_no": number, "currency": key.currency, **period, **line}
            )
            continue
        head = {"currency": key.currency, "priority": key.priority, **period}
        new = key.price_list not in heads
        heads.add(key.price_list)
        if key.scope.level in (PriceLevel.GROUP, PriceLevel.DEFAULT):
            if new:
                rows[erp.price_list].append(
                    {
                        "list_code": key.price_list,
                        "price_class": key.scope.owner or None,
                        "warehouse": key.warehouse,
                        **head,
                    }
                )
            rows[erp.price_list_price].append({"list_code": key.price_list, **line})
            continue
        if new:
            rows[erp.contract].append(
                {
                    "contract_no": key.price_list,
                    **_parties(key.scope.level, key.scope.owner),
                    **head,
                }
            )
        rows[erp.contract_price].append({"contract_no": key.price_list, **line})


def _parties(level: PriceLevel, owner: str) -> Row:
    if level is PriceLevel.ACCOUNT:
        return {"customer_no": owner, "branch_no": None}
    # A branch is called after its customer: "000105-B1".
    return {"customer_no": owner.split("-", 1)[0], "branch_no": owner}


def _invoices(rows: Rows, invoices: Iterable[Invoice]) -> None:
    for invoice in invoices:
        number = invoice.number.value
        rows[erp.invoice].append(
            {
                "invoice_no": number,
                "customer_no": invoice.sold_to.value,
                "doc_type": "CRN" if invoice.kind is InvoiceKind.CREDIT else "INV",
                "invoice_date": invoice.invoiced_on,
                "currency": invoice.total.currency,
                "freight": invoice.freight and invoice.freight.amount,
                "tax": invoice.tax and invoice.tax.amount,
                "total": invoice.total.amount,
                "open_amount": invoice.open_amount and invoice.open_amount.amount,
                "order_no": invoice.erp_order and invoice.erp_order.value,
                "po_no": invoice.po_number,
                "web_order_no": invoice.web_reference,
                "posted": "Y",
            }
        )
        rows[erp.invoice_line].extend(
            {
                "invoice_no": number,
                "line_no": line.number,
                "item_no": line.sku and line.sku.value,
                "description": line.description,
                "quantity": line.quantity,
                "unit": line.unit,
                "unit_price": line.unit_price and line.unit_price.amount,
                "net_amount": line.net.amount,
            }
            for line in invoice.lines
        )
        rows[erp.invoice_due].extend(
            {
                "invoice_no": number,
                "due_no": position,
                "due_date": due.due_on,
                "amount": due.amount.amount,
            }
            for position, due in enumerate(invoice.dues, start=1)
        )
    if rows[erp.invoice]:
        _draft(rows)


_DOC_CLASSES = {
    DocumentKind.INVOICE: "INV",
    DocumentKind.ORDER_CONFIRMATION: "CON",
    DocumentKind.DELIVERY_NOTE: "DEL",
}


def printed_row(record: DocumentRecord) -> Row:
    return {
        "doc_class": _DOC_CLASSES[record.kind],
        "doc_no": record.number.value,
        "customer_no": record.sold_to.value,
        "printed_on": record.issued_on,
        "file_path": record.place,
        "file_bytes": record.size,
        "file_hash": record.sha256,
        "order_no": record.erp_order.value if record.erp_order else None,
        "web_order_no": record.web_reference,
    }


def _draft(rows: Rows) -> None:
    """An invoice that somebody is still typing, which the profile must leave out."""
    rows[erp.invoice].append({**rows[erp.invoice][0], "invoice_no": "DRAFT-1", "posted": "N"})


def _stock(rows: Rows, figures: Iterable[Availability]) -> None:
    rows[erp.stock].extend(
        {
            "item_no": each.sku.value,
            "warehouse": each.warehouse,
            "free": each.available,
            "next_receipt": each.next_due,
        }
        for each in figures
    )
    # Came back this morning, and nobody has looked at it.
    rows[erp.stock].append({**rows[erp.stock][0], "warehouse": RETURNS})


def _ledger(rows: Rows, balances: Iterable[AccountBalance]) -> None:
    columns = ("not_due", "overdue_30", "overdue_60", "overdue_older")
    for each in balances:
        buckets = each.ageing.buckets if each.ageing else ()
        # Every row names every column: they are inserted together.
        ages: list[Decimal | None] = [bucket.amount.amount for bucket in buckets]
        ages = ages or [None] * len(columns)
        rows[erp.ledger].append(
            {
                "customer_no": each.sold_to.value,
                "currency": each.currency,
                "balance": each.balance.amount,
                "credit_limit": each.credit_limit and each.credit_limit.amount,
                **dict(zip(columns, ages, strict=True)),
            }
        )


def _desk_orders(rows: Rows, world: World) -> None:
    """What the desk took by telephone; the web orders get the numbers after these."""
    for number, day, order_no in _desk_numbers(world.today):
        customer_id = trade(22 if number == 0 else number)
        account = world.customers.account(customer_id)
        item = world.catalogue.items[number]
        price = world.catalogue.cost[item.sku] * 100
        rows[erp.sales_order].append(
            {
                "order_no": order_no,
                "source": "EDI" if number % 3 == 2 else "DESK",
                "customer_no": customer_id.value,
                "status": "INVOICED",
                "order_date": day,
                "currency": account.currencies[0],
                "order_total": price,
                "terms_code": account.terms,
                "ship_to_no": "0001",
                "po_no": USED_PO if number == 0 else None,
            }
        )
        rows[erp.sales_order_line].append(
            {
                "order_no": order_no,
                "line_no": 1,
                "item_no": item.sku.value,
                "quantity": Decimal(100),
                "unit": item.stock_unit,
                "stock_quantity": Decimal(100),
                "unit_price": world.catalogue.cost[item.sku],
                "discount": Decimal(0),
                "net_amount": price,
                "shipped": Decimal(100),
                "back_ordered": Decimal(0),
            }
        )


def _desk_numbers(today: date) -> Iterator[tuple[int, date, int]]:
    for number in range(_DESK_ORDERS):
        back = _DESK_ORDERS - number
        yield number, today - timedelta(days=2 * back), erp.FIRST_ORDER_NUMBER - back
