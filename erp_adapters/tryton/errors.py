"""Theirs to ours: what the engine is to do when Tryton says no.

A business error is an HTTP 200 with ``["UserError", [message, description,
domain]]``; the class is told, but no code: the sentence is in the language of
the user. So nothing here reads sentences of people. Whatever answers a create,
the caller searches for its key before it believes that nothing was written.

A refusal that is told came with a rolled-back transaction. An answer that never
came, that cannot be read, or that tells of a broken database leaves it open what
was done.
"""

from __future__ import annotations

import re
from typing import Any

from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    SyncError,
    TryLater,
)

_LONGEST = 300
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
# An unknown field or model is told by Python's own KeyError, and nothing else.
_UNKNOWN_NAME = re.compile(r"'[a-z0-9_.]+'", re.IGNORECASE)
# What a database says when another transaction was in the way; it did nothing then.
_BUSY = re.compile(
    r"database is locked|could not serialize|deadlock|lock timeout|statement timeout"
    r"|too many (clients|connections)",
    re.IGNORECASE,
)
# And when it went away itself, perhaps in the middle of a commit.
_GONE = re.compile(r"server closed the connection|connection (is|was) (closed|lost)", re.IGNORECASE)
CORRECT_IN_TRYTON = "Correct in Tryton what it names, then replay."


def fault(error: Any, doing: str, *, writing: bool) -> SyncError:
    """What an ``error`` in the body of an answer means. ``doing`` begins the message."""
    kind, told = _parts(error)
    said = _sentence(told)
    match kind:
        case "UserError":
            return Rejected(
                f"{doing}: Tryton refuses: {said}", code="erp_rule", remedy=CORRECT_IN_TRYTON
            )
        case "UserWarning":
            # Only a person may wave it through; the first part is its technical name.
            warned = _sentence(told[1:] if isinstance(told, list) else told)
            return Rejected(
                f"{doing}: Tryton warns: {warned}",
                code="erp_warning",
                remedy="Do in Tryton what it warns of, or let the cause go away; then replay.",
            )
        case "ConcurrencyException":
            return Conflict(f"{doing}: somebody changed the record meanwhile")
        case "LoginException":
            return AccessDenied(f"{doing}: Tryton wants another kind of login for this user")
        case _:
            return _unforeseen(kind, said, doing, writing=writing)


def _unforeseen(kind: str, said: str, doing: str, *, writing: bool) -> SyncError:
    text = f"{kind} {said}".strip()
    if _UNKNOWN_NAME.fullmatch(kind):
        return Misconfigured(
            f"{doing}: Tryton knows no {kind}: a module is missing, or the user may not see it"
        )
    if _BUSY.search(text):
        return TryLater(f"{doing}: Tryton's database is busy")
    if _GONE.search(text) and not writing:
        return TryLater(f"{doing}: Tryton's database went away")
    if writing:
        return OutcomeUnknown(f"{doing}: Tryton met an error of its own: {_short(text)}")
    return Misconfigured(f"{doing}: Tryton met an error of its own: {_short(text)}")


def _parts(error: Any) -> tuple[str, Any]:
    if isinstance(error, list) and error and isinstance(error[0], str):
        return error[0], error[1] if len(error) > 1 else ""
    return "an answer of unknown shape", ""


def _sentence(told: Any) -> str:
    """Message and description; the domain after them is for programs."""
    if isinstance(told, list):
        told = " ".join(each for each in told[:2] if isinstance(each, str) and each)
    return _short(told if isinstance(told, str) else "")


def _short(text: str) -> str:
    text = _EMAIL.sub("***", " ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3].rstrip() + "..."
