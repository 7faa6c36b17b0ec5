"""YAML that is broken, hostile, or would quietly become something else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mapping import FileProblem, check_texts
from sync.mapping.tree import MAX_DEPTH, Items, Scalar, Table, parse
from tests.unit.mapping.samples import sample_texts

B2B = "channels:\n  trade: {commerce_mode: b2b}\n"


def told(text: str, file: str = "channels.yaml") -> list[FileProblem]:
    return list(check_texts({"channels.yaml": B2B, file: text}).problems)


@pytest.mark.parametrize(
    "typed, meaning",
    [
        ("00123456", "the number 42798"),
        ("7719", "the number 7719"),
        ("1_000", "the number 1000"),
        ("12:30", "the number 750"),
        ("0x1F", "the number 31"),
        ("1.5E+5", "the number 150000.0"),
        ("NO", "no"),
        ("on", "yes"),
        ("2024-01-01", "a date"),
        ("<<", "something else"),
        ("0b_", "something else"),
    ],
)
@pytest.mark.rule("OP-4")
def test_an_unquoted_id_is_refused_as_typed_with_what_it_would_become(
    typed: str, meaning: str
) -> None:
    text = f"assignments:\n  - user: u-1\n    customer_id: {typed}\n"
    (problem,) = told(text, "customers.yaml")
    assert (problem.line, problem.column, problem.text) == (3, 18, typed)
    assert problem.message == (
        f"assignments[1].customer_id would be read as {meaning}, not as text"
    )
    assert problem.remedy == f'put it in quotes: "{typed}"'


def test_quoted_ids_keep_their_zeros() -> None:
    text = "assignments:\n  - user: \"0007\"\n    customer_id: '00123456'\n"
    mapping = check_texts({"channels.yaml": B2B, "customers.yaml": text}).mapping
    assert mapping is not None
    assert mapping.assignments[0].customer_id.value == "00123456"
    assert str(mapping.assignments[0].user) == "0007"


@pytest.mark.parametrize("key", ["NO", "1001", "2024-01-01", "on"])
def test_an_unquoted_key_that_is_no_text_is_refused(key: str) -> None:
    (problem,) = told(f"countries:\n  {key}: US\n", "codes.yaml")
    assert (problem.line, problem.column, problem.text) == (2, 3, key)
    assert problem.remedy == f'put it in quotes: "{key}"'


def test_a_key_that_came_twice_is_refused_with_both_lines() -> None:
    (problem,) = told("units:\n  piece: EA\n  box: BX\n  piece: PC\n", "codes.yaml")
    assert (problem.line, problem.column, problem.text) == (4, 3, "piece")
    assert problem.message == "the key stands here and in line 2"


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("---\n", 1, "the file is empty"),
        ("just text\n", 1, "the file is not a group of fields"),
        ("- a\n- b\n", 1, "the file is not a group of fields"),
        ("channels:\n\ttrade: {}\n", 2, "a tab in the indentation"),
        ("channels:\n  web: [a\n", 3, "not YAML"),
        ("channels:\n  web: 'a\n", 3, "not YAML"),
        ("channels:\n web: a: b\n", 2, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here"),
        ("channels: &all\n  web: 1\n", 1, "anchors and aliases"),
        ("channels:\n  web: *all\n", 2, "anchors and aliases"),
        ("channels:\n  web: !!python/object:os.system x\n", 2, "tags"),
        ("channels: !!str x\n", 1, "tags"),
        ("? [a]\n: b\n", 1, "a key is a single text"),
        ("channels:\n  : x\n", 2, "not YAML"),
        ("channels:\n  ~: x\n", 2, "a key is missing"),
        ("channels:\n  a\x00b: x\n", 2, "a control character"),
        ("channels:\n  a\x1b: x\n", 2, "a control character"),
        ("channels:\n  \ud800: x\n", 2, "a control character"),
        ("%YAML 9.9\n---\na: b\n", 1, "not YAML"),
        ("channels:\n  @web: 1\n", 2, "not YAML"),
    ],
)
@pytest.mark.rule("OP-4")
def test_what_cannot_be_understood_is_told_with_its_line(
    text: str, line: int, message: str
) -> None:
    problems = told(text)
    assert (problems[0].file, problems[0].line) == ("channels.yaml", line)
    assert message in problems[0].message
    assert problems[0].remedy


def test_a_billion_laughs_are_refused_at_the_first() -> None:
    text = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(f'*{chr(97 + n)}' for _ in range(9))}]\n"
        for n in range(20)
    )
    assert "anchors and aliases" in told(text)[0].message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_crashes_nothing(opening: str) -> None:
    problems = told(opening * 50_000)
    assert f"nested more than {MAX_DEPTH} deep" in problems[0].message


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem() -> None:
    assert told("\ufeff" + B2B.replace("\n", "\r\n")) == []


def test_places_count_characters_not_bytes() -> None:
    (problem,) = told('units: {"größe äöü": 7}\n', "codes.yaml")
    assert (problem.line, problem.column) == (1, 22)


def test_the_tree_keeps_text_and_places() -> None:
    tree, problems = parse("x.yaml", "a:\n  - 007\n  - 'b'\n")
    assert problems == []
    assert isinstance(tree, Table)
    assert tree.keys["a"] == Scalar("a", "str", 1, 1)
    items = tree.values["a"]
    assert isinstance(items, Items)
    assert items.items == [Scalar("007", "int", 2, 5), Scalar("b", "str", 3, 5)]


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    for file in ("channels.yaml", "customers.csv"):
        checked = check_texts({"channels.yaml": B2B, file: text})
        assert (checked.mapping is None) == bool(checked.problems)


@given(st.data())
def test_no_slip_of_the_editor_crashes_the_reader(data: st.DataObject) -> None:
    files = sample_texts()
    name = data.draw(st.sampled_from(sorted(files)))
    text = files[name]
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 20))
    typed = data.draw(st.text("\t\n :-[]{}&*!|>'\"%@`,?#~0123456789aenoy\u200b", max_size=4))
    checked = check_texts({**files, name: text[:at] + typed + text[at + cut :]})
    assert (checked.mapping is None) == bool(checked.problems)
    for problem in checked.problems:
        assert problem.message
        assert problem.remedy
        assert "\n" not in str(problem)


def test_many_assignments_in_yaml_are_checked_quickly() -> None:
    rows = "".join(f'  - user: "user-{n}"\n    customer_id: "{n:06d}"\n' for n in range(1, 20_001))
    begun = time.process_time()
    checked = check_texts({"channels.yaml": B2B, "customers.yaml": "assignments:\n" + rows})
    assert checked.mapping is not None
    assert len(checked.mapping.assignments) == 20_000
    assert time.process_time() - begun < 6  # 30 s for 100,000
