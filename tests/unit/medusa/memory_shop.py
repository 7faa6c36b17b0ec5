"""A Medusa shop in memory behind the connector, as far as mirrors go, for others to meddle with."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.addresses import tag_of
from sync.stores.medusa.queries import PricesTold, Queries
from tests.unit.medusa.answers import raw, settings

Json = dict[str, Any]


class MemoryShop(Queries):
    """Records, price lists, customers, groups and address books; ``writes`` names every write."""

    def __init__(self) -> None:
        self.lists: dict[str, Json] = {}
        self.rows: dict[str, list[Json]] = {}
        # By SKU, the variants that are not the one that it names by default.
        self.sold: dict[str, str] = {}
        self.people: dict[str, Json] = {}
        self.groups_there: dict[str, Json] = {}
        self.recorded: dict[tuple[str, str, str], Json] = {}
        self.writes: list[str] = []
        # Whether our module there is of version 2.
        self.old_module = False
        self._numbers = itertools.count(1)

    def store(self, behind: Queries | None = None, **changes: Any) -> MedusaStore:
        """The connector on this shop; its calls go through ``behind`` where that is given."""
        store = MedusaStore(settings(**changes))
        parts = (store, store._accounts, store._accounts._groups, store._places)
        for part in (*parts, store._shared_lists):
            part._queries = behind or self
        store._price_lists._queries = behind or self
        return store

    # What a test arranges, and looks at

    def register(self, *people: str) -> None:
        for each in people:
            self.people[each] = {"id": each, "has_account": True, "addresses": []}

    def book(self, person: str) -> list[tuple[str, str, str] | None]:
        """The tags of the addresses that this person has; None for one of their own."""
        return [tag_of(each) for each in self.people[person]["addresses"]]

    def everybodys(self) -> list[str]:
        """What a visitor is charged by our lists, as digits."""
        return [
            row["raw_amount"]["value"]
            for key, rows in self.rows.items()
            if self.lists[key]["status"] == "active" and not self.lists[key]["rules"]
            for row in rows
        ]

    def key(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers):03}"

    # Records of the module

    def records(
        self,
        kind: str,
        owners: Collection[str] | None = None,
        about: Collection[str] | None = None,
    ) -> Iterator[Json]:
        for (of_kind, owner, _), record in sorted(self.recorded.items()):
            named = of_kind == kind and (owners is None or owner in owners)
            if named and (about is None or record["about"] in about):
                yield record

    def record_owners(self, kinds: Collection[str]) -> list[tuple[str, str]]:
        return sorted({(kind, owner) for kind, owner, _ in self.recorded if kind in kinds})

    def apply_records(self, put: Sequence[Json], remove: Sequence[Json]) -> None:
        self.writes.append("records")
        for each in remove:
            self.recorded.pop((each["kind"], each["owner"], each["key"]), None)
        for each in put:
            self.recorded[each["kind"], each["owner"], each["key"]] = dict(each)

    def drop_records(self, kinds: Sequence[str], owners: Sequence[str]) -> None:
        self.writes.append("records")
        for key in list(self.recorded):
            if key[0] in kinds and key[1] in owners:
                del self.recorded[key]

    # Prices

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
        if self.old_module:
            return None
        if put:
            self.apply_records(put, [])
        own = {(each["owner"], each["key"]) for each in put}
        held = self.records("price", owners, about) if owners and about else iter(())
        return PricesTold(
            [each for each in held if (each["owner"], each["key"]) not in own],
            self.variants(skus) if skus else {},
            self.groups_named(groups),
            [each for words in lists for each in self.price_lists(words)],
            self.regions() if regions else None,
        )

    def variants(self, skus: Collection[str]) -> dict[str, Json]:
        return {
            sku: {"id": self.sold.get(sku, f"variant_{sku}"), "sku": sku, "metadata": None}
            for sku in skus
        }

    def regions(self) -> list[Json]:
        return [{"id": "reg_1", "currency_code": "eur"}]

    def price_lists(self, words: str) -> Iterator[Json]:
        held = list(self.lists.values())
        return iter([{**each} for each in held if words in each["description"]])

    def make_price_list(self, body: Json) -> Json:
        self.writes.append("list")
        made = {**body, "id": self.key("list")}
        self.lists[made["id"]], self.rows[made["id"]] = made, []
        return {**made}

    def change_price_list(self, list_id: str, body: Json) -> Json:
        self.writes.append("list")
        self.lists[list_id].update(body)
        return {**self.lists[list_id]}

    def drop_price_list(self, list_id: str) -> None:
        self.writes.append("list")
        self.lists.pop(list_id, None)
        self.rows.pop(list_id, None)

    def price_rows(self, list_id: str) -> list[Json]:
        return list(self.rows[list_id])

    def write_prices(
        self, list_id: str, create: Sequence[Json], update: Sequence[Json], delete: Sequence[str]
    ) -> None:
        self.writes.append("prices")
        rows = {row["id"]: row for row in self.rows[list_id] if row["id"] not in delete}
        for each in update:
            rows[each["id"]]["raw_amount"] = raw(str(each["amount"]))
        for each in create:
            key = self.key("price")
            rules = [{"attribute": name, "value": rule} for name, rule in each["rules"].items()]
            rows[key] = {
                "id": key,
                "currency_code": each["currency_code"],
                "raw_amount": raw(str(each["amount"])),
                "min_quantity": each["min_quantity"],
                "max_quantity": each["max_quantity"],
                "price_set": {"variant": {"id": each["variant_id"]}},
                "price_rules": rules,
            }
        self.rows[list_id] = list(rows.values())

    def write_rows(
        self,
        list_id: str | None,
        head: Json | None,
        create: Sequence[Json],
        update: Sequence[Json],
        delete: Sequence[str],
    ) -> Json:
        assert not self.old_module
        made = self.lists[list_id] if list_id is not None else self.make_price_list(head or {})
        self.write_prices(made["id"], create, update, delete)
        return {**self.lists[made["id"]]}

    def drop_price_lists(self, list_ids: Sequence[str]) -> bool:
        for each in () if self.old_module else list_ids:
            self.drop_price_list(each)
        return not self.old_module

    # Customers, groups and addresses

    def customers(self, customer_ids: Collection[str], fields: str) -> dict[str, Json]:
        return {
            key: {**person, "groups": self._groups_of(key)}
            for key, person in self.people.items()
            if key in customer_ids
        }

    def groups_named(self, names: Collection[str]) -> dict[str, Json]:
        return {each["name"]: each for each in self.groups_there.values() if each["name"] in names}

    def make_group(self, name: str, metadata: Json) -> Json:
        self.writes.append("group")
        made: Json = {"id": self.key("group"), "name": name, "metadata": metadata, "customers": []}
        self.groups_there[made["id"]] = made
        return {**made}

    def change_group(self, group_id: str, metadata: Json) -> None:
        self.writes.append("group")
        self.groups_there[group_id]["metadata"] = metadata

    def drop_group(self, group_id: str) -> None:
        self.writes.append("group")
        self.groups_there.pop(group_id, None)

    def move_members(self, group_id: str, add: Sequence[str], remove: Sequence[str]) -> None:
        self.writes.append("group")
        group = self.groups_there[group_id]
        there = {each["id"] for each in group["customers"]} - set(remove) | set(add)
        group["customers"] = [{"id": each} for each in sorted(there)]

    def put_address(self, customer_id: str, address_id: str | None, body: Json) -> list[Json]:
        self.writes.append("address")
        book: list[Json] = self.people[customer_id]["addresses"]
        if address_id is None:
            book.append({"id": self.key("address"), **body})
        for each in book:
            if each["id"] == address_id:
                each.update(body)
        return book

    def drop_address(self, customer_id: str, address_id: str) -> None:
        self.writes.append("address")
        person = self.people[customer_id]
        person["addresses"] = [each for each in person["addresses"] if each["id"] != address_id]

    def _groups_of(self, person: str) -> list[Mapping[str, Any]]:
        return [
            {"id": each["id"], "metadata": each["metadata"]}
            for each in self.groups_there.values()
            if {"id": person} in each["customers"]
        ]
