"""What the engine is told when a real database refuses, blocks, or dies.

Every failure is the database's own: two sessions that lock each other out, a
server that is killed, an account without a right. Each is met natively and over
ODBC, and must end in the same class.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.ids import CustomerId, IdempotencyKey, Sku
from sync.domain.sales_order import SalesOrder
from sync.errors import AccessDenied, Misconfigured, OutcomeUnknown, Rejected, TryLater
from sync.ports.erp import Erp
from sync.testing import builders as a
from sync.testing.erp_world import OrderRows
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables, empty_tables
from tests.systems.odbc.drivers import Base, a_base, a_file
from tests.systems.odbc.servers import PASSWORD, MariadbServer, PostgresqlServer, Server, a_server

NOTHING = OrderRows(headers=0, lines=0)
PATIENCE_S = 60
NUT = Sku("NUT-M8")
OTHER_KEY = IdempotencyKey("shop/order-2")


def until(seen: Callable[[], bool]) -> None:
    """Waits for what another session sees of a real server, whose clock is its own."""
    end = time.monotonic() + PATIENCE_S
    while not seen():
        assert time.monotonic() < end, "never came"
        time.sleep(0.2)  # InnoDB renews what it shows of its locks ten times a second


@dataclass
class Way:
    """One database with Harbour's tables, and one driver to it."""

    base: Base
    odbc: bool
    adapters: list[Erp]

    @property
    def backend(self) -> str:
        return self.base.backend

    @property
    def world(self) -> HarbourWorld:
        return HarbourWorld(self.base.owner)

    def erp(self, profile: str = str(PROFILE), **options: object) -> Any:
        settings = {"url": self.base.text(self.odbc), "profile": profile, "pool_size": 2, **options}
        self.adapters.append(SqlErpAdapter.from_settings(settings, {}, Path("/")))
        return self.adapters[-1]

    def run(self, *statements: str) -> None:
        with self.base.owner.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def on_line(self, postgresql: str, mariadb: str, sqlite: str = "SELECT 1") -> None:
        """Lets the ledger do this whenever an order line is written."""
        for statement in {
            "postgresql": (
                (
                    "CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS"
                    f" $$ BEGIN {postgresql}; RETURN NEW; END $$"
                ),
                (
                    "CREATE TRIGGER fault BEFORE INSERT ON order_lines FOR EACH ROW"
                    " EXECUTE FUNCTION fault()"
                ),
            ),
            "mariadb": (
                (
                    "CREATE TRIGGER fault BEFORE INSERT ON order_lines FOR EACH ROW"
                    f" BEGIN {mariadb}; END"
                ),
            ),
            "sqlite": (f"CREATE TRIGGER fault BEFORE INSERT ON order_lines BEGIN {sqlite}; END",),
        }[self.backend]:
            self.run(statement)

    def waits_for(self, other: Connection) -> Callable[[], bool]:
        """Whether a session waits for a lock of ``other``'s, and not for anyone else's."""
        me, sql = {
            "postgresql": (
                "SELECT pg_backend_pid()",
                "SELECT count(*) FROM pg_stat_activity WHERE {me} = ANY(pg_blocking_pids(pid))",
            ),
            "mariadb": (
                "SELECT CONNECTION_ID()",
                (
                    "SELECT count(*) FROM information_schema.innodb_lock_waits w"
                    " JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id"
                    " WHERE b.trx_mysql_thread_id = {me}"
                ),
            ),
        }[self.backend]
        asked = sql.format(me=int(other.exec_driver_sql(me).scalar_one()))

        def waits() -> bool:
            with self.base.owner.connect() as connection:
                return int(connection.exec_driver_sql(asked).scalar_one()) > 0

        return waits


SERVERS: dict[str, type[Server]] = {"postgresql": PostgresqlServer, "mariadb": MariadbServer}


@pytest.fixture(scope="module")
def bases(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Base]]:
    """One database on each server, made when first asked for."""
    made: dict[str, Base] = {}
    with ExitStack() as stack:

        def base(backend: str) -> Base:
            if backend not in made:
                server = request.getfixturevalue(f"{backend}_server")
                made[backend] = stack.enter_context(a_base(server))
                create_tables(made[backend].owner)
            return made[backend]

        yield base


def _way(base: Base, odbc: bool) -> Iterator[Way]:
    way = Way(base, odbc, [])
    way.world.add_account(a.an_account())
    way.world.add_ship_to(a.a_ship_to())
    way.world.add_item(a.an_item())
    way.world.add_item(a.an_item(sku=NUT))
    yield way
    for adapter in way.adapters:
        adapter.close()


DRIVERS = pytest.mark.parametrize("odbc", [False, True], ids=["native", "odbc"])
ALL = pytest.mark.parametrize("backend", ["sqlite", "postgresql", "mariadb"])
ON_A_SERVER = pytest.mark.parametrize("backend", ["postgresql", "mariadb"])


@pytest.fixture
def way(backend: str, odbc: bool, bases: Callable[[str], Base], tmp_path: Path) -> Iterator[Way]:
    if backend == "sqlite":
        with a_file(tmp_path) as base:
            create_tables(base.owner)
            yield from _way(base, odbc)
        return
    base = bases(backend)
    base.text(odbc)  # skips first where a driver is missing
    empty_tables(base.owner)
    yield from _way(base, odbc)
    with base.owner.begin() as connection:
        if backend == "postgresql":
            connection.exec_driver_sql("DROP FUNCTION IF EXISTS fault CASCADE")
        else:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS fault")


def two_lines() -> SalesOrder:
    lines = (a.a_sales_line(), a.a_sales_line(number=2, sku=NUT))
    return a.a_sales_order(lines=lines, total=a.money("199.80"))


def hold(connection: Connection, sku: Sku) -> None:
    connection.execute(
        text("SELECT item_no FROM items WHERE item_no = :sku FOR UPDATE"), {"sku": sku.value}
    )


def _crossed(way: Way, erp: Any) -> TryLater:
    """What the adapter says of an order that waits for another session, and that one for it."""
    with way.base.owner.connect() as other, ThreadPoolExecutor(2) as pool:
        if way.backend == "postgresql":
            # Its victim is who looks for the circle first; the server's own setting is shorter.
            other.exec_driver_sql("SET deadlock_timeout = '1min'")
        else:
            # InnoDB's victim is who has changed less.
            rows = ", ".join(f"('filler-{number}', 'EA', 'A')" for number in range(300))
            other.exec_driver_sql(f"INSERT INTO items (item_no, stock_unit, status) VALUES {rows}")
        hold(other, NUT)
        submitted = pool.submit(erp.submit_order, two_lines(), a.KEY)
        # It has locked the first line's item and wants the second's.
        until(way.waits_for(other))
        hold(other, a.SKU)
        with pytest.raises(TryLater) as caught:
            submitted.result(PATIENCE_S)
        other.rollback()
    assert way.world.order_rows() == NOTHING
    return caught.value


@pytest.mark.rule("OI-1")
@DRIVERS
@ON_A_SERVER
def test_the_victim_of_a_deadlock_may_try_again(way: Way) -> None:
    erp = way.erp(statement_timeout_s=40)
    # On a machine that hardly runs the second lock may come too late for a circle.
    said = [str(_crossed(way, erp))]
    while "undid it in favour of another" not in said[-1]:
        assert len(said) < 4, said
        said.append(str(_crossed(way, erp)))

    assert erp.submit_order(two_lines(), a.KEY).number is not None


@pytest.mark.rule("OI-1")
@DRIVERS
@ON_A_SERVER
def test_a_lock_that_is_not_given_in_time_may_be_tried_again(way: Way) -> None:
    erp = way.erp(statement_timeout_s=3)
    with way.base.owner.connect() as other:
        hold(other, a.SKU)
        with pytest.raises(TryLater, match="busy or holds a lock"):
            erp.submit_order(a.a_sales_order(), a.KEY)
        other.rollback()

    assert way.world.order_rows() == NOTHING
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None


@pytest.mark.rule("OI-1")
@DRIVERS
@pytest.mark.parametrize("backend", ["sqlite"])
def test_sqlite_busy_with_another_writer_may_be_tried_again(way: Way) -> None:
    erp = way.erp(statement_timeout_s=0.1)
    with way.base.owner.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(TryLater, match="busy or holds a lock"):
            erp.submit_order(a.a_sales_order(), a.KEY)
        other.rollback()

    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None


@pytest.mark.rule("OI-1")
@DRIVERS
@ON_A_SERVER
def test_a_statement_that_takes_too_long_while_writing_leaves_the_outcome_unknown(
    way: Way,
) -> None:
    way.on_line(postgresql="PERFORM pg_sleep(60)", mariadb="DO SLEEP(60)")

    with pytest.raises(OutcomeUnknown, match="took too long while writing"):
        way.erp(statement_timeout_s=3).submit_order(a.a_sales_order(), a.KEY)

    assert way.world.order_rows() == NOTHING


@DRIVERS
@ON_A_SERVER
def test_a_read_that_takes_too_long_may_be_tried_again(way: Way, tmp_path: Path) -> None:
    slow = {"postgresql": "pg_sleep(60)", "mariadb": "SLEEP(60)"}[way.backend]
    text = PROFILE.read_text().replace(
        "customer_ids: SELECT customer_no AS customer_id FROM customers",
        "customer_ids: SELECT customer_no AS customer_id FROM customers,"
        f" (SELECT {slow} AS nap) AS napping",
    )
    (tmp_path / "slow.yaml").write_text(text)

    with pytest.raises(TryLater, match="took too long"):
        list(way.erp(str(tmp_path / "slow.yaml"), statement_timeout_s=0.5).customer_ids())


@pytest.mark.rule("WA-13", "OI-2")
@DRIVERS
@ALL
def test_a_trigger_of_the_erp_refuses_in_its_own_words(way: Way) -> None:
    way.on_line(
        postgresql="RAISE EXCEPTION 'The period (2024) is closed'",
        mariadb="SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The period (2024) is closed'",
        sqlite="SELECT RAISE(ABORT, 'The period (2024) is closed')",
    )

    with pytest.raises(Rejected) as caught:
        way.erp().submit_order(a.a_sales_order(), a.KEY)

    assert caught.value.code == "erp_rule"
    assert str(caught.value).endswith("the ERP refused: The period (2024) is closed")
    assert way.world.order_rows() == NOTHING


@pytest.mark.rule("WA-13", "OI-1")
@DRIVERS
@ON_A_SERVER
@pytest.mark.parametrize("first", ["nothing", "a count", "a row"])
def test_a_procedure_that_refuses_after_its_first_answer_is_heard(
    way: Way, first: str, tmp_path: Path
) -> None:
    """The driver has given the first answer when the procedure raises its error."""
    answers = {
        "nothing": "",
        "a count": "UPDATE items SET description = 'seen';",
        "a row": "SELECT item_no FROM items;" if way.backend == "mariadb" else "",
    }[first]
    if way.backend == "mariadb":
        way.run(
            "CREATE OR REPLACE PROCEDURE book() BEGIN"
            f" {answers} SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'No credit'; END"
        )
    else:
        way.run(
            "CREATE OR REPLACE PROCEDURE book() LANGUAGE plpgsql AS"
            f" $$ BEGIN {answers} RAISE EXCEPTION 'No credit'; END $$"
        )
    profile = PROFILE.read_text() + "      - name: book\n        sql: CALL book()\n"
    (tmp_path / "booking.yaml").write_text(profile)

    with pytest.raises(Rejected, match="step book: the ERP refused: No credit"):
        way.erp(str(tmp_path / "booking.yaml")).submit_order(a.a_sales_order(), a.KEY)

    assert way.world.order_rows() == NOTHING


@pytest.mark.rule("OP-7")
@DRIVERS
@ON_A_SERVER
def test_a_constraint_refuses_without_repeating_the_row(way: Way) -> None:
    way.run("ALTER TABLE order_lines ADD CONSTRAINT few CHECK (quantity < 5)")
    try:
        with pytest.raises(Rejected) as caught:
            way.erp().submit_order(a.a_sales_order(notes="Ring for Ada Visser"), a.KEY)
    finally:
        way.run("ALTER TABLE order_lines DROP CONSTRAINT few")

    assert caught.value.code == "erp_constraint"
    assert a.SKU.value not in str(caught.value).partition("the ERP refused")[2]
    assert way.world.order_rows() == NOTHING


@DRIVERS
@ALL
def test_a_customer_that_the_erp_lacks_is_a_constraint(way: Way) -> None:
    with pytest.raises(Rejected) as caught:
        way.erp().submit_order(a.a_sales_order(sold_to=CustomerId("C-9999")), a.KEY)

    assert caught.value.code == "erp_constraint"


@pytest.mark.rule("OI-1")
@DRIVERS
@ALL
def test_a_unique_index_on_another_column_is_told_as_a_duplicate(way: Way) -> None:
    erp = way.erp()
    way.run("CREATE UNIQUE INDEX once ON orders (web_number)") if way.backend != "mariadb" else (
        way.run("CREATE UNIQUE INDEX once ON orders (web_number(40))")
    )
    try:
        erp.submit_order(a.a_sales_order(), a.KEY)
        with pytest.raises(Rejected) as caught:
            erp.submit_order(a.a_sales_order(), OTHER_KEY)
    finally:
        way.run("DROP INDEX once" + (" ON orders" if way.backend == "mariadb" else ""))

    assert caught.value.code == "erp_duplicate"


@DRIVERS
@ON_A_SERVER
def test_a_text_too_long_for_its_column_is_refused_and_never_cut(way: Way) -> None:
    if way.backend == "postgresql":
        change, back = ("ALTER COLUMN po_number TYPE VARCHAR(5)", "ALTER po_number TYPE TEXT")
    else:
        change, back = ("MODIFY po_number VARCHAR(5)", "MODIFY po_number TEXT")
    way.run(f"ALTER TABLE orders {change}")
    try:
        with pytest.raises(Rejected) as caught:
            way.erp().submit_order(a.a_sales_order(po_number="PO 4711/A"), a.KEY)
    finally:
        way.run(f"ALTER TABLE orders {back}")

    assert caught.value.code == "erp_value"
    assert way.world.order_rows() == NOTHING


IMPORT_DESK = """\
name: import desk
description: an ERP with an import table
dialects: [mysql]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
  number_follows: true
  external_key_length: 64
constants: {currency: EUR}
reads:
  customer_ids: SELECT customer_no AS customer_id FROM customers
  accounts: |
    SELECT customer_no AS customer_id, name FROM customers WHERE customer_no IN :customer_ids
  find_order: SELECT NULL AS order_number FROM desk WHERE web_key = :external_key
writes:
  submit_order:
    steps:
      - name: header
        sql: INSERT INTO desk (web_key, customer) VALUES (:key, :customer)
        bind: {key: order.key, customer: order.sold_to}
      - name: lines
        for_each: lines
        sql: UPDATE desk SET item = :item, quantity = :qty WHERE web_key = :key
        bind: {key: order.key, item: line.sku, qty: line.quantity}
"""


@pytest.mark.rule("OI-1")
@DRIVERS
@pytest.mark.parametrize("backend", ["mariadb"])
@pytest.mark.parametrize(
    "column, engine, subject, told, way_out",
    [
        ("CHAR(64)", "MyISAM", "transactions", "MyISAM, which takes nothing back", "=InnoDB"),
        ("CHAR(40)", "InnoDB", "unique external key", "desk.web_key holds 40", "length: 40"),
        ("CHAR(64)", "InnoDB", "", "", ""),
    ],
)
def test_a_check_finds_a_table_that_takes_nothing_back_and_a_column_too_short_for_keys(
    way: Way, tmp_path: Path, column: str, engine: str, subject: str, told: str, way_out: str
) -> None:
    (tmp_path / "desk.yaml").write_text(IMPORT_DESK, encoding="utf-8")
    way.run(
        f"CREATE TABLE desk (web_key {column} PRIMARY KEY, customer CHAR(8), item CHAR(18),"
        f" quantity DECIMAL(11,3)) ENGINE={engine}"
    )
    try:
        found = {each.subject: each for each in way.erp(str(tmp_path / "desk.yaml")).check()}
    finally:
        way.run("DROP TABLE desk")

    assert ("transactions" in found) is (engine == "MyISAM")
    assert ("has a unique index" in found["unique external key"].message) is (column != "CHAR(40)")
    if subject:
        assert told in found[subject].message
        assert way_out in found[subject].remedy


@pytest.mark.rule("OI-1")
@DRIVERS
@pytest.mark.parametrize("backend", ["mariadb"])
def test_what_a_column_has_no_letters_for_is_not_there_and_stops_nothing(way: Way) -> None:
    way.run(
        "ALTER TABLE orders MODIFY po_number TEXT CHARACTER SET latin1",
        "ALTER TABLE contacts MODIFY email TEXT CHARACTER SET latin1",
        f"INSERT INTO contacts VALUES ('{a.ACCOUNT}', 'C1', 'ada@harbour.example')",
    )
    erp = way.erp()
    odd = ["\u03a9@harbour.example", "\U0001f529@harbour.example"]
    try:
        assert erp.purchase_order_used(a.ACCOUNT, "\u03a9-1", a.KEY) is None
        assert list(erp.accounts_by_email(odd[0])) == []
        told = erp.accounts_by_emails([*odd, "ada@harbour.example"])
        assert {email: list(each) for email, each in told.items() if each} == {
            "ada@harbour.example": [a.ACCOUNT]
        }
        assert not any(erp.accounts_by_emails(odd).values())
    finally:
        way.run(
            "ALTER TABLE orders MODIFY po_number TEXT",
            "ALTER TABLE contacts MODIFY email TEXT",
            "DELETE FROM contacts",
        )


@DRIVERS
@ON_A_SERVER
def test_a_wrong_password_stops_the_flow(way: Way) -> None:
    url = way.base.text(way.odbc, "owner", "wrong")

    with pytest.raises(AccessDenied) as caught:
        list(way.erp(url=url).customer_ids())

    assert "wrong" not in str(caught.value)


@DRIVERS
@ON_A_SERVER
def test_a_database_that_is_not_there_stops_the_flow(way: Way) -> None:
    url = way.base.url(way.odbc).set(database="nowhere").render_as_string(hide_password=False)

    with pytest.raises(AccessDenied, match="no database of that name"):
        list(way.erp(url=url).customer_ids())


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes a connection and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


@pytest.mark.rule("OP-1")
@DRIVERS
@ON_A_SERVER
def test_a_login_that_is_never_answered_ends_in_time(way: Way, silent_port: int) -> None:
    url = way.base.url(way.odbc).set(port=silent_port).render_as_string(hide_password=False)

    # Without a limit the time-out of the test ends it.
    with pytest.raises(TryLater):
        list(way.erp(url=url, login_timeout_s=2).customer_ids())


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("odbc", [True])
@ON_A_SERVER
def test_a_driver_that_is_not_there_is_named(way: Way) -> None:
    url = way.base.url(True).update_query_dict({"driver": "Driver of the Moon"})

    with pytest.raises(Misconfigured, match="ODBC driver or data source is not there") as caught:
        list(way.erp(url=url.render_as_string(hide_password=False)).customer_ids())

    assert PASSWORD not in str(caught.value)


# Servers that die. Each has one of its own, so that no other test is in their way.


@pytest.fixture(scope="module")
def mortal(request: pytest.FixtureRequest) -> Iterator[Base]:
    server = a_server(SERVERS[request.param])
    try:
        with a_base(server) as base:
            create_tables(base.owner)
            yield base
    finally:
        server.remove()


MORTALS = pytest.mark.parametrize("mortal", list(SERVERS), indirect=True, scope="module")


@pytest.fixture
def dying(mortal: Base, odbc: bool) -> Iterator[Way]:
    mortal.text(odbc)
    empty_tables(mortal.owner)
    yield from _way(mortal, odbc)
    if mortal.backend == "postgresql":
        with mortal.owner.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION IF EXISTS fault CASCADE")
    else:
        with mortal.owner.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS fault")


def _running(way: Way, words: str) -> bool:
    """Whether a session of the adapter is in a statement that shows these words."""
    sql = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        " AND pid <> pg_backend_pid() AND application_name = 'tradesync' AND query LIKE :words",
        "mariadb": "SELECT count(*) FROM information_schema.processlist"
        " WHERE id <> connection_id() AND concat_ws(' ', state, info) LIKE :words",
    }[way.backend]
    with way.base.owner.connect() as connection:
        found = connection.execute(text(sql), {"words": f"%{words}%"}).scalar_one()
    return int(found) > 0


def _die(way: Way, submitted: Future[Any]) -> None:
    assert way.base.server is not None
    way.base.server.kill()
    with pytest.raises(OutcomeUnknown, match="the connection broke while writing"):
        submitted.result(PATIENCE_S)
    way.base.server.start()


@pytest.mark.rule("OI-1")
@DRIVERS
@MORTALS
def test_a_server_killed_while_a_statement_runs_leaves_the_outcome_unknown(dying: Way) -> None:
    dying.on_line(postgresql="PERFORM pg_sleep(60)", mariadb="DO SLEEP(60)")
    erp = dying.erp()
    with ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(erp.submit_order, a.a_sales_order(), a.KEY)
        until(lambda: _running(dying, "order_lines" if dying.backend != "mariadb" else "SLEEP"))
        _die(dying, submitted)

    dying.run(
        "DROP FUNCTION fault CASCADE" if dying.backend == "postgresql" else "DROP TRIGGER fault"
    )
    # The same adapter goes on: its pool hands out no connection of before.
    assert erp.find_order(a.KEY) is None
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None
    assert dying.world.order_rows() == OrderRows(headers=1, lines=1)


@pytest.mark.rule("OI-1")
@DRIVERS
@MORTALS
def test_a_server_killed_in_the_commit_leaves_the_outcome_unknown(dying: Way) -> None:
    erp = dying.erp()
    with ExitStack() as stack:
        if dying.backend == "postgresql":
            dying.run(
                "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$",
                "CREATE CONSTRAINT TRIGGER fault AFTER INSERT ON order_lines"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault()",
            )
        else:
            # As its own back-up does it: everybody may write, and nobody commit.
            blocker = dying.base.owner.connect()
            stack.callback(blocker.close)
            stack.callback(blocker.invalidate)  # its server is dead by then
            for stage in ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"):
                blocker.exec_driver_sql(f"BACKUP STAGE {stage}")
        pool = stack.enter_context(ThreadPoolExecutor(1))
        submitted = pool.submit(erp.submit_order, a.a_sales_order(), a.KEY)
        until(lambda: _running(dying, "COMMIT"))
        _die(dying, submitted)

    if dying.backend == "postgresql":
        dying.run("DROP FUNCTION fault CASCADE")
    held = erp.find_order(a.KEY)
    assert dying.world.order_rows().headers == (0 if held is None else 1)
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None
    assert dying.world.order_rows() == OrderRows(headers=1, lines=1)


@pytest.mark.rule("OI-1", "OP-1")
@pytest.mark.parametrize("asked", [True, False], ids=["asked first", "in use a moment ago"])
@DRIVERS
@MORTALS
def test_no_order_is_lost_to_a_connection_from_before_a_restart(
    dying: Way, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.kit.engines.RESTED_S", 0.0 if asked else 3600.0)
    erp = dying.erp()
    erp.submit_order(a.a_sales_order(), a.KEY)
    assert len(list(erp.customer_ids())) == 1
    assert dying.base.server is not None

    dying.base.server.restart()

    assert erp.submit_order(a.a_sales_order(), OTHER_KEY).number is not None
    assert len(list(erp.customer_ids())) == 1
    assert dying.world.order_rows().headers == 2


@DRIVERS
@MORTALS
def test_a_server_that_is_away_may_come_back(dying: Way) -> None:
    erp = dying.erp()
    assert dying.base.server is not None
    dying.base.server.kill()
    try:
        with pytest.raises(TryLater):
            list(erp.customer_ids())
        with pytest.raises(TryLater):
            erp.submit_order(a.a_sales_order(), a.KEY)
    finally:
        dying.base.server.start()

    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None
