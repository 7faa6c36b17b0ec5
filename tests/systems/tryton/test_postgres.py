"""What SQLite is too kind for: two writers at once, foreign keys, booleans, microseconds.

SQLite has one writer, takes a sale of a customer that does not exist, and gives
0 and 1 for no and yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.ids import CustomerId
from sync.domain.times import Watermark
from sync.ports.erp import Feed
from tests import postgres
from tests.systems.tryton import kit, test_groups, test_orders
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.conftest import BUILDING_S, Live

pytestmark = pytest.mark.timeout(BUILDING_S)  # the first one waits for the seed


class PostgresDatabase:
    """The same few statements as ``SqliteFile`` runs."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool)

    def execute(self, statement: str, *values: object) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement.replace("?", "%s"), values)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    kit.skip_without_kit()
    python = kit.server_python()
    folder = tmp_path_factory.mktemp("tryton-postgresql")
    with postgres.database() as url:
        parts = make_url(url)
        # In a configuration file a percent sign means something else.
        uri = f"postgresql://{parts.username}@/?host={parts.query['host']}"
        name = str(parts.database)
        database = PostgresDatabase(url)
        # Safe against a crash of the machine is what this one need not be.
        database.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        config = kit.write_config(folder, uri, port=1)
        today = datetime.now(UTC).date().isoformat()
        kit.seed_database(python, config, name, folder, kit.POSTGRES_SIZES, today)
        manifest = kit.read_manifest(folder)
        server = kit.Server(python, folder, uri, [name])
        yield Live(server, name, database, manifest)
        server.stop()


@pytest.fixture
def admin(live: Live) -> Iterator[Tryton]:
    client = live.admin()
    yield client
    client.close()


@pytest.fixture
def adapter(live: Live) -> Iterator[TrytonErpAdapter]:
    adapter = live.adapter()
    yield adapter
    adapter.close()


AGAIN: tuple[Callable[[Live, Tryton], None], ...] = (
    test_orders.test_four_workers_with_one_order_write_it_once,
    test_orders.test_somebody_who_changes_the_sale_meanwhile_is_noticed,
    test_orders.test_a_session_that_ends_in_the_middle_is_renewed_once,
    test_orders.test_a_half_made_order_that_the_buyer_changed_meanwhile_is_made_anew,
    test_orders.test_the_shipment_goes_to_the_hidden_address,
    test_orders.test_a_confirmed_order_is_not_confirmed_again,
    test_groups.test_three_workers_with_one_group_write_it_once,
    test_groups.test_somebody_who_changes_one_of_the_sales_meanwhile_stops_the_group,
)


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("again", AGAIN, ids=lambda each: each.__name__.removeprefix("test_"))
def test_on_postgresql_too(
    live: Live, admin: Tryton, again: Callable[[Live, Tryton], None]
) -> None:
    again(live, admin)


@pytest.mark.rule("WA-3a")
def test_retail_orders_leave_no_address_on_postgresql(
    live: Live, adapter: TrytonErpAdapter, admin: Tryton
) -> None:
    test_orders.test_retail_orders_leave_the_groups_address_list_as_it_was(live, adapter, admin)


@pytest.mark.rule("OI-1", "OI-2")
def test_a_refused_order_leaves_nothing_of_its_group_on_postgresql(
    live: Live, adapter: TrytonErpAdapter, admin: Tryton
) -> None:
    test_groups.test_an_order_that_tryton_refuses_leaves_nothing_of_its_group(
        live, adapter, admin, 2
    )
    test_groups.test_an_order_that_cannot_be_quoted_leaves_nothing_of_its_group(
        live, adapter, admin
    )
    test_groups.test_a_key_that_is_taken_refuses_the_whole_group(live, adapter, admin, True)


def test_yes_and_no_are_told_as_on_sqlite(
    live: Live, adapter: TrytonErpAdapter, admin: Tryton
) -> None:
    [number] = admin.find("party.party", ("code", "=", "C00002"))
    admin("party.party.write", [number], {"active": False})
    told = adapter.accounts([CustomerId("C00001"), CustomerId("C00002")])
    assert {key.value: account.active for key, account in told.items()} == {
        "C00001": True,
        "C00002": False,
    }


def test_a_change_is_told_from_its_own_moment_on(
    live: Live, adapter: TrytonErpAdapter, admin: Tryton
) -> None:
    customer = CustomerId("C00003")
    [number] = admin.find("party.party", ("code", "=", customer.value))
    admin("party.party.write", [number], {"name": "Renamed"})
    [row] = admin.rows("party.party", [("id", "=", number)], "last_modified_at")
    at: datetime = row["last_modified_at"]
    since, _ = adapter.changed_customers(Feed.ACCOUNTS, Watermark(at))
    later, _ = adapter.changed_customers(
        Feed.ACCOUNTS, Watermark(at.replace(microsecond=at.microsecond + 1))
    )
    assert customer in since
    assert customer not in later
