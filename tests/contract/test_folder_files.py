"""A folder, and the fake, keep the contract of all places of files, and what only one can do."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sync.errors import Misconfigured, Rejected, TryLater
from sync.files.folder.adapter import FolderFiles
from sync.ports.erp import FindingLevel
from sync.testing.files import MemoryFiles
from sync.testing.files_contract import FilesContract

LIMIT = 1024 * 1024


class FolderWorld:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = 1_700_000_000

    def put(self, place: str, content: bytes) -> None:
        file = self._folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        # A clock that ticks between two writes, however fast they follow.
        self._clock += 1
        os.utime(file, (self._clock, self._clock))

    def drop(self, place: str) -> None:
        (self._folder / place).unlink()


class TestMemoryFiles(FilesContract):
    @pytest.fixture
    def files(self) -> MemoryFiles:
        return MemoryFiles(size_limit=LIMIT)

    @pytest.fixture
    def files_world(self, files: MemoryFiles) -> MemoryFiles:
        return files


class TestFolderFiles(FilesContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path / "papers"
        made.mkdir()
        # What a name could lead to if it left the folder.
        (tmp_path / "secret.pdf").write_bytes(b"%PDF-secret%%EOF")
        return made

    @pytest.fixture
    def files(self, folder: Path) -> FolderFiles:
        return FolderFiles(folder, LIMIT)

    @pytest.fixture
    def files_world(self, folder: Path) -> FolderWorld:
        return FolderWorld(folder)

    @pytest.mark.rule("TL-7", "WA-8")
    @pytest.mark.parametrize("kind", ["file", "folder", "dangling", "within", "loop"])
    def test_a_symbolic_link_is_refused_wherever_it_stands(
        self, files: FolderFiles, folder: Path, tmp_path: Path, kind: str
    ) -> None:
        (folder / "real").mkdir()
        (folder / "real" / "paper.pdf").write_bytes(b"one")
        place = "link.pdf"
        if kind == "file":
            (folder / place).symlink_to(tmp_path / "secret.pdf")
        elif kind == "folder":
            (folder / "link").symlink_to(tmp_path)
            place = "link/secret.pdf"
        elif kind == "dangling":
            (folder / place).symlink_to(tmp_path / "nothing")
        elif kind == "within":
            (folder / "link").symlink_to("real")
            place = "link/paper.pdf"
        else:
            (folder / place).symlink_to(place)

        with pytest.raises(Rejected, match="symbolic link"):
            files.stamp(place)
        with pytest.raises(Rejected, match="symbolic link"):
            list(files.read_file(place, "sha256:00"))

    @pytest.mark.rule("TL-7")
    @pytest.mark.parametrize("kind", ["folder", "pipe", "socket"])
    def test_what_is_no_plain_file_is_refused_without_waiting_for_it(
        self, files: FolderFiles, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = folder / "paper.pdf"
        if kind == "folder":
            made.mkdir()
        elif kind == "pipe":
            os.mkfifo(made)
        else:
            monkeypatch.chdir(folder)  # the name of a socket must be short
            listening = socket.socket(socket.AF_UNIX)
            listening.bind("paper.pdf")
            listening.close()

        with pytest.raises(Rejected):
            files.stamp("paper.pdf")

    @pytest.mark.rule("TL-7")
    def test_a_file_that_grows_while_it_is_read_is_refused_at_its_end(
        self, files: FolderFiles, folder: Path
    ) -> None:
        (folder / "paper.pdf").write_bytes(b"x" * 300_000)
        stamp = files.stamp("paper.pdf")
        assert stamp is not None
        pieces = files.read_file("paper.pdf", stamp.version)
        next(pieces)
        with (folder / "paper.pdf").open("ab") as file:
            file.write(b"more")

        with pytest.raises(Rejected, match="changed while it was read"):
            list(pieces)

    @pytest.mark.rule("TL-7")
    def test_no_file_stays_open(self, files: FolderFiles, folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "paper.pdf").write_bytes(b"x" * 600_000)
        (folder / "link.pdf").symlink_to("deep/paper.pdf")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for place in ("deep/paper.pdf", "deep", "deep/none.pdf", "none/x.pdf", "link.pdf"):
            for version in ("sha256:00", "other"):
                try:
                    files.stamp(place)
                    next(files.read_file(place, version))
                except (Rejected, StopIteration):
                    pass
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    @pytest.mark.rule("MI-3")
    def test_a_folder_that_is_not_there_is_no_folder_without_files(self, tmp_path: Path) -> None:
        for folder in (tmp_path / "unmounted", tmp_path / "file"):
            (tmp_path / "file").write_bytes(b"")
            away = FolderFiles(folder)
            with pytest.raises(TryLater, match="is not there"):
                away.stamp("paper.pdf")
            assert [each.level for each in away.check()] == [FindingLevel.ERROR]


def test_settings_are_told_with_every_problem(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    files = FolderFiles.from_settings({"folder": "out", "max_file_mb": 3}, {}, tmp_path)
    assert files.size_limit == 3 * 1024 * 1024
    assert [each.level for each in files.check()] == [FindingLevel.OK]
    with pytest.raises(Misconfigured) as refused:
        FolderFiles.from_settings({"dir": "x", "max_file_mb": "5"}, {"key": "k"}, tmp_path)
    assert len(refused.value.problems) == 4
