"""Who made a version of the mapping files, where their folder is a checkout of git.

A version is found by its contents: the files of each commit are hashed as the
service hashes them. So a commit is named only for exactly what it holds, whenever
it was made; an edit that nobody committed, or a folder without git, names nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from sync.mapping.reading import version_of
from sync.mapping.source import SUFFIXES

COMMITS = 200
"""So many commits are looked at, the newest first."""
TIMEOUT_S = 20.0
# Nothing that a checkout's own settings name is run.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false")


@dataclass(frozen=True, slots=True)
class Commit:
    """The last change of a version: the commit's short name, its author, when it was made."""

    name: str
    author: str
    at: datetime


class _NotTold(Exception):
    """Git is not there, has no checkout here, or does not answer."""


def commits_of(folder: Path, versions: Collection[str]) -> dict[str, list[Commit]]:
    """For each of these versions the commits that hold exactly it, the newest first.

    A version that no commit holds is absent. Never raises for what git is or does.
    """
    found: dict[str, list[Commit]] = {}
    try:
        blobs: dict[str, bytes] = {}
        for commit, revision in _log(folder):
            listed = _listed(folder, revision)
            if listed is None:
                continue
            blobs = {
                blob: blobs[blob] if blob in blobs else _git(folder, "cat-file", "blob", blob)
                for blob in listed.values()
            }
            version = _version({name: blobs[blob] for name, blob in listed.items()})
            if version is not None and version in versions:
                found.setdefault(version, []).append(commit)
    except _NotTold:
        pass
    return found


def commit_at(commits: Collection[Commit], taken_up: datetime) -> Commit | None:
    """Of several commits that hold a version the one that was meant at that moment.

    The last before it; where all came later, the first.
    """
    by_time = sorted(commits, key=lambda each: each.at)
    before = [each for each in by_time if each.at <= taken_up]
    return before[-1] if before else next(iter(by_time), None)


def _log(folder: Path) -> Iterator[tuple[Commit, str]]:
    shape = "--format=%H%x00%h%x00%an%x00%cI"
    told = _git(folder, "log", f"--max-count={COMMITS}", shape, "--", ".")
    for line in told.decode("utf-8", "replace").splitlines():
        revision, name, author, at = line.split("\0")
        yield Commit(name, author, datetime.fromisoformat(at).astimezone(UTC)), revision


def _listed(folder: Path, revision: str) -> dict[str, str] | None:
    """The mapping files of a commit, name to blob; None where it cannot be told."""
    listed = {}
    told = _git(folder, "ls-tree", "-z", revision, "--", "./")
    for line in told.decode("utf-8", "replace").split("\0"):
        about, _, name = line.partition("\t")
        if name.startswith(".") or PurePosixPath(name).suffix not in SUFFIXES:
            continue
        mode, _, rest = about.partition(" ")
        if not mode.startswith("100"):
            return None  # a link: what it pointed to then is not to be known
        listed[name] = rest.split(" ")[1]
    return listed


def _version(contents: dict[str, bytes]) -> str | None:
    try:
        return version_of({name: each.decode("utf-8-sig") for name, each in contents.items()})
    except UnicodeDecodeError:
        return None


def _git(folder: Path, *words: str) -> bytes:
    program = shutil.which("git")
    if program is None:
        raise _NotTold
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ = {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - our own words; the folder is the site's
            [program, *_QUIET, "--no-pager", "-C", str(folder), *words],
            capture_output=True,
            check=False,
            env=environ,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _NotTold from error
    if done.returncode:
        raise _NotTold
    return done.stdout
