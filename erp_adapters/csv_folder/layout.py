"""The files and their columns, as the README documents them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_ADDRESS = (
    *("line2", "line3", "line4", "postal_code", "region"),
    *("attention", "phone", "email", "residential"),
)
_STREET = ("name", "line1", "city", "country")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file: the columns that must be there, those that may, and what names a row."""

    name: str
    must: tuple[str, ...]
    may: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.must, *self.may)


_ALL = (
    Sheet(
        "customers",
        ("customer_id", "name", "currencies"),
        (
            *("active", "prospect", "status", "terms", "tax_exempt", "credit"),
            *("price_groups", "default_ship_to", "po_required", "tax_id", "tags"),
        ),
        ("customer_id",),
    ),
    Sheet("contacts", ("customer_id", "contact_id"), ("email",), ("customer_id", "contact_id")),
    Sheet(
        "locations",
        ("customer_id", "location_id", "name"),
        ("tax_exempt", "default_ship_to", "bill_to", "warehouse"),
        ("customer_id", "location_id"),
    ),
    Sheet(
        "ship_tos",
        ("customer_id", "ship_to_id", *_STREET),
        (*_ADDRESS, "is_default", "tax_exempt", "warehouse", "location_id"),
        ("customer_id", "ship_to_id"),
    ),
    Sheet(
        "bill_tos",
        ("customer_id", "bill_to_id", *_STREET),
        (*_ADDRESS, "is_default"),
        ("customer_id", "bill_to_id"),
    ),
    Sheet(
        "items",
        ("sku", "stock_unit"),
        (
            *("units", "description", "active", "discontinued"),
            *("whole_units_only", "kit", "allowed_to", "allowed_tags"),
        ),
        ("sku",),
    ),
    Sheet(
        "prices",
        ("level", "sku", "unit", "currency", "min_quantity", "unit_price"),
        ("owner", "price_list", "valid_from", "valid_until", "priority", "warehouse"),
        ("level", "owner", "price_list", "sku", "unit", "currency", "min_quantity", "valid_from"),
    ),
    Sheet(
        "invoices",
        ("invoice_number", "customer_id", "invoiced_on", "currency", "total"),
        (
            *("kind", "tax", "freight", "open_amount"),
            *("order_number", "po_number", "web_reference"),
        ),
        ("invoice_number",),
    ),
    Sheet(
        "invoice_lines",
        ("invoice_number", "line_number", "quantity", "net"),
        ("sku", "description", "unit", "unit_price"),
        ("invoice_number", "line_number"),
    ),
    Sheet(
        "invoice_dues",
        ("invoice_number", "due_on", "amount"),
        (),
        ("invoice_number", "due_on"),
    ),
    Sheet(
        "order_status",
        ("external_key", "state"),
        ("order_number", "message", "answered_at"),
        ("external_key",),
    ),
    Sheet(
        "order_shipments",
        ("external_key", "shipment_number"),
        ("shipped_on", "carrier", "tracking"),
        ("external_key", "shipment_number"),
    ),
    Sheet(
        "order_line_status",
        ("external_key", "line_number", "sku", "ordered", "shipped", "back_ordered"),
        (),
        ("external_key", "line_number"),
    ),
)

SHEETS: Mapping[str, Sheet] = {sheet.name: sheet for sheet in _ALL}

OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "contacts": ("contacts",),
    "locations": ("locations",),
    "bill_tos": ("bill_tos",),
    "prices": ("prices",),
    "invoices": ("invoices", "invoice_lines", "invoice_dues"),
    "shipments": ("order_shipments", "order_line_status"),
}
"""A word of the option ``without`` -> the files that such an ERP does not write."""


def word_of(name: str) -> str | None:
    """The word that leaves this sheet's file out; None for one that every ERP must write."""
    return next((word for word, names in OPTIONAL.items() if name in names), None)
