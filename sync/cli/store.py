"""``tradesync store``: make the database of a store that has tradesync's own schema."""

from __future__ import annotations

import json

import click

from sync.cli.output import Exit, fail, json_option
from sync.cli.site import opened, site_options


@click.group(epilog="\b\nExample:\n  tradesync store create")
def store() -> None:
    """Make the database of a store that has tradesync's own schema."""


@store.command(epilog="\b\nExample:\n  tradesync store create --pipeline main")
@json_option
@site_options
def create(as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Make the tables that the store's database lacks, and the file where it is one.

    Only for the embedded store. What is there already stays as it is; on PostgreSQL the
    database itself must be there. The login needs the right to make tables.
    """
    from sync.ports.store import MakesTables

    with opened(site, pipeline) as line:
        shop = line.store
        if not isinstance(shop, MakesTables):
            name = shop.capabilities.name
            fail(
                f"The store of {line.name} ({name}) is not made by tradesync.",
                Exit.MISCONFIGURED,
                way_out="Set it up as the README of its adapter says.",
            )
        made = shop.make_tables()
    if as_json:
        click.echo(json.dumps({"made": [*made]}, indent=2))
    elif made:
        click.echo(f"Made: {', '.join(made)}.\nThen: tradesync check")
    else:
        click.echo("Every table is there; nothing was made.")
