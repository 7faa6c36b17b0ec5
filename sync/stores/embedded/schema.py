"""The tables of the embedded store: what the shop owns, and what is mirrored into it.

One schema serves SQLite and PostgreSQL. Amounts and quantities are decimal text
with their scale, because SQLite would keep DECIMAL(19,4) as a float and lose
digits. Moments are UTC text of fixed width (``2026-03-01T09:30:00.000000Z``), so
that they sort as they follow each other; days are ISO text. All text compares
byte by byte, also on PostgreSQL. Lists of short texts (street lines, currencies)
are JSON arrays.

No foreign keys: an order may name a user, an organisation or a channel that
this database has never heard of, and must still be shown as it was placed.

``README.md`` beside this file describes every table for people.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

# The database's own collation would sort and, on some systems, equate by
# language; a key is bytes.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

_MOMENT = "____-__-__T__:__:__.______Z"

metadata = MetaData()


def _key(name: str) -> Column[str]:
    return Column(name, TEXT, primary_key=True)


def _position() -> Column[int]:
    return Column("position", Integer, primary_key=True, autoincrement=False)


def _text(name: str) -> Column[str]:
    return Column(name, TEXT)


def _needed(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


def _address() -> tuple[Column[str] | Column[bool], ...]:
    return (
        _text("name"),
        _needed("lines"),
        _text("city"),
        _text("country"),
        _text("postal_code"),
        _text("region"),
        _text("attention"),
        _text("phone"),
        _text("email"),
        Column("residential", Boolean),
    )


# --- What the shop and its users own. The mirrors never write here (MI-1). ---

channels = Table(
    "channels",
    metadata,
    _key("channel"),
    _text("title"),
    _needed("mode"),
    _needed("login_wall"),
    _flag("guest_checkout"),
)

organisations = Table(
    "organisations",
    metadata,
    _key("organisation"),
    _needed("name"),
    Column("status", Integer, CheckConstraint("status BETWEEN 0 AND 11")),
    _text("staff_customer_id"),
    _flag("open_application"),
)

web_users = Table(
    "web_users",
    metadata,
    _key("web_user"),
    _text("name"),
    _text("email"),
    _flag("email_verified"),
    _text("staff_customer_id"),
    _flag("open_application"),
    _text("preferred_currency"),
    CheckConstraint("email IS NOT NULL OR NOT email_verified", name="verified_means_an_email"),
)

memberships = Table(
    "memberships",
    metadata,
    _key("web_user"),
    _key("organisation"),
    Column("position", Integer, nullable=False, default=0),
    Column("role", Integer, CheckConstraint("role BETWEEN 1 AND 4"), nullable=False),
    _text("location"),
    Index("memberships_by_organisation", "organisation"),
)

customer_groups = Table("customer_groups", metadata, _key("code"), _needed("name"))

organisation_groups = Table(
    "organisation_groups", metadata, _key("organisation"), _key("group_code")
)

applications = Table(
    "applications",
    metadata,
    _key("application"),
    _needed("channel"),
    Column("kind", TEXT, CheckConstraint("kind IN ('personal', 'business')")),
    # What is open is sorted by it, and a later one is another hand-in.
    Column("submitted_at", TEXT, CheckConstraint(f"submitted_at LIKE '{_MOMENT}'"), nullable=False),
    _text("web_user"),
    _text("contact_name"),
    _text("email"),
    _text("phone"),
    _text("company"),
    _text("tax_id"),
    _text("country"),
    _text("region"),
    Index("applications_by_time", "submitted_at", "application"),
)

application_documents = Table(
    "application_documents",
    metadata,
    _key("application"),
    _position(),
    _needed("kind"),
    _needed("reference"),
    _text("media_type"),
)

own_addresses = Table("own_addresses", metadata, _key("web_user"), _position(), *_address())

orders = Table(
    "orders",
    metadata,
    _key("order_id"),
    _text("number"),
    _text("channel"),
    _text("placed_at"),
    # The feed is sorted by it, so it must have the shape that sorts.
    Column("modified_at", TEXT, CheckConstraint(f"modified_at LIKE '{_MOMENT}'"), nullable=False),
    _text("state"),
    _text("web_user"),
    _flag("signed_in"),
    _text("organisation"),
    _text("location"),
    _text("email"),
    _text("phone"),
    _text("priced_for"),
    _text("currency"),
    _text("total"),
    _text("ship_to_id"),
    _text("bill_to_id"),
    _text("approval"),
    _text("po_number"),
    _text("notes"),
    _text("requested_date"),
    _flag("ship_complete"),
    _text("ship_via"),
    _text("collect_account"),
    Index("orders_by_change", "modified_at", "order_id"),
    Index("orders_by_user", "web_user", "placed_at"),
)

order_addresses = Table(
    "order_addresses",
    metadata,
    _key("order_id"),
    Column("purpose", TEXT, CheckConstraint("purpose IN ('ship_to', 'bill_to')"), primary_key=True),
    *_address(),
)

order_lines = Table(
    "order_lines",
    metadata,
    _key("order_id"),
    _position(),
    _text("line_id"),
    _text("sku"),
    _text("quantity"),
    _text("unit"),
    _text("unit_price"),
    _text("customer_part_number"),
    _text("note"),
    _text("kit_parent"),
)

order_line_discounts = Table(
    "order_line_discounts",
    metadata,
    _key("order_id"),
    Column("line_position", Integer, primary_key=True, autoincrement=False),
    _position(),
    _text("code"),
    _text("amount"),
    _text("rate"),
)

order_charges = Table(
    "order_charges",
    metadata,
    _key("order_id"),
    _position(),
    _text("kind"),
    _text("code"),
    _text("amount"),
)

order_discounts = Table(
    "order_discounts", metadata, _key("order_id"), _position(), _text("code"), _text("amount")
)

order_taxes = Table(
    "order_taxes",
    metadata,
    _key("order_id"),
    _position(),
    _text("code"),
    _text("amount"),
    _text("rate"),
)

order_adjustments = Table(
    "order_adjustments", metadata, _key("order_id"), _position(), _text("name"), _text("amount")
)

order_payments = Table(
    "order_payments",
    metadata,
    _key("order_id"),
    _position(),
    _text("method"),
    _text("state"),
    _text("amount"),
    _text("reference"),
    _text("expires_at"),
)

order_refunds = Table(
    "order_refunds",
    metadata,
    _key("order_id"),
    _position(),
    _text("refund_id"),
    _text("amount"),
    _text("refunded_at"),
)

ORDER_PARTS: tuple[Table, ...] = (
    order_addresses,
    order_lines,
    order_line_discounts,
    order_charges,
    order_discounts,
    order_taxes,
    order_adjustments,
    order_payments,
    order_refunds,
)
"""Every table that holds a part of an order, each with its ``order_id``."""


# --- What is mirrored from the ERP. Only the store adapter writes here. ---

order_imports = Table(
    "order_imports",
    metadata,
    _key("order_id"),
    _needed("state"),
    _text("erp_order"),
    _text("message"),
)

# Asked for by the daemon; the shop carries it out and says so in ``state``.
order_captures = Table(
    "order_captures",
    metadata,
    _key("order_id"),
    _key("capture_key"),
    _needed("amount"),
    _needed("currency"),
    Column(
        "state",
        TEXT,
        CheckConstraint("state IN ('requested', 'captured', 'refused')"),
        nullable=False,
    ),
    _text("message"),
    _needed("asked_at"),
)

order_statuses = Table(
    "order_statuses",
    metadata,
    _key("order_id"),
    _needed("state"),
    _text("erp_order"),
    _text("message"),
)

order_shipments = Table(
    "order_shipments",
    metadata,
    _key("order_id"),
    _position(),
    _needed("number"),
    _text("shipped_on"),
    _text("carrier"),
    _text("tracking"),
)

order_line_statuses = Table(
    "order_line_statuses",
    metadata,
    _key("order_id"),
    _position(),
    Column("line", Integer, nullable=False),
    _needed("sku"),
    _needed("ordered"),
    _needed("shipped"),
    _needed("back_ordered"),
)

registrations = Table(
    "registrations",
    metadata,
    _key("application"),
    _text("web_user"),
    _text("organisation"),
    _text("submitted_at"),
    Column("status", Integer, CheckConstraint("status BETWEEN 0 AND 9")),
    _flag("rejected"),
    _flag("decided"),
    _needed("missing"),
    _text("message"),
    Index("registrations_by_user", "web_user"),
)

accounts = Table(
    "accounts",
    metadata,
    _key("customer_id"),
    _needed("name"),
    Column("status", Integer, CheckConstraint("status BETWEEN 0 AND 11"), nullable=False),
    _text("terms"),
    _needed("currencies"),
    _flag("tax_exempt"),
    _needed("credit"),
    _needed("price_groups"),
)

account_locations = Table(
    "account_locations",
    metadata,
    _key("customer_id"),
    _position(),
    _needed("location"),
    _needed("name"),
    Column("tax_exempt", Boolean),
)

account_organisations = Table(
    "account_organisations",
    metadata,
    _key("customer_id"),
    _position(),
    _needed("organisation"),
    Index("account_organisations_by_organisation", "organisation"),
)

account_users = Table(
    "account_users",
    metadata,
    _key("customer_id"),
    _position(),
    _needed("web_user"),
    Index("account_users_by_user", "web_user"),
)

account_exceptions = Table(
    "account_exceptions",
    metadata,
    _key("customer_id"),
    _position(),
    _needed("organisation"),
    _needed("web_user"),
    Index("account_exceptions_by_user", "web_user", "organisation"),
)

account_barred = Table(
    "account_barred",
    metadata,
    _key("customer_id"),
    _position(),
    _needed("organisation"),
    _needed("web_user"),
    Index("account_barred_by_user", "web_user", "organisation"),
)

account_tags = Table(
    "account_tags",
    metadata,
    _key("customer_id"),
    _position(),
    _needed("tag"),
    Index("account_tags_by_tag", "tag"),
)

ship_tos = Table(
    "ship_tos",
    metadata,
    _key("customer_id"),
    _key("ship_to_id"),
    *_address(),
    _flag("is_default"),
    Column("tax_exempt", Boolean),
    _text("warehouse"),
    _text("location"),
)

bill_tos = Table(
    "bill_tos",
    metadata,
    _key("customer_id"),
    _key("bill_to_id"),
    *_address(),
    _flag("is_default"),
)

invoices = Table(
    "invoices",
    metadata,
    _key("customer_id"),
    _key("number"),
    _needed("kind"),
    _needed("invoiced_on"),
    _needed("currency"),
    _needed("total"),
    _text("tax"),
    _text("freight"),
    _text("open_amount"),
    _text("erp_order"),
    _text("po_number"),
    _text("web_reference"),
    Index("invoices_by_number", "number"),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    _key("customer_id"),
    _key("invoice"),
    _position(),
    Column("number", Integer, nullable=False),
    _needed("quantity"),
    _needed("net"),
    _text("sku"),
    _text("description"),
    _text("unit"),
    _text("unit_price"),
)

invoice_dues = Table(
    "invoice_dues",
    metadata,
    _key("customer_id"),
    _key("invoice"),
    _position(),
    _needed("due_on"),
    _needed("amount"),
)

account_balances = Table(
    "account_balances",
    metadata,
    _key("customer_id"),
    _key("currency"),
    _needed("balance"),
    _needed("source"),
    _text("credit_limit"),
    _text("ageing_source"),
)

account_ageing = Table(
    "account_ageing",
    metadata,
    _key("customer_id"),
    _key("currency"),
    _position(),
    Column("from_days", Integer),
    Column("to_days", Integer),
    _needed("amount"),
)

# Of every source; no web order of ``orders`` is ever made or changed by them.
account_orders = Table(
    "account_orders",
    metadata,
    _key("customer_id"),
    _key("erp_order"),
    _needed("source"),
    _needed("state"),
    _needed("ordered_on"),
    _needed("currency"),
    _needed("total"),
    _text("requested_on"),
    _text("po_number"),
    _text("web_order"),
    Index("account_orders_by_number", "erp_order"),
)

account_order_lines = Table(
    "account_order_lines",
    metadata,
    _key("customer_id"),
    _key("erp_order"),
    _position(),
    Column("number", Integer, nullable=False),
    _needed("quantity"),
    _text("sku"),
    _text("description"),
    _text("unit"),
    _text("unit_price"),
    _text("net"),
    _text("shipped"),
)

customer_parts = Table(
    "customer_parts",
    metadata,
    _key("customer_id"),
    _key("part_number"),
    _key("sku"),
    _text("unit"),
    _text("description"),
)

documents = Table(
    "documents",
    metadata,
    _key("customer_id"),
    _key("kind"),
    _key("number"),
    _needed("issued_on"),
    _needed("file_name"),
    _needed("media_type"),
    Column("size", Integer, CheckConstraint("size > 0"), nullable=False),
    _needed("sha256"),
    _text("order_id"),
    _text("erp_order"),
    _text("web_reference"),
    _needed("place"),
    _needed("version"),
    Index("documents_by_order", "order_id"),
    Index("documents_by_content", "sha256"),
    Index("documents_by_number", "number"),
)

# One content, however many documents have it, in pieces so that nobody holds it whole.
document_pieces = Table(
    "document_pieces",
    metadata,
    _key("sha256"),
    _position(),
    Column("content", LargeBinary, nullable=False),
)


def _price_key() -> list[Column[Any]]:
    """What tells a row of prices from the next within one scope."""
    return [
        *(_key(name) for name in ("price_list", "sku", "unit", "currency")),
        *(_key(name) for name in ("min_quantity", "valid_from")),
        Column("priority", Integer, primary_key=True, autoincrement=False),
        _key("warehouse"),
    ]


def _price_columns() -> list[Column[Any]]:
    """A row of prices without whose it is: its key within one scope, and its value."""
    return [*_price_key(), _text("unit_price"), _text("valid_until")]


# An empty text stands for "none" in the columns of this key: NULL has no place
# in one. ``min_quantity`` is spelled without trailing zeros, so that one step
# of a ladder cannot be there twice.
prices = Table(
    "prices",
    metadata,
    _key("audience"),
    _key("audience_key"),
    _key("audience_channel"),
    Column("level", Integer, primary_key=True, autoincrement=False),
    _key("owner"),
    *_price_columns(),
    Index("prices_by_item", "sku", "audience", "audience_key"),
    sqlite_with_rowid=False,
)

# Price lists that accounts share. ``stamp`` is another one after every change of the list,
# of its members, and of their own rows in ``prices`` and their gaps.
shared_price_lists = Table("shared_price_lists", metadata, _key("list_id"), _needed("stamp"))

# What every member of the list is shown, but where it has a row of its own in ``prices``
# with this key, or a gap. Spelled as there.
shared_price_rows = Table(
    "shared_price_rows",
    metadata,
    _key("list_id"),
    *_price_columns(),
    Index("shared_price_rows_by_item", "list_id", "sku"),
    sqlite_with_rowid=False,
)

# Audience, level and owner as in ``prices``: accounts and sites alone.
shared_price_members = Table(
    "shared_price_members",
    metadata,
    Column(
        "audience",
        TEXT,
        CheckConstraint("audience IN ('account', 'location')"),
        primary_key=True,
    ),
    _key("audience_key"),
    _key("audience_channel"),
    Column("level", Integer, primary_key=True, autoincrement=False),
    _key("owner"),
    _needed("list_id"),
    CheckConstraint("audience_key = owner", name="members_share_their_own_prices"),
    Index("shared_price_members_by_list", "list_id"),
    sqlite_with_rowid=False,
)

# Rows that a member is not shown, though its list has them. Columns as in ``prices``.
shared_price_gaps = Table(
    "shared_price_gaps",
    metadata,
    _key("audience"),
    _key("audience_key"),
    _key("audience_channel"),
    Column("level", Integer, primary_key=True, autoincrement=False),
    _key("owner"),
    *_price_key(),
    sqlite_with_rowid=False,
)

restricted_items = Table("restricted_items", metadata, _key("sku"))

# Audiences as in ``prices``.
item_audiences = Table(
    "item_audiences",
    metadata,
    _key("sku"),
    _key("audience"),
    _key("audience_key"),
    _key("audience_channel"),
    Index("item_audiences_by_audience", "audience", "audience_key"),
)

# Audiences as in ``prices``.
availability = Table(
    "availability",
    metadata,
    _key("audience"),
    _key("audience_key"),
    _key("audience_channel"),
    _key("sku"),
    _key("warehouse"),
    _needed("available"),
    _text("next_due"),
    _flag("discontinued"),
    Index("availability_by_item", "sku", "audience", "audience_key"),
    sqlite_with_rowid=False,
)

MIRRORED_BY_CUSTOMER: tuple[Table, ...] = (
    accounts,
    account_locations,
    account_organisations,
    account_users,
    account_exceptions,
    account_barred,
    account_tags,
    ship_tos,
    bill_tos,
    invoices,
    invoice_lines,
    invoice_dues,
    account_balances,
    account_ageing,
    account_orders,
    account_order_lines,
    customer_parts,
    documents,
)
"""Every mirrored table that carries ``customer_id``."""

MIRRORED: tuple[Table, ...] = (
    *MIRRORED_BY_CUSTOMER,
    document_pieces,
    prices,
    shared_price_lists,
    shared_price_rows,
    shared_price_members,
    shared_price_gaps,
    availability,
    restricted_items,
    item_audiences,
    order_imports,
    order_captures,
    order_statuses,
    order_shipments,
    order_line_statuses,
    registrations,
)
"""Every table that the daemon alone writes; it needs INSERT and DELETE there."""

REGISTERED: tuple[Table, ...] = (web_users, organisations, memberships)
"""Tables of the shop in which a registration makes rows, and changes ``status`` and
``open_application`` of those it made; nothing else of the shop's is ever written."""


def create_schema(engine: Engine) -> None:
    """Make whatever table or index is missing. What is there already stays as it is."""
    metadata.create_all(engine)
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(engine, checkfirst=True)
