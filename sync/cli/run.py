"""``tradesync run``: the daemon in the foreground, as systemd starts it."""

from __future__ import annotations

import os

import click

from sync.cli.output import Exit
from sync.cli.scope import SITE
from sync.cli.site import guarded
from sync.errors import AccessDenied, Misconfigured


@click.command(epilog="\b\nExample:\n  tradesync run --site /etc/tradesync")
@SITE
@guarded
def run(site: str | None) -> None:
    """Run the daemon until SIGTERM.

    Every flow of every pipeline runs by its schedule. SIGTERM finishes the
    change in hand and stops, SIGHUP reads the mapping files again. What a
    killed daemon left behind is taken up at the start. Log lines go to stderr.
    """
    from sync.bootstrap import adapter_names
    from sync.logs import configure
    from sync.scheduling.daemon import Daemon
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, os.environ), os.environ, adapter_names)
    configure(settings.service.log_level, settings.service.log_format)
    daemon = Daemon(settings, os.environ)
    daemon.listen_to_signals()
    try:
        ended = daemon.run()
    except AccessDenied as error:
        # A wrong password is a wrong setting: starting again would lock the account.
        raise Misconfigured(str(error)) from error
    if not ended:
        # Every line was flushed; and a stderr that is gone must not keep the process alive.
        os._exit(Exit.DONE)
