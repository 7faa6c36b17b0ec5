"""Every setting, wrong in several ways: told with file, line and name, and never with its value."""

from __future__ import annotations

import dataclasses
import traceback
from pathlib import Path as FilePath
from typing import Any

import pytest
from pydantic import BaseModel

from sync.flows import cycle
from sync.flows.context import Limits, OrderLimits
from sync.flows.retrying import Patience
from sync.mapping import FilesRefused
from sync.mapping.checking import label
from sync.planning.guards import Guard
from sync.settings import FLOWS, MIRRORS, load_settings
from sync.settings.models import (
    DEFAULT_EVERY_S,
    BreakerSettings,
    GuardSettings,
    OrderSettings,
    PatienceSettings,
    PipelineEntry,
    ScheduleSettings,
    SettingsFile,
)
from sync.systems import BreakerLimits
from tests.unit import field_kinds
from tests.unit.mapping.samples import changed, places, without
from tests.unit.settings.samples import CRONS, SAMPLE, Path, Raw, site_with, written

CANARY = "hunter2-canary"

_TEXT = ("7", "true", '""', '" x"', '["a"]', "{a = 1}", "1979-05-27", '"a\\nb"', '"\\u0000"')
_NUMBER = ('"60"', "-1", "true", "nan", "inf", "[1]", "1e30", "99999999")
_WHOLE = ('"4"', "4.5", "true", "-1", "99999999", "[4]")

WRONG: dict[str, tuple[str, ...]] = {
    "text": (*_TEXT, f'"{"x" * 2001}"'),
    "name": (*_TEXT, '"Erp"', '"er p"', '"../erp"', f'"{"x" * 41}"'),
    "adapter": (*_TEXT, '"a b"', '"/tmp/x"'),
    "credential": (*_TEXT, '"../other"', '"/etc/passwd"', '"two words"', '"not-there"'),
    "own_folder": (*_TEXT, '"forms/"', '"{application}"', '"{user}/{application}/"'),
    "time_zone": (*_TEXT, '"Mars/Olympus"', '"../UTC"'),
    "cron": (*_TEXT, '"hourly"', '"* * * *"', '"61 * * * *"', '"0 3 * * 1"', '"0 3 * * mon-5"'),
    "listen": (
        *_TEXT,
        '"8780"',
        '"localhost:8780"',
        '"127.0.0.1"',
        '"127.0.0.1:0"',
        '"127.0.0.1:65536"',
        '"::1:8780"',
        '"[127.0.0.1]:8780"',
        '"[::1]"',
        '"http://127.0.0.1:8780"',
    ),
    "state_url": (
        *_TEXT,
        '"nonsense"',
        '"var/state.sqlite"',
        '"sqlite://"',
        '"sqlite:///"',
        '"mysql://db.example/tradesync"',
        '"postgresql:db.example"',
        '"postgresql://db.example:port/tradesync"',
        '"postgresql://db.example:0/tradesync"',
        '"postgresql://db.example:65536/tradesync"',
        '"postgresql://[::1/tradesync"',
    ),
    "moment": (*_TEXT, '"yesterday"', '"2026-13-01"', '"2026-03-01T06:00:00"', '"1740787200"'),
    "whole": _WHOLE,
    "number": (*_NUMBER, "0"),
    "exact": ('"0.2"', "-0.1", "true", "nan", "inf", "[1]", "101"),
    "flag": ('"true"', "1", "0", "[true]"),
    "chosen": ('"nonsense"', "7", "true", '["a"]', '""'),
    "list": ('"orders"', "7", "{a = 1}"),
    "dict": ('"text"', "7", "[1]"),
    "table": ('"text"', "7", "[1]"),
}
"""Wrong values by kind; a kind that is missing here fails the tests below."""


def by_the_clock() -> dict[str, Any]:
    schedule = {"time_zone": "UTC", **CRONS}
    return dict(changed(SAMPLE, ("pipelines", "main", "schedule"), schedule))


SAMPLES = {"in seconds": SAMPLE, "by the clock": by_the_clock()}


def kind_at(path: Path) -> str | None:
    """None within the options, which are the adapter's own business."""
    if len(path) > 3 and path[2] == "options":
        return None
    return field_kinds.at(SettingsFile, path).kind


def value_cases() -> list[tuple[str, Path, str]]:
    return [
        (name, path, raw)
        for name, sample in SAMPLES.items()
        for path in places(sample)
        if (name == "in seconds" or "cron" in str(path[-1])) and (kind := kind_at(path))
        for raw in WRONG[kind]
    ]


def table_paths() -> list[Path]:
    return [
        path
        for path in [(), *places(SAMPLE)]
        if kind_at(path) and field_kinds.at(SettingsFile, path).model
    ]


def required_paths() -> list[Path]:
    return [
        path
        for path in places(SAMPLE)
        if kind_at(path) and field_kinds.at(SettingsFile, path).required
    ]


def named(case: object) -> str | None:
    return label(case) or "top" if isinstance(case, tuple) else None


def refusal(site: FilePath, text: str) -> FilesRefused:
    with pytest.raises(FilesRefused) as raised:
        load_settings(site_with(site, text), {})
    return raised.value


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_itself_is_accepted(name: str, tmp_path: FilePath) -> None:
    load_settings(site_with(tmp_path, written(SAMPLES[name]).text), {})


def test_the_samples_write_every_setting_there_is() -> None:
    wanted = {
        (model.__name__, name)
        for model in field_kinds.models(SettingsFile)
        for name in model.model_fields
    }
    found = {
        (above.__name__, path[-1])
        for sample in SAMPLES.values()
        for path in places(sample)
        if kind_at(path) and (above := field_kinds.at(SettingsFile, path[:-1]).model)
    }
    assert found == wanted


def test_every_flow_can_be_scheduled_both_ways() -> None:
    for flow in FLOWS:
        assert {f"{flow}_every_s", f"{flow}_cron"} <= ScheduleSettings.model_fields.keys()


@pytest.mark.parametrize("name, path, raw", value_cases(), ids=named)
def test_a_wrong_value_is_refused_with_its_place_and_name(
    name: str, path: Path, raw: str, tmp_path: FilePath
) -> None:
    page = written(changed(SAMPLES[name], path, Raw(raw)))
    told = refusal(tmp_path, page.text).found
    assert any(
        problem.file == "config/tradesync.toml"
        and problem.line == page.line_of[path]
        and problem.column > 0
        and label(path) in problem.message
        and problem.remedy
        for problem in told
    ), "\n".join(map(str, told))


@pytest.mark.parametrize("path", table_paths(), ids=named)
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(
    path: Path, tmp_path: FilePath
) -> None:
    model = field_kinds.at(SettingsFile, path).model
    assert model is not None
    meant = next(iter(model.model_fields))
    misspelt = (*path, meant[:-1] + "x" + meant[-1])
    page = written(changed(SAMPLE, misspelt, "a"))
    told = refusal(tmp_path, page.text).found
    assert [problem.line for problem in told] == [page.line_of[misspelt]]
    assert told[0].remedy == f"did you mean {meant}?"


@pytest.mark.parametrize("path", required_paths(), ids=named)
def test_a_missing_setting_is_named(path: Path, tmp_path: FilePath) -> None:
    told = refusal(tmp_path, written(without(SAMPLE, path)).text).found
    assert any(f"{label(path)} is missing" in problem.message for problem in told)


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("path", list(places(SAMPLE)), ids=named)
def test_no_message_repeats_what_stands_in_the_file(path: Path, tmp_path: FilePath) -> None:
    """A secret may have been pasted anywhere, under any name."""
    for place, value in (
        (path, CANARY),
        (path, f"x://user:{CANARY}@host"),
        (path, [CANARY]),
        ((*path[:-1], "pasword"), CANARY),
        ((*path[:-1], "password"), CANARY),
    ):
        if isinstance(place[-1], int) or isinstance(path[-1], int):
            continue
        text = written(changed(SAMPLE, place, value)).text
        try:
            load_settings(site_with(tmp_path, text), {})
        except FilesRefused as error:
            shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.found)
            assert CANARY not in shown.replace(text, "")


@pytest.mark.parametrize(
    "model, theirs",
    [
        (GuardSettings, Guard),
        (OrderSettings, OrderLimits),
        (PatienceSettings, Patience),
        (BreakerSettings, BreakerLimits),
    ],
)
def test_settings_and_engine_agree_on_names_and_defaults(
    model: type[BaseModel], theirs: type[Any]
) -> None:
    assert model().model_dump() == dataclasses.asdict(theirs())


def test_exactly_the_flows_that_exist_can_be_scheduled_and_guarded() -> None:
    assert len(FLOWS) == len(set(FLOWS))
    assert set(FLOWS) == set(cycle.FLOWS)
    assert set(MIRRORS) < set(FLOWS)
    assert DEFAULT_EVERY_S.keys() == set(FLOWS)


def test_settings_and_engine_agree_on_the_size_of_a_read() -> None:
    default = PipelineEntry.model_fields["accounts_per_read"].default
    assert default == Limits().accounts_per_read
    default = PipelineEntry.model_fields["full_price_check_s"].default
    assert default == Limits().full_price_check_s
    default = PipelineEntry.model_fields["full_record_check_s"].default
    assert default == Limits().full_record_check_s
    default = PipelineEntry.model_fields["share_price_lists"].default
    assert default == Limits().share_price_lists
