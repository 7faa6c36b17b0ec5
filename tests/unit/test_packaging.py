"""What we ship: locks that anybody can install from, and a package with nothing else in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import sync

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "tests/requirements.lock")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")

# Put together here, so that this file may itself be searched.
REGISTRIES = [
    ".".join(words)
    for words in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
]
MACHINE_PATHS = ["/" + folder + "/" for folder in ("work", "root")]
FOREIGN = re.compile(
    "|".join(map(re.escape, REGISTRIES)) + r"|(?<![\w.)}-])(?:" + "|".join(MACHINE_PATHS) + ")",
    re.IGNORECASE,
)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def entries(lock: str) -> list[str]:
    """Each requirement of a lock with all its continuation lines, comments dropped."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in re.split(r"\n(?=\S)", "\n".join(lines)) if entry.strip()]


def pins(lock: str) -> dict[str, str]:
    found = (PIN.match(entry) for entry in entries(lock))
    return {canonicalize_name(pin[1]): pin[2] for pin in found if pin}


def tracked_files() -> Iterator[Path]:
    """What git tracks, or in a plain copy of the tree everything that was not built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and (ROOT / ".git").exists():
        names = listed.stdout.split("\0")
        yield from (ROOT / name for name in names if name and (ROOT / name).is_file())
        return
    built = {".venv", "build", "dist", "var", ".git", ".hypothesis", "__pycache__", "node_modules"}
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not built.intersection(parts) and ".egg-info" not in str(path):
            yield path


def foreign_lines(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if FOREIGN.search(line)]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_place_to_fetch_from(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    for trace in ("://", "--find-links", "--index-url", "--extra-index-url", "file:"):
        assert trace not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert PIN.match(entry), f"not a pin: {entry}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"no hash: {entry}"


def test_no_tracked_file_knows_a_registry_or_a_developers_machine() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{number}" for number in foreign_lines(text)]
    assert not found, "\n".join(found)


def test_a_planted_registry_or_machine_path_is_caught() -> None:
    assert foreign_lines(f"see https://{REGISTRIES[0]}/simple") == [1]
    assert foreign_lines(f'open("{MACHINE_PATHS[1]}.profile")') == [1]
    assert not foreign_lines("a frame" + MACHINE_PATHS[0] + "bench")


def test_runtime_lock_covers_the_service_and_its_build_and_nothing_else() -> None:
    settings = project()
    runtime = pins("requirements.lock")
    wanted = [*settings["project"]["dependencies"], *settings["dependency-groups"]["build"]]
    assert_pinned(wanted, runtime)
    extras = settings["project"]["optional-dependencies"].values()
    for text in [
        *settings["dependency-groups"]["dev"],
        *(one for extra in extras for one in extra),
    ]:
        assert canonicalize_name(Requirement(text).name) not in runtime


def test_test_lock_covers_everything_at_the_same_versions() -> None:
    settings = project()
    everything = pins("tests/requirements.lock")
    extras = settings["project"]["optional-dependencies"].values()
    assert_pinned([*settings["project"]["dependencies"]], everything)
    assert_pinned([one for extra in extras for one in extra], everything)
    assert_pinned(settings["dependency-groups"]["dev"], everything)
    assert pins("requirements.lock").items() <= everything.items()


def assert_pinned(requirements: list[str], locked: dict[str, str]) -> None:
    for text in requirements:
        wanted = Requirement(text)
        pin = locked.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted} is in no lock; run make lock"
        assert Version(pin) in wanted.specifier, f"{wanted} is locked at {pin}; run make lock"


def test_build_backend_is_the_locked_one() -> None:
    settings = project()
    assert set(settings["build-system"]["requires"]) <= set(settings["dependency-groups"]["build"])


def test_version_is_the_same_everywhere() -> None:
    version = project()["project"]["version"]
    assert sync.__version__ == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_wheel_holds_two_packages_and_the_templates_as_shared_data(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("sync", "erp_adapters", "config", "mappings"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    (tree / "config" / "planted.yaml").write_text("# a template\n")
    (tree / "config" / "planted.py").write_text("raise RuntimeError\n")
    (tree / "mappings" / "planted.csv").write_text("# a template\n")
    (tree / "erp_adapters" / "planted").mkdir()
    (tree / "erp_adapters" / "planted" / "__init__.py").touch()
    (tree / "erp_adapters" / "planted" / "profile.yaml").write_text("# a profile\n")

    build = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    stem = f"tradesync-{sync.__version__}"
    assert {name.partition("/")[0] for name in names} == {
        "sync",
        "erp_adapters",
        f"{stem}.dist-info",
        f"{stem}.data",
    }
    assert f"{stem}.data/data/share/tradesync/config/planted.yaml" in names
    assert f"{stem}.data/data/share/tradesync/mappings/planted.csv" in names
    assert "erp_adapters/planted/profile.yaml" in names
    assert "sync/py.typed" in names
    assert not [name for name in names if name.endswith("planted.py")]
