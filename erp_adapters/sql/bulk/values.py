"""A column of values at once, read as ``erp_adapters.sql.values`` reads each of them.

There is a quick way for a column of which every value plainly is what it should be.
Otherwise each different value goes through the converter that rows go through, so that
both ways cannot come to disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from erp_adapters.sql.bulk.batches import Raw, in_python, is_numeric_text
from erp_adapters.sql.catalogue import Column, Kind
from erp_adapters.sql.profile_model import Storage, StoredAs, Table
from erp_adapters.sql.values import FLOAT_DIGITS, Convert, scale
from sync.columnar.vectors import AMOUNT
from sync.ports.erp import ErpCapabilities

_TARGETS: dict[Kind, pa.DataType] = {
    Kind.KEY: pa.string(),
    Kind.NUMBER: AMOUNT,
    Kind.PRICE: AMOUNT,
    Kind.DATE: pa.date32(),
    Kind.INTEGER: pa.int32(),
}

_SPACE = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""What Python strips from a text; there is none after the ideographic space."""

_EPOCH = date(1970, 1, 1)
_FIRST_DAY = (date.min - _EPOCH).days
_LAST_DAY = (date.max - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Values:
    """A column of ours. ``sound`` None: all of it; otherwise which values could be read.

    ``clean``: it is a text that is known to be printable and without any space.
    """

    array: pa.Array[Any]
    sound: pa.Array[Any] | None = None
    clean: bool = False


class ValueReader:
    """How one column of a statement is read."""

    def __init__(
        self,
        column: Column,
        convert: Convert,
        facts: ErpCapabilities,
        stored: StoredAs | None,
        table: Table | None,
        cut_floats: bool,
    ) -> None:
        self.column = column
        self.target = _TARGETS[column.kind]
        self._convert = convert
        self._translated = table is not None
        self._rounding = scale(column.kind, facts, stored)
        exact = stored is not None and stored.storage is Storage.TEXT
        self._cut = cut_floats and not exact

    def read(self, raw: Raw) -> Values:
        array = raw if isinstance(raw, pa.Array) else self._as_arrow(raw)
        if array is None:
            return self._by_value(raw)
        if not self._translated:
            made = self._quickly(array)
            if made is not None:
                return made
        # A float may have been a whole number, and a Decimal had places of its own.
        changed = pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)
        return self._by_value(raw if changed else array)

    def _as_arrow(self, values: Sequence[Any]) -> pa.Array[Any] | None:
        """The values as Arrow, where they are of one kind that loses nothing by it."""
        kinds = set(map(type, values)) - {type(None)}
        try:
            if not kinds or kinds == {str}:
                return pa.array(values, pa.string())
            if kinds == {int}:
                return pa.array(values, pa.int64())
            if self.column.kind is Kind.DATE:
                return pa.array(values, pa.date32()) if kinds == {date} else None
            if self.target == AMOUNT and kinds == {Decimal}:
                return pa.array(values, AMOUNT)
            if self.target == AMOUNT and kinds <= {int, float}:
                return pa.array(values, pa.float64())
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            return None
        return None

    def _quickly(self, array: pa.Array[Any]) -> Values | None:
        """None where some value needs a closer look."""
        try:
            match self.column.kind:
                case Kind.KEY:
                    return _keys(array)
                case Kind.DATE:
                    made = _days(array)
                case Kind.INTEGER:
                    made = array.cast(pa.int32()) if _whole(array) else None
                case _:
                    made = self._numbers(array)
        except pa.ArrowInvalid:
            return None
        return None if made is None else Values(made)

    def _numbers(self, array: pa.Array[Any]) -> pa.Array[Any] | None:
        if self._cut and not _whole(array):
            return None
        if is_numeric_text(array):
            array = _stored(array)
        kind = array.type
        if pa.types.is_float64(kind):
            rounding = self._rounding
            return None if rounding is None else _of_floats(array, rounding.places)
        numbers = _whole(array) or pa.types.is_decimal(kind) or _is_text(kind)
        return array.cast(AMOUNT) if numbers else None

    def _by_value(self, raw: Raw) -> Values:
        distinct, places = _distinct(raw)
        made: list[Any] = []
        sound: list[bool] = []
        for value in distinct:
            try:
                scalar = pa.scalar(self._convert(value), self.target)
            except (ValueError, OverflowError, pa.ArrowException):
                made.append(None)
                sound.append(False)
            else:
                made.append(scalar)
                sound.append(True)
        array = pa.array(made, self.target).take(places)
        return Values(array, None if all(sound) else pa.array(sound, pa.bool_()).take(places))


def _distinct(raw: Raw) -> tuple[list[Any], pa.Array[Any]]:
    """Every different value once, as a driver for rows gives it, and where each is."""
    if isinstance(raw, pa.Array):
        try:
            coded: Any = _stored(raw).dictionary_encode(null_encoding="encode")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return _distinct(in_python(raw))
        dictionary = coded.dictionary
        if isinstance(raw, pa.ExtensionArray):
            dictionary = pa.ExtensionArray.from_storage(raw.type, dictionary)
        return in_python(dictionary), coded.indices
    places: dict[Any, int] = {}
    distinct: list[Any] = []
    found = []
    for value in raw:
        # 1, 1.0 and True are one key of a dict, as are 1.50 and 1.5.
        key = value if type(value) is str else (type(value), repr(value))
        place = places.setdefault(key, len(distinct))
        if place == len(distinct):
            distinct.append(value)
        found.append(place)
    return distinct, pa.array(found, pa.int64())


def _stored(array: pa.Array[Any]) -> pa.Array[Any]:
    """The values as they lie there, whatever they stand for."""
    held: pa.Array[Any] = array.storage if isinstance(array, pa.ExtensionArray) else array
    return held


def _whole(array: pa.Array[Any]) -> bool:
    return pa.types.is_integer(array.type)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _keys(array: pa.Array[Any]) -> Values | None:
    """Without padding; what is empty then is missing."""
    if _whole(array):
        return Values(array.cast(pa.string()), clean=True)
    if not _is_text(array.type):
        return None
    texts: Any = array.cast(pa.string())
    whole = text_of(texts)
    clean = " " not in whole and whole.isprintable()
    if not clean:
        texts = pc.utf8_trim(texts, characters=_SPACE)
    empty = pc.equal(pc.binary_length(texts), pa.scalar(0))
    if pc.any(empty).as_py():
        texts = pc.if_else(empty, pa.scalar(None, pa.string()), texts)
    return Values(texts, clean=clean)


def text_of(array: pa.Array[Any]) -> str:
    """All texts of a column in one."""
    _, offsets, data = array.buffers()
    if offsets is None or data is None:
        return ""
    ends = memoryview(offsets).cast("i")
    start, end = ends[array.offset], ends[array.offset + len(array)]
    return str(memoryview(data)[start:end], "utf-8")


def _days(array: pa.Array[Any]) -> pa.Array[Any] | None:
    kind: Any = array.type
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.date32())
    if pa.types.is_timestamp(kind) and kind.tz is None:
        array = array.cast(pa.date32())
    elif not pa.types.is_date32(kind):
        return None
    ends: Any = pc.min_max(array.cast(pa.int32()))
    inside = ends["min"].as_py() >= _FIRST_DAY and ends["max"].as_py() <= _LAST_DAY
    return array if inside else None


def _of_floats(array: pa.Array[Any], places: int) -> pa.Array[Any] | None:
    """Floats that plainly stand for a number of so many places; None where one does not.

    A decimal number of no more than 15 digits is told by its float alone. So when the
    nearest number of our places gives the very same float, it is the one that was meant.
    """
    factor = float(10**places)
    steps = pc.round(pc.multiply(array, factor))
    same = pc.equal(pc.divide(steps, factor), array)
    small = pc.less(pc.abs(steps), pa.scalar(float(10**FLOAT_DIGITS)))
    if not pc.all(pc.and_(same, small)).as_py():
        return None
    return _scaled(steps.cast(pa.int64()), places)


def _scaled(steps: pa.Array[Any], places: int) -> pa.Array[Any]:
    """Whole numbers of steps of that size as amounts."""
    whole = steps.cast(pa.decimal128(38, 0))
    stepped: Any = pa.Array.from_buffers(
        pa.decimal128(38, places), len(whole), whole.buffers(), whole.null_count, whole.offset
    )
    amounts: pa.Array[Any] = stepped.cast(AMOUNT)
    return amounts
