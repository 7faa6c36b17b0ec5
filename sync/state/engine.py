"""Opens the state: an engine whose schema is there and as new as this code.

SQLite is the default: write-ahead log, so that readers do not wait for the
writer; ``synchronous=FULL``, because a ledger step that a power cut takes back
could become a second order; and every transaction begins IMMEDIATE, because one
that reads first and writes later can fail half-way instead of waiting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from sync.errors import AccessDenied, Misconfigured
from sync.state.errors import translated
from sync.state.in_use import note_opened
from sync.state.owner import require_owner
from sync.state.same_file import SameFile
from sync.state.soundness import require_sound, require_sound_beside
from sync.state.upgrade import require_current_schema, upgrade_schema

WAIT_FOR_LOCK_S = 30.0
# No transaction of ours waits for anything but the database. One that does nothing
# for so long belongs to a process that is frozen, and would lock out its successor.
IDLE_IN_TRANSACTION_S = 60.0
# What the log keeps of its room once all of it is in the state itself.
LOG_LIMIT_BYTES = 16 * 1024 * 1024


def open_state(
    url: str | URL, *, upgrade: bool = True, wait_for_lock_s: float = WAIT_FOR_LOCK_S
) -> Engine:
    """The engine of the state at ``url``, created or upgraded where necessary.

    With ``upgrade=False`` an older or missing schema is Misconfigured instead:
    that is for commands beside a running daemon. ``wait_for_lock_s`` is how
    long a SQLite transaction waits for another one. A SQLite state whose last
    process was killed is examined before it is used. Raises Misconfigured for a
    state that is damaged or newer than this code, AccessDenied for another
    user's file, TryLater while the database is away, or was replaced under its
    writer. The caller disposes of the engine.
    """
    target = state_url(url)
    file = sqlite_file(target)
    if file is not None:
        require_owner(file)
        if upgrade:
            prepare_folder(file)
            _make_sure_of(file)
            require_sound(file)
        elif not file.exists():
            raise Misconfigured(f"there is no state at {file} yet; start the service once")
        else:
            require_sound_beside(file)
    engine = make_engine(target, wait_for_lock_s)
    try:
        with translated():
            if upgrade:
                upgrade_schema(engine)
            else:
                require_current_schema(engine)
        if upgrade and file is not None:
            note_opened(file)
    except BaseException:
        engine.dispose()
        raise
    return engine


def state_url(url: str | URL) -> URL:
    """The parsed URL. Raises Misconfigured for anything but SQLite and PostgreSQL."""
    try:
        target = make_url(url)
    except ArgumentError as error:
        raise Misconfigured("the state URL cannot be read; write sqlite:///PATH") from error
    match target.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return target
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return target.set(drivername="postgresql+psycopg")
        case other:
            raise Misconfigured(f"the state cannot be kept in {other}; use sqlite or postgresql")


def sqlite_file(url: URL) -> Path | None:
    """The state's file; None where it is in memory or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def prepare_folder(file: Path) -> None:
    """The folder of the state, made if it is missing. Raises AccessDenied."""
    require_owner(file)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AccessDenied(
            f"the state's folder {file.parent} cannot be made: {error.strerror}; as a system"
            " service, start it once: systemd makes the folder. Otherwise make it, for this user"
        ) from error


def _make_sure_of(file: Path) -> None:
    try:
        # What is inside names buyers and their addresses: nobody else's to read.
        file.touch(mode=0o600)
    except OSError as error:
        raise AccessDenied(
            f"the state {file} cannot be made or written to: {error.strerror}"
        ) from error


def make_engine(url: URL, wait_for_lock_s: float) -> Engine:
    """An engine with the settings of a state, whatever its schema may be."""
    # Statements carry buyers' addresses, which must not ride along in errors.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": wait_for_lock_s}
        if sqlite_file(url) is None:
            # One connection is the database; threads take turns with it.
            options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
            options["pool_timeout"] = wait_for_lock_s
            options["connect_args"]["check_same_thread"] = False
    else:
        options["pool_pre_ping"] = True
        options["connect_args"] = {"options": _session(url, wait_for_lock_s)}
    try:
        engine = create_engine(url, **options)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise Misconfigured(
            "state_url in config/tradesync.toml: a state in PostgreSQL needs psycopg; install the"
            " extra tradesync[postgresql] into the environment of this program"
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        file = sqlite_file(url)
        if file is not None:
            same = SameFile(file)
            same.watch(engine)
            event.listen(engine, "begin", lambda _connection: same.remember_log())
    return engine


def _session(url: URL, wait_for_lock_s: float) -> str:
    """Settings of each session on PostgreSQL; what the URL says itself comes last, and wins."""
    given = url.query.get("options", "")
    ours = {
        "lock_timeout": wait_for_lock_s,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_S,
    }
    words = [f"-c {name}={round(seconds * 1000)}" for name, seconds in ours.items()]
    return " ".join([*words, *([given] if isinstance(given, str) else given)]).strip()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    try:
        _set_up_sqlite(connection)
    except BaseException:
        # Left open it would stay in the way: SQLite shares what it found out
        # about a file, such as that it is read-only, within the process.
        connection.close()
        raise


def _set_up_sqlite(connection: Any) -> None:
    # The driver's own implicit BEGIN comes too late, and is never IMMEDIATE.
    connection.isolation_level = None
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        # So that room can be given back. An older file takes it when it is purged.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode not in ("wal", "memory"):
        raise Misconfigured(
            f"the state's disk does not allow a write-ahead log (it stays {mode});"
            " keep the state on a local disk"
        )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
