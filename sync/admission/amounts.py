"""Totals, charges, discounts and taxes in the ERP's codes (OI-6, OI-7)."""

from __future__ import annotations

from collections.abc import Mapping

from sync.admission.destination import tax_exempt
from sync.admission.facts import AdmissionFacts, Notebook
from sync.domain.money import Money, total
from sync.domain.order import WebOrder
from sync.domain.sales_order import CodedAmount


def check_total(order: WebOrder, notebook: Notebook) -> None:
    """Does everything on the order add up to what the buyer was told?"""
    computed = order.computed_total
    if computed.amount != order.total.amount:
        notebook.forbid(
            "total_mismatch",
            f"Lines, charges and tax come to {computed}, the order says {order.total}.",
            "Correct the order in the store, then replay.",
        )
    if order.total.amount < 0:
        notebook.forbid(
            "total_mismatch",
            f"The order is over {order.total}, less than nothing.",
            "Correct the discounts or amounts in the store, then replay.",
        )


def plan_charges(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> tuple[CodedAmount, ...]:
    table = facts.mapping.codes.charges
    planned = []
    for charge in order.charges:
        code = translated(table, charge.code, "charge_unmapped", "Charge", "charges", notebook)
        planned.append(CodedAmount(code, charge.amount))
    return tuple(planned)


def plan_discounts(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> tuple[CodedAmount, ...]:
    """Coupons and discounts of the whole order; positive, taken off."""
    table = facts.mapping.codes.discounts
    planned = []
    for discount in order.discounts:
        code = translated(
            table, discount.code, "discount_unmapped", "Discount", "discounts", notebook
        )
        planned.append(CodedAmount(code, discount.amount))
    return tuple(planned)


def plan_taxes(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> tuple[CodedAmount, ...]:
    """The store's tax by the ERP's codes, as an override where the ERP takes one.

    Where it does not, the ERP's own tax is compared; the store's stays on the
    instruction all the same, since it is part of what the buyer saw.
    """
    charged = total((tax.amount for tax in order.taxes), order.currency)
    if charged.amount > 0 and tax_exempt(order, facts):
        notebook.flag(f"Tax of {charged} was charged although the ship-to is exempt.")
    table = facts.mapping.codes.taxes
    if not facts.capabilities.tax_override:
        _compare_tax(charged, facts, notebook)
        return tuple(
            CodedAmount(table.get(tax.code, tax.code), tax.amount, tax.rate) for tax in order.taxes
        )
    planned = []
    for tax in order.taxes:
        code = translated(table, tax.code, "tax_unmapped", "Tax", "taxes", notebook)
        planned.append(CodedAmount(code, tax.amount, tax.rate))
    return tuple(planned)


def _compare_tax(charged: Money, facts: AdmissionFacts, notebook: Notebook) -> None:
    if facts.routed is None or facts.account is None:
        return
    if facts.erp_tax is None or facts.erp_tax.currency != charged.currency:
        notebook.forbid(
            "tax_cannot_be_compared",
            f"The ERP takes no tax from outside and does not tell its own in {charged.currency}.",
            "Give the profile a statement that tells the tax, or let the ERP take an override.",
        )
        return
    difference = abs((facts.erp_tax - charged).amount)
    if difference > facts.policy.tax_tolerance:
        notebook.forbid(
            "tax_differs",
            f"The store charged {charged} tax, the ERP would charge {facts.erp_tax}.",
            "Correct the tax set-up on either side, or raise tax_tolerance; then replay.",
        )


def ship_via(order: WebOrder, facts: AdmissionFacts, notebook: Notebook) -> str | None:
    if order.ship_via is None:
        return None
    return translated(
        facts.mapping.codes.ship_methods,
        order.ship_via,
        "ship_method_unmapped",
        "Ship method",
        "ship_methods",
        notebook,
    )


def translated(
    table: Mapping[str, str], code: str, problem: str, what: str, name: str, notebook: Notebook
) -> str:
    """The ERP's code; an empty table means that codes need no translation."""
    known = table.get(code)
    if known is not None:
        return known
    if table:
        notebook.forbid(
            problem,
            f'{what} "{code}" is in no code table.',
            f'Add "{code}" to {name} in codes.yaml, then replay.',
        )
    return code
