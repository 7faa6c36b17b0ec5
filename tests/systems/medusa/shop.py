"""Plays the shop's staff and its shoppers, through the same API that they use."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from sync.stores.medusa.adapter import MedusaStore
from tests.systems.medusa.server import Medusa

Json = dict[str, Any]
ON_ACCOUNT, CARD = "pp_system_default", "pp_testcard_testcard"
GOOD_CARD, CAPTURED_CARD, DECLINED_CARD = "4111111111111111", "4000000000000003", "4000000000000002"
ITEMS = 12
_numbers = itertools.count(1)
# A login outlives its customer: no run may meet the names of another.
_RUN = secrets.token_hex(3)


@dataclass(frozen=True, slots=True)
class Person:
    """A registered shopper and the token that proves a sign-in."""

    id: str
    email: str
    token: str
    channel: str


@dataclass
class Shop:
    """``channel`` names are "b2b" (the trade channel of the tests) and "web"."""

    server: Medusa
    admin: Any
    secret: str
    made: Json
    variants: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, server: Medusa, items: int = ITEMS) -> Shop:
        seed = server.seed
        admin, secret = seed.admin_client(server.url)
        made = seed.make_shop(admin)
        shop = cls(server, admin, secret, made)
        for each in seed.make_products(admin, made, items):
            shop.variants[each["sku"]] = each["variant_id"]
        return shop

    @property
    def region(self) -> str:
        return str(self.made["region_id"])

    def options(self, **changes: object) -> dict[str, object]:
        channels = self.made["channels"]
        return {
            "url": self.server.url,
            "store_id": "shop",
            "page_size": 3,
            "public_channel": "web",
            "channels": {
                "trade": {"sales_channel": channels["b2b"]["id"]},
                "web": {"sales_channel": channels["web"]["id"]},
            },
            **changes,
        }

    def store(self, **changes: object) -> MedusaStore:
        return MedusaStore.from_settings(self.options(**changes), {"api_key": self.secret}, Path())

    def sku(self, place: int) -> str:
        return sorted(self.variants)[place]

    # Shoppers

    def register(self, name: str, channel: str = "web", **profile: object) -> Person:
        email = f"{name}-{_RUN}-{next(_numbers)}@example.test"
        made = self.made["channels"][channel]
        customer, token = self.server.seed.register(
            self.server.url, made, email, {"first_name": name, "last_name": "Tester", **profile}
        )
        return Person(customer["id"], email, token, channel)

    def checkout(
        self,
        person: Person | None = None,
        *,
        signed_in: bool = True,
        channel: str | None = None,
        email: str | None = None,
        lines: Mapping[str, int] | None = None,
        ship_to: Json | None = None,
        bill_to: Json | None = None,
        provider: str = CARD,
        card: str | None = GOOD_CARD,
        promo: str | None = None,
        metadata: Json | None = None,
    ) -> Json:
        """Take a cart to its end; the store's own answer, an order or why there is none."""
        place = ship_to or address()
        answer: Json = self.server.seed.place_order(
            self.server.url,
            self.made,
            self.made["channels"][channel or (person.channel if person else "web")],
            email=email or (person.email if person else f"guest-{next(_numbers)}@example.test"),
            ship_to=place,
            bill_to=bill_to or place,
            lines=[
                (self.variants[sku], quantity)
                for sku, quantity in (lines or {self.sku(0): 2}).items()
            ],
            provider=provider,
            card=card if provider == CARD else None,
            token=person.token if person and signed_in else None,
            promo=promo,
            metadata=metadata,
        )
        return answer

    def placed(self, person: Person | None = None, **how: Any) -> str:
        """The ID of an order that went through."""
        answer = self.checkout(person, **how)
        assert answer["type"] == "order", answer
        return str(answer["order"]["id"])

    def as_shopper(
        self, person: Person | None, method: str, path: str, body: Json | None = None, **params: Any
    ) -> requests.Response:
        channel = self.made["channels"][person.channel if person else "web"]
        headers = {"x-publishable-api-key": channel["publishable_key"]}
        if person is not None:
            headers["authorization"] = f"Bearer {person.token}"
        return requests.request(
            method, self.server.url + path, json=body, headers=headers, params=params, timeout=60
        )

    def price_for(self, person: Person | None, sku: str, quantity: int) -> float:
        """What one piece costs in this shopper's cart."""
        lines = [{"variant_id": self.variants[sku], "quantity": quantity}]
        answer = self.as_shopper(
            person, "POST", "/store/carts", {"region_id": self.region, "items": lines}
        )
        assert answer.ok, answer.text
        return float(answer.json()["cart"]["items"][0]["unit_price"])

    def seen(self, person: Person | None, what: str) -> list[Json]:
        """What the shopper is shown of their account's documents."""
        answer = self.as_shopper(person, "GET", f"/store/tradesync/{what}")
        assert answer.ok, answer.text
        found: list[Json] = answer.json()[what]
        return found

    # Staff

    def group(self, name: str, metadata: Json, members: Sequence[Person]) -> str:
        made = self.admin.post(
            "/admin/customer-groups",
            {"name": f"{name} {next(_numbers)}", "metadata": metadata},
        )["customer_group"]["id"]
        self.admin.post(
            f"/admin/customer-groups/{made}/customers", {"add": [each.id for each in members]}
        )
        return str(made)

    def order(self, order_id: str) -> Json:
        found: Json = self.admin.get(f"/admin/orders/{order_id}", fields="*items,metadata,+total")[
            "order"
        ]
        return found


def address(**changes: object) -> Json:
    base = {
        "first_name": "Ann",
        "last_name": "Walker",
        "company": "",
        "address_1": "12 Ångström Way",
        "address_2": "",
        "city": "Austin",
        "province": "TX",
        "postal_code": "78701",
        "country_code": "us",
        "phone": "555-0100",
    }
    return {**base, **changes}
