"""What is at the place that a url names, and what may be over in a minute."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sync.kit.database_files import HEADER, misplaced

AWAY = (errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EHOSTDOWN, errno.EMFILE)
FOR_GOOD = (errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)


def failing(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def fails(*given: Any, **named: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, call, fails)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "erp.db"
    file.write_bytes(HEADER)
    return file


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("code", AWAY)
@pytest.mark.parametrize("call", ["stat", "open"])
def test_a_share_that_is_away_is_no_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, file: Path, call: str, code: int
) -> None:
    failing(monkeypatch, call, code)
    assert misplaced("url", file) is None


@pytest.mark.parametrize("code", FOR_GOOD)
@pytest.mark.parametrize("call", ["stat", "open"])
def test_a_file_that_nobody_may_read_is_told(
    monkeypatch: pytest.MonkeyPatch, file: Path, call: str, code: int
) -> None:
    failing(monkeypatch, call, code)
    assert misplaced("url", file) == (
        f"url names {file}, which cannot be read: {os.strerror(code)}"
    )


def test_what_is_there_is_told_and_a_database_is_not(file: Path) -> None:
    folder = file.parent
    assert misplaced("url", file) is None
    assert misplaced("url", folder) == f"url names {folder}, which is a folder"
    gone, nowhere, below = folder / "a.db", folder / "a" / "a.db", file / "a.db"
    assert misplaced("url", gone) == f"url names {gone}, and there is no such file"
    for each in (nowhere, below):
        told = f"url names {each}, and there is no such folder as {each.parent}"
        assert misplaced("url", each) == told
    file.write_text("Dear ERP,")
    assert misplaced("url", file) == f"url names {file}, which is no SQLite database"
