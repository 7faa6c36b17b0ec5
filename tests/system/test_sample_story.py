"""The whole sample as `make run` plays it: what people do after the first cycle, once each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from sync.domain.account import AccountStatus
from sync.domain.ids import WebOrderId, WebOrderNumber
from sync.domain.order import PaymentState
from sync.mapping import read_mapping
from sync.sample.afternoon import (
    ACCOUNT_OPENED,
    BECOMES_WHOLESALE,
    EMPLOYEE_LEAVES,
    LOSES_ITS_ACCOUNT,
    REFUNDED,
    SHIPPED_IN_PART,
    SHIPPED_WHOLE,
    SUSPENDED,
    carry_out_captures,
    people_act,
)
from sync.sample.build import Sample, make_sample
from sync.sample.customers import trade
from sync.stores.embedded import writing
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator

pytestmark = pytest.mark.timeout(600)

SHOWN = {
    "channels": {"b2b": 1, "b2c": 1, "hybrid": 1},
    "accounts": {"prospect": 1, "active": 38, "suspended": 1, "closed": 1},
    "employees": {
        "may browse": 10,
        "may order": 43,
        "may approve": 1,
        "may manage": 49,
        "locations": 16,
    },
    "approvals of orders": {"approved": 10, "pending": 2, "refused": 1},
    "prices": {
        "by item": 60,
        "by location": 81,
        "by account": 3919,
        "by group": 7457,
        "by default": 22356,
        "from a larger quantity": 3752,
        "from one warehouse alone": 18,
        "items on call": 20,
    },
    "catalogue": {
        "restricted items": 27,
        "accounts tagged LICENSED": 2,
        "accounts tagged NEWSLETTER": 7,
    },
    "part numbers": {"of the buyers' own": 140},
    "availability": {"items": 1791},
    "invoices": {"shown": 403, "balances": 38, "of these aged": 38},
    "documents": {
        "delivery notes": 26,
        "invoices": 120,
        "order confirmations": 202,
        "linked to web orders": 202,
    },
    "orders of accounts": {"by desk": 8, "by edi": 4, "by web": 202},
    "registrations": {"with documents pending": 2, "active": 2, "rejected": 1, "personal": 2},
    "after import": {"captured": 2, "credited in the ERP": 1},
}


@dataclass(frozen=True)
class Played:
    site: SampleSite
    first: Any
    second: Any
    sample: Sample

    def shop(self, query: str) -> list[tuple[Any, ...]]:
        return self.site.rows(self.site.database("store"), query)

    def erp(self, query: str) -> list[tuple[Any, ...]]:
        return self.site.rows(self.site.database("erp"), query)

    def order_id(self, number: WebOrderNumber) -> str:
        [(found,)] = self.shop(f"SELECT order_id FROM orders WHERE number = '{number}'")
        return str(found)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    site = SampleSite(tmp_path_factory.mktemp("demo"))
    first, second = (site.tradesync("demo", "--json", timeout_s=290) for _ in range(2))
    assert (first.code, first.err) == (second.code, second.err) == (0, "")
    sample = make_sample(seed=7, today=datetime(2026, 11, 1, tzinfo=UTC).date())
    return Played(site, first.json, second.json, sample)


def test_the_shop_shows_something_of_each_part_of_the_account_model(played: Played) -> None:
    assert played.first["shows"] == SHOWN
    assert all(sum(counts.values()) for counts in SHOWN.values())


@pytest.mark.rule("MI-2", "OI-1", "OI-10", "VE-9")
def test_second_run_finds_nothing_to_do_on_either_side(played: Played) -> None:
    assert len(played.first["later"]["deeds"]) == 14
    assert played.second["later"] == {"deeds": [], "flows": []}
    assert played.second["writes"] == 0
    assert played.second["shows"] == played.first["shows"]
    assert played.second["orders"] == played.first["orders"]


def test_everything_that_runs_ends_well(played: Played) -> None:
    flows = [*played.first["flows"], *played.first["later"]["flows"], *played.second["flows"]]
    assert {each["outcome"] for each in flows} == {"ok"}


@pytest.mark.rule("OI-10")
def test_what_left_is_captured_once_and_no_more_than_left(played: Played) -> None:
    orders = {order.number: order for order in played.sample.good}
    whole, part = orders[SHIPPED_WHOLE], orders[SHIPPED_IN_PART]
    for order in (whole, part):
        [payment] = order.payments
        assert (payment.method, payment.state) == ("card", PaymentState.AUTHORISED)
    asked = played.shop("SELECT order_id, amount, state FROM order_captures ORDER BY order_id")
    assert asked == [
        (whole.order_id.value, str(whole.total.amount), "captured"),
        (part.order_id.value, "221.94", "captured"),
    ]
    assert part.total.amount > 221
    states = played.shop(
        "SELECT order_id, state FROM order_payments"
        f" WHERE order_id IN ('{whole.order_id}', '{part.order_id}') ORDER BY order_id"
    )
    assert states == [(whole.order_id.value, "captured"), (part.order_id.value, "authorised")]
    said = Operator(played.site)("explain", "order", SHIPPED_IN_PART.value, "--json").json["steps"]
    assert sum("captured 221.94 USD" in step for step in said) == 1


@pytest.mark.rule("OI-10")
def test_what_the_shop_gave_back_is_credited_once(played: Played) -> None:
    filed = played.erp(
        "SELECT request.web_refund_id, request.amount, sales_order.web_order_no"
        " FROM credit_request AS request JOIN sales_order USING (order_no)"
    )
    assert [(refund, float(amount), order) for refund, amount, order in filed] == [
        ("R-1", 120.0, REFUNDED.value)
    ]
    said = Operator(played.site)("explain", "order", REFUNDED.value, "--json").json["steps"]
    assert sum("Refund R-1 of 120.00 USD is credited in the ERP" in step for step in said) == 1


@pytest.mark.rule("VE-9", "TL-5", "WA-2")
def test_applications_end_as_staff_decided_and_are_in_the_mapping_files(played: Played) -> None:
    rows = played.shop("SELECT application, status, rejected, web_user FROM registrations")
    stand = {row[0]: row[1:3] for row in rows}
    assert stand == {
        "app-1001": (9, 0),
        "app-1002": (9, 0),
        "app-1003": (2, 0),
        "app-1007": (2, 0),
        "app-1004": (0, 1),
        "app-1005": (None, 0),
        "app-1006": (None, 0),
    }
    [(made, terms)] = played.erp(
        "SELECT customer_no, terms_code FROM customer WHERE name = 'Bluebell Brewing'"
    )
    assert terms is None
    written = [
        (str(each.organisation), each.customer_id.value)
        for each in read_mapping(played.site.root / "mappings").assignments
        if str(each.organisation).startswith("org-app-")
    ]
    assert written == [("org-app-1002", trade(31).value), ("org-app-1001", made)]
    shown = played.shop(
        "SELECT customer_id FROM account_organisations WHERE organisation LIKE 'org-app-%'"
        " ORDER BY organisation"
    )
    assert [each for (each,) in shown] == [made, trade(31).value]


@pytest.mark.rule("WA-2", "WA-2d", "WA-8")
def test_retail_user_becomes_wholesale_and_their_old_order_stays_where_it_is(
    played: Played,
) -> None:
    assert played.shop(
        f"SELECT web_user FROM account_users WHERE customer_id = '{ACCOUNT_OPENED}'"
    ) == [(BECOMES_WHOLESALE.value,)]
    old = played.erp(f"SELECT customer_no FROM sales_order WHERE web_user = '{BECOMES_WHOLESALE}'")
    assert {each for (each,) in old} == {"RETAIL-US"}


@pytest.mark.rule("WA-8", "MI-1")
def test_company_that_loses_its_account_sees_nothing_of_it_any_more(played: Played) -> None:
    own = f"customer_id = '{LOSES_ITS_ACCOUNT}'"
    for table in (
        *("accounts", "account_organisations", "ship_tos", "bill_tos", "invoices"),
        *("account_balances", "documents", "account_orders"),
    ):
        assert played.shop(f"SELECT count(*) FROM {table} WHERE {own}") == [(0,)], table
        assert played.shop(f"SELECT count(*) > 0 FROM {table}") == [(1,)], table
    prices = f"SELECT count(*) FROM prices WHERE audience_key = '{LOSES_ITS_ACCOUNT}'"
    assert played.shop(prices) == [(0,)]
    # In the ERP all of it is still there.
    for table in ("customer", "ship_to", "invoice", "sales_order"):
        assert played.erp(
            f"SELECT count(*) > 0 FROM {table} WHERE customer_no = '{LOSES_ITS_ACCOUNT}'"
        ) == [(1,)]


@pytest.mark.rule("VE-3", "MI-1")
def test_suspended_account_still_sees_what_it_owes(played: Played) -> None:
    status = f"SELECT status FROM accounts WHERE customer_id = '{SUSPENDED}'"
    assert played.shop(status) == [(AccountStatus.SUSPENDED.value,)]
    [(count,)] = played.shop(f"SELECT count(*) FROM invoices WHERE customer_id = '{SUSPENDED}'")
    assert count > 0


@pytest.mark.rule("VE-3", "TL-3")
def test_whoever_left_and_whoever_is_suspended_orders_no_more(played: Played) -> None:
    by_buyer = {order.buyer.web_user: order for order in played.sample.good}
    placed = {}
    now = datetime.now(UTC)
    suspended = next(
        order
        for order in played.sample.good
        if order.buyer.organisation is not None and order.buyer.organisation.value == "org-127"
    )
    for number, order in enumerate((by_buyer[EMPLOYEE_LEAVES], suspended)):
        placed[f"W-6000{number}"] = dataclasses.replace(
            order,
            order_id=WebOrderId(f"ord-6000{number}"),
            number=WebOrderNumber(f"W-6000{number}"),
            placed_at=now,
            modified_at=now,
            requested_date=None,
        )
    engine = create_engine(f"sqlite:///{played.site.database('store')}")
    with engine.begin() as connection:
        writing.place_orders(connection, placed.values())
    engine.dispose()
    Operator(played.site)("resync", "orders", "--json")
    held = Operator(played.site)("quarantine", "list", "--json").json
    told = {(row["order"], code) for row in held for code in row["codes"]}
    assert ("W-60000", "not_a_member") in told
    assert ("W-60001", "account_not_active") in told


def test_people_do_nothing_twice(played: Played) -> None:
    erp, store = (f"sqlite:///{played.site.database(name)}" for name in ("erp", "store"))
    assert people_act(erp, store, datetime(2026, 11, 1, tzinfo=UTC).date()) == []
    assert carry_out_captures(store) == []


def test_the_page_says_how_many_orders_are_imported() -> None:
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    sample = make_sample(seed=7, today=datetime(2026, 11, 1, tzinfo=UTC).date())
    words = " ".join(page.split())
    orders = len(sample.good) + len(sample.wrong)
    assert f"takes up {orders} web orders and imports the {len(sample.good)} of them" in words
