"""Which documents a store should show, and to which web order each belongs (TL-7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from sync.domain.document import Document, DocumentRecord, MediaType
from sync.domain.ids import CustomerId, ErpOrderNumber, WebOrderId
from sync.ports.state import PlacedOrder

LONGEST_HEAD = 8
"""Bytes from the beginning of a file that tell its type."""

TAIL = 1024
"""Bytes at the end of a file among which its end mark must be."""

FROM_ERP = "erp:"
"""Begins the version of a file that the ERP gives out itself."""

_HEADS = (
    (b"%PDF-", MediaType.PDF),
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"\xff\xd8\xff", MediaType.JPEG),
)
# A file that was cut off, or that somebody is still writing, lacks it.
_ENDS = {MediaType.PDF: b"%%EOF", MediaType.PNG: b"IEND", MediaType.JPEG: b"\xff\xd9"}


def media_type(head: bytes) -> MediaType | None:
    """The type of a file that begins so; None for everything that is not published."""
    for beginning, kind in _HEADS:
        if head.startswith(beginning):
            return kind
    return None


def is_whole(kind: MediaType, tail: bytes) -> bool:
    """Whether a file of that type that ends so has not been cut off."""
    return _ENDS[kind] in tail


def told_version(record: DocumentRecord) -> str | None:
    """The version of the file where the ERP itself tells it, or its SHA-256.

    Then the file need not be looked at to know that it is the one at hand.
    """
    if record.version is not None:
        return FROM_ERP + record.version
    return None if record.sha256 is None else f"sha256:{record.sha256}"


def erp_version(document: Document) -> str | None:
    """The version in the ERP's own words, back from ours; None for what lies elsewhere."""
    return (
        document.version.removeprefix(FROM_ERP) if document.version.startswith(FROM_ERP) else None
    )


def told_sha256(document: Document) -> str | None:
    """The SHA-256 that the ERP told, back from the version."""
    kind, _, value = document.version.partition(":")
    return value if kind == "sha256" else None


def wanted_document(
    record: DocumentRecord, version: str, web_order: WebOrderId | None, shown: Document | None
) -> Document:
    """The document to show; what is shown already lends its content if it is still the file's."""
    same = shown is not None and (shown.place, shown.version) == (record.place, version)
    return Document(
        kind=record.kind,
        number=record.number,
        sold_to=record.sold_to,
        issued_on=record.issued_on,
        place=record.place,
        version=version,
        erp_order=record.erp_order,
        web_reference=record.web_reference,
        web_order=web_order,
        content=shown.content if same and shown is not None else None,
    )


def kept_document(shown: Document, wanted: Document) -> Document:
    """What is shown, with the words of what is wanted about it and the file that it has.

    For a file that is not to be had: who may see the document must be right all the same.
    """
    if not shown.version:
        return shown
    return replace(wanted, place=shown.place, version=shown.version, content=shown.content)


class PlacedOrders:
    """Web orders that the ERP has, to be found by what a document says of its order."""

    def __init__(self, placed: Iterable[PlacedOrder]) -> None:
        self._by_number: dict[tuple[CustomerId, ErpOrderNumber], set[WebOrderId]] = defaultdict(set)
        self._by_reference: dict[tuple[CustomerId, str], set[WebOrderId]] = defaultdict(set)
        for each in placed:
            if each.erp_order is not None:
                self._by_number[each.customer_id, each.erp_order].add(each.order_id)
            for reference in (each.key.value, each.number):
                self._by_reference[each.customer_id, reference].add(each.order_id)

    def of(self, record: DocumentRecord) -> WebOrderId | None:
        """The one web order of the document's own account that it names, if it names one.

        None where its two references name different orders, or one names several.
        """
        owner, none = record.sold_to, set[WebOrderId]()
        number = self._by_number.get((owner, record.erp_order), none) if record.erp_order else none
        reference = (
            self._by_reference.get((owner, record.web_reference), none)
            if record.web_reference
            else none
        )
        found = number & reference if number and reference else number | reference
        return next(iter(found)) if len(found) == 1 else None
