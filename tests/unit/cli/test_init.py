"""``tradesync init``: a site that is accepted, and in which nobody is assigned yet."""

from __future__ import annotations

import re
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from sync.cli.output import Exit
from sync.mapping import read_mapping
from sync.settings import load_settings
from sync.templates import NEW_SITE, copy_templates, templates
from tests.unit.cli.conftest import Operator, call

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    assert call("init", str(folder)).code == Exit.DONE
    return folder


def test_init_makes_a_site_that_is_accepted_and_touches_nothing_that_is_there(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "new"
    made = call("init", str(folder))
    assert made.code == 0
    assert f"tradesync check --site {folder}" in made.out
    assert "Nobody is assigned\nto an account yet" in made.out
    assert "mapping.loaded" not in made.out + made.err
    assert load_settings(folder, {}).pipelines
    assert stat.S_IMODE((folder / "credentials").stat().st_mode) == 0o700
    assert (folder / "var").is_dir(), "the shipped settings name files in it"
    (folder / "mappings" / "customers.csv").write_text("mine")
    again = call("init", str(folder))
    assert again.code == Exit.FAILED
    assert "nothing was changed" in again.err
    assert (folder / "mappings" / "customers.csv").read_text() == "mine"


@pytest.mark.rule("WA-2", "OP-4")
def test_new_site_begins_with_nobody_assigned_and_no_account_treated_otherwise(site: Path) -> None:
    mapping = read_mapping(site / "mappings")
    assert (mapping.assignments, dict(mapping.account_policies)) == ((), {})
    assert mapping.channels
    assert {file.name for file in (site / "mappings").iterdir()} == {
        *("README.md", "channels.yaml", "codes.yaml"),
        *("accounts.yaml", "customers.yaml", "customers.csv"),
    }
    # The sample's own files are what they were.
    assert read_mapping(ROOT / "mappings").assignments


def test_a_new_site_has_whatever_the_pages_in_it_point_to_beside_themselves(site: Path) -> None:
    page = (site / "config" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w-]+\.toml)` \|", page, re.MULTILINE))
    shipped = {each.name for each in (ROOT / "config" / "examples").glob("*.toml")}
    assert {each.name for each in (site / "config" / "examples").iterdir()} == named == shipped
    for folder in ("config", "mappings"):
        text = (site / folder / "README.md").read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#:]+)\)", text)
        assert [each for each in links if not (site / folder / each).exists()] == []
        elsewhere = re.findall(r"`((?:erp_adapters|sync)/[\w./]+)`", text)
        assert [each for each in elsewhere if not (ROOT / each).exists()] == []


@pytest.mark.rule("OI-10")
def test_new_site_captures_and_credits_nothing_by_itself(site: Path) -> None:
    [pipeline] = load_settings(site, {}).pipelines.values()
    assert (pipeline.orders.capture_channels, pipeline.orders.credit_channels) == ([], [])


@pytest.mark.rule("OP-4")
def test_check_of_a_new_site_finds_no_mistake_and_says_that_nothing_is_assigned(site: Path) -> None:
    said = call("check", "mappings", "--site", str(site))
    assert said.code == Exit.DONE, said
    assert "is sound: nothing is assigned yet." in said.out
    assert "error" not in said.out
    [left] = call("check", "mappings", "--json", "--site", str(site)).json
    assert left["level"] == "warning"
    assert left["message"].startswith("not compared with the systems: ")
    assert "nothing is assigned yet" in call("check", "--site", str(site)).out


@pytest.mark.rule("OP-4")
def test_check_of_files_that_assign_somebody_still_needs_the_systems(site: Path) -> None:
    with (site / "mappings" / "customers.csv").open("a") as file:
        file.write("000101,org-101,,,\n")
    said = call("check", "mappings", "--json", "--site", str(site))
    assert said.code == Exit.FAILED
    assert [each["level"] for each in said.json] == ["error"]


@pytest.mark.rule("OP-4", "WA-2b")
def test_check_of_files_that_assign_nobody_needs_the_systems_once_they_are_in_force(
    fresh: Operator,
) -> None:
    """A shop of retail buyers alone assigns nobody for good, and has retail groups to check."""
    shutil.copytree(ROOT / "mappings" / NEW_SITE, fresh.site.root / "mappings", dirs_exist_ok=True)
    assert fresh("resync", "accounts").code == Exit.DONE
    fresh.site.database("erp").unlink()
    said = fresh("check", "mappings", "--json")
    assert said.code == Exit.FAILED, said
    assert [each["level"] for each in said.json] == ["error"]
    assert "is sound" not in fresh("check", "mappings").out


@pytest.mark.parametrize(
    "name, nothing", [("accounts.yaml", "accounts: {}"), ("customers.yaml", "assignments: []")]
)
def test_examples_in_the_files_of_a_new_site_hold_as_they_stand(
    site: Path, name: str, nothing: str
) -> None:
    file = site / "mappings" / name
    head, _, tail = file.read_text().partition(nothing)
    assert tail, "the line that says that there is nothing"
    key = nothing.partition(":")[0]
    below = re.sub(r"^# ", "", tail, flags=re.MULTILINE)
    above = re.sub(r"^# (?=\w+:|  )", "", head, flags=re.MULTILINE)
    if name == "customers.yaml":
        above = head  # the lines above are meanings, not examples
    file.write_text(f"{above}{key}:{below}")
    told = yaml.safe_load(file.read_text())
    assert told[key]
    mapping = read_mapping(site / "mappings")
    assert mapping.assignments or mapping.account_policies


def test_lines_that_the_table_of_a_new_site_shows_hold_as_they_stand(site: Path) -> None:
    table = site / "mappings" / "customers.csv"
    text = table.read_text()
    examples = re.findall(r"^#   (\S.*)$", text, re.MULTILINE)
    table.write_text(text + "\n".join(examples) + "\n")
    assert len(read_mapping(site / "mappings").assignments) == len(examples) == 2


def test_templates_without_the_files_of_a_new_site_are_not_taken(tmp_path: Path) -> None:
    """It would begin with the sample's assignments."""
    source = templates()
    assert source is not None
    broken = tmp_path / "share"
    for name in ("config", "mappings"):
        shutil.copytree(source / name, broken / name, ignore=shutil.ignore_patterns(NEW_SITE))
    with pytest.raises(FileNotFoundError, match=NEW_SITE):
        copy_templates(broken, tmp_path / "site")
