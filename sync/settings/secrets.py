"""Secrets: read from files that only the service can read, and kept out of all others (OP-7)."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sync.settings.places import Path as KeyPath

MAX_BYTES = 64 * 1024
_IN_URL = re.compile(r"://[^/\s@]*:[^@\s]+@")
_IN_TEXT = re.compile(
    r"(?i)\b(?:pwd|passw(?:or)?d|pass|secret|token|api[_-]?key|access[_-]?key)\s*=\s*[^;&\s]"
)
_KEY = re.compile(
    r"(?i)(?:^|_|-)(?:pwd|pass|passw(?:or)?d|passphrase|secret|token|credentials?"
    r"|(?:api|access|private|secret)[_-]?key)$"
)


@dataclass(frozen=True, slots=True)
class CredentialFiles:
    """systemd's folder of credentials, where there is one, and the site's own."""

    from_systemd: Path | None
    own: Path

    @classmethod
    def of(cls, own: Path, environ: Mapping[str, str]) -> CredentialFiles:
        given = environ.get("CREDENTIALS_DIRECTORY")
        return cls(Path(given) if given else None, own)

    def read(self, name: str) -> SecretStr | tuple[str, str]:
        """The secret, or why there is none and what to do. Neither names its content.

        A line break at the end is not part of it. systemd sees to the rights in
        its own folder; a file of the site must be closed to everybody else.
        """
        if self.from_systemd is not None and (self.from_systemd / name).is_file():
            return _content(self.from_systemd / name)
        path = self.own / name
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError):
            return (
                "names a credential that is not there",
                f"write it to a file of mode 0600 in {self.own}, or load it with LoadCredential=",
            )
        if not stat.S_ISREG(mode):
            return "names something that is no file", f"put a file of mode 0600 in {self.own}"
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


def _content(path: Path) -> SecretStr | tuple[str, str]:
    try:
        content = path.read_bytes()
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
