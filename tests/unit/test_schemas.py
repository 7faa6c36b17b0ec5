"""The JSON Schemas for editors: every field is in them, and they agree with the judge."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sync.cli.main import main
from sync.mapping import check_texts
from sync.schemas import MODELS, SETTINGS, schema_name, schema_of
from tests.unit import field_kinds
from tests.unit.json_schema import fits
from tests.unit.mapping import samples as mapping_samples
from tests.unit.settings import samples as settings_samples

pytestmark = pytest.mark.rule("OP-4")

ROOT = Path(__file__).resolve().parents[2]
PLACES = [
    (file, path)
    for file, data in {**mapping_samples.SAMPLE, SETTINGS: settings_samples.SAMPLE}.items()
    for path in mapping_samples.places(data)
    if "options" not in path  # they are the adapter's own
]


# Explained in the text of the page, or by what stands below them.
WITHOUT = {
    "channels.yaml.channels",
    "PaymentMethodEntry.kind",
    "PaymentMethodEntry.erp_code",
    "tradesync.toml.service",
    "tradesync.toml.systems",
    "tradesync.toml.pipelines",
}
SCHEMAS = {file: schema_of(file) for file in MODELS}


def _sample(file: str) -> Any:
    """The sample in which every field is written, as an editor's parser sees it."""
    if file == SETTINGS:
        return tomllib.loads(settings_samples.written(settings_samples.SAMPLE).text)
    return yaml.safe_load(mapping_samples.written(mapping_samples.SAMPLE[file]).text)


@pytest.mark.parametrize("file", MODELS)
def test_every_field_of_the_models_is_in_the_schema(file: str) -> None:
    schema = schema_of(file)
    told = {schema["title"]: schema, **schema.get("$defs", {})}
    for model in field_kinds.models(MODELS[file]):
        name = file if model is MODELS[file] else model.__name__
        wanted = {field for field, one in model.model_fields.items() if one.is_required()}
        assert set(told[name]["properties"]) == set(model.model_fields), name
        assert set(told[name].get("required", ())) == wanted, name
        assert told[name]["additionalProperties"] is False


@pytest.mark.parametrize("file", MODELS)
def test_fields_are_described_as_in_the_readme(file: str) -> None:
    schema = schema_of(file)
    parts = {file: schema, **schema.get("$defs", {})}
    silent = {
        f"{name}.{field}"
        for name, part in parts.items()
        for field, entry in part.get("properties", {}).items()
        if not entry.get("description")
    }
    assert silent <= WITHOUT


def test_the_same_word_is_described_where_it_stands() -> None:
    parts = schema_of(SETTINGS)["$defs"]
    assert parts["BreakerSettings"]["properties"]["failures"]["description"]
    erp = parts["PipelineEntry"]["properties"]["erp"]["description"]
    assert erp == "a system of kind `erp`"
    every = parts["ScheduleSettings"]["properties"]["ship_tos_every_s"]["description"]
    assert "after its last start" in every
    group = schema_of("channels.yaml")["$defs"]["RetailGroupEntry"]["properties"]
    assert "stands for all of them" in group["customer_id"]["description"]
    person = schema_of("customers.yaml")["$defs"]["AssignmentEntry"]["properties"]
    assert "spelled as in the ERP" in person["customer_id"]["description"]


def test_without_the_readmes_there_is_a_schema_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sync.schemas.templates", lambda: None)
    schema = schema_of("channels.yaml")
    assert fits(_sample("channels.yaml"), schema)
    assert "description" not in schema["$defs"]["RetailGroupEntry"]["properties"]["customer_id"]


@pytest.mark.parametrize("file", MODELS)
def test_a_valid_file_fits_and_no_other_files_content_does(file: str) -> None:
    assert fits(_sample(file), schema_of(file))
    for other in MODELS:
        if other != file:
            assert not fits(_sample(other), schema_of(file)), other


@pytest.mark.parametrize("file", MODELS)
def test_the_files_of_the_sample_fit_as_they_stand(file: str) -> None:
    folder = "config" if file == SETTINGS else "mappings"
    text = (ROOT / folder / file).read_text(encoding="utf-8")
    read = tomllib.loads(text) if file == SETTINGS else yaml.safe_load(text)
    assert fits(read, schema_of(file))


@pytest.mark.parametrize("file, path", PLACES, ids=str)
def test_a_value_of_the_wrong_kind_and_an_unknown_key_do_not_fit(
    file: str, path: tuple[int | str, ...]
) -> None:
    schema, data = SCHEMAS[file], _sample(file)
    assert not fits(mapping_samples.changed(data, path, [{"nonsense": 1}]), schema)
    value = data
    for step in path:
        value = value[step]
    if isinstance(value, dict):
        strange = mapping_samples.changed(data, path, {**value, "No such key!": {"x": 1}})
        assert not fits(strange, schema)


def test_what_an_editor_would_flag_is_what_the_judge_refuses() -> None:
    """For values that single fields take, both agree; the rest is the judge's alone."""
    cases: list[tuple[str, tuple[int | str, ...], Any]] = [
        ("channels.yaml", ("channels", "web", "commerce_mode"), "b2d"),
        ("channels.yaml", ("channels", "web", "retail_groups", 0, "currencies"), []),
        ("channels.yaml", ("channels", "web", "retail_groups", 0, "currencies", 0), "usd"),
        ("channels.yaml", ("channels", "web", "retail_groups", 0, "countries", 0), "USA"),
        ("channels.yaml", ("channels",), {}),
        ("accounts.yaml", ("default", "price_tolerance"), -1),
        ("accounts.yaml", ("default", "on_price_difference"), "drop"),
        ("customers.yaml", ("assignments", 0, "customer_id"), 101),
        ("customers.yaml", ("assignments", 0, "customer_id"), ""),
        ("codes.yaml", ("payment_methods", "visa", "kind"), "cash"),
    ]
    for file, path, value in cases:
        data = mapping_samples.changed(_sample(file), path, value)
        texts = {**mapping_samples.sample_texts(), file: yaml.safe_dump(data)}
        assert check_texts(texts).problems, (path, value)
        assert not fits(data, schema_of(file)), (path, value)


@pytest.mark.parametrize("file", ["accounts.yaml", "codes.yaml", "customers.yaml"])
def test_a_part_whose_lines_are_all_commented_out_fits(file: str) -> None:
    nothing = {"accounts.yaml": "accounts", "codes.yaml": "units", "customers.yaml": "assignments"}
    assert fits({nothing[file]: None}, schema_of(file))
    assert not fits({nothing[file]: 7}, schema_of(file))


def test_the_command_prints_lists_and_writes_them(tmp_path: Path) -> None:
    def said(*words: str) -> str:
        ended = CliRunner().invoke(main, ["schema", *words])
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    assert json.loads(said("codes.yaml")) == schema_of("codes.yaml")
    assert said().split() == list(MODELS)
    told = said("--into", str(tmp_path / "schemas"))
    for file in MODELS:
        path = tmp_path / "schemas" / schema_name(file)
        assert json.loads(path.read_text()) == schema_of(file)
        assert str(path) in told


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words, code, why in (
        (("customers.csv",), 2, "There is no schema of customers.csv"),
        (("codes.yaml", "--into", str(tmp_path)), 2, "for all of them"),
        (("--into", str(tmp_path / "file" / "x")), 1, "cannot be written"),
    ):
        ended = CliRunner().invoke(main, ["schema", *words])
        assert (ended.exit_code, why in ended.stderr) == (code, True), ended.output
