"""What an order would lose on its way into the ERP, by the fields that a profile keeps.

Steps write into tables and files into folders; both keep fields, some of them
only under a condition. An order that carries something for which the profile
has no place is refused, not written without it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from erp_adapters.sql.fields import ADDRESS_LINES, FOR_EACH, Repeated, Values, given
from sync.domain.address import Address
from sync.domain.sales_order import OneOffShipTo, SalesOrder

GUARDED: Mapping[str, frozenset[str]] = {
    "order.contact": frozenset(),
    "order.terms": frozenset(),
    "order.hold": frozenset(),
    "order.po_number": frozenset(),
    "order.notes": frozenset({"order.remarks", "note.text"}),
    "order.flags": frozenset({"order.remarks", "flag.text"}),
    "order.requested_on": frozenset(),
    "order.ship_complete": frozenset(),
    "order.ship_via": frozenset(),
    "order.collect_account": frozenset(),
    "order.phone": frozenset(),
    "order.email": frozenset(),
    "ship_to.on_file_id": frozenset({"ship_to.id"}),
    "ship_to.under": frozenset({"ship_to.id"}),
    "bill_to.id": frozenset(),
    **{
        f"{group}.{name}": frozenset(
            {f"{group}.street"} if name.startswith("line") or name == "street" else ()
        )
        for group in ("ship_to", "bill_to")
        for name in (
            *("name", "line1", "line2", "line3", "line4", "city", "country"),
            *("postal_code", "region", "attention", "phone", "email", "residential"),
        )
    },
    "line.sku": frozenset(),
    "line.quantity": frozenset({"line.stock_quantity"}),
    "line.unit_price": frozenset({"line.net"}),
    "line.discount": frozenset({"line.net", "line.discount_rate"}),
    "line.customer_part_number": frozenset(),
    "line.note": frozenset(),
    "charge.amount": frozenset({"order.charges_total"}),
    "discount.amount": frozenset({"order.discounts_total"}),
    "tax.amount": frozenset({"order.taxes_total"}),
    "adjustment.amount": frozenset({"order.adjustments_total"}),
    "payment.amount": frozenset({"order.payments_total"}),
    "payment.reference": frozenset(),
}
"""What must not get lost -> the other fields that keep it as well."""


_GUARDED_OF: dict[str, list[tuple[str, frozenset[str]]]] = {}
for _path, _others in GUARDED.items():
    _GUARDED_OF.setdefault(_path.partition(".")[0], []).append((_path, frozenset(_others)))


class Keeper(Protocol):
    """A step or a file: what it keeps, of what, and when."""

    @property
    def fields(self) -> frozenset[str]: ...

    @property
    def for_each(self) -> str | None: ...

    @property
    def when_present(self) -> tuple[str, ...]: ...

    @property
    def when_absent(self) -> tuple[str, ...]: ...


def works_for(keeper: Keeper, common: Values, own: Values | None = None) -> bool:
    """Whether its conditions let it run for an order with these values.

    ``own``: those of the line, charge and so on that it would run for.
    """
    if not keeper.when_present and not keeper.when_absent:
        return True
    values = {**common, **own} if own else common
    return all(given(values.get(name)) for name in keeper.when_present) and not any(
        given(values.get(name)) for name in keeper.when_absent
    )


class _Keepers:
    """Those that are asked together, with what they keep."""

    def __init__(self, keepers: Iterable[Keeper]) -> None:
        self._always: frozenset[str] = frozenset()
        self._sometimes: list[tuple[Keeper, frozenset[str]]] = []
        for keeper in keepers:
            if keeper.when_present or keeper.when_absent:
                fields = keeper.fields | frozenset(keeper.when_present)
                self._sometimes.append((keeper, fields))
            else:
                self._always |= keeper.fields

    def fields(self, common: Values, own: Values | None = None) -> frozenset[str]:
        """What is kept of an order with these values; ``own`` as in ``works_for``."""
        working = [fields for keeper, fields in self._sometimes if works_for(keeper, common, own)]
        return self._always.union(*working) if working else self._always


class Kept:
    """What the steps or files of one profile keep of an order."""

    def __init__(self, keepers: Sequence[Keeper]) -> None:
        self._whole = _Keepers(each for each in keepers if each.for_each is None)
        self._of = {
            for_each: _Keepers(each for each in keepers if each.for_each == for_each)
            for for_each in FOR_EACH
        }
        texts = {"note.text", "flag.text"}
        self._texts = frozenset(path for each in keepers for path in each.fields & texts)

    def lost(
        self, order: SalesOrder, common: Values, repeated: Repeated, not_kept: Collection[str]
    ) -> list[str]:
        """Fields that the order has and nothing keeps, sorted; ``not_kept`` may be lost."""
        kept = self._whole.fields(common)
        found: set[str] = set()
        for for_each, group in FOR_EACH.items():
            for values in repeated.of(for_each):
                if values.get("payment.by") == "terms":
                    continue  # the terms themselves are order.terms
                of_item = self._of[for_each].fields(common, values)
                found.update(_lost_of(values, _nowhere(kept, of_item, group)))
        for group in ("order", "ship_to", "bill_to"):
            found.update(_lost_of(common, _nowhere(kept, self._texts, group)))
        found |= _long_addresses(order, kept)
        return sorted(found - set(not_kept))


@functools.lru_cache(maxsize=1024)
def _nowhere(kept: frozenset[str], also: frozenset[str], group: str) -> tuple[str, ...]:
    """Guarded fields of the group that are in neither, nor what would stand for them."""
    every = kept | also
    guarded = _GUARDED_OF.get(group, ())
    return tuple(path for path, others in guarded if path not in every and not others & every)


def _lost_of(values: Values, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if given(values.get(path))]


def unbound(keepers: Sequence[Keeper], not_kept: Collection[str]) -> list[str]:
    """Guarded fields that nothing ever binds: an order that has one is refused."""
    bound = {path for keeper in keepers for path in keeper.fields | set(keeper.when_present)}
    return sorted(
        path
        for path, others in GUARDED.items()
        if path not in bound and not others & bound and path not in not_kept
    )


def _long_addresses(order: SalesOrder, kept: Collection[str]) -> set[str]:
    """Street lines beyond those that have a field of their own."""
    ship_to = order.ship_to.address if isinstance(order.ship_to, OneOffShipTo) else None
    bill_to = order.bill_to if isinstance(order.bill_to, Address) else None
    return {
        f"{group}.street"
        for group, address in (("ship_to", ship_to), ("bill_to", bill_to))
        if address is not None
        and len(address.lines) > ADDRESS_LINES
        and f"{group}.street" not in kept
    }
