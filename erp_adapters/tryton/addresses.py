"""Where an order goes: an address on file, or one that only this order has.

A sale of Tryton ships to a record, and the record must be the customer's. One
for a single order is made without the marks of a ship-to or bill-to and then
switched off: it is on the order and its shipment for good, and in no list of
the customer's addresses (WA-3a). It cannot be made switched off at once; Tryton
refuses that. An equal one of ours is taken again, so that a retry, or the same
buyer's next order, piles nothing up.

Turned down: a party for each receiver. It would fill the customer list instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from erp_adapters.tryton import queries
from erp_adapters.tryton.queries import ANY_ACTIVE, Row
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.site import Places
from sync.domain.address import Address
from sync.errors import Rejected


@dataclass(frozen=True, slots=True)
class OneOff:
    """An address of this party that only orders have, in Tryton's own values."""

    party: int
    values: tuple[tuple[str, object], ...]


class Addresses:
    """What was looked up is kept for as long as the object lives."""

    def __init__(self, rpc: Rpc, places: Places) -> None:
        self._rpc, self._places = rpc, places
        self._owners: dict[int, int | None] = {}
        self._subdivisions: dict[tuple[int, str], int | None] = {}

    def knows(self, owners: Mapping[int, int]) -> None:
        """Whose the addresses are that somebody has just read."""
        self._owners.update(owners)

    def read_ahead(self, numbers: Collection[str]) -> None:
        """Look these addresses on file up together."""
        missing = {int(number) for number in numbers if _is_id(number)} - self._owners.keys()
        rows = queries.rows_in(self._rpc, "party.address", "id", missing, [], ("party",))
        found = {int(row["id"]): int(row["party"]) for row in rows}
        self._owners.update((number, found.get(number)) for number in missing)

    def on_file(self, number: str, party: int, *, what: str) -> int:
        """The id of that address. Raises Rejected where the party has none of it."""
        self.read_ahead([number])
        if not _is_id(number) or self._owners[int(number)] != party:
            raise Rejected(
                f"the customer has no {what} {number}",
                code=f"erp_unknown_{what.replace('-', '_')}",
                remedy="Correct the address in Tryton or choose another in the store, then replay.",
            )
        return int(number)

    def one_off(self, address: Address, party: int) -> OneOff:
        """What such an address is in Tryton; nothing is made yet. Raises Rejected."""
        return OneOff(party, tuple(self._values(address).items()))

    def made(self, wanted: Collection[OneOff]) -> Mapping[OneOff, int]:
        """The ids of these addresses; where there is none it is made, all of them in one call."""
        ids: dict[OneOff, int] = {}
        shown, missing = [], []
        for each in dict.fromkeys(wanted):
            held = self._equal(each)
            if held is None:
                missing.append(each)
                continue
            ids[each] = int(held["id"])
            if held["active"]:  # an earlier attempt came so far
                shown.append(ids[each])
        if missing:
            marks = {"delivery": False, "invoice": False}
            given = [{**dict(each.values), "party": each.party, **marks} for each in missing]
            made = [int(n) for n in self._rpc.write("model.party.address.create", given)]
            ids.update(zip(missing, made, strict=True))
            shown += made
        if shown:
            self._rpc.write("model.party.address.write", shown, {"active": False})
        return ids

    def _equal(self, wanted: OneOff) -> Row | None:
        """One that this user made and nobody has marked as a ship-to or bill-to since."""
        domain: list[object] = [(name, "=", value) for name, value in wanted.values]
        domain += [
            ("party", "=", wanted.party),
            ("delivery", "=", False),
            ("invoice", "=", False),
            ("create_uid", "=", self._rpc.user),
            ANY_ACTIVE,
        ]
        found = list(queries.rows(self._rpc, "party.address", domain, ("active",)))
        return min(found, key=lambda row: (bool(row["active"]), row["id"]), default=None)

    def _values(self, address: Address) -> dict[str, object]:
        country = self._country(address.country)
        lines = list(address.lines)
        subdivision = self._subdivision(address, country)
        if address.region is not None and subdivision is None:
            # Never left out: then it stands on the label as it was typed.
            lines.append(address.region)
        return {
            "party_name": address.name,
            "attn": address.attention,
            "street_unstructured": "\n".join(lines),
            "postal_code": address.postal_code,
            "city": address.city,
            "country": country,
            "subdivision": subdivision,
        }

    def _country(self, code: str) -> int:
        country = self._places.country(code)
        if country is None:
            raise Rejected(
                f"Tryton knows no country {code}",
                code="erp_unknown_country",
                remedy="Load the countries into Tryton (trytond_import_countries), then replay.",
            )
        return country

    def _subdivision(self, address: Address, country: int) -> int | None:
        if address.region is None:
            return None
        key = (country, address.region)
        if key not in self._subdivisions:
            found = self._places.subdivision(country, address.country, address.region)
            self._subdivisions[key] = found
        return self._subdivisions[key]


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdecimal()


def spoken_of(address: Address, what: str) -> list[str]:
    """What an address of Tryton's has no place for, as remarks for its staff."""
    told = []
    if address.phone:
        told.append(f"{what} phone: {address.phone}")
    if address.email:
        told.append(f"{what} e-mail: {address.email}")
    if address.residential is not None:
        told.append(f"{what} is {'a residence' if address.residential else 'a business address'}.")
    return told
