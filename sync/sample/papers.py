"""The sample's papers: small PDFs as an ERP prints them, and what it knows of them.

The same facts give the same bytes on every machine. A few things are as they are
in real archives: one file was never written, one scan is an image under the name of
a PDF, and the retail groups have papers too, which concern nobody.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from sync.domain.document import DocumentKind, DocumentRecord
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber
from sync.domain.invoice import Invoice, InvoiceKind

PRINTED = 150
"""So many of the latest invoices have papers; older ones were thrown away."""

LOST, SCANNED = 10, 30
"""Which of them, counted from the latest, is in which way not a plain PDF."""

_FOLDERS = {
    DocumentKind.INVOICE: "invoices",
    DocumentKind.ORDER_CONFIRMATION: "confirmations",
    DocumentKind.DELIVERY_NOTE: "delivery-notes",
}
_TITLES = {
    DocumentKind.INVOICE: "Invoice",
    DocumentKind.ORDER_CONFIRMATION: "Order confirmation",
    DocumentKind.DELIVERY_NOTE: "Delivery note",
}


def build_papers(invoices: Iterable[Invoice]) -> Iterator[tuple[DocumentRecord, bytes | None]]:
    """Each document with its file; None where it was never written.

    Every fourth invoice has a delivery note, of which the ERP knows the SHA-256 too.
    """
    latest = sorted(invoices, key=lambda each: each.number, reverse=True)[:PRINTED]
    for place, invoice in enumerate(latest):
        credit = invoice.kind is InvoiceKind.CREDIT
        file = pdf(
            "Credit note" if credit else _TITLES[DocumentKind.INVOICE],
            (f"No. {invoice.number}", f"of {invoice.invoiced_on}", f"Total {invoice.total}"),
        )
        if place == SCANNED:
            file = png(24, 32)
        yield _record(invoice, DocumentKind.INVOICE, file), None if place == LOST else file
        if place % 4 == 0:
            note = pdf(_TITLES[DocumentKind.DELIVERY_NOTE], (f"of invoice {invoice.number}",))
            yield _record(invoice, DocumentKind.DELIVERY_NOTE, note, told=True), note


def confirmation(
    sold_to: CustomerId, order: str, web_order: str | None, day: str
) -> tuple[str, bytes]:
    """Where the confirmation of an order is printed to, and what it says."""
    lines = (f"No. {order}", f"of {day}", f"for {sold_to}", f"Your order {web_order or '-'}")
    file = pdf(_TITLES[DocumentKind.ORDER_CONFIRMATION], lines)
    return place_of(DocumentKind.ORDER_CONFIRMATION, order), file


def place_of(kind: DocumentKind, number: str) -> str:
    return f"{_FOLDERS[kind]}/{number}.pdf"


def write_paper(folder: Path, place: str, file: bytes) -> None:
    """Put the file where the ERP says; a name that leads elsewhere is a mistake of ours."""
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file)


def _record(
    invoice: Invoice, kind: DocumentKind, file: bytes, *, told: bool = False
) -> DocumentRecord:
    return DocumentRecord(
        kind=kind,
        number=DocumentNumber(invoice.number.value),
        sold_to=invoice.sold_to,
        issued_on=invoice.invoiced_on,
        place=place_of(kind, invoice.number.value),
        erp_order=invoice.erp_order and ErpOrderNumber(invoice.erp_order.value),
        web_reference=invoice.web_reference,
        size=len(file),
        sha256=hashlib.sha256(file).hexdigest() if told else None,
    )


_PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
    b"/Resources << /Font << /F1 4 0 R >> >> >>"
)


def pdf(title: str, lines: Iterable[str]) -> bytes:
    """A PDF of one page with a title and a few lines."""
    shown = [f"/F1 18 Tf 56 780 Td ({_escaped(title)}) Tj /F1 11 Tf 0 -14 Td"]
    shown += [f"0 -16 Td ({_escaped(line)}) Tj" for line in lines]
    drawn = f"BT {' '.join(shown)} ET".encode("latin-1", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        _PAGE,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
    )
    body = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for at in places:
        body += b"%010d 00000 n \n" % at
    body += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return bytes(body + b"startxref\n%d\n%%%%EOF\n" % start)


def png(width: int, height: int) -> bytes:
    """A grey image, as a scanner would send one."""

    def chunk(name: bytes, data: bytes) -> bytes:
        length, check = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(name + data))
        return length + name + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([200]) * width for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
