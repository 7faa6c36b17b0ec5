"""A state that was there and is gone is noticed; a first start needs nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sync.errors import AccessDenied, Misconfigured
from sync.state import open_state
from sync.state.known import NOTE, KnownStates, is_there

pytestmark = pytest.mark.rule("OI-2", "OP-1")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state.sqlite'}"


def started(var: Path, url: str) -> None:
    """What a start of the service does about its state."""
    known = KnownStates(var, url)
    known.require_not_lost(url)
    open_state(url).dispose()
    known.remember()


def test_a_first_start_needs_nobody_and_leaves_a_note(tmp_path: Path, url: str) -> None:
    var = tmp_path / "not" / "there"
    started(var, url)
    assert (var / NOTE).stat().st_mode & 0o777 == 0o600
    started(var, url)
    assert (var / NOTE).read_text().count(url) == 1


@pytest.mark.parametrize("how", ["deleted", "empty"])
def test_a_state_that_is_gone_stops_the_start_with_both_ways_out(
    tmp_path: Path, url: str, how: str
) -> None:
    started(tmp_path, url)
    file = tmp_path / "state.sqlite"
    file.unlink()
    if how == "empty":
        file.touch()
    with pytest.raises(Misconfigured):
        started(tmp_path, url)
    with pytest.raises(Misconfigured) as gone:
        started(tmp_path, url)
    assert "tradesync state restore FILE" in str(gone.value)
    assert "tradesync state new" in str(gone.value)
    assert not is_there(url), "nothing was made anew"
    KnownStates(tmp_path, url).forget()
    started(tmp_path, url)


def test_a_state_kept_elsewhere_from_now_on_is_a_first_start_there(
    tmp_path: Path, url: str
) -> None:
    started(tmp_path, url)
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    started(tmp_path, other)
    (tmp_path / "state.sqlite").unlink()
    started(tmp_path, other)
    with pytest.raises(Misconfigured):
        started(tmp_path, url)
    KnownStates(tmp_path, url).forget()
    (tmp_path / "other.sqlite").unlink()
    with pytest.raises(Misconfigured):
        started(tmp_path, other)


def test_a_state_from_before_the_note_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    open_state(url).dispose()
    started(tmp_path, url)
    assert url in (tmp_path / NOTE).read_text()


def test_a_note_that_cannot_be_written_or_read_stops_nothing(tmp_path: Path, url: str) -> None:
    (tmp_path / NOTE).mkdir()
    started(tmp_path, url)
    assert is_there(url)
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(f".{NOTE}")]


def test_a_state_in_memory_is_never_lost(tmp_path: Path) -> None:
    started(tmp_path, "sqlite://")
    started(tmp_path, "sqlite://")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_whoever_may_not_see_the_state_is_told_so(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(AccessDenied, match="run as the user of the service"):
            is_there(f"sqlite:///{folder / 'state.sqlite'}")
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_where_the_folder_cannot_be_made_the_way_out_is_told() -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(AccessDenied, match="start it once: systemd makes the folder"):
            open_state("sqlite:////tradesync-not-there/state.sqlite")
    finally:
        os.seteuid(0)
