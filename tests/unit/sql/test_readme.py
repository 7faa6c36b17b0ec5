"""The page for profile writers says what the code does, and all of it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from erp_adapters.sql.catalogue import READS
from erp_adapters.sql.database import OPTIONS, SECRETS
from erp_adapters.sql.facts import FACTS, rounding_modes
from erp_adapters.sql.fields import FIELDS, FOR_EACH
from erp_adapters.sql.file_drop.answer_grammar import ANSWER
from erp_adapters.sql.file_drop.grammar import FILE, FILES, FOLDERS, FORMAT, LINE_ENDS, SEPARATORS
from erp_adapters.sql.file_drop.model import Quoting, WhiteSpace, Whole
from erp_adapters.sql.file_drop.rendering import Renderer
from erp_adapters.sql.profile import SHIPPED, TOP, load_profile
from erp_adapters.sql.profile_model import Storage
from erp_adapters.sql.profile_steps import STEP, WRITES
from sync.domain.ids import IdempotencyKey
from sync.testing import builders as a
from tests.unit.sql.test_price_states import CLOCK, PROFILE

README = (SHIPPED / "README.md").read_text(encoding="utf-8")
WORDS = frozenset(re.findall(r"`([^`\n]+)`", README))


def section(title: str) -> str:
    """The text under a heading, up to the next of any level."""
    match = re.search(
        rf"^#+ [^\n]*\b{re.escape(title)}\b[^\n]*\n(.*?)(?=^#|\Z)", README, re.M | re.S
    )
    assert match, f"the README has no section {title}"
    return match[1]


def spelled_out(text: str) -> set[str]:
    """The words in backticks; ``line1` … `line4`` stands for all four."""
    words = set(re.findall(r"`([^`\n]+)`", text))
    for first, last in re.findall(r"`([\w.]*\d)` … `([\w.]*\d)`", text):
        stem = first.rstrip("0123456789")
        words |= {f"{stem}{n}" for n in range(int(first[len(stem) :]), int(last[len(stem) :]) + 1)}
    return words


@pytest.mark.parametrize("name", READS)
def test_every_statement_is_described_with_its_columns_and_parameters(name: str) -> None:
    text = section(name)
    read = READS[name]

    told = spelled_out(text)
    assert {column.name for column in read.columns} <= told | spelled_out(section("prices_item"))
    for parameter in read.parameters:
        assert f":{parameter}" in text, parameter
    for column in read.columns:
        for word in column.words:
            assert word in told or re.match(r"verification_[23]", word), word


def test_every_row_of_a_column_table_is_a_column() -> None:
    columns = {column.name for read in READS.values() for column in read.columns}
    reads = README[README.index("## Reads") : README.index("## Writes")]
    rows = re.findall(r"^\| (`[^|]*) \|", reads, re.M)

    named = set().union(*(spelled_out(row) for row in rows))
    assert named - columns - READS.keys() == set()


def test_required_columns_are_called_required() -> None:
    for read in READS.values():
        for column in read.columns:
            row = re.search(rf"^\| [^|\n]*`{column.name}`[^\n]*$", section(read.name), re.M)
            if row is not None and "as for" not in row[0]:
                assert (
                    bool(re.search(r"\brequired\b", row[0].rpartition("|")[0].rpartition("|")[2]))
                    == column.required
                ), (read.name, row[0])


def test_every_field_of_an_order_is_described_and_no_other() -> None:
    told = spelled_out(README)

    assert FIELDS.keys() - told == set()
    groups = "|".join({path.partition(".")[0] for path in FIELDS})
    mentioned = {word for word in told if re.fullmatch(rf"({groups})\.\w+", word)}
    assert mentioned - FIELDS.keys() == set()


@pytest.mark.parametrize(
    "names",
    [
        *(TOP, FACTS, STEP, OPTIONS, SECRETS, tuple(FOR_EACH), (*WRITES, "not_kept")),
        *(FILES, FOLDERS, FORMAT, FILE, ANSWER, tuple(SEPARATORS), tuple(LINE_ENDS)),
        *(tuple(word.value for word in words) for words in (Quoting, WhiteSpace, Whole)),
    ],
    ids=[
        *("header", "facts", "steps", "options", "secrets", "for_each", "writes"),
        *("files", "folders", "format", "file", "answer", "separators", "line ends"),
        *("quoting", "white space", "whole"),
    ],
)
def test_every_key_is_described(names: tuple[str, ...]) -> None:
    assert set(names) - WORDS == set()


def test_every_rounding_mode_and_type_is_described() -> None:
    assert set(rounding_modes()) - WORDS == set()
    assert {storage.value for storage in Storage} - {
        word.partition("(")[0] for word in WORDS
    } == set()


def test_the_files_on_the_page_are_those_that_its_profile_writes(tmp_path: Path) -> None:
    section = README[README.index("## Orders as files") :]
    block, shown = (
        re.findall(rf"```{kind}\n(.*?)```", section, re.S)[0] for kind in ("yaml", "text")
    )
    (tmp_path / "example.yaml").write_text(block, encoding="utf-8")
    profile = load_profile(tmp_path / "example.yaml")
    assert profile.files is not None
    order = a.a_sales_order(
        po_number="PO 4711",
        ordered_on=date(2025, 3, 9),
        notes="Ring twice.\nMind the dog.",
        terms=None,
        payments=(),
    )

    files = Renderer(profile, profile.files).render(order, IdempotencyKey("shop-1001"))

    assert [file.name for file in files] == ["OL_shop-1001.txt", "OH_shop-1001.txt"]
    assert "".join(file.content.decode("cp1252") for file in files).splitlines() == (
        shown.splitlines()
    )


def test_the_examples_on_the_page_are_sound_profiles(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    blocks = re.findall(r"```yaml\n(name: .*?)```", README, re.S)

    assert len(blocks) >= 2
    for block in blocks:
        path = tmp_path_factory.mktemp("readme") / "example.yaml"
        path.write_text(block, encoding="utf-8")
        load_profile(path)


def test_each_example_of_a_price_state_is_a_sound_statement_of_its_database(
    tmp_path: Path,
) -> None:
    blocks = re.findall(r"```yaml\n(  price_state_account: .*?)```", README, re.S)
    # PostgreSQL, MariaDB, SQL Server, and the time of the last change on any of them.
    assert ["hashtextextended" in blocks[0], "MD5" in blocks[1], "HASHBYTES" in blocks[2]] == [
        True
    ] * 3
    assert "max(changed_at)" in blocks[3]
    profile = PROFILE.replace("[sqlite]", "[postgresql, mysql, mssql]")
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(profile + CLOCK + block, encoding="utf-8")
        state = load_profile(path).reads["price_state_account"]
        for dialect in ("postgresql", "mysql", "mssql"):
            told = state.sql.of(dialect)
            assert told is not None
            assert not told.parameters
            assert told.with_nulls().split() == block.partition("|")[2].split()
