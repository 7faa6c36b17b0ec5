"""Ship-tos and bill-tos in the address books of everybody who acts for the account.

Medusa keeps addresses with each customer and knows no key of ours, so each that
we put carries a tag in its metadata, which no shopper can write. What carries
none is the shopper's own and is never touched. A default is not set either: it
would take the shopper's own default away.

The record of our module has the address whole, and is what a checkout is held
against. It is told as recorded as long as every member has it in their book, and
otherwise as an address that nobody wants: so it is put right, or removed. Whoever
leaves the account loses its addresses with that (accounts.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sync.domain.account import BillTo, ShipTo
from sync.domain.address import Address
from sync.domain.ids import BillToId, CustomerId, ShipToId
from sync.errors import Conflict
from sync.stores.medusa import translate
from sync.stores.medusa.accounts import Accounts
from sync.stores.medusa.addresses import TAG, form_of, mirrored_addresses, same_form, tag_of
from sync.stores.medusa.queries import ADDRESS_FIELDS, Queries

Json = dict[str, Any]
Kind = Literal["ship_to", "bill_to"]
PlaceKey = tuple[CustomerId, str]
Place = ShipTo | BillTo

_UNKNOWN = Address(name="?", lines=("?",), city="?", country="ZZ")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tagged address in somebody's book."""

    user: str
    address_id: str
    form: Json


class Places:
    def __init__(self, queries: Queries, accounts: Accounts) -> None:
        self._queries, self._accounts = queries, accounts

    def shown(self, kind: Kind, customer_ids: Collection[CustomerId]) -> dict[PlaceKey, Place]:
        """What is recorded, or in anybody's book; an unknown address where these differ."""
        held = self._records(kind, customer_ids)
        users = self._accounts.users(customer_ids)
        books = self._books(kind, users)
        shown: dict[PlaceKey, Place] = {}
        for key, place in held.items():
            form = form_of(place.address)
            own = _of_account(books, users, key[0])
            right = all(_right(book.get(key, []), form) for book in own)
            shown[key] = place if right else _unlike_any(kind, key)
        for book in books.values():
            for key in book.keys() - held.keys():
                # Left behind by a run that broke off: shown, so that the plan removes it.
                shown.setdefault(key, _unlike_any(kind, key))
        return shown

    def apply(self, kind: Kind, put: Iterable[Place], remove: Iterable[PlaceKey]) -> None:
        """Address books first, records last: what is half done is not told as recorded."""
        latest = {(each.sold_to, _key(each)): each for each in put}
        gone = [key for key in remove if key not in latest]
        users = self._accounts.users({owner for owner, _ in (*latest, *gone)})
        books = self._books(kind, users)
        for key in gone:
            for book in _of_account(books, users, key[0]):
                for entry in book.get(key, ()):
                    self._queries.drop_address(entry.user, entry.address_id)
        for key, place in latest.items():
            for user in users.get(key[0], ()):
                if user in books:
                    self._put(kind, user, key, place, books[user].get(key, []))
        record = translate.ship_to_record if kind == "ship_to" else translate.bill_to_record
        self._queries.apply_records(
            [record(each) for each in latest.values()],  # type: ignore[arg-type]
            [translate.named(kind, owner, text) for owner, text in gone],
        )

    def clear(self, customer_id: CustomerId, users: Collection[str]) -> None:
        """Take the account's addresses out of these books; records are seen to elsewhere."""
        for user, customer in self._queries.customers(users, ADDRESS_FIELDS).items():
            for address_id, account in mirrored_addresses(customer):
                if account == customer_id.value:
                    self._queries.drop_address(user, address_id)

    def _put(
        self, kind: Kind, user: str, key: PlaceKey, place: Place, held: Sequence[_Entry]
    ) -> None:
        form = form_of(place.address)
        for double in held[1:]:
            self._queries.drop_address(user, double.address_id)
        if held and same_form(held[0].form, form):
            return
        tag = {"kind": kind, "account": key[0].value, "key": key[1]}
        body = {**form, "address_name": place.address.name, "metadata": {TAG: tag}}
        address_id = held[0].address_id if held else None
        # Of an address that is gone Medusa says that all is well.
        after = self._queries.put_address(user, address_id, body)
        wanted = (kind, key[0].value, key[1])
        if not any(tag_of(each) == wanted and same_form(each, form) for each in after):
            raise Conflict(f"an address of customer {user} vanished while it was written")

    def _records(self, kind: Kind, customer_ids: Collection[CustomerId]) -> dict[PlaceKey, Place]:
        read = translate.ship_to_of if kind == "ship_to" else translate.bill_to_of
        records = self._queries.records(kind, [each.value for each in customer_ids])
        found: list[Place] = [read(each) for each in records]
        return {(each.sold_to, _key(each)): each for each in found}

    def _books(
        self, kind: Kind, users: Mapping[CustomerId, tuple[str, ...]]
    ) -> dict[str, dict[PlaceKey, list[_Entry]]]:
        """By user: the tagged addresses of this kind and of the user's account."""
        account_of = {user: owner for owner, members in users.items() for user in members}
        books: dict[str, dict[PlaceKey, list[_Entry]]] = {}
        for user, customer in self._queries.customers(account_of, ADDRESS_FIELDS).items():
            book = books.setdefault(user, {})
            for form in sorted(customer.get("addresses") or (), key=lambda each: str(each["id"])):
                tag = tag_of(form)
                if tag is not None and tag[:2] == (kind, account_of[user].value):
                    key = (account_of[user], tag[2])
                    book.setdefault(key, []).append(_Entry(user, form["id"], form))
        return books


def _key(place: Place) -> str:
    return (place.ship_to_id if isinstance(place, ShipTo) else place.bill_to_id).value


def _of_account(
    books: Mapping[str, dict[PlaceKey, list[_Entry]]],
    users: Mapping[CustomerId, tuple[str, ...]],
    owner: CustomerId,
) -> list[dict[PlaceKey, list[_Entry]]]:
    return [books[user] for user in users.get(owner, ()) if user in books]


def _right(held: Sequence[_Entry], form: Json) -> bool:
    return len(held) == 1 and same_form(held[0].form, form)


def _unlike_any(kind: Kind, key: PlaceKey) -> Place:
    """A place that equals nothing that the ERP has."""
    owner, text = key
    if kind == "ship_to":
        return ShipTo(ShipToId(text), owner, _UNKNOWN)
    return BillTo(BillToId(text), owner, _UNKNOWN)
