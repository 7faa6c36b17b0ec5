"""What admission knows when it judges an order, and where it writes its findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.channel import Channel
from sync.domain.decision import Problem, Routed, Unrouted
from sync.domain.ids import ErpOrderNumber, Sku
from sync.domain.mapping import AccountPolicy, SyncMapping
from sync.domain.money import Money
from sync.domain.order import BuyerRecord
from sync.domain.problem_codes import problem
from sync.ports.erp import ErpCapabilities


@dataclass(frozen=True, slots=True)
class LinePrice:
    """The ERP's own price for a line; ``unit_price`` None: it has none to show."""

    unit_price: Decimal | None


@dataclass(frozen=True, slots=True)
class AdmissionFacts:
    """Everything that was looked up for one order.

    ``account`` is None where routing found no customer ID or the ERP does not
    have it. ``ship_tos``, ``bill_tos`` and ``locations`` are the account's.
    ``prices`` is by line ID; a line is absent where the ERP cannot be asked.
    ``erp_tax`` is the ERP's own tax for this order, where it can tell.
    """

    channel: Channel
    mapping: SyncMapping
    routing: Routed | Unrouted
    record: BuyerRecord
    capabilities: ErpCapabilities
    now: datetime
    account: Account | None = None
    ship_tos: tuple[ShipTo, ...] = ()
    bill_tos: tuple[BillTo, ...] = ()
    locations: tuple[Location, ...] = ()
    items: Mapping[Sku, Item] = field(default_factory=dict)
    prices: Mapping[str, LinePrice] = field(default_factory=dict)
    po_used: ErpOrderNumber | None = None
    erp_tax: Money | None = None
    store_organisations: bool = True

    @property
    def routed(self) -> Routed | None:
        return self.routing if isinstance(self.routing, Routed) else None

    @property
    def retail(self) -> bool | None:
        """Whether it is a retail order; None while there is no account."""
        return self.routing.retail if isinstance(self.routing, Routed) else None

    @property
    def policy(self) -> AccountPolicy:
        routed = self.routed
        return self.mapping.policy(routed.customer_id) if routed else self.mapping.default_policy


@dataclass(slots=True)
class Notebook:
    """Findings of one admission: problems forbid, flags and notes travel with the order."""

    problems: list[Problem] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def forbid(self, code: str, sentence: str, remedy: str) -> None:
        found = problem(code, sentence, remedy)
        if found not in self.problems:
            self.problems.append(found)

    def flag(self, remark: str) -> None:
        """A remark for the ERP's staff that does not stop the order."""
        self.flags.append(remark)

    def note(self, text: str) -> None:
        """Text that no field of the ERP's order has room for."""
        self.notes.append(text)
