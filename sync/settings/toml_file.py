"""The settings file as a source of settings that knows where everything stands in it."""

from __future__ import annotations

import re
import stat
import tomllib
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

from pydantic_settings import BaseSettings, TomlConfigSettingsSource

from sync.mapping.problems import FileProblem, FilesRefused
from sync.settings.places import Places, places
from sync.settings.site import SETTINGS_FILE

FILE = f"config/{SETTINGS_FILE}"
MAX_BYTES = 1024 * 1024
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_REMEDY = "correct this line or the one before it; texts stand in quotes, keys come once"


class TomlFileSource(TomlConfigSettingsSource):
    """What ``config/tradesync.toml`` says, below the field ``section``.

    The library's own source passes over a file that is not there, reads amounts
    as binary floats and forgets the lines. Raises FilesRefused for a file that
    cannot be read; its messages and causes hold nothing of the file.
    """

    def __init__(self, settings_cls: type[BaseSettings], path: FilePath, section: str) -> None:
        self.where = Places()
        self._section = section
        super().__init__(settings_cls, path)

    @property
    def data(self) -> dict[str, Any]:
        return self.toml_data

    def __call__(self) -> dict[str, Any]:
        return {self._section: self.toml_data}

    def _read_files(self, files: Any, deep_merge: bool = False) -> dict[str, Any]:
        return self._read_file(files)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        text = _text(file_path)
        data = _parsed(file_path, text)
        self.where = places(text)
        return data


def _text(path: FilePath) -> str:
    try:
        # A device or a pipe has no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _refused(path, 0, 0, "is no file", "look what stands in its place")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        remedy = "write it, or make a site from the templates with: tradesync init DIR"
        raise _refused(path, 0, 0, "the file is missing", remedy) from error
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise _refused(path, 0, 0, f"cannot be read: {why}", "look at its rights") from error
    if len(content) > MAX_BYTES:
        remedy = "look whether it is the right file"
        raise _refused(path, 0, 0, "is too large for settings", remedy)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        message = "the file is not UTF-8"
        raise _refused(path, line, column, message, "save it as UTF-8") from None


def _parsed(path: FilePath, text: str) -> dict[str, Any]:
    # The causes are left out: their messages and frames hold the text of the file.
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found else (text.count("\n") + 1, 1)
        reason = _AT_LINE.sub("", str(error)).removesuffix(" (at end of document)")
        raise _refused(path, line, column, f"not TOML: {reason}", _REMEDY) from None
    except RecursionError:
        message = "is nested too deeply"
        raise _refused(path, 1, 1, message, "settings need no such depth") from None
    except ValueError:
        message = "holds a number or text that cannot be read"
        raise _refused(path, 1, 1, message, _REMEDY) from None


def _refused(path: FilePath, line: int, column: int, message: str, remedy: str) -> FilesRefused:
    problem = FileProblem(FILE, line, column, "", message, remedy)
    return FilesRefused(f"the settings in {path.parent.parent} are refused", [problem])
