"""Text that must fit the ERP's fields: continued in the notes, never cut silently (OI-9).

A name or a street is cut where the field ends, with the whole of it in the
notes. A phone number, e-mail address, region, postal code or carrier account is
worth nothing in part, and a part of it may be somebody else's: it moves to the
notes as a whole and leaves its field empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sync.admission.facts import Notebook
from sync.domain.address import Address
from sync.domain.sales_order import SalesOrderLine
from sync.ports.erp import ErpCapabilities


@dataclass(frozen=True, slots=True)
class Wording:
    """Everything on an order that people wrote, on its way into the ERP's fields."""

    notes: str = ""
    ship_to: Address | None = None
    bill_to: Address | None = None
    po_number: str | None = None
    phone: str | None = None
    email: str | None = None
    collect_account: str | None = None
    lines: tuple[SalesOrderLine, ...] = ()
    names: tuple[str, ...] = ()

    def fitted(self, limits: ErpCapabilities, notebook: Notebook) -> Wording:
        """The same, short enough for the ERP; what was cut stands in full in the notes.

        Forbids notes that are then too long, and text that the ERP cannot store.
        """
        notes = [self.notes] if self.notes else []
        ship_to = _fit_address(self.ship_to, "Ship-to", limits, notes)
        bill_to = _fit_address(self.bill_to, "Bill-to", limits, notes)
        fitted = replace(
            self,
            ship_to=ship_to,
            bill_to=bill_to,
            po_number=_cut(self.po_number, limits.po_number_length, "PO number", notes),
            phone=_moved(self.phone, limits.phone_length, "Phone", notes),
            email=_moved(self.email, limits.email_length, "E-mail", notes),
            collect_account=_moved(
                self.collect_account, limits.collect_account_length, "Collect account", notes
            ),
            lines=tuple(_fit_line(line, limits, notes) for line in self.lines),
        )
        notes.extend(notebook.notes)
        text = "\n".join(notes)
        if limits.notes_length is not None and len(text) > limits.notes_length:
            notebook.forbid(
                "notes_too_long",
                f"The notes come to {len(text)} characters, the ERP holds {limits.notes_length}.",
                "Shorten the notes or the address in the store, then replay.",
            )
        # With the notes in place, what was cut is judged whole.
        fitted = replace(fitted, notes=text)
        fitted.check_encoding(limits.text_encoding, notebook)
        return fitted

    def check_encoding(self, encoding: str | None, notebook: Notebook) -> None:
        """Forbid what the ERP has no letters for; a NUL has none in any database."""
        for what, text in self._texts():
            lost = _lost(text, encoding or "utf-8")
            if lost is not None:
                notebook.forbid(
                    "text_not_encodable",
                    f"The ERP cannot store {lost!a} in the {what}.",
                    "Rewrite the text in the store with letters that the ERP knows, then replay.",
                )

    def _texts(self) -> Iterator[tuple[str, str]]:
        yield "notes", self.notes
        yield "PO number", self.po_number or ""
        yield "phone", self.phone or ""
        yield "e-mail", self.email or ""
        yield "collect account", self.collect_account or ""
        for what, address in (("ship-to", self.ship_to), ("bill-to", self.bill_to)):
            for part in _parts(address):
                yield what, part
        for line in self.lines:
            yield f"note of line {line.number}", line.note or ""
            yield f"part number of line {line.number}", line.customer_part_number or ""
        for name in self.names:
            yield "names of amounts and payments", name


def _fit_line(line: SalesOrderLine, limits: ErpCapabilities, notes: list[str]) -> SalesOrderLine:
    note = _cut(line.note, limits.line_note_length, f"Note of line {line.number}", notes)
    return line if note == line.note else replace(line, note=note)


def _fit_address(
    address: Address | None, what: str, limits: ErpCapabilities, notes: list[str]
) -> Address | None:
    if address is None:
        return None
    lines = list(address.lines)
    room, width = limits.address_lines, limits.address_line_length
    too_many = room is not None and len(lines) > room
    too_wide = width is not None and any(len(line) > width for line in lines)
    if too_many or too_wide:
        notes.append(f"{what} street in full: {' / '.join(address.lines)}")
        lines = [line[:width].rstrip() for line in lines][:room]
    region, postal_code = limits.region_length, limits.postal_code_length
    return replace(
        address,
        name=_cut(address.name, limits.name_length, f"{what} name", notes) or address.name,
        lines=tuple(lines),
        city=_cut(address.city, limits.city_length or width, f"{what} city", notes) or address.city,
        attention=_cut(
            address.attention,
            limits.attention_length or limits.name_length,
            f"{what} attention",
            notes,
        ),
        region=_moved(address.region, region, f"{what} region", notes),
        postal_code=_moved(address.postal_code, postal_code, f"{what} postal code", notes),
        phone=_moved(address.phone, limits.phone_length, f"{what} phone", notes),
        email=_moved(address.email, limits.email_length, f"{what} e-mail", notes),
    )


def _cut(text: str | None, length: int | None, what: str, notes: list[str]) -> str | None:
    if text is None or length is None or len(text) <= length:
        return text
    notes.append(f"{what} in full: {text}")
    return text[:length].rstrip()


def _moved(text: str | None, length: int | None, what: str, notes: list[str]) -> str | None:
    if text is None or length is None or len(text) <= length:
        return text
    notes.append(f"{what}: {text}")
    return None


def _lost(text: str, encoding: str) -> str | None:
    if "\x00" in text:
        return "\x00"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        return text[error.start : error.end]
    return None


def _parts(address: Address | None) -> Iterator[str]:
    if address is None:
        return
    yield from (address.name, *address.lines, address.city)
    optional = (
        address.region,
        address.postal_code,
        address.attention,
        address.phone,
        address.email,
    )
    yield from (part for part in optional if part)
