"""Calls with prices that are under way at once: what one was told, and others changed since."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sync.domain.pricing import Audience, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.stores.medusa.price_rows import ACCOUNTS

Items = Mapping[Audience, set[str]]


@dataclass(slots=True)
class PriceCall:
    """One call: its items by audience, those of them whose records another call may have
    changed since it began, and what it was told is recorded of them, its own aside.

    ``at_once``: our module does at once what Medusa itself does in several requests.
    """

    items: dict[Audience, set[str]]
    changed: set[str] = field(default_factory=set)
    told: dict[PublishedPriceKey, PriceValue] | None = None
    at_once: bool = False


class PriceCalls:
    """Every call that is under way."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._open: list[PriceCall] = []

    @contextmanager
    def one(self, keys: Collection[PublishedPriceKey]) -> Iterator[PriceCall]:
        """A call about these, from before its first question until its last word."""
        items: dict[Audience, set[str]] = {}
        for key in keys:
            items.setdefault(key.audience, set()).add(key.key.sku.value)
        call = PriceCall(items)
        with self._guard:
            for other in self._open:
                both = _shared(call.items, other.items)
                # Each may write before or after the other is told.
                call.changed |= both
                other.changed |= both
            self._open.append(call)
        try:
            yield call
        finally:
            with self._guard:
                self._open.remove(call)


def _shared(some: Items, others: Items) -> set[str]:
    """Items of one audience, and those of all accounts, which come into every list."""
    found: set[str] = set()
    for one, two in ((some, others), (others, some)):
        for audience, skus in one.items():
            found.update(skus & two.get(audience, set()))
            found.update(skus & two.get(ACCOUNTS, set()))
    return found
