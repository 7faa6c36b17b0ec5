"""Every command: explained, documented, with the exit status and the JSON that it promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sync.cli.main import COMMANDS, main
from sync.cli.output import Exit
from sync.cli.scope import Named
from tests.system.site import REPOSITORY
from tests.unit.cli.conftest import Operator, call

README = REPOSITORY / "README.md"


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""

    def below(
        words: tuple[str, ...], command: click.Command
    ) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        if not isinstance(command, click.Group):
            yield words, command
            return
        with click.Context(command) as context:
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from below((*words, name), found)

    yield from below((), main)


ALL = dict(commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_says_what_it_does_and_gives_an_example(words: tuple[str, ...]) -> None:
    said = call(*words, "--help")
    assert said.code == 0
    assert f"tradesync {' '.join(words)}" in said.out.partition("Example")[2]
    options = [each for each in ALL[words].params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == [], "an option without help"


@pytest.mark.rule("OP-3")
def test_help_names_everything_that_can_be_explained() -> None:
    told = f"Tell why: {', '.join(words[1] for words in ALL if words[0] == 'explain')}."
    assert told == COMMANDS["explain"].summary
    assert " ".join(told.split()) in " ".join(call("explain", "--help").out.split())
    assert told in call("--help").out


def test_the_readme_lists_every_command_and_no_other() -> None:
    if not README.is_file():
        pytest.skip("there is no README.md yet")
    text = README.read_text(encoding="utf-8")
    missing = [name for name in COMMANDS if f"tradesync {name}" not in text]
    assert missing == []
    assert set(re.findall(r"`tradesync ([a-z]+)", text)) <= set(COMMANDS)


def test_the_readme_says_which_commands_take_a_site_and_json() -> None:
    text = README.read_text(encoding="utf-8")
    assert "All but `run`, `init` and\n`schema` take `--json`;" in text
    lack = {
        words[0]
        for words, command in ALL.items()
        if "as_json" not in {option.name for option in command.params}
    }
    assert lack == {"run", "init", "schema"}


def test_where_a_command_needs_more_than_its_name_the_readme_shows_it() -> None:
    rows = re.findall(r"^\| `tradesync ([^`]+)`", README.read_text(encoding="utf-8"), re.MULTILINE)
    for row in rows:
        words = tuple(re.findall(r"[a-z]+", row.partition(" -")[0].split(" FILE")[0]))
        command = ALL.get(words) or ALL.get(words[:1])
        if command is None:
            continue
        needed = [
            option.opts[0]
            for option in command.params
            if isinstance(option, click.Option) and option.required
        ]
        assert [each for each in needed if each not in row] == [], row


# What each command is asked, and how it may end on a site where a day is done.
ASKED: dict[tuple[str, ...], tuple[tuple[str, ...], set[Exit]]] = {
    ("audit",): ((), {Exit.DONE}),
    ("check",): ((), {Exit.DONE}),
    ("status",): ((), {Exit.NEEDS_PERSON}),
    ("plan",): (("accounts",), {Exit.DONE}),
    ("map",): (("u-retail-01", "000102", "--reason", "x", "--dry-run"), {Exit.DONE}),
    ("unmap",): (("--organisation", "org-101", "--reason", "x", "--dry-run"), {Exit.DONE}),
    ("mappings", "list"): ((), {Exit.DONE}),
    ("mappings", "show"): (("files",), {Exit.DONE}),
    ("mappings", "diff"): (("files", "files"), {Exit.DONE}),
    ("resync",): (("--list",), {Exit.DONE}),
    ("rules",): ((), {Exit.DONE}),
    ("quarantine", "list"): ((), {Exit.DONE}),
    ("quarantine", "show"): (("W-50273",), {Exit.DONE}),
    ("quarantine", "replay"): (("W-50273", "--reason", "x", "--dry-run"), {Exit.DONE}),
    ("quarantine", "dismiss"): (("W-50273", "--reason", "x", "--dry-run"), {Exit.DONE}),
    ("registrations", "list"): ((), {Exit.DONE}),
    ("registrations", "show"): (("app-1001",), {Exit.DONE}),
    ("registrations", "review"): (
        ("app-1001", "under-review", "--reason", "x", "--dry-run"),
        {Exit.DONE},
    ),
    ("registrations", "request-documents"): (
        ("app-1001", "statement", "--reason", "x", "--dry-run"),
        {Exit.DONE},
    ),
    ("registrations", "approve"): (
        ("app-1001", "--create", "--reason", "x", "--dry-run"),
        {Exit.DONE},
    ),
    ("registrations", "reject"): (("app-1001", "--reason", "x", "--dry-run"), {Exit.DONE}),
    ("erase",): (("--order", "W-50001", "--reason", "x", "--dry-run"), {Exit.DONE}),
    ("store", "create"): ((), {Exit.DONE}),
    ("store", "sql"): ((), {Exit.DONE}),
    ("explain", "order"): (("W-50001",), {Exit.DONE}),
    ("explain", "user"): (("u-sole-trader",), {Exit.DONE}),
    ("explain", "price"): (("000101", "SF-0001"), {Exit.DONE}),
    ("explain", "account"): (("000101",), {Exit.DONE}),
    ("explain", "document"): (("000101", "none"), {Exit.FAILED}),
    ("explain", "invoice"): (("000101", "none"), {Exit.FAILED}),
}
# These need a site of their own, or none, and are tried in test_sites.py and elsewhere.
ELSEWHERE = {("run",), ("init",), ("demo",), ("mappings", "restore")}
ELSEWHERE |= {("mappings", "export"), ("mappings", "import")}


def test_every_command_that_can_answer_with_json_is_asked_here() -> None:
    with_json = {
        words
        for words, command in ALL.items()
        if any(option.name == "as_json" for option in command.params) and words[0] != "state"
    }
    assert with_json - ELSEWHERE == set(ASKED)


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_every_answer_parses_and_people_get_words(
    operator: Operator, words: tuple[str, ...]
) -> None:
    arguments, codes = ASKED[words]
    if words == ("rules",):
        told, shown = call("rules", "--json"), call("rules")
    else:
        told, shown = operator(*words, *arguments, "--json"), operator(*words, *arguments)
    assert told.code in codes, told
    assert isinstance(told.json, list | dict)
    assert shown.code == told.code
    assert shown.out.strip()
    with pytest.raises(ValueError):  # noqa: PT011 - it is no JSON, whatever the parser says
        json.loads(shown.out)
    assert told.err == shown.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("status",),
        ("plan", "accounts"),
        ("resync", "accounts"),
        ("quarantine", "list"),
        ("explain", "order", "W-1"),
        ("run",),
    ],
    ids=" ".join,
)
def test_a_site_that_is_none_is_78_with_the_way_out(tmp_path: Path, words: tuple[str, ...]) -> None:
    said = call(*words, "--site", str(tmp_path))
    assert said.code == Exit.MISCONFIGURED
    assert "tradesync init" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "words, meant",
    [
        (("plan", "prises"), "did you mean prices?"),
        (("plan", "mapping"), "did you mean mappings?"),
        (("resync", "order-status"), "did you mean order_status?"),
        (("check", "mapings"), "did you mean mappings?"),
        (("plan", "qqqq"), "known here: account_orders, accounts, all, "),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest_one(
    operator: Operator, words: tuple[str, ...], meant: str
) -> None:
    said = operator(*words)
    assert said.code == Exit.USAGE
    assert repr(words[1]) in said.err
    assert meant in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("quarantine", "replay", "--reason", "x"),
        ("quarantine", "replay", "W-50273"),
        ("quarantine", "dismiss"),
        ("plan", "orderz"),
        ("plan",),
        ("resync",),
        ("resync", "orders", "--since", "yesterday"),
        ("explain", "price", "000101", "SF-0001", "--qty", "minus one"),
        ("explain", "price", "000101", "SF-0001", "--qty", "0"),
        ("explain", "account", " 102"),
        ("explain", "user", ""),
        ("explain", "price", "000101 ", "SF-0001"),
        ("explain", "price", "SF-0001", "--user", "u-1\n"),
        ("registrations", "show", ""),
        ("unmap", "", "--organisation", "org-101", "--reason", "x", "--dry-run"),
        ("map", "u-retail-01", " 000102", "--reason", "x", "--dry-run"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_says_what_is_wrong(
    operator: Operator, words: tuple[str, ...]
) -> None:
    said = operator(*words)
    assert said.code == Exit.USAGE
    assert "Error:" in said.err or "Usage:" in said.err


FREE_TEXT = {
    *("--reason", "--message", "--file", "--confirm", "--cancel"),
    *("old", "new", "version", "file", "kinds", "order", "orders"),
}
"""What takes any text. An order that is empty is looked for, and there is none."""


def test_what_names_something_can_never_be_empty() -> None:
    """It comes of a variable that is not set, and the restriction would be gone with it."""
    free = {
        param.opts[0]
        for command in ALL.values()
        for param in command.params
        if param.type is click.STRING
    }
    assert free == FREE_TEXT


NAMING = [
    (words, param.opts[0])
    for words, command in ALL.items()
    for param in command.params
    if isinstance(param, click.Option) and isinstance(param.type, Named)
]


@pytest.mark.rule("OP-2", "OI-2")
@pytest.mark.parametrize("words, option", NAMING, ids=str)
@pytest.mark.parametrize("empty", ["", " "], ids=["empty", "a space"])
def test_a_restriction_that_is_empty_is_wrong_usage_and_nothing_is_done(
    operator: Operator, words: tuple[str, ...], option: str, empty: str
) -> None:
    said = operator(*words, option, empty)
    assert said.code == Exit.USAGE, said
    assert "can be no ID" in said.err


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("by", ["--customer", "--channel", "--code"])
def test_nothing_is_dismissed_by_a_restriction_that_is_empty(operator: Operator, by: str) -> None:
    held = operator("quarantine", "list", "--json").json
    assert held
    said = operator("quarantine", "dismiss", by, "", "--reason", "x", "--yes")
    assert said.code == Exit.USAGE
    assert operator("quarantine", "list", "--json").json == held


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("command", ["dismiss", "replay"])
def test_orders_are_named_or_filtered_and_never_decided_on_beside_the_filter(
    operator: Operator, command: str
) -> None:
    held = operator("quarantine", "list", "--json").json
    words = ("--code", "payment_declined", "--reason", "x", *(["--yes"] * (command == "dismiss")))
    said = operator("quarantine", command, held[0]["order"], *words)
    assert said.code == Exit.USAGE, said
    assert "not both" in said.err
    assert operator("quarantine", "list", "--json").json == held


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize(
    "words",
    [
        ("--cancel", "r1", "--dry-run"),
        ("--cancel", "r1", "--list"),
        ("orders", "--cancel", "r1"),
        ("--cancel", "r1", "--customer", "000101"),
        ("prices", "--list"),
        ("--list", "--no-wait"),
    ],
    ids=" ".join,
)
def test_what_cancels_or_lists_requests_takes_nothing_that_it_would_leave_out(
    operator: Operator, words: tuple[str, ...]
) -> None:
    said = operator("resync", *words)
    assert said.code == Exit.USAGE, said
    assert "by itself" in said.err


@pytest.mark.parametrize("empty", ["", " "], ids=["empty", "a space"])
@pytest.mark.parametrize(
    "words, option",
    [
        (words, param.opts[0])
        for words, command in ALL.items()
        for param in command.params
        if param.opts[0] in ("--site", "--pipeline")
    ],
    ids=str,
)
def test_no_other_site_or_pipeline_is_taken_for_one_that_is_empty(
    words: tuple[str, ...], option: str, empty: str
) -> None:
    """The site of the whole machine, or all pipelines, would be worked on instead."""
    said = call(*words, option, empty)
    assert said.code == Exit.USAGE, said
    assert f"Invalid value for '{option}'" in said.err


REASONED = {
    words
    for words, command in ALL.items()
    if any(param.opts[0] == "--reason" and param.required for param in command.params)
}
WHOLE = {
    ("erase",): ("--order", "W-50273", "--dry-run"),
    ("map",): ("u-retail-01", "000102", "--dry-run"),
    ("unmap",): ("u-retail-01", "--dry-run"),
    ("mappings", "restore"): ("1",),
    ("quarantine", "dismiss"): ("W-50273", "--yes"),
    ("quarantine", "replay"): ("W-50273",),
    ("registrations", "approve"): ("x", "--create"),
    ("registrations", "reject"): ("x", "--message", "no"),
    ("registrations", "request-documents"): ("x", "licence", "--message", "please"),
    ("registrations", "review"): ("x", "under_review"),
    ("state", "new"): (),
}


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("words", sorted(REASONED), ids=" ".join)
@pytest.mark.parametrize("reason", ["", "  "], ids=["empty", "spaces"])
def test_a_decision_needs_a_reason_that_says_something(
    operator: Operator, words: tuple[str, ...], reason: str
) -> None:
    said = operator(*words, *WHOLE[words], "--reason", reason)
    assert said.code == Exit.USAGE, said
    assert "say why: it stays in the audit trail" in said.err


@pytest.mark.parametrize("hours", ["nan", "-1", "inf", "1e300", "many"])
def test_a_time_that_is_none_is_wrong_usage(operator: Operator, hours: str) -> None:
    said = operator("quarantine", "list", "--older-than-h", hours)
    assert said.code == Exit.USAGE
    assert "Traceback" not in said.err


def test_an_option_before_the_command_is_told_to_go_after_it(operator: Operator) -> None:
    root = str(operator.site.root)
    said = call("--site", root, "check", "mappings")
    assert said.code == Exit.USAGE
    assert "goes after the command: tradesync check --site ..." in said.err
    assert "tradesync COMMAND --jsn ..." in call("--jsn").err
    misspelt = call("--verson").err
    assert "--version" in misspelt
    assert "goes after" not in misspelt
    assert call("--json", "--site", root, "check").json["code"] == Exit.USAGE


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_usage_breaks_no_word_and_the_help_names_all_choices(words: tuple[str, ...]) -> None:
    command = ALL[words]
    with click.Context(command, info_name=" ".join(["tradesync", *words])) as context:
        pieces = command.collect_usage_pieces(context)
        told = " ".join(command.get_help(context).split())
    assert [each for each in pieces if len(each) > LONGEST] == []
    for param in command.params:
        if isinstance(param, click.Argument) and isinstance(param.type, click.Choice):
            assert [each for each in param.type.choices if each not in told] == []


def test_choices_are_listed_once_where_one_is_missing_or_wrong(operator: Operator) -> None:
    for words in (("plan",), ("plan", "zzzz"), ("resync", "zzzz")):
        told = operator(*words).err
        assert told.count("customer_parts") == 1
        assert "FLOW" in told


LONGEST = 40
"""Characters of one piece of usage: it is broken where it does not fit into a line."""


REFUSED: dict[tuple[str, ...], tuple[Exit, str]] = {
    ("quarantine", "show", "W-9"): (Exit.FAILED, "tradesync explain order W-9"),
    ("mappings", "show", "zzzz"): (Exit.FAILED, ""),
    ("state", "backup", __file__): (Exit.FAILED, "name another file or say --replace"),
    ("map", "no such user", "000102", "--reason", "x"): (Exit.FAILED, ""),
    ("resync", "prices", "--confirm", "prices-0", "--reason", "x"): (Exit.FAILED, "status"),
    ("check", "--pipeline", "none"): (Exit.MISCONFIGURED, "Correct what is named here"),
    ("plan", "orderz"): (Exit.USAGE, "tradesync plan --help"),
    ("quarantine", "dismiss", "W-50273", "--reason", "x"): (Exit.USAGE, "dismiss --help"),
    ("resync",): (Exit.USAGE, "tradesync resync --help"),
    ("quarantin",): (Exit.USAGE, "tradesync --help"),
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_a_refusal_is_one_object_for_programs_and_words_for_people(
    operator: Operator, words: tuple[str, ...]
) -> None:
    code, way_out = REFUSED[words]
    told, shown = operator(*words, "--json"), operator(*words)
    assert told.json.keys() == {"error", "way_out", "code"}
    assert told.code == shown.code == told.json["code"] == code
    assert way_out in (told.json["way_out"] or "")
    assert (told.err, shown.out) == (shown.err, "")
    assert told.json["error"].splitlines()[0] in " ".join(shown.err.split())


def test_what_nobody_foresaw_is_one_object_for_programs_too(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("sync.cli.quarantine.opened", stumbles)
    told = operator("quarantine", "list", "--json")
    assert told.code == told.json["code"] == Exit.FAILED
    assert told.json["error"] == "ZeroDivisionError: by nothing"
    assert "Traceback" in told.err


def test_the_readme_says_what_a_refusal_prints_for_programs() -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert "prints one object, `error`, `way_out` (null where" in text
