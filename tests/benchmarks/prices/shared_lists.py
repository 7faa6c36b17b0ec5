"""What lists that customers share save: ``python -m tests.benchmarks.prices.shared_lists 99 3000``.

Two sites on one ERP of so many customers with so many prices each, SQLite on all sides: one
store has such lists, the other has not. Both are filled, looked at unchanged, and told the
clustered edit; each run is a process of its own. In the end both show the same, row by row.
Prints one line of JSON a run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from sync.domain.ids import CustomerId, StoreId
from sync.domain.pricing import Audience, AudienceKind, PriceScope
from sync.stores.embedded.adapter import EmbeddedStore
from tests.benchmarks.prices.data import Catalogue, Size, Variant
from tests.benchmarks.prices.erp import Books
from tests.benchmarks.prices.site import FLAT, PriceSite

WITH, WITHOUT = "with lists", "without lists"
_STEPS = ("first load", "unchanged", Variant.CLUSTERED.value)


def compared(size: Size, folder: Path) -> Iterator[dict[str, Any]]:
    """Every run with what it took. Raises AssertionError where the stores differ in the end."""
    catalogue = Catalogue(size)
    books = Books(URL.create("sqlite", database=str(folder / "erp.db")), catalogue)
    books.fill_flat()
    stores = {
        name: URL.create("sqlite", database=str(folder / f"{name}.db")) for name in (WITH, WITHOUT)
    }
    sites = {
        name: PriceSite.made(
            folder / name, FLAT, books.url, store, catalogue, price_lists=name == WITH
        )
        for name, store in stores.items()
    }
    for step in _STEPS:
        if step == Variant.CLUSTERED.value:
            books.edit(list(catalogue.edits(Variant.CLUSTERED)))
        for name, site in sites.items():
            told = run_of(site.folder)
            told["store_mb"] = round(Path(str(stores[name].database)).stat().st_size / 1e6, 1)
            yield {"step": step, "store": name, **told}
    _assert_same(stores, catalogue)


def run_of(site: Path) -> dict[str, Any]:
    """One run of this site, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.prices.run", "flow", str(site)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _assert_same(stores: dict[str, URL], catalogue: Catalogue) -> None:
    one, other = (EmbeddedStore(each, StoreId("bench")) for each in stores.values())
    with closing(one), closing(other):
        for number in range(catalogue.size.customers):
            customer = CustomerId(catalogue.customer_no(number))
            audience = Audience(AudienceKind.ACCOUNT, customer.value)
            scope = PriceScope.account(customer)
            shown = one.shown_prices(audience, scope)
            assert shown
            assert shown == other.shown_prices(audience, scope), customer


def main() -> None:
    customers, points = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        for told in compared(Size(customers, points), Path(folder)):
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
