"""What the store has confirmed of the price mirror, so that it need not be asked each time.

A *partition* is one scope as it is published to one audience. Nothing here is the truth:
it may be forgotten at any time, and then the partition is compared with the store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sync.domain.ids import CustomerId, LocationId
from sync.domain.pricing import Audience, AudienceKind, PriceScope

Partition = tuple[Audience, PriceScope]

Forgotten = tuple[AudienceKind, str]
"""ACCOUNT or LOCATION and its key; an empty key stands for all sites."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a partition shows, exactly, once everything that was told is written.

    ``vector`` is the fingerprint of the ERP's entries that it was made of, ``rules`` that
    of how it was made, as of ``day`` in the ERP's calendar. ``shown``: entries in the store.
    """

    vector: bytes
    rules: bytes
    day: date
    shown: int


@dataclass(frozen=True, slots=True)
class Stated:
    """The entries of a scope as they were while the ERP said ``state`` of them.

    ``vector`` is their fingerprint. No entry of it is over on a day from ``since`` to
    ``ends`` that was not over on the others; None for ``ends``: on no later day either.
    It is a fact about the ERP alone, whatever the store shows.
    """

    state: bytes
    vector: bytes
    since: date
    ends: date | None


@dataclass(frozen=True, slots=True)
class PackedVector:
    """A vector as ``sync.columnar.packing`` packs it.

    ``base`` is the fingerprint of the one that it is a difference from, which itself is
    none; None for a whole one.
    """

    fingerprint: bytes
    base: bytes | None
    content: bytes


class PriceMemory(Protocol):
    """Of one pipeline and its store. Whoever writes a partition forgets it first.

    So a crash at any moment leaves nothing here that the store does not show.
    """

    def confirmed(self) -> Mapping[Partition, Confirmed]:
        """All that is known, of this store alone."""
        ...

    def vectors(self, fingerprints: Collection[bytes]) -> Mapping[bytes, PackedVector]:
        """These vectors, with those that they are differences from; one not kept is absent."""
        ...

    def keep(self, vectors: Sequence[PackedVector]) -> None:
        """Keep vectors for ``confirm`` of the same transaction; one that is there stays."""
        ...

    def confirm(self, partitions: Mapping[Partition, Confirmed]) -> None:
        """The store shows these. Their vectors are kept, or were in this transaction."""
        ...

    def forget(self, partitions: Collection[Partition]) -> None:
        """It is not known any more what the store shows of these."""
        ...

    def forget_account(
        self, customer_id: CustomerId, sites: Collection[LocationId] | None = None
    ) -> None:
        """The same for the account and these sites; for all sites where none are named.

        Nor is it remembered what their own entries were.

        Until ``tidy`` it is told by ``forgotten``, so that a run which is writing does not
        confirm what somebody else has taken away meanwhile.
        """
        ...

    def forgotten(self) -> Mapping[Forgotten, bytes]:
        """Accounts and sites that were forgotten, each with other bytes every time."""
        ...

    def stated(self) -> Mapping[PriceScope, Stated]:
        """What need not be read of the ERP while it says the same; vectors are kept."""
        ...

    def remember(self, stated: Mapping[PriceScope, Stated]) -> None:
        """Remember these; one is passed over of which the vector is not kept."""
        ...

    def forget_stated(self, scopes: Collection[PriceScope]) -> None:
        """The ERP is to be read again for these."""
        ...

    def forget_all(self) -> None: ...

    def tidy(self) -> int:
        """Give up vectors that nothing needs any more, and their room; how many."""
        ...
