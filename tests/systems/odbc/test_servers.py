"""The servers of these tests leave each other alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.systems.odbc.servers import MariadbServer, a_server


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
