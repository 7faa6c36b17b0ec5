"""Whether a state was here before: one that is gone must not be made anew in silence.

An empty state imports nothing twice, since each order is looked up in the ERP,
but it has forgotten what people decided: an order that was dismissed would be
imported after all, and what waited in quarantine is judged as if nobody had
looked at it. So the first start leaves a note in the site's var, and a later
start that finds the note and no state stops, with the way out.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import structlog
from sqlalchemy import inspect
from sqlalchemy.engine import URL

from sync.errors import Misconfigured
from sync.state.engine import make_engine, sqlite_file, state_url
from sync.state.errors import translated
from sync.state.owner import require_owner

log = structlog.get_logger()

NOTE = "state.known"
_HEAD = (
    "# Where this site has its state. A state that is gone is restored from a backup, or given up\n"
    "# with `tradesync state new`; removing this file gives it up too, without a trace.\n"
)


class KnownStates:
    """The note in the folder ``var``. ``place`` is the state's URL without a password."""

    def __init__(self, var: Path, place: str) -> None:
        self._file, self._place = var / NOTE, place

    def require_not_lost(self, url: str | URL) -> None:
        """Raises Misconfigured where there was a state before and is none any more."""
        if self._place in self._places() and not is_there(url):
            raise Misconfigured(
                f"the state {self._place} is gone: it was there when the service last started.\n"
                "Bring the last backup in with: tradesync state restore FILE\n"
                "Without one, begin anew with: tradesync state new --reason WHY (each order is"
                " looked up in the ERP first; what people dismissed or decided is forgotten)"
            )

    def remember(self) -> None:
        """The state is there from now on. A note that cannot be written stops nothing."""
        places = self._places()
        if self._place in places:
            return
        text = _HEAD + "".join(f"{each}\n" for each in [*places, self._place])
        beside = self._file.with_name(f".{NOTE}.{os.getpid()}.new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.chmod(0o600)
            beside.replace(self._file)
        except OSError as error:
            log.warning("state.note_failed", file=str(self._file), reason=error.strerror)
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)

    def forget(self) -> None:
        """Whoever starts next may make the state anew."""
        places = [each for each in self._places() if each != self._place]
        self._file.unlink(missing_ok=True)
        if places:
            self._file.write_text(_HEAD + "".join(f"{each}\n" for each in places), encoding="utf-8")

    def _places(self) -> list[str]:
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning("state.note_unreadable", file=str(self._file), reason=error.strerror)
            return []
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def is_there(url: str | URL) -> bool:
    """Whether a state with a schema is at this URL. Raises what opening it would raise."""
    target = state_url(url)
    if target.get_backend_name() == "sqlite":
        file = sqlite_file(target)
        if file is None:
            return True
        try:
            return file.exists() and file.stat().st_size > 0
        except PermissionError:
            require_owner(file)
            raise
    engine = make_engine(target, wait_for_lock_s=0)
    try:
        with translated(), engine.connect() as connection:
            return inspect(connection).has_table("alembic_version")
    finally:
        engine.dispose()
