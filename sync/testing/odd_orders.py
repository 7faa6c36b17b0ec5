"""Orders that ask much of an ERP: each has something for which one or another has no place.

They are of the account, items and ship-to that the contract suite arranges.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal

import pytest

from sync.domain.ids import IdempotencyKey, ShipToId
from sync.domain.sales_order import OneOffShipTo, SalesOrder
from sync.errors import Rejected, SyncError
from sync.ports.erp import ForeseesRefusals, SubmitsOrders
from sync.testing import builders as a

PLAIN = "plain"


def odd_orders(under: ShipToId | None = None) -> Mapping[str, SalesOrder]:
    """By a name; one of them is odd in nothing. ``under``: for one-off addresses."""
    long_street = a.an_address(lines=tuple(f"Gate {number}" for number in range(1, 7)))
    codeless = a.a_sales_line(discount=a.money("2.00"), net=a.money("97.90"))
    return {
        PLAIN: a.a_sales_order(),
        "notes": a.a_sales_order(notes="Ring twice."),
        "control_character": a.a_sales_order(po_number="PO\x1a1"),
        "other_script": a.a_sales_order(po_number="PO 東京"),
        "long_street": a.a_sales_order(ship_to=OneOffShipTo(long_street, under)),
        "fine_quantity": _of_one_line(quantity=Decimal("10.00000000000000001")),
        "codeless_discount": dataclasses.replace(
            a.a_sales_order(lines=(codeless,)), total=a.money("97.90")
        ),
    }


def _of_one_line(**changes: object) -> SalesOrder:
    return a.a_sales_order(lines=(dataclasses.replace(a.a_sales_line(), **changes),))  # type: ignore[arg-type]


def check_without_its_server(erp: object) -> set[str]:
    """Hold an adapter whose server cannot be reached to what it foresees; gives what it does.

    What it foresees it must know by itself, and what it does not it must not refuse by
    itself.
    """
    assert isinstance(erp, ForeseesRefusals)
    assert isinstance(erp, SubmitsOrders)
    found = set()
    for number, (name, order) in enumerate(odd_orders(a.SHIP_TO).items()):
        key = IdempotencyKey(f"shop-odd-{number}")
        if erp.foreseen_refusal(order, key) is not None:
            found.add(name)
            continue
        with pytest.raises(SyncError) as caught:
            erp.submit_order(order, key)
        assert not isinstance(caught.value, Rejected), f"{name}: refused, and not foreseen"
    return found
