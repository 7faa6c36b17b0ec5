"""The endpoints of Medusa's admin API, and of our module, one method for each question.

Medusa ignores a filter or a field that it does not know and answers with
everything, so every answer is held against its question. A row that comes or goes
while a list is read by offset shifts all others, so lists are read by key, and
where Medusa has no filter for that, each page begins with the row that the one
before it ended with: another one there means that the list moved.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from sync.domain.ids import well_formed
from sync.errors import Conflict, TryLater
from sync.kit.http import HttpSession
from sync.stores.medusa.errors import (
    ignored_filter,
    module_needed,
    number_in,
    record_in,
    records_in,
    repeatable,
    unknown_order,
)
from sync.stores.medusa.spelling import moment_text, read_moment

Json = dict[str, Any]
T = TypeVar("T")

# A hundred IDs are about 4 KB of address, well below what servers refuse.
IDS_PER_REQUEST = 100
# Of item numbers, which are of any length, as many as make such an address.
ADDRESS_LENGTH, SKUS_PER_REQUEST = 4000, 400
ROWS_PER_PAGE = 500
PRICES_PER_WRITE = 2000
# The time that Medusa takes to remove rows grows with the square of their number.
PRICES_PER_REMOVAL = 50
RECORDS_PER_READ = 5000
RECORDS_PER_WRITE = 2000

# Named one by one: a payment's own data holds what the buyer typed at its provider.
_DISCOUNT = "code raw_amount is_tax_inclusive"
_TAX = "code raw_rate"
_OF_AN_ORDER = {
    "": "id display_id custom_display_id status is_draft_order created_at updated_at email"
    " customer_id currency_code region_id sales_channel_id metadata payment_status"
    " fulfillment_status total raw_total credit_line_total raw_credit_line_total",
    "customer": "id has_account",
    "items": "id created_at variant_sku raw_unit_price raw_quantity is_tax_inclusive metadata",
    "items.variant": "metadata",
    # Without the quantity that was sent, Medusa takes a part for the whole.
    "items.detail": "raw_fulfilled_quantity raw_return_received_quantity"
    " raw_return_dismissed_quantity",
    "items.adjustments": _DISCOUNT,
    "items.tax_lines": _TAX,
    "shipping_methods": "id created_at name raw_amount is_tax_inclusive",
    "shipping_methods.adjustments": _DISCOUNT,
    "shipping_methods.tax_lines": _TAX,
    "shipping_address": "*",
    "billing_address": "*",
    "payment_collections": "id created_at status raw_amount",
    "payment_collections.payments": "id created_at provider_id raw_amount captured_at canceled_at",
    "payment_collections.payments.refunds": "raw_amount",
    "payment_collections.payment_sessions": "id created_at provider_id status",
    "credit_lines": "id raw_amount reference",
}
ORDER_FIELDS = ",".join(
    f"{part}.{name}" if part else name
    for part, names in _OF_AN_ORDER.items()
    for name in names.split()
)
CUSTOMER_FIELDS = "id,has_account,email,groups.id,groups.metadata"
ADDRESS_FIELDS = "id,has_account,*addresses"
MEMBER_FIELDS = f"{CUSTOMER_FIELDS},*addresses"
GROUP_FIELDS = "id,name,metadata,customers.id"
LIST_FIELDS = (
    "id,title,status,type,starts_at,ends_at,metadata,price_list_rules.attribute,"
    "price_list_rules.value"
)
PRICE_FIELDS = (
    "id,currency_code,raw_amount,min_quantity,max_quantity,price_set.variant.id,"
    "price_rules.attribute,price_rules.value"
)


def pieces(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values in their order, at most ``size`` at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def sku_pieces(skus: Collection[str]) -> Iterator[Sequence[str]]:
    """As many in each as one request may ask for."""
    some: list[str] = []
    length = 0
    for sku in sorted(set(skus)):
        own = len(quote(f"sku[{len(some)}]={sku}&", safe="=&"))
        if some and (length + own > ADDRESS_LENGTH or len(some) == SKUS_PER_REQUEST):
            yield some
            some, length = [], 0
        some.append(sku)
        length += own
    if some:
        yield some


@dataclass(frozen=True, slots=True)
class PricesTold:
    """What our module tells at once: variants by SKU, groups by name. ``records`` is None
    where there are too many, ``regions`` where they were not asked for."""

    records: list[Json] | None
    variants: dict[str, Json]
    groups: dict[str, Json]
    lists: list[Json]
    regions: list[Json] | None


class Queries:
    """Asks one Medusa server. Errors are those of ``HttpSession``, but that a lost
    answer to a write is TryLater."""

    def __init__(self, http: HttpSession) -> None:
        self._http = http

    # Orders

    def newest_order(self) -> datetime | None:
        """When the order that changed last did so; None where there is none."""
        found = self._list("orders", {"order": "-updated_at", "limit": "1", "fields": "updated_at"})
        return read_moment(found[0]["updated_at"]) if found else None

    def orders_changed(self, since: datetime | None, until: datetime, limit: int) -> list[Json]:
        """At most ``limit`` orders changed in that time, both ends included, oldest first."""
        asked = {
            "order": "updated_at",
            "limit": str(limit),
            "fields": ORDER_FIELDS,
            # The store keeps microseconds and tells milliseconds.
            "updated_at[$lt]": moment_text(until + timedelta(milliseconds=1)),
        }
        if since is not None:
            asked["updated_at[$gte]"] = moment_text(since)
        orders = self._list("orders", asked)
        moments = [read_moment(each["updated_at"]) for each in orders]
        if any(each > until or (since is not None and each < since) for each in moments):
            raise ignored_filter("/admin/orders", "orders of another time")
        if moments != sorted(moments):
            raise ignored_filter("/admin/orders", "orders in another sequence")
        return orders

    def order(self, order_id: str) -> Json | None:
        if not well_formed(order_id):
            return None
        path = f"/admin/orders/{quote(order_id, safe='')}"
        answer = self._http.read(path, params={"fields": ORDER_FIELDS}, accept=(404,))
        return None if answer.status == 404 else _whole(answer.json(), "order", order_id)

    def orders(self, order_ids: Collection[str]) -> Iterator[Json]:
        """Those of these orders that there are, by one list for each hundred."""
        for some in pieces(sorted(set(order_ids)), IDS_PER_REQUEST):
            asked = {**_ids(some), "fields": ORDER_FIELDS, "limit": str(len(some))}
            yield from self._of(some, "orders", asked)

    def order_metadata(self, order_ids: Collection[str]) -> Iterator[Json]:
        for some in pieces(sorted(set(order_ids)), IDS_PER_REQUEST):
            asked = {**_ids(some), "fields": "id,metadata", "limit": str(len(some))}
            yield from self._of(some, "orders", asked)

    def set_order_metadata(self, order_id: str, metadata: Mapping[str, str]) -> Json:
        """Merge these keys, an empty text removes one; what the order's metadata then is."""
        path = f"/admin/orders/{quote(order_id, safe='')}"
        with repeatable():
            answer = self._http.write(
                "POST",
                path,
                params={"fields": "id,metadata"},
                json={"metadata": dict(metadata)},
                accept=(404,),
            )
            if answer.status == 404:
                raise unknown_order(order_id)
            held: Json = record_in(answer.json(), "order").get("metadata") or {}
        return held

    def checkouts(self, order_ids: Collection[str]) -> dict[str, Json]:
        """By order: who completed its cart, as far as our module has it."""
        found: dict[str, Json] = {}
        for some in pieces(sorted(set(order_ids)), ROWS_PER_PAGE):
            with module_needed():
                answer = self._http.read(
                    "/admin/tradesync/checkouts", method="POST", json={"order_ids": list(some)}
                )
            found |= {each["order_id"]: each for each in records_in(answer.json(), "checkouts")}
        return found

    # Customers and groups

    def customer(self, customer_id: str) -> Json | None:
        path = f"/admin/customers/{quote(customer_id, safe='')}"
        answer = self._http.read(path, params={"fields": CUSTOMER_FIELDS}, accept=(404,))
        return None if answer.status == 404 else _whole(answer.json(), "customer", customer_id)

    def registered(self, fields: str = "id,has_account") -> Iterator[Json]:
        """Every customer with a login, by ID."""
        for each in self._by_id("customers", {"has_account": "true", "fields": fields}):
            if each.get("has_account") is not True:
                raise ignored_filter("/admin/customers", "guests")
            yield each

    def customers(self, customer_ids: Collection[str], fields: str) -> dict[str, Json]:
        """Those of the customers that exist and have a login."""
        found: dict[str, Json] = {}
        for some in pieces(sorted(set(customer_ids)), IDS_PER_REQUEST):
            asked = {**_ids(some), "fields": fields, "limit": str(len(some))}
            found |= {
                each["id"]: each
                for each in self._of(some, "customers", asked)
                if each.get("has_account") is True
            }
        return found

    def groups(self, fields: str = "id,name,metadata") -> Iterator[Json]:
        yield from self._by_place("customer-groups", {"fields": fields})

    def groups_by_id(self, group_ids: Collection[str]) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for some in pieces(sorted(set(group_ids)), IDS_PER_REQUEST):
            asked = {**_ids(some), "fields": GROUP_FIELDS, "limit": str(len(some))}
            found |= {each["id"]: each for each in self._of(some, "customer-groups", asked)}
        return found

    def groups_named(self, names: Collection[str]) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for some in pieces(sorted(set(names)), IDS_PER_REQUEST):
            asked = {f"name[{place}]": each for place, each in enumerate(some)}
            asked |= {"fields": GROUP_FIELDS, "limit": str(len(some))}
            for each in self._list("customer-groups", asked):
                if each["name"] not in some:
                    raise ignored_filter("/admin/customer-groups", "other names")
                found[each["name"]] = each
        return found

    def members(self, group_ids: Collection[str]) -> Iterator[Json]:
        """Customers with a login that are in any of these groups; one may come twice."""
        for some in pieces(sorted(set(group_ids)), IDS_PER_REQUEST):
            asked = {f"groups[{place}]": each for place, each in enumerate(some)}
            asked |= {"has_account": "true", "fields": CUSTOMER_FIELDS}
            for each in self._by_id("customers", asked):
                if not any(group["id"] in some for group in each.get("groups") or ()):
                    raise ignored_filter("/admin/customers", "members of no such group")
                yield each

    def make_group(self, name: str, metadata: Json) -> Json:
        body = {"name": name, "metadata": metadata}
        group: Json = record_in(
            self._write("POST", "/admin/customer-groups", body), "customer_group"
        )
        return {**group, "customers": []}

    def change_group(self, group_id: str, metadata: Json) -> None:
        self._write("POST", f"/admin/customer-groups/{group_id}", {"metadata": metadata})

    def drop_group(self, group_id: str) -> None:
        self._write("DELETE", f"/admin/customer-groups/{group_id}", missing_is_fine=True)

    def move_members(self, group_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        if add or remove:
            path = f"/admin/customer-groups/{group_id}/customers"
            self._write("POST", path, {"add": list(add), "remove": list(remove)})

    # Addresses

    def put_address(self, customer_id: str, address_id: str | None, body: Json) -> list[Json]:
        """Make the address, or change the one with that ID; the customer's addresses then."""
        path = f"/admin/customers/{customer_id}/addresses"
        if address_id is not None:
            path += f"/{address_id}"
        answer = self._write("POST", path, body, params={"fields": ADDRESS_FIELDS})
        addresses: list[Json] = record_in(answer, "customer").get("addresses") or []
        return addresses

    def drop_address(self, customer_id: str, address_id: str) -> None:
        path = f"/admin/customers/{customer_id}/addresses/{address_id}"
        self._write("DELETE", path, missing_is_fine=True)

    # Prices

    def regions(self) -> list[Json]:
        return list(self._by_place("regions", {"fields": "id,currency_code"}))

    def variants(self, skus: Collection[str]) -> dict[str, Json]:
        """By SKU, those that the shop sells."""
        found: dict[str, Json] = {}
        for some in sku_pieces(skus):
            asked = {f"sku[{place}]": each for place, each in enumerate(some)}
            asked |= {"fields": "id,sku,metadata", "limit": str(len(some))}
            for each in self._list("product-variants", asked, "variants"):
                if each["sku"] not in some:
                    raise ignored_filter("/admin/product-variants", "other items")
                found[each["sku"]] = each
        return found

    def price_lists(self, words: str) -> Iterator[Json]:
        """The price lists with these words in their title or description."""
        yield from self._by_place("price-lists", {"q": words, "fields": LIST_FIELDS})

    def make_price_list(self, body: Json) -> Json:
        return self._put_price_list("/admin/price-lists", body)

    def change_price_list(self, list_id: str, body: Json) -> Json:
        return self._put_price_list(f"/admin/price-lists/{list_id}", body)

    def _put_price_list(self, path: str, body: Json) -> Json:
        """The list, with the fields that ``price_lists`` tells."""
        answer = self._write("POST", path, body, params={"fields": LIST_FIELDS})
        made: Json = record_in(answer, "price_list")
        return made

    def drop_price_list(self, list_id: str) -> None:
        self._write("DELETE", f"/admin/price-lists/{list_id}", missing_is_fine=True)

    def price_rows(self, list_id: str) -> list[Json]:
        """Every row of the list."""
        what = f"price-lists/{list_id}/prices"
        asked = {"fields": PRICE_FIELDS}
        return list(self._by_place(what, asked, "prices", size=PRICES_PER_WRITE))

    def write_prices(
        self, list_id: str, create: Sequence[Json], update: Sequence[Json], delete: Sequence[str]
    ) -> None:
        """Dropped rows first: of two rows for one quantity the lower counts meanwhile."""
        path = f"/admin/price-lists/{list_id}/prices/batch"
        for gone in pieces(delete, PRICES_PER_REMOVAL):
            self._write("POST", path, {"delete": list(gone)})
        for changed in pieces(update, PRICES_PER_WRITE):
            self._write("POST", path, {"update": list(changed)})
        for new in pieces(create, PRICES_PER_WRITE):
            self._write("POST", path, {"create": list(new)})

    # Price lists by our module, from version 3 on

    def write_rows(
        self,
        list_id: str | None,
        head: Json | None,
        create: Sequence[Json],
        update: Sequence[Json],
        delete: Sequence[str],
    ) -> Json:
        """As ``write_prices``, of the list with that ID or of one that is made with this
        head; the list. TryLater where it is not there any more."""
        steps: list[Json] = [
            {"remove": list(delete), "update": list(update), "create": list(create)}
        ]
        if len(delete) + len(update) + len(create) > PRICES_PER_WRITE:
            changes = {"remove": delete, "update": update, "create": create}
            steps = [
                {name: list(some)}
                for name, rows in changes.items()
                for some in pieces(rows, PRICES_PER_WRITE)
            ]
        written: Json = {}
        for step in steps:
            at: Json = {"list": list_id} if list_id is not None else {"head": head}
            with module_needed():
                written = self._write_rows({**at, **step})
            list_id = str(written["id"])
        return written

    def _write_rows(self, body: Json) -> Json:
        try:
            answer = self._write("POST", "/admin/tradesync/prices/rows", body)
        except Conflict as error:
            raise TryLater(f"a price list went while its rows were written: {error}") from error
        written: Json = record_in(answer, "list")
        return written

    def drop_price_lists(self, list_ids: Sequence[str]) -> bool:
        """Remove the lists and all of their rows. False, and nothing done, by an older module."""
        with repeatable():
            answer = self._http.write(
                "DELETE",
                "/admin/tradesync/prices/lists",
                json={"lists": list(list_ids)},
                accept=(404,),
            )
        return answer.status != 404

    # Records of our module

    def module_version(self) -> int:
        """Raises Misconfigured where the module is missing."""
        with module_needed():
            said = self._http.read("/admin/tradesync").json()
        return number_in(record_in(said, "tradesync"), "version")

    def records(
        self,
        kind: str,
        owners: Collection[str] | None = None,
        about: Collection[str] | None = None,
    ) -> Iterator[Json]:
        """Mirrored records by owner and key; None asks for any owner or subject."""
        if owners is not None and not owners:
            return
        asked: Json = {"kind": kind, "limit": RECORDS_PER_READ}
        if owners is not None:
            asked["owners"] = sorted(owners)
        if about is not None:
            asked["about"] = sorted(about)
        while True:
            with module_needed():
                answer = self._http.read(
                    "/admin/tradesync/records/search", method="POST", json=asked
                )
            page = records_in(answer.json(), "records")
            yield from page
            if len(page) < RECORDS_PER_READ:
                return
            last = [page[-1]["owner"], page[-1]["key"]]
            if last == asked.get("after"):
                raise ignored_filter("/admin/tradesync/records/search", "the same page again")
            asked["after"] = last

    def record_owners(self, kinds: Collection[str]) -> list[tuple[str, str]]:
        """Kind and owner of whatever is mirrored."""
        with module_needed():
            answer = self._http.read(
                "/admin/tradesync/records/owners", method="POST", json={"kinds": sorted(kinds)}
            )
        return [(each["kind"], each["owner"]) for each in records_in(answer.json(), "owners")]

    def apply_records(self, put: Sequence[Json], remove: Sequence[Json]) -> None:
        """All of them or none."""
        with module_needed():
            self._write(
                "POST", "/admin/tradesync/records", {"put": list(put), "remove": list(remove)}
            )

    def put_prices(
        self,
        put: Sequence[Json],
        *,
        owners: Collection[str],
        about: Collection[str],
        skus: Collection[str],
        groups: Collection[str],
        lists: Collection[str],
        regions: bool,
    ) -> PricesTold | None:
        """Put records of prices, all of them or none, and be told what else is there.

        Of that: what is recorded of these subjects for these owners beside ``put``, the
        variants of these SKUs, the customer groups of these names and the price lists with
        one of these words in their description. None, and nothing done, where the module is
        older than version 3, or some server on the way takes no request of that size.
        """
        body = {
            "put": list(put),
            "owners": sorted(owners),
            "about": sorted(about),
            "skus": sorted(skus),
            "groups": sorted(groups),
            "lists": sorted(lists),
            "regions": regions,
        }
        with repeatable():
            answer = self._http.write(
                "POST", "/admin/tradesync/prices", json=body, accept=(404, 413)
            )
            if answer.status in (404, 413):
                return None
            told = answer.json()
        return PricesTold(
            _records_unless_null(told, "records"),
            {each["sku"]: each for each in records_in(told, "variants")},
            {each["name"]: each for each in records_in(told, "groups")},
            records_in(told, "lists"),
            _records_unless_null(told, "regions"),
        )

    def apply_documents(self, put: Sequence[Json], remove: Sequence[Json]) -> bool:
        """All of them or none: False where a content is not held whole."""
        body = {"put": list(put), "remove": list(remove)}
        return self._write_content("/admin/tradesync/records", body)

    def drop_records(self, kinds: Sequence[str], owners: Sequence[str]) -> None:
        with module_needed():
            body = {"kinds": list(kinds), "owners": list(owners)}
            self._write("DELETE", "/admin/tradesync/records", body)

    # Contents of documents, held by our module

    def upload_piece(self, upload: str, position: int, piece: bytes) -> None:
        """Send one piece of a file. Nobody is shown it before the file is published."""
        text = base64.b64encode(piece).decode()
        body = {"upload": upload, "position": position, "piece": text}
        with module_needed():
            self._write("POST", "/admin/tradesync/uploads", body)

    def publish_document(self, record: Json, upload: str) -> bool:
        """Put the record with what was uploaded; False, and nothing done, where that is
        not the content that it tells."""
        body = {"upload": upload, "record": record}
        return self._write_content("/admin/tradesync/documents", body)

    def content_sizes(self, sha256s: Collection[str]) -> dict[str, int]:
        """Bytes held of each content, of those that are held."""
        found: dict[str, int] = {}
        for some in pieces(sorted(sha256s), RECORDS_PER_READ):
            with module_needed():
                answer = self._http.read(
                    "/admin/tradesync/contents/sizes", method="POST", json={"sha256": list(some)}
                )
            found |= {
                each["sha256"]: int(each["size"]) for each in records_in(answer.json(), "contents")
            }
        return found

    def content(self, sha256: str) -> bytes:
        """The whole content; nothing where it is not held whole."""
        path = f"/admin/tradesync/contents/{quote(sha256, safe='')}"
        answer = self._http.read(path, accept=(404,))
        return b"" if answer.status == 404 else answer.body

    def _write_content(self, path: str, body: Json) -> bool:
        with module_needed(), repeatable():
            return self._http.write("POST", path, json=body, accept=(422,)).status != 422

    # Checking

    def probe(self, what: str) -> int:
        """How many there are; raises AccessDenied where the key may not look."""
        answer = self._http.read(f"/admin/{what}", params={"limit": "1", "fields": "id"}).json()
        return number_in(answer, "count")

    def sales_channels(self) -> dict[str, str]:
        found = self._by_place("sales-channels", {"fields": "id,name"})
        return {each["id"]: each["name"] for each in found}

    # One request

    def _list(self, what: str, asked: Mapping[str, str], name: str | None = None) -> list[Json]:
        answer = self._http.read(f"/admin/{what}", params=asked).json()
        found = records_in(answer, name or what.replace("-", "_"))
        limit = int(asked["limit"])
        if len(found) > limit:
            raise ignored_filter(f"/admin/{what}", "more rows than asked for")
        counted = answer.get("count")
        there = counted - int(asked.get("offset", 0)) if isinstance(counted, int) else len(found)
        if len(found) < min(limit, there):
            raise TryLater(f"/admin/{what} told {len(found)} of {there} rows; read it again")
        return found

    def _of(self, ids: Collection[str], what: str, asked: Mapping[str, str]) -> list[Json]:
        found = self._list(what, asked)
        if any(each["id"] not in ids for each in found):
            raise ignored_filter(f"/admin/{what}", "other IDs")
        return found

    def _by_id(
        self, what: str, asked: Mapping[str, str], name: str | None = None
    ) -> Iterator[Json]:
        """Every row, in the sequence of the IDs as the database sorts them."""
        after, seen = "", set[str]()
        while True:
            wanted = {**asked, "order": "id", "limit": str(ROWS_PER_PAGE), "id[$gt]": after}
            page = self._list(what, wanted, name)
            ids = [each["id"] for each in page]
            if not seen.isdisjoint(ids):
                raise ignored_filter(f"/admin/{what}", "rows that came before")
            seen.update(ids)
            yield from page
            if len(page) < ROWS_PER_PAGE:
                return
            after = ids[-1]

    def _by_place(
        self, what: str, asked: Mapping[str, str], name: str | None = None, size: int = 0
    ) -> Iterator[Json]:
        """Every row, in the sequence of the IDs. TryLater where the list moved meanwhile."""
        size = size or ROWS_PER_PAGE
        offset, last = 0, None
        while True:
            wanted = {**asked, "order": "id", "limit": str(size), "offset": str(offset)}
            page = self._list(what, wanted, name)
            if last is not None and (not page or page[0]["id"] != last):
                raise TryLater(f"/admin/{what} changed while it was read; read it again")
            yield from page if last is None else page[1:]
            if len(page) < size:
                return
            last = page[-1]["id"]
            offset += size - 1

    def _write(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        missing_is_fine: bool = False,
    ) -> Json:
        accept = (404,) if missing_is_fine else ()
        with repeatable():
            answer = self._http.write(method, path, json=body, params=params, accept=accept)
            told: Json = answer.json()
        return told


def _ids(ids: Collection[str]) -> dict[str, str]:
    return {f"id[{place}]": each for place, each in enumerate(ids)}


def _whole(answer: object, name: str, asked: str) -> Json:
    found = record_in(answer, name)
    if found.get("id") != asked:
        raise ignored_filter(f"/admin/{name}s", "another record")
    return found


def _records_unless_null(told: object, name: str) -> list[Json] | None:
    if isinstance(told, dict) and name in told and told[name] is None:
        return None
    return records_in(told, name)
