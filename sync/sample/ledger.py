"""What the sample's customers owe, as the sample ERP's own ledger has it.

Every customer with an invoice has a balance. The ageing is kept by the office in
Europe only, in four buckets of its own; for everybody else the daemon makes it
from the invoices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sync.domain.balance import AccountBalance, AgeBucket, Ageing
from sync.domain.ids import CustomerId
from sync.domain.invoice import Invoice, InvoiceKind
from sync.domain.money import Money
from sync.sample.customers import IN_EUROS, ON_CREDIT_HOLD, RETAIL_EU, RETAIL_US

AGES: tuple[tuple[int | None, int | None], ...] = ((None, None), (1, 30), (31, 60), (61, None))
"""Days overdue in the buckets of the sample ERP, in the order of its columns."""

_NO_LIMIT = frozenset({RETAIL_US, RETAIL_EU})


def build_balances(invoices: Iterable[Invoice], today: date) -> tuple[AccountBalance, ...]:
    """By customer: the open amounts of the invoices as they stand on that day."""
    found: dict[CustomerId, AccountBalance] = {}
    ages: dict[CustomerId, list[Money]] = {}
    for invoice in invoices:
        owner, currency = invoice.sold_to, invoice.total.currency
        nothing = Money(Decimal("0.00"), currency)
        held = found.setdefault(owner, AccountBalance(owner, nothing))
        parts = ages.setdefault(owner, [nothing] * len(AGES))
        owed = invoice.open_amount or nothing
        if invoice.kind is InvoiceKind.CREDIT:
            owed = nothing - owed
        found[owner] = replace(held, balance=held.balance + owed)
        # This ERP ages a whole document by its last due date.
        age = _age(invoice, today)
        parts[age] = parts[age] + owed
    return tuple(_finished(found[owner], ages[owner]) for owner in sorted(found))


def _age(invoice: Invoice, today: date) -> int:
    overdue = (today - max(due.due_on for due in invoice.dues)).days if invoice.dues else 0
    for number, (first, last) in enumerate(AGES):
        if first is not None and overdue >= first and (last is None or overdue <= last):
            return number
    return 0


def _finished(balance: AccountBalance, ages: list[Money]) -> AccountBalance:
    owner = balance.sold_to
    if owner not in _NO_LIMIT:
        # The one on hold has used up what it has.
        limit = Decimal("500.00") if owner == ON_CREDIT_HOLD else Decimal("25000.00")
        balance = replace(balance, credit_limit=Money(limit, balance.currency))
    if owner not in IN_EUROS:
        return balance
    buckets = (
        AgeBucket(amount, first, last) for amount, (first, last) in zip(ages, AGES, strict=True)
    )
    return replace(balance, ageing=Ageing(tuple(buckets)))
