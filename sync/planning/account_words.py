"""What becomes of an account in the store, in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from sync.domain.account import AccountStatus
from sync.domain.views import AccountProfile, Exceptional, LocationProfile

_FIELDS = {
    "status": "status",
    "terms": "terms",
    "currencies": "currencies",
    "tax_exempt": "tax exempt",
    "credit": "credit",
    "price_groups": "price groups",
    "locations": "locations",
    "tags": "tags",
}
_PEOPLE = {"organisations": "organisation", "users": "user", "exceptions": "user"}


def told_profile(before: AccountProfile, after: AccountProfile) -> str:
    """What of it is another, and who sees it from then on or no longer; never its name."""
    return "; ".join(_differences(before, after))


def _differences(before: AccountProfile, after: AccountProfile) -> Iterator[str]:
    if before.name != after.name:
        yield "another name"
    for field, name in _FIELDS.items():
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{name} {_said(old)} -> {_said(new)}"
    for field, name in _PEOPLE.items():
        then, now = set(getattr(before, field)), set(getattr(after, field))
        yield from (f"no longer for {name} {_said(each)}" for each in sorted(then - now))
        yield from (f"for {name} {_said(each)}" for each in sorted(now - then))
    barred, now_barred = set(before.barred), set(after.barred)
    yield from (f"not for user {_said(each)}" for each in sorted(now_barred - barred))
    yield from (f"also for user {_said(each)}" for each in sorted(barred - now_barred))


def _said(value: Any) -> str:
    match value:
        case None | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case AccountStatus():
            return value.name.lower().replace("_", " ")
        case Enum():
            return str(value.value)
        case Exceptional():
            return f"{value.user} acting for organisation {value.organisation}"
        case LocationProfile():
            exempt = {None: "", True: " (tax exempt)", False: " (taxed)"}[value.tax_exempt]
            return f"{value.location_id}{exempt}"
        case tuple():
            return ", ".join(_said(each) for each in value)
    return str(value)
