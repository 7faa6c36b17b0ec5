"""Moments are aware and UTC; dates belong to the ERP's calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

CLOCK_ALARM_S = 60.0
"""A clock further off than this makes watermarks, dates and signatures doubtful."""


def utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for a naive one: its zone is unknown."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {moment!r}")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Watermark:
    """How far a feed is done, on the clock of the system that owns the feed.

    It is compared only with times of that same system, never with ours.
    """

    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", utc(self.at))
