"""The instruction to the ERP, and how what came of it is compared with it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.domain.decision import Quarantined
from sync.domain.ids import CustomerId, ErpOrderNumber
from sync.domain.money import total
from sync.domain.sales_order import FoundOrder, SalesOrder
from sync.domain.times import Watermark
from sync.testing import builders as a

NUMBER = ErpOrderNumber("SO-1")


def test_an_instruction_has_lines() -> None:
    with pytest.raises(ValueError, match="order W-10482 has no lines"):
        a.a_sales_order(lines=())


@pytest.mark.rule("OI-7")
@pytest.mark.parametrize(
    "order",
    [a.a_sales_order(), a.a_retail_sales_order(), a.a_full_sales_order()],
    ids=["wholesale", "retail", "full"],
)
def test_the_sample_instructions_add_up(order: SalesOrder) -> None:
    plus = [line.net for line in order.lines]
    for amounts in (order.charges, order.taxes, order.adjustments):
        plus += [each.amount for each in amounts]
    minus = total((each.amount for each in order.discounts), order.currency)

    assert total(plus, order.currency) - minus == order.total
    assert total((each.amount for each in order.payments), order.currency) == order.total
    for line in order.lines:
        assert line.unit_price.times(line.quantity) - line.discount == line.net


@pytest.mark.rule("OI-1")
def test_an_order_found_as_it_was_sent_shows_no_difference() -> None:
    order = a.a_sales_order()

    assert FoundOrder(NUMBER, order.sold_to, 1, order.total).differences(order) == ()
    # Scale is no difference; what the ERP cannot tell is none either.
    assert FoundOrder(NUMBER, order.sold_to, 1, a.money("99.9")).differences(order) == ()
    assert FoundOrder(NUMBER).differences(order) == ()


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "found, sentence",
    [
        (
            FoundOrder(NUMBER, sold_to=CustomerId("C-2002")),
            "the ERP has it under C-2002, not C-1001",
        ),
        (FoundOrder(NUMBER, line_count=2), "the ERP has 2 lines, not 1"),
        (FoundOrder(NUMBER, line_count=0), "the ERP has 0 lines, not 1"),
        (
            FoundOrder(NUMBER, total=a.money("99.91")),
            "the ERP has a total of 99.91 EUR, not 99.90 EUR",
        ),
        (
            FoundOrder(NUMBER, total=a.money("99.90", "USD")),
            "the ERP has a total of 99.90 USD, not 99.90 EUR",
        ),
    ],
)
def test_an_order_found_otherwise_says_how(found: FoundOrder, sentence: str) -> None:
    assert found.differences(a.a_sales_order()) == (sentence,)


@pytest.mark.rule("OI-1")
def test_every_difference_is_told() -> None:
    found = FoundOrder(NUMBER, CustomerId("C-2002"), 7, a.money("0.00"))

    assert len(found.differences(a.a_sales_order())) == 3


@pytest.mark.rule("OI-2")
def test_a_quarantined_order_has_a_reason() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Quarantined(())


def test_watermarks_compare_in_one_zone() -> None:
    east = Watermark(datetime.fromisoformat("2025-03-03T10:30:00+02:00"))

    assert east == Watermark(datetime(2025, 3, 3, 8, 30, tzinfo=UTC))
    assert east < Watermark(datetime(2025, 3, 3, 9, 0, tzinfo=UTC))
    with pytest.raises(ValueError, match="a time without a zone"):
        Watermark(datetime(2025, 3, 3))  # noqa: DTZ001
