"""Documents with their files, in the records of our module.

Medusa's own files have public addresses, so the module holds the contents itself. A
file is sent piece by piece, and counts once all of it is there with the size and the
SHA-256 that its document tells, which the module sees to.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.domain import codec
from sync.domain.document import Document, DocumentKey, DocumentKind
from sync.domain.ids import CustomerId
from sync.errors import Misconfigured, Rejected
from sync.stores.medusa.errors import MODULE_MISSING
from sync.stores.medusa.queries import Queries
from sync.stores.medusa.translate import named

Json = dict[str, Any]
KIND = "document"
PIECE = 1024 * 1024


class Documents:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def shown(self, customer_ids: Collection[CustomerId]) -> dict[DocumentKey, Document]:
        try:
            records = list(self._queries.records(KIND, [each.value for each in customer_ids]))
        except Rejected as error:
            # What an older module says to a kind that it does not know.
            raise Misconfigured(MODULE_MISSING) from error
        found = [_document_of(each) for each in records]
        sizes = self._queries.content_sizes({_sha256(each) for each in found})
        return {
            each.key: each if _is_held(each, sizes) else replace(each, version="") for each in found
        }

    def publish(self, document: Document, content: Iterable[bytes]) -> None:
        upload, size = uuid.uuid4().hex, _size(document)
        sent = 0
        for position, piece in enumerate(_in_pieces(content)):
            sent += len(piece)
            self._queries.upload_piece(upload, position, piece)
            if sent > size:
                break  # it is refused whatever else comes
        if not self._queries.publish_document(_record(document), upload):
            raise _not_as_told(document)

    def apply(self, put: Sequence[Document], remove: Sequence[DocumentKey]) -> None:
        records = [_record(each) for each in put]
        gone = [named(KIND, key[0], _key(key)) for key in remove]
        if not self._queries.apply_documents(records, gone):
            raise _not_as_told(put[0])

    def content(self, sha256: str) -> Iterator[bytes]:
        held = self._queries.content(sha256)
        return (held[at : at + PIECE] for at in range(0, len(held), PIECE))


def _in_pieces(content: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for some in content:
        waiting += some
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)


def _record(document: Document) -> Json:
    return {
        **named(KIND, document.sold_to, _key(document.key)),
        "about": document.issued_on.isoformat(),
        "order_id": _order_to_see(document),
        "sha256": _sha256(document),
        "size": _size(document),
        # The name is made once, here.
        "document": codec.dumps({**codec.encode(document), "file_name": document.file_name}),
    }


def _order_to_see(document: Document) -> str | None:
    """The order that one must be allowed to see to see the document (``as_seen``).

    The confirmation of an order is for whoever placed it: Medusa has no roles, so
    nobody oversees the orders of others. Empty is an order that nobody placed here.
    """
    if document.kind is not DocumentKind.ORDER_CONFIRMATION:
        return None
    if document.web_order is not None:
        return document.web_order.value
    of_an_order = document.erp_order is not None or document.web_reference is not None
    return "" if of_an_order else None


def _document_of(record: Mapping[str, Any]) -> Document:
    document: Document = codec.loads(Document, record["document"])
    return document


def _key(key: DocumentKey) -> str:
    """One text for kind and number, which an account has once."""
    _, kind, number = key
    return json.dumps([kind.value, number.value], ensure_ascii=False, separators=(",", ":"))


def _sha256(document: Document) -> str:
    return document.content.sha256 if document.content else ""


def _size(document: Document) -> int:
    return document.content.size if document.content else 0


def _is_held(document: Document, sizes: Mapping[str, int]) -> bool:
    return sizes.get(_sha256(document)) == _size(document)


def _not_as_told(document: Document) -> Rejected:
    return Rejected(
        f"the content of {document.kind.value} {document.number} is not what was told",
        code="store_content",
        remedy="run the flow again: the file is read anew",
    )
