"""The connections of one ERP: one engine that only reads, one that writes orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import URL, Engine

from erp_adapters.sql.errors import Attempt
from erp_adapters.sql.profile_model import dialect_name
from erp_adapters.sql.yaml_nodes import nearest
from sync.errors import Misconfigured
from sync.kit.database_files import misplaced
from sync.kit.engines import EngineOptions, address_of, engine_for, parse_url

INSECURE = ("insecure_trust_any_certificate", "insecure_no_encryption")
"""Options of SQL Server that are to be seen by whoever reads the settings."""

OPTIONS = (
    "url",
    "profile",
    "write_url",
    "schema",
    "pool_size",
    "login_timeout_s",
    "statement_timeout_s",
    "order_folder",
    *INSECURE,
)
SECRETS = ("url", "password", "write_url", "write_password")


@dataclass(frozen=True, slots=True)
class Settings:
    """The adapter's options, sound. ``url`` and ``write_url`` hold passwords.

    ``order_folder`` is where the folders of a profile that writes files are.
    ``insecure`` names the options of ``INSECURE`` that are on.
    """

    url: URL
    write_url: URL
    profile: str
    schema: str | None = None
    pool_size: int = 5
    login_timeout_s: float = 15.0
    statement_timeout_s: float = 60.0
    order_folder: Path = Path()
    insecure: frozenset[str] = frozenset()

    @classmethod
    def read(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> Settings:
        """Raises Misconfigured with everything that is wrong with the options."""
        problems = [
            f"no option {name!r}{nearest(name, OPTIONS)}" for name in options.keys() - {*OPTIONS}
        ]
        problems += [
            f"no secret {name!r}{nearest(name, SECRETS)}" for name in secrets.keys() - {*SECRETS}
        ]
        url = secrets.get("url") or options.get("url")
        write_url = secrets.get("write_url") or options.get("write_url")
        profile = options.get("profile")
        schema = options.get("schema")
        if not isinstance(url, str) or not url:
            problems.append("url is missing, such as sqlite:///erp.db")
        if not isinstance(profile, str) or not profile:
            problems.append("profile is missing: a path, or the name of a shipped profile")
        if write_url is not None and not isinstance(write_url, str):
            problems.append("write_url must be text")
        if schema is not None and not isinstance(schema, str):
            problems.append("schema must be text")
        order_folder = options.get("order_folder", "")
        if not isinstance(order_folder, str):
            problems.append("order_folder must be text: the path of a folder")
        insecure = frozenset(
            name for name in INSECURE if _switch(options.get(name, False), name, problems)
        )
        numbers = {
            name: _positive(options.get(name, default), name, problems)
            for name, default in (
                ("pool_size", 5),
                ("login_timeout_s", 15.0),
                ("statement_timeout_s", 60.0),
            )
        }
        if problems or not isinstance(url, str) or not isinstance(profile, str):
            raise Misconfigured("the options of the SQL adapter cannot be used:", tuple(problems))
        password = secrets.get("password")
        parsed = parse_url(url, base, password)
        write_password = secrets.get("write_password", password if write_url is None else None)
        writing = parse_url(str(write_url or url), base, write_password)
        if parsed.get_backend_name() != writing.get_backend_name():
            raise Misconfigured("url and write_url are of different dialects")
        if insecure and parsed.get_backend_name() != "mssql":
            raise Misconfigured(f"{', '.join(sorted(insecure))}: these are for SQL Server alone")
        return cls(
            url=parsed,
            write_url=writing,
            profile=profile,
            schema=schema if isinstance(schema, str) else None,
            pool_size=int(numbers["pool_size"]),
            login_timeout_s=numbers["login_timeout_s"],
            statement_timeout_s=numbers["statement_timeout_s"],
            order_folder=base / str(order_folder),
            insecure=insecure,
        )


class Database:
    """Both engines, made when first needed; nothing connects before.

    ``time_zone`` is the ERP's: a driver that drops zones tells times in it.
    """

    def __init__(self, settings: Settings, time_zone: str = "UTC") -> None:
        self.settings = settings
        self.time_zone = time_zone
        self.dialect = dialect_name(settings.url.get_backend_name())
        # SQLite's ODBC driver tells a floating point number as text of 15 digits.
        self.cut_floats = settings.url.drivername == "sqlite+pyodbc"
        self.address = address_of(settings.url)
        self._engines: list[Engine] = []
        # A missing driver shows here, at start-up, and not at the first order.
        self.reader = self._engine(settings.url, read_only=True)

    @cached_property
    def writer(self) -> Engine:
        return self._engine(self.settings.write_url, read_only=False)

    def misplaced(self) -> str | None:
        """Which option names no SQLite database, and what is there; None where all is well."""
        if self.dialect != "sqlite":
            return None
        named = {"url": self.settings.url, "write_url": self.settings.write_url}
        found = (misplaced(option, Path(str(url.database))) for option, url in named.items())
        return next((each for each in found if each is not None), None)

    def attempt(self, doing: str) -> Attempt:
        """For what is about to be done with one of the engines."""
        return Attempt(doing, address=self.address, misplaced=self.misplaced)

    def close(self) -> None:
        """Gives all connections back. May be called twice."""
        for engine in self._engines:
            engine.dispose()

    def options(self, *, read_only: bool) -> EngineOptions:
        settings = self.settings
        return EngineOptions(
            read_only=read_only,
            pool_size=settings.pool_size,
            login_timeout_s=settings.login_timeout_s,
            statement_timeout_s=settings.statement_timeout_s,
            schema=settings.schema,
            time_zone=self.time_zone,
            insecure_trust_any_certificate="insecure_trust_any_certificate" in settings.insecure,
            insecure_no_encryption="insecure_no_encryption" in settings.insecure,
        )

    def _engine(self, url: URL, read_only: bool) -> Engine:
        engine = engine_for(url, self.options(read_only=read_only))
        self._engines.append(engine)
        return engine


def _switch(value: object, name: str, problems: list[str]) -> bool:
    if not isinstance(value, bool):
        problems.append(f"{name} must be true or false")
    return value is True


def _positive(value: object, name: str, problems: list[str]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    problems.append(f"{name} must be a positive number")
    return 1.0
