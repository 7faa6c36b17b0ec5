"""Values on their way to Tryton and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_adapters.tryton.wire import Untyped, as_float, decode, encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text().filter(lambda n: n != "__class__"), inner)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_every_value_comes_back_as_it_went(value: Any) -> None:
    assert decode(encode(value)) == value


def test_amounts_and_days_never_travel_as_bare_numbers_or_text() -> None:
    assert encode(Decimal("39.6024")) == {"__class__": "Decimal", "decimal": "39.6024"}
    # An exponent is a spelling that not every reader knows.
    assert encode(Decimal("1E+3")) == {"__class__": "Decimal", "decimal": "1000"}
    assert encode(date(2026, 11, 21)) == {
        "__class__": "date",
        "year": 2026,
        "month": 11,
        "day": 21,
    }


def test_a_moment_is_sent_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    sent = encode(datetime(2026, 11, 21, 1, 30, tzinfo=east))
    assert (sent["day"], sent["hour"]) == (20, 23)


@pytest.mark.parametrize(
    "value",
    [
        {"__class__": "Decimal", "decimal": "many"},
        {"__class__": "date", "year": 2026, "month": 2, "day": 31},
        {"__class__": "date", "year": 2026},
        {"__class__": "Surprise"},
    ],
)
def test_what_cannot_be_read_is_no_value(value: object) -> None:
    with pytest.raises(Untyped):
        decode([{"inner": value}])


def test_what_has_no_spelling_is_not_sent() -> None:
    with pytest.raises(Untyped):
        encode({"lines": [object()]})


def test_a_quantity_that_a_double_cannot_hold_is_refused() -> None:
    assert as_float(Decimal("2.125")) == 2.125
    assert as_float(Decimal("1E+3")) == 1000.0
    with pytest.raises(ValueError, match="digits"):
        as_float(Decimal("12345678901234.567"))
