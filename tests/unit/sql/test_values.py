"""Single values across the border: exact, or refused with the reason."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_adapters.sql.catalogue import Column, Kind
from erp_adapters.sql.profile_model import Table
from erp_adapters.sql.profile_parts import stored_as
from erp_adapters.sql.values import ImpossibleKey, before_clocks_go_back, reader, writer
from sync.domain.money import Rounding
from sync.ports.erp import ErpCapabilities

FACTS = ErpCapabilities(
    name="acme",
    unit_price_rounding=Rounding(4, "ROUND_HALF_UP"),
    amount_rounding=Rounding(2, "ROUND_HALF_UP"),
    time_zone="America/Chicago",
)


MOMENT = datetime(2025, 3, 3, 8, 30, tzinfo=UTC)


def read(kind: Kind, value: Any, stored: str = "", table: Table | None = None, *words: str) -> Any:
    column = Column("column", kind, words=words)
    return reader(column, FACTS, stored_as(stored) if stored else None, table)(value)


def write(
    kind: Kind, value: Any, stored: str = "", table: Table | None = None, dialect: str = "sqlite"
) -> Any:
    return writer(kind, FACTS, dialect, stored_as(stored) if stored else None, table)(value)


@pytest.mark.parametrize(
    "value, key",
    [
        ("000123  ", "000123"),
        ("123", "123"),
        (123, "123"),
        (Decimal("123"), "123"),
        (Decimal("1E+2"), "100"),
        (123.0, "123"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("   ", None),
        (None, None),
    ],
)
def test_a_key_is_text_as_the_erp_spells_it_without_padding(value: Any, key: str | None) -> None:
    assert read(Kind.KEY, value) == key


@pytest.mark.parametrize("value", [1.5, b"AB", 1e300])
def test_what_is_no_text_is_no_key(value: Any) -> None:
    with pytest.raises(ValueError, match="is not text"):
        read(Kind.KEY, value)


@pytest.mark.parametrize("value", [{"en": "Box"}, ["Box"]])
def test_json_is_no_text_until_the_statement_takes_it_out(value: Any) -> None:
    with pytest.raises(ValueError, match="is JSON, not text: let the statement"):
        read(Kind.TEXT, value)


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize(
    "kind, value, exact",
    [
        (Kind.PRICE, Decimal("123456789012.3456"), "123456789012.3456"),
        (Kind.PRICE, "123456789012345678.3456", "123456789012345678.3456"),
        (Kind.PRICE, 9.99, "9.9900"),
        (Kind.PRICE, 0.1 + 0.2, "0.3000"),
        (Kind.PRICE, 24, "24"),
        (Kind.AMOUNT, 1.005, "1.01"),
        (Kind.AMOUNT, -7.5, "-7.50"),
        (Kind.NUMBER, 2.125, "2.125"),
        (Kind.NUMBER, "0.125 ", "0.125"),
    ],
)
def test_a_number_is_exact(kind: Kind, value: Any, exact: str) -> None:
    assert str(read(kind, value)) == exact


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize(
    "kind, value, why",
    [
        (Kind.PRICE, 123456789012.3456, "more than 15 digits"),
        (Kind.NUMBER, 0.1 + 0.2, "more than 15 digits"),
        (Kind.AMOUNT, float("nan"), "finite"),
        (Kind.AMOUNT, float("inf"), "finite"),
        (Kind.AMOUNT, Decimal("NaN"), "finite"),
        (Kind.AMOUNT, "12,50", r"'12,50' is not a number; write a point .*REPLACE"),
        (Kind.AMOUNT, "1.234,50", r"'1.234,50' is not a number$"),
        (Kind.AMOUNT, "as agreed " * 9, r"'as agreed as agreed as agreed as agreed …' is not"),
        (Kind.AMOUNT, True, "truth value"),
        (Kind.INTEGER, "1.5", "'1.5' is not a whole number"),
    ],
)
def test_a_number_that_is_not_exact_is_refused(kind: Kind, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(kind, value)


def test_the_places_of_a_quantity_can_be_told() -> None:
    assert str(read(Kind.NUMBER, 0.1 + 0.2, "decimal(3)")) == "0.300"


@given(st.decimals(min_value=0, max_value=10**10, places=4))
def test_a_price_in_a_floating_point_column_is_what_was_entered(price: Decimal) -> None:
    assert read(Kind.PRICE, float(price)) == price


@pytest.mark.parametrize(
    "value, stored, day",
    [
        (date(2025, 3, 3), "", date(2025, 3, 3)),
        (datetime.fromisoformat("2025-03-03T23:59"), "", date(2025, 3, 3)),
        # Five in the morning in London is still the day before in Chicago.
        (datetime(2025, 3, 3, 5, 0, tzinfo=UTC), "", date(2025, 3, 2)),
        ("2025-03-03", "", date(2025, 3, 3)),
        ("2025-03-03 00:00:00", "", date(2025, 3, 3)),
        ("2025-03-03T05:00:00Z", "", date(2025, 3, 2)),
        ("20250303050000+0000", "date(%Y%m%d%H%M%S%z)", date(2025, 3, 2)),
        (20250303, "date(%Y%m%d)", date(2025, 3, 3)),
        ("03.03.2025", "date(%d.%m.%Y)", date(2025, 3, 3)),
        ("", "", None),
    ],
)
def test_a_date_is_a_day_of_the_erp(value: Any, stored: str, day: date | None) -> None:
    assert read(Kind.DATE, value, stored) == day


def test_a_day_that_stands_for_none_is_translated_whatever_type_its_column_has() -> None:
    none: Table = {"0000-00-00": "", "1900-01-01": ""}

    midnight = datetime.fromisoformat("1900-01-01")
    for nobody in ("0000-00-00", date(1900, 1, 1), midnight):
        assert read(Kind.DATE, nobody, table=none) is None
    assert read(Kind.DATE, midnight, table={"1900-01-01 00:00:00": ""}) is None
    for day in (date(2025, 3, 3), datetime.fromisoformat("2025-03-03")):
        assert read(Kind.DATE, day, table=none) == date(2025, 3, 3)
    noon = datetime.fromisoformat("1900-01-01 12:00")
    assert read(Kind.DATE, noon, table=none) == date(1900, 1, 1)


def test_a_zero_date_is_told_with_the_way_to_make_it_none() -> None:
    with pytest.raises(ValueError, match=r"NULLIF\(x, '0000-00-00'\)"):
        read(Kind.DATE, "0000-00-00")


@pytest.mark.parametrize("value", ["03/04/2025", "0000-00-00", "20251341", "2025-03-03 about"])
def test_a_date_that_could_be_two_days_is_none(value: str) -> None:
    with pytest.raises(ValueError, match="not a date"):
        read(Kind.DATE, value)


@pytest.mark.parametrize("value", [0, 99999999, "20250"])
def test_a_number_that_stands_for_no_date_is_not_guessed_and_can_be_translated(value: Any) -> None:
    with pytest.raises(ValueError, match=r"not a date of the form %Y%m%d.*NULL"):
        read(Kind.DATE, value, "date(%Y%m%d)")
    assert read(Kind.DATE, value, "date(%Y%m%d)", {str(value): ""}) is None


@pytest.mark.parametrize(
    "value, stored",
    [
        (datetime.fromisoformat("2025-03-03T02:30"), ""),
        (datetime(2025, 3, 3, 8, 30, tzinfo=UTC), ""),
        ("2025-03-03T02:30:00", ""),
        ("2025-03-03 08:30:00Z", ""),
        ("2025-03-03 08:30:00", "datetime(UTC)"),
        ("20250303023000", "datetime(%Y%m%d%H%M%S)"),
        (datetime(2025, 3, 3, 10, 30, tzinfo=timezone(timedelta(hours=2))), ""),
    ],
)
def test_a_time_is_meant_in_the_zone_of_the_erp(value: Any, stored: str) -> None:
    assert read(Kind.DATETIME, value, stored) == datetime(2025, 3, 3, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", [True, 1, "1", "T", "yes", "Y", Decimal(1)])
def test_ways_to_say_yes(value: Any) -> None:
    assert read(Kind.BOOL, value) is True


def test_a_truth_value_that_is_neither_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        read(Kind.BOOL, "J")
    assert read(Kind.BOOL, "J", table={"J": "true", "N": "false"}) is True
    assert read(Kind.BOOL, None) is None


def test_words_are_translated_and_unknown_ones_refused() -> None:
    table: Table = {"H": "hold", None: "ok"}
    assert read(Kind.WORD, "H ", "", table, "ok", "hold") == "hold"
    assert read(Kind.WORD, None, "", table, "ok", "hold") == "ok"
    assert read(Kind.WORD, "HOLD", "", table, "ok", "hold") == "hold"
    with pytest.raises(ValueError, match="no values table"):
        read(Kind.WORD, "X", "", table, "ok", "hold")
    assert read(Kind.TEXT, "USA", "", {"USA": "US"}) == "US"
    assert read(Kind.TEXT, "DE", "", {"USA": "US"}) == "DE"


@pytest.mark.parametrize(
    "dialect, bound",
    [("sqlite", "12.50"), ("postgresql", Decimal("12.50")), ("mssql", Decimal("12.50"))],
)
def test_an_amount_is_bound_without_loss(dialect: str, bound: Any) -> None:
    assert write(Kind.AMOUNT, Decimal("12.50"), dialect=dialect) == bound


def test_sqlite_is_given_no_number_that_it_would_round() -> None:
    long = Decimal("123456789012345.6789")
    with pytest.raises(ValueError, match="15 digits"):
        write(Kind.AMOUNT, long)
    assert write(Kind.AMOUNT, long, "text") == "123456789012345.6789"
    with pytest.raises(ValueError, match="more than 2 decimal places"):
        write(Kind.AMOUNT, Decimal("1.005"), "decimal(2)")


def test_a_key_of_a_numeric_column_is_a_number_or_cannot_exist() -> None:
    assert write(Kind.KEY, "123", "integer") == 123
    for spelled in ("A7", "0123", "-1", "١٢", "1.0"):
        with pytest.raises(ImpossibleKey):
            write(Kind.KEY, spelled, "integer")


def test_a_key_of_a_uuid_column_is_a_uuid_or_cannot_exist() -> None:
    spelled = "5ffaf4c0-c6bc-581e-811a-0ca337e469b8"
    assert write(Kind.KEY, spelled, "uuid", dialect="postgresql") == uuid.UUID(spelled)
    assert write(Kind.KEY, spelled.upper(), "uuid", dialect="mssql") == spelled.upper()
    for other in ("A7", "", f"{{{spelled}}}", spelled.replace("-", "")):
        with pytest.raises(ImpossibleKey):
            write(Kind.KEY, other, "uuid", dialect="postgresql")


@pytest.mark.parametrize(
    "kind, value, stored, bound",
    [
        (Kind.DATE, date(2025, 3, 3), "", "2025-03-03"),
        (Kind.DATE, date(2025, 3, 3), "date(%Y%m%d)", "20250303"),
        (Kind.DATETIME, datetime(2025, 3, 3, 8, 30, tzinfo=UTC), "", "2025-03-03 02:30:00"),
        (
            Kind.DATETIME,
            datetime(2025, 3, 3, 8, 30, tzinfo=UTC),
            "datetime(UTC)",
            "2025-03-03 08:30:00",
        ),
        (Kind.BOOL, True, "", True),
        (Kind.BOOL, True, "integer", 1),
        (Kind.BOOL, False, "text", "false"),
        (Kind.NUMBER, Decimal("2.00"), "integer", 2),
        (Kind.KEY, None, "integer", None),
    ],
)
def test_values_are_bound_as_the_column_keeps_them(
    kind: Kind, value: Any, stored: str, bound: Any
) -> None:
    assert write(kind, value, stored) == bound


def test_our_words_are_written_in_the_words_of_the_erp() -> None:
    assert write(Kind.BOOL, True, table={"true": "Y", "false": "N"}) == "Y"
    assert write(Kind.TEXT, "card", table={"card": "CC"}) == "CC"
    assert write(Kind.TEXT, None, table={"card": "CC"}) is None
    assert write(Kind.TEXT, None, table={None: "-"}) == "-"
    with pytest.raises(ValueError, match="not in its values table"):
        write(Kind.TEXT, "terms", table={"card": "CC"})


@given(
    st.integers(0, 3_000_000).map(lambda minutes: MOMENT + timedelta(minutes=minutes)),
    st.integers(0, 10_000),
)
def test_no_later_change_looks_older_when_clocks_go_back(moment: datetime, later_s: int) -> None:
    zone = ZoneInfo("America/Chicago")
    since = before_clocks_go_back(moment, zone).astimezone(zone).replace(tzinfo=None)
    stamped = (moment + timedelta(seconds=later_s)).astimezone(zone).replace(tzinfo=None)

    assert stamped >= since


def test_the_hour_that_comes_twice_is_read_twice() -> None:
    zone = ZoneInfo("America/Chicago")
    first_pass = datetime(2025, 11, 2, 6, 30, tzinfo=UTC)  # 01:30, for the first time

    assert before_clocks_go_back(first_pass, zone) == first_pass - timedelta(hours=1)
    assert before_clocks_go_back(first_pass + timedelta(hours=1), zone) == first_pass + timedelta(
        hours=1
    )
