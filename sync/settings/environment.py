"""Settings from the environment: TRADESYNC_SERVICE__LOG_LEVEL is service.log_level.

Values are read as TOML would read them, so that a number is a number in both
places; what is no TOML value is text. A name that is no setting is refused like
a key in the file, instead of being ignored: that is why a settings library that
looks for the names it knows does not serve here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sync.mapping.problems import FileProblem
from sync.settings.places import Path
from sync.settings.site import ENVIRONMENT

PREFIX = "TRADESYNC_"
SOURCE = "environment"


@dataclass(slots=True)
class Overrides:
    """``names`` tells which variable a path came from."""

    names: dict[Path, str] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)

    def name_of(self, path: Path) -> str | None:
        """The variable that gave this value or something above it."""
        while path:
            if path in self.names:
                return self.names[path]
            path = path[:-1]
        return None

    def name_below(self, path: Path) -> str | None:
        """A variable that made this section, where the file has none."""
        below = (name for given, name in self.names.items() if given[: len(path)] == path)
        return next(below, None)


def override(data: dict[str, Any], environ: Mapping[str, str]) -> Overrides:
    """Put what the environment says into ``data``, over what is there."""
    overrides = Overrides()
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == ENVIRONMENT:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        problem = _place(data, path, environ[name])
        if problem:
            message, remedy = problem
            said = f"{name} {message}"
            overrides.problems.append(FileProblem(SOURCE, 0, 0, "", said, remedy))
        else:
            overrides.names[path] = name
    return overrides


def _place(data: dict[str, Any], path: tuple[str, ...], written: str) -> tuple[str, str] | None:
    if len(path) < 2 or not all(path):
        return "is no setting", f"write {PREFIX}SECTION__NAME, or unset it"
    if path[0] == "systems" and "secrets" in path[2:]:
        return "is about a secret", "name the credential file in the settings file"
    for step in path[:-1]:
        data = data.setdefault(step, {})
        if not isinstance(data, dict):
            return "goes below a setting that has nothing below it", "unset it"
    data[path[-1]] = _value(written)
    return None


def _value(written: str) -> object:
    try:
        read = tomllib.loads(f"value = {written}", parse_float=Decimal)
    except (ValueError, RecursionError):
        return written
    return read["value"] if read.keys() == {"value"} else written
