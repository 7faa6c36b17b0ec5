"""What one Tryton looks like: its company, web shop and warehouse, by their ids.

Read once and kept: the settings name them, and who renames them in Tryton
starts the service anew.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from erp_adapters.tryton import queries
from erp_adapters.tryton.queries import ANY_ACTIVE, Domain, Row
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from sync.errors import Misconfigured

PLAIN_LIST = "(list price)"
"""The price group of customers without a price list: they pay the plain list price."""


@dataclass(frozen=True, slots=True)
class Site:
    """``dated_prices`` and ``carriers``: modules that give fields to ask for."""

    company: int
    company_name: str
    currency: str
    time_zone: str | None
    web_shop: int
    warehouse: int
    customers: Domain
    dated_prices: bool
    carriers: bool


class Places:
    """The site, asked for at the first use; the price lists, asked for each time; and the
    ids of countries, their parts and currencies, whose codes are nobody's to change."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._guard = threading.Lock()
        self._site: Site | None = None
        self._ids: dict[tuple[object, ...], int] = {}
        self.amounts: set[str] = set()
        """Codes of products that orders had beside their goods: freight, discounts, roundings.
        There are a few, and whoever reads the goods of the next order reads them along."""

    @property
    def site(self) -> Site:
        """Raises Misconfigured where something that the settings name is not there."""
        with self._guard:
            if self._site is None:
                self._site = self._read()
            return self._site

    def country(self, code: str) -> int | None:
        return self._only_one("country.country", [("code", "=", code)], code)

    def subdivision(self, country: int, code: str, region: str) -> int | None:
        """The one part of the country with that code, as ``region`` or ``XX-region``, or name."""
        wanted = [region, f"{code}-{region}"]
        either = ["OR", ("code", "in", wanted), ("name", "=", region)]
        domain = [("country", "=", country), either]
        return self._only_one("country.subdivision", domain, country, region)

    def currency(self, code: str) -> int | None:
        return self._only_one("currency.currency", [("code", "=", code)], code)

    def _only_one(self, model: str, domain: Domain, *key: object) -> int | None:
        """Kept once it is found; None where there is none, or not only one."""
        known = self._ids.get((model, *key))
        if known is not None:
            return known
        found = [int(row["id"]) for row in queries.rows(self._rpc, model, domain, ())]
        if len(found) != 1:
            return None
        return self._ids.setdefault((model, *key), found[0])

    def price_lists(self, lists: Mapping[int, Row] | None = None) -> Mapping[int, str]:
        """Name of every price list of the company by its id.

        Two of one name are told apart by their ids, since a name is the key of
        the customers' price group.
        """
        lists = self.price_list_rows() if lists is None else lists
        names = [str(row["name"]) for row in lists.values()]
        return {
            number: str(row["name"])
            if names.count(str(row["name"])) == 1
            else f"{row['name']} #{number}"
            for number, row in lists.items()
        }

    def price_list_rows(self) -> Mapping[int, Row]:
        domain = [("company", "=", self.site.company), ANY_ACTIVE]
        found = queries.rows(self._rpc, "product.price_list", domain, queries.PRICE_LIST)
        return {int(row["id"]): row for row in found}

    def default_price_list(self) -> int | None:
        """The list of customers without one of their own; None: the plain list price."""
        [row] = self._rpc.read("model.sale.configuration.read", [1], ["sale_price_list"])
        held = row["sale_price_list"]
        return int(held) if held is not None else None

    def _read(self) -> Site:
        rpc, settings = self._rpc, self._rpc.settings
        company = int(str(rpc.context["company"]))
        fields = ["rec_name", "currency.code", "timezone", "party"]
        [row] = rpc.read("model.company.company.read", [company], fields)
        if settings.company is not None and row["rec_name"] != settings.company:
            raise Misconfigured(
                f"user {settings.user} of Tryton works for {row['rec_name']},"
                f" the settings say {settings.company}: set the company in the user's preferences"
            )
        shop = _named(rpc, "web.shop", settings.web_shop, [("company", "=", company)])
        modules = _modules(rpc)
        return Site(
            company=company,
            company_name=str(row["rec_name"]),
            currency=str(row["currency."]["code"]),
            time_zone=row["timezone"],
            web_shop=shop,
            warehouse=_warehouse(rpc, settings, shop),
            customers=_customers(rpc, settings),
            dated_prices="product_price_list_dates" in modules,
            carriers="sale_shipment_cost" in modules,
        )


def _modules(rpc: Rpc) -> set[str]:
    """The activated ones that give fields which are asked for."""
    names = ["product_price_list_dates", "sale_shipment_cost"]
    domain = [("state", "=", "activated"), ("name", "in", names)]
    return {str(row["name"]) for row in queries.rows(rpc, "ir.module", domain, ("name",))}


def _named(rpc: Rpc, model: str, name: str, domain: Domain) -> int:
    found = [int(row["id"]) for row in queries.rows(rpc, model, [*domain, ("name", "=", name)], ())]
    if len(found) != 1:
        what = "no" if not found else f"{len(found)}"
        raise Misconfigured(f"Tryton has {what} {model} with the name {name!r}")
    return found[0]


def _warehouse(rpc: Rpc, settings: Settings, shop: int) -> int:
    if settings.warehouse is not None:
        return _named(rpc, "stock.location", settings.warehouse, [("type", "=", "warehouse")])
    [row] = rpc.read("model.web.shop.read", [shop], ["warehouses"])
    if row["warehouses"]:
        return int(row["warehouses"][0])
    held = rpc.read("model.sale.sale.default_get", ["warehouse"], False).get("warehouse")
    if held is None:
        raise Misconfigured("Tryton has no default warehouse: name one in the settings")
    return int(held)


def _customers(rpc: Rpc, settings: Settings) -> Domain:
    """Which parties are customers; the companies themselves never are."""
    own = [row["party"] for row in queries.rows(rpc, "company.company", [], ("party",))]
    domain: list[object] = [("code", "!=", None), ("id", "not in", own)]
    if settings.customer_category is not None:
        category = _named(rpc, "party.category", settings.customer_category, [])
        domain.append(("categories", "child_of", [category], "parent"))
    return domain
