"""Our commands in this process, on a copy of the sample site."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

import sync.secrecy
from sync.cli.main import main
from tests.system.site import SampleSite, build_databases


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it said on both channels."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Operator:
    """A person at the terminal of one site."""

    site: SampleSite

    def __call__(self, *words: str) -> Said:
        return call(*words, "--site", str(self.site.root))


def call(*words: str) -> Said:
    ended = CliRunner().invoke(main, list(words), prog_name="tradesync", env={"COLUMNS": "250"})
    return Said(ended.exit_code, ended.stdout, ended.stderr)


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command sends logs to its own stderr, which ends with it."""
    monkeypatch.setattr(sync.secrecy, "_known", ())
    root, apscheduler = logging.getLogger(), logging.getLogger("apscheduler")
    handlers, levels = root.handlers[:], (root.level, apscheduler.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    apscheduler.setLevel(levels[1])
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def sample_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_databases(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def fresh(tmp_path: Path, sample_databases: Path) -> Operator:
    """The sample as it was made; nothing has run yet."""
    return Operator(SampleSite.copied(tmp_path / "site", sample_databases))


@pytest.fixture(scope="session")
def day_done(tmp_path_factory: pytest.TempPathFactory, sample_databases: Path) -> SampleSite:
    site = SampleSite.copied(tmp_path_factory.mktemp("done") / "site", sample_databases)
    ended = call("resync", "all", "--site", str(site.root))
    assert ended.code == 3, ended
    return site


@pytest.fixture
def operator(day_done: SampleSite) -> Operator:
    """A site on which every flow ran once. Its tests change nothing that others look at."""
    return Operator(day_done)
