"""How moments, numbers and lists are spelled in the database, both ways.

Reading is strict: text that was not spelled here, or not the same way, raises
ValueError rather than being understood somehow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sync.domain.address import Address, TypedAddress
from sync.domain.times import utc

# Decimal() alone would also read "NaN", "1_000" and digits of other scripts.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def moment_text(moment: datetime) -> str:
    """UTC with microseconds, always 27 characters. ValueError for a naive one."""
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def read_moment(text: str) -> datetime:
    """The moment, in UTC. Any ISO 8601 spelling that names its zone is one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return moment.astimezone(UTC)


def day_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def read_day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise ValueError(f"not a day: {text!r}")
    return date.fromisoformat(text)


def read_optional_day(text: str | None) -> date | None:
    return read_day(text) if text else None


def decimal_text(value: Decimal | None) -> str | None:
    """Digits with the value's own scale and no exponent."""
    return None if value is None else f"{value:f}"


def read_decimal(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text!r}")
    return Decimal(text)


def list_text(items: Iterable[str]) -> str:
    return json.dumps(list(items), ensure_ascii=False)


def read_list(text: str) -> tuple[str, ...]:
    items = json.loads(text)
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"not a list of texts: {text!r}")
    return tuple(items)


def address_row(address: TypedAddress | Address) -> dict[str, Any]:
    """The columns that every table with an address shares."""
    return {
        "name": address.name,
        "lines": list_text(address.lines),
        "city": address.city,
        "country": address.country,
        "postal_code": address.postal_code,
        "region": address.region,
        "attention": address.attention,
        "phone": address.phone,
        "email": address.email,
        "residential": address.residential,
    }
