"""How commands answer: a table for people, JSON for programs, errors on stderr."""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, NoReturn, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Exit(IntEnum):
    """How a command ends; scripts and the unit file go by these numbers."""

    DONE = 0
    FAILED = 1
    USAGE = 2  # click's own number
    NEEDS_PERSON = 3
    STATE_IN_USE = 4
    TRY_LATER = 75  # EX_TEMPFAIL
    MISCONFIGURED = 78  # EX_CONFIG


READER_GONE = 128 + 13  # as the shell tells of a program that SIGPIPE ended

EXIT_CODES: Mapping[Exit, str] = {
    Exit.DONE: "done",
    Exit.FAILED: "something failed, or what was named is nowhere; the details are printed",
    Exit.USAGE: "wrong usage",
    Exit.NEEDS_PERSON: "done, but something waits for a person (orders, a plan, a mapping, a flow)",
    Exit.STATE_IN_USE: "the daemon's state is in use by another process",
    Exit.TRY_LATER: "try later: a system is down",
    Exit.MISCONFIGURED: "bad settings, or no usable mapping",
}


def json_option(command: Decorated) -> Decorated:
    """Add ``--json``; the command receives it as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(
        command
    )


def emit(
    records: Sequence[Mapping[str, object]],
    columns: Mapping[str, str],
    as_json: bool,
    title: str,
) -> None:
    """Print records, in the order given.

    ``columns`` maps a record's key to the heading it has for people. JSON is a
    list of objects with exactly these keys; amounts are strings there, so that
    no reader rounds them. No record prints a sentence for people and an empty
    list for programs. Texts hold no secret, whoever wrote them.
    """
    records = [{key: _scrubbed(record.get(key)) for key in columns} for record in records]
    if as_json:
        click.echo(json.dumps(records, default=_plain, indent=2, ensure_ascii=False))
        return
    if not records:
        click.echo(f"{title}: none.")
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(laid_out(records, columns, title, width), nl=False)


NARROW = 120
"""Characters; in fewer a table that does not fit breaks words to pieces."""


def laid_out(
    records: Sequence[Mapping[str, object]],
    columns: Mapping[str, str],
    title: str,
    width: int | None,
) -> str:
    """The records as a table, or as a block each where a table would not fit.

    ``width`` of the terminal in characters; None where there is none, as in a pipe, a
    file or an e-mail: there each record is a line (see ``_lines``).
    """
    if width is None:
        return _lines(records, columns, title)
    # Imported here, for a command that prints JSON or nothing has no need of it.
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for record in records:
        # Text, since square brackets in a name are not markup.
        table.add_row(*(Text(_readable(record.get(key))) for key in columns))
    unbounded = Console(highlight=False, width=_UNBOUNDED)
    needed = Measurement.get(unbounded, unbounded.options, table).maximum
    if width < min(needed, NARROW):
        return "\n".join([title, *(_block(each, columns, width) for each in records)]) + "\n"
    console = Console(highlight=False, width=max(width, 1))
    with console.capture() as printed:
        console.print(table)
    return printed.get()


_UNBOUNDED = 1_000_000


WIDE = 32
"""Characters; a longer cell is a sentence, and makes no other of its column longer."""


def _lines(records: Sequence[Mapping[str, object]], columns: Mapping[str, str], title: str) -> str:
    """A line for each record, for `less`, an e-mail, `grep` and `awk -F '  +'`.

    At least two spaces stand between cells, never two within one, and an empty cell is
    a dash, so that columns can be counted. Keys and dates are filled up to the widest of
    their column; sentences and the last column are not, so that one long sentence makes
    one long line, and no other.
    """
    rows = [list(columns.values())]
    rows += [
        [" ".join(_readable(each.get(key)).split()) or "-" for key in columns] for each in records
    ]
    *widths, _ = (_width(cells) for cells in zip(*rows, strict=True))
    filled = [*widths, 0]
    lines = ("  ".join(map(str.ljust, row, filled)) for row in rows)
    return "\n".join([title, *lines]) + "\n"


def _width(cells: Sequence[str]) -> int:
    """To how many characters the cells of a column are filled up; 0 for one of sentences."""
    short = [len(each) for each in cells if len(each) <= WIDE]
    return max(short) if 2 * len(short) > len(cells) else 0


def _block(record: Mapping[str, object], columns: Mapping[str, str], width: int) -> str:
    """The first column as the head, each other one that says something below it."""
    import textwrap

    head, *others = columns
    lines = ["", _readable(record.get(head))]
    for key in others:
        said = _readable(record.get(key))
        if said:
            # A word that is longer than the line stays whole: it is to be copied.
            lines += textwrap.wrap(
                f"{columns[key]}: {said}",
                max(width, 20),
                initial_indent="  ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def reader_is_gone(error: Exception) -> bool:
    """Whether a command could not go on since nobody reads its output any more (`| head`).

    Not where a connection to some other system broke. What was not printed yet is
    given up then, so that Python does not try once more at its end.
    """
    if not isinstance(error, BrokenPipeError):
        return False
    try:
        out = sys.stdout.fileno()
    except (OSError, ValueError):
        return False  # it is no file, so nobody can close its other end
    asked = select.poll()
    asked.register(out, select.POLLOUT)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out)
    os.close(nowhere)
    return True


def counted(number: int, thing: str) -> str:
    """ "1 order", "2 orders", "0 orders"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def fail(message: str, exit_code: Exit = Exit.FAILED, *, way_out: str = "") -> NoReturn:
    """Print ``message`` and ``way_out`` on stderr and end the command with ``exit_code``.

    A program that asked for JSON gets the refusal as that, too.
    """
    between = " " if message.endswith(".") else "; "
    click.echo(f"tradesync: {message}{between if way_out else ''}{way_out}", err=True)
    command = click.get_current_context(silent=True)
    if command is not None and command.params.get("as_json"):
        refuse_as_json(message, way_out, exit_code)
    raise click.exceptions.Exit(exit_code)


def refuse_as_json(message: str, way_out: str, exit_code: int) -> None:
    """One object on stdout, of a command that was refused and so has no other answer.

    ``way_out`` is null where none is known, or where the sentence of ``error`` ends in it.
    """
    click.echo(json.dumps(refusal_record(message, way_out, exit_code), ensure_ascii=False))


def refusal_record(message: str, way_out: str, exit_code: int) -> dict[str, object]:
    """What a refused command tells a program."""
    told = {"error": message, "way_out": way_out or None, "code": int(exit_code)}
    return {key: _scrubbed(each) for key, each in told.items()}


def _scrubbed(value: object) -> object:
    from sync.secrecy import scrubbed

    match value:
        case str():
            return scrubbed(value)
        case list() | tuple():
            return [_scrubbed(each) for each in value]
    return value


def _readable(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case str():
            return value
        case list() | tuple():
            return ", ".join(_readable(item) for item in value)
        case frozenset() | set():
            return ", ".join(sorted(_readable(item) for item in value))
    return str(value)


def _plain(value: object) -> object:
    """What JSON has no word for. Raises TypeError for what nobody foresaw."""
    match value:
        case Decimal():
            return str(value)
        case Enum():
            return value.value
        case date():
            return value.isoformat()
        case frozenset() | set():
            return sorted(value, key=str)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"cannot be printed as JSON: {type(value).__name__}")
