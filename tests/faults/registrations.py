"""Registrations under every fault: a company that is new, one that is known, and others.

What may never be, not even for a moment, is noted when it happens; what must be
in the end is looked at when everything is at rest.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sync.domain.account import AccountStatus
from sync.domain.ids import ApplicationId, CustomerId, IdempotencyKey, OrganisationId
from sync.domain.mapping import Assignment
from sync.domain.registration import (
    AccountKind,
    ApprovedAs,
    CreateCustomer,
    LinkCustomer,
    NewCustomer,
    RegistrationView,
)
from sync.errors import Rejected
from sync.flows.cycle import run_flow
from sync.planning.registrations import approved, rejected
from sync.ports.registrations import Happened, Stage
from sync.testing import builders as a
from sync.testing.assignments import MemoryAssignments
from sync.testing.enumerating import at_every_point, every_fault
from sync.testing.erp import MemoryErp
from sync.testing.faults import Fault
from sync.testing.store import MemoryStore
from tests.faults.sites import Distributor
from tests.faults.trials import FlowTrial
from tests.scenarios.world import ASSIGNMENTS, MILL

NEW, KNOWN, REFUSED, FRESH, PERSON = (
    ApplicationId(f"app-{each}") for each in ("new", "known", "refused", "fresh", "person")
)


def organisation_of(application_id: ApplicationId) -> OrganisationId:
    return OrganisationId(f"org-{application_id}")


class WatchedErp(MemoryErp):
    """Notes a second customer for somebody who has one already."""

    def find_customer(self, key: IdempotencyKey) -> CustomerId | None:
        return super().find_customer(key)

    def create_customer(self, customer: NewCustomer, key: IdempotencyKey) -> CustomerId:
        made = super().create_customer(customer, key)
        same = [each for each in self._accounts.values() if each.name == customer.name]
        if len(same) > 1:
            self.__dict__.setdefault("wrong", []).append(f"two customers of {customer.name}")
        return made


class CarelessErp(WatchedErp):
    """It makes a customer each time that it is asked, and finds the first of them."""

    def create_customer(self, customer: NewCustomer, key: IdempotencyKey) -> CustomerId:
        held = self._created.pop(key, None)
        made = super().create_customer(customer, key)
        if held is not None:
            self._created[key] = held
        return made


class WatchedFiles(MemoryAssignments):
    """Notes an assignment to a customer that the ERP does not have."""

    def __init__(self, erp: MemoryErp) -> None:
        super().__init__()
        self._erp = erp
        self.wrong: list[str] = []

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        versions = super().put_assignment(organisation, customer_id, actor, reason)
        if customer_id not in self._erp.accounts([customer_id]):
            self.wrong.append(f"{organisation} was mapped to {customer_id}, which is no customer")
        return versions


class WatchedStore(MemoryStore):
    """Notes an active organisation whose account nobody can use."""

    def show_registration(self, application_id: ApplicationId, view: RegistrationView) -> None:
        super().show_registration(application_id, view)
        site = self.__dict__.get("site")
        if site is not None and view.notice.status is AccountStatus.ACTIVE:
            site.look_at_active(application_id)


STAGES = {
    NEW: Stage.ACTIVE,
    KNOWN: Stage.ACTIVE,
    REFUSED: Stage.REJECTED,
    FRESH: Stage.OPEN,
    PERSON: Stage.PERSONAL,
}
STATUSES = {
    Stage.ACTIVE: AccountStatus.ACTIVE,
    Stage.REJECTED: AccountStatus.PROSPECT,
    Stage.OPEN: AccountStatus.APPLIED,
}
APPROVALS: dict[ApplicationId, ApprovedAs] = {NEW: CreateCustomer(), KNOWN: LinkCustomer(MILL)}


@dataclass
class RegistrationSite(Distributor):
    """A company to be created, one to be linked, one turned down, one new, and a person."""

    erp_kind: type[MemoryErp] = WatchedErp
    store_kind: type[MemoryStore] = WatchedStore
    flows: Sequence[str] = ("registrations",)
    who: Sequence[ApplicationId] = tuple(STAGES)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.assignments = WatchedFiles(self.erp)
        self.wrong: list[str] = []
        self.changed_mind = False
        self.was_customer = False
        for each in self.who:
            kind = AccountKind.PERSONAL if each is PERSON else AccountKind.BUSINESS
            application = a.an_application(application_id=each, kind=kind, company=f"Firm {each}")
            self.store.hand_in(application)
        self.store.__dict__["site"] = self

    def look_at_active(self, application_id: ApplicationId) -> None:
        organisation = organisation_of(application_id)
        customer_id = self.assignments.written.get(organisation)
        account = self.erp.accounts([customer_id]).get(customer_id) if customer_id else None
        if account is None or account.effective_status is not AccountStatus.ACTIVE:
            self.wrong.append(f"{application_id} is active without a usable account")
        if not any(each.organisation == organisation for each in self.mapping.assignments):
            self.wrong.append(f"{application_id} is active, and no mapping in force names it")

    def decide(self) -> None:
        """Staff have decided, after a first run took all of them up."""
        now = self.clock.now()
        with self.state.transaction() as state:
            for application_id in self.who:
                entry = state.registrations.entry(application_id)
                assert entry is not None
                if application_id in APPROVALS:
                    done = approved(entry, APPROVALS[application_id], "ann", "checked")
                    state.registrations.save(done, Happened("approved", "ann"), now)
                elif application_id is REFUSED:
                    done = rejected(entry, None)
                    state.registrations.save(done, Happened("rejected", "ann"), now)

    def take_up_assignments(self) -> None:
        written = [
            Assignment(customer_id, organisation=organisation)
            for organisation, customer_id in self.assignments.written.items()
        ]
        self.remap(assignments=(*ASSIGNMENTS, *written))

    def violations(self) -> list[str]:
        assert isinstance(self.assignments, WatchedFiles)
        found = [*self.wrong, *self.erp.__dict__.get("wrong", ()), *self.assignments.wrong]
        for application_id in self.who:
            turned_down = self.changed_mind and application_id is NEW
            stage = Stage.REJECTED if turned_down else STAGES[application_id]
            found += self._not_as_decided(application_id, stage)
        found += self._not_as_approved()
        writes = run_flow(self.context(), "registrations").writes
        if writes:
            found.append(f"a run with nothing new made {writes} writes")
        return found

    def _not_as_decided(self, application_id: ApplicationId, stage: Stage) -> Iterator[str]:
        with self.state.transaction() as state:
            entry = state.registrations.entry(application_id)
        if entry is None or entry.stage is not stage:
            yield f"{application_id} is {entry.stage if entry else None}"
        status = STATUSES.get(stage)
        notice = self.store.shown_registrations([application_id]).get(application_id)
        if notice is None or notice.status is not status:
            yield f"the store shows of {application_id}: {notice}"
        if application_id is PERSON:
            return
        company = self.store.buyer(None, organisation_of(application_id)).organisation
        wanted = (status, stage is Stage.OPEN)
        if company is None or (company.status, company.open_application) != wanted:
            yield f"organisation of {application_id}: {company}"

    def _not_as_approved(self) -> Iterator[str]:
        customers = self.erp.accounts(list(self.erp.customer_ids())).values()
        made = sorted(each.name for each in customers if each.name.startswith("Firm"))
        who = [each for each in self.who if not (self.changed_mind and each is NEW)]
        wanted = [f"Firm {each}" for each in who if each is NEW]
        if made != wanted and not (self.was_customer and made == [f"Firm {NEW}"]):
            yield f"the ERP made {made}"
        mapped = {organisation_of(each) for each in who if each in APPROVALS}
        if set(self.assignments.written) != mapped:
            yield f"mapped are {self.assignments.written}"
        if self.assignments.written.get(organisation_of(KNOWN), MILL) != MILL:
            yield "the known customer is not linked"


@dataclass
class RegistrationsInTime(RegistrationSite):
    """Staff decide, the ERP's staff do their part and files come into force, at any time."""

    def happen(self, chance: random.Random) -> str:
        what = chance.choice(["decide", "decide", "usable", "take up", "nothing"])
        which = chance.choice(self.who)
        if what == "decide":
            self._decide(which)
        elif what == "usable":
            self._usable()
        elif what == "take up":
            self.take_up_assignments()
        return f"{what} {which}"

    def heal(self) -> None:
        """What is left to people in each round; a later round goes on from there."""
        for each in self.who:
            self._decide(each)
        self._usable()
        self.take_up_assignments()

    def _decide(self, which: ApplicationId) -> None:
        now = self.clock.now()
        with self.state.transaction() as state:
            entry = state.registrations.entry(which)
            if entry is None or entry.stage is not Stage.OPEN or entry.organisation is None:
                return
            if which in APPROVALS:
                done = approved(entry, APPROVALS[which], "ann", "checked")
                state.registrations.save(done, Happened("approved", "ann"), now)
            elif which is REFUSED:
                state.registrations.save(rejected(entry, None), Happened("rejected", "ann"), now)

    def _usable(self) -> None:
        for made in self.erp.created.values():
            self.erp.change_account(made, prospect=False)


@dataclass
class RegistrationTrial(FlowTrial):
    """After the broken run the ERP's staff do their part, and what was written comes into force."""

    site: RegistrationSite
    flow: str = "registrations"

    def recover(self) -> None:
        for _ in range(2):
            super().recover()
            self.script.arrive()
            for made in self.site.erp.created.values():
                self.site.erp.change_account(made, prospect=False)
            self.site.take_up_assignments()
            self._process = None  # a run that starts now sees the newest mapping
        super().recover()

    def change_their_mind(self) -> None:
        """Reject the new company, where that is allowed; by what the files say now."""
        unmapped = self.site.assignments.assignment_of(organisation_of(NEW)) is None
        with self.site.state.transaction() as state:
            entry = state.registrations.entry(NEW)
            assert entry is not None
            with suppress(Rejected):
                gone = rejected(entry, None, unmapped=unmapped)
                state.registrations.save(gone, Happened("rejected", "ann"), self.site.clock.now())
                self.site.changed_mind = True
                self.site.was_customer = entry.customer_id is not None


def taken_up(**given: object) -> RegistrationTrial:
    """The run in which they are seen for the first time."""
    return RegistrationTrial(RegistrationSite(who=(FRESH, PERSON), **given))  # type: ignore[arg-type]


def carried_out(
    who: Sequence[ApplicationId] = (NEW, KNOWN, REFUSED), **given: object
) -> RegistrationTrial:
    """The run in which what staff decided reaches the ERP and the mapping."""
    site = RegistrationSite(who=who, **given)  # type: ignore[arg-type]
    run_flow(site.context(), "registrations")
    site.decide()
    return RegistrationTrial(site)


def only_created(**given: object) -> RegistrationTrial:
    return carried_out((NEW,), **given)


def made_active(**given: object) -> RegistrationTrial:
    """The run in which the mapping in force, and the ERP, say that one of two is usable."""
    trial = carried_out((NEW, KNOWN), **given)
    run_flow(trial.site.context(), "registrations")
    for made in trial.site.erp.created.values():
        trial.site.erp.change_account(made, prospect=True)
    trial.site.take_up_assignments()
    return trial


def mapped_only(**given: object) -> RegistrationTrial:
    """The same before the mapping is in force."""
    trial = carried_out((NEW, KNOWN), **given)
    run_flow(trial.site.context(), "registrations")
    return trial


ONE_PROCESS = (Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.CRASH_BEFORE, Fault.CRASH_AFTER)


def never_a_second_customer(**given: object) -> str | None:
    """An ERP that makes a customer each time is asked once, unless two ask it at once."""
    make = partial(only_created, **{"erp_kind": CarelessErp, **given})
    found = every_fault(make, ONE_PROCESS, stop_at=1).found
    return found[0] if found else None


def staff_change_their_mind(**given: object) -> str | None:
    """At any moment a rejection holds, or is refused: the ERP or the mapping is at work."""
    make = partial(only_created, **given)
    found = at_every_point(make, RegistrationTrial.change_their_mind, stop_at=1).found
    return found[0] if found else None
