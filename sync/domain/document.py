"""Papers of an account as files: invoices, order confirmations, delivery notes (TL-7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum

from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber, WebOrderId

_SHA256 = re.compile(r"[0-9a-f]{64}")


class DocumentKind(Enum):
    INVOICE = "invoice"
    ORDER_CONFIRMATION = "order_confirmation"
    DELIVERY_NOTE = "delivery_note"


class MediaType(Enum):
    """What a published file may be. Its first bytes say so, never its name."""

    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"


DocumentKey = tuple[CustomerId, DocumentKind, DocumentNumber]


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document as the ERP tells it: what it is, and where its file lies.

    ``place`` is the file's name below the place of files, as the ERP spells it.
    Nothing in it is trusted: a reader of files refuses what leads elsewhere.
    ``size`` in bytes and ``sha256`` in hexadecimal are what the file must have,
    None where the ERP does not say.

    ``version`` is told by an ERP that gives the file out itself, under ``place``: it
    is another whenever the file may be another, and the same for as long as it is
    not, however often the file is made anew. None: the file lies in the place of files.
    """

    kind: DocumentKind
    number: DocumentNumber
    sold_to: CustomerId
    issued_on: date
    place: str
    erp_order: ErpOrderNumber | None = None
    web_reference: str | None = None
    size: int | None = None
    sha256: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        if not self.place:
            raise ValueError("a document without a file name")
        if self.version is not None and (not self.version or self.size or self.sha256):
            raise ValueError("a file that the ERP gives out is told by its version alone")
        if self.size is not None and self.size < 0:
            raise ValueError(f"a file of {self.size} bytes")
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"not a SHA-256 in hexadecimal: {self.sha256!r}")

    @property
    def key(self) -> DocumentKey:
        """What tells it from every other."""
        return (self.sold_to, self.kind, self.number)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its type by its first bytes, its length, and its SHA-256."""

    media_type: MediaType
    size: int
    sha256: str

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError("a file without content")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"not a SHA-256 in hexadecimal: {self.sha256!r}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a store shows it.

    ``version`` says which state of the file at ``place`` the content was read
    from: where both are the same, it need not be read again. ``content`` is None
    only in a plan, for a file that is still to be read. ``web_order`` is the order
    of the same account that the document belongs to.
    """

    kind: DocumentKind
    number: DocumentNumber
    sold_to: CustomerId
    issued_on: date
    place: str
    version: str
    erp_order: ErpOrderNumber | None = None
    web_reference: str | None = None
    web_order: WebOrderId | None = None
    content: Content | None = None

    @property
    def key(self) -> DocumentKey:
        return (self.sold_to, self.kind, self.number)

    def with_content(self, content: Content) -> Document:
        return replace(self, content=content)

    @property
    def file_name(self) -> str:
        """A name to save it under: our own words, and an ending that fits its content."""
        number = re.sub(r"[^A-Za-z0-9._-]+", "-", self.number.value).strip("-.") or "document"
        ending = _ENDINGS[self.content.media_type] if self.content else ""
        return f"{self.kind.value}-{number}{ending}"


_ENDINGS = {MediaType.PDF: ".pdf", MediaType.PNG: ".png", MediaType.JPEG: ".jpg"}


def as_seen(
    document: Document,
    sees_order: Callable[[WebOrderId | None], bool],
    came_otherwise: Callable[[ErpOrderNumber], bool] = lambda order: False,
) -> Document | None:
    """What a reader of the account sees of it, given which web orders the reader may see.

    The confirmation of an order is for those who may see that order (None for
    others); every other document is the whole organisation's, without the link.
    ``sees_order`` is asked about None for an order that is not known here: one of
    another store, one that did not come from the web, or one whose import is not
    known to have ended. ``came_otherwise`` says of an order of the account that it is
    shown to its readers and did not come over the web (``AccountOrder.came_otherwise``):
    its confirmation is the organisation's like the order itself.
    """
    order = document.web_order
    if document.kind is DocumentKind.ORDER_CONFIRMATION:
        told = (order, document.web_reference, document.erp_order)
        if all(each is None for each in told):
            return document
        if told[:2] == (None, None) and told[2] is not None and came_otherwise(told[2]):
            return document
        return document if sees_order(order) else None
    return document if order is None or sees_order(order) else replace(document, web_order=None)
