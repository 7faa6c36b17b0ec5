"""Invoices and credit notes of one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from sync.domain.ids import CustomerId, ErpOrderNumber, InvoiceNumber, Sku
from sync.domain.money import Money


class InvoiceKind(Enum):
    INVOICE = "invoice"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """``net`` is the line's value as invoiced: discounts taken off, tax not included."""

    number: int
    quantity: Decimal
    net: Money
    sku: Sku | None = None
    description: str | None = None
    unit: str | None = None
    unit_price: Money | None = None


@dataclass(frozen=True, slots=True)
class DueDate:
    """One instalment."""

    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Invoice:
    """A posted document in its own currency. ``total`` includes tax.

    Credits have positive amounts and ``kind`` CREDIT. ``open_amount`` None
    means that the ERP does not tell what is still unpaid.
    """

    number: InvoiceNumber
    sold_to: CustomerId
    kind: InvoiceKind
    invoiced_on: date
    total: Money
    tax: Money | None = None
    freight: Money | None = None
    open_amount: Money | None = None
    dues: tuple[DueDate, ...] = ()
    lines: tuple[InvoiceLine, ...] = ()
    erp_order: ErpOrderNumber | None = None
    po_number: str | None = None
    web_reference: str | None = None
