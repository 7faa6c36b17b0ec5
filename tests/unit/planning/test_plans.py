"""What must change for the store to show what the ERP says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.applying import apply_changes
from sync.domain.account import AccountStatus, CreditStatus
from sync.domain.ids import LocationId, OrganisationId, WebUserId
from sync.domain.pricing import Audience, AudienceKind, PriceValue
from sync.domain.views import Exceptional, LocationProfile, PublishedPriceKey
from sync.errors import Rejected, TryLater
from sync.planning.accounts import profile_of
from sync.planning.guards import Guard, price_moved, suspicion
from sync.planning.membership import Members
from sync.planning.plan import Change, Tally, plan_mirror
from sync.planning.spool import SAMPLES, Spool, told
from sync.testing import builders as a

keys = st.text("abcde", min_size=1, max_size=2)
sides = st.dictionaries(keys, st.integers(0, 3), max_size=12)


def applied(changes: Any, shown: dict[str, int]) -> dict[str, int]:
    """The shown side after the changes were written."""
    after = dict(shown)
    for change in changes:
        if change.after is None:
            del after[change.key]
        else:
            after[change.key] = change.after
    return after


@pytest.mark.rule("MI-1", "MI-2")
@given(wanted=sides, shown=sides)
def test_plan_leads_from_what_is_shown_to_what_is_wanted(
    wanted: dict[str, int], shown: dict[str, int]
) -> None:
    plan = list(plan_mirror(wanted, shown, lambda key: key))
    assert applied(plan, shown) == wanted
    assert list(plan_mirror(wanted, applied(plan, shown), lambda key: key)) == []


@pytest.mark.rule("MI-2")
@given(wanted=sides, shown=sides)
def test_plan_names_each_key_once_and_only_where_it_differs(
    wanted: dict[str, int], shown: dict[str, int]
) -> None:
    plan = list(plan_mirror(wanted, shown, lambda key: key))
    assert [change.key for change in plan] == sorted({change.key for change in plan})
    for change in plan:
        assert change.before == shown.get(change.key)
        assert change.after == wanted.get(change.key)
        assert change.before != change.after


@given(wanted=sides, shown=sides, data=st.data())
def test_order_in_which_records_are_read_does_not_matter(
    wanted: dict[str, int], shown: dict[str, int], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(wanted.items()))))
    other = dict(data.draw(st.permutations(list(shown.items()))))
    assert list(plan_mirror(shuffled, other, lambda key: key)) == list(
        plan_mirror(wanted, shown, lambda key: key)
    )


@given(wanted=sides, shown=sides)
def test_tally_counts_what_the_plan_does(wanted: dict[str, int], shown: dict[str, int]) -> None:
    tally = Tally(len(shown), len(wanted))
    for change in plan_mirror(wanted, shown, lambda key: key):
        tally.count(change)
    assert tally.shown + tally.added - tally.removed == tally.wanted
    assert tally.writes == tally.added + tally.changed + tally.removed


# Spools.


def some_changes() -> list[Change[tuple[str, ...], Any]]:
    return [
        Change(("C-1", "INV-1"), None, a.an_invoice()),
        Change(("C-1", "INV-2"), a.an_invoice(), a.an_invoice(open_amount=a.money("0.00"))),
        Change(("C-2", "INV-3"), a.an_invoice(), None),
    ]


def in_order() -> list[Change[tuple[str, ...], Any]]:
    """The same changes as they are written: what is withdrawn comes first."""
    added, changed, removed = some_changes()
    return [removed, added, changed]


def spooled() -> Spool[tuple[str, ...], Any]:
    return Spool(tuple[str, ...], type(a.an_invoice()))


@pytest.mark.rule("MI-1", "WA-8")
def test_spool_gives_back_what_was_put_in_as_often_as_it_is_asked_withdrawals_first() -> None:
    with spooled() as spool:
        for change in some_changes():
            spool.add(change)
        assert list(spool) == list(spool) == in_order()
        assert (spool.tally.added, spool.tally.changed, spool.tally.removed) == (1, 1, 1)
        assert spool.samples == ["add C-1 INV-1", "change C-1 INV-2", "remove C-2 INV-3"]


@pytest.mark.rule("MI-1", "TL-3")
def test_an_account_is_told_by_what_is_another_and_who_sees_it_and_not_by_its_name() -> None:
    before = profile_of(a.an_account(), (), Members((OrganisationId("o-1"),), (WebUserId("u-1"),)))
    after = replace(
        before,
        name="Ada Byron",
        status=AccountStatus.SUSPENDED,
        terms=None,
        tax_exempt=not before.tax_exempt,
        credit=CreditStatus.HOLD,
        price_groups=("GOLD", "SILVER"),
        locations=(LocationProfile(LocationId("L-1"), "Dock", tax_exempt=True),),
        tags=("pharmacy",),
        organisations=(),
        users=(WebUserId("u-2"),),
        exceptions=(Exceptional(OrganisationId("o-3"), WebUserId("u-3")),),
        barred=(Exceptional(OrganisationId("o-3"), WebUserId("u-4")),),
    )
    said = told(Change(before.customer_id, before, after))
    assert said.removeprefix(f"change {before.customer_id}: ").split("; ") == [
        "another name",
        "status active -> suspended",
        f"terms {before.terms} -> none",
        "tax exempt no -> yes",
        "credit ok -> hold",
        "price groups none -> GOLD, SILVER",
        "locations none -> L-1 (tax exempt)",
        "tags none -> pharmacy",
        "no longer for organisation o-1",
        "no longer for user u-1",
        "for user u-2",
        "for user u-3 acting for organisation o-3",
        "not for user u-4 acting for organisation o-3",
    ]
    back = told(Change(before.customer_id, after, replace(after, barred=())))
    assert back.endswith(": also for user u-4 acting for organisation o-3")
    assert "Ada" not in said
    assert told(Change(before.customer_id, None, after)) == f"add {before.customer_id}"


def test_a_price_is_told_by_its_item_then_who_sees_it_then_its_entry_in_the_erp() -> None:
    price = a.a_price(valid_from=date(2026, 11, 15), min_quantity=Decimal("100.00"))
    key = PublishedPriceKey(Audience(AudienceKind.ACCOUNTS), price.key)
    assert told(Change(key, price.value, None)) == (
        f"remove {a.SKU} for accounts: account {a.ACCOUNT}, list CONTRACT, EUR per EA from 100,"
        " valid from 2026-11-15: 9.99 EUR"
    )
    plain_one = a.a_price(price_list="", warehouse="CHI", priority=2).key
    assert told(Change(PublishedPriceKey(key.audience, plain_one), None, price.value)) == (
        f"add {a.SKU} for accounts: account {a.ACCOUNT}, list -, EUR per EA from 1,"
        " shipped from CHI, priority 2: 9.99 EUR"
    )
    for other, said in (
        (PriceValue(Decimal("8.5")), "9.99 EUR -> 8.50 EUR"),
        (PriceValue(None), "9.99 EUR -> call for pricing"),
        (
            replace(price.value, valid_until=date(2026, 12, 31)),
            "9.99 EUR -> 9.99 EUR until 2026-12-31",
        ),
    ):
        changed = told(Change(key, price.value, other))
        assert changed.startswith("change ")
        assert changed.endswith(f"valid from 2026-11-15: {said}")


@pytest.mark.parametrize("in_memory", [0, 1, 2, 3])
def test_large_plan_is_the_same_plan_in_a_file(
    monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    with spooled() as small:
        for change in some_changes():
            small.add(change)
    monkeypatch.setattr("sync.planning.spool.IN_MEMORY", in_memory)
    with spooled() as large:
        for change in some_changes():
            large.add(change)
        assert list(large) == list(large) == in_order()
        assert large.digest == small.digest
        assert large.samples == small.samples


@pytest.mark.rule("MI-3")
def test_digest_tells_one_plan_from_any_other() -> None:
    digests = set()
    variants = [some_changes(), some_changes()[:2], some_changes()[::-1], []]
    altered = some_changes()
    altered[1] = Change(altered[1].key, altered[1].before, a.an_invoice(open_amount=a.money("1")))
    for changes in [*variants, altered]:
        with spooled() as spool:
            for change in changes:
                spool.add(change)
            digests.add(spool.digest)
    assert len(digests) == 5

    with spooled() as again:
        for change in some_changes():
            again.add(change)
        assert again.digest in digests


def test_only_the_first_changes_are_told_by_name() -> None:
    with Spool[tuple[str, ...], int](tuple[str, ...], int) as spool:
        for number in range(SAMPLES + 5):
            spool.add(Change((f"K-{number}",), None, 1))
        assert len(spool.samples) == SAMPLES
        assert spool.tally.added == SAMPLES + 5


# Guard rails.


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize(
    "shown, removed, refused",
    [(100, 20, False), (100, 21, True), (1000, 200, False), (1000, 201, True), (20, 19, False)],
)
def test_removals_are_believed_up_to_a_share_and_a_floor(
    shown: int, removed: int, refused: bool
) -> None:
    tally = Tally(shown=shown, wanted=shown - removed, removed=removed)
    assert (suspicion(tally, Guard(), whole=True) is not None) is refused


@pytest.mark.rule("MI-3")
def test_empty_source_is_never_believed_where_everything_was_asked_for() -> None:
    tally = Tally(shown=1, wanted=0, removed=1)
    reason = suspicion(tally, Guard(), whole=True)
    assert reason == "the source is empty, and all 1 shown would disappear"
    assert suspicion(tally, Guard(), whole=False) is None
    assert suspicion(Tally(), Guard(), whole=True) is None


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize(
    "shown, moved, refused",
    [(1000, 200, False), (1000, 201, True), (60, 50, False), (60, 51, True)],
)
def test_moved_prices_are_believed_up_to_a_share_and_a_floor(
    shown: int, moved: int, refused: bool
) -> None:
    tally = Tally(shown=shown, wanted=shown, changed=moved, prices_moved=moved)
    assert (suspicion(tally, Guard(), whole=True) is not None) is refused


@given(
    shown=st.integers(0, 500),
    removed=st.integers(0, 500),
    fewer=st.integers(0, 500),
)
def test_plan_that_removes_less_is_believed_where_one_that_removes_more_is(
    shown: int, removed: int, fewer: int
) -> None:
    removed, fewer = min(removed, shown), min(fewer, removed, shown)
    if suspicion(Tally(shown, shown - removed + 1, removed=removed), Guard(), whole=True) is None:
        believed = suspicion(Tally(shown, shown - fewer + 1, removed=fewer), Guard(), whole=True)
        assert believed is None


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize(
    "before, after, moved",
    [
        ("10", "14.99", False),
        ("10", "15", True),
        ("10", "5.01", False),
        ("10", "5", True),
        ("0", "0.01", True),
        ("0", "0", False),
        (None, "1", True),
        ("1", None, True),
        (None, None, False),
    ],
)
def test_price_counts_as_moved_from_a_relative_step_on(
    before: str | None, after: str | None, moved: bool
) -> None:
    old, new = (Decimal(each) if each is not None else None for each in (before, after))
    assert price_moved(old, new, Decimal("0.5")) is moved


# Applying.


class Shelf:
    """Takes batches; refuses some keys, and is away from some call on."""

    def __init__(self, refuses: frozenset[str] = frozenset(), away_at: int | None = None) -> None:
        self.held: dict[str, int] = {}
        self.calls = 0
        self._refuses, self._away_at = refuses, away_at

    def write(self, batch: Any) -> None:
        self.calls += 1
        if self._away_at is not None and self.calls >= self._away_at:
            raise TryLater("away")
        if any(change.key in self._refuses for change in batch):
            raise Rejected("no", code="refused", remedy="Ask.")
        for change in batch:
            self.held[change.key] = change.after


def additions(number: int) -> list[Change[str, int]]:
    return [Change(f"k{each}", None, each) for each in range(number)]


@given(
    number=st.integers(0, 20),
    batch=st.integers(1, 6),
    refused=st.frozensets(st.integers(0, 19).map(lambda each: f"k{each}")),
)
def test_refused_records_cost_themselves_only(
    number: int, batch: int, refused: frozenset[str]
) -> None:
    shelf = Shelf(refused)
    result = apply_changes(
        additions(number), shelf.write, batch=batch, after_batch=lambda done: False
    )
    expected = {f"k{each}" for each in range(number)} - refused
    assert set(shelf.held) == expected
    assert result.done == len(expected)
    assert {key for key, _ in result.refused} == refused & {f"k{each}" for each in range(number)}
    assert all(reason == "no Ask." for _, reason in result.refused)


def test_changes_go_in_batches_and_in_their_order() -> None:
    shelf, told = Shelf(), list[int]()

    def after(done: int) -> bool:
        told.append(done)
        return False

    apply_changes(additions(7), shelf.write, batch=3, after_batch=after)
    assert (shelf.calls, told) == (3, [3, 6, 7])
    assert list(shelf.held) == [f"k{each}" for each in range(7)]


def test_one_refused_among_many_is_found_by_halves() -> None:
    """One by one, a batch of two thousand would be two thousand calls."""
    shelf = Shelf(frozenset({"k700"}))
    result = apply_changes(additions(2000), shelf.write, batch=2000, after_batch=lambda done: False)
    assert (result.done, [key for key, _ in result.refused]) == (1999, ["k700"])
    assert shelf.calls < 30


def test_system_that_is_away_ends_the_run_where_it_is() -> None:
    shelf = Shelf(away_at=3)
    with pytest.raises(TryLater):
        apply_changes(additions(9), shelf.write, batch=3, after_batch=lambda done: False)
    assert len(shelf.held) == 6


def test_stop_is_heard_between_two_batches() -> None:
    shelf = Shelf()
    result = apply_changes(additions(9), shelf.write, batch=3, after_batch=lambda done: done >= 6)
    assert (result.stopped, result.done, shelf.calls) == (True, 6, 2)


def test_nothing_to_do_calls_nobody() -> None:
    shelf = Shelf()
    assert apply_changes([], shelf.write, batch=3, after_batch=lambda done: False).done == 0
    assert shelf.calls == 0
