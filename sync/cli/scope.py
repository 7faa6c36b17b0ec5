"""The options that narrow a run to a part: customer, order, SKU, channel, time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.ports.state import ResyncScope

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

# As in sync.flows.cycle, which takes long to import.
FLOW_NAMES = (
    *("accounts", "entitlements", "ship_tos", "prices", "invoices", "balances"),
    *("customer_parts", "availability", "registrations", "orders", "order_status"),
    *("documents", "account_orders"),
)

MOST_HOURS = 100 * 366 * 24


class NamedChoice(click.Choice[str]):
    """One of these words; for a misspelt one the nearest is suggested.

    Where there are more than a line of usage holds, the argument takes a ``metavar``, and
    the help of its command names the words.
    """

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return f"It is one of: {', '.join(self.choices)}."

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        from sync.mapping.problems import suggestion

        return f"there is no {value!r} here; {suggestion(str(value), self.choices)}"


class Named(click.ParamType[str]):
    """The ID of something in a system, as it is spelled there.

    An empty one is wrong usage: it comes of a variable that is not set in a script, and a
    command without its restriction would be about everything.
    """

    name = "id"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        from sync.domain.ids import well_formed

        if not well_formed(value):
            self.fail(f"{value!r} can be no ID: it is empty, too long, or has spaces around it")
        return str(value)


class Filled(click.ParamType[str]):
    """A word that must not be blank, and what is said where it is."""

    def __init__(self, name: str, blank: str) -> None:
        self.name, self._blank = name, blank

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if not value.strip():
            self.fail(self._blank)
        return str(value)


# An empty name would stand for the folder by default.
FOLDER = Filled("folder", "it names no folder; leave the option out for the default")
SITE = click.option(
    "--site",
    type=FOLDER,
    default=None,
    metavar="DIR",
    help="Folder with config/ and mappings/. Default: $TRADESYNC_SITE, else /etc/tradesync.",
)
# A blank one would tell nobody anything.
REASON = click.option(
    "--reason",
    required=True,
    type=Filled("text", "say why: it stays in the audit trail"),
    help="Why; it stays in the audit trail.",
)


class Hours(click.ParamType[float]):
    """A time in hours, of at most a century."""

    name = "hours"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        try:
            hours = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number")
        if not 0 <= hours <= MOST_HOURS:
            self.fail(f"{value!r} is no time in hours")
        return hours


class Moment(click.ParamType[datetime]):
    """A day (its beginning, in UTC) or a moment with its offset."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if len(value) == 10:
                return datetime.combine(date.fromisoformat(value), time.min, UTC)
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date (2026-11-22) or moment (2026-11-22T08:00:00+01:00)")
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no offset from UTC, such as +01:00 or Z")
        return moment.astimezone(UTC)


def scope_options(command: Decorated) -> Decorated:
    for option in reversed(
        (
            click.option(
                "--customer", type=Named(), help="Only this ERP customer ID, as the ERP spells it."
            ),
            click.option(
                "--order", type=Named(), help="Only this web order: its number or its key."
            ),
            click.option(
                "--sku", type=Named(), help="Only this item (prices, entitlements, availability)."
            ),
            click.option(
                "--channel", type=Named(), help="Only this channel (not every flow knows it)."
            ),
            click.option("--since", type=Moment(), help="Orders changed at or after this time."),
            click.option("--until", type=Moment(), help="Orders changed at or before this time."),
        )
    ):
        command = option(command)
    return command


def scope_from(options: dict[str, Any], confirm: str | None = None) -> ResyncScope:
    """The scope that the options name. Raises UsageError for one that cannot be.

    A person who asks again has a reason to doubt what was mirrored, so that
    everything within the scope is compared.
    """
    from sync.ports.state import ResyncScope

    since, until = options.get("since"), options.get("until")
    if since is not None and until is not None and until < since:
        raise click.UsageError("--until lies before --since.")
    return ResyncScope(
        customer=options.get("customer"),
        order=options.get("order"),
        sku=options.get("sku"),
        channel=options.get("channel"),
        since=since,
        until=until,
        confirm_plan=confirm,
        everything=True,
    )


def refuse_wider(flow: str, scope: ResyncScope) -> None:
    """Raises UsageError where FLOW, or each of all, would run for more than was asked for."""
    from sync.errors import Misconfigured
    from sync.flows.narrowing import flows_of

    try:
        flows_of(flow, FLOW_NAMES, scope)
    except Misconfigured as error:
        raise click.UsageError(f"{error}.") from error


def flows_within(flow: str, scope: ResyncScope, line: Pipeline) -> list[str]:
    """FLOW, or of all flows those that know every restriction; the others are named.

    So are those that the systems cannot serve and that are off. Raises Misconfigured
    where none is left.
    """
    from sync.flows.narrowing import flows_of, takes

    flows = flows_of(flow, FLOW_NAMES, scope, without=line.given_up)
    if flow != "all":
        return flows
    wide = [each for each in FLOW_NAMES if not takes(each, scope)]
    if wide:
        given = " and ".join(f"--{part}" for part in scope.parts)
        click.echo(f"Left out, not narrowed by {given}: {', '.join(wide)}.", err=True)
    gone = [each for each in FLOW_NAMES if each not in (*flows, *wide)]
    if gone:
        click.echo(f"Left out, off and cannot be served: {', '.join(gone)}.", err=True)
    return flows
