"""Are the states of prices made of the entries that the feeds tell?

A state that is made of fewer of them hides changes; one that is another one each time it
is asked for spares nothing. Which columns it is made of only its author can know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sync.domain.pricing import PriceLevel, PriceScope
from sync.ports.erp import (
    Erp,
    Finding,
    FindingLevel,
    PriceState,
    ReadsPrices,
    TellsPriceStates,
    TellsUnreadable,
)

COMPARED = 20
"""Owners of each level of which the entries are counted: a check is to end soon."""


def state_findings(erp: Erp, scopes: Collection[PriceScope]) -> Iterator[Finding]:
    """One finding for each level that has states; ``scopes`` are all that the ERP names.

    Raises what the ERP raises.
    """
    if not isinstance(erp, TellsPriceStates) or not isinstance(erp, ReadsPrices):
        return
    for level in sorted(erp.stated_levels):
        own = sorted(scope for scope in scopes if scope.level is level)
        yield _finding(erp, erp, level, own)


def _finding(
    tells: TellsPriceStates, rows: ReadsPrices, level: PriceLevel, scopes: Collection[PriceScope]
) -> Finding:
    subject = f"price state {level.name.lower()}"
    states = tells.price_states(level)
    if level not in tells.stated_levels:
        return Finding(subject, FindingLevel.OK, "the database makes none: all is read each time")
    if wrong := _miscounted(rows, states):
        return Finding(
            subject,
            FindingLevel.ERROR,
            wrong,
            "Give the statements of these prices the same conditions: of what the state leaves out,"
            " no change is seen. Where prices were being changed at this moment, check again.",
        )
    if silent := [each for each in scopes if each not in states]:
        return Finding(
            subject,
            FindingLevel.WARNING,
            f"nothing is told of the {silent[0]}, which has prices",
            "Give the statements of these prices the same conditions; such a list is read every"
            " time, and where it is new, only by a full check.",
        )
    again = tells.price_states(level)
    if moving := sorted(each for each in states if again.get(each) != states[each]):
        return Finding(
            subject,
            FindingLevel.WARNING,
            f"the state of the {moving[0]} is another one a moment later",
            "Make it of nothing but the entries, whatever their order. Where prices were being"
            " changed at this moment, check again.",
        )
    return Finding(subject, FindingLevel.OK, f"tells of {len(states)} owners")


def _miscounted(rows: ReadsPrices, states: Mapping[PriceScope, PriceState]) -> str:
    if isinstance(rows, TellsUnreadable):
        rows.take_unreadable()  # what was read before is none of these lists'
    for scope in sorted(states)[:COMPARED]:
        counted = len(list(rows.prices([scope])))
        if isinstance(rows, TellsUnreadable):
            counted += len(rows.take_unreadable())
        if counted != states[scope].entries:
            return f"counts {states[scope].entries} entries of the {scope}, which has {counted}"
    return ""
