"""A hint as our own parts send it: signed, and ``{"orders": ["…"]}``, keys and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sync.domain.ids import WebOrderId, well_formed
from sync.errors import NotGenuine, Rejected
from sync.kit.http_body import BadBody, strict_json
from sync.kit.signatures import SIGNATURE_HEADER, genuine

MOST_ORDERS = 1000
"""In one hint; whoever has more to tell sends several, or leaves it to the next poll."""


def hinted(
    headers: Mapping[str, str], body: bytes, secret: str | None, now: datetime
) -> frozenset[WebOrderId]:
    """The orders of a delivery, once it is known to be genuine; without a secret none is.

    Raises NotGenuine, and Rejected for a genuine one that cannot be understood.
    """
    known = () if secret is None else (secret,)
    if not genuine(body, headers.get(SIGNATURE_HEADER), known, now):
        raise NotGenuine("the hint is not signed by this store, or too old")
    return orders_of(body)


def orders_of(body: bytes) -> frozenset[WebOrderId]:
    """The orders that the body names. Raises Rejected for anything else."""
    try:
        told = strict_json(body)
    except BadBody as error:
        raise _not_understood(str(error)) from None
    named = told.get("orders") if isinstance(told, dict) else None
    if not isinstance(named, list) or len(named) > MOST_ORDERS:
        raise _not_understood(f'it has no list "orders" of at most {MOST_ORDERS} keys')
    if not all(isinstance(each, str) and well_formed(each) for each in named):
        raise _not_understood("an order is not named by its key, as a text")
    return frozenset(WebOrderId(each) for each in named)


def _not_understood(why: str) -> Rejected:
    return Rejected(
        f"the hint cannot be understood: {why}",
        code="hint_not_understood",
        remedy='send {"orders": ["KEY"]} with the keys of the orders that changed',
    )
