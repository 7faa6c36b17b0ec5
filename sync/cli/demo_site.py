"""The sample's own site: the templates with the sample's assignments, and what it plays on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sync.errors import Misconfigured

MADE = "# The sample's site, made by `tradesync demo`: change here what you like to try.\n"
UNDER_WAY = "sample-is-being-made"
"""Stands in the site's folder until all of its files are there."""
# A new site captures and credits nothing; here both are shown.
_SWITCHED_ON = (
    ('# capture_channels = ["trade"]', 'capture_channels = ["trade", "shop", "outlet"]'),
    ('# credit_channels = ["trade"]', 'credit_channels = ["trade", "shop", "outlet"]'),
)


def make_site(home: Path) -> None:
    """Make the site where there is none yet.

    The sample writes into its ERP, its shop and its mapping files as people would, so it
    is played nowhere else. Raises Misconfigured for a site that somebody else made, and
    for one that was interrupted while it was made: only a person may remove it.
    """
    from sync.templates import FOLDERS, copy_templates, templates

    settings, mark = home / "config" / "tradesync.toml", home / UNDER_WAY
    there = [home / name for name in FOLDERS if (home / name).exists()]
    if there and mark.exists():
        raise _half_made(home, there)
    if settings.is_file():
        with settings.open(encoding="utf-8", errors="replace") as file:
            if file.readline() == MADE:
                return
        raise _not_ours(home)
    if there:
        raise _not_ours(home)
    source = templates()
    if source is None:
        raise Misconfigured("the templates are not there: install this service again")
    try:
        home.mkdir(parents=True, exist_ok=True)
        mark.touch()
        copy_templates(source, home, as_sample=True)
        settings.write_text(MADE + sample_settings(settings.read_text("utf-8")), "utf-8")
        mark.unlink()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise Misconfigured(f"{error.filename or home} cannot be made: {why}") from error


def sample_settings(text: str) -> str:
    """The shipped settings with captures and credits switched on."""
    for off, on in _SWITCHED_ON:
        before, found, after = text.partition(off)
        if not found:
            raise Misconfigured(f"the template of the settings has no line {off!r}")
        text = f"{before}{on}{after}"
    return text


def _not_ours(home: Path) -> Misconfigured:
    return Misconfigured(
        f"{home} is a site that the sample did not make, and the sample writes into its systems "
        "and mapping files: name a folder of its own, tradesync demo --site DIR"
    )


def _half_made(home: Path, there: Sequence[Path]) -> Misconfigured:
    return Misconfigured(
        f"{home} is half made: tradesync demo was stopped while it made this site, and nothing in"
        f" it was anybody's work yet. Remove {' and '.join(map(str, there))}, then start again"
    )
