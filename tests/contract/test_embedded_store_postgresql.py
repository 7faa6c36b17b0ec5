"""The embedded store keeps the contract of every store on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import URL, Engine, delete, make_url, text
from sqlalchemy.exc import DBAPIError

from sync.domain.ids import Sku, StoreId, WebOrderId, WebUserId
from sync.domain.pricing import PriceScope
from sync.domain.registration import AccountKind
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import ImportNotice, ImportState, PublishedPriceKey
from sync.ports.price_lists import Joining, ListRows, SharedChange
from sync.stores.embedded import price_lists, schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import create_store, writing_engine
from sync.testing import builders as a
from sync.testing.store_contract import OTHER, in_rows
from tests.contract.embedded_world import KEYS, EmbeddedWorld, OnADatabase
from tests.postgres import database


class TestEmbeddedStoreOnPostgresql(OnADatabase):
    @pytest.fixture(scope="class")
    @staticmethod
    def shop_database() -> Iterator[URL]:
        with database() as address:
            url = make_url(address)
            create_store(url)
            yield url

    @pytest.fixture
    def store_database(self, shop_database: URL) -> Iterator[URL]:
        yield shop_database
        engine = writing_engine(shop_database)
        _empty(engine)
        engine.dispose()

    def test_the_schema_is_made_once_and_made_again_without_harm(
        self, shop_database: URL, store: EmbeddedStore, store_world: EmbeddedWorld
    ) -> None:
        store_world.place_order(a.a_full_web_order())
        create_store(shop_database)
        assert store.order(WebOrderId("order-full")) == a.a_full_web_order()
        assert [finding.level.value for finding in store.check()] == ["ok"]

    @pytest.mark.rule("MI-1")
    def test_the_daemon_needs_no_right_to_write_what_users_own(
        self, shop_database: URL, store_world: EmbeddedWorld
    ) -> None:
        store_world.place_order(a.a_web_order())
        mirrored = ", ".join(table.name for table in schema.MIRRORED)
        shop = writing_engine(shop_database)
        with shop.begin() as connection:
            for statement in (
                "CREATE ROLE mirror LOGIN",
                "GRANT SELECT ON ALL TABLES IN SCHEMA public TO mirror",
                f"GRANT INSERT, DELETE ON {mirrored} TO mirror",
                "GRANT INSERT ON web_users, organisations, memberships TO mirror",
                "GRANT UPDATE (open_application) ON web_users TO mirror",
                "GRANT UPDATE (status, open_application) ON organisations TO mirror",
            ):
                connection.execute(text(statement))
        store = EmbeddedStore(shop_database.set(username="mirror"), StoreId("shop"))
        try:
            store.put_accounts([a.an_account_view()])
            store.apply_ship_tos([a.a_ship_to_view()], [])
            store.apply_bill_tos([a.a_bill_to_view()], [])
            store.apply_invoices([a.an_invoice_view()], [])
            price = a.a_price()
            store.apply_prices(
                [(PublishedPriceKey(a.account_audience(), price.key), price.value)], []
            )
            many = [a.a_price(sku=Sku(f"ITEM-{number}")) for number in range(600)]
            store.apply_price_rows(in_rows(many, a.account_audience(OTHER)), in_rows([price]))
            store.apply_price_rows(in_rows([price]), in_rows(many, a.account_audience(OTHER)))
            for stamp, before in (("a", None), ("b", "a")):
                change = SharedChange(
                    stamp,
                    {"L": before},
                    put=[ListRows("L", in_rows(many)[0].rows)],
                    join=[Joining("L", in_rows([price])[0])],
                )
                store.apply_shared_prices(change)
            store.apply_prices([], [PublishedPriceKey(a.account_audience(), many[0].key)])
            store.show_import(a.a_web_order().order_id, ImportNotice(ImportState.PENDING))
            store_world.hand_in(a.an_application())
            store.create_registrant(a.APPLICATION, AccountKind.BUSINESS)
            store.show_registration(a.APPLICATION, a.a_registration_view())
            store.show_order_status(a.a_web_order().order_id, OrderStatus(ErpOrderState.OPEN))
            assert store.shown_ship_tos([a.ACCOUNT])
            store.withdraw_account(a.ACCOUNT)
            with (
                pytest.raises(DBAPIError, match="permission denied"),
                store.engine.begin() as theirs,
            ):
                writing.remove_order(theirs, a.a_web_order().order_id)
        finally:
            store.close()
            with shop.begin() as connection:
                connection.execute(text("DROP OWNED BY mirror"))
                connection.execute(text("DROP ROLE mirror"))
            shop.dispose()

    @pytest.mark.rule("WA-6", "WA-8")
    def test_what_one_does_to_a_list_behind_another_is_not_hidden_by_the_other(
        self, store: EmbeddedStore, store_world: EmbeddedWorld
    ) -> None:
        """A member is withdrawn while a run writes the list: the run's next call must notice."""
        members = [
            in_rows([a.a_price(scope=PriceScope.account(each))], a.account_audience(each))[0]
            for each in (a.ACCOUNT, OTHER)
        ]
        store.put_accounts([a.an_account_view(customer_id=each) for each in (a.ACCOUNT, OTHER)])
        joining = [Joining("L", each) for each in members]
        rows = [ListRows("L", members[0].rows)]
        store.apply_shared_prices(SharedChange("a", {"L": None}, put=rows, join=joining))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

        with ThreadPoolExecutor(1) as another, store.engine.connect() as run:
            with run.begin():
                price_lists.touch(run, [(members[1].audience, members[1].scope)])
                [told] = price_lists.shown(run)
                withdrawn = another.submit(store.withdraw_account, a.ACCOUNT)
                while not run.execute(waiting).scalar_one():
                    assert not withdrawn.done()
            withdrawn.result()

        [held] = store.shown_price_lists()
        assert held.members == {(members[1].audience, members[1].scope)}
        assert held.stamp != told.stamp

    def test_keys_are_sorted_and_compared_byte_by_byte(
        self, store: EmbeddedStore, store_world: EmbeddedWorld
    ) -> None:
        keys = ["Z-1", "a-1", "A-1", "é-1", "10", "9"]
        for key in keys:
            store_world.add_user(a.a_web_user(web_user=WebUserId(key), memberships=()))
        assert [user.value for user in store.web_users()] == sorted(keys)


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in schema.metadata.sorted_tables:
            connection.execute(delete(table))
        for table in KEYS:
            connection.execute(text(f"DROP TRIGGER IF EXISTS refuse_{table.name} ON {table.name}"))
