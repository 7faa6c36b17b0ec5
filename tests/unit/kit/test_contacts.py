"""Many addresses are told apart as exactly as one by itself."""

from __future__ import annotations

import pytest

from sync.domain.ids import CustomerId
from sync.errors import Rejected
from sync.kit.contacts import ContactAnswers

ONE, TWO = CustomerId("C-1"), CustomerId("C-2")
REFUSED = Rejected("it cannot be read", code="erp_unreadable", remedy="correct it")


@pytest.mark.rule("WA-2")
def test_each_spelling_of_an_address_has_its_contacts_each_account_once() -> None:
    answers = ContactAnswers(["Ada@x.example", "ada@x.example", "bo@x.example", "ada@x.example"])
    for customer in (TWO, ONE, TWO):
        answers.found("ADA@x.example", customer)
    answers.found("somebody@x.example", ONE)

    both = (TWO, ONE)
    assert answers.told() == {"Ada@x.example": both, "ada@x.example": both, "bo@x.example": ()}


@pytest.mark.rule("WA-2", "WA-2c")
@pytest.mark.parametrize("first", ["found", "refused"])
def test_an_address_with_a_contact_that_cannot_be_read_is_refused(first: str) -> None:
    answers = ContactAnswers(["ada@x.example", "bo@x.example"])
    if first == "found":
        answers.found("ada@x.example", ONE)
    answers.refuse("Ada@x.example", REFUSED)
    answers.found("ada@x.example", TWO)

    assert answers.told() == {"ada@x.example": REFUSED, "bo@x.example": ()}


@pytest.mark.rule("WA-2", "WA-8")
@pytest.mark.parametrize("refused", [False, True])
def test_two_addresses_that_only_fold_alike_are_not_taken_for_one(refused: bool) -> None:
    sharp, folded = (f"stra{s}e@x.example" for s in ("\u00df", "ss"))
    answers = ContactAnswers([sharp, folded])
    if refused:
        answers.refuse("Strasse@x.example", REFUSED)
    else:
        answers.found("Strasse@x.example", ONE)

    assert answers.told() == {folded: REFUSED if refused else (ONE,)}
