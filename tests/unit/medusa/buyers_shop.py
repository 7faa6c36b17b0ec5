"""A shop in memory that charges its buyers as Medusa does, and remembers what it charged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sync.errors import Rejected, TryLater
from sync.stores.medusa.translate import ACCOUNT_GROUP
from tests.unit.medusa.memory_shop import MemoryShop

Json = dict[str, Any]
Charged = Mapping[tuple[str, str], Decimal]
"""By account and item, what one piece costs its buyers; absent: what the shop itself says."""
REGION = "reg_1"
WRITES = (
    *("make_group", "change_group", "drop_group", "move_members"),
    *("make_price_list", "change_price_list", "drop_price_list", "write_prices"),
    *("apply_records", "drop_records"),
)


class BuyersShop(MemoryShop):
    """``moments``: what was charged after each write since it was emptied. ``unheard``: that
    many writes from now one goes through and is answered as if the shop were away. ``now``:
    the moment by which lists begin and end; without it all of them are in force."""

    def __init__(self) -> None:
        super().__init__()
        self.unheard = 0
        self.moments: list[Charged] = []
        self.refused: set[str] = set()
        self.now: Callable[[], datetime] | None = None

    def apply_records(self, put: Any, remove: Any) -> None:
        if any(each["about"] in self.refused for each in put):
            raise Rejected("no such record", code="refused", remedy="none")
        super().apply_records(put, remove)

    def _hear(self) -> None:
        self.unheard -= 1
        if not self.unheard:
            raise TryLater("the shop is away")

    def groups(self, fields: str = "") -> Iterator[Json]:
        return iter(list(self.groups_there.values()))

    def groups_by_id(self, group_ids: Collection[str]) -> dict[str, Json]:
        return {key: each for key, each in self.groups_there.items() if key in group_ids}

    def group_of(self, account: str) -> str:
        [found] = [
            key
            for key, each in self.groups_there.items()
            if (each["metadata"] or {}).get(ACCOUNT_GROUP) == account
        ]
        return found

    def group_named(self, name: str) -> str:
        [found] = [key for key, each in self.groups_there.items() if each["name"] == name]
        return found

    def accounts(self) -> set[str]:
        """Those whose buyers have a group."""
        said = ((each["metadata"] or {}).get(ACCOUNT_GROUP) for each in self.groups_there.values())
        return {each for each in said if each is not None}

    def charged(self) -> Charged:
        everybody = {
            key for key, each in self.groups_there.items() if each["name"].startswith("All ERP")
        }
        found: dict[tuple[str, str], Decimal] = {}
        for key, group in self.groups_there.items():
            account = (group["metadata"] or {}).get(ACCOUNT_GROUP)
            if account is not None:
                for variant, price in self.charges({key} | everybody).items():
                    found[account, variant.removeprefix("variant_")] = price
        return found

    def charges(self, groups: Collection[str]) -> dict[str, Decimal]:
        """What somebody in these groups pays for one piece, by variant: of the rows that fit
        the one with the most rules counts, then the cheapest."""
        best: dict[str, tuple[int, Decimal]] = {}
        for key, held in self.lists.items():
            rules = held["rules"]
            named = rules.get("customer.groups.id")
            if held["status"] != "active" or REGION not in rules.get("region_id", [REGION]):
                continue
            if named is not None and not set(named) & set(groups):
                continue
            if not self._in_force(held):
                continue
            for row in self.rows[key]:
                if (row["min_quantity"] or 1) > 1:
                    continue
                variant = row["price_set"]["variant"]["id"]
                price = Decimal(row["raw_amount"]["value"])
                found = (-len(rules) - len(row["price_rules"]), price)
                best[variant] = min(best.get(variant, found), found)
        return {variant: price for variant, (_, price) in best.items()}

    def _in_force(self, held: Json) -> bool:
        if self.now is None:
            return True
        starts, ends = (
            datetime.fromisoformat(held[name]) if held.get(name) else None
            for name in ("starts_at", "ends_at")
        )
        now = self.now()
        return (starts is None or starts <= now) and (ends is None or now <= ends)

    def shared(self) -> list[list[str]]:
        """The accounts that each list names which several accounts share, or one could."""
        names = {key: (each["metadata"] or {}) for key, each in self.groups_there.items()}
        return sorted(
            sorted(
                str(names.get(each, {}).get(ACCOUNT_GROUP))
                for each in held["rules"]["customer.groups.id"]
            )
            for held in self.lists.values()
            if "shared" in held["metadata"]["tradesync"]
        )


def _watched(name: str) -> Callable[..., Any]:
    plain = getattr(BuyersShop, name)

    def watched(self: BuyersShop, *given: Any, **named: Any) -> Any:
        told = plain(self, *given, **named)
        self.moments.append(self.charged())
        self._hear()
        return told

    return watched


for _name in WRITES:
    setattr(BuyersShop, _name, _watched(_name))
