"""What every test gets: the reports, and one Hypothesis profile."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, make_url

from sync.state import open_state
from sync.stores.embedded.engine import create_store
from tests.pace import keep_pace
from tests.postgres import database, without_password

pytest_plugins = ["tests.rule_report", "tests.mutant_report"]

# The tests share two cores with each other, so one slow example proves nothing, nor do ten.
settings.register_profile("tradesync", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples on every run: a merge must not depend on the day's luck.
settings.register_profile("ci", settings.get_profile("tradesync"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "tradesync")

keep_pace()


def pytest_itemcollected(item: pytest.Item) -> None:
    """A set in a name stands in another order in each process: pytest-xdist would run nothing."""
    if re.search(r"\{'[^']*', '", item.nodeid):
        raise pytest.UsageError(f"{item.nodeid}: its name depends on the order of a set")


# The developer's own site must never leak into a test.
for name in [name for name in os.environ if name.startswith("TRADESYNC_")]:
    del os.environ[name]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and found stays to the end: whoever looks for garbage passes it by.

    Looking through all of it again and again while it grows took a third of the collection.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def logs() -> None:
    """A command that ran in this process may have chosen what is logged."""
    structlog.reset_defaults()
    *before, _ = structlog.get_config()["processors"]
    # The usual one paints each traceback with its source and variables: a tenth of a second.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])


@pytest.fixture(scope="session")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with its schema and nothing in it, to be copied."""
    file = tmp_path_factory.mktemp("state") / "empty.sqlite"
    engine = open_state(f"sqlite:///{file}")
    engine.dispose()  # the last connection to close leaves no write-ahead log behind
    return file


@pytest.fixture(scope="session")
def empty_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of the embedded store with nothing in it, to be copied."""
    file = tmp_path_factory.mktemp("shop") / "empty.db"
    create_store(make_url(f"sqlite:///{file}"))
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[URL, URL]]:
    """An empty database of an ERP and one of a store, each kind of database in turn."""
    if request.param == "sqlite":
        names = ("erp.db", "store.db")
        one, other = (URL.create("sqlite", database=str(tmp_path / name)) for name in names)
        yield one, other
        return
    with database() as first, database() as second:
        yield without_password(first), without_password(second)
