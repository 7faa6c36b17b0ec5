"""What must hold of ERP, store and ledger at the end, seen by reading nothing but them.

The measure is the shop's journal. No code of the flows takes part: a mistake of
theirs would otherwise be made twice and found never.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select, text

from sync.domain.order import WebOrder
from sync.sample import erp_schema as erp
from sync.sample.wrong_orders import End
from tests.torture.places import ROLES, Place
from tests.torture.shop import Placed

Rows = dict[int, list[dict[str, Any]]]

DONE = frozenset({"imported", "acknowledged"})
_ENDS = {End.QUARANTINED: "quarantined", End.WAITING: "waiting", End.CLOSED: "closed"}


@dataclass(frozen=True, slots=True)
class _Found:
    """An order of the ERP with all its parts."""

    header: Mapping[str, Any]
    lines: list[dict[str, Any]]
    charges: list[dict[str, Any]]
    taxes: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    addresses: list[dict[str, Any]]


def violations(place: Place, journal: Mapping[str, Placed]) -> list[str]:
    """Everything that is wrong, in sentences; nothing where all is as it must be."""
    with ExitStack() as opened:
        looking = {role: opened.enter_context(place.looking(role)) for role in ROLES}
        return list(found_by(looking, journal))


def found_by(looking: Mapping[str, Connection], journal: Mapping[str, Placed]) -> Iterator[str]:
    """As ``violations``, through these connections."""
    in_erp = _orders(looking["erp"])
    ledger = {
        str(row["order_id"]): dict(row)
        for row in looking["state"].execute(text("SELECT * FROM ledger")).mappings()
    }
    told = {
        str(row["order_id"]): dict(row)
        for row in looking["store"].execute(text("SELECT * FROM order_imports")).mappings()
    }
    for order_id in in_erp.keys() - journal.keys():
        yield f"{order_id}: in the ERP, and nobody ever placed it"
    for order_id in ledger.keys() - journal.keys():
        yield f"{order_id}: in the ledger, and nobody ever placed it"
    for order_id, known in journal.items():
        entry = ledger.get(order_id)
        found = in_erp.get(order_id, [])
        if entry is None:
            yield f"{order_id}: lost, the ledger has never heard of it"
            continue
        if len(found) > 1:
            yield f"{order_id}: {len(found)} times in the ERP"
        for problem in _judged(known, entry, found, told.get(order_id)):
            yield f"{order_id}: {problem} (ledger: {entry['state']})"


def _judged(
    known: Placed, entry: Mapping[str, Any], found: list[_Found], told: Mapping[str, Any] | None
) -> Iterator[str]:
    state = entry["state"]
    if known.ending is not None:
        if found:
            yield "forbidden, and in the ERP"
        if state != _ENDS[known.ending.end]:
            yield f"should be {_ENDS[known.ending.end]}"
        elif (codes := _codes(entry)) != known.ending.codes:
            yield f"for {sorted(codes)} instead of {sorted(known.ending.codes)}"
        if state == "quarantined" and (told is None or told["state"] != "aborted"):
            yield "quarantined, and the store does not say so"
        return
    if not found:
        if not known.cancelled:
            yield "accepted, and not in the ERP"
        elif state != "closed":
            yield "cancelled before it was imported, and not closed"
        return
    for each in found:
        yield from _whole(known, entry, each, told)


def _whole(
    known: Placed, entry: Mapping[str, Any], found: _Found, told: Mapping[str, Any] | None
) -> Iterator[str]:
    header = found.header
    if header["customer_no"] != known.account:
        yield f"in account {header['customer_no']} instead of {known.account}"
    fits = [
        number
        for number, version in enumerate(known.versions)
        if not list(_differences(version, found))
    ]
    if not fits:
        for number, version in enumerate(known.versions):
            differences = "; ".join(_differences(version, found))
            yield f"not whole: against version {number}: {differences}"
        return
    # A cancelled version has the same content as the one before it.
    settled = fits[-1] == len(known.versions) - 1 and not known.cancelled
    state = entry["state"]
    if settled and state not in DONE and not (state == "review" and len(known.versions) > 1):
        yield "in the ERP as it was placed, and not called imported"
    if not settled and state != "review":
        yield f"the ERP has version {fits[-1]} of {len(known.versions)}, and nobody is told"
    if state in DONE:
        if str(entry["erp_order"]) != str(header["order_no"]):
            yield f"number {header['order_no']} in the ERP, {entry['erp_order']} in the ledger"
        if told is None or (told["state"], str(told["erp_order"])) != (
            "processed",
            str(header["order_no"]),
        ):
            yield "imported, and the store does not show its number"


def _differences(order: WebOrder, found: _Found) -> Iterator[str]:
    wanted = Counter(
        (line.sku.value, _plain(line.unit_price.amount), _plain(line.net.amount))
        for line in order.lines
        if line.kit_parent is None
    )
    has = Counter(
        (str(row["item_no"]), _plain(row["unit_price"]), _plain(row["net_amount"]))
        for row in found.lines
    )
    if wanted != has:
        yield f"lines {dict(wanted - has)} missing, {dict(has - wanted)} too many"
    charges = _sums(found.charges, "charge_kind")
    for kind, amounts in (
        ("CHARGE", [each.amount.amount for each in order.charges]),
        ("DISCOUNT", [each.amount.amount for each in order.discounts]),
        ("ADJUST", [each.amount.amount for each in order.adjustments]),
    ):
        if charges[kind] != sorted(map(_plain, amounts)):
            yield f"{kind} {charges[kind]} instead of {sorted(map(_plain, amounts))}"
    taxes = sorted(_plain(row["amount"]) for row in found.taxes)
    if taxes != sorted(_plain(each.amount.amount) for each in order.taxes):
        yield f"taxes {taxes}"
    if _plain(found.header["order_total"]) != _plain(order.total.amount):
        yield f"total {found.header['order_total']} instead of {order.total.amount}"
    if found.header["currency"] != order.currency:
        yield f"in {found.header['currency']}"
    if (found.header["po_no"] or None) != order.po_number:
        yield f"PO number {found.header['po_no']}"
    cards = [each for each in order.payments if each.reference is not None]
    references = sorted(str(row["reference"]) for row in found.payments if row["reference"])
    if references != sorted(str(each.reference) for each in cards):
        yield f"payments {references}"
    said = " ".join(str(row["text"]) for row in found.notes if row["note_kind"] == "BUYER")
    if order.notes and " ".join(order.notes.split()) not in " ".join(said.split()):
        yield f"notes {said!r}"
    if not order.notes and "Changed my mind" in said:
        yield f"notes {said!r}"
    typed = any(row["address_kind"] == "SHIP" for row in found.addresses)
    if typed == hasattr(order.ship_to, "ship_to_id"):
        yield "ship-to on file and typed ship-to mixed up"


def _orders(connection: Connection) -> dict[str, list[_Found]]:
    table = erp.sales_order
    headers = connection.execute(select(table).where(table.c.source == "WEB")).mappings().all()
    parts = [
        _by_order(connection, each)
        for each in (
            erp.sales_order_line,
            erp.sales_order_charge,
            erp.sales_order_tax,
            erp.sales_order_payment,
            erp.sales_order_note,
            erp.sales_order_address,
        )
    ]
    found: dict[str, list[_Found]] = defaultdict(list)
    for header in headers:
        number = header["order_no"]
        order = _Found(dict(header), *(part.get(number, []) for part in parts))
        found[str(header["web_order_id"])].append(order)
    return found


def _by_order(connection: Connection, table: Any) -> Rows:
    found: Rows = defaultdict(list)
    for row in connection.execute(select(table)).mappings():
        found[row["order_no"]].append(dict(row))
    return found


def _sums(rows: list[dict[str, Any]], column: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        found[str(row[column])].append(_plain(row["amount"]))
    return defaultdict(list, {name: sorted(each) for name, each in found.items()})


def _codes(entry: Mapping[str, Any]) -> set[str]:
    codes = {each for each in str(entry["codes"]).split("|") if each}
    if entry["waiting_for"]:
        codes.add(entry["waiting_for"])
    if entry["closing"]:
        codes.add(entry["closing"])
    return codes


def _plain(amount: object) -> str:
    """One spelling for 2, 2.0 and '2.00'."""
    number = Decimal(str(amount)).normalize()
    return f"{number:f}"
