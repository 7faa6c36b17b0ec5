"""Why a user orders where they do, and why a price is what it is."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.account import Contact
from sync.domain.channel import RetailGroup
from sync.domain.decision import Admitted
from sync.domain.document import DocumentKind
from sync.domain.ids import (
    ContactId,
    CustomerId,
    ErpOrderNumber,
    LocationId,
    OrganisationId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.mapping import Assignment, Source
from sync.domain.order import Buyer, Membership, Role
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import ErpOrderState
from sync.errors import Misconfigured
from sync.explaining import (
    Answer,
    explain_account,
    explain_document,
    explain_invoice,
    explain_order,
    explain_price,
    explain_user,
    explain_users_price,
)
from sync.flows.context import Context
from sync.flows.lookups import Lookups
from sync.testing import builders as a
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    RETAIL,
    WEB,
    World,
    a_channel,
    a_paper,
    harbour_order,
    ten,
)

ALL = (Source.MAPPING_FILE, Source.STORE_ATTRIBUTE, Source.ERP_EMAIL)
BUYER = HARBOUR_BUYER.value


def sources(answer: Answer, organisation: str | None = None) -> dict[str, tuple[str | None, bool]]:
    [context] = [each for each in answer["contexts"] if each["organisation"] == organisation]
    return {each["source"]: (each["says"], each["counts"]) for each in context["sources"]}


@pytest.mark.rule("OP-3", "WA-2", "TL-3")
def test_every_source_is_told_in_each_context_with_the_one_that_counts(world: World) -> None:
    world.store.add_user(a.a_web_user(staff_customer_id=MILL.value))
    world.remap(
        assignments=(
            *ASSIGNMENTS,
            Assignment(MILL, HARBOUR_BUYER, HARBOUR_ORG, origin="customers.yaml:9"),
        )
    )

    answer = explain_user(world.context(), BUYER)

    assert sources(answer) == {
        "mapping_file": (None, False),
        "store_attribute": (f"customer {MILL}, store attribute of user {BUYER}", True),
        "erp_email": (None, False),
    }
    assert sources(answer, HARBOUR_ORG.value) == {
        "mapping_file, exception": (
            f"customer {MILL}, mapping file exception customers.yaml:9",
            True,
        ),
        "mapping_file": (f"customer {HARBOUR}, mapping file assignment customers.csv:2", False),
        "store_attribute": (None, False),
        "erp_email": (None, False),
    }
    assert any("erp_email: not asked" in step for step in answer["steps"])
    assert any("customers.csv:2 (comes after it" in step for step in answer["steps"])


@pytest.mark.rule("OP-3", "WA-2")
def test_an_account_found_by_a_verified_address_is_told_as_the_import_finds_it(
    world: World,
) -> None:
    address = "bolt@harbour.example"
    world.erp.add_account(a.an_account(contacts=(Contact(ContactId("C-1"), email=address),)))
    world.store.add_user(a.a_web_user(verified_email=address))
    world.remap(assignments=(), precedence=ALL)

    answer = explain_user(world.context(), BUYER)

    assert answer["contexts"][0]["customer"] == HARBOUR.value
    assert sources(answer)["erp_email"][1]
    order = harbour_order(buyer=Buyer(HARBOUR_BUYER, True))
    outcome = Lookups(world.context()).judge(order)
    assert isinstance(outcome, Admitted)
    assert outcome.order.sold_to == HARBOUR


@pytest.mark.rule("OP-3", "WA-2c")
def test_a_source_that_must_not_be_used_is_told_and_decides(world: World) -> None:
    world.store.add_user(a.a_web_user(staff_customer_id=RETAIL.value))
    answer = explain_user(world.context(), BUYER)
    [context] = [each for each in answer["contexts"] if each["organisation"] is None]
    assert context["customer"] is None
    said, counts = sources(answer)["store_attribute"]
    assert counts
    assert said is not None
    assert "retail group" in said
    assert not any("on channel" in step for step in answer["steps"]), "never told as retail"


def by_key_only(world: World) -> Context:
    """A store that finds no orders by number."""

    class ByKey(MemoryStore):
        orders_numbered: Any = None

    world.store.__class__ = ByKey
    return world.context()


@pytest.mark.rule("OP-3")
def test_an_order_that_nobody_read_yet_is_found_by_the_number_that_the_shop_shows(
    world: World,
) -> None:
    order = harbour_order()
    world.store.place_order(order)
    told = explain_order(world.context(), order.number.value)
    assert told["steps"] == [
        "The ledger does not know this order.",
        f"The store has it under the key {order.order_id}, and nobody read it yet.",
    ]
    assert told["outlook"]["customer"] == HARBOUR.value
    planned = world.run("orders", dry_run=True, order=order.number.value)
    assert planned.counts == {"would_be_admitted": 1}
    assert world.run("orders", order=order.number.value).counts["imported"] == 1
    again = explain_order(world.context(), order.number.value)
    assert again["steps"][0].startswith("The ledger has it as acknowledged")


@pytest.mark.rule("OP-3")
def test_of_an_order_that_is_nowhere_it_is_told_what_was_tried(world: World) -> None:
    [_, tried, way_out] = explain_order(world.context(), "W-0")["steps"]
    assert tried == "Looked for the number and the key W-0 in the ledger and in the store."
    assert "the store's own key" in way_out
    order = harbour_order()
    world.store.place_order(order)
    told = explain_order(by_key_only(world), order.number.value)
    assert "this store finds no orders by number before they were read" in told["steps"][1]
    assert "tradesync resync orders" in told["steps"][2]
    assert told["now"] == ["The store shows no such order."]
    [said] = [each for each in world.run("orders", order="W-0").remarks if "W-0" in each]
    assert "finds no orders by number" in said


@pytest.mark.rule("OP-3")
def test_a_number_of_several_orders_is_asked_for_by_key(world: World) -> None:
    first = harbour_order()
    second = dataclasses.replace(first, order_id=WebOrderId("order-other"))
    world.store.place_order(first)
    world.store.place_order(second)
    with pytest.raises(Misconfigured, match=f"{first.order_id}, order-other"):
        explain_order(world.context(), first.number.value)


@pytest.mark.rule("OP-3", "WA-2f")
@pytest.mark.parametrize(
    "other, told",
    [
        (None, f"retail group {RETAIL}"),
        (
            RetailGroup(CustomerId("US"), ("USD",)),
            (
                f"retail group {RETAIL} (EUR) or US (USD): the one that priced the cart,"
                " else by the order's currency (WA-2f)"
            ),
        ),
        (
            RetailGroup(CustomerId("AT"), ("EUR",), frozenset({"DE", "AT"})),
            (
                f"retail group {RETAIL} (EUR) or AT (EUR in AT, DE): the one that priced the cart,"
                " else by the order's country (WA-2f)"
            ),
        ),
        (
            RetailGroup(CustomerId("UK"), ("GBP", "EUR"), frozenset({"GB"})),
            (
                f"retail group {RETAIL} (EUR) or UK (GBP, EUR in GB): the one that priced the cart,"
                " else by the order's currency and country (WA-2f)"
            ),
        ),
        (
            RetailGroup(CustomerId("X"), ("EUR",)),
            (
                f"retail group {RETAIL} (EUR) or X (EUR): the one that priced the cart,"
                " and nothing else tells them apart (WA-2f)"
            ),
        ),
    ],
)
def test_of_several_retail_groups_it_is_told_what_decides(
    world: World, other: RetailGroup | None, told: str
) -> None:
    groups = (*a_channel().retail_groups, *([other] if other else []))
    world.remap(channels={WEB: a_channel(retail_groups=groups)})
    steps = explain_user(world.context(), "u-nobody")["steps"]
    assert steps[-1] == f"  on channel {WEB} (hybrid): {told}"


ASKED: dict[str, Any] = {"quantity": Decimal(10), "unit": None, "currency": None, "day": None}


@pytest.mark.rule("OP-3", "VE-12", "VE-6")
def test_a_users_price_is_that_of_the_account_at_the_users_own_location(world: World) -> None:
    site = LocationId("SITE-7")
    world.erp.set_price(a.a_price("8.0000", scope=PriceScope.location(site)))
    member = Membership(HARBOUR_ORG, Role.ORDER, site)
    world.store.add_user(a.a_web_user(memberships=(member,)))

    answer = explain_users_price(
        world.context(), BUYER, a.SKU.value, organisation=HARBOUR_ORG.value, **ASKED
    )

    assert answer["customer"] == HARBOUR.value
    assert answer["price"] == "8.0000 EUR"
    levels = {each["scope"]: each["says"] for each in answer["levels"]}
    assert list(levels.values()) == [
        "has none",
        "decides",
        "has a price, and a higher level or a better group decides",
        "has none",
        "has a price, and a higher level or a better group decides",
    ]
    assert f"The user buys for location {site}." in answer["steps"]


@pytest.mark.rule("OP-3", "TL-3", "WA-8")
def test_no_price_is_told_of_an_account_that_is_not_the_users(world: World) -> None:
    stranger = OrganisationId("org-34")
    answer = explain_users_price(
        world.context(), BUYER, a.SKU.value, organisation=stranger.value, **ASKED
    )
    assert (answer["customer"], answer["price"]) == (None, None)
    assert answer["steps"][-1] == f"User {BUYER} is no member of organisation {stranger} (TL-3)."

    unmapped = explain_users_price(world.context(), BUYER, a.SKU.value, organisation=None, **ASKED)
    assert (unmapped["customer"], unmapped["price"]) == (None, None)
    assert "retail group's price" in unmapped["steps"][-1]


@pytest.mark.rule("OP-3", "WA-7", "VE-12")
def test_the_price_that_is_told_is_the_one_that_an_order_is_held_against(world: World) -> None:
    started = date(2025, 3, 1)
    world.erp.set_price(a.a_price("7.5000", scope=PriceScope.account(HARBOUR), valid_from=started))
    told = explain_price(world.context(), HARBOUR.value, a.SKU.value, **ASKED)
    assert told["price"] == "7.5000 EUR"
    judge = Lookups(world.context()).judge
    charged, another = judge(harbour_order(**ten("7.5000"))), judge(harbour_order(**ten("9.9900")))
    assert isinstance(charged, Admitted)
    assert isinstance(another, Admitted)
    assert charged.decision.flags == ()
    assert another.decision.flags == (
        "Line 1 (BOLT-M8) was charged 9.9900 EUR, the ERP's price is 7.5000.",
    )
    other = explain_price(world.context(), "C-9", a.SKU.value, **ASKED)
    assert (other["steps"][0], other["price"]) == ("The ERP has no customer C-9.", None)


@pytest.mark.rule("OP-3", "OI-8", "VE-12")
def test_a_price_in_stock_units_is_converted_into_the_unit_that_is_asked_for(world: World) -> None:
    world.erp.set_price(
        a.a_price("0.7500", scope=PriceScope.account(HARBOUR), min_quantity=Decimal(100))
    )
    boxes = {**ASKED, "unit": "BOX"}
    told = explain_price(world.context(), HARBOUR.value, a.SKU.value, **boxes)
    assert (told["price"], told["unit"]) == ("9.0000 EUR", "BOX")
    one = told["steps"].index(f"None counts for 10 BOX in EUR on {world.context().today()}.")
    assert told["steps"][one + 1] == "One BOX is 12 EA, what counts is looked for by 120 EA."
    assert told["steps"][-1] == "Converted: 0.7500 EUR per EA x 12 = 9.0000 EUR per BOX."
    # An order of boxes is held against the same.
    judge = Lookups(world.context()).judge
    for charged, flags in (("9.0000", 0), ("9.9900", 1)):
        line = a.a_line(unit="BOX", unit_price=a.money(charged))
        outcome = judge(harbour_order(**{**ten(charged), "lines": (line,)}))
        assert isinstance(outcome, Admitted)
        assert len(outcome.decision.flags) == flags


@pytest.mark.rule("OP-3", "OI-8")
def test_a_price_that_nobody_can_convert_is_refused_with_the_way_out(world: World) -> None:
    told = explain_price(world.context(), HARBOUR.value, a.SKU.value, **{**ASKED, "unit": "PALLET"})
    assert told["price"] is None
    assert told["steps"][-1] == (
        "It cannot be converted: the ERP does not say how many EA are in one PALLET of BOLT-M8 "
        "(it has EA, BOX). Ask with --unit for one of those, or add the unit to the item in the "
        "ERP."
    )
    few = {**ASKED, "unit": "BOX", "currency": "USD"}
    told = explain_price(world.context(), HARBOUR.value, a.SKU.value, **few)
    assert told["price"] is None
    assert told["steps"][-1] == "One BOX is 12 EA, and none counts for 120 EA."


def test_whoever_the_store_does_not_know_is_said_to_be_unknown(world: World) -> None:
    answer = explain_user(world.context(), "nobody")
    assert answer["steps"][0] == "The store's directory does not know user nobody."
    assert "letter by letter" in answer["steps"][1]
    assert answer["found"] is False
    address = explain_user(world.context(), "ada@example.com")
    assert "the ID that the store gave them, not by an e-mail address" in address["steps"][1]
    stranger = OrganisationId("org-none")
    within = explain_user(world.context(), BUYER, stranger.value)
    assert within["steps"][0] == "The store's directory does not know organisation org-none."
    assert within["found"] is False
    assert explain_user(world.context(), BUYER)["found"] is True
    world.remap(assignments=(*ASSIGNMENTS, Assignment(MILL, user=WebUserId("nobody"))))
    assert explain_user(world.context(), "nobody")["found"] is True, "the mapping names them"
    assert [each["customer"] for each in answer["contexts"]] == [None]


@pytest.mark.rule("OP-3")
def test_what_the_erp_does_not_know_is_said_and_a_customer_in_the_wrong_place(
    world: World,
) -> None:
    asked: dict[str, Any] = {"quantity": Decimal(1), "unit": None, "currency": None, "day": None}

    def price(customer: str, sku: str) -> list[str]:
        answer: list[str] = explain_price(world.context(), customer, sku, **asked)["steps"]
        return answer

    def invoice(customer: str, number: str) -> list[str]:
        answer: list[str] = explain_invoice(world.context(), customer, number)["steps"]
        return answer

    as_in_the_erp = "Write it as the ERP does: zeros, capitals and what is between them count."
    assert price(HARBOUR.value, "NO-1") == ["The ERP has no item NO-1.", as_in_the_erp]
    assert price(HARBOUR.value, a.SKU.value.lower())[1] == f"It has {a.SKU}: capitals count."
    assert price("C-0", "SKU-1") == ["The ERP has no customer C-0.", as_in_the_erp]
    world.erp.add_account(a.an_account(customer_id=CustomerId("0042")))
    zeros = "The ERP has no customer 42; it lost its leading zeros: 0042 is known."
    assert (price("42", a.SKU.value), invoice("42", "I-1")) == ([zeros], [zeros])
    hint = f"It has a customer {HARBOUR}: write the customer first, then the"
    assert price("SKU-1", HARBOUR.value) == ["The ERP has no customer SKU-1.", f"{hint} item."]
    assert invoice("I-1", HARBOUR.value) == ["The ERP has no customer I-1.", f"{hint} invoice."]
    assert invoice("C-0", "I-1") == ["The ERP has no customer C-0.", as_in_the_erp]


@pytest.mark.rule("OP-3")
def test_what_is_nowhere_is_told_apart_from_what_is_there_and_not_shown(world: World) -> None:
    context, harbour = world.context(), HARBOUR.value
    world.erp.add_item(a.an_item(sku=Sku("SKU-NO-PRICE")))
    world.erp.add_invoice(a.an_invoice())
    answers = {
        "order": explain_order(context, "W-0"),
        "invoice": explain_invoice(context, harbour, "I-0"),
        "document": explain_document(context, harbour, "D-0"),
        "account": explain_account(context, "C-0"),
        "customer": explain_price(context, "C-0", a.SKU.value, **ASKED),
        "item": explain_price(context, harbour, "SKU-NONE", **ASKED),
        "channel": explain_price(context, harbour, a.SKU.value, **ASKED, channel="none"),
        "user": explain_users_price(context, "u-0", a.SKU.value, organisation=None, **ASKED),
        "users item": explain_users_price(
            context, BUYER, "SKU-NONE", organisation=HARBOUR_ORG.value, **ASKED
        ),
    }
    assert [each for each, told in answers.items() if told["found"]] == []
    there = (
        explain_invoice(context, harbour, "INV-5001"),
        explain_account(context, RETAIL.value),
        explain_price(context, harbour, "SKU-NO-PRICE", **ASKED),
    )
    assert all(told.get("found", True) for told in there)


@pytest.mark.rule("OP-3")
def test_an_item_without_a_price_is_said_to_have_none(world: World) -> None:
    world.erp.add_item(a.an_item(sku=Sku("SKU-NO-PRICE")))
    answer = explain_price(
        world.context(), HARBOUR.value, "SKU-NO-PRICE",
        quantity=Decimal(1), unit=None, currency=None, day=None,
    )  # fmt: skip
    assert answer["steps"][-1] == "No level has any price of SKU-NO-PRICE."


@pytest.mark.rule("OP-3", "TL-7", "WA-8")
def test_a_document_is_told_with_its_file_and_with_who_may_read_it(world: World) -> None:
    confirmation = DocumentKind.ORDER_CONFIRMATION
    order = ErpOrderNumber("9001")
    world.erp.add_document(a_paper(HARBOUR, 1, kind=confirmation, erp_order=order))
    world.erp.add_document(a_paper(HARBOUR, 9))
    world.run("documents")

    told = explain_document(world.context(), HARBOUR.value, "D-1")
    assert told["shown"] is True
    assert [each["kind"] for each in told["documents"]] == ["invoice", "order_confirmation"]
    steps = " ".join(told["steps"])
    assert "Its file is 'papers/1.pdf', which is there with" in steps
    assert f"The account is mapped: organisation {HARBOUR_ORG}." in steps
    assert "The store shows invoice D-1. Everybody who sees the account's invoices" in steps
    assert "The store shows order_confirmation D-1. It confirms an order that is none" in steps

    missing = explain_document(world.context(), HARBOUR.value, "D-9")
    assert missing["shown"] is False
    assert "Its file is 'papers/9.pdf', which is not there." in missing["steps"]
    assert missing["steps"][-1] == "The store does not show it."

    retail = explain_document(world.context(), RETAIL.value, "D-3")
    assert retail == {
        "shown": False,
        "steps": [f"{RETAIL} is a retail group: its documents go to nobody (WA-8)."],
    }
    nobody = explain_document(world.context(), HARBOUR.value, "D-0")
    assert nobody["steps"][0] == f"The ERP has no document D-0 for {HARBOUR}."


@pytest.mark.rule("OP-3", "WA-8")
def test_a_number_that_another_account_is_shown_too_is_told(world: World) -> None:
    world.erp.add_invoice(a.an_invoice(sold_to=MILL))
    world.erp.add_document(a_paper(MILL, 1))
    world.cycle()
    hint = f"The store shows one of this number to the buyers of {MILL} too."
    assert explain_invoice(world.context(), HARBOUR.value, "INV-5001")["steps"][-1] == hint
    assert explain_document(world.context(), HARBOUR.value, "D-1")["steps"][-1] == hint


@pytest.mark.rule("OP-3", "MI-5", "MI-6", "TL-6")
def test_an_account_is_told_kind_by_kind_with_what_only_one_side_has(world: World) -> None:
    world.cycle()
    world.erp.set_account_order(a.an_account_order("9009"))
    world.erp.remove_invoice(HARBOUR, a.an_invoice().number)
    told = explain_account(world.context(), HARBOUR.value)
    assert told["steps"] == [
        f"The account is mapped: organisation {HARBOUR_ORG}.",
        "invoices: the ERP has 0, the store shows 1; shown and not in the ERP: INV-5001.",
        "documents: the ERP has 1, the store shows 1.",
        "orders: the ERP has 2, the store shows 1; not shown: 9009.",
        "balances: the ERP has 1, the store shows 1.",
        "part numbers: the ERP has 1, the store shows 1.",
    ]
    assert told["shown"] is True
    assert {each["kind"]: each["shown"] for each in told["records"]}["balance"] == ["EUR"]
    retail = explain_account(world.context(), RETAIL.value)["steps"]
    assert retail == [f"{RETAIL} is a retail group: all that is its own goes to nobody (WA-8)."]


@pytest.mark.rule("OP-3")
def test_the_erps_own_words_end_before_the_way_out_of_an_order_begins(world: World) -> None:
    world.erp.refuse_item(a.SKU, "item is blocked for sale")
    world.store.place_order(harbour_order())
    world.import_orders()

    [told] = [each for each in explain_order(world.context(), "W-1")["steps"] if "Way out" in each]

    assert "item is blocked for sale. Way out: " in told


@pytest.mark.rule("OP-3")
def test_what_the_erp_refused_last_is_not_said_to_go_in_without_saying_so(world: World) -> None:
    world.erp.refuse_item(a.SKU, "item is blocked for sale")
    world.store.place_order(harbour_order())
    world.import_orders()
    refused_at = f"But the ERP itself refused it at {world.clock.now():%Y-%m-%d %H:%M} UTC"

    for replayed in (False, True):
        if replayed:
            world.clock.advance(3600)
            world.replay()
        told = explain_order(world.context(), "W-1")
        assert told["now"][0].startswith(f"If it were imported now: into {HARBOUR} by ")
        assert told["now"][1].startswith(refused_at)
        assert told["outlook"]["erp_refused_at"].startswith("20")


@pytest.mark.rule("OP-3", "OI-3")
def test_what_the_erp_took_and_refused_later_is_not_said_to_go_in_without_saying_so(
    world: World,
) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()
    world.clock.advance(86_400)
    refused = a.an_order_status(state=ErpOrderState.REFUSED, message="over the limit")
    world.erp.set_order_status(world.entry().key, refused)
    world.run("order_status")
    world.replay()
    told = explain_order(world.context(), "W-1")
    at = f"{world.clock.now():%Y-%m-%d %H:%M} UTC"
    assert told["now"][1].startswith(f"But the ERP itself refused it at {at}")


@pytest.mark.rule("OP-3")
def test_what_our_rules_hold_up_last_is_not_said_to_be_refused_by_the_erp(world: World) -> None:
    world.erp.refuse_item(a.SKU, "item is blocked for sale")
    world.store.place_order(harbour_order())
    world.import_orders()
    world.erp.accept_item(a.SKU)
    world.remap(assignments=())
    world.replay()
    world.import_orders()
    world.remap(assignments=ASSIGNMENTS)
    told = explain_order(world.context(), "W-1")
    assert told["now"][0].startswith(f"If it were imported now: into {HARBOUR} by ")
    assert not any("refused" in each for each in told["now"])
    assert "erp_refused_at" not in told["outlook"]
