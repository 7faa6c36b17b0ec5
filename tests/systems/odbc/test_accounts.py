"""The two accounts of the grant scripts: they can do what they must, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.errors import AccessDenied
from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import Failure, classify
from sync.ports.erp import FindingLevel
from sync.testing import builders as a
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables, empty_tables
from tests.systems.odbc.drivers import Base, a_base
from tests.systems.odbc.roles import READER, WRITER, accounts

pytestmark = pytest.mark.rule("OP-7")


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def base(request: pytest.FixtureRequest) -> Iterator[Base]:
    server = request.getfixturevalue(f"{request.param}_server")
    with ExitStack() as stack:
        base = stack.enter_context(a_base(server))
        create_tables(base.owner)
        with base.owner.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE salaries (who VARCHAR(20), amount INTEGER)")
        stack.enter_context(accounts(base))
        yield base


@pytest.fixture(params=[False, True], ids=["native", "odbc"])
def erp(request: pytest.FixtureRequest, base: Base) -> Iterator[Any]:
    empty_tables(base.owner)
    options = {
        "url": base.text(request.param, *READER),
        "write_url": base.text(request.param, *WRITER),
        "profile": str(PROFILE),
        "pool_size": 2,
    }
    erp = SqlErpAdapter.from_settings(options, {}, Path("/"))
    yield erp
    erp.close()


FORBIDDEN_TO_BOTH = (
    "CREATE TABLE loot (n INTEGER)",
    "DROP TABLE orders",
    "ALTER TABLE customers ADD COLUMN loot INTEGER",
    "UPDATE customers SET name = 'x'",
    "DELETE FROM customers WHERE name = 'x'",
    "UPDATE customers SET status = 'A'",
    "DELETE FROM customers",
    "UPDATE prices SET unit_price = 0",
    "UPDATE orders SET total = 0",
    "DELETE FROM orders WHERE order_no = 1",
    "SELECT * FROM salaries",
    "CREATE VIEW loot AS SELECT 1 AS one",
    "CREATE INDEX loot ON orders (total)",
)
FORBIDDEN = [
    *((account, sql) for account in (READER, WRITER) for sql in FORBIDDEN_TO_BOTH),
    (READER, "INSERT INTO customers (customer_no, name, status) VALUES ('x', 'x', 'A')"),
    (READER, "INSERT INTO orders (customer_no, web_key) VALUES ('x', 'x')"),
    (READER, "INSERT INTO order_lines (order_no, line_no, item_no) VALUES (1, 1, 'x')"),
    (WRITER, "UPDATE orders SET customer_no = 'x' WHERE order_no = 1"),
    (WRITER, "SELECT * FROM invoices"),
    (WRITER, "SELECT * FROM contacts"),
    (WRITER, "SELECT * FROM order_payments"),
]


@pytest.mark.parametrize(
    "account, sql", FORBIDDEN, ids=[f"{who[0]}: {sql}" for who, sql in FORBIDDEN]
)
def test_what_an_account_need_not_do_it_may_not_do(
    base: Base, account: tuple[str, str], sql: str
) -> None:
    engine = create_engine(base.url(False, *account))
    with engine.connect() as connection:
        if base.backend == "postgresql":
            # The account can lift this; its rights alone must stop it.
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
        with pytest.raises(DBAPIError) as caught:
            connection.exec_driver_sql(sql)
    engine.dispose()

    assert caught.value.orig is not None
    told = read_error(caught.value.orig, "mysql" if base.backend == "mariadb" else base.backend)
    # PostgreSQL tells a table of somebody else's as "must be owner of", with the same code.
    assert classify(told) is Failure.PRIVILEGE


def test_a_check_with_both_accounts_finds_nothing_missing(base: Base, erp: Any) -> None:
    world = HarbourWorld(base.owner)
    world.add_account(a.an_account())
    world.add_item(a.an_item())

    wrong = [f for f in erp.check() if f.level is not FindingLevel.OK]

    # Of a driver that keeps whole answers it is said each time, whoever signs in.
    kept = ["price feeds"] if erp.database.settings.url.drivername == "mariadb+pyodbc" else []
    assert [finding.subject for finding in wrong] == kept


RIGHTS = [
    ("SELECT", "customers", READER[0], "statement accounts"),
    ("SELECT", "prices", READER[0], "statement prices_account"),
    ("INSERT", "order_lines", WRITER[0], "step lines"),
    ("INSERT", "order_payments", WRITER[0], "step payments"),
    ("SELECT", "items", WRITER[0], "step sellable"),
]


@pytest.mark.parametrize("right, table, account, subject", RIGHTS)
def test_a_check_names_the_right_that_is_missing(
    base: Base, erp: Any, right: str, table: str, account: str, subject: str
) -> None:
    who = account if base.backend == "postgresql" else f"{account}@'%%'"
    with base.owner.begin() as connection:
        connection.exec_driver_sql(f"REVOKE {right} ON {table} FROM {who}")
    try:
        errors = {f.subject: f for f in erp.check() if f.level is FindingLevel.ERROR}
    finally:
        with base.owner.begin() as connection:
            connection.exec_driver_sql(f"GRANT {right} ON {table} TO {who}")

    assert "lacks a right" in errors[subject].message
    assert table in errors[subject].message
    whose = "write_url" if account == WRITER[0] else "url"
    assert errors[subject].remedy.startswith(f"let the account of {whose} do it: ")


def test_an_order_is_not_written_where_a_right_is_missing(base: Base, erp: Any) -> None:
    world = HarbourWorld(base.owner)
    world.add_account(a.an_account())
    world.add_ship_to(a.a_ship_to())
    world.add_item(a.an_item())
    who = WRITER[0] if base.backend == "postgresql" else f"{WRITER[0]}@'%%'"
    with base.owner.begin() as connection:
        connection.exec_driver_sql(f"REVOKE INSERT ON order_lines FROM {who}")
    try:
        with pytest.raises(AccessDenied, match="order_lines"):
            erp.submit_order(a.a_sales_order(), a.KEY)
    finally:
        with base.owner.begin() as connection:
            connection.exec_driver_sql(f"GRANT INSERT ON order_lines TO {who}")

    assert world.order_rows().headers == 0
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None
