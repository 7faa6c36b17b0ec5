"""Answers of a Medusa server as they come over the wire, of which a test states what matters."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from sync.domain.ids import ChannelId, StoreId
from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.settings import ChannelRule, MedusaSettings

Json = dict[str, Any]
URL = "https://shop.example"
KEY = "sk_a-key-of-the-tests"


def raw(text: str) -> Json:
    return {"value": text, "precision": 20}


def settings(**changes: Any) -> MedusaSettings:
    base: Json = {
        "url": URL,
        "store_id": StoreId("shop"),
        "api_key": KEY,
        "channels": (ChannelRule(ChannelId("web"), "sc_web"),),
        "public_channel": ChannelId("web"),
        "page_size": 3,
    }
    return MedusaSettings(**{**base, **changes})


def a_store(**changes: Any) -> MedusaStore:
    return MedusaStore(settings(**changes))


def an_order(**changes: Any) -> Json:
    """Twelve pieces at 1.25 with ten percent off and 8.25 % tax, shipped for 9.50."""
    base: Json = {
        "id": "order_1",
        "display_id": 7,
        "custom_display_id": None,
        "status": "pending",
        "is_draft_order": False,
        "created_at": "2026-03-01T09:30:00.000Z",
        "updated_at": "2026-03-01T09:30:01.500Z",
        "email": "ada@harbour.example",
        "currency_code": "usd",
        "region_id": "reg_1",
        "sales_channel_id": "sc_web",
        "metadata": {"po_number": "PO-1"},
        "payment_status": "authorized",
        "fulfillment_status": "not_fulfilled",
        "total": 24.897,
        "raw_total": raw("24.89750"),
        "raw_credit_line_total": raw("0"),
        "customer": {"id": "cus_ada", "has_account": True},
        "items": [
            {
                "id": "ordli_1",
                "created_at": "2026-03-01T09:30:00.000Z",
                "variant_sku": "BOLT-M8",
                "raw_unit_price": raw("1.25"),
                "raw_quantity": raw("12"),
                "is_tax_inclusive": False,
                "metadata": {},
                "variant": {"metadata": None},
                "detail": {
                    "raw_return_received_quantity": raw("0"),
                    "raw_return_dismissed_quantity": raw("0"),
                },
                "adjustments": [{"code": "TENOFF", "raw_amount": raw("1.5")}],
                "tax_lines": [{"code": "us-tx", "raw_rate": raw("8.25")}],
            }
        ],
        "shipping_methods": [
            {
                "id": "ordsm_1",
                "created_at": "2026-03-01T09:30:00.000Z",
                "name": "Ground",
                "raw_amount": raw("9.5"),
                "is_tax_inclusive": False,
                "adjustments": [],
                "tax_lines": [{"code": "us-tx", "raw_rate": raw("8.25")}],
            }
        ],
        "shipping_address": a_form(),
        "billing_address": a_form(company="Harbour Hardware"),
        "payment_collections": [
            {
                "id": "pay_col_1",
                "created_at": "2026-03-01T09:30:00.000Z",
                "status": "authorized",
                "raw_amount": raw("24.8975"),
                "payments": [a_payment()],
                "payment_sessions": [],
            }
        ],
        "credit_lines": [],
    }
    return {**copy.deepcopy(base), **changes}


def a_payment(**changes: Any) -> Json:
    base: Json = {
        "id": "pay_1",
        "created_at": "2026-03-01T09:30:01.000Z",
        "provider_id": "pp_card",
        "raw_amount": raw("24.8975"),
        "captured_at": None,
        "canceled_at": None,
        "refunds": [],
    }
    return {**base, **changes}


def a_form(**changes: Any) -> Json:
    base: Json = {
        "company": None,
        "first_name": "Ada",
        "last_name": "Visser",
        "address_1": "Canal Street 12",
        "address_2": "",
        "city": "Austin",
        "province": "TX",
        "postal_code": "78701",
        "country_code": "us",
        "phone": "555-0100",
        "metadata": None,
    }
    return {**base, **changes}


def options(**changes: object) -> dict[str, object]:
    return {"url": URL, "store_id": "shop", **changes}


HERE = Path(__file__).parent
