"""What systemd hears, on a socket of the test's own."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.scheduling.notify import Notifier

pytestmark = pytest.mark.rule("OP-6")


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    # A folder of its own: the path of a socket may have 108 characters.
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
    ):
        listening.bind(str(Path(folder) / "notify"))
        listening.settimeout(10)
        yield listening


def heard(systemd: socket.socket) -> str:
    return systemd.recv(4096).decode()


def test_every_message_has_the_fields_that_systemd_knows(systemd: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname()})
    notifier.ready("running main")
    assert heard(systemd) == "READY=1\nSTATUS=running main"
    notifier.reloading()
    assert heard(systemd).startswith("RELOADING=1\nMONOTONIC_USEC=")
    notifier.alive()
    assert heard(systemd) == "WATCHDOG=1"
    notifier.status("reading prices")
    assert heard(systemd) == "STATUS=reading prices"
    notifier.stopping()
    assert heard(systemd).split("\n")[0] == "STOPPING=1"


def test_a_status_of_several_lines_is_no_other_field(systemd: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).ready("refused:\nMAINPID=1")
    assert heard(systemd) == "READY=1\nSTATUS=refused: MAINPID=1"


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the system finds a name
        name = listening.getsockname()[1:].decode()
        listening.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).alive()
        assert heard(listening) == "WATCHDOG=1"


def test_without_a_service_manager_nothing_is_sent_and_nothing_fails() -> None:
    notifier = Notifier({})
    notifier.ready("running")
    notifier.alive()
    notifier.stopping()
    assert notifier.watchdog_s is None


def test_a_socket_that_is_gone_does_not_end_the_daemon(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


@pytest.mark.parametrize(
    "environ, seconds",
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_where_systemd_says_so(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert Notifier(environ).watchdog_s == seconds
