"""The tables of the sample ERP: what a mid-sized distributor's ERP looks like from outside.

The layout is deliberately not ours. Flags are "Y" and "N", the status of a
customer is one letter, prices are spread over four places (specials, contracts,
price lists, the base list), and the profile ``sample.yaml`` is what translates
all that. An administrator who writes a profile for another ERP finds each of
those situations solved there once.

Numbers are NUMERIC where the database keeps them exactly. SQLite does not: it
turns NUMERIC into floating point, so there the same columns are text, and the
profile needs no rounding to repair them. Moments are in UTC and without a zone;
the profile says so. Days are the distributor's own, in Chicago.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

MOMENT = DateTime()
DAY = Date()

FIRST_ORDER_NUMBER = 700001
"""The first number that the ERP gives to an order that comes from outside."""


def _exact(precision: int, scale: int) -> TypeEngine[Decimal]:
    return Numeric(precision, scale).with_variant(Text(), "sqlite")


AMOUNT = _exact(19, 4)
QUANTITY = _exact(19, 6)
RATE = _exact(9, 6)

erp = MetaData()


def _flag(name: str, default: str = "N", *, nullable: bool = False) -> Column[str]:
    return Column(
        name,
        String(1),
        CheckConstraint(f"{name} IN ('Y', 'N')"),
        nullable=nullable,
        server_default=None if nullable else default,
    )


class _UtcNow(FunctionElement[datetime]):
    """This moment in UTC without a zone, on the database's own clock."""

    type = DateTime()
    inherit_cache = True


@compiles(_UtcNow, "sqlite")
def _on_sqlite(*_: object, **__: object) -> str:
    # CURRENT_TIMESTAMP has whole seconds there: too coarse to ask "since when?".
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"


@compiles(_UtcNow, "postgresql")
def _on_postgresql(*_: object, **__: object) -> str:
    return "(now() AT TIME ZONE 'UTC')"


def _changed() -> Column[datetime]:
    """When the record last changed. The ERP's programs keep it; nobody else has to."""
    return Column("changed_at", MOMENT, nullable=False, index=True, server_default=_UtcNow())


def _address() -> tuple[Column[str], ...]:
    return (
        Column("name", String(60), nullable=False),
        Column("street_1", String(60), nullable=False),
        Column("street_2", String(60)),
        Column("street_3", String(60)),
        Column("city", String(50), nullable=False),
        Column("region", String(30)),
        Column("postal_code", String(15)),
        Column("country", String(2), nullable=False),
        Column("attention", String(60)),
        Column("phone", String(30)),
        Column("email", String(120)),
    )


terms = Table(
    "terms",
    erp,
    Column("terms_code", String(10), primary_key=True),
    Column("description", String(60), nullable=False),
    Column("net_days", Integer, nullable=False),
)

# ---------------------------------------------------------------- customers

customer = Table(
    "customer",
    erp,
    # Text, because "000123" and "123" are two customers.
    Column("customer_no", String(12), primary_key=True),
    Column("name", String(60), nullable=False),
    # TRADE: companies; SHARED: one account for many retail buyers;
    # CONSUMER: single persons from the counter, of no interest to the web store.
    Column("customer_class", String(10), nullable=False),
    # A: active, I: inactive, P: prospect, S: suspended.
    Column("status", String(1), CheckConstraint("status IN ('A', 'I', 'P', 'S')"), nullable=False),
    Column("terms_code", ForeignKey("terms.terms_code")),
    Column("currency", String(3), nullable=False),
    Column("tax_id", String(30)),
    _flag("tax_exempt"),
    _flag("credit_hold"),
    _flag("po_required"),
    Column("parent_no", ForeignKey("customer.customer_no")),
    Column("default_ship_to", String(10)),
    # Of customers that registered in the web store.
    Column("external_key", String(64), unique=True),
    _changed(),
)

customer_currency = Table(
    "customer_currency",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), primary_key=True),
    Column("currency", String(3), primary_key=True),
)

customer_price_class = Table(
    "customer_price_class",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), primary_key=True),
    Column("price_class", String(12), primary_key=True),
)

customer_group = Table(
    "customer_group",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), primary_key=True),
    Column("group_code", String(12), primary_key=True),
)

contact = Table(
    "contact",
    erp,
    Column("contact_no", String(12), primary_key=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False, index=True),
    Column("name", String(60), nullable=False),
    Column("email", String(120), index=True),
    Column("phone", String(30)),
    _changed(),
)

branch = Table(
    "branch",
    erp,
    Column("branch_no", String(12), primary_key=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False, index=True),
    Column("name", String(60), nullable=False),
    # Empty: the branch has no word in it, the customer's own flag counts.
    _flag("tax_exempt", nullable=True),
    Column("default_ship_to", String(10)),
    Column("bill_to_no", String(10)),
    Column("warehouse", String(6)),
    _changed(),
)

ship_to = Table(
    "ship_to",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False),
    Column("ship_to_no", String(10), nullable=False),
    *_address(),
    _flag("residential", nullable=True),
    _flag("tax_exempt", nullable=True),
    Column("warehouse", String(6)),
    Column("branch_no", ForeignKey("branch.branch_no")),
    # Addresses are never deleted in this ERP, they are closed.
    _flag("closed"),
    _changed(),
    PrimaryKeyConstraint("customer_no", "ship_to_no"),
)

bill_to = Table(
    "bill_to",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False),
    Column("bill_to_no", String(10), nullable=False),
    *_address(),
    _flag("is_default"),
    _flag("closed"),
    _changed(),
    PrimaryKeyConstraint("customer_no", "bill_to_no"),
)

# -------------------------------------------------------------------- items

item = Table(
    "item",
    erp,
    Column("item_no", String(24), primary_key=True),
    Column("description", String(80), nullable=False),
    Column("stock_unit", String(4), nullable=False),
    # A: active, D: discontinued, X: not for sale.
    Column("status", String(1), CheckConstraint("status IN ('A', 'D', 'X')"), nullable=False),
    _flag("is_kit"),
    _flag("divisible"),
    _flag("restricted"),
    _changed(),
)

item_unit = Table(
    "item_unit",
    erp,
    Column("item_no", ForeignKey("item.item_no"), primary_key=True),
    Column("unit", String(4), primary_key=True),
    Column("stock_units", QUANTITY, nullable=False),
)

kit_part = Table(
    "kit_part",
    erp,
    Column("kit_no", ForeignKey("item.item_no"), primary_key=True),
    Column("item_no", ForeignKey("item.item_no"), primary_key=True),
    Column("quantity", QUANTITY, nullable=False),
)

item_allowed = Table(
    "item_allowed",
    erp,
    Column("item_no", ForeignKey("item.item_no"), primary_key=True),
    Column("customer_no", ForeignKey("customer.customer_no"), primary_key=True),
)

item_group = Table(
    "item_group",
    erp,
    Column("item_no", ForeignKey("item.item_no"), primary_key=True),
    Column("group_code", String(12), primary_key=True),
)

stock = Table(
    "stock",
    erp,
    Column("item_no", ForeignKey("item.item_no"), primary_key=True),
    Column("warehouse", String(6), primary_key=True),
    # On hand, with what is promised to orders taken off.
    Column("free", QUANTITY, nullable=False),
    Column("next_receipt", DAY),
)

# The numbers that customers themselves give to what they buy.
customer_item = Table(
    "customer_item",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), primary_key=True),
    Column("customer_item_no", String(40), primary_key=True),
    Column("item_no", ForeignKey("item.item_no"), primary_key=True),
    Column("unit", String(4)),
    Column("customer_text", String(80)),
)

# ------------------------------------------------------------------- prices

special = Table(
    "special",
    erp,
    Column("special_no", Integer, primary_key=True),
    Column("item_no", ForeignKey("item.item_no"), nullable=False, index=True),
    Column("unit", String(4), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("min_quantity", QUANTITY, nullable=False),
    Column("unit_price", AMOUNT, nullable=False),
    Column("valid_from", DAY),
    Column("valid_until", DAY),
    _changed(),
)

contract = Table(
    "contract",
    erp,
    Column("contract_no", String(16), primary_key=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False, index=True),
    # With a branch the contract is that branch's own.
    Column("branch_no", ForeignKey("branch.branch_no"), index=True),
    Column("currency", String(3), nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("valid_from", DAY),
    Column("valid_until", DAY),
    _changed(),
)

contract_price = Table(
    "contract_price",
    erp,
    Column("contract_no", ForeignKey("contract.contract_no"), nullable=False),
    Column("item_no", ForeignKey("item.item_no"), nullable=False),
    Column("unit", String(4), nullable=False),
    Column("min_quantity", QUANTITY, nullable=False),
    Column("unit_price", AMOUNT, nullable=False),
    PrimaryKeyConstraint("contract_no", "item_no", "unit", "min_quantity"),
    Index("contract_price_item", "item_no"),
)

price_list = Table(
    "price_list",
    erp,
    Column("list_code", String(16), primary_key=True),
    # Empty: the base list, for everybody.
    Column("price_class", String(12)),
    # Empty: wherever the goods are shipped from. Only base lists name one.
    Column("warehouse", String(6)),
    Column("currency", String(3), nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("valid_from", DAY),
    Column("valid_until", DAY),
    _changed(),
)

price_list_price = Table(
    "price_list_price",
    erp,
    Column("list_code", ForeignKey("price_list.list_code"), nullable=False),
    Column("item_no", ForeignKey("item.item_no"), nullable=False),
    Column("unit", String(4), nullable=False),
    Column("min_quantity", QUANTITY, nullable=False),
    # Empty or zero: sold on request only.
    Column("unit_price", AMOUNT),
    PrimaryKeyConstraint("list_code", "item_no", "unit", "min_quantity"),
    Index("price_list_price_item", "item_no"),
)

# ----------------------------------------------------------------- invoices

# What was printed, and where the file went. The class is INV, CON or DEL.
printed = Table(
    "printed",
    erp,
    Column("doc_class", String(3), primary_key=True),
    Column("doc_no", String(16), primary_key=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False, index=True),
    Column("printed_on", DAY, nullable=False),
    Column("file_path", String(120), nullable=False),
    Column("file_bytes", Integer),
    Column("file_hash", String(64)),
    Column("order_no", String(16)),
    Column("web_order_no", String(40)),
)

invoice = Table(
    "invoice",
    erp,
    Column("invoice_no", String(16), primary_key=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False, index=True),
    # INV or CRN. The amounts of a credit note are positive: its type says the sign.
    Column("doc_type", String(3), nullable=False),
    Column("invoice_date", DAY, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("freight", AMOUNT, nullable=False),
    Column("tax", AMOUNT, nullable=False),
    Column("total", AMOUNT, nullable=False),
    Column("open_amount", AMOUNT, nullable=False),
    Column("order_no", String(16)),
    Column("po_no", String(30)),
    Column("web_order_no", String(40)),
    _flag("posted", "Y"),
    _changed(),
)

invoice_line = Table(
    "invoice_line",
    erp,
    Column("invoice_no", ForeignKey("invoice.invoice_no"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("item_no", ForeignKey("item.item_no")),
    Column("description", String(80)),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit", String(4)),
    Column("unit_price", AMOUNT),
    Column("net_amount", AMOUNT, nullable=False),
)

invoice_due = Table(
    "invoice_due",
    erp,
    Column("invoice_no", ForeignKey("invoice.invoice_no"), primary_key=True),
    Column("due_no", Integer, primary_key=True),
    Column("due_date", DAY, nullable=False),
    Column("amount", AMOUNT, nullable=False),
)

# ------------------------------------------------------------------- ledger

ledger = Table(
    "ledger",
    erp,
    Column("customer_no", ForeignKey("customer.customer_no"), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("balance", AMOUNT, nullable=False),
    # Empty: no limit was ever agreed on.
    Column("credit_limit", AMOUNT),
    # What is open by age, kept by the office in Europe only.
    Column("not_due", AMOUNT),
    Column("overdue_30", AMOUNT),
    Column("overdue_60", AMOUNT),
    Column("overdue_older", AMOUNT),
    _changed(),
)

# ------------------------------------------------------------- sales orders

sales_order = Table(
    "sales_order",
    erp,
    Column("order_no", Integer, Identity(start=FIRST_ORDER_NUMBER), primary_key=True),
    # WEB for what came in through us, DESK and EDI for the rest.
    Column("source", String(4), nullable=False, server_default="DESK"),
    # What makes a second import of the same web order impossible.
    Column("external_key", String(64), unique=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False, index=True),
    # NEW, OPEN, HOLD, PICKED, PART, SHIPPED, INVOICED, CANCELLED.
    Column("status", String(10), nullable=False, server_default="NEW"),
    Column("web_order_id", String(255)),
    Column("web_order_no", String(40)),
    Column("web_channel", String(40)),
    Column("web_user", String(255)),
    Column("order_date", DAY, nullable=False),
    Column("ordered_at", MOMENT),
    Column("currency", String(3), nullable=False),
    Column("order_total", AMOUNT, nullable=False),
    Column("terms_code", ForeignKey("terms.terms_code")),
    Column("contact_no", ForeignKey("contact.contact_no")),
    Column("branch_no", ForeignKey("branch.branch_no")),
    Column("ship_to_no", String(10)),
    Column("bill_to_no", String(10)),
    Column("po_no", String(30)),
    # The one rule that this ERP keeps to itself until somebody breaks it.
    Column(
        "requested_date",
        DAY,
        CheckConstraint("requested_date >= order_date", name="requested_not_before_ordered"),
    ),
    _flag("ship_complete"),
    Column("ship_via", String(10)),
    Column("collect_account", String(30)),
    Column("phone", String(30)),
    Column("email", String(120)),
    Column("status_message", String(200)),
    _changed(),
    ForeignKeyConstraint(
        ["customer_no", "ship_to_no"], ["ship_to.customer_no", "ship_to.ship_to_no"]
    ),
    ForeignKeyConstraint(
        ["customer_no", "bill_to_no"], ["bill_to.customer_no", "bill_to.bill_to_no"]
    ),
    # Otherwise SQLite gives a deleted order's number to the next one.
    sqlite_autoincrement=True,
)

Index("sales_order_po", sales_order.c.customer_no, sales_order.c.po_no)


def _of_order(name: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        erp,
        Column("order_no", ForeignKey("sales_order.order_no"), primary_key=True),
        *columns,
    )


sales_order_line = _of_order(
    "sales_order_line",
    Column("line_no", Integer, primary_key=True),
    Column("item_no", ForeignKey("item.item_no"), nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("unit", String(4), nullable=False),
    Column("stock_quantity", QUANTITY, nullable=False),
    Column("unit_price", AMOUNT, nullable=False),
    Column("discount", AMOUNT, nullable=False),
    Column("discount_code", String(20)),
    Column("net_amount", AMOUNT, nullable=False),
    Column("customer_item_no", String(40)),
    Column("line_note", Text),
    Column("shipped", QUANTITY, nullable=False, server_default="0"),
    Column("back_ordered", QUANTITY, nullable=False, server_default="0"),
)

# Addresses of one order only; ship_to and bill_to never learn of them.
sales_order_address = _of_order(
    "sales_order_address",
    Column("address_kind", String(4), primary_key=True),
    *_address(),
    _flag("residential", nullable=True),
)

# Everything on the whole order that is neither goods nor tax. DISCOUNT is taken off.
sales_order_charge = _of_order(
    "sales_order_charge",
    Column(
        "charge_kind",
        String(10),
        CheckConstraint("charge_kind IN ('CHARGE', 'DISCOUNT', 'ADJUST')"),
        primary_key=True,
    ),
    Column("charge_no", Integer, primary_key=True),
    Column("charge_code", String(20), nullable=False),
    Column("amount", AMOUNT, nullable=False),
)

sales_order_tax = _of_order(
    "sales_order_tax",
    Column("tax_no", Integer, primary_key=True),
    Column("tax_code", String(20), nullable=False),
    Column("rate", RATE),
    Column("amount", AMOUNT, nullable=False),
)

sales_order_payment = _of_order(
    "sales_order_payment",
    Column("payment_no", Integer, primary_key=True),
    Column("pay_by", String(10), nullable=False),
    Column("payment_code", String(20), nullable=False),
    Column("reference", String(80)),
    Column("amount", AMOUNT, nullable=False),
    _flag("captured"),
)

sales_order_note = _of_order(
    "sales_order_note",
    # BUYER: what the buyer wrote; FLAG: a remark for the staff.
    Column("note_kind", String(5), primary_key=True),
    Column("note_no", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)

# What the web shop gave back, for the accountants to turn into credit notes.
credit_request = Table(
    "credit_request",
    erp,
    Column("request_no", Integer, primary_key=True, autoincrement=True),
    Column("external_key", String(64), nullable=False, unique=True),
    Column("order_no", ForeignKey("sales_order.order_no"), nullable=False, index=True),
    Column("customer_no", ForeignKey("customer.customer_no"), nullable=False),
    Column("web_refund_id", String(255), nullable=False),
    Column("refund_date", DAY, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", AMOUNT, nullable=False),
)

shipment = Table(
    "shipment",
    erp,
    Column("shipment_no", String(16), primary_key=True),
    Column("order_no", ForeignKey("sales_order.order_no"), nullable=False, index=True),
    Column("ship_date", DAY),
    Column("carrier", String(30)),
    Column("tracking_no", String(60)),
)


def create_erp(engine: Engine) -> None:
    """Make whatever table is missing.

    On SQLite, where people will try an UPDATE by hand to see what happens, the
    database itself keeps ``changed_at``, as the programs of a real ERP would.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # Kept in the file: a long read then never holds up a write.
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    erp.create_all(engine)
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            for table in erp.sorted_tables:
                if "changed_at" in table.c:
                    connection.exec_driver_sql(_stamping(table.name))


def _stamping(table: str) -> str:
    now = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    stamp = f"UPDATE {table} SET changed_at = {now} WHERE rowid = new.rowid"  # noqa: S608 - ours
    return (
        f"CREATE TRIGGER IF NOT EXISTS {table}_changed AFTER UPDATE ON {table} "
        f"FOR EACH ROW WHEN new.changed_at = old.changed_at BEGIN {stamp}; END"
    )
