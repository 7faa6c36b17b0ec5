"""A person asks for a flow to run again, with and without a running daemon."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.system.daemon import Daemon
from tests.system.site import FLOWS, GOOD_ORDERS, SampleSite, command, environment

pytestmark = [pytest.mark.system, pytest.mark.rule("OP-2")]


def test_without_a_daemon_the_flow_runs_here(site: SampleSite) -> None:
    ended = site.tradesync("resync", "accounts", "--customer", "000101", "--json")
    assert ended.code == 0, ended.err
    (result,) = ended.json
    assert (result["flow"], result["outcome"]) == ("accounts", "ok")
    assert result["counts"]["added"] == 1
    assert result["samples"] == ["add 000101"]
    again = site.tradesync("resync", "accounts", "--customer", "000101", "--json").json
    assert again[0]["counts"] == {"unchanged": 1}


def test_the_daemon_picks_a_request_up_and_the_answer_names_what_was_changed(
    site: SampleSite,
) -> None:
    site.schedule()
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        ended = site.tradesync("resync", "accounts", "--customer", "000101", "--json")
        assert ended.code == 0, ended.err
        assert ended.json["state"] == "done"
        assert ended.json["result"]["added"] == 1
        assert "add 000101" in ended.json["message"]
        assert daemon.found("run.finished", flow="accounts")
        assert daemon.end() == 0


def test_progress_is_shown_and_the_run_can_be_cancelled(site: SampleSite) -> None:
    site.schedule()
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        with subprocess.Popen(
            command("resync", "orders", "--site", str(site.root)),
            stdout=subprocess.PIPE,
            text=True,
            env=environment(PYTHONUNBUFFERED="1"),
        ) as watching:
            daemon.wait_for("order.imported")
            with site.erp_stands_still():
                daemon.wait_for_an_order_on_its_way()
                assert watching.stdout is not None
                request = watching.stdout.readline().split()[1]
                listed = site.tradesync("resync", "--list", "--json").json
                assert [(each["request"], each["state"]) for each in listed] == [
                    (request, "running")
                ]
                assert listed[0]["done"] > 0
                status = site.tradesync("status", "--json").json
                assert status["daemon"] == "running"
                (running,) = status["pipelines"][0]["running_requests"]
                assert (running["request"], running["done"]) == (request, listed[0]["done"])
                cancelled = site.tradesync("resync", "--cancel", request, "--json")
                assert cancelled.json == {"cancelled": request}
            rest = watching.stdout.read()
        assert "running: " in rest
        assert "orders: cancelled" in rest
        assert [state for _, state, _ in site.requests()] == ["cancelled"]
        assert daemon.wait_for("run.finished", flow="orders")["outcome"] == "cancelled"
        assert 0 < len(site.erp_orders()) < GOOD_ORDERS
        assert site.erp_orders() == site.imported()
        assert site.tradesync("resync", "--cancel", request).code == 1, "it is over"
        assert daemon.end() == 0


def test_all_flows_can_be_asked_for_at_once_and_cancelling_skips_the_rest(
    site: SampleSite,
) -> None:
    site.schedule()
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        request = site.tradesync("resync", "all", "--no-wait", "--json").json["request"]
        daemon.wait_for("order.imported")
        with site.erp_stands_still():
            assert site.tradesync("resync", "--cancel", request).code == 0
        daemon.wait_for("run.finished", flow="orders", outcome="cancelled")
        daemon.wait_until("the answer", lambda: site.requests()[0][1] == "cancelled")
        assert daemon.end() == 0
    ran = [event["flow"] for event in daemon.found("run.finished")]
    assert ran == list(FLOWS[: FLOWS.index("orders") + 1])


@pytest.mark.rule("OP-1")
def test_a_request_that_a_stop_interrupts_is_taken_up_again(site: SampleSite) -> None:
    site.schedule()
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        with site.erp_stands_still():
            assert site.tradesync("resync", "orders", "--no-wait").code == 0
            daemon.wait_for_an_order_on_its_way()
            daemon.send(signal.SIGTERM)
            daemon.wait_for_notice("STOPPING=1")
        assert daemon.ended() == 0
    assert [state for _, state, _ in site.requests()] == ["running"]
    with Daemon(site) as daemon:
        assert daemon.wait_for("daemon.resumed")["requests"] == 1
        daemon.wait_for("run.finished", flow="orders", outcome="ok")
        daemon.wait_until("the answer", lambda: site.requests()[0][1] == "done")
        assert daemon.end() == 0
    assert len(site.erp_orders()) == GOOD_ORDERS


def test_who_watches_is_told_when_the_daemon_is_gone(site: SampleSite) -> None:
    site.schedule()
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        with (
            site.erp_stands_still(),
            subprocess.Popen(
                command("resync", "orders", "--json", "--site", str(site.root)),
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            ) as watching,
        ):
            daemon.wait_for_an_order_on_its_way()
            daemon.end(signal.SIGKILL)
            _, said = watching.communicate(timeout=60)
        assert watching.returncode == 75
        assert "takes request r1 up when it starts again" in said


def test_a_plan_tells_what_would_change_and_writes_nothing(site: SampleSite) -> None:
    before = site.contents()
    planned = site.tradesync("plan", "all", "--json")
    assert planned.code == 0, planned.err
    assert not site.state.exists(), "to look at it needs no state"
    results = {result["flow"]: result for result in planned.json}
    assert tuple(results) == FLOWS
    assert results["accounts"]["counts"]["would_add"] > 30
    assert results["orders"]["counts"]["would_be_admitted"] == GOOD_ORDERS
    assert site.contents() == before

    assert site.tradesync("resync", "accounts").code == 0
    # The store is asked for the number: no run for all has read the order yet.
    assert site.tradesync("resync", "orders", "--order", "W-50001").code == 0
    assert site.tradesync("resync", "orders", "--order", "W-0").code == 1
    assert site.tradesync("resync", "orders").code == 3
    site.mapping("customers.csv", "000104,org-104,,,\n", "")
    before = site.contents()
    planned = site.tradesync("plan", "all", "--json")
    assert planned.json[0]["counts"]["would_remove"] == 1
    dry = site.tradesync("resync", "accounts", "--dry-run", "--json")
    assert dry.json == planned.json[:1]
    assert site.contents() == before


@pytest.mark.rule("OP-2")
def test_commands_that_look_write_nothing_beside_a_daemon(site: SampleSite) -> None:
    site.schedule()
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        site.mapping("customers.csv", "000104,org-104,,,\n", "000104,org-104,,,changed\n")
        daemon.wait_for("mapping.in_force")
        before = site.contents()
        for words in (("plan", "accounts"), ("check",), ("explain", "user", "u-sole-trader")):
            assert site.tradesync(*words, "--json").code == 0
        assert site.contents() == before
        assert daemon.end() == 0


def refused_plan(site: SampleSite) -> str:
    """The plan of a mirror whose source lost most of its rows."""
    ended = site.tradesync("resync", "invoices", "--json")
    assert ended.code == 3, ended
    (result,) = ended.json
    assert result["outcome"] == "refused"
    plan: str = result["plan"]
    assert f"tradesync resync invoices --confirm {plan}" in result["message"]
    return plan


@pytest.mark.rule("MI-3")
def test_a_refused_plan_is_carried_out_when_a_person_confirms_exactly_it(
    site: SampleSite,
) -> None:
    shown = "SELECT count(*) FROM invoices"
    assert site.tradesync("resync", "accounts").code == 0
    assert site.tradesync("resync", "invoices").code == 0
    ((before,),) = site.rows(site.database("store"), shown)
    assert before > 100
    erp = site.database("erp")
    site.change(
        erp,
        "DELETE FROM invoice_line WHERE invoice_no % 3",
        "DELETE FROM invoice_due WHERE invoice_no % 3",
        "DELETE FROM invoice WHERE invoice_no % 3",
    )

    first = refused_plan(site)
    assert site.rows(site.database("store"), shown) == [(before,)], "nothing was written"
    status = site.tradesync("status", "--json")
    assert status.code == 3
    assert [each["plan"] for each in status.json["pipelines"][0]["held_plans"]] == [first]

    assert site.tradesync("resync", "ship_tos", "--confirm", first, "--reason", "x").code == 2
    assert (
        site.tradesync(
            "resync", "invoices", "--confirm", "invoices-0123456789ab", "--reason", "x"
        ).code
        == 1
    )
    assert site.rows(site.database("store"), shown) == [(before,)]

    ((another,),) = site.rows(erp, "SELECT min(invoice_no) FROM invoice")
    for table in ("invoice_line", "invoice_due", "invoice"):
        site.change(erp, f"DELETE FROM {table} WHERE invoice_no = '{another}'")
    stale = site.tradesync("resync", "invoices", "--confirm", first, "--reason", "x", "--json")
    assert stale.code == 3, "the ERP has changed since: it is another plan now"
    second = stale.json[0]["plan"]
    assert refused_plan(site) == second, "asking again is no confirmation"
    assert second != first
    assert site.rows(site.database("store"), shown) == [(before,)]

    done = site.tradesync(
        "resync", "invoices", "--confirm", second, "--reason", "year-end", "--json"
    )
    assert done.code == 0, done
    removed = done.json[0]["counts"]["removed"]
    assert site.rows(site.database("store"), shown) == [(before - removed,)]
    assert removed > before / 2
    assert site.tradesync("status", "--json").json["pipelines"][0]["held_plans"] == []
    audit = site.tradesync("audit", "--kind", "plan.confirmed", "--json").json
    assert [(each["what"], each["reason"]) for each in audit] == [
        (second, "year-end"),
        (first, "x"),
    ]
    assert audit[0]["records"][0]["before"].startswith("refused: ")
    assert site.tradesync("resync", "invoices", "--confirm", second).code == 2, "it says no why"


@pytest.mark.rule("MI-3")
def test_a_plan_can_be_confirmed_while_the_daemon_runs(site: SampleSite) -> None:
    for flow in ("accounts", "invoices"):
        assert site.tradesync("resync", flow).code == 0
    erp = site.database("erp")
    site.change(erp, *(f"DELETE FROM {it}" for it in ("invoice_line", "invoice_due", "invoice")))
    site.schedule(invoices=3600)
    with Daemon(site) as daemon:
        daemon.wait_for("run.finished", flow="invoices", outcome="refused")
        held = site.tradesync("status", "--json").json["pipelines"][0]["held_plans"]
        again = site.tradesync("resync", "invoices", "--json")
        assert again.code == 3
        assert held[0]["plan"] in again.json["message"]
        done = site.tradesync(
            "resync", "invoices", "--confirm", held[0]["plan"], "--reason", "x", "--json"
        )
        assert done.code == 0, done
        assert done.json["result"]["removed"] > 100
        assert daemon.end() == 0
    assert site.rows(site.database("store"), "SELECT count(*) FROM invoices") == [(0,)]


def test_a_scope_that_cannot_be_is_wrong_usage(site: SampleSite) -> None:
    wrong = ("--since", "2026-03-02", "--until", "2026-03-01")
    assert site.tradesync("resync", "orders", *wrong).code == 2
    assert site.tradesync("resync", "orders", "--since", "2026-03-01T08:00:00").code == 2
    assert site.tradesync("resync", "orderz").code == 2
    assert site.tradesync("resync").code == 2
    assert not site.state.exists()
