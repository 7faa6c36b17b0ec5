"""What every place of files must do, as tests that its author inherits.

    class TestAcme(FilesContract):
        @pytest.fixture
        def files(self, bucket): return AcmeFiles(bucket, size_limit=1024 * 1024)

        @pytest.fixture
        def files_world(self, bucket): return AcmeWorld(bucket)

Both fixtures look at one and the same place, which is empty when a test begins.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import pytest

from sync.errors import Rejected
from sync.ports.erp import FindingLevel
from sync.ports.files import HoldsFiles

LARGE = bytes(range(256)) * 4096 * 3
FORBIDDEN = [
    "",
    ".",
    "..",
    "../secret.pdf",
    "papers/../../secret.pdf",
    "papers/..",
    "./secret.pdf",
    "papers//secret.pdf",
    "/etc/passwd",
    "//host/share.pdf",
    "papers/",
    "C:/secret.pdf",
    "C:secret.pdf",
    "paper.pdf:stream",
    "papers\\secret.pdf",
    "..\\secret.pdf",
    "paper.pdf\0.png",
    "paper\n.pdf",
    "paper\u202efdp.exe",
    "paper\u200b.pdf",
    "\u2025/secret.pdf",
    "papers\uff0fsecret.pdf",
    "\uff0e\uff0e/secret.pdf",
    "papers\uff3csecret.pdf",
    " paper.pdf",
    "papers /paper.pdf",
    "\udcff.pdf",
    "p" * 1025,
]


class FilesWorld(Protocol):
    """The place behind the adapter, changed past it."""

    def put(self, place: str, content: bytes) -> None:
        """Write the file, in folders that are made for it; other bytes are another version."""
        ...

    def drop(self, place: str) -> None: ...


class FilesContract:
    @pytest.mark.rule("TL-7")
    @pytest.mark.parametrize(
        "place", ["paper.pdf", "2025/03/Größe 8½, 東京.pdf", "no-ending", "..paper.pdf", "a/..b/c"]
    )
    @pytest.mark.parametrize("content", [b"", b"%PDF-1.4 %%EOF", LARGE])
    def test_a_file_is_read_as_it_was_written(
        self, files: HoldsFiles, files_world: FilesWorld, place: str, content: bytes
    ) -> None:
        files_world.put(place, content)

        stamp = files.stamp(place)

        assert stamp is not None
        assert stamp.size == len(content)
        pieces = list(files.read_file(place, stamp.version))
        assert b"".join(pieces) == content
        assert all(len(piece) <= 1024 * 1024 for piece in pieces)

    @pytest.mark.rule("TL-7", "MI-2")
    def test_a_version_stays_until_the_content_changes(
        self, files: HoldsFiles, files_world: FilesWorld
    ) -> None:
        files_world.put("paper.pdf", b"one")
        files_world.put("other.pdf", b"one")
        first = files.stamp("paper.pdf")
        assert files.stamp("paper.pdf") == first
        files_world.put("other.pdf", b"another")
        assert files.stamp("paper.pdf") == first

        files_world.put("paper.pdf", b"two")

        assert files.stamp("paper.pdf") != first

    @pytest.mark.rule("TL-7")
    def test_a_file_that_is_not_there_has_no_version_and_is_not_read(
        self, files: HoldsFiles, files_world: FilesWorld
    ) -> None:
        files_world.put("papers/paper.pdf", b"one")
        for place in ("other.pdf", "papers/other.pdf", "no/such/folder.pdf", "papers/paper.pdf/x"):
            assert files.stamp(place) is None
            with pytest.raises(Rejected, match="is not there"):
                list(files.read_file(place, "sha256:00"))

    @pytest.mark.rule("TL-7")
    def test_a_file_in_another_version_is_not_read(
        self, files: HoldsFiles, files_world: FilesWorld
    ) -> None:
        files_world.put("paper.pdf", b"one")
        stamp = files.stamp("paper.pdf")
        assert stamp is not None
        files_world.put("paper.pdf", b"two")

        with pytest.raises(Rejected, match="changed"):
            list(files.read_file("paper.pdf", stamp.version))
        files_world.drop("paper.pdf")
        with pytest.raises(Rejected, match="is not there"):
            list(files.read_file("paper.pdf", stamp.version))

    @pytest.mark.rule("TL-7")
    def test_a_file_whose_content_the_erp_tells_is_read_in_any_version(
        self, files: HoldsFiles, files_world: FilesWorld
    ) -> None:
        files_world.put("paper.pdf", LARGE)

        told = f"sha256:{hashlib.sha256(LARGE).hexdigest()}"

        assert b"".join(files.read_file("paper.pdf", told)) == LARGE

    @pytest.mark.rule("TL-7")
    def test_a_read_may_be_left_off_in_the_middle(
        self, files: HoldsFiles, files_world: FilesWorld
    ) -> None:
        files_world.put("paper.pdf", LARGE)
        stamp = files.stamp("paper.pdf")
        assert stamp is not None
        pieces = files.read_file("paper.pdf", stamp.version)
        assert LARGE.startswith(next(pieces))
        close = getattr(pieces, "close", None)
        if close is not None:
            close()

        assert b"".join(files.read_file("paper.pdf", stamp.version)) == LARGE

    @pytest.mark.rule("TL-7", "WA-8")
    @pytest.mark.parametrize("place", FORBIDDEN)
    def test_a_name_that_leads_elsewhere_is_refused(
        self, files: HoldsFiles, files_world: FilesWorld, place: str
    ) -> None:
        files_world.put("papers/secret.pdf", b"one")

        with pytest.raises(Rejected):
            files.stamp(place)
        with pytest.raises(Rejected):
            list(files.read_file(place, "sha256:00"))

    def test_a_check_reports_and_closing_twice_is_harmless(
        self, files: HoldsFiles, files_world: FilesWorld
    ) -> None:
        assert {each.level for each in files.check()} == {FindingLevel.OK}
        assert files.size_limit == 1024 * 1024
        files.close()
        files.close()
