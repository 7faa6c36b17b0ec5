"""mappings/README.md: every field is in it, its examples load, its messages are the real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.domain.mapping import AccountPolicy
from sync.mapping import FILES, check_texts
from sync.mapping.models import (
    AccountsFile,
    ChannelEntry,
    ChannelsFile,
    CodesFile,
    CustomersFile,
    PolicyEntry,
)
from sync.mapping.spreadsheets import HEADER
from tests.unit import field_kinds

PAGE = (Path(__file__).resolve().parents[3] / "mappings" / "README.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)*)", re.MULTILINE)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \|.*\| (?:`([^`]+)`)?[^|]*\|$", re.MULTILINE)


def examples() -> Iterator[tuple[str, str]]:
    """Each example that is a file, with the file's name."""
    for heading, body in SECTION.findall(PAGE):
        for language, text in FENCE.findall(body):
            names = [one for one in FILES if one in heading and one.endswith(f".{language}")]
            yield from ((name, text) for name in names)


EXAMPLES = dict(examples())


def test_there_is_an_example_of_every_file() -> None:
    assert len(list(examples())) == len(FILES)
    assert EXAMPLES.keys() == set(FILES)


@pytest.mark.parametrize("without", ["customers.csv", "customers.yaml"])
def test_the_examples_load_as_they_stand(without: str) -> None:
    """The two ways to assign show the same people, so only one of them counts at a time."""
    texts = {name: text for name, text in EXAMPLES.items() if name != without}
    checked = check_texts(texts)
    assert not checked.problems
    assert not checked.warnings
    assert checked.mapping is not None
    assert checked.mapping.assignments


def test_every_field_is_explained() -> None:
    fields = {
        name
        for file in (ChannelsFile, CustomersFile, AccountsFile, CodesFile)
        for model in field_kinds.models(file)
        for name in model.model_fields
    }
    explained = set(re.findall(r"`(\w+)`", FENCE.sub("", PAGE)))
    assert fields - {"channels"} <= explained


def test_the_values_that_hold_without_a_line_are_the_real_ones() -> None:
    """Where the page gives a value in code marks, it is the first thing in the last column."""
    given = {name: value for name, value in ROW.findall(PAGE) if value}
    policy = AccountPolicy()
    wanted = {name: getattr(policy, name) for name in PolicyEntry.model_fields}
    for model in (ChannelEntry, AccountsFile):
        wanted.update({name: one.default for name, one in model.model_fields.items()})
    compared = given.keys() & wanted.keys()
    assert len(compared) == 10
    for name in compared:
        assert given[name] == str(getattr(wanted[name], "value", wanted[name])).lower(), name


def test_the_messages_are_the_real_ones() -> None:
    wrong = {
        "channels.yaml": (
            "channels:\n  shop:\n    commerce_mode: b2b\n    login_wall: login_required\n"
            "    guest_checkot: true\n  outlet:\n    commerce_mode: b2c\n    retail_groups:\n"
            "      - customer_id: RETAIL-US\n        currencies: [USD]\n"
        ),
        "customers.yaml": "assignments:\n\n  - user: u-1\n    customer_id: 00123456\n",
        "customers.csv": (
            "organisation,user,contact,note,customer_id\norg-101,,,,000101\n\n"
            "org-104,,000104\n,u-7719,,,RETAIL-US\n"
        ),
    }
    (shown,) = [text for language, text in FENCE.findall(PAGE) if language == "text"]
    assert shown.splitlines() == [str(problem) for problem in check_texts(wrong).problems]


def test_the_page_names_the_order_of_columns_that_an_export_and_the_sample_have() -> None:
    assert "put `customer_id` last, as\n  `tradesync mappings export` does" in PAGE
    assert HEADER[-1] == "customer_id"
    sample = (Path(__file__).resolve().parents[3] / "mappings" / "customers.csv").read_text()
    header = next(line for line in sample.splitlines() if not line.startswith("#"))
    assert header.split(",")[0] == "customer_id"
    assert "(the sample's file, written by hand, has it first)" in PAGE
