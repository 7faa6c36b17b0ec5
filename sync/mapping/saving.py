"""Puts edited mapping files in place: whole, or not at all, and over nobody's head.

A file is written beside the old one under a hidden name, which nobody reads, and
renamed; where it is a link, that happens where the link points. Where several files
change, a mark stands in the folder until the last of them is in place: who reads the
folder meanwhile, or after a crash, refuses it instead of taking half an edit for a
whole one.

Programs edit one after the other. A person who saves meanwhile is noticed by the
version; one who exchanges a file later by a look right before its renaming; one who
writes into it by the old file, which keeps a hidden name until it was looked at once
more. Then all are put back; what cannot be keeps its hidden name, and is told. What no
look can see is a save that exchanges the file in the instant between two system calls:
that one may be lost.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from sync.errors import Conflict, Misconfigured, SyncError
from sync.mapping.problems import FilesRefused
from sync.mapping.reading import version_of
from sync.mapping.source import MARK, read_texts

log = structlog.get_logger()


@dataclass(slots=True)
class Written:
    """What a block of ``taken_back_on_failure`` wrote: the files before, the version after."""

    before: Mapping[str, str] | None = None
    after: str | None = None


@contextmanager
def taken_back_on_failure(folder: Path) -> Iterator[Written]:
    """Where the block fails, what it wrote into the folder is taken back.

    For an edit and its record, which is committed last. To be entered by whoever is
    ``alone`` there, before the record is begun. What somebody saved since stays, and so
    does what cannot be taken back, which the log tells.
    """
    written = Written()
    try:
        yield written
    except BaseException:
        if written.before is not None and written.after is not None:
            _take_back(folder, written.before, written.after)
        raise


def _take_back(folder: Path, before: Mapping[str, str], after: str) -> None:
    def change(found: Found) -> dict[str, str | None]:
        if found.version != after:
            raise _meanwhile(folder)
        return {**dict.fromkeys(found.texts or {}), **before}

    if version_of(dict(before)) == after:
        return
    try:
        put_in_place(folder, change)
    except SyncError as error:
        log.error("mapping.edit_not_taken_back", folder=str(folder), version=after, why=str(error))


def edit_in_place(
    folder: Path,
    change: Callable[[Mapping[str, str]], Mapping[str, str]],
    written: Written | None = None,
) -> tuple[str, str]:
    """Replace what ``change`` makes of the files; the versions before and after.

    Raises what ``change`` raises, Conflict where somebody saved a file meanwhile,
    Misconfigured for a folder that cannot be written. Nothing is changed then.
    """
    where = folder
    try:
        with alone(folder):
            before = read_texts(folder)
            after = change(before)
            changed = {name: text for name, text in after.items() if before.get(name) != text}
            if len(changed) > 1:
                raise Misconfigured("more than one file would change; edit them by hand")
            for name in changed:
                where = _target(folder, name).parent
                _replace(folder, changed, Found(before, half=False))
            version = version_of(dict(after))
            if written is not None:
                written.before, written.after = before, version
            return version_of(before), version
    except OSError as error:
        raise _not_writable(where, error) from error


@dataclass(frozen=True, slots=True)
class Found:
    """The folder before it is written anew.

    ``texts`` are None where the files cannot be read; ``half`` says that an earlier
    call died before all of its files were in place.
    """

    texts: Mapping[str, str] | None
    half: bool

    @property
    def version(self) -> str | None:
        return version_of(self.texts) if self.texts is not None else None


def put_in_place(
    folder: Path,
    change: Callable[[Found], Mapping[str, str | None]],
    written: Written | None = None,
) -> tuple[str | None, str]:
    """Write these files, or take away those that are None; the versions before and after.

    ``change`` is asked while no other program edits; others in the folder stay as they
    are. All of them count at once: see the top of the module. Raises what ``change``
    raises, Conflict where somebody saved a file meanwhile, Misconfigured for a folder
    that cannot be written; nothing is changed then.
    """
    try:
        with alone(folder):
            before = found_in(folder)
            wanted = change(before)
            held = before.texts or {}
            changed = {name: text for name, text in wanted.items() if held.get(name) != text}
            if changed or before.half:
                _replace(folder, changed, before)
            version = version_of(read_texts(folder))
            if written is not None and not before.half:
                written.before, written.after = before.texts, version
            return before.version, version
    except OSError as error:
        raise _not_writable(folder, error) from error


def half_written(folder: Path) -> bool:
    """Whether an earlier call died before all of its files were in place."""
    return (folder / MARK).exists()


def _not_writable(folder: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"{folder} cannot be written: {error.strerror}; give the account that edits the"
        " right to write there"
    )


def found_in(folder: Path) -> Found:
    """The folder as it is, whoever edits it."""
    half = half_written(folder)
    try:
        return Found(read_texts(folder, half_written=half), half)
    except FilesRefused:
        return Found(None, half)


def _replace(folder: Path, changed: Mapping[str, str | None], before: Found) -> None:
    """Put these files in the place of the old ones, None for one that goes.

    One file is exchanged at once; of several, none counts before all are in place.
    """
    beside: dict[str, Path] = {}
    kept: dict[str, _Old] = {}
    stuck: list[_Old] = []
    marked, begun = before.half or len(changed) > 1, before.half
    try:
        for name, text in changed.items():
            if text is not None:
                beside[name] = _written_beside(folder, name, text)
        for name in changed:
            kept[name] = _keep(_target(folder, name) if name in beside else folder / name)
        if found_in(folder) != before or any(each.exchanged() for each in kept.values()):
            raise _meanwhile(folder)
        if marked:
            (folder / MARK).write_text(_MARKED, encoding="utf-8")
            _sync(folder)
            begun = True  # from here on a failure leaves the mark: the files are nobody's edit
        done: list[_Old] = []
        for name, old in kept.items():
            # Anew for each: the mark takes its time on its way to the disk.
            if old.exchanged():
                break
            if name in beside:
                beside[name].replace(old.place)
            else:
                old.place.unlink(missing_ok=True)
            done.append(old)
        go_back = len(done) < len(kept) or any(each.written_to() for each in done)
        if go_back:
            stuck = [each for each in done if not each.put_back()]
            begun = before.half or bool(stuck)
        for parent in {folder, *(each.place.parent for each in kept.values())}:
            _sync(parent)
        if go_back:
            raise _meanwhile(folder, stuck)
        if marked:
            (folder / MARK).unlink()
            _sync(folder)
    except BaseException:
        if marked and not begun:
            (folder / MARK).unlink(missing_ok=True)
        raise
    finally:
        for path in beside.values():
            path.unlink(missing_ok=True)
        for each in kept.values():
            if each not in stuck:
                each.forget()


_MARKED = "Files of this folder are being replaced; until that is done none of them counts.\n"


def _target(folder: Path, name: str) -> Path:
    """The file itself, where a link stands in the folder."""
    return (folder / name).resolve()


def _meanwhile(folder: Path, stuck: Collection[_Old] = ()) -> Conflict:
    """Somebody saved a file; ``stuck`` are others that could not be put back then."""
    happened = f"somebody else saved a file in {folder} at this moment"
    if not stuck:
        return Conflict(f"{happened}; try again")
    places = ", ".join(sorted(str(each.place) for each in stuck))
    names = ", ".join(sorted(str(each.name) for each in stuck if each.name is not None))
    way_out = f"what stood there is in {names}; " if names else ""
    return Conflict(
        f"{happened}, and {places} could not be put back: {way_out}see to the files, then delete"
        f" {folder / MARK} where it stands"
    )


@dataclass(frozen=True, slots=True)
class _Old:
    """What stood at a place, under a second name until it is known that nobody wrote into it.

    ``seen`` is None where nothing stood there, ``name`` also where the disk or the owner
    allows no second name: then it is put back as a copy, and what is saved into it in the
    last moment is not noticed.
    """

    place: Path
    name: Path | None
    content: bytes | None
    seen: os.stat_result | None

    def exchanged(self) -> bool:
        """Whether another file stands there by now, or one without a second name says
        something else."""
        try:
            stands = self.place.lstat()
        except FileNotFoundError:
            return self.seen is not None
        if self.seen is None or not os.path.samestat(self.seen, stands):
            return True
        unnamed = self.name is None and self.content is not None
        return unnamed and _content(self.place) != self.content

    def written_to(self) -> bool:
        return self.name is not None and _content(self.name) != self.content

    def put_back(self) -> bool:
        """Let it stand there again; whether that could be done."""
        try:
            if self.seen is None:
                self.place.unlink(missing_ok=True)
            elif self.name is not None:
                self.name.replace(self.place)
            elif self.content is not None:
                _copy(self.content, self.place).replace(self.place)
            else:
                return False
        except OSError:
            return False
        return True

    def forget(self) -> None:
        if self.name is not None:
            self.name.unlink(missing_ok=True)


def _keep(place: Path) -> _Old:
    try:
        seen = place.lstat()
    except FileNotFoundError:
        return _Old(place, None, None, None)
    name = place.with_name(f".{place.name}.{secrets.token_hex(4)}.old")
    try:
        os.link(place, name, follow_symlinks=False)
    except OSError:
        held = None if stat.S_ISLNK(seen.st_mode) else _content(place)
        return _Old(place, None, held, seen)
    return _Old(place, name, _content(name), seen)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _written_beside(folder: Path, name: str, text: str) -> Path:
    """The new content under a hidden name, on disk, with the rights of the old one."""
    target = _target(folder, name)
    mark = (
        b"\xef\xbb\xbf" if target.exists() and target.read_bytes()[:3] == b"\xef\xbb\xbf" else b""
    )
    return _copy(mark + text.encode("utf-8"), target)


def _copy(content: bytes, target: Path) -> Path:
    """A file beside the target, on disk, with this content and the target's rights."""
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _like(target, Path(beside))
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return Path(beside)


def _like(target: Path, beside: Path) -> None:
    """Rights, owner and group of the file that it replaces.

    Who edits may own the file and be no member of its group. Where that group may do no
    more than everybody, the new file has the editor's own; otherwise Misconfigured, for
    somebody would lose the right to read it.
    """
    if not target.exists():
        beside.chmod(0o644)
        return
    shutil.copymode(target, beside)
    held, made = target.stat(), beside.stat()
    if (held.st_uid, held.st_gid) == (made.st_uid, made.st_gid):
        return
    try:
        os.chown(beside, held.st_uid, held.st_gid)
    except PermissionError:
        of_group, of_all = (held.st_mode >> 3) & 0o7, held.st_mode & 0o7
        if held.st_uid != made.st_uid or of_group != of_all:
            raise Misconfigured(
                f"{target} belongs to user {held.st_uid} and group {held.st_gid}, and this account"
                " cannot make a file of theirs; edit as that user, as a member of that group"
            ) from None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While no other program edits the folder; whoever is it already goes on at once.

    To be taken before anything that others wait for, such as a transaction of the
    state. Raises Misconfigured for a folder that cannot be opened.
    """
    held: set[tuple[int, int]] = _held_here.__dict__.setdefault("folders", set())
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be opened: {error.strerror}") from error
    try:
        found = os.fstat(opened)
        which = (found.st_dev, found.st_ino)
        if which in held:
            yield
            return
        fcntl.flock(opened, fcntl.LOCK_EX)
        held.add(which)
        try:
            yield
        finally:
            held.discard(which)
    finally:
        os.close(opened)


# A lock is an open file's: taken twice by one thread, it would wait for itself.
_held_here = threading.local()


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
