"""Keys of a few real records, gathered statement by statement while a profile is checked.

A statement that asks by customer, group, item or invoice is read for records
that the ERP really has, so that a wrong type or an untranslated word shows
before the first run. The keys come from the statements read before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from erp_adapters.sql.queries import Query, Row

SIZE = 20
"""Keys that are kept of a kind, and rows that are read of a statement that tells any."""
MOST = 400
"""Rows that are read of a statement that asks by these keys: a second row of the first
of them may come after the first row of the last."""

_FIRST = ("customer_ids", "price_scopes", "locations")
_LAST = ("items", "item_units", "item_customers", "item_tags")
_TELLS: Mapping[str, tuple[str, str]] = {
    "customer_ids": ("customer_ids", "customer_id"),
    "locations": ("location_ids", "location_id"),
    "contacts": ("emails", "email"),
    "invoices": ("invoice_numbers", "invoice_number"),
    "invoice_lines": ("skus", "sku"),
    "account_orders": ("order_numbers", "order_number"),
    "prices_item": ("skus", "sku"),
    "prices_location": ("skus", "sku"),
    "prices_account": ("skus", "sku"),
    "prices_group": ("skus", "sku"),
    "prices_default": ("skus", "sku"),
    "availability": ("skus", "sku"),
    "restricted_items": ("skus", "sku"),
}
"""Statement -> the parameter of others that one of its columns has keys for."""

_SCOPES: Mapping[str, str] = {
    "account": "priced_accounts",
    "group": "group_codes",
    "location": "location_ids",
}


def in_order(queries: Iterable[Query]) -> Sequence[Query]:
    """Statements that tell keys before those that ask with them."""
    return sorted(queries, key=lambda query: (query.name in _LAST, query.name not in _FIRST))


_SINGLE: Mapping[str, tuple[str, ...]] = {
    "accounts": (),
    "locations": (),
    "ship_tos": (),
    "bill_tos": (),
    "items": (),
    "invoices": ("customer_id", "invoice_number"),
    "balances": (),
    "account_orders": (),
    "customer_parts": (),
    "documents": (),
    "availability": (),
    "invoice_lines": ("customer_id", "invoice_number", "line_number"),
    "account_order_lines": (),
}
"""Statements that tell each record once, with its key where it is not what names a row."""


class Samples:
    """What is known so far, by parameter. No keys of a kind: it cannot be asked for."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, None]] = defaultdict(dict)

    def asked(self, query: Query) -> dict[str, list[str]] | None:
        """What to ask this statement with; None where some key is not known."""
        given = {name: list(self._keys[self._kind(query, name)]) for name in query.sql.always}
        return given if all(given.values()) else None

    def learn(self, query: Query, rows: Collection[Row]) -> None:
        """Keep the keys that these rows tell."""
        if query.name == "price_scopes":
            for row in rows:
                if row["level"] in _SCOPES and row["owner"] is not None:
                    self._keep(_SCOPES[row["level"]], row["owner"])
        elif query.name in _TELLS:
            parameter, column = _TELLS[query.name]
            for row in rows:
                if row[column] is not None:
                    # Addresses are asked for in lower case; a key as it is spelled.
                    key = row[column].lower() if column == "email" else row[column]
                    self._keep(parameter, key)

    def _kind(self, query: Query, parameter: str) -> str:
        # The first customers of the ERP need not be those with prices of their own.
        return "priced_accounts" if query.name == "prices_account" else parameter

    def _keep(self, kind: str, key: str) -> None:
        if len(self._keys[kind]) < SIZE:
            self._keys[kind][key] = None


def rows_to_try(query: Query) -> int:
    """So many rows of it are read at most."""
    return MOST if query.name in _SINGLE and query.sql.always else SIZE


def twice(query: Query, rows: Sequence[Row]) -> str | None:
    """The first record of which there can be one and that has two rows."""
    if query.name not in _SINGLE:
        return None
    identity = _SINGLE[query.name] or query.statement.read.identity
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        key = tuple(row[name] for name in identity)
        if key in seen:
            return query.key_of(row)
        seen.add(key)
    return None
