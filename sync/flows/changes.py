"""Reading only what changed, where the ERP can tell, and everything now and then.

A change feed names the accounts that were touched; each of them is compared as
a whole, so that deletions within it are seen too. The watermark is the ERP's own
clock at the moment when the read began, and moves only after the run succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync.domain.ids import CustomerId
from sync.domain.times import Watermark
from sync.flows.context import Context, FlowResult
from sync.ports.erp import Feed, TellsChanges
from sync.ports.state import ResyncScope

# Late commits become visible behind the clock that the feed answered with.
OVERLAP = timedelta(minutes=10)
FULL_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Touched:
    """The accounts to look at; ``customer_ids`` None means every one."""

    feed: Feed
    customer_ids: frozenset[CustomerId] | None
    reached: Watermark | None
    mapping_version: str

    @property
    def everything(self) -> bool:
        return self.customer_ids is None

    def covers(self, customer_id: CustomerId) -> bool:
        return self.customer_ids is None or customer_id in self.customer_ids

    def done(self, context: Context, result: FlowResult, *, dry_run: bool) -> None:
        """Move the watermark, if the run went through."""
        if dry_run or self.reached is None or result.outcome != "ok":
            return
        if result.counts.get("refused_by_store"):
            return
        name = self.feed.value
        with context.state.transaction() as state:
            state.watermarks.set(name, self.reached)
            if self.everything:
                state.watermarks.set(_full(name, self.mapping_version), self.reached)


def touched_accounts(
    context: Context, result: FlowResult, feed: Feed, scope: ResyncScope
) -> Touched:
    """Which accounts this run must look at.

    Everything: when the ERP cannot tell changes, when a person named a customer,
    when the mapping is another than at the last full run, and once a day.
    """
    erp, version = context.erp, context.mapping.version
    if not isinstance(erp, TellsChanges) or feed not in erp.capabilities.change_feeds:
        return Touched(feed, None, None, version)
    if scope != ResyncScope():
        return Touched(feed, None, None, version)
    with context.state.transaction() as state:
        watermark = state.watermarks.get(feed.value)
        last_full = state.watermarks.get(_full(feed.value, version))
    retrying = context.retrying()
    now = retrying(erp.feed_now, feed)
    if watermark is None or last_full is None or now.at - last_full.at >= FULL_EVERY:
        return Touched(feed, None, now, version)
    since = Watermark(watermark.at - OVERLAP)
    customer_ids, reached = retrying(erp.changed_customers, feed, since)
    result.count("accounts_touched", len(customer_ids))
    return Touched(feed, frozenset(customer_ids), reached, version)


def _full(name: str, mapping_version: str) -> str:
    return f"{name}:full:{mapping_version}"
