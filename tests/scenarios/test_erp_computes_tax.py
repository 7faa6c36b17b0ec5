"""An ERP that takes no tax from outside: its own is compared before anything is written."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.address import TypedAddress
from sync.domain.order import Charge, ChargeKind, OrderDiscount, Tax
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.erp import MEMORY_CAPABILITIES
from tests.scenarios.world import MakeWorld, World, guest_order, harbour_order

NO_OVERRIDE = replace(MEMORY_CAPABILITIES, tax_override=False)


def _taxed(amount: str) -> dict[str, Any]:
    plain = replace(a.a_retail_order(), taxes=(), payments=())
    tax = Tax("VAT", a.money(amount), Decimal("0.2"))
    total = plain.computed_total + tax.amount
    return {"taxes": (tax,), "total": total, "payments": (a.a_card_payment(amount=total),)}


def _own_tax(world: World) -> str:
    order = replace(a.a_retail_order(), taxes=(), payments=())
    assert isinstance(order.ship_to, TypedAddress)
    world.erp.tax_rates[order.ship_to.country or ""] = Decimal("0.2")
    goods = sum((line.net.amount for line in order.lines), Decimal(0))
    charges = sum((charge.amount.amount for charge in order.charges), Decimal(0))
    less = sum((discount.amount.amount for discount in order.discounts), Decimal(0))
    return f"{MEMORY_CAPABILITIES.amount_rounding((goods + charges - less) * Decimal('0.2')):f}"


@pytest.mark.rule("OI-6")
def test_an_order_whose_tax_is_the_erps_own_is_imported(make_world: MakeWorld) -> None:
    world = make_world(capabilities=NO_OVERRIDE)
    world.store.place_order(guest_order(**_taxed(_own_tax(world))))
    world.import_orders()
    assert world.state_of() in (LedgerState.IMPORTED, LedgerState.ACKNOWLEDGED)


@pytest.mark.rule("OI-6")
def test_an_order_whose_tax_is_off_by_more_than_the_tolerance_is_held(
    make_world: MakeWorld,
) -> None:
    world = make_world(capabilities=NO_OVERRIDE)
    off = Decimal(_own_tax(world)) + Decimal("0.02")
    world.store.place_order(guest_order(**_taxed(f"{off:f}")))
    world.import_orders()
    assert world.codes() == {"tax_differs"}
    assert world.in_erp() == []


@pytest.mark.rule("OI-6")
def test_where_the_erp_cannot_tell_its_tax_nothing_is_assumed(make_world: MakeWorld) -> None:
    world = make_world(capabilities=NO_OVERRIDE)
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.codes() == {"tax_cannot_be_compared"}


@pytest.mark.rule("OI-6")
def test_an_erp_that_taxes_by_item_and_by_code_is_told_every_part_of_the_order(
    make_world: MakeWorld,
) -> None:
    world = make_world(capabilities=NO_OVERRIDE)
    order = replace(
        a.a_retail_order(),
        charges=(Charge(ChargeKind.FREIGHT, "DHL", a.money("7.50")),),
        discounts=(OrderDiscount("WELCOME", a.money("10.00")),),
        taxes=(),
        payments=(),
    )
    codes = replace(world.mapping.codes, charges={"DHL": "FRT"}, discounts={"WELCOME": "CPN"})
    world.remap(codes=codes)
    [line] = order.lines
    # Rates that differ, so that no sum of amounts comes to the same tax by chance.
    world.erp.code_tax_rates.update({line.sku.value: Decimal("0.2"), "FRT": Decimal("0.1")})
    world.erp.code_tax_rates["CPN"] = Decimal("0.05")
    due = line.net.amount * Decimal("0.2") + Decimal("0.75") - Decimal("0.50")
    tax = Tax("VAT", a.money(f"{MEMORY_CAPABILITIES.amount_rounding(due):f}"))
    total = order.computed_total + tax.amount
    paid = (a.a_card_payment(amount=total),)
    world.store.place_order(
        guest_order(
            charges=order.charges,
            discounts=order.discounts,
            taxes=(tax,),
            total=total,
            payments=paid,
        )
    )
    world.import_orders()
    assert world.state_of() in (LedgerState.IMPORTED, LedgerState.ACKNOWLEDGED), world.codes()
