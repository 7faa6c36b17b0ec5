"""Every single fault of the mirror of prices on the ways that it takes beside the usual one.

By row, by what the ERP's server says of lists that need not be read, and by lists that
accounts share. The usual way, and all other flows, are in ``test_faults.py``.
"""

from __future__ import annotations

import pytest

from sync.domain.pricing import PriceLevel
from sync.testing.enumerating import every_fault
from tests.faults.checks import faults_about_lists
from tests.faults.test_faults import told
from tests.faults.trials import FlowTrial, mirror, price_lists


@pytest.mark.rule("MI-1", "MI-2", "OP-1")
@pytest.mark.parametrize("first", [True, False], ids=["into an empty store", "with news"])
def test_prices_that_are_read_by_row_are_shown_whatever_fails(first: bool) -> None:
    def make() -> FlowTrial:
        trial = mirror("prices", first=first)
        trial.site.erp.feeds = ()
        return trial

    done = every_fault(make)
    assert done.cases > 100
    assert not done.found, told(done)


@pytest.mark.rule("MI-1", "MI-2", "OP-1")
@pytest.mark.parametrize("first", [True, False], ids=["into an empty store", "with news"])
def test_prices_that_need_not_be_read_are_shown_whatever_fails(
    monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    # What is confirmed and what is remembered come in pieces, and a run ends between any two.
    monkeypatch.setattr("sync.flows.price_confirming.TOGETHER", 1)
    done = every_fault(lambda: mirror("prices", first=first, states=tuple(PriceLevel)))
    assert done.cases > 100
    assert not done.found, told(done)


@pytest.mark.timeout(600)
@pytest.mark.rule("WA-6", "WA-7", "WA-8", "WA-10", "VE-7", "OP-1")
@pytest.mark.parametrize(
    "first, gaps",
    [(True, False), (False, False), (False, True)],
    ids=["into an empty store", "with news", "with news and gaps"],
)
def test_nobody_sees_another_price_for_a_moment_whatever_fails_with_lists(
    first: bool, gaps: bool
) -> None:
    trial = price_lists(first=first, gaps=gaps)
    trial.run()
    calls = [each.point for each in trial.script.log]
    assert calls.count("store.apply_shared_prices") > 3
    done = faults_about_lists(first=first, gaps=gaps)
    assert done.cases > 70
    assert not done.found, told(done)
