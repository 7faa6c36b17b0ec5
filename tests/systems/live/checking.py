"""What must hold of both systems and the ledger at the end, seen by reading nothing but them.

The measure is the shoppers' journal. No code of ours takes part.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tests.systems.live.pair import FREIGHT, PROMO, ROUNDING, Pair
from tests.systems.live.place import LiveSite
from tests.systems.live.shoppers import Placed

Row = Mapping[str, Any]
DONE = ("imported", "acknowledged")
_SALE = (
    "number",
    "state",
    "web_id",
    "description",
    "reference",
    "party.code",
    "total_amount",
    "tax_amount",
    "shipment_address.active",
    "shipment_address.party_name",
    "shipment_address.street",
    "shipment_address.city",
    "shipment_address.postal_code",
    "lines.type",
    "lines.description",
    "lines.product.code",
    "lines.quantity",
    "lines.unit_price",
    "lines.amount",
)
_WEB_ORDER = re.compile(r"Web order (\d+)")
# Each line of a sale, and each amount of the shop, may be half a cent off.
HALF_A_CENT = Decimal("0.005")


def violations(
    pair: Pair, site: LiveSite, journal: Collection[Placed], before: Collection[str] = ()
) -> list[str]:
    """Everything that is wrong, in sentences. ``before`` are orders of other journals."""
    return list(_found(pair, site, journal, set(before)))


def web_sales(pair: Pair) -> dict[str, list[Row]]:
    """Sales by the number that the shop gave to their order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in pair.admin.rows("sale.sale", [("web_id", "!=", None)], *_SALE):
        told = _WEB_ORDER.fullmatch(row["description"] or "")
        found[told[1] if told else f"? {row['description']}"].append(row)
    return found


def _found(
    pair: Pair, site: LiveSite, journal: Collection[Placed], before: set[str]
) -> Iterator[str]:
    sales = web_sales(pair)
    for number in sales.keys() - {each.number for each in journal} - before:
        yield f"order {number}: in the ERP, and nobody ever placed it"
    query = "SELECT order_id, number, state, erp_order, codes FROM ledger"
    ledger = {str(row[0]): row for row in site.rows(site.state, query)}
    known = {each.order_id for each in journal}
    for order_id, number, *_ in ledger.values():
        if order_id not in known and number not in before:
            yield f"order {number}: in the ledger, and nobody ever placed it"
    shown = told_by_the_shop(pair)
    for placed in journal:
        entry = ledger.get(placed.order_id)
        if entry is None:
            yield f"order {placed.number}: lost, the ledger has never heard of it"
            continue
        of_it = sales.get(placed.number, [])
        for problem in _judged(placed, entry, of_it, shown.get(placed.order_id, {})):
            yield f"order {placed.number} of {placed.who}: {problem} (ledger: {entry[2]})"


def _judged(placed: Placed, entry: Any, sales: list[Row], shown: Row) -> Iterator[str]:
    _, _, state, erp_order, codes = entry
    if placed.account is None:
        if sales:
            yield "forbidden, and in the ERP"
        if state != "quarantined":
            yield "forbidden, and not in quarantine"
        if not placed.codes <= set(str(codes).split("|")):
            yield f"held up by {codes} instead of {sorted(placed.codes)}"
        if shown.get("tradesync_state") != "aborted":
            yield f"the shop shows {shown.get('tradesync_state')}"
        return
    if not sales:
        yield f"accepted, and not in the ERP: {codes}"
        return
    if len(sales) > 1:
        yield f"{len(sales)} times in the ERP"
    for sale in sales:
        yield from differences(placed, sale)
        if state in DONE and erp_order != sale["number"]:
            yield f"number {sale['number']} in the ERP, {erp_order} in the ledger"
        if shown.get("tradesync_erp_order") != sale["number"]:
            yield f"the shop shows {shown.get('tradesync_erp_order')}, it is {sale['number']}"
    if state not in DONE:
        yield "in the ERP, and not called imported"


def differences(placed: Placed, sale: Row) -> Iterator[str]:
    """Between what the buyer saw and what the ERP has."""
    if sale["party."]["code"] != placed.account:
        yield f"in account {sale['party.']['code']} instead of {placed.account}"
    if (sale["state"], bool(sale["number"])) != ("quotation", True):
        yield f"left as {sale['state']} with the number {sale['number']}"
    if sale["total_amount"] != placed.total:
        yield f"comes to {sale['total_amount']}, the buyer saw {placed.exact:f}"
    if (sale["reference"] or None) != placed.po_number:
        yield f"PO number {sale['reference']} instead of {placed.po_number}"
    lines = [line for line in sale["lines."] if line["type"] == "line"]
    by_code = defaultdict(list)
    for line in lines:
        by_code[line["product."]["code"]].append(line)
    freight, off, cents = (by_code.pop(code, []) for code in (FREIGHT, PROMO, ROUNDING))
    goods = Counter(
        (code, Decimal(str(line["quantity"])), line["unit_price"])
        for code, each in by_code.items()
        for line in each
    )
    wanted = Counter(placed.items)
    if goods != wanted:
        yield f"lines {dict(wanted - goods)} missing, {dict(goods - wanted)} too many"
    if [line["amount"] for line in freight] != [Decimal("9.50")]:
        yield f"freight {[line['amount'] for line in freight]}"
    if (len(off) == len(placed.items)) != placed.promo:
        yield f"{len(off)} discounts on {len(placed.items)} lines"
    if len(cents) > 1 or any(line["description"] != "rounding" for line in cents):
        yield f"adjustments {[line['description'] for line in cents]}"
    most = HALF_A_CENT * (2 * len(lines) + 4)
    if any(not 0 < abs(line["amount"]) <= most for line in cents):
        yield f"an adjustment of {[line['amount'] for line in cents]}"
    yield from _place_differs(placed, sale["shipment_address."])


def _place_differs(placed: Placed, address: Row) -> Iterator[str]:
    if placed.on_file is not None:
        if (address["active"], address["party_name"]) != (True, placed.on_file):
            yield f"ships to {address['party_name']} instead of {placed.on_file}"
        return
    form = placed.typed
    if address["active"]:
        yield "its typed ship-to became one of the account's"
    street = (address["street"] or "").splitlines()
    wanted = [line for line in (form["address_1"], form["address_2"]) if line]
    # A region that the ERP does not know stands on the label as it was typed.
    if street not in (wanted, [*wanted, form["province"]]):
        yield f"ships to {street} instead of {wanted}"
    for field, name in (("city", "city"), ("postal_code", "postal_code")):
        if address[field] != form[name]:
            yield f"ships to {field} {address[field]} instead of {form[name]}"
    if address["party_name"] != f"{form['first_name']} {form['last_name']}":
        yield f"ships to {address['party_name']}"


def told_by_the_shop(pair: Pair) -> dict[str, Row]:
    """What the shop's orders say of their way into the ERP, by their keys."""
    with pair.shop.server.sql() as on:
        rows = on.execute('SELECT id, metadata FROM "order"').fetchall()
    return {key: said if isinstance(said, dict) else json.loads(said or "{}") for key, said in rows}
