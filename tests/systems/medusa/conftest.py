"""One server for all tests of this folder; each test that asks for ``world`` finds it empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.medusa.hints import Hints
from tests.systems.medusa.server import Medusa, missing, running
from tests.systems.medusa.shop import Shop
from tests.systems.medusa.world import MedusaWorld

BUILDING_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test is the first here waits for the server and its tables."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here[:1]:
        item.add_marker(pytest.mark.timeout(BUILDING_S), append=False)


@pytest.fixture(scope="session")
def hints() -> Iterator[Hints]:
    with Hints.listening() as hints:
        yield hints


@pytest.fixture(scope="session")
def medusa(hints: Hints) -> Iterator[Medusa]:
    lacking = missing()
    if lacking is not None:
        pytest.skip(lacking)
    with running((hints.url, hints.secret)) as server:
        yield server


@pytest.fixture(scope="session")
def shop(medusa: Medusa) -> Shop:
    """What sells: channels, a region, items, a way to ship, two ways to pay."""
    return Shop.opened(medusa)


@pytest.fixture
def world(medusa: Medusa, shop: Shop) -> MedusaWorld:
    """The shop without a customer, an order or anything mirrored."""
    world = MedusaWorld(medusa)
    world.empty()
    return world
