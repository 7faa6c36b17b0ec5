"""Whether a store shows the ERP's prices, row by row.

On PostgreSQL each row of either side becomes one text, numbers without trailing zeros, and
both servers sum two 64-bit hashes of these texts for each owner. Elsewhere the rows
themselves are compared, in one order, both sides at once and neither in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import psycopg
from sqlalchemy import URL

from tests.benchmarks.prices.erp import CONTRACTS, CURRENCY, FLAT, LISTED
from tests.benchmarks.prices.server import plain

_LEVELS = {FLAT: ("account", 3), CONTRACTS: ("account", 3), LISTED: ("group", 4)}

_SUMS = """\
SELECT audience, audience_key, count(*),
       sum(hashtextextended(told, 0)::numeric), sum(hashtextextended(told, 1)::numeric)
  FROM ({rows}) AS rows(audience, audience_key, told)
 GROUP BY audience, audience_key"""
_OF_STORE = """\
SELECT audience, audience_key,
       concat_ws('|', audience_channel, level, owner, sku, trim_scale(min_quantity::numeric), unit,
                 currency, priority, warehouse, trim_scale(unit_price::numeric),
                 valid_from, coalesce(valid_until, '-'))
  FROM prices"""
_OF_ERP = """\
SELECT '{audience}', owner,
       concat_ws('|', '', {level}, owner, item_no, min_quantity, 'EA',
                 '{currency}', 0, '', trim_scale(unit_price),
                 valid_from, coalesce(valid_until::text, '-'))
  FROM {table}"""


def assert_equal(erp: URL, store: URL, *tables: str) -> int:
    """The number of rows, which are the same on both sides. Raises AssertionError."""
    if store.get_backend_name() == "postgresql":
        return _equal_sums(erp, store, tables)
    return _equal_rows(erp, store, tables)


def _equal_sums(erp: URL, store: URL, tables: tuple[str, ...]) -> int:
    of_erp = " UNION ALL ".join(
        _OF_ERP.format(audience=_LEVELS[each][0], level=_LEVELS[each][1],
                       currency=CURRENCY, table=each)
        for each in tables
    )  # fmt: skip
    wanted, shown = _sums(erp, of_erp), _sums(store, _OF_STORE)
    wrong = sorted(key for key in wanted.keys() | shown.keys() if wanted.get(key) != shown.get(key))
    assert not wrong, (
        f"{len(wrong)} owners differ, such as {wrong[0]}:"
        f" the ERP has {wanted.get(wrong[0])}, the store {shown.get(wrong[0])}"
    )
    return sum(int(count) for count, *_ in wanted.values())


def _sums(url: URL, rows: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    with psycopg.connect(plain(url)) as connection:
        # A hash of a million texts is no work for several processes on two cores.
        connection.execute("SET max_parallel_workers_per_gather = 0")
        found = connection.execute(_SUMS.format(rows=rows))
        return {(kind, key): tuple(sums) for kind, key, *sums in found}


def _equal_rows(erp: URL, store: URL, tables: tuple[str, ...]) -> int:
    count = 0
    sides = (_rows_of_erp(erp, tables), _rows_of_store(store))
    for count, (wanted, shown) in enumerate(zip_longest(*sides), 1):
        assert wanted == shown, f"row {count}: the ERP has {wanted}, the store {shown}"
    return count


def _rows_of_erp(erp: URL, tables: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    query = " UNION ALL ".join(
        f"SELECT '{_LEVELS[each][0]}', owner, item_no, min_quantity, {_LEVELS[each][1]},"
        f" unit_price, valid_from, valid_until FROM {each}"
        for each in tables
    )
    with closing(sqlite3.connect(str(erp.database))) as database:
        found = database.execute(f"SELECT * FROM ({query}) ORDER BY 1, 2, 3, 4")
        for audience, owner, item, quantity, level, price, since, until in found:
            key = (audience, owner, "", level, owner, item, Decimal(quantity), "EA", CURRENCY)
            yield (*key, 0, "", Decimal(price), since, until)


def _rows_of_store(store: URL) -> Iterator[tuple[object, ...]]:
    with closing(sqlite3.connect(str(store.database))) as database:
        found = database.execute(
            "SELECT audience, audience_key, sku, min_quantity, audience_channel, level, owner,"
            " unit, currency, priority, warehouse, unit_price, valid_from, valid_until FROM prices"
            " ORDER BY audience, audience_key, sku, CAST(min_quantity AS REAL)"
        )
        for audience, who, item, quantity, channel, level, owner, *rest in found:
            unit, currency, priority, warehouse, price, since, until = rest
            key = (audience, who, channel, level, owner, item, Decimal(quantity), unit, currency)
            yield (*key, priority, warehouse, Decimal(price), since, until)
