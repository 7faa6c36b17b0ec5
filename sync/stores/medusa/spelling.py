"""How Medusa spells times and amounts, and we theirs.

Every amount comes twice: as a JSON number, which went through a float, and as
``raw_...`` with its digits as text. Only the text is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from sync.domain.times import utc


def read_moment(text: object) -> datetime:
    """A moment as Medusa writes it. Raises ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError(f"not a moment: {text!r}")
    return utc(datetime.fromisoformat(text))


def moment_text(moment: datetime) -> str:
    """The moment in UTC, cut to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_raw(value: object) -> Decimal:
    """The number of a ``raw_...`` field, exactly. Raises ValueError for anything else."""
    text = value.get("value") if isinstance(value, Mapping) else None
    if not isinstance(text, str):
        raise ValueError(f"no exact amount: {value!r}")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"no amount: {text!r}") from None
    if not number.is_finite():
        raise ValueError(f"no amount: {text!r}")
    # Small numbers come as "1e-8"; a Decimal keeps the exponent, people do not want it.
    return Decimal(f"{number:f}")


def exact_number(value: Decimal) -> float | int:
    """The amount as a JSON number that reads back as the same. Raises ValueError.

    Medusa takes prices as numbers only, and a number there is a float.
    """
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError(f"{value:f} has more digits than the store keeps")
    return number
