"""What the store gives back after the import is credited in the ERP, or told to a person (OI-10).

Each refund is noted in the transaction that judges the version of the order which
shows it, or that records the import. A request for a credit goes out only for the
channels that the settings name and where the ERP takes such; every other refund is
a question to a person. The ERP is looked at under the refund's own key before each
attempt, so that none is credited twice, and a record that is not over is seen to
again, so that none is lost. Of an order that is cancelled in the ERP nothing may have
been invoiced: what is to be credited of it is for a person.
"""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import structlog

from sync.domain.ids import RefundId, WebOrderNumber
from sync.domain.sales_order import ErpOrderState
from sync.domain.settlement import Credit, CreditRequest, settlement_key
from sync.errors import Conflict, OutcomeUnknown, Refusal
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import take_unreadable
from sync.flows.orders.scoping import Bounds
from sync.flows.orders.settling import Settling, over
from sync.ports.erp import ReadsOrderStatus, RequestsCredits
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.ports.state import LedgerEntry

log = structlog.get_logger()


def credits_refunds(context: Context, entry: LedgerEntry) -> bool:
    """Whether refunds of this order become credits by themselves."""
    channel = entry.channel.value if entry.channel else ""
    named = channel in context.limits.orders.credit_channels
    return named and isinstance(context.erp, RequestsCredits)


def credit_refunds(context: Context, result: FlowResult, bounds: Bounds) -> None:
    """See to every refund that is noted and not over."""
    _Crediting(context, result, bounds).run((SettlementKind.REFUND,))


class _Crediting(Settling):
    """Each record is one refund."""

    def see_to(self, entry: LedgerEntry, settlement: Settlement) -> None:
        if entry.imported_at is None or entry.frozen is None:
            self.rest(settlement)  # the ERP refused the order later: it may come back
            return
        erp = self.context.erp
        if not isinstance(erp, RequestsCredits) or not credits_refunds(self.context, entry):
            what = f"{settlement.amount} was refunded in the store (refund {settlement.number})."
            self._to_person(entry, settlement, f"{what} Credit it in the ERP.")
            return
        if entry.cancel_due_at is not None:
            self.rest(settlement)  # what becomes of the order says whether it is to be credited
            return
        length = erp.capabilities.external_key_length
        key = settlement_key(entry.key, "refund", settlement.number, length)
        found = self.retrying(erp.find_credit, key)
        if found is not None:
            self._found(entry, settlement, found)
        elif self._asked_before(settlement) and not erp.capabilities.unique_external_key:
            self._to_person(
                entry,
                settlement,
                f"Whether refund {settlement.number} of {settlement.amount} is credited in the ERP "
                "is not known: an earlier attempt ended without an answer, and this ERP refuses "
                "no second one under the same key. See in the ERP whether it arrived.",
            )
        else:
            self._ask_of_open(erp, entry, replace(settlement, key=key))

    def _ask_of_open(self, erp: RequestsCredits, entry: LedgerEntry, refund: Settlement) -> None:
        """Ask for the credit, unless the ERP has the order as cancelled by now."""
        status = entry.status
        if isinstance(erp, ReadsOrderStatus):
            status = self.retrying(erp.order_statuses, [entry.key]).get(entry.key, status)
            unreadable = take_unreadable(self.context, self.result)
            if unreadable.names(entry.key.value):
                self.rest(refund)
                return
        if status is not None and status.state is ErpOrderState.CANCELLED:
            self._to_person(
                entry,
                refund,
                f"{refund.amount} was refunded in the store (refund {refund.number}), and the ERP "
                "has the order as cancelled. Credit there only what was invoiced or paid before.",
            )
        else:
            self._ask(erp, entry, refund)

    @staticmethod
    def _asked_before(settlement: Settlement) -> bool:
        return settlement.state is SettlementState.ASKED

    def _found(self, entry: LedgerEntry, refund: Settlement, found: Credit) -> None:
        if found.amount is not None and found.amount != refund.amount:
            self._to_person(
                entry,
                refund,
                f"The ERP has {found.amount} under the key of refund {refund.number}, "
                f"and the store gave back {refund.amount}.",
            )
            return
        self._credited(entry, refund, found)

    def _ask(self, erp: RequestsCredits, entry: LedgerEntry, refund: Settlement) -> None:
        look_again = self.look_again_at()
        [asked] = self.keep(replace(refund, state=SettlementState.ASKED, due_at=look_again))
        request = self._request(entry, asked)
        key = asked.key
        assert key is not None  # noqa: S101 - it was given just now
        try:
            credit = erp.request_credit(request, key)
        except Refusal as refusal:
            said = str(refusal).rstrip(".")
            sentence = (
                f"The ERP does not credit {asked.amount} that the store gave back "
                f"(refund {asked.number}): {said}."
            )
            self._to_person(entry, asked, sentence)
        except (OutcomeUnknown, Conflict) as error:
            self.unknown(entry, error)
        else:
            self._credited(entry, asked, credit)

    def _request(self, entry: LedgerEntry, refund: Settlement) -> CreditRequest:
        assert entry.frozen is not None and refund.amount is not None  # noqa: S101, PT018
        zone = ZoneInfo(self.context.erp.capabilities.time_zone)
        happened = refund.happened_at or refund.changed_at
        return CreditRequest(
            order=entry.key,
            erp_order=entry.erp_order,
            sold_to=entry.frozen.sold_to,
            web_order=entry.order_id,
            web_number=WebOrderNumber(entry.number),
            refund=RefundId(refund.number),
            amount=refund.amount,
            refunded_on=happened.astimezone(zone).date(),
        )

    def _credited(self, entry: LedgerEntry, refund: Settlement, credit: Credit) -> None:
        self.keep(replace(over(refund, SettlementState.DONE), reference=credit.number))
        self.result.count("credited")
        number = f" as {credit.number}" if credit.number else ""
        amount = f": {refund.amount}" if refund.amount is not None else ""
        self.result.sample(f"{entry.number} credited{number}{amount}")
        log.info("refund.credited", web_order=entry.number, credit=credit.number)

    def _to_person(self, entry: LedgerEntry, refund: Settlement, sentence: str) -> None:
        self.to_person(entry, sentence, over(refund, SettlementState.FOR_A_PERSON))
