"""What may be written over where a restore stopped half-way: its own files, nobody's edit."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sync.errors import Conflict
from sync.mapping import version_of
from sync.mapping.restoring import restored
from sync.mapping.saving import Found

OLD = {"channels.yaml": "channels: {}\n", "customers.csv": "user,customer_id\nu-1,000101\n"}
NEW = {
    "channels.yaml": "channels: {}\n# new\n",
    "customers.csv": "user,customer_id\nu-1,000102\n",
    "codes.yaml": "units: {}\n",
}
KEPT = {version_of(each): each for each in (OLD, NEW)}


def back(texts: Mapping[str, str] | None, *, half: bool = True) -> dict[str, str | None]:
    """The old version over a folder that holds these files."""
    return restored(
        Found(texts, half=half), OLD, known=KEPT, texts_of=KEPT.get, in_force=NEW, force=False
    )


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "there",
    [NEW, NEW | {"customers.csv": OLD["customers.csv"]}, NEW | OLD, OLD | {"codes.yaml": "{}\n"}],
    ids=["none_yet", "one", "all_but_the_emptied", "all"],
)
def test_files_of_the_restore_itself_are_written_over(there: Mapping[str, str]) -> None:
    assert back(there) == {**OLD, "codes.yaml": "{}\n"}


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("name", sorted(NEW))
def test_text_that_no_version_has_is_an_edit(name: str) -> None:
    with pytest.raises(Conflict, match=rf"never in force \({name}\).*--force"):
        back(NEW | {name: NEW[name] + "# mine\n"})


@pytest.mark.rule("OP-4")
def test_text_of_another_file_is_an_edit_too() -> None:
    with pytest.raises(Conflict, match="never in force"):
        back(NEW | {"codes.yaml": NEW["channels.yaml"]})


@pytest.mark.rule("OP-4")
def test_files_of_two_versions_are_an_edit_where_no_restore_stopped() -> None:
    with pytest.raises(Conflict, match="never in force"):
        back(NEW | {"customers.csv": OLD["customers.csv"]}, half=False)
