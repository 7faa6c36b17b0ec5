"""Where the goods and the invoice go (WA-4, WA-3a, WA-11, TL-2)."""

from __future__ import annotations

from sync.admission.facts import AdmissionFacts, Notebook
from sync.domain.address import Address, TypedAddress
from sync.domain.countries import ISO_COUNTRIES
from sync.domain.ids import ShipToId
from sync.domain.mapping import CodeTables, PaymentKind
from sync.domain.order import SelectedBillTo, SelectedShipTo, WebOrder
from sync.domain.sales_order import OneOffShipTo, OnFileBillTo, OnFileShipTo


def country_of(typed: TypedAddress, codes: CodeTables) -> str | None:
    """The ISO code of a typed country; None where it cannot be told.

    The code table goes first. "UK" is two letters and still no ISO code: it
    needs a line in the table.
    """
    text = (typed.country or "").strip()
    known = codes.countries.get(text)
    if known is not None:
        return known if _shaped(known) else None
    return text.upper() if text.upper() in ISO_COUNTRIES else None


def _shaped(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()


def plan_ship_to(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> OnFileShipTo | OneOffShipTo | None:
    """The ship-to for the ERP; None where something forbids it."""
    match order.ship_to:
        case None:
            _missing(facts, notebook)
            return None
        case SelectedShipTo(ship_to_id):
            return _selected(ship_to_id, order, facts, notebook)
        case TypedAddress() as typed:
            return _typed(typed, facts, notebook)


def _missing(facts: AdmissionFacts, notebook: Notebook) -> None:
    default = "" if facts.retail else " The account's default is not assumed."
    notebook.forbid(
        "ship_to_missing",
        f"The order has no ship-to.{default}",
        "Ask the buyer where it should go and add it in the store, then replay.",
    )


def _selected(
    ship_to_id: ShipToId, order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> OnFileShipTo | None:
    if facts.retail:
        notebook.forbid(
            "ship_to_selected_by_retail",
            f"A retail order names ERP ship-to {ship_to_id}; retail ships to the address "
            "typed at checkout.",
            "Ask the buyer for the address and add it in the store, then replay.",
        )
        return None
    if facts.routed is None or facts.account is None:
        return None
    found = facts.ship_to(ship_to_id)
    if found is None:
        notebook.forbid(
            "ship_to_not_of_account",
            f"Ship-to {ship_to_id} is not one of customer {facts.account.customer_id}.",
            "Correct the ship-to in the store, or add it to the customer in the ERP, then replay.",
        )
        return None
    place = order.buyer.location
    if found.location is not None and place is not None and found.location != place:
        notebook.forbid(
            "ship_to_not_of_account",
            f"Ship-to {ship_to_id} belongs to location {found.location}, the buyer to {place}.",
            "Let the buyer select a ship-to of their own location, or untie it in the ERP; "
            "then replay.",
        )
        return None
    return OnFileShipTo(ship_to_id)


def _typed(typed: TypedAddress, facts: AdmissionFacts, notebook: Notebook) -> OneOffShipTo | None:
    if facts.retail is False and not facts.policy.custom_ship_to:
        notebook.forbid(
            "custom_ship_to_forbidden",
            "The account's policy allows no address typed at checkout.",
            "Allow custom_ship_to for the account in accounts.yaml, or let the buyer select "
            "a ship-to; then replay.",
        )
    if not facts.capabilities.ship_to_override:
        notebook.forbid(
            "ship_to_override_unsupported",
            "The ERP takes only ship-tos that it has on file.",
            "Create the ship-to in the ERP and select it in the store, then replay.",
        )
    address = _complete(typed, "ship_to_incomplete", "ship-to", facts, notebook)
    under = _under(facts, notebook)
    return OneOffShipTo(address, under) if address is not None else None


def _under(facts: AdmissionFacts, notebook: Notebook) -> ShipToId | None:
    """The ship-to ID that some ERPs want beside typed lines (WA-11)."""
    if not facts.capabilities.needs_ship_to_id or facts.account is None:
        return None
    under = facts.policy.ship_to_override or facts.account.default_ship_to
    if under is None:
        notebook.forbid(
            "ship_to_id_missing",
            f"The ERP wants a ship-to ID beside a typed address, and customer "
            f"{facts.account.customer_id} has no default one.",
            "Set a default ship-to in the ERP, or ship_to_override in accounts.yaml, then replay.",
        )
    return under


def _complete(
    typed: TypedAddress, code: str, what: str, facts: AdmissionFacts, notebook: Notebook
) -> Address | None:
    lacking = typed.missing()
    if lacking:
        notebook.forbid(
            code,
            f"The {what} typed at checkout lacks {', '.join(lacking)}.",
            "Ask the buyer and complete it in the store, then replay.",
        )
        return None
    country = country_of(typed, facts.mapping.codes)
    if country is None:
        notebook.forbid(
            "country_unknown",
            f'Country "{typed.country}" of the {what} is no ISO code and in no code table.',
            f'Add "{typed.country}" to countries in codes.yaml, then replay.',
        )
        return None
    return typed.completed(country)


def plan_bill_to(
    order: WebOrder, kinds: set[PaymentKind], facts: AdmissionFacts, notebook: Notebook
) -> OnFileBillTo | Address | None:
    """The bill-to for the ERP; None means the account's own, or that one is forbidden.

    Where the order states none, that of the buyer's location wins over the
    account's (VE-6). A typed one is the address of a card: it travels with the
    order, but never replaces where an account on terms is invoiced (TL-2).
    """
    match order.bill_to:
        case None:
            location = facts.location(order.buyer.location)
            if facts.retail is False and location is not None and location.bill_to is not None:
                return OnFileBillTo(location.bill_to)
            return None
        case SelectedBillTo(bill_to_id):
            if facts.routed is None or facts.account is None:
                return None
            if facts.retail or facts.bill_to(bill_to_id) is None:
                notebook.forbid(
                    "bill_to_not_of_account",
                    f"Bill-to {bill_to_id} is not one that the buyer of customer "
                    f"{facts.account.customer_id} may use.",
                    "Correct the bill-to in the store, then replay.",
                )
                return None
            return OnFileBillTo(bill_to_id)
        case TypedAddress() as typed:
            if facts.retail is False and PaymentKind.TERMS in kinds:
                notebook.forbid(
                    "bill_to_typed_on_terms",
                    "An order on account terms is invoiced to a bill-to of the account, "
                    "not to a typed address.",
                    "Let the buyer select a bill-to of the account, then replay.",
                )
            return _complete(typed, "bill_to_incomplete", "bill-to", facts, notebook)


def tax_exempt(order: WebOrder, facts: AdmissionFacts) -> bool:
    """Whether the goods go somewhere exempt (VE-6).

    The ship-to decides, then the location that it belongs to, then the account.
    The buyer's own location has no say: prices follow the buyer, exemption the
    goods.
    """
    if isinstance(order.ship_to, SelectedShipTo):
        ship_to = facts.ship_to(order.ship_to.ship_to_id)
        if ship_to is not None and ship_to.tax_exempt is not None:
            return ship_to.tax_exempt
        location = facts.location(ship_to.location) if ship_to is not None else None
        if location is not None and location.tax_exempt is not None:
            return location.tax_exempt
    return facts.account is not None and facts.account.tax_exempt
