"""How the store contract plays the shoppers and the staff behind an adapter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from sync.domain.address import Address
from sync.domain.channel import Channel
from sync.domain.ids import (
    CustomerId,
    OrganisationId,
    ShipToId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.order import Organisation, WebOrder, WebUser
from sync.domain.registration import Application
from sync.domain.views import ImportNotice

T = TypeVar("T")


class StoreWorld(Protocol):
    """The store behind the adapter, changed past the adapter.

    For a store with a database its methods are plain statements; for one
    behind a web API they fill the stand-in that answers it. A method that has
    nothing to work on in this store calls ``pytest.skip`` and says so by name.
    """

    def told(self, fact: T) -> T:
        """The fact as this store can tell it: what it has no place for, at its default.

        Gives WebOrder, WebUser, Organisation and every mirrored record back
        unchanged where the store keeps everything.
        """
        ...

    def place_order(self, order: WebOrder) -> None:
        """A checkout was completed; both times are those that the order carries."""
        ...

    def change_order(self, order: WebOrder) -> None:
        """The order with that ID is now as given, its time of change included."""
        ...

    def place_unreadable(
        self, order_id: WebOrderId, number: WebOrderNumber, modified_at: datetime
    ) -> None:
        """An order came in that no WebOrder can tell, say with a negative quantity."""
        ...

    def vanish_order(self, order_id: WebOrderId) -> None:
        """The store no longer shows the order."""
        ...

    def add_user(self, user: WebUser) -> None: ...

    def add_organisation(self, organisation: Organisation) -> None: ...

    def add_channel(self, channel: Channel) -> None:
        """The shop opens this sales channel and treats its shoppers like that."""
        ...

    def tag_organisation(self, organisation: OrganisationId, tag: str) -> None:
        """The store's own people put the organisation into a group of theirs."""
        ...

    def own_tags(self, organisation: OrganisationId) -> Collection[str]:
        """The groups that the store's own people put it into, read past the adapter."""
        ...

    def hand_in(self, application: Application) -> None:
        """Somebody hands in the form, or hands it in again with what it says now."""
        ...

    def add_own_address(self, web_user: WebUserId, address: Address) -> None:
        """The shopper saves an address in their own address book."""
        ...

    def own_addresses(self, web_user: WebUserId) -> Sequence[Address]:
        """The shopper's own address book, oldest entry first."""
        ...

    def offered_ship_tos(self, web_user: WebUserId) -> Collection[tuple[CustomerId, ShipToId]]:
        """The mirrored ship-tos that this user can pick, as the shop's own pages have them."""
        ...

    def touch_ship_tos(self) -> None:
        """Somebody changes the town of every mirrored ship-to where shoppers see it."""
        ...

    def touch_prices(self) -> None:
        """Somebody changes the amount of every mirrored price where shoppers see it."""
        ...

    def refuse_record(self, key: str) -> None:
        """From now on the store refuses to write mirrored records with this key.

        ``key`` is a customer ID, ship-to ID, bill-to ID, invoice or document number,
        part number or SKU.
        """
        ...

    def notice(self, order_id: WebOrderId) -> ImportNotice | None:
        """What people see at the order, read past the adapter."""
        ...
