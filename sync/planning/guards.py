"""Guard rails: a plan that is too destructive to believe is not carried out (MI-3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sync.planning.plan import Tally


@dataclass(frozen=True, slots=True)
class Guard:
    """How much a single run of a mirror may change by itself.

    ``removal_share`` is a part of what is shown (0.2 is a fifth); up to
    ``removal_floor`` removals are always believed. ``price_step`` says from
    which relative change on a price counts as moved, ``price_share`` which part
    of the shown prices may move; ``price_floor`` moves are always believed.

    ``opening_floor``: so many restricted items may always open to everybody, but
    never all of them; more than that are judged by ``removal_share``.
    """

    removal_share: Decimal = Decimal("0.2")
    removal_floor: int = 20
    price_step: Decimal = Decimal("0.5")
    price_share: Decimal = Decimal("0.2")
    price_floor: int = 50
    opening_floor: int = 5


def suspicion(tally: Tally, guard: Guard, *, whole: bool) -> str | None:
    """Why the plan is not believed, with its numbers; None where it is.

    ``whole``: the plan covers everything that is shown, so that an empty source
    can be told from a small scope. What privacy demands to withdraw (WA-8) never
    passes here: it is done before anything is planned.
    """
    if (reason := _opening(tally, guard, whole=whole)) is not None:
        return reason
    kept = tally.shown
    if whole and tally.wanted == 0 and tally.opened == 0 and kept > 0:
        return f"the source is empty, and all {kept} shown would disappear"
    if tally.removed > guard.removal_floor and tally.removed > guard.removal_share * kept:
        return (
            f"{tally.removed} of {kept} shown would disappear "
            f"(limit: {guard.removal_share:%} and at least {guard.removal_floor})"
        )
    if tally.prices_moved > guard.price_floor and tally.prices_moved > guard.price_share * kept:
        return (
            f"{tally.prices_moved} of {kept} prices would move by {guard.price_step:%} or more "
            f"(limit: {guard.price_share:%} and at least {guard.price_floor})"
        )
    return None


def _opening(tally: Tally, guard: Guard, *, whole: bool) -> str | None:
    """Why it is not believed that so many items are everybody's from now on.

    A removal can be made good, a look at what was confidential cannot: so the floor is
    a low one, and not even that counts where nothing would be restricted any more, as
    if a table were empty.
    """
    opened, before = tally.opened, tally.restricted
    if whole and opened == before > 0:
        return f"all {before} restricted items would be open to everybody"
    if opened > guard.opening_floor and opened > guard.removal_share * before:
        return (
            f"{opened} of {before} restricted items would be open to everybody "
            f"(limit: {guard.removal_share:%} and at least {guard.opening_floor})"
        )
    return None


def needs_the_whole(tally: Tally, guard: Guard) -> bool:
    """Whether a plan for some accounts removes so much that only a plan for all can be judged.

    A source that dries up looks like a few removals here and a few there: account
    by account no floor would ever be reached.
    """
    empty = tally.wanted == 0 and tally.shown > 0
    return empty or tally.removed > guard.removal_share * tally.shown


def price_moved(before: Decimal | None, after: Decimal | None, step: Decimal) -> bool:
    """Whether a price changes by at least ``step`` of what it was, or appears from nothing."""
    if before is None or after is None:
        return before is not after
    if before == 0:
        return after != 0
    return abs(after - before) >= step * before
