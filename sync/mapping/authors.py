"""Who made a version of the mapping files, where their folder is a checkout of git.

A version is found by its contents: the files of each commit are hashed as the
service hashes them. So a commit is named only for exactly what it holds, whenever
it was made; an edit that nobody committed, or a folder without git, names nobody.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line that a commit put in, or took out; ``line`` is its number then, from 1."""

    commit: Commit
    file: str
    line: int
    added: bool
    text: str


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


def lines_between(folder: Path, old: Commit, new: Commit) -> list[ChangedLine]:
    """Every line that changed on the way from one commit to the other, the last change first.

    Of a commit that is no descendant of ``old`` what it has and that one has not. Never
    raises for what git is or does.
    """
    shape = ("--format=%x00%h%x00%an%x00%cI", "-p", "--unified=0", "--no-color", "--relative")
    plainly = ("--no-ext-diff", "--no-textconv", "--no-renames", "--src-prefix=a/")
    words = ("log", *shape, *plainly, "--dst-prefix=b/", f"{old.name}..{new.name}", "--", ".")
    try:
        told = _git(folder, *words).decode("utf-8", "replace")
    except _NotTold:
        return []
    return list(_changed(told.split("\n")))


_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def _changed(told: Sequence[str]) -> Iterator[ChangedLine]:
    """The lines of git's patches. A hunk says how many of its own follow: they may look
    like anything."""
    commit: Commit | None = None
    file, at = "", 0
    while at < len(told):
        line = told[at]
        at += 1
        if line.startswith("\0"):
            name, author, made = line[1:].split("\0")
            commit = Commit(name, author, datetime.fromisoformat(made).astimezone(UTC))
        elif line.startswith(("--- a/", "+++ b/")):
            file = line[6:].rstrip("\t")
        elif commit is not None and (hunk := _HUNK.match(line)):
            before, gone, after, come = (1 if each is None else int(each) for each in hunk.groups())
            for first, many, added in ((before, gone, False), (after, come, True)):
                own = told[at : at + many]
                for number, text in enumerate(own, first):
                    yield ChangedLine(commit, file, number, added, text[1:].rstrip("\r"))
                at += many
                if at < len(told) and told[at].startswith("\\"):
                    at += 1  # no end of line at the end of the file


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
