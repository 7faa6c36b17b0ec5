"""One place for each canary, and nothing known or configured left over from another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import sync.secrecy
from tests.system.site import build_databases


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
