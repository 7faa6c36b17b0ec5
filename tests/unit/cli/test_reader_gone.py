"""`tradesync ... | head`: the command ends quietly once nobody reads it any more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.site import REPOSITORY
from tests.unit.cli.conftest import Operator


@pytest.fixture
def read_by_nobody() -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("plan", "all"),
        ("plan", "mappings"),
        ("quarantine", "list"),
        ("--help",),
        ("rules",),
    ],
    ids=" ".join,
)
def test_a_reader_who_has_gone_is_no_error(
    operator: Operator, read_by_nobody: int, words: tuple[str, ...]
) -> None:
    site = () if words in {("--help",), ("rules",)} else ("--site", str(operator.site.root))
    ended = subprocess.run(
        [sys.executable, "-m", "sync", *words, *site],
        stdout=read_by_nobody,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (141, b"")
