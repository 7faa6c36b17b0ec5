"""An ERP on PostgreSQL whose keys are UUIDs and whose addresses are JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.ids import CustomerId, ShipToId
from sync.domain.sales_order import OnFileShipTo
from sync.ports.erp import Erp, FindingLevel, ReadsAccounts, ReadsShipTos, SubmitsOrders
from sync.testing import builders as a
from tests import postgres

COMPANY = CustomerId("5ffaf4c0-c6bc-581e-811a-0ca337e469b8")
DOCK = ShipToId("502fa3ca-66b6-51de-88b3-b4ab625e6989")

TABLES = """
CREATE TABLE companies (id uuid PRIMARY KEY, name text NOT NULL, deleted_at timestamptz);
CREATE TABLE addresses (id uuid PRIMARY KEY, company_id uuid NOT NULL REFERENCES companies,
                        data jsonb NOT NULL);
CREATE TABLE orders (number integer GENERATED ALWAYS AS IDENTITY, external_ref text UNIQUE,
                     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                     company_id uuid NOT NULL REFERENCES companies,
                     address_id uuid REFERENCES addresses);
CREATE TABLE order_items (order_id uuid NOT NULL REFERENCES orders, pos integer, sku text,
                          qty numeric(12,3), price numeric(14,4));
INSERT INTO companies VALUES ('5ffaf4c0-c6bc-581e-811a-0ca337e469b8', 'Alba', NULL);
INSERT INTO companies VALUES ('e3e3d305-d240-58c2-9865-03e5b2694f4e', 'Gone', now());
INSERT INTO addresses VALUES ('502fa3ca-66b6-51de-88b3-b4ab625e6989',
  '5ffaf4c0-c6bc-581e-811a-0ca337e469b8',
  '{"company": "Alba Werk", "street": ["Hafen 1"], "city": "Hamburg", "country": "DE"}')
"""

PROFILE = """
name: nimbus
description: Nimbus, self-hosted
dialects: [postgresql]
facts:
  unit_price_rounding: {places: 4, mode: half_even}
  amount_rounding: {places: 2, mode: half_even}
constants: {currency: EUR}
types: {customer_ids: uuid}
reads:
  customer_ids: SELECT id AS customer_id FROM companies WHERE deleted_at IS NULL
  accounts: |
    SELECT id AS customer_id, name FROM companies
     WHERE deleted_at IS NULL AND id IN :customer_ids
  ship_tos: |
    SELECT company_id AS customer_id, id AS ship_to_id, data->>'company' AS name,
           data#>>'{street,0}' AS line1, data->>'city' AS city, data->>'country' AS country
      FROM addresses WHERE company_id IN :customer_ids
  find_order: |
    SELECT number AS order_number, company_id AS customer_id FROM orders
     WHERE external_ref = :external_key
writes:
  submit_order:
    not_kept: [order.terms]
    steps:
      - name: header
        sql: |
          INSERT INTO orders (external_ref, company_id, address_id)
          VALUES (:key, :company, :address) RETURNING number, id
        bind: {key: order.key, company: order.sold_to, address: ship_to.id}
        types: {company: uuid, address: uuid}
        capture: {order_number: number, order_id: id}
      - name: lines
        for_each: lines
        sql: INSERT INTO order_items VALUES (:order_id, :pos, :sku, :qty, :price)
        bind: {pos: line.number, sku: line.sku, qty: line.quantity, price: line.unit_price}
        expect_rows: 1
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Engine]:
    with postgres.database() as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            for statement in TABLES.split(";\n"):
                connection.exec_driver_sql(statement)
        yield engine
        engine.dispose()


@pytest.fixture
def erp(database: Engine, tmp_path: Path) -> Iterator[Erp]:
    (tmp_path / "nimbus.yaml").write_text(PROFILE, encoding="utf-8")
    url = database.url.render_as_string(hide_password=False)
    erp = SqlErpAdapter.from_settings({"url": url, "profile": "nimbus.yaml"}, {}, tmp_path)
    yield erp
    erp.close()


def test_the_check_can_ask_for_keys_that_nobody_has(erp: Erp) -> None:
    wrong = [each for each in erp.check() if each.level is FindingLevel.ERROR]
    assert wrong == []


@pytest.mark.rule("WA-2c")
def test_a_key_that_is_no_uuid_is_a_customer_that_the_erp_does_not_have(erp: Erp) -> None:
    assert isinstance(erp, ReadsAccounts)
    assert isinstance(erp, ReadsShipTos)

    assert set(erp.accounts([COMPANY, CustomerId("000123")])) == {COMPANY}
    assert erp.accounts([CustomerId("000123")]) == {}
    assert [each.ship_to_id for each in erp.ship_tos([COMPANY])] == [DOCK]


@pytest.mark.rule("OI-1")
def test_an_order_is_written_under_keys_that_the_database_makes(erp: Erp, database: Engine) -> None:
    assert isinstance(erp, SubmitsOrders)
    order = dataclasses.replace(
        a.a_sales_order(payments=()), sold_to=COMPANY, ship_to=OnFileShipTo(DOCK)
    )

    first = erp.submit_order(order, a.KEY)

    assert first.number is not None
    assert erp.submit_order(order, a.KEY) == first
    with database.connect() as connection:
        written = connection.exec_driver_sql(
            "SELECT o.company_id::text, o.address_id::text, i.sku"
            " FROM orders o JOIN order_items i ON i.order_id = o.id"
        ).fetchall()
    assert [tuple(row) for row in written] == [(COMPANY.value, DOCK.value, a.SKU.value)]
