"""The tax that Tryton would charge, asked before an order is judged."""

from __future__ import annotations

from typing import Any

from erp_adapters.tryton.base import TrytonBase
from sync.domain.money import Money
from sync.errors import Rejected
from sync.ports.erp import TaxQuestion


class QuotesTaxOfLines(TrytonBase):
    def order_tax(self, question: TaxQuestion) -> Money | None:
        """The tax that Tryton would put on these lines, by its own arithmetic."""
        amounts = [(sku.value, net) for sku, net in question.lines]
        amounts += question.charge_codes
        amounts += [(code, -amount) for code, amount in question.discount_codes]
        if not question.lines:
            return None
        ship_to = question.ship_to_id.value if question.ship_to_id is not None else ""
        known = int(ship_to) if ship_to.isascii() and ship_to.isdecimal() else None
        try:
            with self._looking_up() as sales:
                lookups = sales.lookups
                header = lookups.header(question.customer_id.value, question.currency, known)
                products = lookups.products([code for code, _ in amounts])
                taxes = lookups.taxes(list(products.values()), header)
        except Rejected:
            return None
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
