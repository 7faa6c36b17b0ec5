"""What every flow is given: the systems, the state, the mapping and the limits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from sync.domain.ids import ApplicationId
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import Misconfigured
from sync.flows.retrying import Patience, Retrying
from sync.planning.guards import Guard
from sync.planning.plan import Change
from sync.planning.spool import SAMPLES
from sync.ports.clock import Clock
from sync.ports.erp import Erp, lacking
from sync.ports.files import HoldsFiles
from sync.ports.registrations import AssignsCustomers
from sync.ports.state import ResyncScope, State
from sync.ports.store import Store
from sync.routing import AccountMap
from sync.secrecy import scrubbed

T = TypeVar("T")

PriceChange = Change[PublishedPriceKey, PriceValue]


class Progress(Protocol):
    """Where a flow tells how far it is; the answer is whether it should stop."""

    def __call__(self, step: str, done: int, total: int | None) -> bool: ...


def silent(step: str, done: int, total: int | None) -> bool:
    """Shows nothing and never stops."""
    return False


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """How the order import deals with time. All in seconds unless named otherwise.

    ``ambiguity_wait_s`` is at least how long an unknown outcome rests before it
    is looked up; an ERP whose statements may run longer makes it longer. Orders
    placed before ``placed_since`` came into the ERP in some other way: only one
    that a person names is looked at. ``pass_on_cancellations``: what the store
    cancels after the import is cancelled in the ERP where that still can. What an
    order says of people is kept for ``payload_days`` after it is done. For orders of
    ``capture_channels`` the store is asked to capture what has been shipped; refunds
    of orders of ``credit_channels`` become credit requests in the ERP, those of all
    others a question to a person.
    """

    lease_s: float = 300.0
    ambiguity_wait_s: float = 90.0
    waiting_recheck_s: float = 900.0
    retry_first_s: float = 30.0
    retry_longest_s: float = 3600.0
    give_up_after_attempts: int = 60
    vanished_close_after_s: float = 7 * 86400.0
    batch: int = 200
    placed_since: datetime | None = None
    pass_on_cancellations: bool = False
    payload_days: int = 90
    capture_channels: Collection[str] = field(default_factory=list)
    credit_channels: Collection[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Limits:
    """Guard rails per flow, order timing, and how patient reads and writes are.

    Within ``full_price_check_s`` all prices are compared with the store itself,
    whatever the store had confirmed, a share of the owners in each run; within
    ``full_record_check_s`` so are all ship-tos and invoices.
    ``share_price_lists``: accounts with the same prices share a list where the store has
    such lists.
    """

    orders: OrderLimits = field(default_factory=OrderLimits)
    guards: Mapping[str, Guard] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    accounts_per_read: int = 200
    full_price_check_s: float = 604_800.0
    full_record_check_s: float = 86_400.0
    share_price_lists: bool = True

    def guard(self, flow: str) -> Guard:
        return self.guards.get(flow, Guard())


APPLICATION = "{application}"
"""Stands for an application's key in the name of its folder."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Where the files lie that applicants hand in.

    ``begins``: what a reference begins with before the name of the file in there.
    ``folder``: what the name of a file in there begins with, where the file is that of
    the application whose key stands for ``{application}``. It ends with a slash.
    """

    files: HoldsFiles
    begins: str = ""
    folder: str = f"{APPLICATION}/"

    def folder_of(self, application_id: ApplicationId) -> str | None:
        """What the files of this application begin with in there, and those of no other.

        None for a key that cannot stand for a part of a path.
        """
        key = application_id.value
        if "/" in key or "\\" in key or set(key) == {"."}:
            return None
        return self.folder.replace(APPLICATION, key)


@dataclass(frozen=True, slots=True)
class Context:
    """One pipeline, ready to run flows. The mapping is one immutable version.

    ``assignments`` are the files behind it, where a flow may write into them.
    ``files`` is where the files of documents lie, ``uploads`` where those of applicants do;
    None where the settings name no place.
    ``as_of`` is a day in the ERP's calendar that something is planned for, as if it were today.
    ``price_changes`` is where a plan of prices tells each of its changes; they may be many more
    than fit in memory.
    ``take_up`` gives the context on the version that the flow's own edit of the mapping files
    made of this one, named as before and after, once that is in force; None where it cannot
    be yet, since somebody else is at the files.
    """

    pipeline: str
    erp: Erp
    store: Store
    state: State
    clock: Clock
    mapping: SyncMapping
    accounts: AccountMap
    limits: Limits = field(default_factory=Limits)
    progress: Progress = silent
    assignments: AssignsCustomers | None = None
    files: HoldsFiles | None = None
    uploads: Uploads | None = None
    as_of: date | None = None
    price_changes: Callable[[Iterator[PriceChange]], None] | None = None
    take_up: Callable[[str, str], Context | None] | None = None

    def retrying(self) -> Retrying:
        """A budget of retries for one run."""
        return Retrying(self.limits.patience, self.clock)

    def today(self) -> date:
        """The day in the ERP's calendar, or the one that a plan is asked for."""
        if self.as_of is not None:
            return self.as_of
        zone = ZoneInfo(self.erp.capabilities.time_zone)
        return self.clock.now().astimezone(zone).date()


def files_of(context: Context) -> AssignsCustomers:
    """The mapping files, to be written into. Raises Misconfigured where they cannot be."""
    if context.assignments is None:
        raise Misconfigured("the mapping files cannot be written from here")
    return context.assignments


def needs(system: object, capability: type[T], name: str) -> T:
    """The system as that capability. Raises Misconfigured naming what it lacks."""
    if not isinstance(system, capability):
        raise Misconfigured(f"this cannot be served: {lacking(system, [capability], name)}")
    return system


@dataclass(slots=True)
class FlowResult:
    """What a flow did. ``outcome``: ok, failed, refused, cancelled or try_later.

    ``samples`` names some of the changes, ``unnamed`` is how many others there are,
    ``remarks`` is what a person should know, ``plan_id`` the plan that waits for a
    confirmation. ``price_lists`` are the numbers of a plan that uses lists which accounts
    share, ``no_price_lists`` is why one uses none. ``misconfigured`` says of one that failed
    that it does so until a person corrects settings, mapping, profile or schema.
    """

    flow: str
    outcome: str = "ok"
    counts: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    unnamed: int = 0
    remarks: list[str] = field(default_factory=list)
    message: str = ""
    plan_id: str | None = None
    price_lists: dict[str, int] = field(default_factory=dict)
    no_price_lists: str = ""
    misconfigured: bool = False

    def count(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number

    def sample(self, change: str) -> None:
        """Name a change, while few are named."""
        if len(self.samples) < SAMPLES:
            self.samples.append(change)
        else:
            self.unnamed += 1

    def scrub(self) -> None:
        """Take secrets out of every sentence, before anybody reads or keeps one."""
        self.message = scrubbed(self.message)
        self.samples[:] = map(scrubbed, self.samples)
        self.remarks[:] = map(scrubbed, self.remarks)

    @property
    def writes(self) -> int:
        """Changes written to either side."""
        names = (
            *("added", "changed", "removed", "withdrawn", "imported", "shown", "status_shown"),
            *("captured", "credited"),
        )
        return sum(self.counts.get(name, 0) for name in names)


class Flow(Protocol):
    """A flow fills in the result as it goes, so that an error loses no count.

    With ``dry_run`` it plans, tells, and writes nothing at all.
    """

    def __call__(
        self, context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
    ) -> None: ...
