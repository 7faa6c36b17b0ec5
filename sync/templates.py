"""Where the templates of a site are: its two folders, filled for the sample, with their READMEs."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

FOLDERS = ("config", "mappings")


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
        if file.match("share/tradesync/config/*")
    )
    return next(filter(_complete, shares), None)


def _complete(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in FOLDERS)
