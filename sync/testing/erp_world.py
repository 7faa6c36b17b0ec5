"""How the ERP contract arranges facts in the system behind an adapter.

The author of an adapter writes one ``ErpWorld`` beside the tests. For a SQL
adapter its methods are plain INSERTs, UPDATEs and SELECTs into the ERP's own
tables, past the adapter: that is what makes the suite a proof.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.address import Address
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.document import DocumentRecord
from sync.domain.ids import CustomerId, IdempotencyKey, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price
from sync.domain.sales_order import OrderStatus
from sync.ports.erp import Feed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OrderRows:
    """How many order headers and order lines there are."""

    headers: int
    lines: int


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """One order line as it stands in the ERP's own tables."""

    sku: Sku
    quantity: Decimal
    unit: str
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """One order as it stands in the ERP's own tables, lines by their number.

    ``ship_to_id`` is the ship-to on file that the order names, ``one_off`` the
    address written on the order itself; None where nothing was written.
    ``amounts`` are charges, discounts, taxes and adjustments as pairs of code
    and amount, sorted, discounts positive. ``amounts``, ``payment_references``
    and ``po_number`` are None where the ERP has no place for such a thing at
    all, otherwise empty at least: what has a place must have been written.
    """

    sold_to: CustomerId
    lines: tuple[WrittenLine, ...]
    ship_to_id: ShipToId | None = None
    one_off: Address | None = None
    po_number: str | None = None
    notes: str | None = None
    payment_references: tuple[str, ...] | None = None
    amounts: tuple[tuple[str, Decimal], ...] | None = None


class ErpWorld(Protocol):
    """The system behind the adapter, as its own staff and programs see it.

    A method that has nothing to work on in this ERP (no bill-tos, no price
    groups) calls ``pytest.skip`` and says so by name.
    """

    def told(self, fact: T) -> T:
        """The fact as this ERP can tell it: what it has no place for, at its default.

        Gives Account, Location, ShipTo, BillTo, Item, Invoice, AccountBalance,
        AccountOrder, CustomerPart, Availability, Price and OrderStatus back unchanged where the
        ERP keeps everything.
        """
        ...

    def add_account(self, account: Account) -> None:
        """Insert the customer with its contacts, currencies and price groups."""
        ...

    def add_location(self, location: Location) -> None: ...

    def add_ship_to(self, ship_to: ShipTo) -> None: ...

    def add_bill_to(self, bill_to: BillTo) -> None: ...

    def add_item(self, item: Item) -> None: ...

    def add_price(self, price: Price) -> None:
        """Insert one entry of a price list, contract or override."""
        ...

    def add_invoice(self, invoice: Invoice) -> None:
        """Insert the posted document with its lines and dues."""
        ...

    def add_balance(self, balance: AccountBalance) -> None:
        """Insert what the account owes in this currency, with its ageing."""
        ...

    def add_account_order(self, order: AccountOrder) -> None:
        """Insert an order that was not submitted by us, with its lines, whose items are there."""
        ...

    def add_customer_part(self, part: CustomerPart) -> None:
        """Insert the account's own number for an item, which is there."""
        ...

    def add_document(self, record: DocumentRecord, file: bytes | None = None) -> None:
        """Insert what the ERP knows of the account's document; its file is elsewhere.

        With ``file`` the ERP gives it out itself; once more, and it is another file of
        the same document.
        """
        ...

    def add_availability(self, figure: Availability) -> None:
        """Insert what a warehouse has of an item, which is there."""
        ...

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        """Let the ERP have worked on the order, which was submitted before."""
        ...

    def drop_account(self, customer_id: CustomerId) -> None:
        """Delete the customer with its ship-tos, bill-tos, prices and invoices."""
        ...

    def drop_ship_to(self, customer_id: CustomerId, ship_to_id: ShipToId) -> None: ...

    def pad_keys(self, customer_id: CustomerId) -> None:
        """Pad every spelling of this key with trailing spaces, as CHAR columns do."""
        ...

    def damage_price(self, price: Price) -> None:
        """Let the row of this entry be one that nobody can understand any more."""
        ...

    def add_unreadable_contact(self, email: str) -> None:
        """Insert a contact with this address of which nobody can tell whose it is."""
        ...

    def refuse_item(self, sku: Sku) -> None:
        """From now on the ERP refuses to write an order line with this item."""
        ...

    def mark_changed(self, customer_id: CustomerId, feed: Feed, at: datetime) -> None:
        """Let the customer's records of this feed have last changed at that moment."""
        ...

    def order_rows(self, key: IdempotencyKey | None = None) -> OrderRows:
        """Count headers and lines, orphans included; with a key those of that order."""
        ...

    def written(self, key: IdempotencyKey) -> WrittenOrder | None:
        """The order under this key, read past the adapter."""
        ...

    def filed_ship_tos(self, customer_id: CustomerId) -> Collection[ShipToId]:
        """Every address on file of the account, whatever the adapter selects."""
        ...
