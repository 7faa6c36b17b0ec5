"""Puts an order's file before the ERP once, and tells where an order stands.

The order of things makes it once, wherever it is interrupted:

1. the file is written under a hidden name in ``orders``;
2. a copy becomes our record, in ``sent``; it stays for ever;
3. the hidden file is renamed, and the ERP may take it.

A record with its hidden file still there is an attempt that stopped before 3, and
is completed by the next one. A record without it was shown: whatever the ERP has
done with the file since, the order is not written again, unless the answer file
refuses it. An answer that was put aside before a second attempt counts no more; the
ERP's next one differs from it by its ``answered_at``.

One process at a time does this for an order (``sync.kit.one_writer``), so that none
that froze on the way shows, late, what another has shown meanwhile.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from erp_adapters.csv_folder.order_file import read_back
from erp_adapters.csv_folder.tables import Row, Tables
from sync.domain.ids import ErpOrderNumber, IdempotencyKey
from sync.domain.sales_order import ErpOrderState, FoundOrder, SalesOrder
from sync.errors import Rejected
from sync.kit.disk import FileSystem, there, translated
from sync.kit.key_names import safe_name
from sync.kit.one_writer import OneWriter

ORDERS = "orders"
SENT = "sent"


@dataclass(frozen=True, slots=True)
class Standing:
    """``record`` is what we sent; ``answer`` the ERP's row that still counts."""

    record: bytes | None
    shown: bool
    answer: Row | None

    @property
    def refused(self) -> bool:
        return self.answer is not None and _is_refusal(self.answer)

    def found(self, key: IdempotencyKey) -> FoundOrder | None:
        if self.answer is None and not self.shown:
            return None
        number = refusal = None
        if self.answer is not None:
            told = self.answer["order_number"]
            number = None if told is None else ErpOrderNumber(told)
            refusal = (self.answer["message"] or "no reason given") if self.refused else None
        if self.record is None:
            return FoundOrder(number, refusal=refusal)
        try:
            return read_back(self.record, number, refusal)
        except ValueError as error:
            raise Rejected(
                f"the record of the order {key} cannot be read: {error}",
                code="erp_unreadable",
                remedy="look in the ERP whether it has the order, and restore the file in `sent`",
            ) from error


class Outbox:
    def __init__(self, tables: Tables, files: FileSystem) -> None:
        self._tables = tables
        self._files = files
        self.orders = tables.folder / ORDERS
        self.sent = tables.folder / SENT
        self._writing = threading.Lock()
        self.one_writer = OneWriter(self.sent, files)

    def standing(self, key: IdempotencyKey) -> Standing:
        """Raises TryLater and AccessDenied: a share that is gone is not an order unsent."""
        answer = self._answer(key)
        stem = safe_name(key)
        record = self._read(self.sent / f"{stem}.csv")
        hidden = self._there(self._hidden(stem))
        visible = self._there(self.orders / f"{stem}.csv")
        return Standing(record, visible or (record is not None and not hidden), answer)

    def send(self, order: SalesOrder, key: IdempotencyKey, content: bytes) -> FoundOrder | None:
        """Shows the file to the ERP; an order that it has is given back instead.

        Raises TryLater where surely nothing can be seen, OutcomeUnknown once it may be.
        """
        stem = safe_name(key)
        with self._writing, self.one_writer.of(stem):
            standing = self.standing(key)
            if standing.refused:
                self._put_aside(stem, standing)
            elif (held := standing.found(key)) is not None:
                return held
            elif standing.record == content:
                self._show(order, stem)
                return None
            self._prepare(order, stem, content)
            self._show(order, stem)
            return None

    def _prepare(self, order: SalesOrder, stem: str, content: bytes) -> None:
        hidden, record = self._hidden(stem), self.sent / f"{stem}.csv"
        with translated(f"writing order {order.web_number}", self.sent):
            # First of all: without its hidden file a record would say that it was shown.
            self._remove(record)
            self._files.settle(self.sent)
        with translated(f"writing order {order.web_number}", self.orders):
            self._remove(hidden)
            self._files.write(hidden, content)
            self._files.settle(self.orders)
        with translated(f"noting order {order.web_number}", self.sent):
            self._put(record, content)

    def _show(self, order: SalesOrder, stem: str) -> None:
        with translated(f"showing order {order.web_number} to the ERP", self.orders, visible=True):
            self._files.rename(self._hidden(stem), self.orders / f"{stem}.csv")
            self._files.settle(self.orders)

    def _put_aside(self, stem: str, standing: Standing) -> None:
        """The refusal is noted first: until then it counts, and the order is refused."""
        assert standing.answer is not None  # noqa: S101 - it is refused
        noted = self.sent / f"{stem}.refused"
        with translated(f"putting aside the answer to {stem}", self.sent):
            before = self._files.read(noted) if there(self._files, noted) else b""
            # Nothing of the first attempt may look sent once its answer is gone.
            self._remove(self.sent / f"{stem}.csv")
            self._files.settle(self.sent)
        for path in (self.orders / f"{stem}.csv", self._hidden(stem)):
            with translated(f"putting aside {path.name}", self.orders):
                self._remove(path)
                self._files.settle(self.orders)
        with translated(f"putting aside the answer to {stem}", self.sent):
            self._put(noted, before + f"{_fingerprint(standing.answer)}\n".encode())

    def _answer(self, key: IdempotencyKey) -> Row | None:
        rows = self._tables.get("order_status").by("external_key").get(key.value, ())
        if not rows:
            return None
        noted = self._read(self.sent / f"{safe_name(key)}.refused") or b""
        aside = set(noted.decode("ascii").split())
        counting = [row for row in rows if _fingerprint(row) not in aside]
        # An ERP that answers twice has taken it if one of its answers says so.
        counting.sort(key=_is_refusal)
        return counting[0] if counting else None

    def _put(self, path: Path, content: bytes) -> None:
        """Whole or not at all, and on the disk when the call returns."""
        part = path.with_name(f".{path.name}.part")
        self._remove(part)
        self._files.write(part, content)
        self._files.rename(part, path)
        self._files.settle(path.parent)

    def _remove(self, path: Path) -> None:
        if there(self._files, path):
            self._files.remove(path)

    def _hidden(self, stem: str) -> Path:
        return self.orders / f".{stem}.csv.part"

    def _there(self, path: Path) -> bool:
        with translated(f"looking for {path.name}", path.parent):
            return there(self._files, path)

    def _read(self, path: Path) -> bytes | None:
        with translated(f"looking for {path.name}", path.parent):
            return self._files.read(path) if there(self._files, path) else None


def _is_refusal(row: Row) -> bool:
    return (row["state"] or "").lower() == ErpOrderState.REFUSED.value


def _fingerprint(row: Row) -> str:
    told = "\x1f".join(f"{name}={row[name] or ''}" for name in sorted(row))
    return hashlib.sha256(told.encode("utf-8")).hexdigest()
