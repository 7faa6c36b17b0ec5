"""A stretch of an answer as a driver told it, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa
from sqlalchemy.exc import ResourceClosedError

from erp_adapters.sql.queries import Query

ROWS = 5_000
"""Rows that a driver for rows is asked for at a time: more of them cost more each."""

BEYOND = "(beyond the calendar)"
"""Stands for a day before the first or after the last that Python knows, as infinity is."""

Raw: TypeAlias = "pa.Array[Any] | Sequence[Any]"
"""A column: of Arrow, or of the values that a driver for rows gives."""


@dataclass(frozen=True, slots=True)
class Batch:
    """``names`` are the columns' own, in their order, as the database spells them."""

    names: tuple[str, ...]
    columns: tuple[Raw, ...]

    def __len__(self) -> int:
        return len(self.columns[0])

    def rows(self, places: Sequence[int]) -> list[tuple[Any, ...]]:
        """Single rows with the values that a driver for rows would give."""
        taken = [in_python(column, places) for column in self.columns]
        return list(zip(*taken, strict=True))


def of_rows(names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> Batch:
    return Batch(names, tuple(zip(*rows, strict=True)))


def names_of(query: Query, description: Any) -> tuple[str, ...]:
    """The columns of an answer, as PEP 249 describes them."""
    if description is None:
        raise ResourceClosedError(f"{query.name} answers no rows")
    return tuple(column[0] for column in description)


def as_numeric_text(array: pa.Array[Any]) -> pa.Array[Any]:
    """Texts that are numbers: where a driver for rows gives a Decimal."""
    kind = pa.opaque(pa.string(), "numeric", "PostgreSQL")
    return pa.ExtensionArray.from_storage(kind, array.cast(pa.string()))


def is_numeric_text(array: pa.Array[Any]) -> bool:
    """Whether these are numbers that the database has told as text."""
    kind: Any = array.type
    return isinstance(kind, pa.OpaqueType) and kind.type_name == "numeric"


def in_python(raw: Raw, places: Sequence[int] | None = None) -> list[Any]:
    """The values, or those at these places, as a driver for rows gives them."""
    if not isinstance(raw, pa.Array):
        return list(raw) if places is None else [raw[place] for place in places]
    chosen = raw if places is None else raw.take(pa.array(places, pa.int64()))
    values = [_python(scalar) for scalar in chosen]
    if is_numeric_text(raw):
        return [None if value is None else Decimal(value) for value in values]
    return values


def _python(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return BEYOND
