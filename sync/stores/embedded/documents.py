"""Documents and their contents as rows, and back.

A content is there once, under its SHA-256, however many documents have it. It is
written and read in pieces, within the transaction of the document that brings it:
so none is ever there without a document, or a document without its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from sync.domain.document import Content, Document, DocumentKey, DocumentKind, MediaType
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber, WebOrderId
from sync.errors import Rejected
from sync.stores.embedded import load, queries, schema
from sync.stores.embedded.spelling import day_text, read_day

Row = Mapping[str, Any]

_KEY = ("customer_id", "kind", "number")


def shown(
    connection: Connection, customer_ids: Collection[CustomerId]
) -> dict[DocumentKey, Document]:
    """By their keys. One whose content is not there whole has an empty version."""
    keys = load.texts(customer_ids)
    rows = queries.by_keys(connection, schema.documents, "customer_id", keys)
    sizes = queries.content_sizes(connection, {row["sha256"] for row in rows})
    found = {}
    for row in rows:
        document = _document(row, whole=sizes.get(row["sha256"]) == row["size"])
        found[document.key] = document
    return found


def keys_of(
    connection: Connection, papers: Collection[tuple[DocumentKind, DocumentNumber]]
) -> list[DocumentKey]:
    """Every key with one of these kinds and numbers, whosever it is."""
    numbers = load.texts({number for _, number in papers})
    rows = queries.mirrored_keys(connection, schema.documents, "number", numbers)
    found = [
        (CustomerId(row["customer_id"]), DocumentKind(row["kind"]), DocumentNumber(row["number"]))
        for row in rows
    ]
    return [key for key in found if key[1:] in papers]


def publish(connection: Connection, document: Document, content: Iterable[bytes]) -> None:
    """Put the document with its content. Rejected where that is not what it tells."""
    told = _content(document)
    # Also where it is held already: that copy may be the damaged one.
    queries.delete_rows(connection, schema.document_pieces, ["sha256"], [(told.sha256,)])
    digest, size = hashlib.sha256(), 0
    for position, piece in enumerate(each for each in content if each):
        digest.update(piece)
        size += len(piece)
        row = {"sha256": told.sha256, "position": position, "content": piece}
        queries.insert_rows(connection, schema.document_pieces, [row])
    if (size, digest.hexdigest()) != (told.size, told.sha256):
        raise _not_as_told(document)
    _put(connection, [document], [])


def apply(connection: Connection, put: Sequence[Document], remove: Sequence[DocumentKey]) -> None:
    """Put documents whose content is held already, and remove others. Rejected as a whole."""
    sizes = queries.content_sizes(connection, {_content(each).sha256 for each in put})
    for document in put:
        told = _content(document)
        if sizes.get(told.sha256) != told.size:
            raise _not_as_told(document)
    _put(connection, put, remove)


def content(connection: Connection, sha256: str) -> Iterator[bytes]:
    """The pieces of a content; none where what is held has another SHA-256."""
    if sound(connection, sha256):
        yield from pieces(connection, sha256)


def sound(connection: Connection, sha256: str) -> bool:
    """Whether what is held under this SHA-256 still has it."""
    digest = hashlib.sha256()
    for piece in pieces(connection, sha256):
        digest.update(piece)
    return digest.hexdigest() == sha256


def pieces(connection: Connection, sha256: str) -> Iterator[bytes]:
    """What is held under this SHA-256, one piece in memory at a time."""
    position = 0
    while (piece := queries.content_piece(connection, sha256, position)) is not None:
        yield bytes(piece)
        position += 1


def _put(connection: Connection, put: Sequence[Document], remove: Sequence[DocumentKey]) -> None:
    latest = {_spelled(each.key): each for each in put}
    keys = [*latest, *map(_spelled, remove)]
    before = {queries.content_of(connection, key) for key in keys} - {None}
    queries.delete_rows(connection, schema.documents, _KEY, keys)
    queries.insert_rows(connection, schema.documents, [_row(each) for each in latest.values()])
    queries.drop_unused(connection, sorted(each for each in before if each))


def _spelled(key: DocumentKey) -> tuple[str, str, str]:
    owner, kind, number = key
    return owner.value, kind.value, number.value


def _content(document: Document) -> Content:
    if document.content is None:
        raise ValueError(f"{document.kind.value} {document.number} has no content")
    return document.content


def _row(document: Document) -> Row:
    held = _content(document)
    return {
        "customer_id": document.sold_to.value,
        "kind": document.kind.value,
        "number": document.number.value,
        "issued_on": day_text(document.issued_on),
        "file_name": document.file_name,
        "media_type": held.media_type.value,
        "size": held.size,
        "sha256": held.sha256,
        "order_id": document.web_order.value if document.web_order else None,
        "erp_order": document.erp_order.value if document.erp_order else None,
        "web_reference": document.web_reference,
        "place": document.place,
        "version": document.version,
    }


def _document(row: Row, *, whole: bool) -> Document:
    return Document(
        kind=DocumentKind(row["kind"]),
        number=DocumentNumber(row["number"]),
        sold_to=CustomerId(row["customer_id"]),
        issued_on=read_day(row["issued_on"]),
        place=row["place"],
        version=row["version"] if whole else "",
        erp_order=ErpOrderNumber(row["erp_order"]) if row["erp_order"] else None,
        web_reference=row["web_reference"],
        web_order=WebOrderId(row["order_id"]) if row["order_id"] else None,
        content=Content(MediaType(row["media_type"]), row["size"], row["sha256"]),
    )


def _not_as_told(document: Document) -> Rejected:
    return Rejected(
        f"the content of {document.kind.value} {document.number} is not what was told",
        code="store_content",
        remedy="run the flow again: the file is read anew",
    )
