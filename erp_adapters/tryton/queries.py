"""What is asked of Tryton: models, fields and domains, page by page.

``a.b`` among the fields comes back under the key ``"a."``: a row for a link to
one record, rows for a link to several. Rows come in no order that was asked
for by id, so whoever wants one looks for its id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from erp_adapters.tryton.session import Rpc
from sync.errors import Misconfigured, TryLater

Row = Mapping[str, Any]
Clause = tuple[object, ...] | list[object]
Domain = Sequence[object]

ANY_ACTIVE: Clause = ("active", "in", [True, False])
AT_ONCE = 500
"""Keys in one clause: longer lists make slow statements."""

PARTY = (
    "code",
    "name",
    "active",
    "customer_payment_term.name",
    "customer_currency.code",
    "sale_price_list",
    "tax_identifier.code",
    "contact_mechanisms.type",
    "contact_mechanisms.value",
    "contact_mechanisms.active",
)
ADDRESS = (
    "party.code",
    "party.name",
    "party_name",
    "attn",
    "street",
    "postal_code",
    "city",
    "country.code",
    "subdivision.code",
    "subdivision.name",
    "sequence",
    "contact_mechanisms.type",
    "contact_mechanisms.value",
    "contact_mechanisms.active",
)
PRODUCT = (
    "code",
    "name",
    "active",
    "template.active",
    "salable",
    "type",
    "categories_all",
    "account_category",
    "default_uom.symbol",
    "default_uom.category",
    "default_uom.factor",
    "default_uom.digits",
    "sale_uom.symbol",
    "sale_uom.factor",
    "sale_uom.rounding",
    "sale_uom.digits",
)
USES = ("delivery", "invoice")
"""What an address on file is for; one for a single order is for neither."""
UNIT = ("symbol", "category", "factor", "rounding", "digits")
PRICE_LIST = ("name", "unit", "tax_included", "company")
PRICE_LINE = ("price_list", "product", "category", "quantity")
PRICE_LINE_DATES = ("start_date", "end_date")
INVOICE = (
    "number",
    "state",
    "party.code",
    "reference",
    "invoice_date",
    "currency.code",
    "total_amount",
    "tax_amount",
    "amount_to_pay",
    "lines_to_pay.maturity_date",
    "lines_to_pay.amount",
    "lines_to_pay.second_currency.code",
    "lines_to_pay.amount_second_currency",
    "lines.type",
    "lines.sequence",
    "lines.product.code",
    "lines.product.name",
    "lines.description",
    "lines.quantity",
    "lines.unit.symbol",
    "lines.unit_price",
    "lines.amount",
    "sales.number",
    "sales.web_shop",
    "sales.web_id",
)
SALE = (
    "web_id",
    "number",
    "state",
    "party.code",
    "currency.code",
    "total_amount",
    "tax_amount",
    "shipment_state",
    "invoice_state",
    "reference",
    "comment",
    "sale_date",
    "shipping_date",
    "payment_term",
    "shipment_address",
    "invoice_address",
    "contact",
    "_timestamp",
    "lines.type",
    "lines.sequence",
    "lines.description",
    "lines.note",
    "lines.quantity",
    "lines.unit_price",
    "lines.product.code",
    "lines.unit.symbol",
)
CARRIER_OF_SALE = ("carrier",)
SALE_STATUS = (
    "web_id",
    "number",
    "state",
    "shipment_state",
    "invoice_state",
    "shipments.number",
    "shipments.state",
    "shipments.effective_date",
    "lines.type",
    "lines.sequence",
    "lines.note",
    "lines.quantity",
    "lines.product.code",
    "lines.product.default_uom.factor",
    "lines.unit.factor",
    "lines.moves.state",
    "lines.moves.quantity",
    "lines.moves.unit.factor",
    "lines.moves.shipment",
)
CARRIER_OF_SHIPMENT = ("shipments.carrier.party.name",)


def rows(
    rpc: Rpc, model: str, domain: Domain, fields: Collection[str], **context: object
) -> Iterator[Row]:
    """Every record that the domain selects, in the order of their ids.

    Pages are told apart by the last id read, so that a record that comes or
    goes meanwhile moves no other out of sight.
    """
    size = rpc.settings.page_rows
    last = 0
    while True:
        page = rpc.read(
            f"model.{model}.search_read",
            [*domain, ("id", ">", last)],
            0,
            size,
            [("id", "ASC")],
            sorted({*fields, "id"}),
            **context,
        )
        found = sorted(_records(page, model), key=lambda row: int(row["id"]))
        yield from found
        if len(found) < size:
            return
        newest = int(found[-1]["id"])
        if newest <= last:
            raise Misconfigured(f"Tryton gives the same page of {model} again and again")
        last = newest


def _records(page: object, model: str) -> list[Row]:
    if isinstance(page, list) and all(isinstance(row, dict) and row.get("id") for row in page):
        return page
    raise TryLater(f"Tryton answered the question for {model} with what are no records")


def rows_in(
    rpc: Rpc,
    model: str,
    name: str,
    values: Collection[object],
    domain: Domain,
    fields: Collection[str],
    **context: object,
) -> Iterator[Row]:
    """The records whose field ``name`` is one of the values; none where there is no value."""
    ordered = sorted(values, key=str)
    for start in range(0, len(ordered), AT_ONCE):
        clause = (name, "in", ordered[start : start + AT_ONCE])
        yield from rows(rpc, model, [*domain, clause], fields, **context)


def one(rpc: Rpc, model: str, domain: Domain, fields: Collection[str]) -> Row | None:
    """The only record, None where there is none. Raises Misconfigured where there are several."""
    found = list(rows(rpc, model, domain, fields))
    if len(found) > 1:
        raise Misconfigured(f"Tryton has {len(found)} records of {model} where there can be one")
    return found[0] if found else None
