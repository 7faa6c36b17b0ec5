"""A place of files in memory that is no kinder than a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sync.errors import Rejected, TryLater
from sync.kit.file_names import parts_of
from sync.ports.erp import Finding, FindingLevel
from sync.ports.files import Stamp

PIECE = 64


@dataclass
class MemoryFiles:
    """Files by name. ``reads`` and ``stamps`` count what was asked of them.

    ``meanwhile`` is called after each piece that was read, for whoever changes a
    file under a reader.
    """

    size_limit: int = 1024 * 1024
    reads: int = 0
    stamps: int = 0
    away: bool = False
    meanwhile: Callable[[], None] = field(default=lambda: None)
    _held: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _written: int = 0

    def check(self) -> Sequence[Finding]:
        return (Finding("files", FindingLevel.OK, f"{len(self._held)} files"),)

    def close(self) -> None:
        pass

    def stamp(self, place: str) -> Stamp | None:
        self._admit(place)
        self.stamps += 1
        held = self._held.get(place)
        return None if held is None else Stamp(_version(held), len(held[1]))

    def read_file(self, place: str, version: str) -> Iterator[bytes]:
        self._admit(place)
        self.reads += 1
        if place not in self._held:
            raise _no("is not there")
        given = _version(self._held[place]) if version.startswith("sha256:") else version
        at = 0
        while True:
            held = self._held.get(place)
            if held is None or _version(held) != given:
                raise _no("changed while it was read")
            piece = held[1][at : at + PIECE]
            if not piece:
                return
            at += len(piece)
            yield piece
            self.meanwhile()
            self._admit(place)

    # What a test arranges.

    def put(self, place: str, content: bytes) -> None:
        """Write the file, or write it anew: also the same bytes make another version."""
        self._written += 1
        self._held[place] = (self._written, content)

    def drop(self, place: str) -> None:
        del self._held[place]

    def _admit(self, place: str) -> None:
        if self.away:
            raise TryLater("the place of files is away")
        try:
            parts_of(place)
        except ValueError as error:
            raise _no(str(error)) from error


def _version(held: tuple[int, bytes]) -> str:
    return f"{held[0]}-{len(held[1])}"


def _no(why: str) -> Rejected:
    return Rejected(why, code="document_file", remedy="")
