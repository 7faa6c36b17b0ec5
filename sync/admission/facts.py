"""What admission knows when it judges an order, and where it writes its findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.channel import Channel
from sync.domain.decision import Problem, Routed, Unrouted
from sync.domain.ids import BillToId, CustomerId, ErpOrderNumber, LocationId, ShipToId, Sku
from sync.domain.mapping import AccountPolicy, SyncMapping
from sync.domain.money import Money
from sync.domain.order import BuyerRecord
from sync.domain.problem_codes import problem
from sync.ports.erp import ErpCapabilities


@dataclass(frozen=True, slots=True)
class LinePrice:
    """The ERP's own price for a line; ``unit_price`` None: it has none to show.

    ``unit`` is the ERP's unit that the price is for; None: the line's own.
    """

    unit_price: Decimal | None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class AdmissionFacts:
    """Everything that was looked up for one order.

    ``account`` is None where routing found no customer ID or the ERP does not
    have it. ``ship_tos``, ``bill_tos`` and ``locations`` are the account's.
    ``prices`` is by line ID; a line is absent where the ERP cannot be asked.
    ``erp_tax`` is the ERP's own tax for this order, where it can tell. ``unread`` says
    of an account or an item that is not here what the ERP has of it and nobody can read.
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
    unread: Mapping[CustomerId | Sku, str] = field(default_factory=dict)

    @property
    def routed(self) -> Routed | None:
        return self.routing if isinstance(self.routing, Routed) else None

    @property
    def retail(self) -> bool | None:
        """Whether it is a retail order; None while there is no account."""
        return self.routing.retail if isinstance(self.routing, Routed) else None

    def location(self, location_id: LocationId | None) -> Location | None:
        """The account's own site with this ID."""
        for each in self.locations:
            if each.location_id == location_id and self._own(each.sold_to):
                return each
        return None

    def ship_to(self, ship_to_id: ShipToId) -> ShipTo | None:
        """The account's own ship-to; IDs are unique within one account only."""
        for each in self.ship_tos:
            if each.ship_to_id == ship_to_id and self._own(each.sold_to):
                return each
        return None

    def bill_to(self, bill_to_id: BillToId) -> BillTo | None:
        for each in self.bill_tos:
            if each.bill_to_id == bill_to_id and self._own(each.sold_to):
                return each
        return None

    def _own(self, sold_to: CustomerId) -> bool:
        return self.routed is not None and self.routed.customer_id == sold_to

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
