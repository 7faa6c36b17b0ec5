"""Which prices a run compares with the store itself, and has the ERP tell in any case.

What the store has confirmed, and what the ERP's server says of its lists, spares most of
the work of a night. Neither is the truth: somebody may have changed the store by hand, and
a state may be made without a column that counts. So all of it is checked once in a period,
a share of the owners in each run: those whose own moment of the period has come since the
last run. Every night costs the same, and a run that failed is made up for by the next.

What no state tells of is found where all of a level is read: each level has such a moment, too.

A store with lists that accounts share is checked as a whole. What somebody changed in
such a list concerns all who are on it, and is to be put right for all of them at once.

Turned down: to remember of each owner when it was checked last. It would be as many rows to
write each night as are checked in it, to know what the clock tells.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.domain.pricing import PriceLevel, PriceScope
from sync.domain.times import Watermark
from sync.flows.context import Context
from sync.planning.spread import all_is_due, has_come, seconds

CHECKED = "prices:full"
"""Up to when everything whose moment had come was checked."""

ALL_CHECKED = "prices:all"
"""When all of it was checked in one run. What was checked as its moment came may have been
so a period before ``CHECKED``: who checks all of it at once counts from here."""


@dataclass(frozen=True, slots=True)
class Checking:
    """What is due of ``period_s`` between two moments, in seconds.

    ``since`` None: everything. ``spread``: not all of it at once.
    """

    period_s: float
    since: float | None
    now: float
    spread: bool = True

    @classmethod
    def of(cls, context: Context, began: Watermark, *, everything: bool, spread: bool) -> Checking:
        with context.state.transaction() as state:
            last = state.watermarks.get(CHECKED if spread else ALL_CHECKED)
        since = None if everything or last is None else seconds(last.at)
        return cls(context.limits.full_price_check_s, since, seconds(began.at), spread)

    @property
    def everything(self) -> bool:
        return all_is_due(self.since, self.now, self.period_s)

    def due(self, scope: PriceScope) -> bool:
        """Whether the scope is read and compared whatever is known of it."""
        return self._has_come(f"{scope.level.name}|{scope.owner}")

    def due_whole(self, level: PriceLevel) -> bool:
        """Whether all that there is of the level is read."""
        return self._has_come(level.name)

    def note(self, context: Context, began: Watermark) -> None:
        """All that was due is checked."""
        if not self.everything and not self.spread:
            return
        with context.state.transaction() as state:
            state.watermarks.set(CHECKED, began)
            if self.everything:
                state.watermarks.set(ALL_CHECKED, began)

    def _has_come(self, name: str) -> bool:
        if self.since is None or self.everything:
            return True
        if not self.spread:
            return False
        return has_come(name, self.since, self.now, self.period_s)
