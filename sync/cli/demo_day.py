"""A day of the sample: one cycle, then what people do, then the flows that it concerns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import click

from sync.cli.shown import show_result

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.flows.context import Context, FlowResult, Progress
    from sync.registration import RegistrationDesk

STAFF = "staff of the sample"
# An approval is written into the mapping first; what it makes visible comes after it.
LATER = (
    *("registrations", "accounts", "registrations", "ship_tos", "prices", "invoices"),
    *("balances", "orders", "order_status", "documents", "account_orders"),
)
# The first hears what the shop captured, the second sees that no more is owed.
HEARD = ("order_status", "order_status")


@dataclass(slots=True)
class Day:
    """What ran and what people did, as it is played.

    ``quiet`` says nothing meanwhile. ``deeds`` is empty where all was done before.
    """

    line: Pipeline
    erp_url: str
    store_url: str
    day: date
    progress: Progress
    quiet: bool = False
    morning: list[FlowResult] = field(default_factory=list)
    later: list[FlowResult] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    cycle_s: float = 0.0

    @property
    def results(self) -> list[FlowResult]:
        return [*self.morning, *self.later]

    def play(self) -> None:
        """Everything once; the second time nothing is left to be done."""
        from sync.flows.cycle import FLOWS
        from sync.sample.afternoon import carry_out_captures, people_act

        self._run(tuple(FLOWS), self.morning)
        if self._done([*people_act(self.erp_url, self.store_url, self.day), *self._staff()]):
            self._run(LATER, self.later)
        if self._done(carry_out_captures(self.store_url)):
            self._run(HEARD, self.later)

    def _run(self, flows: Sequence[str], into: list[FlowResult]) -> None:
        from sync.flows.cycle import run_flow

        for flow in flows:
            if flow == "documents":
                self._print_confirmations()
            begun = time.monotonic()
            result = run_flow(self._context(), flow)
            self.cycle_s += time.monotonic() - begun
            into.append(result)
            if not self.quiet and (into is self.morning or result.writes):
                show_result(result, lines=3, has_json=False)

    def _context(self) -> Context:
        """On the mapping as it is now: an approval writes into it in the middle of the day.

        What the shop was asked to capture is looked at again at once: nobody sits through
        a pause of a quarter of an hour here.
        """
        self.line.mapping.reload_if_edited()
        context = self.line.context(self.progress)
        if not self.later:
            return context
        orders = replace(context.limits.orders, waiting_recheck_s=0)
        return replace(context, limits=replace(context.limits, orders=orders))

    def _done(self, deeds: list[str]) -> bool:
        self.deeds += deeds
        if deeds and not self.quiet:
            click.echo("\nMeanwhile:")
            for each in deeds:
                click.echo(f"    {each}")
            click.echo("")
        return bool(deeds)

    def _print_confirmations(self) -> None:
        """The people at the ERP confirm the orders that came in."""
        from sync.sample.back_office import print_confirmations
        from sync.sample.build import papers_of

        folder = papers_of(self.erp_url)
        if folder is not None:
            print_confirmations(self.erp_url, folder, self.day)

    def _staff(self) -> list[str]:
        from sync.registration import RegistrationDesk

        return list(_decided(RegistrationDesk(self._context(), STAFF)))


def _decided(desk: RegistrationDesk) -> Iterator[str]:
    """Some of the applications; the others are for whoever tries the sample."""
    from sync.domain.registration import CreateCustomer, LinkCustomer
    from sync.ports.registrations import Stage
    from sync.sample.applications import KNOWN_COMPANY, NEW_COMPANY, NO_TAX_ID, SIGNED_IN
    from sync.sample.customers import trade

    entries = {each.application_id: each for each in desk.entries((Stage.OPEN,))}
    if KNOWN_COMPANY in entries:
        desk.approve(KNOWN_COMPANY, LinkCustomer(trade(31)), "same tax ID, asked by telephone")
        yield f"Staff approved {KNOWN_COMPANY} as customer {trade(31)}."
    if NEW_COMPANY in entries:
        desk.approve(NEW_COMPANY, CreateCustomer(), "references checked")
        yield f"Staff approved {NEW_COMPANY} as a new customer."
    if NO_TAX_ID in entries:
        desk.reject(NO_TAX_ID, "no tax ID and no papers", "Please come back with a tax ID.")
        yield f"Staff rejected {NO_TAX_ID}."
    asked = entries.get(SIGNED_IN)
    if asked is not None and not asked.requested:
        desk.request_documents(SIGNED_IN, ("bank_statement",), "new company")
        yield f"Staff asked {SIGNED_IN} for a bank statement."
