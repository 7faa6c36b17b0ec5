"""Doubts an edit that takes most assignments away at once, or gives most another account.

A filter left on in a spreadsheet, or one column sorted without the others, makes
a file without a single mistake in it. It is taken up all the same, because there
are good reasons for such an edit too, and nobody is there to be asked; but not
in silence. What the store shows is kept by the guard rails of the mirrors (MI-3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync.domain.ids import CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, SyncMapping
from sync.mapping.problems import FileProblem
from sync.mapping.reading import CUSTOMERS_TABLE, check_texts

FEW = 2
"""So many may always go, or name another account: a person sees at a glance whether it is meant."""

_REMEDY = "look whether all lines and columns are as they should be; if they are, nothing is to do"


def doubted_losses(before: Mapping[str, str], now: SyncMapping) -> tuple[FileProblem, ...]:
    """A warning where most of the assignments in the files ``before`` changed.

    Assignments that were added count for nothing. Empty where ``before`` is no good
    mapping any more.
    """
    earlier = check_texts(before).mapping
    if earlier is None:
        return ()
    then, today = _accounts(earlier.assignments), _accounts(now.assignments)
    gone = sum(1 for who in then if who not in today)
    moved = sum(1 for who in then if who in today and today[who] != then[who])
    if not are_most(gone + moved, len(then)):
        return ()
    message = (
        f"of the {len(then)} assignments before the last edit {gone} are gone"
        f" and {moved} name another customer_id"
    )
    return (FileProblem(CUSTOMERS_TABLE, 0, 0, "", message, _REMEDY),)


def are_most(lost: int, before: int) -> bool:
    """Whether so many of the assignments before are more than half of them, and not only a few."""
    return lost > FEW and 2 * lost > before


def _accounts(
    assignments: Iterable[Assignment],
) -> dict[tuple[WebUserId | None, OrganisationId | None], CustomerId]:
    return {(one.user, one.organisation): one.customer_id for one in assignments}
