"""Documents on their way into the shop's module: in pieces, whole, and for whom."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from sync.domain.document import DocumentKind
from sync.domain.ids import DocumentNumber, ErpOrderNumber, WebOrderId
from sync.errors import Misconfigured, Rejected, TryLater
from sync.stores.medusa.documents import PIECE
from sync.testing import builders as a
from tests.unit.medusa.answers import URL, a_store

MODULE = f"{URL}/admin/tradesync"
LARGE = b"%PDF-" + b"\x00ink" * (PIECE // 2) + b"%%EOF"
CONFIRMATION = DocumentKind.ORDER_CONFIRMATION


@pytest.fixture
def shop() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(f"{MODULE}/uploads", json={})
        mock.post(f"{MODULE}/documents", json={})
        mock.post(f"{MODULE}/records", json={"put": 1, "removed": 0})
        yield mock


def sent(shop: responses.RequestsMock, path: str) -> list[Any]:
    return [
        json.loads(call.request.body or b"")
        for call in shop.calls
        if call.request.url == f"{MODULE}/{path}"
    ]


@pytest.mark.rule("TL-7")
def test_file_goes_in_pieces_of_one_upload_and_is_published_last(
    shop: responses.RequestsMock,
) -> None:
    small = (LARGE[at : at + 100_000] for at in range(0, len(LARGE), 100_000))

    a_store().publish_document(a.a_document_view(LARGE), small)

    uploads = sent(shop, "uploads")
    assert [each["position"] for each in uploads] == [0, 1, 2]
    file = [base64.b64decode(each["piece"]) for each in uploads]
    assert b"".join(file) == LARGE
    assert max(map(len, file)) <= PIECE
    [published] = sent(shop, "documents")
    assert {each["upload"] for each in uploads} == {published["upload"]}
    assert str(shop.calls[-1].request.url).endswith("/documents")
    record = published["record"]
    assert (record["kind"], record["owner"]) == ("document", "C-1001")
    assert record["key"] == '["invoice","INV-5001"]'
    assert (record["about"], record["size"]) == ("2025-03-01", len(LARGE))
    assert record["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert json.loads(record["document"])["file_name"] == "invoice-INV-5001.pdf"


@pytest.mark.rule("TL-7")
def test_two_files_never_share_an_upload(shop: responses.RequestsMock) -> None:
    store = a_store()
    for number in "12":
        store.publish_document(a.a_document_view(number=DocumentNumber(number)), [a.PDF])

    assert len({each["upload"] for each in sent(shop, "uploads")}) == 2


@pytest.mark.rule("TL-7")
def test_file_that_is_longer_than_told_is_not_sent_to_its_end(
    shop: responses.RequestsMock,
) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"ink" * 100_000

    shop.replace(responses.POST, f"{MODULE}/documents", status=422, json={"type": "invalid_data"})
    with pytest.raises(Rejected):
        a_store().publish_document(a.a_document_view(), endless())
    assert len(sent(shop, "uploads")) == 1


@pytest.mark.rule("TL-7")
def test_content_that_is_not_what_was_told_is_refused_and_not_counted(
    shop: responses.RequestsMock,
) -> None:
    for path in ("documents", "records"):
        shop.replace(responses.POST, f"{MODULE}/{path}", status=422, json={"type": "invalid_data"})
    store = a_store()

    with pytest.raises(Rejected, match="is not what was told") as refused:
        store.publish_document(a.a_document_view(), [b"other"])
    assert refused.value.code == "store_content"
    with pytest.raises(Rejected, match="is not what was told"):
        store.apply_documents([a.a_document_view()], [])
    assert store.mirror_writes == 0


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize(
    "about, order_to_see",
    [
        ({"web_order": WebOrderId("order_1"), "erp_order": ErpOrderNumber("77")}, "order_1"),
        # From the desk, or from another store: nobody here placed it.
        ({"erp_order": ErpOrderNumber("77")}, ""),
        ({"web_reference": "other-W-1"}, ""),
        ({}, None),
    ],
)
def test_confirmation_is_for_those_who_may_see_its_order(
    shop: responses.RequestsMock, about: dict[str, Any], order_to_see: str | None
) -> None:
    store = a_store()
    store.apply_documents([a.a_document_view(kind=CONFIRMATION, **about)], [])
    store.apply_documents([a.a_document_view(kind=DocumentKind.INVOICE, **about)], [])

    confirmation, invoice = (each["put"][0]["order_id"] for each in sent(shop, "records"))
    assert (confirmation, invoice) == (order_to_see, None)


@pytest.mark.rule("TL-7")
def test_document_whose_content_is_damaged_is_told_without_a_version(
    shop: responses.RequestsMock,
) -> None:
    store = a_store()
    views = [a.a_document_view(number=DocumentNumber(each)) for each in "12"]
    other = a.a_document_view(LARGE, number=DocumentNumber("3"))
    store.apply_documents([*views, other], [])
    [said] = sent(shop, "records")
    shop.post(f"{MODULE}/records/search", json={"records": said["put"]})
    held = [{"sha256": a.a_content().sha256, "size": len(a.PDF)}]
    held.append({"sha256": a.a_content(LARGE).sha256, "size": len(LARGE) - 1})
    shop.post(f"{MODULE}/contents/sizes", json={"contents": held})

    shown = store.shown_documents([a.ACCOUNT])

    assert {key[2].value: each.version for key, each in shown.items()} == {
        "1": "1-80",
        "2": "1-80",
        "3": "",
    }
    assert shown[views[0].document.key] == views[0].document


@pytest.mark.rule("TL-7")
def test_older_module_is_named_and_nothing_is_taken_for_gone(shop: responses.RequestsMock) -> None:
    refusal = {"type": "invalid_data", "message": "kind is not one that is mirrored"}
    shop.post(f"{MODULE}/records/search", status=400, json=refusal)

    with pytest.raises(Misconfigured, match="or an older one"):
        a_store().shown_documents([a.ACCOUNT])


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("path", ["uploads", "documents"])
def test_lost_answer_is_tried_again_from_the_beginning(
    shop: responses.RequestsMock, path: str
) -> None:
    shop.replace(responses.POST, f"{MODULE}/{path}", body=requests.ConnectionError("reset"))
    with pytest.raises(TryLater):
        a_store().publish_document(a.a_document_view(), [a.PDF])


@pytest.mark.rule("TL-7")
def test_content_is_read_whole_or_not_at_all(shop: responses.RequestsMock) -> None:
    shop.get(f"{MODULE}/contents/{'0' * 64}", status=404, json={"type": "not_found"})
    shop.get(f"{MODULE}/contents/{'1' * 64}", body=LARGE)
    store = a_store()

    assert list(store.document_content("0" * 64)) == []
    pieces = list(store.document_content("1" * 64))
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= PIECE
