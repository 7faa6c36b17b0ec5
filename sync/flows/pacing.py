"""Accounts in batches, so that memory does not grow with what an account has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sync.kit.pacing import Paced

T = TypeVar("T")

RECORDS = 10_000
"""A batch is to hold so many records of both sides together, at most. An invoice of ten
lines takes some eight kilobytes."""

FIRST = 10
"""Accounts of the first batch, of which nobody knows what they have."""


def paced(values: Sequence[T], most: int) -> Paced[T]:
    """The accounts in their order, ``most`` at a time at most."""
    return Paced(values, most, records=RECORDS, first=FIRST)
