"""``tradesync run``: the daemon in the foreground, as systemd starts it."""

from __future__ import annotations

import os

import click

from sync.cli.site import guarded


@click.command(epilog="\b\nExample:\n  tradesync run --site /etc/tradesync")
@click.option(
    "--site",
    default=None,
    metavar="DIR",
    help="Folder with config/ and mappings/. Default: $TRADESYNC_SITE, else /etc/tradesync.",
)
@guarded
def run(site: str | None) -> None:
    """Run the daemon until SIGTERM.

    Every flow of every pipeline runs by its schedule. SIGTERM finishes the
    change in hand and stops, SIGHUP reads the mapping files again. What a
    killed daemon left behind is taken up at the start. Log lines go to stderr.
    """
    from sync.logs import configure
    from sync.scheduling.daemon import Daemon
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, os.environ), os.environ)
    configure(settings.service.log_level, settings.service.log_format)
    daemon = Daemon(settings, os.environ)
    daemon.listen_to_signals()
    daemon.run()
