"""Whom an item is for that is not for everybody (VE-5)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, AudienceKind

NAMED = frozenset(
    {AudienceKind.ACCOUNT, AudienceKind.TAG, AudienceKind.PUBLIC, AudienceKind.RETAIL}
)
"""The audiences that an item can be kept for."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Who alone may see and buy a restricted item; without an audience nobody.

    The audiences are sorted, each once, so that equal entitlements compare equal.
    Raises ValueError where they are not, or are of a kind that nothing is kept for.
    """

    sku: Sku
    audiences: tuple[Audience, ...] = ()

    def __post_init__(self) -> None:
        orders = [each.order for each in self.audiences]
        if orders != sorted(set(orders)):
            raise ValueError(f"audiences of {self.sku} out of order, or one of them twice")
        for each in self.audiences:
            if each.kind not in NAMED:
                raise ValueError(f"item {self.sku} cannot be kept for {each}")

    def open_to(self, customer_id: CustomerId, tags: Collection[str]) -> bool:
        """Whether this account, with the tags that it carries, may see and buy the item."""
        return any(
            (each.kind is AudienceKind.ACCOUNT and each.key == customer_id.value)
            or (each.kind is AudienceKind.TAG and each.key in tags)
            for each in self.audiences
        )
