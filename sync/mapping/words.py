"""What may stand in one place of a mapping file: text, a word, a flag, an amount.

Each type refuses with a message that follows the field's name, and with what to
write instead. Texts come as ``str``, and whatever was left unquoted and is not
text for YAML as ``Unquoted``, so that nothing was converted before it is judged
here.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from typing import Annotated, NoReturn

from pydantic import BeforeValidator, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from sync.domain.countries import ISO_COUNTRIES, KOSOVO, OFTEN_MEANT
from sync.domain.ids import MAX_KEY_LENGTH, well_formed
from sync.domain.money import currency_code
from sync.domain.registration import EVERYWHERE
from sync.mapping.problems import shortened, suggestion
from sync.mapping.tree import Unquoted

REFUSED = "refused"
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?")
_SPREADSHEET = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_JURISDICTION = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")


def refuse(message: str, remedy: str) -> NoReturn:
    raise PydanticCustomError(REFUSED, "{message}", {"message": message, "remedy": remedy})


def text(value: object) -> str:
    """Text that can be a key or a code: printable, not padded, at most 255 characters."""
    if isinstance(value, Unquoted):
        if value.kind == "null":
            refuse("has no value", "write one, or take the line out")
        refuse(
            f"would be read as {value.meaning}, not as text",
            f'put it in quotes: "{shortened(value.text)}"',
        )
    if not isinstance(value, str):
        refuse("is not a single text", "write one value")
    if not well_formed(value):
        refuse(*malformed(value))
    return value


def amount(value: object) -> Decimal:
    """An exact amount that is not negative, with a decimal point, quoted or not."""
    written = value.text if isinstance(value, Unquoted) else value
    if isinstance(written, str) and _AMOUNT.fullmatch(written):
        return Decimal(written)
    if isinstance(written, str) and written.startswith("-"):
        refuse("is below zero", "write zero or more")
    refuse(
        "is not an amount",
        "write plain digits with a decimal point, like 0.05 (at most 6 places)",
    )


def flag(value: object) -> bool:
    if isinstance(value, Unquoted) and value.kind == "bool":
        return value.text.lower() in {"true", "yes", "on"}
    refuse("is neither true nor false", "write true or false, without quotes")


def currency(value: object) -> str:
    written = text(value)
    try:
        return currency_code(written)
    except ValueError:
        refuse("is not a currency", "write the ISO 4217 code: three capitals, like USD")


def country(value: object) -> str:
    written = text(value)
    if not _COUNTRY.fullmatch(written):
        refuse("is not a country", "write the ISO 3166 code: two capitals, like US")
    if written not in ISO_COUNTRIES and written != KOSOVO:
        meant = OFTEN_MEANT.get(written)
        refuse(
            "is not a country code of ISO 3166",
            f"did you mean {meant}?" if meant else "write the ISO 3166 code, like US",
        )
    return written


def jurisdiction(value: object) -> str:
    """``default``, a country, or a state of one: US-CA."""
    written = text(value)
    if written != EVERYWHERE and not _JURISDICTION.fullmatch(written):
        refuse(
            "is no jurisdiction",
            f"write a country like US, a state of it like US-CA, or {EVERYWHERE}",
        )
    return written


def word(words: type[Enum]) -> BeforeValidator:
    """One of the values of an enumeration."""
    known = {str(one.value): one for one in words}

    def chosen(value: object) -> Enum:
        written = value.text if isinstance(value, Unquoted) else value
        if isinstance(written, str) and written in known:
            return known[written]
        if not isinstance(written, str) or not written.strip():
            refuse("has no usable value", suggestion("", known))
        refuse("is not known", suggestion(written, known))

    return BeforeValidator(chosen)


def section(value: object) -> object:
    """A part of a file in which every line may be commented out."""
    return {} if isinstance(value, Unquoted) and value.kind == "null" else value


def listing(value: object) -> object:
    """As ``section``, for a list."""
    return [] if isinstance(value, Unquoted) and value.kind == "null" else value


def spreadsheet_number(value: str) -> bool:
    """Whether a spreadsheet turned a long key into a number (1.23E+11)."""
    return _SPREADSHEET.fullmatch(value) is not None


def malformed(value: str) -> tuple[str, str]:
    """What keeps the value from being a key, and what to do."""
    if not value.strip():
        return "is empty", "write a value, or take the line out"
    if len(value) > MAX_KEY_LENGTH:
        return f"is longer than {MAX_KEY_LENGTH} characters", "shorten it"
    if value != value.strip():
        return "has spaces before or after it", "take the spaces out"
    return "holds characters that cannot be seen", "type it again instead of pasting it"


class OrNothing:
    """For the schema of a part whose lines may all be commented out."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"type": "null"}]}


# Beside the judge stands what an editor can know of it.
Text = Annotated[
    str,
    BeforeValidator(text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": f"^{_AMOUNT.pattern}$"},
            ]
        }
    ),
]
Flag = Annotated[bool, BeforeValidator(flag)]
Currency = Annotated[
    str,
    BeforeValidator(currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"}),
]
Country = Annotated[
    str,
    BeforeValidator(country),
    WithJsonSchema({"type": "string", "pattern": f"^{_COUNTRY.pattern}$"}),
]
Jurisdiction = Annotated[
    str,
    BeforeValidator(jurisdiction),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"const": EVERYWHERE}, {"pattern": f"^{_JURISDICTION.pattern}$"}],
        }
    ),
]
