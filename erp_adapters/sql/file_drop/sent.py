"""Our record of what was sent: one file for each order, in a folder of ours.

It is written after the order's files are on the disk and before the first of
them is shown to the ERP. It stays for ever: whoever removes it allows the order
to be sent a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from erp_adapters.sql.base import unreadable
from erp_adapters.sql.file_drop.rendering import Rendered
from sync.domain import codec
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey
from sync.domain.money import Money
from sync.domain.sales_order import FoundOrder, SalesOrder
from sync.kit.disk import FileSystem, there, translated
from sync.kit.key_names import safe_name

SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it was written: its two names and the SHA-256 of its content."""

    name: str
    hidden: str
    sha256: str

    @classmethod
    def of(cls, file: Rendered) -> SentFile:
        return cls(file.name, file.hidden, hashlib.sha256(file.content).hexdigest())


@dataclass(frozen=True, slots=True)
class Sent:
    """One order on its way, by what the ERP can be compared with. ``files`` in their order."""

    key: IdempotencyKey
    sent_at: datetime
    files: tuple[SentFile, ...]
    sold_to: CustomerId
    line_count: int
    total: Money

    @classmethod
    def of(
        cls, order: SalesOrder, key: IdempotencyKey, files: Sequence[Rendered], now: datetime
    ) -> Sent:
        told = tuple(SentFile.of(file) for file in files)
        return cls(key, now, told, order.sold_to, len(order.lines), order.total)

    @property
    def last(self) -> SentFile:
        """The file that lets the ERP begin."""
        return self.files[-1]

    def same_files(self, files: Sequence[Rendered]) -> bool:
        return self.files == tuple(SentFile.of(file) for file in files)

    def found(self, number: ErpOrderNumber | None, refusal: str | None = None) -> FoundOrder:
        return FoundOrder(number, self.sold_to, self.line_count, self.total, refusal)


class SentRecords:
    """The folder of the records."""

    def __init__(self, folder: Path, files: FileSystem) -> None:
        self.folder = folder
        self._files = files

    def path(self, stem: str) -> Path:
        return self.folder / f"{stem}{SUFFIX}"

    def get(self, key: IdempotencyKey) -> Sent | None:
        """None where nothing was sent. Raises Rejected for a record that is damaged."""
        path = self.path(safe_name(key))
        with translated(f"looking for {path.name}", self.folder):
            content = self._files.read(path) if there(self._files, path) else None
        if content is None:
            return None
        sent = _read(content, path)
        if sent.key != key:
            raise unreadable("the record", path.name, f"it is not of the order {key}")
        return sent

    def since(self, moment: datetime) -> Iterator[tuple[str, Sent]]:
        """Records written since then, by the part of their names that stands for the key."""
        with translated("looking for records", self.folder):
            for name in self._files.names(self.folder):
                path = self.folder / name
                facts = self._files.facts(path)
                if name.startswith(".") or not name.endswith(SUFFIX) or facts is None:
                    continue
                if facts.changed_ns >= moment.timestamp() * 1e9:
                    yield name.removesuffix(SUFFIX), _read(self._files.read(path), path)

    def put(self, sent: Sent) -> None:
        """On the disk when the call returns, whole or not at all."""
        path = self.path(safe_name(sent.key))
        hidden = self.folder / f".{path.name}.part"
        if self._files.facts(hidden) is not None:
            self._files.remove(hidden)
        self._files.write(hidden, codec.dumps(sent).encode("utf-8"))
        self._files.rename(hidden, path)
        self._files.settle(self.folder)


def _read(content: bytes, path: Path) -> Sent:
    try:
        sent = codec.loads(Sent, content.decode("utf-8"))
    except (ValueError, TypeError) as error:
        raise unreadable("the record", path.name, f"it is damaged: {error}") from error
    if not isinstance(sent, Sent):
        raise unreadable("the record", path.name, "it is damaged")
    return sent
