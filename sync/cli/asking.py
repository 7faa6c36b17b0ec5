"""What cannot be undone: a person at a terminal is asked, a program says that it is meant.

The same for every such command: ``--dry-run`` tells and changes nothing, ``--yes`` asks
nothing, and where nobody can answer a command without either is refused before it does
anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def yes_option(command: Decorated) -> Decorated:
    """Add ``--yes``."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def asks(what: str, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Whether a person is to be asked. Raises UsageError where nobody can be.

    ``what`` is done, as it begins a sentence: "Dismissing".
    """
    if yes or dry_run:
        return False
    refuse_where_nobody_answers(f"{what} is final", as_json=as_json)
    return True


def refuse_where_nobody_answers(told: str, *, as_json: bool) -> None:
    """Raise UsageError, with the way out, where there is no person at a terminal."""
    if as_json or not sys.stdin.isatty():
        raise click.UsageError(
            f"{told}, and here nobody can be asked: add --yes, or look with --dry-run."
        )


def ask(question: str) -> None:
    """Go on only with a person's yes; anything else ends the command."""
    click.confirm(f"{question}; it cannot be undone", abort=True)
