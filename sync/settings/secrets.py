"""Secrets: read from files that only the service can read, and kept out of all others (OP-7)."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SecretsSettingsSource

from sync.settings.places import Path as KeyPath
from sync.settings.words import is_credential

MAX_BYTES = 64 * 1024
_IN_URL = re.compile(r"://[^/\s@]*:[^@\s]+@")
# Also within a URL, where "=" and the ";" before the key may be spelled %3D and %3B.
_IN_TEXT = re.compile(
    r"(?i)(?:(?<![a-z0-9])|(?<=%3B)|(?<=%26))"
    r"(?:pwd|passw(?:or)?d|pass|secret|token|api[_-]?key|access[_-]?key)\s*(?:=|%3D)\s*[^;&\s]"
)
_KEY = re.compile(
    r"(?i)(?:^|_|-)(?:pwd|pass|passw(?:or)?d|passphrase|secret|token|credentials?"
    r"|(?:api|access|private|secret)[_-]?key)$"
)


class CredentialsSource(SecretsSettingsSource):
    """The credential files that the settings name, as SecretStr by file name.

    systemd's folder of credentials goes first, where there is one, then the
    site's own. The library's own source takes every file that has a field's
    name, whoever else can open it. ``refused`` tells why a file that is named
    gives no secret and what to do, without its content; ``written`` is what the
    other sources came to, below the field ``section``.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        own: Path,
        environ: Mapping[str, str],
        section: str,
    ) -> None:
        super().__init__(settings_cls, secrets_dir=own)
        given = environ.get("CREDENTIALS_DIRECTORY")
        self._from_systemd = Path(given) if given else None
        self._own = own
        self._section = section
        self.written: dict[str, Any] = {}
        self.refused: dict[str, tuple[str, str]] = {}

    def __call__(self) -> dict[str, Any]:
        self.written = self.current_state[self._section]
        secrets = {}
        for name in sorted(_named(self.written)):
            found = self._read(name)
            if isinstance(found, SecretStr):
                secrets[name] = found
            else:
                self.refused[name] = found
        return {"credentials": secrets}

    def _read(self, name: str) -> SecretStr | tuple[str, str]:
        """The secret without a line break at its end.

        systemd sees to the rights in its own folder; a file of the site must be
        closed to everybody else.
        """
        if self._from_systemd is not None and (self._from_systemd / name).is_file():
            return _content(self._from_systemd / name)
        path = self._own / name
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError):
            return (
                "names a credential that is not there",
                f"write it to a file of mode 0600 in {self._own}, or load it with LoadCredential=",
            )
        if not stat.S_ISREG(mode):
            return "names something that is no file", f"put a file of mode 0600 in {self._own}"
        if stat.S_IMODE(mode) & 0o077:
            return (
                f"names a file that others can open (mode {stat.S_IMODE(mode):04o})",
                f"run: chmod 600 {path}",
            )
        return _content(path)


def misplaced(data: Mapping[str, Any], above: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Where the settings seem to hold a secret themselves, and why it seems so."""
    for key, value in data.items():
        path = (*above, key)
        if _holds_names(path):
            continue
        yield from _misplaced(path, value, str(key))


def _misplaced(path: KeyPath, value: object, key: str) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, Mapping):
        yield from misplaced(value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _misplaced((*path, index), item, key)
    elif _KEY.search(key) and not isinstance(value, bool):
        yield path, "looks like a secret"
    elif isinstance(value, str) and _IN_URL.search(value):
        yield path, "has a password in its URL"
    elif isinstance(value, str) and _IN_TEXT.search(value):
        yield path, "has a secret in it"


def _holds_names(path: KeyPath) -> bool:
    """Places that take the name of a credential file."""
    return path == ("service", "state_password") or (
        len(path) == 3 and path[0] == "systems" and path[2] == "secrets"
    )


def _named(written: Mapping[str, Any]) -> set[str]:
    """The names that could be file names. What else stands in their places is told elsewhere."""
    service, systems = written.get("service"), written.get("systems")
    found = [service.get("state_password")] if isinstance(service, dict) else []
    for entry in systems.values() if isinstance(systems, dict) else ():
        secrets = entry.get("secrets") if isinstance(entry, dict) else None
        found.extend(secrets.values() if isinstance(secrets, dict) else ())
    return {name for name in found if isinstance(name, str) and is_credential(name)}


def _content(path: Path) -> SecretStr | tuple[str, str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        return f"names a file that cannot be read: {why}", f"look at the rights of {path}"
    if len(content) > MAX_BYTES:
        return "names a file that is too large for a secret", f"look into {path}"
    try:
        secret = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return "names a file that is not UTF-8", f"save {path} as UTF-8 text"
    if not secret.strip() or "\0" in secret:
        return "names a file without a secret in it", f"write the secret into {path}"
    return SecretStr(secret)
