"""How often Tryton is asked on an order's way: whoever adds a call has to say so here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.settings import Settings
from sync.domain.ids import IdempotencyKey, ShipToId
from sync.domain.pricing import PriceQuestion, PriceScope
from sync.domain.sales_order import CodedAmount, OneOffShipTo, OnFileShipTo
from sync.ports.erp import TaxQuestion
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from tests.contract.tryton_app import PASSWORD, TrytonApp
from tests.unit.tryton.test_changed_taxes import Rpc

DAY = date(2025, 3, 3)
PRICE = Decimal("9.9900")
_NONE: Mapping[str, Any] = {
    "customer_payment_term.": None,
    "customer_currency.": None,
    "tax_identifier.": None,
    "contact_mechanisms.": [],
}
CUSTOMER = {"id": 2, "code": "C-1001", "name": "Harbour", "active": True, "sale_price_list": 3}
ADDRESS = {
    "id": 11,
    "party": 2,
    "party.": {"id": 2, "code": "C-1001", "name": "Harbour"},
    "party_name": "",
    "attn": "",
    "street": "Quay 1",
    "postal_code": "1011",
    "city": "Amsterdam",
    "country.": {"code": "NL"},
    "subdivision.": None,
    "sequence": 1,
    "contact_mechanisms.": [],
    "active": True,
    "delivery": True,
    "invoice": True,
}
LIST = {"id": 3, "name": "GOLD", "unit": "product_default", "tax_included": False, "company": 1}


class Asked(TrytonApp):
    """Notes each call, by its model and what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def forget(self) -> None:
        self.calls.clear()
        self.sales.clear()

    def answer(self, method: str, params: list[Any]) -> object:
        self.calls[method.removeprefix("model.").replace("search_read", "search")] += 1
        match method:
            case "model.product.price_list.search_read":
                return [LIST] if params[0][-1][2] < 3 else []
            case "model.product.product.read":
                return [{"id": number, "sale_price_uom": PRICE} for number in params[0]]
            case "model.party.party.search_read":
                return [{**_NONE, **CUSTOMER}] if params[0][-1][2] < 2 else []
            case "model.party.address.search_read" if "street" in params[4]:
                return [ADDRESS] if params[0][-1][2] < 11 else []
            case "model.sale.sale.on_change" if params[1] == ["lines"]:
                return {"tax_amount": Decimal(0)}
        found = super().answer(method, params)
        if method == "model.product.product.search_read":
            assert isinstance(found, list)
            more = {"name": "Bolt", "type": "goods", "categories_all": []}
            [clause] = [each for each in params[0] if each[0] == "code"]
            return [
                {**row, **more, "id": row["id"] + at, "code": code}
                for row in found
                for at, code in enumerate(sorted(clause[2]))
            ]
        return found


@pytest.fixture
def app() -> Asked:
    return Asked()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def erp(app: Asked, clock: ManualClock) -> TrytonErpAdapter:
    options = {"url": "https://erp.example", "database": "erp", "user": "sync"}
    options["web_shop"] = "webstore"
    settings, _ = Settings.read(options, {"password": PASSWORD}, Path())
    erp = TrytonErpAdapter(settings, Rpc(settings, app, clock))  # type: ignore[arg-type]
    _ = erp._places.site  # read once for the life of a service
    app.calls.clear()
    return erp


def bring_in(erp: TrytonErpAdapter, key: str, **how: Any) -> None:
    """All that is asked of an ERP from an order's discovery to its number."""
    order = a.a_sales_order(contact=None, email="ada@harbour.example", **how)
    [line] = order.lines
    [account] = [file.account for file in erp.account_files([order.sold_to]).values()]
    assert account.active
    assert erp.items([line.sku])
    question = PriceQuestion(line.sku, "EA", "EUR", line.quantity, DAY)
    scopes = [PriceScope.account(order.sold_to), PriceScope.group(account.price_groups[0])]
    [price] = erp.asked_prices([(scope, question) for scope in scopes]).values()
    assert price.value.unit_price == PRICE
    tax = TaxQuestion(
        order.sold_to, "EUR", Decimal(1), Decimal(0), DAY, lines=((line.sku, Decimal(1)),)
    )
    assert erp.order_tax(tax) is not None
    assert erp.find_order(IdempotencyKey(key)) is None
    erp.submit_order(order, IdempotencyKey(key))


ON_FILE = {
    # The customer, the addresses, the lists; what is bought, and its price.
    "party.party.search": 1,
    "party.address.search": 1,
    "product.price_list.search": 1,
    "product.product.search": 1,
    "product.uom.search": 1,
    "product.product.read": 1,
    # What Tryton fills in for the customer, and the tax of the lines.
    "sale.sale.on_change": 2,
    # Of each rate of tax: once for the question, once anew for the sale.
    "sale.line.on_change": 2,
    # Looked for before the order is made ready and before it is written, read back twice.
    "sale.sale.search": 4,
    "sale.sale.create": 1,
    "sale.sale.quote": 1,
}
ONCE = {"currency.currency.search": 1, "account.invoice.payment_term.search": 1}
# Whether an earlier order made the same address: here one did.
ONE_OFF = {"party.address.search": 1}


def test_an_order_to_an_address_on_file_costs_so_many_calls(
    erp: TrytonErpAdapter, app: Asked
) -> None:
    ship_to = OnFileShipTo(ShipToId("11"))
    bring_in(erp, "k-1", ship_to=ship_to)
    assert app.calls == Counter(ON_FILE) + Counter(ONCE)


def test_an_order_to_an_address_of_its_own_costs_so_many_calls(
    erp: TrytonErpAdapter, app: Asked
) -> None:
    bring_in(erp, "k-1", ship_to=OneOffShipTo(a.an_address(region=None)))
    more = Counter(ONE_OFF) + Counter({"country.country.search": 1})
    assert app.calls == Counter(ON_FILE) + Counter(ONCE) + more


def test_what_is_nobodys_to_change_is_asked_for_once(
    erp: TrytonErpAdapter, app: Asked, clock: ManualClock
) -> None:
    ship_to = OneOffShipTo(a.an_address(region=None))
    bring_in(erp, "k-1", ship_to=ship_to)
    clock.advance(3600)
    app.forget()
    bring_in(erp, "k-2", ship_to=ship_to)
    again = Counter({"account.invoice.payment_term.search": 1})
    assert app.calls == Counter(ON_FILE) + Counter(ONE_OFF) + again


def test_the_next_order_within_moments_asks_anew_for_what_it_is_judged_by(
    erp: TrytonErpAdapter, app: Asked, clock: ManualClock
) -> None:
    ship_to = OnFileShipTo(ShipToId("11"))
    bring_in(erp, "k-1", ship_to=ship_to)
    clock.advance(2)
    app.forget()
    bring_in(erp, "k-2", ship_to=ship_to)
    # What Tryton fills in for the customer is known, and of the tax only the sale's is anew.
    assert Counter(ON_FILE) - app.calls == Counter(
        {"sale.sale.on_change": 1, "sale.line.on_change": 1}
    )
    assert app.calls <= Counter(ON_FILE)


def test_what_the_last_orders_had_beside_goods_is_read_along_with_the_next_ones_items(
    erp: TrytonErpAdapter, app: Asked, clock: ManualClock
) -> None:
    """Here freight and a discount; the first time they cost a search of their own."""
    freight = CodedAmount("FREIGHT", a.money("5.00"))
    how = {
        "ship_to": OnFileShipTo(ShipToId("11")),
        "charges": (freight,),
        "total": a.money("104.90"),
    }
    bring_in(erp, "k-1", **how)
    assert app.calls["product.product.search"] == 2
    clock.advance(3600)
    app.forget()
    bring_in(erp, "k-2", **how)
    assert app.calls["product.product.search"] == 1
