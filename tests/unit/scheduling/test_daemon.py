"""The daemon in this process: what it tells systemd while a flow hangs."""

from __future__ import annotations

import socket
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from sync.scheduling.daemon import Daemon
from sync.scheduling.pulse import STALLED_AFTER_S, Pulse
from sync.settings import Settings, load_settings
from sync.state import open_state
from sync.testing.clock import ManualClock
from tests.unit.scheduling.test_bootstrap import databases, site

__all__ = ["databases", "site"]

pytestmark = pytest.mark.rule("OP-1", "OP-6")

SCHEDULE = """
[pipelines.main.schedule]
off = ["accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts",
       "entitlements", "availability", "documents", "registrations", "orders", "order_status",
       "account_orders"]
"""
# The daemon looks after itself four times within this.
WATCHDOG_S = 0.2
# It says something all the time; what never comes ends with the time-out of the test.
PATIENCE_S = 30.0


@contextmanager
def running(settings: Settings, pulse: Pulse) -> Iterator[socket.socket]:
    """The daemon in a thread; gives what systemd listens at, where READY=1 waits to be heard."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        systemd.bind(str(Path(folder) / "notify"))
        systemd.settimeout(PATIENCE_S)
        environ = {
            "NOTIFY_SOCKET": str(systemd.getsockname()),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1_000_000)),
        }
        daemon = Daemon(settings, environ, pulse)
        ended: list[bool] = []
        thread = threading.Thread(target=lambda: ended.append(daemon.run()))
        thread.start()
        try:
            assert systemd.recv(4096, socket.MSG_PEEK).startswith(b"READY=1")
            yield systemd
        finally:
            daemon.stop()
            thread.join(60)
        assert ended == [True]


def heard(systemd: socket.socket) -> str:
    return systemd.recv(4096).decode()


def forget_the_past(systemd: socket.socket) -> None:
    """What was said by now, however long this thread waited for its turn; one more may be
    on its way."""
    systemd.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            heard(systemd)
    systemd.settimeout(PATIENCE_S)


def silent(systemd: socket.socket) -> bool:
    """Whether nothing more comes for several times as long as it may take."""
    forget_the_past(systemd)
    systemd.settimeout(5 * WATCHDOG_S)
    try:
        for _ in range(3):
            heard(systemd)
    except TimeoutError:
        return True
    finally:
        systemd.settimeout(PATIENCE_S)
    return False


def test_a_flow_that_hangs_silences_the_watchdog_until_it_ends(
    site: Callable[..., Settings], clock: ManualClock
) -> None:
    pulse = Pulse(clock, idle_s=60.0)
    with running(site(SCHEDULE), pulse) as systemd:
        assert heard(systemd).startswith("READY=1")
        assert heard(systemd) == "WATCHDOG=1"
        pulse.progress("main/prices")
        clock.advance(STALLED_AFTER_S + 1)
        assert silent(systemd)
        pulse.ended("main/prices")
        assert heard(systemd) == "WATCHDOG=1"


@pytest.mark.rule("WA-8", "OP-4")
def test_an_edit_of_the_mapping_is_mirrored_at_once(
    site: Callable[..., Settings], clock: ManualClock
) -> None:
    yearly = 'accounts_cron = "0 3 1 1 *"\n'
    schedule = SCHEDULE.replace('"accounts", ', "") + yearly
    settings = site(schedule, service="mapping_poll_s = 0.05")
    with running(settings, Pulse(clock, idle_s=60.0)) as systemd:
        file = settings.site.root / "mappings" / "customers.csv"
        file.write_text(file.read_text() + "C-3003,org-56,,,\n")
        engine = open_state(settings.state_url, upgrade=False)
        runs: Sequence[str] = ()
        try:
            while not runs:
                heard(systemd)
                with engine.connect() as connection:
                    runs = connection.execute(text("SELECT flow FROM runs")).scalars().all()
        finally:
            engine.dispose()
    assert runs == ["accounts"]


@pytest.mark.rule("OP-6")
def test_systemd_is_told_which_system_is_down(
    site: Callable[..., Settings], clock: ManualClock, tmp_path: Path
) -> None:
    schedule = SCHEDULE.replace('"accounts", ', "") + "accounts_every_s = 3600\n"
    site(f"[systems.erp.breaker]\nfailures = 1\n{schedule}")
    file = tmp_path / "config" / "tradesync.toml"
    url = 'url = "sqlite:///erp.sqlite"'
    file.write_text(file.read_text().replace(url, f"{url}\nstatement_timeout_s = 0.2"))
    settings = load_settings(tmp_path, {})
    told = ""
    with closing(sqlite3.connect(tmp_path / "erp.sqlite", isolation_level=None)) as other:
        # Before its first look, which may be over when it says that it is ready.
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with running(settings, Pulse(clock, idle_s=60.0)) as systemd:
            while "erp is away since" not in told:
                told = heard(systemd)
    assert "STATUS=" in told


def test_who_switched_the_watchdog_off_is_never_restarted_by_it(
    site: Callable[..., Settings], clock: ManualClock
) -> None:
    pulse = Pulse(clock, idle_s=60.0)
    with running(site(SCHEDULE, service="watchdog = false"), pulse) as systemd:
        pulse.progress("main/prices")
        clock.advance(STALLED_AFTER_S + 1)
        forget_the_past(systemd)
        for _ in range(3):
            assert heard(systemd) == "WATCHDOG=1"
