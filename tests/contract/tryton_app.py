"""A Tryton of one customer and one item, over HTTP: enough to write an order into it.

Only what an order takes is modelled: what the server does beyond that is tried out
against a real one (tests/systems/tryton).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from erp_adapters.tryton.wire import decode, encode
from sync.testing.faulty_http import Received, Reply

PASSWORD = "tryton-password-61"
CREATE, QUOTE = "model.sale.sale.create", "model.sale.sale.quote"
CONFIRM, CANCEL = "model.sale.sale.confirm", "model.sale.sale.cancel"
DELETE = "model.sale.sale.delete"
FIND = "model.sale.sale.search_read"
PATH = "/erp/rpc/"

Row = dict[str, Any]
_UNIT: Row = {"id": 1, "symbol": "EA", "category": 1, "factor": 1.0, "rounding": 1.0, "digits": 0}
_FIXED: Mapping[str, object] = {
    "common.db.login": [7, "session-key", None],
    "model.res.user.get_preferences": {"company": 1, "companies": [1], "language": "en"},
    "model.company.company.read": [
        {"id": 1, "rec_name": "Ours", "currency.": {"code": "EUR"}, "timezone": None, "party": 1}
    ],
    "model.web.shop.read": [{"id": 1, "warehouses": [4]}],
    "model.sale.sale.on_change": {"price_list": 3, "shipment_address": 11, "invoice_address": 11},
    "model.sale.line.on_change": {"taxes": {}},
    "model.party.address.create": [12],
    "model.party.address.write": None,
}
_HEADER = (
    "reference",
    "comment",
    "sale_date",
    "shipping_date",
    "payment_term",
    "shipment_address",
    "invoice_address",
    "contact",
)
_ROWS: Mapping[str, Row] = {
    "company.company": {"id": 1, "party": 1},
    "web.shop": {"id": 1},
    "party.party": {"id": 2, "code": "C-1001"},
    "party.address": {"id": 11, "party": 2, "active": False},
    "currency.currency": {"id": 1},
    "account.invoice.payment_term": {"id": 1},
    "product.uom": _UNIT,
    "country.country": {"id": 1},
    "product.product": {
        "id": 5,
        "code": "BOLT-M8",
        "active": True,
        "template.": {"id": 5, "active": True},
        "salable": True,
        "account_category": 9,
        "default_uom.": _UNIT,
        "sale_uom.": _UNIT,
    },
}


class TrytonApp:
    """Answers every call; ``sales`` are the rows that were written."""

    def __init__(self) -> None:
        self.sales: list[Row] = []
        self.quoted = 0
        self._numbers = itertools.count(1)

    def __call__(self, received: Received) -> Reply:
        method, params = said(received)
        return Reply.of({"id": 1, "result": encode(self.answer(method, params))})

    def answer(self, method: str, params: list[Any]) -> object:
        if method in _FIXED:
            return _FIXED[method]
        if method == CREATE:
            made = [self._made(values) for values in params[0]]
            self.sales += made
            return [row["id"] for row in made]
        if method == DELETE:
            self.sales = [row for row in self.sales if row["id"] not in params[0]]
            return None
        if method in (QUOTE, CONFIRM, CANCEL):
            for row in self.sales:
                if row["id"] in params[0]:
                    row.update(self._after(method, row))
            self.quoted += method == QUOTE
            return None
        model = method.removeprefix("model.").removesuffix(".search_read")
        after = params[0][-1][2]
        rows = self.sales if model == "sale.sale" else [_ROWS[model]] if model in _ROWS else []
        asked = [clause[2] for clause in params[0] if list(clause[:2]) == ["id", "in"]]
        if model == "party.address" and asked:
            rows = [{**_ROWS[model], "id": number} for number in asked[0]]
        return [row for row in rows if row["id"] > after]

    def _after(self, method: str, row: Row) -> Row:
        if method == QUOTE:
            return {"state": "quotation", "number": f"SO-{row['id']}"}
        return {"state": "processing" if method == CONFIRM else "cancelled"}

    def _made(self, values: Row) -> Row:
        [[_, lines]] = values["lines"]
        priced = [line for line in lines if line["type"] == "line"]
        return {
            "id": next(self._numbers),
            "web_id": values["web_id"],
            "number": None,
            "state": "draft",
            "party.": {"code": "C-1001"},
            "currency.": {"code": "EUR"},
            "total_amount": sum(
                (line["unit_price"] * Decimal(line["quantity"]) for line in priced), Decimal(0)
            ),
            "_timestamp": "1",
            **{name: values.get(name) for name in _HEADER},
            "lines.": [
                {
                    "id": number,
                    "type": line["type"],
                    "sequence": line["sequence"],
                    "note": line.get("note"),
                    "description": line.get("description"),
                    "quantity": line.get("quantity"),
                    "unit_price": line.get("unit_price"),
                    "product.": {"code": "BOLT-M8"} if line["type"] == "line" else None,
                    "unit.": {"symbol": "EA"},
                }
                for number, line in enumerate(lines, 1)
            ],
        }


def said(received: Received) -> tuple[str, list[Any]]:
    body = received.json()
    assert isinstance(body, dict)
    return body["method"], decode(body["params"])


def calls(method: str) -> Any:
    """Whether a request is a call of this method."""
    return lambda received: said(received)[0] == method
