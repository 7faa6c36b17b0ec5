"""A copy of the sample site in a folder of its own, and the command on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync.sample.build import build_sample

REPOSITORY = Path(__file__).resolve().parents[2]
FLOWS = (
    *("accounts", "entitlements", "ship_tos", "prices", "invoices", "balances"),
    *("customer_parts", "availability", "registrations", "orders", "order_status"),
    *("documents", "account_orders"),
)
# So many of the sample's orders are kept: importable ones, and ones that are not.
GOOD_ORDERS = 40
WRONG_ORDERS = 10
_FIRST_GOOD, _FIRST_WRONG = 50001, 50271


def build_databases(folder: Path) -> Path:
    """The sample's ERP and store, of whose orders some are kept, and the prices of these."""
    store = folder / "store.sqlite"
    build_sample(
        f"sqlite:///{folder / 'erp.sqlite'}",
        f"sqlite:///{store}",
        today=datetime.now(UTC).date(),
    )
    good = [f"W-{_FIRST_GOOD + each}" for each in range(GOOD_ORDERS)]
    wrong = [f"W-{_FIRST_WRONG + each}" for each in range(WRONG_ORDERS)]
    kept = f"""number IN ('{"', '".join([*good, *wrong])}')"""
    with closing(sqlite3.connect(store)) as connection, connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in names.fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if "order_id" in columns and table != "orders":
                connection.execute(
                    f"DELETE FROM {table} WHERE order_id NOT IN"
                    f" (SELECT order_id FROM orders WHERE {kept})"
                )
        connection.execute(f"DELETE FROM orders WHERE number IS NULL OR NOT {kept}")
        ((left,),) = connection.execute("SELECT count(*) FROM orders").fetchall()
        assert left == GOOD_ORDERS + WRONG_ORDERS
        ordered = connection.execute("SELECT DISTINCT sku FROM order_lines").fetchall()
    _keep_prices_of(folder / "erp.sqlite", {str(sku) for (sku,) in ordered})
    return folder


def _keep_prices_of(erp: Path, skus: set[str]) -> None:
    """Two thousand items are priced by the same statements as these."""
    kept = "', '".join(sorted(skus))
    with closing(sqlite3.connect(erp)) as connection, connection:
        for table in ("price_list_price", "contract_price"):
            connection.execute(f"DELETE FROM {table} WHERE item_no NOT IN ('{kept}')")


def command(*words: str) -> list[str]:
    """Our own command, from this tree."""
    return [sys.executable, "-m", "sync", *words]


def environment(**more: str) -> dict[str, str]:
    """The environment without anything that the machine says about a site."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRADESYNC_", "COV_", "COVERAGE_"))
        and name not in ("NOTIFY_SOCKET", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **more}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class SampleSite:
    """``root`` is the site; its databases are in var/sample."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def copied(cls, root: Path, databases: Path) -> SampleSite:
        for name in ("config", "mappings"):
            shutil.copytree(REPOSITORY / name, root / name)
        shutil.copytree(databases, root / "var" / "sample")
        site = cls(root)
        site.orders()
        return site

    def tradesync(self, *words: str, timeout_s: float = 100) -> Ended:
        done = subprocess.run(
            command(*words, "--site", str(self.root)),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.root,
            env=environment(**self.environ),
            timeout=timeout_s,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    # What is in the settings

    @property
    def settings(self) -> Path:
        return self.root / "config" / "tradesync.toml"

    def schedule(self, **every_s: float | str) -> None:
        """Run these flows that often (or by these cron fields), and no others."""
        lines = ["[pipelines.main.schedule]", 'time_zone = "UTC"']
        for flow, when in every_s.items():
            key = "cron" if isinstance(when, str) else "every_s"
            lines.append(f"{flow}_{key} = {json.dumps(when)}")
        lines.append(f"off = {json.dumps([each for each in FLOWS if each not in every_s])}")
        self._replace(r"\[pipelines\.main\.schedule\].*?(?=\n\[|\n#[^\n]*\n\[|\Z)", lines)

    def orders(self, **limits: float | str) -> None:
        """One order in hand at a time, so that a test can stop between two of them."""
        limits = {"batch": 1, **limits}
        lines = ["[pipelines.main.orders]", *(f"{key} = {value}" for key, value in limits.items())]
        self._replace(r"\[pipelines\.main\.orders\].*?(?=\n\[|\n#[^\n]*\n\[|\Z)", lines)

    def service(self, **settings: object) -> None:
        lines = ["[service]", *(f"{key} = {json.dumps(it)}" for key, it in settings.items())]
        self._replace(r"\[service\].*?(?=\n# ---)", lines)

    def erp_option(self, line: str) -> None:
        self._replace(r'profile = "sample"\n', ['profile = "sample"', line])

    def _replace(self, pattern: str, lines: list[str]) -> None:
        text = self.settings.read_text(encoding="utf-8")
        block = "\n".join(lines) + "\n"
        text, count = re.subn(pattern, lambda _: block, text, count=1, flags=re.DOTALL)
        assert count == 1, f"the sample's settings have no {lines[0]}"
        self.settings.write_text(text, encoding="utf-8")

    def mapping(self, name: str, old: str, new: str) -> None:
        """Edit a mapping file as an administrator would: the whole file at once."""
        file = self.root / "mappings" / name
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        beside = file.with_name(f".{name}.new")
        beside.write_text(text.replace(old, new, 1), encoding="utf-8")
        beside.replace(file)

    # What is in the databases

    @property
    def state(self) -> Path:
        return self.root / "var" / "state.sqlite"

    def database(self, name: str) -> Path:
        return self.root / "var" / "sample" / f"{name}.sqlite"

    def rows(self, database: Path, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def change(self, database: Path, *statements: str) -> None:
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def erp_stands_still(self) -> Iterator[None]:
        """Nobody can write into the ERP: an import stops in the middle of its next order."""
        with closing(sqlite3.connect(self.database("erp"), timeout=30)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def requests(self) -> list[tuple[Any, ...]]:
        """What people asked for, newest first: number, state and progress."""
        return self.rows(self.state, "SELECT id, state, done FROM requests ORDER BY id DESC")

    def mapping_version(self) -> str:
        """The mapping that is in force."""
        query = "SELECT version FROM mapping_versions ORDER BY id DESC LIMIT 1"
        return str(self.rows(self.state, query)[0][0])

    def erp_orders(self) -> list[str]:
        """The keys under which the ERP has web orders, with repetitions if there are any."""
        query = "SELECT web_order_id FROM sales_order WHERE external_key IS NOT NULL"
        return sorted(str(row[0]) for row in self.rows(self.database("erp"), query))

    def ledger(self) -> dict[str, int]:
        """How many orders are in each state."""
        found = self.rows(self.state, "SELECT state, count(*) FROM ledger GROUP BY state")
        return dict(found)

    def imported(self) -> list[str]:
        """The keys of orders that the ledger calls imported."""
        query = "SELECT order_id FROM ledger WHERE state IN ('imported', 'acknowledged')"
        return sorted(str(row[0]) for row in self.rows(self.state, query))

    def contents(self) -> dict[str, list[str]]:
        """Every row of every table of the three databases."""
        return {
            f"{file.stem}.{table}": rows
            for file in (self.database("erp"), self.database("store"), self.state)
            for table, rows in _tables(file)
        }


def _tables(file: Path) -> Iterator[tuple[str, list[str]]]:
    if not file.exists():
        return
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in sorted(names.fetchall()):
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            yield name, sorted(map(repr, rows))
