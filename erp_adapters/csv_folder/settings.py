"""The adapter's options, sound."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from erp_adapters.csv_folder.layout import OPTIONAL
from erp_adapters.csv_folder.tables import Format
from sync.domain.money import ROUNDING_MODES
from sync.errors import Misconfigured

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
        problems = [
            f"no option {name!r}{_near(name)}" for name in sorted(options.keys() - {*OPTIONS})
        ]
        problems += [f"no secret {name!r}; this adapter has none" for name in sorted(secrets)]
        folder = _text(options, "folder", None, problems)
        zone = _text(options, "time_zone", None, problems)
        separator = _text(options, "separator", ",", problems)
        encoding = _text(options, "encoding", "utf-8", problems)
        mode = f"ROUND_{_text(options, 'rounding', 'half_up', problems).upper()}"
        without = options.get("without", [])
        if not isinstance(without, list) or not all(isinstance(word, str) for word in without):
            problems.append("without must be a list of words")
            without = []
        problems += [
            f"without: no {word!r}; there are {', '.join(OPTIONAL)}"
            for word in without
            if word not in OPTIONAL
        ]
        if len(separator) != 1:
            problems.append("separator must be one character")
        if mode not in ROUNDING_MODES:
            problems.append(f"rounding: there is no {mode.removeprefix('ROUND_').lower()!r}")
        try:
            codecs.lookup(encoding)
        except LookupError:
            problems.append(f"Python knows no encoding {encoding!r}")
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            problems.append(f"no time zone {zone!r}; use a name such as America/Chicago")
        unit_places = _whole(options, "unit_price_places", 4, problems)
        amount_places = _whole(options, "amount_places", 2, problems)
        if problems:
            raise Misconfigured(
                "the options of the CSV folder adapter cannot be used:", tuple(problems)
            )
        return cls(
            folder=base / folder,
            time_zone=zone,
            without=frozenset(without),
            form=Format(separator, encoding),
            unit_price_places=unit_places,
            amount_places=amount_places,
            rounding=mode,
        )


def _text(
    options: Mapping[str, object], name: str, default: str | None, problems: list[str]
) -> str:
    value = options.get(name, default)
    if isinstance(value, str) and value:
        return value
    problems.append(f"{name} is missing" if value is None else f"{name} must be text")
    return default or ""


def _whole(options: Mapping[str, object], name: str, default: int, problems: list[str]) -> int:
    value = options.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    problems.append(f"{name} must be a whole number")
    return default


def _near(name: str) -> str:
    close = difflib.get_close_matches(name, OPTIONS, 1)
    return f"; did you mean {close[0]}?" if close else ""
