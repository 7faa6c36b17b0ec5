"""The two databases of the sample: made once, always the same, each side on its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import create_engine, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from sync.domain.ids import StoreId, WebOrderId
from sync.domain.order import UnreadableOrder, WebOrder
from sync.sample import build_sample, sample_is_built
from sync.sample.build import Sample, SampleCounts, counted, make_sample
from sync.sample.erp_schema import FIRST_ORDER_NUMBER, erp, sales_order, ship_to
from sync.stores.embedded import schema
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import store_url

TODAY = date(2026, 3, 2)


class Site(NamedTuple):
    """Where the two databases of one sample are."""

    folder: Path

    @property
    def erp(self) -> str:
        return f"sqlite:///{self.folder / 'erp.sqlite'}"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'store.sqlite'}"

    def rows(self) -> dict[str, list[Any]]:
        """Every row of both databases, by table."""
        found = {}
        for url, tables in ((self.erp, erp.sorted_tables), (self.store, _store_tables())):
            engine = create_engine(url)
            with engine.connect() as connection:
                for table in tables:
                    rows = map(repr, connection.execute(select(table)))
                    found[f"{Path(url).stem}.{table.name}"] = sorted(rows)
            engine.dispose()
        return found


def _store_tables() -> list[Any]:
    return schema.metadata.sorted_tables


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("sample") / "var" / "sample")
    build_sample(site.erp, site.store, today=TODAY)
    return site


@pytest.fixture
def copied(built: Site, tmp_path: Path) -> Site:
    """A sample of one's own to change; copying is quicker than building."""
    return Site(Path(shutil.copytree(built.folder, tmp_path / "copy")))


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(seed=7, today=TODAY)


@pytest.fixture(scope="module")
def store(built: Site) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(store_url(built.store, {}, built.folder), StoreId("sample"))
    yield opened
    opened.close()


def test_a_sample_that_was_not_made_is_told_without_making_files(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert not sample_is_built(site.erp, site.store)
    assert list(tmp_path.iterdir()) == []


def test_second_build_with_same_seed_and_day_has_the_same_rows(built: Site, tmp_path: Path) -> None:
    again = Site(tmp_path)
    build_sample(again.erp, again.store, today=TODAY)
    assert again.rows() == built.rows()


def test_building_again_leaves_what_is_there_alone(copied: Site) -> None:
    before = copied.rows()
    build_sample(copied.erp, copied.store, seed=8, today=date(2026, 4, 1))
    assert copied.rows() == before


def test_half_a_sample_is_not_a_sample_and_is_completed(built: Site, copied: Site) -> None:
    for left in copied.folder.glob("store.sqlite*"):
        left.unlink()
    assert not sample_is_built(copied.erp, copied.store)
    build_sample(copied.erp, copied.store, today=TODAY)
    assert sample_is_built(copied.erp, copied.store)
    assert copied.rows() == built.rows()


def test_sample_is_as_large_as_it_says(built: Site, sample: Sample) -> None:
    counts = counted(sample)
    assert counts.items == 2000
    assert counts.invoices == 500
    assert counts.good_orders == 270
    assert counts.organisations > 40
    rows = {name: len(found) for name, found in built.rows().items()}
    # Three tables hold prices; a draft and closed ship-tos stand beside what counts.
    prices = ("erp.special", "erp.contract_price", "erp.price_list_price")
    assert sum(rows[name] for name in prices) == counts.prices
    assert rows["erp.customer"] == counts.customers
    assert rows["erp.invoice"] == counts.invoices + 1
    assert rows["erp.ship_to"] > counts.ship_tos
    assert rows["store.orders"] == counts.good_orders + counts.wrong_orders


def test_store_shows_every_order_as_it_was_placed(store: EmbeddedStore, sample: Sample) -> None:
    shown = {order.order_id: order for page in store.changed_orders(None) for order in page.orders}
    placed = [*sample.good, *(wrong.order for wrong in sample.wrong if not wrong.nonsense)]
    assert {order.order_id: shown[order.order_id] for order in placed} == {
        order.order_id: order for order in placed
    }
    assert len(shown) == len(sample.good) + len(sample.wrong)


@pytest.mark.rule("OI-2")
def test_spoiled_orders_are_shown_as_unreadable_not_left_out(
    store: EmbeddedStore, sample: Sample
) -> None:
    for wrong in sample.wrong:
        seen = store.order(WebOrderId(wrong.order.order_id.value))
        assert isinstance(seen, UnreadableOrder if wrong.nonsense else WebOrder)


def test_store_directory_knows_everybody_as_made_up(store: EmbeddedStore, sample: Sample) -> None:
    for user in sample.world.directory.users:
        assert store.buyer(user.web_user, None).user == user
    for each in sample.world.directory.organisations:
        assert store.buyer(None, each.organisation).organisation == each


def test_retail_groups_have_invoices_but_no_ship_tos(built: Site) -> None:
    rows = built.rows()
    assert any("'RETAIL-US'" in row for row in rows["erp.invoice"])
    assert any("'RETAIL-EU'" in row for row in rows["erp.invoice"])
    assert not any("'RETAIL-" in row for row in rows["erp.ship_to"])


def test_changing_a_row_by_hand_moves_its_time_of_change(copied: Site) -> None:
    engine = create_engine(copied.erp)
    with engine.begin() as connection:
        connection.execute(
            update(ship_to)
            .where(ship_to.c.customer_no == "000101", ship_to.c.ship_to_no == "0001")
            .values(city="Peoria")
        )
        changed = connection.execute(
            select(ship_to.c.customer_no).where(
                ship_to.c.changed_at > datetime.combine(TODAY, time())
            )
        ).scalars()
        assert list(changed) == ["000101"]
    engine.dispose()


def test_erp_refuses_a_second_order_with_the_same_key_and_one_wanted_before_it_was_placed(
    copied: Site,
) -> None:
    order = {
        "external_key": "k-1",
        "customer_no": "000101",
        "order_date": TODAY,
        "currency": "USD",
        "order_total": "1.00",
    }
    engine = create_engine(copied.erp)
    with engine.begin() as connection:
        connection.execute(insert(sales_order), [order])
        first = connection.execute(select(func.max(sales_order.c.order_no))).scalar_one()
        assert first == FIRST_ORDER_NUMBER
        assert connection.execute(text("SELECT count(*) FROM sales_order")).scalar_one() == 13
    for wrong in ({}, {"external_key": "k-2", "requested_date": date(2026, 3, 1)}):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(insert(sales_order), [{**order, **wrong}])
    engine.dispose()


def test_numbers_are_kept_to_the_last_digit_on_sqlite(copied: Site) -> None:
    engine = create_engine(copied.erp)
    with engine.begin() as connection:
        connection.execute(text("UPDATE invoice SET total = '123456789012345.6789'"))
        kept = connection.execute(text("SELECT DISTINCT total FROM invoice")).scalar_one()
        assert kept == "123456789012345.6789"
    engine.dispose()


def test_what_the_sample_holds_is_told_in_words() -> None:
    counts = SampleCounts(
        *(54, 108, 2000, 18650, 500), organisations=44, users=143, good_orders=270,
        wrong_orders=79, applications=7,
    )  # fmt: skip
    assert str(counts) == (
        "54 customers with 108 ship-tos and 500 invoices, 2,000 items with 18,650 prices;"
        " 44 organisations, 143 users, 349 web orders (79 of them with something wrong)"
        " and 7 applications"
    )
