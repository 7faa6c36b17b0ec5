"""``tradesync erase``: a person asked for their data to be erased (OP-9).

Erasing is one transaction on the ledger, as replaying and dismissing are, so it
may be done beside a daemon that runs. Afterwards the state's file is written
anew, for which a daemon waits some seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from sync.cli.asking import ask, asks, yes_option
from sync.cli.output import Exit, counted, fail, json_option
from sync.cli.scope import REASON, Named
from sync.cli.site import actor, settings_of, site_options

if TYPE_CHECKING:
    from sync.bootstrap import Installation, Pipeline
    from sync.domain.erasure import Person
    from sync.domain.ids import WebOrderId
    from sync.settings import SystemSettings
    from sync.state.erasing import Erased, FoundOrder
    from sync.state.erasing_registrations import FoundRegistration
    from sync.state.state import SqlTransaction


@click.command(
    epilog="\b\nExamples:\n"
    "  tradesync erase --web-user 7719 --reason 'request of 2026-03-01' --dry-run\n"
    "  tradesync erase --web-user 7719 --reason 'request of 2026-03-01'\n"
    "  tradesync erase --email jane@buyer.example --reason 'request 12' --yes"
)
@click.option(
    "--web-user", type=Named(), metavar="ID", help="All orders of this user, by the store's key."
)
@click.option(
    "--email",
    type=Named(),
    metavar="ADDRESS",
    help="All orders that name this address, guests' too.",
)
@click.option("--order", type=Named(), metavar="N", help="One order: its number or its key.")
@REASON
@click.option("--dry-run", is_flag=True, help="Only tell what would go, and what hinders it.")
@yes_option
@json_option
@site_options
def erase(
    web_user: str | None,
    email: str | None,
    order: str | None,
    reason: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Take a person's data out of the state for ever; keys and amounts stay.

    Names, addresses, telephone numbers, e-mail addresses, notes and every
    sentence that may quote them go; keys, ERP numbers, items, quantities, amounts,
    dates, countries and codes stay. Orders that are not finished are named, and
    then nothing is erased. An erased order that the store shows again is not
    imported again, and its data do not come back; an edit of its goods or amounts
    is still noticed, one of its address or notes is not.

    Not reached from here: the ERP and the store (the answer names the keys they
    have), backups and copies of the state (delete old ones, and after a restore
    erase again), files that were exported, and the journal of other programs.
    """
    from sync.bootstrap import open_installation
    from sync.scheduling.clock import SystemClock

    if sum(bool(each) for each in (web_user, email, order)) != 1:
        raise click.UsageError("Name one of --web-user, --email and --order.")
    asking = asks("Erasing", yes=yes, dry_run=dry_run, as_json=as_json)
    person = _person(web_user, email)
    with open_installation(
        settings_of(site), SystemClock(), upgrade=False, looks_on=dry_run, actor=actor()
    ) as installation:
        line = installation.pipeline(pipeline)
        sought = Sought(person, _order_id(line, order))
        with line.state.transaction() as state:
            found, registered = sought.found(state), sought.registered(state)
            shared = state.erasure.sharing_an_address(found)
        answer = Answer(installation, line, found, shared, registered)
        if dry_run or answer.hindrances:
            _tell(answer, as_json)
        if asking:
            _tell_people(answer)
            ask("Erase? The person's data are gone then")
        with line.state.transaction() as state:
            found, registered = sought.found(state), sought.registered(state)
            answer = Answer(installation, line, found, shared, registered)
            if not answer.hindrances:
                done = state.erasure.erase(
                    found, person, actor(), reason, line.clock.now(), registered
                )
                answer = replace(answer, done=done)
        _tell(answer, as_json)


@dataclass(frozen=True, slots=True)
class Sought:
    """What was asked for: the orders of a person, or one order."""

    person: Person
    order_id: WebOrderId | None

    def found(self, state: SqlTransaction) -> list[FoundOrder]:
        if self.order_id is not None:
            return state.erasure.of_order(self.order_id)
        return state.erasure.of_person(self.person)

    def registered(self, state: SqlTransaction) -> list[FoundRegistration]:
        return [] if self.order_id is not None else state.erasure.registrations_of(self.person)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and what became of it; ``done`` is None where nothing was written."""

    installation: Installation
    line: Pipeline
    found: list[FoundOrder]
    shared: list[str]
    registered: list[FoundRegistration]
    done: Erased | None = None

    @property
    def web_users(self) -> list[str]:
        users = {each.web_user for each in self.found}
        users |= {each.web_user for each in self.registered}
        return sorted(each for each in users if each)

    @property
    def hindrances(self) -> list[str]:
        """What must happen first, in sentences."""
        named = [(each.number, each.way_out) for each in self.found]
        named += [(f"application {each.application_id}", each.way_out) for each in self.registered]
        return [f"{who} cannot be erased yet: {way_out}" for who, way_out in named if way_out]

    def as_record(self) -> dict[str, object]:
        from sync.state.purging import copies_of

        settings = self.line.settings
        return {
            "pipeline": self.line.name,
            "erased": self.done is not None,
            "orders": [
                {
                    "order": each.number,
                    "state": each.state,
                    "erased_before": each.erased,
                    "way_out": each.way_out,
                }
                for each in self.found
            ],
            "applications": [
                {
                    "application": each.application_id.value,
                    "stage": each.stage,
                    "erased_before": each.erased,
                    "way_out": each.way_out,
                }
                for each in self.registered
            ],
            "counts": {
                "orders": self.done.orders if self.done else 0,
                "applications": self.done.registrations if self.done else 0,
                "lines_of_history": self.done.history if self.done else 0,
                "texts_elsewhere": self.done.elsewhere if self.done else 0,
            },
            "still_held": {
                "erp": {
                    "system": settings.erp.name,
                    "keys": [each.key for each in self.found if each.sent],
                    "orders": [each.erp_order for each in self.found if each.erp_order],
                    "customers": [each.customer_id for each in self.registered if each.customer_id],
                },
                "store": {
                    "system": settings.store.name,
                    "orders": [each.order_id.value for each in self.found],
                    "applications": [each.application_id.value for each in self.registered],
                    "web_users": self.web_users,
                },
                "mapping_files": list(self.done.mapping_files) if self.done else [],
                "copies_of_the_state": [
                    str(each) for each in copies_of(self.installation.engine.url)
                ],
            },
            "other_orders_with_the_address": self.shared,
            "other_pipelines": sorted(set(self.installation.pipelines) - {self.line.name}),
        }


def _person(web_user: str | None, email: str | None) -> Person:
    from sync.domain.erasure import Person
    from sync.domain.ids import WebUserId

    try:
        return Person(WebUserId(web_user) if web_user else None, email.strip() if email else None)
    except ValueError as error:
        raise click.UsageError("--web-user can be no key of the store.") from error


def _order_id(line: Pipeline, order: str | None) -> WebOrderId | None:
    from sync.flows.orders.discovery import named_order

    if order is None:
        return None
    order_id = named_order(line.state, order)
    with line.state.transaction() as state:
        if state.ledger.entry(order_id) is None:
            fail(f"The ledger knows no order {order}.")
    return order_id


def _tell(answer: Answer, as_json: bool) -> None:
    """The last word; writes the state anew first, where something was erased in it."""
    from sync.state.purging import purge

    if as_json:
        click.echo(json.dumps(answer.as_record(), indent=2, ensure_ascii=False))
    else:
        _tell_people(answer)
    anything = answer.found or answer.registered
    if answer.done is not None and (anything or answer.done.elsewhere):
        purge(answer.installation.engine)
    raise click.exceptions.Exit(Exit.FAILED if answer.hindrances else Exit.DONE)


def _tell_people(answer: Answer) -> None:
    for sentence in _sentences(answer):
        click.echo(sentence)


def _sentences(answer: Answer) -> list[str]:
    record = answer.as_record()
    if answer.hindrances:
        return [*answer.hindrances, "Nothing was erased."]
    applied = _applications(answer)
    if not answer.found:
        return ["The ledger holds no order of that person.", *applied, *_outside(answer)]
    fresh = [each.number for each in answer.found if not each.erased]
    before = len(answer.found) - len(fresh)
    named = f": {', '.join(fresh)}" if fresh else ""
    if answer.done is None:
        told = [f"{counted(len(fresh), 'order')} would be erased{named}."]
    else:
        done = answer.done
        told = [
            f"{counted(done.orders, 'order')} erased{named}.",
            f"{done.history} lines of history and {done.elsewhere} texts elsewhere went with them.",
        ]
    if before:
        told.append(f"{before} were erased before.")
    told += applied
    return [*told, *_outside(answer), f"Keys and amounts stay in pipeline {record['pipeline']}."]


def _applications(answer: Answer) -> list[str]:
    fresh = [each.application_id.value for each in answer.registered if not each.erased]
    if not fresh:
        return []
    would = "would be erased" if answer.done is None else "erased"
    return [f"{len(fresh)} applications {would}: {', '.join(fresh)}."]


def _named(system: SystemSettings) -> str:
    """ "The ERP acme"; where it is called erp, only "The ERP"."""
    what = {"erp": "The ERP"}.get(system.kind, f"The {system.kind}")
    return what if system.name.lower() == system.kind else f"{what} {system.name}"


def _outside(answer: Answer) -> list[str]:
    """Where the person's data may still be."""
    record = answer.as_record()
    settings, told = answer.line.settings, []
    has = [f"{each.key} ({each.erp_order})" for each in answer.found if each.erp_order]
    if has:
        told.append(f"{_named(settings.erp)} still has its own data, under: {', '.join(has)}.")
    may_have = [each.key for each in answer.found if each.sent and not each.erp_order]
    if may_have:
        keys = ", ".join(may_have)
        told.append(f"{_named(settings.erp)} may have its own data (no number), under: {keys}.")
    if answer.found:
        orders = ", ".join(each.order_id.value for each in answer.found)
        told.append(f"{_named(settings.store)} still has its own data, under: {orders}.")
    if answer.registered:
        keys = ", ".join(each.application_id.value for each in answer.registered)
        told.append(f"The store keeps the applications themselves, with documents: {keys}.")
        customers = ", ".join(each.customer_id for each in answer.registered if each.customer_id)
        if customers:
            told.append(f"The ERP keeps the contacts of: {customers}.")
    if answer.shared:
        others = ", ".join(answer.shared)
        told.append(f"Other orders name the same e-mail address: {others} (--email finds them).")
    if answer.done is not None and answer.done.mapping_files:
        files = ", ".join(answer.done.mapping_files)
        told.append(f"The mapping names the person or the key in {files}: edit it, then run again.")
    from sync.state.purging import copies_of

    copies = copies_of(answer.installation.engine.url)
    if copies:
        files = ", ".join(map(str, copies))
        told.append(f"Copies of the state were not erased in; delete them: {files}.")
    if record["other_pipelines"]:
        others = ", ".join(sorted(set(answer.installation.pipelines) - {answer.line.name}))
        told.append(f"The same person may be known in other pipelines: {others}.")
    told.append("Backups hold what they held: delete those, and after a restore erase again.")
    return told
