"""One table maps a ledger entry to what the store shows at the order (WA-13).

| the entry is                       | the store shows                          |
| ---------------------------------- | ---------------------------------------- |
| discovered, waiting                | pending, with what it waits for          |
| submitting                         | processing                               |
| imported, the number follows later | processing                               |
| imported, acknowledged             | processed, with the ERP order number     |
| refused by the ERP afterwards      | aborted, with the ERP's own message      |
| quarantined                        | aborted, with the reasons; a mistake in  |
|                                    | the mapping is for our staff alone       |
| in review, not in the ERP for sure | aborted, without the ERP's particulars   |
| in review after its import         | as imported: the ERP has the order       |
| closed, dismissed by a person      | aborted, with the person's reason        |
| closed otherwise                   | nothing: the store closed it itself      |

Only sentences made for people go out: no code, no remedy, no trail, and never
the differences of a review, which may name another buyer's account.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sync.domain.decision import Closing, Problem
from sync.domain.ids import ErpOrderNumber
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import ImportNotice, ImportState
from sync.ports.state import LedgerState

IN_REVIEW = "The order is being checked by our staff."

# Their sentences name lines of the mapping files and whose accounts stand there.
FOR_STAFF = frozenset({"assignment_refused", "assignment_conflict", "retail_group_as_individual"})


class Noticed(Protocol):
    """What a notice is made of; a ``LedgerEntry`` has all of it."""

    @property
    def state(self) -> LedgerState: ...
    @property
    def imported_at(self) -> datetime | None: ...
    @property
    def status(self) -> OrderStatus | None: ...
    @property
    def erp_order(self) -> ErpOrderNumber | None: ...
    @property
    def waiting_sentence(self) -> str | None: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    @property
    def closing(self) -> Closing | None: ...
    @property
    def closing_note(self) -> str | None: ...


def notice_for(entry: Noticed) -> ImportNotice | None:
    """What the store should show at this order now; None: leave it as it is."""
    if entry.imported_at is not None:
        return _imported(entry)
    match entry.state:
        case LedgerState.DISCOVERED:
            return ImportNotice(ImportState.PENDING)
        case LedgerState.WAITING:
            return ImportNotice(ImportState.PENDING, message=entry.waiting_sentence)
        case LedgerState.SUBMITTING:
            return ImportNotice(ImportState.PROCESSING)
        case LedgerState.QUARANTINED:
            told = (
                IN_REVIEW if problem.code in FOR_STAFF else problem.sentence
                for problem in entry.problems
            )
            reasons = " ".join(dict.fromkeys(told))
            return ImportNotice(ImportState.ABORTED, message=reasons or None)
        case LedgerState.CLOSED if entry.closing is Closing.DISMISSED:
            return ImportNotice(ImportState.ABORTED, message=entry.closing_note)
        case LedgerState.CLOSED:
            return None
        case _:
            return ImportNotice(ImportState.ABORTED, message=IN_REVIEW)


def _imported(entry: Noticed) -> ImportNotice:
    if entry.status is not None and entry.status.state is ErpOrderState.REFUSED:
        return ImportNotice(ImportState.ABORTED, entry.erp_order, entry.status.message)
    if entry.erp_order is None:
        return ImportNotice(ImportState.PROCESSING)
    return ImportNotice(ImportState.PROCESSED, entry.erp_order)
