"""The guides for adapter authors name what is there, and nothing that is not."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import erp_adapters
import sync.stores
from erp_adapters.csv_folder.layout import OPTIONAL, SHEETS
from erp_adapters.csv_folder.order_file import COLUMNS
from erp_adapters.csv_folder.settings import OPTIONS
from sync.domain.sales_order import ErpOrderState
from sync.ports import erp as erp_ports
from sync.ports import store as store_ports

ROOT = Path(__file__).resolve().parents[2]
ERP = ROOT / "erp_adapters/README.md"
STORE = ROOT / "sync/stores/README.md"
CSV = ROOT / "erp_adapters/csv_folder/README.md"
GUIDES = [ERP, STORE, CSV, *sorted((ROOT / "erp_adapters/sql").rglob("*.md"))]


def protocols(module: ModuleType) -> set[str]:
    return {
        name
        for name, each in inspect.getmembers(module, inspect.isclass)
        if getattr(each, "_is_protocol", False) and each.__module__ == module.__name__
    }


def test_every_protocol_is_in_its_guide() -> None:
    assert {name for name in protocols(erp_ports) if f"`{name}`" not in ERP.read_text()} == set()
    assert {
        name for name in protocols(store_ports) if f"`{name}`" not in STORE.read_text()
    } == set()


def test_every_adapter_that_comes_along_is_named() -> None:
    assert all(f"| `{name}` |" in ERP.read_text() for name in erp_adapters.REGISTRY)
    assert all(f"| `{name}` |" in STORE.read_text() for name in sync.stores.REGISTRY)


@pytest.mark.parametrize("guide", GUIDES, ids=[str(each.relative_to(ROOT)) for each in GUIDES])
def test_what_a_guide_links_to_is_there(guide: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", guide.read_text())

    assert [link for link in links if not (guide.parent / link).exists()] == []


@pytest.mark.parametrize("guide", [ERP, STORE])
def test_modules_and_names_of_the_examples_exist(guide: Path) -> None:
    text = guide.read_text()
    for module, names in re.findall(r"^from (sync[\w.]+) import (.+)$", text, re.MULTILINE):
        found = importlib.import_module(module)
        assert [name for name in names.split(", ") if not hasattr(found, name)] == []
    for module in re.findall(r"`(sync\.kit\.\w+)`", text):
        importlib.import_module(module)
    for path in re.findall(r"`((?:sync|tests|erp_adapters)/[\w/]+(?:\.py)?)`", text):
        assert (ROOT / path).exists(), path


def test_the_csv_layout_is_the_documented_one() -> None:
    text = CSV.read_text()
    for sheet in SHEETS.values():
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{sheet.file_name}` |")]
        bold = set(re.findall(r"\*\*(\w+)\*\*", row))
        if sheet.name == "bill_tos":
            assert bold == {"bill_to_id"}
            continue
        assert bold == set(sheet.must), sheet.name
        assert [name for name in sheet.columns if not re.search(rf"\b{name}\b", row)] == []


def test_every_option_state_and_column_of_the_csv_folder_is_documented() -> None:
    text = CSV.read_text()
    for word in (*OPTIONS, *OPTIONAL, *(state.value for state in ErpOrderState)):
        assert f"`{word}`" in text, word
    spelled = [name for name in COLUMNS if not name.startswith(("ship_", "bill_", "record"))]
    assert [name for name in spelled if not re.search(rf"\b{name}\b", text)] == []


def files_of(guide: Path) -> dict[str, str]:
    """The files that a guide gives whole: each names itself in its first line."""
    blocks = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", guide.read_text(), re.M | re.S)
    return dict(blocks)


def test_who_follows_the_guide_from_an_empty_folder_has_a_green_suite(tmp_path: Path) -> None:
    """Word for word, in a process and a folder of its own, and no warning is overlooked."""
    files = files_of(ERP)
    assert list(files) == ["acme_tradesync/adapter.py", "tests/acme_world.py", "tests/test_acme.py"]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    [settings] = re.findall(r"^```toml\n(\[tool\.pytest.*?)^```", ERP.read_text(), re.M | re.S)
    (tmp_path / "pyproject.toml").write_text(settings)

    command = [sys.executable, "-m", "pytest", "tests", "-q", "-rs", "-W", "error"]
    done = subprocess.run(
        [*command, "--strict-markers", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    [passed] = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) >= 15, "what is about customers alone must run"
    reasons = re.findall(r"^SKIPPED \[\d+\] [^:]+:\d+: (.+)$", done.stdout, re.M)
    assert reasons
    foreseen = ("acme does not claim ", "Acme has no ")
    assert [each for each in reasons if not each.startswith(foreseen)] == []
