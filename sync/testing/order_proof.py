"""The proof that no order was lost, doubled, changed or sent to the wrong account.

``order_violations`` reads the ERP, the store and the ledger through their ports
and writes nothing. It may be asked whenever both systems are well and the order
import has come to rest: everything that it finds is a broken promise (OI-1,
OI-2, OI-3, OI-4). With an ``ErpWorld`` (the system behind the adapter, see
``sync.testing.erp_world``) it counts headers and reads lines past the adapter;
without one it believes ``find_order``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync.domain.address import TypedAddress
from sync.domain.decision import Admitted
from sync.domain.ids import CustomerId, IdempotencyKey, WebOrderId
from sync.domain.mapping import CodeTables
from sync.domain.order import SelectedShipTo, StoreOrder, WebOrder
from sync.domain.views import ImportNotice
from sync.flows.context import Context, needs
from sync.flows.lookups import Lookups
from sync.flows.orders.discovery import placed_before
from sync.planning.changes import late_changes
from sync.ports.erp import FindsOrders, ReadsOrderStatus
from sync.ports.notices import notice_for
from sync.ports.state import LedgerEntry, LedgerEvent, LedgerFilter, LedgerState
from sync.ports.store import ReadsWebOrders, ShowsImport
from sync.testing.erp_world import OrderRows, WrittenOrder

_AFTER_IMPORT = (LedgerState.IMPORTED, LedgerState.ACKNOWLEDGED, LedgerState.REVIEW)

Accounts = Callable[[WebOrder], Collection[CustomerId]]
Notices = Callable[[WebOrderId], ImportNotice | None]


class OrdersInErp(Protocol):
    """The part of ``ErpWorld`` that reads orders past the adapter."""

    def order_rows(self, key: IdempotencyKey | None = None) -> OrderRows: ...

    def written(self, key: IdempotencyKey) -> WrittenOrder | None: ...


def order_violations(
    context: Context,
    *,
    system: OrdersInErp | None = None,
    accounts: Accounts | None = None,
    notices: Notices | None = None,
) -> list[str]:
    """What is wrong with the orders of this pipeline, in sentences; empty where nothing is.

    ``accounts`` are the ERP accounts that an order may be in at all, as the test
    that placed it knows; without it the decision in the ledger is believed.
    ``notices`` tells what people see at an order (``StoreWorld.notice``);
    without it the ledger's word is taken for what the store confirmed.
    """
    store = needs(context.store, ReadsWebOrders, "the store")
    shown = {order.order_id: order for page in store.changed_orders(None) for order in page.orders}
    with context.state.transaction() as state:
        entries = {entry.order_id: entry for entry in state.ledger.entries(LedgerFilter())}
        accepted = {key: _accepted(state.ledger.history(key)) for key in entries}
    proof = _Proof(context, system, accounts, notices, shown, accepted)
    found = [
        f"{order.number}: the store shows it, and the ledger does not know it"
        for order_id, order in shown.items()
        if order_id not in entries and not placed_before(context, order)
    ]
    for _, entry in sorted(entries.items()):
        found.extend(f"{entry.number}: {each}" for each in proof.of(entry))
    if system is not None:
        known = sum(system.order_rows(entry.key).headers for entry in entries.values())
        total = system.order_rows().headers
        if total != known:
            found.append(f"the ERP has {total} orders, and the ledger's keys tell of {known}")
    return found


def _accepted(history: Sequence[LedgerEvent]) -> bool:
    """Whether a person took the order as it is."""
    return any(each.event == "dismissed" for each in history)


@dataclass(frozen=True, slots=True)
class _Proof:
    context: Context
    system: OrdersInErp | None
    accounts: Accounts | None
    notices: Notices | None
    shown: Mapping[WebOrderId, StoreOrder]
    accepted: Mapping[WebOrderId, bool]

    def of(self, entry: LedgerEntry) -> Iterator[str]:
        count = self._count(entry)
        if count > 1:
            yield f"it is in the ERP {count} times"
        if entry.imported_at is not None:
            yield from self._imported(entry, count)
        elif entry.state is not LedgerState.REVIEW and count:
            yield f"it is in the ERP, and the ledger says {entry.state.value}"
        elif not count:
            yield from self._left_out(entry)
        wanted = notice_for(entry)
        if wanted is not None and entry.order_id in self.shown:
            seen = self.notices(entry.order_id) if self.notices is not None else entry.shown
            if (entry.shown, seen) != (wanted, wanted):
                yield f"the store says {seen}, and should say {wanted}"

    def _count(self, entry: LedgerEntry) -> int:
        if self.system is not None:
            return self.system.order_rows(entry.key).headers
        finds = needs(self.context.erp, FindsOrders, "the ERP")
        return int(finds.find_order(entry.key) is not None)

    def _imported(self, entry: LedgerEntry, count: int) -> Iterator[str]:
        finds = needs(self.context.erp, FindsOrders, "the ERP")
        found = finds.find_order(entry.key)
        if found is None or not count:
            yield "the ledger says that the ERP has it, and the ERP has nothing"
            return
        if None not in (found.number, entry.erp_order) and found.number != entry.erp_order:
            yield f"the ERP has it as {found.number}, and the ledger says {entry.erp_order}"
        decided = entry.decision.customer_id if entry.decision else None
        sold_to = found.sold_to or decided
        if sold_to != decided:
            yield f"it was decided for {decided}, and the ERP has it under {sold_to}"
        now = self.shown.get(entry.order_id)
        sent = entry.order
        if not isinstance(sent, WebOrder):
            yield "it was imported and cannot be read"
            return
        if self.accounts is not None and sold_to not in self.accounts(sent):
            yield f"the ERP has it under {sold_to}, which is not its account"
        written = self.system.written(entry.key) if self.system is not None else None
        if written is not None and not self.accepted[entry.order_id]:
            yield from unlike(sent, written, self.context.mapping.codes)
        if entry.state not in _AFTER_IMPORT:
            yield f"the ERP has it, and the ledger says {entry.state.value}"
        if entry.state is LedgerState.REVIEW:
            if not entry.differences:
                yield "a person is asked to look at it, and nobody says why"
        elif now is not None and late_changes(sent, now) and not self.accepted[entry.order_id]:
            yield "it changed in the store after its import, and nobody was told"
        if now is not None:
            yield from self._status(entry)

    def _status(self, entry: LedgerEntry) -> Iterator[str]:
        erp, store = self.context.erp, self.context.store
        if not isinstance(erp, ReadsOrderStatus) or not isinstance(store, ShowsImport):
            return
        if entry.status is None:
            return  # the flow that mirrors it has not run
        said = erp.order_statuses([entry.key]).get(entry.key)
        told = store.shown_order_statuses([entry.order_id]).get(entry.order_id)
        if said is not None and said != told:
            yield f"the ERP says {said.state.value}, and the store shows something else"

    def _left_out(self, entry: LedgerEntry) -> Iterator[str]:
        """Not in the ERP: fine only where nothing would let it in now."""
        order = self.shown.get(entry.order_id)
        if order is None:
            if entry.state in (LedgerState.DISCOVERED, LedgerState.SUBMITTING):
                yield f"the store no longer shows it, and it is {entry.state.value}"
            return
        if entry.state is LedgerState.REVIEW:
            if self.context.erp.capabilities.unique_external_key and not entry.differences:
                yield "a person is asked to look at it, and nobody says why"
            return
        if self.accepted[entry.order_id] and entry.state is LedgerState.CLOSED:
            return
        if isinstance(Lookups(self.context).judge(order, entry.key), Admitted):
            yield f"it could be imported, and is left behind as {entry.state.value}"


def unlike(order: WebOrder, written: WrittenOrder, codes: CodeTables) -> Iterator[str]:
    """In what the order in the ERP's own tables differs from the one that the buyer saw."""
    wanted = sorted(
        (line.sku, line.quantity, codes.units.get(line.unit, line.unit), line.unit_price.amount)
        for line in order.lines
        if line.kit_parent is None
    )
    held = sorted((each.sku, each.quantity, each.unit, each.unit_price) for each in written.lines)
    if wanted != held:
        yield f"the ERP has the lines {held}, and the buyer saw {wanted}"
    if isinstance(order.ship_to, SelectedShipTo):
        if written.ship_to_id != order.ship_to.ship_to_id or written.one_off is not None:
            yield f"the ERP ships it to {written.ship_to_id}, not {order.ship_to.ship_to_id}"
    elif isinstance(order.ship_to, TypedAddress):
        address = written.one_off
        if address is None or (address.name, address.city, tuple(address.lines)) != (
            order.ship_to.name,
            order.ship_to.city,
            tuple(order.ship_to.lines),
        ):
            yield "the ERP ships it to another address than the one typed at checkout"
    if written.po_number is not None and (order.po_number or "") != written.po_number:
        yield "the ERP has another PO number"
    if written.notes is not None and (order.notes or "") not in written.notes:
        yield "the ERP has other notes"
    if written.payment_references is not None:
        paid = {payment.reference for payment in order.payments if payment.reference}
        if not set(written.payment_references) <= paid:
            yield "the ERP has another payment reference"
