"""The options of the adapter, and what is said of those that will not do."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.settings import Reach, Settings
from sync.errors import Misconfigured
from tests.unit.tryton.tryton_kit import OPTIONS, PASSWORD

ROOT = Path(__file__).resolve().parents[3]
SECRET = {"password": PASSWORD}


def read(**more: object) -> Settings:
    return Settings.read({**OPTIONS, **more}, SECRET, Path("/site"))[0]


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    found = read()
    assert (found.reach, found.time_zone, found.price_decimals) == (Reach.QUOTATION, "UTC", 4)
    assert read(reach="confirmed").reach is Reach.CONFIRMED
    (tmp_path / "ca.pem").touch()
    assert read(ca_bundle=str(tmp_path / "ca.pem")).ca_bundle == tmp_path / "ca.pem"


def test_names_are_spelled_with_whatever_spaces_the_erp_has_in_them() -> None:
    names = {"company": "株式会社\u3000アクメ", "warehouse": "Entrepôt\u00a0: Lyon"}
    found = read(**names)
    assert (found.company, found.warehouse) == (names["company"], names["warehouse"])


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Misconfigured) as wrong:
        Settings.read(
            {"url": URL_OF_NOBODY, "reach": "shipped", "time_zone": "Mars/Base", "web_shp": "x"},
            {"pasword": "x"},
            Path(),
        )
    told = "\n".join(wrong.value.problems)
    for part in ("database", "user", "web_shop: missing", "reach", "time_zone", "password"):
        assert part in told, part
    assert "did you mean web_shop?" in told
    assert "did you mean password?" in told
    assert "Mars" not in told


URL_OF_NOBODY = "https://erp.example"


@pytest.mark.parametrize(
    "option, value",
    [
        ("price_decimals", 0),
        ("price_decimals", True),
        ("page_rows", 10_000),
        ("timeout_s", -1),
        ("allow_plain_http", "yes"),
        ("database", "../other"),
        ("user", 7),
        ("web_shop", " "),
    ],
)
def test_an_option_of_the_wrong_kind_is_named(option: str, value: object) -> None:
    with pytest.raises(Misconfigured, match=option):
        read(**{option: value})


@pytest.mark.rule("OP-7")
def test_plain_http_is_for_this_machine_unless_somebody_says_so() -> None:
    for url, more in (
        ("http://127.0.0.1:8000", {}),
        ("http://erp.internal:8000", {"allow_plain_http": True}),
    ):
        TrytonErpAdapter.from_settings({**OPTIONS, "url": url, **more}, SECRET, Path()).close()
    with pytest.raises(Misconfigured, match="plain http"):
        TrytonErpAdapter.from_settings(
            {**OPTIONS, "url": "http://erp.internal:8000"}, SECRET, Path()
        )


def test_the_readme_explains_every_option_and_no_other() -> None:
    text = (ROOT / "erp_adapters" / "tryton" / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Options")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `([a-z_]+)`", table, re.MULTILINE))
    assert explained == {each.name for each in fields(Settings)}
