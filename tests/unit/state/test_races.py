"""Several workers at once, on real connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from sync.errors import TryLater
from sync.ports.state import Discovery
from tests.unit.state.steps import Steps

T = TypeVar("T")
WORKERS = 6


def at_once(step: Callable[[], T]) -> list[T]:
    """What each of several threads got that took the step at the same moment."""
    ready = threading.Barrier(WORKERS)
    got: list[T] = []

    def work() -> None:
        ready.wait()
        while True:
            try:
                got.append(step())
            except TryLater:
                continue
            return

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.rule("OI-1")
def test_of_several_workers_exactly_one_gets_the_order(ledger: Steps) -> None:
    ledger.discover()
    claims = at_once(ledger.maybe_claim)
    assert len(claims) == WORKERS
    assert len([claim for claim in claims if claim is not None]) == 1


@pytest.mark.rule("OI-1")
def test_of_several_readers_exactly_one_discovers_the_order(ledger: Steps) -> None:
    found = at_once(ledger.discover)
    assert sorted(found, key=lambda each: each.value) == [
        Discovery.NEW,
        *[Discovery.SAME] * (WORKERS - 1),
    ]
    assert ledger.events() == ["discovered"]
