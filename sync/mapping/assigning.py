"""Assignments written into the mapping files by a program, each with its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sync.domain.ids import CustomerId, OrganisationId
from sync.errors import Rejected
from sync.mapping.editing import Edit, accounts_in, edited, sound_mapping
from sync.mapping.saving import alone, edit_in_place, taken_back_on_failure
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
        # In this order: whoever waits for another edit must not keep the daemon from its state.
        with (
            alone(self.folder),
            taken_back_on_failure(self.folder) as written,
            self.state.transaction() as state,
        ):
            before, after = edit_in_place(self.folder, change, written)
            if before != after:
                subject = f"{what} (mapping {before} -> {after})"
                state.audit.note(actor, action, subject, reason, self.clock.now())
        return before, after

    def assignment_of(self, organisation: OrganisationId) -> CustomerId | None:
        held = _held(read_texts(self.folder), organisation)
        return CustomerId(held) if held is not None else None

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> None:
        note = " ".join(reason.split())
        edit = Edit("", organisation.value, customer_id.value, note=note)

        def change(texts: Mapping[str, str]) -> Mapping[str, str]:
            held = _held(texts, organisation)
            if held not in (None, customer_id.value):
                raise Rejected(
                    f"organisation {organisation} stands for customer {held} in the mapping files",
                    code="mapped_otherwise",
                    remedy="correct the mapping files (tradesync map), or approve it anew",
                )
            return edited(texts, edit)

        self.edit(actor, "map", f"{edit.who} -> {customer_id}", reason, change)


def _held(texts: Mapping[str, str], organisation: OrganisationId) -> str | None:
    """Whose customer the files say it is. Raises FilesRefused for files that are refused."""
    return accounts_in(sound_mapping(texts)).get(("", organisation.value), (None, None))[0]
