"""The ``tradesync`` command: a table of sub-commands, each imported when it is used.

Loading everything at once took most of a second, which is long for ``--help``
and for shell completion; and a site without ODBC must still get its help text.
So the table says in words what each command does, and the module behind it is
imported only when that command is run or asked for its own help.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from sync import __version__
from sync.cli.garbage import search_less_often
from sync.cli.output import EXIT_CODES, READER_GONE, reader_is_gone, refuse_as_json


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Where a command lives (``module:attribute``) and its line in the list."""

    target: str
    summary: str


COMMANDS: Mapping[str, CommandEntry] = {
    "audit": CommandEntry("sync.cli.audit:audit", "Who decided what, when and why."),
    "check": CommandEntry("sync.cli.check:check", "Check settings, mapping, ERP and store."),
    "demo": CommandEntry("sync.cli.demo:demo", "Run a whole cycle on a made-up distributor."),
    "erase": CommandEntry("sync.cli.erase:erase", "Take a person's data out of the state."),
    "explain": CommandEntry(
        "sync.cli.explain:explain", "Tell why: account, document, invoice, order, price, user."
    ),
    "init": CommandEntry("sync.cli.init:init", "Make a new site from the templates."),
    "map": CommandEntry("sync.cli.map:assign", "Assign a buyer to an ERP account."),
    "mappings": CommandEntry(
        "sync.cli.mappings:mappings", "Versions of the mapping files; spreadsheets."
    ),
    "plan": CommandEntry("sync.cli.plan:plan", "Tell what a flow would change."),
    "quarantine": CommandEntry("sync.cli.quarantine:quarantine", "Orders that wait for a person."),
    "registrations": CommandEntry(
        "sync.cli.registrations:registrations", "Who applies for an account, and approvals."
    ),
    "resync": CommandEntry("sync.cli.resync:resync", "Run a flow again, for all or for a part."),
    "rules": CommandEntry("sync.cli.rules:rules", "List the business rules."),
    "run": CommandEntry("sync.cli.run:run", "Run the daemon."),
    "schema": CommandEntry("sync.cli.schema:schema", "JSON Schemas of the files, for editors."),
    "state": CommandEntry("sync.cli.state:state", "Back up, restore or verify the state."),
    "status": CommandEntry("sync.cli.status:status", "Show how the service is."),
    "store": CommandEntry("sync.cli.store:store", "Make the tables of an embedded store."),
    "unmap": CommandEntry("sync.cli.map:withdraw", "Take a buyer's assignment out."),
}


@contextmanager
def quiet_without_reader() -> Iterator[None]:
    """End as programs do whose reader has gone (`| head`): without a word."""
    try:
        yield
    except BrokenPipeError as error:
        if not reader_is_gone(error):
            raise
        raise click.exceptions.Exit(READER_GONE) from None


_WORDS = f"{__name__}.words"


@contextmanager
def usage_told_to_programs(words: Sequence[str]) -> Iterator[None]:
    """Wrong usage that was to be answered with JSON is told so, beside the words on stderr."""
    try:
        yield
    except click.UsageError as error:
        if "--json" in words:
            way_out = f"{error.ctx.command_path} --help" if error.ctx is not None else ""
            refuse_as_json(error.format_message(), way_out, error.exit_code)
        raise


class LazyGroup(click.Group):
    """A group that knows its commands' names and summaries without importing them."""

    def __init__(self, *, entries: Mapping[str, CommandEntry], **attrs: object) -> None:
        super().__init__(**attrs)  # type: ignore[arg-type]
        self.entries = entries

    def invoke(self, ctx: click.Context) -> object:
        search_less_often()
        with quiet_without_reader(), usage_told_to_programs(ctx.meta[_WORDS]):
            return super().invoke(ctx)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        words = [*args]  # parsing takes them out of the list
        with quiet_without_reader(), usage_told_to_programs(words):  # the help is printed here
            ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta[_WORDS] = words
        return ctx

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [*args]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.possibilities:
                raise  # misspelt, and click says so
            command = next((each for each in words if each in self.entries), "COMMAND")
            raise click.UsageError(
                f"{error.format_message()} An option goes after the command:"
                f" {ctx.command_path} {command} {error.option_name} ...",
                ctx,
            ) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # click's own spelling help loads every command to look for aliases.
        if args and args[0] not in self.entries and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.entries, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, entry.summary) for name, entry in sorted(self.entries.items())]
            )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), text) for code, text in EXIT_CODES.items()])
        super().format_epilog(ctx, formatter)


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  tradesync rules",
)
@click.version_option(__version__, prog_name="tradesync")
def main() -> None:
    """Keep an ERP and a web store in step.

    Web orders go into the right ERP account; ship-tos, invoices, prices and
    account data come back into the store.
    """
