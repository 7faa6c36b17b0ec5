"""Writes what the watches know into the state, where ``status`` reads it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from sync.ports.state import State
from sync.ports.systems import SystemRecord
from sync.secrecy import scrubbed
from sync.systems.watch import SystemWatch

# A system that is well is told of this often, so that "last answer" stays true enough.
AT_LEAST_EVERY = timedelta(seconds=60)


def keep_records(state: State, watches: Collection[SystemWatch]) -> list[SystemRecord]:
    """Write each record that says something new; gives all of them."""
    records = [watch.record() for watch in watches]
    records = [replace(each, message=scrubbed(each.message)) for each in records]
    with state.transaction() as on:
        held = {record.name: record for record in on.systems.all()}
        for record in records:
            if _news(held.get(record.name), record):
                on.systems.put(record)
    return records


def _news(held: SystemRecord | None, record: SystemRecord) -> bool:
    if held is None:
        return True
    if record.last_success_at is None and record.last_failure_at is None:
        # A process that has only just begun knows less than the one before it.
        return False
    if _essence(held) != _essence(record):
        return True
    last = record.last_success_at
    return last is not None and (
        held.last_success_at is None or last - held.last_success_at >= AT_LEAST_EVERY
    )


def _essence(record: SystemRecord) -> SystemRecord:
    """Without what changes at every call."""
    return replace(
        record,
        last_success_at=None,
        last_failure_at=None,
        next_try_at=None if record.next_try_at is None else record.since,
        clock_skew_s=None if not record.clock_is_off else 1.0,
    )
