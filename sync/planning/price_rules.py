"""How an entry of the ERP is published to an audience, apart from the entry and the day.

Without Arrow: where nothing changed, nothing else is looked at.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience
from sync.planning.prices import currencies_of


@dataclass(frozen=True, slots=True)
class Rules:
    """What turns an entry into what is published, besides the entry and the day.

    ``currencies``: those that the audience is shown, None for all.
    """

    currencies: frozenset[str] | None
    zero_means_call: bool

    @classmethod
    def of(cls, audience: Audience, mapping: SyncMapping) -> Rules:
        return cls(currencies_of(audience, mapping), mapping.zero_means_call(audience.channel))

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that are others as soon as the same entry might be published otherwise."""
        currencies = "*" if self.currencies is None else " ".join(sorted(self.currencies))
        told = f"1|{currencies}|{self.zero_means_call}"
        return hashlib.sha256(told.encode()).digest()[:16]
