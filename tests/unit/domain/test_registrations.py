"""What a registration makes, what it lacks, and which way it may go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain import codec
from sync.domain.account import AccountStatus, IndividualAccount, RetailGroups
from sync.domain.candidates import Candidate, CustomerMatch, CustomerSearch, candidates
from sync.domain.channel import Channel, CommerceMode, Registration, RetailGroup
from sync.domain.ids import CustomerId
from sync.domain.registration import (
    AccountKind,
    Application,
    Document,
    RegistrationNotice,
    RegistrationView,
    UsableAccount,
    kind_of,
    may_move,
    missing_details,
    missing_documents,
    new_customer,
    status_by_what_is_missing,
)
from sync.testing import builders as a

NOBODY = RetailGroups.of(())
BUSINESS = AccountKind.BUSINESS


GROUP = (RetailGroup(a.RETAIL_ACCOUNT, ("EUR",)),)


@pytest.mark.rule("TL-5", "TL-4")
@pytest.mark.parametrize("asked", [*AccountKind, None])
@pytest.mark.parametrize("registration", Registration)
@pytest.mark.parametrize("mode", CommerceMode)
def test_the_channel_says_what_a_registration_makes(
    mode: CommerceMode, registration: Registration, asked: AccountKind | None
) -> None:
    groups = () if mode is CommerceMode.B2B else GROUP
    channel = Channel(a.CHANNEL, mode, registration=registration, retail_groups=groups)
    on_hybrid = {
        Registration.PERSONAL: AccountKind.PERSONAL,
        Registration.BUSINESS: AccountKind.BUSINESS,
        Registration.BOTH: asked,
    }
    wanted = {
        CommerceMode.B2B: AccountKind.BUSINESS,
        CommerceMode.B2C: AccountKind.PERSONAL,
        CommerceMode.HYBRID: on_hybrid[registration],
    }
    assert kind_of(a.an_application(kind=asked), channel) is wanted[mode]


@pytest.mark.rule("VE-9")
@pytest.mark.parametrize("field", ["company", "tax_id", "contact_name", "email", "country"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_business_names_company_tax_id_contact_and_country(field: str, value: str | None) -> None:
    assert missing_details(a.an_application(), BUSINESS) == ()
    lacking = a.an_application(**{field: value})
    assert missing_details(lacking, BUSINESS) == (field,)
    with pytest.raises(ValueError, match=field):
        new_customer(lacking)


@pytest.mark.rule("TL-5", "VE-8")
def test_a_person_needs_no_company() -> None:
    person = a.an_application(company=None, tax_id=None, country=None)
    assert missing_details(person, AccountKind.PERSONAL) == ()
    assert missing_details(person, None) == ("kind",)


@pytest.mark.rule("VE-9")
@pytest.mark.parametrize(
    "media_type, counts",
    [
        ("application/pdf", True),
        ("image/png", True),
        ("IMAGE/JPEG", True),
        ("text/html", False),
        ("application/x-msdownload", False),
        (None, False),
    ],
)
def test_only_a_pdf_or_an_image_counts_as_handed_in(media_type: str | None, counts: bool) -> None:
    handed_in = a.an_application(documents=(Document("licence", "s3://docs/1", media_type),))
    assert missing_documents(handed_in, ("licence",)) == (() if counts else ("licence",))
    nowhere = a.an_application(documents=(Document("licence", " ", "application/pdf"),))
    assert missing_documents(nowhere, ("licence",)) == ("licence",)


@pytest.mark.rule("VE-9")
def test_what_staff_asked_for_is_missing_beside_what_is_required() -> None:
    application = a.an_application(documents=())
    lacking = missing_documents(application, ("licence",), ("statement", "licence"))
    assert lacking == ("licence", "statement")


@pytest.mark.rule("VE-3")
def test_the_walk_goes_forward_and_back_only_for_what_is_missing() -> None:
    forward = [
        (before, after)
        for before in AccountStatus
        for after in AccountStatus
        if after > before and may_move(before, after)
    ]
    # Any step may be skipped on the way to approved; only from there it is active.
    for before, after in forward:
        assert after <= AccountStatus.APPROVED or before is AccountStatus.APPROVED
    assert (AccountStatus.PROSPECT, AccountStatus.APPROVED) in forward
    assert (AccountStatus.APPLIED, AccountStatus.VERIFICATION_4) in forward
    back = {
        after
        for before in AccountStatus
        for after in AccountStatus
        if after < before and may_move(before, after)
    }
    assert back == {
        AccountStatus.PROSPECT,
        AccountStatus.APPLIED,
        AccountStatus.DOCUMENTS_PENDING,
    }


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize("before", sorted(set(AccountStatus) - {AccountStatus.APPROVED}))
def test_nothing_but_approved_becomes_active(before: AccountStatus) -> None:
    assert not may_move(before, AccountStatus.ACTIVE)
    assert may_move(AccountStatus.APPROVED, AccountStatus.ACTIVE)
    assert not may_move(before, AccountStatus.SUSPENDED)
    assert not may_move(before, AccountStatus.CLOSED)


@pytest.mark.rule("VE-3", "VE-9")
@pytest.mark.parametrize(
    "before, details, documents, requested, after",
    [
        (0, ("tax_id",), (), False, 0),
        (0, ("tax_id",), ("licence",), False, 0),
        (0, (), ("licence",), False, 2),
        (0, (), (), False, 1),
        (1, (), ("licence",), False, 2),
        (1, ("company",), (), False, 0),
        (2, (), (), False, 1),
        (2, (), (), True, 3),
        (3, (), ("licence",), True, 3),
        (6, ("company",), ("licence",), True, 6),
        (8, (), ("licence",), True, 8),
    ],
)
def test_the_status_follows_from_what_is_missing(
    before: int,
    details: tuple[str, ...],
    documents: tuple[str, ...],
    requested: bool,
    after: int,
) -> None:
    found = status_by_what_is_missing(
        AccountStatus(before), details, documents, requested=requested
    )
    assert found is AccountStatus(after)
    assert found is AccountStatus(before) or may_move(AccountStatus(before), found)


@pytest.mark.rule("VE-3", "WA-12")
@pytest.mark.parametrize(
    "changes",
    [
        {"prospect": True},
        {"active": False},
        {"status": AccountStatus.SUSPENDED},
        {"status": AccountStatus.APPROVED},
    ],
)
def test_there_is_no_proof_of_an_account_that_is_not_usable(changes: dict[str, object]) -> None:
    account = a.an_account(**changes)
    own = IndividualAccount(account.customer_id, NOBODY)
    with pytest.raises(ValueError, match="not usable"):
        UsableAccount(own, account)


@pytest.mark.rule("VE-9", "VE-3")
def test_active_cannot_be_shown_without_the_proof() -> None:
    account = a.an_account()
    usable = UsableAccount(IndividualAccount(account.customer_id, NOBODY), account)
    active = RegistrationNotice(a.PLACED_AT, AccountStatus.ACTIVE)
    assert RegistrationView(active, usable).notice.decided
    with pytest.raises(ValueError, match="usable"):
        RegistrationView(active)
    with pytest.raises(ValueError, match="usable"):
        RegistrationView(RegistrationNotice(a.PLACED_AT, AccountStatus.APPROVED), usable)
    other = a.an_account(customer_id=CustomerId("C-9"))
    with pytest.raises(ValueError, match="is not"):
        UsableAccount(IndividualAccount(account.customer_id, NOBODY), other)
    with pytest.raises(ValueError, match="the ERP's"):
        RegistrationNotice(a.PLACED_AT, AccountStatus.SUSPENDED)
    with pytest.raises(ValueError, match="prospect"):
        RegistrationNotice(a.PLACED_AT, AccountStatus.APPLIED, rejected=True)


@pytest.mark.rule("WA-2b")
def test_a_retail_group_is_never_a_candidate() -> None:
    match = CustomerMatch(a.RETAIL_ACCOUNT, "Harbour", "NL1")
    sought = CustomerSearch("Harbour", "NL1", "")
    assert candidates(sought, [match], NOBODY)
    assert candidates(sought, [match], RetailGroups.of([a.RETAIL_ACCOUNT])) == ()


@pytest.mark.rule("VE-9")
def test_candidates_are_ordered_by_what_they_have_in_common_and_say_it() -> None:
    sought = CustomerSearch("Müller & Söhne GmbH", "DE 123.456-789", "Anna@mueller.example")
    matches = [
        CustomerMatch(CustomerId("C-1"), "Mueller Trading"),
        CustomerMatch(CustomerId("C-2"), "MULLER & SOHNE", "de123456789"),
        CustomerMatch(CustomerId("C-3"), "Muller Sohne Ltd", "DE999", ("anna@mueller.example",)),
        CustomerMatch(CustomerId("C-4"), "Else", emails=("bob@mueller.example",), active=False),
    ]
    assert candidates(sought, matches, NOBODY) == (
        Candidate(CustomerId("C-2"), "MULLER & SOHNE", 85, ("same tax ID", "same name")),
        Candidate(
            CustomerId("C-3"),
            "Muller Sohne Ltd",
            40,
            ("another tax ID: DE999", "same name", "e-mail of a contact"),
        ),
        Candidate(
            CustomerId("C-4"), "Else", 5, ("contacts at mueller.example", "inactive in the ERP")
        ),
    )


@pytest.mark.rule("VE-9")
def test_an_address_that_anybody_may_have_says_nothing_of_a_company() -> None:
    match = CustomerMatch(CustomerId("C-1"), "Else", emails=("bob@gmail.com",))
    assert candidates(CustomerSearch("Harbour", "", "ann@gmail.com"), [match], NOBODY) == ()


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_score_is_at_most_a_hundred_whatever_people_type(name: str, tax: str, mail: str) -> None:
    match = CustomerMatch(CustomerId("C-1"), name or "x", tax or None, (mail,))
    found = candidates(CustomerSearch(name, tax, mail), [match], NOBODY)
    assert all(0 < each.score <= 100 and each.reasons for each in found)


def test_an_application_and_its_notice_are_kept_without_loss() -> None:
    application = a.an_application()
    assert codec.loads(Application, codec.dumps(application)) == application
    notice = RegistrationNotice(
        a.PLACED_AT + timedelta(hours=1), AccountStatus.DOCUMENTS_PENDING, missing=("licence",)
    )
    assert codec.loads(RegistrationNotice, codec.dumps(notice)) == notice
