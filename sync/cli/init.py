"""``tradesync init``: a new site from the templates."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from sync.cli.output import fail
from sync.cli.site import guarded
from sync.templates import FOLDERS, templates

SUFFIXES = frozenset({".toml", ".yaml", ".csv", ".md"})


@click.command(epilog="\b\nExample:\n  tradesync init /etc/tradesync")
@click.argument("folder", type=click.Path(path_type=Path))
@guarded
def init(folder: Path) -> None:
    """Make FOLDER a site: config/ and mappings/ from the templates, credentials/ empty.

    Nothing that is there already is touched.
    """
    source = templates()
    if source is None:
        fail("The templates are not there: this installation is incomplete. Install it again.")
    for name in FOLDERS:
        target = folder / name
        if target.exists():
            fail(f"{target} is there already; nothing was changed.")
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True)
            for file in sorted((source / name).iterdir()):
                if file.suffix in SUFFIXES and not file.name.startswith("."):
                    shutil.copyfile(file, folder / name / file.name)
        (folder / "credentials").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        fail(f"{error.filename or folder} cannot be made: {why}. Look at the folder's rights.")
    count = _assignments(folder / "mappings")
    click.echo(
        f"{folder} is a site now. Edit {folder / 'config' / 'tradesync.toml'} and the files in\n"
        f"{folder / 'mappings'}; each folder's README.md says what to write. The sample's {count}\n"
        "assignments stand there: they count from the first start of the service, so put yours\n"
        "in their place before it. Then:\n"
        f"  tradesync check --site {folder}"
    )


def _assignments(mappings: Path) -> int:
    from sync.logs import configure
    from sync.mapping import read_mapping

    configure("warning", "text")  # the sentence tells what was made
    return len(read_mapping(mappings).assignments)
