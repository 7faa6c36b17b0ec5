"""One mapping in which every field of every model is written, as data and as YAML.

The emitter puts each value on a line of its own and tells which line that is, so
that a test can say where a problem must be reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from sync.mapping.models import AccountsFile, ChannelsFile, CodesFile, CustomersFile

Path = tuple[int | str, ...]

MODELS: dict[str, type[BaseModel]] = {
    "channels.yaml": ChannelsFile,
    "customers.yaml": CustomersFile,
    "accounts.yaml": AccountsFile,
    "codes.yaml": CodesFile,
}


@dataclass(frozen=True, slots=True)
class Raw:
    """YAML to be written as it is."""

    text: str


POLICY: dict[str, Any] = {
    "custom_ship_to": Raw("true"),
    "card_payment": Raw("true"),
    "card_lifts_credit_hold": Raw("false"),
    "po_required": Raw("true"),
    "price_tolerance": Raw("0.005"),
    "on_price_difference": "hold",
    "tax_tolerance": Raw("0.02"),
    "ship_to_override": "0001",
}

SAMPLE: dict[str, dict[str, Any]] = {
    "channels.yaml": {
        "channels": {
            "web": {
                "commerce_mode": "hybrid",
                "login_wall": "login_to_price",
                "guest_checkout": Raw("true"),
                "registration": "both",
                "retail_groups": [
                    {"customer_id": "RETAIL-US", "currencies": ["USD", "CAD"], "countries": ["US"]},
                    {"customer_id": "RETAIL-EU", "currencies": ["EUR"]},
                ],
                "importable": ["fulfilled", "awaiting_fulfilment"],
                "import_unpaid_terms": Raw("false"),
                "warehouse": "MAIN",
                "zero_price_means_call": Raw("true"),
            },
            "trade": {"commerce_mode": "b2b"},
        },
        "required_documents": {
            "default": ["business_licence"],
            "US-CA": ["resale_certificate", "business_licence"],
        },
    },
    "customers.yaml": {
        "precedence": ["mapping_file", "store_attribute"],
        "assignments": [
            {"customer_id": "000101", "organisation": "org-1", "note": "the first"},
            {"customer_id": "000102", "user": "7719", "contact": "C-1"},
        ],
    },
    "accounts.yaml": {
        "default": dict(POLICY),
        "retail": dict(POLICY),
        "accounts": {"000101": {**POLICY, "default_contact": "C-7"}},
        "zero_price_means_call": Raw("false"),
    },
    "codes.yaml": {
        "payment_methods": {
            "visa": {"kind": "card", "erp_code": "VISA"},
            "on-account": {"kind": "terms"},
        },
        "ship_methods": {"ground": "GROUND"},
        "units": {"piece": "EA"},
        "taxes": {"vat": "V19"},
        "countries": {"GER": "DE"},
        "charges": {"freight": "FR"},
        "discounts": {"WELCOME": "COUPON"},
    },
}


@dataclass(slots=True)
class Emitter:
    """Writes block style, and notes the line of every key and list item."""

    lines: list[str] = field(default_factory=list)
    line_of: dict[Path, int] = field(default_factory=dict)

    def emit(self, value: Any, path: Path = (), indent: int = 0) -> None:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in pairs:
            head = " " * indent + (f"{json.dumps(key)}:" if isinstance(key, str) else "-")
            self.line_of[(*path, key)] = len(self.lines) + 1
            if isinstance(below, dict | list) and below:
                self.lines.append(head)
                self.emit(below, (*path, key), indent + 2)
            else:
                text = below.text if isinstance(below, Raw) else json.dumps(below)
                self.lines.append(f"{head} {text}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def written(data: Any) -> Emitter:
    emitter = Emitter()
    emitter.emit(data)
    return emitter


def sample_texts() -> dict[str, str]:
    """The whole sample as files; it has no problem."""
    texts = {name: written(data).text for name, data in SAMPLE.items()}
    return {**texts, "customers.csv": "customer_id,user,organisation,contact,note\n"}


def changed(data: Any, path: Path, value: Any) -> Any:
    """A copy with another value at that path."""
    if not path:
        return value
    copy: Any = dict(data) if isinstance(data, dict) else list(data)
    if isinstance(copy, dict) and path[0] not in copy:
        copy[path[0]] = value
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


def without(data: Any, path: Path) -> Any:
    """A copy without the key at that path."""
    copy: Any = dict(data) if isinstance(data, dict) else list(data)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(copy[path[0]], path[1:])
    return copy


def places(data: Any, path: Path = ()) -> Iterator[Path]:
    """Every path of the data, the outer ones first."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, below in pairs:
        yield (*path, key)
        if isinstance(below, dict | list):
            yield from places(below, (*path, key))
