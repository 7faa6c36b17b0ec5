"""A fresh world for every scenario."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine

from sync.state import open_state
from tests.engines import compiled_once
from tests.scenarios.world import MakeWorld, World, build_world


@pytest.fixture
def open_engine(empty_state: Path, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Opens a new, empty state each time it is called."""
    opened: list[Engine] = []

    def make() -> Engine:
        file = tmp_path / f"state-{len(opened)}.sqlite"
        shutil.copy(empty_state, file)
        opened.append(compiled_once(open_state(f"sqlite:///{file}", upgrade=False)))
        return opened[-1]

    yield make
    for engine in opened:
        engine.dispose()


@pytest.fixture
def make_world(open_engine: Callable[[], Engine]) -> MakeWorld:
    """Makes worlds, each on a state of its own; keywords are those of ``build_world``."""

    def make(*, engine: Engine | None = None, **given: Any) -> World:
        return build_world(engine or open_engine(), **given)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Thousands of runs would otherwise be told line by line to nobody."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
