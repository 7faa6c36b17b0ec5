"""Keys of the ERP and the store, each a type of its own.

A key is text, spelled as its owner spells it: "000123" and "123" are two
customers. Adapters strip the padding of CHAR columns; nobody converts to a
number. Two keys of different types never compare equal, so a ship-to cannot be
mistaken for a customer.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_KEY_LENGTH = 255


def well_formed(value: object) -> bool:
    """Whether the value can be a key at all: printable text, neither empty nor padded."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_KEY_LENGTH
        and value == value.strip()
        and value.isprintable()
    )


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Text without surrounding space or control characters, at most 255 long.

    Raises ValueError for anything else.
    """

    value: str

    def __post_init__(self) -> None:
        if not well_formed(self.value):
            raise ValueError(f"not a {type(self).__name__}: {self.value!r}")

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return self.value


class CustomerId(Key):
    """The ERP's key for a customer account (sold-to)."""

    __slots__ = ()


class ContactId(Key):
    """The ERP's key for a contact of an account."""

    __slots__ = ()


class ShipToId(Key):
    """The ERP's key for a ship-to, unique within its account."""

    __slots__ = ()


class BillToId(Key):
    """The ERP's key for a bill-to, unique within its account."""

    __slots__ = ()


class LocationId(Key):
    """A site of an account: an ERP branch or ship-to with rules of its own."""

    __slots__ = ()


class Sku(Key):
    """An item number, as the ERP spells it."""

    __slots__ = ()


class PartNumber(Key):
    """An organisation's own number for an item, as its buyers know it."""

    __slots__ = ()


class DocumentNumber(Key):
    """A document's number, unique within its kind and account."""

    __slots__ = ()


class InvoiceNumber(Key):
    """The ERP's number of an invoice or credit note."""

    __slots__ = ()


class ErpOrderNumber(Key):
    """The ERP's number of a sales order."""

    __slots__ = ()


class StoreId(Key):
    """The name of one store instance; part of every order's identity for ever."""

    __slots__ = ()


class ChannelId(Key):
    """A sales channel of a store."""

    __slots__ = ()


class WebUserId(Key):
    """The store's immutable key for a web user."""

    __slots__ = ()


class OrganisationId(Key):
    """The store's immutable key for an organisation."""

    __slots__ = ()


class ApplicationId(Key):
    """The store's immutable key for a registration that somebody handed in."""

    __slots__ = ()


class WebOrderId(Key):
    """The store's immutable key for an order; not the number that people read."""

    __slots__ = ()


class WebOrderNumber(Key):
    """The order's number as the buyer reads it."""

    __slots__ = ()


class IdempotencyKey(Key):
    """What makes a second submit harmless: the ERP's unique external reference."""

    __slots__ = ()


class RefundId(Key):
    """The store's key for one refund, unique within its order."""

    __slots__ = ()
