"""Shoppers who check out through the shop's own API, and a journal of what they were shown.

Ada and Ben buy for C00001, by a customer group of the shop; Mia for C00004, by the
mapping file. Rita and Rob are registered and buy retail; guests just come by. Some
pretend to be more than they are. The journal is what everything is judged by.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import pytest

from tests.systems.live.pair import PROMO, Pair
from tests.systems.medusa.shop import (
    CAPTURED_CARD,
    CARD,
    DECLINED_CARD,
    GOOD_CARD,
    ON_ACCOUNT,
    Person,
    Shop,
    address,
)

Json = dict[str, Any]
HARBOUR, MILL, RETAIL = "C00001", "C00004", "RETAIL"
ACCOUNTS: Mapping[str, str] = {
    "ada": HARBOUR,
    "ben": HARBOUR,
    "mia": MILL,
    "rita": RETAIL,
    "rob": RETAIL,
}
CENT = Decimal("0.01")
# At the prices of C00001, less the promotion, the ERP's own tax is a cent less than the shop's.
FALLS_BADLY = {"P00012": 12, "P00019": 1}
BACKLOG = 6
QUANTITIES = (1, 2, 7, 10, 12, 13, 25, 50, 101)
CITIES = (("Austin", "TX", "78701"), ("Łomża Falls", "WA", "98101"), ("Reno", "NV", "89501"))


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as its buyer saw it. ``account`` is None where it must not be imported.

    ``on_file`` names the ship-to that was chosen from the address book; otherwise
    ``typed`` is the form that was filled in.
    """

    order_id: str
    number: str
    who: str
    account: str | None
    codes: frozenset[str]
    typed: Json
    on_file: str | None
    total: Decimal
    exact: Decimal
    items: tuple[tuple[str, Decimal, Decimal], ...]
    promo: bool
    po_number: str | None
    answered_at: float


def people_of(shop: Shop) -> dict[str, Person]:
    people = {
        name: shop.register(name, "b2b" if account != RETAIL else "web")
        for name, account in ACCOUNTS.items()
    }
    shop.group("Harbour", {"erp_customer_id": HARBOUR}, [people["ada"], people["ben"]])
    said = {"metadata": {"erp_customer_id": HARBOUR, "tradesync_account": HARBOUR}}
    assert shop.as_shopper(people["rob"], "POST", "/store/customers/me", said).ok
    return people


@dataclass
class Shoppers:
    """Reproducible from the seed, but for the moments at which things happen."""

    pair: Pair
    people: Mapping[str, Person]
    seed: str
    journal: list[Placed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = Random(self.seed)
        self._kinds: tuple[Callable[[], Placed], ...] = (
            lambda: self.buys("ada", provider=ON_ACCOUNT, po_number=f"PO-{self._some()}"),
            lambda: self.buys("ada", provider=ON_ACCOUNT, on_file=True, promo=PROMO),
            lambda: self.buys("ada", provider=ON_ACCOUNT, promo=PROMO, lines=FALLS_BADLY),
            lambda: self.buys("ben", card=GOOD_CARD),
            lambda: self.buys("ben", channel="web", provider=ON_ACCOUNT, on_file=True),
            lambda: self.buys("mia", provider=ON_ACCOUNT, promo=PROMO),
            lambda: self.buys("mia", card=CAPTURED_CARD, on_file=True),
            lambda: self.buys("rita", card=GOOD_CARD, promo=PROMO),
            lambda: self.buys("rob", card=CAPTURED_CARD),
            lambda: self.buys(None, card=GOOD_CARD),
            lambda: self.buys(None, card=CAPTURED_CARD, promo=PROMO),
        )
        self._wrong: tuple[Callable[[], Placed], ...] = (
            lambda: self.pretends("ada", CARD),
            lambda: self.pretends("mia", ON_ACCOUNT),
            lambda: self.buys("rita", provider=ON_ACCOUNT, codes={"terms_for_retail"}),
            lambda: self.buys("ben", provider=ON_ACCOUNT, codes={"bill_to_typed_on_terms"}),
        )

    def one_of_each(self) -> list[Placed]:
        """Every kind of order, the forbidden ones too, and a card that is declined."""
        self.declined()
        return [place() for place in (*self._kinds, *self._wrong)]

    def any(self, *, wrong_share: float = 0.15) -> Placed:
        wrong = self._chance.random() < wrong_share
        return self._chance.choice(self._wrong if wrong else self._kinds)()

    def buys(
        self,
        who: str | None,
        *,
        on_file: bool = False,
        codes: set[str] | None = None,
        po_number: str | None = None,
        lines: Mapping[str, int] | None = None,
        **how: Any,
    ) -> Placed:
        person = self.people[who] if who else None
        where = self._address_book(person) if on_file and person else None
        form = where or self._typed(who or "guest")
        if how.get("provider") == ON_ACCOUNT and person and not codes:
            # Whoever is to be invoiced on terms cannot be typed in.
            how["bill_to"] = self._address_book(person, " ship-to ", among=False)
        metadata = {"po_number": po_number} if po_number else {}
        lines = lines or self._basket()
        said = self.pair.shop.checkout(person, ship_to=form, lines=lines, metadata=metadata, **how)
        return self._noted(
            said,
            who or "guest",
            None if codes else ACCOUNTS[who] if who else RETAIL,
            codes or set(),
            form,
            form["company"] if where else None,
            promo="promo" in how,
            po_number=po_number,
        )

    def pretends(self, who: str, provider: str) -> Placed:
        """A guest types a wholesale buyer's e-mail address."""
        form = self._typed("pretender")
        said = self.pair.shop.checkout(
            email=self.people[who].email, provider=provider, ship_to=form, lines=self._basket()
        )
        return self._noted(said, "pretender", None, {"identity_unproven"}, form, None)

    def declined(self) -> None:
        """Leaves no order, though the shop shows one for a moment."""
        with pytest.raises(RuntimeError, match="not authorized"):
            self.pair.shop.checkout(self.people["rita"], card=DECLINED_CARD, lines=self._basket())

    def _noted(
        self,
        said: Json,
        who: str,
        account: str | None,
        codes: set[str],
        form: Json,
        on_file: str | None,
        *,
        promo: bool = False,
        po_number: str | None = None,
    ) -> Placed:
        assert said["type"] == "order", said
        order = said["order"]
        skus = {variant: sku for sku, variant in self.pair.shop.variants.items()}
        exact = Decimal(repr(order["total"]))
        placed = Placed(
            order["id"],
            str(order["display_id"]),
            who,
            account,
            frozenset(codes),
            form,
            on_file,
            exact.quantize(CENT, ROUND_HALF_UP),
            exact,
            tuple(
                sorted(
                    (
                        skus[item["variant_id"]],
                        Decimal(item["quantity"]),
                        Decimal(repr(item["unit_price"])),
                    )
                    for item in order["items"]
                )
            ),
            promo,
            po_number,
            time.monotonic(),
        )
        self.journal.append(placed)
        return placed

    def _basket(self) -> dict[str, int]:
        count = self._chance.randint(1, 4)
        skus = self._chance.sample(sorted(self.pair.shop.variants), count)
        return {sku: self._chance.choice(QUANTITIES) for sku in skus}

    def _typed(self, name: str) -> Json:
        city, province, code = self._chance.choice(CITIES)
        return address(
            first_name=name.capitalize(),
            last_name=f"Ångström {self._some()}",
            address_1=f"{self._some()} O'Neil Avenue",
            address_2=self._chance.choice(("", "Suite 4")),
            city=city,
            province=province,
            postal_code=code,
        )

    def _address_book(self, person: Person, mark: str = " ship-to ", *, among: bool = True) -> Json:
        """One of the mirrored addresses of the account, whose name has that mark or has not."""
        answer = self.pair.shop.as_shopper(
            person, "GET", "/store/customers/me/addresses", limit=100
        )
        assert answer.ok, answer.text
        held = [each for each in answer.json()["addresses"] if (mark in each["company"]) is among]
        chosen = self._chance.choice(sorted(held, key=lambda each: str(each["company"])))
        return {name: chosen[name] for name in address()}

    def _some(self) -> int:
        return self._chance.randint(1, 99999)


class Busy:
    """Somebody checks out again and again until the block is left.

    Never more than ``BACKLOG`` orders ahead of the ERP: a life of the daemon that is
    spent on a heap of orders comes to write none of them.
    """

    def __init__(self, shoppers: Shoppers) -> None:
        self._shoppers = shoppers
        self._before = shoppers.pair.sales()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def _shop(self) -> None:
        while not self._over.wait(0.1):
            if self._ahead() < BACKLOG:
                self._shoppers.any()

    def _ahead(self) -> int:
        good = sum(each.account is not None for each in self._shoppers.journal)
        return good - (self._shoppers.pair.sales() - self._before)

    def __enter__(self) -> Busy:
        self._shopping = self._pool.submit(self._shop)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        self._shopping.result()
