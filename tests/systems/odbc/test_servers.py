"""The servers of these tests leave each other alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.systems.odbc.servers import MariadbServer, PostgresqlServer, a_server


def test_a_server_that_is_made_leaves_the_temporary_tables_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # MariaDB deletes what it takes for the leavings of a crash; it may be another's at work.
    shared = Path(tempfile.mkdtemp(prefix="tradesync-shared-"))
    shared.chmod(0o777)
    others = shared / "#sql-temptable-1-1-1.MAI"
    others.touch()
    others.chmod(0o666)
    monkeypatch.setenv("TMPDIR", str(shared))
    monkeypatch.setattr(tempfile, "tempdir", None)

    server = a_server(MariadbServer)
    try:
        server.restart()

        assert server.folder.parent == shared
        assert others.exists()
    finally:
        server.remove()
        others.unlink(missing_ok=True)
        shared.rmdir()


def test_a_postgresql_that_is_removed_leaves_no_shared_memory() -> None:
    server = a_server(PostgresqlServer)
    try:
        # What a killed one leaves behind the next one of the same folder takes away.
        server.restart()
        pid, *_, memory, _ = (server.folder / "data" / "postmaster.pid").read_text().splitlines()
        number = memory.split()[1]
        assert number in segments(), f"that of process {pid}"
    finally:
        server.remove()
    assert number not in segments()


def segments() -> set[str]:
    """The numbers of all shared memory of this machine."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}
