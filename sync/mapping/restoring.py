"""An earlier version of the mapping files, to be put back as it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sync.errors import Conflict, Misconfigured, Rejected
from sync.mapping.problems import FilesRefused, suggestion
from sync.mapping.reading import CUSTOMERS_TABLE, FILES, check_texts, version_of
from sync.mapping.saving import Found
from sync.mapping.tables import SHORTEST_HEADER

FEWEST = 4
"""So many characters of a version are enough, as long as they mean one."""


def version_meant(written: str, known: Collection[str]) -> str:
    """The one known version that begins so. Raises Rejected for none, or several."""
    found = sorted({each for each in known if each.startswith(written)})
    if written in found:
        return written
    if len(written) < FEWEST:
        raise _unclear(f"{written!r} is too short", f"write at least {FEWEST} characters")
    if not found:
        meant = suggestion(written, known) if known else "nothing was ever in force"
        raise _unclear(f"no version {written} is kept; {meant}", "see tradesync mappings list")
    if len(found) > 1:
        raise _unclear(f"{written} may mean any of {', '.join(found)}", "write more of it")
    return found[0]


def _unclear(said: str, remedy: str) -> Rejected:
    return Rejected(said, code="version_unknown", remedy=remedy)


def sound(version: str, files: Mapping[str, str]) -> Mapping[str, str]:
    """The kept files, where they may be put back.

    Raises Misconfigured where they are not what they were (a person was erased from
    them), and FilesRefused where they would be refused today.
    """
    if version_of(files) != version:
        raise Misconfigured(
            f"mapping {version} is not what it was: a person was erased from it; look at it with"
            f" `tradesync mappings show {version} --file NAME` and edit the files by hand"
        )
    judged = check_texts(files)
    if judged.mapping is None:
        raise FilesRefused(f"mapping {version} would be refused today", judged.problems)
    return files


def restored(
    found: Found,
    files: Mapping[str, str],
    *,
    known: Collection[str],
    texts_of: Callable[[str], Mapping[str, str] | None],
    in_force: Collection[str],
    force: bool,
) -> dict[str, str | None]:
    """What to write so that the folder says what ``files`` say; None: take the file away.

    ``known`` are the kept versions, ``texts_of`` gives the files of one: a folder that
    holds another one holds somebody's edit, which would be lost. One in which a restore
    stopped holds files of two of them. ``in_force`` names the files of the version in force; one
    of them that did not exist earlier is emptied, since a file that is gone is refused.
    Raises Conflict for such an edit unless ``force``, Misconfigured for files of which
    the service knows nothing.
    """
    edit = None if force else _never_in_force(found, known, texts_of)
    if edit is not None:
        raise Conflict(
            f"the folder holds an edit that was never in force ({edit}); it would be lost."
            " Save it elsewhere, then restore with --force"
        )
    held = found.texts if found.texts is not None else {}
    strange = sorted(held.keys() - set(FILES))
    if strange:
        raise Misconfigured(
            f"{strange[0]} is no mapping file, so nothing would count; move it out of the folder"
        )
    wanted: dict[str, str | None] = dict(files)
    for name in held.keys() - files.keys():
        wanted[name] = _emptied(name) if name in in_force else None
    return wanted


def _never_in_force(
    found: Found, known: Collection[str], texts_of: Callable[[str], Mapping[str, str] | None]
) -> str | None:
    """What of the folder no kept version says, in words; None where nothing is."""
    if found.version in known:
        return None
    if found.texts is None:
        return "files that cannot be read"
    if not found.half:
        return f"version {found.version}"
    kept = [texts_of(version) or {} for version in known]
    for name, text in found.texts.items():
        if text != _emptied(name) and all(text != each.get(name) for each in kept):
            return name
    return None


def _emptied(name: str) -> str:
    return f"{SHORTEST_HEADER}\n" if name == CUSTOMERS_TABLE else "{}\n"
