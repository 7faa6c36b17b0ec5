"""What goes to a driver behind ODBC in another form than it was bound."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.kit.odbc import with_exact_numbers


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "statement, parameters, sent, left",
    [
        (
            "UPDATE t SET a = ?, b = ? * 100 WHERE k = ?",
            (Decimal("0.1738"), Decimal("-2"), "K-1"),
            "UPDATE t SET a = (0.1738), b = (-2) * 100 WHERE k = ?",
            ("K-1",),
        ),
        ("SELECT ?", (Decimal("1E+3"),), "SELECT (1000)", ()),
        (
            "SELECT 'it''s ?', \"?\", `?` /* ? */, ? -- ?\n, ?",
            (Decimal(1), None),
            "SELECT 'it''s ?', \"?\", `?` /* ? */, (1) -- ?\n, ?",
            (None,),
        ),
        # Where the places cannot be counted nothing is touched.
        ("SELECT 'a\\'?', ?", (Decimal(1),), "SELECT 'a\\'?', ?", (Decimal(1),)),
        ("SELECT ?", (Decimal("NaN"),), "SELECT ?", None),
    ],
)
def test_exact_numbers_stand_in_the_statement(
    statement: str, parameters: tuple[Any, ...], sent: str, left: tuple[Any, ...] | None
) -> None:
    told, rest = with_exact_numbers(statement, parameters)

    assert told == sent
    assert rest == left or (left is None and rest[0].is_nan())
