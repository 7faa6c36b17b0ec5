"""Price lists of which the ERP's server says that they are the same are not read at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.domain.ids import CustomerId, OrganisationId, Sku
from sync.domain.mapping import Assignment
from sync.domain.pricing import DEFAULT_LIST, Price, PriceKey, PriceLevel, PriceScope
from sync.errors import Rejected
from sync.flows import kept_vectors, price_confirming
from sync.flows.vector_partitions import VectorPartitions
from sync.planning.guards import Guard
from sync.ports.erp import PriceState, UnreadableRecord
from sync.ports.price_memory import PackedVector
from sync.ports.state import ResyncScope
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from tests.faults.memory_state import MemoryPriceMemory
from tests.scenarios.test_price_batches import DAY, SKUS, Event, Site, events, prices
from tests.scenarios.world import ASSIGNMENTS, HARBOUR, MILL

OWN = PriceScope.account(HARBOUR)
THEIRS = PriceScope.account(MILL)
MANY = 20
NO_MOVES = Guard(price_share=Decimal(0), price_floor=0)


class BusyErp(MemoryErp):
    """Somebody changes a price while it is read; may tell its states only for a moment."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.meanwhile: list[Any] = []
        self.unsettled = False
        self.answers_with_all = 0
        self.ends_with: UnreadableRecord | None = None

    def price_vectors_of(self, scopes: Collection[PriceScope]) -> Iterator[Any]:
        self._change()
        yield from super().price_vectors_of(scopes)
        if self.ends_with is not None:
            self._unreadable[self.ends_with] = None

    def price_vectors(self, level: PriceLevel) -> Iterator[Any]:
        self._change()
        self.answers_with_all += 1
        return super().price_vectors(level)

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        told = super().price_states(level)
        return {scope: replace(each, settled=not self.unsettled) for scope, each in told.items()}

    def _change(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)(self)


class Held:
    """A moment of ``HeldErp``: the prices as they were when it began."""

    def __init__(self) -> None:
        self.prices: dict[PriceKey, Price] | None = None
        self.over = False

    @property
    def lasts(self) -> bool:
        return self.prices is not None and not self.over

    def end(self) -> None:
        self.over = True


class HeldErp(BusyErp):
    """It tells prices as of one moment while somebody holds one."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.moment: Held | None = None
        self.holds = True
        self.emptied = False
        self.asked_again = 0

    @contextmanager
    def price_moment(self) -> Iterator[Held]:
        self.moment = Held()
        try:
            yield self.moment
        finally:
            self.moment.end()
            self.moment = None

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        moment = self.moment
        if moment is not None and moment.prices is None and self.holds:
            moment.prices = dict(self._prices)
        with self._as_of_then():
            return super().price_states(level)

    def price_states_of(self, scopes: Collection[PriceScope]) -> Mapping[PriceScope, PriceState]:
        self.asked_again += 1
        return super().price_states_of(scopes)

    def price_vectors(self, level: PriceLevel) -> Iterator[Any]:
        self._change()
        self.answers_with_all += 1
        with self._as_of_then():
            scopes = {key.scope for key in self._prices if key.scope.level is level}
        return self._vectors(scopes)

    def _vectors(self, scopes: Collection[PriceScope]) -> Iterator[Any]:
        with self._as_of_then():
            told = list(super()._vectors(scopes))
        if not (self.emptied and self.moment is not None and self.moment.lasts):
            yield from told

    @contextmanager
    def _as_of_then(self) -> Iterator[None]:
        now, moment = self._prices, self.moment
        if moment is not None and not moment.over and moment.prices is not None:
            self._prices = moment.prices
        try:
            yield
        finally:
            self._prices = now


class BusySite(Site):
    erp: BusyErp


KINDS = pytest.mark.parametrize("kind", [BusyErp, HeldErp], ids=["as it is", "of a moment"])


def a_site(strangers: int = MANY, kind: type[BusyErp] = BusyErp) -> BusySite:
    """Its prices are mirrored and remembered, of two accounts and of many that nobody maps."""
    site = BusySite(erp_kind=kind)
    site.limits = replace(site.limits, full_price_check_s=30.0 * DAY)
    site.erp.states = tuple(PriceLevel)
    for scope in (OWN, THEIRS, DEFAULT_LIST):
        for sku in SKUS[:2]:
            site.erp.set_price(a.a_price("5", sku=sku, scope=scope))
    for number in range(strangers):
        scope = PriceScope.account(CustomerId(f"Z-{number}"))
        site.erp.set_price(a.a_price("5", sku=SKUS[0], scope=scope))
    assert site.run().outcome == "ok"
    return site


def told(site: Site, scope: ResyncScope | None = None) -> int:
    """How many entries the ERP tells a run."""
    before = site.erp.told_entries
    result = site.run(scope=scope)
    assert result.outcome == "ok", result.message
    return site.erp.told_entries - before


def entries(site: Site, *scopes: PriceScope) -> int:
    return len(list(MemoryErp.prices(site.erp, scopes or list(site.erp.price_scopes()))))


def shows_what_the_erp_says(site: Site) -> bool:
    return dict(site.store.prices) == site.by_row_from_scratch()


def price(scope: PriceScope, amount: str, sku: Sku = SKUS[0], **given: Any) -> Any:
    return a.a_price(amount, scope=scope, sku=sku, **given)


@pytest.mark.rule("MI-2")
def test_night_without_changes_reads_no_price() -> None:
    site = a_site()
    shown = len(site.store.prices)
    before = site.erp.told_entries
    result = site.run()
    assert site.erp.told_entries == before
    assert (result.outcome, result.counts) == ("ok", {"unchanged": shown})


@pytest.mark.rule("MI-2", "WA-6")
def test_changed_price_costs_the_reading_of_its_own_list_alone() -> None:
    site = a_site()
    site.erp.set_price(price(OWN, "6"))
    own = entries(site, OWN)
    before = site.erp.told_entries
    assert site.run().counts == {"changed": 1, "unchanged": len(site.store.prices) - 1}
    assert site.erp.told_entries - before == own
    assert told(site) == 0
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("WA-6", "WA-7")
def test_deleted_price_is_taken_away() -> None:
    site = a_site()
    site.erp.remove_price(price(OWN, "5").key)
    result = site.run()
    assert result.counts["removed"] == 1
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("WA-6", "WA-7")
def test_list_of_which_every_price_was_deleted_is_taken_away() -> None:
    site = a_site()
    for each in list(site.erp.prices([OWN])):
        site.erp.remove_price(each.key)
    assert site.run().counts["removed"] == 3
    assert shows_what_the_erp_says(site)
    assert told(site) == 0
    with site.state.transaction() as state:
        assert OWN not in state.price_memory.stated()


@pytest.mark.rule("WA-6")
def test_price_that_ends_is_gone_on_the_day_after_though_nothing_is_read() -> None:
    site = a_site()
    site.limits = replace(site.limits, full_price_check_s=1e9)
    site.erp.set_price(price(OWN, "4", SKUS[2], valid_until=site.today))
    site.run()
    site.clock.advance(DAY)
    before = site.erp.told_entries
    assert site.run().counts["removed"] == 1
    assert site.erp.told_entries == before
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("VE-5", "VE-7")
def test_item_that_becomes_restricted_is_taken_away_though_nothing_is_read() -> None:
    site = a_site()
    site.erp.add_item(a.an_item(sku=SKUS[0], allowed_to=frozenset({MILL})))
    before = site.erp.told_entries
    assert site.run().counts["removed"] > 0
    assert site.erp.told_entries == before
    assert shows_what_the_erp_says(site)
    assert told(site) == 0


@pytest.mark.rule("WA-2", "WA-6")
def test_account_that_is_mapped_later_is_shown_its_prices() -> None:
    site = a_site()
    site.remap(assignments=ASSIGNMENTS[:1])
    assert site.run().outcome == "ok"
    assert all(each.audience.key != MILL.value for each in site.store.prices)
    site.erp.set_price(price(THEIRS, "8"))
    assert told(site) == 0
    site.remap(assignments=ASSIGNMENTS)
    for flow in site.flows:
        assert site.run(flow).outcome == "ok"
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("OP-5", "WA-7")
def test_full_check_finds_what_a_state_had_hidden_and_says_of_which_list() -> None:
    site = a_site()
    site.erp.blind_states = True
    assert site.run().outcome == "ok"
    site.erp.set_price(price(OWN, "6"))
    assert site.run().writes == 0, "the number of entries is the same"
    site.clock.advance(31 * DAY)
    result = site.run()
    assert result.counts["changed"] == 1
    assert result.counts["hidden_by_price_states"] == 1
    assert any(f"did not say so: the {OWN}." in each for each in result.remarks)
    assert shows_what_the_erp_says(site)
    site.clock.advance(31 * DAY)
    assert "hidden_by_price_states" not in site.run().counts


@pytest.mark.rule("OP-5")
def test_full_check_accuses_no_state_of_what_changes_while_it_reads() -> None:
    site = a_site()
    site.clock.advance(31 * DAY)
    # Between the two times that the states of this level are asked for.
    site.erp.feeds = (PriceLevel.ACCOUNT,)
    site.erp.meanwhile = [lambda erp: erp.set_price(price(OWN, "6"))]
    result = site.run()
    assert result.counts["changed"] == 1
    assert "hidden_by_price_states" not in result.counts


@pytest.mark.rule("OP-5")
def test_list_that_no_state_tells_is_found_by_the_full_check() -> None:
    class SilentErp(BusyErp):
        def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
            told = super().price_states(level)
            return {scope: each for scope, each in told.items() if scope != OWN}

    site = Site(erp_kind=SilentErp)
    site.erp.states = tuple(PriceLevel)
    site.erp.set_price(price(OWN, "5"))
    assert site.run().counts["hidden_by_price_states"] == 1
    site.erp.set_price(price(OWN, "6"))
    assert site.run().counts["changed"] == 1, "what is shown and not told of is read"


@pytest.mark.rule("MI-2", "OP-2")
def test_whoever_asks_by_hand_has_everything_read() -> None:
    site = a_site()
    every = entries(site)
    assert told(site, ResyncScope(everything=True)) == every
    assert told(site) == 0


@pytest.mark.rule("WA-7")
def test_price_that_changed_while_it_was_read_and_back_again_is_not_taken_for_the_old_one() -> None:
    site = a_site()
    back = price(OWN, "5")
    site.erp.set_price(price(OWN, "5.5"))
    site.erp.meanwhile = [lambda erp: erp.set_price(price(OWN, "9"))]
    assert site.run().counts["changed"] == 1
    site.erp.set_price(price(OWN, "5.5"))
    assert site.run().counts["changed"] == 1, "the state is the one that was told before 9 came"
    site.erp.set_price(back)
    assert site.run().counts["changed"] == 1
    assert shows_what_the_erp_says(site)


def shown_and_believed(site: Site) -> tuple[dict[Any, Any], dict[PriceScope, Any]]:
    with site.state.transaction() as state:
        return dict(site.store.prices), dict(state.price_memory.stated())


@pytest.mark.rule("MI-3", "WA-7")
@pytest.mark.parametrize("full", [False, True], ids=["news", "full"])
@pytest.mark.parametrize("there", [0, 1], ids=["empty", "half"])
@KINDS
def test_table_that_is_emptied_and_filled_while_it_is_read_is_read_again(
    there: int, full: bool, kind: type[BusyErp]
) -> None:
    site = a_site(kind=kind)
    for scope in (OWN, THEIRS, DEFAULT_LIST):
        site.erp.set_price(price(scope, "5.5"))
    read = site.erp.price_scopes() if full else (OWN, DEFAULT_LIST)
    site.erp.reloads = [there, 9] * len({scope.level for scope in read})
    result = site.run(scope=ResyncScope(everything=full))
    assert (result.outcome, site.erp.reloads) == ("ok", [])
    assert result.counts.get("removed", 0) == 0
    assert shows_what_the_erp_says(site)
    assert told(site) == 0, "what was read the second time is remembered"


@pytest.mark.rule("MI-3", "WA-7")
@pytest.mark.parametrize("full", [False, True], ids=["news", "full"])
@pytest.mark.parametrize("there", [0, 1], ids=["empty", "half"])
@KINDS
def test_nothing_is_written_or_believed_of_a_table_that_is_empty_each_time_it_is_read(
    there: int, full: bool, kind: type[BusyErp]
) -> None:
    site = a_site(kind=kind)
    shown, believed = shown_and_believed(site)
    for scope in (OWN, THEIRS):
        site.erp.set_price(price(scope, "5.5"))
    site.erp.reloads = [there] * 20
    result = site.run(scope=ResyncScope(everything=full))
    assert (result.outcome, result.writes) == ("try_later", 0)
    assert any(f"told {there}, twice" in each for each in result.remarks)
    now_shown, now_believed = shown_and_believed(site)
    assert now_shown == shown
    assert {scope for scope in now_believed if now_believed[scope] != believed[scope]} == set()
    assert OWN not in now_believed
    site.erp.reloads = []
    assert site.run().counts["changed"] == 2
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("MI-3", "WA-7")
@pytest.mark.parametrize("there", [0, 1], ids=["empty", "half"])
@KINDS
def test_table_that_was_empty_when_its_state_was_asked_for_is_not_withdrawn(
    there: int, kind: type[BusyErp]
) -> None:
    site = a_site(kind=kind)
    shown, _ = shown_and_believed(site)
    real, empty = site.erp.price_states, list(PriceLevel)

    def states(level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        if level in empty:
            empty.remove(level)
            return {}
        return real(level)

    site.erp.price_states = states  # type: ignore[method-assign]
    site.erp.reloads = [there] * 20
    assert site.run().outcome == "try_later"
    assert dict(site.store.prices) == shown
    site.erp.reloads = []
    assert site.run().writes == 0
    assert shows_what_the_erp_says(site)


def a_held_site() -> tuple[BusySite, HeldErp]:
    site = a_site(kind=HeldErp)
    assert isinstance(site.erp, HeldErp)
    site.erp.asked_again = 0
    return site, site.erp


@pytest.mark.rule("MI-2", "WA-6", "WA-7")
@pytest.mark.parametrize("full", [False, True], ids=["news", "full"])
def test_states_and_prices_of_one_moment_are_remembered_without_asking_again(full: bool) -> None:
    site, erp = a_held_site()
    if full:
        erp.feeds = (PriceLevel.ACCOUNT,)

    def change_both(erp: MemoryErp) -> None:
        erp.set_price(price(OWN, "6"))
        erp.set_price(price(THEIRS, "7"))

    erp.set_price(price(OWN, "5.5"))
    erp.meanwhile = [change_both]
    result = site.run(scope=ResyncScope(everything=full))
    assert result.counts["changed"] == 1, "of what was so when the states were told"
    assert erp.asked_again == 0
    assert site.run().counts["changed"] == 2
    assert shows_what_the_erp_says(site)
    by_row = entries(site, DEFAULT_LIST) if full else 0
    assert told(site) == by_row
    assert erp.asked_again == 0


@pytest.mark.rule("WA-6", "WA-7")
def test_where_the_moment_does_not_last_states_are_asked_for_again() -> None:
    site, erp = a_held_site()
    erp.holds = False
    erp.set_price(price(OWN, "5.5"))
    erp.meanwhile = [lambda erp: erp.set_price(price(OWN, "6"))]
    assert site.run().counts["changed"] == 1
    assert erp.asked_again == 1
    with site.state.transaction() as state:
        believed = state.price_memory.stated()[OWN]
    assert believed.state != erp.price_states(PriceLevel.ACCOUNT)[OWN].fingerprint


@pytest.mark.rule("MI-3", "WA-6", "WA-7")
@pytest.mark.parametrize("full", [False, True], ids=["news", "full"])
def test_table_that_is_empty_to_whoever_looks_as_of_the_moment_is_read_as_it_is_now(
    full: bool,
) -> None:
    site, erp = a_held_site()
    erp.set_price(price(OWN, "5.5"))
    erp.emptied = True
    result = site.run(scope=ResyncScope(everything=full))
    assert (result.outcome, result.writes) == ("ok", 1)
    assert shows_what_the_erp_says(site)
    assert told(site) == 0


@pytest.mark.rule("MI-2")
def test_moment_is_held_no_longer_than_anything_is_read_of_it() -> None:
    """Whoever empties a table waits for whoever holds a moment of it."""
    site, erp = a_held_site()
    held: list[bool] = []
    real = VectorPartitions.plan

    def plan(self: VectorPartitions, *given: Any) -> None:
        held.append(erp.moment is not None and erp.moment.lasts)
        real(self, *given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(VectorPartitions, "plan", plan)
        assert site.run().writes == 0
        assert held
        assert not any(held)
        held.clear()
        erp.set_price(price(OWN, "6"))
        assert site.run().writes == 1
        assert any(held)
    assert erp.moment is None


@pytest.mark.rule("WA-6", "WA-7")
def test_list_that_became_shorter_since_its_state_was_told_is_shown_as_it_is_now() -> None:
    site = a_site()
    site.erp.set_price(price(OWN, "5.5"))
    site.erp.meanwhile = [lambda erp: erp.remove_price(price(OWN, "5", SKUS[1]).key)]
    assert site.run().counts["removed"] == 1
    assert shows_what_the_erp_says(site)
    assert told(site) == 0


def test_nothing_is_remembered_of_an_account_that_is_forgotten_while_it_is_read() -> None:
    site = a_site()

    def forget(erp: MemoryErp) -> None:
        with site.state.transaction() as state:
            state.price_memory.forget_account(HARBOUR)

    for scope in (OWN, THEIRS):
        site.erp.set_price(price(scope, "6"))
    site.erp.meanwhile = [forget]
    assert site.run().outcome == "ok"
    with site.state.transaction() as state:
        held = state.price_memory.stated()
    assert THEIRS in held
    assert OWN not in held


@pytest.mark.rule("WA-7")
def test_state_that_is_not_settled_is_not_believed_the_next_time() -> None:
    site = a_site()
    site.erp.unsettled = True
    site.erp.set_price(price(OWN, "6"))
    own = entries(site, OWN)
    assert told(site) == own
    assert told(site) == own
    site.erp.unsettled = False
    assert told(site) == own
    assert told(site) == 0


@pytest.mark.rule("MI-3")
def test_list_that_cannot_be_read_whole_is_read_and_told_every_time() -> None:
    site = a_site()
    site.erp.damage_price(price(OWN, "5").key)
    for _ in range(2):
        result = site.run()
        assert result.counts["unreadable"] == 1
    assert len([each for each in site.store.prices if each.key.scope == OWN]) == 3


@pytest.mark.rule("MI-3")
def test_what_was_read_before_a_row_that_is_perhaps_of_it_is_read_again() -> None:
    site = a_site()
    site.erp.ends_with = UnreadableRecord("prices", "?/BOLT", "customer_id", "is missing")
    site.erp.set_price(price(OWN, "6"))
    for _ in range(2):
        assert site.run().counts["unreadable"] == 1


@pytest.mark.rule("MI-2")
@pytest.mark.parametrize("strangers, answers", [(MANY, 0), (2, 1)])
def test_many_changed_lists_are_read_in_one_answer(strangers: int, answers: int) -> None:
    site = a_site(strangers=strangers)
    for scope in (OWN, THEIRS):
        site.erp.remove_price(price(scope, "5").key)
    before = site.erp.answers_with_all
    assert site.run().outcome == "ok"
    assert site.erp.answers_with_all - before == answers
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("MI-2", "OP-5")
def test_vector_that_is_lost_is_read_again() -> None:
    site = a_site()
    with site.state.transaction() as state:
        state.price_memory.forget_all()
        state.price_memory.tidy()
    assert told(site) > 0
    assert told(site) == 0
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("MI-3")
def test_states_that_tell_nothing_do_not_empty_the_store() -> None:
    site = a_site()
    real = site.erp.price_states
    site.erp.price_states = lambda level: {}  # type: ignore[method-assign]
    assert site.run().writes == 0
    site.erp.price_states = real  # type: ignore[method-assign]
    assert site.run().writes == 0


@pytest.mark.rule("MI-3", "WA-7")
def test_plan_that_is_refused_is_not_remembered() -> None:
    site = a_site()
    site.limits = replace(
        site.limits, guards={"prices": Guard(price_share=Decimal(0), price_floor=0)}
    )
    site.erp.set_price(price(OWN, "500"))
    assert site.run().outcome != "ok"
    with site.state.transaction() as state:
        held = state.price_memory.stated()[OWN].state
    assert held != site.erp.price_states(PriceLevel.ACCOUNT)[OWN].fingerprint
    assert site.run().plan_id is not None, "it is read and refused again"


def shown(site: Site) -> dict[Sku, str]:
    return {
        key.key.sku: str(value.unit_price)
        for key, value in site.store.prices.items()
        if key.key.scope == OWN
    }


@pytest.mark.rule("WA-7", "OP-5")
def test_state_that_was_found_to_lie_is_not_believed_again_beside_a_damaged_row() -> None:
    site = a_site()
    site.erp.blind_states = True
    assert site.run().outcome == "ok"
    site.erp.set_price(price(OWN, "6"))
    site.erp.damage_price(price(OWN, "5", SKUS[1]).key)
    site.clock.advance(31 * DAY)
    found = site.run()
    assert shown(site)[SKUS[0]] == "6"
    assert found.counts["hidden_by_price_states"] == 1
    assert any(f"did not say so: the {OWN}." in each for each in found.remarks)
    for _ in range(2):
        found = site.run()
        assert shown(site)[SKUS[0]] == "6", "what the state had hidden came back"
        assert "hidden_by_price_states" not in found.counts, "it is read every time"


@pytest.mark.rule("OP-5")
def test_state_that_tells_of_a_damaged_row_is_not_accused() -> None:
    site = a_site()
    site.erp.damage_price(price(OWN, "5", SKUS[1]).key)
    site.clock.advance(31 * DAY)
    for _ in range(2):
        found = site.run(scope=ResyncScope(everything=True))
        assert found.counts["unreadable"] == 1
        assert "hidden_by_price_states" not in found.counts


@pytest.mark.rule("OP-5")
def test_no_state_is_accused_of_what_changes_beside_a_damaged_row_while_it_is_read() -> None:
    site = a_site()
    site.erp.blind_states = True
    assert site.run().outcome == "ok"
    site.erp.damage_price(price(OWN, "5", SKUS[1]).key)
    # Between the two times that the states of this level are asked for. A new entry
    # changes the number that such a state is made of.
    site.erp.feeds = (PriceLevel.ACCOUNT,)
    site.erp.meanwhile = [lambda erp: erp.set_price(price(OWN, "7", SKUS[2]))]
    site.clock.advance(31 * DAY)
    assert "hidden_by_price_states" not in site.run().counts


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_plan_that_finds_a_state_to_lie_writes_nothing(damaged: bool) -> None:
    site = a_site()
    site.erp.blind_states = True
    assert site.run().outcome == "ok"
    site.erp.set_price(price(OWN, "6"))
    if damaged:
        site.erp.damage_price(price(OWN, "5", SKUS[1]).key)
    with site.state.transaction() as state:
        before = dict(state.price_memory.stated())
    assert OWN in before
    site.run(dry_run=True)
    with site.state.transaction() as state:
        assert dict(state.price_memory.stated()) == before


@pytest.mark.rule("WA-7", "OP-2")
def test_state_that_was_found_to_lie_is_not_believed_again_where_the_store_refuses_a_price(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = a_site()
    site.erp.blind_states = True
    assert site.run().outcome == "ok"
    site.erp.set_price(price(OWN, "6"))
    site.erp.set_price(price(OWN, "7", SKUS[1]))
    singly, in_rows = site.store.apply_prices, site.store.apply_price_rows

    def refusing(put: Any, remove: Any) -> None:
        if any(key.key.sku == SKUS[1] for key, _ in put):
            raise Rejected("no", code="odd", remedy="see there")
        singly(put, remove)

    def refusing_rows(put: Any, remove: Any) -> None:
        if any(SKUS[1].value in each.rows.column("sku").to_pylist() for each in put):
            raise Rejected("no", code="odd", remedy="see there")
        in_rows(put, remove)

    monkeypatch.setattr(site.store, "apply_prices", refusing)
    monkeypatch.setattr(site.store, "apply_price_rows", refusing_rows)
    site.run(scope=ResyncScope(everything=True))
    assert shown(site)[SKUS[0]] == "6"
    site.run()
    assert shown(site)[SKUS[0]] == "6", "what the state had hidden came back"
    monkeypatch.undo()
    site.run()
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("WA-6", "WA-7", "VE-5", "VE-7", "MI-2")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(
    st.lists(prices, min_size=3, max_size=12),
    st.lists(st.lists(events, max_size=2), min_size=1, max_size=6),
)
def test_store_shows_the_same_as_after_reading_row_by_row(
    first: list[Event], runs: list[list[Event]]
) -> None:
    site = Site()
    site.limits = replace(site.limits, full_price_check_s=1e9)
    site.erp.states = tuple(PriceLevel)
    site.follows([first, *runs])


def customers(site: Site, count: int) -> list[PriceScope]:
    """More of them that are mapped, each with prices of its own."""
    many = [CustomerId(f"C-{number}") for number in range(count)]
    given = [Assignment(each, organisation=OrganisationId(f"org-{each}")) for each in many]
    for price, each in enumerate(many, 5):
        site.erp.add_account(a.an_account(customer_id=each))
        site.store.add_organisation(a.an_organisation(organisation=OrganisationId(f"org-{each}")))
        for sku in SKUS:
            site.erp.set_price(a.a_price(f"{price}", scope=PriceScope.account(each), sku=sku))
    site.remap(assignments=(*ASSIGNMENTS, *given))
    return [PriceScope.account(each) for each in many]


@pytest.mark.rule("MI-2")
@pytest.mark.parametrize("rows_ahead, most", [(1_000, 4), (0, 1)], ids=["short", "long"])
def test_vectors_are_read_out_of_the_state_some_at_once(
    monkeypatch: pytest.MonkeyPatch, rows_ahead: int, most: int
) -> None:
    """A transaction takes longer than what is read in it; of long ones each is much memory."""
    monkeypatch.setattr(kept_vectors, "AHEAD", 4)
    monkeypatch.setattr(kept_vectors, "ROWS_AHEAD", rows_ahead)
    read: list[int] = []
    real = MemoryPriceMemory.vectors

    def vectors(self: MemoryPriceMemory, wanted: Collection[bytes]) -> Mapping[bytes, PackedVector]:
        read.append(len(wanted))
        return real(self, wanted)

    monkeypatch.setattr(MemoryPriceMemory, "vectors", vectors)
    site = a_site(strangers=0)
    many = customers(site, 20)
    site.run()
    for scope in many:
        site.erp.set_price(price(scope, "99"))
    read.clear()
    assert site.run().counts["changed"] == len(many)
    assert max(read) == most
    assert len(read) <= -(-20 // most) + 1
    assert shows_what_the_erp_says(site)


@pytest.mark.rule("MI-2")
def test_states_of_many_lists_are_remembered_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first load has a vector for each: they are not in memory all at once."""
    monkeypatch.setattr(price_confirming, "TOGETHER", 4)
    kept: list[int] = []
    real = MemoryPriceMemory.keep

    def keep(self: MemoryPriceMemory, vectors: Sequence[PackedVector]) -> None:
        kept.append(len(vectors))
        real(self, vectors)

    monkeypatch.setattr(MemoryPriceMemory, "keep", keep)
    site = a_site(strangers=0)
    many = customers(site, 30)
    assert site.run().counts["added"] == len(many) * len(SKUS)
    # With each of a few comes the one that it is kept as a difference from.
    assert 0 < max(kept) <= 2 * 4
    assert told(site) == 0
