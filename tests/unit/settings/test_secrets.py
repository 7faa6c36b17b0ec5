"""Secrets come from closed files only, and are shown nowhere."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from sync.mapping import FilesRefused
from sync.settings import load_settings
from tests.unit.mapping.samples import changed
from tests.unit.settings.samples import SAMPLE, Raw, site_with, written

CANARY = "hunter2-canary"
PLAIN = written(SAMPLE).text


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site_with(tmp_path, PLAIN)
    (tmp_path / "credentials" / "erp-password").write_text(CANARY + "\n", encoding="utf-8")
    return tmp_path


def refused(site: Path, **environ: str) -> FilesRefused:
    with pytest.raises(FilesRefused) as raised:
        load_settings(site, environ)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value.found)
    assert CANARY not in shown
    return raised.value


@pytest.mark.rule("OP-7")
def test_a_closed_file_of_the_site_is_read_and_never_shown(site: Path) -> None:
    loaded = load_settings(site, {})
    assert loaded.systems["erp"].secrets["password"].get_secret_value() == CANARY
    assert loaded.state_password is not None
    assert loaded.state_password.get_secret_value() == "secret of state-password"
    assert CANARY not in repr(loaded) + str(loaded)


@pytest.mark.rule("OP-7")
def test_systemds_credentials_go_first(site: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "erp-password").write_text("from systemd", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(given)}
    secrets = load_settings(site, environ).systems["erp"].secrets
    assert secrets["password"].get_secret_value() == "from systemd"


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610, 0o601])
def test_a_file_that_others_can_open_is_refused_with_the_command_to_run(
    site: Path, mode: int
) -> None:
    file = site / "credentials" / "erp-password"
    file.chmod(mode)
    (problem,) = refused(site).found
    assert problem.remedy == f"run: chmod 600 {file}"
    assert problem.line == PLAIN.splitlines().index('password = "erp-password"') + 1


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_alone_is_taken(site: Path, mode: int) -> None:
    (site / "credentials" / "erp-password").chmod(mode)
    load_settings(site, {})


def test_a_credential_that_is_not_there_is_told_without_what_was_written(site: Path) -> None:
    (site / "credentials" / "erp-password").unlink()
    (problem,) = refused(site).found
    assert "names a credential that is not there" in problem.message
    assert str(site / "credentials") in problem.remedy


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "without a secret"),
        (b" \n", "without a secret"),
        (b"a\0b", "without a secret"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 70_000, "too large"),
    ],
)
def test_a_file_without_a_usable_secret_is_refused(
    site: Path, content: bytes, message: str
) -> None:
    (site / "credentials" / "erp-password").write_bytes(content)
    assert message in refused(site).found[0].message


def test_a_folder_is_no_credential(site: Path) -> None:
    file = site / "credentials" / "erp-password"
    file.unlink()
    file.mkdir()
    assert "no file" in refused(site).found[0].message


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_cannot_be_read_is_told(site: Path) -> None:
    (site / "credentials" / "erp-password").chmod(0o000)
    assert "cannot be read" in refused(site).found[0].message


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize(
    "key, value",
    [
        ("url", f"postgresql://user:{CANARY}@host/db"),
        ("url", f"https://:{CANARY}@host/"),
        ("url", f"postgresql://user:a/b#{CANARY}@host/db"),
        ("dsn", f"DRIVER=x;UID=sa;PWD={CANARY}"),
        ("dsn", f"Server=x;Password = {CANARY};"),
        ("url", f"https://host/?user=x&token={CANARY}"),
        ("url", f"https://host/?api_key={CANARY}"),
        ("password", CANARY),
        ("db_password", CANARY),
        ("api_key", CANARY),
        ("apikey", CANARY),
        ("client-secret", CANARY),
        ("auth_token", CANARY),
        ("passwords_and_more", {"password": CANARY}),
        ("token", [CANARY]),
        ("pin_secret", Raw("123456")),
    ],
)
def test_a_secret_in_the_settings_is_refused_with_the_way_out(
    site: Path, key: str, value: object
) -> None:
    page = written(changed(SAMPLE, ("systems", "erp", "options", key), value))
    site_with(site, page.text)
    (problem,) = refused(site).found
    assert problem.line in {page.line_of[("systems", "erp", "options", key)] + n for n in (0, 1)}
    assert "[systems.erp.secrets]" in problem.remedy


@pytest.mark.parametrize(
    "key, value",
    [
        ("url", "postgresql://user@host:5432/db"),
        ("url", "https://host:8443/path?page=2"),
        ("url", "sqlite:///var/sample/erp.sqlite"),
        ("tokenizer", "plain"),
        ("password_file_mode", "x"),
        ("use_token", Raw("true")),
    ],
)
def test_what_is_no_secret_may_be_written(site: Path, key: str, value: object) -> None:
    site_with(site, written(changed(SAMPLE, ("systems", "erp", "options", key), value)).text)
    load_settings(site, {})


@pytest.mark.rule("OP-7")
def test_the_state_url_takes_no_password(site: Path) -> None:
    url = f"postgresql://tradesync:{CANARY}@db/tradesync"
    site_with(site, written(changed(SAMPLE, ("service", "state_url"), url)).text)
    (problem,) = refused(site).found
    assert "service.state_password" in problem.remedy


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize(
    "name, value",
    [
        ("TRADESYNC_SYSTEMS__ERP__SECRETS__PASSWORD", CANARY),
        ("TRADESYNC_SYSTEMS__ERP__OPTIONS__PASSWORD", CANARY),
        ("TRADESYNC_SYSTEMS__ERP__OPTIONS__URL", f"x://user:{CANARY}@host"),
        ("TRADESYNC_SERVICE__STATE_URL", f"x://user:{CANARY}@host"),
        ("TRADESYNC_SERVICE__STATE_PASSWORD", f"{CANARY} with spaces"),
        ("TRADESYNC_SERVICE__STATE_PASSWORD", CANARY),
    ],
)
def test_the_environment_carries_no_secrets(site: Path, name: str, value: str) -> None:
    assert any(problem.message.startswith(name) for problem in refused(site, **{name: value}).found)


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize(
    "text",
    [
        f"[systems.erp.secrets]\npassword = {CANARY}\n",
        f'[systems.erp.secrets]\npassword = "{CANARY}\n',
        f'[systems.erp.secrets]\npassword = "{CANARY}" x\n',
        f'x = "{CANARY}\\q"\n',
        f'x = {{ a = "{CANARY}", a = 1 }}\n',
        f'a = "{CANARY}"\na = "{CANARY}"\n',
    ],
)
def test_a_file_that_is_no_toml_is_told_without_its_text(site: Path, text: str) -> None:
    (site / "config" / "tradesync.toml").write_text(text, encoding="utf-8")
    assert "not TOML" in refused(site).found[0].message


@pytest.mark.rule("OP-7")
def test_a_secret_cannot_be_handed_over_in_the_settings_file(site: Path) -> None:
    text = f'{PLAIN}[credentials]\nerp-password = "{CANARY}"\n'
    (site / "config" / "tradesync.toml").write_text(text, encoding="utf-8")
    problem = refused(site).found[0]
    assert problem.line == len(PLAIN.splitlines()) + 1
    assert "credentials is not known here" in problem.message


@pytest.mark.rule("OP-7")
def test_the_librarys_debug_log_shows_nothing_of_the_settings(
    site: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    page = written(changed(SAMPLE, ("systems", "erp", "options", "password"), CANARY))
    site_with(site, page.text)
    with caplog.at_level("DEBUG"):
        refused(site)
    assert not caplog.records


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("named", ["../config/tradesync.toml", "/etc/hostname", ".", ".."])
def test_only_files_in_the_folder_of_credentials_are_opened(site: Path, named: str) -> None:
    text = PLAIN.replace('"erp-password"', f'"{named}"')
    (site / "config" / "tradesync.toml").write_text(text, encoding="utf-8")
    (problem,) = refused(site).found
    assert "is not the name of a credential file" in problem.message
