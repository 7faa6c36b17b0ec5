"""Tries the folders of a file drop, and leaves nothing behind.

A small hidden file is written where orders will be written and moved to where
they may have to be moved, because nothing else proves that both will work: one
share may be two file systems, and a right may be missing that no listing shows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from erp_adapters.sql.checking import losses_finding
from erp_adapters.sql.file_drop.answers import AnswerBox
from erp_adapters.sql.file_drop.model import FileDrop
from erp_adapters.sql.file_drop.outbox import Outbox
from erp_adapters.sql.profile_model import Profile
from sync.domain.ids import IdempotencyKey
from sync.errors import SyncError
from sync.kit.disk import FileSystem, translated
from sync.ports.erp import Finding, FindingLevel

ENOUGH_BYTES = 50_000_000
NAMED = 5


class DropCheck:
    def __init__(self, profile: Profile, drop: FileDrop, root: Path, files: FileSystem) -> None:
        self._profile = profile
        self._drop = drop
        self._root = root
        self._files = files

    def findings(self) -> Iterator[Finding]:
        """Folders, rights, room, and fields that no file has a place for."""
        folders = self._folders()
        missing = []
        for name, folder in folders.items():
            try:
                with translated("looking", folder):
                    gone = self._files.facts(folder) is None
                    if not gone:
                        self._files.names(folder)
            except SyncError as error:
                yield Finding(f"folder {name}", FindingLevel.ERROR, str(error), _RIGHTS)
                missing.append(name)
                continue
            if gone:
                missing.append(name)
                yield Finding(
                    f"folder {name}",
                    FindingLevel.ERROR,
                    f"{folder} is not there",
                    "make the folder, or mount the share that it is on",
                )
        if not missing:
            yield from self._tried(folders)
        yield losses_finding(self._profile, self._drop.files)

    def waiting(
        self, outbox: Outbox, box: AnswerBox, unknown: Callable[[IdempotencyKey], bool]
    ) -> Iterator[Finding]:
        """Orders without an answer, answers without an order, and interrupted attempts."""
        try:
            found = box.listing()
            overdue = [sent for sent in outbox.silent(found) if unknown(sent.key)]
            strangers = outbox.strangers(found)
            unfinished = outbox.unfinished()
        except SyncError as error:
            yield Finding("answers", FindingLevel.ERROR, str(error), _RIGHTS)
            return
        if self._drop.answers and overdue:
            yield Finding(
                "answers",
                FindingLevel.WARNING,
                f"no answer yet to {len(overdue)} orders, the oldest of"
                f" {overdue[0].sent_at:%Y-%m-%d %H:%M} UTC:"
                f" {_named([sent.key.value for sent in overdue])}",
                "see whether the ERP's import runs; nothing is sent again by itself",
            )
        if strangers:
            yield Finding(
                "answers",
                FindingLevel.WARNING,
                f"answers to orders that were not sent from here: {_named(strangers)}",
                "see who else uses the folder, and move them away",
            )
        if unfinished:
            yield Finding(
                "order files",
                FindingLevel.WARNING,
                f"hidden files of attempts that did not end: {_named(unfinished)}",
                "the next attempt at the order completes or replaces them",
            )

    def _folders(self) -> dict[str, Path]:
        told = self._drop.folders
        named = {
            "import": told.imports,
            "sent": told.sent,
            "refused": told.refused,
            "processed": told.processed,
            "answers": told.answers,
        }
        named |= {each: each for each in self._drop.answer_folders if each not in named.values()}
        return {name: self._root / path for name, path in named.items() if path is not None}

    def _tried(self, folders: dict[str, Path]) -> Iterator[Finding]:
        refused = folders["refused"]
        for name, folder in folders.items():
            try:
                self._try(folder, refused)
                with translated("looking for room", folder):
                    free = self._files.free(folder)
            except SyncError as error:
                yield Finding(f"folder {name}", FindingLevel.ERROR, str(error), _REMEDY)
                continue
            if free < ENOUGH_BYTES:
                level = FindingLevel.ERROR if free == 0 else FindingLevel.WARNING
                room = f"{folder} has room for {free:,} bytes"
                yield Finding(f"folder {name}", level, room, "make room on that disk")
            else:
                yield Finding(f"folder {name}", FindingLevel.OK, f"{folder} can be used")

    def _try(self, folder: Path, refused: Path) -> None:
        """Writes there, moves it to where refused orders go, and takes it away again."""
        probe = f".tradesync-check-{uuid.uuid4().hex}.part"
        at = folder / probe
        with translated("trying to write", folder):
            try:
                self._files.write(at, b"tradesync check\r\n")
                if folder != refused:
                    self._files.rename(at, refused / probe)
                    at = refused / probe
            finally:
                if self._files.facts(at) is not None:
                    self._files.remove(at)


_RIGHTS = "give the service's account the right to read it"
_REMEDY = "let the service write there; the folders of one profile must be on one file system"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
