"""Do prices begin and end in the store with the days of the ERP's calendar? (VE-12)

Most stores are told days. One that is told moments makes them of days by a setting of its
own: with that of another zone every price changes hours before or after it does in the ERP.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sync.ports.erp import Erp, Finding, FindingLevel
from sync.ports.store import Store

LOOKED_AT = 400
"""Days from today on of which the calendars are compared: clocks change twice among them."""


def calendar_findings(erp: Erp, store: Store, now: datetime) -> Iterator[Finding]:
    """A warning where the store begins and ends prices by other days than the ERP."""
    named, theirs = store.capabilities.price_time_zone, erp.capabilities.time_zone
    if named is None or _same_days(ZoneInfo(named), ZoneInfo(theirs), now):
        return
    yield Finding(
        "time_zone",
        FindingLevel.WARNING,
        f"prices begin and end with the days of {named} in the store, and with those of {theirs}"
        " in the ERP: on those days the store shows the wrong one for hours",
        f'Set time_zone = "{theirs}" of the store in config/tradesync.toml.',
    )


def _same_days(one: ZoneInfo, other: ZoneInfo, now: datetime) -> bool:
    moments = (now + timedelta(days=number) for number in range(LOOKED_AT))
    return all(
        each.astimezone(one).utcoffset() == each.astimezone(other).utcoffset() for each in moments
    )
