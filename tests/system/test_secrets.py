"""No secret ever comes out, whichever way something goes wrong (OP-7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemon import Daemon
from tests.system.site import SampleSite

pytestmark = [pytest.mark.system, pytest.mark.rule("OP-7")]

# Characters that URLs, connection strings and JSON each spell in their own way.
CANARY = 'canary-7f/3@a b;c&d"e}%'
SPELLINGS = ("canary-7f", "7f%2F3", "3%40a")
NOWHERE = "127.0.0.1:9"


def credential(site: SampleSite, name: str) -> None:
    folder = site.root / "credentials"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    file.touch(mode=0o600)
    file.write_text(CANARY + "\n", encoding="utf-8")


def replace(site: SampleSite, old: str, new: str) -> None:
    text = site.settings.read_text(encoding="utf-8")
    assert old in text
    site.settings.write_text(text.replace(old, new, 1), encoding="utf-8")


def assert_silent(*said: str) -> None:
    for text in said:
        for spelling in SPELLINGS:
            assert spelling not in text


def left_behind(site: SampleSite) -> Iterator[Path]:
    """Every file that running may have written."""
    return (file for file in (site.root / "var").rglob("*") if file.is_file())


def test_the_password_of_a_database_that_is_away(site: SampleSite) -> None:
    url = f"postgresql+psycopg://reader@{NOWHERE}/erp"
    credential(site, "erp-password")
    replace(site, 'url = "sqlite:///var/sample/erp.sqlite"', f'url = "{url}"')
    replace(
        site,
        "[systems.store]",
        '[systems.erp.secrets]\npassword = "erp-password"\n\n[systems.store]',
    )
    site.schedule(accounts=3600, orders=3600)
    site.service(log_level="debug")
    with site.settings.open("a", encoding="utf-8") as settings:
        settings.write("\n[pipelines.main.patience]\nattempts = 1\n")
    commands = [site.tradesync(*words) for words in (("check",), ("plan", "accounts", "--json"))]
    assert commands[0].code != 0
    with Daemon(site) as daemon:
        daemon.wait_until(
            "an answer from the ERP or the end",
            lambda: (
                bool(daemon.found("run.finished", flow="accounts"))
                or daemon.process.poll() is not None
                or "tradesync: " in daemon.text
            ),
        )
        if daemon.process.poll() is None:
            # A connection that is being tried is given up by its own time-out.
            daemon.end(timeout_s=90.0)
    assert_silent(daemon.text, *daemon.told, *(each.out + each.err for each in commands))
    for file in left_behind(site):
        assert b"canary-7f" not in file.read_bytes(), file


def test_the_password_of_a_state_that_is_away(site: SampleSite) -> None:
    credential(site, "state-password")
    site.service(
        log_level="debug",
        state_url=f"postgresql://tradesync@{NOWHERE}/tradesync",
        state_password="state-password",
    )
    with Daemon(site) as daemon:
        assert daemon.ended() == 75
    status = site.tradesync("status")
    assert status.code == 75
    assert_silent(daemon.text, *daemon.told, status.out, status.err)


def test_a_secret_in_the_settings_is_refused_and_not_repeated(site: SampleSite) -> None:
    replace(
        site,
        'url = "sqlite:///var/sample/erp.sqlite"',
        'url = "postgresql://reader:canary-7f@erp.example/erp"',
    )
    with Daemon(site) as daemon:
        assert daemon.ended() == 78
    assert "config/tradesync.toml:" in daemon.text
    assert_silent(daemon.text)


def test_a_credential_that_others_can_read_is_refused_and_not_repeated(site: SampleSite) -> None:
    credential(site, "erp-password")
    (site.root / "credentials" / "erp-password").chmod(0o644)
    replace(
        site,
        "[systems.store]",
        '[systems.erp.secrets]\npassword = "erp-password"\n\n[systems.store]',
    )
    ended = site.tradesync("check")
    assert ended.code == 78
    assert "chmod 600" in ended.err
    assert_silent(ended.out, ended.err)


def test_systemd_hands_a_credential_over_in_its_own_folder(
    site: SampleSite, tmp_path: Path
) -> None:
    given = tmp_path / "credentials"
    given.mkdir()
    (given / "erp-password").write_text(CANARY, encoding="utf-8")
    (given / "erp-password").chmod(0o440)
    replace(
        site,
        "[systems.store]",
        '[systems.erp.secrets]\npassword = "erp-password"\n\n[systems.store]',
    )
    with_it = SampleSite(site.root, {"CREDENTIALS_DIRECTORY": str(given)})
    assert site.tradesync("status").code == 78
    ended = with_it.tradesync("status")
    assert ended.code == 0, ended.err
    assert_silent(ended.out, ended.err)
