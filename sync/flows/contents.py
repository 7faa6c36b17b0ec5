"""Reading the file of a document: piece by piece, and judged before anybody is shown it.

The file goes into a temporary one first, because a store must hear its SHA-256 with
the document, and because a read that breaks off must leave no half of it anywhere.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from sync.domain.document import Content, Document, MediaType
from sync.errors import Rejected
from sync.planning.documents import (
    LONGEST_HEAD,
    TAIL,
    erp_version,
    is_whole,
    media_type,
    told_sha256,
)
from sync.ports.erp import ReadsDocumentFiles
from sync.ports.files import HoldsFiles

IN_MEMORY = 1024 * 1024
PIECE = 256 * 1024


class GivesFiles(Protocol):
    """Where the file of a document comes from: a place of files, or the ERP."""

    @property
    def size_limit(self) -> int: ...

    def read_file(self, place: str, version: str) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class FilesOfErp:
    """The ERP as the place of the files that it gives out itself."""

    erp: ReadsDocumentFiles

    @property
    def size_limit(self) -> int:
        return self.erp.document_size_limit

    def read_file(self, place: str, version: str) -> Iterator[bytes]:
        return self.erp.read_document(place, version)


def source_of(document: Document, erp: object, files: HoldsFiles | None) -> GivesFiles:
    """Where the file of the document is to be had. Rejected where there is nobody to ask."""
    if erp_version(document) is None:
        if files is not None:
            return files
        raise refused(document, "lies in a place of files, and the settings name none")
    if isinstance(erp, ReadsDocumentFiles):
        return FilesOfErp(erp)
    raise refused(document, "is the ERP's own, and its adapter gives out no files")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was read whole and found good."""

    content: Content
    file: IO[bytes]

    def __iter__(self) -> Iterator[bytes]:
        """Its pieces from the beginning, as often as somebody asks for them."""
        self.file.seek(0)
        while piece := self.file.read(PIECE):
            yield piece


@contextmanager
def fetched(files: GivesFiles, document: Document) -> Iterator[Fetched]:
    """The content of the document's file, for as long as the block lasts.

    Raises Rejected, naming document and file, for what must not be published: no
    PDF, PNG or JPEG by its first bytes, empty, too large, cut off, or not what
    the ERP told.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        try:
            content = _read(files, document, file)
        except Rejected as error:
            raise refused(document, str(error), error) from error
        yield Fetched(content, file)


def refused(document: Document, why: str, error: Rejected | None = None) -> Rejected:
    """The refusal of a document's file, in words for people."""
    return Rejected(
        f"{document.kind.value} {document.number} of {document.sold_to}: "
        f"the file {document.place!r} {why}",
        code="document_file",
        remedy=(error.remedy if error else "") or "correct the file, or its name in the ERP",
    )


def _read(files: GivesFiles, document: Document, file: IO[bytes]) -> Content:
    version = erp_version(document) or document.version
    content = content_of(files.read_file(document.place, version), files.size_limit, file.write)
    told = told_sha256(document)
    if told is not None and told != content.sha256:
        raise _no(f"has the SHA-256 {content.sha256}, and the ERP tells {told}")
    return content


def content_of(
    read: Iterator[bytes], size_limit: int, keep: Callable[[bytes], object] = len
) -> Content:
    """What a file is by its own bytes, each piece of which is given to ``keep``.

    Raises Rejected, saying what the file is instead, for what is no whole PDF, PNG or
    JPEG within ``size_limit`` bytes. Nothing is read beyond what tells that.
    """
    digest, size, head, tail = hashlib.sha256(), 0, b"", b""
    kind: MediaType | None = None
    with closing(_closable(read)) as pieces:
        for piece in pieces:
            size += len(piece)
            if size > size_limit:
                raise _no(f"is larger than the limit of {size_limit} bytes")
            if kind is None:
                head = (head + piece)[:LONGEST_HEAD]
                kind = media_type(head)
                if kind is None and len(head) == LONGEST_HEAD:
                    raise _no("is no PDF, PNG or JPEG, whatever its name says")
            digest.update(piece)
            tail = (tail + piece)[-TAIL:]
            keep(piece)
    if size == 0:
        raise _no("is empty")
    if kind is None:
        raise _no("is no PDF, PNG or JPEG, whatever its name says")
    if not is_whole(kind, tail):
        raise _no("ends too early: it was cut off, or somebody is still writing it")
    return Content(kind, size, digest.hexdigest())


def _closable(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    """A generator over any iterator, so that leaving off in the middle closes what it reads."""
    try:
        yield from pieces
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def _no(why: str) -> Rejected:
    return Rejected(why, code="document_file", remedy="")
