"""Keeps secrets out of everything that is said: log lines, errors, tables, state (OP-7).

Two nets lie over each other: the secrets that were read from credential files are
known, and masked wherever they turn up (``conceal``); what merely looks like a
password in a URL, a connection string or a header is masked too, because drivers
repeat what they were given in words of their own. Where the two cannot be exact
they mask too much.

This stands below everything else, so that an error scrubs its own message: what
an error says goes into logs, tables, the ledger and the store alike, and no one
of these ways out has to remember it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
# Masking every "a" would hide the log instead of the secret.
SHORTEST_SECRET = 4

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
    rf"(?<![\w.-])(?P<key>[\w.-]*?{_SECRETIVE}['\"]?\s*(?:=|:|%3D|%3A)\s*[\[(]?\s*)"
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

# Every one of the patterns above takes one of these: most that is said has none.
_NEEDED = re.compile(r"[\s@=:%]")

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
    if _NEEDED.search(text) is None:
        return text
    text = _USERINFO.sub(rf"\g<scheme>:{MASK}@", text)
    text = _ASSIGNED.sub(rf"\g<key>{MASK}", text)
    return _HEADER.sub(rf"\g<kind> {MASK}", text)


def looks_secret(key: str) -> bool:
    """Whether what stands under this name is to be masked, whatever it is."""
    return _SECRET_KEY.search(key) is not None


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
