"""The balances that a store should show: as the ERP tells them, or from open invoices (MI-6).

What the ERP tells is never recalculated. An ageing that it does not tell is made
from the open amounts and due dates of the invoices, as of a day that the caller
names; a balance only where the ERP tells no balances at all. What cannot be told
exactly, because an invoice does not say what is open or when it is due, stays out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sync.domain.balance import AccountBalance, AgeBucket, Ageing, FigureSource
from sync.domain.ids import CustomerId
from sync.domain.invoice import DueDate, Invoice, InvoiceKind
from sync.domain.money import Money, total

BalanceKey = tuple[CustomerId, str]
"""An account and one of its currencies."""

BUCKETS: Sequence[tuple[int | None, int | None]] = (
    (None, None),
    (1, 30),
    (31, 60),
    (61, 90),
    (91, None),
)
"""Days overdue, both included, of an ageing that is made here."""


def with_ageing(
    told: Iterable[AccountBalance], invoices: Iterable[Invoice], as_of: date
) -> dict[BalanceKey, AccountBalance]:
    """The ERP's balances, each with the ERP's own ageing or one made from the invoices."""
    by_key = _by_key(invoices)
    found = {}
    for each in told:
        key = (each.sold_to, each.currency)
        if each.ageing is None:
            own = by_key.get(key, ())
            # Owed, and no document says since when: zeros would say "nothing is overdue".
            if each.balance.amount == 0 or any(_is_open(invoice) for invoice in own):
                each = replace(each, ageing=ageing(own, each.currency, as_of))
        found[key] = each
    return found


def from_invoices(invoices: Iterable[Invoice], as_of: date) -> dict[BalanceKey, AccountBalance]:
    """Balances for an ERP that tells none: what is open on the invoices of each account.

    An account without an invoice, or with one that does not say what is open, is absent.
    """
    found = {}
    for (sold_to, currency), own in _by_key(invoices).items():
        if not all(map(_tells_open, own)):
            continue
        found[sold_to, currency] = AccountBalance(
            sold_to,
            total((_owed(invoice) for invoice in own), currency),
            ageing=ageing(own, currency, as_of),
            source=FigureSource.INVOICES,
        )
    return found


def ageing(invoices: Iterable[Invoice], currency: str, as_of: date) -> Ageing | None:
    """What is open on the invoices of one account by days overdue on that day.

    Payments count for the instalments that were due first. Credits, and what was
    paid too much, are not due. None where it cannot be told.
    """
    amounts = [Money(Decimal(0), currency)] * len(BUCKETS)
    for invoice in invoices:
        if not _tells_open(invoice):
            return None
        owed = _owed(invoice)
        if owed.amount <= 0:
            amounts[0] += owed
            continue
        dues = sorted(invoice.dues, key=lambda due: due.due_on)
        if not dues:
            return None
        for due, part in _unpaid(owed, dues):
            amounts[_bucket((as_of - due.due_on).days)] += part
    return Ageing(
        tuple(
            AgeBucket(amount, first, last)
            for amount, (first, last) in zip(amounts, BUCKETS, strict=True)
        ),
        FigureSource.INVOICES,
    )


def _unpaid(owed: Money, dues: Sequence[DueDate]) -> Iterator[tuple[DueDate, Money]]:
    """What is still open of each instalment, the last one first."""
    left = owed
    parts = []
    for due in reversed(dues):
        part = min(left, due.amount, key=lambda money: money.amount)
        parts.append((due, part))
        left = left - part
    # More is open than the instalments come to: it is due with the last of them.
    yield dues[-1], left
    yield from parts


def _bucket(days: int) -> int:
    """Which bucket an amount belongs to that is so many days overdue; its day itself is none."""
    for number, (first, last) in enumerate(BUCKETS):
        if first is not None and days >= first and (last is None or days <= last):
            return number
    return 0


def _owed(invoice: Invoice) -> Money:
    """What is open on it, negative on a credit. Only where the ERP tells."""
    assert invoice.open_amount is not None  # noqa: S101 - both callers have looked
    if invoice.kind is InvoiceKind.CREDIT:
        return Money(-invoice.open_amount.amount, invoice.open_amount.currency)
    return invoice.open_amount


def _tells_open(invoice: Invoice) -> bool:
    """Whether the ERP says, in the invoice's own currency, what is open on it."""
    own, open_amount = invoice.total.currency, invoice.open_amount
    dues = {due.amount.currency for due in invoice.dues}
    return open_amount is not None and {open_amount.currency, *dues} == {own}


def _is_open(invoice: Invoice) -> bool:
    return invoice.open_amount is None or invoice.open_amount.amount != 0


def _by_key(invoices: Iterable[Invoice]) -> Mapping[BalanceKey, list[Invoice]]:
    # A page that came twice must not double what is owed.
    once = {(invoice.sold_to, invoice.number): invoice for invoice in invoices}
    found: dict[BalanceKey, list[Invoice]] = defaultdict(list)
    for invoice in once.values():
        found[invoice.sold_to, invoice.total.currency].append(invoice)
    return found
