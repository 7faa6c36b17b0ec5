"""Structured logs: constant event names, facts as keys, nothing that identifies a person.

What reaches a log line, an error or a table is scrubbed once, here. Two nets lie
over each other: the secrets that were read from credential files are known, and
masked wherever they turn up (``conceal``); what merely looks like a password in
a URL, a connection string or a header is masked too, because drivers repeat
what they were given in words of their own. Where the two cannot be exact they
mask too much.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import structlog

MASK = "***"
# Masking every "a" would hide the log instead of the secret.
SHORTEST_SECRET = 4

_PERSONAL = frozenset({"email", "phone", "address", "name"})
_SECRETIVE = (
    r"(?:pwd|passw(?:or)?d|passphrase|secret|token|signature|authorization"
    r"|(?:api|access|private|account|shared)[_-]?key)"
)
_SECRET_KEY = re.compile(rf"(?:^|[_.-]){_SECRETIVE}$", re.IGNORECASE)
# Greedy up to the last @, for a password may hold one itself; within bounds, or a
# long text without spaces would take seconds.
_USERINFO = re.compile(
    r"(?<![a-z0-9+.-])(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s'\"]{0,2048}@",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rf"(?<![\w.-])(?P<key>[\w.-]*?{_SECRETIVE}['\"]?\s*(?:=|:|%3D|%3A)\s*)"
    r"(?:"
    r"\{(?:[^}]|\}\})*\}"  # ODBC: {my;password}
    r"|%7B(?:(?!%7D).)*%7D"  # the same within a URL
    r"|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
    r"|(?:bearer|basic|digest|token)\s+[^\s,'\"]+"
    r"|(?:(?!%3B|%26)[^\s;,&'\"])+"
    r")",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\b(?P<kind>bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)

Event = MutableMapping[str, Any]

_guard = threading.Lock()
_known: tuple[str, ...] = ()


def conceal(secrets: Iterable[str]) -> None:
    """Mask these values from now on, as they are and as a URL or JSON spells them."""
    global _known
    with _guard:
        spelled = set(_known)
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                spelled.update(_spellings(secret))
        # The longest first, or a part of one would stay behind.
        _known = tuple(sorted(spelled, key=lambda text: (-len(text), text)))


def scrubbed(text: str) -> str:
    """The text without secrets: known ones, and what looks like one."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    text = _USERINFO.sub(rf"\g<scheme>:{MASK}@", text)
    text = _ASSIGNED.sub(rf"\g<key>{MASK}", text)
    return _HEADER.sub(rf"\g<kind> {MASK}", text)


def configure(level: str, style: str, out: TextIO | None = None) -> None:
    """Send events to ``out`` (stderr): ``json`` for machines, ``text`` for people."""
    out = out or sys.stderr
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
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    # Libraries that log in the standard way end in the same place, warnings only.
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Scrubbing(style))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A skipped start is no news; a job that raised is.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


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
    return key in _PERSONAL or _SECRET_KEY.search(key) is not None


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


def _spellings(secret: str) -> set[str]:
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        secret.replace("}", "}}"),
    }
