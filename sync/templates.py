"""The templates of a site: its two folders, filled for the sample, with their READMEs.

Whole settings for other systems, to begin with, lie in ``config/EXAMPLES``.

A new site begins with nobody assigned and no account's policy, so some of its mapping
files are others than the sample's: they are in the folder ``NEW_SITE`` below those.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

FOLDERS = ("config", "mappings")
NEW_SITE = "new-site"
EXAMPLES = "examples"
SUFFIXES = frozenset({".toml", ".yaml", ".csv", ".md"})


def templates() -> Path | None:
    """The source tree where there is one, else what was installed with the package.

    The package's own record says where that went: the folder for shared files
    differs between an environment, a user's and a system-wide installation. None
    where the installation is incomplete.
    """
    tree = Path(__file__).resolve().parents[1]
    if (tree / "pyproject.toml").is_file() and _complete(tree):
        return tree
    try:
        files = metadata.files("tradesync") or ()
    except metadata.PackageNotFoundError:
        return None
    shares = (
        Path(str(file.locate())).resolve().parents[1]
        for file in files
        if file.match("share/tradesync/config/*.toml")
    )
    return next(filter(_complete, shares), None)


def copy_templates(source: Path, folder: Path, *, as_sample: bool = False) -> None:
    """Fill the site in ``folder``; ``as_sample`` with the sample's assignments and accounts.

    Raises OSError, also where one of the two folders is there already.
    """
    files = {name: {file.name: file for file in _files(source / name)} for name in FOLDERS}
    if not as_sample:
        files["mappings"] |= {file.name: file for file in _files(source / "mappings" / NEW_SITE)}
    files[f"config/{EXAMPLES}"] = {each.name: each for each in _files(source / "config" / EXAMPLES)}
    for name, wanted in files.items():
        (folder / name).mkdir(parents=True)
        for file in wanted.values():
            shutil.copyfile(file, folder / name / file.name)


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.suffix in SUFFIXES and not file.name.startswith("."):
            yield file


def _complete(folder: Path) -> bool:
    """Whether all of it is there: a new site must never begin with the sample's assignments."""
    below = f"config/{EXAMPLES}", f"mappings/{NEW_SITE}"
    return all((folder / name).is_dir() for name in (*FOLDERS, *below))
