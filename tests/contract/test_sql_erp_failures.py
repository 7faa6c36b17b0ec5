"""What the engine is told when a real database fails in the middle.

The faults happen in the database itself: triggers of the ledger break the
connection, take too long or refuse, at the very moment that the test names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.ids import IdempotencyKey
from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    SyncError,
    TryLater,
)
from sync.ports.erp import Erp, FindingLevel
from sync.testing import builders as a
from sync.testing.erp_contract import a_group
from sync.testing.erp_world import OrderRows
from tests import postgres
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables, harbour_adapter

KILL = "PERFORM pg_terminate_backend(pg_backend_pid());"
SLEEP = "PERFORM pg_sleep(60);"
PATIENT_S = 30.0
# For what is waited out: long for a statement, short for a test.
IMPATIENT_S = 1.5
SERIALIZATION = "RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001';"
DEADLOCK = "RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01';"
LOCK = "RAISE EXCEPTION 'lock not available' USING ERRCODE = '55P03';"
RULE = "RAISE EXCEPTION 'The period is closed';"


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def world(ledger: Engine) -> HarbourWorld:
    world = HarbourWorld(ledger)
    world.add_account(a.an_account())
    world.add_item(a.an_item())
    return world


@pytest.fixture
def made(ledger: Engine, world: HarbourWorld) -> Iterator[Callable[..., Any]]:
    """Makes the adapter; by default it has more patience than any test needs.

    On a busy machine a statement that nothing holds up may take half a second, too.
    """
    adapters: list[Erp] = []

    def make(**options: object) -> Erp:
        url = ledger.url.render_as_string(hide_password=False)
        adapters.append(
            harbour_adapter(**{"url": url, "statement_timeout_s": PATIENT_S, **options})
        )
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.close()


def on_insert(ledger: Engine, table: str, action: str, *, at_commit: bool = False) -> None:
    """Lets the ledger do this whenever a row is written, or when its transaction commits."""
    with ledger.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {action} RETURN NEW; END $$"
        )
        kind = "CONSTRAINT TRIGGER" if at_commit else "TRIGGER"
        when = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
        connection.exec_driver_sql(
            f"CREATE {kind} fault AFTER INSERT ON {table} {when} FOR EACH ROW"
            " EXECUTE FUNCTION fault()"
        )


def no_fault(ledger: Engine) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION fault CASCADE")


NOTHING = OrderRows(headers=0, lines=0)
ONE = OrderRows(headers=1, lines=1)


HOWEVER_IT_IS_LOST = pytest.mark.parametrize(
    "action, at_commit, patience_s",
    [(KILL, False, PATIENT_S), (KILL, True, PATIENT_S), (SLEEP, False, IMPATIENT_S)],
    ids=["lost at a line", "lost at the commit", "too slow at a line"],
)


@pytest.mark.rule("OI-1")
@HOWEVER_IT_IS_LOST
def test_an_answer_lost_while_writing_leaves_the_outcome_unknown(
    ledger: Engine,
    world: HarbourWorld,
    made: Callable[..., Any],
    action: str,
    at_commit: bool,
    patience_s: float,
) -> None:
    on_insert(ledger, "order_lines", action, at_commit=at_commit)
    erp = made(statement_timeout_s=patience_s)

    with pytest.raises(OutcomeUnknown, match="W-10482") as caught:
        erp.submit_order(a.a_sales_order(), a.KEY)

    assert caught.value.__cause__ is not None
    assert world.order_rows() == NOTHING
    no_fault(ledger)
    assert erp.find_order(a.KEY) is None
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is not None


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "action", [SERIALIZATION, DEADLOCK, LOCK], ids=["serialization", "deadlock", "lock"]
)
@pytest.mark.parametrize("at_commit", [False, True], ids=["at a line", "at the commit"])
def test_what_the_database_itself_undid_may_be_tried_again(
    ledger: Engine, world: HarbourWorld, made: Callable[..., Any], action: str, at_commit: bool
) -> None:
    on_insert(ledger, "order_lines", action, at_commit=at_commit)

    with pytest.raises(TryLater):
        made().submit_order(a.a_sales_order(), a.KEY)

    assert world.order_rows() == NOTHING


@pytest.mark.rule("WA-13")
@pytest.mark.parametrize("at_commit", [False, True], ids=["at a line", "at the commit"])
def test_a_rule_of_the_erp_refuses_in_its_own_words(
    ledger: Engine, world: HarbourWorld, made: Callable[..., Any], at_commit: bool
) -> None:
    on_insert(ledger, "order_lines", RULE, at_commit=at_commit)

    with pytest.raises(Rejected, match="The period is closed"):
        made().submit_order(a.a_sales_order(), a.KEY)

    assert world.order_rows() == NOTHING


def test_a_read_that_takes_too_long_may_be_tried_again(
    ledger: Engine, made: Callable[..., Any]
) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE customers RENAME TO slow")
        connection.exec_driver_sql(
            "CREATE VIEW customers AS SELECT slow.* FROM slow, pg_sleep(60) AS napping"
        )

    with pytest.raises(TryLater, match="too long"):
        list(made(statement_timeout_s=IMPATIENT_S).customer_ids())


def test_a_lost_connection_is_replaced_at_the_next_read(
    ledger: Engine, made: Callable[..., Any]
) -> None:
    erp = made()
    assert len(list(erp.customer_ids())) == 1
    with ledger.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    assert len(list(erp.customer_ids())) == 1


@pytest.mark.rule("OI-1")
@HOWEVER_IT_IS_LOST
def test_an_answer_lost_while_writing_a_group_leaves_all_or_nothing_of_it(
    ledger: Engine,
    world: HarbourWorld,
    made: Callable[..., Any],
    action: str,
    at_commit: bool,
    patience_s: float,
) -> None:
    on_insert(ledger, "order_lines", action, at_commit=at_commit)
    erp, orders = made(statement_timeout_s=patience_s), a_group(3)

    with pytest.raises(OutcomeUnknown) as caught:
        erp.submit_orders(orders)

    assert caught.value.__cause__ is not None
    assert world.order_rows() == NOTHING
    no_fault(ledger)
    assert erp.find_orders([key for _, key in orders]) == {}
    assert len(erp.submit_orders(orders)) == 3


@pytest.mark.rule("OI-1")
def test_a_group_and_its_orders_one_by_one_at_once_are_each_order_once(
    ledger: Engine, world: HarbourWorld, made: Callable[..., Any]
) -> None:
    grouping, single = made(), made()
    orders = a_group(20)
    together = threading.Barrier(2)

    def group() -> str:
        together.wait()
        try:
            grouping.submit_orders(orders)
        except Conflict:
            return "stopped by its unique index"
        return "written"

    def one_by_one() -> int:
        together.wait()
        return len({single.submit_order(order, key) for order, key in orders})

    with ThreadPoolExecutor(2) as pool:
        in_group, alone = pool.submit(group), pool.submit(one_by_one)

    assert in_group.result() in ("written", "stopped by its unique index")
    assert alone.result() == 20
    assert world.order_rows() == OrderRows(20, 20)


@pytest.mark.rule("OI-1")
def test_the_same_order_submitted_by_two_workers_at_once_is_one_order(
    ledger: Engine, world: HarbourWorld, made: Callable[..., Any]
) -> None:
    adapters = [made() for _ in range(4)]
    together = threading.Barrier(len(adapters))

    def submit(erp: Any) -> object:
        together.wait()
        return erp.submit_order(a.a_sales_order(), a.KEY)

    with ThreadPoolExecutor(len(adapters)) as pool:
        answers = set(pool.map(submit, adapters))

    assert len(answers) == 1
    assert world.order_rows() == ONE


@pytest.mark.rule("OP-7")
def test_no_error_repeats_what_was_bound(ledger: Engine, made: Callable[..., Any]) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD CHECK (notes IS NULL)")

    with pytest.raises(Rejected) as caught:
        made().submit_order(a.a_sales_order(notes="Ring for Ada Visser"), a.KEY)

    assert caught.value.code == "erp_constraint"
    assert "Ada Visser" not in str(caught.value)


def test_a_text_too_long_for_its_column_is_refused_and_never_cut(
    ledger: Engine, world: HarbourWorld, made: Callable[..., Any]
) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ALTER COLUMN po_number TYPE VARCHAR(5)")

    with pytest.raises(Rejected) as caught:
        made().submit_order(a.a_sales_order(po_number="PO 4711/A"), a.KEY)

    assert caught.value.code == "erp_value"
    assert world.order_rows() == NOTHING


@pytest.fixture
def clerk(ledger: Engine) -> Iterator[str]:
    """A database account that may read the customers and nothing else."""
    name = f"clerk_{ledger.url.database}"
    with ledger.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON customers TO {name}")
    yield make_url(ledger.url).set(username=name).render_as_string(hide_password=False)
    with ledger.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


def test_a_missing_right_stops_the_flow(made: Callable[..., Any], clerk: str) -> None:
    erp = made(url=clerk)

    assert len(list(erp.customer_ids())) == 1
    with pytest.raises(AccessDenied, match="lacks a right"):
        erp.ship_tos([a.ACCOUNT])


def test_a_check_names_every_missing_right_without_writing(
    world: HarbourWorld, made: Callable[..., Any], clerk: str
) -> None:
    erp = made(write_url=clerk)

    errors = {f.subject: f.message for f in erp.check() if f.level is FindingLevel.ERROR}

    assert {"step header", "step lines", "step payments"} <= errors.keys()
    assert all("lacks a right" in message for message in errors.values())
    ways = {f.subject: f.remedy for f in erp.check() if f.level is FindingLevel.ERROR}
    assert "the account of write_url" in ways["step header"]
    assert (
        "the account of url"
        in {f.subject: f.remedy for f in made(url=clerk).check()}["statement ship_tos"]
    )
    assert world.order_rows() == NOTHING


def test_a_check_names_the_sequence_that_an_insert_would_need(
    ledger: Engine, world: HarbourWorld, made: Callable[..., Any], clerk: str
) -> None:
    name = make_url(clerk).username
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE order_lines ADD COLUMN id serial")
        connection.exec_driver_sql(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
        )

    [error] = [f for f in made(write_url=clerk).check() if f.level is FindingLevel.ERROR]

    assert error.subject == "step lines"
    assert "public.order_lines_id_seq" in error.message
    assert error.remedy == f"GRANT USAGE ON SEQUENCE public.order_lines_id_seq TO {name}"

    with ledger.begin() as connection:
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE order_lines_id_seq TO {name}")
    assert not [f for f in made(write_url=clerk).check() if f.level is FindingLevel.ERROR]
    assert world.order_rows() == NOTHING


def test_a_check_names_a_schema_that_an_account_may_not_use_and_nothing_after_it(
    ledger: Engine, made: Callable[..., Any], clerk: str
) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "Books"')

    [finding] = made(url=clerk, schema='"Books"').check()

    assert finding.level is FindingLevel.ERROR
    assert finding.message == "the account of url sees no schema Books"
    assert f"GRANT USAGE ON SCHEMA Books TO {make_url(clerk).username}," in finding.remedy

    found = made(schema='public, "Books", nowhere').check()
    assert [each.message for each in found if "no schema" in each.message] == [
        "the account of url sees no schema nowhere"
    ]
    assert len(found) > 2


@pytest.mark.rule("OP-4")
def test_a_check_says_how_to_bind_keys_that_are_numbers_in_the_erp(
    ledger: Engine, made: Callable[..., Any]
) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE item_units DROP CONSTRAINT item_units_item_no_fkey")
        connection.exec_driver_sql("ALTER TABLE item_units ALTER item_no TYPE integer USING 0")

    [error] = [f for f in made().check() if f.subject == "statement item_units"]

    assert "types: {skus: integer}" in error.remedy


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "changes, subject, told",
    [
        (
            ("ALTER TABLE order_lines ALTER COLUMN quantity TYPE date USING NULL",),
            "step lines",
            'column "quantity" is of type date',
        ),
        (
            (
                "ALTER TABLE item_units DROP CONSTRAINT item_units_item_no_fkey",
                "ALTER TABLE item_units ALTER COLUMN item_no TYPE integer USING 0",
            ),
            "statement item_units",
            "integer",
        ),
        (
            ("ALTER TABLE customers ALTER COLUMN tax_exempt TYPE text USING 'perhaps'",),
            "statement accounts",
            "tax_exempt",
        ),
    ],
)
def test_a_check_names_a_column_of_another_type_without_writing(
    ledger: Engine,
    world: HarbourWorld,
    made: Callable[..., Any],
    changes: tuple[str, ...],
    subject: str,
    told: str,
) -> None:
    with ledger.begin() as connection:
        for change in changes:
            connection.exec_driver_sql(change)

    errors = {f.subject: f for f in made().check() if f.level is FindingLevel.ERROR}

    assert told in errors[subject].message
    assert errors[subject].remedy
    assert errors.keys() == {subject}
    assert world.order_rows() == NOTHING


def test_a_reading_account_is_kept_from_writing_even_where_it_could(
    ledger: Engine, made: Callable[..., Any]
) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION spy() RETURNS text LANGUAGE sql AS"
            " $$ INSERT INTO item_customers VALUES ('BOLT-M8', 'x') RETURNING customer_no $$"
        )
        connection.exec_driver_sql("ALTER TABLE customers RENAME TO real_customers")
        connection.exec_driver_sql(
            "CREATE VIEW customers AS SELECT spy() AS customer_no FROM real_customers"
        )

    with pytest.raises(Misconfigured, match="read only"):
        list(made().customer_ids())


def test_a_server_that_is_not_there_may_come_back(made: Callable[..., Any], tmp_path: Path) -> None:
    erp = made(url=f"postgresql+psycopg:///acme?host={tmp_path}")

    with pytest.raises(TryLater):
        list(erp.customer_ids())
    [finding] = erp.check()
    assert finding.level is FindingLevel.ERROR


def test_a_database_that_does_not_exist_is_no_wrong_password(
    made: Callable[..., Any], ledger: Engine
) -> None:
    url = ledger.url.set(database="nowhere").render_as_string(hide_password=False)

    with pytest.raises(AccessDenied, match="no database of that name"):
        list(made(url=url).customer_ids())


@pytest.mark.rule("OI-1")
def test_sqlite_busy_writing_another_order_may_be_tried_again(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'harbour.db'}")
    create_tables(engine)
    world = HarbourWorld(engine)
    world.add_account(a.an_account())
    world.add_item(a.an_item())
    options = {"url": "sqlite:///harbour.db", "profile": str(PROFILE), "statement_timeout_s": 0.05}
    erp: Any = SqlErpAdapter.from_settings(options, {}, tmp_path)

    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(TryLater, match="busy"):
            erp.submit_order(a.a_sales_order(), a.KEY)
        other.rollback()
    erp.submit_order(a.a_sales_order(), a.KEY)

    assert world.order_rows() == ONE
    erp.close()
    engine.dispose()


@pytest.mark.rule("OI-1")
def test_two_workers_on_sqlite_write_one_order_each_time(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'harbour.db'}")
    create_tables(engine)
    world = HarbourWorld(engine)
    world.add_account(a.an_account())
    world.add_item(a.an_item())
    options = {"url": "sqlite:///harbour.db", "profile": str(PROFILE)}
    erp: Any = SqlErpAdapter.from_settings(options, {}, tmp_path)
    keys = [IdempotencyKey(f"shop/order-{number % 3}") for number in range(9)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: erp.submit_order(a.a_sales_order(), key), keys))

    assert world.order_rows() == OrderRows(headers=3, lines=3)
    erp.close()
    engine.dispose()


def test_every_failure_is_one_of_ours(ledger: Engine, made: Callable[..., Any]) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("DROP TABLE order_payments")

    with pytest.raises(SyncError, match="order_payments"):
        made().submit_order(a.a_sales_order(), a.KEY)


postgres_url = postgres.postgres_url
