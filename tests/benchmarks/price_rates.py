"""The mirror of prices against what merely moves the rows, in alternating rounds.

Compared are, on one PostgreSQL that holds both the ERP and the store, each in a process of
its own (``prices/run.py``; seconds without start-up):

- *COPY out* of the ERP's table by psql, and ordered by psycopg: what reading costs at least;
- *COPY out into COPY in*: into an empty table like the ERP's, with its primary key, and into
  an empty store, whose key has thirteen columns and which has an index beside it: what a
  first load costs at least, by either measure;
- *the mirror*: first load, nothing changed, 0.1 % changed in clusters and spread, 10 % spread,
  each of these changes made and taken back; natively and through ODBC. After each, the store is
  compared with the ERP row by row, and the rows written with those that really changed;
- *sums alone*: what the ERP's server is asked of all prices in a night, by psql: nothing changed
  cannot be quicker;
- *reading only*: all vectors from the ERP's adapter, and nothing done with them;
- *detection only*: vectors from a file, made canonical, told by their fingerprints;
- the same prices as *lists and contracts*: first load, nothing changed, reading only;
- *peers*, where they are installed (``peers/README.md``): ingestr and dlt, first load and once
  more with nothing changed.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from sqlalchemy import URL

from sync.columnar.vectors import SCHEMA, canonical, fingerprint
from sync.stores.embedded.engine import create_store
from tests.benchmarks.prices import erp, site, truth
from tests.benchmarks.prices.data import Catalogue, Edit, Size, Variant, as_vector
from tests.benchmarks.prices.erp import Books
from tests.benchmarks.prices.rounds import ROOT, Rounds
from tests.benchmarks.prices.server import Server, plain, running

COPY_OUT = "psql COPY out"
ORDERED = "psycopg COPY out, ordered"
COPIED = "COPY out into COPY in, the ERP's key"
COPIED_SHOP = "COPY out into COPY in, the store's table"
READING = "reading only"
DETECTION = "detection only"
FIRST = "first load"
SAME = Variant.SAME.value
ALL_READ = "all read, nothing changed"
ODBC = "{} through ODBC"
LISTED = "lists and contracts: {}"
SUMS = "psql, the sums alone"
AGAIN = "{}, nothing changed"
INGESTR = "ingestr"
DLT = "dlt {}"
DLT_BACKENDS = ("connectorx", "pyarrow", "sqlalchemy")

PEERS = ROOT / "build" / "peers"
_KEY = ("owner", "item_no", "min_quantity")

_SUMS = (
    "SELECT owner, count(*), sum(hash_record_extended(ROW(record_send(feed)), 0))"
    " FROM (SELECT owner, item_no, min_quantity, unit_price, valid_from, valid_until"
    f" FROM {erp.FLAT}) AS feed GROUP BY owner"
)

# What the store's table holds, told by the ERP's server, for COPY.
_AS_SHOWN = f"""\
SELECT 'account', owner, '', 3, owner, 'CONTRACT', item_no, 'EA', '{erp.CURRENCY}', min_quantity,
 valid_from, 0, '', unit_price, valid_until FROM {erp.FLAT}""".replace("\n", "")
_SHOWN = (
    "prices (audience, audience_key, audience_channel, level, owner, price_list, sku, unit,"
    " currency, min_quantity, valid_from, priority, warehouse, unit_price, valid_until)"
)


@dataclass(slots=True)
class PriceRates:
    """What came out; ``state_bytes`` by what was done last, ``listed_rows`` of lists and all."""

    size: Size
    rounds: Rounds
    version: str = ""
    state_bytes: dict[str, int] = field(default_factory=dict)
    listed_rows: int = 0


def measure(
    size: Size, count: int, folder: Path, log: Path, *, peer_rounds: int, sides: Collection[str]
) -> PriceRates:
    """Every side, ``count`` times in turn. Fails where a store does not equal its ERP.

    ``sides``: flat, odbc (of flat), lists, peers; or nights, without a first load in each round.
    """
    with running() as server:
        rates = PriceRates(size, Rounds(log), server.version)
        bench = _Bench(server, Catalogue(size), rates, folder, sides)
        bench.fill()
        if "nights" in sides:
            bench.nights(count)
            return rates
        for number in range(count):
            rates.rounds.number = number
            if "flat" in sides:
                # A change of a tenth has no goal, and takes as long as all others: once is enough.
                bench.flat_round(
                    [each for each in Variant if each is not Variant.TENTH or not number]
                )
            if "lists" in sides:
                bench.listed_round()
            if "peers" in sides and number < peer_rounds:
                bench.peers_round()
        return rates


class _Bench:
    def __init__(
        self,
        server: Server,
        catalogue: Catalogue,
        rates: PriceRates,
        folder: Path,
        sides: Collection[str],
    ) -> None:
        self._sides = frozenset(sides)
        self._server, self._catalogue, self._folder = server, catalogue, folder
        self._rates, self._rounds = rates, rates.rounds
        self._numbers = itertools.count(1)
        self._vectors, self._known = folder / "vectors.arrow", folder / "fingerprints"
        self._flat = Books(server.new_database(), catalogue)
        self._listed = Books(server.new_database(), catalogue)

    def fill(self) -> None:
        """Only what is asked for: a billion prices fit into lists and nowhere else."""
        if self._sides - {"lists"}:
            self._flat.fill_flat()
        if self._sides - {"lists", "nights"}:
            self._put_vectors()
        if self._sides & {"lists", "nights"}:
            self._listed.fill_normalised()

    def _put_vectors(self) -> None:
        """Every customer's prices as a vector into a file, and their fingerprints."""
        known = set()
        with pa.OSFile(str(self._vectors), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as out:
            for rows in self._catalogue.flat():
                vector = as_vector(rows)
                known.add(fingerprint(canonical(vector)).hex())
                out.write_table(vector)
        self._known.write_text("\n".join(sorted(known)))

    def nights(self, count: int) -> None:
        """One site of each shape, loaded once; then so many nights of all kinds in turn.

        The stores are compared with the ERP after each change of the first round and at the end of
        the others, and all is read in the first round alone: with ten million rows either takes
        longer than all nights of a round.
        """
        with (
            self._a_site(site.FLAT, self._flat) as (place, shop),
            self._a_site(site.LISTS, self._listed) as (listed_place, listed_shop),
        ):
            self._first_load(place, shop)
            self._first_load_of_lists(listed_place, listed_shop)
            for number in range(count):
                self._rounds.number = number
                self._bare_reads()
                self._rounds.step(READING, "read", str(place.folder))
                for variant in (Variant.SAME, Variant.CLUSTERED, Variant.SPREAD):
                    edits = list(self._catalogue.edits(variant))
                    self._there_and_back(place, shop, variant, edits, compared=not number)
                if not number:
                    self._all_read(place, shop)
                self._listed_night(listed_place)
                self._equal(shop)

    # Prices of every customer

    def flat_round(self, variants: Iterable[Variant]) -> None:
        self._bare()
        with self._a_site(site.FLAT, self._flat) as (place, shop):
            self._first_load(place, shop)
            self._rounds.step(READING, "read", str(place.folder))
            found = self._rounds.step(DETECTION, "detect", str(self._vectors), str(self._known))
            assert (found["rows"], found["new"]) == (self._rates.size.rows, 0)
            for variant in variants:
                self._there_and_back(place, shop, variant, list(self._catalogue.edits(variant)))
            if "odbc" in self._sides:
                place.use(self._by_odbc())
                self._rounds.step(ODBC.format(READING), "read", str(place.folder))
                # By another driver everything is read once.
                self._mirror(place, shop, ODBC.format(ALL_READ), 0)
                self._mirror(place, shop, ODBC.format(SAME), 0)

    def _first_load(self, place: site.PriceSite, shop: URL) -> None:
        self._settle()
        told = self._rounds.step(FIRST, "flow", str(place.folder))
        assert told["rows"] == self._rates.size.rows
        self._equal(shop)
        self._rates.state_bytes[FIRST] = place.state_bytes
        self._looked_at(shop)

    def _bare_reads(self) -> None:
        rounds, books = self._rounds, plain(self._flat.url)
        rounds.step(COPY_OUT, "program", *self._psql(books, f"COPY {erp.FLAT} TO STDOUT"))
        rounds.step(SUMS, "program", *self._psql(books, _SUMS))

    def _bare(self) -> None:
        self._bare_reads()
        rounds, books = self._rounds, plain(self._flat.url)
        ordered = f"SELECT * FROM {erp.FLAT} ORDER BY owner, item_no, min_quantity"
        rounds.step(ORDERED, "copy-out", books, ordered)
        with self._a_database() as copy:
            Books(copy, Catalogue(Size(1, 1))).make_tables()
            self._settle()
            psql = str(self._server.psql)
            query = f"SELECT * FROM {erp.FLAT}"
            rounds.step(COPIED, "pipe", psql, books, query, plain(copy), erp.FLAT)
        with self._a_database() as shop:
            create_store(shop)
            self._settle()
            rounds.step(COPIED_SHOP, "pipe", psql, books, _AS_SHOWN, plain(shop), _SHOWN)

    def _there_and_back(
        self,
        place: site.PriceSite,
        shop: URL,
        variant: Variant,
        edits: Sequence[Edit],
        *,
        compared: bool = True,
    ) -> None:
        rows = sum(each.rows for each in edits)
        for change in (self._flat.edit, self._flat.undo) if edits else (self._flat.edit,):
            change(edits)
            self._mirror(place, shop, variant.value, rows, compared=compared)
            self._rates.state_bytes[variant.value] = place.state_bytes

    def _mirror(
        self, place: site.PriceSite, shop: URL, label: str, rows: int, *, compared: bool = True
    ) -> None:
        self._settle()
        told = self._rounds.step(label, "flow", str(place.folder))
        assert told["rows"] == rows, f"{label}: {told} written, {rows} changed"
        if compared:
            self._equal(shop)

    def _all_read(self, place: site.PriceSite, shop: URL) -> None:
        """The full check: what a night costs where the server's word is not taken."""
        place.check_all(True)
        self._mirror(place, shop, ALL_READ, 0, compared=False)
        place.check_all(False)

    def _equal(self, shop: URL) -> None:
        assert truth.assert_equal(self._flat.url, shop, erp.FLAT) > 0

    # The same prices as lists and contracts

    def listed_round(self) -> None:
        with self._a_site(site.LISTS, self._listed) as (place, shop):
            self._first_load_of_lists(place, shop)
            self._listed_night(place)

    def _first_load_of_lists(self, place: site.PriceSite, shop: URL) -> None:
        self._settle()
        first = self._rounds.step(LISTED.format(FIRST), "flow", str(place.folder))
        rows = truth.assert_equal(self._listed.url, shop, erp.LISTED, erp.CONTRACTS)
        assert first["rows"] == rows
        self._rates.listed_rows = rows
        self._rates.state_bytes[LISTED.format(FIRST)] = place.state_bytes
        self._looked_at(shop)

    def _listed_night(self, place: site.PriceSite) -> None:
        self._rounds.step(LISTED.format(READING), "read", str(place.folder))
        again = self._rounds.step(LISTED.format(SAME), "flow", str(place.folder))
        assert again["rows"] == 0

    # Others

    def peers_round(self) -> None:
        key = [part for name in _KEY for part in ("--primary-key", name)]
        table = f"public.{erp.FLAT}"
        with self._a_peer(INGESTR, "ingestr") as (program, target, _):
            from_to = ("--source-uri", plain(self._flat.url), "--dest-uri", plain(target))
            names = ("--source-table", table, "--dest-table", table)
            how = ("--incremental-strategy", "merge", *key, "--yes", "--progress", "log")
            self._twice(INGESTR, ("program", str(program), "ingest", *from_to, *names, *how))
            self._assert_count(target, erp.FLAT)
        for backend in DLT_BACKENDS:
            label = DLT.format(backend)
            with self._a_peer(label, "dlt") as (program, target, folder):
                script = ROOT / "tests" / "benchmarks" / "peers" / "dlt_table.py"
                python = str(program.with_name("python"))
                urls = [_with_password(each) for each in (self._flat.url, target)]
                for name in (label, AGAIN.format(label)):
                    self._settle()
                    words = (python, str(script), backend, *urls, str(folder))
                    self._rounds.command(name, *words, cwd=folder)
                self._assert_count(target, f"shop.{erp.FLAT}")

    @contextmanager
    def _a_peer(self, label: str, program: str) -> Iterator[tuple[Path, URL, Path]]:
        """The program with a database and a folder for it; skipped by name where it fails."""
        path = PEERS / "bin" / program
        if not path.exists():
            self._rounds.skipped[label] = f"not installed, see {PEERS.parent.name}/README.md"
            path = Path("/nonexistent")
        folder = self._folder / f"peer-{next(self._numbers)}"
        folder.mkdir(parents=True)
        with self._a_database() as target:
            try:
                yield path, target, folder
            except RuntimeError as error:
                self._rounds.skipped.setdefault(label, str(error).strip().splitlines()[-1])
        shutil.rmtree(folder)

    def _twice(self, label: str, words: Sequence[str]) -> None:
        for name in (label, AGAIN.format(label)):
            self._settle()
            self._rounds.step(name, *words)

    def _assert_count(self, target: URL, table: str) -> None:
        with psycopg.connect(plain(target)) as connection:
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found == (self._rates.size.rows,)

    # Databases

    @contextmanager
    def _a_site(self, profile: Path, books: Books) -> Iterator[tuple[site.PriceSite, URL]]:
        """One that was never run, and its store."""
        folder = self._folder / f"site-{next(self._numbers)}"
        with self._a_database() as shop:
            yield site.PriceSite.made(folder, profile, books.url, shop, self._catalogue), shop
        shutil.rmtree(folder)

    @contextmanager
    def _a_database(self) -> Iterator[URL]:
        url = self._server.new_database()
        try:
            yield url
        finally:
            self._server.drop(url)

    def _psql(self, url: str, query: str) -> tuple[str, ...]:
        return (str(self._server.psql), url, "-qc", query)

    def _by_odbc(self) -> URL:
        url = self._flat.url
        return URL.create("postgresql+pyodbc", url.username, "", url.host, url.port, url.database)

    def _settle(self) -> None:
        """What the one before left to be written is not for the next to write."""
        self._run(self._flat.url, "CHECKPOINT")  # of the whole server

    def _looked_at(self, store: URL) -> None:
        """As autovacuum, which is off, would do after a load."""
        self._run(store, "VACUUM ANALYZE prices")

    def _run(self, url: URL, statement: str) -> None:
        with psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute(statement)


def _with_password(url: URL) -> str:
    """dlt asks for one, the server does not."""
    return plain(url.set(password="none"))


def told(rates: PriceRates) -> dict[str, Any]:
    """Rows of each label, for rates."""
    size, listed = rates.size.rows, rates.listed_rows
    return {
        label: listed if label.startswith(LISTED.format("")) else size
        for label in rates.rounds.figures
    }


def environment() -> tuple[Size, int, int, Collection[str]]:
    """Size, rounds, rounds with peers, and what to measure, as ``BENCH_…`` says."""
    customers = int(os.environ.get("BENCH_CUSTOMERS", "100"))
    points = int(os.environ.get("BENCH_POINTS", "1000"))
    count = int(os.environ.get("BENCH_ROUNDS", "3"))
    peer_rounds = int(os.environ.get("BENCH_PEER_ROUNDS", str(count)))
    sides = os.environ.get("BENCH_SIDES", "flat,odbc,lists,peers").split(",")
    return Size(customers, points), count, peer_rounds, sides
