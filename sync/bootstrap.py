"""The one place that wires real parts together, by the names in the settings."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

import erp_adapters
import sync.files
import sync.stores
from sync.domain.ids import StoreId
from sync.domain.mapping import SyncMapping
from sync.errors import Misconfigured, StateInUse, TryLater
from sync.flows.context import Context, Limits, OrderLimits, Progress, Uploads, silent
from sync.flows.retrying import Patience
from sync.flows.serving import given_up
from sync.mapping.assigning import MappingFiles
from sync.mapping.keeper import MappingKeeper
from sync.mapping.source import MappingSource
from sync.planning.guards import Guard
from sync.ports.clock import Clock
from sync.ports.erp import Erp
from sync.ports.files import HoldsFiles
from sync.ports.state import DAEMON
from sync.ports.store import Store
from sync.routing import AccountMap
from sync.secrecy import conceal
from sync.settings import PipelineSettings, Settings, SystemSettings
from sync.state import SqlState, open_state
from sync.state.engine import sqlite_file
from sync.state.keys import keys_of
from sync.state.known import KnownStates, is_there
from sync.state.lock import hold_writer_lock
from sync.systems import BreakerLimits, SystemWatch, guarded

T = TypeVar("T")
ENTRY_POINTS = {
    "erp": "tradesync.erp_adapters",
    "store": "tradesync.stores",
    "files": "tradesync.files",
}
_REGISTRIES: Mapping[str, Mapping[str, str]] = {
    "erp": erp_adapters.REGISTRY,
    "store": sync.stores.REGISTRY,
    "files": sync.files.REGISTRY,
}
# What the problem of an option or secret begins with; one of a profile begins with its file.
_OF_AN_OPTION = re.compile(
    r"(?P<name>(?P<secret>secrets\.)?\w+)(?:\.[^:\s]+)?(?=: | is | are | and )"
)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One ERP and one store with their state and mapping, open and ready.

    ``beside`` are the mappings of the other pipelines on the same ERP,
    ``watches`` those of its ERP, its store and its places of files.
    """

    settings: PipelineSettings
    erp: Erp
    store: Store
    state: SqlState
    mapping: MappingKeeper
    clock: Clock
    beside: tuple[MappingKeeper, ...] = ()
    watches: tuple[SystemWatch, ...] = ()
    files: HoldsFiles | None = None
    uploads: HoldsFiles | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def mapping_files(self) -> MappingFiles:
        """The files behind the mapping, for programs that edit them."""
        return MappingFiles(self.mapping.folder, self.state, self.clock)

    @property
    def given_up(self) -> list[str]:
        """The flows that its systems cannot serve, and that the settings turn off."""
        return given_up(self.erp, self.store, self.settings.schedule.off)

    def context(self, progress: Progress = silent) -> Context:
        """A context on the mapping version that is in force now.

        Raises Misconfigured where this pipeline, or one beside it, has none:
        what is a retail group of the ERP in one store is one in every store.
        """
        loaded, accounts = self.mapping.current()
        return self._context(loaded.mapping, accounts, progress)

    def context_on(self, mapping: SyncMapping, progress: Progress = silent) -> Context:
        """A context on this version of the mapping, whichever is in force."""
        return self._context(mapping, AccountMap.of(mapping), progress)

    def _context(self, mapping: SyncMapping, accounts: AccountMap, progress: Progress) -> Context:
        elsewhere = {
            group
            for keeper in self.beside
            for group in keeper.current()[0].mapping.retail_groups.customer_ids
        }
        if elsewhere:
            mapping = replace(mapping, groups_elsewhere=frozenset(elsewhere))
            accounts = AccountMap.of(mapping)
        return Context(
            pipeline=self.name,
            erp=self.erp,
            store=self.store,
            state=self.state,
            clock=self.clock,
            mapping=mapping,
            accounts=accounts,
            limits=limits_of(self.settings),
            progress=progress,
            assignments=self.mapping_files,
            files=self.files,
            uploads=self._uploads_of_applicants(),
            take_up=lambda before, after: self._taken_up(before, after, progress),
        )

    def _taken_up(self, before: str, after: str, progress: Progress) -> Context | None:
        return self.context(progress) if self.mapping.take_up(before, after) else None

    def _uploads_of_applicants(self) -> Uploads | None:
        if self.uploads is None:
            return None
        return Uploads(self.uploads, self.settings.uploads_begin_with, self.settings.uploads_folder)


@dataclass(frozen=True, slots=True)
class Installation:
    """All pipelines of a site, sharing systems and one state database."""

    settings: Settings
    engine: Engine
    pipelines: Mapping[str, Pipeline]
    watches: Mapping[str, SystemWatch]

    def pipeline(self, name: str | None) -> Pipeline:
        """The named pipeline; without a name the only one. Raises Misconfigured."""
        return _named(self.pipelines, name)


def _named(pipelines: Mapping[str, T], name: str | None) -> T:
    known = ", ".join(sorted(pipelines))
    if name is None:
        if len(pipelines) == 1:
            return next(iter(pipelines.values()))
        raise Misconfigured(f"there are several pipelines, name one of: {known}")
    if name not in pipelines:
        raise Misconfigured(f"there is no pipeline {name!r}; there are: {known}")
    return pipelines[name]


@contextmanager
def open_installation(
    settings: Settings,
    clock: Clock,
    *,
    upgrade: bool = True,
    looks_on: bool = False,
    actor: str = DAEMON,
) -> Iterator[Installation]:
    """Everything that the settings name, closed again at the end.

    With ``upgrade=False`` the state must exist and be as new as the code: for
    commands that write beside a daemon. With ``looks_on`` nothing is ever
    written into the state; before the first start it counts as empty. Systems
    are opened without being asked anything, so a system that is away does not
    keep the daemon from starting. ``actor`` is who runs it all: the daemon, or
    the person whose command this is. Raises Misconfigured and AccessDenied.
    """
    _conceal_secrets(settings)
    with ExitStack() as opened:
        engine = _open_state(settings, upgrade=upgrade and not looks_on, looks_on=looks_on)
        opened.callback(engine.dispose)
        systems: dict[str, Any] = {}
        watches: dict[str, SystemWatch] = {}
        pipelines = {}
        for system, port in _open_systems(settings, opened):
            watch = SystemWatch(system.name, system.kind, clock, breaker_of(system))
            watches[system.name] = watch
            systems[system.name] = guarded(port, watch, clock)
        for name, wanted in settings.pipelines.items():
            pipelines[name] = _pipeline(
                wanted,
                systems[wanted.erp.name],
                systems[wanted.store.name],
                engine,
                clock,
                looks_on=looks_on,
                watches=tuple(
                    watches[each] for each in dict.fromkeys(one.name for one in wanted.systems)
                ),
                files=systems[wanted.files.name] if wanted.files else None,
                uploads=systems[wanted.uploads.name] if wanted.uploads else None,
                actor=actor,
            )
        for name, pipeline in list(pipelines.items()):
            beside = tuple(
                each.mapping
                for each in pipelines.values()
                if each.name != name and each.erp is pipeline.erp
            )
            pipelines[name] = replace(pipeline, beside=beside)
        yield Installation(settings, engine, pipelines, watches)


@contextmanager
def open_store(settings: Settings, pipeline: str | None) -> Iterator[Store]:
    """The store of the named pipeline by itself; without a name that of the only one.

    Neither the state nor any other system is touched: they may not be there yet. Raises
    Misconfigured.
    """
    _conceal_secrets(settings)
    store = _open_system(_named(settings.pipelines, pipeline).store, settings)
    try:
        yield store
    finally:
        store.close()


def state_address(settings: Settings) -> str:
    """The state's URL with its password, for opening it; never to be printed."""
    _conceal_secrets(settings)
    url = make_url(settings.state_url)
    if settings.state_password is not None:
        url = url.set(password=settings.state_password.get_secret_value())
    return url.render_as_string(hide_password=False)


def _conceal_secrets(settings: Settings) -> None:
    """From here on no log line or error shows them, whatever a driver says (OP-7)."""
    secrets = [each for system in settings.systems.values() for each in system.secrets.values()]
    if settings.state_password is not None:
        secrets.append(settings.state_password)
    conceal(each.get_secret_value() for each in secrets)


def _open_state(settings: Settings, *, upgrade: bool, looks_on: bool) -> Engine:
    address = state_address(settings)
    known = known_states(settings)
    known.require_not_lost(address)
    if looks_on:
        file = sqlite_file(make_url(address))
        if file is not None and not file.exists():
            # The service was never started: to look at what it would do needs no state.
            return open_state("sqlite://", upgrade=True)
    engine = open_state(address, upgrade=upgrade)
    if upgrade:
        known.remember()
    return engine


def begin_state(settings: Settings) -> None:
    """An empty state where this site has never had one, made by whoever may write it alone.

    For commands that need no service to have run before them. A state that is there stays as
    it is, of an older version too. Raises TryLater while another process makes it,
    Misconfigured where there was one and it is gone, and what opening it raises.
    """
    address = state_address(settings)
    if is_there(address):
        return
    try:
        lock = hold_writer_lock(address)
    except StateInUse as error:
        raise TryLater("another process makes the state at this moment; try again") from error
    with lock:
        _open_state(settings, upgrade=True, looks_on=False).dispose()


def known_states(settings: Settings) -> KnownStates:
    """Where this site has, or had, its state."""
    return KnownStates(settings.site.var, settings.state_url)


def limits_of(settings: PipelineSettings) -> Limits:
    """The settings' limits in the flows' own words."""
    patience = settings.patience
    return Limits(
        orders=OrderLimits(**settings.orders.model_dump()),
        guards={name: Guard(**guard.model_dump()) for name, guard in settings.guards.items()},
        patience=Patience(
            patience.attempts, patience.first_s, patience.longest_s, patience.budget_s
        ),
        accounts_per_read=settings.accounts_per_read,
        full_price_check_s=settings.full_price_check_s,
        full_record_check_s=settings.full_record_check_s,
        share_price_lists=settings.share_price_lists,
    )


def breaker_of(system: SystemSettings) -> BreakerLimits:
    """When the system is left alone, in the watch's own words."""
    return BreakerLimits(**system.breaker.model_dump())


def _pipeline(
    settings: PipelineSettings,
    erp: Erp,
    store: Store,
    engine: Engine,
    clock: Clock,
    *,
    looks_on: bool,
    watches: tuple[SystemWatch, ...],
    files: HoldsFiles | None,
    uploads: HoldsFiles | None,
    actor: str,
) -> Pipeline:
    store_id: StoreId = store.store_id
    key_for = keys_of(store_id, erp.capabilities.external_key_length)
    state = SqlState(engine, settings.name, store_id, key_for, clock, actor)
    source = MappingSource(settings.mappings)
    keeper = MappingKeeper(source, state, clock, looks_on=looks_on)
    return Pipeline(
        *(settings, erp, store, state, keeper, clock), watches=watches, files=files, uploads=uploads
    )


def _open_systems(settings: Settings, opened: ExitStack) -> list[tuple[SystemSettings, Any]]:
    """Each system of the pipelines once, with its adapter object, closed with ``opened``.

    Raises Misconfigured with what is wrong about any of them.
    """
    wanted = {
        system.name: system for each in settings.pipelines.values() for system in each.systems
    }
    ports, refused = [], []
    for system in wanted.values():
        try:
            port = _open_system(system, settings)
        except Misconfigured as error:
            refused.append(error)
            continue
        opened.callback(port.close)
        ports.append((system, port))
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise Misconfigured("systems cannot be opened:", tuple(map(str, refused))) from refused[0]
    return ports


def _open_system(system: SystemSettings, settings: Settings) -> Any:
    """The adapter object. Raises Misconfigured for an unknown name or bad options."""
    adapter = _adapter_class(system)
    secrets = {name: secret.get_secret_value() for name, secret in system.secrets.items()}
    try:
        return adapter.from_settings(system.options, secrets, settings.site.root)
    except Misconfigured as error:
        if not system.places:
            raise
        said = str(error).partition("\n")[0] if error.problems else str(error)
        told = tuple(_placed(system, each) for each in error.problems)
        place = _place_of(system, said)
        raise Misconfigured(f"{place}: systems.{system.name}: {said}", told) from error


def _placed(system: SystemSettings, problem: str) -> str:
    """A problem of one option or secret with its own line; any other as it is."""
    found = _OF_AN_OPTION.match(problem)
    if found is None:
        return problem
    table = "" if found["secret"] else "options."
    # What is missing has no line, and is to be written where the options are.
    place = system.places.get(found["name"], system.places.get("", ""))
    return f"{place}: systems.{system.name}.{table}{problem}"


def _place_of(system: SystemSettings, said: str) -> str:
    """Where the option stands that is spoken of, else where the options begin."""
    for name, place in system.places.items():
        if name and re.search(rf"\b{re.escape(name)}\b", said):
            return place
    return system.places.get("", "")


def adapter_names(kind: str) -> set[str]:
    """The adapters that there are for a kind of system, those of other authors included."""
    others = metadata.entry_points(group=ENTRY_POINTS[kind])
    return {*_REGISTRIES[kind], *(each.name for each in others)}


def _adapter_class(system: SystemSettings) -> Any:
    registry = _REGISTRIES[system.kind]
    target = registry.get(system.adapter)
    group = ENTRY_POINTS[system.kind]
    try:
        if target is not None:
            module, _, name = target.partition(":")
            return getattr(importlib.import_module(module), name)
        for entry_point in metadata.entry_points(group=group, name=system.adapter):
            load: Callable[[], Any] = entry_point.load
            return load()
    except ImportError as error:
        raise Misconfigured(
            f"systems.{system.name}: the adapter {system.adapter!r} cannot be loaded: {error}; "
            "install what it needs (the adapter's README names the package or extra)"
        ) from error
    known = sorted(adapter_names(system.kind))
    raise Misconfigured(
        f"systems.{system.name}: there is no {system.kind} adapter {system.adapter!r}; "
        f"there are: {', '.join(known)}"
    )
