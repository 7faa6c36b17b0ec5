"""A small dose of ``make torture``: real kills, real restarts, a frozen daemon, and a mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sync.sample.build import Sample
from tests.torture.places import a_place, fresh_sample
from tests.torture.servers import Server
from tests.torture.shop import Shop
from tests.torture.trials import Outcome, Torture

pytestmark = [pytest.mark.system, pytest.mark.timeout(900), pytest.mark.rule("OI-1", "OP-1")]

BACKENDS = ("sqlite", "postgresql")
SEED = "make test-systems"
Begin = Callable[..., Torture]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return fresh_sample()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with ExitStack() as opened:
        try:
            found = opened.enter_context(Server())
        except Exception as error:  # noqa: BLE001 - whatever stops it, the tests say so
            pytest.skip(f"PostgreSQL did not start here: {error!r}")
        yield found


@pytest.fixture
def begin(request: pytest.FixtureRequest, tmp_path: Path, sample: Sample) -> Iterator[Begin]:
    with ExitStack() as opened:

        def make(backend: str, *, without_key: bool = False) -> Torture:
            server = request.getfixturevalue("server") if backend == "postgresql" else None
            root = tmp_path / "site"
            root.mkdir()
            place = opened.enter_context(
                a_place(root, backend, sample, server, without_key=without_key)
            )
            return Torture(place, Shop(place.engines["store"], sample.world, SEED), SEED)

        yield make


def sound(outcome: Outcome, least: int) -> None:
    """Every invariant held, and there was something to hold."""
    assert outcome.wrong == []
    assert outcome.in_erp >= least


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("backend", BACKENDS)
def test_twelve_kills_lose_double_and_halve_no_order(begin: Begin, backend: str) -> None:
    outcome = begin(backend).kills(12)
    sound(outcome, least=12)
    # Some of them hit where an order would have been doubled.
    assert outcome.counts["written, not recorded"] >= 1


@pytest.mark.rule("OI-2")
def test_a_server_that_is_stopped_twice_at_work_costs_no_order(
    begin: Begin, server: Server
) -> None:
    sound(begin("postgresql").restarts(2, server), least=8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_frozen_daemon_that_comes_back_to_a_lost_lock_ends_and_doubles_nothing(
    begin: Begin, backend: str
) -> None:
    outcome = begin(backend).takeovers(1)
    sound(outcome, least=4)
    assert outcome.counts.get("zombie ended with 75") == 1, "it went on beside the other one"


def test_kills_double_orders_where_neither_the_erp_nor_a_look_up_prevents_it(begin: Begin) -> None:
    """The torture bites: otherwise all of the above would prove nothing."""
    outcome = begin("sqlite", without_key=True).kills(12)
    assert any("2 times in the ERP" in each for each in outcome.wrong)
