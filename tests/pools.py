"""Seeing from a test what a pool of threads has seen."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent import futures
from typing import Any

import pytest


def failure_noticed(monkeypatch: pytest.MonkeyPatch, threads: int) -> threading.Event:
    """Is set when ``sync.kit.pool`` waits for fewer jobs than it has threads.

    While jobs are left it does so only after one has failed. What goes on as soon as another
    is about to fail may be done before it has failed, and then one more begins.
    """
    noticed = threading.Event()

    def wait(under_way: Collection[Any], return_when: str) -> Any:
        if len(under_way) < threads:
            noticed.set()
        return futures.wait(under_way, return_when=return_when)

    monkeypatch.setattr("sync.kit.pool.wait", wait)
    return noticed
