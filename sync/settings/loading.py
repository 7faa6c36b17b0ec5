"""Reads everything that the service is told, at the start, and reports all mistakes at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from sync.mapping.checking import explained, label
from sync.mapping.problems import FileProblem, FilesRefused, suggestion
from sync.settings.composing import Composed, Sources
from sync.settings.environment import SOURCE
from sync.settings.models import (
    FLOWS,
    MIRRORS,
    PipelineEntry,
    PipelineSettings,
    Settings,
    SettingsFile,
    SystemSettings,
)
from sync.settings.places import Path
from sync.settings.secrets import misplaced
from sync.settings.site import Site, resolve_site
from sync.settings.toml_file import FILE
from sync.settings.words import OWN_FOLDER

_SQLITE = re.compile(r"(sqlite(?:\+\w+)?):///(?!/)(?!:memory:)(.+)")


def load_settings(
    site: Site | FilePath | str,
    environ: Mapping[str, str],
    adapters: Callable[[str], Collection[str]] | None = None,
    needed: Callable[[SettingsFile], Collection[str]] | None = None,
) -> Settings:
    """The settings of a site, with its secrets read.

    ``adapters`` tells which there are for a kind of system (erp, store); without it
    their names are not judged. ``needed`` names the systems that are to be opened, where
    it is not all of them: no credential of another, nor that of the state, has to be
    there. Raises FilesRefused, a Misconfigured, with every
    problem; its messages hold no value of the settings and no secret.
    """
    if not isinstance(site, Site):
        site = resolve_site(site, environ)
    return _Loader(site, Sources(site, environ), adapters, needed).settings()


class _Loader:
    def __init__(
        self,
        site: Site,
        sources: Sources,
        adapters: Callable[[str], Collection[str]] | None,
        needed: Callable[[SettingsFile], Collection[str]] | None,
    ) -> None:
        self._site = site
        self._adapters = adapters
        self._needed = needed
        self._sources = sources
        self._secrets: dict[str, SecretStr] = {}
        self._problems: list[FileProblem] = list(sources.environment.problems)

    @property
    def _data(self) -> dict[str, Any]:
        """What the sources came to, whether it fits or not; empty before they are read."""
        return self._sources.credentials.written

    def settings(self) -> Settings:
        entries = self._entries()
        for path, message in misplaced(self._data):
            remedy = "put it into a credential file, and only that file's name"
            self._note(path, message, f"{remedy} below {_secrets_of(path)}")
        if entries is None:
            raise self._refused()
        needed = entries.systems if self._needed is None else self._needed(entries)
        systems = {
            name: self._system(name, entries, needed=name in needed) for name in entries.systems
        }
        self._stores_apart(entries)
        pipelines = dict(self._pipelines(entries, systems))
        password = entries.service.state_password
        path, all_needed = ("service", "state_password"), self._needed is None
        secret = self._secret(path, password, needed=all_needed) if password else None
        if self._problems:
            raise self._refused()
        return Settings(
            site=self._site,
            service=entries.service,
            systems=systems,
            pipelines=pipelines,
            state_url=self._state_url(entries.service.state_url),
            state_password=secret,
        )

    def _entries(self) -> SettingsFile | None:
        """What fits; with problems noted, the part that can still be judged."""
        try:
            composed = Composed(self._sources)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        else:
            self._secrets = composed.credentials
            return composed.written
        for one in details:
            one["loc"] = one["loc"][1:]
            self._misfit(one)
        try:
            return SettingsFile.model_validate(_without(self._data, details))
        except ValidationError:
            return None

    def _misfit(self, error: ErrorDetails) -> None:
        path = error["loc"]
        if path and path[-1] == "[key]":
            message, remedy = explained(SettingsFile, error)
            self._note(path[:-1], f"(the name) {message}", remedy, key=True)
            return
        message, remedy = _said(error)
        self._note(path, message, remedy, key=error["type"] == "extra_forbidden")

    def _system(self, name: str, entries: SettingsFile, *, needed: bool) -> SystemSettings:
        entry = entries.systems[name]
        path: Path = ("systems", name)
        if self._adapters is not None and entry.adapter not in self._adapters(entry.kind):
            known = sorted(self._adapters(entry.kind))
            there = ", ".join(known)
            message = f"names no adapter of kind {entry.kind} (there are: {there})"
            self._note((*path, "adapter"), message, suggestion(entry.adapter, known))
        secrets = {}
        for key, file in entry.secrets.items():
            secret = self._secret(("systems", name, "secrets", key), file, needed=needed)
            if secret is not None:
                secrets[key] = secret
        options = _plain(entry.options)
        places = {key: self._place((*path, "options", key)) for key in options}
        places |= {f"secrets.{key}": self._place((*path, "secrets", key)) for key in entry.secrets}
        places[""] = self._place((*path, "options"))
        return SystemSettings(
            name, entry.kind, entry.adapter, options, secrets, entry.breaker, places
        )

    def _place(self, path: Path) -> str:
        """Where a value stands, for messages of those who know what it means."""
        environment = self._sources.environment
        variable = environment.name_of(path)
        line, column = self._sources.file.where.value(path)
        return variable if variable is not None else f"{FILE}:{line}:{column}"

    def _secret(self, path: Path, file: str, *, needed: bool) -> SecretStr | None:
        refused = self._sources.credentials.refused.get(file)
        if refused is not None and needed:
            self._note(path, *refused)
        return self._secrets.get(file)

    def _pipelines(
        self, entries: SettingsFile, systems: Mapping[str, SystemSettings]
    ) -> Iterator[tuple[str, PipelineSettings]]:
        writers: dict[str, str] = {}
        for name, entry in entries.pipelines.items():
            path = ("pipelines", name)
            self._schedule(entry, path)
            self._patience(entry, path)
            mappings = self._site.root / entry.mappings
            if not mappings.is_dir():
                remedy = "make it, or correct the name; it starts at the site's folder"
                self._note((*path, "mappings"), "is no folder", remedy)
            erp = self._end(entry.erp, "erp", (*path, "erp"), systems)
            store = self._end(entry.store, "store", (*path, "store"), systems)
            files = None
            if entry.files is not None:
                files = self._end(entry.files, "files", (*path, "files"), systems)
            uploads = None
            if entry.uploads is not None:
                uploads = self._end(entry.uploads, "files", (*path, "uploads"), systems)
            else:
                self._uploads_alone(entry, path)
            other = writers.setdefault(entry.store, name)
            if other != name and store is not None:
                message = (
                    f"is the store of pipeline {other} too: its orders would be imported twice"
                )
                self._note((*path, "store"), message, "give each store one pipeline")
            if erp is None or store is None:
                continue
            yield (
                name,
                PipelineSettings(
                    name=name,
                    erp=erp,
                    store=store,
                    mappings=mappings,
                    accounts_per_read=entry.accounts_per_read,
                    full_price_check_s=entry.full_price_check_s,
                    full_record_check_s=entry.full_record_check_s,
                    share_price_lists=entry.share_price_lists,
                    schedule=entry.schedule,
                    guards={flow: entry.guards.of(flow) for flow in MIRRORS},
                    orders=entry.orders,
                    patience=entry.patience,
                    files=files,
                    uploads=uploads,
                    uploads_begin_with=entry.uploads_begin_with or "",
                    uploads_folder=entry.uploads_folder or OWN_FOLDER,
                ),
            )

    def _uploads_alone(self, entry: PipelineEntry, path: Path) -> None:
        for name in ("uploads_begin_with", "uploads_folder"):
            if getattr(entry, name) is not None:
                message = "stands without uploads: it would not be looked at"
                remedy = "name the system of kind files in uploads, or take it out"
                self._note((*path, name), message, remedy, key=True)

    def _end(
        self, name: str, kind: str, path: Path, systems: Mapping[str, SystemSettings]
    ) -> SystemSettings | None:
        system = systems.get(name)
        if system is not None and system.kind == kind:
            return system
        if name in self._data.get("systems", {}) and system is None:
            return None  # it is there, and what is wrong with it is told already
        fitting = [one.name for one in systems.values() if one.kind == kind]
        message = "names no system" if system is None else f"names a system that is no {kind}"
        way_out = suggestion(name, fitting) if fitting else f"write a system of kind {kind} first"
        self._note(path, message, way_out)
        return None

    def _schedule(self, entry: PipelineEntry, path: Path) -> None:
        for flow in FLOWS:
            every, cron = f"{flow}_every_s", f"{flow}_cron"
            written = entry.schedule.model_fields_set.intersection({every, cron})
            if len(written) == 2:
                message = f"stands beside {every}: only one of them can count"
                self._note((*path, "schedule", cron), message, "keep one of the two", key=True)

    def _patience(self, entry: PipelineEntry, path: Path) -> None:
        orders, patience = entry.orders, entry.patience
        if orders.retry_first_s > orders.retry_longest_s:
            message = "is longer than retry_longest_s"
            self._note((*path, "orders", "retry_first_s"), message, "exchange the two")
        if patience.first_s > patience.longest_s:
            self._note(
                (*path, "patience", "first_s"), "is longer than longest_s", "exchange the two"
            )

    def _stores_apart(self, entries: SettingsFile) -> None:
        """Two names for one store would import each of its orders twice."""
        seen: dict[str, str] = {}
        for name, entry in entries.systems.items():
            if entry.kind != "store":
                continue
            path: Path = ("systems", name, "options")
            store_id = entry.options.get("store_id")
            if isinstance(store_id, str):
                path = (*path, "store_id")
                same, what = f"id {store_id}", "has the store_id of"
            else:
                same, what = f"{entry.adapter} {entry.options!r}", "are those of"
            other = seen.setdefault(same, name)
            if other != name:
                message = f"{what} systems.{other}: its orders would be imported twice"
                self._note(path, message, "give each store its own")

    def _state_url(self, written: str) -> str:
        if not written:
            return f"sqlite:///{self._site.var / 'state.sqlite'}"
        relative = _SQLITE.fullmatch(written)
        return f"{relative[1]}:///{self._site.root / relative[2]}" if relative else written

    def _note(self, path: Path, message: str, remedy: str, *, key: bool = False) -> None:
        where, environment = self._sources.file.where, self._sources.environment
        variable = environment.name_of(path)
        if variable is None and path not in where.keys:
            variable = environment.name_below(path)
        said = f"{label(path) or 'the file'} {message}"
        if variable is not None:
            said = f"{variable}: {said}"
            self._problems.append(FileProblem(SOURCE, 0, 0, "", said, remedy))
            return
        line, column = (where.key if key else where.value)(path)
        self._problems.append(FileProblem(FILE, line, column, "", said, remedy))

    def _refused(self) -> FilesRefused:
        return FilesRefused(f"the settings in {self._site.root} are refused", self._problems)


def _said(error: ErrorDetails) -> tuple[str, str]:
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is missing", f"write {error['loc'][-1]} = ..."
        case "dict_type" | "model_type":
            return "is not a table", f"write [{label(error['loc'])}] and its fields below"
        case "list_type":
            return "is not a list", 'write ["one", "two"]'
        case "greater_than" | "greater_than_equal":
            least = context.get("gt", context.get("ge"))
            return "is too small", f"write {'more than' if 'gt' in context else 'at least'} {least}"
        case "less_than_equal":
            return "is too large", f"write at most {context['le']}"
    return explained(SettingsFile, error)


def _secrets_of(path: Path) -> str:
    if path[0] == "systems" and len(path) > 1:
        return f"[systems.{path[1]}.secrets]"
    return "service.state_password" if path[0] == "service" else "[systems.NAME.secrets]"


def _without(data: dict[str, Any], details: list[ErrorDetails]) -> dict[str, Any]:
    """A copy without the systems, pipelines and sections that do not fit."""
    units = {one["loc"][:2] for one in details}
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if (key,) in units or key not in SettingsFile.model_fields:
            continue
        kept[key] = value
        if isinstance(value, dict):
            kept[key] = {name: one for name, one in value.items() if (key, name) not in units}
    return kept


def _plain(options: Any) -> Any:
    """Adapters get their options in TOML's usual types."""
    if isinstance(options, Decimal):
        return float(options)
    if isinstance(options, dict):
        return {key: _plain(value) for key, value in options.items()}
    return [_plain(one) for one in options] if isinstance(options, list) else options
