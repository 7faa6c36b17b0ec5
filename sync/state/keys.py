"""Idempotency keys: what the ERP files an order under, the same for ever.

A key depends on the store and the store's immutable order ID and on nothing
else, so that a lost ledger, rebuilt from the store, finds every order again.
Changing this module would make the ERP accept old orders a second time.

People search the ERP by this key, so it is readable where it can be:

``shop-1001``
    the store and the order ID, where both consist of digits, small letters, "_"
    and "-" and the whole fits the ERP's field.
``web-eu--1001``
    a store with a hyphen in its name is followed by two. "a-b" with "c" and
    "a" with "b-c" are two orders and must not share a key.
``shop-order_01HX.rrjjai``
    an ID with capitals has six characters of the digest after it: many an ERP
    compares text without regard to case, and there "Ab1" and "aB1" would be one.
``mzxw6ytboi...``
    anything else is the SHA-256 of both, in base32 (a-z, 2-7), 52 characters or
    as many as the field holds. It has no hyphen, so it can be no readable key.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

from sync.domain.ids import IdempotencyKey, StoreId, WebOrderId
from sync.domain.order import StoreOrder
from sync.errors import Misconfigured

# 16 characters of base32 are 80 bits: enough for more orders than any ERP holds.
SHORTEST = 16
_DIGEST_LENGTH = 52

_STORE = re.compile(r"[a-z0-9_]+(-[a-z0-9_]+)*")
_ORDER = re.compile(r"[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*")


def idempotency_key(store: StoreId, order_id: WebOrderId, length: int) -> IdempotencyKey:
    """The key of this order in an ERP whose field holds ``length`` characters.

    Raises Misconfigured where so few characters cannot tell orders apart.
    """
    if length < SHORTEST:
        raise Misconfigured(
            f"the ERP's external reference holds {length} characters; orders can be told"
            f" apart with {SHORTEST} or more: map the key to a longer field"
        )
    digest = _digest(store, order_id)
    readable = _readable(store.value, order_id.value, digest)
    if readable is not None and len(readable) <= length:
        return IdempotencyKey(readable)
    return IdempotencyKey(digest[:length])


def keys_of(store: StoreId, length: int) -> Callable[[StoreOrder], IdempotencyKey]:
    """``idempotency_key`` for the orders of one store and the field of one ERP."""

    def key_for(order: StoreOrder) -> IdempotencyKey:
        return idempotency_key(store, order.order_id, length)

    return key_for


def _readable(store: str, order_id: str, digest: str) -> str | None:
    if not _STORE.fullmatch(store) or not _ORDER.fullmatch(order_id):
        return None
    joint = "--" if "-" in store else "-"
    tail = "" if order_id == order_id.lower() else f".{digest[:6]}"
    return f"{store}{joint}{order_id}{tail}"


def _digest(store: StoreId, order_id: WebOrderId) -> str:
    # The length in front keeps two pairs apart whatever characters they hold.
    text = f"{len(store.value)}:{store}:{order_id}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return digest[:_DIGEST_LENGTH]
