"""What Tryton has printed, as papers of its customers: which there are, and in which version."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.papers import PIECE
from sync.domain.document import DocumentKind, DocumentRecord
from sync.domain.ids import CustomerId, ErpOrderNumber
from sync.errors import Rejected
from tests.unit.tryton.tryton_kit import FakeTryton, rpc, settings

FIRST, SECOND = CustomerId("C00001"), CustomerId("C00002")
PAPER = b"%PDF-1.4 " + b"ink " * PIECE + b"%%EOF"
SHOP, OTHER_SHOP = 3, 4

_SITE: Mapping[str, object] = {
    "model.company.company.read": [
        {"id": 1, "rec_name": "Ours", "currency.": {"code": "EUR"}, "timezone": None, "party": 1}
    ],
    "model.web.shop.read": [{"id": SHOP, "warehouses": [4]}],
    "model.company.company.search_read": [{"id": 1, "party": 1}],
    "model.web.shop.search_read": [{"id": SHOP}],
    "model.ir.module.search_read": [],
}


def an_invoice(**changes: Any) -> dict[str, Any]:
    sale = {"number": "77", "web_shop": SHOP, "web_id": "shop-W-1"}
    base = {
        "id": 12,
        "number": "2026-1",
        "party.": {"code": "C00001"},
        "invoice_date": date(2026, 11, 2),
        "sales.": [sale],
        "invoice_report_revisions": [],
        "invoice_report_cache_id": None,
    }
    return {**base, **changes}


def a_sale(**changes: Any) -> dict[str, Any]:
    line = {
        "id": 5,
        "type": "line",
        "sequence": 1,
        "product": 8,
        "description": "Deck bolt",
        "quantity": 12.0,
        "unit": 1,
        "unit_price": Decimal("1.2500"),
        "amount": Decimal("15.00"),
        "taxes": [2],
    }
    base = {
        "id": 33,
        "number": "77",
        "party.": {"code": "C00001"},
        "web_shop": SHOP,
        "web_id": "shop-W-1",
        "sale_date": date(2026, 11, 1),
        "reference": "PO-1",
        "description": None,
        "comment": None,
        "payment_term": 1,
        "shipment_address": 11,
        "invoice_address": 11,
        "currency": 1,
        "total_amount": Decimal("15.00"),
        "tax_amount": Decimal(0),
        "lines.": [line],
    }
    return {**base, **changes}


def a_shipment(**changes: Any) -> dict[str, Any]:
    move = {"id": 9, "product": 8, "quantity": 12.0, "unit": 1, "state": "done"}
    base = {
        "id": 7,
        "number": "OUT7",
        "customer.": {"code": "C00001"},
        "effective_date": date(2026, 11, 3),
        "reference": None,
        "delivery_address": 11,
        "outgoing_moves.": [move],
    }
    return {**base, **changes}


class Printing:
    """A Tryton with one paper of each kind; ``rows`` and ``reports`` are what it has."""

    def __init__(self, fake: FakeTryton) -> None:
        self.fake = fake
        self.reports = {"account.invoice": 1, "sale.sale": 2, "stock.shipment.out.delivery_note": 3}
        self.rows: dict[str, list[dict[str, Any]]] = {
            "account.invoice": [an_invoice()],
            "sale.sale": [a_sale()],
            "stock.shipment.out": [a_shipment()],
        }
        self.made: list[object] = ["pdf", PAPER, False, "Sale-77"]
        for method, answer in _SITE.items():
            fake.answers[method] = lambda _, answer=answer: answer  # type: ignore[misc]
        for model in self.rows:
            fake.answers[f"model.{model}.search_read"] = lambda said, model=model: self._found(  # type: ignore[misc]
                model, said
            )
        fake.answers["model.ir.action.report.search_read"] = lambda _: [
            {"id": number, "report_name": name} for name, number in self.reports.items()
        ]
        fake.answers["model.account.invoice.read"] = lambda _: [
            {"id": 12, "invoice_report_cache": _Bytes(PAPER)}
        ]
        for name in ("sale.sale", "stock.shipment.out.delivery_note"):
            fake.answers[f"report.{name}.execute"] = lambda _: [
                _Bytes(each) if isinstance(each, bytes) else each for each in self.made
            ]
        self.erp = TrytonErpAdapter(settings(), rpc())

    def _found(self, model: str, said: list[Any]) -> list[dict[str, Any]]:
        if model == "sale.sale" and any(clause[0] == "shipments" for clause in said[0]):
            return [{**each, "shipments": [7]} for each in self.rows[model]]
        return self.rows[model]

    def told(self) -> dict[DocumentKind, DocumentRecord]:
        return {each.kind: each for each in self.erp.documents([FIRST])}

    def printed(self) -> int:
        return sum(method.startswith("report.") for method, _ in self.fake.calls)


class _Bytes(dict[str, str]):
    """Bytes as Tryton's JSON has them."""

    def __init__(self, content: bytes) -> None:
        super().__init__(__class__="bytes", base64=base64.b64encode(content).decode())


@pytest.fixture
def tryton(fake: FakeTryton) -> Printing:
    return Printing(fake)


@pytest.mark.rule("TL-7")
def test_invoices_confirmations_and_delivery_notes_are_told_with_their_order(
    tryton: Printing,
) -> None:
    told = tryton.told()

    assert {
        kind: (each.number.value, each.issued_on.day, each.place) for kind, each in told.items()
    } == {
        DocumentKind.INVOICE: ("2026-1", 2, "account.invoice/12"),
        DocumentKind.ORDER_CONFIRMATION: ("77", 1, "sale.sale/33"),
        DocumentKind.DELIVERY_NOTE: ("OUT7", 3, "stock.shipment.out/7"),
    }
    assert {(each.sold_to, each.erp_order, each.web_reference) for each in told.values()} == {
        (FIRST, ErpOrderNumber("77"), "shop-W-1")
    }
    # To tell of papers prints none.
    assert tryton.printed() == 0
    assert tryton.fake.called("model.account.invoice.read") == []


@pytest.mark.rule("TL-7")
def test_paper_of_several_orders_names_none_of_them(tryton: Printing) -> None:
    sale = {"number": "78", "web_shop": SHOP, "web_id": "shop-W-2"}
    tryton.rows["account.invoice"] = [an_invoice(**{"sales.": [*an_invoice()["sales."], sale]})]

    told = tryton.told()[DocumentKind.INVOICE]

    assert (told.erp_order, told.web_reference) == (None, None)


@pytest.mark.rule("TL-7")
def test_key_of_another_shop_is_nobody_s_web_order_here(tryton: Printing) -> None:
    tryton.rows["sale.sale"] = [a_sale(web_shop=OTHER_SHOP)]

    told = tryton.told()[DocumentKind.ORDER_CONFIRMATION]

    assert (told.erp_order, told.web_reference) == (ErpOrderNumber("77"), None)


@pytest.mark.rule("TL-7", "WA-8")
def test_papers_that_were_not_asked_for_are_not_told(tryton: Printing) -> None:
    """A filter that the server ignores shows no account the papers of another."""
    assert tryton.erp.documents([SECOND]) == []
    assert tryton.erp.documents([]) == []


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize(
    "without, kinds",
    [
        ("sale.sale", {DocumentKind.INVOICE, DocumentKind.DELIVERY_NOTE}),
        (
            "stock.shipment.out.delivery_note",
            {DocumentKind.INVOICE, DocumentKind.ORDER_CONFIRMATION},
        ),
        # What was printed as PDF stays one.
        ("account.invoice", set(DocumentKind)),
    ],
)
def test_report_that_makes_no_pdf_makes_no_papers(
    tryton: Printing, without: str, kinds: set[DocumentKind]
) -> None:
    del tryton.reports[without]

    assert tryton.told().keys() == kinds
    asked = tryton.fake.called("model.account.invoice.search_read")[0][0]
    assert ["invoice_report_format", "=", "pdf"] in asked


@pytest.mark.rule("TL-7")
def test_paper_without_a_day_is_left_out_and_told(tryton: Printing) -> None:
    tryton.rows["sale.sale"] = [a_sale(sale_date=None)]

    assert DocumentKind.ORDER_CONFIRMATION not in tryton.told()
    [record] = tryton.erp.take_unreadable()
    assert (record.source, record.key, record.customer) == ("sale.sale", "77", FIRST)


# Versions.


@pytest.mark.rule("TL-7", "MI-2")
@pytest.mark.parametrize(
    "kind, model, other",
    [
        (DocumentKind.INVOICE, "account.invoice", {"invoice_report_revisions": [4]}),
        (DocumentKind.INVOICE, "account.invoice", {"invoice_report_cache_id": "a1b2"}),
        (DocumentKind.ORDER_CONFIRMATION, "sale.sale", {"reference": "PO-2"}),
        (DocumentKind.ORDER_CONFIRMATION, "sale.sale", {"total_amount": Decimal("15.01")}),
        (DocumentKind.ORDER_CONFIRMATION, "sale.sale", {"shipment_address": 12}),
        (DocumentKind.ORDER_CONFIRMATION, "sale.sale", {"lines.": []}),
        (DocumentKind.DELIVERY_NOTE, "stock.shipment.out", {"reference": "PO-2"}),
        (DocumentKind.DELIVERY_NOTE, "stock.shipment.out", {"outgoing_moves.": []}),
    ],
)
def test_paper_that_would_say_something_else_has_another_version(
    tryton: Printing, kind: DocumentKind, model: str, other: dict[str, Any]
) -> None:
    before = tryton.told()
    [row] = tryton.rows[model]
    tryton.rows[model] = [{**row, **other}]

    after = tryton.told()

    assert after[kind].version != before[kind].version
    assert {**after, kind: None} == {**before, kind: None}


@pytest.mark.rule("TL-7", "MI-2")
def test_what_stands_on_no_paper_changes_no_version(tryton: Printing) -> None:
    before = tryton.told()
    for rows in tryton.rows.values():
        rows[0] |= {"write_date": date(2026, 12, 1), "state": "done", "shipment_state": "sent"}
    [line] = tryton.rows["sale.sale"][0]["lines."]
    line["actual_quantity"] = 11.0
    gone = {"id": 10, "product": 8, "quantity": 1.0, "unit": 1, "state": "cancelled"}
    tryton.rows["stock.shipment.out"][0]["outgoing_moves."].insert(0, gone)

    assert tryton.told() == before


# Reading one.


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("kind", DocumentKind)
def test_paper_is_read_in_pieces_and_an_invoice_as_it_is_kept(
    tryton: Printing, kind: DocumentKind
) -> None:
    told = tryton.told()[kind]
    assert told.version is not None

    pieces = list(tryton.erp.read_document(told.place, told.version))

    assert b"".join(pieces) == PAPER
    assert max(map(len, pieces)) <= PIECE
    # To print an invoice would write into Tryton.
    assert tryton.printed() == (0 if kind is DocumentKind.INVOICE else 1)


@pytest.mark.rule("TL-7")
def test_report_is_printed_by_the_action_that_makes_pdf(tryton: Printing) -> None:
    told = tryton.told()[DocumentKind.ORDER_CONFIRMATION]
    list(tryton.erp.read_document(told.place, told.version or ""))

    [said] = tryton.fake.called("report.sale.sale.execute")
    assert said[:2] == [[33], {"action_id": 2, "model": "sale.sale", "id": 33, "ids": [33]}]


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("made", [["odt", PAPER, False, ""], ["pdf", "text", False, ""]])
def test_conversion_that_failed_is_refused_with_the_way_out(
    tryton: Printing, made: list[object]
) -> None:
    told = tryton.told()[DocumentKind.DELIVERY_NOTE]
    tryton.made = made

    with pytest.raises(Rejected, match="not as PDF") as refused:
        tryton.erp.read_document(told.place, told.version or "")

    assert "LibreOffice" in refused.value.remedy


@pytest.mark.rule("TL-7")
def test_paper_in_another_version_is_not_read(tryton: Printing) -> None:
    told = tryton.told()[DocumentKind.ORDER_CONFIRMATION]
    tryton.rows["sale.sale"] = [a_sale(reference="PO-2")]

    with pytest.raises(Rejected, match="changed"):
        tryton.erp.read_document(told.place, told.version or "")
    assert tryton.printed() == 0


@pytest.mark.rule("TL-7", "WA-8")
@pytest.mark.parametrize(
    "place",
    [
        *("", "12", "account.invoice", "account.invoice/", "account.invoice/12/../13"),
        *("res.user/1", "account.invoice/-1", "account.invoice/\u0661\u0662"),
        "account.invoice/" + "9" * 40,
    ],
)
def test_place_that_is_no_paper_is_not_even_asked_for(tryton: Printing, place: str) -> None:
    with pytest.raises(Rejected, match="is not there"):
        tryton.erp.read_document(place, "0-")
    assert tryton.fake.calls == []


@pytest.mark.rule("TL-7")
def test_paper_that_is_gone_is_not_there(tryton: Printing) -> None:
    tryton.rows["account.invoice"] = []
    with pytest.raises(Rejected, match="is not there"):
        tryton.erp.read_document("account.invoice/12", "0-")
