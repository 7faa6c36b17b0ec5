"""One writer per state, on both databases."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sync.errors import AccessDenied, StateInUse, TryLater
from sync.state.lock import hold_writer_lock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/var/state.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.mark.rule("OP-1")
def test_a_second_writer_is_refused_with_the_first_ones_process(url: str) -> None:
    with hold_writer_lock(url) as lock:
        assert lock.still_held()
        with pytest.raises(StateInUse, match=rf"process {os.getpid()}\b"):
            hold_writer_lock(url)
    assert not lock.still_held()
    hold_writer_lock(url).release()


def test_a_lock_may_be_released_twice(url: str) -> None:
    lock = hold_writer_lock(url)
    lock.release()
    lock.release()


@pytest.mark.rule("OP-1")
def test_the_lock_dies_with_its_process(url: str) -> None:
    program = (
        "import sys, time; from sync.state.lock import hold_writer_lock;"
        f"lock = hold_writer_lock({url!r}); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateInUse, match=f"process {holder.pid}"):
            hold_writer_lock(url)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    _hold_once_the_server_noticed(url)


def _hold_once_the_server_noticed(url: str) -> None:
    """A server ends a dead client's session by itself, if not in the same instant."""
    for _ in range(10_000):
        try:
            hold_writer_lock(url).release()
        except StateInUse:
            continue
        return
    raise AssertionError("the lock of a dead process was never freed")


def test_a_writer_that_lost_its_connection_knows_that_it_lost_the_lock(postgres_url: str) -> None:
    with hold_writer_lock(postgres_url) as lock:
        engine = create_engine(postgres_url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        assert not lock.still_held()


@pytest.mark.rule("OP-1", "OI-1")
def test_only_a_file_that_was_there_proves_that_the_writer_before_is_gone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with hold_writer_lock(url) as first:
        assert not first.ends_with_its_process, "somebody may hold a file that was removed"
    with hold_writer_lock(url) as second:
        assert second.ends_with_its_process


def test_a_session_on_a_server_may_end_before_its_process(postgres_url: str) -> None:
    hold_writer_lock(postgres_url).release()
    with hold_writer_lock(postgres_url) as lock:
        assert not lock.ends_with_its_process


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_writer_whose_locks_file_was_removed_knows_that_it_may_not_be_alone(
    tmp_path: Path, replaced: bool
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with hold_writer_lock(url) as lock:
        (tmp_path / "state.db.lock").unlink()
        if replaced:
            with hold_writer_lock(url) as second:
                assert second.still_held()
                assert not lock.still_held()
        assert not lock.still_held()


def test_two_states_have_two_writers(tmp_path: Path) -> None:
    with hold_writer_lock(f"sqlite:///{tmp_path}/a.db"):
        hold_writer_lock(f"sqlite:///{tmp_path}/b.db").release()


def test_a_state_in_memory_needs_no_lock() -> None:
    with hold_writer_lock("sqlite://"), hold_writer_lock("sqlite://") as second:
        assert second.still_held()


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("in_the_way", ["folder", "link"])
def test_a_lock_that_cannot_be_had_says_why_and_where(tmp_path: Path, in_the_way: str) -> None:
    lock = tmp_path / "state.db.lock"
    if in_the_way == "folder":
        lock.mkdir()
    else:
        lock.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AccessDenied, match=r"state\.db\.lock cannot be opened: .*; look at"):
        hold_writer_lock(f"sqlite:///{tmp_path}/state.db")

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENFILE])
def test_a_lock_on_a_disk_that_is_full_or_fails_is_tried_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)

    with pytest.raises(TryLater, match=os.strerror(number)):
        hold_writer_lock(f"sqlite:///{tmp_path}/state.db")


@pytest.mark.rule("OP-1")
def test_a_writer_holds_its_lock_also_where_its_number_finds_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", fail)
    url = f"sqlite:///{tmp_path}/state.db"

    with hold_writer_lock(url) as lock:
        assert lock.still_held()
        with pytest.raises(StateInUse, match="in use by process unknown"):
            hold_writer_lock(url)
