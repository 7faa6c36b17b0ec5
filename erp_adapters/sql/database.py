"""The connections of one ERP: one engine that only reads, one that writes orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import URL, Engine

from erp_adapters.sql.errors import Attempt
from erp_adapters.sql.profile_model import dialect_name
from sync.errors import Misconfigured
from sync.kit.database_files import misplaced
from sync.kit.engines import EngineOptions, address_of, engine_for, parse_url
from sync.kit.options import Options

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
        given = Options(options, OPTIONS, secrets, SECRETS)
        url = secrets.get("url") or given.needed("url", "sqlite:///erp.db")
        own_write_url = secrets.get("write_url") or given.text("write_url")
        profile = given.needed("profile", "config/acme.yaml, or a name such as sample")
        schema = given.text("schema")
        # Nothing is the site's own folder, which may be written so.
        order_folder = given.text("order_folder") if given.stated("order_folder") != "" else None
        insecure = frozenset(name for name in INSECURE if given.flag(name))
        pool_size = given.whole("pool_size", 5, 1, 100)
        login_timeout_s = given.seconds("login_timeout_s", 15.0)
        statement_timeout_s = given.seconds("statement_timeout_s", 60.0)
        password = secrets.get("password")
        write_password = secrets.get("write_password", None if own_write_url else password)
        reading_from = _place("url", secrets)
        writing_from = _place("write_url", secrets) if own_write_url else reading_from
        parsed = _parsed(given, reading_from, url, base, password)
        writing = _parsed(given, writing_from, own_write_url or url, base, write_password)
        if parsed is not None and writing is not None:
            _judge_dialects(given, parsed, writing, insecure)
        given.raise_if_any("the options of the SQL adapter cannot be used:")
        if parsed is None or writing is None:
            raise AssertionError("what has no URL has a problem")
        return cls(
            url=parsed,
            write_url=writing,
            profile=profile,
            schema=schema,
            pool_size=pool_size,
            login_timeout_s=login_timeout_s,
            statement_timeout_s=statement_timeout_s,
            order_folder=base / (order_folder or ""),
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


def _place(name: str, secrets: Mapping[str, str]) -> str:
    """Where it was taken from, by the name that the settings know."""
    return f"secrets.{name}" if secrets.get(name) else name


def _parsed(given: Options, name: str, url: str, base: Path, password: str | None) -> URL | None:
    """None where the URL is missing or cannot be read, which is told then."""
    if not url:
        return None
    try:
        return parse_url(url, base, password)
    except Misconfigured as error:
        told = f"{name}: {error}"
        if told not in given.problems:
            given.problems.append(told)
        return None


def _judge_dialects(given: Options, reading: URL, writing: URL, insecure: Collection[str]) -> None:
    if reading.get_backend_name() != writing.get_backend_name():
        given.problems.append("url and write_url are of different dialects")
    if reading.get_backend_name() != "mssql":
        for name in sorted(insecure):
            given.complain(name, "this is for SQL Server alone; take it out")
