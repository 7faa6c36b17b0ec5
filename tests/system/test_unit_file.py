"""The systemd unit: accepted without a murmur, as strict as promised, and what it must say."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from sync.cli.main import COMMANDS
from sync.cli.output import Exit
from sync.settings import ServiceSettings
from tests.system.site import REPOSITORY

FOLDER = REPOSITORY / "systemd"
UNIT = FOLDER / "tradesync.service"
EXAMPLES = sorted((FOLDER / "examples").glob("*.conf"))
PROGRAM = "/opt/tradesync/bin/tradesync"

Directives = dict[str, dict[str, list[str]]]


def directives(file: Path) -> Directives:
    """Section, key, and all values in their order."""
    found: Directives = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            assert section, line
            found[section][key].append(value)
    return found


@pytest.fixture
def analysed(tmp_path: Path) -> Path:
    """The unit where systemd-analyze reads it, calling a program that is installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine: the unit is only parsed here")
    text = UNIT.read_text(encoding="utf-8")
    assert PROGRAM in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    return copy


def with_drop_ins(unit: Path, *examples: Path) -> Path:
    folder = unit.with_name(f"{unit.name}.d")
    folder.mkdir()
    for example in examples:
        shutil.copy(example, folder)
    return unit


def analyse(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.system
@pytest.mark.parametrize("drop_ins", [[], *([it] for it in EXAMPLES), EXAMPLES], ids=str)
def test_systemd_accepts_the_unit_and_every_drop_in_without_a_word(
    analysed: Path, drop_ins: list[Path]
) -> None:
    unit = with_drop_ins(analysed, *drop_ins)
    done = analyse("verify", "--man=no", str(unit))
    # A key that systemd does not know is only a warning, with status 0.
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.system
def test_a_mistake_in_a_drop_in_would_be_noticed(analysed: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("[Service]\nProtectSytem=strict\n")
    done = analyse("verify", "--man=no", str(with_drop_ins(analysed, wrong)))
    assert "ProtectSytem" in done.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    "drop_ins, tenths",
    [
        ([], 9),
        ([FOLDER / "examples" / "egress.conf"], 10),
        ([FOLDER / "examples" / "open-egress.conf"], 11),
        (EXAMPLES, 11),
    ],
    ids=["as it is", "with pinned egress", "with open egress", "with everything relaxed"],
)
def test_the_unit_is_as_strict_as_promised(
    analysed: Path, drop_ins: list[Path], tenths: int
) -> None:
    unit = with_drop_ins(analysed, *drop_ins)
    done = analyse("security", "--offline=true", f"--threshold={tenths}", str(unit))
    assert done.returncode == 0, done.stdout


@pytest.mark.rule("OP-6")
def test_systemd_watches_over_it_and_starts_it_again_but_not_on_bad_settings() -> None:
    service = directives(UNIT)["Service"]
    assert service["Type"] == ["notify"]
    assert service["NotifyAccess"] == ["main"]
    assert int(service["WatchdogSec"][0]) > 0
    assert service["Restart"] == ["always"]
    assert 0 < int(service["RestartSec"][0]) <= 5, "orders must go on within 15 s of a kill"
    assert service["RestartPreventExitStatus"] == [str(Exit.MISCONFIGURED.value)]
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert "ExecStartPre" not in service, "run checks everything itself"
    assert directives(UNIT)["Unit"]["StartLimitIntervalSec"] == ["0"], "it never gives up"
    assert directives(UNIT)["Install"]["WantedBy"] == ["multi-user.target"]


@pytest.mark.rule("OP-1")
def test_it_is_given_the_time_to_stop_by_itself() -> None:
    service = directives(UNIT)["Service"]
    assert service["KillMode"] == ["mixed"], "the main process alone is asked to stop"
    assert int(service["TimeoutStopSec"][0]) > ServiceSettings().stop_grace_s
    assert "KillSignal" not in service


def test_it_runs_as_a_fixed_user_whose_state_nobody_else_reads() -> None:
    service = directives(UNIT)["Service"]
    assert service["User"] == service["Group"] == ["tradesync"]
    assert "DynamicUser" not in service
    assert service["StateDirectory"] == ["tradesync"]
    assert service["StateDirectoryMode"] == ["0700"]
    assert service["UMask"] == ["0077"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == [""]


def test_it_can_write_to_its_state_and_the_mapping_files_only_and_run_neither() -> None:
    service = directives(UNIT)["Service"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["ReadWritePaths"] == ["-/etc/tradesync/mappings"]
    assert service["NoExecPaths"] == ["/"]
    run_from = [path.lstrip("-") for path in service["ExecPaths"][0].split()]
    assert "/opt" in run_from, "the program, and the ODBC drivers of vendors"
    assert "/usr" in run_from
    for written in ("/var/lib/tradesync", "/etc/tradesync/mappings", "/var/tmp"):  # noqa: S108
        assert not any(Path(written).is_relative_to(path) for path in run_from)


def test_it_talks_to_this_machine_only_until_an_administrator_names_the_systems() -> None:
    service = directives(UNIT)["Service"]
    assert service["IPAddressDeny"] == ["any"]
    assert service["IPAddressAllow"] == ["localhost"]
    opened = directives(FOLDER / "examples" / "open-egress.conf")["Service"]
    assert opened == {"IPAddressDeny": [""], "IPAddressAllow": [""]}


def test_it_can_still_reach_systemd_the_journal_and_a_local_postgresql() -> None:
    families = directives(UNIT)["Service"]["RestrictAddressFamilies"][0].split()
    assert set(families) == {"AF_INET", "AF_INET6", "AF_UNIX"}


@pytest.mark.rule("OP-7")
def test_no_secret_is_in_the_environment_or_in_the_unit() -> None:
    for file in (UNIT, *EXAMPLES):
        service = directives(file)["Service"]
        assert not service.keys() & {"Environment", "EnvironmentFile", "SetCredential"}
        for loaded in service.get("LoadCredential", []):
            assert re.fullmatch(r"[a-z-]+:/etc/tradesync/credentials/[a-z-]+", loaded)
    assert "#LoadCredential=" in UNIT.read_text(encoding="utf-8"), "as an example"


def test_it_starts_what_the_guide_installs_on_the_site_that_the_guide_makes() -> None:
    start = directives(UNIT)["Service"]["ExecStart"]
    assert start == [f"{PROGRAM} run --site /etc/tradesync"]
    wrapper = (FOLDER / "tradesync").read_text(encoding="utf-8")
    guide = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert PROGRAM in wrapper
    assert "/var/lib/tradesync" in wrapper, "where StateDirectory=tradesync is"
    assert "tradesync init /etc/tradesync" in guide
    assert "python3 -m venv /opt/tradesync" in guide
    assert (FOLDER / "tradesync").stat().st_mode & 0o111


def test_the_operators_command_is_a_program_that_a_shell_accepts() -> None:
    done = subprocess.run(["sh", "-n", str(FOLDER / "tradesync")], check=False)
    assert done.returncode == 0


def test_the_guide_names_every_example_and_no_command_that_does_not_exist() -> None:
    guide = (FOLDER / "README.md").read_text(encoding="utf-8")
    for example in EXAMPLES:
        assert f"examples/{example.name}" in guide
    for named in re.findall(r"examples/([a-z-]+\.conf)", guide):
        assert (FOLDER / "examples" / named).is_file()
    called = re.findall(r"(?:^ *|`|/bin/)tradesync ([a-z]+)", guide, flags=re.MULTILINE)
    assert {"check", "init", "plan", "status", "resync", "quarantine"} <= set(called)
    assert set(called) <= set(COMMANDS)
    for number in re.findall(r"status=(\d+)` ?(?:and|\||,|$)", guide):
        assert int(number) in {code.value for code in Exit}
