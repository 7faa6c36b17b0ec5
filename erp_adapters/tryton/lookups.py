"""The ids behind the names of an order: customer, products, units, terms, carrier.

Whatever the order names and Tryton does not have is refused here, by name, and
before anything is written: on SQLite Tryton would take a sale of a customer
that does not exist.

What was looked up is kept for as long as the object lives, which is some seconds:
orders that come together share most of it. So is what was read for judging an order,
which ``knows`` tells: customers, products, units and price lists.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from erp_adapters.tryton import queries
from erp_adapters.tryton.queries import ANY_ACTIVE, Row
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.site import Places
from sync.domain.sales_order import SalesOrder
from sync.errors import Rejected


@dataclass(slots=True)
class Header:
    """The ids that lines and their taxes depend on."""

    party: int
    currency: int
    price_list: int | None
    shipment_address: int | None
    defaults: Mapping[str, Any] = field(default_factory=dict)


class Lookups:
    def __init__(self, rpc: Rpc, places: Places) -> None:
        self._rpc, self._places = rpc, places
        self._parties: dict[str, int | None] = {}
        self._headers: dict[tuple[str, str], Header] = {}
        self._products: dict[str, list[Row]] = {}
        self._units: dict[int, dict[str, int]] = {}
        self._lists: Mapping[int, Row] = {}
        self._taxes: dict[tuple[object, ...], Sequence[int]] = {}
        self._names: dict[tuple[str, str, str], list[int]] = {}

    def knows(
        self,
        *,
        parties: Mapping[str, int | None] | None = None,
        products: Mapping[str, list[Row]] | None = None,
        units: Mapping[int, Sequence[Row]] | None = None,
        lists: Mapping[int, Row] | None = None,
    ) -> None:
        """What somebody has just read: customers and products by code, None or no row for one
        that is not there; units by category, all of it; every price list of the company."""
        self._parties.update(parties or {})
        self._products.update(products or {})
        for category, rows in (units or {}).items():
            self._units[category] = {row["symbol"]: int(row["id"]) for row in rows}
        if lists is not None:
            self._lists = lists

    def price_lists(self, names: Collection[str]) -> Mapping[str, Row]:
        """Those of these price lists that there are, by name."""
        found = _by_name(self._places, self._lists)
        if not found.keys() >= set(names):
            self._lists = self._places.price_list_rows()
            found = _by_name(self._places, self._lists)
        return {name: found[name] for name in names if name in found}

    def read_ahead(self, customers: Collection[str], products: Collection[str]) -> None:
        """Look these up together, so that asking for each of them costs nothing."""
        self._read_parties(customers)
        self._read_products(products)
        self._read_units(row for rows in self._products.values() for row in rows)

    def header(self, customer: str, currency: str, ship_to: int | None = None) -> Header:
        """What Tryton fills in for this customer. Raises Rejected where there is none."""
        known = self._headers.get((customer, currency))
        if known is None:
            known = self._headers[customer, currency] = self._header(customer, currency)
        address = ship_to if ship_to is not None else known.shipment_address
        return dataclasses.replace(known, shipment_address=address)

    def _header(self, customer: str, currency: str) -> Header:
        self._read_parties([customer])
        number = self._parties[customer]
        if number is None:
            raise Rejected(
                f"Tryton has no customer {customer}",
                code="erp_unknown_customer",
                remedy="Create the customer in Tryton or correct the mapping, then replay.",
            )
        given: dict[str, object] = {
            "id": -1,
            "company": self._places.site.company,
            "party": number,
            "currency": None,
            "lines": [],
            "warehouse": self._places.site.warehouse,
            "invoice_party": None,
            "shipment_party": None,
            "payment_term": None,
        }
        told = self._rpc.read("model.sale.sale.on_change", given, ["party"])
        return Header(
            party=number,
            currency=self._currency(currency),
            price_list=told.get("price_list"),
            shipment_address=told.get("shipment_address"),
            defaults=told,
        )

    def _currency(self, code: str) -> int:
        number = self._places.currency(code)
        if number is None:
            raise Rejected(
                f"Tryton has no currency {code}, or several",
                code="erp_unknown_currency",
                remedy="Create the currency in Tryton or correct the mapping, then replay.",
            )
        return number

    def _read_parties(self, customers: Collection[str]) -> None:
        missing = {code for code in customers if code not in self._parties}
        domain = [*self._places.site.customers, ANY_ACTIVE]
        rows = queries.rows_in(self._rpc, "party.party", "code", missing, domain, ("code",))
        found = {row["code"]: int(row["id"]) for row in rows}
        self._parties.update((code, found.get(code)) for code in missing)

    def products(self, codes: Sequence[str]) -> Mapping[str, Row]:
        """The products with these codes.

        Raises Rejected for one that is missing, shared by several or not sold.
        """
        self._read_products(codes)
        found = {}
        for code in codes:
            rows = [
                row for row in self._products[code] if row["active"] and row["template."]["active"]
            ]
            if len(rows) != 1:
                raise Rejected(
                    f"Tryton has {len(rows) or 'no'} product with the code {code}",
                    code="erp_unknown_item",
                    remedy="Create the product in Tryton, or correct the code tables; then replay.",
                )
            if not rows[0]["salable"]:
                raise Rejected(
                    f"product {code} is not for sale in Tryton",
                    code="erp_item_not_sold",
                    remedy="Mark the product as salable in Tryton, or correct the code tables;"
                    " then replay.",
                )
            found[code] = rows[0]
        return found

    def all_products(self, codes: Collection[str]) -> Mapping[str, Sequence[Row]]:
        """Every product with one of these codes, whatever its state."""
        self._read_products(codes)
        return {code: self._products[code] for code in codes}

    def _read_products(self, codes: Collection[str]) -> None:
        missing = {code for code in codes if code not in self._products}
        found: dict[str, list[Row]] = {code: [] for code in missing}
        for row in queries.rows_in(
            self._rpc, "product.product", "code", missing, [ANY_ACTIVE], queries.PRODUCT
        ):
            found.setdefault(row["code"], []).append(row)
        self._products.update((code, found[code]) for code in missing)

    def forget_taxes(self) -> None:
        """Ask for taxes anew: what a sale comes to is held against what was told before."""
        self._taxes.clear()

    def taxes(self, products: Sequence[Row], header: Header) -> Mapping[object, Sequence[int]]:
        """Tax ids by account category: what Tryton itself would put on a line."""
        found: dict[object, Sequence[int]] = {}
        sale = {
            "id": -1,
            "company": self._places.site.company,
            "party": header.party,
            "invoice_party": None,
            "price_list": header.price_list,
            "currency": header.currency,
            "sale_date": None,
            "warehouse": self._places.site.warehouse,
            "shipment_address": header.shipment_address,
        }
        for product in products:
            category = product["account_category"]
            if category in found:
                continue
            # A module may tax by any of these, so all of them are of the question.
            key = (*sale.values(), category)
            if key not in self._taxes:
                self._taxes[key] = self._taxes_of(product, sale)
            found[category] = self._taxes[key]
        return found

    def _taxes_of(self, product: Row, sale: Mapping[str, object]) -> Sequence[int]:
        line = {
            "id": -1,
            "type": "line",
            "product": product["id"],
            "quantity": 1.0,
            "unit": None,
            "taxes": [],
            "company": sale["company"],
            "sale": sale,
        }
        told = self._rpc.read("model.sale.line.on_change", line, ["product"])
        added = (told.get("taxes") or {}).get("add", [])
        return [int(each["id"]) for _, each in added]

    def units(self, products: Collection[Row]) -> Mapping[tuple[int, str], int]:
        self._read_units(products)
        categories = {int(row["default_uom."]["category"]) for row in products}
        return {
            (category, symbol): number
            for category in categories
            for symbol, number in self._units[category].items()
        }

    def _read_units(self, products: Iterable[Row]) -> None:
        missing = {int(row["default_uom."]["category"]) for row in products} - self._units.keys()
        found: dict[int, dict[str, int]] = {category: {} for category in missing}
        for row in queries.rows_in(self._rpc, "product.uom", "category", missing, [], queries.UNIT):
            found[int(row["category"])][row["symbol"]] = int(row["id"])
        self._units.update(found)

    def term(self, order: SalesOrder) -> int | None:
        """The terms of the instruction; without any the invoice is due at once."""
        if order.terms is None:
            return None
        return self._named("account.invoice.payment_term", "name", order.terms, "payment term")

    def contact(self, order: SalesOrder, party: int) -> int | None:
        if order.contact is None:
            return None
        number = order.contact.value
        found = None
        if number.isascii() and number.isdecimal():
            domain = [("id", "=", int(number)), ("party", "=", party)]
            found = queries.one(self._rpc, "party.contact_mechanism", domain, ())
        if found is None:
            raise Rejected(
                f"customer {order.sold_to} has no contact {number}",
                code="erp_unknown_contact",
                remedy="Correct the contact in Tryton or in the mapping, then replay.",
            )
        return int(found["id"])

    def carrier(self, order: SalesOrder) -> int | None:
        if order.ship_via is None:
            return None
        if not self._places.site.carriers:
            return None  # stands in the remarks
        found = self._carriers(order.ship_via)
        if len(found) != 1:
            raise Rejected(
                f"Tryton has {len(found) or 'no'} carrier {order.ship_via}",
                code="erp_unknown_carrier",
                remedy="Create the carrier in Tryton or correct ship_methods in codes.yaml;"
                " then replay.",
            )
        return found[0]

    def _carriers(self, name: str) -> list[int]:
        key = ("carrier", "", name)
        if key not in self._names:
            domain = [["OR", ("party.code", "=", name), ("party.name", "=", name)]]
            rows = queries.rows(self._rpc, "carrier", domain, ())
            self._names[key] = [int(row["id"]) for row in rows]
        return self._names[key]

    def _named(self, model: str, name: str, value: str, what: str) -> int:
        found = self._names.get((model, name, value))
        if found is None:
            rows = queries.rows(self._rpc, model, [(name, "=", value)], ())
            found = self._names[model, name, value] = [int(row["id"]) for row in rows]
        if len(found) != 1:
            raise Rejected(
                f"Tryton has {len(found) or 'no'} {what} {value}",
                code=f"erp_unknown_{what.replace(' ', '_')}",
                remedy=f"Create the {what} in Tryton or correct the mapping, then replay.",
            )
        return found[0]


def _by_name(places: Places, lists: Mapping[int, Row]) -> Mapping[str, Row]:
    return {name: lists[number] for number, name in places.price_lists(lists).items()}
