"""What applicants hand in is what its content says, whatever name and type were typed (VE-9)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from sync.domain.account import AccountStatus
from sync.domain.document import MediaType
from sync.domain.ids import ApplicationId
from sync.domain.registration import (
    CreateCustomer,
    Document,
    LookedAt,
    RegistrationNotice,
    RequiredDocuments,
)
from sync.errors import Rejected
from sync.flows.context import Uploads
from sync.flows.cycle import run_flow
from sync.flows.registrations.uploads import MOST
from sync.ports.registrations import RegistrationEntry, Stage
from sync.registration import RegistrationDesk
from sync.testing import builders as a
from sync.testing.files import MemoryFiles
from tests.scenarios.world import MakeWorld, World

NEW = ApplicationId("app-1")
BEGINS = "s3://registrations/"
PLACE = "app-1/licence.pdf"
OTHERS = "app-10/licence.pdf"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 40 + b"IEND\xaeB`\x82"
HTML = b"<!doctype html><script>alert(1)</script>"

pytestmark = pytest.mark.rule("VE-9")


@pytest.fixture
def files() -> MemoryFiles:
    return MemoryFiles(size_limit=4096)


@pytest.fixture
def shop(make_world: MakeWorld, files: MemoryFiles) -> World:
    world = make_world()
    world.uploads = Uploads(files, BEGINS)
    world.remap(required_documents=RequiredDocuments({"default": ("licence",)}))
    return world


def licence(reference: str = BEGINS + PLACE, claimed: str | None = "application/pdf") -> Document:
    return Document("licence", reference, claimed)


def hand_in(world: World, *documents: Document) -> None:
    world.store.hand_in(a.an_application(documents=documents or (licence(),)))


def entry_of(world: World) -> RegistrationEntry:
    return RegistrationDesk(world.context(), "ann").show(NEW, search=False).entry


def seen(world: World) -> LookedAt:
    [looked] = entry_of(world).looked
    return looked


def told(world: World) -> RegistrationNotice:
    return world.store.shown_registrations([NEW])[NEW]


def test_a_file_that_is_what_it_is_said_to_be_counts(shop: World, files: MemoryFiles) -> None:
    files.put(PLACE, a.PDF)
    hand_in(shop)
    shop.run("registrations")
    assert entry_of(shop).missing == ()
    assert entry_of(shop).status is AccountStatus.APPLIED
    assert (seen(shop).found, seen(shop).refusal) == (MediaType.PDF, None)


@pytest.mark.parametrize(
    "claimed, content, reason",
    [
        ("image/jpeg", PNG, "said to be image/jpeg, is image/png by its content"),
        ("application/pdf", PNG, "said to be application/pdf, is image/png by its content"),
        ("application/pdf", HTML, "said to be application/pdf, is no PDF, PNG or JPEG"),
        (None, HTML, "licence.pdf is no PDF, PNG or JPEG"),
        ("text/html", a.PDF, "said to be text/html, is application/pdf by its content"),
        ("\x1b[2J", a.PDF, "said to be something that is no media type, is application/pdf"),
        ("application/pdf", b"", "is empty"),
        ("application/pdf", a.PDF[:60], "ends too early"),
        ("application/pdf", a.PDF + b" " * 4096 + b"%%EOF", "is larger than 4096 bytes"),
        ("application/pdf", None, "is not there"),
    ],
)
def test_a_file_that_is_something_else_is_refused_and_missing_still(
    shop: World, files: MemoryFiles, claimed: str | None, content: bytes | None, reason: str
) -> None:
    if content is not None:
        files.put(PLACE, content)
    hand_in(shop, licence(claimed=claimed))
    result = shop.run("registrations")

    refusal = seen(shop).refusal or ""
    assert refusal.startswith("the file licence.pdf")
    assert reason in refusal
    assert entry_of(shop).missing == ("licence",)
    assert entry_of(shop).status is AccountStatus.DOCUMENTS_PENDING
    assert any(refusal in remark for remark in result.remarks)
    # The applicant reads why, and what to do.
    assert refusal in (told(shop).message or "")
    assert "hand it in again as a PDF, PNG or JPEG" in (told(shop).message or "")


@pytest.mark.parametrize("claimed", [None, "", "application/octet-stream", "Image/JPG; q=1"])
def test_a_file_without_a_claim_counts_as_what_it_is(
    shop: World, files: MemoryFiles, claimed: str | None
) -> None:
    files.put(PLACE, b"\xff\xd8\xff\xe0" + b"pixels" * 40 + b"\xff\xd9")
    hand_in(shop, licence(claimed=claimed))
    shop.run("registrations")
    assert (seen(shop).found, entry_of(shop).missing) == (MediaType.JPEG, ())


@pytest.mark.parametrize(
    "reference",
    [
        BEGINS + "../papers/1.pdf",
        BEGINS + "/etc/passwd",
        BEGINS + "app-1\\licence.pdf",
        BEGINS,
        "https://elsewhere.example/app-1/licence.pdf",
        "s3://papers/app-1/licence.pdf",
        # What another applicant has handed in.
        pytest.param(BEGINS + OTHERS, marks=pytest.mark.rule("TL-5")),
        pytest.param(BEGINS + "app-1/../" + OTHERS, marks=pytest.mark.rule("TL-5")),
        pytest.param(BEGINS + "APP-1/licence.pdf", marks=pytest.mark.rule("TL-5")),
        pytest.param(BEGINS + "licence.pdf", marks=pytest.mark.rule("TL-5")),
    ],
)
def test_a_reference_that_leads_elsewhere_is_refused_unread(
    shop: World, files: MemoryFiles, reference: str
) -> None:
    for place in (PLACE, OTHERS, "APP-1/licence.pdf", "licence.pdf"):
        files.put(place, a.PDF)
    hand_in(shop, licence(reference))
    shop.run("registrations")
    assert entry_of(shop).missing == ("licence",)
    assert seen(shop).refusal
    assert files.reads == 0


@pytest.mark.rule("TL-5")
def test_what_somebody_else_has_handed_in_is_not_the_applicants(
    shop: World, files: MemoryFiles
) -> None:
    """Both name the same file: it counts for the one in whose folder it lies."""
    theirs = ApplicationId("app-10")
    files.put(OTHERS, a.PDF)
    hand_in(shop, licence(BEGINS + OTHERS))
    shop.store.hand_in(
        a.an_application(application_id=theirs, documents=(licence(BEGINS + OTHERS),))
    )
    shop.run("registrations")
    desk = RegistrationDesk(shop.context(), "ann")
    assert (entry_of(shop).missing, desk.show(theirs, search=False).entry.missing) == (
        ("licence",),
        (),
    )
    assert seen(shop).refusal == (
        "the file licence.pdf, said to be application/pdf, does not lie in the folder of this"
        " application"
    )
    with pytest.raises(Rejected, match="lacks licence"):
        desk.approve(NEW, CreateCustomer(), "references checked")
    # What was believed before the settings told whose it is is not believed any more.
    shop.uploads = Uploads(files, BEGINS, "forms/{application}/")
    shop.run("registrations")
    assert desk.show(theirs, search=False).entry.missing == ("licence",)


@pytest.mark.rule("TL-5")
@pytest.mark.parametrize("key", ["app/1", "..", "app\\1"])
def test_a_key_that_names_no_folder_of_its_own_has_no_files(files: MemoryFiles, key: str) -> None:
    """``app/1`` would have its files in the folder of ``app``."""
    assert Uploads(files, BEGINS).folder_of(ApplicationId(key)) is None


def test_a_file_is_read_again_only_when_it_is_another(shop: World, files: MemoryFiles) -> None:
    files.put(PLACE, HTML)
    hand_in(shop)
    shop.run("registrations")
    assert shop.run("registrations").writes == 0
    assert files.reads == 1
    files.put(PLACE, a.PDF)
    shop.run("registrations")
    assert (files.reads, entry_of(shop).missing, told(shop).message) == (2, (), None)
    # What was good may be exchanged for something else.
    files.put(PLACE, HTML)
    shop.run("registrations")
    assert entry_of(shop).missing == ("licence",)


def test_a_file_that_was_too_large_is_looked_at_once_more_is_allowed(
    shop: World, files: MemoryFiles
) -> None:
    """Staff raise the limit for whoever has handed in a scan of many pages."""
    files.put(PLACE, a.PDF + b" " * 4096 + a.PDF)
    hand_in(shop)
    shop.run("registrations")
    assert entry_of(shop).missing == ("licence",)
    files.size_limit = 2 * 4096 + 2 * len(a.PDF)
    shop.run("registrations")
    assert (seen(shop).refusal, entry_of(shop).missing) == (None, ())


def test_what_the_place_did_not_give_out_is_read_by_the_next_run(
    shop: World, files: MemoryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a file that got other rights while it was read: size and time are the same."""

    def changed(self: MemoryFiles, place: str, version: str) -> Iterator[bytes]:
        yield a.PDF[:10]
        raise Rejected("changed while it was read", code="document_file", remedy="")

    files.put(PLACE, a.PDF)
    hand_in(shop)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(MemoryFiles, "read_file", changed)
        shop.run("registrations")
    assert "changed while it was read" in (seen(shop).refusal or "")
    shop.run("registrations")
    assert (seen(shop).refusal, entry_of(shop).missing) == (None, ())


def test_while_the_place_is_away_the_application_waits_as_it_is(
    shop: World, files: MemoryFiles
) -> None:
    files.put(PLACE, a.PDF)
    hand_in(shop)
    files.away = True
    result = shop.run("registrations")
    assert result.outcome == "try_later"
    assert (entry_of(shop).looked, entry_of(shop).kind) == ((), None)
    files.away = False
    shop.run("registrations")
    assert entry_of(shop).missing == ()


def test_a_large_file_is_not_read_and_of_many_files_no_more_than_some(
    shop: World, files: MemoryFiles
) -> None:
    files.put(PLACE, a.PDF + b" " * 4096)
    hand_in(shop)
    shop.run("registrations")
    assert files.reads == 0
    many = [licence(f"{BEGINS}app-1/{number}.pdf") for number in range(MOST + 3)]
    for number in range(MOST + 3):
        files.put(f"app-1/{number}.pdf", a.PDF)
    later = a.an_application(documents=tuple(many))
    shop.store.hand_in(later)
    shop.run("registrations")
    assert files.reads == MOST
    assert [each.counts for each in entry_of(shop).looked] == [True] * MOST + [False] * 3


def test_what_is_said_of_refused_files_is_short_and_harmless_to_a_terminal(
    shop: World, files: MemoryFiles
) -> None:
    """An applicant names the kinds, and hands in as many files as they like."""
    odd = Document("\x1b[2Jlicence\nall is well", BEGINS + PLACE, "application/pdf")
    hand_in(shop, odd, *(licence(f"{BEGINS}app-1/{number}.pdf") for number in range(999)))
    said = [*shop.run("registrations").remarks, *(told(shop).message or "").splitlines()]
    assert all(each.isprintable() for each in said)
    assert any("980 more files do not count either" in each for each in said)
    assert 40 < len(said) < 50
    assert len(entry_of(shop).looked) == 1000


def test_staff_approve_no_application_whose_file_was_refused(
    shop: World, files: MemoryFiles
) -> None:
    files.put(PLACE, PNG)
    hand_in(shop)
    shop.run("registrations")
    desk = RegistrationDesk(shop.context(), "ann")
    with pytest.raises(Rejected, match="lacks licence"):
        desk.approve(NEW, CreateCustomer(), "references checked")
    # What was refused may be asked for again: it was not handed in.
    assert desk.request_documents(NEW, ["licence"], "a better copy").stage is Stage.OPEN


def test_a_plan_tells_what_the_files_are_and_keeps_nothing(shop: World, files: MemoryFiles) -> None:
    files.put(PLACE, HTML)
    hand_in(shop)
    result = shop.run("registrations", dry_run=True)
    assert result.samples == ["app-1: documents pending, lacks licence"]
    with shop.state.transaction() as state:
        assert state.registrations.entry(NEW) is None


def test_without_a_place_nothing_is_looked_at_and_a_file_counts_as_it_is_said_to_be(
    shop: World, files: MemoryFiles
) -> None:
    files.put(PLACE, HTML)
    hand_in(shop)
    shop.run("registrations")
    assert entry_of(shop).missing == ("licence",)
    run_flow(dataclasses.replace(shop.context(), uploads=None), "registrations")
    assert (entry_of(shop).looked, entry_of(shop).missing) == ((), ())


@pytest.mark.parametrize(
    "reference, name",
    [
        (BEGINS + "app-1/Müller licence (1).pdf", "Müller licence -1-.pdf"),
        ("C:\\scans\\\x1b[31mred.pdf", "31mred.pdf"),
        (BEGINS + "a/\u202efdp.exe?X-Token=1", "fdp.exe"),
        (BEGINS + "a/" + "x" * 300 + ".pdf", "x" * 76 + ".pdf"),
        (BEGINS, "without a name"),
        (BEGINS + "..", "without a name"),
    ],
)
def test_a_file_is_named_by_nothing_that_a_terminal_or_a_page_minds(
    reference: str, name: str
) -> None:
    assert licence(reference).file_name == name
