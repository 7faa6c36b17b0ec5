"""The people at the sample ERP: they pick, ship and invoice what came in from the web.

The daemon only reads what they did. ``work_a_day`` moves every open web order one
step on, so that a demonstration can show how the store learns of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, create_engine, func, insert, select, update

from sync.domain.document import DocumentKind, DocumentRecord
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber
from sync.sample import erp_schema as erp
from sync.sample.erp_rows import printed_row
from sync.sample.papers import confirmation, write_paper

CANCELLED_BY_BUYER = "Cancelled by telephone."
_CARRIERS = ("Lakeland Parcel", "Overnight Freight", "Own van")
_NEXT = {"NEW": "OPEN", "OPEN": "PICKED", "PICKED": "SHIPPED", "PART": "SHIPPED"}


@dataclass(frozen=True, slots=True)
class DaysWork:
    """How many orders are now in which of the ERP's states, and how many were invoiced."""

    moved: Mapping[str, int]
    invoiced: int


def work_a_day(erp_url: str, day: date) -> DaysWork:
    """Move every open web order one step on; the same orders always go the same way.

    New ones are opened, open ones picked, picked ones shipped (some in part, with
    the rest back-ordered) and shipped ones invoiced. A few are cancelled.
    """
    moved: Counter[str] = Counter()
    invoiced = 0
    engine = create_engine(erp_url, hide_parameters=True)
    try:
        with engine.begin() as connection:
            for order in _open_orders(connection):
                state = _next_state(order)
                moved[state] += 1
                if state in ("SHIPPED", "PART"):
                    ship(connection, order, day, whole=state == "SHIPPED")
                    continue
                if state == "INVOICED":
                    _invoice(connection, order, day)
                    invoiced += 1
                message = CANCELLED_BY_BUYER if state == "CANCELLED" else None
                _set_status(connection, order, state, message)
    finally:
        engine.dispose()
    return DaysWork(dict(moved), invoiced)


def print_confirmations(erp_url: str, folder: Path, day: date) -> int:
    """Print what confirms each web order that has no confirmation yet; how many there were."""
    printed, orders = erp.printed, erp.sales_order
    done = select(printed.c.order_no).where(
        printed.c.doc_class == "CON", printed.c.order_no.is_not(None)
    )
    engine = create_engine(erp_url, hide_parameters=True)
    try:
        with engine.begin() as connection:
            confirmed = set(connection.execute(done).scalars())
            wanted = select(orders).where(orders.c.source == "WEB").order_by(orders.c.order_no)
            rows = [
                _confirmed(folder, row, day)
                for row in connection.execute(wanted).mappings()
                if str(row["order_no"]) not in confirmed
            ]
            if rows:
                connection.execute(insert(printed), rows)
    finally:
        engine.dispose()
    return len(rows)


def _confirmed(folder: Path, order: RowMapping, day: date) -> dict[str, Any]:
    number, owner = str(order["order_no"]), CustomerId(order["customer_no"])
    place, file = confirmation(owner, number, order["web_order_no"], day.isoformat())
    write_paper(folder, place, file)
    return printed_row(
        DocumentRecord(
            kind=DocumentKind.ORDER_CONFIRMATION,
            number=DocumentNumber(number),
            sold_to=owner,
            issued_on=day,
            place=place,
            erp_order=ErpOrderNumber(number),
            web_reference=order["web_order_no"],
            size=len(file),
        )
    )


def _open_orders(connection: Connection) -> list[RowMapping]:
    table = erp.sales_order
    wanted = select(table).where(
        table.c.source == "WEB", table.c.status.not_in(("INVOICED", "CANCELLED"))
    )
    return list(connection.execute(wanted.order_by(table.c.order_no)).mappings())


def _next_state(order: RowMapping) -> str:
    number, state = order["order_no"], order["status"]
    if state == "OPEN" and number % 19 == 0:
        return "CANCELLED"
    if state == "PICKED" and number % 5 == 0:
        return "PART"
    return _NEXT.get(state, "INVOICED")


def _lines(connection: Connection, order: RowMapping) -> list[RowMapping]:
    table = erp.sales_order_line
    wanted = select(table).where(table.c.order_no == order["order_no"]).order_by(table.c.line_no)
    return list(connection.execute(wanted).mappings())


def _set_status(
    connection: Connection, order: RowMapping, state: str, message: str | None = None
) -> None:
    connection.execute(
        update(erp.sales_order)
        .where(erp.sales_order.c.order_no == order["order_no"])
        .values(status=state, status_message=message, changed_at=_now())
    )


def ship(connection: Connection, order: RowMapping, day: date, *, whole: bool) -> None:
    """All of the order leaves, or all but its last line, which is back-ordered."""
    number = order["order_no"]
    _set_status(connection, order, "SHIPPED" if whole else "PART")
    parcels = connection.execute(
        select(func.count()).select_from(erp.shipment).where(erp.shipment.c.order_no == number)
    ).scalar_one()
    connection.execute(
        insert(erp.shipment),
        [
            {
                "shipment_no": f"S{number}-{parcels + 1}",
                "order_no": number,
                "ship_date": day,
                "carrier": _CARRIERS[number % len(_CARRIERS)],
                "tracking_no": f"LP{number}{parcels + 1:02d}",
            }
        ],
    )
    lines = _lines(connection, order)
    for line in lines:
        ordered = Decimal(line["stock_quantity"])
        # In part means that the last line has to wait for goods.
        waits = not whole and line["line_no"] == lines[-1]["line_no"]
        shipped = Decimal(0) if waits else ordered
        connection.execute(
            update(erp.sales_order_line)
            .where(
                erp.sales_order_line.c.order_no == number,
                erp.sales_order_line.c.line_no == line["line_no"],
            )
            .values(
                shipped=_number(connection, shipped),
                back_ordered=_number(connection, ordered - shipped),
            )
        )


def _invoice(connection: Connection, order: RowMapping, day: date) -> None:
    number = f"9{order['order_no']}"
    total = Decimal(order["order_total"])
    paid = order["terms_code"] is None
    row: dict[str, Any] = {
        "invoice_no": number,
        "customer_no": order["customer_no"],
        "doc_type": "INV",
        "invoice_date": day,
        "currency": order["currency"],
        "freight": _sum(connection, erp.sales_order_charge, order, charge_kind="CHARGE"),
        "tax": _sum(connection, erp.sales_order_tax, order),
        "total": _number(connection, total),
        "open_amount": _number(connection, Decimal(0) if paid else total),
        "order_no": str(order["order_no"]),
        "po_no": order["po_no"],
        "web_order_no": order["web_order_no"],
        "posted": "Y",
        "changed_at": _now(),
    }
    connection.execute(insert(erp.invoice), [row])
    connection.execute(
        insert(erp.invoice_line),
        [
            {
                "invoice_no": number,
                "line_no": line["line_no"],
                "item_no": line["item_no"],
                "quantity": line["quantity"],
                "unit": line["unit"],
                "unit_price": line["unit_price"],
                "net_amount": line["net_amount"],
            }
            for line in _lines(connection, order)
        ],
    )
    due = {
        "invoice_no": number,
        "due_no": 1,
        "due_date": day + timedelta(days=0 if paid else 30),
        "amount": _number(connection, total),
    }
    connection.execute(insert(erp.invoice_due), [due])
    if not paid:
        _owe(connection, order, total)


def _owe(connection: Connection, order: RowMapping, total: Decimal) -> None:
    """The customer owes as much more; what is due in a month is not overdue."""
    table = erp.ledger
    key = (table.c.customer_no == order["customer_no"], table.c.currency == order["currency"])
    held = connection.execute(select(table).where(*key)).mappings().first()
    if held is None:
        row = {"customer_no": order["customer_no"], "currency": order["currency"]}
        amount = {"balance": _number(connection, total), "changed_at": _now()}
        connection.execute(insert(table), [{**row, **amount}])
        return
    changed = {
        name: _number(connection, Decimal(held[name]) + total)
        for name in ("balance", "not_due")
        if held[name] is not None
    }
    connection.execute(update(table).where(*key).values(changed_at=_now(), **changed))


def _sum(connection: Connection, table: Any, order: RowMapping, **where: str) -> Any:
    wanted = select(table.c.amount).where(table.c.order_no == order["order_no"])
    for name, value in where.items():
        wanted = wanted.where(table.c[name] == value)
    amounts = connection.execute(wanted).scalars()
    return _number(connection, sum((Decimal(each) for each in amounts), Decimal(0)))


def _number(connection: Connection, value: Decimal) -> Any:
    """Exact numbers are text where the database has none of its own."""
    return f"{value:f}" if connection.dialect.name == "sqlite" else value


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
