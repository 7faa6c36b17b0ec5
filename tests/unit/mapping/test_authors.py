"""Who changed the mapping files is told from git, for exactly what a commit holds, or nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.mapping import read_texts, version_of
from sync.mapping.authors import Commit, commit_at, commits_of, lines_between

pytestmark = [
    pytest.mark.rule("OP-4"),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Checkout:
    """A site under git, with its mappings folder below the root."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "mappings"
        self.folder.mkdir()
        self.git("init", "-q")

    def git(self, *words: str, author: str = "Ada", at: datetime = NOON) -> None:
        who = {"NAME": author, "EMAIL": "a@example.org", "DATE": at.isoformat()}
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        for role in ("AUTHOR", "COMMITTER"):
            environ |= {f"GIT_{role}_{key}": value for key, value in who.items()}
        subprocess.run(["git", "-C", self.root, *words], check=True, env=environ)

    def save(self, text: str, name: str = "customers.csv") -> str:
        """The version that the folder has then."""
        (self.folder / name).write_text(text)
        return version_of(read_texts(self.folder))

    def commit(self, author: str, at: datetime = NOON) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x", author=author, at=at)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def authors(checkout: Checkout, *versions: str) -> dict[str, list[str]]:
    found = commits_of(checkout.folder, versions)
    return {version: [each.author for each in commits] for version, commits in found.items()}


def test_each_version_is_the_authors_whose_commit_holds_it(checkout: Checkout) -> None:
    one = checkout.save("\ufeffuser,customer_id\n")
    (checkout.folder / "README.md").write_text("not counted")
    (checkout.folder / ".hidden.csv").write_text("not counted")
    checkout.commit("Ada")
    two = checkout.save("{}", "accounts.yaml")
    checkout.commit("Grace Ö")
    (checkout.root / "other").write_text("elsewhere in the repository")
    checkout.commit("Somebody")

    assert authors(checkout, one, two) == {one: ["Ada"], two: ["Grace Ö"]}
    assert authors(checkout, two) == {two: ["Grace Ö"]}


def test_an_edit_that_nobody_committed_is_nobodys(checkout: Checkout) -> None:
    checkout.save("one")
    checkout.commit("Ada")
    assert authors(checkout, checkout.save("two")) == {}


def test_what_is_no_checkout_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commits_of(tmp_path, ["x"]) == {}
    assert commits_of(tmp_path / "none", ["x"]) == {}
    monkeypatch.setenv("PATH", "")
    assert commits_of(tmp_path, ["x"]) == {}


def test_a_version_that_came_back_is_whoevers_commit_it_was_at_that_time(
    checkout: Checkout,
) -> None:
    one = checkout.save("one")
    checkout.commit("Ada", NOON)
    checkout.save("two")
    checkout.commit("Grace", NOON + timedelta(hours=1))
    checkout.save("one")
    checkout.commit("Alan", NOON + timedelta(hours=2))
    commits = commits_of(checkout.folder, [one])[one]

    def author(hours: float) -> str:
        found = commit_at(commits, NOON + timedelta(hours=hours))
        assert isinstance(found, Commit)
        return found.author

    assert [author(hours) for hours in (-1, 0.1, 1.5, 2.1)] == ["Ada", "Ada", "Ada", "Alan"]
    assert commit_at([], NOON) is None


def test_a_link_in_a_commit_is_not_followed(checkout: Checkout) -> None:
    (checkout.root / "real.csv").write_text("one")
    (checkout.folder / "customers.csv").symlink_to("../real.csv")
    checkout.commit("Ada")
    assert authors(checkout, version_of(read_texts(checkout.folder))) == {}


def lines(checkout: Checkout, old: str, new: str) -> list[tuple[str, str, int, str]]:
    found = commits_of(checkout.folder, [old, new])
    changed = lines_between(checkout.folder, found[old][0], found[new][0])
    return [
        (each.commit.author, each.file, each.line, "+-"[not each.added] + each.text)
        for each in changed
    ]


def test_each_changed_line_is_told_with_who_changed_it_and_where_it_stood(
    checkout: Checkout,
) -> None:
    one = checkout.save("a\nb\nc\n")
    checkout.commit("Ada")
    checkout.save("a\nB\nc\n-- d\n")
    checkout.commit("Grace", NOON + timedelta(hours=1))
    (checkout.root / "README.md").write_text("elsewhere")
    checkout.save("a\r\nB\nc\n++ e", "customers.csv")
    two = checkout.save("x: y\n", "codes.yaml")
    checkout.commit("Alan", NOON + timedelta(hours=2))

    assert lines(checkout, one, two) == [
        ("Alan", "codes.yaml", 1, "+x: y"),
        ("Alan", "customers.csv", 1, "-a"),
        ("Alan", "customers.csv", 1, "+a"),
        ("Alan", "customers.csv", 4, "--- d"),
        ("Alan", "customers.csv", 4, "+++ e"),
        ("Grace", "customers.csv", 2, "-b"),
        ("Grace", "customers.csv", 2, "+B"),
        ("Grace", "customers.csv", 4, "+-- d"),
    ]
    assert lines(checkout, two, one) == [], "on the way back nobody changed anything"


def test_a_file_that_goes_is_told_line_by_line_too(checkout: Checkout) -> None:
    checkout.save("kept\n")
    one = checkout.save("gone\n", "codes.yaml")
    checkout.commit("Ada")
    (checkout.folder / "codes.yaml").unlink()
    checkout.commit("Grace")
    two = version_of(read_texts(checkout.folder))

    assert lines(checkout, one, two) == [("Grace", "codes.yaml", 1, "-gone")]


def test_where_git_is_gone_nobody_changed_any_line(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    nobody = Commit("0000000", "Ada", NOON)
    assert lines_between(checkout.folder, nobody, nobody) == []
