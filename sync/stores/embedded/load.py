"""Whole documents from the database: the rows of one, its parts, and their translation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from sync.domain.ids import CustomerId, InvoiceNumber, Key, OrganisationId, WebOrderId, WebUserId
from sync.domain.invoice import Invoice
from sync.domain.order import Organisation, StoreOrder, WebUser
from sync.domain.sales_order import OrderStatus
from sync.domain.views import AccountProfile, ImportNotice
from sync.stores.embedded import queries, schema, translate
from sync.stores.embedded.translate_orders import order_from

Row = Mapping[str, Any]


def orders(connection: Connection, rows: Sequence[Row]) -> tuple[StoreOrder, ...]:
    """The orders of these rows, in their order, with one query per part table."""
    parts = queries.order_parts(connection, [row["order_id"] for row in rows])
    return tuple(order_from(row, parts[row["order_id"]]) for row in rows)


def order_statuses(
    connection: Connection, order_ids: Collection[WebOrderId]
) -> dict[WebOrderId, OrderStatus]:
    keys = texts(order_ids)
    shipments = grouped(connection, schema.order_shipments, ("order_id",), keys)
    lines = grouped(connection, schema.order_line_statuses, ("order_id",), keys)
    found = {}
    for row in queries.by_keys(connection, schema.order_statuses, "order_id", keys):
        key = (row["order_id"],)
        status = translate.order_status(row, shipments.get(key, ()), lines.get(key, ()))
        found[WebOrderId(row["order_id"])] = status
    return found


def import_notices(
    connection: Connection, order_ids: Collection[WebOrderId]
) -> dict[WebOrderId, ImportNotice]:
    """How far these orders are on their way into the ERP (WA-13)."""
    rows = queries.by_keys(connection, schema.order_imports, "order_id", texts(order_ids))
    return {WebOrderId(row["order_id"]): translate.import_notice(row) for row in rows}


def user(connection: Connection, web_user: WebUserId) -> WebUser | None:
    key = [web_user.value]
    rows = queries.by_keys(connection, schema.web_users, "web_user", key)
    memberships = queries.by_keys(connection, schema.memberships, "web_user", key)
    return translate.web_user(rows[0], memberships) if rows else None


def organisation(connection: Connection, key: OrganisationId) -> Organisation | None:
    rows = queries.by_keys(connection, schema.organisations, "organisation", [key.value])
    return translate.organisation(rows[0]) if rows else None


def accounts(
    connection: Connection, customer_ids: Collection[CustomerId]
) -> dict[CustomerId, AccountProfile]:
    keys = texts(customer_ids)
    own = ("customer_id",)
    locations = grouped(connection, schema.account_locations, own, keys)
    organisations = grouped(connection, schema.account_organisations, own, keys)
    users = grouped(connection, schema.account_users, own, keys)
    exceptions = grouped(connection, schema.account_exceptions, own, keys)
    tags = grouped(connection, schema.account_tags, own, keys)
    barred = grouped(connection, schema.account_barred, own, keys)
    found = {}
    for row in queries.by_keys(connection, schema.accounts, "customer_id", keys):
        key = (row["customer_id"],)
        found[CustomerId(row["customer_id"])] = translate.account_profile(
            row,
            locations.get(key, ()),
            organisations.get(key, ()),
            users.get(key, ()),
            exceptions.get(key, ()),
            tags.get(key, ()),
            barred.get(key, ()),
        )
    return found


def invoices(
    connection: Connection, customer_ids: Collection[CustomerId]
) -> dict[tuple[CustomerId, InvoiceNumber], Invoice]:
    keys = texts(customer_ids)
    own = ("customer_id", "invoice")
    lines = grouped(connection, schema.invoice_lines, own, keys)
    dues = grouped(connection, schema.invoice_dues, own, keys)
    found = {}
    for row in queries.by_keys(connection, schema.invoices, "customer_id", keys):
        key = (row["customer_id"], row["number"])
        invoice = translate.invoice(row, lines.get(key, ()), dues.get(key, ()))
        found[invoice.sold_to, invoice.number] = invoice
    return found


def grouped(
    connection: Connection, table: Table, columns: Sequence[str], keys: Collection[str]
) -> dict[tuple[str, ...], list[Row]]:
    """Rows whose first column is one of the keys, by these columns, in table order."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in queries.by_keys(connection, table, columns[0], keys):
        found.setdefault(tuple(row[name] for name in columns), []).append(row)
    return found


def texts(keys: Iterable[Key]) -> list[str]:
    return sorted({key.value for key in keys})
