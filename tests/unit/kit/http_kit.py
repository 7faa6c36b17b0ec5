"""A small shop behind a faulty server, and sessions that ask it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sync.errors import SyncError
from sync.kit.http import HttpLimits, HttpSession
from sync.testing.clock import ManualClock
from sync.testing.faulty_http import Received, Reply

TOKEN = "tok-5f3a9c77d1e2"
QUERY_SECRET = "query-secret-81"
CANARIES = (TOKEN, QUERY_SECRET, "Canal Street", "bo@mill.example", "hunter2")
# Nothing hangs here by intention: a machine that is busy must not be taken for a fault.
LIMITS = HttpLimits(connect_s=30.0, read_s=30.0, body_bytes=200_000, unpacked_bytes=1_000_000)
ORDER = {"number": "W-1", "ship_to": "Canal Street 12", "email": "bo@mill.example"}


class Shop:
    """Keeps what is posted to /orders, under its number, and lists it in pages of two."""

    def __init__(self) -> None:
        self.orders: list[Any] = []

    def __call__(self, received: Received) -> Reply:
        if received.method == "POST":
            self.orders.append(received.json())
            return Reply.of({"id": len(self.orders)}, 201)
        start = int(received.query.get("from", ["0"])[0])
        return Reply.of({"orders": self.orders[start : start + 2], "total": "9.90"})


class TickingClock(ManualClock):
    """Each look at it takes a second."""

    def monotonic(self) -> float:
        self.advance(1.0)
        return super().monotonic()


def a_session(url: str, clock: ManualClock | None = None, **given: Any) -> HttpSession:
    clock = clock or ManualClock(datetime.now(UTC))
    options: dict[str, Any] = {
        "system": "the shop",
        "now": clock.now,
        "monotonic": clock.monotonic,
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "limits": LIMITS,
    }
    return HttpSession(url, **{**options, **given})


def read(session: HttpSession) -> Any:
    return session.read("/orders", params={"key": QUERY_SECRET}).json()


def write(session: HttpSession) -> Any:
    return session.write("POST", "/orders", params={"key": QUERY_SECRET}, json=ORDER).json()


def tells_nothing(error: SyncError, canaries: Sequence[str] = CANARIES) -> None:
    """Neither the message nor anything that a traceback would print below it is secret."""
    told = []
    shown: BaseException | None = error
    while shown is not None:
        told += [str(shown), repr(shown)]
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    for canary in canaries:
        assert canary not in "\n".join(told)
    assert "?" not in str(error)
