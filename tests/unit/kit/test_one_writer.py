"""A lock that whoever dies lets go of, and that is told honestly where there is none."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from sync.errors import OutcomeUnknown, RightMissing, TryLater
from sync.kit.disk import Disk
from sync.kit.one_writer import NO_LOCKS, OneWriter

HOLDER = """
import sys, time
from pathlib import Path
from sync.kit.disk import Disk
from sync.kit.one_writer import OneWriter
with OneWriter(Path(sys.argv[1]), Disk()).of("order-1"):
    print("inside", flush=True)
    time.sleep(600)
"""


@pytest.mark.rule("OI-1", "OP-1")
def test_another_process_is_told_until_the_one_inside_has_died(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "inside\n"
            with (
                pytest.raises(OutcomeUnknown, match="another process is sending order-1"),
                OneWriter(tmp_path, Disk()).of("order-1"),
            ):
                raise AssertionError("it got in")
        finally:
            holder.kill()
        holder.wait()
        with OneWriter(tmp_path, Disk()).of("order-1"):
            pass


@pytest.mark.rule("OI-1")
def test_orders_do_not_wait_for_each_other(tmp_path: Path) -> None:
    one, other = OneWriter(tmp_path, Disk()), OneWriter(tmp_path, Disk())
    with one.of("order-1"), other.of("order-2"):
        pass


def test_a_share_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    with (
        pytest.raises(TryLater, match="is the share mounted"),
        OneWriter(tmp_path / "gone", Disk()).of("order-1"),
    ):
        raise AssertionError("it got in")


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    writer = OneWriter(tmp_path, Disk())
    with writer.of("order-1"):
        assert not writer.possible
    assert writer.trouble() == NO_LOCKS
    monkeypatch.undo()
    assert writer.trouble() == NO_LOCKS, "what was claimed meanwhile would be no claim"


def test_a_missing_right_is_told_by_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(fcntl, "flock", refuse)
    writer = OneWriter(tmp_path, Disk())
    with pytest.raises(RightMissing), writer.of("order-1"):
        raise AssertionError("it got in")
    assert "Permission denied" in (writer.trouble() or "")
    assert writer.possible


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    assert OneWriter(tmp_path, Disk()).trouble() is None
    assert list(tmp_path.iterdir()) == []
