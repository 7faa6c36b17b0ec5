"""Every answer is held against its question; a lost answer may be asked for again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from sync.domain.ids import InvoiceNumber, WebOrderId, WebUserId
from sync.domain.order import WebOrder
from sync.domain.times import Watermark
from sync.domain.views import ImportNotice, ImportState
from sync.errors import Conflict, Misconfigured, Rejected, TryLater
from sync.stores.medusa.queries import ORDER_FIELDS
from sync.testing import builders as a
from tests.unit.medusa.answers import URL, a_store, an_order

CHECKOUT = {"order_id": "order_1", "actor_id": "cus_ada"}
PENDING = ImportNotice(ImportState.PENDING)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def shop() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def orders(*moments: str) -> dict[str, Any]:
    found = [an_order(id=f"order_{n}", updated_at=moment) for n, moment in enumerate(moments)]
    return {"orders": found, "count": len(found)}


def newest(shop: responses.RequestsMock, moment: str) -> None:
    asked = {"order": "-updated_at", "limit": "1", "fields": "updated_at"}
    shop.get(
        f"{URL}/admin/orders",
        json={"orders": [{"id": "order_9", "updated_at": moment}]},
        match=[matchers.query_param_matcher(asked)],
    )


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize(
    "moments",
    [
        ("2026-03-01T11:59:59.000Z",),
        ("2026-03-01T12:00:02.000Z", "2026-03-01T12:00:01.000Z"),
        ("2026-03-01T13:00:00.000Z",),
        ("2026-03-01T12:00:01.000Z",) * 4,
    ],
    ids=["before", "unsorted", "after_the_end", "too_many"],
)
def test_an_answer_that_does_not_obey_the_filter_stops_the_read(
    shop: responses.RequestsMock, moments: tuple[str, ...]
) -> None:
    """Medusa ignores what it does not know, and would hand out every order there is."""
    newest(shop, "2026-03-01T12:30:00.000Z")
    shop.get(f"{URL}/admin/orders", json=orders(*moments))

    with pytest.raises(Misconfigured, match="not asked for"):
        list(a_store().changed_orders(Watermark(NOON)))


@pytest.mark.rule("OI-2")
def test_many_orders_are_read_again_by_one_list(shop: responses.RequestsMock) -> None:
    """What the list leaves out is asked for by itself: it may be there all the same."""
    listed = [an_order(id="order_2"), an_order(id="order_1")]
    asked = {"id[0]": "order_1", "id[1]": "order_2", "id[2]": "order_3", "id[3]": "order_4"}
    asked |= {"fields": ORDER_FIELDS, "limit": "4"}
    shop.get(
        f"{URL}/admin/orders",
        json={"orders": listed},
        match=[matchers.query_param_matcher(asked)],
    )
    shop.get(f"{URL}/admin/orders/order_3", json={"order": an_order(id="order_3")})
    shop.get(f"{URL}/admin/orders/order_4", status=404, json={"type": "not_found"})
    shop.post(f"{URL}/admin/tradesync/checkouts", json={"checkouts": []})

    ids = [WebOrderId(f"order_{n}") for n in (1, 2, 3, 4)]
    found = a_store().orders_now(ids)

    assert found.keys() == set(ids[:3])
    assert {key: order.order_id for key, order in found.items()} == {key: key for key in ids[:3]}


@pytest.mark.rule("OI-2")
def test_an_order_and_who_placed_it_are_asked_for_at_the_same_time(
    shop: responses.RequestsMock,
) -> None:
    """Each of the two answers comes only once the other question is there."""
    both = threading.Barrier(2, timeout=30)

    def order(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        both.wait()
        return 200, {}, json.dumps({"order": an_order()})

    def checkouts(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        both.wait()
        return 200, {}, json.dumps({"checkouts": [CHECKOUT]})

    shop.add_callback(responses.GET, f"{URL}/admin/orders/order_1", order)
    shop.add_callback(responses.POST, f"{URL}/admin/tradesync/checkouts", checkouts)

    found = a_store().order(WebOrderId("order_1"))

    assert isinstance(found, WebOrder)
    assert (found.buyer.web_user, found.buyer.signed_in) == (WebUserId("cus_ada"), True)
    assert len(shop.calls) == 2


@pytest.mark.rule("WA-2", "OI-2")
def test_who_placed_an_order_that_has_only_just_come_to_be_is_asked_once_more(
    shop: responses.RequestsMock,
) -> None:
    """The cart had no order yet when it was asked who completed it."""
    shop.get(f"{URL}/admin/orders/order_1", json={"order": an_order()})
    shop.post(f"{URL}/admin/tradesync/checkouts", json={"checkouts": []})
    shop.post(f"{URL}/admin/tradesync/checkouts", json={"checkouts": [CHECKOUT]})

    found = a_store().order(WebOrderId("order_1"))

    assert isinstance(found, WebOrder)
    assert (found.buyer.web_user, found.buyer.signed_in) == (WebUserId("cus_ada"), True)


def test_where_one_request_at_a_time_is_wanted_one_follows_the_other(
    shop: responses.RequestsMock,
) -> None:
    shop.get(f"{URL}/admin/orders/order_1", status=404, json={"type": "not_found"})
    shop.post(f"{URL}/admin/tradesync/checkouts", json={"checkouts": []})

    assert a_store(threads=1).order(WebOrderId("order_1")) is None
    assert [call.request.method for call in shop.calls] == ["GET", "POST"]


@pytest.mark.rule("OI-2")
def test_a_list_with_orders_that_nobody_asked_for_stops_the_read(
    shop: responses.RequestsMock,
) -> None:
    shop.get(f"{URL}/admin/orders", json={"orders": [an_order(id="order_9")]})
    shop.post(f"{URL}/admin/tradesync/checkouts", json={"checkouts": []})

    with pytest.raises(Misconfigured, match="not asked for"):
        a_store().orders_now([WebOrderId("order_1"), WebOrderId("order_2")])


def test_customers_that_are_guests_stop_the_list(shop: responses.RequestsMock) -> None:
    page = {"customers": [{"id": "cus_1", "has_account": False}], "count": 1}
    shop.get(f"{URL}/admin/customers", json=page)

    with pytest.raises(Misconfigured, match="guests"):
        list(a_store().web_users())


def test_a_list_that_moves_while_it_is_read_is_read_again(shop: responses.RequestsMock) -> None:
    groups = [{"id": f"cusgroup_{n:03}", "name": str(n), "metadata": None} for n in range(501)]
    shop.get(f"{URL}/admin/customer-groups", json={"customer_groups": groups[:500]})
    # One of the first five hundred went, so the second page begins one too far.
    shop.get(f"{URL}/admin/customer-groups", json={"customer_groups": groups[500:]})

    with pytest.raises(TryLater, match="changed while it was read"):
        list(a_store().with_staff_attribute())


@pytest.mark.rule("WA-13")
def test_a_notice_that_the_store_did_not_keep_is_a_conflict(shop: responses.RequestsMock) -> None:
    """Two merges at once, and Medusa keeps the keys of one of them."""
    shop.post(
        f"{URL}/admin/orders/order_1",
        json={"order": {"id": "order_1", "metadata": {"somebody": "else"}}},
        match=[
            matchers.json_params_matcher(
                {
                    "metadata": {
                        "tradesync_state": "pending",
                        "tradesync_erp_order": "",
                        "tradesync_message": "",
                    }
                }
            )
        ],
    )

    with pytest.raises(Conflict):
        a_store().show_import(WebOrderId("order_1"), PENDING)


def test_a_lost_answer_to_a_write_may_be_tried_again(shop: responses.RequestsMock) -> None:
    shop.post(f"{URL}/admin/orders/order_1", body=requests.ConnectionError("reset"))

    with pytest.raises(TryLater):
        a_store().show_import(WebOrderId("order_1"), PENDING)


def test_a_shop_without_our_module_says_so(shop: responses.RequestsMock) -> None:
    shop.post(f"{URL}/admin/tradesync/records/search", status=404, json={"type": "not_found"})

    with pytest.raises(Misconfigured, match="module"):
        a_store().shown_invoices([a.ACCOUNT])


@pytest.mark.rule("WA-8")
def test_invoices_go_out_whole_with_their_key_and_day(shop: responses.RequestsMock) -> None:
    shop.post(f"{URL}/admin/tradesync/records", json={"put": 1, "removed": 1})

    a_store().apply_invoices([a.an_invoice_view()], [(a.ACCOUNT, InvoiceNumber("OLD"))])

    body = json.loads(shop.calls[0].request.body or b"")
    [put] = body["put"]
    assert (put["kind"], put["owner"], put["key"]) == ("invoice", "C-1001", "INV-5001")
    assert put["about"] == "2025-02-14"
    assert json.loads(put["document"])["total"]["amount"] == "121.00"
    assert body["remove"] == [{"kind": "invoice", "owner": "C-1001", "key": "OLD"}]


def test_a_group_name_that_others_took_is_refused_and_not_taken_over(
    shop: responses.RequestsMock,
) -> None:
    theirs = {
        "id": "cusgroup_1",
        "name": "ERP account C-1001 (tradesync)",
        "metadata": {},
        "customers": [],
    }
    shop.get(f"{URL}/admin/customer-groups", json={"customer_groups": [theirs]})

    with pytest.raises(Rejected, match="not ours"):
        a_store().put_accounts([a.an_account_view()])
