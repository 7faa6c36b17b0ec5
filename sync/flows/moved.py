"""Records that changed hands: whoever had one must not go on seeing it (WA-8).

The ERP's change feed may name only the account that a record came to, and so does a
person who has one account looked at again. So the store is asked under which other
accounts it shows the numbers that are about to be shown, and what the ERP does not
tell of those accounts any more goes with the same plan, before anything is shown.

A number alone proves nothing: in some ERPs several accounts have an invoice of one
number. It is the ERP's word about the other account that counts. Only where that
account cannot be read is it judged by the record itself whether it is the same one:
then it has moved, and what could not be read does not keep it in sight.

What goes to an account that nobody is mapped to, or to a retail group, is shown to nobody
new, so nothing asks for its number: the former account's buyers see it until all accounts
are compared. To know sooner, all records of such accounts had to be read in every run.

Turned down: the same for ship-tos. Their IDs are the account's own ("MAIN"), so that
each new one would have many accounts read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from sync.domain.ids import CustomerId
from sync.errors import LeftAlone
from sync.flows.apart import UNANSWERED
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import Unreadable, in_erp, members_of_accounts, take_unreadable
from sync.planning.plan import Change
from sync.planning.spool import Spool
from sync.ports.erp import Erp, Feed, Finding, FindingLevel
from sync.ports.state import ResyncScope
from sync.ports.store import (
    FindsShownAccountOrders,
    FindsShownInvoices,
    MirrorsAccountOrders,
    MirrorsInvoices,
    Store,
)

log = structlog.get_logger()

V = TypeVar("V")

Key = tuple[str, ...]
"""The customer ID first, then the record's number."""


_FINDERS: Mapping[Feed, tuple[type, type, str]] = {
    Feed.INVOICES: (MirrorsInvoices, FindsShownInvoices, "invoices"),
    Feed.ACCOUNT_ORDERS: (MirrorsAccountOrders, FindsShownAccountOrders, "orders of accounts"),
}
"""What the store shows, how it finds it by number, and its name for people."""


def not_found_finding(erp: Erp, store: Store) -> Finding | None:
    """What stays in sight too long because the store cannot tell whose it is; None: nothing.

    Documents are compared as a whole in every run, for no feed tells of them.
    """
    feeds = erp.capabilities.change_feeds
    lacking = [
        name
        for feed, (shows, finds, name) in _FINDERS.items()
        if feed in feeds and isinstance(store, shows) and not isinstance(store, finds)
    ]
    if not lacking:
        return None
    flows = " and ".join(
        f"tradesync resync {feed.value}" for feed, (*_, name) in _FINDERS.items() if name in lacking
    )
    return Finding(
        "records that move",
        FindingLevel.WARNING,
        f"the store cannot tell whose {' and '.join(lacking)} it shows under a number: what the"
        " ERP moves to another account, the former one's buyers see until all accounts are"
        " compared, which is once a day",
        f"After such a move in the ERP: {flows}.",
    )


def account_of(key: Key) -> CustomerId:
    """Whose record it is."""
    return CustomerId(key[0])


@dataclass(frozen=True, slots=True)
class Numbered(Generic[V]):
    """One kind of record that has a number, and how both sides tell it.

    ``told`` gives the keys of what the ERP has for some accounts, ``elsewhere`` every
    key under which the store shows a record with the number of one of these. ``same``
    says of two records of one number whether they are one that moved.
    """

    told: Callable[[Collection[CustomerId]], Collection[Key]]
    shown: Callable[[Collection[CustomerId]], Mapping[Key, V]]
    elsewhere: Callable[[Collection[Key]], Collection[Key]]
    same: Callable[[V, V], bool]


class Moved(Generic[V]):
    """What one run shows under one account, and the store under another one too.

    ``numbered`` None: the store cannot tell. ``whole``: the run compares all accounts
    there are, and each loses by itself what it has no more, unless something of it
    cannot be read.
    """

    def __init__(
        self,
        context: Context,
        result: FlowResult,
        numbered: Numbered[V] | None,
        *,
        whole: bool,
    ) -> None:
        self._context, self._result = context, result
        self._numbered, self._whole = numbered, whole
        self._looked_at: set[CustomerId] = set()
        self._kept: dict[Key, V] = {}
        self._suspects: dict[Key, list[V]] = {}

    def see(
        self,
        customer_ids: Collection[CustomerId],
        wanted: Mapping[Key, V],
        shown: Mapping[Key, V],
        kept: Callable[[Key], bool],
    ) -> None:
        """Note what was compared: these accounts, both sides, and what stays unread."""
        if self._numbered is None:
            return
        self._looked_at.update(customer_ids)
        self._kept |= {k: held for k, held in shown.items() if k not in wanted and kept(k)}
        asked = [key for key in wanted if not self._whole or key not in shown]
        if not asked:
            return
        by_number: dict[Key, list[V]] = {}
        for key in asked:
            by_number.setdefault(key[1:], []).append(wanted[key])
        for key in self._numbered.elsewhere(asked):
            if key not in wanted:
                self._suspects.setdefault(key, []).extend(by_number.get(key[1:], ()))

    def withdraw(self, spool: Spool[Key, V]) -> None:
        """Plan to take what moved away from those who have it no more.

        Raises what the store raises, and LeftAlone.
        """
        if self._numbered is None or not self._suspects:
            return
        others = self._others()
        unread, told = self._told(others)
        held = self._numbered.shown(others) if others else {}
        for key, records in sorted(self._suspects.items(), key=lambda each: each[0]):
            compared = account_of(key) in self._looked_at
            # Of those compared all but this went with the plan, or is the ERP's word.
            shown = self._kept.get(key) if compared else held.get(key)
            if shown is None or key in told:
                continue
            unsure = compared or unread.shields(key[0])
            if unsure and not any(self._numbered.same(shown, each) for each in records):
                continue
            if compared:
                spool.tally.wanted -= 1
            else:
                spool.tally.shown += 1
            spool.add(Change(key, shown, None))
            self._result.count("moved_away")
            log.warning("record.moved_away", customer=key[0], record="/".join(key[1:]))

    def _others(self) -> list[CustomerId]:
        """Who has a suspect and was not compared. A retail group's is gone already."""
        groups = self._context.mapping.retail_groups
        owners = {account_of(key) for key in self._suspects}
        return sorted(each for each in owners - self._looked_at if each not in groups)

    def _told(self, others: Collection[CustomerId]) -> tuple[Unreadable, Collection[Key]]:
        """What could not be read of these accounts, and the keys that the ERP has."""
        if self._numbered is None or not others:
            return Unreadable(frozenset(), everybody=False), ()
        mapped = members_of_accounts(self._context, ResyncScope())
        asked = [each for each in others if each in mapped]
        retrying = self._context.retrying()
        try:
            told = self._numbered.told(in_erp(self._context, retrying, asked))
        except LeftAlone:
            raise
        except UNANSWERED as error:
            log.warning("record.unread_elsewhere", accounts=len(asked), reason=str(error))
            return Unreadable(frozenset(each.value for each in asked), everybody=False), ()
        unreadable = take_unreadable(self._context, self._result)
        mine = frozenset(each.value for each in asked if unreadable.shields(each.value))
        return Unreadable(mine, everybody=False), set(told)
