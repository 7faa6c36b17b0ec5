"""Prices asked for by row, several scopes in a read, and apart where one cannot be read.

A broken record, or a price list over which the ERP takes too long, fails every read that
it is part of. What cannot be read is found by halves and set aside, as accounts are
(``sync.flows.apart``): what is shown of it stays, and it is asked for in the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sync.domain.ids import Sku
from sync.domain.pricing import Price, PriceLevel, PriceScope
from sync.flows.apart import Apart
from sync.flows.mirroring import chunks, take_unreadable
from sync.flows.price_run import PriceRun
from sync.ports.erp import ReadsPrices
from sync.ports.state import ResyncScope

# Scopes of single owners are small and many: one statement reads several.
OWNERS_PER_READ = 50

SINGLE = (PriceLevel.ACCOUNT, PriceLevel.LOCATION)


def plan_by_row(
    run: PriceRun,
    erp: ReadsPrices,
    scopes: Sequence[PriceScope],
    others: Collection[PriceScope],
) -> bool:
    """Plan these scopes; False where somebody stopped it. ``others``: see ``read_by_row``."""
    for each in scopes:
        run.tell_of_shared(each)
    published = [each for each in scopes if run.audiences(each)]
    done = 0
    for batch, entries in read_by_row(run, erp, published, sorted(others, key=told_soonest)):
        unreadable = take_unreadable(run.context, run.result)
        run.screening.look_at({each.key.sku for found in entries.values() for each in found})
        for each in batch:
            if each in run.unread:
                run.keep_scope(each)
                continue
            whole = not unreadable.shields(run.entitled.owner(each))
            run.plan_scope(each, entries.get(each, ()), whole=whole)
        done += len(batch)
        if run.compared(done, len(published)):
            return False
    return True


def read_by_row(
    run: PriceRun,
    erp: ReadsPrices,
    scopes: Sequence[PriceScope],
    others: Sequence[PriceScope],
) -> Iterator[tuple[list[PriceScope], Mapping[PriceScope, list[Price]]]]:
    """Scopes that are read together, with the entries of each that has any.

    Those that cannot be read are in ``run.unread`` by then. ``others`` are all that the ERP
    has: the first of them are asked for to see whether it is there. Raises what says that
    it is away.
    """

    def read(some: Sequence[PriceScope]) -> Mapping[PriceScope, list[Price]]:
        return run.retrying(_read, erp, some, run.scope)

    apart = Apart(run.retrying, others)
    for batch in _batches(scopes):
        entries: dict[PriceScope, list[Price]] = {}
        for found in apart.read(batch, read):
            entries |= found
        run.unread |= apart.unread
        yield batch, entries


def told_soonest(scope: PriceScope) -> tuple[bool, PriceScope]:
    """Sorts what one owner has before what many share."""
    return scope.level not in SINGLE, scope


def _read(
    erp: ReadsPrices, scopes: Collection[PriceScope], scope: ResyncScope
) -> Mapping[PriceScope, list[Price]]:
    skus = [Sku(scope.sku)] if scope.sku is not None else None
    found: dict[PriceScope, list[Price]] = {}
    for entry in erp.prices(scopes, skus):
        found.setdefault(entry.key.scope, []).append(entry)
    return found


def _batches(scopes: Sequence[PriceScope]) -> Iterator[list[PriceScope]]:
    """Lists that everybody shares one by one, those of single owners together."""
    yield from ([each] for each in scopes if each.level not in SINGLE)
    yield from chunks([each for each in scopes if each.level in SINGLE], OWNERS_PER_READ)
