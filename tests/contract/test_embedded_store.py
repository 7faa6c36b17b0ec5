"""The embedded store keeps the contract of all stores, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import URL, Connection, Engine, delete, make_url, select, text, update
from sqlalchemy.exc import DBAPIError

from sync.domain.address import Address
from sync.domain.channel import Channel
from sync.domain.ids import (
    CustomerId,
    OrganisationId,
    ShipToId,
    Sku,
    StoreId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.order import Organisation, WebOrder, WebUser
from sync.domain.registration import AccountKind, Application
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import ImportNotice, ImportState, PublishedPriceKey
from sync.ports.price_lists import Joining, ListRows, SharedChange
from sync.stores.embedded import buyer_view, load, queries, schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import create_store, store_url, writing_engine
from sync.testing import builders as a
from sync.testing.store_contract import OTHER, StoreContract, in_rows
from tests.engines import compiled_once
from tests.postgres import database

T = TypeVar("T")

_KEYS = {
    schema.accounts: "customer_id",
    schema.ship_tos: "ship_to_id",
    schema.bill_tos: "bill_to_id",
    schema.invoices: "number",
    schema.account_balances: "customer_id",
    schema.account_orders: "erp_order",
    schema.customer_parts: "part_number",
    schema.restricted_items: "sku",
    schema.documents: "number",
    schema.availability: "sku",
    schema.prices: "sku",
    schema.shared_price_rows: "sku",
}


class EmbeddedWorld:
    """The shop behind the adapter, on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def told(self, fact: T) -> T:
        return fact

    def place_order(self, order: WebOrder) -> None:
        with self._engine.begin() as connection:
            writing.place_order(connection, order)

    def change_order(self, order: WebOrder) -> None:
        with self._engine.begin() as connection:
            writing.change_order(connection, order)

    def place_unreadable(
        self, order_id: WebOrderId, number: WebOrderNumber, modified_at: datetime
    ) -> None:
        order = a.a_web_order(order_id=order_id, number=number, modified_at=modified_at)
        with self._engine.begin() as connection:
            writing.place_order(connection, order)
            writing.spoil_order(connection, order_id, schema.order_lines, quantity="-3")

    def vanish_order(self, order_id: WebOrderId) -> None:
        with self._engine.begin() as connection:
            writing.remove_order(connection, order_id)

    def add_user(self, user: WebUser) -> None:
        with self._engine.begin() as connection:
            writing.add_user(connection, user, email="typed@somewhere.example")

    def add_organisation(self, organisation: Organisation) -> None:
        with self._engine.begin() as connection:
            writing.add_organisation(connection, organisation)

    def add_channel(self, channel: Channel) -> None:
        with self._engine.begin() as connection:
            writing.add_channel(
                connection,
                channel.channel_id,
                channel.mode,
                login_wall=channel.login_wall,
                guest_checkout=channel.guest_checkout,
            )

    def tag_organisation(self, organisation: OrganisationId, tag: str) -> None:
        with self._engine.begin() as connection:
            writing.tag_organisation(connection, organisation, [tag])

    def own_tags(self, organisation: OrganisationId) -> Collection[str]:
        table = schema.organisation_groups
        of_it = select(table.c.group_code).where(table.c.organisation == organisation.value)
        with self._engine.connect() as connection:
            return set(connection.execute(of_it).scalars())

    def hand_in(self, application: Application) -> None:
        with self._engine.begin() as connection:
            writing.hand_in(connection, application)

    def add_own_address(self, web_user: WebUserId, address: Address) -> None:
        with self._engine.begin() as connection:
            saved = buyer_view.own_addresses(connection, web_user)
            writing.set_own_addresses(connection, web_user, [*saved, address])

    def own_addresses(self, web_user: WebUserId) -> Sequence[Address]:
        with self._engine.begin() as connection:
            return [each.completed() for each in buyer_view.own_addresses(connection, web_user)]

    def offered_ship_tos(self, web_user: WebUserId) -> Collection[tuple[CustomerId, ShipToId]]:
        with self._engine.begin() as connection:
            acts_for = buyer_view.acts_for(connection, web_user).values()
            owners = [profile.customer_id.value for profile in acts_for]
            rows = queries.by_keys(connection, schema.ship_tos, "customer_id", owners)
        return {(CustomerId(row["customer_id"]), ShipToId(row["ship_to_id"])) for row in rows}

    def touch_ship_tos(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(schema.ship_tos).values(city="Elsewhere"))

    def touch_prices(self) -> None:
        with self._engine.begin() as connection:
            for table in (schema.prices, schema.shared_price_rows):
                connection.execute(update(table).values(unit_price="0.01"))

    def refuse_record(self, key: str) -> None:
        with self._engine.begin() as connection:
            for table, column in _KEYS.items():
                _refuse(connection, table.name, column, key)

    def notice(self, order_id: WebOrderId) -> ImportNotice | None:
        with self._engine.begin() as connection:
            return load.import_notices(connection, [order_id]).get(order_id)


def _refuse(connection: Connection, table: str, column: str, key: str) -> None:
    """Let the database itself turn a record away, as a shop's own trigger would."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            text(
                f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} "
                f"WHEN NEW.{column} = '{key}' "
                "BEGIN SELECT RAISE(ABORT, 'the shop refuses it'); END"
            )
        )
        return
    connection.execute(
        text(
            f"CREATE OR REPLACE FUNCTION refuse_{table}() RETURNS trigger AS $$ "
            f"BEGIN IF NEW.{column} = '{key}' THEN RAISE 'the shop refuses it'; END IF; "
            "RETURN NEW; END $$ LANGUAGE plpgsql"
        )
    )
    connection.execute(
        text(
            f"CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_{table}()"
        )
    )


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in schema.metadata.sorted_tables:
            connection.execute(delete(table))
        for table in _KEYS:
            connection.execute(text(f"DROP TRIGGER IF EXISTS refuse_{table.name} ON {table.name}"))


class _OnADatabase(StoreContract):
    @pytest.fixture
    def store(self, store_database: URL) -> Iterator[EmbeddedStore]:
        opened = EmbeddedStore(
            store_database, StoreId("shop"), page_size=self.page_size, price_lists=True
        )
        compiled_once(opened.engine)
        yield opened
        opened.close()

    @pytest.fixture
    def store_world(self, store_database: URL) -> Iterator[EmbeddedWorld]:
        engine = writing_engine(store_database)
        yield EmbeddedWorld(engine)
        engine.dispose()


class TestEmbeddedStoreOnSqlite(_OnADatabase):
    @pytest.fixture
    def store_database(self, tmp_path: Path, empty_shop: Path) -> URL:
        shutil.copy(empty_shop, tmp_path / "shop.db")
        return store_url("sqlite:///shop.db", {}, tmp_path)


class TestEmbeddedStoreOnPostgresql(_OnADatabase):
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

    def test_keys_are_sorted_and_compared_byte_by_byte(
        self, store: EmbeddedStore, store_world: EmbeddedWorld
    ) -> None:
        keys = ["Z-1", "a-1", "A-1", "é-1", "10", "9"]
        for key in keys:
            store_world.add_user(a.a_web_user(web_user=WebUserId(key), memberships=()))
        assert [user.value for user in store.web_users()] == sorted(keys)
