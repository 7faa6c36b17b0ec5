"""What memory a table of any size needs: ``python -m tests.benchmarks.prices.large 10000 10000``.

An ERP on PostgreSQL with so many customers of so many prices each, and a store there with lists
that customers share, so that a hundred million prices have room on one disk. First load, nothing
changed, and each of the two edits of a night, every run a process of its own. In the end the
store shows what the ERP says, compared for every ``COMPARED``th customer. Prints one line of
JSON a run.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from sync.domain.ids import CustomerId, StoreId
from sync.domain.pricing import Audience, AudienceKind, PriceScope
from sync.stores.embedded.adapter import EmbeddedStore
from tests.benchmarks.prices.data import Catalogue, Size, Variant
from tests.benchmarks.prices.erp import FLAT as TABLE
from tests.benchmarks.prices.erp import Books
from tests.benchmarks.prices.server import Server, plain, running
from tests.benchmarks.prices.shared_lists import run_of
from tests.benchmarks.prices.site import FLAT, PriceSite

COMPARED = 100
_NIGHTS = (Variant.SAME, Variant.CLUSTERED, Variant.SAME, Variant.SPREAD, Variant.SAME)


def measured(size: Size, server: Server, folder: Path) -> Iterator[dict[str, Any]]:
    """Every run with what it took. Raises AssertionError where the store differs in the end."""
    catalogue = Catalogue(size)
    books = Books(server.new_database(), catalogue)
    books.fill_flat()
    store = server.new_database()
    site = PriceSite.made(folder / "site", FLAT, books.url, store, catalogue, price_lists=True)
    yield {"step": "first load", **run_of(site.folder), "state_mb": site.state_bytes / 1e6}
    for variant in _NIGHTS:
        books.edit(list(catalogue.edits(variant)))
        yield {"step": variant.value, **run_of(site.folder), "state_mb": site.state_bytes / 1e6}
    with (
        psycopg.connect(plain(books.url)) as connection,
        closing(EmbeddedStore(store, StoreId("bench"))) as shop,
    ):
        for number in range(0, size.customers, COMPARED):
            _assert_same(connection, shop, CustomerId(catalogue.customer_no(number)))


def _assert_same(connection: psycopg.Connection[Any], shop: EmbeddedStore, who: CustomerId) -> None:
    columns = "item_no, min_quantity, unit_price, valid_from, valid_until"
    told = connection.execute(f"SELECT {columns} FROM {TABLE} WHERE owner = %s", [who.value])
    shown = shop.shown_prices(Audience(AudienceKind.ACCOUNT, who.value), PriceScope.account(who))
    assert Counter(told.fetchall()) == Counter(
        (str(key.sku), key.min_quantity, value.unit_price, key.valid_from, value.valid_until)
        for key, value in shown.items()
    ), who


def main() -> None:
    customers, points = map(int, sys.argv[1:])
    with running() as server, tempfile.TemporaryDirectory() as folder:
        for told in measured(Size(customers, points), server, Path(folder)):
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
