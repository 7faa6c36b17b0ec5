"""``tradesync init``: a new site from the templates."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import click

from sync.cli.output import fail
from sync.cli.site import guarded

FOLDERS = ("config", "mappings")
SUFFIXES = frozenset({".toml", ".yaml", ".csv", ".md"})


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
    click.echo(
        f"{folder} is a site now. Edit {folder / 'config' / 'tradesync.toml'} and the files in\n"
        f"{folder / 'mappings'}; each folder's README.md says what to write. Then:\n"
        f"  tradesync check --site {folder}"
    )


def _templates() -> Path:
    """The source tree where there is one, else what was installed with the package.

    The package's own record says where that went: the folder for shared files
    differs between an environment, a user's and a system-wide installation.
    """
    tree = Path(__file__).resolve().parents[2]
    if (tree / "pyproject.toml").is_file() and _complete(tree):
        return tree
    shares = (
        Path(str(file.locate())).resolve().parents[1]
        for file in metadata.files("tradesync") or ()
        if file.match("share/tradesync/config/*")
    )
    share = next(filter(_complete, shares), None)
    if share is None:
        fail("The templates are not there: this installation is incomplete. Install it again.")
    return share


def _complete(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in FOLDERS)
