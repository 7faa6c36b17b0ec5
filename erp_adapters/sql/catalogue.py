"""The statements that a profile may have, and what each must answer.

This is the whole vocabulary of ``reads:``. The columns are our field names; a
profile gives each an alias of that name. ``profiles/README.md`` explains the
same to those who write profiles, and a test keeps the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a column or a bound field holds.

    AMOUNT and PRICE are exact numbers with the places of the profile's
    ``amount_rounding`` and ``unit_price_rounding``; NUMBER has its own.
    """

    KEY = "key"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    AMOUNT = "amount"
    PRICE = "price"
    DATE = "date"
    DATETIME = "datetime"
    BOOL = "bool"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer. ``words`` are those that a WORD column may hold.

    A required column must be in the answer (or have a constant); unless
    ``nullable`` it must also have a value in every row.
    """

    name: str
    kind: Kind
    required: bool = False
    nullable: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """One statement. ``lists`` are parameters written ``IN :name``.

    ``needs`` names parameters of which the statement must use at least one;
    without it the rows of everybody would be read for each customer.
    ``may_use`` are parameters that the statement is free to leave out.
    ``identity`` are the columns that name a row in messages. ``first`` are those by
    which a row belongs to what was asked: they are read before all others, so that it
    is known of a row that cannot be read.
    """

    name: str
    columns: tuple[Column, ...]
    lists: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    may_use: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset((*self.needs, *self.may_use))

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def _key(name: str) -> Column:
    return Column(name, Kind.KEY, required=True)


def _must(name: str, kind: Kind) -> Column:
    return Column(name, kind, required=True)


def _may(name: str, kind: Kind, *words: str) -> Column:
    return Column(name, kind, words=words)


_ADDRESS = (
    _must("name", Kind.TEXT),
    _may("line1", Kind.TEXT),
    _may("line2", Kind.TEXT),
    _may("line3", Kind.TEXT),
    _may("line4", Kind.TEXT),
    _must("city", Kind.TEXT),
    _must("country", Kind.TEXT),
    _may("postal_code", Kind.TEXT),
    _may("region", Kind.TEXT),
    _may("attention", Kind.TEXT),
    _may("phone", Kind.TEXT),
    _may("email", Kind.TEXT),
    _may("residential", Kind.BOOL),
)

_PRICE = (
    _key("price_list"),
    _key("sku"),
    _key("unit"),
    _key("currency"),
    _must("min_quantity", Kind.NUMBER),
    Column("unit_price", Kind.PRICE, required=True, nullable=True),
    _may("valid_from", Kind.DATE),
    _may("valid_until", Kind.DATE),
    _may("priority", Kind.INTEGER),
    _may("warehouse", Kind.KEY),
)

_PRICE_IDENTITY = ("price_list", "sku", "unit", "currency", "min_quantity", "valid_from")


def _prices(name: str, owner: str | None, owners: str | None) -> Read:
    return Read(
        name,
        ((_key(owner),) if owner else ()) + _PRICE,
        lists=((owners,) if owners else ()) + ("skus",),
        needs=(owners,) if owners else (),
        may_use=("skus",),
        identity=((owner,) if owner else ()) + _PRICE_IDENTITY,
    )


def _price_feed(name: str, owner: str | None) -> Read:
    columns = ((_key(owner),) if owner else ()) + _PRICE
    return Read(name, columns, identity=((owner,) if owner else ()) + _PRICE_IDENTITY)


def _price_state(name: str, owner: str | None) -> Read:
    columns = (
        *((_key(owner),) if owner else ()),
        _must("entries", Kind.INTEGER),
        _may("fingerprint", Kind.TEXT),
        _may("changed_at", Kind.DATETIME),
    )
    return Read(name, columns, identity=(owner,) if owner else ())


def _of_customers(name: str, columns: tuple[Column, ...], *identity: str) -> Read:
    return Read(name, columns, lists=("customer_ids",), needs=("customer_ids",), identity=identity)


def _of_orders(name: str, columns: tuple[Column, ...], *identity: str) -> Read:
    return Read(
        name, columns, lists=("external_keys",), needs=("external_keys",), identity=identity
    )


def _of_invoices(name: str, columns: tuple[Column, ...], *identity: str) -> Read:
    lists = ("customer_ids", "invoice_numbers")
    return Read(name, columns, lists=lists, needs=lists, identity=identity)


def _of_account_orders(name: str, columns: tuple[Column, ...], *identity: str) -> Read:
    lists = ("customer_ids", "order_numbers")
    return Read(name, columns, lists=lists, needs=lists, identity=identity)


def _of_items(name: str, columns: tuple[Column, ...], *identity: str) -> Read:
    return Read(name, columns, lists=("skus",), needs=("skus",), identity=identity)


def _changed(feed: str) -> Read:
    return Read(
        f"changed_{feed}", (_key("customer_id"),), needs=("since",), identity=("customer_id",)
    )


ACCOUNT_WORDS = (
    "prospect",
    "applied",
    "documents_pending",
    "under_review",
    "verification_1",
    "verification_2",
    "verification_3",
    "verification_4",
    "approved",
    "active",
    "suspended",
    "closed",
)
ORDER_STATES = (
    "received",
    "on_hold",
    "open",
    "picked",
    "partly_shipped",
    "shipped",
    "invoiced",
    "cancelled",
    "refused",
)
LEVELS = ("item", "location", "account", "group", "default")
DOCUMENT_KINDS = ("invoice", "order_confirmation", "delivery_note")
ORDER_SOURCES = ("desk", "phone", "edi", "web", "other")

FEEDS = ("accounts", "ship_tos", "invoices", "account_orders")

_FOUND = (
    Column("order_number", Kind.KEY, required=True, nullable=True),
    _may("customer_id", Kind.KEY),
    _may("line_count", Kind.INTEGER),
    _may("total", Kind.AMOUNT),
    _may("currency", Kind.KEY),
    _may("refusal", Kind.TEXT),
)

_READS = (
    Read("clock", (_must("now", Kind.DATETIME),)),
    Read("customer_ids", (_key("customer_id"),), identity=("customer_id",)),
    _of_customers(
        "accounts",
        (
            _key("customer_id"),
            _must("name", Kind.TEXT),
            _key("currency"),
            _may("active", Kind.BOOL),
            _may("prospect", Kind.BOOL),
            _may("terms", Kind.KEY),
            _may("tax_exempt", Kind.BOOL),
            _may("credit", Kind.WORD, "ok", "hold"),
            _may("price_group", Kind.KEY),
            _may("default_ship_to", Kind.KEY),
            _may("po_required", Kind.BOOL),
            _may("status", Kind.WORD, *ACCOUNT_WORDS),
            _may("tax_id", Kind.KEY),
        ),
        "customer_id",
    ),
    _of_customers("account_currencies", (_key("customer_id"), _key("currency")), "customer_id"),
    _of_customers(
        "account_price_groups",
        (_key("customer_id"), _key("price_group")),
        "customer_id",
        "price_group",
    ),
    _of_customers("account_tags", (_key("customer_id"), _key("tag")), "customer_id", "tag"),
    _of_customers(
        "contacts",
        (_key("customer_id"), _key("contact_id"), _may("email", Kind.TEXT)),
        "customer_id",
        "contact_id",
    ),
    _of_customers(
        "locations",
        (
            _key("customer_id"),
            _key("location_id"),
            _must("name", Kind.TEXT),
            _may("tax_exempt", Kind.BOOL),
            _may("default_ship_to", Kind.KEY),
            _may("bill_to", Kind.KEY),
            _may("warehouse", Kind.KEY),
        ),
        "customer_id",
        "location_id",
    ),
    Read(
        "contacts_by_email",
        (_key("customer_id"), _must("email", Kind.TEXT)),
        needs=("email",),
        identity=("customer_id",),
    ),
    Read(
        "contacts_by_emails",
        (_key("customer_id"), _must("email", Kind.TEXT)),
        lists=("emails",),
        needs=("emails",),
        identity=("customer_id",),
        first=("email",),
    ),
    Read(
        "customer_candidates",
        (
            _key("customer_id"),
            _must("name", Kind.TEXT),
            _may("tax_id", Kind.KEY),
            _may("email", Kind.TEXT),
            _may("active", Kind.BOOL),
            _may("prospect", Kind.BOOL),
        ),
        needs=("tax_id", "company", "email"),
        identity=("customer_id",),
    ),
    Read(
        "find_customer", (_key("customer_id"),), needs=("external_key",), identity=("customer_id",)
    ),
    _of_customers(
        "ship_tos",
        (
            _key("customer_id"),
            _key("ship_to_id"),
            *_ADDRESS,
            _may("is_default", Kind.BOOL),
            _may("tax_exempt", Kind.BOOL),
            _may("warehouse", Kind.KEY),
            _may("location_id", Kind.KEY),
        ),
        "customer_id",
        "ship_to_id",
    ),
    _of_customers(
        "bill_tos",
        (
            _key("customer_id"),
            _key("bill_to_id"),
            *_ADDRESS,
            _may("is_default", Kind.BOOL),
        ),
        "customer_id",
        "bill_to_id",
    ),
    _of_items(
        "items",
        (
            _key("sku"),
            _key("stock_unit"),
            _may("description", Kind.TEXT),
            _may("active", Kind.BOOL),
            _may("discontinued", Kind.BOOL),
            _may("whole_units_only", Kind.BOOL),
            _may("kit", Kind.BOOL),
            _may("restricted", Kind.BOOL),
        ),
        "sku",
    ),
    _of_items(
        "item_units", (_key("sku"), _key("unit"), _must("factor", Kind.NUMBER)), "sku", "unit"
    ),
    _of_items("item_customers", (_key("sku"), _key("customer_id")), "sku", "customer_id"),
    _of_items("item_tags", (_key("sku"), _key("tag")), "sku", "tag"),
    Read("restricted_items", (_key("sku"),), identity=("sku",)),
    Read(
        "price_scopes",
        (Column("level", Kind.WORD, required=True, words=LEVELS), _may("owner", Kind.KEY)),
        identity=("level", "owner"),
    ),
    _prices("prices_item", None, None),
    _prices("prices_location", "location_id", "location_ids"),
    _prices("prices_account", "customer_id", "customer_ids"),
    _prices("prices_group", "group_code", "group_codes"),
    _prices("prices_default", None, None),
    _price_feed("price_feed_item", None),
    _price_feed("price_feed_location", "location_id"),
    _price_feed("price_feed_account", "customer_id"),
    _price_feed("price_feed_group", "group_code"),
    _price_feed("price_feed_default", None),
    _price_state("price_state_item", None),
    _price_state("price_state_location", "location_id"),
    _price_state("price_state_account", "customer_id"),
    _price_state("price_state_group", "group_code"),
    _price_state("price_state_default", None),
    _of_customers(
        "invoices",
        (
            _key("invoice_number"),
            _key("customer_id"),
            _must("invoiced_on", Kind.DATE),
            _key("currency"),
            _must("total", Kind.AMOUNT),
            _may("kind", Kind.WORD, "invoice", "credit"),
            _may("tax", Kind.AMOUNT),
            _may("freight", Kind.AMOUNT),
            _may("open_amount", Kind.AMOUNT),
            _may("order_number", Kind.KEY),
            _may("po_number", Kind.TEXT),
            _may("web_reference", Kind.TEXT),
        ),
        "invoice_number",
    ),
    _of_invoices(
        "invoice_lines",
        (
            _may("customer_id", Kind.KEY),
            _key("invoice_number"),
            _must("line_number", Kind.INTEGER),
            _must("quantity", Kind.NUMBER),
            _must("net", Kind.AMOUNT),
            _may("sku", Kind.KEY),
            _may("description", Kind.TEXT),
            _may("unit", Kind.KEY),
            _may("unit_price", Kind.PRICE),
        ),
        "invoice_number",
        "line_number",
    ),
    _of_invoices(
        "invoice_dues",
        (
            _may("customer_id", Kind.KEY),
            _key("invoice_number"),
            _must("due_on", Kind.DATE),
            _must("amount", Kind.AMOUNT),
        ),
        "invoice_number",
        "due_on",
    ),
    _of_customers(
        "balances",
        (
            _key("customer_id"),
            _key("currency"),
            _must("balance", Kind.AMOUNT),
            _may("credit_limit", Kind.AMOUNT),
        ),
        "customer_id",
        "currency",
    ),
    _of_customers(
        "balance_ageing",
        (
            _key("customer_id"),
            _key("currency"),
            _must("amount", Kind.AMOUNT),
            _may("from_days", Kind.INTEGER),
            _may("to_days", Kind.INTEGER),
        ),
        "customer_id",
        "currency",
        "from_days",
    ),
    _of_customers(
        "account_orders",
        (
            _key("order_number"),
            _key("customer_id"),
            Column("state", Kind.WORD, required=True, words=ORDER_STATES),
            _must("ordered_on", Kind.DATE),
            _key("currency"),
            _must("total", Kind.AMOUNT),
            _may("source", Kind.WORD, *ORDER_SOURCES),
            _may("external_key", Kind.KEY),
            _may("requested_on", Kind.DATE),
            _may("po_number", Kind.TEXT),
        ),
        "order_number",
    ),
    _of_account_orders(
        "account_order_lines",
        (
            _key("order_number"),
            _must("line_number", Kind.INTEGER),
            _must("quantity", Kind.NUMBER),
            _may("sku", Kind.KEY),
            _may("description", Kind.TEXT),
            _may("unit", Kind.KEY),
            _may("unit_price", Kind.PRICE),
            _may("net", Kind.AMOUNT),
            _may("shipped", Kind.NUMBER),
        ),
        "order_number",
        "line_number",
    ),
    _of_customers(
        "customer_parts",
        (
            _key("customer_id"),
            _key("part_number"),
            _key("sku"),
            _may("unit", Kind.KEY),
            _may("description", Kind.TEXT),
        ),
        "customer_id",
        "part_number",
        "sku",
    ),
    _of_customers(
        "documents",
        (
            _key("customer_id"),
            Column("kind", Kind.WORD, required=True, words=DOCUMENT_KINDS),
            _key("document_number"),
            _must("issued_on", Kind.DATE),
            _must("file_name", Kind.TEXT),
            _may("order_number", Kind.KEY),
            _may("web_reference", Kind.TEXT),
            _may("file_size", Kind.INTEGER),
            _may("sha256", Kind.TEXT),
        ),
        "customer_id",
        "kind",
        "document_number",
    ),
    Read(
        "availability",
        (
            _key("sku"),
            _key("warehouse"),
            _must("available", Kind.NUMBER),
            _may("next_due", Kind.DATE),
            _may("discontinued", Kind.BOOL),
        ),
        lists=("skus",),
        may_use=("skus",),
        identity=("sku", "warehouse"),
    ),
    *(_changed(feed) for feed in FEEDS),
    Read("find_order", _FOUND, needs=("external_key",), identity=("order_number",)),
    _of_orders("find_orders", (_key("external_key"), *_FOUND), "external_key"),
    Read(
        "find_credit",
        (
            Column("credit_number", Kind.KEY, required=True, nullable=True),
            _may("amount", Kind.AMOUNT),
            _may("currency", Kind.KEY),
        ),
        needs=("external_key",),
        identity=("credit_number",),
    ),
    _of_orders(
        "order_status",
        (
            _key("external_key"),
            Column("state", Kind.WORD, required=True, words=ORDER_STATES),
            _may("order_number", Kind.KEY),
            _may("message", Kind.TEXT),
            _may("overdue", Kind.BOOL),
        ),
        "external_key",
    ),
    _of_orders(
        "order_shipments",
        (
            _key("external_key"),
            _key("shipment_number"),
            _may("shipped_on", Kind.DATE),
            _may("carrier", Kind.TEXT),
            _may("tracking", Kind.TEXT),
        ),
        "external_key",
        "shipment_number",
    ),
    _of_orders(
        "order_line_status",
        (
            _key("external_key"),
            _must("line_number", Kind.INTEGER),
            _key("sku"),
            _must("ordered", Kind.NUMBER),
            _must("shipped", Kind.NUMBER),
            _must("back_ordered", Kind.NUMBER),
        ),
        "external_key",
        "line_number",
    ),
    Read(
        "purchase_order_used",
        (_key("order_number"),),
        needs=("po_number",),
        may_use=("customer_id", "external_key"),
        identity=("order_number",),
    ),
    Read(
        "order_tax",
        (_may("tax", Kind.AMOUNT),),
        needs=("goods",),
        may_use=(
            "charges",
            "customer_id",
            "ship_to_id",
            "country",
            "region",
            "postal_code",
            "currency",
            "day",
        ),
        identity=("tax",),
    ),
)

READS: dict[str, Read] = {read.name: read for read in _READS}


def list_parameters() -> Iterator[str]:
    """Every parameter that is a list, in every statement that has one."""
    for read in _READS:
        yield from read.lists


LISTS = frozenset(list_parameters())
