"""What an order would lose on its way into the ERP, by the fields that a profile keeps.

Steps write into tables and files into folders; both keep fields, some of them
only under a condition. An order that carries something for which the profile
has no place is refused, not written without it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def lost(
    order: SalesOrder,
    common: Values,
    repeated: Repeated,
    keepers: Sequence[Keeper],
    not_kept: Collection[str],
) -> list[str]:
    """Fields that the order has and nothing keeps, sorted; ``not_kept`` may be lost."""
    kept: set[str] = set()
    bound = [(keeper, keeper.fields) for keeper in keepers]
    for keeper, fields in bound:
        if keeper.for_each is None and works_for(keeper, common):
            kept |= fields | set(keeper.when_present)
    texts = {path for _, fields in bound for path in fields & {"note.text", "flag.text"}}
    found: set[str] = set()
    for for_each, group in FOR_EACH.items():
        if not repeated.of(for_each):
            continue
        each = [
            (keeper, fields | set(keeper.when_present))
            for keeper, fields in bound
            if keeper.for_each == for_each
        ]
        for values in repeated.of(for_each):
            if values.get("payment.by") == "terms":
                continue  # the terms themselves are order.terms
            of_item = set(kept)
            for keeper, fields in each:
                if works_for(keeper, common, values):
                    of_item |= fields
            found |= _unkept(values, of_item, group)
    found |= _unkept(common, kept | texts, "order", "ship_to", "bill_to")
    found |= _long_addresses(order, kept)
    return sorted(found - set(not_kept))


def unbound(keepers: Sequence[Keeper], not_kept: Collection[str]) -> list[str]:
    """Guarded fields that nothing ever binds: an order that has one is refused."""
    bound = {path for keeper in keepers for path in keeper.fields | set(keeper.when_present)}
    return sorted(
        path
        for path, others in GUARDED.items()
        if path not in bound and not others & bound and path not in not_kept
    )


def _unkept(values: Values, kept: set[str], *groups: str) -> set[str]:
    return {
        path
        for group in groups
        for path, others in _GUARDED_OF.get(group, ())
        if path not in kept and given(values.get(path)) and not others & kept
    }


def _long_addresses(order: SalesOrder, kept: set[str]) -> set[str]:
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
