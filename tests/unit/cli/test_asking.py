"""What cannot be undone is asked about in one way, by whatever command."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync.cli.main import main
from sync.cli.output import Exit
from tests.system.site import REPOSITORY, SampleSite
from tests.unit.cli.conftest import Operator
from tests.unit.cli.test_every_command import ALL

pytestmark = pytest.mark.rule("OI-2", "OP-9")


class Terminal(io.BytesIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


FINAL: dict[str, Callable[[Operator], tuple[str, ...]]] = {
    "quarantine dismiss": lambda _: ("W-50273", "--reason", "x"),
    "erase": lambda _: ("--order", "W-50001", "--reason", "x"),
    "state reduce": lambda _: (),
    "state restore": lambda site: (str(site.site.root / "backup.sqlite"), "--reason", "x"),
}


@pytest.fixture
def site(day_done: SampleSite, tmp_path: Path) -> Operator:
    found = Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))
    assert found("state", "backup", str(found.site.root / "backup.sqlite")).code == 0
    old = (
        "UPDATE ledger SET changed_at = '2020-01-01T00:00:00.000000Z', status_open = 0"
        " WHERE state = 'acknowledged'"
    )
    found.site.change(found.site.state, old)
    return found


def typed(site: Operator, name: str, answer: bytes) -> Result:
    words = [*name.split(), *FINAL[name](site), "--site", str(site.site.root)]
    return CliRunner().invoke(main, words, input=Terminal(answer))


def trail(site: Operator) -> list[str]:
    return [each["kind"] for each in site("audit", "--json").json if each["kind"] != "resync.run"]


@pytest.mark.parametrize("name", FINAL)
def test_where_nobody_can_be_asked_it_is_refused_with_the_way_out(
    site: Operator, name: str
) -> None:
    before = site.site.state.read_bytes()
    for more in ((), ("--json",)):
        said = site(*name.split(), *FINAL[name](site), *more)
        assert said.code == Exit.USAGE, said
        assert "nobody can be asked: add --yes, or look with --dry-run" in said.err
        assert (said.json["code"] if more else said.out) == (Exit.USAGE if more else "")
    assert site.site.state.read_bytes() == before
    looked = site(*name.split(), *FINAL[name](site), "--dry-run")
    assert looked.code == Exit.DONE, looked
    assert "would be" in looked.out
    assert trail(site) == []


@pytest.mark.parametrize("name", FINAL)
def test_a_person_is_told_and_asked_and_no_means_no(site: Operator, name: str) -> None:
    refused = typed(site, name, b"n\n")
    assert refused.exit_code == Exit.FAILED
    assert "it cannot be undone" in refused.output
    assert trail(site) == []
    agreed = typed(site, name, b"y\n")
    assert agreed.exit_code == Exit.DONE, agreed.output
    assert len(trail(site)) == 1


def test_the_readme_tells_it_once_of_every_command_that_asks() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^What cannot be undone \(([^)]*)\)", text, re.MULTILINE)
    with_yes = {
        " ".join(words)
        for words, command in ALL.items()
        if any(option.name == "yes" for option in command.params)
    }
    assert set(re.findall("`([^`]+)`", told)) == with_yes == set(FINAL)
    for words, command in ALL.items():
        names = {option.name for option in command.params}
        assert "yes" not in names or "dry_run" in names, words
