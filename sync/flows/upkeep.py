"""What the service does for itself once a day: it forgets people in orders that are done."""

from __future__ import annotations

from datetime import timedelta

import structlog

from sync.flows.context import OrderLimits, Progress, silent
from sync.ports.clock import Clock
from sync.ports.state import State

log = structlog.get_logger()

TOGETHER = 200


def reduce_payloads(
    state: State, clock: Clock, limits: OrderLimits, progress: Progress = silent
) -> int:
    """Take names, addresses and notes out of every order that has been done for long enough.

    Gives how many were reduced. Stops between two transactions when asked to.
    """
    before = clock.now() - timedelta(days=limits.payload_days)
    done = 0
    while True:
        with state.transaction() as on:
            some = on.ledger.reduce_done(before, clock.now(), TOGETHER)
        done += some
        if some < TOGETHER or progress("upkeep: reducing payloads", done, None):
            break
    if done:
        log.info("payloads.reduced", orders=done, older_than_days=limits.payload_days)
    return done
