"""The files that applicants hand in: what each is by its content, never by its name or claim.

Somebody who is no customer yet has written name, type and content. A file is read piece
by piece and not kept: the daemon only tells what it is. One whose content was judged is
read again only where it is another by now. One outside of the application's own folder
is never opened: it may be what somebody else has handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sync.domain.ids import ApplicationId
from sync.domain.registration import Document, LookedAt, looked_at, refusal_of
from sync.errors import Rejected
from sync.flows.contents import content_of
from sync.flows.context import Uploads
from sync.flows.retrying import Retrying
from sync.ports.files import HoldsFiles, Stamp
from sync.ports.registrations import RegistrationEntry, Stage

MOST = 50
"""Files of one application that are looked at: more are refused unread."""


def with_files(
    uploads: Uploads | None, retrying: Retrying, entry: RegistrationEntry
) -> RegistrationEntry:
    """An open entry with what its files are, as far as the settings say where they lie.

    The same entry where nothing is new. Raises what the place of files does, but
    Rejected: that is said of the file.
    """
    if entry.stage is not Stage.OPEN:
        return entry
    looked: tuple[LookedAt, ...] = ()
    if uploads is not None:
        before = {each.document: each for each in entry.looked}
        handed_in = list(dict.fromkeys(entry.application.documents))
        looked = tuple(
            _look(uploads, retrying, entry.application_id, each, before.get(each))
            if number < MOST
            else _refused(each, f"is one of more than {MOST}, of which no more are looked at")
            for number, each in enumerate(handed_in)
        )
    return entry if looked == entry.looked else replace(entry, looked=looked)


def _look(
    uploads: Uploads,
    retrying: Retrying,
    application_id: ApplicationId,
    document: Document,
    before: LookedAt | None,
) -> LookedAt:
    files, version = uploads.files, ""
    try:
        place = _place(uploads, application_id, document)
        stamp: Stamp | None = retrying(files.stamp, place)
        if stamp is None:
            return _refused(document, "is not there")
        if stamp.size > files.size_limit:
            return _refused(document, f"is larger than {files.size_limit} bytes")
        version = stamp.version
        if before is not None and before.version == version:
            return before
        content = retrying(lambda: content_of(_pieces(files, place, version), files.size_limit))
    except _UnreadError as error:
        return _refused(document, str(error))
    except Rejected as error:
        return _refused(document, str(error), version)
    return looked_at(document, version, content.media_type)


class _UnreadError(Rejected):
    """The place did not give the file out, which says nothing of its content."""


def _pieces(files: HoldsFiles, place: str, version: str) -> Iterator[bytes]:
    try:
        yield from files.read_file(place, version)
    except Rejected as error:
        raise _UnreadError(str(error), code=error.code, remedy=error.remedy) from error


def _place(uploads: Uploads, application_id: ApplicationId, document: Document) -> str:
    """The name of the file in the place of files; whether it stays in there that one sees.

    Raises Rejected for one that is not in the application's own folder (TL-5).
    """
    reference = document.reference.strip()
    if not reference.startswith(uploads.begins):
        raise _not_theirs("does not lie where the files of applicants do")
    place = reference[len(uploads.begins) :]
    own = uploads.folder_of(application_id)
    if own is None or not place.startswith(own):
        raise _not_theirs("does not lie in the folder of this application")
    return place


def _not_theirs(why: str) -> Rejected:
    return Rejected(why, code="document_file", remedy="")


def _refused(document: Document, why: str, version: str = "") -> LookedAt:
    return LookedAt(document, version, refusal=refusal_of(document, why))
