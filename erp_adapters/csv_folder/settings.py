"""The adapter's options, sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from erp_adapters.csv_folder.layout import OPTIONAL
from erp_adapters.csv_folder.tables import Format
from sync.domain.money import ROUNDING_MODES
from sync.kit.options import Options, is_encoding

OPTIONS = (
    "folder",
    "without",
    "time_zone",
    "separator",
    "encoding",
    "unit_price_places",
    "amount_places",
    "rounding",
)
MOST_PLACES = 12
_CONTROLS = "\t\x01\x02\x1c\x1d\x1e\x1f"
"""What some systems part values by, because nobody types it."""
_MODES = tuple(sorted(mode.removeprefix("ROUND_").lower() for mode in ROUNDING_MODES))


@dataclass(frozen=True, slots=True)
class Settings:
    """``rounding`` is one of the ``decimal.ROUND_*`` modes."""

    folder: Path
    time_zone: str
    without: frozenset[str] = frozenset()
    form: Format = field(default_factory=Format)
    unit_price_places: int = 4
    amount_places: int = 2
    rounding: str = "ROUND_HALF_UP"

    @classmethod
    def read(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> Settings:
        """Raises Misconfigured with everything that is wrong with the options."""
        given = Options(options, OPTIONS, secrets)
        folder = given.needed("folder", "/srv/erp/exchange")
        zone = given.time_zone("time_zone", None)
        separator = _separator(given)
        encoding = given.text("encoding") or "utf-8"
        if not is_encoding(encoding):
            given.complain("encoding", "Python knows no encoding of text by this name")
        mode = given.chosen("rounding", _MODES, "half_up")
        without = _without(given)
        unit_places = given.whole("unit_price_places", 4, 0, MOST_PLACES)
        amount_places = given.whole("amount_places", 2, 0, MOST_PLACES)
        given.raise_if_any("the options of the CSV folder adapter cannot be used:")
        return cls(
            folder=base / folder,
            time_zone=zone,
            without=without,
            form=Format(separator, encoding),
            unit_price_places=unit_places,
            amount_places=amount_places,
            rounding=f"ROUND_{mode.upper()}",
        )


def _separator(given: Options) -> str:
    value = given.stated("separator")
    if value is None:
        return ","
    if isinstance(value, str) and len(value) == 1 and _parts_values(value):
        return value
    given.complain("separator", "not one character that can part values, such as , or ;")
    return ","


def _parts_values(sign: str) -> bool:
    return sign in _CONTROLS or (sign.isprintable() and not sign.isalnum() and sign not in '" ')


def _without(given: Options) -> frozenset[str]:
    value = given.stated("without")
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        given.complain("without", "not a list of words")
        return frozenset()
    unknown = [place for place, word in enumerate(value, 1) if word not in OPTIONAL]
    if unknown:
        of = ", ".join(map(str, unknown))
        given.complain("without", f"word {of} of the list is none of {', '.join(OPTIONAL)}")
    return frozenset(value)
