"""Every kind of price that the sample ERP has, as entries of the domain.

The base list has all items in both currencies; each price class has a list; a
few dozen contracts belong to accounts, one to a branch; some items are on
special for everybody. Cases and boxes have prices of their own. A few heavy items cost
more where they are shipped from Rotterdam.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from sync.domain.account import Account, Item
from sync.domain.ids import LocationId, Sku
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Price,
    PriceKey,
    PriceQuestion,
    PriceScope,
    PriceValue,
    effective_price,
    scopes_of,
)
from sync.sample.catalogue import Catalogue
from sync.sample.customers import (
    CONTRACTOR,
    DEALER,
    INDUSTRY,
    OWN_PRICE_BRANCH,
    RETAIL_EU,
    RETAIL_US,
    Customers,
    branch_id,
)

IN_EUROS = Decimal("0.93")
SPECIAL = "SPECIAL"
"""What the profile calls the list of item overrides, which has no code in the ERP."""
ORDERED_WITHIN_DAYS = 5
"""How far back the oldest order goes; it is priced as of its day."""

_CLASS_SHARE = {
    CONTRACTOR: Decimal("0.90"),
    DEALER: Decimal("0.78"),
    INDUSTRY: Decimal("0.84"),
}
_CASE_SHARE = Decimal("0.97")
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All entries, ordered by their keys, and a look-up that answers as the ERP would."""

    entries: tuple[Price, ...]
    by_item: dict[Sku, tuple[Price, ...]]

    def unit_price(
        self,
        account: Account,
        location: LocationId | None,
        question: PriceQuestion,
    ) -> Decimal | None:
        """The price for this buyer; None where the item is sold on request only."""
        scopes = set(scopes_of(account.customer_id, account.price_groups, location))
        entitled = (
            entry for entry in self.by_item.get(question.sku, ()) if entry.key.scope in scopes
        )
        found = effective_price(entitled, question)
        price = found.price.value.unit_price if found is not None else None
        return None if price is None or price == 0 else price


def build_prices(
    chance: Random, catalogue: Catalogue, customers: Customers, today: date
) -> PriceBook:
    """The same prices for the same ``chance`` and day."""
    found = [
        *_base_lists(catalogue),
        *_from_rotterdam(catalogue),
        *_class_lists(chance, catalogue, today),
        *_contracts(chance, catalogue, customers, today),
        *_specials(chance, catalogue, today),
    ]
    found.sort(key=lambda entry: entry.key.order)
    by_item: dict[Sku, list[Price]] = {}
    for entry in found:
        by_item.setdefault(entry.key.sku, []).append(entry)
    return PriceBook(tuple(found), {sku: tuple(entries) for sku, entries in by_item.items()})


def _rounded(price: Decimal) -> Decimal:
    """Four places below two dollars, where they matter; otherwise two."""
    step = Decimal("0.0001") if price < 2 else Decimal("0.01")
    return price.quantize(step, ROUND_HALF_UP)


def _base(catalogue: Catalogue, item: Item, unit: str, currency: str) -> Decimal:
    price = catalogue.cost[item.sku]
    if currency == "EUR":
        price *= IN_EUROS
    factor = item.factor(unit)
    if factor is not None and factor != 1:
        price = price * factor * _CASE_SHARE
    return _rounded(price)


def _units(item: Item) -> tuple[str, ...]:
    return (item.stock_unit, *(unit for unit, _ in item.units))


def _base_lists(catalogue: Catalogue) -> Iterator[Price]:
    for currency in ("USD", "EUR"):
        for number, item in enumerate(catalogue.items):
            for unit in _units(item):
                price: Decimal | None = _base(catalogue, item, unit, currency)
                # Two ways in which an ERP says "on request": nothing and nought.
                if number % 197 == 50:
                    price = None
                elif number % 197 == 51:
                    price = Decimal("0.00")
                key = PriceKey(DEFAULT_LIST, f"BASE-{currency}", item.sku, unit, currency, _ONE)
                yield Price(key, PriceValue(price))


def _from_rotterdam(catalogue: Catalogue) -> Iterator[Price]:
    """What the base list asks where the goods are shipped from there: the sea freight is in it."""
    for item in catalogue.items[100:124:4]:
        price = _base(catalogue, item, item.stock_unit, "EUR") * Decimal("1.04")
        key = PriceKey(
            DEFAULT_LIST, "BASE-EUR-RTM", item.sku, item.stock_unit, "EUR", _ONE, warehouse="RTM"
        )
        yield Price(key, PriceValue(_rounded(price)))


def _class_lists(chance: Random, catalogue: Catalogue, today: date) -> Iterator[Price]:
    for price_class, share in _CLASS_SHARE.items():
        scope = PriceScope.group(price_class)
        for currency in ("USD", "EUR"):
            for item in chance.sample(catalogue.items, 700 if currency == "USD" else 300):
                for unit in _units(item):
                    base = _base(catalogue, item, unit, currency) * share
                    steps = [(_ONE, base)]
                    if unit == item.stock_unit and chance.random() < 0.3:
                        steps.append((Decimal(50), base * Decimal("0.96")))
                        steps.append((Decimal(500), base * Decimal("0.91")))
                    for quantity, price in steps:
                        key = PriceKey(
                            scope,
                            f"{price_class[:4]}-{currency}",
                            item.sku,
                            unit,
                            currency,
                            quantity,
                        )
                        yield Price(key, PriceValue(_rounded(price)))
        # A campaign that outranks the list while it lasts, and one that is still to come.
        for code, first, last in (
            (f"{price_class[:4]}-AUTUMN", today - timedelta(days=20), today + timedelta(days=25)),
            (f"{price_class[:4]}-WINTER", today + timedelta(days=26), today + timedelta(days=90)),
        ):
            for item in chance.sample(catalogue.items, 40):
                base = _base(catalogue, item, item.stock_unit, "USD") * share
                key = PriceKey(
                    scope, code, item.sku, item.stock_unit, "USD", _ONE, first, priority=10
                )
                yield Price(key, PriceValue(_rounded(base * Decimal("0.88")), last))


def _contracts(
    chance: Random, catalogue: Catalogue, customers: Customers, today: date
) -> Iterator[Price]:
    for account in customers.accounts():
        currency = account.currencies[0]
        scope = PriceScope.account(account.customer_id)
        retail = account.customer_id in (RETAIL_US, RETAIL_EU)
        share = Decimal("1.05") if retail else Decimal("0.74")
        # In the first days of a year the oldest orders are those of the year before.
        first = date((today - timedelta(days=ORDERED_WITHIN_DAYS)).year, 1, 1)
        yield from _contract(
            chance,
            catalogue,
            scope,
            f"K-{account.customer_id}",
            currency,
            share,
            (first, None),
            chance.sample(catalogue.items, 200 if retail else 30),
        )
        if not retail and int(account.customer_id.value) % 4 == 0:
            yield from _contract(
                chance,
                catalogue,
                scope,
                f"K-{account.customer_id}-OLD",
                currency,
                Decimal("0.70"),
                (first - timedelta(days=365), first - timedelta(days=1)),
                chance.sample(catalogue.items, 12),
            )
    branch = branch_id(OWN_PRICE_BRANCH, 1)
    yield from _contract(
        chance,
        catalogue,
        PriceScope.location(branch),
        f"L-{branch}",
        "USD",
        Decimal("0.66"),
        (None, None),
        chance.sample(catalogue.items, 40),
    )


def _contract(
    chance: Random,
    catalogue: Catalogue,
    scope: PriceScope,
    code: str,
    currency: str,
    share: Decimal,
    period: tuple[date | None, date | None],
    items: Sequence[Item],
) -> Iterator[Price]:
    for item in items:
        base = _base(catalogue, item, item.stock_unit, currency) * share
        steps = [(_ONE, base)]
        if chance.random() < 0.5:
            steps += [
                (Decimal(24), base * Decimal("0.97")),
                (Decimal(144), base * Decimal("0.93")),
            ]
        for quantity, price in steps:
            key = PriceKey(scope, code, item.sku, item.stock_unit, currency, quantity, period[0])
            yield Price(key, PriceValue(_rounded(price), period[1]))


def _specials(chance: Random, catalogue: Catalogue, today: date) -> Iterator[Price]:
    """Overrides for all buyers; some have ended, some have not begun."""
    for number, item in enumerate(chance.sample(catalogue.sellable(), 30)):
        begins = today + timedelta(days=(-40, -12, 14)[number % 3])
        ends = begins + timedelta(days=30 if number % 3 else 20)
        for currency in ("USD", "EUR"):
            base = _base(catalogue, item, item.stock_unit, currency) * Decimal("0.60")
            key = PriceKey(
                ITEM_OVERRIDES, SPECIAL, item.sku, item.stock_unit, currency, _ONE, begins
            )
            yield Price(key, PriceValue(_rounded(base), ends))
