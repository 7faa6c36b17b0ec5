"""An operator has the tables of an embedded store made, in a database that may not be theirs."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from sync.cli.main import main
from sync.cli.output import Exit
from sync.domain.ids import StoreId
from sync.errors import Conflict
from sync.settings import Settings
from sync.stores.embedded import schema
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import store_url
from sync.testing.store import MemoryStore
from tests.postgres import database
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator, Said

OURS = set(schema.metadata.tables)
LATER = ("order_captures", "order_refunds", "shared_price_rows")
"""Tables that an older release did not have."""


@dataclass(frozen=True)
class Shop:
    """A site whose store is to live in this database, which is empty at first."""

    operator: Operator
    engine: Engine

    def __call__(self, *words: str) -> Said:
        return self.operator("store", *words)

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for each in statements:
                connection.execute(text(each))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def tables(self) -> set[str]:
        return set(inspect(self.engine).get_table_names())

    def opened(self) -> EmbeddedStore:
        url = self.engine.url.render_as_string(hide_password=False)
        return EmbeddedStore(store_url(url, {}, Path()), StoreId("shop"))


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, fresh: Operator) -> Iterator[Shop]:
    fresh.site.database("store").unlink()
    if request.param == "sqlite":
        yield Shop(
            fresh,
            create_engine(f"sqlite:///{fresh.site.database('store')}", poolclass=NullPool),
        )
        return
    with database() as url:
        # The server asks for no password, and settings hold none.
        address = url.replace("postgres:@", "postgres@")
        settings = fresh.site.settings
        mine = 'url = "sqlite:///var/sample/store.sqlite"'
        assert mine in settings.read_text()
        settings.write_text(settings.read_text().replace(mine, f'url = "{address}"'))
        yield Shop(fresh, create_engine(address, poolclass=NullPool))


def files(site: SampleSite) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in site.root.rglob("*") if file.is_file()}


def test_the_tables_are_made_once_and_nothing_beside_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also as root, whom nobody has told where the service keeps its state."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    before = files(shop.operator.site)
    for words in (("create",), ("create", "--json")):
        refused = shop(*words)
        assert refused.code == Exit.USAGE, refused
        assert "nobody can be asked: add --yes, or look with --dry-run" in refused.err
    assert files(shop.operator.site) == before, "not even an empty file"

    made = shop("create", "--yes", "--json")

    assert made.code == Exit.DONE, made
    assert set(made.json["made"]) == OURS == shop.tables()
    beside = {file.name for file in files(shop.operator.site).keys() - before.keys()}
    assert beside <= {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm"}
    again = shop("create")
    assert (again.code, again.out) == (Exit.DONE, "Every table is there; nothing was made.\n")
    rows = shop.operator("check", "--json").json
    assert [row for row in rows if (row["where"], row["level"]) == ("main: store", "error")] == []


def test_the_sql_that_is_printed_makes_the_same(shop: Shop) -> None:
    printed = shop("sql").out
    assert printed == shop("create", "--dry-run").out
    statements = shop("sql", "--json").json["statements"]
    assert statements == shop("create", "--dry-run", "--json").json["statements"]
    assert [f"{each};" for each in statements] == printed.strip().split("\n\n")
    assert not shop.operator.site.database("store").exists(), "a dry run makes no file"
    assert shop.tables() == set()

    shop.run(*statements)

    assert shop("create").out == "Every table is there; nothing was made.\n"


@pytest.mark.parametrize("what", ["table", "view", "elsewhere"])
def test_in_a_database_that_holds_something_else_nothing_is_made_unless_it_is_said(
    shop: Shop, what: str
) -> None:
    """The url of the ERP, say, copied into the wrong system."""
    name = "invoice_line"
    shop.run("CREATE TABLE invoice_line (n INTEGER)", "INSERT INTO invoice_line VALUES (7)")
    if what == "view":
        shop.run("CREATE VIEW open_lines AS SELECT n FROM invoice_line")
    if what == "elsewhere" and shop.engine.dialect.name == "postgresql":  # SQLite has one schema
        shop.run("CREATE SCHEMA erp", "ALTER TABLE invoice_line SET SCHEMA erp")
        name = "erp.invoice_line"
    before = shop.tables()
    for words in ((), ("--yes",), ("--dry-run",)):
        refused = shop("create", *words)
        assert refused.code == Exit.FAILED, refused
        assert name in refused.err
        assert "open_lines" in refused.err or what != "view"
        assert "add --beside-other-tables" in refused.err
    program = shop("create", "--dry-run", "--json")
    assert (program.code, name in program.json["error"]) == (Exit.FAILED, True)
    assert program.json["other_tables"]
    assert shop.tables() == before

    made = shop("create", "--beside-other-tables", "--yes")

    assert made.code == Exit.DONE, made
    assert shop.tables() == before | OURS
    assert shop.rows(f"SELECT n FROM {name}") == [(7,)]
    assert shop("create").code == Exit.DONE, "nothing is left to be made beside them"


@pytest.mark.parametrize("columns", ["n INTEGER", "all of them and one more"])
def test_a_table_of_the_same_name_with_other_columns_is_never_touched(
    shop: Shop, columns: str
) -> None:
    if columns == "n INTEGER":
        shop.run("CREATE TABLE orders (n INTEGER)", "INSERT INTO orders VALUES (7)")
    else:
        schema.metadata.create_all(shop.engine, tables=[schema.orders])
        shop.run("ALTER TABLE orders ADD COLUMN n INTEGER")
    for words in (("--yes",), ("--yes", "--beside-other-tables"), ("--dry-run",)):
        refused = shop("create", *words)
        assert refused.code == Exit.FAILED, refused
        assert "table orders " in refused.err
        if columns == "n INTEGER":
            more = len(schema.orders.columns) + 1 - 4
            assert f" and {more} more such columns" in refused.err
        else:
            assert "table orders has n besides" in refused.err
            assert "more such" not in refused.err
        assert "nothing is ever altered" in refused.err
    assert shop.tables() == {"orders"}
    assert len(shop.rows("SELECT n FROM orders")) == (columns == "n INTEGER")


def test_check_sends_nobody_to_a_command_that_refuses(shop: Shop) -> None:
    """A table is made by it; a column of one that is there is not."""
    assert shop("create", "--yes").code == Exit.DONE
    shop.run("DROP TABLE order_captures", "ALTER TABLE customer_groups DROP COLUMN name")
    rows = shop.operator("check", "--json").json
    told = {row["message"].partition(" lacks ")[2]: row["remedy"] for row in rows}
    assert told["table order_captures"].endswith(": tradesync store create")
    assert "add it by hand: tradesync store sql prints" in told["column customer_groups.name"]
    refused = shop("create", "--yes")
    assert (refused.code, "lacks name" in refused.err) == (Exit.FAILED, True)


def test_a_view_of_the_same_name_is_not_taken_for_a_table(shop: Shop) -> None:
    shop.run("CREATE VIEW orders AS SELECT 7 AS n")
    refused = shop("create", "--yes", "--beside-other-tables")
    assert (refused.code, "orders is no table" in refused.err) == (Exit.FAILED, True)
    assert shop.tables() == set()


def test_a_type_of_the_same_name_is_told(shop: Shop) -> None:
    """On PostgreSQL a table brings a type of its name, so that no table can be made."""
    if shop.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no types that people make")
    shop.run("CREATE DOMAIN orders AS integer", "CREATE DOMAIN postcode AS text")
    for words in (("--yes",), ("--dry-run",)):
        refused = shop("create", *words)
        assert refused.code == Exit.FAILED, refused
        assert "nothing is ever altered: orders is a type; see whether" in refused.err
    assert shop.tables() == set()
    shop.run("DROP DOMAIN orders")
    assert shop("create", "--yes").code == Exit.DONE, "no type stands beside tables"


def test_a_name_that_differs_by_its_letters_only_is_taken_where_the_database_says_so(
    shop: Shop,
) -> None:
    shop.run("CREATE TABLE somebodys (n INTEGER)", 'CREATE INDEX "ORDERS_BY_USER" ON somebodys (n)')
    made = shop("create", "--yes", "--beside-other-tables")
    if shop.engine.dialect.name == "sqlite":
        assert (made.code, "ORDERS_BY_USER is there already" in made.err) == (Exit.FAILED, True)
        assert shop.tables() == {"somebodys"}
    else:
        assert made.code == Exit.DONE, made


def test_an_older_store_gets_the_tables_that_it_lacks_and_keeps_all_it_has(shop: Shop) -> None:
    assert shop("create", "--yes").code == Exit.DONE
    shop.run(*(f"DROP TABLE {name}" for name in LATER))
    shop.run("INSERT INTO customer_groups (code, name) VALUES ('A', 'First')")
    told = shop("create", "--dry-run", "--json").json
    assert sorted(told["missing"]) == sorted(LATER)

    made = shop("create", "--yes", "--json").json["made"]

    assert sorted(made) == sorted(LATER)
    assert shop.tables() == OURS
    assert shop.rows("SELECT code, name FROM customer_groups") == [("A", "First")]


def test_indexes_that_an_older_store_lacks_are_told_and_not_made(shop: Shop) -> None:
    assert shop("create", "--yes").code == Exit.DONE
    shop.run("DROP INDEX invoices_by_number", "DROP TABLE order_captures")
    made = shop("create", "--yes")
    assert made.code == Exit.DONE, made
    assert "lack indexes, without which it is slower: invoices_by_number." in made.out
    assert "invoices_by_number" not in {
        each["name"] for each in inspect(shop.engine).get_indexes("invoices")
    }
    again = shop("create", "--dry-run").out
    assert again.startswith("Every table is there; nothing would be made.\nTables that were there")
    for words in ((), ("--dry-run",)):
        assert shop("create", "--json", *words).json["indexes_missing"] == ["invoices_by_number"]


def test_what_came_in_since_it_was_looked_at_stops_it(shop: Shop) -> None:
    store = shop.opened()
    try:
        looked = store.look_at_tables()
        shop.run("CREATE TABLE somebodys (n INTEGER)")
        with pytest.raises(Conflict, match="nothing was made"):
            store.make_tables(looked)
        assert shop.tables() == {"somebodys"}
    finally:
        store.close()


class Terminal(io.BytesIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", [b"n\n", b"y\n"])
def test_a_person_is_told_what_would_be_made_and_asked(shop: Shop, answer: bytes) -> None:
    words = ["store", "create", "--site", str(shop.operator.site.root)]
    place = f"the file {shop.operator.site.database('store')}"
    if shop.engine.dialect.name == "postgresql":
        place = f"schema public of database {shop.engine.url.database} at "
    said = CliRunner().invoke(main, words, input=Terminal(answer))
    assert f"the database of store sample, {place}" in said.output
    assert "postgres@" not in said.output, "nor who logs in"
    assert f"Make {len(OURS)} tables in the database of store" in said.output
    assert "order_captures" in said.output
    assert (said.exit_code == Exit.DONE) is (answer == b"y\n")
    assert shop.tables() == (OURS if answer == b"y\n" else set())


def test_a_folder_that_is_not_there_is_not_made(fresh: Operator) -> None:
    file = fresh.site.database("store")
    settings = fresh.site.settings
    settings.write_text(settings.read_text().replace("var/sample/store", "mnt/shop/store"))
    refused = fresh("store", "create", "--yes")
    assert refused.code == Exit.MISCONFIGURED
    assert f"there is no such folder as {fresh.site.root / 'mnt' / 'shop'}" in refused.err
    make_it = "make that folder as the user that the service runs as, then create the schema"
    said = [row for row in fresh("check", "--json").json if row["subject"] == "store database"]
    assert [make_it in row["remedy"] for row in said] == [True]
    assert make_it in fresh("plan", "accounts").out
    assert not (fresh.site.root / "mnt").exists()
    assert file.exists()


@pytest.mark.parametrize("place", ["loop", "nowhere", "too long"])
@pytest.mark.parametrize("words", [("--yes",), ("--dry-run",)])
def test_a_place_that_cannot_be_looked_at_is_not_taken_for_an_empty_one(
    fresh: Operator, place: str, words: tuple[str, ...]
) -> None:
    file = fresh.site.database("store")
    file.unlink()
    if place == "too long":
        settings = fresh.site.settings
        settings.write_text(settings.read_text().replace("sample/store.sq", f"{'s' * 300}.sq"))
    else:
        file.symlink_to(file if place == "loop" else file.parent / "mnt" / "store.sqlite")
    before = files(fresh.site)
    refused = fresh("store", "create", *words)
    assert refused.code == Exit.MISCONFIGURED, refused
    assert "cannot be read" in refused.err or "there is no such file" in refused.err
    assert "or run the command as the user whom the service runs as" in refused.err
    assert files(fresh.site) == before


def test_a_folder_that_this_user_may_not_enter_is_told(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who is not the service's user; root, as whom tests run, may enter all."""
    file = fresh.site.database("store")
    status = os.lstat, os.stat

    def closed(which: int) -> Callable[..., os.stat_result]:
        def look(path: Any, *args: Any, **options: Any) -> os.stat_result:
            if str(path) == str(file):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return status[which](path, *args, **options)

        return look

    monkeypatch.setattr(os, "lstat", closed(0))
    monkeypatch.setattr(os, "stat", closed(1))
    refused = fresh("store", "create", "--dry-run")
    assert refused.code == Exit.MISCONFIGURED, refused
    assert "which cannot be read: Permission denied; correct url" in refused.err


def test_a_file_that_came_in_since_is_not_touched(shop: Shop) -> None:
    file = shop.operator.site.database("store")
    if shop.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no file")
    store = shop.opened()
    try:
        looked = store.look_at_tables()
        file.write_bytes(b"")
        with pytest.raises(Conflict, match="nothing was made"):
            store.make_tables(looked)
        assert file.read_bytes() == b""
    finally:
        store.close()


def test_root_makes_no_file_in_the_folder_of_the_services_user(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fresh.site.database("store")
    file.unlink()
    if os.geteuid() == 0:
        os.chown(file.parent, 12345, -1)
    monkeypatch.setattr("sync.stores.embedded.creating.os.geteuid", lambda: 0)
    refused = fresh("store", "create", "--yes")
    assert refused.code == Exit.MISCONFIGURED
    assert f"sudo -u '#{file.parent.stat().st_uid}'" in refused.err
    assert not file.exists()


def test_a_store_without_tables_of_its_own_is_told(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def opened(_settings: Settings, _pipeline: str | None) -> Iterator[MemoryStore]:
        yield MemoryStore()

    monkeypatch.setattr("sync.bootstrap.open_store", opened)
    refused = fresh("store", "create", "--yes")
    assert refused.code == Exit.MISCONFIGURED
    assert "has no tables of tradesync's own" in refused.err


@pytest.mark.parametrize("words", [("sql",), ("create", "--dry-run")], ids=" ".join)
def test_no_credential_but_the_stores_has_to_be_there(
    fresh: Operator, words: tuple[str, ...]
) -> None:
    """Whoever administers the shop's database need not have those of the ERP."""
    settings = fresh.site.settings
    erp, shop = "[systems.erp.options]", "[systems.store.options]"
    text = settings.read_text().replace("[service]", '[service]\nstate_password = "of-state"', 1)
    settings.write_text(
        text.replace(erp, f'[systems.erp.secrets]\npassword = "of-erp"\n\n{erp}', 1)
    )
    said = fresh("store", *words)
    assert said.code == Exit.DONE, said
    for others in (("check",), ("status",)):
        refused = fresh(*others)
        assert refused.code == Exit.MISCONFIGURED
        assert "systems.erp.secrets.password names a credential that is not there" in refused.err
        assert "service.state_password names a credential that is not there" in refused.err

    its_own = f'[systems.store.secrets]\npassword = "of-store"\n\n{shop}'
    settings.write_text(settings.read_text().replace(shop, its_own, 1))
    said = fresh("store", *words)
    assert said.code == Exit.MISCONFIGURED, said
    assert "systems.store.secrets.password names a credential that is not there" in said.err
    assert "systems.erp" not in said.err
