"""What an attempt left in Tryton half way, and what the next one makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.ids import BillToId, IdempotencyKey, ShipToId
from sync.domain.sales_order import (
    CodedAmount,
    OnFileBillTo,
    OnFileShipTo,
    PayBy,
    SalesOrder,
    SalesOrderPayment,
)
from sync.errors import Conflict, OutcomeUnknown, Rejected
from sync.testing import builders as a
from tests.contract.tryton_app import (
    CANCEL,
    CONFIRM,
    CREATE,
    DELETE,
    QUOTE,
    TrytonApp,
)
from tests.unit.tryton.tryton_kit import FakeTryton, Refuses, Status, rpc, settings

ORDER = a.a_sales_order(
    ship_to=OnFileShipTo(ShipToId("11")),
    bill_to=OnFileBillTo(BillToId("31")),
    contact=None,
    terms=None,
    po_number="PO-1",
    notes="Ring twice",
)
LINE = ORDER.lines[0]
CHANGES: Mapping[str, dict[str, Any]] = {
    "ship-to": {"ship_to": OnFileShipTo(ShipToId("22"))},
    "bill-to": {"bill_to": OnFileBillTo(BillToId("32"))},
    "PO number": {"po_number": "PO-2"},
    "no PO number": {"po_number": None},
    "notes": {"notes": "Leave at gate 4"},
    "requested date": {"requested_on": ORDER.ordered_on},
    "payment": {
        "payments": (SalesOrderPayment(PayBy.CARD, "VISA", ORDER.total, reference="pay-9"),)
    },
    "phone": {"phone": "+31 10 1"},
    "note of a line": {"lines": (dataclasses.replace(LINE, note="Galvanised"), *ORDER.lines[1:])},
}
changed = pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))


class Answers(dict[str, Any]):
    """The application's, where a test gives none of its own."""

    def __init__(self, app: TrytonApp, own: Mapping[str, Any]) -> None:
        super().__init__(own)
        self._app = app

    def __missing__(self, method: str) -> Any:
        return lambda params: self._app.answer(method, params)


@pytest.fixture
def app(fake: FakeTryton) -> TrytonApp:
    app = TrytonApp()
    fake.answers = Answers(app, fake.answers)
    return app


def adapter(reach: str = "quotation") -> TrytonErpAdapter:
    return TrytonErpAdapter(settings(reach=reach), rpc(reach=reach))


def left_half_way(fake: FakeTryton, erp: TrytonErpAdapter, step: str) -> None:
    """An attempt whose request for this step was lost."""
    fake.answers[step] = lost
    with pytest.raises(OutcomeUnknown):
        erp.submit_order(ORDER, a.KEY)
    del fake.answers[step]


def lost(_: object) -> None:
    raise Status(503)


@pytest.mark.rule("OI-1")
@changed
def test_a_draft_of_an_earlier_version_is_made_anew(
    fake: FakeTryton, app: TrytonApp, change: dict[str, Any]
) -> None:
    erp = adapter()
    left_half_way(fake, erp, QUOTE)
    [before] = app.sales
    assert erp.find_order(a.KEY) is None

    newest = dataclasses.replace(ORDER, **change)
    erp.submit_order(newest, a.KEY)

    [sale] = app.sales
    assert sale["id"] != before["id"]
    assert sale["state"] == "quotation"
    assert erp.submit_order(newest, a.KEY).number is not None, "it is what was wanted"
    assert len(app.sales) == 1


@pytest.mark.rule("OI-1")
def test_goods_never_ship_to_the_address_of_an_earlier_version(
    fake: FakeTryton, app: TrytonApp
) -> None:
    erp = adapter("confirmed")
    left_half_way(fake, erp, QUOTE)
    erp.submit_order(dataclasses.replace(ORDER, **CHANGES["ship-to"]), a.KEY)
    assert [(row["state"], row["shipment_address"]) for row in app.sales] == [("processing", 22)]


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("step", [QUOTE, CONFIRM])
def test_the_same_order_is_gone_on_with(fake: FakeTryton, app: TrytonApp, step: str) -> None:
    erp = adapter("confirmed")
    left_half_way(fake, erp, step)
    erp.submit_order(ORDER, a.KEY)
    assert [(row["id"], row["state"]) for row in app.sales] == [(1, "processing")]
    assert len(fake.called(CREATE)) == 1


@pytest.mark.rule("OI-1")
@changed
def test_a_numbered_quotation_of_an_earlier_version_is_told_and_left_alone(
    fake: FakeTryton, app: TrytonApp, change: dict[str, Any]
) -> None:
    erp = adapter("confirmed")
    left_half_way(fake, erp, CONFIRM)
    [before] = [dict(row) for row in app.sales]
    found = erp.find_order(a.KEY)
    assert found is not None
    assert found.unfinished
    assert str(found.number) == before["number"]
    assert erp.find_orders([a.KEY, IdempotencyKey("other")]) == {a.KEY: found}

    with pytest.raises(Conflict) as conflict:
        erp.submit_order(dataclasses.replace(ORDER, **change), a.KEY)

    told = " ".join(conflict.value.differences)
    assert before["number"] in told
    assert len(conflict.value.differences) > 1
    assert "gate 4" not in told, "notes may tell anything"
    assert app.sales == [before]
    assert not fake.called(DELETE)
    assert not fake.called(CANCEL)


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("reach", ["draft", "quotation", "confirmed"])
def test_a_finished_sale_of_an_earlier_version_is_told_too(
    app: TrytonApp, fake: FakeTryton, reach: str
) -> None:
    erp = adapter(reach)
    erp.submit_order(ORDER, a.KEY)
    found = erp.find_order(a.KEY)
    assert found is not None
    assert not found.unfinished
    assert erp.submit_order(ORDER, a.KEY).number == found.number
    with pytest.raises(Conflict) as conflict:
        erp.submit_order(dataclasses.replace(ORDER, **CHANGES["ship-to"]), a.KEY)
    assert "ships to address 11, not 22" in " ".join(conflict.value.differences)
    assert len(app.sales) == 1


@pytest.mark.rule("OI-1")
def test_text_counts_as_tryton_keeps_it(app: TrytonApp) -> None:
    """It strips what it stores, and knows no empty text."""
    erp = adapter()
    erp.submit_order(dataclasses.replace(ORDER, po_number="PO-1 ", notes=" Ring\r\ntwice "), a.KEY)
    [sale] = app.sales
    sale.update(reference="PO-1", comment="Ring\ntwice")
    for line in sale["lines."]:
        line["note"] = line["note"] or ""
    again = dataclasses.replace(ORDER, po_number="PO-1", notes="Ring\ntwice\n")
    assert erp.submit_order(again, a.KEY).number is not None


@pytest.mark.rule("OI-1")
def test_what_can_no_longer_be_compared_is_told(fake: FakeTryton, app: TrytonApp) -> None:
    erp = adapter("confirmed")
    left_half_way(fake, erp, CONFIRM)
    nowhere = dataclasses.replace(ORDER, ship_to=OnFileShipTo(ShipToId("gone")))
    with pytest.raises(Conflict) as conflict:
        erp.submit_order(nowhere, a.KEY)
    assert "the customer has no ship-to gone" in " ".join(conflict.value.differences)
    assert [row["state"] for row in app.sales] == ["quotation"]


@pytest.mark.rule("OI-1")
def test_a_refused_order_leaves_no_draft_of_an_earlier_attempt(
    fake: FakeTryton, app: TrytonApp
) -> None:
    erp = adapter()
    left_half_way(fake, erp, QUOTE)
    with pytest.raises(Rejected):
        erp.submit_order(dataclasses.replace(ORDER, ship_to=OnFileShipTo(ShipToId("gone"))), a.KEY)
    assert app.sales == []


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("number", [None, "SO-7"])
def test_a_sale_that_another_worker_made_just_before_is_compared(
    fake: FakeTryton, app: TrytonApp, number: str | None
) -> None:
    """Tryton refuses the second under one key; what is there is of another version."""
    erp, newest = adapter(), dataclasses.replace(ORDER, **CHANGES["ship-to"])
    other = TrytonApp()

    def create(params: Any) -> Any:
        other.answer(CREATE, params)
        [sale] = other.sales
        state = "draft" if number is None else "quotation"
        app.sales = [{**sale, "shipment_address": 11, "number": number, "state": state}]
        raise Refuses("UserError", ["there is one under that key", ""])

    fake.answers[CREATE] = create
    with pytest.raises(OutcomeUnknown if number is None else Conflict):
        erp.submit_order(newest, a.KEY)
    assert [row["number"] for row in app.sales] == ([] if number is None else [number])
    assert not fake.called(QUOTE)


# Groups.

SECOND = IdempotencyKey("shop-second")
GROUP: list[tuple[SalesOrder, IdempotencyKey]] = [(ORDER, a.KEY), (ORDER, SECOND)]


@pytest.mark.rule("OI-1")
def test_a_group_never_takes_a_numbered_sale_away(fake: FakeTryton, app: TrytonApp) -> None:
    """Another worker has made one of them an order, and the other differs."""

    def create(params: Any) -> Any:
        made = app.answer(CREATE, params)
        app.sales[0].update(state="quotation", number="SO-1")
        app.sales[1]["total_amount"] += 1
        return made

    fake.answers[CREATE] = create
    with pytest.raises(OutcomeUnknown, match="have numbers"):
        adapter().submit_orders(GROUP)
    assert len(app.sales) == 2
    assert not fake.called(CANCEL)
    assert not fake.called(DELETE)


@pytest.mark.rule("OI-1")
def test_drafts_of_earlier_versions_are_not_quoted_as_a_group(
    fake: FakeTryton, app: TrytonApp
) -> None:
    """The answer to the create is lost, and so nobody knows whose drafts these are."""
    adapter("draft").submit_orders(GROUP)
    fake.answers[CREATE] = lost
    moved = [(dataclasses.replace(order, **CHANGES["ship-to"]), key) for order, key in GROUP]
    with pytest.raises(OutcomeUnknown):
        adapter().submit_orders(moved)
    assert not fake.called(QUOTE)

    assert len(adapter().submit_orders(GROUP)) == 2, "they are what was sent"
    assert [row["state"] for row in app.sales] == ["quotation"] * 2


def test_a_charge_under_another_code_is_another_order(fake: FakeTryton, app: TrytonApp) -> None:
    """Amounts alone do not tell freight from a fee."""
    one = dataclasses.replace(
        ORDER,
        charges=(CodedAmount("BOLT-M8", a.money("1.00")),),
        total=ORDER.total + a.money("1.00"),
    )
    erp = adapter()
    erp.submit_order(one, a.KEY)
    for line in app.sales[0]["lines."]:
        if line["description"] == "BOLT-M8":
            line["description"] = "FEE"
    with pytest.raises(Conflict):
        erp.submit_order(one, a.KEY)
