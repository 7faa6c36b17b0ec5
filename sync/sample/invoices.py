"""Five hundred posted documents: invoices, credits, instalments, some of them unpaid.

A good part of them belongs to the retail groups. The store must never see those.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from sync.domain.account import Account
from sync.domain.ids import ErpOrderNumber, InvoiceNumber
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.money import Money
from sync.domain.pricing import PriceQuestion
from sync.sample.catalogue import Catalogue
from sync.sample.customers import PROSPECT, RETAIL_EU, RETAIL_US, Customers
from sync.sample.price_book import PriceBook

INVOICE_COUNT = 500
_CENT = Decimal("0.01")
_TAX = {"USD": Decimal("0.0625"), "EUR": Decimal("0.19")}


def build_invoices(
    chance: Random, catalogue: Catalogue, customers: Customers, prices: PriceBook, today: date
) -> tuple[Invoice, ...]:
    """By number, oldest first; the same for the same ``chance`` and day."""
    return tuple(_invoices(chance, catalogue, customers, prices, today))


def _invoices(
    chance: Random, catalogue: Catalogue, customers: Customers, prices: PriceBook, today: date
) -> Iterator[Invoice]:
    trade = [
        account
        for account in customers.accounts()
        if account.customer_id not in (PROSPECT, RETAIL_US, RETAIL_EU)
    ]
    retail = [customers.account(RETAIL_US), customers.account(RETAIL_EU)]
    articles = catalogue.sellable()
    for number in range(INVOICE_COUNT):
        account = retail[number // 6 % 2] if number % 6 == 5 else chance.choice(trade)
        kind = InvoiceKind.CREDIT if number % 12 == 7 else InvoiceKind.INVOICE
        day = today - timedelta(days=(INVOICE_COUNT - number) * 3 // 4 + 1)
        currency = account.currencies[0]
        lines = []
        for line in range(1, chance.randint(1, 4) + 1):
            item = chance.choice(articles)
            quantity = Decimal(chance.choice((1, 2, 5, 10, 24, 50)))
            question = PriceQuestion(item.sku, item.stock_unit, currency, quantity, day)
            price = prices.unit_price(account, None, question) or Decimal("9.90")
            lines.append(
                InvoiceLine(
                    number=line,
                    quantity=quantity,
                    net=Money(_cents(price * quantity), currency),
                    sku=item.sku,
                    description=item.description,
                    unit=item.stock_unit,
                    unit_price=Money(price, currency),
                )
            )
        yield _document(chance, f"{800_000 + number}", account, kind, day, tuple(lines))


def _document(
    chance: Random,
    number: str,
    account: Account,
    kind: InvoiceKind,
    day: date,
    lines: tuple[InvoiceLine, ...],
) -> Invoice:
    currency = account.currencies[0]
    goods = sum((line.net.amount for line in lines), Decimal(0))
    freight = Decimal("12.50") if kind is InvoiceKind.INVOICE and goods < 400 else Decimal("0.00")
    tax = Decimal("0.00") if account.tax_exempt else _cents((goods + freight) * _TAX[currency])
    total = goods + freight + tax
    dues = _dues(account, day, total, currency) if kind is InvoiceKind.INVOICE else ()
    paid_up = account.terms is None or chance.random() < 0.6
    if paid_up:
        still_open = Decimal("0.00")
    elif chance.random() < 0.25:
        still_open = _cents(total / 3)
    else:
        still_open = total
    from_web = chance.random() < 0.3 and kind is InvoiceKind.INVOICE
    return Invoice(
        number=InvoiceNumber(number),
        sold_to=account.customer_id,
        kind=kind,
        invoiced_on=day,
        total=Money(total, currency),
        tax=Money(tax, currency),
        freight=Money(freight, currency),
        open_amount=Money(still_open, currency),
        dues=dues,
        lines=lines,
        erp_order=ErpOrderNumber(f"{int(number) - 200_000}"),
        po_number=f"PO-{chance.randint(1000, 9999)}" if chance.random() < 0.5 else None,
        web_reference=f"W-{chance.randint(40_000, 49_999)}" if from_web else None,
    )


def _dues(account: Account, day: date, total: Decimal, currency: str) -> tuple[DueDate, ...]:
    """One due date, or three instalments of which the last takes the odd cent."""
    if account.terms == "INST3":
        third = _cents(total / 3)
        amounts = (third, third, total - third - third)
        return tuple(
            DueDate(day + timedelta(days=30 * step), Money(amount, currency))
            for step, amount in enumerate(amounts, start=1)
        )
    days = {"NET30": 30, "NET60": 60}.get(account.terms or "", 0)
    return (DueDate(day + timedelta(days=days), Money(total, currency)),)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
