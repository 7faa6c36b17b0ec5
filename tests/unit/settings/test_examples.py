"""config/examples: each is a site that starts, with what its adapters know and nothing else."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import erp_adapters
import sync.stores
from sync.errors import Misconfigured
from sync.settings.loading import load_settings

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "config" / "examples").glob("*.toml"))
LONG_ENOUGH = "a-secret-of-nobody"


def site_of(example: Path, root: Path) -> Path:
    """The example as the settings of a site, each credential that it names in its place."""
    text = example.read_text(encoding="utf-8")
    for folder in ("config", "mappings", "credentials"):
        (root / folder).mkdir(mode=0o700)
    (root / "config" / "tradesync.toml").write_text(text, encoding="utf-8")
    for table in re.findall(r"^\[systems\.\w+\.secrets\]\n((?:\w+ = .*\n?)+)", text, re.MULTILINE):
        for name in re.findall(r'= "([\w-]+)"', table):
            file = root / "credentials" / name
            file.touch(mode=0o600)
            file.write_text(LONG_ENOUGH)
    profile = (ROOT / "erp_adapters/sql/profiles/northwind.yaml").read_text(encoding="utf-8")
    own = profile.replace("dialects: [", "dialects: [mssql, ")
    (root / "config" / "acme.yaml").write_text(own, encoding="utf-8")
    return root


@contextmanager
def _as_far_as_odbc_is_there(options: Mapping[str, object]) -> Iterator[None]:
    """Where the system has no driver manager, which no package of Python brings, that is said."""
    if "pyodbc" not in str(options.get("url")) or _has_odbc():
        yield
        return
    with pytest.raises(Misconfigured, match="install the package unixodbc"):
        yield


def _has_odbc() -> bool:
    try:
        importlib.import_module("pyodbc")
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_makes_its_systems(example: Path, tmp_path: Path) -> None:
    site = site_of(example, tmp_path)
    loaded = load_settings(site, {})
    [line] = loaded.pipelines.values()
    for system, registry in ((line.erp, erp_adapters), (line.store, sync.stores)):
        module, _, kind = registry.REGISTRY[system.adapter].partition(":")
        secrets = {name: secret.get_secret_value() for name, secret in system.secrets.items()}
        adapter = getattr(importlib.import_module(module), kind)
        with _as_far_as_odbc_is_there(system.options):
            adapter.from_settings(system.options, secrets, site).close()


def test_every_adapter_that_comes_along_has_an_example() -> None:
    text = "\n".join(example.read_text(encoding="utf-8") for example in EXAMPLES)
    used = set(re.findall(r'^adapter = "(\w+)"', text, re.MULTILINE))
    assert used >= {*erp_adapters.REGISTRY, *sync.stores.REGISTRY}


def test_the_pages_that_an_example_names_are_there() -> None:
    for example in EXAMPLES:
        for name in re.findall(r"[\w/]+\.(?:md|yaml)\b", example.read_text(encoding="utf-8")):
            assert name.startswith("config/") or (ROOT / name).is_file(), f"{example}: {name}"
