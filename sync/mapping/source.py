"""A folder of mapping files, read as one consistent moment, with the last good one behind it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from sync.domain.mapping import SyncMapping
from sync.mapping.losses import doubted_losses
from sync.mapping.problems import FileProblem, FilesRefused, sentences
from sync.mapping.reading import CheckedFiles, check_texts, version_of
from sync.mapping.tree import MAX_CHARACTERS, position
from sync.ports.state import GoodMapping

SUFFIXES = frozenset({".yaml", ".yml", ".csv"})
MARK = ".half-written"
"""Stands in the folder while a program replaces several files of it."""
ATTEMPTS = 3

log = structlog.get_logger(__name__)

Stamp = tuple[tuple[str, int, int, int], ...]
_UNREADABLE: Stamp = (("", 0, 0, 0),)


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """What is in force now, and why it is not what the folder holds, if so.

    ``version`` and ``files`` are those of ``mapping``. ``refused_version`` is
    the folder's own where it was refused for ``refused_problems``.
    """

    mapping: SyncMapping
    files: Mapping[str, str]
    warnings: tuple[FileProblem, ...] = ()
    refused_problems: tuple[FileProblem, ...] = ()
    refused_version: str | None = None

    @property
    def version(self) -> str:
        return self.mapping.version

    @property
    def from_last_good(self) -> bool:
        return bool(self.refused_problems)


@dataclass(frozen=True, slots=True)
class MappingSource:
    """The mapping files of one pipeline."""

    folder: Path

    def stamp(self) -> Stamp:
        """Cheap to take and to compare: another one means that somebody edited a file.

        Never raises: a folder that cannot be read has a stamp of its own.
        """
        try:
            return _stamp(self.folder)
        except FilesRefused:
            return _UNREADABLE

    def check(self) -> CheckedFiles:
        """Judge the files as they are. Raises FilesRefused when they cannot even be read."""
        return check_texts(read_texts(self.folder))

    def current_or_last_good(self, last_good: GoodMapping | None) -> LoadedMapping:
        """The folder's mapping; where it is refused, the last good one (OP-4).

        A file that the last good version had may not simply be gone: an empty
        table would be believed, and turn every account holder into a retail
        buyer. An edit that takes most assignments away is doubted, not refused.
        Raises FilesRefused where there is no good version to go on with.
        """
        version: str | None = None
        try:
            texts = read_texts(self.folder)
            version = version_of(texts)
            judged = judged_against(texts, last_good)
            problems, warnings = judged.problems, judged.warnings
            if judged.mapping is not None:
                _log_loaded(self.folder, judged.mapping, texts, warnings)
                return LoadedMapping(judged.mapping, texts, warnings)
        except FilesRefused as refusal:
            problems = refusal.found
        if last_good is None:
            raise FilesRefused(_refused(self.folder), problems)
        judged = check_texts(last_good.files)
        if judged.mapping is None:
            raise FilesRefused(
                f"{_refused(self.folder)}, and the last good version no longer passes",
                (*problems, *judged.problems),
            )
        log.error(
            "mapping.refused",
            folder=str(self.folder),
            version=version,
            in_force=judged.mapping.version,
            problems=sentences(problems),
        )
        return LoadedMapping(judged.mapping, dict(last_good.files), (), problems, version or "")


def judged_against(texts: Mapping[str, str], last_good: GoodMapping | None) -> CheckedFiles:
    """As ``check_texts``, and held against the last good version, as the service does it.

    A file that it had may not simply be gone; an edit that takes most assignments away
    is doubted.
    """
    judged = check_texts(texts)
    gone = _gone(texts, last_good)
    doubts = _doubts(judged.mapping, last_good) if judged.mapping is not None else ()
    return replace(
        judged,
        mapping=None if gone else judged.mapping,
        problems=(*judged.problems, *gone),
        warnings=(*judged.warnings, *doubts),
    )


def read_mapping(folder: Path, last_good: GoodMapping | None = None) -> SyncMapping:
    """The mapping that is in the folder. Raises FilesRefused with every problem.

    With ``last_good`` also for a file of that version that is gone.
    """
    texts = read_texts(folder)
    judged = judged_against(texts, last_good)
    if judged.mapping is None:
        raise FilesRefused(_refused(folder), judged.problems)
    _log_loaded(folder, judged.mapping, texts, judged.warnings)
    return judged.mapping


def read_texts(folder: Path, *, half_written: bool = False) -> dict[str, str]:
    """The files by name, sorted, all as of one moment.

    Hidden files, sub-folders and other kinds of file are left alone. Raises
    FilesRefused for a folder or file that cannot be read, is not UTF-8, or is
    being written to all the time; and unless ``half_written`` is expected for one
    in which only some of the files of an edit are in place.
    """
    for _ in range(ATTEMPTS):
        stamp = _stamp(folder)
        before = [each for each in stamp if each[0] != MARK]
        contents = {name: _content(folder / name, size) for name, _, size, _ in before}
        if _stamp(folder) == stamp and all(
            contents[name] is not None and len(contents[name] or b"") == size
            for name, _, size, _ in before
        ):
            if len(before) != len(stamp) and not half_written:
                raise FilesRefused(_refused(folder), [_half_written(folder)])
            return _decoded({name: content or b"" for name, content in contents.items()})
    message = "files are being written at this moment"
    raise FilesRefused(
        _refused(folder), [FileProblem(str(folder), 0, 0, "", message, "try again shortly")]
    )


def _stamp(folder: Path) -> Stamp:
    found = []
    try:
        with os.scandir(folder) as listed:
            for one in listed:
                hidden = one.name.startswith(".") or Path(one.name).suffix not in SUFFIXES
                if hidden and one.name != MARK:
                    continue
                try:
                    seen = one.stat()
                except FileNotFoundError:
                    if not one.is_symlink():
                        continue  # it went away since the folder was listed
                    raise FilesRefused(_refused(folder), [_dangling(one.name)]) from None
                except OSError as error:
                    found_wrong = [_unreadable(folder / one.name, error)]
                    raise FilesRefused(_refused(folder), found_wrong) from error
                if stat.S_ISREG(seen.st_mode):
                    # The time of change, not of modification: it also tells of
                    # new rights, and no copying tool sets it back.
                    found.append((one.name, seen.st_ctime_ns, seen.st_size, seen.st_ino))
    except OSError as error:
        raise FilesRefused(_refused(folder), [_unreadable(folder, error)]) from error
    return tuple(sorted(found))


def _content(path: Path, size: int) -> bytes | None:
    """The bytes; None for a file that is gone since it was listed."""
    if size > MAX_CHARACTERS:
        message = f"the file is larger than {MAX_CHARACTERS // 2**20} MiB"
        problem = FileProblem(path.name, 0, 0, "", message, "look whether it is the right file")
        raise FilesRefused(_refused(path.parent), [problem])
    try:
        with path.open("rb") as file:
            # No more than it had: what has grown since is read again, and a device has no end.
            return file.read(size + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FilesRefused(_refused(path.parent), [_unreadable(path, error)]) from error


def _decoded(contents: Mapping[str, bytes]) -> dict[str, str]:
    texts, problems = {}, []
    for name, content in contents.items():
        try:
            texts[name] = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line, column = position(content[: error.start].decode("utf-8", "replace"), error.start)
            problems.append(
                FileProblem(
                    name, line, column, f"byte {content[error.start]:#04x}",
                    "the file is not UTF-8", "save it with the encoding UTF-8",
                )
            )  # fmt: skip
    if problems:
        raise FilesRefused("the mapping files cannot be read", problems)
    return texts


def _doubts(mapping: SyncMapping, last_good: GoodMapping | None) -> tuple[FileProblem, ...]:
    """Compared with the version before, also when this one is the last good one by now.

    So the warning stands until the next edit, whoever asks and after a restart too.
    """
    if last_good is None:
        return ()
    before = last_good.files if last_good.version != mapping.version else last_good.before
    return doubted_losses(before, mapping) if before is not None else ()


def _gone(texts: Mapping[str, str], last_good: GoodMapping | None) -> list[FileProblem]:
    if last_good is None:
        return []
    return [
        FileProblem(
            name, 0, 0, "", "the file is gone since the last good version",
            "put it back; to empty it on purpose, leave its first line or `{}` in it",
        )
        for name in sorted(last_good.files.keys() - texts.keys())
    ]  # fmt: skip


def _half_written(folder: Path) -> FileProblem:
    return FileProblem(
        str(folder), 0, 0, "", "some files were replaced and others not yet: a restore stopped",
        "run `tradesync mappings restore` again; or see to the files, then delete"
        f" {folder / MARK}",
    )  # fmt: skip


def _unreadable(path: Path, error: OSError) -> FileProblem:
    why = (error.strerror or type(error).__name__).lower()
    remedy = "look at its name and its rights"
    return FileProblem(path.name, 0, 0, "", f"cannot be read: {why}", remedy)


def _dangling(name: str) -> FileProblem:
    message = "cannot be read: it is a link to a file that is not there"
    return FileProblem(name, 0, 0, "", message, "correct the link, or put the file in its place")


def _refused(folder: Path) -> str:
    return f"the mapping in {folder} is refused"


def _log_loaded(
    folder: Path,
    mapping: SyncMapping,
    texts: Mapping[str, str],
    warnings: tuple[FileProblem, ...],
) -> None:
    log.info(
        "mapping.loaded",
        folder=str(folder),
        version=mapping.version,
        files=len(texts),
        channels=len(mapping.channels),
        assignments=len(mapping.assignments),
        policies=len(mapping.account_policies),
    )
    if warnings:
        log.warning("mapping.doubted", folder=str(folder), warnings=sentences(warnings))
