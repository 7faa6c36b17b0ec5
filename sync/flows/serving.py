"""Which flows two systems can serve, by what both are able to do.

A flow that is optional does nothing where one of them cannot serve it; a run of any other
fails. ``check`` tells of both beforehand. One that the settings name under ``off`` as well
is nobody's mistake: it fails only for whoever asks for it by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sync.ports import erp as erp_port
from sync.ports import store as store_port
from sync.ports.erp import Erp, Finding, FindingLevel, lacking
from sync.ports.store import Store


@dataclass(frozen=True, slots=True)
class Needs:
    """What a flow asks of both systems; ``optional``: without it the flow does nothing."""

    erp: tuple[type, ...]
    store: tuple[type, ...]
    optional: bool = False


NEEDS: Mapping[str, Needs] = {
    "accounts": Needs((erp_port.ReadsAccounts,), (store_port.MirrorsAccounts,)),
    "entitlements": Needs(
        (erp_port.ListsRestrictedItems, erp_port.ReadsItems),
        (store_port.MirrorsEntitlements,),
        optional=True,
    ),
    "ship_tos": Needs((erp_port.ReadsShipTos,), (store_port.MirrorsShipTos,)),
    "prices": Needs((erp_port.ReadsPrices,), (store_port.MirrorsPrices,)),
    "invoices": Needs((erp_port.ReadsInvoices,), (store_port.MirrorsInvoices,)),
    "balances": Needs((erp_port.ReadsInvoices,), (store_port.MirrorsBalances,), optional=True),
    "customer_parts": Needs(
        (erp_port.ReadsCustomerParts,), (store_port.MirrorsCustomerParts,), optional=True
    ),
    "availability": Needs(
        (erp_port.ReadsAvailability, erp_port.ReadsItems),
        (store_port.MirrorsAvailability,),
        optional=True,
    ),
    "registrations": Needs(
        (),
        (store_port.ReadsRegistrations, store_port.WritesRegistrations),
        optional=True,
    ),
    "orders": Needs(
        (
            *(erp_port.ReadsAccounts, erp_port.ReadsShipTos, erp_port.ReadsItems),
            *(erp_port.FindsOrders, erp_port.SubmitsOrders),
        ),
        (store_port.ReadsWebOrders, store_port.ReadsBuyers, store_port.ShowsImport),
    ),
    "order_status": Needs((erp_port.ReadsOrderStatus,), (store_port.ShowsImport,)),
    "documents": Needs((erp_port.ReadsDocuments,), (store_port.MirrorsDocuments,), optional=True),
    "account_orders": Needs(
        (erp_port.ReadsAccountOrders,), (store_port.MirrorsAccountOrders,), optional=True
    ),
}


def given_up(erp: Erp, store: Store, off: Collection[str]) -> list[str]:
    """The flows that would fail and that the settings turn off: none of "all flows"."""
    return [
        flow
        for flow, needs in NEEDS.items()
        if flow in off and not needs.optional and _lacked(erp, store, needs) != ([], [])
    ]


def serving_findings(erp: Erp, store: Store, off: Collection[str] = ()) -> Iterator[Finding]:
    """One for each flow that would fail, and one that names all that do nothing here.

    ``off``: the flows that the settings turn off.
    """
    idle: list[str] = []
    for flow, needs in NEEDS.items():
        of_erp, of_store = _lacked(erp, store, needs)
        lacking = [*of_erp, *of_store]
        if not lacking:
            continue
        told = " and ".join(lacking)
        if flow in off and not needs.optional:
            yield Finding(flow, FindingLevel.OK, f"is off, and cannot be served: {told}")
            continue
        if needs.optional:
            idle.append(f"{flow} ({told})")
            continue
        yield Finding(
            flow,
            FindingLevel.WARNING,
            f"cannot be served, and its runs fail: {told}",
            _way_out(flow, erp=bool(of_erp), store=bool(of_store)),
        )
    if idle:
        yield Finding(
            "optional flows", FindingLevel.OK, f"these do nothing here: {', '.join(idle)}"
        )


def _lacked(erp: Erp, store: Store, needs: Needs) -> tuple[list[str], list[str]]:
    return _lacking(erp, needs.erp, "ERP"), _lacking(store, needs.store, "store")


def _lacking(system: Erp | Store, wanted: tuple[type, ...], name: str) -> list[str]:
    told = lacking(system, wanted, f"the {name}")
    return [told] if told is not None else []


def _way_out(flow: str, *, erp: bool, store: bool) -> str:
    """What of it can be helped: an ERP's profile or options may say more, a store's do not."""
    off = f'name it under off in the schedule of the pipeline (off = ["{flow}"])'
    if not erp:
        return f"Nothing in the ERP helps: take a store whose adapter can do this, or {off}."
    more = "Let the ERP's adapter serve it: its README says what a profile or option must add"
    also = "; take a store whose adapter can do this too" if store else ""
    return f"{more}{also}. Or {off}."
