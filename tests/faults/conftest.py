"""Thousands of runs would otherwise be told line by line to nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.faults.playing import quiet


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    quiet()
    yield
    structlog.reset_defaults()
