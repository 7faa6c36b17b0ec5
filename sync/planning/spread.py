"""What is done for everybody once in a period, spread over all of it.

Each has a moment of the period of its own, by its name. A run does those whose moment has
come since the last one, so that each costs about the same, and one that failed is made up
for by the next.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

_START = datetime(2000, 1, 1, tzinfo=UTC)


def seconds(at: datetime) -> float:
    """On the clock of the periods."""
    return (at - _START).total_seconds()


def all_is_due(since: float | None, now: float, period_s: float) -> bool:
    """Whether a whole period, or nobody knows how much, has gone by since the last run."""
    # A clock that was ahead says nothing of when that was.
    return since is None or since > now or now - since >= period_s


def has_come(name: str, since: float, now: float, period_s: float) -> bool:
    """Whether the name's moment lies between the two, in seconds of one clock."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    moment = int.from_bytes(digest, "big") / 2**64 * period_s
    before, after = ((each - moment) // period_s for each in (since, now))
    return after > before
