"""Whatever a person mistypes, no answer repeats a secret (OP-7)."""

from __future__ import annotations

import pytest

from sync.cli.output import Exit
from tests.unit.cli.conftest import Operator

pytestmark = pytest.mark.rule("OP-7")

ERP = 'url = "sqlite:///var/sample/erp.sqlite"'
# Characters that URLs, connection strings and JSON each spell in their own way.
CANARY = 'canary-7f/3@a b;c&d"e}%'


def write(operator: Operator, written: str) -> None:
    """Write this in the place of the ERP's URL."""
    text = operator.site.settings.read_text(encoding="utf-8")
    assert ERP in text
    operator.site.settings.write_text(text.replace(ERP, written, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "written",
    [
        'url = "postgresql://reader:canary-7f@erp.example/erp"',
        'url = "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dr%3BPWD%3Dcanary-7f"',
        'url = "mssql+pyodbc:///?odbc_connect=DRIVER=X;UID=r;PWD={canary-7f}"',
        f'{ERP}\npassword = "canary-7f"',
        f'{ERP}\napi_token = "canary-7f"',
        'url = "https://erp.example/api?access_token=canary-7f"',
        'url = "https://erp.example/api?page=1%26token%3Dcanary-7f"',
    ],
)
@pytest.mark.parametrize("command", [("check", "--json"), ("status",), ("plan", "accounts")])
def test_a_secret_in_the_settings_is_refused_and_not_repeated(
    fresh: Operator, written: str, command: tuple[str, ...]
) -> None:
    write(fresh, written)
    said = fresh(*command)
    assert said.code == Exit.MISCONFIGURED
    assert "config/tradesync.toml:" in said.err
    assert "canary" not in said.out + said.err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://reader@127.0.0.1:9/erp",
        "mysql+pymysql://reader@127.0.0.1:9/erp",
        "mssql+pyodbc://reader@127.0.0.1:9/erp?driver=None",
    ],
)
def test_the_password_of_an_erp_that_is_away_is_not_repeated(fresh: Operator, url: str) -> None:
    folder = fresh.site.root / "credentials"
    folder.mkdir(mode=0o700)
    file = folder / "erp-password"
    file.touch(mode=0o600)
    file.write_text(CANARY, encoding="utf-8")
    write(fresh, f'url = "{url}"\n[systems.erp.secrets]\npassword = "erp-password"')
    said = fresh("check", "--json")
    assert said.code != Exit.DONE
    for spelled in ("canary", "7f%2F3", "3%40a"):
        assert spelled not in said.out + said.err
