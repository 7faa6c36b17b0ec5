"""A tax that changes between the question and the sale is found out, also within seconds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.settings import Settings
from sync.domain.sales_order import CodedAmount, OneOffShipTo
from sync.errors import Rejected
from sync.ports.erp import TaxQuestion
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from tests.contract.tryton_app import PASSWORD, TrytonApp

RATES = {7: Decimal("0.20"), 8: Decimal("0.10")}


class Taxing(TrytonApp):
    """Each line has one tax; staff may give the customer another one."""

    tax = 7

    def answer(self, method: str, params: list[Any]) -> object:
        if method == "model.sale.line.on_change":
            return {"taxes": {"add": [[0, {"id": self.tax}]]}}
        if method == "model.sale.sale.on_change" and params[1] == ["lines"]:
            return {
                "tax_amount": sum(
                    (
                        line["amount"] * RATES[t]
                        for line in params[0]["lines"]
                        for t in line["taxes"]
                    ),
                    Decimal(0),
                ).quantize(Decimal("0.01"))
            }
        return super().answer(method, params)

    def _made(self, values: dict[str, Any]) -> dict[str, Any]:
        row = super()._made(values)
        [[_, lines]] = values["lines"]
        self.booked = [line.get("taxes") for line in lines if line["type"] == "line"]
        for line in lines:
            for _, ids in line.get("taxes") or []:
                for t in ids:
                    row["total_amount"] += (
                        line["unit_price"] * Decimal(line["quantity"]) * RATES[t]
                    ).quantize(Decimal("0.01"))
        return row


class Rpc:
    user, context = 7, {"company": 1}

    def __init__(self, settings: Settings, app: TrytonApp, clock: ManualClock) -> None:
        self.settings, self.app, self.monotonic = settings, app, clock.monotonic

    def read(self, method: str, *given: Any, **context: Any) -> Any:
        return self.app.answer(method, [*given, context])

    write = read


@pytest.mark.rule("OI-1", "OI-6")
@pytest.mark.parametrize("pause", [5, 11])
def test_a_tax_that_changes_between_question_and_sale_is_found_out(pause: int) -> None:
    options = {"url": "https://erp.example", "database": "erp", "user": "sync"}
    options["web_shop"] = "webstore"
    settings, _ = Settings.read(options, {"password": PASSWORD}, Path())
    clock, app = ManualClock(datetime.now(UTC)), Taxing()
    erp = TrytonErpAdapter(settings, Rpc(settings, app, clock))  # type: ignore[arg-type]
    base = a.a_sales_order(
        ship_to=OneOffShipTo(a.an_address(region=None)), contact=None, email="a@b.example"
    )
    line = base.lines[0]
    net = line.unit_price.amount * line.quantity
    question = TaxQuestion(
        base.sold_to, "EUR", net, Decimal(0), date(2025, 3, 3), lines=((line.sku, net),)
    )
    tax = erp.order_tax(question)
    assert tax is not None
    order = a.a_sales_order(
        ship_to=base.ship_to,
        contact=None,
        email="a@b.example",
        taxes=(CodedAmount("VAT", tax),),
        total=a.money(f"{net + tax.amount:.2f}"),
    )
    app.tax = 8  # the staff gives the customer another tax rule
    clock.advance(pause)
    with pytest.raises(Rejected, match="it would come to"):
        erp.submit_order(order, a.KEY)
