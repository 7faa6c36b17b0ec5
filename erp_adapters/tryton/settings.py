"""The adapter's options, all problems told at once. README.md explains each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.errors import Misconfigured

SECRETS = ("password",)


class Reach(IntEnum):
    """How far an order is taken; what comes after is done by people in Tryton."""

    DRAFT = 1
    QUOTATION = 2
    CONFIRMED = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """``customer_category`` None: every party but the companies themselves is a customer.

    ``warehouse`` None: the web shop's first, else Tryton's default one.
    """

    url: str
    database: str
    user: str
    web_shop: str
    company: str | None = None
    reach: Reach = Reach.QUOTATION
    customer_category: str | None = None
    warehouse: str | None = None
    time_zone: str = "UTC"
    price_decimals: int = 4
    line_discount_product: str | None = None
    adjustment_product: str | None = None
    allow_plain_http: bool = False
    ca_bundle: Path | None = None
    timeout_s: float = 60.0
    page_rows: int = 500

    @classmethod
    def read(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], root: Path
    ) -> tuple[Settings, str]:
        """The settings and the password. Raises Misconfigured with everything that is wrong."""
        known = tuple(each.name for each in fields(cls))
        problems = [_unknown("option", name, known) for name in sorted(options.keys() - {*known})]
        problems += [
            _unknown("secret", name, SECRETS) for name in sorted(secrets.keys() - {*SECRETS})
        ]
        given: dict[str, object] = {}
        for name in ("url", "database", "user", "web_shop"):
            given[name] = _text(name, options.get(name), problems, needed=True)
        for name in ("company", "customer_category", "warehouse", "line_discount_product"):
            given[name] = _text(name, options.get(name), problems)
        given["adjustment_product"] = _text(
            "adjustment_product", options.get("adjustment_product"), problems
        )
        given["reach"] = _reach(options.get("reach", "quotation"), problems)
        given["time_zone"] = _zone(options.get("time_zone", "UTC"), problems)
        for name, default, most in (("price_decimals", 4, 12), ("page_rows", 500, 5000)):
            number = options.get(name, default)
            if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
                problems.append(f"{name} must be a whole number from 1 to {most}")
            given[name] = number
        timeout = options.get("timeout_s", 60.0)
        if not isinstance(timeout, int | float) or isinstance(timeout, bool) or timeout <= 0:
            problems.append("timeout_s must be seconds, more than none")
        given["timeout_s"] = timeout
        given["allow_plain_http"] = options.get("allow_plain_http", False)
        if not isinstance(given["allow_plain_http"], bool):
            problems.append("allow_plain_http must be true or false")
        bundle = _text("ca_bundle", options.get("ca_bundle"), problems)
        given["ca_bundle"] = root / bundle if bundle is not None else None
        database = given["database"]
        if isinstance(database, str) and not database.replace("_", "").replace("-", "").isalnum():
            problems.append("database must be the plain name of a database")
        password = secrets.get("password", "")
        if not password:
            problems.append("the secret password is missing")
        if problems:
            raise Misconfigured(
                "the options of the Tryton adapter cannot be used:", tuple(problems)
            )
        return cls(**given), password  # type: ignore[arg-type]


def _unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"no {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _text(name: str, value: object, problems: list[str], *, needed: bool = False) -> str | None:
    if value is None and not needed:
        return None
    if isinstance(value, str) and value.strip():
        return value.strip()
    problems.append(f"{name} is missing" if value is None else f"{name} must be text")
    return None


def _reach(value: object, problems: list[str]) -> Reach:
    try:
        return Reach[str(value).upper()]
    except KeyError:
        problems.append("reach must be draft, quotation or confirmed")
        return Reach.QUOTATION


def _zone(value: object, problems: list[str]) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(f"time_zone {value!r} is no zone such as Europe/Amsterdam")
        return "UTC"
