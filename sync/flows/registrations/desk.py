"""One registration at a time: the next step of each, and what the store is told of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta

import structlog

from sync.domain.account import Account, AccountStatus
from sync.domain.decision import Problem
from sync.domain.ids import ApplicationId, CustomerId, OrganisationId
from sync.domain.order import BuyerRecord
from sync.domain.registration import (
    AccountKind,
    Application,
    LinkCustomer,
    RegistrationNotice,
    RegistrationView,
    UsableAccount,
    customer_key,
    new_customer,
    why_unusable,
)
from sync.errors import Conflict, OutcomeUnknown, Rejected, TryLater
from sync.flows.context import Context, FlowResult, files_of, needs
from sync.flows.mirroring import individual, take_unreadable
from sync.flows.orders.records import look_again_after_s
from sync.flows.registrations.uploads import with_files
from sync.planning.registrations import (
    asked_for,
    judged,
    makes_registrant,
    mapped_otherwise,
    not_taken,
    notice_of,
    refused_by_erp,
    refused_documents,
    taken_up,
    why_another,
    why_no_link,
    with_customer,
    words,
)
from sync.ports.erp import CreatesCustomers, ReadsAccounts
from sync.ports.registrations import (
    ENDED,
    AssignsCustomers,
    Happened,
    RegistrationEntry,
    Stage,
)
from sync.ports.store import ReadsBuyers, WritesRegistrations
from sync.routing import Usable

log = structlog.get_logger()


_NOT_IN_FORCE = (
    "waits until the mapping in force names it; the next run looks again (tradesync resync"
    " registrations), and tradesync check mappings tells what is wrong with the files"
)


class Moved(Exception):
    """The entry moved since it was read: somebody else is at it."""


class Desk:
    """Carries registrations on within one run."""

    def __init__(self, context: Context, result: FlowResult, store: WritesRegistrations) -> None:
        self._context, self._result, self._store = context, result, store
        self._retrying = context.retrying()
        self._told: dict[ApplicationId, RegistrationNotice] = {}
        self._reached = Stage.OPEN

    def shown(
        self, application_ids: Collection[ApplicationId]
    ) -> Mapping[ApplicationId, RegistrationNotice]:
        """What the store shows of these."""
        return self._retrying(self._store.shown_registrations, application_ids)

    def take_up(self, application: Application) -> None:
        """Keep what was handed in, where that is news."""
        with self._context.state.transaction() as state:
            held = state.registrations.entry(application.application_id)
            entry = taken_up(held, application, self._context.clock.now())
            if entry is held:
                return
            event = "taken_up" if held is None else "changed"
            if held is not None and held.stage is not Stage.OPEN:
                event = "handed_in_again"
            happened = Happened(event, self._context.state.actor)
            try:
                state.registrations.save(entry, happened, self._context.clock.now())
            except Conflict:
                return  # a person was quicker; the next run sees the application again
        self._result.count(event)

    def go_on(self, application_id: ApplicationId) -> None:
        """Step by step, as far as it goes. Raises Moved, and what the systems raise."""
        entry = self._entry(application_id)
        began = self._reached = entry.stage
        try:
            self._walk(entry)
        finally:
            if self._reached is not began:
                self._name(entry, f"{words(began)} -> {words(self._reached)}")

    def _walk(self, entry: RegistrationEntry) -> None:
        steps = {
            Stage.OPEN: self._judge,
            Stage.APPROVED: self._carry_out,
            Stage.CREATING: self._look_for_customer,
            Stage.CUSTOMER_KNOWN: self._begin_to_map,
            Stage.MAPPING: self._map,
            Stage.MAPPED: self._activate,
        }
        while entry.stage in steps:
            after = steps[entry.stage](entry)
            if after.stage is entry.stage or after.problem is not None:
                return
            entry = after

    # --- Open: what it lacks, and whom it makes ---

    def _judge(self, entry: RegistrationEntry) -> RegistrationEntry:
        after = judged(self._looked_at(entry), self._context.mapping)
        if after != entry:
            lacks = f"lacks {', '.join(after.missing)}" if after.missing else "nothing is missing"
            if after.problem is not None:
                lacks = after.problem.sentence
            for refused in refused_documents(after) if after.looked != entry.looked else ():
                self._remark(entry, refused)
            entry = self._save(after, "judged", f"{words(after.status)}: {lacks}")
        kind = makes_registrant(entry)
        if kind is None:
            return entry
        try:
            made = self._retrying(self._store.create_registrant, entry.application_id, kind)
        except Rejected as error:
            return self._stop(entry, error.code, str(error), error.remedy)
        told = f"user {made.web_user}"
        if made.organisation is not None:
            told += f", manager of organisation {made.organisation}"
        if made != entry.registrant:
            self._result.count("added")
            self._name(entry, f"made in the store: {told}")
        entry = replace(entry, registrant=made, problem=None)
        if kind is AccountKind.PERSONAL:
            entry = replace(entry, stage=Stage.PERSONAL)
        return self._save(entry, "registrant_created", told)

    def _looked_at(self, entry: RegistrationEntry) -> RegistrationEntry:
        return with_files(self._context.uploads, self._retrying, entry)

    # --- Approved: a customer of the ERP's, or one to be made ---

    def _carry_out(self, entry: RegistrationEntry) -> RegistrationEntry:
        approval = entry.approved_as
        if isinstance(approval, LinkCustomer):
            return self._link(entry, approval.customer_id)
        if entry.problem is not None and entry.key is not None:
            return entry  # the ERP refused it: a person decides anew
        erp = self._context.erp
        if not isinstance(erp, CreatesCustomers):
            return self._stop(
                entry,
                "erp_cannot_create",
                f"{erp.capabilities.name} makes no customers for the daemon.",
                "Make the customer in the ERP, then approve it with --link.",
            )
        return self._ask_for_customer(entry, erp)

    def _link(self, entry: RegistrationEntry, customer_id: CustomerId) -> RegistrationEntry:
        forbidden = why_no_link(customer_id, self._context.mapping)
        if forbidden is not None:
            return self._stop_for(entry, forbidden)
        if self._account(customer_id) is None:
            return self._stop(entry, *_unknown(customer_id))
        return self._save(with_customer(entry, customer_id), "customer_linked", str(customer_id))

    def _ask_for_customer(
        self, entry: RegistrationEntry, erp: CreatesCustomers
    ) -> RegistrationEntry:
        """Look the key up, say that the ERP is asked, ask.

        What is not known to have failed may have been done: it is looked for when
        the ERP is surely done with it, and asked for again only then.
        """
        context = self._context
        length = context.erp.capabilities.external_key_length
        key = entry.key or customer_key(context.store.store_id, entry.application, length)
        customer = new_customer(entry.application)
        held = self._retrying(erp.find_customer, key)
        if held is not None:
            return self._found(replace(entry, key=key), held)
        wait = timedelta(seconds=look_again_after_s(context))
        entry = self._save(
            asked_for(entry, key, context.clock.now() + wait), "customer_asked_for", str(key)
        )
        try:
            made = erp.create_customer(customer, key)
        except Rejected as error:
            self._remark(entry, str(error))
            return self._save(refused_by_erp(entry, error), "customer_refused", str(error))
        except OutcomeUnknown as error:
            log.warning("customer.outcome_unknown", application=entry.application_id.value)
            self._result.count("outcome_unknown")
            again = replace(entry, look_again_at=context.clock.now() + wait)
            self._save(again, "outcome_unknown", str(error))
            raise
        except TryLater:
            self._save(replace(entry, look_again_at=context.clock.now()), "customer_not_made", "")
            raise
        self._result.count("customers_created")
        self._name(entry, f"customer {made} made in the ERP")
        return self._save(with_customer(entry, made), "customer_created", str(made))

    def _look_for_customer(self, entry: RegistrationEntry) -> RegistrationEntry:
        look_at = entry.look_again_at
        if look_at is not None and self._context.clock.now() < look_at:
            self._result.count("outcome_awaited")
            return entry
        erp = needs(self._context.erp, CreatesCustomers, "the ERP")
        return self._ask_for_customer(entry, erp)

    def _found(self, entry: RegistrationEntry, customer_id: CustomerId) -> RegistrationEntry:
        account = self._account(customer_id)
        another = None if account is None else why_another(entry.application, account)
        if another is not None:
            return self._stop_for(not_taken(entry), another)
        return self._save(with_customer(entry, customer_id), "customer_found", str(customer_id))

    # --- Known: written into the mapping ---

    def _begin_to_map(self, entry: RegistrationEntry) -> RegistrationEntry:
        """Say that the mapping is written: from here on nobody is rejected unseen."""
        organisation, customer_id = _pair(entry)
        problem = self._why_not_mapped(organisation, customer_id)
        if problem is not None:
            return self._stop_for(entry, problem)
        after = replace(entry, stage=Stage.MAPPING, problem=None)
        return self._save(after, "mapping_begun", f"organisation {organisation} -> {customer_id}")

    def _map(self, entry: RegistrationEntry) -> RegistrationEntry:
        organisation, customer_id = _pair(entry)
        problem = self._why_not_mapped(organisation, customer_id)
        written = problem or self._written_into_files(entry)
        if isinstance(written, Problem):
            return self._stop_for(replace(entry, stage=Stage.CUSTOMER_KNOWN), written)
        after = replace(entry, stage=Stage.MAPPED)
        kept = self._save(after, "mapped", f"organisation {organisation} -> {customer_id}")
        self._take_up(*written)
        return kept

    def _why_not_mapped(
        self, organisation: OrganisationId, customer_id: CustomerId
    ) -> Problem | None:
        forbidden = why_no_link(customer_id, self._context.mapping)
        if forbidden is not None:
            return forbidden
        if self._account(customer_id) is None:
            return Problem(*_unknown(customer_id), "VE-9")
        held = self._files.assignment_of(organisation)
        return None if held in (None, customer_id) else mapped_otherwise(organisation, held)

    def _written_into_files(self, entry: RegistrationEntry) -> tuple[str, str] | Problem:
        """Let the files say so; their versions before and after, or why they refuse it."""
        reason = f"application {entry.application_id}: {entry.approval_reason or 'approved'}"
        organisation, customer_id = _pair(entry)
        try:
            before, after = self._files.put_assignment(
                organisation,
                customer_id,
                entry.approved_by or self._context.state.actor,
                reason,
            )
        except Rejected as error:
            return Problem(error.code, str(error), error.remedy, "VE-9")
        if before != after:
            self._result.count("mappings_written")
            what = f"organisation {organisation} -> {customer_id}"
            self._name(entry, f"{what}: mapping {before} becomes {after}")
        return before, after

    def _take_up(self, before: str, after: str) -> None:
        """Go on by the files with the new line, where they held nothing else that is new.

        What somebody else has written, or is writing, comes into force by itself, once it
        is at rest: then the next run goes on.
        """
        if before == after or before != self._context.mapping.version:
            return
        take_up = self._context.take_up
        newer = take_up(before, after) if take_up is not None else None
        self._context = newer or self._context

    @property
    def _files(self) -> AssignsCustomers:
        return files_of(self._context)

    # --- Mapped: active, once both sides say so ---

    def _activate(self, entry: RegistrationEntry) -> RegistrationEntry:
        usable = self._usable(entry)
        if usable is None:
            return entry
        after = replace(
            entry, stage=Stage.ACTIVE, status=AccountStatus.ACTIVE, problem=None, settled=True
        )
        notice = notice_of(after)
        assert notice is not None  # noqa: S101 - an active one is always shown
        self._show(entry, RegistrationView(notice, usable))
        kept = self._save(after, "active", str(entry.customer_id))
        self._result.count("made_active")
        return kept

    def _in_force(self, entry: RegistrationEntry) -> bool:
        """Whether an order of the organisation would go to this customer now."""
        store = self._context.store
        record = BuyerRecord()
        if isinstance(store, ReadsBuyers):
            record = self._retrying(store.buyer, None, entry.organisation)
        found = self._context.accounts.find(None, entry.organisation, record)
        return isinstance(found, Usable) and found.customer_id == entry.customer_id

    def _usable(self, entry: RegistrationEntry) -> UsableAccount | None:
        """The proof that the ERP calls the account usable.

        None where it does not yet, and where the mapping in force does not say
        that the organisation orders for it.
        """
        if not self._in_force(entry):
            self._wait(entry, "waiting_for_mapping", _NOT_IN_FORCE)
            return None
        customer_id = entry.customer_id
        assert customer_id is not None  # noqa: S101 - known since it was mapped
        if customer_id in self._context.mapping.retail_groups:
            self._wait(entry, "waiting_for_mapping", f"{customer_id} is a retail group")
            return None
        account = self._account(customer_id)
        why = f"the ERP has no customer {customer_id}" if account is None else why_unusable(account)
        if account is None or why is not None:
            told = why if account is None else f"customer {customer_id} {why} in the ERP"
            self._wait(entry, "waiting_for_erp", f"waits: {told}")
            return None
        return UsableAccount(individual(self._context, customer_id), account)

    def _account(self, customer_id: CustomerId) -> Account | None:
        """The account as the ERP has it. Raises TryLater where it has one that cannot be read."""
        erp = needs(self._context.erp, ReadsAccounts, "the ERP")
        found = self._retrying(erp.accounts, [customer_id]).get(customer_id)
        unreadable = take_unreadable(self._context, self._result)
        if found is None and unreadable.shields(customer_id.value):
            raise TryLater(f"customer {customer_id} cannot be read in the ERP")
        return found

    # --- The store ---

    def tell_store(self, application_id: ApplicationId, shown: RegistrationNotice | None) -> None:
        """Let the store show how it stands; only what differs is written."""
        entry = self._entry(application_id)
        notice = notice_of(entry)
        shown = self._told.get(application_id, shown)
        if notice is None or makes_registrant(entry) is not None:
            return  # first comes what it is shown of
        if shown is not None and _knows_more(shown, notice):
            self._stop(entry, *_store_knows_more(entry, shown))
            return
        if notice != shown and not self._shows(entry, notice):
            return
        settled = entry.settled or entry.stage in ENDED
        problem = None if _is_of_the_store(entry.problem) else entry.problem
        if (settled, problem) != (entry.settled, entry.problem):
            told = replace(entry, settled=settled, problem=problem)
            self._save(told, "store_told", words(entry.stage))

    def _shows(self, entry: RegistrationEntry, notice: RegistrationNotice) -> bool:
        """Whether the store was told, or has nothing any more to tell it of."""
        usable = None
        if notice.status is AccountStatus.ACTIVE:
            usable = self._usable(entry)
            if usable is None:
                return False
        try:
            self._show(entry, RegistrationView(notice, usable))
        except Rejected as error:
            if entry.stage not in ENDED:
                self._stop(entry, error.code, str(error), error.remedy)
            return entry.stage in ENDED
        return True

    def _show(self, entry: RegistrationEntry, view: RegistrationView) -> None:
        self._retrying(self._store.show_registration, entry.application_id, view)
        self._told[entry.application_id] = view.notice
        self._result.count("shown")

    # --- The state ---

    def _entry(self, application_id: ApplicationId) -> RegistrationEntry:
        with self._context.state.transaction() as state:
            entry = state.registrations.entry(application_id)
        if entry is None:
            raise Moved(f"{application_id} was not taken up")
        return entry

    def _save(self, entry: RegistrationEntry, event: str, detail: str) -> RegistrationEntry:
        now = self._context.clock.now()
        happened = Happened(event, self._context.state.actor, detail)
        try:
            with self._context.state.transaction() as state:
                kept = state.registrations.save(entry, happened, now)
        except Conflict as error:
            raise Moved(str(error)) from error
        log.info(f"registration.{event}", application=entry.application_id.value)
        self._reached = kept.stage
        return kept

    def _stop(
        self, entry: RegistrationEntry, code: str, sentence: str, remedy: str
    ) -> RegistrationEntry:
        return self._stop_for(entry, Problem(code, sentence, remedy, "VE-9"))

    def _stop_for(self, entry: RegistrationEntry, problem: Problem) -> RegistrationEntry:
        """It waits for a person, who is told once."""
        self._remark(entry, problem.sentence)
        self._result.count("waiting_for_person")
        if entry.problem == problem:
            return entry
        return self._save(replace(entry, problem=problem), "stopped", problem.sentence)

    def _wait(self, entry: RegistrationEntry, count: str, why: str) -> None:
        self._result.count(count)
        self._remark(entry, why)

    def _name(self, entry: RegistrationEntry, did: str) -> None:
        self._result.sample(f"{entry.application_id}: {did}")

    def _remark(self, entry: RegistrationEntry, why: str) -> None:
        self._result.remarks.append(f"Application {entry.application_id}: {why}")


def _pair(entry: RegistrationEntry) -> tuple[OrganisationId, CustomerId]:
    """What is mapped to what, once the customer is known."""
    organisation, customer_id = entry.organisation, entry.customer_id
    assert organisation is not None and customer_id is not None  # noqa: S101, PT018
    return organisation, customer_id


def _unknown(customer_id: CustomerId) -> tuple[str, str, str]:
    return (
        "customer_unknown",
        f"The ERP has no customer {customer_id}.",
        "Make the customer an account there, or approve it with another one.",
    )


def _is_of_the_store(problem: Problem | None) -> bool:
    """Whether it is over as soon as the store was told."""
    return problem is not None and problem.code.startswith("store_")


def _knows_more(shown: RegistrationNotice, notice: RegistrationNotice) -> bool:
    """Whether the store shows an end of which we know nothing: an older state was put back.

    An account that is active is never taken for an applicant again.
    """
    return shown.decided and not notice.decided and shown.submitted_at >= notice.submitted_at


def _store_knows_more(entry: RegistrationEntry, shown: RegistrationNotice) -> tuple[str, str, str]:
    end = "rejected" if shown.rejected else "active" if shown.status else "a personal account"
    return (
        "store_knows_more",
        f"The store shows it as {end}, here it is {words(entry.stage)}; was the state restored?",
        "Decide it as it was decided before: approve it with the same customer, or reject it.",
    )
