"""Where a site's files live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sync.errors import Misconfigured

ENVIRONMENT = "TRADESYNC_SITE"
SYSTEM_WIDE = Path("/etc/tradesync")
SETTINGS_FILE = "tradesync.toml"


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with ``config/`` and ``mappings/``; all paths absolute.

    ``var`` holds state, spools and logs and need not exist yet; ``credentials``
    is where secrets are looked for beside systemd's own folder.
    """

    root: Path
    config: Path
    mappings: Path
    var: Path
    credentials: Path

    @property
    def settings_file(self) -> Path:
        return self.config / SETTINGS_FILE


def resolve_site(option: str | Path | None, environ: Mapping[str, str]) -> Site:
    """The site that was asked for, else $TRADESYNC_SITE, else /etc/tradesync.

    State goes to the first folder of $STATE_DIRECTORY, as systemd gives it, else
    to ``var`` in the site. Raises Misconfigured where there is no site.
    """
    named = str(option or "") or environ.get(ENVIRONMENT) or str(SYSTEM_WIDE)
    try:
        root = Path(named).expanduser().resolve()
        found = (root / "config").is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise Misconfigured(f"{named!r} cannot be the folder of a site: {error}") from error
    if not found:
        raise Misconfigured(
            f"{root} is no site: it has no folder config. Pass --site DIR, set"
            f" {ENVIRONMENT}, or make a new site with: tradesync init {root}"
        )
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Site(
        root=root,
        config=root / "config",
        mappings=root / "mappings",
        var=Path(state) if state else root / "var",
        credentials=root / "credentials",
    )
