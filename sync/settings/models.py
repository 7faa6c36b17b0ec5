"""The settings, field by field, as they stand in config/tradesync.toml.

Durations carry their unit in the name. Everything has a default but what only
the site can know: which systems there are and which of them belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from sync.settings.site import Site
from sync.settings.words import (
    OWN_FOLDER,
    Adapter,
    Count,
    Credential,
    Cron,
    Factor,
    Flag,
    Format,
    Kind,
    Level,
    Listen,
    Moment,
    Name,
    OwnFolder,
    Positive,
    Seconds,
    Share,
    StateUrl,
    Text,
    Threads,
    TimeZone,
    one_of,
)

MIRRORS = (
    *("accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts"),
    *("entitlements", "availability", "documents", "account_orders"),
)
FLOWS = ("orders", "order_status", *MIRRORS, "registrations")
Flow = Annotated[str, one_of(*FLOWS)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class ServiceSettings(Part):
    """The process itself. ``state_url`` empty: a SQLite file in the site's var.

    ``hints_listen`` is where stores may tell of news; empty: nowhere.
    """

    log_level: Level = "info"
    log_format: Format = "json"
    watchdog: Flag = True
    worker_threads: Threads = 4
    stop_grace_s: Seconds = 30.0
    mapping_poll_s: Seconds = 5.0
    state_url: StateUrl = ""
    state_password: Credential = ""
    hints_listen: Listen = ""


class BreakerSettings(Part):
    """When a system is left alone: after ``failures`` in a row for ``pause_s``, after a
    refused login for ``denied_pause_s``. A question that fails repeatedly counts once, for
    it may be about one broken record. All pipelines on the system share it."""

    failures: Positive = 5
    pause_s: Seconds = 60.0
    denied_pause_s: Seconds = 3600.0


class SystemEntry(Part):
    """An ERP, a store or a place of files. ``options`` are the adapter's own business."""

    kind: Kind
    adapter: Adapter
    options: dict[str, Any] = {}
    secrets: dict[Name, Credential] = {}
    breaker: BreakerSettings = BreakerSettings()


@dataclass(frozen=True, slots=True)
class Every:
    """Run again this many seconds after the last start."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cron5:
    """Run at these moments: five cron fields, in this time zone."""

    fields: str
    time_zone: str


Trigger = Every | Cron5

DEFAULT_EVERY_S: Mapping[str, float] = {
    "orders": 60,
    "order_status": 300,
    "accounts": 900,
    "ship_tos": 900,
    "prices": 3600,
    "invoices": 1800,
    "balances": 1800,
    "customer_parts": 3600,
    "entitlements": 1800,
    "availability": 600,
    "registrations": 300,
    "documents": 1800,
    "account_orders": 1800,
}


class ScheduleSettings(Part):
    """When each flow runs by itself; ``off`` names those that run on request
    only, whatever else is written for them.

    A start that was missed is made up for within ``misfire_grace_s`` seconds.
    """

    time_zone: TimeZone = "UTC"
    misfire_grace_s: Seconds = 300.0
    off: list[Flow] = []
    orders_every_s: Seconds | None = None
    orders_cron: Cron | None = None
    order_status_every_s: Seconds | None = None
    order_status_cron: Cron | None = None
    accounts_every_s: Seconds | None = None
    accounts_cron: Cron | None = None
    ship_tos_every_s: Seconds | None = None
    ship_tos_cron: Cron | None = None
    prices_every_s: Seconds | None = None
    prices_cron: Cron | None = None
    invoices_every_s: Seconds | None = None
    invoices_cron: Cron | None = None
    balances_every_s: Seconds | None = None
    balances_cron: Cron | None = None
    customer_parts_every_s: Seconds | None = None
    customer_parts_cron: Cron | None = None
    entitlements_every_s: Seconds | None = None
    entitlements_cron: Cron | None = None
    availability_every_s: Seconds | None = None
    availability_cron: Cron | None = None
    registrations_every_s: Seconds | None = None
    registrations_cron: Cron | None = None
    documents_every_s: Seconds | None = None
    documents_cron: Cron | None = None
    account_orders_every_s: Seconds | None = None
    account_orders_cron: Cron | None = None

    def trigger(self, flow: str) -> Trigger | None:
        """When the flow runs; None for one that is off. Raises KeyError for no flow."""
        default = DEFAULT_EVERY_S[flow]
        if flow in self.off:
            return None
        fields: str | None = getattr(self, f"{flow}_cron")
        if fields is not None:
            return Cron5(fields, self.time_zone)
        seconds: float | None = getattr(self, f"{flow}_every_s")
        return Every(default if seconds is None else seconds)


class GuardSettings(Part):
    """How much one run of a mirror may change by itself (MI-3).

    Shares are parts of what is shown, 0.2 is a fifth; as many as the floor says
    are always believed. A price counts as moved from ``price_step`` on.
    """

    removal_share: Share = Decimal("0.2")
    removal_floor: Count = 20
    opening_floor: Count = 5
    price_step: Factor = Decimal("0.5")
    price_share: Share = Decimal("0.2")
    price_floor: Count = 50


class GuardsEntry(GuardSettings):
    """For every mirror, and per mirror only what is different there."""

    accounts: GuardSettings = GuardSettings()
    ship_tos: GuardSettings = GuardSettings()
    prices: GuardSettings = GuardSettings()
    invoices: GuardSettings = GuardSettings()
    balances: GuardSettings = GuardSettings()
    customer_parts: GuardSettings = GuardSettings()
    entitlements: GuardSettings = GuardSettings()
    availability: GuardSettings = GuardSettings()
    documents: GuardSettings = GuardSettings()
    account_orders: GuardSettings = GuardSettings()

    def of(self, flow: str) -> GuardSettings:
        general = {name: getattr(self, name) for name in GuardSettings.model_fields}
        if flow not in MIRRORS:
            return GuardSettings.model_construct(**general)
        special: GuardSettings = getattr(self, flow)
        own = {name: getattr(special, name) for name in special.model_fields_set}
        return GuardSettings.model_construct(**{**general, **own})


class OrderSettings(Part):
    """How the order import deals with time.

    ``ambiguity_wait_s`` is how long an order rests whose outcome is unknown
    before it is looked up in the ERP; ``waiting_recheck_s`` how often an order
    that waits is judged again without a change in the store. What was placed
    before ``placed_since`` was somebody else's to bring into the ERP.
    ``pass_on_cancellations``: an order that the store cancels after its import is
    cancelled in the ERP too, while that still can. ``payload_days`` after an order
    is done, what it says of people is taken out of the state. For the orders of
    ``capture_channels`` the store captures what was shipped; refunds of those of
    ``credit_channels`` become credit requests in the ERP.
    """

    lease_s: Seconds = 300.0
    ambiguity_wait_s: Seconds = 90.0
    waiting_recheck_s: Seconds = 900.0
    retry_first_s: Seconds = 30.0
    retry_longest_s: Seconds = 3600.0
    give_up_after_attempts: Positive = 60
    vanished_close_after_s: Seconds = 7 * 86400.0
    batch: Positive = 200
    placed_since: Moment | None = None
    pass_on_cancellations: Flag = False
    payload_days: Positive = 90
    capture_channels: list[Text] = []
    credit_channels: list[Text] = []


class PatienceSettings(Part):
    """Retries of one call: how many, how long between them, how long in one run."""

    attempts: Positive = 4
    first_s: Seconds = 0.5
    longest_s: Seconds = 30.0
    budget_s: Seconds = 120.0


class PipelineEntry(Part):
    """One ERP and one store. ``mappings`` is a folder, from the site's own.

    ``files`` is the system in which the files of documents lie, ``uploads`` that of
    the files that applicants hand in, whose references begin with ``uploads_begin_with``
    before the name of the file; empty: none. The name of an application's own file begins
    with ``uploads_folder``. Within ``full_price_check_s`` all prices are
    compared with the store itself, a share of the owners in each run: a week, so that a
    night's share is small and the short cuts act in most nights for every owner. Within
    ``full_record_check_s`` so are all ship-tos and invoices: a day, since their mirrors run
    many times in one, and what is wrongly in sight of somebody must not be so for long. With
    ``share_price_lists`` accounts with the same prices share a list, where the store can.
    """

    erp: Name
    store: Name
    files: Name | None = None
    uploads: Name | None = None
    uploads_begin_with: Text | None = None
    uploads_folder: OwnFolder | None = None
    mappings: Text = "mappings"
    accounts_per_read: Positive = 200
    full_price_check_s: Seconds = 604_800.0
    full_record_check_s: Seconds = 86_400.0
    share_price_lists: Flag = True
    schedule: ScheduleSettings = ScheduleSettings()
    guards: GuardsEntry = GuardsEntry()
    orders: OrderSettings = OrderSettings()
    patience: PatienceSettings = PatienceSettings()


class SettingsFile(Part):
    service: ServiceSettings = ServiceSettings()
    systems: Annotated[dict[Name, SystemEntry], Field(min_length=1)]
    pipelines: Annotated[dict[Name, PipelineEntry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class SystemSettings:
    """A system with its secrets read. ``options`` go to the adapter as they are.

    ``places`` say where each option stands, each secret as ``secrets.NAME``, and under ""
    where the options do.
    """

    name: str
    kind: str
    adapter: str
    options: Mapping[str, Any]
    secrets: Mapping[str, SecretStr]
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """One ERP and one store, with their own mapping, schedule and limits (OP-8).

    ``files`` is where the files of documents lie, ``uploads`` where those of applicants
    do; None: nowhere.
    """

    name: str
    erp: SystemSettings
    store: SystemSettings
    mappings: Path
    accounts_per_read: int
    full_price_check_s: float
    full_record_check_s: float
    share_price_lists: bool
    schedule: ScheduleSettings
    guards: Mapping[str, GuardSettings]
    orders: OrderSettings
    patience: PatienceSettings
    files: SystemSettings | None = None
    uploads: SystemSettings | None = None
    uploads_begin_with: str = ""
    uploads_folder: str = OWN_FOLDER

    @property
    def systems(self) -> tuple[SystemSettings, ...]:
        """Its ERP, its store, and its places of files."""
        held = (self.erp, self.store, self.files, self.uploads)
        return tuple(each for each in held if each is not None)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the service is told. ``state_url`` is absolute, without a password."""

    site: Site
    service: ServiceSettings
    systems: Mapping[str, SystemSettings]
    pipelines: Mapping[str, PipelineSettings]
    state_url: str
    state_password: SecretStr | None = None
