"""The adapter's options, all problems told at once. README.md explains each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path

from sync.kit.http import stated_address
from sync.kit.options import Options

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
        stated = Options(options, OPTIONS, secrets, SECRETS)
        allow_plain = stated.flag("allow_plain_http")
        given: dict[str, object] = {
            "url": stated_address(stated, "https://erp.example", allow_plain=allow_plain),
            "database": stated.needed("database", "erp"),
            "user": stated.needed("user", "tradesync"),
            "web_shop": stated.needed("web_shop", "Web shop"),
            "reach": Reach[stated.chosen("reach", REACHES, "quotation").upper()],
            "time_zone": stated.time_zone("time_zone"),
            "price_decimals": stated.whole("price_decimals", 4, 1, 12),
            "page_rows": stated.whole("page_rows", 500, 1, 5000),
            "timeout_s": stated.seconds("timeout_s", 60.0),
            "allow_plain_http": allow_plain,
            "ca_bundle": stated.file("ca_bundle", root),
            **{name: stated.text(name) for name in _TEXTS},
        }
        database = str(given["database"])
        if database and not database.replace("_", "").replace("-", "").isalnum():
            stated.complain("database", "not the plain name of a database")
        password = secrets.get("password", "")
        if not password:
            stated.problems.append("secrets.password is missing; name the file that it is in")
        stated.raise_if_any("the options of the Tryton adapter cannot be used:")
        return cls(**given), password  # type: ignore[arg-type]


OPTIONS = tuple(each.name for each in fields(Settings))
REACHES = tuple(each.name.lower() for each in Reach)
_TEXTS = (
    *("company", "customer_category", "warehouse"),
    *("line_discount_product", "adjustment_product"),
)
