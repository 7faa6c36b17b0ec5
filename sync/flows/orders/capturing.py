"""What has been shipped is captured in the store, up to what was authorised (OI-10).

Off unless the settings name the order's channel. That something has left is noted
in the transaction that records the ERP's status, so that no crash forgets it. The
amount and its key are written down before the store is asked: an answer that never
came is looked up under that key, and asked for again under the same one, so that
nothing is captured twice. What the store refuses is for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from sync.domain.order import WebOrder
from sync.domain.settlement import Capture, CaptureState, settlement_key
from sync.errors import Conflict, OutcomeUnknown, Refusal
from sync.flows.context import Context, FlowResult, needs
from sync.flows.orders.noting import of_kind
from sync.flows.orders.scoping import Bounds
from sync.flows.orders.settling import Settling, over
from sync.planning.captures import CannotCapture, ToCapture, cannot_tell, owed_for, to_capture
from sync.planning.changes import STOPPED
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.ports.state import LedgerEntry
from sync.ports.store import CapturesPayments, ReadsWebOrders

log = structlog.get_logger()


def capture_shipped(context: Context, result: FlowResult, bounds: Bounds) -> None:
    """Ask for what is to be captured of every order of which something has left.

    Does nothing, and says so, for a store that captures nothing.
    """
    if not context.limits.orders.capture_channels:
        return
    if not isinstance(context.store, CapturesPayments):
        result.remarks.append("The store captures nothing when it is asked (capture_channels).")
        return
    _Capturing(context, result, bounds, context.store).run((SettlementKind.SHIPPED,))


class _Capturing(Settling):
    """Each record stands for an order of which something has left."""

    def __init__(
        self, context: Context, result: FlowResult, bounds: Bounds, store: CapturesPayments
    ) -> None:
        super().__init__(context, result, bounds)
        self._store = store
        self._orders = needs(context.store, ReadsWebOrders, "the store")

    def see_to(self, entry: LedgerEntry, settlement: Settlement) -> None:
        channel = entry.channel.value if entry.channel else ""
        if channel not in self.context.limits.orders.capture_channels:
            self.keep(over(settlement, SettlementState.DONE))
        elif entry.imported_at is None or entry.frozen is None:
            self.rest(settlement)  # the ERP refused it later: it may come back
        else:
            self._see_to(entry, settlement)

    def _see_to(self, entry: LedgerEntry, shipped: Settlement) -> None:
        held = list(self.retrying(self._store.captures, [entry.order_id]).get(entry.order_id, ()))
        with self.context.state.transaction() as state:
            records = of_kind(state.settlements.of(entry.order_id), SettlementKind.CAPTURE)
        asked = next((each for each in records if each.state is SettlementState.ASKED), None)
        if asked is not None:
            told = next((capture for capture in held if capture.key == asked.key), None)
            if told is not None:
                self._heard(entry, shipped, asked, told)
                return
        wanted = self._wanted(entry, _known(held, records))
        if asked is not None and not _still(wanted, asked):
            # Nothing came of it, and the order is not what it was then.
            [dropped] = self.keep(over(asked, SettlementState.DROPPED))
            records = [dropped if each is asked else each for each in records]
            asked = None
        if wanted is None:
            self.keep(over(shipped, SettlementState.DONE))
        elif isinstance(wanted, CannotCapture):
            self.to_person(entry, wanted.sentence, over(shipped, SettlementState.DONE))
        else:
            # One that should still come is taken once under its key.
            self._ask(entry, shipped, asked or _record(entry, wanted, records))

    def _wanted(
        self, entry: LedgerEntry, known: Sequence[Capture]
    ) -> ToCapture | CannotCapture | None:
        if entry.frozen is None or entry.status is None:
            return None
        owed = owed_for(entry.frozen, entry.status)
        order = self.retrying(self._orders.order, entry.order_id)
        if owed is None or not isinstance(order, WebOrder) or order.state in STOPPED:
            return None  # cancelled, refunded or gone: that is told to a person as it is
        now = self.context.clock.now()
        untold = cannot_tell(entry.frozen, entry.status)
        if untold is not None:
            all_of_it = to_capture(entry.frozen, order, entry.frozen.total, known, now)
            return None if all_of_it is None else untold
        return to_capture(entry.frozen, order, owed, known, now)

    def _ask(self, entry: LedgerEntry, shipped: Settlement, capture: Settlement) -> None:
        look_again = self.look_again_at()
        asked, shipped = self.keep(
            replace(capture, state=SettlementState.ASKED), replace(shipped, due_at=look_again)
        )
        amount, key = asked.amount, asked.key
        assert amount is not None and key is not None  # noqa: S101, PT018 - no record lacks them
        try:
            answer = self._store.capture(entry.order_id, amount, key)
        except Refusal as refusal:
            self._refused(entry, shipped, asked, str(refusal))
        except (OutcomeUnknown, Conflict) as error:
            self.unknown(entry, error)
        else:
            self._heard(entry, shipped, asked, answer)

    def _heard(
        self, entry: LedgerEntry, shipped: Settlement, asked: Settlement, told: Capture
    ) -> None:
        if told.state is CaptureState.REFUSED:
            self._refused(entry, shipped, asked, told.message or "it gave no reason")
        elif told.state is CaptureState.REQUESTED:
            self.rest(shipped)
        else:
            # More may have left meanwhile, so the order is looked at once more.
            now = self.context.clock.now()
            self.keep(over(asked, SettlementState.DONE), replace(shipped, due_at=now))
            self.result.count("captured")
            self.result.sample(f"{entry.number} captured: {told.amount}")
            log.info("payment.captured", web_order=entry.number, amount=str(told.amount))

    def _refused(
        self, entry: LedgerEntry, shipped: Settlement, asked: Settlement, said: str
    ) -> None:
        sentence = (
            f"The store did not capture {asked.amount} for what has been shipped: "
            f"{said.rstrip('.')}. Collect it from the buyer in another way."
        )
        self.to_person(
            entry,
            sentence,
            over(asked, SettlementState.FOR_A_PERSON),
            over(shipped, SettlementState.DONE),
        )


def _still(wanted: ToCapture | CannotCapture | None, asked: Settlement) -> bool:
    """Whether at least so much is to be captured as was asked for."""
    if not isinstance(wanted, ToCapture) or asked.amount is None:
        return False
    return wanted.amount.amount >= asked.amount.amount


def _known(held: Sequence[Capture], records: Sequence[Settlement]) -> list[Capture]:
    """What the store tells, and what it confirmed before, should it not tell that yet."""
    told = {capture.key for capture in held}
    done = [
        Capture(each.key, each.amount)
        for each in records
        if each.state is SettlementState.DONE and each.key and each.amount
    ]
    return [*held, *(each for each in done if each.key not in told)]


def _record(entry: LedgerEntry, wanted: ToCapture, records: Sequence[Settlement]) -> Settlement:
    """The record of this capture; one up to the same amount that was refused is taken again."""
    number = f"{wanted.up_to.amount:f}"
    before = next((each for each in records if each.number == number), None)
    return Settlement(
        entry.order_id,
        SettlementKind.CAPTURE,
        number,
        SettlementState.WANTED,
        entry.changed_at,
        key=settlement_key(entry.key, "capture", number),
        amount=wanted.amount,
        version=before.version if before else 0,
    )
