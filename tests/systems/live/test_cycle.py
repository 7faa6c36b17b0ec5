"""Live shop, real daemon, live ERP: every order in its account, every fact at its buyers' only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tests.system.daemon import Daemon
from tests.systems.live.checking import differences, violations, web_sales
from tests.systems.live.rest import changed, everything
from tests.systems.live.shoppers import ACCOUNTS, RETAIL, Placed
from tests.systems.live.story import Live, hurry

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

WHO = (*ACCOUNTS, None)
QUANTITIES = (1, 10, 12, 25, 100)


@dataclass(frozen=True)
class Told:
    live: Live
    placed: list[Placed]


@pytest.fixture(scope="module")
def told(live: Live) -> Told:
    """One order of each kind, brought in by a daemon that polls."""
    hurry(live.site)
    with Daemon(live.site) as daemon:
        placed = live.shoppers("cycle").one_of_each()
        live.settle(daemon)
        assert daemon.end() == 0
    return Told(live, placed)


@pytest.mark.rule("OI-1", "OI-2", "OI-3", "OI-5", "OI-7", "WA-2e", "WA-3", "WA-4", "WA-5")
def test_every_order_is_in_its_account_once_to_the_cent_and_ships_where_it_was_to(
    told: Told,
) -> None:
    assert violations(told.live.pair, told.live.site, told.live.journal()) == []


def test_the_check_would_notice(told: Told) -> None:
    """Otherwise the test above would prove nothing."""
    placed = next(each for each in told.placed if each.account == RETAIL and each.promo)
    [sale] = web_sales(told.live.pair)[placed.number]
    spoilt: dict[str, Any] = {
        **sale,
        "party.": {"code": "C00001"},
        "total_amount": sale["total_amount"] + Decimal("0.01"),
        "lines.": sale["lines."][1:],
        "shipment_address.": {**sale["shipment_address."], "active": True, "city": "Elsewhere"},
    }
    assert len(list(differences(placed, spoilt))) == 5


@pytest.mark.rule("WA-3a")
def test_the_retail_account_collects_no_addresses_and_shows_none(told: Told) -> None:
    pair = told.live.pair
    retail = pair.customer(RETAIL)
    held = pair.admin.rows("party.address", [("party", "=", retail["id"])], "city")
    assert len(held) == len({*retail["delivery_addresses"], retail["invoice_address"]})
    for name in ("rita", "rob"):
        book = pair.shop.as_shopper(
            told.live.people[name], "GET", "/store/customers/me/addresses"
        ).json()
        assert book["addresses"] == []


@pytest.mark.rule("MI-1")
@pytest.mark.parametrize("who", [name for name, account in ACCOUNTS.items() if account != RETAIL])
def test_the_address_book_of_a_buyer_has_the_ship_tos_of_the_account(told: Told, who: str) -> None:
    pair = told.live.pair
    customer = pair.customer(ACCOUNTS[who])
    wanted = pair.admin.rows(
        "party.address",
        [("id", "in", customer["delivery_addresses"])],
        "party_name",
        "street",
        "city",
        "postal_code",
    )
    book = pair.shop.as_shopper(
        told.live.people[who], "GET", "/store/customers/me/addresses", limit=100
    ).json()["addresses"]
    shown = [
        (each["company"], each["address_1"], each["city"], each["postal_code"])
        for each in book
        if " ship-to " in each["company"]
    ]
    assert sorted(shown) == sorted(
        (row["party_name"], row["street"], row["city"], row["postal_code"]) for row in wanted
    )


@pytest.mark.rule("WA-8", "WA-2e")
@pytest.mark.parametrize("who", WHO)
def test_each_buyer_sees_the_invoices_of_the_own_account_and_nobody_else_any(
    told: Told, who: str | None
) -> None:
    pair = told.live.pair
    if who is None:
        answer = pair.shop.as_shopper(None, "GET", "/store/tradesync/invoices")
        assert answer.status_code == 401
        return
    shown = {
        (each["number"], Decimal(each["total"]["amount"]))
        for each in pair.shop.seen(told.live.people[who], "invoices")
    }
    if ACCOUNTS[who] == RETAIL:
        assert shown == set()
        return
    held = pair.admin.rows(
        "account.invoice",
        [("party.code", "=", ACCOUNTS[who]), ("state", "in", ["posted", "paid"])],
        "number",
        "total_amount",
    )
    assert held
    assert shown == {(row["number"], row["total_amount"]) for row in held}


@pytest.mark.rule("TL-7", "WA-8")
@pytest.mark.parametrize("who", WHO)
def test_each_buyer_gets_the_invoices_of_the_own_account_as_files_and_no_other(
    told: Told, who: str | None
) -> None:
    pair = told.live.pair
    with pair.shop.server.sql() as on:
        kept = "SELECT id, owner, key FROM tradesync_record WHERE kind = 'document'"
        there = on.execute(kept).fetchall()
    files = {}
    for key, *_ in there:
        person = told.live.people[who] if who else None
        answer = pair.shop.as_shopper(person, "GET", f"/store/tradesync/documents/{key}")
        assert answer.status_code == (401 if who is None else 200 if answer.ok else 404)
        if answer.ok:
            files[key] = answer.content
    own = {key: number for key, owner, number in there if who and owner == ACCOUNTS[who]}
    assert {owner for _, owner, _ in there} == set(ACCOUNTS.values()) - {RETAIL}
    assert {key: json.loads(number)[1] for key, number in own.items()} == {
        key: file.decode().splitlines()[0].removeprefix("%PDF-1.4 ") for key, file in files.items()
    }
    if who:
        shown = pair.shop.seen(told.live.people[who], "documents")
        assert {each["id"] for each in shown} == own.keys()


@pytest.mark.rule("WA-6", "WA-7")
@pytest.mark.parametrize("who", ["ada", "mia", "rita", None])
def test_what_a_cart_shows_is_what_the_erp_charges(told: Told, who: str | None) -> None:
    pair = told.live.pair
    person = told.live.people[who] if who else None
    skus = {variant: sku for sku, variant in pair.shop.variants.items()}
    differing = []
    for quantity in QUANTITIES:
        lines = [{"variant_id": each, "quantity": quantity} for each in skus]
        answer = pair.shop.as_shopper(
            person, "POST", "/store/carts", {"region_id": pair.shop.region, "items": lines}
        )
        assert answer.ok, answer.text
        shown = {
            skus[each["variant_id"]]: Decimal(repr(each["unit_price"]))
            for each in answer.json()["cart"]["items"]
        }
        charged = pair.price(ACCOUNTS[who] if who else RETAIL, quantity)
        differing += [
            (sku, quantity, shown[sku], charged[sku])
            for sku in skus.values()
            if shown[sku] != charged[sku]
        ]
        assert len(shown) == len(skus)
    assert differing == []


@pytest.mark.rule("MI-2", "OI-1", "OI-4")
def test_another_run_of_everything_writes_into_neither_system(told: Told) -> None:
    live = told.live
    # The daemon's own notices come back as changes of their orders: this run looks at them.
    assert live.site.tradesync("resync", "all", timeout_s=300).code == 0
    before = everything(live.pair)

    again = live.site.tradesync("resync", "all", timeout_s=300)

    assert again.code == 0, again.out + again.err
    assert changed(before, everything(live.pair)) == []
    assert len(before) > 200  # tables of both
