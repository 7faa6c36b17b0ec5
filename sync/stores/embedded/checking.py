"""What can be wrong with a store before it is used: its settings and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine, inspect

from sync.domain.ids import StoreId
from sync.errors import Misconfigured, SyncError
from sync.kit.database_files import misplaced
from sync.kit.engines import address_of
from sync.kit.options import DAY_S, Options
from sync.kit.signatures import SHORTEST_SECRET
from sync.ports.erp import Finding, FindingLevel
from sync.stores.embedded import schema
from sync.stores.embedded.engine import store_url
from sync.stores.embedded.errors import CREATE, translated, way_to_create

OPTIONS = frozenset({"url", "store_id", "overlap_s", "page_size", "price_lists"})
SECRETS = frozenset({"password", "hints"})


@dataclass(frozen=True, slots=True)
class StoreSettings:
    url: URL
    store_id: StoreId
    overlap_s: float | None
    page_size: int | None
    hints_secret: str | None
    price_lists: bool


def settings_from(
    options: Mapping[str, object], secrets: Mapping[str, str], base: Path
) -> StoreSettings:
    """The options of a store, checked. Raises Misconfigured with every problem at once."""
    given = Options(options, OPTIONS, secrets, SECRETS)
    url = given.needed("url", "sqlite:///shop.db")
    address: URL | None = None
    if url:
        try:
            address = store_url(url, secrets, base)
        except Misconfigured as error:
            given.complain("url", str(error))
    store_id = given.key("store_id", "shop")
    overlap_s = given.number("overlap_s", DAY_S, zero=True)
    page_size = given.whole("page_size", 1, 1, 10_000)
    price_lists = given.flag("price_lists")
    hints = secrets.get("hints")
    if hints is not None and len(hints) < SHORTEST_SECRET:
        given.complain("secrets.hints", f"shorter than {SHORTEST_SECRET} characters")
    given.raise_if_any("the embedded store cannot be opened")
    if address is None:
        raise AssertionError("what has no URL has a problem")
    return StoreSettings(
        url=address,
        store_id=StoreId(store_id),
        overlap_s=overlap_s,
        page_size=None if given.stated("page_size") is None else page_size,
        hints_secret=hints,
        price_lists=price_lists,
    )


def findings(engine: Engine, database: str, file: Path | None = None) -> list[Finding]:
    """Whether the database answers and has every table and column; writes nothing.

    ``file`` is the one that a SQLite database lives in.
    """
    wrong = misplaced("url", file) if file is not None else None
    if wrong is not None:
        return [
            Finding(
                "store database", FindingLevel.ERROR, f"{database}: {wrong}", way_to_create(file)
            )
        ]
    try:
        with translated(database, engine.dialect.name, address_of(engine.url), file):
            missing = list(_missing(engine))
    except SyncError as error:
        remedy = "see that the database is there, running, and open to this login"
        return [Finding("store database", FindingLevel.ERROR, str(error), remedy)]
    if not missing:
        return [Finding("store schema", FindingLevel.OK, f"{database} has every table")]
    return [
        Finding("store schema", FindingLevel.ERROR, f"{database} lacks {what}", remedy)
        for what, remedy in missing
    ]


_ADD = "correct url, or add it by hand: tradesync store sql prints how the tables are to be"
"""No command alters a table that is there."""


def _missing(engine: Engine) -> Iterator[tuple[str, str]]:
    """What is not there, with the way out."""
    with engine.connect() as connection:
        inspector = inspect(connection)
        tables = set(inspector.get_table_names())
        if tables.isdisjoint(schema.metadata.tables):
            yield f"every table of a store ({len(schema.metadata.tables)})", CREATE
            return
        for table in schema.metadata.sorted_tables:
            if table.name not in tables:
                yield f"table {table.name}", CREATE
                continue
            columns = {column["name"] for column in inspector.get_columns(table.name)}
            lacking = [column.name for column in table.columns if column.name not in columns]
            yield from ((f"column {table.name}.{name}", _ADD) for name in lacking)
