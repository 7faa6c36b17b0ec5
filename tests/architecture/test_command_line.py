"""The command line stays quick to start, explains itself, and needs no ODBC."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import Enum

import click
import pytest
from click.testing import CliRunner

from sync.cli.main import COMMANDS, main
from sync.cli.output import EXIT_CODES, Exit, emit, fail
from tests.architecture.imports import ROOT

HEAVY = ("rich", "sqlalchemy", "pydantic", "pyodbc", "apscheduler", "pyarrow", "alembic")

ASK_FOR_HELP = """
import sys, time
for name in {masked!r}:
    sys.modules[name] = None
from sync.cli.main import main
main(["--help"], standalone_mode=False)
print("MODULES", *(name for name, module in sys.modules.items() if module is not None))
print("CPU", time.process_time())
"""


class Colour(Enum):
    RED = "red"


def ask_for_help(*masked: str) -> tuple[set[str], float]:
    """The modules loaded after ``tradesync --help``, and the seconds of CPU it took."""
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP.format(masked=masked)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("COV")},
    )
    assert done.returncode == 0, done.stderr
    assert "Exit codes:" in done.stdout
    lines = {line.partition(" ")[0]: line for line in done.stdout.splitlines()}
    return set(lines["MODULES"].split()[1:]), float(lines["CPU"].split()[1])


def commands() -> Iterator[tuple[list[str], click.Command]]:
    """Every command with the words that call it, sub-commands included."""

    def walk(words: list[str], command: click.Command) -> Iterator[tuple[list[str], click.Command]]:
        yield words, command
        if isinstance(command, click.Group):
            with click.Context(command) as ctx:
                for name in command.list_commands(ctx):
                    below = command.get_command(ctx, name)
                    assert below is not None, f"{name} is listed and cannot be loaded"
                    yield from walk([*words, name], below)

    yield from walk([], main)


def test_help_loads_no_heavy_library() -> None:
    loaded, _ = ask_for_help()
    assert not loaded.intersection(HEAVY)


def test_help_takes_less_than_150_ms() -> None:
    # CPU time, best of three: the other test worker must not decide this.
    assert min(ask_for_help()[1] for _ in range(3)) < 0.150


def test_help_works_where_odbc_cannot_be_imported() -> None:
    loaded, _ = ask_for_help("pyodbc", "arrow_odbc")
    assert "sync.cli.main" in loaded


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: list[str]) -> None:
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == Exit.DONE, shown.output
    command = {tuple(path): command for path, command in commands()}[tuple(words)]
    assert command.help, "it has no help text"
    _, heading, examples = shown.output.partition("Example")
    assert heading, "it has no example"
    assert " ".join(["tradesync", *words]) in examples


def test_the_table_and_the_commands_say_the_same() -> None:
    for name, entry in COMMANDS.items():
        module, _, attribute = entry.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert command.name == name
        assert entry.summary.endswith(".")


def test_help_lists_every_exit_code() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output.partition("Exit codes:")[2]
    for code in Exit:
        assert f"  {code.value} " in shown
        assert EXIT_CODES[code].split()[0] in shown


def test_a_mistyped_command_is_wrong_usage_and_gets_a_suggestion() -> None:
    shown = CliRunner().invoke(main, ["ruels"])
    assert shown.exit_code == Exit.USAGE
    assert "Did you mean 'rules'?" in shown.output


def test_records_print_as_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    emit(
        [{"order": "W-1 [urgent]", "held": True}], {"order": "Order", "held": "Held"}, False, "Held"
    )
    shown = capsys.readouterr().out
    assert "W-1 [urgent]" in shown
    assert "yes" in shown


def test_records_print_as_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    emit(
        [{"order": "W-1", "sold_to": None}], {"order": "Order", "sold_to": "Sold-to"}, True, "Held"
    )
    assert capsys.readouterr().out == '[\n  {\n    "order": "W-1",\n    "sold_to": null\n  }\n]\n'


def test_amounts_reach_programs_with_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "total": Decimal("123456789012345.6700"),
        "day": date(2026, 3, 1),
        "exit": Exit.DONE,
        "channels": frozenset({"trade", "retail"}),
        "entry": COMMANDS["rules"],
    }
    emit([record], {key: key for key in record}, True, "Orders")
    (printed,) = json.loads(capsys.readouterr().out)
    assert printed["total"] == "123456789012345.6700"
    assert printed["day"] == "2026-03-01"
    assert printed["channels"] == ["retail", "trade"]
    assert printed["entry"]["target"] == "sync.cli.rules:rules"


def test_what_has_no_printed_form_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(TypeError, match="object"):
        emit([{"order": object()}], {"order": "Order"}, True, "Orders")


def test_a_table_shows_values_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "state": Colour.RED,
        "held": False,
        "note": None,
        "lines": ("2 x A", "1 x B"),
        "tags": {"z", "a"},
        "total": Decimal("10.50"),
    }
    emit([record], {key: key for key in record}, False, "Orders")
    shown = capsys.readouterr().out
    for text in ("red", "no", "2 x A, 1 x B", "a, z", "10.50"):
        assert text in shown
    assert "None" not in shown


def test_no_record_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    emit([], {"order": "Order"}, False, "Orders in quarantine")
    assert capsys.readouterr().out == "Orders in quarantine: none.\n"


def test_a_failure_goes_to_stderr_with_its_exit_code() -> None:
    @click.command()
    def stumble() -> None:
        fail("the ERP is down", Exit.TRY_LATER)

    shown = CliRunner().invoke(stumble)
    assert shown.exit_code == Exit.TRY_LATER
    assert shown.stderr == "tradesync: the ERP is down\n"
    assert shown.stdout == ""
