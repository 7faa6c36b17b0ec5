"""The layers stay apart, and the core knows no ERP and no store by name."""

from __future__ import annotations

import re

import pytest

from tests.architecture.imports import (
    ROOT,
    Source,
    odbc_violations,
    sources,
    violations,
)

# Whoever needs one of these words in the core wants a capability instead.
PRODUCTS = re.compile(
    r"tryton|medusa|vendure|prophet|\bp21\b|epicor|adventure_?works|northwind"
    r"|shopify|magento|woocommerce|bigcommerce",
    re.IGNORECASE,
)
NAMES_PRODUCTS = ("sync/stores/", "sync/sample/")
TEXT = {".py", ".yaml", ".yml", ".md", ".sql", ".html", ".css", ".js", ".ts", ".json", ".mako"}


def product_names(path: str, text: str) -> list[str]:
    """The lines of a file of the core that name a concrete ERP or store."""
    if path.startswith(NAMES_PRODUCTS):
        return []
    return [
        f"{path}:{number} {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if PRODUCTS.search(line)
    ]


def test_imports_point_inward() -> None:
    found = [complaint for source in sources() for complaint in violations(source)]
    assert not found, "\n".join(found)


def test_odbc_is_imported_only_where_a_connection_is_made() -> None:
    found = [complaint for source in sources() for complaint in odbc_violations(source)]
    assert not found, "\n".join(found)


def test_the_core_names_no_erp_and_no_store() -> None:
    found = []
    for path in sorted((ROOT / "sync").rglob("*")):
        if path.suffix in TEXT and "node_modules" not in path.parts:
            name = path.relative_to(ROOT).as_posix()
            found += product_names(name, path.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "module, text",
    [
        ("sync.domain.order", "from sync.errors import Rejected"),
        ("sync.domain.order", "import pydantic"),
        ("sync.domain.order", "from ..errors import Rejected"),
        ("sync.errors", "from sync.ports.erp import ReadsAccounts"),
        ("sync.ports.erp", "from sync.kit import http"),
        ("sync.ports.erp", "import requests"),
        ("sync.kit.http", "import sync.ports.erp"),
        ("sync.routing", "import structlog"),
        ("sync.admission", "from sync import state"),
        ("sync.planning.prices", "from sync.flows.prices import run"),
        ("sync.flows.orders", "from sync.state.ledger import Ledger"),
        ("sync.flows.orders", "import sqlalchemy"),
        ("sync.flows.orders", "def run():\n    from sync.stores.embedded import adapter"),
        ("sync.applying", "from erp_adapters.sql.adapter import SqlErpAdapter"),
        ("sync.applying", "from sync.flows import orders"),
        ("sync.state.ledger", "from sync.flows import orders"),
        ("sync.mapping", "from sync.state import ledger"),
        ("sync.stores", "from sync.stores.embedded.adapter import EmbeddedStore"),
        ("sync.stores.embedded.adapter", "from sync.stores.other.adapter import rows"),
        ("sync.stores.embedded.adapter", "from sync.settings import Settings"),
        ("erp_adapters.sql.adapter", "from erp_adapters.files import adapter"),
        ("erp_adapters.sql.adapter", "from sync.mapping import load"),
        ("sync.testing.erp", "from sync.state import ledger"),
        ("sync.testing.erp", "import responses"),
        ("sync.cli.run", "from sync.stores.embedded.adapter import EmbeddedStore"),
        ("sync.cli.run", "import erp_adapters"),
        ("sync.bootstrap", "from erp_adapters.sql.adapter import SqlErpAdapter"),
        ("sync.settings", "from sync.cli.output import emit"),
        ("sync.scheduling", "from importlib import import_module"),
        ("sync.scheduling", "import importlib.util\nimportlib.import_module('sync.kit')"),
        ("sync.scheduling", "from importlib import metadata\nmetadata.entry_points()"),
        ("sync.kit.odbc", "__import__('pyodbc')"),
        (
            "sync.domain.order",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sync.ports import erp",
        ),
    ],
)
def test_a_planted_import_is_caught(module: str, text: str) -> None:
    assert len(violations(Source(module, text))) == 1


@pytest.mark.parametrize(
    "module, text",
    [
        ("sync.domain.order", "from sync.domain.ids import Sku\nimport decimal"),
        ("sync.domain.order", "from . import ids"),
        ("sync.flows.orders", "import structlog\nfrom sync.planning import prices"),
        ("sync.stores.embedded.adapter", "from sync.stores.embedded.pages import page"),
        ("sync.stores.embedded.adapter", "import requests\nfrom sync import __version__"),
        ("erp_adapters.sql.adapter", "from .queries import ACCOUNTS\nfrom sync.kit import odbc"),
        (
            "sync.bootstrap",
            "from erp_adapters import REGISTRY\nfrom importlib import import_module",
        ),
        ("sync.sample.shop", "from sync.stores.embedded.adapter import EmbeddedStore"),
        ("sync.settings", "import importlib.resources"),
        ("sync.__main__", "from sync.cli.main import main"),
    ],
)
def test_a_permitted_import_passes(module: str, text: str) -> None:
    assert violations(Source(module, text)) == []


@pytest.mark.parametrize(
    "module, text",
    [
        ("sync.kit.odbc", "import pyodbc"),
        ("sync.kit.odbc", "try:\n    import arrow_odbc\nexcept ImportError:\n    pass"),
        ("sync.kit.http", "def get():\n    import pyodbc"),
        ("erp_adapters.files.adapter", "def get():\n    from pyodbc import connect"),
    ],
)
def test_a_planted_odbc_import_is_caught(module: str, text: str) -> None:
    assert len(odbc_violations(Source(module, text))) == 1


@pytest.mark.parametrize("module", ["sync.kit.odbc", "erp_adapters.sql.connection"])
def test_odbc_may_be_imported_by_the_function_that_connects(module: str) -> None:
    assert odbc_violations(Source(module, "def connect():\n    import pyodbc")) == []


def test_a_planted_product_name_is_caught() -> None:
    line = "class TrytonQuirk:  # as in Adventure_Works"
    assert product_names("sync/planning/prices.py", line)
    assert not product_names("sync/stores/medusa/adapter.py", line)
