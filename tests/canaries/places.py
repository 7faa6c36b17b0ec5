"""What a test of a secret needs: a place to put it, and ears for all that is said."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from click.testing import CliRunner

from sync.cli.main import main
from sync.logs import configure
from sync.ports.state import LedgerFilter
from sync.secrecy import conceal
from sync.state import open_state
from sync.testing.faulty_http import FaultyHttp
from tests.canaries.birds import Canary
from tests.scenarios.world import World, build_world
from tests.system.site import SampleSite

log = structlog.get_logger()

ERP_URL = 'url = "sqlite:///var/sample/erp.sqlite"'
STORE_URL = 'url = "sqlite:///var/sample/store.sqlite"'
NOWHERE = "127.0.0.1:9"

# What an operator would type next, whatever is wrong.
COMMANDS = (
    ("check",),
    ("check", "--json"),
    ("status",),
    ("status", "--json"),
    ("plan", "accounts", "--json"),
    ("resync", "accounts", "--json"),
    ("quarantine", "list", "--json"),
    ("explain", "user", "u-101-1"),
    ("state", "verify"),
)


@dataclass
class Places:
    """Where one canary is put; ``said`` collects by the way out."""

    canary: Canary
    folder: Path
    databases: Path
    said: dict[str, list[str | bytes]] = field(default_factory=lambda: defaultdict(list))
    closing: ExitStack = field(default_factory=ExitStack)

    def hear(self, way: str, *texts: str | bytes) -> None:
        self.said[way].extend(texts)

    def hear_error(self, error: BaseException) -> None:
        """Its message, and what a printed traceback and its chain show of it."""
        self.hear("error text", str(error))
        shown: BaseException | None = error
        chain = []
        while shown is not None:
            chain.append(str(shown))
            shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
        self.hear("exception chain", "\n".join(chain))

    # A site with our own commands

    def site(self) -> SampleSite:
        return SampleSite.copied(self.folder / "site", self.databases)

    def credential(self, site: SampleSite, name: str, content: bytes, mode: int = 0o600) -> None:
        folder = site.root / "credentials"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / name).write_bytes(content)
        (folder / name).chmod(mode)

    def settings(self, site: SampleSite, old: str, new: str) -> None:
        text = site.settings.read_text(encoding="utf-8")
        assert old in text
        site.settings.write_text(text.replace(old, new, 1), encoding="utf-8")

    def ask_everything(self, site: SampleSite, **environ: str) -> set[int]:
        """Every command; the exit statuses."""
        codes = set()
        for words in COMMANDS:
            ended = CliRunner().invoke(
                main,
                [*words, "--site", str(site.root)],
                prog_name="tradesync",
                env={"COLUMNS": "250", **environ},
            )
            way = "JSON" if "--json" in words else "table"
            self.hear(way, ended.stdout)
            self.hear("stderr", ended.stderr)
            codes.add(ended.exit_code)
        for file in (site.root / "var").rglob("*"):
            if file.is_file() and "sample" not in file.parts:
                self.hear("state file", file.read_bytes())
        return codes

    # Two systems in memory, with a log

    def world(self, *, secret: str | None = None) -> World:
        """``secret`` is one that was read from a credential file."""
        if secret is not None:
            conceal([secret])
        log = io.StringIO()
        configure("debug", "json", log)
        self.closing.callback(lambda: self.hear("log", log.getvalue()))
        engine = open_state(f"sqlite:///{self.folder}/state.sqlite")
        self.closing.callback(engine.dispose)
        return build_world(engine)

    def run(self, world: World, *flows: str) -> None:
        """The flows, and what becomes of them everywhere."""
        for flow in flows:
            try:
                result = world.run(flow)
            except Exception:
                # Nobody foresaw it: the runner tells it to the log, with its traceback.
                log.exception("run.crashed", flow=flow)
            else:
                told = [result.message, *result.samples, *result.remarks]
                self.hear("report", "\n".join(told))
        self.hear("state", "\n".join(line for line in world.dump() if "ledger: " not in line))
        with world.state.transaction() as state:
            for entry in state.ledger.entries(LedgerFilter()):
                # The order itself is the buyer's and the ERP's business; all else is ours.
                others = (entry.problems, entry.differences, entry.message, entry.trail,
                          entry.waiting_sentence, entry.closing_note, entry.status)  # fmt: skip
                self.hear("state", repr(others))
                self.hear("store", repr(world.store.notice(entry.order_id)))
            keys = [entry.order_id for entry in state.ledger.entries(LedgerFilter())]
        self.hear("store", repr(world.store.shown_order_statuses(keys)))

    # A server

    def server(self) -> FaultyHttp:
        server = self.closing.enter_context(FaultyHttp())
        self.closing.callback(server.release)
        return server


Drive = Callable[[Places], None]
"""Puts the canary into one slot and drives every error path that has it in hand."""
