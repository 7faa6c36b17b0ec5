"""A disk in memory that fails on request, and an ERP that imports from it.

The disk keeps what was settled apart from what was only done: a loss of power
takes the difference away. The ERP notes every file that it could ever see.
"""

from __future__ import annotations

import csv
import errno
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from erp_adapters.sql.file_drop.answers import AnswerBox
from erp_adapters.sql.file_drop.model import FileDrop
from erp_adapters.sql.file_drop.outbox import Outbox
from erp_adapters.sql.file_drop.rendering import Renderer
from erp_adapters.sql.profile import load_profile
from erp_adapters.sql.profile_model import Profile
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import FoundOrder, SalesOrder
from sync.kit.disk import FileFacts
from sync.testing import builders as a

T = TypeVar("T")

ROOT = Path("/share")
IN, OUT, SENT, REFUSED = (ROOT / name for name in ("in", "out", "sent", "refused"))

PROFILE = """\
name: quay
description: an ERP that takes orders as files
dialects: [sqlite]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
  number_follows: true
  text_encoding: cp1252
constants: {currency: EUR}
reads:
  customer_ids: SELECT no AS customer_id FROM customers
  accounts: SELECT no AS customer_id, name FROM customers WHERE no IN :customer_ids
writes:
  submit_order:
    not_kept: [order.terms, order.contact, order.hold, line.note, payment.*]
    files:
      folders: {import: in, answers: out, sent: sent, refused: refused}
      format: {separator: tab, quoting: never, white_space: space, decimal_point: ","}
      write:
        - name: lines
          file_name: SOL_{key}.txt
          picked_up_as: SO*.txt
          for_each: lines
          columns: [set, no, item, qty, unit, price]
          bind: {set: order.key, no: line.number, item: line.sku, qty: line.quantity,
                 unit: line.unit, price: line.unit_price}
        - name: header
          file_name: SOH_{key}.txt
          picked_up_as: SO*.txt
          columns: [set, customer, ship_to, po, day, quote, spare, total, notes]
          bind: {set: order.key, customer: order.sold_to, ship_to: ship_to.id, po: order.po_number,
                 day: order.ordered_on, total: order.total, notes: order.notes}
          constants: {quote: N}
          types: {day: date(%m%d%Y), total: decimal(2)}
      answers:
        - file_name: SO_{key}.log
          taken: '^Order (?P<order_number>\\S+) created'
          refused: '^ERROR: (?P<message>.*)'
      answer_alarm_after_s: 3600
"""


def profile(tmp_path: Path, *changes: tuple[str, str]) -> Profile:
    """The profile above, with these texts in place of others."""
    text = PROFILE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "quay.yaml"
    path.write_text(text, encoding="utf-8")
    return load_profile(path)


def drop_of(profile: Profile) -> FileDrop:
    assert profile.files is not None
    return profile.files


def order(**changes: Any) -> SalesOrder:
    return a.a_sales_order(**{"payments": (), **changes})


class Crash(BaseException):
    """The process was killed here."""


class Fault(Enum):
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    CRASH_HALFWAY = "crash halfway"  # of a write: half of the content is there
    POWER_LOST = "power lost"  # what was not settled is undone
    NO_SPACE = "ENOSPC"
    FAILED = "EIO"
    REPLY_LOST = "EIO after it was done"
    TIMED_OUT = "ETIMEDOUT"


Files = dict[Path, tuple[bytes, int]]


@dataclass
class MemoryDisk:
    """Keeps files; the ``at``-th operation fails as ``faults`` say, counted from 1."""

    faults: dict[int, Fault] = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    settled: Files = field(default_factory=dict)
    folders: set[Path] = field(default_factory=lambda: {IN, OUT, SENT, REFUSED})
    operations: list[str] = field(default_factory=list)
    after_change: Callable[[], None] = lambda: None
    room: int = 10**9
    ticks: int = 0
    locked: set[Path] = field(default_factory=set)

    def names(self, folder: Path) -> Sequence[str]:
        def listing() -> list[str]:
            self._need(folder)
            return [path.name for path in self.files if path.parent == folder]

        return self._run(f"names {folder.name}", listing)

    def facts(self, path: Path) -> FileFacts | None:
        def look() -> FileFacts | None:
            if path in self.folders:
                return FileFacts(0, 0)
            held = self.files.get(path)
            return None if held is None else FileFacts(len(held[0]), held[1])

        return self._run(f"facts {path.name}", look)

    def read(self, path: Path) -> bytes:
        return self._run(f"read {path.name}", lambda: self._held(path))

    def write(self, path: Path, content: bytes) -> None:
        def write() -> None:
            self._need(path.parent)
            if path in self.files:
                raise OSError(errno.EEXIST, "File exists", str(path))
            self.put(path, content)

        def half() -> None:
            self.put(path, content[: len(content) // 2])

        self._run(f"write {path.name}", write, half)

    def rename(self, source: Path, target: Path) -> None:
        def rename() -> None:
            self._need(target.parent)
            content = self._held(source)
            changed = self.files.pop(source)[1]
            self.files[target] = (content, changed)

        self._run(f"rename {source.name}", rename)

    def remove(self, path: Path) -> None:
        def remove() -> None:
            self._held(path)
            del self.files[path]

        self._run(f"remove {path.name}", remove)

    def settle(self, folder: Path) -> None:
        def settle() -> None:
            self._need(folder)
            self.settled = dict(self.files)

        self._run(f"settle {folder.name}", settle)

    def free(self, folder: Path) -> int:
        return self._run(f"free {folder.name}", lambda: self.room)

    @contextmanager
    def alone(self, path: Path) -> Iterator[bool]:
        """Whoever dies lets go of it, as with the system's own locks."""
        self._need(path.parent)
        self.files.setdefault(path, (b"", 0))
        if path in self.locked:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable", str(path))
        self.locked.add(path)
        try:
            yield True
        finally:
            self.locked.discard(path)

    # What others do on the same disk.

    def put(self, path: Path, content: bytes) -> None:
        self.ticks += 1
        self.files[path] = (content, self.ticks)

    def in_folder(self, folder: Path) -> dict[str, bytes]:
        return {path.name: held[0] for path, held in self.files.items() if path.parent == folder}

    def _held(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return self.files[path][0]

    def _need(self, folder: Path) -> None:
        if folder not in self.folders:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))

    def _run(self, name: str, work: Callable[[], T], half: Callable[[], None] = lambda: None) -> T:
        self.operations.append(name)
        fault = self.faults.get(len(self.operations))
        match fault:
            case Fault.CRASH_BEFORE:
                raise Crash(name)
            case Fault.CRASH_HALFWAY:
                half()
                raise Crash(name)
            case Fault.POWER_LOST:
                self.files = dict(self.settled)
                raise Crash(name)
            case Fault.NO_SPACE:
                half()
                raise OSError(errno.ENOSPC, "No space left on device")
            case Fault.FAILED:
                raise OSError(errno.EIO, "Input/output error")
            case Fault.TIMED_OUT:
                raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
            case _:
                answer = work()
        if not name.startswith(("names", "facts", "read", "free")):
            self.after_change()
        if fault is Fault.CRASH_AFTER:
            raise Crash(name)
        if fault is Fault.REPLY_LOST:
            raise OSError(errno.EIO, "Input/output error")
        return answer


@dataclass
class Importer:
    """The ERP: takes a header with its lines, answers, and deletes both files.

    ``slow``: it answers only when ``answer_all`` is called. ``shown`` counts how
    often each file came into its sight, ``torn`` names those that were not whole
    when it looked.
    """

    disk: MemoryDisk
    refusing: str = ""
    slow: bool = False
    orders: list[str] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)
    torn: list[str] = field(default_factory=list)
    contents: dict[str, set[bytes]] = field(default_factory=dict)
    _there: set[str] = field(default_factory=set)
    _unsaid: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        """Notes what is in sight, as an ERP that looks all the time would."""
        seen = {
            name: content
            for name, content in self.disk.in_folder(IN).items()
            if not name.startswith(".")
        }
        for name in seen.keys() - self._there:
            self.shown[name] = self.shown.get(name, 0) + 1
        for name, content in seen.items():
            self.contents.setdefault(name, set()).add(content)
            if not content.endswith(b"\r\n"):
                self.torn.append(name)
        self._there = set(seen)

    def run(self) -> None:
        """One run of the scheduled import."""
        self.look()
        for name, content in sorted(self.disk.in_folder(IN).items()):
            if not name.startswith("SOH_"):
                continue
            stem = name.removeprefix("SOH_").removesuffix(".txt")
            lines = self.disk.in_folder(IN).get(f"SOL_{stem}.txt")
            assert lines is not None, "a header came into sight before its lines"
            del self.disk.files[IN / name], self.disk.files[IN / f"SOL_{stem}.txt"]
            self._there -= {name, f"SOL_{stem}.txt"}
            if self.refusing:
                self._say(stem, f"ERROR: {self.refusing}\r\n")
                continue
            [row] = rows(content)
            assert {line[0] for line in rows(lines)} == {row[0]}
            self.orders.append(row[0])
            self._say(stem, f"Order SO-{len(self.orders)} created\r\n")

    def answer_all(self) -> None:
        for stem, text in self._unsaid.items():
            self.answer(stem, text)

    def _say(self, stem: str, text: str) -> None:
        if self.slow:
            self._unsaid[stem] = text
        else:
            self.answer(stem, text)

    def answer(self, stem: str, text: str) -> None:
        self.disk.put(OUT / f"SO_{stem}.log", text.encode("cp1252"))


def rows(content: bytes) -> list[list[str]]:
    text = io.StringIO(content.decode("cp1252"), newline="")
    return list(csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE))


@dataclass
class Site:
    """One process that sends orders; ``started`` again after each crash."""

    profile: Profile
    disk: MemoryDisk
    at: datetime = datetime(2025, 3, 3, 8, 30, tzinfo=UTC)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.started()

    def started(self) -> None:
        drop = drop_of(self.profile)
        self.box = AnswerBox(drop, ROOT, self.disk, lambda: self.seconds)
        self.outbox = Outbox(drop, ROOT, self.disk, self.box, lambda: self.at)
        self.renderer = Renderer(self.profile, drop)

    def later(self, **duration: float) -> None:
        self.at += timedelta(**duration)
        self.seconds += timedelta(**duration).total_seconds()

    def send(self, order: SalesOrder, key: IdempotencyKey = a.KEY) -> FoundOrder | None:
        return self.outbox.send(order, key, self.renderer.render(order, key))

    def find(self, key: IdempotencyKey = a.KEY) -> FoundOrder | None:
        return self.outbox.standing(key).found()
