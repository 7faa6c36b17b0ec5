"""Text that must fit the ERP's fields: continued in the notes, never cut silently (OI-9)."""

from __future__ import annotations

from dataclasses import replace

from sync.admission.facts import Notebook
from sync.domain.address import Address
from sync.domain.sales_order import OneOffShipTo, SalesOrder
from sync.ports.erp import ErpCapabilities


def fit(order: SalesOrder, limits: ErpCapabilities, notebook: Notebook) -> SalesOrder:
    """The order with every text short enough; what was cut stands in full in its notes."""
    notes = [order.notes] if order.notes else []
    ship_to, bill_to = order.ship_to, order.bill_to
    if isinstance(ship_to, OneOffShipTo):
        address = _fit_address(ship_to.address, "Ship-to", limits, notes)
        ship_to = OneOffShipTo(address, ship_to.under)
    if isinstance(bill_to, Address):
        bill_to = _fit_address(bill_to, "Bill-to", limits, notes)
    po_number = _fit(order.po_number, limits.po_number_length, "PO number", notes)
    notes.extend(notebook.notes)
    text = "\n".join(notes)
    if limits.notes_length is not None and len(text) > limits.notes_length:
        notebook.forbid(
            "notes_too_long",
            f"The notes come to {len(text)} characters, the ERP holds {limits.notes_length}.",
            "Shorten the notes or the address in the store, then replay.",
        )
    fitted = replace(order, ship_to=ship_to, bill_to=bill_to, po_number=po_number, notes=text)
    _check_encoding(fitted, limits.text_encoding, notebook)
    return fitted


def _fit_address(address: Address, what: str, limits: ErpCapabilities, notes: list[str]) -> Address:
    name = _fit(address.name, limits.name_length, f"{what} name", notes) or address.name
    lines = list(address.lines)
    room, width = limits.address_lines, limits.address_line_length
    too_many = room is not None and len(lines) > room
    too_wide = width is not None and any(len(line) > width for line in lines)
    if too_many or too_wide:
        notes.append(f"{what} street in full: {' / '.join(address.lines)}")
        lines = [line[:width].rstrip() for line in lines][:room]
    city = _fit(address.city, width, f"{what} city", notes) or address.city
    return replace(address, name=name, lines=tuple(lines), city=city)


def _fit(text: str | None, length: int | None, what: str, notes: list[str]) -> str | None:
    if text is None or length is None or len(text) <= length:
        return text
    notes.append(f"{what} in full: {text}")
    return text[:length].rstrip()


def _check_encoding(order: SalesOrder, encoding: str | None, notebook: Notebook) -> None:
    if encoding is None:
        return
    for what, text in _texts(order):
        try:
            text.encode(encoding)
        except UnicodeEncodeError as error:
            lost = text[error.start : error.end]
            notebook.forbid(
                "text_not_encodable",
                f"The ERP cannot store {lost!r} in the {what}.",
                "Rewrite the text in the store with letters that the ERP knows, then replay.",
            )


def _texts(order: SalesOrder) -> list[tuple[str, str]]:
    found = [("notes", order.notes), ("PO number", order.po_number or "")]
    addresses = []
    if isinstance(order.ship_to, OneOffShipTo):
        addresses.append(("ship-to", order.ship_to.address))
    if isinstance(order.bill_to, Address):
        addresses.append(("bill-to", order.bill_to))
    for what, address in addresses:
        parts = (address.name, *address.lines, address.city, address.region, address.attention)
        found.extend((what, part) for part in parts if part)
    found.extend((f"note of line {line.number}", line.note) for line in order.lines if line.note)
    return found
