"""`tradesync ... | head`: the command ends quietly once nobody reads it any more."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sync.cli.output import Exit
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


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("stderr", ["gone", "full", "closed"])
def test_what_stops_the_service_stops_it_also_where_nobody_can_be_told(
    tmp_path: Path, read_by_nobody: int, stderr: str
) -> None:
    """With another status systemd would start it again, and try a wrong password for ever."""
    full = os.open("/dev/full", os.O_WRONLY)
    told = {"gone": read_by_nobody, "full": full, "closed": None}[stderr]
    ended = subprocess.run(
        [sys.executable, "-m", "sync", "run", "--site", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=told,
        cwd=REPOSITORY,
        check=False,
        preexec_fn=None if told is not None else partial(os.close, 2),
    )
    os.close(full)

    assert ended.returncode == Exit.MISCONFIGURED
