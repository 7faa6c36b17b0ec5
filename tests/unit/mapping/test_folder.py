"""The folder of mapping files: read as one moment, with the last good version behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sync.domain.ids import CustomerId
from sync.mapping import (
    FilesRefused,
    MappingSource,
    mapping_from_texts,
    read_mapping,
    read_texts,
    version_of,
)
from sync.ports.state import GoodMapping
from tests.unit.mapping.samples import sample_texts

ROOT = Path(__file__).resolve().parents[3]
CHANNELS = "channels:\n  trade: {commerce_mode: b2b}\n"
CUSTOMERS = "customer_id,user\n000101,u-1\n"
EARLIER = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "channels.yaml").write_text(CHANNELS, encoding="utf-8")
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    return tmp_path


def good(folder: Path) -> GoodMapping:
    texts = read_texts(folder)
    return GoodMapping(version_of(texts), texts, EARLIER)


def test_the_sample_sites_own_files_have_no_problem() -> None:
    mapping = read_mapping(ROOT / "mappings")
    assert {str(one) for one in mapping.channels} == {"trade", "shop", "outlet"}
    assert CustomerId("RETAIL-US") in mapping.retail_groups
    assert mapping.assignments


def test_files_are_read_by_name_and_others_left_alone(folder: Path) -> None:
    (folder / "README.md").write_text("x", encoding="utf-8")
    (folder / ".customers.csv.swp").write_bytes(b"\xff")
    (folder / ".hidden.yaml").write_bytes(b"\xff")
    (folder / "customers.csv~").write_bytes(b"\xff")
    (folder / "second.yaml").mkdir()
    assert read_texts(folder) == {"channels.yaml": CHANNELS, "customers.csv": CUSTOMERS}


def test_line_ends_and_byte_order_mark_do_not_matter(folder: Path) -> None:
    content = b"\xef\xbb\xbf" + CUSTOMERS.replace("\n", "\r\n").encode()
    (folder / "customers.csv").write_bytes(content)
    assert len(read_mapping(folder).assignments) == 1


def test_loading_is_logged_with_counts_and_version(folder: Path) -> None:
    with capture_logs() as logged:
        mapping = read_mapping(folder)
    (line,) = (each for each in logged if each["event"] == "mapping.loaded")
    assert line["event"] == "mapping.loaded"
    assert (line["version"], line["assignments"], line["channels"]) == (mapping.version, 1, 1)


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "content, line, column",
    [
        ("a: b\nc: größe\n".encode("latin-1"), 2, 6),
        ("a: b\n".encode("utf-16"), 1, 1),
        (b"\x89PNG\r\n\x1a\n", 1, 1),
        (b"a: \xc3", 1, 4),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_with_its_place(
    folder: Path, content: bytes, line: int, column: int
) -> None:
    (folder / "channels.yaml").write_bytes(content)
    with pytest.raises(FilesRefused) as refusal:
        read_mapping(folder)
    (problem,) = refusal.value.found
    assert problem.message == "the file is not UTF-8"
    assert (problem.file, problem.line, problem.column) == ("channels.yaml", line, column)


def test_a_missing_folder_or_channels_file_is_told(folder: Path) -> None:
    with pytest.raises(FilesRefused, match="cannot be read: no such file or directory"):
        read_mapping(folder / "nowhere")
    (folder / "channels.yaml").unlink()
    with pytest.raises(FilesRefused, match=r"channels\.yaml: the file is missing"):
        read_mapping(folder)


def test_a_folder_that_is_a_file_is_told(folder: Path) -> None:
    with pytest.raises(FilesRefused, match="cannot be read: not a directory"):
        read_mapping(folder / "channels.yaml")


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs a file that grows")
def test_a_file_that_is_longer_than_it_was_is_not_believed(folder: Path) -> None:
    """The kernel's files claim to be empty, like a file that is just being written."""
    (folder / "codes.yaml").symlink_to("/proc/self/status")
    with pytest.raises(FilesRefused, match="being written at this moment"):
        read_texts(folder)


def test_a_dangling_link_is_told(folder: Path) -> None:
    (folder / "codes.yaml").symlink_to(folder / "nowhere")
    with pytest.raises(FilesRefused, match="cannot be read"):
        read_texts(folder)


def test_the_stamp_changes_with_every_kind_of_edit(folder: Path) -> None:
    source = MappingSource(folder)
    stamps = {source.stamp()}
    assert source.stamp() in stamps
    (folder / "codes.yaml").write_text("units: {}\n", encoding="utf-8")
    stamps.add(source.stamp())
    replacement = folder / "new"
    replacement.write_text(CUSTOMERS, encoding="utf-8")
    replacement.rename(folder / "customers.csv")
    stamps.add(source.stamp())
    (folder / "codes.yaml").unlink()
    stamps.add(source.stamp())
    assert len(stamps) == 4


def test_a_folder_that_went_away_is_an_edit_too_and_no_crash(folder: Path) -> None:
    there = MappingSource(folder).stamp()
    assert MappingSource(folder / "unmounted").stamp() not in {there, ()}


class TestLastGoodVersion:
    @pytest.mark.rule("OP-4")
    def test_a_good_edit_is_taken_up(self, folder: Path) -> None:
        before = good(folder)
        (folder / "customers.csv").write_text(CUSTOMERS + "000102,u-2\n", encoding="utf-8")
        loaded = MappingSource(folder).current_or_last_good(before)
        assert not loaded.from_last_good
        assert len(loaded.mapping.assignments) == 2
        assert loaded.files == read_texts(folder)
        assert loaded.version == version_of(loaded.files) != before.version

    @pytest.mark.rule("OP-4", "WA-2b")
    def test_an_edit_with_an_error_leaves_the_last_good_mapping_in_force(
        self, folder: Path
    ) -> None:
        (folder / "channels.yaml").write_text(
            "channels:\n  web:\n    commerce_mode: b2c\n"
            "    retail_groups: [{customer_id: R, currencies: [USD]}]\n",
            encoding="utf-8",
        )
        before = good(folder)
        (folder / "customers.csv").write_text(CUSTOMERS + "R,u-2\n", encoding="utf-8")
        with capture_logs() as logged:
            loaded = MappingSource(folder).current_or_last_good(before)
        assert loaded.from_last_good
        assert loaded.mapping == mapping_from_texts(before.files)
        assert (loaded.version, loaded.files) == (before.version, before.files)
        assert loaded.refused_version == version_of(read_texts(folder))
        assert [problem.line for problem in loaded.refused_problems] == [3]
        assert [line["event"] for line in logged] == ["mapping.refused"]

    @pytest.mark.rule("OP-4")
    def test_a_file_that_disappeared_does_not_make_everybody_a_retail_buyer(
        self, folder: Path
    ) -> None:
        before = good(folder)
        (folder / "customers.csv").unlink()
        loaded = MappingSource(folder).current_or_last_good(before)
        assert len(loaded.mapping.assignments) == 1
        (problem,) = loaded.refused_problems
        assert (problem.file, problem.message) == (
            "customers.csv",
            "the file is gone since the last good version",
        )
        (folder / "customers.csv").write_text("customer_id,user\n", encoding="utf-8")
        emptied = MappingSource(folder).current_or_last_good(before)
        assert emptied.mapping.assignments == ()

    def test_a_folder_that_cannot_be_read_leaves_the_last_good_mapping(self, folder: Path) -> None:
        before = good(folder)
        loaded = MappingSource(folder / "unmounted").current_or_last_good(before)
        assert loaded.from_last_good
        assert loaded.version == before.version

    def test_without_a_good_version_there_is_nothing_to_go_on_with(self, folder: Path) -> None:
        (folder / "channels.yaml").write_text("", encoding="utf-8")
        with pytest.raises(FilesRefused, match=r"channels\.yaml:1:1: the file is empty"):
            MappingSource(folder).current_or_last_good(None)

    def test_a_last_good_version_that_no_longer_passes_is_told_as_well(self, folder: Path) -> None:
        (folder / "channels.yaml").write_text("", encoding="utf-8")
        old = GoodMapping("old", {"channels.yaml": "channels: {x: {mode: b2b}}\n"}, EARLIER)
        with pytest.raises(FilesRefused, match="no longer passes") as refusal:
            MappingSource(folder).current_or_last_good(old)
        assert any("mode is not known here" in text for text in refusal.value.problems)


def test_texts_from_the_state_give_the_same_mapping_as_the_folder(tmp_path: Path) -> None:
    for name, text in sample_texts().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert mapping_from_texts(read_texts(tmp_path)) == read_mapping(tmp_path)
