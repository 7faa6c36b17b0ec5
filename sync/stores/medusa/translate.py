"""Customers, groups and the records of our module as domain objects, and back."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sync.domain import codec
from sync.domain.account import BillTo, ShipTo
from sync.domain.ids import ChannelId, CustomerId, Sku, WebUserId
from sync.domain.invoice import Invoice
from sync.domain.money import plain
from sync.domain.order import WebUser
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceLevel,
    PriceScope,
    PriceValue,
)
from sync.domain.views import AccountProfile, PublishedPriceKey
from sync.stores.medusa.addresses import address_text, form_of

Json = dict[str, Any]

ACCOUNT_GROUP = "tradesync_account"
AUDIENCE_GROUP = "tradesync_audience"
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def staff_customer_id(groups: Iterable[Mapping[str, Any]], key: str) -> str | None:
    """The ERP customer ID that staff wrote into the customer's groups.

    Groups only: a shopper can write the customer's own metadata. Two groups that
    name different accounts give both, a line each, and what is no text gives
    itself: neither is a customer ID, so that the buyer is refused rather than
    taken for somebody without an account (WA-2c).
    """
    found: list[str] = []
    for group in groups:
        value = (group.get("metadata") or {}).get(key)
        if value is None or value == "":
            continue
        text = value if isinstance(value, str) else f"{json.dumps(value)} (not a text)\n"
        if text not in found:
            found.append(text)
    return "\n".join(sorted(found)) or None


def web_user(customer: Mapping[str, Any], account_key: str) -> WebUser | None:
    """The customer as a web user; None for a guest, who has no login.

    Medusa sends no mail to prove an address, so none is verified.
    """
    if customer.get("has_account") is not True:
        return None
    return WebUser(
        web_user=WebUserId(customer["id"]),
        staff_customer_id=staff_customer_id(customer.get("groups") or (), account_key),
    )


# Mirrored records


def account_record(profile: AccountProfile, group_id: str) -> Json:
    return _record("account", profile.customer_id, "account", profile, about=group_id)


def ship_to_record(ship_to: ShipTo) -> Json:
    about = address_text(form_of(ship_to.address))
    return _record("ship_to", ship_to.sold_to, ship_to.ship_to_id.value, ship_to, about=about)


def bill_to_record(bill_to: BillTo) -> Json:
    about = address_text(form_of(bill_to.address))
    return _record("bill_to", bill_to.sold_to, bill_to.bill_to_id.value, bill_to, about=about)


def invoice_record(invoice: Invoice) -> Json:
    day = invoice.invoiced_on.isoformat()
    return _record("invoice", invoice.sold_to, invoice.number.value, invoice, about=day)


def profile_of(record: Json) -> AccountProfile:
    profile: AccountProfile = codec.loads(AccountProfile, record["document"])
    return profile


def ship_to_of(record: Json) -> ShipTo:
    ship_to: ShipTo = codec.loads(ShipTo, record["document"])
    return ship_to


def bill_to_of(record: Json) -> BillTo:
    bill_to: BillTo = codec.loads(BillTo, record["document"])
    return bill_to


def invoice_of(record: Json) -> Invoice:
    invoice: Invoice = codec.loads(Invoice, record["document"])
    return invoice


def named(kind: str, owner: CustomerId, key: str) -> Json:
    """The record to remove."""
    return {"kind": kind, "owner": owner.value, "key": key}


# Prices: their owner is the partition, so that one can be read and listed by itself.


@functools.lru_cache(maxsize=4096)
def partition_text(audience: Audience, scope: PriceScope) -> str:
    parts = [
        audience.kind.value,
        audience.key,
        audience.channel.value if audience.channel else "",
        scope.level.value,
        scope.owner,
    ]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def partition_of(text: str) -> tuple[Audience, PriceScope]:
    kind, key, channel, level, owner = json.loads(text)
    audience = Audience(AudienceKind(kind), key, ChannelId(channel) if channel else None)
    return audience, PriceScope(PriceLevel(level), owner)


# Lists that accounts share: their rows, their stamps, and who is a member of which.

LIST_STAMPS = "tradesync price lists"
LIST_MEMBERS = "tradesync price list members"
"""What records of these two are about, so that all are found at once; no item is meant."""

_STAMPS, _LIST, _MEMBER = "shared lists", "shared list", "member"
_COUNTED = 5
"""Parts of a partition's text; no list nor member has as many."""


def list_owner(list_id: str) -> str:
    """Whose the rows of a list are."""
    return json.dumps([_LIST, list_id], ensure_ascii=False)


def list_of(owner: str) -> str | None:
    """The list whose rows an owner's are; None where the owner is a partition or a member."""
    parts = json.loads(owner)
    return str(parts[1]) if len(parts) == 2 and parts[0] == _LIST else None


def stamp_named(list_id: str) -> Json:
    return {"kind": "price", "owner": json.dumps([_STAMPS]), "key": list_id}


def stamp_record(list_id: str, stamp: str) -> Json:
    return {**stamp_named(list_id), "about": LIST_STAMPS, "document": stamp}


def member_named(partition: tuple[Audience, PriceScope]) -> Json:
    owner = json.dumps([_MEMBER, partition_text(*partition)], ensure_ascii=False)
    return {"kind": "price", "owner": owner, "key": _MEMBER}


def member_record(partition: tuple[Audience, PriceScope], list_id: str) -> Json:
    return {**member_named(partition), "about": LIST_MEMBERS, "document": list_id}


def stamp_of(record: Json) -> tuple[str, str] | None:
    """List and stamp; None for a record of something else."""
    if json.loads(record["owner"]) != [_STAMPS]:
        return None
    return str(record["key"]), str(record["document"])


def member_of(record: Json) -> tuple[tuple[Audience, PriceScope], str] | None:
    """Who is a member, and of which list; None for a record of something else."""
    parts = json.loads(record["owner"])
    if len(parts) != 2 or parts[0] != _MEMBER:
        return None
    return partition_of(parts[1]), str(record["document"])


def shown_by(owner: str) -> tuple[Audience, PriceScope] | None:
    """The partition that an owner is or stands for as a member; None for a list."""
    parts = json.loads(owner)
    if len(parts) == _COUNTED:
        return partition_of(owner)
    return partition_of(parts[1]) if parts[0] == _MEMBER else None


def list_scope(list_id: str) -> PriceScope:
    """Of the rows of a list: they count as the own prices of an account do."""
    return PriceScope(PriceLevel.ACCOUNT, list_id)


def list_price_record(list_id: str, price: Price) -> Json:
    parts = codec.encode(price.key)
    return {
        **list_price_named(list_id, price.key),
        "about": price.key.sku.value,
        "document": _COMPACT.encode([parts, codec.encode(price.value)]),
    }


def list_price_named(list_id: str, key: PriceKey) -> Json:
    return {"kind": "price", "owner": list_owner(list_id), "key": _key_text(key, codec.encode(key))}


def list_price_of(record: Json) -> Price:
    key, value = json.loads(record["document"])
    return Price(codec.decode(PriceKey, key), codec.decode(PriceValue, value))


def price_record(key: PublishedPriceKey, value: PriceValue) -> Json:
    parts = codec.encode(key.key)
    document = [parts, codec.encode(value)]
    return {
        **_price_named(key, parts),
        "about": key.key.sku.value,
        "document": _COMPACT.encode(document),
    }


def price_named(key: PublishedPriceKey) -> Json:
    return _price_named(key, codec.encode(key.key))


def _price_named(key: PublishedPriceKey, parts: Json) -> Json:
    """Equal keys are one record, in whatever scale their quantity is written."""
    return {
        "kind": "price",
        "owner": partition_text(key.audience, key.key.scope),
        "key": _key_text(key.key, parts),
    }


def _key_text(key: PriceKey, parts: Json) -> str:
    return codec.fingerprint_of({**parts, "min_quantity": plain(key.min_quantity)})


def price_of(record: Json) -> tuple[PublishedPriceKey, PriceValue]:
    audience, _ = partition_of(record["owner"])
    key, value = json.loads(record["document"])
    return (
        PublishedPriceKey(audience, codec.decode(PriceKey, key)),
        codec.decode(PriceValue, value),
    )


def sku_of(record: Json) -> Sku:
    return Sku(record["about"])


def _record(kind: str, owner: CustomerId, key: str, fact: object, *, about: str) -> Json:
    return {**named(kind, owner, key), "about": about, "document": codec.dumps(fact)}
