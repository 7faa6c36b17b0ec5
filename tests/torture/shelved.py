"""ERP and store fakes that keep orders on disk: what grows in memory is then the daemon's own.

They answer as ``MemoryErp`` and ``MemoryStore`` do; fifty thousand orders on a
shelf cost a file, and a look-up by key or by time of change costs an index.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, WebOrderId
from sync.domain.money import Money
from sync.domain.order import StoreOrder
from sync.domain.sales_order import (
    ErpOrderState,
    FoundOrder,
    OrderAcknowledgement,
    OrderStatus,
    SalesOrder,
)
from sync.domain.times import Watermark
from sync.domain.views import ImportNotice, ImportState
from sync.errors import Conflict, Rejected
from sync.ports.clock import Clock
from sync.ports.store import OrderPage
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore

SHIPPED_AFTER_S, INVOICED_AFTER_S = 1200.0, 2400.0


def shelf(file: Path, *tables: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    # Nobody cuts the power in a soak.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    for table in tables:
        connection.execute(table)
    return connection


class ShelvedErp(MemoryErp):
    """Orders are shipped and invoiced by themselves, some time after they were written."""

    def __init__(self, file: Path, clock: Clock) -> None:
        super().__init__(clock, MEMORY_CAPABILITIES)
        self._shelf = shelf(
            file,
            "CREATE TABLE held (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
            " web_order TEXT NOT NULL, sold_to TEXT NOT NULL, po TEXT, lines INTEGER NOT NULL,"
            " total TEXT NOT NULL, currency TEXT NOT NULL, written_at REAL NOT NULL,"
            " content BLOB NOT NULL)",
            "CREATE INDEX held_po ON held (sold_to, po)",
        )

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        self._admit()
        row = self._shelf.execute(
            "SELECT number, sold_to, lines, total, currency FROM held WHERE key = ?", (key.value,)
        ).fetchone()
        if row is None:
            return None
        number, sold_to, lines, total, currency = row
        return FoundOrder(
            number=ErpOrderNumber(f"SO-{number}"),
            sold_to=CustomerId(sold_to),
            line_count=lines,
            total=Money(Decimal(total), currency),
        )

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        self._admit()
        self.submitted += 1
        self._refuse_what_a_real_one_would(order)
        try:
            done = self._shelf.execute(
                "INSERT INTO held (key, web_order, sold_to, po, lines, total, currency,"
                " written_at, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.value,
                    order.web_order.value,
                    order.sold_to.value,
                    order.po_number,
                    len(order.lines),
                    str(order.total.amount),
                    order.total.currency,
                    self._clock.monotonic(),
                    pickle.dumps(order),
                ),
            )
        except sqlite3.IntegrityError as error:
            raise Conflict(f"the ERP has an order under {key}") from error
        return OrderAcknowledgement(ErpOrderNumber(f"SO-{done.lastrowid}"))

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        self._admit()
        names = [key.value for key in keys]
        marks = ", ".join("?" * len(names))
        rows = self._shelf.execute(
            f"SELECT key, number, written_at FROM held WHERE key IN ({marks})", names
        )
        now = self._clock.monotonic()
        return {
            IdempotencyKey(key): OrderStatus(_state(now - at), ErpOrderNumber(f"SO-{number}"))
            for key, number, at in rows
        }

    def purchase_order_used(
        self, customer_id: CustomerId, po_number: str, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        self._admit()
        row = self._shelf.execute(
            "SELECT number FROM held WHERE sold_to = ? AND po = ? AND key <> ?",
            (customer_id.value, po_number, key.value),
        ).fetchone()
        return None if row is None else ErpOrderNumber(f"SO-{row[0]}")

    def held(self) -> Iterator[tuple[str, SalesOrder]]:
        """Web order and content of all that was ever written."""
        for web_order, content in self._shelf.execute("SELECT web_order, content FROM held"):
            yield web_order, pickle.loads(content)  # noqa: S301 - our own file


def _state(age_s: float) -> ErpOrderState:
    if age_s < SHIPPED_AFTER_S:
        return ErpOrderState.OPEN
    return ErpOrderState.SHIPPED if age_s < INVOICED_AFTER_S else ErpOrderState.INVOICED


class ShelvedStore(MemoryStore):
    """Orders by time of change, as a shop's own database has them."""

    def __init__(self, file: Path, clock: Clock) -> None:
        super().__init__(clock=clock, page_size=200)
        self._shelf = shelf(
            file,
            "CREATE TABLE orders (order_id TEXT PRIMARY KEY, changed REAL NOT NULL,"
            " content BLOB NOT NULL)",
            "CREATE INDEX by_change ON orders (changed, order_id)",
            "CREATE TABLE shown (order_id TEXT PRIMARY KEY, state TEXT, number TEXT,"
            " message TEXT, status BLOB)",
        )

    def place_order(self, order: StoreOrder) -> None:
        self._shelf.execute(
            "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)",
            (order.order_id.value, order.modified_at.timestamp(), pickle.dumps(order)),
        )

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        self._admit()
        row = self._shelf.execute(
            "SELECT content FROM orders WHERE order_id = ?", (order_id.value,)
        ).fetchone()
        return None if row is None else _loaded(row[0])

    def changed_orders(self, since: Watermark | None) -> Iterator[OrderPage]:
        self._admit()
        start = since.at.timestamp() if since else 0.0
        ((end,),) = self._shelf.execute("SELECT max(changed) FROM orders").fetchall()
        after: tuple[float, str] = (start, "")
        while end is not None:
            rows = self._shelf.execute(
                "SELECT content FROM orders WHERE (changed, order_id) > (?, ?) AND changed <= ?"
                " ORDER BY changed, order_id LIMIT ?",
                (*after, end, self._page_size),
            ).fetchall()
            if not rows:
                return
            orders = tuple(_loaded(content) for (content,) in rows)
            last = orders[-1]
            after = (last.modified_at.timestamp(), last.order_id.value)
            yield OrderPage(orders, Watermark(last.modified_at))

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        number = notice.erp_order.value if notice.erp_order else None
        told = (notice.state.value, number, notice.message)
        self._show(order_id, "state = ?, number = ?, message = ?", *told)

    def shown_imports(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, ImportNotice]:
        self._admit()
        found = {}
        for each in order_ids:
            row = self._shelf.execute(
                "SELECT state, number, message FROM shown WHERE order_id = ?", (each.value,)
            ).fetchone()
            if row is not None and row[0] is not None:
                number = ErpOrderNumber(row[1]) if row[1] else None
                found[each] = ImportNotice(ImportState(row[0]), number, row[2])
        return found

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        self._show(order_id, "status = ?", pickle.dumps(status))

    def shown_order_statuses(
        self, order_ids: Collection[WebOrderId]
    ) -> Mapping[WebOrderId, OrderStatus]:
        self._admit()
        found = {}
        for each in order_ids:
            row = self._shelf.execute(
                "SELECT status FROM shown WHERE order_id = ?", (each.value,)
            ).fetchone()
            if row is not None and row[0] is not None:
                found[each] = pickle.loads(row[0])  # noqa: S301 - our own file
        return found

    def shown_numbers(self) -> dict[str, tuple[str, str | None]]:
        """State and ERP number shown at each order."""
        rows = self._shelf.execute("SELECT order_id, state, number FROM shown")
        return {order_id: (state, number) for order_id, state, number in rows}

    def _show(self, order_id: WebOrderId, columns: str, *values: object) -> None:
        self._admit()
        known = self._shelf.execute(
            "SELECT 1 FROM orders WHERE order_id = ?", (order_id.value,)
        ).fetchone()
        if known is None:
            raise Rejected(
                f"the store has no order {order_id}",
                code="store_unknown_order",
                remedy="see in the store whether the order was deleted",
            )
        self.notices_shown += 1
        self._shelf.execute("INSERT OR IGNORE INTO shown (order_id) VALUES (?)", (order_id.value,))
        self._shelf.execute(
            f"UPDATE shown SET {columns} WHERE order_id = ?", (*values, order_id.value)
        )


def _loaded(content: bytes) -> StoreOrder:
    order: StoreOrder = pickle.loads(content)  # noqa: S301 - our own file
    return order
