"""Every field of every mapping file, wrong in several ways: told with file, line and field."""

from __future__ import annotations

import dataclasses

import pytest

from sync.domain.mapping import AccountPolicy
from sync.mapping import check_texts
from sync.mapping.checking import label
from sync.mapping.models import PolicyEntry
from tests.unit import field_kinds
from tests.unit.mapping.samples import (
    MODELS,
    SAMPLE,
    Path,
    Raw,
    changed,
    places,
    sample_texts,
    without,
    written,
)

_TEXT = ("00123456", "7719", "NO", "2024-01-01", "~", "", '""', '" x "', "[a]", "{a: b}",
         '"a\\nb"', '"\\u200b"', f'"{"x" * 256}"', "1.5E+5")  # fmt: skip
_GROUP = ("text", "[a]", "7")
_LIST = ("text", "{a: b}", "7")

WRONG: dict[str, tuple[str, ...]] = {
    "text": _TEXT,
    "str": ("7", "[a]", "~", "yes"),
    "amount": (
        "-1",
        '"0,05"',
        "much",
        "1e400",
        ".inf",
        ".nan",
        "[1]",
        "true",
        "~",
        "1_000",
        "010",
        "0.0000001",
        "9999999999999",
    ),
    "flag": ("maybe", '"true"', "1", "~", "[true]", "{a: b}"),
    "currency": ("usd", "EURO", "840", "~", "[USD]", '"$$$"'),
    "country": ("us", "USA", "NO", "~", "[US]", "1"),
    "chosen": ("nonsense", "~", "1", "[a]", "{a: b}", '""', "yes"),
    "list": (*_LIST, "~", "[]"),
    "dict": (*_GROUP, "~", "{}"),
    "table": (*_GROUP, "~"),
    "section of dict": _GROUP,
    "section of model": _GROUP,
    "listing of list": _LIST,
}
"""Wrong values by kind; a kind that is missing here fails the tests below."""

# Empty is allowed for these: everywhere, no group (which a b2b channel has not), no document.
EMPTY_IS_FINE = {
    ("channels", "web", "retail_groups", 0, "countries"),
    ("required_documents", "default"),
    ("required_documents", "US-CA"),
}


def field_cases() -> list[tuple[str, Path, str]]:
    return [
        (file, path, raw)
        for file, data in SAMPLE.items()
        for path in places(data)
        for raw in WRONG[field_kinds.at(MODELS[file], path).kind]
        if not (raw == "[]" and path in EMPTY_IS_FINE)
    ]


def required_cases() -> list[tuple[str, Path]]:
    return [
        (file, path)
        for file, data in SAMPLE.items()
        for path in places(data)
        if field_kinds.at(MODELS[file], path).required
    ]


def group_cases() -> list[tuple[str, Path]]:
    """Every place that has fields below it."""
    return [
        (file, path)
        for file, data in SAMPLE.items()
        for path in [(), *places(data)]
        if field_kinds.at(MODELS[file], path).model
    ]


def named(case: object) -> str | None:
    return label(case) if isinstance(case, tuple) else None


def test_the_sample_itself_is_accepted() -> None:
    checked = check_texts(sample_texts())
    assert checked.problems == ()
    assert checked.mapping is not None


@pytest.mark.parametrize("file", MODELS)
def test_the_sample_writes_every_field_there_is(file: str) -> None:
    wanted = {
        (model.__name__, name)
        for model in field_kinds.models(MODELS[file])
        for name in model.model_fields
    }
    found = set()
    for path in places(SAMPLE[file]):
        above = field_kinds.at(MODELS[file], path[:-1]).model
        if above is not None:
            found.add((above.__name__, path[-1]))
    assert found == wanted


def test_every_kind_of_field_is_wrong_in_two_ways_at_least() -> None:
    assert all(len(set(raws)) >= 2 for raws in WRONG.values())


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("file, path, raw", field_cases(), ids=named)
def test_a_wrong_value_is_refused_with_its_place_and_name(file: str, path: Path, raw: str) -> None:
    page = written(changed(SAMPLE[file], path, Raw(raw)))
    checked = check_texts({**sample_texts(), file: page.text})
    assert checked.mapping is None
    told = [
        problem
        for problem in checked.problems
        if problem.file == file
        and problem.line == page.line_of[path]
        and label(path) in problem.message
    ]
    assert told, "\n".join(map(str, checked.problems))
    assert all(problem.remedy and problem.column > 0 for problem in told)


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("file, path", required_cases(), ids=named)
def test_a_missing_field_is_named(file: str, path: Path) -> None:
    page = written(without(SAMPLE[file], path) or {"x": {}})
    checked = check_texts({**sample_texts(), file: page.text})
    assert checked.mapping is None
    assert any(
        problem.file == file and problem.line and f"{label(path)} is missing" in problem.message
        for problem in checked.problems
    )


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("file, path", group_cases(), ids=named)
def test_a_misspelt_field_is_refused_with_the_one_that_was_meant(file: str, path: Path) -> None:
    model = field_kinds.at(MODELS[file], path).model
    assert model is not None
    meant = next(iter(model.model_fields))
    misspelt = (*path, meant[:-1] + "x" + meant[-1])
    page = written(changed(SAMPLE[file], misspelt, "a"))
    checked = check_texts({**sample_texts(), file: page.text})
    assert checked.mapping is None
    assert any(
        problem.line == page.line_of[misspelt]
        and problem.text == misspelt[-1]
        and problem.remedy == f"did you mean {meant}?"
        for problem in checked.problems
    ), checked.problems


def test_a_policy_can_say_all_that_the_engine_asks_for() -> None:
    assert list(PolicyEntry.model_fields) == [one.name for one in dataclasses.fields(AccountPolicy)]
