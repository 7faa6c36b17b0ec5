"""The shop behind the embedded store's adapter, and the contract of every store on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import pytest
from sqlalchemy import URL, Connection, Engine, select, text, update

from sync.domain.address import Address
from sync.domain.channel import Channel
from sync.domain.ids import (
    CustomerId,
    OrganisationId,
    ShipToId,
    StoreId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.order import Organisation, WebOrder, WebUser
from sync.domain.registration import Application
from sync.domain.views import ImportNotice
from sync.stores.embedded import buyer_view, load, queries, schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import writing_engine
from sync.testing import builders as a
from sync.testing.store_contract import StoreContract
from tests.engines import compiled_once

T = TypeVar("T")

KEYS = {
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
            for table, column in KEYS.items():
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


class OnADatabase(StoreContract):
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
