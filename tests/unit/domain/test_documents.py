"""What a document can hold, and what it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from sync.domain.codec import dumps, loads
from sync.domain.document import (
    Content,
    Document,
    DocumentKind,
    DocumentRecord,
    MediaType,
    as_seen,
)
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber, WebOrderId
from sync.domain.views import DocumentView
from sync.testing import builders as a

ORDER = WebOrderId("order-1")


@pytest.mark.rule("TL-7", "WA-8")
def test_document_of_a_retail_group_cannot_be_written_down() -> None:
    with pytest.raises(ValueError, match="is a retail group"):
        a.a_document_view(sold_to=a.RETAIL_ACCOUNT)


@pytest.mark.rule("TL-7", "WA-8")
def test_document_of_another_account_cannot_be_written_down() -> None:
    document = a.a_document(sold_to=CustomerId("C-2002"))
    with pytest.raises(ValueError, match="is of C-2002, not of C-1001"):
        DocumentView(a.individual(a.ACCOUNT), document)


@pytest.mark.rule("TL-7")
def test_document_whose_file_nobody_read_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="has no content"):
        a.a_document_view(content=None)


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize(
    "number, name",
    [
        ("INV-1", "invoice-INV-1.pdf"),
        ("../../etc/passwd", "invoice-etc-passwd.pdf"),
        ('x"; filename="y.exe', "invoice-x-filename-y.exe.pdf"),
        ("Größe 8", "invoice-Gr-e-8.pdf"),
        ("…", "invoice-document.pdf"),
    ],
)
def test_name_to_save_it_under_is_ours_and_not_the_erp_s(number: str, name: str) -> None:
    document = a.a_document(number=DocumentNumber(number), place="../evil.exe")
    assert document.file_name == name
    assert a.a_document(content=None).file_name == "invoice-INV-5001"


@pytest.mark.parametrize("wrong", [{"place": ""}, {"size": -1}, {"sha256": "0A" * 32}])
def test_record_that_says_nothing_sound_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a document|a file|SHA-256"):
        a.a_document_record(**wrong)


@pytest.mark.parametrize("wrong", [(0, "0a" * 32), (1, "short")])
def test_content_without_length_or_hash_is_refused(wrong: tuple[int, str]) -> None:
    with pytest.raises(ValueError, match=r"without content|SHA-256"):
        Content(MediaType.PDF, *wrong)


def test_records_and_documents_come_back_from_a_spooled_plan() -> None:
    for kind, value in (
        (Document, a.a_document(web_order=ORDER)),
        (Document, a.a_document(content=None)),
        (DocumentRecord, a.a_document_record(size=3)),
    ):
        assert loads(kind, dumps(value)) == value


@pytest.mark.rule("TL-7", "WA-8", "WA-9")
@pytest.mark.parametrize("kind", DocumentKind)
@pytest.mark.parametrize("order", [ORDER, None])
@pytest.mark.parametrize("reference", ["W-1", None])
@pytest.mark.parametrize("erp_order", [ErpOrderNumber("SO-1"), None])
@pytest.mark.parametrize("sees", [True, False])
def test_who_may_not_see_an_order_sees_neither_its_confirmation_nor_a_link_to_it(
    kind: DocumentKind,
    order: WebOrderId | None,
    reference: str | None,
    erp_order: ErpOrderNumber | None,
    sees: bool,
) -> None:
    document = a.a_document(
        kind=kind, web_order=order, web_reference=reference, erp_order=erp_order
    )

    seen = as_seen(document, lambda _: sees)

    of_an_order = any(each is not None for each in (order, reference, erp_order))
    if kind is DocumentKind.ORDER_CONFIRMATION and of_an_order and not sees:
        assert seen is None
    else:
        assert seen is not None
        assert seen.web_order == (order if sees else None)


@pytest.mark.rule("TL-7", "WA-9")
@pytest.mark.parametrize("order", [ORDER, None])
@pytest.mark.parametrize("reference", ["W-1", None])
@pytest.mark.parametrize("erp_order", [ErpOrderNumber("SO-1"), ErpOrderNumber("SO-2"), None])
def test_confirmation_of_a_telephone_order_is_the_organisations_and_of_no_web_order(
    order: WebOrderId | None, reference: str | None, erp_order: ErpOrderNumber | None
) -> None:
    document = a.a_document(
        kind=DocumentKind.ORDER_CONFIRMATION,
        web_order=order,
        web_reference=reference,
        erp_order=erp_order,
    )
    by_telephone = {ErpOrderNumber("SO-1")}

    seen = as_seen(document, lambda _: False, by_telephone.__contains__)

    no_order = (order, reference, erp_order) == (None, None, None)
    open_to_all = no_order or (order, reference, erp_order) == (None, None, ErpOrderNumber("SO-1"))
    assert (seen is not None) == open_to_all


@pytest.mark.rule("TL-7", "MI-2")
@pytest.mark.parametrize("beside", [{"version": ""}, {"size": 80}, {"sha256": "0a" * 32}])
def test_file_that_the_erp_gives_out_is_told_by_its_version_alone(beside: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="by its version alone"):
        a.a_document_record(**{"version": "7", **beside})
