"""One state per test, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.domain.ids import StoreId
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock
from tests.engines import compiled_once
from tests.postgres import database, postgres_url
from tests.unit.state.steps import Steps

__all__ = ["postgres_url"]

SHOP = StoreId("shop")
_pipelines = itertools.count(1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres_engine() -> Iterator[Engine]:
    with database() as url:
        engine = open_state(url)
        yield engine
        engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path, empty_state: Path) -> Iterator[Engine]:
    file = tmp_path / "state.db"
    shutil.copy(empty_state, file)
    engine = compiled_once(open_state(f"sqlite:///{file}", wait_for_lock_s=0.05))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name = "sqlite_engine" if request.param == "sqlite" else "postgres_engine"
    found: Engine = request.getfixturevalue(name)
    return found


@pytest.fixture
def state_of(engine: Engine, clock: ManualClock) -> Callable[..., SqlState]:
    """Makes the state of a pipeline, by default of one that no other test uses."""

    def make(pipeline: str | None = None, store: StoreId = SHOP) -> SqlState:
        name = pipeline or f"pipeline-{next(_pipelines)}"
        return SqlState(engine, name, store, keys_of(store, 64), clock)

    return make


@pytest.fixture
def state(state_of: Callable[..., SqlState]) -> SqlState:
    return state_of()


@pytest.fixture
def ledger(state: SqlState, clock: ManualClock) -> Steps:
    return Steps(state, clock)
