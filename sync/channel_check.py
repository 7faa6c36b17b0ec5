"""Sales channels of the mapping beside those of the store, and of open orders (TL-4, VE-7).

The store shows its shoppers what its own settings say. Where they are other ones than
the mapping's, it lets people see or order what the import goes by other rules for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Any

from sync.domain.channel import Channel
from sync.domain.ids import ChannelId
from sync.flows.context import Context
from sync.mapping.problems import suggestion
from sync.mapping.reading import CHANNELS
from sync.ports.erp import Finding, FindingLevel
from sync.ports.state import LedgerFilter, LedgerState
from sync.ports.store import ListsChannels, ShopChannel

_OPEN = frozenset({LedgerState.DISCOVERED, LedgerState.WAITING, LedgerState.QUARANTINED})
_ADD = "Add it to channels.yaml: until then its orders wait in quarantine."
_SAME = "Say the same in both: the store shows what its own setting says, orders go by the mapping."
_NOWHERE = ("channels",)


def channel_findings(context: Context) -> Iterator[Finding]:
    """Channels that one side lacks or treats otherwise, as far as the store tells of any.

    Channels of orders are those that the ledger has heard of. Raises what the systems raise.
    """
    held = _of_open_orders(context)
    for channel in sorted(held):
        said = f"orders come over it ({held[channel]} are open), and channels.yaml lacks it"
        yield _finding(channel, said, _ADD, _NOWHERE)
    store = context.store
    if not isinstance(store, ListsChannels):
        return
    there, ours = context.retrying()(store.sales_channels), context.mapping.channels
    if not there:
        return
    for channel in sorted(there.keys() - ours.keys() - held.keys()):
        yield _finding(channel, "the store has it, and channels.yaml lacks it", _ADD, _NOWHERE)
    names = sorted(each.value for each in there)
    for channel in sorted(ours.keys() - there.keys()):
        said = "the store has no such channel: no order comes over it"
        fix = f"Write it as the store does: {suggestion(channel.value, names)}"
        yield _finding(channel, said, fix, ("channels", channel.value))
    for channel in sorted(ours.keys() & there.keys()):
        yield from _treated_otherwise(ours[channel], there[channel])


def _of_open_orders(context: Context) -> Counter[ChannelId]:
    """How many are open of each channel that the mapping lacks."""
    with context.state.transaction() as state:
        entries = state.ledger.entries(LedgerFilter(states=_OPEN))
    channels = (each.channel for each in entries)
    return Counter(
        each for each in channels if each is not None and each not in context.mapping.channels
    )


def _treated_otherwise(ours: Channel, theirs: ShopChannel) -> Iterator[Finding]:
    for field, mine, shown in (
        ("commerce_mode", ours.mode, theirs.mode),
        ("login_wall", ours.login_wall, theirs.login_wall),
        ("guest_checkout", ours.guest_checkout, theirs.guest_checkout),
    ):
        if shown is None or shown == mine:
            continue
        said = f"the store has {field} {_said(shown)}, the mapping {_said(mine)}"
        path = ("channels", ours.channel_id.value, field)
        yield _finding(ours.channel_id, said, _SAME, path)


def _said(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return "on" if value else "off"


def _finding(channel: ChannelId, said: str, remedy: str, path: tuple[int | str, ...]) -> Finding:
    return Finding(f"channel {channel}", FindingLevel.WARNING, said, remedy, CHANNELS, path)
