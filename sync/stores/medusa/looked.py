"""What calls with prices have looked up of the shop, for the calls that come after them.

Nothing is older than LOOK_S seconds, nor than the last look at what is shown. Groups and
price lists of an audience are ours alone: what a call learns or does in its turn at them
counts, and an answer that was on its way meanwhile does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sync.domain.pricing import Audience
from sync.kit.pool import together
from sync.stores.medusa.holders import Holder
from sync.stores.medusa.price_rows import Period
from sync.stores.medusa.queries import Queries, sku_pieces

Json = dict[str, Any]
Held = dict[Period, list[Json]]
# As long as that a run may take from one scope of an audience to the next.
LOOK_S = 60.0
MOST_LOOKED = 50_000
"""Variants that are kept in memory between two calls."""


@dataclass(slots=True)
class Wanted:
    """What nobody knows yet nor is asking for, of what a call will need."""

    skus: set[str]
    regions: bool
    audiences: dict[Audience, int]
    """Those whose group or lists are not known, and how often each was written before."""


@dataclass(slots=True)
class _Kept:
    since: float
    variants: dict[str, Json] = field(default_factory=dict)
    regions: list[Json] | None = None
    groups: dict[Holder, Json | None] = field(default_factory=dict)
    lists: dict[Holder, Held] = field(default_factory=dict)
    answers_at_once: bool = True
    """Whether our module answers all of it in one request; an older one does not."""


class Looked:
    def __init__(self, monotonic: Callable[[], float], threads: int) -> None:
        self._monotonic, self._threads = monotonic, threads
        self._changed = threading.Condition(threading.RLock())
        self._kept = _Kept(monotonic())
        self._asking: set[str] = set()
        self._asking_regions = False
        self._written: dict[Holder, int] = {}

    def forget(self) -> None:
        with self._changed:
            self._kept = _Kept(self._monotonic())

    # Everything at once

    @property
    def at_once(self) -> bool:
        with self._changed:
            return self._fresh().answers_at_once

    def not_at_once(self) -> None:
        with self._changed:
            self._kept.answers_at_once = False

    def want(
        self, skus: Collection[str], audiences: Collection[Audience], *, regions: bool
    ) -> Wanted:
        """What to ask for. To be followed by ``learn`` or ``give_up``."""
        with self._changed:
            kept = self._fresh()
            missing = {each for each in skus if each not in kept.variants} - self._asking
            regions = regions and kept.regions is None and not self._asking_regions
            self._asking |= missing
            self._asking_regions |= regions
            unknown = {
                each: self._written.get(each, 0)
                for each in audiences
                if each not in kept.lists or each not in kept.groups
            }
            return Wanted(missing, regions, unknown)

    def learn(
        self,
        wanted: Wanted,
        variants: Mapping[str, Json],
        regions: list[Json] | None,
        groups: Mapping[Audience, Json],
        lists: Mapping[Audience, Held],
    ) -> None:
        """The answer to what was wanted; an audience that has neither is known for that."""
        with self._changed:
            kept = self._fresh(room=len(variants))
            kept.variants.update(variants)
            if wanted.regions and regions is not None:
                kept.regions = regions
            for audience, written in wanted.audiences.items():
                if self._written.get(audience, 0) == written:
                    kept.groups[audience] = groups.get(audience)
                    kept.lists[audience] = lists.get(audience, {})
        self.give_up(wanted)

    def give_up(self, wanted: Wanted) -> None:
        """Nobody is asking for it any more."""
        with self._changed:
            self._asking -= wanted.skus
            self._asking_regions &= not wanted.regions
            wanted.skus, wanted.regions = set(), False
            self._changed.notify_all()

    # One after the other

    def variants(self, queries: Queries, skus: Collection[str]) -> dict[str, Json]:
        """By SKU, those that the shop sells. What it did not sell is asked for again."""
        with self._changed:
            self._changed.wait_for(lambda: self._asking.isdisjoint(skus))
            kept = self._fresh()
            missing = sorted(each for each in skus if each not in kept.variants)
            if len(kept.variants) + len(missing) > MOST_LOOKED:
                self.forget()
                kept, missing = self._kept, sorted(skus)
            # Held meanwhile: another call waits for this answer.
            together(
                sku_pieces(missing),
                queries.variants,
                threads=self._threads,
                done=lambda _, found: kept.variants.update(found),
            )
            return {sku: kept.variants[sku] for sku in skus if sku in kept.variants}

    def regions(self, queries: Queries) -> list[Json]:
        with self._changed:
            self._changed.wait_for(lambda: not self._asking_regions)
            kept = self._fresh()
            if kept.regions is None:
                kept.regions = queries.regions()
            return kept.regions

    # Of an audience, in a turn at its lists

    def group(self, audience: Audience) -> Json | None:
        """Our group; raises KeyError where nobody knows of it."""
        with self._changed:
            return self._fresh().groups[audience]

    def lists(self, audience: Audience) -> Held:
        """Our lists; raises KeyError where nobody knows of them."""
        with self._changed:
            return self._fresh().lists[audience]

    @contextmanager
    def writing(self, audience: Holder) -> Iterator[Callable[[Json | None, Held], None]]:
        """While the lists of this audience are changed; tell what there is then, if it is known.

        Whatever was asked for before the end of it is not believed.
        """
        after: list[tuple[Json | None, Held]] = []
        self._outdate(audience)
        try:
            yield lambda group, lists: after.append((group, lists))
        finally:
            with self._changed:
                self._outdate(audience)
                for group, lists in after:
                    self._kept.groups[audience], self._kept.lists[audience] = group, lists

    def _outdate(self, audience: Holder) -> None:
        with self._changed:
            self._written[audience] = self._written.get(audience, 0) + 1
            self._kept.lists.pop(audience, None)
            self._kept.groups.pop(audience, None)

    def _fresh(self, room: int = 0) -> _Kept:
        old = self._monotonic() - self._kept.since > LOOK_S
        if old or len(self._kept.variants) + room > MOST_LOOKED:
            self._kept = _Kept(self._monotonic())
        return self._kept
