"""Every price that the mirror would show is the one that Tryton charges."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import (
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
    scopes_of,
)
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.conftest import Live

QUANTITIES = (1, 9, 10, 12, 24, 25, 50, 99, 100, 1000)
ON_ITS_LAST_DAY = (1, 25)


def _own_answers(client: Tryton, customer: Any, quantity: int, day: date | None) -> dict[str, Any]:
    """What Tryton says of every product, asked as its own sales line asks."""
    context = {"price_list": customer["price_list"], "customer": customer["id"]}
    dated = {} if day is None else {"date": day, "sale_date": day}
    numbers = client.find("product.product")
    rows = client(
        "product.product.read",
        numbers,
        ["code", "sale_price_uom"],
        **context,
        **dated,
        quantity=float(quantity),
        currency=1,
    )
    return {row["code"]: row["sale_price_uom"] for row in rows}


@pytest.mark.rule("WA-6", "WA-7")
def test_each_price_of_each_customer_at_each_quantity_is_the_servers_own(
    seeded: Live, reader: TrytonErpAdapter
) -> None:
    client = seeded.client()
    today = date.fromisoformat(seeded.manifest["today"])
    customers = [*seeded.manifest["customers"], seeded.manifest["retail_party"]]
    codes = {each["code"] for each in seeded.manifest["products"]}
    accounts = reader.accounts([CustomerId(each["code"]) for each in customers])
    entries: dict[tuple[PriceScope, str], list[Price]] = defaultdict(list)
    for price in reader.prices(list(reader.price_scopes())):
        entries[price.key.scope, price.key.sku.value].append(price)
    # A list is asked once for all the customers that have it. A promotion of the
    # seed ended yesterday.
    asked: dict[tuple[int, int, date], dict[str, Any]] = {}
    compared, differing = 0, []
    points = [(today, quantity) for quantity in QUANTITIES]
    points += [(today - timedelta(days=1), quantity) for quantity in ON_ITS_LAST_DAY]
    for (day, quantity), customer in product(points, customers):
        which = (customer["price_list"], quantity, day)
        if which not in asked:
            asked[which] = _own_answers(client, customer, quantity, day)
        account = accounts[CustomerId(customer["code"])]
        scopes = scopes_of(account.customer_id, account.price_groups)
        for code in codes:
            own = [entry for scope in scopes for entry in entries[scope, code]]
            question = PriceQuestion(Sku(code), "u", "USD", Decimal(quantity), day)
            decided = effective_price(own, question)
            shown = decided.price.value.unit_price if decided else None
            compared += 1
            if shown != asked[which][code]:
                differing.append((customer["code"], code, quantity, day, shown, asked[which][code]))
    client.close()
    assert differing == []
    assert compared == len(points) * len(customers) * len(codes)
