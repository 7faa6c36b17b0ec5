"""A site whose state, ERP and store are real databases of one kind, in a temporary folder."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from sync.sample import erp_schema
from sync.sample.build import Sample, make_sample
from sync.sample.customers import PRICE_CLASSES
from sync.sample.directory import CHANNELS
from sync.sample.erp_rows import write_erp
from sync.stores.embedded import writing
from sync.stores.embedded.engine import create_store
from tests.system.site import REPOSITORY, SampleSite
from tests.torture.servers import Server

ROLES = ("erp", "store", "state")


@dataclass(frozen=True)
class Place(SampleSite):
    """``urls`` are those of the three databases, for a look past the daemon."""

    backend: str = "sqlite"
    urls: Mapping[str, URL] = field(default_factory=dict)
    engines: Mapping[str, Engine] = field(default_factory=dict)

    @contextmanager
    def looking(self, role: str) -> Iterator[Connection]:
        with self.engines[role].connect() as connection:
            yield connection

    def ask(self, role: str, query: str, **given: object) -> list[tuple[object, ...]]:
        with self.looking(role) as connection:
            return [tuple(row) for row in connection.execute(text(query), given)]

    def orders_in_erp(self) -> int:
        ((found,),) = self.ask("erp", "SELECT count(*) FROM sales_order WHERE source = 'WEB'")
        assert isinstance(found, int)
        return found

    def on_their_way(self) -> list[str]:
        """Orders that a worker holds and that the ERP may be taking right now."""
        query = (
            "SELECT order_id FROM ledger WHERE state = 'submitting'"
            " AND frozen IS NOT NULL AND lease_until IS NOT NULL"
        )
        return [str(row[0]) for row in self.ask("state", query)]

    @contextmanager
    def ledger_held(self) -> Iterator[None]:
        """While it is open, everybody reads the ledger and nobody writes to it."""
        hold = "UPDATE ledger SET state = state WHERE 1 = 0"  # SQLite locks all the same
        if self.backend == "postgresql":
            hold = "LOCK TABLE ledger IN SHARE ROW EXCLUSIVE MODE"
        with self.engines["state"].begin() as connection:
            connection.execute(text(hold))
            yield

    def ledger(self) -> dict[str, int]:
        found = self.ask("state", "SELECT state, count(*) FROM ledger GROUP BY state")
        return {str(state): int(str(count)) for state, count in found}


def fresh_sample() -> Sample:
    return make_sample(seed=7, today=datetime.now(UTC).date())


@contextmanager
def a_place(
    root: Path,
    backend: str,
    sample: Sample,
    server: Server | None,
    *,
    without_key: bool = False,
) -> Iterator[Place]:
    """A site with a filled ERP and a store without orders.

    ``without_key`` makes the mutant: an ERP that takes an order twice, and a
    profile that claims that it does not and whose look-up finds nothing.
    """
    for name in ("config", "mappings"):
        shutil.copytree(REPOSITORY / name, root / name)
    (root / "var").mkdir()
    if server is None:
        urls = {
            role: URL.create("sqlite", database=str(root / "var" / f"{role}.sqlite"))
            for role in ROLES
        }
    else:
        urls = {role: server.database(role) for role in ROLES}
    engines = {role: _engine(urls[role], role) for role in ROLES}
    place = Place(root, backend=backend, urls=urls, engines=engines)
    _fill(place, sample, without_key=without_key)
    _settle(place, without_key=without_key)
    try:
        yield place
    finally:
        for engine in engines.values():
            engine.dispose()


def _engine(url: URL, role: str) -> Engine:
    if url.get_backend_name() == "sqlite":
        # The state is the daemon's to make: a look at it must not leave an empty file.
        mode = "rw" if role == "state" else "rwc"
        named = URL.create(
            "sqlite", database=f"file:{url.database}", query={"mode": mode, "uri": "true"}
        )
        engine = create_engine(named, connect_args={"timeout": 60}, poolclass=NullPool)
        event.listen(engine, "connect", _plain)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    # After a restart of the server the first use of an old connection would fail.
    return create_engine(url, pool_pre_ping=True)


def _plain(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin late and commit by itself.
    connection.isolation_level = None


def _fill(place: Place, sample: Sample, *, without_key: bool) -> None:
    maker = create_engine(place.urls["erp"], poolclass=NullPool)
    erp_schema.create_erp(maker)
    maker.dispose()
    if without_key:
        _drop_the_key(place)
    with place.engines["erp"].begin() as connection:
        write_erp(connection, sample.world, ())
    create_store(place.urls["store"])
    with place.engines["store"].begin() as connection:
        for each in CHANNELS:
            writing.add_channel(
                connection,
                each.channel,
                each.mode,
                login_wall=each.login_wall,
                guest_checkout=each.guest_checkout,
                title=each.title,
            )
        for code in PRICE_CLASSES:
            writing.add_customer_group(connection, code, code.capitalize())
        directory = sample.world.directory
        writing.add_organisations(connection, directory.organisations)
        emails, names = directory.emails, directory.names
        writing.add_users(connection, directory.users, emails=emails, names=names)


def _drop_the_key(place: Place) -> None:
    if place.backend == "postgresql":
        with place.engines["erp"].begin() as connection:
            connection.execute(
                text("ALTER TABLE sales_order DROP CONSTRAINT sales_order_external_key_key")
            )
        return
    with closing(sqlite3.connect(str(place.urls["erp"].database))) as bare, bare:
        made = bare.execute(
            "SELECT type, sql FROM sqlite_master WHERE tbl_name = 'sales_order' AND sql IS NOT NULL"
        ).fetchall()
        bare.execute("DROP TABLE sales_order")
        for _, sql in sorted(made, key=lambda each: each[0] != "table"):
            bare.execute(sql.replace("UNIQUE (external_key),", ""))


def _settle(place: Place, *, without_key: bool) -> None:
    """Settings that let an order whose worker is gone be looked up after seconds."""
    urls = {role: url.render_as_string(hide_password=False) for role, url in place.urls.items()}
    text = place.settings.read_text(encoding="utf-8")
    for role in ("erp", "store"):
        text = text.replace(f"sqlite:///var/sample/{role}.sqlite", urls[role])
    place.settings.write_text(text, encoding="utf-8")
    service: dict[str, object] = {"log_format": "json"}
    if place.backend == "postgresql":
        service["state_url"] = urls["state"]
    place.service(**service)
    place.erp_option("statement_timeout_s = 2")
    place.schedule(orders=1, order_status=5, accounts=60, ship_tos=60, invoices=60)
    place.orders(
        lease_s=1, ambiguity_wait_s=1, waiting_recheck_s=5, retry_first_s=0.5, retry_longest_s=2
    )
    if without_key:
        profile = (REPOSITORY / "erp_adapters/sql/profiles/sample.yaml").read_text("utf-8")
        seen = "WHERE sales_order.external_key = :external_key"
        assert seen in profile
        blind = profile.replace(seen, f"{seen} AND 1 = 0")
        (place.root / "config" / "blind.yaml").write_text(blind, encoding="utf-8")
        text = place.settings.read_text(encoding="utf-8")
        text = text.replace('profile = "sample"', 'profile = "config/blind.yaml"')
        place.settings.write_text(text, encoding="utf-8")
