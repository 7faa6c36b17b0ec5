"""Every kind of value through every driver, there and back, by a profile's own statements.

What is written by a step is read back by a read, and past the adapter too. Where a
driver cannot tell a value whole, it is refused; nothing comes back as something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from erp_adapters.sql.catalogue import Column, Kind
from erp_adapters.sql.profile_model import Storage, StoredAs
from erp_adapters.sql.values import reader, writer
from sync.domain.money import Rounding
from sync.kit.engines import EngineOptions, engine_for, parse_url
from sync.ports.erp import ErpCapabilities
from tests.systems.odbc.drivers import Base, a_base, a_file

ZONE = "Europe/Amsterdam"
FACTS = ErpCapabilities(
    name="values",
    unit_price_rounding=Rounding(4, "ROUND_HALF_UP"),
    amount_rounding=Rounding(2, "ROUND_HALF_UP"),
    time_zone=ZONE,
)
BEYOND = "größe 東京 \U0001f529\U0001f600 O'Brien \\ % :x ;{}"

TABLE = {
    "postgresql": "CREATE TABLE kept (price NUMERIC(19,4), quantity NUMERIC(28,10),"
    " padded CHAR(12), word VARCHAR(80), story TEXT, day DATE, moment TIMESTAMP,"
    " aware TIMESTAMPTZ, yes BOOLEAN, key_no INTEGER)",
    "mariadb": "CREATE TABLE kept (price DECIMAL(19,4), quantity DECIMAL(28,10), padded CHAR(12),"
    " word VARCHAR(80), story LONGTEXT, day DATE, moment DATETIME(6), aware DATETIME(6),"
    " yes BOOLEAN, key_no INTEGER)",
    # A column of money is declared TEXT there, or it keeps 15 digits.
    "sqlite": "CREATE TABLE kept (price TEXT, quantity TEXT, padded CHAR(12), word VARCHAR(80),"
    " story TEXT, day DATE, moment TIMESTAMP, aware TIMESTAMP, yes BOOLEAN, key_no INTEGER,"
    " floating DECIMAL(19,4))",
}


@pytest.fixture(scope="module")
def bases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Base]]:
    made: dict[str, Base] = {}
    with ExitStack() as stack:

        def base(backend: str) -> Base:
            if backend not in made:
                if backend == "sqlite":
                    opened = a_file(tmp_path_factory.mktemp("values"))
                else:
                    opened = a_base(request.getfixturevalue(f"{backend}_server"))
                made[backend] = stack.enter_context(opened)
                with made[backend].owner.begin() as connection:
                    connection.exec_driver_sql(TABLE[backend])
            return made[backend]

        yield base


class Through:
    """The two engines of an adapter, and its converters between a field and a column."""

    def __init__(self, base: Base, odbc: bool) -> None:
        self.base = base
        self.odbc = odbc
        self.dialect = "mysql" if base.backend == "mariadb" else base.backend
        url = parse_url(base.text(odbc), Path("/"))
        self.writing = engine_for(url, EngineOptions(time_zone=ZONE))
        self.reading = engine_for(url, EngineOptions(read_only=True, time_zone=ZONE))

    def there(self, column: str, kind: Kind, value: Any, stored: StoredAs | None = None) -> None:
        bound = writer(kind, FACTS, self.dialect, stored)(value)
        with self.writing.begin() as connection:
            connection.execute(text("DELETE FROM kept"))
            connection.execute(text(f"INSERT INTO kept ({column}) VALUES (:v)"), {"v": bound})

    def back(self, column: str, kind: Kind, stored: StoredAs | None = None) -> Any:
        with self.reading.begin() as connection:
            raw = connection.execute(text(f"SELECT {column} AS v FROM kept")).scalar_one()
        told = self.dialect == "sqlite" and self.odbc
        return reader(Column("v", kind), FACTS, stored, None, cut_floats=told)(raw)

    def round_trip(
        self, column: str, kind: Kind, value: Any, stored: StoredAs | None = None
    ) -> Any:
        self.there(column, kind, value, stored)
        return self.back(column, kind, stored)

    def owner_sees(self, sql: str) -> Any:
        with self.base.owner.connect() as connection:
            return connection.exec_driver_sql(sql).scalar_one()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["native", "odbc"])
def through(
    request: pytest.FixtureRequest, backend: str, bases: Callable[[str], Base]
) -> Iterator[Through]:
    through = Through(bases(backend), request.param)
    yield through
    through.reading.dispose()
    through.writing.dispose()


NUMBERS = (
    "0.0001",
    "-0.0001",
    "0.1",
    "10.0050",
    "0",
    "1E+3",
    "123456789012345.6789",
    "999999999999999.9999",
    "-999999999999999.9999",
)


@pytest.mark.rule("OI-1", "WA-7")
@pytest.mark.parametrize("backend", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("number", ["0.1738", "-0.07", "4.35"])
def test_a_bound_number_is_reckoned_with_exactly(through: Through, number: str) -> None:
    bound = writer(Kind.PRICE, FACTS, through.dialect)(Decimal(number))
    sum_of_it = "SELECT CASE WHEN CAST('?' AS CHAR(1)) = '?' AND {0} * 100 = {1} THEN 1 ELSE 0 END"
    exact = "CAST(:v AS numeric)" if through.dialect == "postgresql" else ":v"
    asked = text(sum_of_it.format(exact, f"ROUND({exact} * 100, 2)"))

    with through.writing.begin() as connection:
        assert connection.execute(asked, {"v": bound}).scalar_one() == 1


@pytest.mark.rule("OI-1", "WA-7")
@pytest.mark.parametrize("number", NUMBERS)
def test_a_price_is_the_same_to_the_last_of_nineteen_digits(through: Through, number: str) -> None:
    stored = StoredAs(Storage.TEXT) if through.base.backend == "sqlite" else None

    told = through.round_trip("price", Kind.PRICE, Decimal(number), stored)

    assert isinstance(told, Decimal)
    assert told == Decimal(number)


@pytest.mark.parametrize("number", ["0.0000000001", "123456789012345678.0123456789"])
def test_a_quantity_keeps_ten_places(through: Through, number: str) -> None:
    stored = StoredAs(Storage.TEXT) if through.base.backend == "sqlite" else None

    assert through.round_trip("quantity", Kind.NUMBER, Decimal(number), stored) == Decimal(number)


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "number, price",
    [("10.005", "10.0050"), ("99999999999.1234", "99999999999.1234"), ("0.1", "0.1000")],
)
def test_sqlite_tells_a_float_as_the_price_that_it_stands_for(
    through: Through, number: str, price: str
) -> None:
    through.there("floating", Kind.PRICE, Decimal(number))

    assert through.back("floating", Kind.PRICE) == Decimal(price)


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("stored", ["123456789012345.6789", "123456789012.3456"])
def test_sqlite_never_tells_a_float_that_has_lost_digits(through: Through, stored: str) -> None:
    """Natively it has more digits than are sure; over ODBC the driver has cut them off."""
    with through.base.owner.begin() as connection:
        connection.exec_driver_sql("DELETE FROM kept")
        connection.exec_driver_sql(f"INSERT INTO kept (floating) VALUES ({stored})")

    with pytest.raises(ValueError, match="not exact"):
        through.back("floating", Kind.PRICE)


TEXTS = {
    "beyond": BEYOND,
    "one sign": "\U0001f529",
    "long": f"{BEYOND} " * 1500,
    "a border": "x" * 254 + "\U0001f529" + "y" * 4000,
    "lines": "one\ntwo\r\nthree\tfour",
}


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_the_same_sign_by_sign(through: Through, name: str) -> None:
    column = "story" if len(TEXTS[name]) > 80 else "word"

    assert through.round_trip(column, Kind.TEXT, TEXTS[name]) == TEXTS[name].strip()
    assert through.owner_sees(f"SELECT {column} FROM kept") == TEXTS[name]


def test_a_padded_key_comes_without_its_padding(through: Through) -> None:
    through.there("padded", Kind.KEY, "C-1001")

    assert through.back("padded", Kind.KEY) == "C-1001"


@pytest.mark.parametrize("key", ["000123", "123"])
def test_a_key_of_digits_stays_text(through: Through, key: str) -> None:
    assert through.round_trip("padded", Kind.KEY, key) == key


def test_a_numeric_key_is_told_as_text(through: Through) -> None:
    assert through.round_trip("key_no", Kind.KEY, "123", StoredAs(Storage.INTEGER)) == "123"


@pytest.mark.parametrize(
    "day", [date(1, 1, 1), date(1899, 12, 31), date(2024, 2, 29), date(9999, 12, 31)]
)
def test_a_day_is_the_same_day(through: Through, day: date) -> None:
    assert through.round_trip("day", Kind.DATE, day) == day


MOMENTS = (
    datetime(2024, 1, 15, 23, 59, 59, 123456, tzinfo=UTC),
    datetime(2024, 7, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2024, 3, 31, 1, 0, tzinfo=UTC),  # the hour that does not exist there
    datetime(2024, 10, 27, 3, 30, 0, 5, tzinfo=timezone(timedelta(hours=5, minutes=45))),
)


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_in_the_erps_zone_is_the_same_to_the_microsecond(
    through: Through, moment: datetime
) -> None:
    told = through.round_trip("moment", Kind.DATETIME, moment)

    assert told == moment
    assert told.utcoffset() == timedelta(0)


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
def test_a_moment_that_carries_its_zone_is_the_same(through: Through, moment: datetime) -> None:
    aware = StoredAs(Storage.DATETIME, aware=True)

    assert through.round_trip("aware", Kind.DATETIME, moment, aware) == moment
    if through.base.backend == "postgresql":
        assert through.owner_sees("SELECT aware FROM kept") == moment


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_is_the_same(through: Through, value: bool) -> None:
    assert through.round_trip("yes", Kind.BOOL, value) is value


@pytest.mark.parametrize(
    "column, kind",
    [
        ("price", Kind.PRICE),
        ("padded", Kind.KEY),
        ("word", Kind.TEXT),
        ("story", Kind.TEXT),
        ("day", Kind.DATE),
        ("moment", Kind.DATETIME),
        ("aware", Kind.DATETIME),
        ("yes", Kind.BOOL),
        ("key_no", Kind.INTEGER),
    ],
)
def test_what_is_missing_stays_missing(through: Through, column: str, kind: Kind) -> None:
    assert through.round_trip(column, kind, None) is None
    assert through.owner_sees(f"SELECT count(*) FROM kept WHERE {column} IS NULL") == 1
