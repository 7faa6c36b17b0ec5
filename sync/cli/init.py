"""``tradesync init``: a new site from the templates."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

import click

from sync.cli.output import fail
from sync.cli.site import guarded

FOLDERS = ("config", "mappings")


@click.command(epilog="\b\nExample:\n  tradesync init /etc/tradesync")
@click.argument("folder", type=click.Path(path_type=Path))
@guarded
def init(folder: Path) -> None:
    """Make FOLDER a site: config/ and mappings/ from the templates, credentials/ empty.

    Nothing that is there already is touched.
    """
    source = _templates()
    for name in FOLDERS:
        target = folder / name
        if target.exists():
            fail(f"{target} is there already; nothing was changed.")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
        for file in sorted((source / name).iterdir()):
            if file.is_file():
                shutil.copyfile(file, folder / name / file.name)
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700, exist_ok=True)
    click.echo(
        f"{folder} is a site now. Edit {folder / 'config' / 'tradesync.toml'} and the files in\n"
        f"{folder / 'mappings'}; each folder's README.md says what to write. Then:\n"
        f"  tradesync check --site {folder}"
    )


def _templates() -> Path:
    """The package's share folder, else the source tree."""
    share = Path(sysconfig.get_path("data")) / "share" / "tradesync"
    if all((share / name).is_dir() for name in FOLDERS):
        return share
    return Path(__file__).resolve().parents[2]
