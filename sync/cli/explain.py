"""``tradesync explain``: why things are as they are."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import Exit, json_option
from sync.cli.scope import Moment, Named
from sync.cli.shown import document_lines
from sync.cli.site import opened, site_options

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline


@click.group(epilog="\b\nExample:\n  tradesync explain order W-10482")
def explain() -> None:
    """Tell why: account, document, invoice, order, price, user.

    Which rule routed a user or an order, where a price or record comes from, and to whom
    the store shows it.
    """


class Exact(click.ParamType[Decimal]):
    """A quantity, exact."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is no number")
        if not number.is_finite() or number <= 0:
            self.fail(f"{value!r} is no quantity")
        return number


@explain.command(epilog="\b\nExample:\n  tradesync explain order W-10482")
@click.argument("order")
@json_option
@site_options
def order(order: str, as_json: bool, site: str | None, pipeline: str | None) -> None:
    """What became of ORDER, which rule decided, and what would become of it now."""
    from sync.explaining import explain_order

    with opened(site, pipeline) as line:
        _show(line, explain_order(line.context(), order), as_json)


@explain.command(epilog="\b\nExample:\n  tradesync explain user u-17 --organisation o-3")
@click.argument("user", type=Named())
@click.option("--organisation", type=Named(), help="Only in the context of this organisation.")
@json_option
@site_options
def user(
    user: str, organisation: str | None, as_json: bool, site: str | None, pipeline: str | None
) -> None:
    """Under which ERP account USER orders, and what says so."""
    from sync.explaining import explain_user

    with opened(site, pipeline) as line:
        _show(line, explain_user(line.context(), user, organisation), as_json)


PRICE = """\b
Examples:
  tradesync explain price 000101 SKU-0001 --qty 12
  tradesync explain price SKU-0001 --user u-17 --organisation o-3 --on 2026-01-31"""


@explain.command(epilog=PRICE)
@click.argument("names", nargs=-1, type=Named(), metavar="[CUSTOMER] SKU")
@click.option("--user", type=Named(), help="A web user, instead of CUSTOMER.")
@click.option(
    "--sku", type=Named(), metavar="SKU", help="The item, where it is not named by itself."
)
@click.option(
    "--organisation", type=Named(), help="With --user: for whom the user buys; default: in person."
)
@click.option("--qty", type=Exact(), default="1", show_default=True, help="Quantity.")
@click.option(
    "--unit", type=Named(), help="Unit of quantity and price; default: the item's first price unit."
)
@click.option("--currency", type=Named(), help="Default: the account's own currency.")
@click.option(
    "--on", "--at", "at", type=Moment(), help="A day in the ERP's calendar; default: today."
)
@click.option(
    "--location", type=Named(), help="A site of the account; default with --user: the user's own."
)
@click.option(
    "--warehouse", type=Named(), help="Ships from there; default: the channel's, else anywhere."
)
@click.option("--channel", type=Named(), help="As it is shown on this channel of the store.")
@json_option
@site_options
def price(
    names: tuple[str, ...],
    user: str | None,
    sku: str | None,
    organisation: str | None,
    qty: Decimal,
    unit: str | None,
    currency: str | None,
    at: Any,
    location: str | None,
    warehouse: str | None,
    channel: str | None,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """What SKU costs CUSTOMER (an account or retail group) or a web user, and why.

    Tells level by level which price there is, which entry decides and what it won over.
    """
    from sync.explaining import explain_price, explain_users_price

    if sku:
        names = (*names, sku)
    if len(names) != (1 if user else 2):
        wanted = "one SKU beside --user" if user else "CUSTOMER and SKU, or SKU and --user USER"
        raise click.UsageError(f"give {wanted}")
    if organisation and not user:
        raise click.UsageError("--organisation says for whom a --user buys")
    asked: dict[str, Any] = {
        "quantity": qty,
        "unit": unit,
        "currency": currency,
        "day": at.date() if at else None,
        "location": location,
        "warehouse": warehouse,
        "channel": channel,
    }
    with opened(site, pipeline) as line:
        if user:
            answer = explain_users_price(
                line.context(), user, names[0], organisation=organisation, **asked
            )
        else:
            answer = explain_price(line.context(), names[0], names[1], **asked)
        _show(line, answer, as_json)


@explain.command(epilog="\b\nExample:\n  tradesync explain invoice 000101 INV-2001")
@click.argument("customer", type=Named())
@click.argument("number", type=Named())
@json_option
@site_options
def invoice(
    customer: str, number: str, as_json: bool, site: str | None, pipeline: str | None
) -> None:
    """Whether the store shows invoice NUMBER of CUSTOMER, to whom, and why."""
    from sync.explaining import explain_invoice

    with opened(site, pipeline) as line:
        _show(line, explain_invoice(line.context(), customer, number), as_json)


@explain.command(epilog="\b\nExample:\n  tradesync explain document 000101 INV-2001")
@click.argument("customer", type=Named())
@click.argument("number", type=Named())
@json_option
@site_options
def document(
    customer: str, number: str, as_json: bool, site: str | None, pipeline: str | None
) -> None:
    """Whether the store shows document NUMBER of CUSTOMER, to whom, and where its file lies."""
    from sync.explaining import explain_document

    with opened(site, pipeline) as line:
        _show(line, explain_document(line.context(), customer, number), as_json)


@explain.command(epilog="\b\nExample:\n  tradesync explain account 000101")
@click.argument("customer", type=Named())
@json_option
@site_options
def account(customer: str, as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Which invoices, documents, orders, balances and part numbers of CUSTOMER are shown.

    Held against what the ERP has, with those that only one side has.
    """
    from sync.explaining import explain_account

    with opened(site, pipeline) as line:
        _show(line, explain_account(line.context(), customer), as_json)


# People read them in the steps.
IN_WORDS = ("contexts", "levels", "outlook", "records", "found")


def _show(line: Pipeline, answer: dict[str, Any], as_json: bool) -> None:
    """Tell the answer, and end with 1 where nobody knows what was asked about."""
    answer.setdefault("found", True)
    read, in_force = line.context().mapping.version, _in_force(line)
    if as_json:
        told = {**answer, "explained_by": read, "in_force": in_force}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        if read != in_force:
            click.echo(
                f"Explained by the mapping files as they are ({read}), which do not count yet:"
                f" {in_force or 'none'} is in force until the service takes them up."
            )
        _tell(answer)
    raise click.exceptions.Exit(Exit.DONE if answer["found"] else Exit.FAILED)


def _in_force(line: Pipeline) -> str | None:
    with line.state.transaction() as state:
        good = state.mappings.last_good()
    return good.version if good is not None else None


def _tell(answer: dict[str, Any]) -> None:
    for name, value in answer.items():
        if name in IN_WORDS:
            continue
        if isinstance(value, list):
            click.echo(f"{name}:" if value else f"{name}: none")
            for each in value:
                click.echo("\n".join(_item(each)))
        elif isinstance(value, dict):
            click.echo("\n".join([f"{name}:", *document_lines(value, "  ")]))
        elif value is not None:
            said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
            click.echo(f"{name}: {said}")


def _item(each: Any) -> list[str]:
    """A step of the answer, or a document with a dash before its first field."""
    if not isinstance(each, dict):
        return [f"  {each}"]
    first, *others = document_lines(each, "    ")
    return [f"  - {first.strip()}", *others]
