"""Mirror of ship-tos and bill-tos of the mapped accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from sync.domain.account import BillTo, ShipTo
from sync.domain.ids import BillToId, CustomerId, ShipToId
from sync.domain.views import BillToView, ShipToView
from sync.flows.apart import Apart, tell_accounts
from sync.flows.changes import touched_accounts
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import (
    carry_out,
    compare,
    in_erp,
    individual,
    members_of_accounts,
    shown_ids,
    take_unreadable,
    tell_if_none,
    withdraw_retail_groups,
)
from sync.flows.pacing import paced
from sync.flows.record_confirming import RecordConfirming
from sync.planning.plan import Change
from sync.planning.spool import Spool
from sync.ports.erp import Feed, ReadsShipTos, ShipTosTold, SparesShipTos
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsShipTos

# A change of either kind; the first part tells which.
Place = ShipTo | BillTo
PlaceKey = tuple[str, ...]
_SHIP_TO, _BILL_TO = "ship-to", "bill-to"


def mirror_ship_tos(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store offer exactly the addresses that the ERP keeps for each account.

    Addresses that the store's users own are not touched. Raises SuspiciousPlan.
    """
    erp = needs(context.erp, ReadsShipTos, "the ERP")
    store = needs(context.store, MirrorsShipTos, "the store")
    withdraw_retail_groups(context, result, dry_run=dry_run)
    mapped = members_of_accounts(context, scope)
    tell_if_none(result, mapped, scope)
    touched = touched_accounts(context, result, Feed.SHIP_TOS, scope, mapped, dry_run=dry_run)
    under = shown_ids(context, scope)
    ids = sorted(mapped.keys() | set(under))
    ids = [each for each in ids if touched.covers(each)]
    retrying = context.retrying()
    apart = Apart(retrying, sorted(mapped))

    sparing = erp if isinstance(erp, SparesShipTos) else None
    confirming = RecordConfirming(
        *(context, Feed.SHIP_TOS, scope), able=sparing is not None, shown=under, dry_run=dry_run
    )

    def read(some: Collection[CustomerId]) -> ShipTosTold:
        here = in_erp(context, retrying, some)
        if sparing is None:
            return ShipTosTold(retrying(erp.ship_tos, here), retrying(erp.bill_tos, here), {})
        return retrying(sparing.ship_tos_unless, here, confirming.known(here))

    with Spool[PlaceKey, Place](tuple[str, ...], Place) as spool:
        seen, batches = 0, paced(ids, context.limits.accounts_per_read)
        for batch in batches:
            wanted: dict[PlaceKey, Place] = {}
            states: dict[CustomerId, bytes] = {}
            for told in apart.read([each for each in batch if each in mapped], read):
                for place in told.ship_tos:
                    wanted[_SHIP_TO, place.sold_to.value, place.ship_to_id.value] = place
                for bill_to in told.bill_tos:
                    wanted[_BILL_TO, bill_to.sold_to.value, bill_to.bill_to_id.value] = bill_to
                states |= told.states
            same = confirming.same(batch, states)
            compared = [each for each in batch if each not in same]
            shown_ship_tos = retrying(store.shown_ship_tos, compared) if compared else {}
            shown_bill_tos = retrying(store.shown_bill_tos, compared) if compared else {}
            shown: dict[PlaceKey, Place] = {
                (_SHIP_TO, owner.value, key.value): each
                for (owner, key), each in shown_ship_tos.items()
            }
            shown |= {
                (_BILL_TO, owner.value, key.value): each
                for (owner, key), each in shown_bill_tos.items()
            }
            unreadable = take_unreadable(context, result).and_of(apart.unread)
            kept = unreadable.keeping(mapped, _account_of)
            changed = compare(spool, wanted, shown, lambda key: key, kept)
            spool.tally.as_it_is(sum(same.values()))
            counts = Counter(map(_account_of, wanted))
            owners = {_account_of(key) for key in changed}
            confirming.compared(compared, states, counts, owners, unreadable)
            batches.held(len(wanted) + len(shown) + 2 * sum(same.values()))
            seen += len(batch)
            if context.progress("ship_tos: comparing", seen, len(ids)):
                result.outcome = "cancelled"
                return

        tell_accounts(result, apart.unread)
        confirming.tell(result)
        changed_in_erp = confirming.by_the_erp(_account_of(each.key) for each in spool)
        touched.tell_missed(context, result, changed_in_erp)

        def write(batch: Sequence[Change[PlaceKey, Place]]) -> None:
            _write(context, store, batch)

        whole = touched.everything
        done = carry_out(context, result, spool, write, scope, dry_run=dry_run, whole=whole)
    if done:
        confirming.done(result, apart.unread, whole=whole and not scope.narrow)
        touched.done(context, result, apart.unread, dry_run=dry_run)
    else:
        touched.start_over(result)
        everything = replace(scope, everything=True)
        mirror_ship_tos(context, result, everything, dry_run=dry_run)


def _account_of(key: PlaceKey) -> CustomerId:
    return CustomerId(key[1])


def _write(
    context: Context, store: MirrorsShipTos, batch: Sequence[Change[PlaceKey, Place]]
) -> None:
    put_ship_tos, put_bill_tos = [], []
    gone_ship_tos, gone_bill_tos = [], []
    for change in batch:
        kind, owner, key = change.key
        customer_id = CustomerId(owner)
        if isinstance(change.after, ShipTo):
            put_ship_tos.append(ShipToView(individual(context, customer_id), change.after))
        elif isinstance(change.after, BillTo):
            put_bill_tos.append(BillToView(individual(context, customer_id), change.after))
        elif kind == _SHIP_TO:
            gone_ship_tos.append((customer_id, ShipToId(key)))
        else:
            gone_bill_tos.append((customer_id, BillToId(key)))
    if put_ship_tos or gone_ship_tos:
        store.apply_ship_tos(put_ship_tos, gone_ship_tos)
    if put_bill_tos or gone_bill_tos:
        store.apply_bill_tos(put_bill_tos, gone_bill_tos)
