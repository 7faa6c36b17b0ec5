"""What is under way together: the claims of a hand of orders (``hands.py``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sync.domain.decision import Admitted
from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.ports.state import Claim


@dataclass(slots=True)
class Ready:
    """An order that was judged and is not in the ERP, with what it was judged by."""

    claim: Claim
    order: StoreOrder
    admitted: Admitted


@dataclass(slots=True)
class Hand:
    """The claims of a hand that have no outcome yet.

    ``frozen``: an instruction of ours is kept for it that surely has not left.
    ``alone``: what is left to do about it apart from the others, in this order.
    ``refused``: how often the ERP has refused a group of them. ``read_at``: when the
    first fact was read that they are judged by, ``accounts_at`` when the accounts were,
    on the monotonic clock.
    """

    open: dict[WebOrderId, Claim]
    frozen: set[WebOrderId] = field(default_factory=set)
    alone: list[tuple[Claim, Callable[[], None]]] = field(default_factory=list)
    refused: int = 0
    read_at: float = 0.0
    accounts_at: float = 0.0

    def settled(self, claim: Claim) -> None:
        """It has an outcome, or somebody else takes care of it."""
        self.open.pop(claim.order_id, None)
        self.frozen.discard(claim.order_id)
