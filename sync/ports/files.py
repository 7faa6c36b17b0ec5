"""Where the files of documents lie, reduced to what synchronization needs.

A place is the name of a file as the ERP tells it. Nobody trusts it: what is not
plainly a file within this folder or bucket is refused. Every method may raise
TryLater, AccessDenied and Misconfigured besides what it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sync.ports.erp import Finding


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state of a file: ``version`` is another whenever its content may be another."""

    version: str
    size: int


@runtime_checkable
class HoldsFiles(Protocol):
    @property
    def size_limit(self) -> int:
        """Bytes that a file may have."""
        ...

    def check(self) -> Sequence[Finding]: ...

    def stamp(self, place: str) -> Stamp | None:
        """The state of the file, without reading it; None where it is not there.

        Rejected for a name that leads elsewhere, and for what is no plain file.
        """
        ...

    def read_file(self, place: str, version: str) -> Iterator[bytes]:
        """The content in this version, piece by piece; a piece is a megabyte at most.

        Rejected where the file is not there or no longer in this version, also
        where it changes while it is read: then after the last piece at the latest.
        """
        ...

    def close(self) -> None: ...
