"""What the store has confirmed of the ship-tos and invoices of accounts, a row for each account.

Nothing here is the truth: it may be forgotten at any time, and then what the store shows of
the account is read and compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from sync.domain.ids import CustomerId
from sync.ports.erp import Feed

FORGOTTEN = -1


@dataclass(frozen=True, slots=True)
class Remembered:
    """The store shows exactly what the ERP told of an account while it said ``state``.

    ``shown``: so many records; FORGOTTEN is no knowledge but a mark, see ``forget_accounts``,
    and its ``state`` is another one each time.
    """

    state: bytes
    shown: int

    @property
    def forgotten(self) -> bool:
        return self.shown == FORGOTTEN


class RecordMemory(Protocol):
    """Of one pipeline and its store. Whoever writes an account's records forgets them first.

    So a crash at any moment leaves nothing here that the store does not show.
    """

    def known(self, kind: Feed) -> Mapping[CustomerId, Remembered]:
        """All that is known of this kind of record, of this store alone; marks too."""
        ...

    def confirm(
        self,
        kind: Feed,
        records: Mapping[CustomerId, Remembered],
        before: Mapping[CustomerId, Remembered],
    ) -> None:
        """The store shows these, unless somebody else has forgotten an account meanwhile.

        ``before`` is what the run knows to stand here; of an account of which anything else
        does, nothing is kept.
        """
        ...

    def forget(self, kind: Feed, customer_ids: Collection[CustomerId]) -> None:
        """It is not known any more what the store shows of these. Marks stay."""
        ...

    def forget_accounts(self, customer_ids: Collection[CustomerId]) -> None:
        """The same of every kind, with a mark for each account: what a run has compared
        before is not confirmed by it afterwards."""
        ...
