"""Money that moves after an order was imported: captures in the store, credits in the ERP."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import date
from enum import Enum

from sync.domain.ids import (
    CustomerId,
    ErpOrderNumber,
    IdempotencyKey,
    RefundId,
    WebOrderId,
    WebOrderNumber,
)
from sync.domain.money import Money


class CaptureState(Enum):
    """How far the store is with a capture that it was asked for."""

    REQUESTED = "requested"
    CAPTURED = "captured"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Capture:
    """So much of what was authorised on an order, asked for under this key.

    ``message`` is the store's own text, for one that it refused.
    """

    key: IdempotencyKey
    amount: Money
    state: CaptureState = CaptureState.CAPTURED
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """What the store gave back, for the ERP to credit. ``amount`` is positive.

    ``order`` is the key under which the ERP has the order, ``refunded_on`` the day
    in the ERP's calendar.
    """

    order: IdempotencyKey
    erp_order: ErpOrderNumber | None
    sold_to: CustomerId
    web_order: WebOrderId
    web_number: WebOrderNumber
    refund: RefundId
    amount: Money
    refunded_on: date


@dataclass(frozen=True, slots=True)
class Credit:
    """The ERP has the request. ``number`` None: it gave none; ``amount`` None: it tells none."""

    number: str | None = None
    amount: Money | None = None


KEY_LENGTH = 52


def settlement_key(
    order: IdempotencyKey, kind: str, number: str, length: int = KEY_LENGTH
) -> IdempotencyKey:
    """What one capture or credit of an order is asked for under, the same for ever.

    It depends on the order's own key and on what is asked for, so that a lost state
    asks under the same key again. Small letters and digits only: many a system
    compares text without regard to case.
    """
    text = f"{len(order.value)}:{order}:{kind}:{number}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return IdempotencyKey(digest[: min(KEY_LENGTH, length)])
