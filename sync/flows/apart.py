"""Records of several accounts read together, and apart where one of them cannot be read.

A statement that takes too long for one account, or a record at which a service breaks
off, fails every read that it is part of. It must not keep all other accounts from
being served; nor may an ERP that is away be asked for each account singly. So what
cannot be read together is followed by the question for one account alone, and for
``PROBES`` of them at most. Where none of those is answered either, the system is away,
and the read is repeated like any other before its error is raised; at once where the
system itself says when to come again, or nothing is at its address. Otherwise the
accounts are parted by halves until those that cannot be read stand alone; they are set
aside for the rest of the run.

Each failure counts for the watch of the system, which shuts it off for everybody after
some in a row (``sync.systems``). So parts are tried once, only an account that stands
alone is asked for again and again, and in between one that can be read.

What is said of accounts here holds for scopes of prices as well.

Turned down: to end after two failures in a row. Two accounts that cannot be read may
stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

import structlog

from sync.domain.ids import CustomerId
from sync.domain.pricing import PriceScope
from sync.errors import (
    BrokenRead,
    LeftAlone,
    Refusal,
    SyncError,
    TryLater,
    may_be_the_questions,
)
from sync.flows.context import FlowResult
from sync.flows.retrying import Retrying

log = structlog.get_logger()

T = TypeVar("T")
Q = TypeVar("Q", bound=CustomerId | PriceScope)
"""What is asked for."""

Read = Callable[[Sequence[Q]], T]

PROBES = 3
"""So many accounts are asked for singly before the system is taken for away."""

MISSES = 3
"""After so many failures in a row one that was answered before is asked for again."""

UNANSWERED = (TryLater, Refusal, BrokenRead)
"""What may be the doing of one account."""

TOLD = 20
"""Accounts that one run names; the others are counted."""


class AccountUnread(TryLater):
    """One account cannot be read now, although others can."""


class Apart(Generic[Q]):
    """``unread``: the accounts that were set aside, each with what it was answered.

    ``others`` may be asked for to see whether the system is there. ``retrying`` is
    the one that the reads go through.
    """

    def __init__(self, retrying: Retrying, others: Sequence[Q]) -> None:
        self.unread: dict[Q, SyncError] = {}
        self._retrying, self._others = retrying, others
        self._answered: Q | None = None
        self._misses = 0
        self._away = False

    def read(self, asked: Sequence[Q], read: Read[Q, T]) -> list[T]:
        """The answers, which together are about all of these but the ``unread`` ones.

        One answer where nothing is wrong, and none where nobody is left to ask for.
        Raises what says that the system itself is away, or shut.
        """
        ids = [each for each in asked if each not in self.unread]
        if not ids:
            return []
        if not self._away:
            try:
                with self._retrying.once():
                    answer = read(ids)
            except LeftAlone:
                raise
            except UNANSWERED as error:
                if may_be_the_questions(error) and self._is_there(ids, read):
                    log.warning("reading.parted", asked=len(ids), reason=str(error))
                    return self._parted(ids, read)
                self._away = True
            else:
                self._answered = ids[0]
                return [answer]
        answer = read(ids)
        self._away = False
        self._answered = ids[0]
        return [answer]

    def _is_there(self, ids: Sequence[Q], read: Read[Q, T]) -> bool:
        return any(self._is_answered(each, read) for each in self._probes(ids))

    def _probes(self, ids: Sequence[Q]) -> list[Q]:
        """Whom to ask for alone: best one who was answered before, or is not among these."""
        among = set(ids)
        outside = [each for each in islice(self._others, 2 * len(ids) + 2) if each not in among]
        inside = [ids[0], ids[-1], ids[len(ids) // 2]] if len(ids) > 1 else []
        answered = [] if self._answered is None or self._answered in ids else [self._answered]
        candidates = dict.fromkeys([*answered, *outside[:2], *inside])
        return [each for each in candidates if each not in self.unread][:PROBES]

    def _is_answered(self, each: Q, read: Read[Q, T]) -> bool:
        try:
            with self._retrying.once():
                read([each])
        except LeftAlone:
            raise
        except UNANSWERED:
            return False
        self._answered = each
        self._misses = 0
        return True

    def _parted(self, ids: Sequence[Q], read: Read[Q, T]) -> list[T]:
        """The answers about the two halves of what cannot be read together."""
        if len(ids) == 1:
            return self._alone(ids[0], read)
        found: list[T] = []
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            try:
                with self._retrying.once():
                    found.append(read(half))
            except LeftAlone:
                raise
            except UNANSWERED as error:
                self._misses += 1
                if self._misses >= MISSES:
                    self._see_that_it_is_there_still(read, error)
                found.extend(self._parted(half, read))
            else:
                self._misses = 0
        return found

    def _alone(self, each: Q, read: Read[Q, T]) -> list[T]:
        """The answer about this one account; none, and it is set aside, where there is none."""
        if self._misses:
            self._see_that_it_is_there_still(read, None)
        try:
            answer = read([each])
        except LeftAlone:
            raise
        except UNANSWERED as error:
            self._see_that_it_is_there_still(read, error)
            self.unread[each] = error
            return []
        return [answer]

    def _see_that_it_is_there_still(self, read: Read[Q, T], error: SyncError | None) -> None:
        """Raises the error where the system has gone away meanwhile."""
        if self._answered is None or self._is_answered(self._answered, read):
            return
        self._away = True
        if error is not None:
            raise error


def tell_accounts(result: FlowResult, unread: Mapping[CustomerId, SyncError]) -> None:
    """Say in a mirror's result whom it could not be done for; it is not ok then."""
    for customer_id, error in sorted(unread.items()):
        log.error("account.unreadable", customer=customer_id.value, reason=str(error))
    said = {each.value: error for each, error in unread.items()}
    _tell(result, "accounts_unread", said, "Customer {} cannot be read", "accounts")


def tell_scopes(result: FlowResult, unread: Mapping[PriceScope, SyncError]) -> None:
    """The same of prices."""
    for scope, error in sorted(unread.items()):
        log.error("prices.unreadable", scope=str(scope), reason=str(error))
    said = {str(each): error for each, error in unread.items()}
    _tell(result, "price_scopes_unread", said, "The {} prices cannot be read", "price scopes")


def _tell(
    result: FlowResult, counted: str, unread: Mapping[str, SyncError], one: str, many: str
) -> None:
    if not unread:
        return
    result.count(counted, len(unread))
    names = sorted(unread)
    result.remarks.extend(
        f"{one.format(each)}: {unread[each]}; what is shown of it stays." for each in names[:TOLD]
    )
    named = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    result.outcome = "try_later"
    result.message = (
        f"{result.message} {len(names)} {many} cannot be read ({named}) and stay as they are; "
        "all others were looked at."
    ).strip()
