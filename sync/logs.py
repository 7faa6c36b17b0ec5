"""Structured logs: constant event names, facts as keys, nothing that identifies a person.

What reaches a log line is scrubbed once, here: keys that are known to carry
secrets or personal data are masked, and passwords inside URLs are taken out of
every text, exceptions included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

MASK = "***"
_MASKED = frozenset(
    {"password", "secret", "token", "authorization", "api_key", "email", "phone", "address", "name"}
)
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]*@", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?P<key>\b(?:pwd|password|secret|token|api[_-]?key)\b\s*[=:]\s*)[^\s;,&'\"]+", re.IGNORECASE
)

Event = MutableMapping[str, Any]


def scrubbed(text: str) -> str:
    """The text without passwords in URLs, connection strings and query strings."""
    return _ASSIGNED.sub(rf"\g<key>{MASK}", _USERINFO.sub(rf"\g<scheme>:{MASK}@", text))


def configure(level: str, style: str, out: TextIO | None = None) -> None:
    """Send events to ``out`` (stderr): ``json`` for machines, ``text`` for people."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrub,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(out or sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries that log in the standard way end in the same place, warnings only.
    logging.basicConfig(level=logging.WARNING, stream=out or sys.stderr, force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _scrub(_logger: Any, _method: str, event: Event) -> Event:
    for key, value in event.items():
        if key in _MASKED:
            event[key] = MASK
        elif isinstance(value, str):
            event[key] = scrubbed(value)
    return event
