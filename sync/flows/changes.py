"""Reading only what changed, where the ERP can tell, and everything now and then.

A change feed names the accounts that were touched; each of them is compared as
a whole, so that deletions within it are seen too. The watermark is the ERP's own
clock at the moment when the read began, and moves only after the run succeeded.

A run succeeds for all others where it had to set accounts aside that cannot be read
(``sync.flows.apart``). Those are remembered by name and looked at in every run until
they can be read, whatever the feed says of them. Turned down: to leave the watermark
where it was. One account that is never read would make every run of every other a look
at everything, once the last full one is a day old.

The look at everything that comes once a day says what the feed had not told: a row that
was deleted, a change that its statement does not see, or what somebody did in the store. Of
another way of reading or showing records no feed knows either, and the remark names it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from sync.domain.codec import fingerprint
from sync.domain.ids import CustomerId
from sync.domain.times import Watermark
from sync.errors import SyncError
from sync.flows.context import Context, FlowResult
from sync.flows.everybody import everybody
from sync.planning.membership import Members
from sync.ports.erp import Feed, TellsChanges
from sync.ports.state import ResyncScope, Watermarks

# Late commits become visible behind the clock that the feed answered with.
OVERLAP = timedelta(minutes=10)
FULL_EVERY = timedelta(days=1)
NEVER = Watermark(datetime(1970, 1, 1, tzinfo=UTC))
NAMED = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Touched:
    """The accounts to look at; ``customer_ids`` None means every one.

    ``people`` is a digest of who is mapped to what at this run; ``counts`` and
    ``remarks`` are what the run had counted and how much it had remarked before.
    ``since``: everything is looked at although the feed can tell what changed since then,
    but for the accounts ``set_aside``, which could not be read before.
    """

    feed: Feed
    customer_ids: frozenset[CustomerId] | None
    reached: Watermark | None
    people: str
    counts: Mapping[str, int] = field(default_factory=dict)
    remarks: int = 0
    since: Watermark | None = None
    set_aside: frozenset[CustomerId] = frozenset()

    @property
    def everything(self) -> bool:
        return self.customer_ids is None

    def covers(self, customer_id: CustomerId) -> bool:
        return self.customer_ids is None or customer_id in self.customer_ids

    def tell_missed(
        self, context: Context, result: FlowResult, changed: Iterable[CustomerId]
    ) -> None:
        """Say of which of the accounts with changes the feed had told nothing.

        It is asked once they are compared, so that it is blamed for nothing that changed
        meanwhile.
        """
        erp, since = context.erp, self.since
        if since is None or not isinstance(erp, TellsChanges):
            return
        missed = set(changed) - self.set_aside
        if not missed:
            return
        try:
            named, _ = context.retrying()(erp.changed_customers, self.feed, since)
        except SyncError as error:
            # Who cannot tell now is not accused, and holds nothing up.
            log.warning("feed.not_asked", feed=self.feed.value, message=str(error))
            return
        missed -= set(named)
        if not missed:
            return
        result.count("missed_by_feed", len(missed))
        some = ", ".join(each.value for each in sorted(missed)[:NAMED])
        more = " and others" if len(missed) > NAMED else ""
        accounts = "1 account" if len(missed) == 1 else f"{len(missed)} accounts"
        result.remarks.append(
            f"The daily look at everything found changes of {accounts} that the ERP's change feed"
            f" had not told: {some}{more}. Rows were deleted there, the feed does not see every"
            " change, somebody else changed the store, or the records are read or shown in another"
            " way since (a changed profile, a new version)."
        )

    def start_over(self, result: FlowResult) -> None:
        """Take back what was told since, for a run that looks at everything after all."""
        result.counts.clear()
        result.counts.update(self.counts)
        del result.remarks[self.remarks :]
        result.outcome, result.message = "ok", ""

    def done(
        self,
        context: Context,
        result: FlowResult,
        unread: Collection[CustomerId],
        *,
        dry_run: bool,
    ) -> None:
        """Move the watermark, if the run went through for all but the ``unread``."""
        through = result.outcome == "ok" or (result.outcome == "try_later" and bool(unread))
        if dry_run or self.reached is None or not through:
            return
        if result.counts.get("refused_by_store"):
            return
        with context.state.transaction() as state:
            state.watermarks.set(self.feed.value, self.reached)
            self._note_unread(state.watermarks, {each.value for each in unread}, self.reached)
            if self.everything:
                state.watermarks.set(_full(self.feed), self.reached)
                state.watermarks.set(_full_for(self.feed, self.people), self.reached)

    def _note_unread(
        self, watermarks: Watermarks, unread: Collection[str], reached: Watermark
    ) -> None:
        """Each with the moment since when it cannot be read; those that were read are done."""
        known = watermarks.beneath(_unread(self.feed))
        watermarks.remove([_unread(self.feed) + each for each in known if each not in unread])
        for each in unread:
            if each not in known:
                watermarks.set(_unread(self.feed) + each, reached)


def touched_accounts(
    context: Context,
    result: FlowResult,
    feed: Feed,
    scope: ResyncScope,
    members: Mapping[CustomerId, Members],
    *,
    dry_run: bool,
) -> Touched:
    """Which accounts this run must look at.

    Everything: when the ERP cannot tell changes, when a person named a part or
    asked for it, when somebody was mapped otherwise since the last full run (the
    ERP's feed knows nothing of that), when accounts came or went in the store
    since then, when the ERP's clock was set back, and once a day. Whoever could not be
    read by the last run is among them in any case.
    """
    erp = context.erp
    people = _people(context, members)
    able = isinstance(erp, TellsChanges) and feed in erp.capabilities.change_feeds
    if not isinstance(erp, TellsChanges) or not able:
        return Touched(feed, None, None, people)
    if scope.narrow or scope.everything:
        if not dry_run:
            _not_for_these_alone(context, feed, scope, people)
        return Touched(feed, None, None, people)
    with context.state.transaction() as state:
        watermark = state.watermarks.get(feed.value)
        full = state.watermarks.get(_full(feed))
        full_for_these = state.watermarks.get(_full_for(feed, people))
        unread = frozenset(map(CustomerId, state.watermarks.beneath(_unread(feed))))
    retrying = context.retrying()
    now = retrying(erp.feed_now, feed)
    # Equal, not merely present: between two full runs for the same people there
    # may have been one for others, which withdrew what these should see.
    same_people = full is not None and full == full_for_these
    if full is not None and not same_people and not dry_run:
        # Before the first write: a run for these people that breaks off has
        # changed what those before them see.
        look_at_everything(context, [feed])
    if watermark is None or full is None or not same_people or now < watermark:
        # In the last case the ERP's clock was set back: what changed carries earlier times.
        return Touched(feed, None, now, people)
    since = Watermark(watermark.at - OVERLAP)
    if now.at - full.at >= FULL_EVERY:
        return Touched(feed, None, now, people, since=since, set_aside=unread)
    customer_ids, reached = retrying(erp.changed_customers, feed, since)
    counts, remarks = dict(result.counts), len(result.remarks)
    result.count("accounts_touched", len(customer_ids))
    return Touched(feed, frozenset(customer_ids) | unread, reached, people, counts, remarks)


def _not_for_these_alone(context: Context, feed: Feed, scope: ResyncScope, people: str) -> None:
    """A run that a person asked for, under another mapping than the last full run.

    It leaves no mark of its own. Should the mapping go back to what it was, the next run
    would take the store to show what the last full run left, while it shows what this one
    wrote: whoever was assigned in between would keep the account.
    """
    if scope.customer is not None:
        people = _people(context, everybody(context))
    with context.state.transaction() as state:
        full = state.watermarks.get(_full(feed))
        same = full == state.watermarks.get(_full_for(feed, people))
    if full is not None and not same:
        look_at_everything(context, [feed])


def _people(context: Context, members: Mapping[CustomerId, Members]) -> str:
    people = fingerprint([[each, members[each]] for each in sorted(members)])
    return f"{people[:16]}-{fingerprint(context.mapping.retail_groups)[:8]}"


def look_at_everything(context: Context, feeds: Iterable[Feed]) -> None:
    """Let the next run of these feeds look at every account.

    Needed wherever the store loses or gains an account: what belongs to it went
    with it, or is not there yet, and no feed of the ERP knows of that.
    """
    with context.state.transaction() as state:
        for feed in feeds:
            if state.watermarks.get(_full(feed)) is not None:
                state.watermarks.set(_full(feed), NEVER)


def _full(feed: Feed) -> str:
    return f"{feed.value}:full"


def _unread(feed: Feed) -> str:
    return f"{feed.value}:unread:"


def _full_for(feed: Feed, people: str) -> str:
    return f"{feed.value}:full:{people}"
