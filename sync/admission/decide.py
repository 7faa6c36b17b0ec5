"""The decision itself: waits, closes, forbids, or makes the instruction for the ERP."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

from sync.admission import amounts, buyer, destination, goods, payment
from sync.admission.facts import AdmissionFacts, Notebook
from sync.admission.ready import not_ready
from sync.admission.text import Wording
from sync.domain.address import Address
from sync.domain.decision import Admitted, Decision, Outcome, Quarantined, Unrouted
from sync.domain.ids import WebUserId
from sync.domain.mapping import PaymentKind
from sync.domain.order import UnreadableOrder, WebOrder
from sync.domain.problem_codes import problem
from sync.domain.sales_order import (
    CodedAmount,
    OneOffShipTo,
    OnFileBillTo,
    OnFileShipTo,
    SalesOrder,
    SalesOrderLine,
)


def unreadable(order: UnreadableOrder) -> Quarantined:
    """An order that the store shows in a way that cannot be understood."""
    return Quarantined(
        tuple(
            problem(
                "order_unreadable",
                f"Order {order.number} cannot be read: {found}.",
                "Correct the order in the store; it is judged anew when it changes.",
            )
            for found in order.problems
        )
    )


def admit(order: WebOrder, facts: AdmissionFacts) -> Outcome:
    """What becomes of the order, on these facts.

    An order that both waits and is forbidden waits. Where several rules forbid
    it, all of them are named.
    """
    early = not_ready(order, facts.channel, facts.mapping.codes, facts.now)
    if early is not None:
        return early
    notebook = Notebook()
    if isinstance(facts.routing, Unrouted):
        notebook.problems.extend(facts.routing.problems)
    planned = _plan(order, facts, notebook)
    if notebook.problems or planned is None or facts.routed is None:
        account = facts.routed.customer_id if facts.routed is not None else None
        return Quarantined(tuple(notebook.problems), facts.routing.trail, account)
    routed = facts.routed
    return Admitted(
        planned,
        Decision(
            customer_id=routed.customer_id,
            retail=routed.retail,
            rule=routed.rule,
            mapping_version=facts.mapping.version,
            decided_at=facts.now,
            trail=routed.trail,
            flags=planned.flags,
        ),
    )


def _plan(order: WebOrder, facts: AdmissionFacts, notebook: Notebook) -> SalesOrder | None:
    """Run every check; the instruction, where all its parts could be made."""
    buyer.check_account(order, facts, notebook)
    buyer.check_person(order, facts, notebook)
    contact = buyer.contact_for(facts, notebook)
    kinds, payments = payment.plan_payments(order, facts, notebook)
    hold = buyer.hold_for_credit(facts.account, kinds, facts, notebook)
    buyer.check_purchase_order(order, facts, notebook)
    ship_to = destination.plan_ship_to(order, facts, notebook)
    bill_to = destination.plan_bill_to(order, kinds, facts, notebook)
    lines = goods.plan_lines(order, facts, notebook)
    amounts.check_total(order, notebook)
    charges = amounts.plan_charges(order, facts, notebook)
    discounts = amounts.plan_discounts(order, facts, notebook)
    taxes = amounts.plan_taxes(order, facts, notebook)
    via = amounts.ship_via(order, facts, notebook)
    wording = _wording(order, ship_to, bill_to, lines, notebook, facts)
    routed = facts.routed
    if routed is None or ship_to is None or not lines:
        return None
    terms = facts.account.terms if facts.account and PaymentKind.TERMS in kinds else None
    zone = ZoneInfo(facts.capabilities.time_zone)
    return SalesOrder(
        sold_to=routed.customer_id,
        retail=routed.retail,
        web_order=order.order_id,
        web_number=order.number,
        channel=order.channel,
        ordered_at=order.placed_at,
        ordered_on=order.placed_at.astimezone(zone).date(),
        currency=order.currency,
        ship_to=_ship_to_with(ship_to, wording),
        bill_to=wording.bill_to if isinstance(bill_to, Address) else bill_to,
        lines=wording.lines,
        total=order.total,
        charges=charges,
        discounts=discounts,
        taxes=taxes,
        adjustments=tuple(
            CodedAmount(adjustment.name, adjustment.amount) for adjustment in order.adjustments
        ),
        payments=payments,
        contact=contact,
        web_user=_proven_user(order),
        organisation=order.buyer.organisation,
        location=order.buyer.location,
        terms=terms,
        hold=hold,
        po_number=wording.po_number,
        notes=wording.notes,
        requested_on=order.requested_date,
        ship_complete=order.ship_complete,
        ship_via=via,
        collect_account=wording.collect_account,
        phone=wording.phone,
        email=wording.email,
        flags=tuple(notebook.flags),
        total_tolerance=_total_tolerance(facts),
        refunds=order.refunds,
    )


def _wording(
    order: WebOrder,
    ship_to: OnFileShipTo | OneOffShipTo | None,
    bill_to: OnFileBillTo | Address | None,
    lines: tuple[SalesOrderLine, ...],
    notebook: Notebook,
    facts: AdmissionFacts,
) -> Wording:
    """The order's texts, made to fit; judged even where something else forbids the order."""
    wording = Wording(
        notes=order.notes or "",
        ship_to=ship_to.address if isinstance(ship_to, OneOffShipTo) else None,
        bill_to=bill_to if isinstance(bill_to, Address) else None,
        po_number=order.po_number,
        phone=order.buyer.phone,
        email=order.buyer.email,
        collect_account=order.collect_account,
        lines=lines,
        names=(
            *(adjustment.name for adjustment in order.adjustments),
            *(payment.reference for payment in order.payments if payment.reference),
        ),
    )
    return wording.fitted(facts.capabilities, notebook)


def _ship_to_with(
    ship_to: OnFileShipTo | OneOffShipTo, wording: Wording
) -> OnFileShipTo | OneOffShipTo:
    if isinstance(ship_to, OneOffShipTo) and wording.ship_to is not None:
        return OneOffShipTo(wording.ship_to, ship_to.under)
    return ship_to


def _proven_user(order: WebOrder) -> WebUserId | None:
    """The placing user, where the store proved who it was; a claim is not passed on."""
    return order.buyer.web_user if order.buyer.signed_in else None


def _total_tolerance(facts: AdmissionFacts) -> Decimal:
    """An ERP that takes no tax from outside may come to another total, within limits."""
    return Decimal(0) if facts.capabilities.tax_override else facts.policy.tax_tolerance
