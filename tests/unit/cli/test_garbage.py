"""Every command lets Python search for garbage less often than by default."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from sync.cli.garbage import OBJECTS
from sync.cli.main import main


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_command_searches_for_garbage_less_often() -> None:
    assert CliRunner().invoke(main, ["rules"]).exit_code == 0
    assert gc.get_threshold()[0] == OBJECTS
    assert gc.isenabled()
