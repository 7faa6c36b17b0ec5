"""How lists look: a table where it fits, a block for each record where it does not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.cli.output import Exit, laid_out
from sync.cli.quarantine import _row
from sync.cli.scope import FLOW_NAMES
from sync.cli.shown import counts_text, document_lines, exit_for, show_result, worst_of
from sync.domain.codec import encode
from sync.domain.decision import Problem
from sync.domain.ids import IdempotencyKey
from sync.flows.context import FlowResult
from sync.ports.state import LedgerEntry, LedgerState
from sync.testing import builders as a
from tests.unit.cli.conftest import Operator

COLUMNS = {"order": "Order", "code": "Code", "why": "Why", "fix": "Way out"}
FIX = "Map it in mappings/customers.csv, then: tradesync quarantine replay W-10482 --reason mapped"
RECORDS = [
    {
        "order": "W-10482",
        "code": ["user_unmapped"],
        "why": "Nobody [knows] u-7719. " * 3,
        "fix": FIX,
    },
    {"order": "W-10483", "code": ["item_unknown"], "why": "", "fix": "Correct it."},
]


def test_a_table_that_fits_stays_a_table() -> None:
    lines = laid_out(RECORDS, COLUMNS, "Quarantine", 250).splitlines()
    assert "W-10482" in lines[4]
    assert FIX in lines[4]


def test_a_narrow_terminal_gets_blocks_whose_words_are_whole() -> None:
    said = laid_out(RECORDS, COLUMNS, "Quarantine", 80)
    assert max(len(line) for line in said.splitlines()) <= 80
    assert said.startswith(
        "Quarantine\n\nW-10482\n  Code: user_unmapped\n  Why: Nobody [knows] u-7719."
    )
    assert said.endswith("\nW-10483\n  Code: item_unknown\n  Way out: Correct it.\n")
    assert "mappings/customers.csv," in said.split()
    path = "/etc/tradesync/" + "x" * 90
    assert path in laid_out([{"order": "W-1", "why": path}], COLUMNS, "Q", 80).split()


def test_a_short_table_is_one_at_any_width() -> None:
    assert "│ W-1" in laid_out([{"order": "W-1"}], {"order": "Order", "code": "Code"}, "Q", 40)


def test_in_a_pipe_each_record_is_a_line_and_a_long_sentence_makes_no_other_one_long() -> None:
    said = laid_out(RECORDS, COLUMNS, "Quarantine", None)
    assert said == (
        "Quarantine\n"
        "Order    Code           Why  Way out\n"
        f"W-10482  user_unmapped  {' '.join(['Nobody [knows] u-7719.'] * 3)}  {FIX}\n"
        "W-10483  item_unknown   -    Correct it.\n"
    )


def test_cells_of_a_pipe_can_be_counted_whatever_is_in_them() -> None:
    odd: dict[str, object] = {"order": None, "code": [], "why": "a  b\n\nc\t d ", "fix": ""}
    *_, line = laid_out([odd], COLUMNS, "Q", None).splitlines()
    assert re.split("  +", line) == ["-", "-", "a b c d", "-"]


def test_what_goes_into_a_pipe_has_no_frames_and_no_long_blanks(operator: Operator) -> None:
    said = operator("quarantine", "list").out
    rows = operator("quarantine", "list", "--json").json
    title, heading, *lines = said.splitlines()
    assert (title, heading.split()[0], len(lines)) == ("Quarantine", "Order", len(rows))
    for row, line in zip(rows, lines, strict=True):
        cells = re.split("  +", line)
        assert (cells[0], cells[6], cells[7]) == (row["order"], row["why"], row["fix"])
        assert len(line) < len("".join(cells)) + 60
    assert not set("│┃─━") & set(said)


@pytest.mark.parametrize("broken", [False, True], ids=["sound", "broken"])
def test_a_check_ends_with_what_is_to_be_done_and_the_verdict(
    fresh: Operator, broken: bool
) -> None:
    if broken:
        fresh.site.database("erp").unlink()
    said = fresh("check")
    levels = [row["level"] for row in fresh("check", "--json").json]
    assert levels == sorted(levels, key=["ok", "warning", "error"].index)
    verdict = said.out.splitlines()[-1]
    counts = [levels.count(each) for each in ("error", "warning", "ok")]
    assert said.code == (Exit.FAILED if broken else Exit.DONE)
    stands_still = ", but what the errors name stands still or does not count" if broken else ""
    assert verdict.startswith(f"The service can run{stands_still}: ")
    assert [int(each) for each in verdict.split() if each.isdigit()] == counts


def test_one_is_told_as_one_and_every_flow_fits_its_column(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert counts_text({"shown": 1, "status_shown": 2}) == "1 notice shown, 2 order statuses shown"
    assert counts_text({"would_add": 1, "would_change": 2, "would_remove": 3}) == (
        "1 would be added, 2 would be changed, 3 would be removed"
    )
    assert counts_text({"groups": 2, "groups_refused": 1, "documents_missing": 1}) == (
        "2 groups written as one, 1 group refused and tried in parts, 1 document missing"
    )
    for flow in FLOW_NAMES:
        show_result(FlowResult(flow))
    places = {line.index("nothing to do") for line in capsys.readouterr().out.splitlines()}
    assert len(places) == 1


@pytest.mark.parametrize(
    "given, told",
    [
        ({}, "... and 33910 more (--json names 17 of them)"),
        ({"all_in_json": True}, "... and 33910 more (--json lists all of them)"),
        ({"has_json": False}, "... and 33910 more"),
    ],
)
def test_how_many_changes_are_not_told_is_said_of_all_there_were(
    capsys: pytest.CaptureFixture[str], given: dict[str, bool], told: str
) -> None:
    names = [f"add {number}" for number in range(20)]
    prices = FlowResult("prices", counts={"added": 33913}, samples=names, unnamed=33893)
    show_result(prices, lines=3, **given)
    assert capsys.readouterr().out.splitlines() == [
        "prices          33913 added",
        *("    add 0", "    add 1", "    add 2"),
        f"    {told}",
    ]
    show_result(prices, lines=20)
    assert capsys.readouterr().out.splitlines()[-1] == "    ... and 33893 more"
    show_result(FlowResult("accounts", counts={"added": 20}, samples=names))
    assert capsys.readouterr().out.splitlines()[-1] == "    ... and 8 more (--json shows them)"


def test_what_a_person_should_know_is_told_behind_however_many_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names, known = [f"add {number}" for number in range(5)], "The ERP has no customer 000199."
    show_result(FlowResult("accounts", samples=names, remarks=[known]), lines=3, has_json=False)
    assert capsys.readouterr().out.splitlines()[-2:] == ["    ... and 2 more", f"    {known}"]
    show_result(FlowResult("prices", remarks=[known] * 20))
    told = capsys.readouterr().out.splitlines()
    assert told.count(f"    {known}") == 12
    assert told[-1] == "    ... and 8 more remarks (--json shows them)"


@pytest.mark.parametrize("outcome", ["failed", "refused", "try_later", "cancelled"])
def test_a_flow_that_did_not_get_through_is_not_said_to_have_nothing_to_do(
    capsys: pytest.CaptureFixture[str], outcome: str
) -> None:
    show_result(FlowResult("prices", outcome, message="Nothing found: there is no customer 102."))
    assert capsys.readouterr().out.splitlines() == [
        f"prices          [{outcome}]",
        "    Nothing found: there is no customer 102.",
    ]
    show_result(FlowResult("prices", outcome, counts={"added": 2}))
    assert capsys.readouterr().out == f"prices          [{outcome}] 2 added\n"


def test_a_document_is_told_a_person_in_words_and_whole() -> None:
    order = a.a_web_order()
    lines = document_lines(encode(order))
    text = "\n".join(lines)
    assert "number: W-10482" in lines
    assert "total: 99.90 EUR" in lines
    assert "lines:\n  - line_id: 1\n    sku: BOLT-M8\n" in text
    assert "    unit_price: 9.9900 EUR" in lines
    assert "  email: " not in document_lines({"email": None})
    assert not [word for word in ("Money", "{", "is:", "None") if word in text]


def test_a_code_that_an_order_has_twice_is_named_once() -> None:
    order, now = a.a_web_order(), datetime(2026, 3, 1, tzinfo=UTC)
    one = Problem("order_unreadable", "The total is none.", "Correct it.", "OI-2")
    entry = LedgerEntry(
        order_id=order.order_id,
        number=order.number.value,
        channel=order.channel,
        state=LedgerState.QUARANTINED,
        key=IdempotencyKey("shop-0000000000001"),
        order=order,
        first_seen_at=now,
        changed_at=now,
        problems=(one, replace(one, sentence="The day is none.")),
    )
    assert _row(entry)["codes"] == ["order_unreadable"]


@pytest.mark.parametrize(
    "ends, counts, code",
    [
        ({"ok"}, {"added"}, Exit.DONE),
        ({"ok"}, {"quarantined"}, Exit.NEEDS_PERSON),
        ({"try_later"}, {"review"}, Exit.TRY_LATER),
        ({"refused", "try_later"}, set(), Exit.NEEDS_PERSON),
        ({"misconfigured", "refused"}, set(), Exit.MISCONFIGURED),
        ({"failed", "misconfigured"}, set(), Exit.FAILED),
    ],
    ids=lambda given: "+".join(sorted(given)) if isinstance(given, set) else given.name,
)
def test_several_flows_end_a_command_as_the_worst_of_them(
    ends: set[str], counts: set[str], code: Exit
) -> None:
    """What the daemon counts of flows that it ran, and what a command sees of its own."""
    assert worst_of(ends, counts) == code
    results = [
        FlowResult("x", "failed", misconfigured=True)
        if each == "misconfigured"
        else FlowResult("x", each, dict.fromkeys(counts, 1))
        for each in sorted(ends)
    ]
    assert exit_for(results) == code
