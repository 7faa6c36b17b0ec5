"""Builds both sides of the sample: an ERP and a store that have never met.

The same seed and day give the same rows, so a story that was seen once can be
told again. Nothing here knows how the daemon works; what it does with these
systems is its own affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    func,
    inspect,
    make_url,
    select,
)

from sync.domain.invoice import Invoice
from sync.domain.order import WebOrder
from sync.domain.registration import Application
from sync.sample import erp_schema
from sync.sample.applications import build_applications
from sync.sample.baskets import Counter, World
from sync.sample.catalogue import build_catalogue
from sync.sample.customers import LICENSED, PRICE_CLASSES, TRUSTED, build_customers
from sync.sample.directory import CHANNELS, Directory, build_directory
from sync.sample.erp_rows import write_erp
from sync.sample.good_orders import Desk, good_orders
from sync.sample.invoices import build_invoices
from sync.sample.papers import build_papers, write_paper
from sync.sample.price_book import build_prices
from sync.sample.wrong_orders import WrongOrder, wrong_orders
from sync.stores.embedded import schema as store_schema
from sync.stores.embedded import writing
from sync.stores.embedded.engine import create_store


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything that goes into the two databases. Orders are as they were placed."""

    world: World
    invoices: tuple[Invoice, ...]
    good: tuple[WebOrder, ...]
    wrong: tuple[WrongOrder, ...]
    applications: tuple[Application, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """What the sample holds, for people."""

    customers: int
    ship_tos: int
    items: int
    prices: int
    invoices: int
    organisations: int
    users: int
    good_orders: int
    wrong_orders: int
    applications: int

    def __str__(self) -> str:
        """The same in words, on one line."""
        orders = self.good_orders + self.wrong_orders
        return (
            f"{self.customers:,} customers with {self.ship_tos:,} ship-tos and"
            f" {self.invoices:,} invoices, {self.items:,} items with {self.prices:,} prices;"
            f" {self.organisations:,} organisations, {self.users:,} users,"
            f" {orders:,} web orders ({self.wrong_orders:,} of them with something wrong)"
            f" and {self.applications:,} applications"
        )


def make_sample(*, seed: int, today: date) -> Sample:
    """The sample in memory. ``today`` is what its dates are counted from."""
    customers = build_customers(_chance(seed, "customers"))
    catalogue = build_catalogue(_chance(seed, "catalogue"), TRUSTED, LICENSED)
    prices = build_prices(_chance(seed, "prices"), catalogue, customers, today)
    directory = build_directory(_chance(seed, "directory"), customers)
    world = World(today, catalogue, customers, prices, directory)
    invoices = build_invoices(_chance(seed, "invoices"), catalogue, customers, prices, today)
    chance = _chance(seed, "orders")
    desk = Desk(world, chance, Counter(world, chance))
    good, wrong = tuple(good_orders(desk)), tuple(wrong_orders(desk))
    return Sample(world, invoices, good, wrong, build_applications(customers, today))


def build_sample(erp_url: str, store_url: str, *, seed: int = 7, today: date) -> SampleCounts:
    """Make the databases and fill whichever of the two is still empty.

    ``erp_url`` and ``store_url`` are SQLAlchemy URLs; the folder of an SQLite
    file is made. Each side is written in one transaction: an interrupted build
    leaves it empty, and the next one begins again. The files of the ERP's
    documents go into ``papers_of`` it, before the ERP tells of them.
    """
    sample = make_sample(seed=seed, today=today)
    _make_folder(erp_url)
    folder = papers_of(erp_url)
    if folder is not None and not _is_filled(erp_url, erp_schema.customer):
        folder.mkdir(exist_ok=True)
        for record, file in build_papers(sample.invoices):
            if file is not None:
                write_paper(folder, record.place, file)
    with _opened(erp_url) as engine:
        erp_schema.create_erp(engine)
        with engine.begin() as connection:
            if not _filled(connection, erp_schema.customer):
                write_erp(connection, sample.world, sample.invoices)
    create_store(make_url(store_url))
    with _opened(store_url) as engine, engine.begin() as connection:
        if not _filled(connection, store_schema.orders):
            write_store(connection, sample)
    return counted(sample)


def papers_of(erp_url: str) -> Path | None:
    """The folder of the ERP's papers: beside its file, and nowhere for a server's database."""
    parsed = make_url(erp_url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database).parent / "papers"


def sample_is_built(erp_url: str, store_url: str) -> bool:
    """Whether both sides are there and filled. Makes no file."""
    return _is_filled(erp_url, erp_schema.customer) and _is_filled(store_url, store_schema.orders)


def sample_lacks(erp_url: str, store_url: str) -> list[str]:
    """Tables and columns that an earlier release's sample did not have; makes no file."""
    sides = ((erp_url, erp_schema.erp), (store_url, store_schema.metadata))
    return [lack for url, metadata in sides for lack in _lacks(url, metadata)]


def _lacks(url: str, metadata: MetaData) -> Iterator[str]:
    with _opened(url) as engine, engine.connect() as connection:
        inspector = inspect(connection)
        for table in metadata.sorted_tables:
            if not inspector.has_table(table.name):
                yield f"table {table.name}"
                continue
            there = {column["name"] for column in inspector.get_columns(table.name)}
            yield from (
                f"{table.name}.{each.name}" for each in table.columns if each.name not in there
            )


def counted(sample: Sample) -> SampleCounts:
    world = sample.world
    return SampleCounts(
        customers=len(world.customers.customers),
        ship_tos=len(world.customers.ship_tos),
        items=len(world.catalogue.items),
        prices=len(world.prices.entries),
        invoices=len(sample.invoices),
        organisations=len(world.directory.organisations),
        users=len(world.directory.users),
        good_orders=len(sample.good),
        wrong_orders=len(sample.wrong),
        applications=len(sample.applications),
    )


def write_store(connection: Connection, sample: Sample) -> None:
    """Fill the empty store, in the caller's transaction."""
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
    directory: Directory = sample.world.directory
    writing.add_organisations(connection, directory.organisations)
    writing.add_users(connection, directory.users, emails=directory.emails, names=directory.names)
    for application in sample.applications:
        writing.hand_in(connection, application)
    writing.place_orders(connection, sample.good)
    writing.place_orders(connection, [wrong.order for wrong in sample.wrong])
    parts = {table.name: table for table in (store_schema.orders, *store_schema.ORDER_PARTS)}
    for wrong in sample.wrong:
        if wrong.nonsense:
            writing.spoil_order(
                connection,
                wrong.order.order_id,
                parts[wrong.spoiled_part],
                None,
                **dict(wrong.nonsense),
            )


def _chance(seed: int, part: str) -> Random:
    """Each part has its own luck, so that a change in one does not stir up the rest."""
    return Random(f"{seed}/{part}")


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = create_engine(url, hide_parameters=True)
    try:
        yield engine
    finally:
        engine.dispose()


def _make_folder(url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)


def _is_filled(url: str, table: Table) -> bool:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return False
    with _opened(url) as engine, engine.connect() as connection:
        return inspect(connection).has_table(table.name) and _filled(connection, table)


def _filled(connection: Connection, table: Table) -> bool:
    return bool(connection.execute(select(func.count()).select_from(table)).scalar_one())


__all__ = [
    "Sample",
    "SampleCounts",
    "build_sample",
    "counted",
    "make_sample",
    "papers_of",
    "sample_is_built",
    "sample_lacks",
    "write_store",
]
