"""Structured logs: constant event names, facts as keys, nothing that identifies a person.

What reaches a log line is scrubbed once, here, by ``sync.secrecy``.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from sync.secrecy import MASK, looks_secret, scrubbed

_PERSONAL = frozenset({"email", "phone", "address", "name"})

Event = MutableMapping[str, Any]


def configure(
    level: str, style: str, out: TextIO | None = None, *, first: Processor | None = None
) -> None:
    """Send events to ``out`` (stderr): ``json`` for machines, ``text`` for people.

    ``first`` sees each event before it is told, and may drop it.
    """
    lines = _Lines(out or sys.stderr, style)
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([first] if first is not None else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrub,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(lines),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    # Libraries that log in the standard way end in the same place, warnings only.
    handler = logging.StreamHandler(lines)
    handler.setFormatter(_Scrubbing(style))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A skipped start is no news; a job that raised is.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


class _Lines:
    """Where the lines go. Work does not stop where none can be written: they are counted.

    ``out`` is None where the process was started without a stderr.
    """

    def __init__(self, out: TextIO | None, style: str) -> None:
        self._out, self._json = out, style == "json"
        self._guard = threading.Lock()
        self._lost = 0

    def write(self, line: str) -> None:
        """A whole line. Before it is told how many were lost since the last one."""
        with self._guard:
            try:
                if self._out is not None:
                    self._out.write(self._told_lost() + line)
                    self._out.flush()
                    self._lost = 0
            except (OSError, ValueError):
                # ValueError is a file that was closed.
                self._lost += 1

    def flush(self) -> None:
        """Each line was flushed."""

    def _told_lost(self) -> str:
        if not self._lost:
            return ""
        if not self._json:
            return f"log.lines_lost lines={self._lost}\n"
        return json.dumps({"event": "log.lines_lost", "lines": self._lost, "level": "error"}) + "\n"


class _Scrubbing(logging.Formatter):
    """A record of a library, on one line of the style that all others have."""

    def __init__(self, style: str) -> None:
        super().__init__("%(asctime)s [%(levelname)s] %(name)s: %(message)s")
        self._json = style == "json"

    def format(self, record: logging.LogRecord) -> str:
        told = scrubbed(super().format(record))
        if not self._json:
            return told
        body = {"event": "library.said", "logger": record.name, "message": told}
        return json.dumps({**body, "level": record.levelname.lower()}, ensure_ascii=False)


def _scrub(_logger: Any, _method: str, event: Event) -> Event:
    for key, value in event.items():
        event[key] = MASK if _hidden(key) else _clean(value)
    return event


def _hidden(key: str) -> bool:
    return key in _PERSONAL or looks_secret(key)


def _clean(value: Any) -> Any:
    """The value for a log line; what is neither number, text nor a collection becomes text."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return scrubbed(value)
        case Mapping():
            return {
                str(key): MASK if _hidden(str(key)) else _clean(each) for key, each in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(each) for each in value]
    return scrubbed(str(value))
