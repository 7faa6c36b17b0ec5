"""What every command that works on a site shares: options, opening, exit codes."""

from __future__ import annotations

import functools
import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sync.cli.output import Exit, fail
from sync.errors import AccessDenied, Misconfigured, StateInUse, SyncError, TryLater

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.settings import Settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def site_options(command: Decorated) -> Decorated:
    """Add ``--site`` and ``--pipeline``, and turn known errors into exit codes."""
    command = click.option(
        "--pipeline", default=None, help="Which pipeline; needed where there are several."
    )(guarded(command))
    return click.option(
        "--site",
        default=None,
        metavar="DIR",
        help="Folder with config/ and mappings/. Default: $TRADESYNC_SITE, else /etc/tradesync.",
    )(command)


def guarded(command: Decorated) -> Decorated:
    """Turn the errors that the engine knows into a sentence and an exit code."""

    @functools.wraps(command)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Misconfigured as error:
            fail(_said(error), Exit.MISCONFIGURED)
        except StateInUse as error:
            fail(_said(error), Exit.STATE_IN_USE)
        except TryLater as error:
            fail(_said(error), Exit.TRY_LATER)
        except (AccessDenied, SyncError) as error:
            fail(_said(error), Exit.FAILED)

    return call  # type: ignore[return-value]


def _said(error: Exception) -> str:
    from sync.logs import scrubbed

    return scrubbed(str(error))


def settings_of(site: str | None) -> Settings:
    """The site's settings, and logging as they say. Raises Misconfigured."""
    from sync.logs import configure
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, os.environ), os.environ)
    # Beside a person's command only what goes wrong is worth a line.
    configure("warning", "text")
    return settings


@contextmanager
def opened(site: str | None, pipeline: str | None, *, upgrade: bool = False) -> Iterator[Pipeline]:
    """One pipeline of the site, with its systems and state."""
    from sync.bootstrap import open_installation
    from sync.scheduling.clock import SystemClock

    settings = settings_of(site)
    with open_installation(settings, SystemClock(), upgrade=upgrade) as installation:
        yield installation.pipeline(pipeline)


def actor() -> str:
    """Who runs the command, for the audit trail."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
