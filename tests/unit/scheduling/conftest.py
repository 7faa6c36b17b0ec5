"""A pipeline on both fakes, with a real state and a real folder of mapping files."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sync.bootstrap import Pipeline
from sync.mapping.keeper import MappingKeeper
from sync.mapping.source import MappingSource
from sync.ports.state import ResyncRequest, ResyncScope, RunRecord
from sync.scheduling.pulse import Pulse
from sync.scheduling.runner import Runner
from sync.settings import (
    OrderSettings,
    PatienceSettings,
    PipelineSettings,
    ScheduleSettings,
    SystemSettings,
)
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Script, faulty
from sync.testing.store import MemoryStore
from tests.scenarios import world

CHANNELS = """
channels:
  web:
    commerce_mode: hybrid
    guest_checkout: true
    retail_groups:
      - {customer_id: RETAIL-EU, currencies: [EUR]}
  trade: {commerce_mode: b2b}
"""
CUSTOMERS = """customer_id,organisation,user,contact,note
C-1001,org-12,,,
C-2002,org-34,,,
"""
CODES = """
payment_methods:
  card: {kind: card, erp_code: CARD}
  on_account: {kind: terms, erp_code: TERMS}
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """Both companies of the scenarios are mapped."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "channels.yaml").write_text(CHANNELS)
    (folder / "customers.csv").write_text(CUSTOMERS)
    (folder / "codes.yaml").write_text(CODES)
    return folder


@pytest.fixture
def engine(tmp_path: Path, empty_state: Path) -> Iterator[Engine]:
    file = tmp_path / "state.sqlite"
    shutil.copy(empty_state, file)
    engine = open_state(f"sqlite:///{file}", wait_for_lock_s=0.05)
    yield engine
    engine.dispose()


@dataclass
class Line:
    """One pipeline and the script that its calls pass through."""

    pipeline: Pipeline
    script: Script
    erp: MemoryErp
    store: MemoryStore

    def ask(self, flow: str, **scope: Any) -> str:
        with self.pipeline.state.transaction() as state:
            return state.requests.ask(flow, ResyncScope(**scope), "ann", self.pipeline.clock.now())

    def cancel(self, request_id: str) -> bool:
        with self.pipeline.state.transaction() as state:
            return state.requests.cancel(request_id)

    def request(self, request_id: str) -> ResyncRequest:
        with self.pipeline.state.transaction() as state:
            found = state.requests.get(request_id)
        assert found is not None
        return found

    def runs(self) -> list[RunRecord]:
        """In no order: the clock stands still."""
        with self.pipeline.state.transaction() as state:
            return list(state.runs.last(limit=200))

    def flows(self) -> list[str]:
        return [run.flow for run in self.runs()]


@pytest.fixture
def line_of(engine: Engine, clock: ManualClock, mappings: Path) -> Callable[..., Line]:
    """Makes a pipeline; keywords are settings of its schedule."""

    def make(name: str = "main", **schedule: object) -> Line:
        erp, store, script = MemoryErp(), MemoryStore(), Script()
        world.fill_erp(erp)
        world.fill_store(store)
        state = SqlState(engine, name, store.store_id, keys_of(store.store_id, 64), clock)
        settings = PipelineSettings(
            name=name,
            erp=SystemSettings("erp", "erp", "memory", {}, {}),
            store=SystemSettings("store", "store", "memory", {}, {}),
            mappings=mappings,
            accounts_per_read=200,
            full_price_check_s=604_800.0,
            full_record_check_s=86_400.0,
            share_price_lists=True,
            schedule=ScheduleSettings(**schedule),  # type: ignore[arg-type]
            guards={},
            orders=OrderSettings(),
            patience=PatienceSettings(attempts=1),
        )
        keeper = MappingKeeper(MappingSource(mappings), state, clock)
        pipeline = Pipeline(
            settings,
            faulty(erp, script, "erp"),
            faulty(store, script, "store"),
            state,
            keeper,
            clock,
        )
        return Line(pipeline, script, erp, store)

    return make


@pytest.fixture
def line(line_of: Callable[..., Line]) -> Line:
    return line_of()


@pytest.fixture
def pulse(clock: ManualClock) -> Pulse:
    return Pulse(clock, idle_s=60.0)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def runner(pulse: Pulse, stop: threading.Event) -> Runner:
    return Runner(pulse, stop)
