"""Secrets that the ERP, the store or their drivers repeat, in words of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sync.domain.ids import IdempotencyKey
from sync.domain.order import Payment, PaymentState
from sync.domain.sales_order import ErpOrderState, FoundOrder
from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    TryLater,
)
from sync.testing import builders as a
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore
from tests.canaries.places import Drive, Places
from tests.scenarios.world import World, fill_erp, guest_order, order_id

Make = Callable[[str], Exception]

ERRORS: Mapping[str, Make] = {
    "TryLater": TryLater,
    "OutcomeUnknown": OutcomeUnknown,
    "Conflict": Conflict,
    "AccessDenied": AccessDenied,
    "Misconfigured": lambda told: Misconfigured(told, (told,)),
    "Rejected": lambda told: Rejected(told, code="x", remedy=told),
    "a driver's own": RuntimeError,
}


def _raised(make: Make, told: str) -> Exception:
    """With a cause that says it too, as drivers' errors ride along."""
    error = make(told)
    error.__cause__ = ConnectionError(told)
    return error


class LoudErp(MemoryErp):
    """Every call raises, or every answer quotes."""

    error: Exception | None = None
    refusal: str | None = None

    def submit_order(self, order: Any, key: IdempotencyKey) -> Any:
        if self.error is not None:
            raise self.error
        return super().submit_order(order, key)

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        if self.refusal is not None:
            return FoundOrder(None, refusal=self.refusal)
        return super().find_order(key)


class LoudReader(MemoryErp):
    error: Exception | None = None

    def accounts(self, customer_ids: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().accounts(customer_ids)


class LoudStore(MemoryStore):
    error: Exception | None = None

    def show_import(self, order_id: Any, notice: Any) -> None:
        if self.error is not None:
            raise self.error
        super().show_import(order_id, notice)

    def changed_orders(self, since: Any) -> Any:
        if self.error is not None and isinstance(self.error, TryLater | AccessDenied):
            raise self.error
        return super().changed_orders(since)


def _said(places: Places) -> str:
    """As a driver would say it: the known secret as it is, and once more in a URL."""
    return f"login failed for {places.canary.spiky} at erp://u:{places.canary.plain}@host"


def a_world(places: Places) -> World:
    """With one order of a guest."""
    world = places.world(secret=places.canary.spiky)
    world.store.place_order(guest_order())
    return world


def a_loud_erp(world: World) -> LoudErp:
    erp = LoudErp(world.clock, MEMORY_CAPABILITIES)
    fill_erp(erp)
    world.erp = erp
    return erp


def _writing(places: Places, *, name: str) -> None:
    world = a_world(places)
    erp = a_loud_erp(world)
    erp.error = _raised(ERRORS[name], _said(places))
    for _ in range(12):
        places.run(world, "orders", "order_status")
        world.clock.advance(7200)


def _reading(places: Places, *, name: str) -> None:
    world = a_world(places)
    erp = LoudReader(world.clock, MEMORY_CAPABILITIES)
    fill_erp(erp)
    world.erp = erp
    erp.error = _raised(ERRORS[name], _said(places))
    places.run(world, "orders", "accounts", "ship_tos", "prices", "invoices")


def _store(places: Places, *, name: str) -> None:
    world = a_world(places)
    store = LoudStore(clock=world.clock)
    store.place_order(guest_order())
    world.store = store
    store.error = _raised(ERRORS[name], _said(places))
    places.run(world, "orders", "orders")


def _refusal_found(places: Places) -> None:
    world = a_world(places)
    erp = a_loud_erp(world)
    erp.refusal = _said(places)
    places.run(world, "orders")


def _status(places: Places, *, state: ErpOrderState) -> None:
    world = a_world(places)
    places.run(world, "orders")
    status = a.an_order_status(state=state, message=_said(places))
    world.erp.set_order_status(world.entry().key, status)
    places.run(world, "order_status", "orders")


def _payment_token(places: Places, *, state: PaymentState) -> None:
    """Part of the order, on its way to the ERP; nobody else needs to read it."""
    world = places.world()
    paid = Payment("card", state, reference=places.canary.plain)
    world.store.place_order(guest_order(payments=(paid,)))
    places.run(world, "orders", "order_status")
    world.store.change_order(order_id(1), payments=(Payment("card", PaymentState.REFUNDED),))
    places.run(world, "orders")


WAYS = ("log", "report", "state", "store")
SLOTS: dict[str, Drive] = {
    **{f"ERP, writing: {name}": partial(_writing, name=name) for name in ERRORS},
    **{f"ERP, reading: {name}": partial(_reading, name=name) for name in ERRORS},
    **{f"store: {name}": partial(_store, name=name) for name in ERRORS},
    "ERP: a refusal that is found": _refusal_found,
    "ERP: a status with words": partial(_status, state=ErpOrderState.ON_HOLD),
    "ERP: an order refused later": partial(_status, state=ErpOrderState.REFUSED),
    "order: a payment's token, imported": partial(_payment_token, state=PaymentState.AUTHORISED),
    "order: a payment's token, in quarantine": partial(_payment_token, state=PaymentState.EXPIRED),
}
