"""From the form that somebody hands in to the first order of an active account (TL-5, VE-9)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from sync.domain.account import Account, AccountStatus
from sync.domain.channel import CommerceMode, Registration
from sync.domain.ids import ApplicationId, ChannelId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import SyncMapping
from sync.domain.order import Buyer, Membership, Role
from sync.domain.registration import (
    AccountKind,
    ApprovedAs,
    CreateCustomer,
    Document,
    LinkCustomer,
    RegistrationNotice,
    RegistrationView,
    RequiredDocuments,
    UnreadableApplication,
)
from sync.errors import Conflict, Misconfigured, Rejected, TryLater
from sync.flows.cycle import run_flow
from sync.ports.audit import AuditFilter, RecordKind
from sync.ports.registrations import RegistrationEntry, Stage
from sync.registration import Approved, RegistrationDesk
from sync.testing import builders as a
from sync.testing.assignments import MemoryAssignments
from sync.testing.erp import MemoryErp
from sync.testing.faults import Crash, Script
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    HARBOUR,
    HARBOUR_BUYER,
    MILL,
    MILL_BUYER,
    RETAIL,
    TRADE,
    WEB,
    MakeWorld,
    World,
    a_channel,
)

NEW = ApplicationId("app-1")
ORG = OrganisationId("org-app-1")
USER = WebUserId("u-app-1")
LICENCE = Document("licence", "s3://docs/1", "application/pdf")
REQUIRED = RequiredDocuments({"default": ("licence",), "US-CA": ("licence", "resale")})


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    world = make_world()
    world.remap(required_documents=REQUIRED)
    return world


def staff(world: World, **given: Any) -> RegistrationDesk:
    return RegistrationDesk(world.context(), "ann", **given)


def entry_of(world: World, application_id: ApplicationId = NEW) -> RegistrationEntry:
    return staff(world).show(application_id, search=False).entry


def told(world: World, application_id: ApplicationId = NEW) -> RegistrationNotice:
    return world.store.shown_registrations([application_id])[application_id]


def status_in_store(world: World, organisation: OrganisationId = ORG) -> AccountStatus | None:
    found = world.store.buyer(None, organisation).organisation
    assert found is not None
    return found.status


def is_open(world: World, user: WebUserId = USER) -> bool:
    found = world.store.buyer(user, None).user
    assert found is not None
    return found.open_application


def approve(world: World, approval: ApprovedAs, **given: Any) -> Approved:
    return staff(world).approve(NEW, approval, "references checked", **given)


def activated(world: World, approval: ApprovedAs) -> World:
    world.store.hand_in(a.an_application())
    world.run("registrations")
    approve(world, approval)
    world.run("registrations")
    world.take_up_assignments()
    world.run("registrations")
    return world


# --- What a registration makes (TL-5) ---


@pytest.mark.rule("TL-5", "TL-4")
@pytest.mark.parametrize("asked", [AccountKind.BUSINESS, None])
def test_on_a_b2b_channel_it_makes_a_user_who_manages_the_new_organisation(
    shop: World, asked: AccountKind | None
) -> None:
    shop.store.hand_in(a.an_application(channel=TRADE, kind=asked))
    shop.run("registrations")
    user = shop.store.buyer(USER, None).user
    assert user is not None
    assert user.memberships == (Membership(ORG, Role.MANAGE),)
    assert status_in_store(shop) is AccountStatus.APPLIED
    assert entry_of(shop).stage is Stage.OPEN


@pytest.mark.rule("TL-5", "TL-4")
@pytest.mark.parametrize("asked", [AccountKind.BUSINESS, AccountKind.PERSONAL, None])
def test_on_a_b2c_channel_it_makes_a_personal_account_only(
    shop: World, asked: AccountKind | None
) -> None:
    outlet = ChannelId("outlet")
    channel = a_channel(
        channel_id=outlet, mode=CommerceMode.B2C, registration=Registration.PERSONAL
    )
    shop.remap(channels={**shop.mapping.channels, outlet: channel})
    shop.store.hand_in(a.an_application(channel=outlet, kind=asked, documents=()))
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.PERSONAL
    assert told(shop).decided
    assert ORG not in list(shop.store.organisations())
    user = shop.store.buyer(USER, None).user
    assert user is not None
    assert not user.memberships
    assert not user.open_application
    assert shop.run("registrations").writes == 0


@pytest.mark.rule("TL-5")
def test_on_a_hybrid_channel_the_application_says_which(shop: World) -> None:
    kinds = {"app-1": AccountKind.BUSINESS, "app-2": AccountKind.PERSONAL, "app-3": None}
    for key, kind in kinds.items():
        shop.store.hand_in(a.an_application(application_id=ApplicationId(key), kind=kind))
    shop.run("registrations")
    assert set(shop.store.organisations()) >= {ORG}
    assert {OrganisationId("org-app-2"), OrganisationId("org-app-3")}.isdisjoint(
        shop.store.organisations()
    )
    assert entry_of(shop, ApplicationId("app-2")).stage is Stage.PERSONAL
    undecided = entry_of(shop, ApplicationId("app-3"))
    assert (undecided.stage, undecided.missing) == (Stage.OPEN, ("kind",))
    assert told(shop, ApplicationId("app-3")).missing == ("kind",)


@pytest.mark.rule("TL-4")
def test_a_channel_that_nobody_declared_makes_nothing_and_a_person_is_told(shop: World) -> None:
    shop.store.hand_in(a.an_application(channel=ChannelId("nowhere")))
    shop.run("registrations")
    problem = entry_of(shop).problem
    assert problem is not None
    assert problem.code == "channel_unknown"
    assert ORG not in list(shop.store.organisations())
    channel = a_channel(channel_id=ChannelId("nowhere"))
    shop.remap(channels={**shop.mapping.channels, channel.channel_id: channel})
    shop.run("registrations")
    assert entry_of(shop).problem is None
    assert ORG in list(shop.store.organisations())


# --- The walk (VE-3) ---


@pytest.mark.rule("VE-3", "VE-9")
def test_the_status_follows_what_is_missing_until_nothing_is(shop: World) -> None:
    handed_in = a.an_application(tax_id=" ", documents=())
    shop.store.hand_in(handed_in)
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.PROSPECT
    assert told(shop).missing == ("tax_id", "licence")
    handed_in = dataclasses.replace(handed_in, tax_id="DE 1")
    shop.store.hand_in(handed_in)
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.DOCUMENTS_PENDING
    assert told(shop).missing == ("licence",)
    shop.store.hand_in(dataclasses.replace(handed_in, documents=(LICENCE,)))
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.APPLIED
    assert told(shop).missing == ()
    assert shop.run("registrations").writes == 0


@pytest.mark.rule("VE-9")
def test_the_documents_are_those_of_the_state_that_the_company_is_in(shop: World) -> None:
    shop.store.hand_in(a.an_application(country="US", region="CA"))
    shop.run("registrations")
    assert told(shop).missing == ("resale",)
    assert status_in_store(shop) is AccountStatus.DOCUMENTS_PENDING


@pytest.mark.rule("VE-3", "VE-9")
def test_staff_ask_for_more_and_have_it_under_review_when_it_came(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    staff(shop).review(NEW, AccountStatus.UNDER_REVIEW, "looks well")
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.UNDER_REVIEW
    staff(shop).request_documents(NEW, ["statement"], "who owns it?", "Please send a statement.")
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.DOCUMENTS_PENDING
    assert (told(shop).missing, told(shop).message) == (
        ("statement",),
        "Please send a statement.",
    )
    statement = dataclasses.replace(LICENCE, kind="statement")
    shop.store.hand_in(a.an_application(documents=(LICENCE, statement)))
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.UNDER_REVIEW
    staff(shop).review(NEW, AccountStatus.VERIFICATION_3, "credit check")
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.VERIFICATION_3
    with pytest.raises(Rejected, match="cannot go from"):
        staff(shop).review(NEW, AccountStatus.VERIFICATION_1, "again")


# --- Approved ---


@pytest.mark.rule("VE-9", "VE-3", "WA-12")
def test_an_approval_with_an_existing_customer_ends_in_an_order_under_it(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    assert is_open(shop)

    approve(shop, LinkCustomer(MILL))
    shop.run("registrations")

    assert shop.assignments.written == {ORG: MILL}
    assert shop.assignments.reasons == [("ann", "application app-1: references checked")]
    # The mapping in force does not say so yet: an order would be quarantined.
    assert status_in_store(shop) is AccountStatus.APPROVED
    assert is_open(shop)
    shop.take_up_assignments()
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.ACTIVE
    assert not is_open(shop)
    assert entry_of(shop).stage is Stage.ACTIVE
    order = a.a_web_order(
        buyer=Buyer(web_user=USER, signed_in=True, organisation=ORG),
        ship_to=a.a_typed_address(),
    )
    shop.store.place_order(order)
    shop.run("orders")
    assert [row.order.sold_to for row in shop.erp.orders] == [MILL]
    assert shop.run("registrations").writes == 0


@pytest.mark.rule("VE-9")
def test_an_approval_without_one_makes_the_customer_in_the_erp_once(shop: World) -> None:
    activated(shop, CreateCustomer())
    (made,) = shop.erp.created.values()
    account = shop.erp.accounts([made])[made]
    assert (account.name, account.tax_id) == ("Lantern Works GmbH", "DE 811 222 333")
    assert [each.email for each in account.contacts] == ["ines@lantern.example"]
    assert shop.assignments.written == {ORG: made}
    assert status_in_store(shop) is AccountStatus.ACTIVE
    shop.run("registrations")
    assert shop.erp.creations == 1


@pytest.mark.rule("VE-9", "VE-3", "WA-12")
def test_active_waits_until_the_erp_calls_the_account_usable(shop: World) -> None:
    shop.erp.creates_prospects = True
    activated(shop, CreateCustomer())
    (made,) = shop.erp.created.values()
    assert status_in_store(shop) is AccountStatus.APPROVED
    result = shop.run("registrations")
    assert result.counts == {"waiting_for_erp": 1}
    assert "is a prospect" in result.remarks[0]
    shop.erp.change_account(made, prospect=False, status=AccountStatus.SUSPENDED)
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.APPROVED
    shop.erp.change_account(made, status=AccountStatus.ACTIVE)
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.ACTIVE


@pytest.mark.rule("WA-2b", "VE-9")
def test_nobody_is_linked_to_a_retail_group(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    with pytest.raises(Rejected, match="retail group"):
        approve(shop, LinkCustomer(RETAIL))
    approve(shop, LinkCustomer(MILL))
    # It becomes one before the approval is carried out.
    web = shop.mapping.channels[WEB]
    group = dataclasses.replace(web.retail_groups[0], customer_id=MILL)
    shop.remap(channels={**shop.mapping.channels, WEB: a_channel(retail_groups=(group,))})
    shop.run("registrations")
    assert shop.assignments.written == {}
    problem = entry_of(shop).problem
    assert problem is not None
    assert problem.rule == "WA-2b"
    assert status_in_store(shop) is AccountStatus.APPROVED


@pytest.mark.rule("WA-2b", "WA-8", "VE-3")
def test_a_customer_that_becomes_a_retail_group_never_becomes_active(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    shop.run("registrations")
    shop.take_up_assignments()
    web = shop.mapping.channels[WEB]
    group = dataclasses.replace(web.retail_groups[0], customer_id=MILL)
    shop.remap(channels={**shop.mapping.channels, WEB: a_channel(retail_groups=(group,))})
    shop.run("registrations")
    assert status_in_store(shop) is AccountStatus.APPROVED


@pytest.mark.rule("VE-9", "WA-2c")
def test_a_customer_that_the_erp_lacks_is_never_mapped(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    with pytest.raises(Rejected, match="customer C-9: the ERP has no such customer"):
        approve(shop, LinkCustomer(CustomerId("C-9")))
    approve(shop, LinkCustomer(MILL))
    shop.erp.remove_account(MILL)
    shop.run("registrations")
    assert shop.assignments.written == {}
    assert "no customer" in staff(shop).show(NEW).history[-1].detail
    approve(shop, LinkCustomer(HARBOUR))
    shop.run("registrations")
    assert shop.assignments.written == {ORG: HARBOUR}


@pytest.mark.rule("VE-9", "WA-2c", "WA-8")
@pytest.mark.parametrize("dry_run", [False, True])
def test_an_approval_tells_what_is_doubtful_about_the_account_before_it_acts(
    shop: World, dry_run: bool
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    shop.erp.change_account(MILL, active=False)
    done = staff(shop, dry_run=dry_run).approve(NEW, LinkCustomer(MILL), "known")
    inactive, shared = done.doubts.others
    assert inactive.said == "customer C-2002 is inactive in the ERP"
    assert shared.said.startswith(
        "organisation org-app-1 has the account C-2002, which organisation org-34 has too"
        " (customers.csv:3): each sees the invoices and ship-tos of the other"
    )
    assert (done.doubts.lacking, done.doubts.unread) == ((), "")
    assert entry_of(shop).stage is (Stage.OPEN if dry_run else Stage.APPROVED)


@pytest.mark.rule("VE-9", "WA-2c")
def test_an_approval_of_whom_the_systems_lack_must_be_insisted_on_and_waits_for_them(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    coming = CustomerId("C-9")
    for dry_run, ended in ((False, "nothing was written"), (True, "this would be refused")):
        with pytest.raises(Rejected, match=f"org-app-1 -> C-9: {ended}") as refused:
            staff(shop, dry_run=dry_run).approve(NEW, LinkCustomer(coming), "known")
        assert "say --anyway" in refused.value.remedy
    assert entry_of(shop).stage is Stage.OPEN
    approve(shop, LinkCustomer(coming), anyway=True)
    told_why = staff(shop).show(NEW).history[-1].detail
    assert "customer C-9, although customer C-9: the ERP has no such customer" in told_why
    shop.run("registrations")
    assert shop.assignments.written == {}
    shop.erp.add_account(a.an_account(customer_id=coming))
    shop.run("registrations")
    assert shop.assignments.written == {ORG: coming}


@pytest.mark.rule("VE-9", "OP-1")
def test_an_approval_that_no_store_can_be_asked_about_says_so_and_goes_on(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")

    class Away(MemoryStore):
        def organisations(self) -> Iterator[OrganisationId]:
            raise TryLater("the shop is away")

    shop.store.__class__ = Away
    done = approve(shop, LinkCustomer(MILL))
    assert done.doubts.told == []
    assert "the shop is away" in done.doubts.unread
    assert entry_of(shop).stage is Stage.APPROVED


@pytest.mark.rule("VE-9", "WA-2c")
def test_what_moves_while_an_approval_is_compared_is_not_approved_by_that(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")

    class Meanwhile(MemoryAssignments):
        def with_assignment(
            self, organisation: OrganisationId, customer_id: CustomerId
        ) -> SyncMapping:
            staff(shop).review(NEW, AccountStatus.UNDER_REVIEW, "looks odd")
            return super().with_assignment(organisation, customer_id)

    shop.assignments = Meanwhile()
    with pytest.raises(Conflict, match="has changed"):
        approve(shop, LinkCustomer(MILL))
    assert entry_of(shop).stage is Stage.OPEN


@pytest.mark.rule("VE-9")
def test_an_organisation_that_somebody_mapped_otherwise_waits_for_a_person(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    shop.assignments.put_assignment(ORG, HARBOUR, "bo", "by hand")
    with pytest.raises(Rejected, match="stands for customer C-1001 in the mapping files"):
        approve(shop, LinkCustomer(MILL))
    shop.run("registrations")
    assert shop.assignments.written == {ORG: HARBOUR}
    problem = entry_of(shop).problem
    assert problem is not None
    assert problem.code == "mapped_otherwise"


@pytest.mark.rule("VE-9")
def test_a_refusal_by_the_erp_waits_for_a_person_who_decides_anew(shop: World) -> None:
    shop.erp.refuse_customers = "tax ID is blocked"
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.run("registrations")
    shop.run("registrations")
    assert shop.erp.creations == 1
    problem = entry_of(shop).problem
    assert problem is not None
    assert "tax ID is blocked" in problem.sentence
    shop.erp.refuse_customers = None
    approve(shop, CreateCustomer())
    shop.run("registrations")
    assert len(shop.erp.created) == 1


@pytest.mark.rule("VE-9")
def test_what_was_approved_is_what_the_erp_is_asked_for(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.store.hand_in(a.an_application(company="Somebody Else Ltd"))
    shop.run("registrations")
    (made,) = shop.erp.created.values()
    assert shop.erp.accounts([made])[made].name == "Lantern Works GmbH"


@pytest.mark.rule("VE-9")
def test_an_erp_that_makes_no_customers_is_told_plainly(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")

    class NoCustomers:
        capabilities = shop.erp.capabilities

    context = dataclasses.replace(shop.context(), erp=NoCustomers())  # type: ignore[arg-type]
    with pytest.raises(Misconfigured, match="does not create customers"):
        RegistrationDesk(context, "ann").approve(NEW, CreateCustomer(), "why not")
    assert RegistrationDesk(context, "ann").show(NEW).candidates is None


@pytest.mark.rule("VE-9")
def test_nothing_is_approved_that_lacks_something_unless_staff_pass_over_a_document(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application(documents=()))
    shop.run("registrations")
    with pytest.raises(Rejected, match="lacks licence"):
        approve(shop, LinkCustomer(MILL))
    approve(shop, LinkCustomer(MILL), despite_missing=True)
    other = ApplicationId("app-2")
    shop.store.hand_in(a.an_application(application_id=other, tax_id=None))
    shop.run("registrations")
    with pytest.raises(Rejected, match="lacks tax_id"):
        staff(shop).approve(other, LinkCustomer(MILL), "known", despite_missing=True)


@pytest.mark.rule("VE-9")
def test_the_same_customer_is_proposed_with_reasons_and_never_linked_by_itself(
    shop: World,
) -> None:
    shop.erp.change_account(MILL, name="Lantern Works", tax_id="DE811222333")
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    (candidate,) = staff(shop).show(NEW).candidates or ()
    assert (candidate.customer_id, candidate.reasons) == (MILL, ("same tax ID", "same name"))
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.OPEN
    assert shop.assignments.written == {}


# --- Rejected ---


@pytest.mark.rule("VE-9", "WA-2a")
def test_a_rejection_ends_it_with_a_word_to_the_applicant_until_they_apply_again(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    staff(shop).reject(NEW, "bankrupt in 2024", "We cannot offer you an account.")
    shop.run("registrations")
    assert told(shop) == RegistrationNotice(
        a.PLACED_AT,
        AccountStatus.PROSPECT,
        rejected=True,
        message="We cannot offer you an account.",
    )
    assert not is_open(shop)
    assert status_in_store(shop) is AccountStatus.PROSPECT
    assert shop.run("registrations").counts == {}
    with pytest.raises(Rejected, match="only before that"):
        approve(shop, LinkCustomer(MILL))

    shop.store.hand_in(a.an_application(submitted_at=a.PLACED_AT + timedelta(days=1)))
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.OPEN
    assert status_in_store(shop) is AccountStatus.APPLIED
    assert is_open(shop)
    events = [each.event for each in staff(shop).show(NEW).history]
    assert "rejected" in events
    assert "handed_in_again" in events


@pytest.mark.rule("VE-9")
def test_what_is_mapped_is_unmapped_before_it_is_rejected(shop: World) -> None:
    shop.erp.creates_prospects = True
    activated(shop, CreateCustomer())
    with pytest.raises(Rejected, match="mapped"):
        staff(shop).reject(NEW, "fraud")
    shop.assignments.written.clear()
    staff(shop).reject(NEW, "fraud")
    shop.take_up_assignments()
    shop.run("registrations")
    assert told(shop).rejected


@pytest.mark.rule("WA-2a")
def test_an_applicant_is_never_taken_for_retail_on_terms_while_it_is_open(shop: World) -> None:
    shop.store.add_user(a.a_web_user(web_user=WebUserId("u-9"), memberships=()))
    shop.store.hand_in(a.an_application(web_user=WebUserId("u-9")))
    shop.run("registrations")
    order = a.a_web_order(buyer=Buyer(web_user=WebUserId("u-9"), signed_in=True))
    shop.store.place_order(order)
    shop.run("orders")
    assert shop.codes() == {"application_open"}


@pytest.mark.rule("VE-3", "VE-9")
def test_an_older_state_takes_no_active_account_back(shop: World, make_world: MakeWorld) -> None:
    older = make_world(
        clock=shop.clock, erp=shop.erp, store=shop.store, assignments=shop.assignments
    )
    older.remap(required_documents=REQUIRED)
    shop.store.hand_in(a.an_application())
    older.run("registrations")
    activated(shop, CreateCustomer())
    assert status_in_store(shop) is AccountStatus.ACTIVE

    older.take_up_assignments()
    older.run("registrations")

    assert status_in_store(shop) is AccountStatus.ACTIVE
    problem = entry_of(older).problem
    assert problem is not None
    assert problem.code == "store_knows_more"
    before = entry_of(older)
    older.run("registrations")
    assert entry_of(older) == before
    (made,) = shop.erp.created.values()
    staff(older).approve(NEW, LinkCustomer(made), "as before")
    older.run("registrations")
    assert entry_of(older).stage is Stage.ACTIVE
    assert older.run("registrations").counts == {}


# --- Every step is told, nothing is done twice ---


@pytest.mark.rule("VE-9")
def test_every_step_says_who_when_and_why(shop: World) -> None:
    activated(shop, LinkCustomer(MILL))
    history = staff(shop).show(NEW).history
    assert [(each.event, each.actor) for each in history] == [
        ("taken_up", "daemon"),
        ("judged", "daemon"),
        ("registrant_created", "daemon"),
        ("approved", "ann"),
        ("customer_linked", "daemon"),
        ("mapping_begun", "daemon"),
        ("mapped", "daemon"),
        ("active", "daemon"),
    ]
    assert "references checked" in history[3].detail
    with shop.state.transaction() as state:
        (noted,) = state.audit.entries(AuditFilter(action="registration.approved"))
    assert noted.actor == "ann"
    assert noted.reason == "references checked"
    (about, *_) = noted.records
    assert (about.kind, about.key) == (RecordKind.APPLICATION, "app-1")
    assert (about.before, about.after) == ("open: applied", "approved: approved")


def test_a_rehearsal_changes_nothing_on_either_side(shop: World) -> None:
    shop.store.hand_in(a.an_application(documents=()))
    result = shop.run("registrations", dry_run=True)
    assert result.samples == ["app-1: documents pending, lacks licence"]
    with shop.state.transaction() as state:
        assert state.registrations.entries() == []
    assert list(shop.store.shown_registrations([NEW])) == []
    shop.run("registrations")
    before = entry_of(shop)
    done = staff(shop, dry_run=True).approve(
        NEW, LinkCustomer(MILL), "why not", despite_missing=True
    )
    assert done.entry.stage is Stage.APPROVED
    assert entry_of(shop) == before


def test_a_decision_about_what_somebody_no_longer_sees_is_refused(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    seen = entry_of(shop).version
    shop.store.hand_in(a.an_application(company="Another Name"))
    shop.run("registrations")
    with pytest.raises(Conflict, match="has changed"):
        approve(shop, CreateCustomer(), seen=seen)


def test_one_that_cannot_be_read_holds_up_nobody(shop: World) -> None:
    shop.store.hand_in(UnreadableApplication("app-0", "its key is padded"))
    shop.store.hand_in(
        a.an_application(application_id=ApplicationId("app-2"), web_user=WebUserId("u-nobody"))
    )
    shop.store.hand_in(a.an_application())
    result = shop.run("registrations")
    assert result.outcome == "ok"
    assert result.counts["unreadable"] == 1
    assert status_in_store(shop) is AccountStatus.APPLIED
    stopped = entry_of(shop, ApplicationId("app-2"))
    assert stopped.problem is not None
    assert stopped.problem.code == "store_unknown_user"
    shop.run("registrations")
    assert entry_of(shop, ApplicationId("app-2")) == stopped
    shop.store.add_user(a.a_web_user(web_user=WebUserId("u-nobody"), memberships=()))
    shop.run("registrations")
    assert entry_of(shop, ApplicationId("app-2")).problem is None
    assert status_in_store(shop, OrganisationId("org-app-2")) is AccountStatus.APPLIED


def test_an_application_that_vanished_is_rejected_without_telling_the_store(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    shop.store.take_back(NEW)
    staff(shop).reject(NEW, "withdrawn")
    assert shop.run("registrations").outcome == "ok"
    with shop.state.transaction() as state:
        assert list(state.registrations.unsettled()) == []


def test_a_store_without_registrations_is_left_alone(shop: World) -> None:
    class Bare:
        capabilities = shop.store.capabilities

    context = dataclasses.replace(shop.context(), store=Bare())  # type: ignore[arg-type]
    result = run_flow(context, "registrations")
    assert result.outcome == "ok"
    assert "no registrations" in result.remarks[0]


# --- Two at it at once: staff and the run ---


class InterruptedFiles(MemoryAssignments):
    """Staff do something at the moment at which the file is about to be written, or was."""

    def __init__(self, interrupt: Callable[[], object], *, after: bool = False) -> None:
        super().__init__()
        self._interrupt, self._after = interrupt, after

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        if not self._after:
            self._interrupt()
        versions = super().put_assignment(organisation, customer_id, actor, reason)
        if self._after:
            self._interrupt()
        return versions


@pytest.mark.rule("VE-9", "WA-8")
@pytest.mark.parametrize("after", [False, True])
def test_nobody_is_rejected_while_their_customer_is_written_into_the_mapping(
    shop: World, after: bool
) -> None:
    refused: list[str | None] = []

    def reject() -> None:
        with pytest.raises(Rejected) as found:
            staff(shop).reject(NEW, "fraud")
        refused.append(found.value.code)

    shop.assignments = InterruptedFiles(reject, after=after)
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    shop.run("registrations")
    assert refused == ["mapping_under_way"]
    assert entry_of(shop).stage is Stage.MAPPED
    assert shop.assignments.written == {ORG: MILL}


@pytest.mark.rule("VE-9", "WA-8")
def test_who_is_rejected_just_before_the_mapping_is_written_is_not_mapped(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))

    class RejectedMeanwhile(MemoryErp):
        def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
            if entry_of(shop).stage is Stage.CUSTOMER_KNOWN:
                staff(shop).reject(NEW, "fraud")
            return super().accounts(customer_ids)

    shop.erp.__class__ = RejectedMeanwhile
    assert shop.run("registrations").counts["moved"] == 1
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.REJECTED
    assert shop.assignments.written == {}


@pytest.mark.rule("VE-9", "WA-8")
def test_a_rejection_goes_by_no_file_that_was_read_before_the_mapping_was_written(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    seen_unmapped = MemoryAssignments()

    class ReadBefore(MemoryAssignments):
        def assignment_of(self, organisation: OrganisationId) -> CustomerId | None:
            found = seen_unmapped.assignment_of(organisation)
            shop.run("registrations")
            return found

    desk = RegistrationDesk(dataclasses.replace(shop.context(), assignments=ReadBefore()), "ann")
    with pytest.raises(Conflict, match="has changed"):
        desk.reject(NEW, "fraud")
    assert entry_of(shop).stage is Stage.MAPPED


@pytest.mark.rule("VE-9", "OP-1")
def test_a_mapping_that_was_cut_short_is_written_by_the_next_run(make_world: MakeWorld) -> None:
    script = Script().crash_before("mapping.put_assignment")
    shop = make_world(script=script)
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    with pytest.raises(Crash):
        shop.run("registrations")
    script.restart()
    assert entry_of(shop).stage is Stage.MAPPING
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.MAPPED
    assert shop.assignments.written == {ORG: MILL}


@pytest.mark.rule("VE-9")
def test_a_mapping_that_the_files_refuse_may_be_rejected_or_tried_again(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))

    class Refusing(MemoryAssignments):
        def put_assignment(
            self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
        ) -> tuple[str, str]:
            raise Rejected("somebody mapped it", code="mapped_otherwise", remedy="look at it")

    shop.assignments = Refusing()
    shop.run("registrations")
    entry = entry_of(shop)
    assert entry.stage is Stage.CUSTOMER_KNOWN
    assert entry.problem is not None
    assert entry.problem.code == "mapped_otherwise"
    shop.assignments = MemoryAssignments()
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.MAPPED


# --- Whose customer it is, and whose organisation ---


@pytest.mark.rule("VE-9", "WA-8")
def test_who_applies_anew_under_another_company_gets_a_customer_of_their_own(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.run("registrations")
    first = entry_of(shop).customer_id
    shop.assignments.written.clear()
    staff(shop).reject(NEW, "wrong papers")
    shop.run("registrations")
    later = a.PLACED_AT + timedelta(days=30)
    shop.store.hand_in(
        a.an_application(submitted_at=later, company="Harbour Lights Ltd", tax_id="GB 999")
    )
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.run("registrations")
    made = entry_of(shop).customer_id
    assert made is not None
    assert made != first
    assert shop.erp.accounts([made])[made].name == "Harbour Lights Ltd"
    assert shop.assignments.written == {ORG: made}


@pytest.mark.rule("VE-9", "WA-8")
@pytest.mark.parametrize(
    "told, is_theirs",
    [
        ({"name": "Lantern Works GmbH", "tax_id": "XX 1"}, False),
        ({"name": "Mill Works GmbH & Co", "tax_id": None}, False),
        ({"name": "LANTERN WORKS", "tax_id": "DE811222333"}, True),
        ({"name": "Renamed since", "tax_id": "DE 811.222.333"}, True),
        ({"name": "Lantern Works", "tax_id": None}, True),
    ],
)
def test_a_customer_found_under_the_key_is_taken_only_if_it_is_the_applicants(
    make_world: MakeWorld, told: dict[str, Any], is_theirs: bool
) -> None:
    shop = make_world(script=Script().lost_reply("erp.create_customer"))
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.run("registrations")
    (made,) = shop.erp.created.values()
    shop.erp.change_account(made, **told)
    shop.clock.advance(86_400)
    shop.run("registrations")
    assert shop.assignments.written == ({ORG: made} if is_theirs else {})
    entry = entry_of(shop)
    assert (entry.problem is None) is is_theirs
    if not is_theirs:
        assert entry.stage is Stage.APPROVED
        assert entry.problem is not None
        assert entry.problem.code == "customer_is_another"
        version = entry.version
        shop.run("registrations")
        assert entry_of(shop).version == version
        approve(shop, LinkCustomer(HARBOUR))
        shop.run("registrations")
        assert shop.assignments.written == {ORG: HARBOUR}


@pytest.mark.rule("TL-5", "VE-9")
def test_an_application_whose_user_was_corrected_waits_for_a_person(shop: World) -> None:
    shop.store.hand_in(a.an_application(web_user=HARBOUR_BUYER))
    shop.run("registrations")
    shop.store.hand_in(a.an_application(web_user=MILL_BUYER))
    shop.run("registrations")
    problem = entry_of(shop).problem
    assert problem is not None
    assert problem.code == "another_user"
    assert HARBOUR_BUYER.value in problem.sentence
    with pytest.raises(Rejected, match=MILL_BUYER.value):
        approve(shop, CreateCustomer())
    version = entry_of(shop).version
    shop.run("registrations")
    assert entry_of(shop).version == version
    # The first one was right after all.
    shop.store.hand_in(a.an_application(web_user=HARBOUR_BUYER))
    shop.run("registrations")
    assert entry_of(shop).problem is None
    approve(shop, CreateCustomer())


@pytest.mark.rule("TL-5")
def test_nobody_becomes_manager_by_an_application_that_names_another_user_now(
    shop: World,
) -> None:
    person = a.an_application(web_user=HARBOUR_BUYER, kind=AccountKind.PERSONAL)
    shop.store.hand_in(person)
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.PERSONAL
    later = a.PLACED_AT + timedelta(days=1)
    shop.store.hand_in(a.an_application(web_user=MILL_BUYER, submitted_at=later))
    shop.run("registrations")
    assert ORG not in list(shop.store.organisations())
    problem = entry_of(shop).problem
    assert problem is not None
    assert problem.code == "another_user"


@pytest.mark.rule("VE-3", "WA-12")
def test_no_organisation_is_shown_active_anew_that_is_mapped_no_more(shop: World) -> None:
    activated(shop, CreateCustomer())
    written = dict(shop.assignments.written)
    shop.assignments.written.clear()
    shop.take_up_assignments()
    later = a.PLACED_AT + timedelta(days=400)
    shop.store.hand_in(a.an_application(submitted_at=later))
    assert shop.run("registrations").counts["waiting_for_mapping"] == 1
    assert told(shop).submitted_at == a.PLACED_AT
    shop.assignments.written.update(written)
    shop.take_up_assignments()
    shop.run("registrations")
    assert told(shop) == RegistrationNotice(later, AccountStatus.ACTIVE)


@pytest.mark.rule("VE-3", "VE-9")
def test_active_waits_while_the_mapping_in_force_names_another_customer(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    shop.run("registrations")
    shop.assignments.written[ORG] = HARBOUR
    shop.take_up_assignments()
    assert shop.run("registrations").counts == {"waiting_for_mapping": 1}
    assert status_in_store(shop) is AccountStatus.APPROVED


@pytest.mark.rule("VE-9", "OP-2")
@pytest.mark.parametrize("approval", [CreateCustomer(), LinkCustomer(MILL)])
def test_a_run_counts_and_names_what_it_did_about_an_approval(
    shop: World, approval: ApprovedAs
) -> None:
    shop.store.hand_in(a.an_application())
    assert shop.run("registrations").samples == [
        "app-1: made in the store: user u-app-1, manager of organisation org-app-1"
    ]
    approve(shop, approval)
    before = shop.assignments.version = shop.mapping.version
    result = shop.run("registrations")
    customer = entry_of(shop).customer_id
    assert customer is not None
    made = isinstance(approval, CreateCustomer)
    assert result.counts == {
        **({"customers_created": 1} if made else {}),
        "mappings_written": 1,
        "made_active": 1,
        "shown": 1,
    }
    assert result.samples == [
        *([f"app-1: customer {customer} made in the ERP"] if made else []),
        f"app-1: organisation org-app-1 -> {customer}: mapping {before} becomes {before}+",
        "app-1: approved -> active",
    ]
    idle = shop.run("registrations")
    assert (idle.counts, idle.samples) == ({}, [])


@pytest.mark.rule("VE-9", "OP-2")
def test_a_run_that_only_finds_its_line_in_the_files_names_the_state_and_no_line(
    make_world: MakeWorld,
) -> None:
    script = Script().crash_after("mapping.put_assignment")
    shop = make_world(script=script)
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    with pytest.raises(Crash):
        shop.run("registrations")
    script.restart()
    result = shop.run("registrations")
    assert "mappings_written" not in result.counts
    assert result.samples == ["app-1: mapping -> mapped"]


@pytest.mark.rule("VE-9", "OP-2")
def test_a_run_that_breaks_off_has_named_what_it_did_before(shop: World) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    shop.assignments.version = shop.mapping.version

    class Full(MemoryStore):
        def show_registration(self, application_id: ApplicationId, view: RegistrationView) -> None:
            raise Rejected("the shop is full", code="full", remedy="empty it")

    shop.store.__class__ = Full
    result = shop.run("registrations")
    assert result.outcome != "ok"
    assert result.counts["mappings_written"] == 1
    assert "made_active" not in result.counts
    assert result.samples[-1] == "app-1: approved -> mapped"


@pytest.mark.rule("VE-9", "OP-4")
@pytest.mark.parametrize("approval", [CreateCustomer(), LinkCustomer(MILL)])
def test_one_run_carries_an_approval_to_its_end_where_nobody_else_is_at_the_files(
    shop: World, approval: ApprovedAs
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, approval)
    shop.assignments.version = shop.mapping.version
    counts = shop.run("registrations").counts
    assert entry_of(shop).stage is Stage.ACTIVE
    assert status_in_store(shop) is AccountStatus.ACTIVE
    assert "waiting_for_mapping" not in counts
    assert shop.mapping.version == shop.assignments.version
    assert shop.run("registrations").writes == 0


class EditedFiles(MemoryAssignments):
    """Somebody saves the files just ``before`` the line is written, or just after."""

    def __init__(self, version: str, *, before: bool) -> None:
        super().__init__()
        self.version, self._before = version, before

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        if self._before:
            self.version = "somebody's"
        versions = super().put_assignment(organisation, customer_id, actor, reason)
        if not self._before:
            self.version = "somebody's"
        return versions


@pytest.mark.rule("VE-9", "OP-4")
@pytest.mark.parametrize("before", [True, False])
def test_what_somebody_else_writes_into_the_files_does_not_come_into_force_by_an_approval(
    shop: World, before: bool
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    in_force = shop.mapping
    shop.assignments = EditedFiles(in_force.version, before=before)
    assert shop.run("registrations").counts["waiting_for_mapping"] == 1
    assert (shop.mapping, entry_of(shop).stage) == (in_force, Stage.MAPPED)
    assert status_in_store(shop) is AccountStatus.APPROVED
    shop.take_up_assignments()
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.ACTIVE


@pytest.mark.rule("VE-9", "OP-1")
@pytest.mark.parametrize("in_force", [True, False])
def test_a_crash_while_the_mapping_is_taken_up_leaves_what_the_next_run_ends(
    shop: World, monkeypatch: pytest.MonkeyPatch, in_force: bool
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.assignments.version = shop.mapping.version

    def dies(before: str, after: str) -> None:
        if in_force:
            shop.take_up_assignments()
        raise Crash

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(shop, "_taken_up", dies)
        with pytest.raises(Crash):
            shop.run("registrations")
    assert entry_of(shop).stage is Stage.MAPPED
    shop.new_process()
    shop.take_up_assignments()  # a process that starts reads the files
    shop.run("registrations")
    assert entry_of(shop).stage is Stage.ACTIVE
    assert (shop.erp.creations, len(shop.assignments.reasons)) == (1, 1)


@pytest.mark.rule("VE-3", "VE-9")
def test_one_run_makes_nobody_active_whose_account_the_erp_does_not_call_usable(
    shop: World,
) -> None:
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, LinkCustomer(MILL))
    shop.erp.change_account(MILL, active=False)
    shop.assignments.version = shop.mapping.version
    assert shop.run("registrations").counts["waiting_for_erp"] == 1
    assert status_in_store(shop) is AccountStatus.APPROVED


@pytest.mark.rule("VE-9", "OP-1")
def test_a_customer_without_an_answer_is_looked_for_only_when_the_erp_is_done_with_it(
    make_world: MakeWorld,
) -> None:
    shop = make_world(script=Script().lost_reply("erp.create_customer"))
    shop.store.hand_in(a.an_application())
    shop.run("registrations")
    approve(shop, CreateCustomer())
    shop.run("registrations")
    assert shop.run("registrations").counts["outcome_awaited"] == 1
    assert entry_of(shop).stage is Stage.CREATING
    look_at = entry_of(shop).look_again_at
    assert look_at is not None
    shop.clock.advance((look_at - shop.clock.now()).total_seconds())
    shop.run("registrations")
    assert shop.erp.creations == 1
    assert entry_of(shop).stage is Stage.MAPPED
