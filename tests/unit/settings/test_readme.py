"""config/README.md: every setting is in it, its examples load, its messages are the real ones."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from sync.mapping import FilesRefused
from sync.settings import FLOWS, Every, load_settings
from sync.settings.models import (
    DEFAULT_EVERY_S,
    BreakerSettings,
    GuardSettings,
    OrderSettings,
    PatienceSettings,
    PipelineEntry,
    ScheduleSettings,
    ServiceSettings,
    SettingsFile,
)
from tests.unit import field_kinds
from tests.unit.settings.samples import site_with

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (`\w+`.*?) \|.*\| (?:`([^`]+)`)?[^|]*\|$", re.MULTILINE)
TOML = "\n".join(text for language, text in FENCE.findall(PAGE) if language == "toml")


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no section {heading}"
    return found[1]


def test_the_examples_of_the_page_are_one_settings_file(tmp_path: Path) -> None:
    loaded = load_settings(site_with(tmp_path, TOML), {})
    main = loaded.pipelines["main"]
    assert (main.erp.name, main.store.name) == ("erp", "store")
    assert main.guards["invoices"].removal_share == Decimal("0.05")
    assert main.guards["prices"].removal_share == Decimal("0.1")
    assert main.schedule.trigger("order_status") is None
    assert main.patience.attempts == 5


def test_the_example_of_the_environment_is_taken(tmp_path: Path) -> None:
    (text,) = [text for language, text in FENCE.findall(section("Environment"))]
    pairs = [line.partition("=") for line in text.splitlines()]
    environ = {name: value for name, _, value in pairs}
    loaded = load_settings(site_with(tmp_path, TOML), environ)
    assert loaded.service.log_level == "debug"
    assert loaded.pipelines["main"].schedule.trigger("orders") == Every(10)


def test_every_setting_is_explained() -> None:
    settings = {
        name
        for model in field_kinds.models(SettingsFile)
        for name in model.model_fields
        if model is not SettingsFile
    }
    flows = {f"{flow}_{how}" for flow in FLOWS for how in ("every_s", "cron")}
    assert flows <= settings
    explained = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in ROW.findall(PAGE))))
    assert settings - flows <= explained
    assert {"FLOW_every_s", "FLOW_cron"} <= explained


@pytest.mark.parametrize(
    "heading, model",
    [
        ("Systems and pipelines", PipelineEntry),
        ("A system that is down", BreakerSettings),
        ("Service", ServiceSettings),
        ("Schedule", ScheduleSettings),
        ("Guards", GuardSettings),
        ("Orders", OrderSettings),
        ("Patience", PatienceSettings),
    ],
)
def test_the_values_that_hold_without_a_line_are_the_real_ones(
    heading: str, model: type[BaseModel]
) -> None:
    """Where the page gives a value in code marks, it is the first thing in the last column."""
    given = {names.strip("`"): value for names, value in ROW.findall(section(heading)) if value}
    defaults = {name: given[name] for name in given.keys() & model.model_fields.keys()}
    assert defaults
    assert defaults == {name: shown(model.model_fields[name].default) for name in defaults}


def shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)


def test_how_often_each_flow_runs_is_told_as_it_is() -> None:
    told = re.findall(r"`(\w+)`\s+every\s+(\d+)", section("Schedule"))
    assert {flow: float(seconds) for flow, seconds in told} == DEFAULT_EVERY_S


def test_the_messages_are_the_real_ones(tmp_path: Path) -> None:
    template = (ROOT / "config" / "tradesync.toml").read_text(encoding="utf-8")
    wrong = template.replace('store = "store"', 'stroe = "store"').replace(
        'profile = "sample"\n', 'profile = "sample"\npassword = "x"\n'
    )
    with pytest.raises(FilesRefused) as refused:
        load_settings(site_with(tmp_path, wrong), {})
    (page,) = [text for language, text in FENCE.findall(PAGE) if language == "text"]
    assert set(page.splitlines()) < set(refused.value.problems)
