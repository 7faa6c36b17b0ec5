"""An edit of the mapping files and its entry in the audit trail: both, or neither.

The files and the state cannot be written in one step, so the entry comes first: it is
announced with the versions before and after, then the files are written, then it is
settled. Where that stops half-way the files tell whoever edits next, or the daemon that
takes them up, whether it was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sync.errors import SyncError
from sync.mapping.problems import FilesRefused
from sync.mapping.reading import rows_in, version_of
from sync.mapping.saving import Written, alone, half_written, taken_back_on_failure
from sync.mapping.source import read_texts
from sync.ports.audit import AuditEntry, AuditRecord, RecordKind
from sync.ports.clock import Clock
from sync.ports.state import State, Transaction

Texts = Mapping[str, str]
Versions = TypeVar("Versions")


@dataclass(frozen=True, slots=True)
class Deed:
    """Who edits the files, how it is called, what it comes to in words, and why.

    ``what`` is asked once the new files are made.
    """

    actor: str
    action: str
    what: Callable[[], str]
    reason: str


@dataclass(slots=True)
class RecordedEdit:
    """One edit under way. ``announce`` is called by whoever makes the new files."""

    state: State
    clock: Clock
    deed: Deed
    _number: int | None = field(default=None, init=False)

    def announce(self, before: Texts | None, after: Texts, held: Texts | None = None) -> None:
        """Equal files are no edit. ``before`` None: they could not be read.

        ``held`` are the files that counted until now, where those before do not.
        """
        was, now = version_of(before) if before is not None else None, version_of(after)
        if was == now:
            return
        deed = self.deed
        if held is None:
            held = before or {}
        with self.state.transaction() as state:
            self._number = state.audit.note(
                deed.actor,
                deed.action,
                f"{deed.what()} (mapping {was} -> {now})",
                deed.reason,
                self.clock.now(),
                [AuditRecord(RecordKind.MAPPING, now, was or "", now), *moved(held, after)],
                begun=True,
            )

    def settle(self) -> None:
        if self._number is not None:
            with self.state.transaction() as state:
                state.audit.settle(self._number)


def recorded(
    folder: Path,
    state: State,
    clock: Clock,
    deed: Deed,
    write: Callable[[RecordedEdit, Written], Versions],
) -> Versions:
    """Carry out an edit with its audit entry; the versions before and after.

    ``write`` announces it before the first file is written, and puts the files in
    place. Raises what it raises, and what the state raises; nothing is changed then.
    """
    # In this order: whoever waits for another edit must not keep the daemon from its state.
    with alone(folder):
        _settle_earlier(folder, state)
        edit = RecordedEdit(state, clock, deed)
        try:
            with taken_back_on_failure(folder) as written:
                versions = write(edit, written)
                edit.settle()
        except BaseException:
            with suppress(SyncError):  # whoever comes next tries again
                _settle_earlier(folder, state)
            raise
        return versions


def taken_up(state: Transaction, version: str) -> None:
    """The version is in force: whatever was announced to make it was done."""
    for each in state.audit.announced():
        if made(each) == version:
            state.audit.settle(each.number)


def made(entry: AuditEntry) -> str | None:
    """The version of the mapping that came of it; None where it is about something else."""
    first = entry.records[0] if entry.records else None
    return first.after if first is not None and first.kind is RecordKind.MAPPING else None


def moved(before: Texts, after: Texts) -> Iterator[AuditRecord]:
    """Who has another account afterwards, then the accounts that this is about.

    By what the files assign; an exception is the user's.
    """
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    then, now = _assigned(before, changed), _assigned(after, changed)
    customers = dict[str, None]()
    for key in sorted(then.keys() | now.keys()):
        was, is_now = then.get(key, ""), now.get(key, "")
        if was == is_now:
            continue
        customers |= dict.fromkeys(each for each in (was, is_now) if each)
        user, organisation = key
        if user:
            yield AuditRecord(RecordKind.USER, user, was, is_now)
        if organisation and not user:
            yield AuditRecord(RecordKind.ORGANISATION, organisation, was, is_now)
        elif organisation:
            yield AuditRecord(RecordKind.ORGANISATION, organisation)
    for customer in customers:
        yield AuditRecord(RecordKind.CUSTOMER, customer)


def _assigned(texts: Texts, names: Iterable[str]) -> dict[tuple[str, str], str]:
    chosen = {name: texts[name] for name in names if name in texts}
    return {(each.user, each.organisation): each.customer_id for each in rows_in(chosen)}


def _settle_earlier(folder: Path, state: State) -> None:
    """What another program announced here and did not see through; it is gone by now."""
    with state.transaction() as on:
        pending = [each for each in on.audit.announced() if made(each) is not None]
        if not pending:
            return
        taken_up_at = {each.version: each.at for each in reversed(on.mappings.kept())}
    if half_written(folder):
        return  # none of the files counts before it is put right
    here = _version_in(folder)
    with state.transaction() as on:
        for each in pending:
            since = taken_up_at.get(made(each) or "")
            if made(each) == here or (since is not None and since > each.at):
                on.audit.settle(each.number)
            elif each.records[0].before == here:
                on.audit.withdraw(each.number)
            else:
                on.audit.settle(each.number, _NOT_KNOWN)


_NOT_KNOWN = "; the command ended before it was known to be done, and others edited since"


def _version_in(folder: Path) -> str | None:
    try:
        return version_of(read_texts(folder))
    except FilesRefused:
        return None
