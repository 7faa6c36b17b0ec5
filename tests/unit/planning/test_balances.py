"""Which balances a store should show, and how an ageing is made from open invoices."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.balance import AgeBucket, Ageing, FigureSource
from sync.domain.ids import CustomerId, InvoiceNumber
from sync.domain.invoice import DueDate, Invoice, InvoiceKind
from sync.domain.money import Money
from sync.planning.balances import BUCKETS, ageing, from_invoices, with_ageing
from sync.testing import builders as a

TODAY = date(2025, 6, 30)
OTHER = CustomerId("C-2002")


def due(days_ago: int, amount: str) -> DueDate:
    return DueDate(TODAY - timedelta(days=days_ago), a.money(amount))


def document(still_open: str | None, *dues: DueDate, **changes: object) -> Invoice:
    amount = None if still_open is None else a.money(still_open)
    return a.an_invoice(open_amount=amount, dues=dues, lines=(), **changes)


def amounts(*invoices: Invoice) -> list[str] | None:
    found = ageing(invoices, "EUR", TODAY)
    return None if found is None else [str(each.amount.amount + 0) for each in found.buckets]


@pytest.mark.rule("MI-6")
@pytest.mark.parametrize(
    "days, bucket",
    [(-5, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (900, 4)],
)
def test_an_amount_is_in_the_bucket_of_its_days_overdue(days: int, bucket: int) -> None:
    found = ageing([document("121.00", due(days, "121.00"))], "EUR", TODAY)
    assert found is not None
    assert [n for n, each in enumerate(found.buckets) if each.amount.amount] == [bucket]
    assert [(each.from_days, each.to_days) for each in found.buckets] == list(BUCKETS)
    assert found.source is FigureSource.INVOICES


@pytest.mark.rule("MI-6")
def test_payments_count_for_the_instalments_that_were_due_first() -> None:
    dues = (due(-10, "40.00"), due(40, "40.00"), due(100, "41.00"))
    assert amounts(document("121.00", *dues)) == ["40.00", "0", "40.00", "0", "41.00"]
    assert amounts(document("50.00", *dues)) == ["40.00", "0", "10.00", "0", "0.00"]
    assert amounts(document("150.00", *dues)) == ["69.00", "0", "40.00", "0", "41.00"]


@pytest.mark.rule("MI-6")
def test_credit_is_never_overdue() -> None:
    credit = document("20.00", due(50, "20.00"), kind=InvoiceKind.CREDIT)
    overpaid = document("-5.00", due(50, "121.00"))
    owed = document("100.00", due(5, "100.00"))
    assert amounts(credit, overpaid, owed) == ["-25.00", "100.00", "0", "0", "0"]


@pytest.mark.rule("MI-6")
def test_what_cannot_be_told_is_not_made_up() -> None:
    sound = document("10.00", due(5, "10.00"))
    assert amounts(sound, document(None, due(5, "10.00"))) is None
    assert amounts(sound, document("10.00")) is None
    assert amounts(sound, document("0.00")) is not None
    dollars = document("10.00", DueDate(TODAY, a.money("10.00", "USD")))
    assert amounts(sound, dollars) is None


@pytest.mark.rule("MI-6")
def test_what_the_erp_tells_is_never_recalculated() -> None:
    told = a.a_balance("7.00")
    found = with_ageing([told], [document("121.00", due(5, "121.00"))], TODAY)
    assert found == {(a.ACCOUNT, "EUR"): told}


@pytest.mark.rule("MI-6")
def test_an_ageing_that_the_erp_does_not_tell_comes_from_the_account_s_own_invoices() -> None:
    told = [
        a.a_balance("121.00", ageing=None),
        a.a_balance(balance=a.money("5.00", "USD"), credit_limit=None, ageing=None),
        a.a_balance("0.00", sold_to=OTHER, ageing=None),
    ]
    invoices = [document("121.00", due(5, "121.00"))]

    found = with_ageing(told, invoices, TODAY)

    own = found[a.ACCOUNT, "EUR"]
    assert (own.balance, own.source) == (a.money("121.00"), FigureSource.ERP)
    assert own.ageing is not None
    assert own.ageing.total == a.money("121.00")
    assert own.ageing.source is FigureSource.INVOICES
    # Five dollars are owed, and no invoice says since when.
    assert found[a.ACCOUNT, "USD"].ageing is None
    nothing = found[OTHER, "EUR"].ageing
    assert nothing is not None
    assert nothing.total.amount == 0


@pytest.mark.rule("MI-6")
def test_an_erp_without_balances_is_answered_for_by_its_invoices() -> None:
    invoices = [
        document("100.00", due(5, "100.00")),
        document("30.00", kind=InvoiceKind.CREDIT, number=InvoiceNumber("CR-1")),
        document(None, sold_to=OTHER),
    ]

    found = from_invoices(invoices, TODAY)

    assert set(found) == {(a.ACCOUNT, "EUR")}
    own = found[a.ACCOUNT, "EUR"]
    assert (own.balance, own.credit_limit, own.source) == (
        a.money("70.00"),
        None,
        FigureSource.INVOICES,
    )
    assert own.ageing == Ageing(
        tuple(
            AgeBucket(a.money(amount), *days)
            for amount, days in zip(["-30.00", "100.00", "0", "0", "0"], BUCKETS, strict=True)
        ),
        FigureSource.INVOICES,
    )


cents = st.integers(-500_000, 500_000).map(lambda each: Decimal(each) / 100)


@given(
    opened=st.lists(
        st.tuples(
            cents,
            st.lists(st.tuples(st.integers(-100, 200), cents), min_size=1, max_size=4),
            st.sampled_from(InvoiceKind),
        ),
        max_size=6,
    ),
    as_of=st.integers(-400, 400),
)
def test_an_ageing_adds_up_to_what_is_open_on_every_day(
    opened: list[tuple[Decimal, list[tuple[int, Decimal]], InvoiceKind]], as_of: int
) -> None:
    invoices = [
        document(
            f"{amount:f}",
            *(DueDate(TODAY + timedelta(days=day), Money(part, "EUR")) for day, part in dues),
            kind=kind,
        )
        for amount, dues, kind in opened
    ]
    found = ageing(invoices, "EUR", TODAY + timedelta(days=as_of))
    assert found is not None
    owed = sum((-each[0] if each[2] is InvoiceKind.CREDIT else each[0] for each in opened), 0)
    assert found.total.amount == owed
