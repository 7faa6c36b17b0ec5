"""Who changed the mapping files is told from git, for exactly what a commit holds, or nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.mapping import read_texts, version_of
from sync.mapping.authors import Commit, commit_at, commits_of

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
