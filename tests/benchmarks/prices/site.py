"""A site on the ERP of the price benchmark, with a store of its own; every customer is mapped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from sync.stores.embedded.engine import create_store
from tests.benchmarks.prices.data import Catalogue

FLAT, LISTS = (Path(__file__).with_name(name) for name in ("flat.yaml", "lists.yaml"))

_SETTINGS = """\
[service]
log_level = "warning"

[systems.erp]
kind = "erp"
adapter = "sql"
[systems.erp.options]
profile = {profile}
url = {erp}
statement_timeout_s = 3600

[systems.store]
kind = "store"
{store}

[pipelines.main]
erp = "erp"
store = "store"
mappings = "mappings"
"""
_CHECK_ALL = "full_price_check_s = 0.001\n"
_EMBEDDED = """\
adapter = "embedded"
[systems.store.options]
store_id = "bench"
url = {url}
price_lists = {lists}"""
_HTTP = """\
adapter = "bench_http"
[systems.store.options]
url = {url}
threads = {threads}"""


@dataclass(frozen=True, slots=True)
class PriceSite:
    """The folder of a site that was never run."""

    folder: Path

    @classmethod
    def made(
        cls,
        folder: Path,
        profile: Path,
        erp: URL,
        store: URL,
        catalogue: Catalogue,
        *,
        price_lists: bool = False,
    ) -> PriceSite:
        """With an embedded store in this database, which is made too.

        ``price_lists``: customers with the same prices share a list there.
        """
        create_store(store)
        told = _EMBEDDED.format(url=_text(store), lists=json.dumps(price_lists))
        return cls._made(folder, profile, erp, told, catalogue)

    @classmethod
    def on_http(
        cls, folder: Path, erp: URL, shop: str, threads: int, catalogue: Catalogue
    ) -> PriceSite:
        """With the flat ERP and ``http_store`` for a store."""
        store = _HTTP.format(url=json.dumps(shop), threads=threads)
        return cls._made(folder, FLAT, erp, store, catalogue)

    @classmethod
    def _made(
        cls, folder: Path, profile: Path, erp: URL, store: str, catalogue: Catalogue
    ) -> PriceSite:
        (folder / "config").mkdir(parents=True)
        (folder / "mappings").mkdir()
        settings = _SETTINGS.format(profile=json.dumps(str(profile)), erp=_text(erp), store=store)
        (folder / "config" / "tradesync.toml").write_text(settings)
        (folder / "mappings" / "channels.yaml").write_text(
            "channels:\n  trade:\n    commerce_mode: b2b\n    login_wall: login_required\n"
        )
        with (folder / "mappings" / "customers.csv").open("w") as lines:
            lines.write("customer_id,organisation\n")
            for n in range(catalogue.size.customers):
                lines.write(f"{catalogue.customer_no(n)},org-{n}\n")
        return cls(folder)

    def use(self, erp: URL) -> None:
        """From now on read the ERP at this address: the same database by another driver."""
        self._set(f"url = {_text(erp)}")

    def check_all(self, always: bool) -> None:
        """From now on read everything whatever the ERP's server says of it, or no longer."""
        path = self.folder / "config" / "tradesync.toml"
        told = path.read_text().removesuffix(_CHECK_ALL)
        path.write_text(told + _CHECK_ALL if always else told)

    def _set(self, option: str) -> None:
        path = self.folder / "config" / "tradesync.toml"
        head, erp_part, rest = path.read_text().partition("[systems.erp.options]")
        name = option.partition("=")[0]
        lines = [
            option if line.startswith(f"{name}=") else line
            for line in rest.split("[systems.store]")[0].splitlines()
        ]
        store_part = rest[rest.index("[systems.store]") :]
        path.write_text(head + erp_part + "\n".join(lines) + "\n" + store_part)

    @property
    def state_bytes(self) -> int:
        """Everything that the service keeps of its own, logs of its databases included."""
        return sum(each.stat().st_size for each in (self.folder / "var").rglob("*")
                   if each.is_file())  # fmt: skip


def _text(url: URL) -> str:
    return json.dumps(url.render_as_string(hide_password=False))
