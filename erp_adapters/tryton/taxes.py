"""The tax that Tryton would charge, asked before an order is judged.

A hand of orders asks for one after the other within moments, mostly about the same
customers and items. What they share is kept for some seconds, and not for longer:
a change in Tryton in between is found out when the order is written, since what
it comes to there is compared again (``unlike`` in ``orders.py``).
"""

from __future__ import annotations

import threading
from typing import Any

from erp_adapters.tryton.base import TrytonBase
from erp_adapters.tryton.lookups import Lookups
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from sync.domain.money import Money
from sync.errors import Rejected
from sync.ports.erp import TaxQuestion

KEPT_S = 10.0


class QuotesTaxOfLines(TrytonBase):
    def __init__(self, settings: Settings, rpc: Rpc) -> None:
        super().__init__(settings, rpc)
        self._kept = threading.local()

    def order_tax(self, question: TaxQuestion) -> Money | None:
        """The tax that Tryton would put on these lines, by its own arithmetic."""
        amounts = [(sku.value, net) for sku, net in question.lines]
        amounts += question.charge_codes
        amounts += [(code, -amount) for code, amount in question.discount_codes]
        if not question.lines:
            return None
        lookups = self._lookups_of_now()
        ship_to = question.ship_to_id.value if question.ship_to_id is not None else ""
        known = int(ship_to) if ship_to.isascii() and ship_to.isdecimal() else None
        try:
            header = lookups.header(question.customer_id.value, question.currency, known)
            products = lookups.products([code for code, _ in amounts])
        except Rejected:
            self._kept.made = None  # whoever puts that right in Tryton tries again at once
            return None
        taxes = lookups.taxes(list(products.values()), header)
        lines: list[Any] = [
            {
                "id": -number,
                "type": "line",
                "taxes": list(taxes[products[code]["account_category"]]),
                "unit_price": amount,
                "quantity": 1.0,
                "amount": amount,
            }
            for number, (code, amount) in enumerate(amounts, 2)
        ]
        given = {
            "id": -1,
            "company": self._places.site.company,
            "party": header.party,
            "currency": header.currency,
            "sale_date": question.day,
            "lines": lines,
        }
        told = self._rpc.read("model.sale.sale.on_change", given, ["lines"])
        return Money(told["tax_amount"], question.currency)

    def _lookups_of_now(self) -> Lookups:
        """Those of this thread, made anew once they are some seconds old."""
        now = self._rpc.monotonic()
        made: float | None = getattr(self._kept, "made", None)
        if made is None or now - made > KEPT_S:
            self._kept.made, self._kept.lookups = now, Lookups(self._rpc, self._places)
        lookups: Lookups = self._kept.lookups
        return lookups
