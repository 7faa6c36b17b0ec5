"""The last mapping that passed all checks, whole, so that it survives a restart.

A few versions before it are kept too, for whoever must undo an edit.
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from sync.ports.state import GoodMapping
from sync.state.schema import mapping_refusals, mapping_versions

KEEP = 10


class SqlMappingVersions:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def last_good(self) -> GoodMapping | None:
        query = (
            select(mapping_versions)
            .where(mapping_versions.c.pipeline == self._pipeline)
            .order_by(mapping_versions.c.id.desc())
            .limit(2)
        )
        newest = self._connection.execute(query).all()
        if not newest:
            return None
        good = newest[0]
        refusal = self._connection.execute(
            select(mapping_refusals).where(mapping_refusals.c.pipeline == self._pipeline)
        ).one_or_none()
        return GoodMapping(
            version=good.version,
            files=json.loads(good.files),
            at=good.at,
            refused_version=refusal.version if refusal else None,
            refused_problems=tuple(json.loads(refusal.problems)) if refusal else (),
            before=json.loads(newest[1].files) if newest[1:] else None,
        )

    def save_good(self, version: str, files: dict[str, str], now: datetime) -> None:
        """Keep it, and forget what was refused before it."""
        last = self.last_good()
        if last is None or last.version != version:
            self._connection.execute(
                insert(mapping_versions).values(
                    pipeline=self._pipeline,
                    version=version,
                    files=json.dumps(files, ensure_ascii=False, sort_keys=True),
                    at=now,
                )
            )
            self._forget_old()
        self._connection.execute(
            delete(mapping_refusals).where(mapping_refusals.c.pipeline == self._pipeline)
        )

    def note_refused(self, version: str, problems: tuple[str, ...], now: datetime) -> None:
        self._connection.execute(
            delete(mapping_refusals).where(mapping_refusals.c.pipeline == self._pipeline)
        )
        self._connection.execute(
            insert(mapping_refusals).values(
                pipeline=self._pipeline,
                version=version,
                problems=json.dumps(problems, ensure_ascii=False),
                at=now,
            )
        )

    def _forget_old(self) -> None:
        kept = (
            select(mapping_versions.c.id)
            .where(mapping_versions.c.pipeline == self._pipeline)
            .order_by(mapping_versions.c.id.desc())
            .limit(KEEP)
        )
        self._connection.execute(
            delete(mapping_versions).where(
                mapping_versions.c.pipeline == self._pipeline,
                mapping_versions.c.id.not_in(list(self._connection.scalars(kept))),
            )
        )
