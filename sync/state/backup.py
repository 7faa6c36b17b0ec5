"""Backups of a SQLite state, made beside a running service, and their way back.

A restored state knows nothing of what happened since. That does no harm to
orders: the watermarks are of the same moment, so the store shows everything
again that changed since, and each order is looked up in the ERP by its key
before anything is sent. What a look-up cannot mend is marked in the restored
state: what people asked for or confirmed is not done a second time, orders in
quarantine say that they may have gone in meanwhile, and orders that were on
their way into the ERP when the service ended are taken over from the state that
is replaced, as their outcome is unknown until they are looked for.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import URL

from sync.errors import AccessDenied, Misconfigured
from sync.kit.database_files import identity
from sync.ports.erp import FindingLevel
from sync.state.engine import open_state, sqlite_file, state_url
from sync.state.errors import translated
from sync.state.lock import hold_writer_lock
from sync.state.owner import require_owner
from sync.state.restored import Marked, carry_over, mark
from sync.state.same_file import BESIDE, beside
from sync.state.soundness import complaints, connected, require_sound_beside
from sync.state.verifying import verify_file

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup. ``schema`` is the state's migration; ``orders`` counts its entries."""

    file: Path
    size_bytes: int
    schema: str
    orders: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did, or would do. ``replaced`` is where the old state is kept.

    ``under_way`` are the numbers of orders taken over from the replaced state.
    ``left_behind`` says why none could be: that state is damaged or of another
    schema; None where it was read, or there was none.
    """

    state: Path
    orders: int
    replaced: Path | None
    marked: Marked
    under_way: tuple[str, ...] = ()
    left_behind: str | None = None


def backup_state(url: str | URL, file: Path, *, replace: bool = False) -> Backup:
    """Copy the state as it is at one moment into ``file``; nobody waits for it meanwhile.

    The file is whole or not there: it is written under another name, checked,
    brought to the disk and renamed, and only its owner can read it. An existing
    one is only replaced where ``replace`` says so. Raises Misconfigured for
    PostgreSQL, a damaged state or a name that will not do, AccessDenied,
    TryLater.
    """
    state = _state_file(url)
    require_owner(state)
    if not state.exists():
        raise Misconfigured(f"there is no state at {state} yet; start the service once")
    file = Path(os.path.abspath(file))  # noqa: PTH100 - a link is to be seen, not followed
    _require_free(file, state, replace=replace)
    require_sound_beside(state)
    with _made_beside(file) as new:
        with translated(), closing(connected(state)) as source:
            _copy(source, new)
        with translated(), closing(connected(new)) as copy:
            found = complaints(copy, quick=True)
            if found:
                raise _damaged(state, found)
            told = Backup(file, 0, _schema(copy, state), _count(copy))
        _put_in_place(new, file)
    return Backup(file, file.stat().st_size, told.schema, told.orders)


def restore_state(
    url: str | URL,
    file: Path,
    now: datetime,
    actor: str,
    reason: str = "",
    *,
    dry_run: bool = False,
) -> Restored:
    """Put the backup ``file`` in the state's place; a daemon must not be running.

    The backup is copied, upgraded, verified and marked before the state is
    touched; what it replaces is kept beside it, with the time in its name. A
    ``dry_run`` ends just before that. Raises StateInUse, Misconfigured for
    PostgreSQL and for a backup that is damaged, inconsistent or newer than this
    code, AccessDenied, TryLater.
    """
    state = _state_file(url)
    with hold_writer_lock(url), _made_beside(state) as new:
        if not file.is_file():
            raise Misconfigured(f"there is no backup {file}")
        if identity(file) == identity(state):
            raise Misconfigured(f"{file} is the state itself; name a backup")
        _copy_backup(file, new)
        ruin = _ruin(state)
        under_way, left_behind = ((), ruin) if ruin else carry_over(state, new, now)
        marked = mark(new, file, now, actor, reason)
        told = Restored(state, _orders_in(new), None, marked, under_way, left_behind)
        if dry_run:
            return told
        kept = _kept(state, now, sound=ruin is None) if state.exists() else None
        _put_in_place(new, state)
    return Restored(state, told.orders, kept, marked, under_way, left_behind)


def _state_file(url: str | URL) -> Path:
    target = state_url(url)
    if target.get_backend_name() != "sqlite":
        raise Misconfigured(
            "the state is kept in PostgreSQL, whose own tools make consistent copies: back it up"
            " with pg_dump --format=custom, and stop the service before pg_restore --clean"
        )
    file = sqlite_file(target)
    if file is None:
        raise Misconfigured("the state is in memory only; there is nothing to back up")
    return file


def _require_free(file: Path, state: Path, *, replace: bool) -> None:
    taken = {state.name, state.name + ".lock", *(state.name + suffix for suffix in BESIDE)}
    if file.parent.resolve() == state.parent.resolve() and file.name in taken:
        raise Misconfigured(f"{file} belongs to the state itself; name another file")
    if not file.exists() and not file.is_symlink():
        return
    if not replace:
        raise Misconfigured(f"{file} is there already; name another file or say --replace")
    if not file.is_file() or file.is_symlink():
        raise Misconfigured(f"{file} is no ordinary file and is not replaced")


@contextmanager
def _made_beside(file: Path) -> Iterator[Path]:
    """An empty file of our own next to ``file``, gone at the end unless it was renamed."""
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise AccessDenied(
            f"nothing can be written into {file.parent}: {error.strerror}"
        ) from error
    try:
        yield new
    finally:
        for each in (new, *(beside(new, suffix) for suffix in BESIDE)):
            each.unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, new: Path) -> None:
    """All in one step, so that it is one moment; a writer goes on beside it."""
    with closing(connected(new)) as copy:
        source.backup(copy)
        # The copy inherits the mark of a write-ahead log; alone it needs none.
        copy.execute("PRAGMA journal_mode=DELETE").fetchone()


def _copy_backup(file: Path, new: Path) -> None:
    try:
        with translated(), closing(connected(file, read_only=True)) as source:
            _copy(source, new)
    except Misconfigured as error:
        raise Misconfigured(f"{file} is no backup of a state, or is damaged") from error
    # Brings an older backup to this code's schema; refuses a newer one.
    open_state(f"sqlite:///{new}").dispose()
    wrong = [each for each in verify_file(new) if each.level is FindingLevel.ERROR]
    if wrong:
        raise Misconfigured(
            f"{file} is not restored, the state stays as it is:",
            tuple(f"{each.subject}: {each.message}" for each in wrong),
        )


def _ruin(state: Path) -> str | None:
    """Why nothing can be taken over from the state; None for a sound or missing one."""
    if not state.exists():
        return None
    try:
        # Read only, or a log that is not its own would be folded into it.
        with closing(connected(state, read_only=True)) as connection:
            return next(iter(complaints(connection)), None)
    except sqlite3.Error as error:
        return str(error)


def _kept(state: Path, now: datetime, *, sound: bool) -> Path:
    """Give the old state another name too, and take its log out of the new one's way."""
    kept = _unused_name(state, now)
    if sound:
        with translated(), closing(connected(state)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    for suffix in ("", *BESIDE):
        name = beside(state, suffix)
        if name.exists():
            _named_also(name, beside(kept, suffix))
    # The state itself is only ever replaced in one step; a log must not outlive it.
    for suffix in BESIDE:
        beside(state, suffix).unlink(missing_ok=True)
    return kept


def _unused_name(state: Path, now: datetime) -> Path:
    stem = f"{state.name}.replaced-{now:%Y%m%dT%H%M%SZ}"
    names = (stem, *(f"{stem}-{number}" for number in range(2, 1000)))
    return next(state.with_name(name) for name in names if not state.with_name(name).exists())


def _named_also(file: Path, other: Path) -> None:
    try:
        os.link(file, other)
    except OSError:
        # A disk without links.
        shutil.copy2(file, other)


def _put_in_place(new: Path, file: Path) -> None:
    """On the disk first, then under its name in one step."""
    try:
        _to_disk(new)
        new.replace(file)
        _to_disk(file.parent)
    except OSError as error:
        raise AccessDenied(f"{file} cannot be written: {error.strerror}") from error


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _schema(copy: sqlite3.Connection, state: Path) -> str:
    try:
        (found,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.OperationalError, TypeError) as error:
        raise Misconfigured(f"{state} is no state of this service") from error
    return str(found)


def _count(copy: sqlite3.Connection) -> int:
    return int(copy.execute("SELECT count(*) FROM ledger").fetchone()[0])


def _orders_in(file: Path) -> int:
    with closing(connected(file)) as connection:
        return _count(connection)


def _damaged(state: Path, found: list[str]) -> Misconfigured:
    return Misconfigured(
        f"the state {state} is damaged, so no backup was made of it; restore the last good one",
        tuple(found[:_SHOWN]),
    )
