"""The real daemon from start to stop, as systemd starts, asks and kills it."""

from __future__ import annotations

import signal
import time

import pytest

from tests.system.daemon import Daemon
from tests.system.site import GOOD_ORDERS, WRONG_ORDERS, SampleSite

pytestmark = pytest.mark.system


@pytest.mark.rule("OP-1", "OP-6")
def test_systemd_is_told_of_the_start_of_life_and_of_the_stop(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    with Daemon(site, WATCHDOG_USEC="2000000") as daemon:
        daemon.wait_for_notice("READY=1")
        daemon.wait_for_notice("WATCHDOG=1", times=2)
        assert daemon.end() == 0
    fields = daemon.fields()
    assert fields[0] == "READY=1"
    assert fields[-1] == "STOPPING=1"
    assert set(fields[1:-1]) == {"WATCHDOG=1"}
    assert daemon.events[-1]["event"] == "daemon.stopped"


def test_without_systemd_it_runs_all_the_same(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    with Daemon(site, NOTIFY_SOCKET="") as daemon:
        daemon.wait_for("run.finished", flow="order_status", outcome="ok")
        assert daemon.end(signal.SIGINT) == 0
    assert daemon.told == []


@pytest.mark.rule("OP-1", "OI-1", "OI-2")
def test_a_stop_in_the_middle_of_an_order_leaves_nothing_half_done(site: SampleSite) -> None:
    site.schedule(orders=1)
    with Daemon(site) as daemon:
        daemon.wait_for("order.imported", times=5)
        with site.erp_stands_still():
            daemon.wait_for_an_order_on_its_way()
            daemon.send(signal.SIGTERM)
            daemon.wait_for_notice("STOPPING=1")
            assert daemon.process.poll() is None, "it waits for the order in hand"
        begun = time.monotonic()
        assert daemon.ended() == 0
        assert time.monotonic() - begun < 30
    assert len(site.erp_orders()) < GOOD_ORDERS, "it was not in the middle"
    assert site.erp_orders() == site.imported()
    assert "submitting" not in site.ledger()
    assert daemon.found("run.finished", flow="orders")[0]["outcome"] == "cancelled"

    with Daemon(site) as daemon:
        daemon.wait_for("run.finished", flow="orders", outcome="ok")
        assert daemon.end() == 0
    assert len(site.erp_orders()) == len(set(site.erp_orders())) == GOOD_ORDERS
    assert site.erp_orders() == site.imported()


@pytest.mark.rule("OP-1")
def test_a_call_that_hangs_does_not_hold_up_the_stop(site: SampleSite) -> None:
    site.schedule(orders=1)
    site.service(log_format="json", stop_grace_s=0.5)
    with Daemon(site) as daemon:
        daemon.wait_for("order.imported", times=3)
        with site.erp_stands_still():
            daemon.wait_for_an_order_on_its_way()
            assert daemon.end() == 0
    assert daemon.events[-1]["event"] == "daemon.stopped_hard"
    assert daemon.events[-1]["still_running"] == ["main/orders"]
    assert len(site.erp_orders()) == len(site.imported()) < GOOD_ORDERS
    assert site.ledger()["submitting"] == 1, "it is looked up after the next start"


@pytest.mark.rule("OP-1", "OI-1", "OI-2")
def test_after_kill_9_in_the_middle_every_order_is_in_the_erp_once(site: SampleSite) -> None:
    site.schedule(orders=1)
    # How long an order rests that the killed process may have sent: these two together,
    # or one and a half times what the ERP may take for a statement.
    site.orders(lease_s=1, ambiguity_wait_s=1)
    site.erp_option("statement_timeout_s = 4")
    with Daemon(site) as daemon:
        daemon.wait_for("order.imported", times=4)
        assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    with Daemon(site) as daemon:
        daemon.wait_for("order.imported", times=4)
        with site.erp_stands_still():
            daemon.wait_for_an_order_on_its_way()
            assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(site.erp_orders()) < GOOD_ORDERS, "it was not in the middle"

    with Daemon(site) as daemon:
        assert daemon.wait_for("daemon.resumed")["runs"] == 1
        daemon.wait_until("the last order", lambda: len(site.imported()) == GOOD_ORDERS)
        assert daemon.end() == 0
    assert len(site.erp_orders()) == len(set(site.erp_orders())) == GOOD_ORDERS
    assert site.erp_orders() == site.imported()
    assert sum(site.ledger().values()) == GOOD_ORDERS + WRONG_ORDERS


@pytest.mark.rule("OP-1", "OI-1")
def test_an_order_in_hand_at_kill_9_waits_for_the_erp_and_not_for_the_dead(
    site: SampleSite,
) -> None:
    site.schedule(orders=1)
    site.orders(lease_s=3600, ambiguity_wait_s=1)
    site.erp_option("statement_timeout_s = 4")
    with Daemon(site) as daemon:
        daemon.wait_for("order.imported", times=2)
        assert daemon.end() == 0, "from now on there is a lock that a dead process must have held"
    with Daemon(site) as daemon:
        daemon.wait_for("order.imported", times=2)
        with site.erp_stands_still():
            daemon.wait_for_an_order_on_its_way()
            assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    with Daemon(site) as daemon:
        assert daemon.wait_for("daemon.resumed")["orders"] == 1
        daemon.wait_until("the last order", lambda: len(site.imported()) == GOOD_ORDERS)
        assert daemon.end() == 0
    assert site.erp_orders() == site.imported()


@pytest.mark.rule("OP-1")
def test_a_second_daemon_on_the_same_state_ends_and_the_first_goes_on(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    with Daemon(site) as first:
        first.wait_for_notice("READY=1")
        with Daemon(site) as second:
            assert second.ended() == 4
        assert str(first.process.pid) in second.text
        assert second.told == []
        assert first.process.poll() is None
        assert first.end() == 0


def test_bad_settings_end_it_with_78_and_every_mistake_by_line(site: SampleSite) -> None:
    text = site.settings.read_text(encoding="utf-8")
    site.settings.write_text(text.replace('log_level = "info"', 'log_level = "loud"', 1))
    line = text[: text.index("log_level")].count("\n") + 1
    with Daemon(site) as daemon:
        assert daemon.ended() == 78
    assert f"config/tradesync.toml:{line}:" in daemon.text
    assert daemon.told == []


@pytest.mark.rule("OP-4")
def test_without_any_usable_mapping_it_ends_with_78(site: SampleSite) -> None:
    site.mapping("channels.yaml", "commerce_mode: b2b", "commerce_mode: b2x")
    with Daemon(site) as daemon:
        assert daemon.ended() == 78
    assert "channels.yaml:" in daemon.text
    assert daemon.told == []


@pytest.mark.rule("OP-1")
def test_a_system_that_is_away_does_not_keep_the_daemon_from_starting(site: SampleSite) -> None:
    site.schedule(accounts=3600)
    site.database("erp").rename(site.root / "erp.away")
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        failed = daemon.wait_for("run.finished", flow="accounts")
        assert failed["outcome"] != "ok"
        assert daemon.process.poll() is None
        assert daemon.end() == 0


@pytest.mark.rule("OP-1")
def test_a_nightly_run_that_was_missed_while_it_was_down_is_made_up_for_once(
    site: SampleSite,
) -> None:
    site.schedule(accounts="0 0 1 1 *")  # once a year
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        assert daemon.end() == 0
    assert not daemon.found("run.finished"), "a new installation waits for the hour"

    assert site.tradesync("resync", "accounts").code == 0
    site.change(site.state, "UPDATE runs SET started_at = '2024-05-05 05:05:05.000000'")
    with Daemon(site) as daemon:
        daemon.wait_for("run.finished", flow="accounts", outcome="ok")
        assert daemon.end() == 0
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        assert daemon.end() == 0
    assert not daemon.found("run.finished"), "it was made up for already"
