"""Single values across the border: what a driver gives to ours, ours to what it takes.

Reading is strict: a value that is not plainly what it should be raises
ValueError, and the row that holds it is unreadable. Nothing is guessed and
nothing is rounded, with one exception. SQLite keeps DECIMAL as binary floating
point, so a float becomes the decimal number of the profile's scale that it
stands for; where that needs more than 15 digits the float has lost some of
them, and it is refused.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from erp_adapters.sql.catalogue import Column, Kind
from erp_adapters.sql.profile_model import Storage, StoredAs, Table
from sync.domain.money import Rounding
from sync.ports.erp import ErpCapabilities

Convert = Callable[[Any], Any]

FLOAT_DIGITS = 15
_EXACT_FLOATS = 2.0**53
_TRUE = frozenset({"1", "true", "t", "y", "yes"})
_FALSE = frozenset({"0", "false", "f", "n", "no"})
_COMMA = re.compile(r"[+-]?\d+,\d+")
_NO_DAY = "0000-00-00"  # MySQL's own word for no date
_MOST_SHOWN = 40


class ImpossibleKey(ValueError):
    """A key that cannot exist in the ERP, because the column there is a number or a UUID."""


def reader(
    column: Column,
    facts: ErpCapabilities,
    stored: StoredAs | None,
    table: Table | None,
    cut_floats: bool = False,
) -> Convert:
    """How to read this column. The function takes NULL as None and gives None for missing.

    ``cut_floats``: the driver tells a floating point number as text of 15 digits.
    """
    convert = _reading(column, facts, stored, cut_floats)
    closed = column.kind in (Kind.WORD, Kind.BOOL)

    def plain(value: Any) -> Any:
        return None if value is None else convert(value)

    if table is None:
        return plain

    def translated(value: Any) -> Any:
        word = None if value is None else (_as_typed(value) or None)
        if word not in table and isinstance(value, datetime) and value.time() == time.min:
            word = value.date().isoformat()  # a day, in a column of times
        if word in table:
            return convert(table[word])
        if closed and word:
            try:
                return convert(value)
            except ValueError:
                raise ValueError(f"{word!r} is in no values table") from None
        return plain(value)

    return translated


def _reading(
    column: Column, facts: ErpCapabilities, stored: StoredAs | None, cut_floats: bool
) -> Convert:
    match column.kind:
        case Kind.KEY | Kind.TEXT:
            return lambda value: as_text(value) or None
        case Kind.WORD:
            return lambda value: _word(as_text(value), column.words)
        case Kind.BOOL:
            return as_bool
        case Kind.INTEGER:
            return as_integer
        case Kind.NUMBER | Kind.AMOUNT | Kind.PRICE:
            rounding = scale(column.kind, facts, stored)
            if cut_floats and (stored is None or stored.storage is not Storage.TEXT):
                return lambda value: _maybe_cut(value, rounding)
            return lambda value: as_number(value, rounding)
        case Kind.DATE:
            zone = ZoneInfo(facts.time_zone)
            return lambda value: as_date(value, stored.format if stored else None, zone)
        case Kind.DATETIME:
            zone = (stored.zone if stored else None) or ZoneInfo(facts.time_zone)
            return lambda value: as_moment(value, stored.format if stored else None, zone)


def scale(kind: Kind, facts: ErpCapabilities, stored: StoredAs | None) -> Rounding | None:
    """The places that a number of this kind has, and how the ERP rounds to them."""
    if stored is not None and stored.places is not None:
        return Rounding(stored.places, facts.unit_price_rounding.mode)
    if kind is Kind.PRICE:
        return facts.unit_price_rounding
    return facts.amount_rounding if kind is Kind.AMOUNT else None


def _as_typed(value: Any) -> str:
    """A value as the table of ``values`` spells it: days and times as ISO 8601 does."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else as_text(value)


def as_text(value: Any) -> str:
    """Text without padding, for columns of text, numbers and UUIDs."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | uuid.UUID):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOATS:
        return str(int(value))
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return f"{value:.0f}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list):
        raise ValueError("is JSON, not text: let the statement take the text out of it")
    raise ValueError(f"{_kind_of(value)} is not text")


def _word(word: str, words: tuple[str, ...]) -> str | None:
    if not word:
        return None
    if word.lower() in words:
        return word.lower()
    raise ValueError(f"{word!r} is none of {', '.join(words)}, and there is no values table for it")


def as_bool(value: Any) -> bool | None:
    word = as_text(value).lower()
    if not word:
        return None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{word!r} is neither true nor false; translate it under values")


def as_integer(value: Any) -> int | None:
    word = as_text(value)
    if not word:
        return None
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{_quoted(word)} is not a whole number") from None


def as_number(value: Any, rounding: Rounding | None) -> Decimal | None:
    """An exact number. ``rounding`` is used for floats alone."""
    if isinstance(value, bool):
        raise ValueError("a truth value is not a number")
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Decimal):
        if value.is_finite():
            return value
        raise ValueError("not a finite number")
    if isinstance(value, float):
        return _from_float(value, rounding)
    word = as_text(value)
    if not word:
        return None
    try:
        number = Decimal(word)
    except InvalidOperation:
        comma = _COMMA.fullmatch(word) is not None
        way_out = "; write a point in the statement: REPLACE(x, ',', '.')" if comma else ""
        raise ValueError(f"{_quoted(word)} is not a number{way_out}") from None
    return as_number(number, None)


def _maybe_cut(value: Any, rounding: Rounding | None) -> Decimal | None:
    """A number that may be a float of which the driver told 15 digits and no more.

    What shows more digits is a text and exact. Otherwise all digits of the scale
    must be among the 15, or some of them may be missing and nobody could tell.
    """
    number = as_number(value, rounding)
    if number is None or isinstance(value, int):
        return number
    told = Decimal(repr(value)) if isinstance(value, float) else number
    shown = len(told.normalize().as_tuple().digits)
    if rounding is None:
        sure = shown != FLOAT_DIGITS
    else:
        sure = shown > FLOAT_DIGITS or told.adjusted() + 1 + rounding.places <= FLOAT_DIGITS
    if sure:
        return number
    raise ValueError(
        f"a floating point number with {FLOAT_DIGITS} digits or more is not exact over ODBC;"
        " say `text` under types if the column is text, or read the file without ODBC"
    )


def _from_float(value: float, rounding: Rounding | None) -> Decimal:
    number = Decimal(repr(value))
    if not number.is_finite():
        raise ValueError("not a finite number")
    if rounding is not None:
        number = rounding(number)
    if len(number.as_tuple().digits) > FLOAT_DIGITS:
        raise ValueError(
            f"a floating point number with more than {FLOAT_DIGITS} digits is not exact;"
            " say decimal(places) under types, or keep it as text"
        )
    return number


def as_date(value: Any, form: str | None, zone: ZoneInfo) -> date | None:
    """A day of the ERP's calendar; the time of day, if there is one, is dropped.

    A time that carries its zone, text included, falls on the day that it has in
    the ERP's.
    """
    if isinstance(value, datetime):
        return _day_in(value, zone)
    if isinstance(value, date):
        return value
    word = as_text(value)
    if not word:
        return None
    try:
        told = datetime.strptime(word, form) if form else datetime.fromisoformat(word)  # noqa: DTZ007
    except ValueError:
        if form is not None:
            raise ValueError(
                f"{_quoted(word)} is not a date of the form {form}; what stands for no date,"
                " make NULL in the statement (NULLIF)"
            ) from None
        if word.startswith(_NO_DAY):
            raise ValueError(
                f"{word!r} is not a date; make it NULL in the statement: NULLIF(x, '{_NO_DAY}')"
            ) from None
        raise ValueError(
            f"{_quoted(word)} is not a date; say its form under types, such as date(%Y%m%d)"
        ) from None
    return _day_in(told, zone)


def _day_in(moment: datetime, zone: ZoneInfo) -> date:
    try:
        return moment.astimezone(zone).date() if moment.tzinfo else moment.date()
    except OverflowError:
        raise ValueError("not a date: it falls before the first or after the last") from None


def as_moment(value: Any, form: str | None, zone: ZoneInfo) -> datetime | None:
    """A moment in UTC; one without a zone is meant in ``zone``."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - zone follows
    else:
        word = as_text(value)
        if not word:
            return None
        try:
            moment = datetime.strptime(word, form) if form else datetime.fromisoformat(word)  # noqa: DTZ007
        except ValueError:
            raise ValueError(f"{_quoted(word)} is not a time; say its form under types") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def writer(
    kind: Kind,
    facts: ErpCapabilities,
    dialect: str,
    stored: StoredAs | None = None,
    table: Table | None = None,
) -> Convert:
    """How to bind a value of this kind. Missing stays None, which is NULL.

    The function raises ValueError where the value cannot be kept exactly, and
    ImpossibleKey where a key cannot exist in a column of numbers or UUIDs.
    """
    zone = ZoneInfo(facts.time_zone)
    bound = _writing(kind, dialect, stored, zone)

    def write(value: Any) -> Any:
        return None if value is None else bound(value)

    if table is None:
        return bound if bound is _as_it_is else write

    def look_up(value: Any) -> Any:
        word = None if value is None else _our_word(value)
        if word in table:
            return table[word]
        if word is not None:
            raise ValueError(f"{word!r} is not in its values table")
        return None

    return look_up


def _our_word(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return as_text(value)


def _writing(kind: Kind, dialect: str, stored: StoredAs | None, zone: ZoneInfo) -> Convert:
    storage = stored.storage if stored else None
    if storage is Storage.INTEGER:
        return _whole_key if kind in (Kind.KEY, Kind.TEXT) else _whole
    if storage is Storage.UUID:
        return lambda value: _uuid_key(value, dialect)
    match kind:
        case Kind.NUMBER | Kind.AMOUNT | Kind.PRICE:
            places = stored.places if stored else None
            as_text_column = storage is Storage.TEXT
            return lambda value: _number_out(value, places, as_text_column, dialect)
        case Kind.DATE:
            form = stored.format if stored else None
            return lambda value: _date_out(value, form, dialect)
        case Kind.DATETIME:
            return lambda value: _moment_out(value, stored, zone, dialect)
        case Kind.BOOL:
            return (lambda value: "true" if value else "false") if storage is Storage.TEXT else bool
        case Kind.INTEGER:
            return str if storage is Storage.TEXT else int
        case _:
            return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _whole_key(value: str) -> int:
    if value.isascii() and value.isdigit() and str(int(value)) == value:
        return int(value)
    raise ImpossibleKey(f"{value!r} is not a whole number, and the ERP's column is")


def _uuid_key(value: str, dialect: str) -> Any:
    try:
        known = uuid.UUID(value)
    except ValueError:
        known = None
    # Databases answer small letters or capitals; braces and the like are another text.
    if known is None or str(known) != value.lower():
        raise ImpossibleKey(f"{value!r} is not a UUID, and the ERP's column is")
    return known if dialect == "postgresql" else value


def _whole(value: Any) -> int:
    number = Decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"{number:f} is not a whole number")
    return int(number)


def _number_out(value: Decimal, places: int | None, as_text_column: bool, dialect: str) -> Any:
    if places is not None and value != round(value, places):
        raise ValueError(f"{value:f} has more than {places} decimal places")
    if as_text_column:
        return f"{value:f}"
    if dialect != "sqlite":
        return value
    text = f"{value:f}"
    if len(text) > FLOAT_DIGITS and len(value.normalize().as_tuple().digits) > FLOAT_DIGITS:
        raise ValueError(
            f"SQLite keeps no more than {FLOAT_DIGITS} digits of a number;"
            " say `text` under types if the column is text"
        )
    # The column's own affinity turns the text into its number.
    return text


def _date_out(value: date, form: str | None, dialect: str) -> Any:
    if form is not None:
        return value.strftime(form)
    return value.isoformat() if dialect == "sqlite" else value


def _moment_out(value: datetime, stored: StoredAs | None, zone: ZoneInfo, dialect: str) -> Any:
    if stored is not None and stored.aware:
        moment = value.astimezone(UTC)
    else:
        moment = value.astimezone((stored.zone if stored else None) or zone).replace(tzinfo=None)
    if stored is not None and stored.format is not None:
        return moment.strftime(stored.format)
    return moment.isoformat(" ") if dialect == "sqlite" else moment


def before_clocks_go_back(moment: datetime, zone: ZoneInfo) -> datetime:
    """A moment whose local time no later moment undercuts.

    When clocks go back, an hour of local times comes twice. Whoever looks for
    records stamped in local time since the first pass must begin an hour
    earlier, or the second pass looks older than it is.
    """
    local = moment.astimezone(zone)
    first = local.replace(fold=0).utcoffset() or timedelta(0)
    second = local.replace(fold=1).utcoffset() or timedelta(0)
    repeated = first - second
    return moment - repeated if local.fold == 0 and repeated > timedelta(0) else moment


def _quoted(word: str) -> str:
    """What stands where something else belongs; the beginning of what may be a story."""
    return repr(word if len(word) <= _MOST_SHOWN else f"{word[:_MOST_SHOWN]}…")


def _kind_of(value: Any) -> str:
    return {"bytes": "binary data", "memoryview": "binary data", "float": "a fraction"}.get(
        type(value).__name__, type(value).__name__
    )
