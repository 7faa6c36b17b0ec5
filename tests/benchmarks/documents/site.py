"""A site on the ERP of this benchmark, with a store of its own; every account is mapped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from sync.stores.embedded.engine import create_store
from tests.benchmarks.documents.erp import Documents, customer_no

_PROFILE, _FEED = (Path(__file__).with_name(name) for name in ("documents.yaml", "feed.yaml"))

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
adapter = "embedded"
[systems.store.options]
store_id = "bench"
url = {store}

[pipelines.main]
erp = "erp"
store = "store"
mappings = "mappings"
"""
_CHECK_ALL = "full_record_check_s = 0.001\n"


@dataclass(frozen=True, slots=True)
class DocumentSite:
    """The folder of a site that was never run, without a change feed at first."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, books: Documents, store: URL) -> DocumentSite:
        """With an embedded store in this database, which is made too."""
        create_store(store)
        (folder / "config").mkdir(parents=True)
        (folder / "mappings").mkdir()
        made = cls(folder)
        settings = _SETTINGS.format(
            profile=json.dumps(str(made.profile)), erp=_text(books.url), store=_text(store)
        )
        (folder / "config" / "tradesync.toml").write_text(settings)
        (folder / "mappings" / "channels.yaml").write_text(
            "channels:\n  trade:\n    commerce_mode: b2b\n    login_wall: login_required\n"
        )
        with (folder / "mappings" / "customers.csv").open("w") as lines:
            lines.write("customer_id,organisation\n")
            for n in range(books.size.accounts):
                lines.write(f"{customer_no(n)},org-{n}\n")
        made.with_feed(told=False)
        return made

    @property
    def profile(self) -> Path:
        return self.folder / "config" / "erp.yaml"

    def with_feed(self, *, told: bool) -> None:
        """From now on the ERP tells what changed, or no longer."""
        self.profile.write_text(_PROFILE.read_text() + (_FEED.read_text() if told else ""))

    def check_all(self, *, always: bool) -> None:
        """From now on compare all with the store in every run, or as a site does by itself."""
        path = self.folder / "config" / "tradesync.toml"
        told = path.read_text().removesuffix(_CHECK_ALL)
        path.write_text(told + _CHECK_ALL if always else told)

    @property
    def state_bytes(self) -> int:
        """Everything that the service keeps of its own."""
        files = (self.folder / "var").rglob("*")
        return sum(each.stat().st_size for each in files if each.is_file())


def _text(url: URL) -> str:
    return json.dumps(url.render_as_string(hide_password=False))
