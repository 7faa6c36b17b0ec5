"""``tradesync store``: the database of a store that has tradesync's own schema.

It may hold other people's tables, so it is looked at before anything is made, and a person
sees what is there and what would come. The service's state is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sync.cli.asking import refuse_where_nobody_answers
from sync.cli.output import Exit, counted, fail, json_option, refusal_record
from sync.cli.site import settings_of, site_options

if TYPE_CHECKING:
    from sync.ports.tables import MakesTables, Tables
    from sync.settings.models import SettingsFile

BESIDE = "--beside-other-tables"
NAMED = 5
"""Tables of somebody else that are named: enough to know whose database it is."""


@click.group(epilog="\b\nExample:\n  tradesync store create --dry-run")
def store() -> None:
    """Make the tables of a store that lives in a database of tradesync's own schema."""


@store.command(
    epilog="\b\nExamples:\n  tradesync store create --dry-run\n  tradesync store create --yes"
)
@click.option(BESIDE, "beside", is_flag=True, help="Also where the database holds other tables.")
@click.option("--dry-run", is_flag=True, help="Only look, and print the SQL that would be run.")
@click.option("--yes", "agreed", is_flag=True, help="Do not ask.")
@json_option
@site_options
def create(
    beside: bool, dry_run: bool, agreed: bool, as_json: bool, site: str | None, pipeline: str | None
) -> None:
    """Make the tables that the store's database lacks, and the file where it is one.

    What is there stays as it is. Nothing is made where a table has a name that is
    needed and other columns, or where the database holds other tables as well, unless
    --beside-other-tables says that it is the right one. The login needs the right to
    make tables; tradesync store sql prints the SQL for somebody else who has it.
    """
    with _opened(site, pipeline) as shop:
        looked = shop.look_at_tables()
        refused = _why_not(looked, beside=beside)
        if dry_run:
            _rehearse(looked, refused, as_json=as_json)
        if refused is not None:
            fail(refused[0], way_out=refused[1])
        what = f"{counted(len(looked.missing), 'table')} in {looked.database}"
        if looked.missing:
            if not agreed:
                refuse_where_nobody_answers(f"{what} would be made", as_json=as_json)
                click.echo(f"{looked.database}, {looked.place}, lacks {', '.join(looked.missing)}.")
                click.confirm(f"Make {what}?", abort=True)
            shop.make_tables(looked)
    if as_json:
        told = {
            "database": looked.database,
            "place": looked.place,
            "made": list(looked.missing),
            "indexes_missing": list(looked.indexes),
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif looked.missing:
        made = ", ".join(looked.missing)
        click.echo(f"Made {what}, {looked.place}: {made}.\nThen: tradesync check")
    else:
        click.echo("Every table is there; nothing was made.")
    if not as_json:
        _tell_indexes(looked)


@store.command(epilog="\b\nExample:\n  tradesync store sql > tables.sql")
@json_option
@site_options
def sql(as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Print the SQL of all tables, for whoever administers the database.

    The database is not asked. Whoever runs it sees to what is there already.
    """
    with _opened(site, pipeline) as shop:
        statements = list(shop.table_statements())
    if as_json:
        click.echo(json.dumps({"statements": statements}, indent=2, ensure_ascii=False))
    else:
        click.echo(_script(statements))


@contextmanager
def _opened(site: str | None, pipeline: str | None) -> Iterator[MakesTables]:
    from sync.bootstrap import open_store
    from sync.ports.tables import MakesTables

    def store_alone(written: SettingsFile) -> set[str]:
        """Whoever makes its tables may have the credentials of nothing else."""
        wanted = (each for name, each in written.pipelines.items() if pipeline in (None, name))
        return {each.store for each in wanted}

    with open_store(settings_of(site, store_alone), pipeline) as shop:
        if not isinstance(shop, MakesTables):
            fail(
                f"the store ({shop.capabilities.name}) has no tables of tradesync's own",
                Exit.MISCONFIGURED,
                way_out="Set it up as the README of its adapter says.",
            )
        yield shop


def _tell_indexes(looked: Tables) -> None:
    """An older release's tables work without, but slower; none of them is altered here."""
    if looked.indexes:
        click.echo(
            "Tables that were there lack indexes, without which it is slower:"
            f" {', '.join(looked.indexes)}. None is made on a table that is there; tradesync store"
            " sql prints how."
        )


def _why_not(looked: Tables, *, beside: bool) -> tuple[str, str] | None:
    """Why nothing is made in this database, and the way out."""
    here = f"{looked.database}, {looked.place},"
    right = "see whether url names the right database"
    if looked.others:
        why = (
            f"{here} holds something else under a name that the store needs, and"
            f" nothing is ever altered: {_some(looked.others)}"
        )
        print_it = "tradesync store sql prints how the tables are to be"
        return why, f"{right}; if it does, put that right by hand ({print_it})"
    if looked.missing and looked.foreign and not beside:
        why = (
            f"{here} holds {counted(len(looked.foreign), 'table')} that the store knows"
            f" nothing of: {_some(looked.foreign)}"
        )
        return why, f"{right}; if the store is to live there, add {BESIDE}"
    return None


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _rehearse(looked: Tables, refused: tuple[str, str] | None, *, as_json: bool) -> None:
    """Print what would be run, and end as the command would."""
    code = Exit.DONE if refused is None else Exit.FAILED
    if as_json:
        told: dict[str, Any] = {
            "database": looked.database,
            "place": looked.place,
            "missing": list(looked.missing),
            "statements": list(looked.statements),
            "other_tables": list(looked.foreign),
            "indexes_missing": list(looked.indexes),
        }
        told |= refusal_record(*refused, code) if refused is not None else {}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif looked.statements:
        click.echo(_script(looked.statements))
    else:
        click.echo("Every table is there; nothing would be made.")
        _tell_indexes(looked)
    if refused is not None:
        click.echo(f"tradesync: {refused[0]}; {refused[1]}", err=True)
    raise click.exceptions.Exit(code)


def _script(statements: list[str] | tuple[str, ...]) -> str:
    return "\n\n".join(f"{each};" for each in statements)
