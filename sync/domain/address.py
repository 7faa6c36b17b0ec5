"""Addresses: complete ones, and those typed by a shopper, which may not be."""

from __future__ import annotations

from dataclasses import dataclass


def _country(value: str) -> str:
    if len(value) != 2 or not value.isascii() or not value.isalpha() or not value.isupper():
        raise ValueError(f"not an ISO 3166 alpha-2 country: {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class Address:
    """A complete address. Missing parts stay None; nothing is made up.

    ``lines`` holds the street, top line first, at least one. ``country`` is
    ISO 3166 alpha-2. ``residential`` is None where nobody said.
    """

    name: str
    lines: tuple[str, ...]
    city: str
    country: str
    postal_code: str | None = None
    region: str | None = None
    attention: str | None = None
    phone: str | None = None
    email: str | None = None
    residential: bool | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.city.strip():
            raise ValueError("an address needs a name and a city")
        if not self.lines or not all(line.strip() for line in self.lines):
            raise ValueError("an address needs a street line, and no empty ones")
        _country(self.country)


@dataclass(frozen=True, slots=True)
class TypedAddress:
    """An address as a shopper typed it; any part may be absent.

    ``country`` is what the store holds, normally ISO 3166 alpha-2; the code
    table of countries is applied before it is completed.
    """

    name: str | None = None
    lines: tuple[str, ...] = ()
    city: str | None = None
    country: str | None = None
    postal_code: str | None = None
    region: str | None = None
    attention: str | None = None
    phone: str | None = None
    email: str | None = None
    residential: bool | None = None

    def missing(self) -> tuple[str, ...]:
        """Names of the parts without which nothing can be delivered."""
        lacking = []
        if not (self.name and self.name.strip()):
            lacking.append("name")
        if not any(line.strip() for line in self.lines):
            lacking.append("street")
        if not (self.city and self.city.strip()):
            lacking.append("city")
        if not (self.country and self.country.strip()):
            lacking.append("country")
        return tuple(lacking)

    def completed(self, country: str | None = None) -> Address:
        """This as an Address, with ``country`` in place of the typed one if given.

        Raises ValueError where a part is missing or the country is no ISO code.
        """
        lacking = self.missing()
        if lacking:
            raise ValueError(f"address without {', '.join(lacking)}")
        return Address(
            name=(self.name or "").strip(),
            lines=tuple(line.strip() for line in self.lines if line.strip()),
            city=(self.city or "").strip(),
            country=country or (self.country or "").strip(),
            postal_code=_tidy(self.postal_code),
            region=_tidy(self.region),
            attention=_tidy(self.attention),
            phone=_tidy(self.phone),
            email=_tidy(self.email),
            residential=self.residential,
        )


def _tidy(value: str | None) -> str | None:
    return (value.strip() or None) if value is not None else None
