"""Tryton's own spelling of values in JSON.

Numbers, dates and moments travel as objects that name their class. A date as
plain text, or an amount as a JSON number, is accepted by the server and stored
as it pleases, so nothing ever leaves here without its class.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sync.domain.money import plain

_MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")
# A double tells so many digits apart; a longer quantity would arrive as another.
FLOAT_DIGITS = 15


class Untyped(ValueError):
    """A value of no kind that Tryton's JSON has."""


def encode(value: object) -> Any:
    """The value as plain JSON. Raises Untyped for what has no spelling."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return {"__class__": "Decimal", "decimal": f"{value:f}"}
        case datetime():  # before date, of which it is one
            if value.tzinfo is not None:
                value = value.astimezone(UTC)
            return {"__class__": "datetime", **{part: getattr(value, part) for part in _MOMENT}}
        case date():
            return {"__class__": "date", **{part: getattr(value, part) for part in _MOMENT[:3]}}
        case Mapping():
            return {str(name): encode(each) for name, each in value.items()}
        case list() | tuple():
            return [encode(each) for each in value]
        case _:
            raise Untyped(f"{type(value).__name__} cannot be sent")


def decode(value: Any) -> Any:
    """The opposite. Moments are aware: the server keeps UTC. Raises Untyped."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind is None:
        return {name: decode(each) for name, each in value.items()}
    try:
        return _typed(str(kind), value)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise Untyped(f"{kind} cannot be read") from error


def _typed(kind: str, value: dict[str, Any]) -> Any:
    match kind:
        case "Decimal":
            return Decimal(value["decimal"])
        case "date":
            return date(*(value[part] for part in _MOMENT[:3]))
        case "datetime":
            return datetime(**{part: value[part] for part in _MOMENT}, tzinfo=UTC)
        case "timedelta":
            return timedelta(seconds=float(value["seconds"]))
        case "bytes":
            return base64.b64decode(value["base64"])
        case _:
            raise Untyped(f"{kind} is not known")


def is_float(quantity: Decimal) -> bool:
    """Whether a double keeps all of its digits."""
    return len(plain(abs(quantity)).replace(".", "").lstrip("0")) <= FLOAT_DIGITS


def as_float(quantity: Decimal) -> float:
    """A quantity as Tryton keeps it, a double. Raises ValueError where digits would be lost."""
    if not is_float(quantity):
        raise ValueError(f"{plain(quantity)} has more than {FLOAT_DIGITS} digits")
    return float(quantity)
