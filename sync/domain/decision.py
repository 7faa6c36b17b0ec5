"""What was decided about an order, in words that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sync.domain.ids import ContactId, CustomerId
from sync.domain.sales_order import SalesOrder


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a document cannot go on.

    ``code`` is a stable word; ``sentence`` says what is wrong; ``remedy`` what
    to do about it; ``rule`` is the ID of the rule that forbids it.
    """

    code: str
    sentence: str
    remedy: str
    rule: str

    def __str__(self) -> str:
        """ "WA-2a user_unmapped: nobody mapped user 17. Way out: map the user." """
        return f"{self.rule} {self.code}: {self.sentence.rstrip('.')}. Way out: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Routed:
    """The account that an order goes into, and the rule that chose it.

    ``trail`` tells the decision step by step, for ``explain``.
    """

    customer_id: CustomerId
    retail: bool
    rule: str
    contact: ContactId | None = None
    trail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unrouted:
    """No account: why, and the way out."""

    problems: tuple[Problem, ...]
    trail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is stamped into the ledger when an order is admitted (WA-2d)."""

    customer_id: CustomerId
    retail: bool
    rule: str
    mapping_version: str
    decided_at: datetime
    trail: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """The order may be imported, as this instruction."""

    order: SalesOrder
    decision: Decision


@dataclass(frozen=True, slots=True)
class Waits:
    """Not yet: what is waited for. Judged again when the store changes it or in time."""

    code: str
    sentence: str
    rule: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Importable only after a person acts; every rule that forbids it is named.

    ``customer_id`` is the account that it would go into, where that was decided.
    """

    problems: tuple[Problem, ...]
    trail: tuple[str, ...] = ()
    customer_id: CustomerId | None = None

    def __post_init__(self) -> None:
        if not self.problems:
            raise ValueError("a quarantined order needs a reason")


class Closing(Enum):
    """Why an order will never be imported."""

    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    APPROVAL_REFUSED = "approval_refused"
    VANISHED = "vanished"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Closed:
    """Never to be imported, and not in quarantine; counted in the reconciliation."""

    why: Closing
    sentence: str
    rule: str


Outcome = Admitted | Waits | Quarantined | Closed
