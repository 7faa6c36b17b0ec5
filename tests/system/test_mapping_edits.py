"""Mapping files edited while the real daemon runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sync.sample.applications import NEW_COMPANY
from tests.bad_inputs.catalogue import LAUGHS
from tests.system.daemon import Daemon
from tests.system.site import SampleSite

pytestmark = [pytest.mark.system, pytest.mark.rule("OP-4")]


def told(site: SampleSite) -> dict[str, Any]:
    """What ``tradesync status`` says of the only pipeline."""
    ended = site.tradesync("status", "--json")
    assert ended.code in (0, 3), ended.err
    line: dict[str, Any] = ended.json["pipelines"][0]
    return line


def test_sighup_takes_a_good_edit_up_without_a_restart(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=3600)
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        before = site.mapping_version()
        site.mapping("customers.csv", "000104,org-104", "000105,org-104")
        daemon.send(signal.SIGHUP)
        daemon.wait_for_notice("READY=1", times=2)
        told = [field for field in daemon.fields() if field != "WATCHDOG=1"]
        assert told == ["READY=1", "RELOADING=1", "READY=1"]
        after = daemon.wait_for("mapping.in_force")
        assert after["version"] == site.mapping_version() != before
        assert daemon.end() == 0


def test_a_signal_is_heard_whichever_thread_the_system_gives_it_to(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=3600)
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        daemon.send_to_another_thread(signal.SIGHUP)
        daemon.wait_for_notice("READY=1", times=2)
        daemon.send_to_another_thread(signal.SIGTERM)
        assert daemon.ended() == 0


@pytest.mark.rule("WA-2", "OI-2")
def test_a_good_edit_is_noticed_by_itself_and_orders_follow_it(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=0.1)
    ((key, number, organisation),) = site.rows(
        site.database("store"),
        "SELECT order_id, number, organisation FROM orders WHERE state = 'awaiting_fulfilment'"
        " AND organisation BETWEEN 'org-101' AND 'org-111' ORDER BY number LIMIT 1",
    )
    customer = f"000{organisation.removeprefix('org-')}"
    line = f"{customer},{organisation},,,\n"
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        site.mapping("customers.csv", line, "")
        daemon.wait_for("mapping.in_force", times=1)
        assert site.tradesync("resync", "orders", "--order", key).code == 3
        daemon.wait_for("order.quarantined", web_order=number)
        assert site.erp_orders() == []

        site.mapping("customers.csv", "000130,org-130", line + "000130,org-130")
        version = daemon.wait_for("mapping.in_force", times=2)["version"]
        why = "mapped now"
        assert site.tradesync("quarantine", "replay", number, "--reason", why).code == 0
        assert site.tradesync("resync", "orders", "--order", key).code == 0
        assert daemon.wait_for("order.imported", web_order=number)["sold_to"] == customer
        assert daemon.end() == 0
    ((decision,),) = site.rows(site.state, "SELECT decision FROM ledger WHERE decision IS NOT NULL")
    assert version in decision


def test_a_bad_edit_changes_nothing_and_is_told_also_after_a_restart(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=0.1)
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        before = told(site)
        assert before["mapping_refused"] == []
        site.mapping("channels.yaml", "guest_checkout: true", "guest_checkot: true")
        refused = daemon.wait_for("mapping.in_force", newer_refused=True)
        assert refused["version"] == before["mapping"]
        assert_refused(told(site), before)
        assert daemon.end() == 0

    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        assert "a newer mapping is refused" in daemon.told[0]
        assert daemon.found("mapping.refused")
        assert_refused(told(site), before)
        assert site.tradesync("check").code == 1

        site.mapping("channels.yaml", "guest_checkot: true", "guest_checkout: true")
        daemon.wait_for("mapping.in_force", newer_refused=False)
        assert told(site)["mapping_refused"] == []
        assert daemon.end() == 0


def test_a_file_that_vanishes_changes_nothing(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=0.1)
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        before = site.mapping_version()
        (site.root / "mappings" / "customers.csv").unlink()
        daemon.wait_for("mapping.in_force", newer_refused=True)
        now = told(site)
        assert now["mapping"] == before
        assert "customers.csv" in now["mapping_refused"][0]
        assert daemon.end() == 0


@pytest.mark.rule("WA-2b")
def test_a_retail_group_as_somebodys_customer_id_never_comes_into_force(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=0.1)
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        before = site.mapping_version()
        site.mapping("customers.csv", "000104,org-104", "RETAIL-US,org-104")
        daemon.wait_for("mapping.in_force", newer_refused=True)
        now = told(site)
        assert now["mapping"] == before
        assert "customers.csv:" in now["mapping_refused"][0]
        assert "RETAIL-US" in now["mapping_refused"][0]
        assert daemon.end() == 0


def assert_refused(now: dict[str, Any], before: dict[str, Any]) -> None:
    assert now["mapping"] == before["mapping"]
    (problem,) = now["mapping_refused"]
    assert problem.startswith("channels.yaml:")
    assert "guest_checkot" in problem
    assert "did you mean guest_checkout?" in problem


def sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, 100 * 1024 * 1024)


def test_the_worst_files_leave_the_last_good_mapping_in_force(site: SampleSite) -> None:
    """One after the other, in a daemon that runs on; each is refused by its name."""
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=0.1)
    folder = site.root / "mappings"
    good = {name: (folder / name).read_bytes() for name in ("channels.yaml", "customers.csv")}
    bad: dict[str, Callable[[Path], object]] = {
        "laughs": lambda file: file.write_text(LAUGHS),
        "nested": lambda file: file.write_text("[" * 200_000),
        "UTF-16": lambda file: file.write_bytes("channels: {}".encode("utf-16")),
        "NULs": lambda file: file.write_bytes(b"\0" * 100_000),
        "100 MB": sparse,
        "a pipe": os.mkfifo,
        "endless": lambda file: file.symlink_to("/dev/zero"),
        "nowhere": lambda file: file.symlink_to("nowhere"),
        "a folder": Path.mkdir,
    }
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        before = site.mapping_version()
        for number, (what, put) in enumerate(bad.items(), start=1):
            name = ("channels.yaml", "customers.csv")[number % 2]
            beside = folder / f".{name}.new"
            put(beside)
            (folder / name).unlink()
            beside.rename(folder / name)
            daemon.wait_for("mapping.in_force", newer_refused=True, times=number)
            assert name in told(site)["mapping_refused"][0], what
            assert site.mapping_version() == before
            if (folder / name).is_dir():
                (folder / name).rmdir()
            beside.write_bytes(good[name])
            beside.replace(folder / name)
            daemon.wait_for("mapping.in_force", newer_refused=False, times=number)
        assert site.tradesync("check").code == 0
        assert daemon.end() == 0


def test_a_version_that_was_put_back_is_in_force_within_seconds(site: SampleSite) -> None:
    site.schedule(order_status=3600)
    site.service(mapping_poll_s=0.1)
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        first = site.mapping_version()
        site.mapping("customers.csv", "000104,org-104", "000105,org-104")
        second = daemon.wait_for("mapping.in_force")["version"]
        assert second != first
        site.mapping("channels.yaml", "guest_checkout: true", "guest_checkot: true")
        daemon.wait_for("mapping.in_force", newer_refused=True)

        words = ("mappings", "restore", first[:8], "--reason", "moved by mistake")
        assert site.tradesync(*words).code == 1, "the broken edit would be lost"
        assert site.tradesync(*words, "--force").code == 0

        daemon.wait_for("mapping.in_force", version=first, newer_refused=False)
        listed = site.tradesync("mappings", "list", "--json").json
        assert [each["version"] for each in listed] == [first, second, first]
        assert [each["reason"] for each in listed] == ["moved by mistake", None, None]
        assert told(site)["mapping_refused"] == []
        assert daemon.end() == 0


@pytest.mark.rule("VE-9", "MI-1", "OP-1")
def test_an_approval_that_the_daemon_carries_through_is_mirrored_without_anybody_asking(
    site: SampleSite,
) -> None:
    """Its own edit is in force at once; what follows from it is not thereby forgotten."""
    site.schedule(order_status=3600, accounts=3600)
    site.service(mapping_poll_s=0.1)
    shop, new = site.database("store"), NEW_COMPANY.value

    def shown(table: str) -> list[Any]:
        query = f"SELECT customer_id FROM {table} WHERE organisation = 'org-{new}'"
        return site.rows(shop, query)

    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        before = site.mapping_version()
        assert site.tradesync("resync", "registrations").code == 0
        words = ("approve", new, "--create", "--reason", "checked")
        assert site.tradesync("registrations", *words).code == 0
        assert site.tradesync("resync", "registrations").code == 0
        [(status,)] = site.rows(
            shop, f"SELECT status FROM organisations WHERE organisation = 'org-{new}'"
        )
        assert status == 9, "by one run"
        now = daemon.wait_for("mapping.in_force")
        assert now["version"] == site.mapping_version() != before
        daemon.wait_until(
            "the account is shown", lambda: shown("account_organisations") == [("W00001",)]
        )
        assert daemon.end() == 0
