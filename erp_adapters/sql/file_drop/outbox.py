"""Puts the files of an order before the ERP once, and tells what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from erp_adapters.sql.file_drop.answers import NO_REASON, Answer, AnswerBox, Found, Says
from erp_adapters.sql.file_drop.model import FileDrop
from erp_adapters.sql.file_drop.rendering import Rendered
from erp_adapters.sql.file_drop.sent import Sent, SentRecords
from sync.domain.ids import ErpOrderNumber, IdempotencyKey
from sync.domain.sales_order import ErpOrderState, FoundOrder, OrderStatus, SalesOrder
from sync.errors import Rejected
from sync.kit.disk import FileSystem, there, translated
from sync.kit.key_names import safe_name
from sync.kit.one_writer import OneWriter

log = structlog.get_logger()

SILENT_FOR_AT_MOST = timedelta(days=7)
"""What is silent for longer has been told often enough, or its answer was tidied away."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands, by the files alone.

    ``unfinished``: its record is there and its last file is still hidden, so
    the ERP cannot have begun. ``shown``: the last file stands where the ERP
    looks, or keeps what it has taken.
    """

    sent: Sent | None
    unfinished: bool
    shown: bool
    answers: tuple[Answer, ...] = ()

    @property
    def taken(self) -> tuple[Answer, ...]:
        return tuple(each for each in self.answers if each.says is Says.TAKEN)

    @property
    def numbers(self) -> tuple[ErpOrderNumber, ...]:
        return tuple(dict.fromkeys(number for each in self.taken for number in each.numbers))

    @property
    def refusal(self) -> str | None:
        """The ERP's words where it refused and did not take it after all."""
        words = dict.fromkeys(
            each.message or NO_REASON for each in self.answers if each.says is Says.REFUSED
        )
        return " ".join(words) if words and not self.taken else None

    @property
    def there(self) -> bool:
        """Whether the ERP has it, had it, or has answered for it."""
        return bool(self.answers) or self.shown or (self.sent is not None and not self.unfinished)

    def found(self) -> FoundOrder | None:
        if not self.there:
            return None
        number = self.numbers[0] if self.numbers else None
        if self.sent is None:
            return FoundOrder(number, refusal=self.refusal)
        return self.sent.found(number, self.refusal)


class Outbox:
    """The folders of one ERP. ``now`` is our own clock.

    One order is written by one thread at a time, and by one process.
    """

    def __init__(
        self,
        drop: FileDrop,
        root: Path,
        files: FileSystem,
        box: AnswerBox,
        now: Callable[[], datetime],
    ) -> None:
        self._drop = drop
        self._root = root
        self._files = files
        self._box = box
        self._now = now
        self._imports = root / drop.folders.imports
        self._refused = root / drop.folders.refused
        self._writing = threading.Lock()
        self._told: set[str] = set()
        self._ours: set[str] = set()
        self.records = SentRecords(root / drop.folders.sent, files)
        self.one_writer = OneWriter(self.records.folder, files)

    # What became of an order.

    def standing(self, key: IdempotencyKey, found: Found | None = None) -> Standing:
        """Raises TryLater, AccessDenied, and Rejected for a damaged record."""
        stem = safe_name(key)
        sent = self.records.get(key)
        last = self._drop.last.file_name
        with translated(f"looking for {last.of(stem)}", self._imports):
            hidden = there(self._files, self._imports / last.hidden(stem))
            shown = there(self._files, self._imports / last.of(stem))
        if not shown and self._drop.folders.processed is not None:
            processed = self._root / self._drop.folders.processed
            with translated(f"looking for {last.of(stem)}", processed):
                shown = there(self._files, processed / last.of(stem))
        listed = self._box.listing() if found is None else found
        answers = self._box.read(listed.get(stem, ()))
        return Standing(sent, sent is not None and hidden and not shown, shown, answers)

    def statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Iterator[tuple[IdempotencyKey, OrderStatus]]:
        """The orders of these that went out, each with what the ERP said of it."""
        if not keys:
            return
        found = self._box.listing()
        for key in keys:
            try:
                standing = self.standing(key, found)
            except Rejected as error:
                self._tell("order.record_unreadable", safe_name(key), reason=str(error))
                continue
            if standing.there:
                yield key, self._status(key, standing)
        for stem in self.strangers(found):
            names = [path.name for _, path in found[stem]]
            self._tell("order.answer_unknown", stem, files=names)

    def strangers(self, found: Found) -> list[str]:
        """Names in answers that stand for no order of ours. They are left alone."""
        unknown = []
        with translated("looking for records", self.records.folder):
            for stem in sorted(found.keys() - self._ours):
                if there(self._files, self.records.path(stem)):
                    self._ours.add(stem)
                else:
                    unknown.append(stem)
        return unknown

    def silent(self, found: Found) -> list[Sent]:
        """Orders of the last days that the ERP should have answered by now, oldest first."""
        now = self._now()
        recent = [
            sent
            for stem, sent in self.records.since(now - SILENT_FOR_AT_MOST)
            if self._overdue(sent) and not self._box.read(found.get(stem, ()))
        ]
        return sorted(recent, key=lambda sent: (sent.sent_at, sent.key))

    def unfinished(self) -> list[str]:
        """Hidden files in the folder of the ERP: of attempts under way, or interrupted."""
        with translated("looking for hidden files", self._imports):
            names = self._files.names(self._imports)
        return sorted(name for name in names if name.startswith(".") and name.endswith(".part"))

    def _status(self, key: IdempotencyKey, standing: Standing) -> OrderStatus:
        if standing.refusal is not None:
            return OrderStatus(ErpOrderState.REFUSED, message=standing.refusal)
        if standing.taken:
            numbers = standing.numbers
            if len(numbers) > 1:
                both = ", ".join(str(number) for number in numbers)
                self._tell("order.answered_twice", safe_name(key), key=key.value, numbers=both)
                said = f"The ERP answered with several order numbers: {both}."
                return OrderStatus(ErpOrderState.OPEN, numbers[0], message=said)
            return OrderStatus(ErpOrderState.OPEN, numbers[0] if numbers else None)
        for answer in standing.answers:
            self._tell(
                "order.answer_unreadable",
                answer.path.name,
                key=key.value,
                file=str(answer.path),
                reason=answer.message,
            )
            return OrderStatus(ErpOrderState.RECEIVED, message="The ERP's answer is not readable.")
        if standing.sent is not None and self._overdue(standing.sent):
            since = f"{standing.sent.sent_at:%Y-%m-%d %H:%M} UTC"
            self._tell("order.answer_overdue", safe_name(key), key=key.value, sent_at=since)
            # No age in it: the status would be another one at every look.
            said = f"The ERP has not answered since {since}."
            return OrderStatus(ErpOrderState.RECEIVED, message=said)
        return OrderStatus(ErpOrderState.RECEIVED)

    def _overdue(self, sent: Sent) -> bool:
        return self._now() - sent.sent_at >= timedelta(seconds=self._drop.answer_alarm_after_s)

    def _tell(self, event: str, subject: str, **facts: object) -> None:
        """Once for each subject as long as the process lives."""
        if f"{event} {subject}" not in self._told:
            self._told.add(f"{event} {subject}")
            log.warning(event, **facts)

    # Sending an order.

    def send(
        self,
        order: SalesOrder,
        key: IdempotencyKey,
        files: Sequence[Rendered],
        *,
        refused: bool = False,
    ) -> FoundOrder | None:
        """Shows the files to the ERP, unless it has the order: then that is given back.

        What the ERP refused (``refused``: its database says so) is put aside
        first. Raises TryLater where surely nothing can be seen, OutcomeUnknown
        once something may be.
        """
        with self._writing, self.one_writer.of(safe_name(key)):
            standing = self.standing(key)
            if standing.refusal is not None or (refused and not standing.taken):
                self._put_aside(key, standing)
            elif standing.there:
                return standing.found()
            elif standing.unfinished and standing.sent and standing.sent.same_files(files):
                self._show(standing.sent, order)
                return None
            self._prepare(order, key, files)
            sent = Sent.of(order, key, files, self._now())
            with translated(f"noting order {order.web_number}", self.records.folder):
                self.records.put(sent)
            self._show(sent, order)
            return None

    def _prepare(self, order: SalesOrder, key: IdempotencyKey, files: Sequence[Rendered]) -> None:
        """All files on the disk, none of them visible, and no record of an earlier attempt."""
        record = self.records.path(safe_name(key))
        with translated(f"writing order {order.web_number}", self.records.folder):
            # First of all: without its hidden file a record would say that it was sent.
            if there(self._files, record):
                self._files.remove(record)
                self._files.settle(self.records.folder)
        with translated(f"writing order {order.web_number}", self._imports):
            for hidden in self._hidden(key):
                if there(self._files, hidden):
                    self._files.remove(hidden)
            try:
                for file in files:
                    self._files.write(self._imports / file.hidden, file.content)
                self._files.settle(self._imports)
            except OSError:
                self._clear_up(files)
                raise

    def _clear_up(self, files: Sequence[Rendered]) -> None:
        """Gives the room back, if it can be; the next attempt clears up again."""
        for file in files:
            with suppress(OSError):
                if self._files.facts(self._imports / file.hidden) is not None:
                    self._files.remove(self._imports / file.hidden)

    def _show(self, sent: Sent, order: SalesOrder) -> None:
        """Renames what is still hidden, the last file last."""
        doing = f"showing order {order.web_number} to the ERP"
        with translated(doing, self._imports, visible=True):
            for file in sent.files:
                hidden = self._imports / file.hidden
                if there(self._files, hidden):
                    self._files.rename(hidden, self._imports / file.name)
                    self._files.settle(self._imports)

    def _put_aside(self, key: IdempotencyKey, standing: Standing) -> None:
        """Moves everything of a refused order into the folder for it.

        The answer goes last: as long as it is there, the order is refused and
        not silent, wherever this is interrupted.
        """
        stem = safe_name(key)
        names = [file.file_name.of(stem) for file in reversed(self._drop.files)]
        found = [hidden for hidden in self._hidden(key) if self._is_there(hidden)]
        for folder in self._folders_of_the_erp():
            found += [folder / name for name in names if self._is_there(folder / name)]
        answers = [answer.path for answer in standing.answers]
        found = [path for path in found if path not in answers]
        record = self.records.path(stem)
        if self._is_there(record):
            found.append(record)
        for path in (*found, *answers):
            with translated(f"putting aside {path.name}", path.parent):
                # The ERP may have moved it meanwhile; then there is nothing to do.
                if self._files.facts(path) is not None:
                    self._files.rename(path, self._refused / self._aside(path.name))
                    self._files.settle(path.parent)
        with translated(f"putting aside {stem}", self._refused):
            self._files.settle(self._refused)
        log.info("order.refused_put_aside", key=key.value, files=len(found) + len(answers))

    def _aside(self, name: str) -> str:
        """``name.1``, or the next number that is free."""
        taken = set(self._files.names(self._refused))
        number = 1
        while f"{name}.{number}" in taken:
            number += 1
        return f"{name}.{number}"

    def _is_there(self, path: Path) -> bool:
        with translated(f"looking for {path.name}", path.parent):
            return there(self._files, path)

    def _hidden(self, key: IdempotencyKey) -> list[Path]:
        """The last file first: without it the others mean nothing."""
        stem = safe_name(key)
        return [self._imports / each.file_name.hidden(stem) for each in reversed(self._drop.files)]

    def _folders_of_the_erp(self) -> list[Path]:
        folders = (
            self._drop.folders.imports,
            self._drop.folders.processed,
            *self._drop.answer_folders,
        )
        return [self._root / each for each in dict.fromkeys(folders) if each is not None]
