"""One pair of servers for the whole run, whose mirrors have been filled once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.live.story import Live, a_live_pair
from tests.systems.medusa.server import missing
from tests.systems.tryton import kit

BUILDING_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test is the first here waits for both servers."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here[:1]:
        item.add_marker(pytest.mark.timeout(BUILDING_S))


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    kit.skip_without_kit()
    lacking = missing()
    if lacking is not None:
        pytest.skip(lacking)
    with a_live_pair(tmp_path_factory.mktemp("live")) as live:
        live.mirror()
        yield live
