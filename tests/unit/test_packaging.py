"""What we ship: locks that anybody can install from, and a package with nothing else in it."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import sync
from sync.cli.output import Exit
from sync.templates import SUFFIXES

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "tests/requirements.lock")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([a-z0-9_,-]+)\])?==([^\s;\\]+)")

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
    return {canonicalize_name(pin[1]): pin[3] for pin in found if pin}


def locked_extras(lock: str) -> dict[str, set[str]]:
    found = (PIN.match(entry) for entry in entries(lock))
    return {canonicalize_name(pin[1]): set((pin[2] or "").split(",")) for pin in found if pin}


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


@pytest.mark.parametrize("lock", LOCKS)
def test_a_pin_names_the_extras_that_others_ask_of_it(lock: str) -> None:
    """Without them pip takes `package[extra]` for unpinned as soon as a newer release is out."""
    held = locked_extras(lock)
    lost = []
    for name in held:
        try:
            asked = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system or another Python
        for each in map(Requirement, asked):
            if each.marker is not None and not each.marker.evaluate({"extra": ""}):
                continue
            missing = each.extras - held.get(canonicalize_name(each.name), each.extras)
            lost += [f"{name} asks for {each.name}[{extra}]" for extra in missing]
    assert not lost, "; ".join(lost)


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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, with a few files planted in it."""
    scratch = tmp_path_factory.mktemp("wheel")
    tree = scratch / "tree"
    for name in ("sync", "erp_adapters", "config", "mappings"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    (tree / "config" / "planted.py").write_text("raise RuntimeError\n")
    (tree / "erp_adapters" / "planted").mkdir()
    (tree / "erp_adapters" / "planted" / "__init__.py").touch()
    (tree / "erp_adapters" / "planted" / "profile.yaml").write_text("# a profile\n")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(scratch), str(tree))
    (built,) = scratch.glob("*.whl")
    return built


def pip(*arguments: str, python: Path | None = None) -> None:
    """Run the environment's own pip, for itself or for another one; nothing is fetched."""
    always = ["--disable-pip-version-check", "--no-cache-dir"]
    if arguments[0] == "install":
        arguments = (*arguments, "--no-compile")
    for_whom = ["--python", str(python)] if python else []
    offline = ["--no-deps", "--no-index"]
    run([sys.executable, "-m", "pip", *always, *for_whom, *arguments, *offline], ROOT)


def run(command: list[str], folder: Path) -> str:
    done = start(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # What is compiled of a folder that goes again would stay in the folder for what is compiled.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_wheel_holds_two_packages_and_the_templates_as_shared_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    stem = f"tradesync-{sync.__version__}"
    assert {name.partition("/")[0] for name in names} == {
        "sync",
        "erp_adapters",
        f"{stem}.dist-info",
        f"{stem}.data",
    }
    share = f"{stem}.data/data/share/tradesync/"
    templates = {name.removeprefix(share) for name in names if name.startswith(share)}
    assert templates == {
        f"{folder}/{file.name}"
        for folder in ("config", "config/examples", "mappings", "mappings/new-site")
        for file in (wheel.parent / "tree" / folder).iterdir()
        if file.suffix in SUFFIXES
    }
    assert {"config/tradesync.toml", "config/README.md", "mappings/customers.csv"} < templates
    assert "config/examples/tryton-medusa.toml" in templates
    assert not [name for name in names if name.endswith("planted.py")]


def test_wheel_holds_what_the_code_reads_beside_itself(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tree = wheel.parent / "tree"
    assert "sync/py.typed" in names
    assert "erp_adapters/planted/profile.yaml" in names
    beside = [
        path.relative_to(tree).as_posix()
        for package in ("sync", "erp_adapters")
        for path in (tree / package).rglob("*")
        if path.is_file()
    ]
    assert set(beside) <= names, sorted(set(beside) - names)
    for kind in (
        "erp_adapters/sql/profiles/README.md",
        "sync/stores/medusa/module/package.json",
        "sync/stores/medusa/module/src/api/middlewares.js",
        "erp_adapters/sql/profiles/*.yaml",
        "sync/state/migrations/script.py.mako",
        "sync/state/migrations/versions/*.py",
    ):
        assert fnmatch.filter(beside, kind), f"nothing is {kind}: this test looks in vain"


def test_make_clean_takes_away_what_tools_left_and_no_data() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nclean:")[2].splitlines()[1].split()
    assert {".pytest_cache", ".ruff_cache", ".hypothesis"} <= set(recipe)
    assert not [word for word in recipe if word.startswith("var")]
    text = " ".join((ROOT / "README.md").read_text().split())
    assert "are in `var/`: remove that folder to start over" in text


@pytest.mark.system
def test_an_installed_service_makes_a_site_that_is_accepted(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment of its own, which has the other packages but not this tree."""
    kept = tmp_path / "compiled"
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(kept))
    home, site = tmp_path / "home", tmp_path / "site"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    pip("install", str(wheel), python=python)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    told = run([str(home / "bin" / "tradesync"), "init", str(site)], tmp_path)
    assert f"tradesync check --site {site}" in told
    assert {file.name for file in site.iterdir()} == {"config", "mappings", "credentials", "var"}
    assert (site / "credentials").stat().st_mode & 0o777 == 0o700
    shown = run([str(python), "-c", ACCEPT, str(site)], tmp_path)
    module, systems, assignments = shown.splitlines()[-1].split()
    assert Path(module).is_relative_to(home)
    assert (systems, assignments) == ("erp,store,papers", "0")

    again = start([str(home / "bin" / "tradesync"), "init", str(site)], tmp_path)
    assert again.returncode == Exit.FAILED
    assert "is there already; nothing was changed" in again.stderr
    assert not list(kept.rglob("*.pyc")), "each run of the tests would leave more of them"


ACCEPT = """
import sys
from sync.mapping import read_mapping
from sync.settings import load_settings
settings = load_settings(sys.argv[1], {})
mapping = read_mapping(settings.pipelines["main"].mappings)
print(sys.modules["sync"].__file__, ",".join(settings.systems), len(mapping.assignments))
"""
