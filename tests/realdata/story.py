"""The AdventureWorks story: a site is set up, and the daemon's cycle runs on it.

A Sunday in January 2012, told once and looked at by many tests:

1. the shop holds every order, the ERP none: the first cycle mirrors accounts,
   ship-tos and prices and imports what it may;
2. an operator says how the orders without a card were paid and replays them;
3. the warehouse ships everything;
4. the next cycle shows the invoices and the order status;
5. another cycle finds nothing to do.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from sync.bootstrap import Pipeline, open_installation
from sync.flows.context import FlowResult
from sync.flows.cycle import FLOWS, run_cycle
from sync.ports.state import LedgerEntry, LedgerFilter, LedgerState
from sync.settings import load_settings
from sync.stores.embedded.adapter import EmbeddedStore
from sync.testing.clock import ManualClock
from tests.realdata.adventureworks_erp import prepare, ship_everything
from tests.realdata.source import copy_of
from tests.realdata.web_store import WebStore, customers_csv, open_shop, read_web_store

SITE = Path(__file__).parent / "adventureworks_site"
A_SUNDAY = datetime(2012, 1, 15, 12, 0, tzinfo=UTC)
OPERATOR = "operator"

NEW_METHOD = "  card: {kind: card, erp_code: CARD}\n"
SORTED_METHOD = NEW_METHOD + "  unrecorded: {kind: card, erp_code: UNRECORDED}\n"


@dataclass(slots=True)
class Cycle:
    """One run of all flows: what each did, how long it took, what the store was written."""

    name: str
    results: Mapping[str, FlowResult]
    seconds: float
    store_writes: int

    def count(self, flow: str, name: str) -> int:
        return self.results[flow].counts.get(name, 0)


@dataclass(slots=True)
class Story:
    """How it went. ``held`` are the orders that the first cycle quarantined.

    ``log`` is every event that was logged meanwhile.
    """

    original: Path
    site: Path
    store: WebStore
    cycles: dict[str, Cycle] = field(default_factory=dict)
    held: tuple[LedgerEntry, ...] = ()
    replayed: int = 0
    shipped: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def erp(self) -> Path:
        return self.site / "var" / "erp.sqlite"

    @property
    def shop(self) -> Path:
        return self.site / "var" / "store.sqlite"


def play(original: Path, folder: Path) -> Story:
    """The whole story, from the database as it was published to the idle cycle."""
    story = Story(original, folder / "site", read_web_store(original))
    prepare(copy_of(original, story.erp))
    set_up(story.site, story.store)
    clock = ManualClock(A_SUNDAY)

    def run(name: str, pipeline: Pipeline) -> None:
        story.cycles[name] = cycle(pipeline, name)
        clock.advance(3600)

    with capture_logs() as log, running(story.site, clock) as pipeline:
        run("first", pipeline)
        story.held = quarantined(pipeline)
        sort_the_unrecorded_as_card(story.site)
        pipeline.mapping.reload_if_edited()
        story.replayed = replay(pipeline, story.held, "accounting found the payments")
        run("replayed", pipeline)
        story.shipped = ship_everything(story.erp)
        run("shipped", pipeline)
        run("idle", pipeline)
    story.log = [dict(event) for event in log]
    return story


def set_up(site: Path, store: WebStore, erp_url: str | None = None) -> None:
    """A site folder with its mapping files and its web store. The ERP is there already."""
    shutil.copytree(SITE, site, dirs_exist_ok=True)
    (site / "mappings" / "customers.csv").write_text(customers_csv(store), encoding="utf-8")
    if erp_url is not None:
        settings = site / "config" / "tradesync.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("sqlite:///var/erp.sqlite", erp_url), encoding="utf-8")
    open_shop(store, site / "var" / "store.sqlite")


@contextmanager
def running(site: Path, clock: ManualClock) -> Iterator[Pipeline]:
    """The site's only pipeline, opened as the daemon opens it."""
    with open_installation(load_settings(site, {}), clock) as installation:
        yield installation.pipeline(None)


def cycle(pipeline: Pipeline, name: str, flows: Sequence[str] = tuple(FLOWS)) -> Cycle:
    """Run every flow once, or only these, and measure it."""
    store = pipeline.store
    assert isinstance(store, EmbeddedStore)
    before, started = store.mirror_writes, time.perf_counter()
    results = run_cycle(pipeline.context(), flows)
    seconds = time.perf_counter() - started
    return Cycle(name, {each.flow: each for each in results}, seconds, store.mirror_writes - before)


def quarantined(pipeline: Pipeline) -> tuple[LedgerEntry, ...]:
    with pipeline.state.transaction() as state:
        wanted = LedgerFilter(states=frozenset({LedgerState.QUARANTINED}))
        return tuple(sorted(state.ledger.entries(wanted), key=lambda entry: entry.number))


def sort_the_unrecorded_as_card(site: Path) -> None:
    """The operator's decision about orders whose source has no card."""
    codes = site / "mappings" / "codes.yaml"
    text = codes.read_text(encoding="utf-8")
    assert NEW_METHOD in text
    codes.write_text(text.replace(NEW_METHOD, SORTED_METHOD), encoding="utf-8")


def replay(pipeline: Pipeline, entries: tuple[LedgerEntry, ...], reason: str) -> int:
    """Replay orders as the command line does. Answers how many could be."""
    done = 0
    with pipeline.state.transaction() as state:
        for entry in entries:
            now = pipeline.clock.now()
            done += state.ledger.replay(entry.order_id, OPERATOR, reason, now)
    return done
