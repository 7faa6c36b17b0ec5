"""Orders as the ports see them, where they go out as files.

What the ERP's database says of an order wins over any file, where the profile
has statements that ask it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from erp_adapters.sql.database import Database
from erp_adapters.sql.file_drop.answers import AnswerBox
from erp_adapters.sql.file_drop.checking import DropCheck
from erp_adapters.sql.file_drop.outbox import Outbox
from erp_adapters.sql.file_drop.rendering import Renderer
from erp_adapters.sql.orders import FindsOrdersByKey, ReadsOrderStatusByKey, same_order
from erp_adapters.sql.profile_model import Profile
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, OrderStatus, SalesOrder
from sync.errors import Misconfigured, Rejected
from sync.kit.disk import Disk, FileSystem
from sync.kit.foreseeing import refusal_of
from sync.kit.one_writer import REMEDY
from sync.ports.erp import ErpCapabilities, Finding, FindingLevel


def _now() -> datetime:
    return datetime.now(UTC)


class SubmitsOrdersAsFiles(FindsOrdersByKey, ReadsOrderStatusByKey):
    """Order numbers follow with the answers, or with the database's status."""

    def __init__(
        self,
        profile: Profile,
        database: Database,
        *,
        files: FileSystem | None = None,
        now: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(profile, database)
        drop = profile.files
        if drop is None:
            raise Misconfigured(f"profile {profile.name} writes no files")
        disk = files or Disk()
        root = database.settings.order_folder
        self._renderer = Renderer(profile, drop)
        self._box = AnswerBox(drop, root, disk, monotonic)
        self._outbox = Outbox(drop, root, disk, self._box, now)
        self._drop_check = DropCheck(profile, drop, root, disk)

    @property
    def capabilities(self) -> ErpCapabilities:
        stated = super().capabilities
        unique = stated.unique_external_key and self._outbox.one_writer.possible
        return replace(stated, unique_external_key=unique)

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        return self._held_by_database(key) or self._outbox.standing(key).found()

    def foreseen_refusal(self, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
        return refusal_of(self._renderer.render, order, key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        files = self._renderer.render(order, key)
        held = self._held_by_database(key)
        refused = held is not None and held.refusal is not None
        if held is None or refused:
            held = self._outbox.send(order, key, files, refused=refused)
        return OrderAcknowledgement(None) if held is None else same_order(held, order, key)

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        told, unread = self._statuses(keys) if "order_status" in self.queries else ({}, ())
        # What the database says wins over any file, also where nobody can read it.
        open_keys = [key for key in keys if key not in unread]
        unnumbered = [key for key in open_keys if key not in told or told[key].number is None]
        for key, status in self._outbox.statuses(unnumbered):
            if key not in told:
                told[key] = status
            elif status.number is not None:
                told[key] = replace(told[key], number=status.number)
        return told

    def check(self) -> Sequence[Finding]:
        found = [*super().check(), *self._drop_check.findings()]
        if not any(each.level is FindingLevel.ERROR for each in found):
            found += self._drop_check.waiting(self._outbox, self._box, self._unknown_to_database)
            trouble = self._outbox.one_writer.trouble()
            if trouble is not None:
                found.append(Finding("locks", FindingLevel.WARNING, trouble, REMEDY))
        return tuple(found)

    def _held_by_database(self, key: IdempotencyKey) -> FoundOrder | None:
        return super().find_order(key) if "find_order" in self.queries else None

    def _unknown_to_database(self, key: IdempotencyKey) -> bool:
        return self._held_by_database(key) is None
