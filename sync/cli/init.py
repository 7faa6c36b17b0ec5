"""``tradesync init``: a new site from the templates."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli.output import fail
from sync.cli.site import guarded
from sync.templates import FOLDERS, copy_templates, templates


@click.command(epilog="\b\nExample:\n  tradesync init /etc/tradesync")
@click.argument("folder", type=click.Path(path_type=Path))
@guarded
def init(folder: Path) -> None:
    """Make FOLDER a site: config/ and mappings/ from the templates, credentials/ and var/ empty.

    Nobody is assigned to an account yet. Nothing that is there already is touched.
    """
    source = templates()
    if source is None:
        fail("The templates are not there: this installation is incomplete. Install it again.")
    for name in FOLDERS:
        target = folder / name
        if target.exists():
            fail(f"{target} is there already; nothing was changed.")
    try:
        copy_templates(source, folder)
        (folder / "credentials").mkdir(mode=0o700, exist_ok=True)
        # What the shipped settings put there, by the service or by `store create`.
        (folder / "var").mkdir(exist_ok=True)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        fail(f"{error.filename or folder} cannot be made: {why}. Look at the folder's rights.")
    click.echo(
        f"{folder} is a site now. Edit {folder / 'config' / 'tradesync.toml'} and the files in\n"
        f"{folder / 'mappings'}; each folder's README.md says what to write. Nobody is assigned\n"
        "to an account yet; channels and codes are the sample's, so put yours in their place.\n"
        f"Then:\n  tradesync check --site {folder}"
    )
