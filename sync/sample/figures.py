"""What the sample's shop shows, counted: a line for each part of the account model.

Read with plain SQL from the store and the ERP, so that it tells what became of the
mirrors' work and not what they say of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Table, create_engine, distinct, func, select
from sqlalchemy.sql import ColumnElement

from sync.domain.account import AccountStatus
from sync.domain.order import Role
from sync.domain.pricing import PriceLevel
from sync.sample import erp_schema as erp
from sync.stores.embedded import schema as store


@dataclass(frozen=True, slots=True)
class Figure:
    """``name`` is a noun in the plural, ``counts`` how many there are of which kind."""

    name: str
    counts: dict[str, int]


def figures_of(erp_url: str, store_url: str) -> list[Figure]:
    """In the order of the account model."""
    shop, office = create_engine(store_url), create_engine(erp_url)
    try:
        with shop.connect() as connection:
            found = list(_shown(connection))
        return [*found, _after_import(shop, office)]
    finally:
        shop.dispose()
        office.dispose()


def _shown(connection: Connection) -> Iterator[Figure]:
    def by(table: Table, column: str, *where: ColumnElement[bool]) -> dict[object, int]:
        kind = table.c[column]
        wanted = select(kind, func.count()).where(*where).group_by(kind).order_by(kind)
        return {row[0]: row[1] for row in connection.execute(wanted)}

    def count(table: Table, *where: ColumnElement[bool]) -> int:
        wanted = select(func.count()).select_from(table).where(*where)
        return int(connection.execute(wanted).scalar_one())

    def different(column: ColumnElement[str], *where: ColumnElement[bool]) -> int:
        wanted = select(func.count(distinct(column))).where(*where)
        return int(connection.execute(wanted).scalar_one())

    prices, orders = store.prices, store.orders
    statuses = by(store.accounts, "status")
    yield Figure("channels", {str(mode): n for mode, n in by(store.channels, "mode").items()})
    yield Figure("accounts", {_word(AccountStatus, each): n for each, n in statuses.items()})
    roles = by(store.memberships, "role")
    yield Figure(
        "employees",
        {
            **{f"may {_word(Role, each)}": n for each, n in roles.items()},
            "locations": count(store.account_locations),
        },
    )
    approvals = by(orders, "approval", orders.c.approval != "not_needed")
    yield Figure("approvals of orders", {str(each): n for each, n in approvals.items()})
    levels = by(prices, "level")
    yield Figure(
        "prices",
        {
            **{f"by {_word(PriceLevel, each)}": n for each, n in levels.items()},
            "from a larger quantity": count(prices, prices.c.min_quantity != "1"),
            "from one warehouse alone": count(prices, prices.c.warehouse != ""),
            "items on call": different(prices.c.sku, prices.c.unit_price.is_(None)),
        },
    )
    tags = by(store.account_tags, "tag")
    yield Figure(
        "catalogue",
        {
            "restricted items": count(store.restricted_items),
            **{f"accounts tagged {each}": n for each, n in tags.items()},
        },
    )
    yield Figure("part numbers", {"of the buyers' own": count(store.customer_parts)})
    stock = store.availability
    yield Figure("availability", {"items": different(stock.c.sku)})
    yield Figure(
        "invoices",
        {
            "shown": count(store.invoices),
            "balances": count(store.account_balances),
            "of these aged": different(store.account_ageing.c.customer_id),
        },
    )
    kinds = by(store.documents, "kind")
    linked = store.documents.c.order_id.is_not(None)
    yield Figure(
        "documents",
        {
            **{f"{str(each).replace('_', ' ')}s": n for each, n in kinds.items()},
            "linked to web orders": count(store.documents, linked),
        },
    )
    sources = by(store.account_orders, "source")
    yield Figure("orders of accounts", {f"by {each}": n for each, n in sources.items()})
    taken = store.registrations
    walked = by(taken, "status", taken.c.rejected.is_(False), taken.c.status.is_not(None))
    personal = count(taken, taken.c.status.is_(None), taken.c.decided.is_(True))
    yield Figure(
        "registrations",
        {
            **{_standing(each): n for each, n in walked.items()},
            "rejected": count(taken, taken.c.rejected.is_(True)),
            "personal": personal,
        },
    )


def _after_import(shop: Engine, office: Engine) -> Figure:
    captures, requests = store.order_captures, erp.credit_request
    with shop.connect() as connection:
        captured = connection.execute(
            select(func.count()).select_from(captures).where(captures.c.state == "captured")
        ).scalar_one()
    with office.connect() as connection:
        credited = connection.execute(select(func.count()).select_from(requests)).scalar_one()
    return Figure("after import", {"captured": captured, "credited in the ERP": credited})


def _word(kind: type[AccountStatus | Role | PriceLevel], value: object) -> str:
    return kind(value).name.lower().replace("_", " ")  # type: ignore[arg-type]


def _standing(value: object) -> str:
    """Behind a number "documents pending" would be a number of documents."""
    word = _word(AccountStatus, value)
    return f"with {word}" if value == AccountStatus.DOCUMENTS_PENDING else word
