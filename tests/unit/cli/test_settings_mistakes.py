"""A mistake in the settings is told with file and line, whoever finds it."""

from __future__ import annotations

import re

import pytest

from sync.cli.output import Exit
from tests.unit.cli.conftest import Operator


def edit(site: Operator, before: str, after: str) -> int:
    """Replace it in the settings; the line on which it stands."""
    file = site.site.root / "config" / "tradesync.toml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    return text[: text.index(before)].count("\n") + 1


def test_an_adapter_that_there_is_not_is_told_beside_the_other_mistakes(fresh: Operator) -> None:
    line = edit(fresh, 'adapter = "sql"', 'adapter = "sqll"')
    other = edit(fresh, 'mappings = "mappings"', 'mappings = "mapings"')
    said = fresh("check")
    assert said.code == Exit.MISCONFIGURED
    assert f"config/tradesync.toml:{line}:" in said.err
    assert "systems.erp.adapter names no adapter of kind erp (there are: csv_folder," in said.err
    assert "did you mean sql?" in said.err
    assert f"config/tradesync.toml:{other}:" in said.err


def test_an_option_that_only_its_adapter_understands_is_told_by_line_too(fresh: Operator) -> None:
    line = edit(fresh, 'profile = "sample"', 'profile = "smaple"')
    said = fresh("check")
    assert said.code == Exit.MISCONFIGURED
    assert re.search(
        rf"config/tradesync\.toml:{line}:\d+: systems\.erp: no profile 'smaple' comes with",
        said.err,
    )
    other = edit(fresh, "store_id =", "stor_id =")
    both = fresh("check")
    assert both.code == Exit.MISCONFIGURED
    assert f"config/tradesync.toml:{line}:" in both.err
    assert re.search(r"config/tradesync\.toml:\d+:\d+: systems\.store: ", both.err)
    assert other != line


@pytest.mark.parametrize("words", [("run",), ("status",)], ids=" ".join)
def test_every_command_tells_it(fresh: Operator, words: tuple[str, ...]) -> None:
    edit(fresh, 'adapter = "embedded"', 'adapter = "embeded"')
    said = fresh(*words)
    assert said.code == Exit.MISCONFIGURED
    assert "did you mean embedded?" in said.err


@pytest.mark.parametrize(
    "before, after, told",
    [
        ("[service]", '[service]\nstate_url = "nonsense"', "service.state_url is no address"),
        (
            "[service]",
            '[service]\nstate_url = "postgresql://db.example:port/state"',
            "service.state_url is no address",
        ),
        ('\nurl = "', '\nurl = "postgresql://db.example:port/erp" # ', "systems.erp.options.url: "),
    ],
)
def test_an_address_that_is_none_ends_with_78_and_never_with_a_traceback(
    fresh: Operator, before: str, after: str, told: str
) -> None:
    """With another status systemd would start the service again and again."""
    line = edit(fresh, before, after) + after.count("\n")
    for words in (("run",), ("status",), ("check",)):
        said = fresh(*words)
        assert said.code == Exit.MISCONFIGURED, said
        assert re.search(rf"config/tradesync\.toml:{line}:\d+: {told}", said.err), said.err
        assert "Traceback" not in said.err


@pytest.mark.rule("OP-4", "OP-7")
@pytest.mark.parametrize("name", ["url", "write_url"])
def test_an_address_in_a_credential_file_is_told_by_the_line_that_names_the_file(
    fresh: Operator, name: str
) -> None:
    folder = fresh.site.root / "credentials"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "erp-url").write_text("postgresql://reader:hunter2@db.example:port/erp")
    (folder / "erp-url").chmod(0o600)
    table = f'[systems.erp.secrets]\n{name} = "erp-url"\n\n'
    line = edit(fresh, "[systems.erp.options]", f"{table}[systems.erp.options]") + 1
    said = fresh("check")
    assert said.code == Exit.MISCONFIGURED
    told = rf"tradesync\.toml:{line}:\d+: systems\.erp\.secrets\.{name}: the database URL"
    assert re.search(told, said.err), said.err
    assert ".options." not in said.err
    assert "hunter2" not in said.err


@pytest.mark.rule("OP-4")
def test_every_option_that_is_wrong_is_told_by_its_own_line(fresh: Operator) -> None:
    # The options begin with the profile, below their header.
    first = edit(fresh, '\nurl = "', '\npool_size = 0\nlogin_timeout = 3\nurl = "') + 1
    last = edit(fresh, "store_id =", 'page_size = "x"\nstor_id =')
    said = fresh("check", "--json")
    assert said.code == Exit.MISCONFIGURED
    found = re.findall(r"tradesync\.toml:(\d+):\d+: systems\.(\w+)(?:\.options\.(\w+))?:", said.err)
    erp, store = first - 2, last - 1
    assert [(int(line), system, option) for line, system, option in found] == [
        (erp, "erp", ""),
        (first + 1, "erp", "login_timeout"),
        (first, "erp", "pool_size"),
        (store, "store", ""),
        (last + 1, "store", "stor_id"),
        (store, "store", "store_id"),
        (last, "store", "page_size"),
    ]
    assert "login_timeout: no such option; did you mean login_timeout_s?" in said.err
    assert "store_id: missing; write one such as shop" in said.err
