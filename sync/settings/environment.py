"""Settings from the environment: TRADESYNC_SERVICE__LOG_LEVEL is service.log_level.

Values are read as TOML would read them, so that a number is a number in both
places; what is no TOML value is text. A table is laid over the file's, field by
field. A name that is no setting is refused like a key in the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

from sync.mapping.problems import FileProblem
from sync.settings.places import Path
from sync.settings.site import ENVIRONMENT

PREFIX = "TRADESYNC_"
DELIMITER = "__"
SOURCE = "environment"


class EnvironmentSource(EnvSettingsSource):
    """What ``environ`` says, below the field ``section``; ``beneath`` is what the file says.

    The library's own source looks only for the names that it knows, so that a
    misspelt one would be ignored in silence, and reads values as JSON. The
    prefix and the delimiter are those of ``settings_cls``.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        environ: Mapping[str, str],
        section: str,
        beneath: Mapping[str, Any],
    ) -> None:
        super().__init__(settings_cls)
        self.env_vars = dict(environ)
        self.problems: list[FileProblem] = []
        self._section = section
        self._beneath = beneath
        self._names: dict[Path, str] = {}
        self._data: dict[str, Any] = {}
        for name in sorted(environ):
            if name.startswith(self.env_prefix) and name != ENVIRONMENT:
                self._take(name, environ[name])

    def __call__(self) -> dict[str, Any]:
        return {self._section: self._data}

    def name_of(self, path: Path) -> str | None:
        """The variable that gave this value or something above it."""
        while path:
            if path in self._names:
                return self._names[path]
            path = path[:-1]
        return None

    def name_below(self, path: Path) -> str | None:
        """A variable that made this section, where the file has none."""
        below = (name for given, name in self._names.items() if given[: len(path)] == path)
        return next(below, None)

    def _take(self, name: str, written: str) -> None:
        delimiter = self.env_nested_delimiter or DELIMITER
        path = tuple(name.removeprefix(self.env_prefix).lower().split(delimiter))
        if len(path) < 2 or not all(path):
            self._refuse(name, "is no setting", f"write {PREFIX}SECTION__NAME, or unset it")
        elif path[0] == "systems" and "secrets" in path[2:]:
            remedy = "name the credential file in the settings file"
            self._refuse(name, "is about a secret", remedy)
        elif _blocked(self._beneath, path) or _blocked(self._data, path):
            self._refuse(name, "goes below a setting that has nothing below it", "unset it")
        else:
            value = _value(written)
            table, beneath = self._data, self._beneath
            for step in path[:-1]:
                table, beneath = table.setdefault(step, {}), beneath.get(step, {})
            table[path[-1]] = value
            self._note(name, path, value, beneath.get(path[-1]))

    def _note(self, name: str, path: Path, value: object, beneath: object) -> None:
        if isinstance(value, dict) and isinstance(beneath, dict):
            for key, one in value.items():
                self._note(name, (*path, key), one, beneath.get(key))
        else:
            self._names[path] = name

    def _refuse(self, name: str, message: str, remedy: str) -> None:
        self.problems.append(FileProblem(SOURCE, 0, 0, "", f"{name} {message}", remedy))


def _blocked(data: object, path: tuple[str, ...]) -> bool:
    """Whether something that is no table stands on the way to this place."""
    for step in path[:-1]:
        if not isinstance(data, Mapping):
            return True
        data = data.get(step, {})
    return not isinstance(data, Mapping)


def _value(written: str) -> object:
    try:
        read = tomllib.loads(f"value = {written}", parse_float=Decimal)
    except (ValueError, RecursionError):
        return written
    return read["value"] if read.keys() == {"value"} else written
