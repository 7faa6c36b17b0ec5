"""Every option of every adapter, wrong in several ways: told by name, and never with its value.

Options are a part of the settings file of which only the adapter knows what they mean.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import erp_adapters
import sync.files
import sync.stores
from erp_adapters.csv_folder import settings as csv_folder
from erp_adapters.sql import database as sql
from erp_adapters.tryton import settings as tryton
from sync.errors import Misconfigured
from sync.files.folder import adapter as folder
from sync.files.s3 import settings as s3
from sync.kit.signatures import SHORTEST_SECRET
from sync.secrecy import MASK
from sync.settings import load_settings
from sync.settings.models import SystemSettings
from sync.stores.embedded import checking as embedded
from sync.stores.medusa import settings as medusa
from tests.unit.mapping.samples import without
from tests.unit.settings.samples import Raw, site_with, written

pytestmark = pytest.mark.rule("OP-7")

CANARY = "hunter2canary"

_NO_TEXT = ("7", "true", '["a"]', "{a = 1}", "1979-05-27", '" x"', '" "', '"a\\nb"', '"\\u0000"')
_TEXT = (*_NO_TEXT, '""', f'"{"x" * 2001}"')
_WHOLE = ('"4"', "4.5", "true", "-1", "[4]", "99999999999", f"1{'0' * 400}")
_NUMBER = ('"60"', "-1", "true", "nan", "inf", "[1]", "1e30", f"1{'0' * 400}", "1979-05-27")
_ADDRESS = (
    *_TEXT,
    '"erp.example"',
    '"ftp://erp.example"',
    '"https://"',
    '"https://[::1"',
    '"https://erp.example:port"',
    '"https://user@erp.example"',
    '"https://erp.example?x=1"',
    '"https://169.254.169.254"',
    '"http://erp.example"',
)
_DATABASE = (
    *_TEXT,
    '"nonsense"',
    '"sqlite://"',
    '"sqlite:///:memory:"',
    '"oracle-thing:x"',
    '"postgresql://db.example:port/erp"',
    '"postgresql://db.example:0/erp"',
    '"postgresql://db.example:65536/erp"',
)

WRONG: dict[str, tuple[str, ...]] = {
    "text": _TEXT,
    "text or nothing": _NO_TEXT,
    "key": (*_TEXT, f'"{"x" * 256}"'),
    "plain name": (*_TEXT, '"../other"', '"a/b"', '"a b"'),
    "profile": (
        *_TEXT,
        '"nonsense"',
        '"config/nowhere.yaml"',
        f'"{"x" * 300}"',
        f'"config/{"x" * 300}.yaml"',
    ),
    "database": _DATABASE,
    "another database": (*_DATABASE, '"mysql+pymysql://db.example/erp"'),
    "address": _ADDRESS,
    "endpoint": (
        *_NO_TEXT,
        '"storage"',
        '"ftp://a"',
        '"https://[::1"',
        '"https://k@a"',
        '"http://my_storage:9000"',
    ),
    "bucket": (*_TEXT, '"no bucket"', '"a"', '"../a"'),
    "prefix": (*_NO_TEXT, '"papers"'),
    "region": (*_NO_TEXT, '"eu central"', '"../x"', '"eu.central"', '"12345"'),
    "file": (*_TEXT, '"nowhere.pem"', '"config"', f'"{"x" * 300}.pem"'),
    "flag": ('"true"', "1", "0", "[true]", "{a = 1}"),
    "for SQL Server": ('"true"', "1", "true"),
    "whole": (*_WHOLE, "0"),
    "places": _WHOLE,
    "seconds": (*_NUMBER, "0"),
    "seconds or none": _NUMBER,
    "chosen": ("7", "true", '"nonsense"', '""', '["a"]', "{a = 1}"),
    "time zone": (*_TEXT, '"Mars/Olympus"', '"../UTC"', '"/etc/localtime"', '"Europe"'),
    "encoding": (*_TEXT, '"klingon"', '"hex"', '"undefined"'),
    "separator": ("7", '""', '";;"', '"\\""', '"\\n"', '"\\u0000"', '"a"', '" "', "[1]"),
    "words": ('"prices"', "7", "[7]", '["price"]', "{a = 1}", '[["prices"]]'),
    "channels": (
        '"web"',
        "7",
        "[1]",
        '{web = "sc_1"}',
        "{web = {}}",
        "{web = {sales_channel = 7}}",
        '{web = {sales_channel = ""}}',
        '{web = {sales_channel = "sc_1", region = 7}}',
        '{web = {sales_channel = "sc_1", colour = "red"}}',
        '{" " = {sales_channel = "sc_1"}}',
        '{a = {sales_channel = "sc_1"}, b = {sales_channel = "sc_1"}}',
    ),
    "one of the channels": (*_TEXT, '"nonsense"'),
}
"""Wrong values by kind, as TOML."""

SQLITE = {
    "url": "sqlite:///erp.sqlite",
    "write_url": "sqlite:///erp.sqlite",
    "profile": "sample",
    "pool_size": Raw("3"),
    "login_timeout_s": Raw("5"),
    "statement_timeout_s": Raw("2.5"),
    "order_folder": "drop",
}
POSTGRESQL = {"url": "postgresql://erp@db.example/erp", "profile": "sample", "schema": "erp"}
CSV = {
    "folder": "share",
    "without": ["prices"],
    "time_zone": "Europe/Amsterdam",
    "separator": ";",
    "encoding": "cp1252",
    "unit_price_places": Raw("4"),
    "amount_places": Raw("0"),
    "rounding": "half_even",
}
TRYTON = {
    "url": "https://erp.example",
    "database": "erp",
    "user": "sync",
    "web_shop": "webstore",
    "company": "Acme",
    "reach": "confirmed",
    "customer_category": "Customers",
    "warehouse": "Main",
    "time_zone": "Europe/Amsterdam",
    "price_decimals": Raw("4"),
    "line_discount_product": "DISCOUNT",
    "adjustment_product": "ROUNDING",
    "allow_plain_http": Raw("false"),
    "ca_bundle": "config/ca.pem",
    "timeout_s": Raw("30.5"),
    "page_rows": Raw("100"),
}
EMBEDDED = {
    "url": "sqlite:///shop.sqlite",
    "store_id": "tried",
    "overlap_s": Raw("0"),
    "page_size": Raw("50"),
    "price_lists": Raw("true"),
}
MEDUSA = {
    "url": "https://shop.example",
    "store_id": "tried",
    "channels": {"web": {"sales_channel": "sc_1", "region": "reg_1"}},
    "public_channel": "web",
    "account_key": "erp_customer_id",
    "unit": "EA",
    "rounding": "half_even",
    "time_zone": "Europe/Berlin",
    "page_size": Raw("50"),
    "overlap_s": Raw("30"),
    "allow_plain_http": Raw("false"),
    "ca_bundle": "config/ca.pem",
    "threads": Raw("2"),
    "requests_per_s": Raw("7.5"),
    "price_lists": Raw("true"),
}
S3 = {
    "bucket": "papers",
    "prefix": "out/",
    "endpoint_url": "https://storage.example",
    "region": "eu-central-1",
    "timeout_s": Raw("5"),
    "max_file_mb": Raw("5"),
}
FOLDER = {"folder": "papers", "max_file_mb": Raw("5")}

SAMPLES: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("erp", "sql"): (SQLITE, POSTGRESQL),
    ("erp", "csv_folder"): (CSV,),
    ("erp", "tryton"): (TRYTON,),
    ("store", "embedded"): (EMBEDDED,),
    ("store", "medusa"): (MEDUSA,),
    ("files", "folder"): (FOLDER,),
    ("files", "s3"): (S3,),
}
"""Options that are accepted; in the first of them a wrong one is tried that stands in none."""

KINDS: dict[tuple[str, str], dict[str, str]] = {
    ("erp", "sql"): {
        "url": "database",
        "write_url": "another database",
        "profile": "profile",
        "schema": "text",
        "pool_size": "whole",
        "login_timeout_s": "seconds",
        "statement_timeout_s": "seconds",
        "order_folder": "text or nothing",
        "insecure_trust_any_certificate": "for SQL Server",
        "insecure_no_encryption": "for SQL Server",
    },
    ("erp", "csv_folder"): {
        "folder": "text",
        "without": "words",
        "time_zone": "time zone",
        "separator": "separator",
        "encoding": "encoding",
        "unit_price_places": "places",
        "amount_places": "places",
        "rounding": "chosen",
    },
    ("erp", "tryton"): {
        "url": "address",
        "database": "plain name",
        "user": "text",
        "web_shop": "text",
        "company": "text",
        "reach": "chosen",
        "customer_category": "text",
        "warehouse": "text",
        "time_zone": "time zone",
        "price_decimals": "whole",
        "line_discount_product": "text",
        "adjustment_product": "text",
        "allow_plain_http": "flag",
        "ca_bundle": "file",
        "timeout_s": "seconds",
        "page_rows": "whole",
    },
    ("store", "embedded"): {
        "url": "database",
        "store_id": "key",
        "overlap_s": "seconds or none",
        "page_size": "whole",
        "price_lists": "flag",
    },
    ("store", "medusa"): {
        "url": "address",
        "store_id": "key",
        "channels": "channels",
        "public_channel": "one of the channels",
        "account_key": "text",
        "unit": "text",
        "rounding": "chosen",
        "time_zone": "time zone",
        "page_size": "whole",
        "overlap_s": "seconds or none",
        "allow_plain_http": "flag",
        "ca_bundle": "file",
        "threads": "whole",
        "requests_per_s": "seconds",
        "price_lists": "flag",
    },
    ("files", "folder"): {"folder": "text", "max_file_mb": "whole"},
    ("files", "s3"): {
        "bucket": "bucket",
        "prefix": "prefix",
        "endpoint_url": "endpoint",
        "region": "region",
        "timeout_s": "seconds",
        "max_file_mb": "whole",
    },
}
KNOWN: dict[tuple[str, str], Any] = {
    ("erp", "sql"): sql.OPTIONS,
    ("erp", "csv_folder"): csv_folder.OPTIONS,
    ("erp", "tryton"): tryton.OPTIONS,
    ("store", "embedded"): embedded.OPTIONS,
    ("store", "medusa"): medusa.OPTIONS,
    ("files", "folder"): folder.OPTIONS,
    ("files", "s3"): s3.OPTIONS,
}
NEEDED: dict[tuple[str, str], tuple[str, ...]] = {
    ("erp", "sql"): ("url", "profile"),
    ("erp", "csv_folder"): ("folder", "time_zone"),
    ("erp", "tryton"): ("url", "database", "user", "web_shop"),
    ("store", "embedded"): ("url", "store_id"),
    ("store", "medusa"): ("url", "store_id"),
    ("files", "folder"): ("folder",),
    ("files", "s3"): ("bucket",),
}
SECRETS: dict[tuple[str, str], dict[str, str]] = {
    ("erp", "tryton"): {"password": "a-password"},
    ("store", "medusa"): {"api_key": "sk_a-key", "hints": "h" * SHORTEST_SECRET},
}
# A file that somebody named and that is not there is told by its name.
NAMED = {("erp", "sql", "profile")}


def value_cases() -> list[tuple[tuple[str, str], str, str]]:
    return [
        (which, option, raw)
        for which, kinds in KINDS.items()
        for option, kind in kinds.items()
        for raw in WRONG[kind]
    ]


def sample_with(which: tuple[str, str], option: str) -> dict[str, Any]:
    found = (each for each in SAMPLES[which] if option in each)
    return next(found, SAMPLES[which][0])


def site_of(which: tuple[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """Settings in which one system has these options; the others are never opened."""
    kind, adapter = which
    return {
        "systems": {
            "tried": {"kind": kind, "adapter": adapter, "options": options},
            "erp": {"kind": "erp", "adapter": "sql"},
            "shop": {"kind": "store", "adapter": "embedded", "options": {"store_id": "shop"}},
        },
        "pipelines": {"main": {"erp": "erp", "store": "shop"}},
    }


def read(which: tuple[str, str], options: dict[str, Any], root: Path) -> SystemSettings:
    site_with(root, written(site_of(which, options)).text)
    (root / "config" / "ca.pem").touch()
    return load_settings(root, {}).systems["tried"]


def opened(
    which: tuple[str, str], system: SystemSettings, root: Path, secrets: dict[str, str] | None
) -> None:
    kind, adapter = which
    registry = {"erp": erp_adapters, "store": sync.stores, "files": sync.files}[kind].REGISTRY
    module, _, name = registry[adapter].partition(":")
    made = getattr(importlib.import_module(module), name)
    given = SECRETS.get(which, {}) if secrets is None else secrets
    made.from_settings(system.options, given, root).close()


def refusal(which: tuple[str, str], options: dict[str, Any], root: Path) -> str:
    with pytest.raises(Misconfigured) as refused:
        opened(which, read(which, options, root), root, None)
    return str(refused.value)


def test_every_adapter_and_each_of_its_options_is_tried_here() -> None:
    registries = {"erp": erp_adapters, "store": sync.stores, "files": sync.files}
    there = {(kind, name) for kind, each in registries.items() for name in each.REGISTRY}
    assert there == KINDS.keys() == SAMPLES.keys() == KNOWN.keys() == NEEDED.keys()
    assert {which: set(kinds) for which, kinds in KINDS.items()} == {
        which: set(known) for which, known in KNOWN.items()
    }
    assert all(len(set(raws)) >= 2 for raws in WRONG.values())


def test_the_samples_write_every_option_but_those_that_need_sql_server() -> None:
    for which, kinds in KINDS.items():
        there = {option for sample in SAMPLES[which] for option in sample}
        assert {option for option in kinds if option not in there} == {
            option for option, kind in kinds.items() if kind == "for SQL Server"
        }


@pytest.mark.parametrize(
    "which, number",
    [(which, number) for which, found in SAMPLES.items() for number in range(len(found))],
    ids=str,
)
def test_a_sample_is_accepted(which: tuple[str, str], number: int, tmp_path: Path) -> None:
    opened(which, read(which, SAMPLES[which][number], tmp_path), tmp_path, None)


@pytest.mark.parametrize("which, option, raw", value_cases(), ids=ascii)
def test_a_wrong_option_is_told_by_its_name_at_its_place(
    which: tuple[str, str], option: str, raw: str, tmp_path: Path
) -> None:
    options = {**sample_with(which, option), option: Raw(raw)}
    page = written(site_of(which, options))
    told = refusal(which, options, tmp_path)
    assert re.search(rf"\b{option}\b", told), told
    assert MASK not in told, "what is wrong with it is taken for a secret"
    line = page.line_of[("systems", "tried", "options", option)]
    if "tradesync.toml:" in told:  # the settings themselves saw it
        assert f"tradesync.toml:{line}:" in told
    else:
        place = read(which, options, tmp_path).places[option]
        assert place.startswith(f"config/tradesync.toml:{line}:")


@pytest.mark.parametrize(
    "which, option",
    [(which, option) for which, found in NEEDED.items() for option in found],
    ids=str,
)
def test_a_missing_option_is_named(which: tuple[str, str], option: str, tmp_path: Path) -> None:
    told = refusal(which, dict(without(SAMPLES[which][0], (option,))), tmp_path)
    assert f"{option}: missing" in told


@pytest.mark.parametrize("which", KINDS, ids=str)
def test_a_misspelt_option_or_secret_is_told_with_the_one_that_was_meant(
    which: tuple[str, str], tmp_path: Path
) -> None:
    for meant in KINDS[which]:
        misspelt = meant[:-1] + "x" + meant[-1]
        told = refusal(which, {**SAMPLES[which][0], misspelt: "a"}, tmp_path)
        assert f"{misspelt}: no such option; did you mean " in told
    system = read(which, SAMPLES[which][0], tmp_path)
    with pytest.raises(Misconfigured, match=r"secrets\.pasword is not known here"):
        opened(which, system, tmp_path, {**SECRETS.get(which, {}), "pasword": CANARY})


@pytest.mark.parametrize("which", SECRETS, ids=str)
def test_a_missing_secret_is_named(which: tuple[str, str], tmp_path: Path) -> None:
    system = read(which, SAMPLES[which][0], tmp_path)
    with pytest.raises(Misconfigured, match=f"secrets.{next(iter(SECRETS[which]))} is missing"):
        opened(which, system, tmp_path, {})


@pytest.mark.parametrize(
    "which, option",
    [(which, option) for which, kinds in KINDS.items() for option in kinds],
    ids=str,
)
def test_no_message_repeats_what_was_written(
    which: tuple[str, str], option: str, tmp_path: Path
) -> None:
    """A secret may have been pasted anywhere."""
    if (*which, option) in NAMED:
        pytest.skip("the name of a file is told")
    sample = sample_with(which, option)
    for value in (CANARY, [CANARY], {"a": CANARY}, f" {CANARY}", f"{CANARY}\n", f"x://{CANARY}"):
        said = ""
        try:
            opened(which, read(which, {**sample, option: value}, tmp_path), tmp_path, None)
        except Misconfigured as error:
            said = str(error)
        assert CANARY not in said
