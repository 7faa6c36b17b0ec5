"""What every command that works on a site shares: options, opening, exit codes."""

from __future__ import annotations

import functools
import getpass
import os
import sys
from collections.abc import Callable, Collection, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sync.cli.output import READER_GONE, Exit, reader_is_gone, refuse_as_json
from sync.cli.scope import SITE, Named
from sync.cli.ways_out import way_out
from sync.errors import Misconfigured, StateInUse, SyncError, TryLater

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.settings import Settings
    from sync.settings.models import SettingsFile

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def site_options(command: Decorated) -> Decorated:
    """Add ``--site``, ``--pipeline`` and ``-v``, and turn known errors into exit codes."""
    command = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_note_verbose,
        help="Every log line on stderr, also those that log_level keeps back.",
    )(command)
    command = click.option(
        "--pipeline",
        type=Named(),
        default=None,
        help="Which pipeline; needed where there are several.",
    )(guarded(command))
    return SITE(command)


_VERBOSE = f"{__name__}.verbose"


def _note_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_VERBOSE] = value


def guarded(command: Decorated) -> Decorated:
    """Turn the errors that the engine knows into a sentence and an exit code."""

    @functools.wraps(command)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SyncError as error:
            code = code_of(error)
            tell(f"tradesync: {said(error)}")
            if kwargs.get("as_json"):
                refuse_as_json(str(error), way_out(error), code)
            raise click.exceptions.Exit(code) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if reader_is_gone(error):
                raise click.exceptions.Exit(READER_GONE) from None
            # Nobody foresaw it: a traceback for whoever repairs it, secrets taken out.
            tell(_traced(error))
            if kwargs.get("as_json"):
                told = f"{type(error).__name__}: {error}"
                refuse_as_json(told, "Report it with the traceback on stderr.", Exit.FAILED)
            raise click.exceptions.Exit(Exit.FAILED) from error

    return call  # type: ignore[return-value]


def tell(said: str) -> None:
    """On stderr. Where that cannot be written the command ends as it would all the same."""
    with suppress(OSError):
        click.echo(said, err=True)


def code_of(error: SyncError) -> Exit:
    """The exit code of a command that this error ends."""
    match error:
        case Misconfigured():
            return Exit.MISCONFIGURED
        case StateInUse():
            return Exit.STATE_IN_USE
        case TryLater():
            return Exit.TRY_LATER
    return Exit.FAILED


def said(error: Exception) -> str:
    """The error as a person reads it, with its way out."""
    from sync.errors import Refusal
    from sync.secrecy import scrubbed

    told = str(error)
    if isinstance(error, Refusal) and error.remedy and error.remedy not in told:
        told = f"{told}\n  way out: {error.remedy}"
    return scrubbed(told)


def _traced(error: Exception) -> str:
    import traceback

    from sync.secrecy import scrubbed

    return scrubbed("".join(traceback.format_exception(error)))


def settings_of(
    site: str | None, needed: Callable[[SettingsFile], Collection[str]] | None = None
) -> Settings:
    """The site's settings, and logging as they say. Raises Misconfigured.

    ``needed`` as ``load_settings`` takes it.
    """
    from sync.bootstrap import adapter_names
    from sync.logs import configure
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, os.environ), os.environ, adapter_names, needed)
    command = click.get_current_context(silent=True)
    if command is not None and command.meta.get(_VERBOSE):
        # Whatever else the settings keep back: whoever asks for more is never told less.
        level = settings.service.log_level
        configure(level if level == "debug" else "info", "text")
    else:
        # Beside a person's command only what goes wrong is worth a line.
        configure("warning", "text", first=_Beside(person=at_terminal()))
    return settings


def at_terminal() -> bool:
    """Whether a person reads what goes wrong, beside what the command answers."""
    # Nobody reads it where it is closed: Python has no such stream then.
    return sys.stderr is not None and sys.stderr.isatty()


ANSWERED = frozenset(
    {"run.finished", "order.quarantined", "system.misconfigured", "system.degraded"}
)
"""Events that every command tells in its own words: as a result, a finding, or its error."""


class _Beside:
    """What of the log stands beside a command's own answer on stderr.

    A ``person`` reads once, in the answer, what is ``ANSWERED``; cron and journals get it
    all. That a mapping is refused is said once in a sentence.
    """

    def __init__(self, *, person: bool) -> None:
        self._dropped = ANSWERED if person else frozenset()
        self._said: set[str] = set()

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        from structlog import DropEvent

        if event.get("event") in self._dropped:
            raise DropEvent
        if event.get("event") != "mapping.refused":
            return event
        folder = str(event.get("folder"))
        if folder not in self._said:
            self._said.add(folder)
            tell(
                f"The mapping files in {folder} are refused; the last good version"
                f" {event.get('in_force')} is in force. `tradesync check mappings` tells why."
            )
        raise DropEvent


@contextmanager
def opened(
    site: str | None, pipeline: str | None, *, writes: bool = False, begins: bool = False
) -> Iterator[Pipeline]:
    """One pipeline of the site, with its systems and state.

    Without ``writes`` nothing is written into the state, which need not exist
    yet; with it the state must be there and as new as the code. Where the service was
    never started one that also ``begins`` makes an empty state.
    """
    from sync.bootstrap import begin_state, open_installation
    from sync.scheduling.clock import SystemClock

    settings = settings_of(site)
    if writes and begins:
        begin_state(settings)
    with open_installation(
        settings, SystemClock(), upgrade=False, looks_on=not writes, actor=actor()
    ) as installation:
        yield installation.pipeline(pipeline)


def daemon_runs(settings: Settings) -> bool:
    """Whether a process is the writer of the state; asks by trying to become it."""
    from sqlalchemy.engine import make_url

    from sync.bootstrap import state_address
    from sync.state.engine import sqlite_file
    from sync.state.lock import hold_writer_lock

    address = state_address(settings)
    file = sqlite_file(make_url(address))
    if file is not None and not file.exists():
        return False
    try:
        hold_writer_lock(address).release()
    except StateInUse:
        return True
    return False


def actor() -> str:
    """Who runs the command, for the audit trail."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
