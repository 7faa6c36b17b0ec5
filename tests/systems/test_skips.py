"""A skipped test of this folder is loud, and a failure where everything should be there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SKIPS = {
    "test": "import pytest\ndef test_it():\n    pytest.skip('no moon here')\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no moon here')\ndef test_it(): ...\n",
    "module": "import pytest\npytest.skip('no moon here', allow_module_level=True)\n",
    "fixture": (
        "import pytest\n@pytest.fixture\ndef moon():\n    pytest.skip('no moon here')\n"
        "def test_it(moon): ...\n"
    ),
}
FINE = {
    "passes": "def test_it(): ...\n",
    "fails as expected": (
        "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it():\n    assert False\n"
    ),
}


def run(folder: Path, text: str, ci: str | None) -> tuple[int, str]:
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "test_moon.py").write_text(text)
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "--rootdir", "."],
        cwd=folder,
        env=environ | ({} if ci is None else {"CI": ci}),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("kind", SKIPS)
def test_skip_is_a_failure_in_ci_and_says_what_is_missing(tmp_path: Path, kind: str) -> None:
    code, told = run(tmp_path, SKIPS[kind], "true")
    assert code != 0
    assert "no moon here" in told
    assert "is a failure" in told


@pytest.mark.parametrize("kind", SKIPS)
@pytest.mark.parametrize("ci", [None, "false"])
def test_skip_elsewhere_is_told_by_name(tmp_path: Path, kind: str, ci: str | None) -> None:
    code, told = run(tmp_path, SKIPS[kind], ci)
    assert code in (0, 5), told
    assert "no moon here" in told
    assert " failed" not in told


def test_what_an_adapter_does_not_claim_is_missing_on_no_machine(tmp_path: Path) -> None:
    listed = "import pytest\ndef test_it():\n    pytest.skip({!r})\n"
    code, told = run(tmp_path, listed.format("tryton does not claim CancelsOrders"), "true")
    assert code in (0, 5), told
    assert "does not claim CancelsOrders" in told
    code, told = run(tmp_path, listed.format("tryton does not claim SubmitsOrders"), "true")
    assert code == 1, "a capability that is lost is a failure"


@pytest.mark.parametrize("kind", FINE)
def test_what_is_no_skip_is_left_alone_in_ci(tmp_path: Path, kind: str) -> None:
    code, told = run(tmp_path, FINE[kind], "true")
    assert code == 0, told
