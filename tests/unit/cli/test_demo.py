"""``tradesync demo``: a site of its own, played once, and told so that one can go on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sync.cli import demo
from sync.cli.demo_site import MADE, make_site, sample_settings
from sync.cli.output import Exit
from sync.errors import Misconfigured
from sync.mapping import read_mapping
from sync.sample.directory import CHANNELS
from sync.settings import load_settings
from tests.system.site import FLOWS, GOOD_ORDERS, SampleSite
from tests.unit.cli.conftest import Operator, call

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sampled(tmp_path: Path, sample_databases: Path) -> Operator:
    """Both databases of the sample, and no site yet."""
    root = tmp_path / "var" / "demo"
    shutil.copytree(sample_databases, root / "var" / "sample")
    return Operator(SampleSite(root))


@pytest.mark.rule("OP-2")
def test_the_demo_runs_the_whole_cycle_and_a_second_one_finds_nothing(sampled: Operator) -> None:
    first = sampled("demo", "--json")
    assert first.code == 0, first
    assert [each["flow"] for each in first.json["flows"]] == list(FLOWS)
    assert first.json["orders"]["acknowledged"] == GOOD_ORDERS
    assert first.json["writes"] > 500
    added = {each["flow"]: each for each in first.json["flows"] if "added" in each["counts"]}
    for flow in ("accounts", "prices", "documents"):
        told = added[flow]
        assert told["counts"]["added"] == len(told["samples"]) + told["unnamed"]
    assert all(row["fix"] for row in first.json["quarantined"])
    log_file = sampled.site.root / "var" / "demo.log"
    assert "order.quarantined" in log_file.read_text()
    second = sampled("demo")
    assert second.code == 0
    assert second.err == ""
    assert "Nothing to do: both sides agree, and nothing was written." in second.out
    assert "The cycle and what followed it took " in second.out
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"the cycle and what follows it \d", readme), "measured as it is called here"


def test_a_flow_that_is_refused_is_told_last_and_keeps_no_daemon_from_running(
    sampled: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sampled("demo").code == 0
    sampled.site.change(
        sampled.site.database("erp"), "UPDATE price_list_price SET unit_price = 99.99"
    )
    kept: list[str] = []
    monkeypatch.setattr(demo, "_keep_running", kept.append)
    running = sampled("demo", "--keep-running")
    assert (running.code, len(kept)) == (Exit.DONE, 1)
    assert "prices did not end well (refused)" in running.err
    assert "--confirm" in running.err
    once = sampled("demo")
    assert once.code == Exit.FAILED
    assert once.err.splitlines()[-1].startswith("prices did not end well (refused)")


def test_the_demo_names_what_can_be_typed_in_this_folder(
    sampled: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = sampled.site.root.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    said = sampled("demo").out.partition("Try next:")[2]
    assert " --site ../demo" in said
    assert "make up" not in said
    assert "demo --keep-running --site ../demo" in said
    tree = sampled.site.root.parents[1]
    (tree / "Makefile").touch()
    monkeypatch.chdir(tree)
    said = sampled("demo").out.partition("Try next:")[2]
    assert " plan all --site var/demo\n" in said
    assert "make up" in said


def test_a_sample_of_an_earlier_release_is_told_with_the_way_out(sampled: Operator) -> None:
    sampled.site.change(sampled.site.database("store"), "ALTER TABLE orders DROP COLUMN po_number")
    ended = sampled("demo")
    assert ended.code == Exit.MISCONFIGURED
    assert "earlier release (it lacks orders.po_number)" in ended.err
    assert f"remove {sampled.site.root / 'var'}" in ended.err


@pytest.mark.rule("OI-10", "WA-2")
def test_the_demo_makes_its_own_site_with_the_samples_assignments_and_captures_on(
    sampled: Operator,
) -> None:
    root = sampled.site.root
    assert sampled("demo", "--json").code == 0
    [pipeline] = load_settings(root, {}).pipelines.values()
    everywhere = {each.channel.value for each in CHANNELS}
    assert set(pipeline.orders.capture_channels) == everywhere
    assert set(pipeline.orders.credit_channels) == everywhere
    shipped = (ROOT / "config" / "tradesync.toml").read_text()
    assert sampled.site.settings.read_text() == MADE + sample_settings(shipped)
    assert "\ncapture_channels" not in shipped
    assert "\ncredit_channels" not in shipped
    mine, samples = read_mapping(root / "mappings"), read_mapping(ROOT / "mappings")
    assert mine.assignments[: len(samples.assignments)] == samples.assignments
    edited = sampled.site.settings.read_text().replace('log_level = "info"', 'log_level = "error"')
    sampled.site.settings.write_text(edited)
    assert sampled("demo", "--json").code == 0
    assert sampled.site.settings.read_text() == edited, "what one changed there to try it stays"


def test_the_demo_is_played_on_no_site_that_somebody_else_made(tmp_path: Path) -> None:
    """It would write orders, moves and assignments into systems that are not its own."""
    site = tmp_path / "mine"
    assert call("init", str(site)).code == 0
    before = {file: file.read_bytes() for file in site.rglob("*") if file.is_file()}
    said = call("demo", "--site", str(site))
    assert said.code == Exit.MISCONFIGURED
    assert "is a site that the sample did not make" in said.err
    assert "demo --site DIR" in said.err
    assert {file: file.read_bytes() for file in site.rglob("*") if file.is_file()} == before
    (site / "config" / "tradesync.toml").unlink()
    assert call("demo", "--site", str(site)).code == Exit.MISCONFIGURED


@pytest.mark.parametrize("copied", [0, 3, 9])
def test_a_site_that_was_interrupted_while_it_was_made_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: int
) -> None:
    site = tmp_path / "demo"
    done: list[str] = []

    def copy(source: Path, target: Path) -> None:
        if len(done) == copied:
            raise KeyboardInterrupt
        done.append(target.name)
        target.write_bytes(source.read_bytes())

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("sync.templates.shutil.copyfile", copy)
        with pytest.raises(KeyboardInterrupt):
            make_site(site)
    half = sorted(site.rglob("*"))
    said = call("demo", "--site", str(site))
    assert said.code == Exit.MISCONFIGURED
    assert f"{site} is half made" in said.err
    assert f"Remove {site / 'config'}" in said.err
    assert sorted(site.rglob("*")) == half, "nothing is removed by itself"
    for folder in ("config", "mappings"):
        shutil.rmtree(site / folder, ignore_errors=True)
    make_site(site)
    assert sorted(each.name for each in site.iterdir()) == ["config", "mappings"]
    make_site(site)  # as a second run does


def test_a_site_is_half_made_until_its_settings_say_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All templates are there, as ``init`` would have made them."""

    def stopped(text: str) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("sync.cli.demo_site.sample_settings", stopped)
        with pytest.raises(KeyboardInterrupt):
            make_site(tmp_path)
    with pytest.raises(Misconfigured, match="is half made"):
        make_site(tmp_path)


@pytest.mark.parametrize("system", ["erp", "store"])
@pytest.mark.parametrize("url", ["sqlite:///{}", "postgresql://db.example/{}", "https://{}", None])
def test_the_demo_fills_no_system_outside_its_site(
    sampled: Operator, tmp_path: Path, system: str, url: str | None
) -> None:
    """Somebody who liked the sample has put the systems of the company into its settings."""
    make_site(sampled.site.root)
    theirs = tmp_path / "theirs.sqlite"
    theirs.touch()
    settings = sampled.site.settings
    mine = f'url = "sqlite:///var/sample/{system}.sqlite"'
    text = settings.read_text()
    assert mine in text
    settings.write_text(text.replace(mine, f'url = "{url.format(theirs)}"' if url else ""))
    said = sampled("demo")
    assert said.code == Exit.MISCONFIGURED, said
    assert f"{system} is no SQLite file below {sampled.site.root}" in said.err
    assert str(settings) in said.err
    assert theirs.read_bytes() == b""


@pytest.mark.parametrize(
    "variable",
    [
        "TRADESYNC_SYSTEMS__ERP__OPTIONS__URL",
        "TRADESYNC_SERVICE__STATE_URL",
        "TRADESYNC_PIPELINES__MAIN__MAPPINGS",
        "STATE_DIRECTORY",
    ],
)
def test_the_demo_writes_into_nothing_that_the_environment_names(
    sampled: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A container is told so which systems are the company's, and the demo is typed in there."""
    theirs = tmp_path / "theirs"
    shutil.copytree(ROOT / "mappings", theirs)
    before = {file: file.read_bytes() for file in theirs.rglob("*") if file.is_file()}
    url = f"sqlite:///{theirs / 'state.sqlite'}"
    monkeypatch.setenv(variable, url if variable.endswith("URL") else str(theirs))
    said = sampled("demo")
    assert said.code == Exit.MISCONFIGURED, said
    assert "or the environment" in said.err
    assert {file: file.read_bytes() for file in theirs.rglob("*") if file.is_file()} == before


def test_settings_without_the_lines_that_the_demo_switches_on_are_told() -> None:
    with pytest.raises(Misconfigured, match="no line '# credit_channels"):
        sample_settings('# capture_channels = ["trade"]\n')


def test_without_a_folder_the_demo_stays_out_of_the_site_that_one_works_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADESYNC_SITE", "/etc/tradesync")
    assert demo._default_site() == ROOT / "var" / "demo"
