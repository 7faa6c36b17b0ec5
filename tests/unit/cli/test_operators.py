"""What an operator does at the terminal: look, ask why, replay, dismiss, make a site."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Collection
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from sync.cli.output import Exit
from sync.cli.scope import FLOW_NAMES
from sync.cli.site import at_terminal
from sync.errors import TryLater
from sync.flows.context import FlowResult
from sync.planning.spool import SAMPLES
from tests.system.site import FLOWS, GOOD_ORDERS, WRONG_ORDERS, SampleSite
from tests.unit.cli.conftest import Operator

QUARANTINED = "W-50273"
PROFILES = Path(__file__).resolve().parents[3] / "erp_adapters/sql/profiles"


def test_check_names_what_the_mapping_says_and_the_erp_does_not_have(operator: Operator) -> None:
    said = operator("check", "--json")
    assert said.code == 0
    rows = {(row["where"], row["subject"]): row for row in said.json}
    assert rows["settings", "tradesync.toml"]["level"] == "ok"
    assert rows["main: mapping", "customer 000199"]["level"] == "warning"
    assert "no such customer" in rows["main: mapping", "customer 000199"]["message"]
    assert rows["main: mapping", "customer 000112"]["message"].startswith("is inactive")
    assert [row for row in said.json if row["where"].split(": ")[-1] == row["subject"]] == []
    assert {row["where"].split(": ")[-1] for row in said.json} == {
        "settings",
        "mapping",
        "erp",
        "store",
        "files",
    }


def test_check_goes_on_when_a_system_is_away_and_ends_with_1(fresh: Operator) -> None:
    fresh.site.database("erp").unlink()
    said = fresh("check", "--json")
    assert said.code == Exit.FAILED
    wrong = [row for row in said.json if row["level"] == "error"]
    assert [row["where"] for row in wrong] == ["main: erp"]
    followed = [row for row in said.json if row["level"] == "warning"]
    assert {row["subject"] for row in followed} == {"price feeds", "assignments"}
    cause = f"yet, for the reason told of erp: {wrong[0]['subject']}"
    assert all(row["message"].endswith(cause) for row in followed)
    assert any(row["where"] == "main: store" and row["level"] == "ok" for row in said.json)


@pytest.mark.rule("OP-4", "WA-2c")
def test_check_tells_a_group_at_each_line_that_declares_it(fresh: Operator) -> None:
    with closing(sqlite3.connect(fresh.site.database("erp"))) as erp, erp:
        erp.execute("UPDATE customer SET status = 'I' WHERE customer_no = 'RETAIL-EU'")
    rows = [row for row in fresh("check", "--json").json if row["subject"] == "customer RETAIL-EU"]
    lines = {str(row["message"]).partition("(channels.yaml:")[2] for row in rows}
    assert len(lines) == len(rows) > 1


def test_a_person_is_told_once_what_goes_wrong_and_cron_finds_it_on_stderr(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.site.database("erp").unlink()
    cron = fresh("resync", "ship_tos")
    assert cron.code == Exit.MISCONFIGURED
    assert "system.misconfigured" in cron.err
    assert "run.finished" in cron.err
    monkeypatch.setattr("sync.cli.site.at_terminal", lambda: True)
    person = fresh("resync", "ship_tos")
    assert (person.code, person.out) == (cron.code, cron.out)
    assert "[failed]" in person.out
    assert person.err == ""
    all_of_it = fresh("resync", "ship_tos", "-v").err
    assert "system.misconfigured" in all_of_it
    assert "info" in all_of_it


@pytest.mark.parametrize("level", ["error", "warning", "info", "debug"])
def test_whoever_asks_for_every_line_is_never_told_less(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """The service may be told to be quiet: a person at it has asked not to be spared."""
    monkeypatch.setenv("TRADESYNC_SERVICE__LOG_LEVEL", level)
    fresh.site.database("erp").unlink()
    without, every = (
        fresh("resync", "ship_tos", *words).err.splitlines() for words in ((), ("-v",))
    )
    assert _events(without) <= _events(every)
    assert any("[info" in line for line in every)
    assert _events(without)


def _events(lines: Collection[str]) -> set[str]:
    """Which events there are, each with its level; their times differ."""
    found = (re.search(r"\[(\w+) *\] ([a-z_]+\.[a-z_]+)", line) for line in lines)
    return {each.group(0) for each in found if each}


def test_nobody_reads_what_goes_wrong_where_that_stream_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert not at_terminal()


def test_a_person_still_reads_what_no_answer_tells(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.cli.site.at_terminal", lambda: True)

    def ended(*_: object, **__: object) -> object:
        structlog.get_logger().error("order.failed", web_order="W-1")
        return FlowResult("ship_tos")

    monkeypatch.setattr("sync.flows.cycle.run_flow", ended)
    assert "order.failed" in fresh("resync", "ship_tos").err


def test_check_tells_what_no_check_of_a_system_told_before_with_its_own_way_out(
    fresh: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may go away between its own check and the comparison."""

    def goes_away(context: object) -> object:
        raise TryLater("the ERP does not answer")

    monkeypatch.setattr("sync.mapping_check.mapping_findings", goes_away)
    fresh.site.database("store").unlink()
    said = fresh("check", "--json")
    assert said.code == Exit.FAILED
    store, wrong = [row for row in said.json if row["level"] == "error"]
    assert (store["where"], wrong["where"]) == ("main: store", "main: mapping")
    assert wrong["message"] == "not compared with the systems: the ERP does not answer"
    assert wrong["remedy"] == "See whether the system is up, then try again."


@pytest.mark.rule("OP-4")
def test_check_names_every_mistake_of_an_edit_by_line(operator: Operator, fresh: Operator) -> None:
    assert fresh("resync", "accounts", "--customer", "000101").code == 0
    fresh.site.mapping("channels.yaml", "guest_checkout: true", "guest_checkot: true")
    fresh.site.mapping("customers.csv", "000104,org-104", "RETAIL-US,org-104")
    said = fresh("check", "--json")
    assert said.code == Exit.FAILED
    told = " ".join(row["message"] for row in said.json if row["level"] == "error")
    assert "channels.yaml:" in told
    assert "customers.csv:" in told
    assert operator("check").code == 0


def test_status_tells_what_waits_for_a_person(operator: Operator) -> None:
    said = operator("status", "--json")
    assert said.code == Exit.NEEDS_PERSON
    assert said.json["daemon"] == "not running"
    (line,) = said.json["pipelines"]
    assert line["orders"]["acknowledged"] == GOOD_ORDERS
    assert sum(line["orders"].values()) == GOOD_ORDERS + WRONG_ORDERS
    assert {run["flow"] for run in line["runs"]} == set(FLOWS)
    shown = operator("status").out
    assert line["mapping"] in shown
    assert "quarantined" in shown


@pytest.mark.rule("OP-1")
def test_status_tells_the_last_runs_of_every_flow_however_many_hints_came_since(
    fresh: Operator,
) -> None:
    fresh("resync", "prices", "--json")
    fresh("resync", "orders", "--json")
    fresh.site.change(fresh.site.state, "UPDATE runs SET outcome = 'failed', message = 'no answer'")
    for number in range(15):
        fresh("resync", "orders", "--order", f"W-{50001 + number}", "--json")
    (line,) = fresh("status", "--json").json["pipelines"]
    told = [(run["flow"], run["narrow"], run["outcome"]) for run in line["runs"]]
    assert told == [
        ("orders", True, "ok"), ("orders", False, "failed"), ("prices", False, "failed"),
    ]  # fmt: skip
    shown = fresh("status").out
    assert shown.count("no answer") == 2
    assert "ok        for a part: " in shown


@pytest.mark.rule("OP-6")
def test_a_flow_whose_last_whole_run_failed_waits_for_a_person(fresh: Operator) -> None:
    def told() -> tuple[int, list[str]]:
        said = fresh("status", "--json")
        return said.code, said.json["pipelines"][0]["failing"]

    def last(outcome: str) -> None:
        newest = "started_at = (SELECT max(started_at) FROM runs WHERE narrow = 0)"
        how = f"outcome = '{outcome}', counts = '{{}}', message = 'odd'"
        fresh.site.change(fresh.site.state, f"UPDATE runs SET {how} WHERE {newest}")

    assert fresh("resync", "ship_tos").code == Exit.DONE
    assert told() == (Exit.DONE, [])
    for outcome in ("try_later", "cancelled"):
        last(outcome)
        assert told() == (Exit.DONE, [])
    last("failed")
    assert told() == (Exit.NEEDS_PERSON, ["ship_tos"])
    shown = fresh("status").out
    assert "failing  ship_tos" in shown
    assert re.search(r"(?m) ship_tos +failed$", shown), "nobody knows whether there was nothing"
    assert fresh("resync", "ship_tos", "--customer", "000101").code == Exit.DONE
    assert told() == (Exit.NEEDS_PERSON, ["ship_tos"]), "the whole has not run since"
    assert fresh("resync", "ship_tos").code == Exit.DONE
    last("running")
    assert told() == (Exit.NEEDS_PERSON, ["ship_tos"]), "it has not come to an end yet"
    fresh.site.schedule(accounts=900)
    assert told() == (Exit.DONE, []), "it is off"


@pytest.mark.rule("OP-6")
def test_a_system_that_was_not_asked_yet_is_not_said_to_be_up(fresh: Operator) -> None:
    assert fresh("resync", "accounts").code == Exit.DONE
    shown = fresh("status").out
    assert re.search(r"(?m)^files +papers was not asked for anything yet$", shown), shown
    assert re.search(r"(?m)^erp +erp is up, last answer 20", shown)


@pytest.mark.rule("OI-10", "OP-3")
def test_captures_and_credits_of_the_sample_are_asked_for_and_told(fresh: Operator) -> None:
    site = fresh.site
    erp, store = site.database("erp"), site.database("store")
    site.change(
        store,
        "UPDATE order_payments SET method = 'card', state = 'authorised', reference = 'pay-1'"
        " WHERE order_id = 'ord-050002'",
    )
    fresh("resync", "orders", "--json")
    imported = "SELECT order_id, number, channel FROM ledger WHERE order_id = 'ord-050002'"
    [(order_id, number, channel)] = site.rows(site.state, f"{imported} AND imported_at <> ''")
    site.orders(capture_channels=f'["{channel}", "nowhere"]', credit_channels=f'["{channel}"]')
    rows = fresh("check", "--json").json
    said = [row["level"] for row in rows if row["subject"].endswith("_channels")]
    assert sorted(said) == ["ok", "ok", "warning"], "one channel is misspelt"
    key = f"SELECT order_no FROM sales_order WHERE web_order_id = '{order_id}'"
    site.change(erp, f"UPDATE sales_order SET status = 'SHIPPED' WHERE order_no = ({key})")
    shipped = "UPDATE sales_order_line SET shipped = stock_quantity WHERE order_no"
    site.change(erp, f"{shipped} = ({key})")
    fresh("resync", "order_status", "--json")
    asked = f"SELECT amount, state FROM order_captures WHERE order_id = '{order_id}'"
    [(amount, state)] = site.rows(store, asked)
    assert state == "requested"
    assert [(amount,)] == site.rows(
        store, f"SELECT total FROM orders WHERE order_id = '{order_id}'"
    )
    site.change(
        store,
        "INSERT INTO order_refunds VALUES"
        f" ('{order_id}', 1, 'R-1', '1.25', '2026-03-03T09:00:00.000000Z')",
    )
    moved = "UPDATE orders SET modified_at = '2030-01-01T00:00:00.000000Z' WHERE order_id"
    site.change(store, f"{moved} = '{order_id}'")
    counts = fresh("resync", "orders", "--json").json[0]["counts"]
    assert counts["credited"] == 1
    filed = f"SELECT amount, web_refund_id FROM credit_request WHERE order_no = ({key})"
    [(credited, refund)] = site.rows(erp, filed)
    assert (float(credited), refund) == (1.25, "R-1")
    (line,) = fresh("status", "--json").json["pipelines"]
    assert line["settlements"] == {"capture asked": 1, "refund done": 1}
    assert "capture asked" in fresh("status").out
    steps = " ".join(fresh("explain", "order", number, "--json").json["steps"])
    assert f"to capture {amount}" in steps
    assert "Refund R-1 of 1.25" in steps
    assert "is credited in the ERP as" in steps


@pytest.mark.rule("OI-4", "OI-3")
def test_what_the_store_cancels_is_cancelled_in_the_sample_erp_and_shown(fresh: Operator) -> None:
    site = fresh.site
    site.orders(pass_on_cancellations="true")
    said = {row["subject"]: row for row in fresh("check", "--json").json}
    assert said["pass_on_cancellations"]["level"] == "ok"
    assert said["folder"]["level"] == "ok"
    assert fresh("resync", "orders", "--json").code == Exit.NEEDS_PERSON
    (order_id, number), (other, shipped) = site.rows(
        site.state, "SELECT order_id, number FROM ledger WHERE imported_at <> '' LIMIT 2"
    )
    status = f"web_order_id = '{other}'"
    site.change(site.database("erp"), f"UPDATE sales_order SET status = 'PICKED' WHERE {status}")
    site.change(
        site.database("store"),
        "UPDATE orders SET state = 'cancelled', modified_at = '2030-01-01T00:00:00.000000Z'"
        f" WHERE order_id IN ('{order_id}', '{other}')",
    )
    counts = fresh("resync", "orders", "--json").json[0]["counts"]
    assert (counts["cancelled_in_erp"], counts["review"]) == (1, 1)
    fresh("resync", "order_status", "--json")
    query = "SELECT state FROM order_statuses WHERE order_id = "
    assert site.rows(site.database("store"), f"{query}'{order_id}'") == [("cancelled",)]
    assert site.rows(site.database("store"), f"{query}'{other}'") == [("picked",)]
    (row,) = [
        each for each in fresh("quarantine", "list", "--json").json if each["order"] == shipped
    ]
    assert "had it as picked already" in row["why"]
    assert number not in {each["order"] for each in fresh("quarantine", "list", "--json").json}


@pytest.mark.rule("OP-1", "OP-6")
def test_status_tells_from_another_process_which_system_is_down_and_since_when(
    fresh: Operator,
) -> None:
    def systems() -> dict[str, dict[str, object]]:
        return {each["system"]: each for each in fresh("status", "--json").json["systems"]}

    assert fresh("resync", "accounts", "--customer", "000101").code == 0
    assert {each["condition"] for each in systems().values()} == {"up"}
    assert systems()["erp"]["last_success_at"]
    settings = fresh.site.settings
    impatient = 'profile = "sample"\nstatement_timeout_s = 0.2'
    settings.write_text(
        settings.read_text().replace('profile = "sample"', impatient)
        + "\n[systems.erp.breaker]\nfailures = 1\n"
    )
    with closing(sqlite3.connect(fresh.site.database("erp"), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert fresh("resync", "accounts").code == Exit.TRY_LATER
        erp = systems()["erp"]
        assert (erp["condition"], systems()["store"]["condition"]) == ("away", "up")
        assert erp["message"]
        assert erp["next_try_at"]
        assert f"erp is away since {erp['since']}" in fresh("status").out
    assert fresh("resync", "accounts").code == 0
    assert systems()["erp"]["condition"] == "up"


@pytest.mark.rule("OI-2", "OP-1")
def test_a_state_that_is_gone_is_told_by_every_command_and_given_up_with_a_reason(
    fresh: Operator,
) -> None:
    assert fresh("resync", "accounts", "--customer", "000101").code == 0
    refused = fresh("state", "new", "--reason", "why not")
    assert refused.code == Exit.FAILED
    assert "is there" in refused.err
    for each in fresh.site.state.parent.glob("state.sqlite*"):
        each.unlink()
    for words in (("status",), ("resync", "accounts"), ("check",), ("quarantine", "list")):
        said = fresh(*words)
        assert said.code == Exit.MISCONFIGURED
        assert "tradesync state restore FILE" in said.err
    assert not fresh.site.state.exists()
    assert fresh("state", "new", "--reason", "the disk was lost", "--json").json["new"]
    assert fresh("status").code == 0
    audited = "SELECT action, reason FROM audit"
    assert fresh.site.rows(fresh.site.state, audited) == [("state.new", "the disk was lost")]


@pytest.mark.rule("OP-6", "OP-7")
@pytest.mark.parametrize(
    "changes, said",
    [
        ("condition = 'denied', message = 'the login was refused'", "erp is denied since"),
        (
            "condition = 'misconfigured', message = 'no such table: kunden'",
            "    no such table: kunden\n    way out: correct the settings or the profile",
        ),
        ("clock_skew_s = -3600", "its clock is -3600 s off ours"),
    ],
    ids=["login", "profile", "clock"],
)
def test_status_asks_for_a_person_where_only_one_can_help(
    fresh: Operator, changes: str, said: str
) -> None:
    assert fresh("resync", "accounts", "--customer", "000101").code == 0
    assert fresh("status").code == 0
    fresh.site.change(fresh.site.state, f"UPDATE systems SET {changes} WHERE name = 'erp'")
    told = fresh("status")
    assert told.code == Exit.NEEDS_PERSON
    assert said in told.out
    [erp] = [each for each in fresh("status", "--json").json["systems"] if each["system"] == "erp"]
    assert bool(erp["way_out"]) == (erp["condition"] != "up")


@pytest.mark.rule("OP-6")
def test_status_tells_of_a_system_that_cannot_be_asked_as_the_settings_have_it(
    fresh: Operator,
) -> None:
    def erp() -> dict[str, Any]:
        told = fresh("status", "--json")
        [found] = [each for each in told.json["systems"] if each["system"] == "erp"]
        return {**found, "code": told.code}

    fresh.site.change(fresh.site.database("erp"), "ALTER TABLE customer RENAME TO kunden")
    assert fresh("resync", "accounts").code == Exit.MISCONFIGURED
    told = erp()
    assert (told["condition"], told["code"]) == ("misconfigured", Exit.NEEDS_PERSON)
    assert "customer" in told["message"]
    assert "tradesync check" in told["way_out"]
    assert told["next_try_at"] is None
    fresh.site.change(fresh.site.database("erp"), "ALTER TABLE kunden RENAME TO customer")
    assert fresh("resync", "accounts").code == 0
    told = erp()
    assert (told["condition"], told["way_out"], told["code"]) == ("up", None, Exit.DONE)


@pytest.mark.rule("OP-2")
def test_a_plan_of_orders_tells_changes_and_the_rest_in_one_line(operator: Operator) -> None:
    said = operator("plan", "orders").out.splitlines()
    assert said[0].split() == ["orders", "nothing", "to", "do"]
    unchanged = (
        r"    Unchanged, of those that a run would read: \d+ acknowledged, \d+ quarantined.*\."
    )
    assert re.fullmatch(unchanged, said[-1])
    assert len(said) == 2


def test_status_before_the_first_start_makes_nothing(fresh: Operator) -> None:
    said = fresh("status", "--json")
    assert said.code == 0
    assert said.json["pipelines"][0]["orders"] == {}
    assert sorted(file.name for file in (fresh.site.root / "var").iterdir()) == ["sample"]


@pytest.mark.rule("OI-2")
def test_quarantine_lists_every_order_with_its_code_its_sentence_and_the_way_out(
    operator: Operator,
) -> None:
    rows = operator("quarantine", "list", "--json").json
    held = operator.site.rows(
        operator.site.state,
        "SELECT number FROM ledger WHERE state IN ('quarantined', 'review')",
    )
    assert {row["order"] for row in rows} == {number for (number,) in held}
    for row in rows:
        assert row["codes"], row
        assert row["why"], row
        assert row["fix"], row
    one = rows[0]["codes"][0]
    only = operator("quarantine", "list", "--code", one, "--json").json
    assert 0 < len(only) <= len(rows)
    assert all(one in row["codes"] for row in only)
    assert operator("quarantine", "list", "--older-than-h", "1", "--json").json == []
    misspelt = operator("quarantine", "list", "--code", one[:-1] + "x")
    assert misspelt.out == "Quarantine: none.\n"
    assert f"No order is held with --code {one[:-1]}x; did you mean {one}?" in misspelt.err
    misspelt = operator("quarantine", "list", "--channel", "tarde", "--json")
    assert (misspelt.json, "did you mean trade?" in misspelt.err) == ([], True)
    assert operator("quarantine", "list", "--older-than-h", "1").err == ""


def test_quarantine_show_has_the_reasons_and_what_the_buyer_ordered(operator: Operator) -> None:
    told = operator("quarantine", "show", QUARANTINED, "--json").json
    assert told["order"] == QUARANTINED
    assert told["problems"][0]["remedy"]
    assert told["payload"]
    assert told["history"]
    version = operator.site.mapping_version()
    assert told["mapping"] == version
    assert f"decided by mapping {version}" in operator("quarantine", "show", QUARANTINED).out
    by_key = operator("quarantine", "show", order_id(operator, QUARANTINED), "--json").json
    assert by_key == told
    assert operator("quarantine", "show", "W-0").code == Exit.FAILED


@pytest.mark.rule("OI-2")
def test_dismissing_is_final_and_both_are_in_the_audit_trail(fresh: Operator) -> None:
    fresh("resync", "orders", "--order", order_id(fresh, QUARANTINED))
    reason = "corrected by phone"
    preview = fresh("quarantine", "replay", QUARANTINED, "--reason", reason, "--dry-run", "--json")
    assert preview.json == {"would_be_replayed": [QUARANTINED], "left_alone": []}
    assert fresh("status").code == Exit.NEEDS_PERSON, "a dry run changes nothing"

    told = fresh("quarantine", "replay", QUARANTINED, "--reason", reason)
    assert f"tradesync resync orders --order {QUARANTINED}" in told.out
    fresh("resync", "orders", "--order", QUARANTINED)
    replayed = fresh("quarantine", "replay", QUARANTINED, "--reason", reason, "--json")
    assert (replayed.code, replayed.json["replayed"]) == (0, [QUARANTINED])
    again = fresh("quarantine", "replay", QUARANTINED, "--reason", reason, "--json")
    assert (again.code, again.json["left_alone"]) == (Exit.FAILED, [QUARANTINED])
    judged = fresh("resync", "orders", "--order", QUARANTINED)
    assert judged.code == Exit.NEEDS_PERSON, "nothing was corrected, so it is held again"

    gone = fresh("quarantine", "dismiss", QUARANTINED, "--reason", reason, "--yes", "--json")
    assert (gone.code, gone.json["dismissed"]) == (0, [QUARANTINED])
    assert fresh("quarantine", "replay", QUARANTINED, "--reason", reason).code == Exit.FAILED
    assert fresh("resync", "orders", "--order", QUARANTINED).code == 0
    trail = fresh.site.rows(fresh.site.state, "SELECT action, subject, reason FROM audit")
    assert [row for row in trail if row[0].startswith("order.")] == [
        ("order.replayed", QUARANTINED, reason),
        ("order.replayed", QUARANTINED, reason),
        ("order.dismissed", QUARANTINED, reason),
    ]
    assert fresh.site.erp_orders() == []


@pytest.mark.rule("OI-2")
def test_quarantine_is_searched_by_state_channel_and_account(operator: Operator) -> None:
    rows = operator("quarantine", "list", "--json").json
    for state in ("quarantined", "review"):
        found = operator("quarantine", "list", "--state", state, "--json").json
        assert found == [row for row in rows if row["state"] == state]
    (account, *_) = sorted({row["account"] for row in rows if row["account"]})
    found = operator("quarantine", "list", "--customer", account, "--json").json
    assert found
    assert found == [row for row in rows if row["account"] == account]
    channel = rows[0]["channel"]
    found = operator("quarantine", "list", "--channel", channel, "--json").json
    assert found == [row for row in rows if row["channel"] == channel]


@pytest.mark.rule("OI-2")
def test_status_counts_what_holds_orders_up(operator: Operator) -> None:
    (line,) = operator("status", "--json").json["pipelines"]
    rows = operator("quarantine", "list", "--json").json
    assert line["held_for"] == {
        code: sum(code in row["codes"] for row in rows)
        for code in {code for row in rows for code in row["codes"]}
    }
    (code, number), *_ = line["held_for"].items()
    assert f"{number} held for {code}" in operator("status").out


@pytest.mark.rule("OP-4", "OI-2")
def test_status_counts_what_an_older_mapping_decided(fresh: Operator) -> None:
    fresh("resync", "orders", "--json")
    (line,) = fresh("status", "--json").json["pipelines"]
    decided = [each for each in ("waiting", "quarantined", "review") if each in line["orders"]]
    held = sum(line["orders"][each] for each in decided)
    assert line["decided_under"] == {line["mapping"]: held}
    assert "older mapping" not in fresh("status").out
    fresh.site.change(fresh.site.state, "UPDATE mapping_versions SET version = 'newer'")
    assert f"{held} wait or are held by the older mapping {line['mapping']}" in fresh("status").out


@pytest.mark.rule("OP-9")
def test_reducing_tells_first_and_is_in_the_audit_trail(fresh: Operator) -> None:
    site = fresh.site
    fresh("resync", "orders")
    site.change(
        site.state,
        "UPDATE ledger SET changed_at = '2020-01-01T00:00:00.000000Z', status_open = 0"
        " WHERE state = 'acknowledged'",
    )
    told = fresh("state", "reduce", "--dry-run", "--json").json
    assert told["reduced"]["main"] > 0
    assert fresh("state", "reduce", "--yes", "--json").json["reduced"] == told["reduced"]
    assert fresh("state", "reduce", "--yes").out == "main: 0 orders were reduced.\n"
    ((subject,),) = site.rows(
        site.state, "SELECT subject FROM audit WHERE action = 'state.reduced'"
    )
    assert subject == f"{told['reduced']['main']} orders that were done 90 days ago"
    (number,), *_ = site.rows(site.state, "SELECT number FROM ledger WHERE reduced_at <> ''")
    assert "names, addresses and notes were removed" in fresh("quarantine", "show", number).out
    assert fresh("state", "verify").code == 0


@pytest.mark.rule("OI-2")
def test_many_orders_are_replayed_by_what_they_have_in_common(fresh: Operator) -> None:
    fresh("resync", "orders")
    rows = fresh("quarantine", "list", "--json").json
    code = rows[0]["codes"][0]
    wanted = sorted(row["order"] for row in rows if code in row["codes"])
    done = fresh("quarantine", "replay", "--code", code, "--reason", "all of them", "--json")
    assert sorted(done.json["replayed"]) == wanted
    left = fresh("quarantine", "list", "--json").json
    assert {row["order"] for row in rows} - {row["order"] for row in left} == set(wanted)


@pytest.mark.rule("OI-2")
def test_an_order_that_the_ledger_does_not_know_is_told_with_who_may_know_it(
    operator: Operator,
) -> None:
    for words in (("show", "W-0"), ("replay", "W-0", "--reason", "x")):
        said = operator("quarantine", *words)
        assert said.code == Exit.FAILED
        assert "The ledger knows no order W-0" in said.err
        assert "tradesync explain order W-0" in said.err


def test_replaying_needs_a_service_that_ran_once(fresh: Operator) -> None:
    said = fresh("quarantine", "replay", "W-1", "--reason", "x")
    assert said.code == Exit.MISCONFIGURED
    assert "start the service once" in said.err


@pytest.mark.rule("OP-3")
def test_explain_tells_which_rule_decided_an_order(operator: Operator) -> None:
    imported = operator("explain", "order", "W-50001", "--json").json
    assert imported["state"] == "acknowledged"
    assert imported["erp_order"]
    assert any("Decided for" in step for step in imported["steps"])
    held = operator("explain", "order", QUARANTINED, "--json").json
    assert held["state"] == "quarantined"
    assert any(". Way out:" in step for step in held["steps"])
    assert held["mapping"] == operator.site.mapping_version()
    assert f"Decided by mapping {held['mapping']}." in held["steps"]
    assert held["now"][0].startswith("Now it would be quarantined")
    unknown = operator("explain", "order", "W-0", "--json").json
    assert unknown["steps"] == [
        "The ledger does not know this order.",
        "Looked for the number and the key W-0 in the ledger and in the store.",
        (
            "Compare it with the number in the shop, letter by letter; the store's own key of the"
            " order will do, too."
        ),
    ]
    assert unknown["now"] == ["The store shows no such order."]


@pytest.mark.rule("OP-3")
@pytest.mark.parametrize(
    "words",
    [
        ("order", "W-0"),
        ("user", "u-nobody"),
        ("price", "102", "SF-0001"),
        ("price", "000102", "SF-NONE"),
        ("invoice", "000101", "none"),
        ("document", "000101", "none"),
        ("account", "102"),
    ],
    ids=" ".join,
)
def test_what_is_nowhere_is_explained_and_ends_with_1(
    operator: Operator, words: tuple[str, ...]
) -> None:
    told, read = operator("explain", *words), operator("explain", *words, "--json")
    assert (told.code, read.code) == (Exit.FAILED, Exit.FAILED)
    assert "steps:" in told.out
    assert "found" not in told.out, "it stands there in words"
    assert read.json["found"] is False
    if "102" in words:
        assert "000102 is known" in told.out


@pytest.mark.rule("OP-3", "OP-4")
def test_what_is_explained_by_files_that_do_not_count_yet_says_so(
    day_done: SampleSite, tmp_path: Path
) -> None:
    site = Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))
    in_force = site.site.mapping_version()
    for words in (("user", "u-sole-trader"), ("order", "W-50001")):
        assert "Explained by" not in site("explain", *words).out
    edit = ("map", "u-retail-07", "000102", "--reason", "x", "--json")
    files = site(*edit).json["after"]
    for words in (("user", "u-retail-07"), ("order", "W-50001")):
        said = site("explain", *words).out.splitlines()[0]
        assert said.startswith(f"Explained by the mapping files as they are ({files})")
        assert f"{in_force} is in force" in said
        read = site("explain", *words, "--json").json
        assert (read["explained_by"], read["in_force"]) == (files, in_force)


@pytest.mark.rule("OP-3")
def test_explain_tells_under_which_account_a_user_orders_and_why(operator: Operator) -> None:
    told = operator("explain", "user", "u-sole-trader", "--json").json
    assert told["steps"][0].startswith("Acting in person: customer 000126, by ")
    assert "customers.yaml" in told["steps"][0]
    nobody = operator("explain", "user", "u-nobody", "--json").json
    assert nobody["steps"][0] == "The store's directory does not know user u-nobody."
    assert any("retail group RETAIL-US" in step for step in nobody["steps"])
    assert any("nobody is retail here (WA-2a)" in step for step in nobody["steps"])


@pytest.mark.rule("OP-3")
def test_explain_tells_where_a_price_comes_from(operator: Operator) -> None:
    ((sku,),) = operator.site.rows(
        operator.site.database("erp"), "SELECT min(item_no) FROM price_list_price"
    )
    told = operator("explain", "price", "000101", sku, "--json").json
    assert told["price"].split()[1] in ("USD", "EUR")
    assert told["steps"][-1].startswith(("Decides:", "Passed over:"))
    assert operator("explain", "price", "999999", sku, "--json").json["price"] is None
    own = operator("explain", "price", sku, "--user", "u-sole-trader", "--json").json
    assert own["customer"] == "000126"
    assert own["steps"][0].startswith("Acting in person: customer 000126, by ")
    named = operator("explain", "price", "--user", "u-sole-trader", "--sku", sku, "--json").json
    assert named == own
    assert operator("explain", "price", "000101", sku, "--sku", sku).code == Exit.USAGE
    meant = operator("explain", "price", "u-sole-trader", sku)
    assert f"tradesync explain price {sku} --user u-sole-trader" in meant.out
    assert "--user" not in operator("explain", "price", "999999", sku).out
    assert "--user USER" in operator("explain", "price", "u-sole-trader").err
    for wrong in (("000101",), ("000101", sku, "--user", "u-1"), (sku, "--organisation", "o-1")):
        assert operator("explain", "price", *wrong).code == 2


@pytest.mark.rule("OP-3", "WA-6")
def test_a_plan_of_prices_tells_old_and_new_amounts_some_in_lines_and_all_as_json(
    fresh: Operator,
) -> None:
    site = fresh.site
    assert fresh("resync", "prices").code == 0
    erp = site.database("erp")
    site.change(erp, "UPDATE price_list_price SET unit_price = '7.5' WHERE unit_price > 0")
    (planned,) = fresh("plan", "prices", "--json").json
    changes = planned["changes"]
    assert len(changes) == planned["counts"]["would_change"] > SAMPLES
    for each in changes:
        assert each["change"] == "changed"
        assert each["after"]["unit_price"] == "7.50"
        assert Decimal(each["before"]["unit_price"]) not in (0, Decimal("7.5"))
        assert each["audience"]
        assert (each["currency"], each["unit"]) != ("", "")
        assert Decimal(each["min_quantity"]) > 0
    lines = fresh("plan", "prices").out.splitlines()
    first, behind = lines[1], lines[1 + SAMPLES]
    one = changes[0]
    unit = f"{one['currency']} per {one['unit']} from {one['min_quantity']}"
    assert f"change {one['sku']} for {one['audience']}: " in first
    assert unit in first
    amounts = [f"{one[side]['unit_price']} {one['currency']}" for side in ("before", "after")]
    assert f": {amounts[0]}" in first
    assert f" -> {amounts[1]}" in first
    others = len(changes) - SAMPLES
    assert (len(planned["samples"]), planned["unnamed"]) == (SAMPLES, others)
    assert behind.strip() == f"... and {others} more (--json lists all of them)"

    every = fresh("plan", "all", "--json").json
    assert [each["flow"] for each in every if "changes" in each] == ["prices"]


@pytest.mark.rule("OP-3")
@pytest.mark.parametrize("words", [("prices", "--sku", "NOPE"), ("orders", "--order", "W-0")])
def test_a_plan_that_cannot_be_made_ends_as_the_run_would(
    operator: Operator, words: tuple[str, ...]
) -> None:
    run = operator("resync", *words)
    planned = operator("plan", *words)
    told = operator("plan", *words, "--json")
    assert planned.code == told.code == run.code == Exit.FAILED
    assert words[-1] in planned.out
    assert words[-1] in told.json[0]["message"]


LACKS_INVOICES = "the ERP's profile lacks the statement invoices"


def without_invoices(site: SampleSite) -> None:
    """Somebody has let the sample's profile forget them."""
    text = (PROFILES / "sample.yaml").read_text()
    profile = re.sub(r"(?m)^  (changed_)?invoice\w*: .*\n((    .*)?\n)+", "", text)
    assert profile != text
    (site.root / "ours.yaml").write_text(profile)
    settings = site.settings
    settings.write_text(settings.read_text().replace('profile = "sample"', 'profile = "ours.yaml"'))


@pytest.mark.rule("OP-2", "OP-3")
def test_a_plan_of_all_flows_tells_of_each_that_cannot_be_planned_and_goes_on(
    fresh: Operator,
) -> None:
    without_invoices(fresh.site)

    planned = fresh("plan", "all")
    told = fresh("plan", "all", "--json")
    assert planned.code == told.code == Exit.MISCONFIGURED, planned
    assert [each["flow"] for each in told.json] == list(FLOW_NAMES)
    failed = {each["flow"]: each["message"] for each in told.json if each["outcome"] != "ok"}
    assert failed.keys() == {"invoices"}
    assert LACKS_INVOICES in failed["invoices"]
    lines = planned.out.splitlines()
    at = lines.index(f"{'invoices':15} [failed]")
    assert LACKS_INVOICES in lines[at + 1]
    assert any(line.startswith("account_orders ") for line in lines[at:])
    run = fresh("resync", "all", "--json")
    assert run.code == Exit.MISCONFIGURED
    assert {each["flow"] for each in run.json if each["outcome"] != "ok"} == failed.keys()


@pytest.mark.rule("OP-2", "OP-3")
def test_what_cannot_be_served_and_is_off_is_neither_planned_nor_run_nor_warned_of(
    fresh: Operator,
) -> None:
    without_invoices(fresh.site)
    warned = [row for row in fresh("check", "--json").json if row["subject"] == "invoices"]
    assert [(row["level"], 'off = ["invoices"]' in row["remedy"]) for row in warned] == [
        ("warning", True)
    ]
    fresh.site.schedule(**{flow: 900 for flow in FLOWS if flow not in ("invoices", "prices")})

    told = [row for row in fresh("check", "--json").json if row["subject"] == "invoices"]
    assert [row["level"] for row in told] == ["ok"]
    assert "is off, and cannot be served" in told[0]["message"]
    for words in (("plan", "all"), ("resync", "all", "--dry-run"), ("resync", "all")):
        ended = fresh(*words, "--json")
        assert ended.code in (Exit.DONE, Exit.NEEDS_PERSON), ended
        assert [each["flow"] for each in ended.json] == [
            each for each in FLOW_NAMES if each != "invoices"
        ], "what is off and can be served runs on request"
        assert ended.err.count("Left out, off and cannot be served: invoices.") == 1
    named = fresh("plan", "invoices")
    assert named.code == Exit.MISCONFIGURED
    assert LACKS_INVOICES in named.out


@pytest.mark.rule("OP-3")
def test_a_plan_of_prices_without_changes_is_json_too(operator: Operator) -> None:
    (planned,) = operator("plan", "prices", "--json").json
    assert planned["changes"] == []


@pytest.mark.rule("OP-3")
@pytest.mark.parametrize("word", ["--on", "--at"])
def test_a_price_of_another_day_is_asked_for_by_the_word_of_plan_prices_or_the_older_one(
    operator: Operator, word: str
) -> None:
    ((sku, first, last),) = operator.site.rows(
        operator.site.database("erp"),
        "SELECT item_no, valid_from, valid_until FROM special ORDER BY item_no LIMIT 1",
    )
    for day, decides in ((first, True), (last, True), ("1999-01-01", False)):
        steps = operator("explain", "price", "000101", sku, word, day, "--json").json["steps"]
        assert ("item: decides" in steps) is decides, steps


@pytest.mark.rule("OP-3", "WA-8")
def test_explain_tells_to_whom_an_invoice_is_shown(operator: Operator) -> None:
    found = operator.site.rows(
        operator.site.database("erp"),
        "SELECT customer_no, min(invoice_no) FROM invoice"
        " WHERE customer_no IN ('000101', 'RETAIL-US') AND posted = 'Y' GROUP BY customer_no",
    )
    numbers = dict(found)
    shown = operator("explain", "invoice", "000101", numbers["000101"], "--json").json
    assert shown["shown"] is True
    assert "The account is mapped: organisation org-101." in shown["steps"]
    assert "shown: yes" in operator("explain", "invoice", "000101", numbers["000101"]).out
    retail = operator("explain", "invoice", "RETAIL-US", numbers["RETAIL-US"], "--json").json
    assert retail["shown"] is False
    assert "goes to nobody" in retail["steps"][0] or "go to nobody" in retail["steps"][0]


@pytest.mark.rule("OP-3", "TL-7")
def test_explain_tells_a_document_in_lines_for_a_person(operator: Operator) -> None:
    ((customer, number),) = operator.site.rows(
        operator.site.database("store"),
        "SELECT customer_id, number FROM documents WHERE kind = 'invoice' LIMIT 1",
    )
    said = operator("explain", "document", customer, number).out
    documents = said.partition("documents:\n")[2].splitlines()
    assert "  - kind: invoice" in documents
    assert f"    number: {number}" in documents
    assert "{" not in said


@pytest.mark.rule("OP-7")
def test_an_error_that_nobody_foresaw_shows_its_place_and_no_secret(
    fresh: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "stumbling_erp.py"
    package.write_text(
        "class Erp:\n"
        "    @classmethod\n"
        "    def from_settings(cls, options, secrets, base):\n"
        "        try:\n"
        "            raise KeyError('postgresql://u:canary@h/d')\n"
        "        except KeyError as cause:\n"
        "            raise RuntimeError('PWD=canary;') from cause\n"
    )
    info = tmp_path / "stumbling-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stumbling\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[tradesync.erp_adapters]\nstumbling = stumbling_erp:Erp\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = fresh.site.settings.read_text()
    fresh.site.settings.write_text(text.replace('adapter = "sql"', 'adapter = "stumbling"', 1))
    said = fresh("plan", "accounts")
    assert said.code == Exit.FAILED
    assert "stumbling_erp.py" in said.err
    assert "RuntimeError" in said.err
    assert "canary" not in said.err.replace("raise KeyError('postgresql://u:canary@h/d')", "")
    assert said.out == ""


def order_id(operator: Operator, number: str) -> str:
    ((found,),) = operator.site.rows(
        operator.site.database("store"), f"SELECT order_id FROM orders WHERE number = '{number}'"
    )
    return str(found)
