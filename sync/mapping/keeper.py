"""Holds the mapping version in force for one pipeline, and swaps it as a whole."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

from sync.domain.mapping import SyncMapping
from sync.mapping.recorded import moved, taken_up
from sync.mapping.source import LoadedMapping, MappingSource, Stamp
from sync.ports.audit import Audit, AuditEntry, AuditFilter, AuditRecord, RecordKind
from sync.ports.clock import Clock
from sync.ports.state import GoodMapping, State
from sync.routing import AccountMap

BY_HAND = "by hand"
"""Stands for whoever edited the files without a command."""
RESTORE = "restore"
_ALL = 1_000_000


def counts_in(mapping: SyncMapping) -> dict[str, int]:
    """How many of what a version holds, for people who look for it later."""
    return {
        "assignments": len(mapping.assignments),
        "channels": len(mapping.channels),
        "policies": len(mapping.account_policies),
    }


class MappingKeeper:
    """The mapping of a pipeline. Readers get an immutable version; ``reload`` swaps it.

    A bad edit leaves the last good version in force, which is also kept in the
    state, so that a restart does not lose it (OP-4).
    """

    def __init__(
        self, source: MappingSource, state: State, clock: Clock, *, looks_on: bool = False
    ) -> None:
        """``looks_on``: for commands beside a daemon; nothing is written into the state."""
        self._source, self._state, self._clock = source, state, clock
        self._looks_on = looks_on
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._seen: Stamp | None = None
        self._held: tuple[LoadedMapping, AccountMap] | None = None

    @property
    def folder(self) -> Path:
        """Where the files are that people edit."""
        return self._source.folder

    def current(self) -> tuple[LoadedMapping, AccountMap]:
        """The version in force with its index; read from disk the first time.

        Raises Misconfigured where there is no usable version at all.
        """
        with self._lock:
            if self._held is None:
                self._held = self._load()
            return self._held

    def reload(self) -> LoadedMapping:
        """Read the folder again, whatever its stamp says."""
        with self._lock:
            self._held = self._load()
            return self._held[0]

    def reload_if_edited(self, *, at_rest: bool = False) -> bool:
        """Read the folder again if somebody touched a file; whether it was read.

        With ``at_rest`` only once the files are as they were at the last look: a
        table that is being copied may be sound line by line and end too early,
        and whoever stands below would be taken for retail.
        """
        with self._lock:
            stamp = self._source.stamp()
            last, self._seen = self._seen, stamp
            if stamp == self._stamp or (at_rest and stamp != last):
                return False
            self._held = self._load()
            return True

    def take_up(self, before: str, after: str) -> bool:
        """Let the files count at once that a program's edit made of the version in force.

        False, and nothing is changed, where another version than ``before`` is in force or
        the files are not ``after``: somebody else may still be at them. Whoever looks at the
        folder next finds it edited all the same, and does what follows from that.
        """
        with self._lock:
            if self._held is None or self._held[0].version != before:
                return False
            with self._state.transaction() as state:
                last_good = state.mappings.last_good()
            loaded = self._source.current_or_last_good(last_good)
            if loaded.version != after:
                return False
            if not self._looks_on:
                self._keep(loaded, last_good)
            self._held = loaded, AccountMap.of(loaded.mapping)
            return True

    def _load(self) -> tuple[LoadedMapping, AccountMap]:
        stamp = self._source.stamp()
        with self._state.transaction() as state:
            last_good = state.mappings.last_good()
        loaded = self._source.current_or_last_good(last_good)
        if not self._looks_on:
            self._keep(loaded, last_good)
        self._stamp = stamp
        return loaded, AccountMap.of(loaded.mapping)

    def _keep(self, loaded: LoadedMapping, last_good: GoodMapping | None) -> None:
        now = self._clock.now()
        with self._state.transaction() as state:
            if loaded.from_last_good:
                told = tuple(str(problem) for problem in loaded.refused_problems)
                state.mappings.note_refused(loaded.refused_version or "", told, now)
            elif (
                last_good is None
                or last_good.version != loaded.version
                # Or the bad edit was taken back: nothing is refused any more.
                or last_good.refused_version is not None
            ):
                counts = counts_in(loaded.mapping)
                taken_up(state, loaded.version)
                if last_good is not None:
                    _note_edit_by_hand(state.audit, last_good, loaded, now)
                state.mappings.save_good(loaded.version, dict(loaded.files), now, counts)


def _note_edit_by_hand(
    audit: Audit, before: GoodMapping, loaded: LoadedMapping, now: datetime
) -> None:
    """Keep the trail whole where no command noted how one version became the other (OP-4).

    What commands did since is followed back from the new version; who edited the rest
    is not known here, but to git, where the folder is a checkout.
    """
    by_hand = loaded.version
    noted: list[AuditEntry] = []
    while by_hand != before.version:
        made = AuditFilter(record=(RecordKind.MAPPING, by_hand), since=before.at)
        known = {each.number for each in noted}
        found = [
            each
            for each in audit.entries(made, limit=len(noted) + 1, records=_ALL)
            if each.number not in known
        ]
        if not found:
            break
        noted.append(found[0])
        # Of an edit that was restored over nothing counts.
        restored = found[0].action == RESTORE
        by_hand = before.version if restored else found[0].records[0].before
    if by_hand != before.version:
        by_commands = {(each.kind, each.key) for entry in noted for each in entry.records}
        moves = moved(before.files, loaded.files)
        audit.note(
            BY_HAND,
            "edited",
            f"the mapping files (mapping {before.version} -> {by_hand})",
            "found in place, and taken up",
            now,
            [
                AuditRecord(RecordKind.MAPPING, by_hand, before.version, by_hand),
                *(each for each in moves if (each.kind, each.key) not in by_commands),
            ],
        )
