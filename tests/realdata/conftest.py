"""The published data sets, and the story that is played on one of them.

Building and playing take most of the time, so each is done once in a test run,
whichever worker comes first; the others wait for it and then only read.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.postgres import postgres_url
from tests.realdata import source
from tests.realdata.story import Story, play

__all__ = ["postgres_url"]

T = TypeVar("T")

BUILDING_S = 900

# What is proved here is equality, not the patience of a disk.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
# In a container there are often 64 MB of it, which would end in the middle.
_ROOM = 2_000_000_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the data every test here is skipped, by name.

    One test that needs the story comes first and the others last, so that a
    second worker has something to do while the first one plays it.
    """
    here = Path(__file__).parent
    places = [place for place, item in enumerate(items) if here in item.path.parents]
    ours = [items[place] for place in places]
    told = [item for item in ours if "story" in getattr(item, "fixturenames", ())]
    others = [item for item in ours if item not in told]
    for place, item in zip(places, [*told[:1], *others, *told[1:]], strict=True):
        items[place] = item
        # Whoever comes first builds and plays, and others wait for it, on a busy machine too.
        item.add_marker(pytest.mark.timeout(BUILDING_S))
        if not source.available():
            item.add_marker(pytest.mark.skip(reason=source.MISSING))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that all workers of this test run share; the last one removes it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    base = tmp_path_factory.getbasetemp()
    lock = (base.parent if run else base) / "realdata.lock"
    name = f"tradesync-realdata-{run or uuid.uuid4().hex}"
    with _locked(lock):
        # Where the first worker began, the others go on, however much room is left by then.
        folder = _IN_MEMORY / name
        if not folder.is_dir() and not _has_room(_IN_MEMORY):
            folder = lock.parent / name
        mine = folder / "in-use" / str(os.getpid())
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.touch()
    (folder / "lock").touch()
    yield folder
    with _locked(lock):
        mine.unlink()
        if not any(mine.parent.iterdir()):
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def databases(workshop: Path) -> Path:
    """A folder with the original databases; nobody writes to them."""

    def make(folder: Path) -> Path:
        source.build(folder)
        return folder

    return _once(workshop, "originals", make)


@pytest.fixture(scope="session")
def adventureworks(databases: Path) -> Path:
    return databases / "adventureworks.sqlite"


@pytest.fixture(scope="session")
def northwind(databases: Path) -> Path:
    return databases / "northwind.sqlite"


@pytest.fixture(scope="session")
def story(workshop: Path, adventureworks: Path) -> Story:
    """The story, played; tests look at what it left and change nothing."""
    return _once(workshop, "story", lambda folder: play(adventureworks, folder))


def _has_room(above: Path) -> bool:
    return os.access(above, os.W_OK) and shutil.disk_usage(above).free > _ROOM


def _once(workshop: Path, name: str, make: Callable[[Path], T]) -> T:
    """What ``make`` answered, in whichever worker it was called."""
    kept = workshop / f"{name}.pickle"
    with _locked(workshop / "lock"):
        if not kept.exists():
            # Whoever was at it before was stopped in the middle.
            shutil.rmtree(workshop / name, ignore_errors=True)
            (workshop / name).mkdir()
            kept.write_bytes(pickle.dumps(make(workshop / name)))
    made: T = pickle.loads(kept.read_bytes())  # noqa: S301 - written by this test run
    return made


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
