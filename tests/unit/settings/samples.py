"""Settings in which every field is written, as data and as TOML with known lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from sync.settings import FLOWS

Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """TOML to be written as it is."""

    text: str


_GUARD = {
    "removal_share": Raw("0.1"),
    "removal_floor": Raw("7"),
    "opening_floor": Raw("2"),
    "price_step": Raw("0.3"),
    "price_share": Raw("0.25"),
    "price_floor": Raw("9"),
}

_SCHEDULE: dict[str, Any] = {
    "time_zone": "Europe/Berlin",
    "misfire_grace_s": Raw("60"),
    "off": ["order_status"],
    # That of a flow that is off as well: it is judged, and waits there.
    **{f"{flow}_every_s": Raw("30.5") for flow in FLOWS},
}

SAMPLE: dict[str, Any] = {
    "service": {
        "log_level": "debug",
        "log_format": "text",
        "watchdog": Raw("false"),
        "worker_threads": Raw("2"),
        "stop_grace_s": Raw("10"),
        "mapping_poll_s": Raw("2.5"),
        "state_url": "postgresql://tradesync@db.example/tradesync",
        "state_password": "state-password",
        "hints_listen": "127.0.0.1:8780",
    },
    "systems": {
        "erp": {
            "kind": "erp",
            "adapter": "sql",
            "options": {"url": "sqlite:///var/erp.sqlite", "page_size": Raw("50")},
            "secrets": {"password": "erp-password"},
            "breaker": {
                "failures": Raw("3"),
                "pause_s": Raw("30"),
                "denied_pause_s": Raw("7200"),
            },
        },
        "shop": {"kind": "store", "adapter": "embedded", "options": {"store_id": "s-1"}},
        "papers": {"kind": "files", "adapter": "folder", "options": {"folder": "papers"}},
    },
    "pipelines": {
        "main": {
            "erp": "erp",
            "store": "shop",
            "files": "papers",
            "uploads": "papers",
            "uploads_begin_with": "s3://registrations/",
            "uploads_folder": "forms/{application}/",
            "mappings": "mappings",
            "accounts_per_read": Raw("10"),
            "full_price_check_s": Raw("3600"),
            "full_record_check_s": Raw("7200"),
            "share_price_lists": Raw("false"),
            "schedule": _SCHEDULE,
            "guards": {
                **_GUARD,
                "accounts": dict(_GUARD),
                "ship_tos": {"removal_floor": Raw("1")},
                "prices": {"price_share": Raw("1")},
                "invoices": {"removal_share": Raw("0")},
                "balances": {"removal_floor": Raw("0")},
                "customer_parts": {"removal_floor": Raw("0")},
                "entitlements": {"removal_floor": Raw("0")},
                "availability": {"removal_floor": Raw("0")},
                "documents": {"removal_floor": Raw("0")},
                "account_orders": {"removal_floor": Raw("0")},
            },
            "orders": {
                "lease_s": Raw("120"),
                "ambiguity_wait_s": Raw("45"),
                "waiting_recheck_s": Raw("600"),
                "retry_first_s": Raw("5"),
                "retry_longest_s": Raw("50"),
                "give_up_after_attempts": Raw("3"),
                "vanished_close_after_s": Raw("3600"),
                "batch": Raw("20"),
                "placed_since": "2026-03-01",
                "pass_on_cancellations": Raw("true"),
                "payload_days": Raw("30"),
                "capture_channels": ["shop"],
                "credit_channels": ["shop", "trade"],
            },
            "patience": {
                "attempts": Raw("2"),
                "first_s": Raw("0.1"),
                "longest_s": Raw("1"),
                "budget_s": Raw("5"),
            },
        }
    },
}

CRONS: dict[str, Any] = {f"{flow}_cron": "15 3 * * mon-fri" for flow in FLOWS}
"""Every flow by the clock instead; either of the two may be written, not both."""


@dataclass(slots=True)
class Emitter:
    """Writes tables under their headers, and notes the line of every key."""

    lines: list[str] = field(default_factory=list)
    line_of: dict[Path, int] = field(default_factory=dict)

    def emit(self, table: Mapping[str, Any], path: Path = ()) -> None:
        for key, value in table.items():
            if not isinstance(value, dict):
                self.line_of[(*path, key)] = len(self.lines) + 1
                self.lines.append(f"{key} = {_value(value)}")
                for index in range(len(value) if isinstance(value, list) else 0):
                    self.line_of[(*path, key, index)] = len(self.lines)
        for key, value in table.items():
            if isinstance(value, dict):
                below = (*path, key)
                self.line_of[below] = len(self.lines) + 1
                self.lines.append(f"[{'.'.join(map(str, below))}]")
                self.emit(value, below)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def written(data: Mapping[str, Any]) -> Emitter:
    emitter = Emitter()
    emitter.emit(data)
    return emitter


def site_with(root: FilePath, text: str) -> FilePath:
    """A site with these settings, its mapping folder and its two credentials."""
    for name in ("config", "mappings", "credentials"):
        (root / name).mkdir(exist_ok=True)
    (root / "config" / "tradesync.toml").write_text(text, encoding="utf-8")
    for name in ("erp-password", "state-password"):
        file = root / "credentials" / name
        file.touch(mode=0o600)
        file.write_text(f"secret of {name}\n", encoding="utf-8")
    return root


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return value.text if isinstance(value, Raw) else json.dumps(value)
