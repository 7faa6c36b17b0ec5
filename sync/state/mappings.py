"""The last mapping that passed all checks, whole, so that it survives a restart.

Versions before it are kept too, for whoever must see or undo an edit: the last
few however large they are, and more of them while they are small together. A site
with a hundred thousand assignments keeps ten versions, most keep a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from sync.ports.state import GoodMapping, KeptMapping
from sync.state.schema import mapping_refusals, mapping_versions

KEEP = 10
"""So many versions are kept whatever their size."""
KEEP_AT_MOST = 100
KEEP_CHARACTERS = 16 * 2**20
"""Beyond KEEP, versions are kept while all of them together are not longer than this."""


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

    def kept(self) -> Sequence[KeptMapping]:
        columns = (mapping_versions.c.version, mapping_versions.c.at, mapping_versions.c.counts)
        query = (
            select(*columns)
            .where(mapping_versions.c.pipeline == self._pipeline)
            .order_by(mapping_versions.c.id.desc())
        )
        return [
            KeptMapping(row.version, row.at, json.loads(row.counts or "{}"))
            for row in self._connection.execute(query)
        ]

    def files_of(self, version: str) -> dict[str, str] | None:
        query = (
            select(mapping_versions.c.files)
            .where(mapping_versions.c.pipeline == self._pipeline)
            .where(mapping_versions.c.version == version)
            .order_by(mapping_versions.c.id.desc())
            .limit(1)
        )
        found: str | None = self._connection.scalar(query)
        files: dict[str, str] | None = None if found is None else json.loads(found)
        return files

    def save_good(
        self,
        version: str,
        files: dict[str, str],
        now: datetime,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Keep it, and forget what was refused before it."""
        last = self.last_good()
        if last is None or last.version != version:
            written = json.dumps(files, ensure_ascii=False, sort_keys=True)
            self._connection.execute(
                insert(mapping_versions).values(
                    pipeline=self._pipeline,
                    version=version,
                    files=written,
                    at=now,
                    counts=json.dumps(counts or {}, sort_keys=True),
                    size=len(written),
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
        query = (
            select(mapping_versions.c.id, mapping_versions.c.size)
            .where(mapping_versions.c.pipeline == self._pipeline)
            .order_by(mapping_versions.c.id.desc())
        )
        together = 0
        given_up = []
        for place, row in enumerate(self._connection.execute(query)):
            together += row.size or 0
            if place >= KEEP_AT_MOST or (place >= KEEP and together > KEEP_CHARACTERS):
                given_up.append(row.id)
        if given_up:
            self._connection.execute(
                delete(mapping_versions).where(mapping_versions.c.id.in_(given_up))
            )
