"""A hundred thousand assignments are held all day long: each in little, and found at once."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, Assignments, SyncMapping
from sync.domain.order import BuyerRecord
from sync.mapping import check_texts
from sync.routing import AccountMap, Usable

MILL, SHOP = CustomerId("C-1"), CustomerId("C-2")
ANN, BOB, ACME = WebUserId("ann"), WebUserId("bob"), OrganisationId("acme")
MANY = 20_000
MOST_BYTES = 180
"""Of one assignment with its place in the index; as objects of their own it takes 500."""

KEYS = st.text(st.sampled_from("ab-1 é"), min_size=1, max_size=3).filter(
    lambda text: text == text.strip()
)
EACH = st.builds(
    Assignment,
    st.builds(CustomerId, KEYS),
    user=st.builds(WebUserId, KEYS),
    organisation=st.none() | st.builds(OrganisationId, KEYS),
    contact=st.none() | st.builds(ContactId, KEYS),
    origin=st.sampled_from(["", "customers.csv:2", "customers.yaml:13"]),
) | st.builds(Assignment, st.builds(CustomerId, KEYS), organisation=st.builds(OrganisationId, KEYS))


@given(st.lists(EACH, max_size=8))
def test_they_are_the_same_and_in_their_order(given_: list[Assignment]) -> None:
    held = Assignments(given_)
    assert list(held) == [held[at] for at in range(len(held))] == given_
    assert held == tuple(given_)
    assert held == Assignments(given_)
    assert hash(held) == hash(Assignments(given_))
    assert held[1:] == tuple(given_[1:])
    assert Assignments.of(held) is held


@given(st.lists(EACH, max_size=8), EACH)
def test_what_is_found_of_one_is_about_nobody_else(
    given_: list[Assignment], one: Assignment
) -> None:
    held = Assignments(given_)
    found = held.about(one.user, one.organisation)
    meant = [
        each for each in given_ if (each.user, each.organisation) == (one.user, one.organisation)
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, meant))
    assert [each.customer_id for each in found] == sorted(each.customer_id for each in meant)
    if one.user is not None:
        assert held.name(one.user) == any(each.user == one.user for each in given_)


@given(st.lists(EACH, max_size=8))
def test_everybody_comes_once(given_: list[Assignment]) -> None:
    found = list(Assignments(given_).everybody())
    assert len(found) == len(set(found))
    assert set(found) == {(each.user, each.organisation) for each in given_}


def test_key_that_begins_another_one_is_not_taken_for_it() -> None:
    held = Assignments(
        [Assignment(MILL, user=WebUserId("ann-2")), Assignment(SHOP, user=ANN, organisation=ACME)]
    )
    assert held.about(ANN, None) == []
    assert held.name(ANN)
    assert not held.name(BOB)
    assert not held.name(WebUserId("an"))


def test_mapping_holds_what_it_is_given() -> None:
    given_ = (Assignment(MILL, user=ANN, origin="customers.csv:2"),)
    mapping = SyncMapping("v", {}, given_)
    assert isinstance(mapping.assignments, Assignments)
    assert mapping.assignments == given_
    assert mapping == SyncMapping("v", {}, Assignments(given_))
    assert mapping != SyncMapping("v", {})


@pytest.mark.rule("MI-2")
def test_assignment_of_many_takes_little_memory_with_its_index() -> None:
    lines = "".join(f"C{n:06},org-{n}\n" for n in range(MANY))
    files = {
        "channels.yaml": "channels:\n  trade: {commerce_mode: b2b}\n",
        "customers.csv": f"customer_id,organisation\n{lines}",
    }
    check_texts(files)  # what is made once for all files is there
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        mapping = check_texts(files).mapping
        assert mapping is not None
        accounts = AccountMap.of(mapping)
        for n in range(MANY):
            found = accounts.find(None, OrganisationId(f"org-{n}"), BuyerRecord())
            assert isinstance(found, Usable)
            assert found.customer_id == CustomerId(f"C{n:06}")
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(mapping.assignments) == MANY
    assert taken / MANY < MOST_BYTES
