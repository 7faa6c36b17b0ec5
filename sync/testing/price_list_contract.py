"""What a store must do that claims price lists which accounts share.

Part of ``StoreContract``: skipped, by name, for a store without them.
"""

# mypy: disable-error-code="type-abstract"
# Protocols are handed to isinstance only, never called.

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sync.domain.ids import CustomerId, LocationId, Sku
from sync.domain.pricing import (
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceScope,
    PriceValue,
)
from sync.domain.views import AccountView, LocationProfile, PublishedPriceKey
from sync.errors import Conflict, Rejected, SyncError
from sync.ports.price_lists import (
    Joining,
    ListRows,
    SharedChange,
    SharesPriceLists,
    ShownList,
)
from sync.ports.price_memory import Partition
from sync.ports.store import (
    ListLimits,
    MirrorsAccounts,
    MirrorsPrices,
    PriceRows,
    QuotesPrices,
    Store,
    StoreCapabilities,
    TakesPriceBatches,
)
from sync.testing import builders as a
from sync.testing.price_lists import entries
from sync.testing.store import MemoryStore
from sync.testing.store_world import StoreWorld

if TYPE_CHECKING:
    import pyarrow as pa

MEMBERS = tuple(CustomerId(f"C-{number}") for number in range(4))
ITEMS = tuple(Sku(f"ITEM-{number}") for number in range(6))

ListsStore = Any
"""A store that is all of Store, MirrorsPrices and SharesPriceLists."""


class PriceListContract:
    @pytest.mark.rule("WA-6", "VE-7")
    def test_a_member_shows_the_list_and_over_it_its_own_rows(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        own = _over(lists, "2=7 9=4")
        _share(lists, "L", _vector("1 2 3"), {MEMBERS[0]: "", MEMBERS[1]: own})

        assert _shown(lists, MEMBERS[0]) == _amounts("1 2 3")
        assert _shown(lists, MEMBERS[1]) == _amounts("1 2 3", own)
        assert _shown(lists, MEMBERS[2]) == {}
        assert set(lists.shown_price_partitions()) == {_own(MEMBERS[0]), _own(MEMBERS[1])}
        [held] = lists.shown_price_lists()
        assert (held.list_id, held.rows) == ("L", 3)
        assert held.members == {_own(MEMBERS[0]), _own(MEMBERS[1])}
        assert lists.shown_list_rows("L").equals(_vector("1 2 3"))
        assert lists.shown_list_rows("M").num_rows == 0
        if isinstance(store, QuotesPrices):
            told = dict(store.shown_to([_own(MEMBERS[1])[0]]))
            assert {key.key.sku.value: value.unit_price for key, value in told.items()} == {
                f"ITEM-{number}": amount for number, amount in _amounts("1 2 3", own).items()
            }
        if isinstance(store, MirrorsAccounts):
            assert {MEMBERS[0], MEMBERS[1]} <= set(store.shown_customer_ids())

    @pytest.mark.rule("WA-7")
    def test_rows_of_a_list_change_for_all_its_members_at_once(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        own = _over(lists, "2=7")
        _share(lists, "L", _vector("1 2 3"), {MEMBERS[0]: "", MEMBERS[1]: own})

        change = SharedChange(
            "b", {"L": "a"}, remove=[_rows("L", "1")], put=[_rows("L", "2=5 3=6 4")]
        )
        for _ in range(2):
            lists.apply_shared_prices(change)

            assert _shown(lists, MEMBERS[0]) == _amounts("2=5 3=6 4")
            assert _shown(lists, MEMBERS[1]) == _amounts("2=5 3=6 4", own)
            assert [each.stamp for each in lists.shown_price_lists()] == ["b"]

    @pytest.mark.rule("WA-7")
    def test_whoever_joins_shows_the_list_and_nothing_that_was_before(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        lists.apply_prices([_entry(MEMBERS[1], "5=1"), _entry(MEMBERS[1], "2=8")], [])
        own = _over(lists, "3")
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: "", MEMBERS[1]: own})
        assert _shown(lists, MEMBERS[1]) == _amounts("1 2", own)

        _share(lists, "M", _vector("1=9"), {MEMBERS[1]: ""}, L="a")

        assert _shown(lists, MEMBERS[1]) == _amounts("1=9")
        assert _shown(lists, MEMBERS[0]) == _amounts("1 2")
        assert {each.list_id: set(each.members) for each in lists.shown_price_lists()} == {
            "L": {_own(MEMBERS[0])},
            "M": {_own(MEMBERS[1])},
        }

    @pytest.mark.rule("WA-7")
    def test_whoever_leaves_goes_on_showing_what_it_showed_and_a_list_goes_with_its_last_member(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        own = _over(lists, "2=7")
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: own, MEMBERS[1]: ""})

        leave = SharedChange("b", {"L": "a"}, leave=[_own(MEMBERS[0])])
        for _ in range(2):
            lists.apply_shared_prices(leave)
            assert _shown(lists, MEMBERS[0]) == _amounts("1 2", own)
        lists.apply_shared_prices(SharedChange("c", {"L": "b"}, put=[_rows("L", "2=3")]))
        assert _shown(lists, MEMBERS[0]) == _amounts("1 2", own)
        assert _shown(lists, MEMBERS[1]) == _amounts("1 2=3")

        leave = SharedChange("d", {"L": "c"}, leave=[_own(MEMBERS[1])])
        for _ in range(2):
            lists.apply_shared_prices(leave)
            assert _shown(lists, MEMBERS[1]) == _amounts("1 2=3")
            assert lists.shown_price_lists() == []
            assert lists.shown_list_rows("L").num_rows == 0

    @pytest.mark.rule("WA-8", "VE-7")
    def test_whoever_quits_shows_nothing_at_once(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        own = _over(lists, "2=7")
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: own, MEMBERS[1]: ""})
        lists.apply_prices([_entry(MEMBERS[2], "1")], [])

        change = SharedChange("b", {"L": "a"}, quit=[_own(MEMBERS[0]), _own(MEMBERS[2])])
        for _ in range(2):
            lists.apply_shared_prices(change)

            assert _shown(lists, MEMBERS[0]) == {} == _shown(lists, MEMBERS[2])
            assert _shown(lists, MEMBERS[1]) == _amounts("1 2")
            assert set(lists.shown_price_partitions()) == {_own(MEMBERS[1])}

    @pytest.mark.rule("WA-7", "WA-10")
    @pytest.mark.parametrize("in_columns", [False, True])
    def test_what_is_removed_is_shown_no_more_though_the_list_has_it(
        self, store: Store, store_world: StoreWorld, in_columns: bool
    ) -> None:
        lists = _overriding(store)
        _share(lists, "L", _vector("1 2 3"), dict.fromkeys(MEMBERS[:2], "2=7 9"))

        _remove(lists, MEMBERS[0], "9", in_columns=in_columns)
        assert _shown(lists, MEMBERS[0]) == _amounts("1 2=7 3")
        assert _own(MEMBERS[0]) in lists.shown_price_lists()[0].members

        for number, left in (("2", "1 3"), ("1", "3")):
            before = _stamp(lists, "L")
            _remove(lists, MEMBERS[0], number, in_columns=in_columns)
            assert _shown(lists, MEMBERS[0]) == _amounts(left)
            assert _shown(lists, MEMBERS[1]) == _amounts("1 2=7 3 9")
            assert number == "1" or _stamp(lists, "L") != before
        gaps = _limits(lists).gaps
        members = {_own(each) for each in MEMBERS[:2]} if gaps else {_own(MEMBERS[1])}
        assert lists.shown_price_lists()[0].members == members

        change = SharedChange(
            "z", {"L": _stamp(lists, "L")}, remove_own=[_price_rows(MEMBERS[1], "3")]
        )
        for _ in range(2):
            lists.apply_shared_prices(change)
            assert _shown(lists, MEMBERS[1]) == _amounts("1 2=7 9")
            assert set(_kept(lists)) == ({"L"} if gaps else set())

    @pytest.mark.rule("WA-7", "VE-7")
    @pytest.mark.parametrize("in_columns", [False, True])
    def test_what_a_member_lost_of_its_list_stays_hidden_whatever_becomes_of_the_list(
        self, store: Store, store_world: StoreWorld, in_columns: bool
    ) -> None:
        lists = _with_gaps(store)
        _share(lists, "L", _vector("1 2 3"), {MEMBERS[0]: "2=7", MEMBERS[1]: ""})
        for number in "12":
            _remove(lists, MEMBERS[0], number, in_columns=in_columns)
        [own] = lists.shown_own_rows("L", ITEMS)
        assert (own.audience, own.scope) == _own(MEMBERS[0])
        assert own.rows.column("sku").to_pylist() == ["ITEM-1", "ITEM-2"]
        assert set(own.rows.column("unit_price").to_pylist()) == {None}

        for stamp, gone, put in (("c", "3=1", "1=5 4"), ("d", "1 2", "3=6"), ("e", "4", "1 2=8")):
            change = SharedChange(
                stamp,
                {"L": _stamp(lists, "L")},
                remove=[_rows("L", gone)],
                put=[_rows("L", put)],
            )
            for _ in range(2):
                lists.apply_shared_prices(change)
        assert _shown(lists, MEMBERS[1]) == _amounts("1 2=8 3=6")
        assert _shown(lists, MEMBERS[0]) == _amounts("3=6")

        # A row of its own is shown over a gap as over any row, and the gap when it goes.
        change = SharedChange("f", {"L": "e"}, put_own=[_price_rows(MEMBERS[0], "2=9")])
        lists.apply_shared_prices(change)
        assert _shown(lists, MEMBERS[0]) == _amounts("2=9 3=6")
        [own] = lists.shown_own_rows("L", [Sku("ITEM-2")])
        assert own.rows.equals(_vector("2=9"))
        _remove(lists, MEMBERS[0], "2", in_columns=in_columns)
        assert _shown(lists, MEMBERS[0]) == _amounts("3=6")

    @pytest.mark.rule("WA-7", "VE-7")
    def test_what_is_hidden_of_a_member_is_not_shown_once_its_list_gets_it(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _with_gaps(store)
        members = {MEMBERS[0]: "4=7", MEMBERS[1]: "", MEMBERS[2]: "", MEMBERS[3]: ""}
        _share(lists, "L", _vector("1 2"), members)
        before = _stamp(lists, "L")
        # Of whoever leaves or joins in the same call nothing is hidden.
        change = SharedChange(
            "b",
            {"L": before},
            leave=[_own(MEMBERS[2])],
            hide=[_price_rows(each, "4 5") for each in (*MEMBERS[:1], *MEMBERS[2:])],
            join=[Joining("L", _price_rows(MEMBERS[3], ""))],
        )
        for _ in range(2):
            lists.apply_shared_prices(change)
            assert _shown(lists, MEMBERS[0]) == _amounts("1 2 4=7")
            assert _shown(lists, MEMBERS[2]) == _amounts("1 2")
        [own] = lists.shown_own_rows("L", [Sku("ITEM-4"), Sku("ITEM-5")])
        assert own.rows.column("unit_price").to_pylist() == [Decimal(7), None]
        unnamed = SharedChange("x", {}, hide=[_price_rows(MEMBERS[1], "2")])
        with pytest.raises(Conflict):
            lists.apply_shared_prices(unnamed)

        put = SharedChange("c", {"L": "b"}, put=[_rows("L", "4=6 5=6")])
        lists.apply_shared_prices(put)
        assert _shown(lists, MEMBERS[0]) == _amounts("1 2 4=7")
        _remove(lists, MEMBERS[0], "4", in_columns=False)
        assert _shown(lists, MEMBERS[0]) == _amounts("1 2") == _shown(lists, MEMBERS[2])
        for each in (MEMBERS[1], MEMBERS[3]):
            assert _shown(lists, each) == _amounts("1 2 4=6 5=6")

    @pytest.mark.rule("WA-7", "WA-8", "VE-7")
    @pytest.mark.parametrize("way", ["leave", "quit", "withdraw", "join"])
    def test_gaps_go_with_the_membership(
        self, store: Store, store_world: StoreWorld, way: str
    ) -> None:
        lists = _with_gaps(store)
        _share(lists, "L", _vector("1 2 3"), dict.fromkeys(MEMBERS[:2], ""))
        change = SharedChange("b", {"L": "a"}, remove_own=[_price_rows(MEMBERS[0], "1 4")])
        lists.apply_shared_prices(change)
        assert _shown(lists, MEMBERS[0]) == _amounts("2 3")

        if way == "leave":
            lists.apply_shared_prices(SharedChange("c", {"L": "b"}, leave=[_own(MEMBERS[0])]))
            assert _shown(lists, MEMBERS[0]) == _amounts("2 3")
        elif way == "quit":
            lists.apply_shared_prices(SharedChange("c", {"L": "b"}, quit=[_own(MEMBERS[0])]))
            assert _shown(lists, MEMBERS[0]) == {}
        elif way == "withdraw":
            if not isinstance(store, MirrorsAccounts):
                pytest.skip(f"{store.capabilities.name} mirrors no accounts")
            store.withdraw_account(MEMBERS[0])
            assert _shown(lists, MEMBERS[0]) == {}
        # What goes in the call in which it joins is gone before it does.
        change = SharedChange(
            "z",
            {"L": _stamp(lists, "L")},
            remove_own=[_price_rows(MEMBERS[0], "2")],
            join=[Joining("L", _price_rows(MEMBERS[0], ""))],
        )
        lists.apply_shared_prices(change)
        assert _shown(lists, MEMBERS[0]) == _amounts("1 2 3") == _shown(lists, MEMBERS[1])
        assert list(lists.shown_own_rows("L", ITEMS)) == []

    @pytest.mark.rule("WA-7")
    def test_what_goes_in_the_call_in_which_the_list_gets_it_is_not_shown(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _with_gaps(store)
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: "4=7", MEMBERS[1]: ""})
        change = SharedChange(
            "b",
            {"L": "a"},
            remove=[_rows("L", "1")],
            remove_own=[_price_rows(MEMBERS[0], "1 4")],
            put=[_rows("L", "4 5")],
        )
        for _ in range(2):
            lists.apply_shared_prices(change)
            assert _shown(lists, MEMBERS[0]) == _amounts("2 5")
            assert _shown(lists, MEMBERS[1]) == _amounts("2 4 5")
        # Of what the list had no more there was nothing to hide.
        lists.apply_shared_prices(SharedChange("c", {"L": "b"}, put=[_rows("L", "1=3")]))
        assert _shown(lists, MEMBERS[0]) == _amounts("1=3 2 5")

    @pytest.mark.rule("WA-7")
    @pytest.mark.parametrize("in_columns", [False, True])
    def test_what_is_put_for_a_member_wins_over_the_list(
        self, store: Store, store_world: StoreWorld, in_columns: bool
    ) -> None:
        lists = _overriding(store)
        _share(lists, "L", _vector("1 2 3"), dict.fromkeys(MEMBERS[:2], ""))
        before = _stamp(lists, "L")

        if in_columns:
            _batches(lists).apply_price_rows([_price_rows(MEMBERS[0], "2=8 5")], [])
        else:
            lists.apply_prices([_entry(MEMBERS[0], "2=8"), _entry(MEMBERS[0], "5")], [])

        assert _shown(lists, MEMBERS[0]) == _amounts("1 2=8 3 5")
        assert _shown(lists, MEMBERS[1]) == _amounts("1 2 3")
        # Whoever planned for the list must look again: what its members own is not what it was.
        assert _stamp(lists, "L") != before
        [own] = lists.shown_own_rows("L", [Sku("ITEM-2"), Sku("ITEM-3")])
        assert (own.audience, own.scope) == _own(MEMBERS[0])
        assert own.rows.equals(_vector("2=8"))
        assert list(lists.shown_own_rows("L", [])) == []

    @pytest.mark.rule("WA-7", "VE-7")
    def test_whoever_is_told_anything_of_its_own_leaves_a_list_that_nothing_goes_over(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _without_overrides(store)
        _share(lists, "L", _vector("1 2 3"), dict.fromkeys(MEMBERS, ""))
        before = _stamp(lists, "L")

        lists.apply_prices([_entry(MEMBERS[0], "2=8"), _entry(MEMBERS[0], "5")], [])
        lists.apply_prices([], [_entry(MEMBERS[1], "2")[0]])
        of_item = a.a_price("4", scope=ITEM_OVERRIDES, sku=Sku("ITEM-5"))
        key = PublishedPriceKey(_own(MEMBERS[2])[0], of_item.key)
        lists.apply_prices([(key, of_item.value)], [])

        assert _shown(lists, MEMBERS[0]) == _amounts("1 2=8 3 5")
        assert _shown(lists, MEMBERS[1]) == _amounts("1 3")
        assert _shown(lists, MEMBERS[2]) == _amounts("1 2 3") == _shown(lists, MEMBERS[3])
        assert len(lists.shown_prices(key.audience, ITEM_OVERRIDES)) == 1
        assert _kept(lists) == {"L": (3, frozenset({_own(MEMBERS[3])}))}
        # Whoever planned for the list must look again: others are its members.
        assert _stamp(lists, "L") != before
        assert list(lists.shown_own_rows("L", [Sku("ITEM-2")])) == []

        change = SharedChange(
            "b",
            {"L": _stamp(lists, "L")},
            remove_own=[_price_rows(MEMBERS[3], "3")],
            put_own=[_price_rows(MEMBERS[3], "1=9")],
        )
        for _ in range(2):
            lists.apply_shared_prices(change)
            assert _shown(lists, MEMBERS[3]) == _amounts("1=9 2")
            assert lists.shown_price_lists() == []

    @pytest.mark.rule("WA-7", "VE-7")
    def test_nobody_joins_who_is_to_show_more_than_a_list_that_nothing_goes_over(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _without_overrides(store)
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: ""})
        of_item = a.a_price("4", scope=ITEM_OVERRIDES, sku=Sku("ITEM-5"))
        key = PublishedPriceKey(_own(MEMBERS[1])[0], of_item.key)
        lists.apply_prices([(key, of_item.value), _entry(MEMBERS[2], "1=8")], [])
        site = PriceRows(
            Audience(AudienceKind.LOCATION, "YARD"),
            PriceScope.location(LocationId("YARD")),
            _vector(""),
        )
        refused = [_price_rows(MEMBERS[1], ""), _price_rows(MEMBERS[2], "3")]
        limits = store.capabilities.price_lists
        if limits is not None and not limits.sites:
            refused.append(site)
        for joining in refused:
            change = SharedChange(
                "b", {"L": "a"}, put=[_rows("L", "1=5")], join=[Joining("L", joining)]
            )
            with pytest.raises(Rejected):
                lists.apply_shared_prices(change)

            assert _kept(lists) == {"L": (2, frozenset({_own(MEMBERS[0])}))}
            assert _shown(lists, MEMBERS[0]) == _amounts("1 2")
            assert _shown(lists, MEMBERS[1]) == {}
            assert _shown(lists, MEMBERS[2]) == _amounts("1=8")

    @pytest.mark.rule("WA-8")
    def test_an_account_that_is_withdrawn_is_no_member_any_more(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        if not isinstance(store, MirrorsAccounts):
            pytest.skip(f"{store.capabilities.name} mirrors no accounts")
        site = LocationId("YARD")
        profile = a.a_profile(customer_id=MEMBERS[0], locations=(LocationProfile(site, "Yard"),))
        store.put_accounts([AccountView(a.individual(MEMBERS[0]), profile)])
        at_site = (Audience(AudienceKind.LOCATION, "YARD"), PriceScope.location(site))
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: _over(lists, "2=7"), MEMBERS[1]: ""})
        if _limits(lists).sites:
            joining = Joining("L", PriceRows(*at_site, _vector("")))
            lists.apply_shared_prices(SharedChange("b", {"L": "a"}, join=[joining]))
            assert len(lists.shown_prices(*at_site)) == 2

        store.withdraw_account(MEMBERS[0])

        assert _shown(lists, MEMBERS[0]) == {} == lists.shown_prices(*at_site)
        assert _shown(lists, MEMBERS[1]) == _amounts("1 2")
        assert [set(each.members) for each in lists.shown_price_lists()] == [{_own(MEMBERS[1])}]
        assert MEMBERS[0] not in set(store.shown_customer_ids())
        store.withdraw_account(MEMBERS[1])
        assert lists.shown_price_lists() == []

    @pytest.mark.rule("WA-7", "VE-7")
    def test_a_call_that_was_planned_for_another_list_changes_nothing(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: "", MEMBERS[1]: ""})
        stale = [
            SharedChange("x", {"L": "0"}, put=[_rows("L", "2=9")]),
            SharedChange("x", {"L": None}, put=[_rows("L", "2=9")]),
            SharedChange("x", {}, put=[_rows("L", "2=9")]),
            SharedChange("x", {}, leave=[_own(MEMBERS[0])]),
            SharedChange("x", {}, put_own=[_price_rows(MEMBERS[0], "2=9")]),
            SharedChange("x", {"L": "a", "M": "a"}, put=[_rows("M", "2=9")]),
            SharedChange("x", {"L": "a"}, drop=["L"]),
            SharedChange(
                "x", {"L": "a", "M": None}, join=[Joining("M", _price_rows(MEMBERS[0], ""))]
            ),
        ]
        for change in stale:
            with pytest.raises(Conflict):
                lists.apply_shared_prices(change)

            assert [_shown(lists, each) for each in MEMBERS[:2]] == [_amounts("1 2")] * 2
            [held] = lists.shown_price_lists()
            assert (held.stamp, len(held.members)) == ("a", 2)

    def test_a_list_without_members_is_shown_to_nobody_and_can_be_dropped(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        lists.apply_shared_prices(SharedChange("a", {"L": None}, put=[_rows("L", "1 2")]))
        assert list(lists.shown_price_partitions()) == []
        assert [each.list_id for each in lists.shown_price_lists()] == ["L"]

        for _ in range(2):
            lists.apply_shared_prices(SharedChange("b", {"L": "a"}, drop=["L"]))
            assert lists.shown_price_lists() == []

    @pytest.mark.rule("WA-7")
    def test_a_refused_row_leaves_lists_and_members_as_they_were(
        self, store: Store, store_world: StoreWorld
    ) -> None:
        lists = _sharing(store)
        _share(lists, "L", _vector("1 2"), {MEMBERS[0]: "", MEMBERS[1]: ""})
        store_world.refuse_record("ITEM-6")
        changes = [
            SharedChange("b", {"L": "a"}, remove=[_rows("L", "1")], put=[_rows("L", "2=3 6")]),
            SharedChange(
                "b",
                {"L": "a", "M": None},
                put=[_rows("M", "1=4")],
                join=[Joining("M", _price_rows(MEMBERS[0], "6"))],
            ),
        ]
        for change in changes:
            with pytest.raises(SyncError):
                lists.apply_shared_prices(change)

            assert [_shown(lists, each) for each in MEMBERS[:2]] == [_amounts("1 2")] * 2
            assert [each.list_id for each in lists.shown_price_lists()] == ["L"]

    @pytest.mark.rule("WA-6", "VE-7")
    @pytest.mark.parametrize("seed", range(6))
    def test_any_run_of_changes_shows_what_the_fake_shows(
        self, store: Store, store_world: StoreWorld, seed: int
    ) -> None:
        lists, chance = _sharing(store), random.Random(seed)
        limits = StoreCapabilities("model", batch=1000, price_lists=_limits(lists))
        model = MemoryStore(capabilities=limits)
        for step in range(12):
            change = _any_change(chance, model, f"{seed}.{step}")
            for each in (model, lists):
                change(each)
            for member in MEMBERS:
                assert _shown(lists, member) == _shown(model, member)
            assert set(lists.shown_price_partitions()) == set(model.shown_price_partitions())
            assert _kept(lists) == _kept(model)


def _any_change(chance: random.Random, model: MemoryStore, stamp: str) -> Any:
    """Something that somebody does to prices, the same for every store."""
    there = model.shown_price_lists()
    member, other = chance.sample(MEMBERS, 2)
    rows = " ".join(f"{n}={chance.randrange(1, 9)}" for n in sorted(chance.sample(range(6), 3)))
    match chance.randrange(5):
        case 0:
            return lambda store: store.apply_prices([_entry(member, rows.split()[0])], [])
        case 1:
            return lambda store: store.apply_prices(
                [], [_entry(member, each)[0] for each in rows.split()[:2]]
            )
        case 2 if there:
            chosen = chance.choice(there)
            parts = rows.split()
            quitting = chance.choice([None, None, *sorted({*MEMBERS} - {member, other})])
            hidden = [_price_rows(other, parts[2]), _price_rows(member, parts[0])]
            gaps = _limits(model).gaps and chance.random() < 0.5
            return lambda store: store.apply_shared_prices(
                SharedChange(
                    stamp,
                    _expected(store),
                    leave=[_own(other)],
                    quit=[_own(quitting)] if quitting is not None else [],
                    hide=hidden if gaps else [],
                    remove=[_rows(chosen.list_id, parts[0])],
                    remove_own=[_price_rows(member, parts[1])],
                    put=[_rows(chosen.list_id, parts[2])] if len(chosen.members) > 1 else [],
                )
            )
        case 3:
            parts = rows.split()
            return lambda store: _apply_rows(
                store, _price_rows(member, parts[0]), _price_rows(other, " ".join(parts[1:]))
            )
    list_id, own = chance.choice(["L", "M", "N"]), _over(model, "5=9")
    return lambda store: store.apply_shared_prices(
        SharedChange(
            stamp,
            {list_id: None, **_expected(store)},
            put=[_rows(list_id, rows)],
            join=[Joining(list_id, _price_rows(each, own)) for each in (member, other)],
        )
    )


def _kept(store: ListsStore) -> dict[str, tuple[int, frozenset[Partition]]]:
    return {each.list_id: (each.rows, each.members) for each in store.shown_price_lists()}


def _expected(store: ListsStore) -> dict[str, str | None]:
    return {each.list_id: each.stamp for each in store.shown_price_lists()}


def _sharing(store: Store) -> ListsStore:
    if not isinstance(store, SharesPriceLists) or store.capabilities.price_lists is None:
        pytest.skip(f"{store.capabilities.name} has no price lists that accounts share")
    assert isinstance(store, MirrorsPrices)
    if isinstance(store, MirrorsAccounts):
        store.put_accounts([a.an_account_view(customer_id=each) for each in MEMBERS])
    return store


def _limits(store: ListsStore) -> ListLimits:
    limits = store.capabilities.price_lists
    assert isinstance(limits, ListLimits)
    return limits


def _overriding(store: Store) -> ListsStore:
    lists = _sharing(store)
    if not _limits(lists).overrides:
        pytest.skip(f"{store.capabilities.name} shows nothing over a price list")
    return lists


def _with_gaps(store: Store) -> ListsStore:
    lists = _overriding(store)
    if not _limits(lists).gaps:
        pytest.skip(f"{store.capabilities.name} shows members all rows of a price list")
    return lists


def _without_overrides(store: Store) -> ListsStore:
    lists = _sharing(store)
    if _limits(lists).overrides:
        pytest.skip(f"{store.capabilities.name} shows rows of a member's own over its price list")
    return lists


def _over(store: ListsStore, told: str) -> str:
    """These rows of a member's own, where the store shows any over a list."""
    return told if _limits(store).overrides else ""


def _apply_rows(store: ListsStore, put: PriceRows, remove: PriceRows) -> None:
    if isinstance(store, TakesPriceBatches):
        store.apply_price_rows([put], [remove])
        return
    store.apply_prices(list(entries(put)), [key for key, _ in entries(remove)])


def _batches(store: ListsStore) -> TakesPriceBatches:
    if not isinstance(store, TakesPriceBatches):
        pytest.skip(f"{store.capabilities.name} does not claim TakesPriceBatches")
    return store


def _own(customer: CustomerId) -> Partition:
    return (a.account_audience(customer), PriceScope.account(customer))


def _prices(told: str, customer: CustomerId = MEMBERS[0]) -> list[Price]:
    """ "1 2=7": item 1 at 1.00 and item 2 at 7.00."""
    found = []
    for each in told.split():
        number, _, amount = each.partition("=")
        price = a.a_price(amount or number, scope=PriceScope.account(customer))
        key = dataclasses.replace(price.key, sku=Sku(f"ITEM-{number}"))
        found.append(Price(key, PriceValue(Decimal(amount or number))))
    return found


def _amounts(told: str, over: str = "") -> dict[str, Decimal | None]:
    """By item; what is told ``over`` it wins."""
    return {
        each.key.sku.value.removeprefix("ITEM-"): each.value.unit_price
        for each in _prices(f"{told} {over}")
    }


def _vector(told: str) -> pa.Table:
    from sync.columnar.vectors import vector_of

    return vector_of(_prices(told))


def _rows(list_id: str, told: str) -> ListRows:
    return ListRows(list_id, _vector(told))


def _price_rows(customer: CustomerId, told: str) -> PriceRows:
    return PriceRows(*_own(customer), _vector(told))


def _entry(customer: CustomerId, told: str) -> tuple[PublishedPriceKey, PriceValue]:
    [price] = _prices(told, customer)
    return PublishedPriceKey(_own(customer)[0], price.key), price.value


def _remove(store: ListsStore, customer: CustomerId, told: str, *, in_columns: bool) -> None:
    if in_columns:
        _batches(store).apply_price_rows([], [_price_rows(customer, told)])
    else:
        store.apply_prices([], [_entry(customer, told)[0]])


def _shown(store: ListsStore, customer: CustomerId) -> dict[str, Decimal | None]:
    shown = store.shown_prices(*_own(customer))
    assert all(key.scope == PriceScope.account(customer) for key in shown)
    return {key.sku.value.removeprefix("ITEM-"): value.unit_price for key, value in shown.items()}


def _stamp(store: ListsStore, list_id: str) -> str | None:
    return _expected(store).get(list_id)


def _share(
    store: ListsStore,
    list_id: str,
    rows: pa.Table,
    members: Mapping[CustomerId, str],
    **others: str,
) -> Sequence[ShownList]:
    """Make a list with these members; ``others`` are lists that some of them leave."""
    change = SharedChange(
        "a",
        {list_id: None, **others},
        put=[ListRows(list_id, rows)],
        join=[Joining(list_id, _price_rows(each, own)) for each, own in members.items()],
    )
    store.apply_shared_prices(change)
    found: Sequence[ShownList] = store.shown_price_lists()
    return found
