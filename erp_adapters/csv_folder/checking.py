"""``tradesync check`` for the folder: every row of every file, as the reads understand it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from erp_adapters.csv_folder import translate
from erp_adapters.csv_folder.tables import Row, Table, Tables, key_of_record, told_twice
from sync.errors import SyncError
from sync.ports.erp import Finding, FindingLevel

NAMED = 3
"""Wrong rows of a file that are named; one cause is most often that of all."""

_REMEDY = (
    "correct them in the ERP or in what it exports; until then they are left out, and what the"
    " shop shows of their accounts stays as it is"
)


def _contact(row: Row) -> object:
    if row["customer_id"] is None:
        raise ValueError("customer_id: is missing")
    return translate.contact(row)


def _invoice(row: Row) -> object:
    return translate.invoice(row, (), ())


def _invoice_among_all(tables: Tables) -> Callable[[Row], object]:
    """The same, and whether its lines could be another account's."""
    invoices, parts = tables.get("invoices").by("invoice_number"), set[str]()
    for name in ("invoice_lines", "invoice_dues"):
        with suppress(SyncError):  # told of that file
            parts |= tables.get(name).by("invoice_number").keys()

    def understood(row: Row) -> object:
        number = row["invoice_number"] or ""
        if number in parts:
            translate.refuse_shared(invoices.get(number, ()))
        return _invoice(row)

    return understood


def _order_status(row: Row) -> object:
    return translate.order_status(row, (), ())


_ALONE: Mapping[str, Callable[[Row], object]] = {
    "customers": lambda row: translate.account(row, ()),
    "contacts": _contact,
    "locations": translate.location,
    "ship_tos": translate.ship_to,
    "bill_tos": translate.bill_to,
    "items": translate.item,
    "prices": translate.price,
    "invoices": _invoice,
    "order_status": _order_status,
}
_PARTS: Mapping[str, tuple[str, str, Callable[[Row, Row], object]]] = {
    "invoice_lines": (
        *("invoices", "invoice_number"),
        lambda whole, row: translate.invoice(whole, (row,), ()),
    ),
    "invoice_dues": (
        *("invoices", "invoice_number"),
        lambda whole, row: translate.invoice(whole, (), (row,)),
    ),
    "order_shipments": (
        *("order_status", "external_key"),
        lambda whole, row: translate.order_status(whole, (row,), ()),
    ),
    "order_line_status": (
        *("order_status", "external_key"),
        lambda whole, row: translate.order_status(whole, (), (row,)),
    ),
}
"""Sheets whose rows are parts of another's: that one, the column in common, and the whole."""


def rows_finding(tables: Tables, name: str, subject: str) -> Finding:
    """How many rows the file has, and which of them no read understands.

    Raises what reading the file raises.
    """
    table = tables.get(name)
    if not table.rows and name == "customers":
        return Finding(subject, FindingLevel.WARNING, "names no account at all", "")
    wrong = list(_wrong(tables, table))
    if not wrong:
        return Finding(subject, FindingLevel.OK, f"{len(table.rows)} rows, each looked at")
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    told = f"{'; '.join(wrong[:NAMED])}{more}"
    said = f"{len(wrong)} of {len(table.rows)} rows cannot be understood: {told}"
    return Finding(subject, FindingLevel.WARNING, said, _REMEDY)


def _wrong(tables: Tables, table: Table) -> Iterator[str]:
    """Each such row: where it stands in the file, which it is, and what is wrong with it."""
    understood = _understanding(tables, table.sheet.name)
    apart = told_twice(table.sheet, table.rows)
    for line, row in zip(table.lines, table.rows, strict=True):
        try:
            understood(row)
            if apart and (why := apart.get(key_of_record(table.sheet, row))):
                raise ValueError(why)
        except ValueError as error:
            key = "/".join(row[name] or "?" for name in table.sheet.identity)
            yield f"line {line} ({key}), {error}"


def _understanding(tables: Tables, name: str) -> Callable[[Row], object]:
    if name == "invoices":
        return _invoice_among_all(tables)
    if name in _ALONE:
        return _ALONE[name]
    of, column, together = _PARTS[name]
    try:
        wholes = tables.get(of).by(column)
    except SyncError:
        wholes = {}  # told of that file

    def understood(row: Row) -> object:
        whole = next(iter(wholes.get(row[column] or "", ())), None)
        if whole is None:
            return None  # nobody reads a part of nothing
        try:
            _ALONE[of](whole)
        except ValueError:
            return None  # told of that file
        return together(whole, row)

    return understood
