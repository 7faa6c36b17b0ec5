"""Where the published data sets are, and fresh copies of them to work on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LOADER = DATA / "load_sqlite.py"
MISSING = f"the AdventureWorks and Northwind data are not beside the repository ({DATA.name})"

_PLACES = Decimal("0.0001")


def available() -> bool:
    return LOADER.is_file()


def build(folder: Path) -> None:
    """Every data set as a SQLite file in ``folder``; the loader counts every table's rows."""
    made = subprocess.run(
        [sys.executable, str(LOADER), str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise RuntimeError(f"the data sets could not be built:\n{made.stdout}{made.stderr}")


def copy_of(original: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(original, to)
    return to


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose rows answer to column names; what was written is committed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection
        connection.commit()


def exact(value: Any) -> Decimal:
    """The number that a DECIMAL(19,4) column meant; SQLite keeps it as a fraction."""
    return Decimal(repr(value)).quantize(_PLACES)
