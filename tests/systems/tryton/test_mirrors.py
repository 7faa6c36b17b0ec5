"""What the mirrors read is what stands in Tryton."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.tryton import checking
from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import ErpOrderState, OneOffShipTo
from sync.domain.times import Watermark
from sync.errors import Rejected
from sync.ports.erp import FindingLevel
from tests.systems.tryton.conftest import Live
from tests.systems.tryton.shop import RETAIL, SKU, a_key, a_retail_order, an_address, usd


def customers(live: Live) -> dict[CustomerId, Any]:
    return {CustomerId(each["code"]): each for each in live.manifest["customers"]}


@pytest.mark.rule("MI-1")
def test_accounts_have_their_terms_and_their_price_list(
    seeded: Live, reader: TrytonErpAdapter
) -> None:
    terms = {number: name for name, number in seeded.manifest["payment_terms"].items()}
    lists = {each["id"]: each["name"] for each in seeded.manifest["price_lists"]}
    wanted = {
        key: (each["name"], terms[each["payment_term"]], (lists[each["price_list"]],), ("USD",))
        for key, each in customers(seeded).items()
    }
    told = reader.accounts([*wanted, CustomerId("NOBODY")])
    assert {
        key: (each.name, each.terms, each.price_groups, each.currencies)
        for key, each in told.items()
    } == wanted
    retail = CustomerId("RETAIL")
    # The company itself is a party with a code too, and no customer.
    assert set(reader.customer_ids()) == {*wanted, retail}
    assert reader.accounts([retail])[retail].price_groups == ("RETAIL",)


@pytest.mark.rule("MI-1")
def test_ship_tos_and_bill_tos_are_the_addresses_marked_as_such(
    seeded: Live, reader: TrytonErpAdapter
) -> None:
    known = customers(seeded)
    ship_tos = reader.ship_tos(known)
    assert Counter((each.sold_to, each.ship_to_id.value) for each in ship_tos) == Counter(
        (key, str(number)) for key, each in known.items() for number in each["delivery_addresses"]
    )
    assert all(each.address.region and each.address.country == "US" for each in ship_tos)
    # One default each, the one that Tryton would take by itself.
    assert Counter(each.sold_to for each in ship_tos if each.default) == Counter(known.keys())
    assert {(each.sold_to, each.bill_to_id.value) for each in reader.bill_tos(known)} == {
        (key, str(each["invoice_address"])) for key, each in known.items()
    }
    assert reader.take_unreadable() == ()


@pytest.mark.rule("WA-8", "MI-6")
def test_every_invoice_has_its_amounts_lines_and_instalments(
    seeded: Live, reader: TrytonErpAdapter
) -> None:
    told = {each.number.value: each for each in reader.invoices([*reader.customer_ids()])}
    client = seeded.client()
    rows = client.rows(
        "account.invoice",
        [("type", "=", "out"), ("state", "in", ["posted", "paid"])],
        "number",
        "party.code",
        "state",
        "total_amount",
        "amount_to_pay",
        "invoice_date",
        "payment_term.name",
        "lines",
        "reference",
    )
    client.close()
    assert len(told) == len(rows) == len(seeded.manifest["invoices"]["ids"])
    for row in rows:
        invoice = told[row["number"]]
        assert invoice.sold_to.value == row["party."]["code"]
        assert (invoice.total.amount, invoice.invoiced_on, invoice.po_number) == (
            row["total_amount"],
            row["invoice_date"],
            row["reference"],
        )
        assert invoice.open_amount is not None
        assert invoice.open_amount.amount == row["amount_to_pay"]
        assert (invoice.open_amount.amount == 0) == (row["state"] == "paid")
        assert len(invoice.lines) == len(row["lines"])
        assert invoice.tax is not None
        net = sum((line.net.amount for line in invoice.lines), Decimal(0))
        assert net + invoice.tax.amount == invoice.total.amount
        # Half in 30 days and half in 60 is two dates; there is no single due date.
        parts = 2 if row["payment_term."]["name"] == "SPLIT" else 1
        days = sorted((due.due_on - invoice.invoiced_on).days for due in invoice.dues)
        assert len(set(days)) == parts
        assert sum((due.amount.amount for due in invoice.dues), Decimal(0)) == row["total_amount"]
    kinds = {row["payment_term."]["name"] for row in rows}
    assert "SPLIT" in kinds, "the seed has no invoice in two instalments: enlarge it"
    part_paid = seeded.manifest["invoices"]["partial"]
    assert part_paid, "the seed has no invoice that is paid in part: enlarge it"


def test_items_say_in_which_units_they_are_sold(reader: TrytonErpAdapter) -> None:
    told = reader.items([Sku("P00001"), Sku("P00002"), Sku("NOPE")])
    assert {sku.value for sku in told} == {"P00001", "P00002"}
    item = told[Sku("P00001")]
    assert (item.stock_unit, item.whole_units_only, item.active) == ("u", True, True)
    assert item.factor("kg") is None


@pytest.mark.rule("WA-2")
def test_a_contact_s_mail_finds_its_customer(reader: TrytonErpAdapter) -> None:
    assert reader.accounts_by_email("BUYER@c00002.example") == [CustomerId("C00002")]
    assert reader.accounts_by_email("%@c00002.example") == []
    asked = ["BUYER@c00002.example", "buyer@C00003.example", "%@c00002.example"]
    told = reader.accounts_by_emails(asked)
    assert told == {
        asked[0]: (CustomerId("C00002"),),
        asked[1]: (CustomerId("C00003"),),
        asked[2]: (),
    }


@pytest.mark.rule("OP-6")
def test_the_check_finds_nothing_wrong_and_says_which_rights_are_too_many(
    seeded: Live, reader: TrytonErpAdapter
) -> None:
    findings = reader.check()
    assert [each for each in findings if each.level is FindingLevel.ERROR] == []
    warned = [each.message for each in findings if each.level is FindingLevel.WARNING]
    assert any("account.move" in each for each in warned)
    [papers] = [each.message for each in findings if each.subject == "documents"]
    assert papers.startswith("0 invoices are kept as PDF")
    assert "order confirmations are not made as PDF" in papers


@pytest.mark.parametrize(
    "wrong, subject",
    [
        ({"url": "http://127.0.0.1:1"}, "connection"),
        ({"user": "nobody"}, "sign-in"),
        ({"database": "nowhere"}, "sign-in"),
        ({"web_shop": "no such shop"}, "set-up"),
        ({"company": "Another Inc."}, "set-up"),
        ({"warehouse": "Moon"}, "set-up"),
        ({"customer_category": "Nobody"}, "set-up"),
        ({"price_decimals": 2}, "prices"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_the_check_names_what_is_wrong(seeded: Live, wrong: dict[str, Any], subject: str) -> None:
    adapter = seeded.adapter(**wrong)
    errors = [each for each in adapter.check() if each.level is FindingLevel.ERROR]
    adapter.close()
    assert [each.subject for each in errors] == [subject]
    assert all(each.remedy for each in errors)


def test_a_user_without_rights_is_told_what_is_missing(written: Live) -> None:
    admin = written.admin()
    login, password = "guest-of-tests", "a-long-password-of-guests"
    companies = [["add", [admin.context["company"]]]]
    admin.create(
        "res.user",
        name="Guest",
        login=login,
        password=password,
        companies=companies,
        company=admin.context["company"],
    )
    admin.close()
    adapter = TrytonErpAdapter.from_settings(
        written.options(user=login), {"password": password}, Path()
    )
    errors = [each for each in adapter.check() if each.level is FindingLevel.ERROR]
    adapter.close()
    assert errors
    assert "sale" in " ".join(each.message for each in errors)


@pytest.mark.rule("OP-6", "WA-3")
def test_the_check_tells_of_a_guest_party_whose_orders_would_never_go_through(
    written: Live,
) -> None:
    admin = written.admin()
    shops = admin.find("web.shop", ("name", "=", "webstore"))
    [party] = admin.find("party.party", ("code", "=", "RETAIL"))
    [before] = admin("web.shop.read", shops, ["guest_party"])
    admin("web.shop.write", shops, {"guest_party": party})
    adapter = written.adapter()
    told = [each.message for each in adapter.check() if each.subject == "web shop"]
    adapter.close()
    admin("web.shop.write", shops, {"guest_party": before["guest_party"]})
    admin.close()
    assert told == [
        "RETAIL is its guest party, and an order of that party is never made a quotation"
    ]


@pytest.mark.rule("OP-6")
def test_the_rights_that_the_check_asks_for_are_enough_for_everything(written: Live) -> None:
    admin = written.admin()
    group = admin.create("res.group", name="Web store synchronization")
    rights = dict.fromkeys((*checking.READS, checking.CARRIER), ("read",)) | checking.WRITES
    admin(
        "ir.model.access.create",
        [
            {
                "model": model,
                "group": group,
                **{
                    f"perm_{right}": right in given
                    for right in ("read", "write", "create", "delete")
                },
            }
            for model, given in rights.items()
        ],
    )
    login, password = "least-of-tests", "a-long-password-of-the-least"
    admin.create(
        "res.user",
        name="Least",
        login=login,
        password=password,
        companies=[["add", [admin.context["company"]]]],
        company=admin.context["company"],
        groups=[["add", [group]]],
    )
    admin.close()
    adapter = TrytonErpAdapter.from_settings(
        written.options(user=login, reach="confirmed"), {"password": password}, Path()
    )
    assert {each.level for each in adapter.check()} == {FindingLevel.OK}
    everybody = list(adapter.customer_ids())
    assert len(adapter.accounts(everybody)) == len(everybody)
    assert adapter.ship_tos(everybody)
    assert adapter.bill_tos(everybody)
    assert adapter.invoices(everybody)
    assert adapter.items([SKU])
    assert list(adapter.prices([PriceScope.group("TIER2")], [SKU]))
    for feed in adapter.capabilities.change_feeds:
        assert adapter.changed_customers(feed, Watermark(datetime(2020, 1, 1, tzinfo=UTC)))[0]
    key = a_key("least")
    order = a_retail_order(written, ship_to=OneOffShipTo(an_address(name="Least")))
    number = adapter.submit_order(order, key).number
    assert adapter.order_statuses([key])[key].state is ErpOrderState.OPEN
    [paper] = [each for each in adapter.documents([RETAIL]) if each.erp_order == number]
    assert paper.version is not None
    assert str(number).encode() in b"".join(adapter.read_document(paper.place, paper.version))
    with pytest.raises(Rejected, match="would come to"):
        # What Tryton taxes otherwise is removed again, which takes the right to delete.
        adapter.submit_order(dataclasses.replace(order, total=usd("1.00")), a_key("least"))
    assert adapter.take_unreadable() == ()
    adapter.close()


def test_the_readme_lists_these_rights() -> None:
    text = (Path(checking.__file__).parent / "README.md").read_text(encoding="utf-8")
    table = text.partition("### Rights")[2].partition("`tradesync check`")[0]
    listed = set(re.findall(r"`([a-z_.]+)`", table))
    assert listed == {*checking.READS, *checking.WRITES, checking.CARRIER}
