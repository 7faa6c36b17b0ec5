"""How far each feed is done. Set in the transaction that holds what lies behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from sync.domain.times import Watermark
from sync.state.schema import watermarks


class SqlWatermarks:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def get(self, name: str) -> Watermark | None:
        query = select(watermarks.c.at).where(
            watermarks.c.pipeline == self._pipeline, watermarks.c.name == name
        )
        at = self._connection.scalar(query)
        return None if at is None else Watermark(at)

    def set(self, name: str, watermark: Watermark) -> None:
        known = self.get(name)
        if known == watermark:
            return
        if known is None:
            self._connection.execute(
                insert(watermarks).values(pipeline=self._pipeline, name=name, at=watermark.at)
            )
            return
        self._connection.execute(
            update(watermarks)
            .where(watermarks.c.pipeline == self._pipeline, watermarks.c.name == name)
            .values(at=watermark.at)
        )

    def beneath(self, prefix: str) -> Mapping[str, Watermark]:
        query = select(watermarks.c.name, watermarks.c.at).where(
            watermarks.c.pipeline == self._pipeline,
            watermarks.c.name.startswith(prefix, autoescape=True),
        )
        return {
            name.removeprefix(prefix): Watermark(at)
            for name, at in self._connection.execute(query)
            # One database or another takes capitals for small letters.
            if name.startswith(prefix)
        }

    def remove(self, names: Collection[str]) -> None:
        if not names:
            return
        one = delete(watermarks).where(
            watermarks.c.pipeline == self._pipeline, watermarks.c.name == bindparam("gone")
        )
        self._connection.execute(one, [{"gone": each} for each in names])
