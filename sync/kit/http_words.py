"""What servers say in headers and error bodies, in a form that can be used and shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus

from sync.kit.http_body import BadBody, strict_json

LONGEST_WAIT_S = 3600.0
"""Nobody is believed who asks to be left alone for longer; that long, and then again."""

_LONGEST_SENTENCE = 200
_LARGEST_BODY = 64 * 1024
_NAMES = ("message", "detail", "error_description", "description", "title", "error", "errors")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s/?#]*)[^\s\"'<>]*", re.IGNORECASE)
_QUERY = re.compile(r"\?[^\s\"'<>]*=[^\s\"'<>]*")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
# Keys and tokens are long and have no spaces; words that long are rare.
_TOKEN = re.compile(r"[A-Za-z0-9+/_=.-]{32,}")


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, from seconds or a date; None where there is nothing to go by."""
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text, re.ASCII):
        return min(float(text), LONGEST_WAIT_S)
    moment = http_date(text)
    if moment is None:
        return None
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_WAIT_S)


def http_date(text: str | None) -> datetime | None:
    """The moment that a Date header names, in UTC; None for anything else."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # The standard knows no other zone than GMT, whatever it is called.
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def said_by(headers: Mapping[str, str], body: bytes, secrets: Iterable[str]) -> str:
    """The server's own sentence from an error's body, fit for a message; else nothing.

    Web pages and bodies of unknown make are not quoted at all.
    """
    if len(body) > _LARGEST_BODY or "json" not in headers.get("content-type", ""):
        return ""
    try:
        sentence = _sentence(strict_json(body), 4)
    except BadBody:
        return ""
    return _fit_to_show(sentence, secrets)


def _sentence(value: Any, depth: int) -> str:
    match value:
        case str():
            return value
        case list() if depth and value:
            return "; ".join(filter(None, (_sentence(each, depth - 1) for each in value[:3])))
        case dict() if depth:
            for name in _NAMES:
                found = _sentence(value.get(name), depth - 1)
                if found:
                    return found
    return ""


def _fit_to_show(sentence: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        for spelled in {secret, quote(secret, safe=""), quote_plus(secret)}:
            sentence = sentence.replace(spelled, "***")
    sentence = " ".join("".join(each if each.isprintable() else " " for each in sentence).split())
    sentence = _ADDRESS.sub(r"\1\2", sentence)
    sentence = _QUERY.sub("", sentence)
    sentence = _EMAIL.sub("***", sentence)
    sentence = _TOKEN.sub("***", sentence)
    if len(sentence) > _LONGEST_SENTENCE:
        sentence = sentence[: _LONGEST_SENTENCE - 3].rstrip() + "..."
    return sentence
