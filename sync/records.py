"""What belongs to one account, kind by kind: in the ERP, and in the store.

For telling people; the flows that mirror these kinds know more of each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.domain.ids import CustomerId
from sync.flows.context import Context
from sync.flows.mirroring import in_erp
from sync.ports.erp import (
    ReadsAccountOrders,
    ReadsBalances,
    ReadsCustomerParts,
    ReadsDocuments,
    ReadsInvoices,
    TellsUnreadable,
)
from sync.ports.store import (
    MirrorsAccountOrders,
    MirrorsBalances,
    MirrorsCustomerParts,
    MirrorsDocuments,
    MirrorsInvoices,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How the store shows this kind, how the ERP tells of it, and what names one record."""

    name: str
    shows: type
    shown: str
    reads: type
    told: str
    key: tuple[str, ...]


KINDS = (
    Kind("invoice", MirrorsInvoices, "shown_invoices", ReadsInvoices, "invoices", ("number",)),
    Kind(
        "document",
        MirrorsDocuments,
        "shown_documents",
        ReadsDocuments,
        "documents",
        ("kind", "number"),
    ),
    Kind(
        "order",
        MirrorsAccountOrders,
        "shown_account_orders",
        ReadsAccountOrders,
        "account_orders",
        ("number",),
    ),
    Kind("balance", MirrorsBalances, "shown_balances", ReadsBalances, "balances", ("currency",)),
    Kind(
        "part number",
        MirrorsCustomerParts,
        "shown_customer_parts",
        ReadsCustomerParts,
        "customer_parts",
        ("part_number", "sku"),
    ),
)


@dataclass(frozen=True, slots=True)
class Held:
    """Numbers of records of one kind; None for a system that has no place for the kind."""

    kind: str
    in_erp: Sequence[str] | None
    shown: Sequence[str] | None

    def __str__(self) -> str:
        erp = "does not tell of any" if self.in_erp is None else f"has {len(self.in_erp)}"
        store = "has no place for them" if self.shown is None else f"shows {len(self.shown)}"
        said = f"{self.kind}s: the ERP {erp}, the store {store}"
        if self.in_erp is None or self.shown is None:
            return f"{said}."
        parts = [
            f"{what} {', '.join(sorted(some)[:5])}{', ...' if len(some) > 5 else ''}"
            for what, some in (
                ("not shown:", set(self.in_erp) - set(self.shown)),
                ("shown and not in the ERP:", set(self.shown) - set(self.in_erp)),
            )
            if some
        ]
        return f"{said}; {'; '.join(parts)}." if parts else f"{said}."


def keys_in_erp(
    context: Context, customer_ids: Collection[CustomerId]
) -> Mapping[str, Sequence[tuple[CustomerId, str]]]:
    """By kind, whose each record is and what names it; a kind that the ERP cannot tell is absent.

    Of accounts that the ERP really has; without what it cannot read.
    """
    erp, retrying = context.erp, context.retrying()
    asked = in_erp(context, retrying, customer_ids)
    found = {
        kind.name: [
            (each.sold_to, _name(getattr(each, part) for part in kind.key))
            for each in (retrying(getattr(erp, kind.told), asked) if asked else ())
        ]
        for kind in KINDS
        if isinstance(erp, kind.reads)
    }
    if isinstance(erp, TellsUnreadable):
        erp.take_unreadable()  # the flows that meet it tell of it
    return found


def keys_in_store(
    context: Context, customer_ids: Collection[CustomerId]
) -> Mapping[str, Sequence[tuple[CustomerId, str]]]:
    """The same of what the store shows; a kind for which it has no place is absent."""
    store, retrying = context.store, context.retrying()
    return {
        kind.name: [
            (key[0], _name(key[1:])) for key in retrying(getattr(store, kind.shown), customer_ids)
        ]
        for kind in KINDS
        if isinstance(store, kind.shows)
    }


def account_records(context: Context, customer_id: CustomerId) -> Sequence[Held]:
    """Every kind of one account's records, on both sides."""
    erp, store = keys_in_erp(context, [customer_id]), keys_in_store(context, [customer_id])
    return [
        Held(kind.name, _numbers(erp.get(kind.name)), _numbers(store.get(kind.name)))
        for kind in KINDS
    ]


def _numbers(keys: Sequence[tuple[CustomerId, str]] | None) -> Sequence[str] | None:
    return None if keys is None else sorted(name for _, name in keys)


def _name(parts: Any) -> str:
    return " ".join(str(getattr(each, "value", each)) for each in parts)
