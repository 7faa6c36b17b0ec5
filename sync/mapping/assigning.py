"""Assignments written into the mapping files by a program, each with its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sync.domain.ids import CustomerId, OrganisationId
from sync.domain.mapping import SyncMapping
from sync.errors import Rejected
from sync.mapping.editing import Edit, accounts_in, edited, sound_mapping
from sync.mapping.recorded import Deed, RecordedEdit, recorded
from sync.mapping.restoring import restored
from sync.mapping.saving import Found, Written, edit_in_place, found_in, put_in_place
from sync.mapping.source import read_texts
from sync.ports.clock import Clock
from sync.ports.state import State

Change = Callable[[Mapping[str, str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class MappingFiles:
    """The mapping files of one pipeline, to be edited by programs."""

    folder: Path
    state: State
    clock: Clock

    def edit(
        self, actor: str, action: str, what: str, reason: str, change: Change
    ) -> tuple[str, str]:
        """The edit and its audit entry: where one of them cannot be written, neither.

        Gives the versions before and after; equal ones were no edit.
        """
        return self.carry_out(Deed(actor, action, lambda: what, reason), change)

    def carry_out(self, deed: Deed, change: Change) -> tuple[str, str]:
        """As ``edit``, where what it comes to is known only once ``change`` was asked."""

        def write(edit: RecordedEdit, written: Written) -> tuple[str, str]:
            def announced(texts: Mapping[str, str]) -> Mapping[str, str]:
                after = change(texts)
                edit.announce(texts, after)
                return after

            return edit_in_place(self.folder, announced, written)

        return recorded(self.folder, self.state, self.clock, deed, write)

    def put_back(
        self, deed: Deed, files: Mapping[str, str], *, force: bool
    ) -> tuple[str | None, str]:
        """The files of an earlier version, in place of those that are there.

        Raises Conflict where they hold an edit that was never in force, unless ``force``.
        The version before is None where the files could not be read.
        """

        def write(edit: RecordedEdit, written: Written) -> tuple[str | None, str]:
            def announced(found: Found) -> dict[str, str | None]:
                wanted, in_force = self._wanted(found, files, force=force)
                after = {**(found.texts or {}), **wanted}
                whole = {name: text for name, text in after.items() if text is not None}
                edit.announce(found.texts, whole, in_force)
                return wanted

            return put_in_place(self.folder, announced, written)

        return recorded(self.folder, self.state, self.clock, deed, write)

    def refuse_loss(self, files: Mapping[str, str], *, force: bool) -> None:
        """Raise what ``put_back`` would raise before it writes anything."""
        self._wanted(found_in(self.folder), files, force=force)

    def _wanted(
        self, found: Found, files: Mapping[str, str], *, force: bool
    ) -> tuple[dict[str, str | None], Mapping[str, str]]:
        """What is to be written so that the folder says it, and the files in force."""
        with self.state.transaction() as state:
            good = state.mappings.last_good()
            in_force = good.files if good else {}
            wanted = restored(
                found,
                files,
                known={each.version for each in state.mappings.kept()},
                texts_of=state.mappings.files_of,
                in_force=in_force,
                force=force,
            )
        return wanted, in_force

    def assignment_of(self, organisation: OrganisationId) -> CustomerId | None:
        held = _held(read_texts(self.folder), organisation)
        return CustomerId(held) if held is not None else None

    def with_assignment(self, organisation: OrganisationId, customer_id: CustomerId) -> SyncMapping:
        return sound_mapping(_assigned(read_texts(self.folder), organisation, customer_id))

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        note = " ".join(reason.split())

        def change(texts: Mapping[str, str]) -> Mapping[str, str]:
            return _assigned(texts, organisation, customer_id, note)

        what = f"organisation {organisation} -> {customer_id}"
        return self.edit(actor, "map", what, reason, change)


def _assigned(
    texts: Mapping[str, str],
    organisation: OrganisationId,
    customer_id: CustomerId,
    note: str = "",
) -> Mapping[str, str]:
    """The files with this line. Raises Rejected where they name another customer for it."""
    held = _held(texts, organisation)
    if held not in (None, customer_id.value):
        raise Rejected(
            f"organisation {organisation} stands for customer {held} in the mapping files",
            code="mapped_otherwise",
            remedy="correct the mapping files (tradesync map), or approve it anew",
        )
    return edited(texts, Edit("", organisation.value, customer_id.value, note=note))


def _held(texts: Mapping[str, str], organisation: OrganisationId) -> str | None:
    """Whose customer the files say it is. Raises FilesRefused for files that are refused."""
    return accounts_in(sound_mapping(texts)).get(("", organisation.value), (None, None))[0]
