"""The price benchmark, small: what it asserts of a store holds, and would notice if it did not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import URL

from tests.benchmarks.prices import erp, site, truth
from tests.benchmarks.prices.data import Catalogue, Size, Variant
from tests.benchmarks.prices.rounds import ROOT
from tests.benchmarks.prices.run import mirrored
from tests.postgres import database, without_password

SMALL = Size(customers=20, points=60)
TABLES = {site.FLAT: (erp.FLAT,), site.LISTS: (erp.LISTED, erp.CONTRACTS)}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(SMALL)


@pytest.mark.rule("MI-2", "WA-7")
def test_a_variant_costs_as_many_rows_as_it_changes(
    catalogue: Catalogue, urls: tuple[URL, URL], tmp_path: Path
) -> None:
    books, store = erp.Books(urls[0], catalogue), urls[1]
    books.fill_flat()
    place = site.PriceSite.made(tmp_path / "site", site.FLAT, books.url, store, catalogue)
    _, first = mirrored(str(place.folder))
    assert first.counts["added"] == SMALL.rows == truth.assert_equal(books.url, store, erp.FLAT)
    for variant in Variant:
        edits = list(catalogue.edits(variant))
        for change in (books.edit, books.undo) if edits else (books.edit,):
            change(edits)
            _, result = mirrored(str(place.folder))
            told = [result.counts.get(each, 0) for each in ("changed", "added", "removed")]
            gone, new = (sum(len(each.deleted) for each in edits),
                         sum(len(each.inserted) for each in edits))  # fmt: skip
            if change == books.undo:
                gone, new = new, gone
            updated = sum(len(each.updated) for each in edits)
            assert (result.outcome, told) == ("ok", [updated, new, gone])
            truth.assert_equal(books.url, store, erp.FLAT)
    assert place.state_bytes > 0


@pytest.mark.rule("VE-12", "MI-2")
def test_lists_and_contracts_are_shown_as_they_are(
    catalogue: Catalogue, urls: tuple[URL, URL], tmp_path: Path
) -> None:
    books, store = erp.Books(urls[0], catalogue), urls[1]
    books.fill_normalised()
    place = site.PriceSite.made(tmp_path / "site", site.LISTS, books.url, store, catalogue)
    _, first = mirrored(str(place.folder))
    rows = truth.assert_equal(books.url, store, *TABLES[site.LISTS])
    assert first.counts["added"] == rows < SMALL.rows
    _, again = mirrored(str(place.folder))
    assert (again.outcome, again.writes) == ("ok", 0)


def test_one_wrong_row_in_the_store_is_noticed(catalogue: Catalogue, tmp_path: Path) -> None:
    books = erp.Books(URL.create("sqlite", database=str(tmp_path / "erp.db")), catalogue)
    store = URL.create("sqlite", database=str(tmp_path / "store.db"))
    books.fill_flat()
    place = site.PriceSite.made(tmp_path / "site", site.FLAT, books.url, store, catalogue)
    mirrored(str(place.folder))
    with closing(sqlite3.connect(tmp_path / "store.db")) as shop, shop:
        ((sku,),) = shop.execute("SELECT min(sku) FROM prices WHERE owner = 'C000007'").fetchall()
        shop.execute("UPDATE prices SET unit_price = '0.0001' WHERE sku = ?", (sku,))
    with pytest.raises(AssertionError, match=sku):
        truth.assert_equal(books.url, store, erp.FLAT)


def test_prices_are_the_same_ones_for_a_seed_and_others_for_another() -> None:
    first, again, other = (list(Catalogue(Size(5, 40, seed=seed)).flat()) for seed in (1, 1, 2))
    assert first == again != other


def test_the_flat_table_is_what_lists_and_contracts_come_to(catalogue: Catalogue) -> None:
    lists = {_owner(each): each.drop_columns("owner") for each in catalogue.lists()}
    contracts = {_owner(each): each.drop_columns("owner") for each in catalogue.contracts()}
    assert 0 < len(contracts) < SMALL.customers
    for number, flat in enumerate(catalogue.flat()):
        own = contracts.get(_owner(flat), flat.slice(0, 0).drop_columns("owner"))
        listed = lists[catalogue.list_code(catalogue.list_of(number))]
        assert _by_point(flat.drop_columns("owner")) == _by_point(listed) | _by_point(own)
        # A contract has all steps of an item: none of the list's would win over a lower one.
        for item in set(own["item_no"].to_pylist()):
            steps = [key for key in _by_point(listed) if key[0] == item]
            assert all(key in _by_point(own) for key in steps)


def _owner(rows: pa.Table) -> str:
    (owner,) = rows["owner"].unique().to_pylist()
    assert isinstance(owner, str)
    return owner


def _by_point(rows: pa.Table) -> dict[tuple[str, int], tuple[object, ...]]:
    return {(item, step): tuple(rest) for item, step, *rest in zip(*rows.to_pydict().values(),
                                                                   strict=True)}  # fmt: skip


_ALONE = """
import sys
from tests.benchmarks.prices.rounds import ROOT
from tests.benchmarks.prices.run import mirrored
_, result = mirrored(sys.argv[1])
assert (result.outcome, result.writes) == ("ok", 0), result
assert "pyarrow" not in sys.modules
"""


@pytest.mark.rule("MI-2", "WA-7")
def test_night_without_changes_reads_no_price_and_needs_no_arrow_where_the_server_makes_sums(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with database() as first, database() as second:
        books, store = erp.Books(without_password(first), catalogue), without_password(second)
        books.fill_flat()
        place = site.PriceSite.made(tmp_path / "site", site.FLAT, books.url, store, catalogue)
        mirrored(str(place.folder))
        subprocess.run([sys.executable, "-c", _ALONE, str(place.folder)], check=True, cwd=ROOT)
