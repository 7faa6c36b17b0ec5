"""Every order that the store shows goes into the ledger, before anything else.

The feed goes by the store's own times of change, and those are not always true:
its clock may be wrong for a while, and an order may be handed over hours after
its time. So the watermark never runs ahead of our own clock, and once a day the
reading begins days further back. Whoever reads too much sees known orders again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sync.domain.ids import WebOrderId, WebOrderNumber, well_formed
from sync.domain.order import StoreOrder, UnreadableOrder
from sync.domain.times import Watermark
from sync.errors import LeftAlone, Misconfigured, Refusal, TryLater
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import chunks
from sync.flows.orders.reading import orders_now
from sync.ports.state import Discovery, LedgerFilter, ResyncScope, State, Transaction
from sync.ports.store import FindsWebOrders, ReadsWebOrders

WATERMARK = "orders"
LOOKED_BACK = "orders:looked_back"
LOOK_BACK = timedelta(days=3)
LOOK_BACK_EVERY = timedelta(days=1)


def discover(context: Context, result: FlowResult, scope: ResyncScope) -> None:
    """Read the store's feed into the ledger, page by page.

    Orders and watermark are committed together, so a crash in between repeats a
    page and loses none. A run with a scope moves no watermark: it says nothing
    of what lies outside the scope.
    """
    store = needs(context.store, ReadsWebOrders, "the store")
    if scope.order is not None:
        looked = look_up(context, scope.order)
        order = context.retrying()(store.order, looked.order_id)
        if order is None:
            told = " ".join(looked.tried)
            result.remarks.append(f"The store shows no order {scope.order}. {told}".rstrip())
        else:
            with context.state.transaction() as state:
                _take_in(context, result, state, order)
        return
    if scope.hinted:
        _discover_hinted(context, result, scope.hinted)
        return
    began = Watermark(context.clock.now())
    start = reading_from(context, scope)
    seen = 0
    for page in context.retrying()(store.changed_orders, start.since):
        with context.state.transaction() as state:
            now = context.clock.now()
            known = frozenset(state.ledger.unchanged(page.orders))
            for order in page.orders:
                if order.order_id not in known and in_scope(order, scope):
                    if placed_before(context, order) and not state.ledger.entry(order.order_id):
                        result.count("orders_before_start")
                        continue
                    found = state.ledger.discover(order, now)
                    result.count(f"orders_{found.value}", found is not Discovery.SAME)
            held = state.watermarks.get(WATERMARK)
            reached = min(page.reached, began)
            # One ahead of our clock was set while that one was wrong.
            if not scope.narrow and (held is None or held < reached or held > began):
                state.watermarks.set(WATERMARK, reached)
        seen += len(page.orders)
        if context.progress("orders: reading the store", seen, None):
            result.outcome = "cancelled"
            return
    if start.looks_back and not scope.narrow:
        with context.state.transaction() as state:
            state.watermarks.set(LOOKED_BACK, began)


def _discover_hinted(context: Context, result: FlowResult, hinted: tuple[WebOrderId, ...]) -> None:
    """Read each of these orders; what a hint says of them is not even looked at.

    One that the store does not show is nothing to remark: the hint may have come
    before its order, or long after it.
    """
    done = 0
    for some in chunks(hinted, context.limits.orders.batch):
        found: list[StoreOrder] = []
        try:
            _look_at(context, result, some, found)
        finally:
            with context.state.transaction() as state:
                for order in found:
                    _take_in(context, result, state, order, named=False)
        done += len(some)
        if context.progress("orders: reading the store", done, len(hinted)):
            result.outcome = "cancelled"
            return


def _look_at(
    context: Context,
    result: FlowResult,
    order_ids: Sequence[WebOrderId],
    found: list[StoreOrder],
) -> None:
    """Those of these orders that the store shows, into ``found``.

    One that it cannot answer for, or refuses to, is left to the next look at all
    orders, and costs the others nothing. Where it does not answer for two in a row,
    or for a single one, that is raised, and what was found before stays found.
    """
    try:
        shown = orders_now(context, order_ids).values()
        found.extend(each for each in shown if each is not None)
    except LeftAlone:
        raise
    except (TryLater, Refusal) as error:
        if len(order_ids) == 1 and isinstance(error, TryLater):
            raise
    else:
        return
    failed_before = False
    for order_id in order_ids:
        try:
            order = orders_now(context, [order_id])[order_id]
        except LeftAlone:
            raise
        except (TryLater, Refusal) as error:
            if failed_before and isinstance(error, TryLater):
                raise
            # A refusal is an answer: the store is there.
            failed_before = isinstance(error, TryLater)
            result.remarks.append(f"The store could not show order {order_id}: {error}")
            continue
        failed_before = False
        if order is not None:
            found.append(order)


def _take_in(
    context: Context,
    result: FlowResult,
    state: Transaction,
    order: StoreOrder,
    *,
    named: bool = True,
) -> None:
    """Into the ledger, unless it is older than the service and nobody ``named`` it."""
    if not named and placed_before(context, order) and not state.ledger.entry(order.order_id):
        result.count("orders_before_start")
        return
    found = state.ledger.discover(order, context.clock.now())
    result.count(f"orders_{found.value}", found is not Discovery.SAME)


def order_id_of(context: Context, name: str) -> WebOrderId:
    """The key of the order with this number or key."""
    return named_order(context.state, name)


def named_order(state: State, name: str) -> WebOrderId:
    """The key of the order with this number or key; the name itself for one not yet known.

    Raises Misconfigured where it stands for several orders, or can be no key at all.
    """
    with state.transaction() as on:
        found = {
            each.order_id for each in on.ledger.entries(LedgerFilter(numbers=frozenset({name})))
        }
        if well_formed(name) and on.ledger.entry(WebOrderId(name)) is not None:
            found.add(WebOrderId(name))
    if len(found) > 1:
        keys = ", ".join(str(each) for each in sorted(found))
        raise Misconfigured(
            f"{name} stands for several orders; name one by its key or number: {keys}"
        )
    if not found and not well_formed(name):
        raise Misconfigured(f"{name!r} can be no order's number or key")
    return found.pop() if found else WebOrderId(name)


@dataclass(frozen=True, slots=True)
class Looked:
    """The key that a name stands for. ``tried``: what was looked at in vain, and the way out."""

    order_id: WebOrderId
    tried: tuple[str, ...] = ()


def look_up(context: Context, name: str) -> Looked:
    """The order of this number or key; the store is asked where the ledger does not know it.

    Raises Misconfigured where it stands for several orders, or can be no key at all.
    """
    order_id = order_id_of(context, name)
    store, retrying = context.store, context.retrying()
    with context.state.transaction() as state:
        if state.ledger.entry(order_id) is not None:
            return Looked(order_id)
    reading = needs(store, ReadsWebOrders, "the store")
    if retrying(reading.order, order_id) is not None:
        return Looked(order_id)
    if not isinstance(store, FindsWebOrders):
        return Looked(order_id, (_TRIED_BY_KEY.format(name), _GIVE_THE_KEY))
    found = sorted(retrying(store.orders_numbered, WebOrderNumber(name)))
    if len(found) > 1:
        keys = ", ".join(map(str, found))
        raise Misconfigured(f"{name} stands for several orders; name one by its key: {keys}")
    if found:
        return Looked(found[0])
    return Looked(order_id, (_TRIED_BOTH.format(name), _COMPARE))


_TRIED_BOTH = "Looked for the number and the key {} in the ledger and in the store."
_COMPARE = (
    "Compare it with the number in the shop, letter by letter; the store's own key of the"
    " order will do, too."
)
_TRIED_BY_KEY = (
    "Looked for the number and the key {} in the ledger, and for the key in the store; this"
    " store finds no orders by number before they were read."
)
_GIVE_THE_KEY = (
    "Give the store's own key of the order (it stands in the address of its page in the shop's"
    " administration), or have new orders read first: tradesync resync orders."
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a reading begins; ``since`` None: at the beginning.

    ``looks_back``: further behind the watermark than the store's overlap.
    """

    since: Watermark | None
    looks_back: bool = True


def reading_from(context: Context, scope: ResyncScope) -> Start:
    """Behind the watermark by the store's overlap, and once a day or on request further back.

    A run for one account reads like any other: which account an order goes into is
    not known before it is read.
    """
    if scope.since is not None:
        return Start(Watermark(scope.since))
    if replace(scope, customer=None).narrow:
        return Start(None)
    with context.state.transaction() as state:
        held = state.watermarks.get(WATERMARK)
        looked_back = state.watermarks.get(LOOKED_BACK)
    if held is None:
        return Start(None)
    now = Watermark(context.clock.now())
    behind = timedelta(seconds=context.store.capabilities.overlap_s)
    lately = looked_back is not None and now.at - LOOK_BACK_EVERY < looked_back.at <= now.at
    if scope.everything or not lately:
        behind += LOOK_BACK
    return Start(Watermark(min(held, now).at - behind), scope.everything or not lately)


def placed_before(context: Context, order: StoreOrder) -> bool:
    """Whether the order was placed before this service began to bring orders in.

    A shop may show years of orders, which the ERP has under no key of ours.
    """
    start = context.limits.orders.placed_since
    if start is None:
        return False
    return (order.modified_at if isinstance(order, UnreadableOrder) else order.placed_at) < start


def in_scope(order: StoreOrder, scope: ResyncScope) -> bool:
    if scope.channel is not None and (
        order.channel is None or order.channel.value != scope.channel
    ):
        return False
    return scope.until is None or order.modified_at <= scope.until
