"""Documents with their files, published to their own account and to nobody else (TL-7)."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest

from sync.domain.channel import RetailGroup
from sync.domain.document import Document, DocumentKind, MediaType
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber
from sync.errors import TryLater
from sync.flows.context import FlowResult
from sync.flows.cycle import run_flow
from sync.testing import builders as a
from sync.testing.faults import Crash, Script
from sync.testing.files import MemoryFiles
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    a_paper,
    guest_order,
    harbour_order,
    mill_order,
)

BOTH = [HARBOUR, MILL, RETAIL]
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 40 + b"IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels" * 40 + b"\xff\xd9"


def shown(world: World, owner: CustomerId = HARBOUR) -> Document:
    [document] = world.store.shown_documents([owner]).values()
    return document


def content(world: World, document: Document) -> bytes:
    assert document.content is not None
    return b"".join(world.store.document_content(document.content.sha256))


# Who is shown what.


@pytest.mark.rule("TL-7", "WA-8")
def test_each_account_is_shown_its_own_documents_and_a_retail_group_none(world: World) -> None:
    result = world.run("documents")

    assert (result.outcome, result.counts["added"]) == ("ok", 2)
    assert {key[0] for key in world.store.shown_documents(BOTH)} == {HARBOUR, MILL}
    document = shown(world)
    held = a.PDF.replace(b"Catalog", b"Paper 1")
    assert document.content is not None
    assert document.content.media_type is MediaType.PDF
    assert document.content.sha256 == hashlib.sha256(held).hexdigest()
    assert content(world, document) == held
    # Nothing of the retail group's file is anywhere in the store.
    assert len(world.store.contents) == 2


@pytest.mark.rule("TL-7", "WA-8")
def test_account_that_becomes_a_retail_group_shows_its_documents_no_longer(world: World) -> None:
    world.cycle()
    groups = (*a_channel().retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
    channels = {**world.mapping.channels, WEB: a_channel(retail_groups=groups)}
    world.remap(channels=channels, assignments=ASSIGNMENTS[1:])
    # Also where nothing else can be done: the place of files is away.
    world.files.away = True
    result = world.run("documents")
    assert result.counts["withdrawn"] == 1
    assert {key[0] for key in world.store.shown_documents(BOTH)} == {MILL}
    assert len(world.store.contents) == 1


@pytest.mark.rule("TL-7", "WA-8")
def test_documents_of_an_account_that_nobody_is_mapped_to_are_withdrawn_first(
    world: World,
) -> None:
    world.run("documents")
    world.erp.add_document(a_paper(MILL, 9))
    world.files.put("papers/9.pdf", a.PDF)
    world.remap(assignments=ASSIGNMENTS[1:])
    world.script = Script().lost_request("store.publish_document", at=1)
    world.limits = dataclasses.replace(
        world.limits, patience=dataclasses.replace(world.limits.patience, attempts=1)
    )
    assert world.run("documents").outcome == "try_later"
    # What came after it was lost, the withdrawal was not.
    assert {key[0] for key in world.store.shown_documents(BOTH)} == {MILL}
    assert len(world.store.contents) == 1


# Only what differs.


@pytest.mark.rule("TL-7", "MI-2")
def test_run_without_changes_reads_no_file_and_writes_nothing(world: World) -> None:
    world.run("documents")
    reads, writes = world.files.reads, world.store.writes
    assert world.run("documents").counts == {"unchanged": 2}
    assert (world.files.reads, world.store.writes) == (reads, writes)


@pytest.mark.rule("TL-7", "MI-2")
def test_only_the_file_that_changed_is_read_and_written(world: World) -> None:
    world.run("documents")
    reads, writes = world.files.reads, world.store.writes
    world.files.put("papers/2.pdf", PNG)
    assert world.run("documents").counts == {"changed": 1, "unchanged": 1}
    assert (world.files.reads, world.store.writes) == (reads + 1, writes + 1)
    document = shown(world, MILL)
    assert content(world, document) == PNG
    assert document.content is not None
    assert document.content.media_type is MediaType.PNG
    assert document.file_name == "invoice-D-2.png"


@pytest.mark.rule("TL-7", "MI-2")
def test_erp_that_tells_the_hash_spares_even_the_look_at_the_file(world: World) -> None:
    held = a.PDF.replace(b"Catalog", b"Paper 1")
    told = a_paper(HARBOUR, 1, sha256=hashlib.sha256(held).hexdigest())
    world.erp.add_document(told)
    world.run("documents", customer=HARBOUR.value)
    stamps = world.files.stamps
    assert world.run("documents", customer=HARBOUR.value).writes == 0
    assert world.files.stamps == stamps


@pytest.mark.rule("TL-7", "MI-2")
def test_other_words_about_a_document_are_written_without_reading_its_file(world: World) -> None:
    world.run("documents")
    reads = world.files.reads
    world.erp.add_document(a_paper(HARBOUR, 1, erp_order=ErpOrderNumber("SO-77")))
    assert world.run("documents").counts["changed"] == 1
    assert (world.files.reads, shown(world).erp_order) == (reads, ErpOrderNumber("SO-77"))


@pytest.mark.rule("TL-7")
def test_one_content_is_held_once_and_goes_with_its_last_document(world: World) -> None:
    for number in (7, 8):
        world.erp.add_document(a_paper(HARBOUR, number))
        world.files.put(f"papers/{number}.pdf", a.PDF)
    world.run("documents")
    sha256 = a.a_content().sha256
    assert (len(world.store.contents), len(world.store.shown_documents(BOTH))) == (3, 4)
    world.erp.remove_document(a_paper(HARBOUR, 7).key)
    world.run("documents")
    assert sha256 in world.store.contents
    world.erp.remove_document(a_paper(HARBOUR, 8).key)
    world.run("documents")
    assert sha256 not in world.store.contents


@pytest.mark.rule("TL-7")
def test_content_that_others_damaged_is_published_anew(world: World) -> None:
    world.run("documents")
    document = shown(world)
    assert document.content is not None
    world.store.spoil_content(document.content.sha256, b"%PDF-something else")
    assert world.run("documents").counts["changed"] == 1
    assert content(world, shown(world)) == a.PDF.replace(b"Catalog", b"Paper 1")


# Files that must not be published.


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize(
    "given, why",
    [
        (b"", "is empty"),
        (b"MZ\x90 a program that calls itself a paper", "no PDF, PNG or JPEG"),
        (b"<html><script>alert(1)</script></html>", "no PDF, PNG or JPEG"),
        (b"GIF89a" + a.PDF, "no PDF, PNG or JPEG"),
        (b"\n" + a.PDF, "no PDF, PNG or JPEG"),
        (b"%PDF", "no PDF, PNG or JPEG"),
        (a.PDF[:40], "ends too early"),
        (PNG[:90], "ends too early"),
        (JPEG[:90], "ends too early"),
        (a.PDF + b" " * 1100, "ends too early"),
        (a.PDF + b" " * 3000, "larger than the limit of 2000 bytes"),
    ],
)
def test_file_that_is_no_paper_costs_its_own_document_only(
    world: World, given: bytes, why: str
) -> None:
    world.files.size_limit = 2000
    world.files.put("papers/1.pdf", given)
    result = world.run("documents")

    told = " ".join((*result.remarks, result.message))
    assert "invoice D-1 of C-1001" in told
    assert "'papers/1.pdf'" in told
    assert why in told
    assert "is shown of it stays" not in told
    assert [key[0] for key in world.store.shown_documents(BOTH)] == [MILL]
    assert len(world.store.contents) == 1


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("given", [PNG, JPEG])
def test_images_are_published_whatever_their_names_say(world: World, given: bytes) -> None:
    world.files.put("papers/1.pdf", given)
    assert world.run("documents").outcome == "ok"
    assert content(world, shown(world)) == given


@pytest.mark.rule("TL-7")
def test_file_that_turns_bad_leaves_what_is_shown(world: World) -> None:
    world.run("documents")
    before = world.shown()
    world.files.put("papers/1.pdf", b"%PDF- half of i")
    result = world.run("documents")
    assert (result.outcome, result.writes) == ("failed", 0)
    assert world.shown() == before


@pytest.mark.rule("TL-7", "MI-3")
def test_missing_file_leaves_what_is_shown_and_is_told(world: World) -> None:
    world.run("documents")
    before = world.shown()
    world.files.drop("papers/1.pdf")
    world.erp.add_document(a_paper(HARBOUR, 9))
    result = world.run("documents")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert result.counts["documents_missing"] == 2
    way_out = "Put it there, or correct in the ERP where it lies: the next run publishes it."
    one, nine = (
        f"invoice D-{number} of C-1001: the file 'papers/{number}.pdf' is not there; "
        for number in (1, 9)
    )
    assert sorted(result.remarks) == [
        f"{one}the file that is shown of it stays. {way_out}",
        f"{nine}so the document is not shown. {way_out}",
    ]
    assert world.shown() == before


@pytest.mark.rule("TL-7", "MI-3")
def test_place_of_files_without_a_single_one_is_no_success_and_takes_nothing_away(
    world: World,
) -> None:
    world.run("documents")
    before = world.shown()
    for number in (1, 2, 3):
        world.files.drop(f"papers/{number}.pdf")
    result = world.run("documents")
    assert result.outcome == "try_later"
    assert "not one of 2 files is there" in result.message
    assert result.counts["documents_missing"] == 2
    assert world.shown() == before
    world.files.put("papers/1.pdf", a.PDF)
    assert world.run("documents").outcome == "ok"


@pytest.mark.rule("TL-7")
def test_many_missing_files_are_counted_and_not_all_named(world: World) -> None:
    for number in range(100, 150):
        world.erp.add_document(a_paper(HARBOUR, number))
    result = world.run("documents")
    assert result.counts["documents_missing"] == 50
    assert len(result.remarks) == 21
    assert result.remarks[-1] == "30 more files are not there or refused."


@pytest.mark.rule("TL-7")
def test_file_that_changes_while_it_is_read_is_not_published(world: World) -> None:
    longer = b"%PDF-1.4" + b"x" * 200 + b"%%EOF"
    world.files.put("papers/1.pdf", longer)
    before = list(world.store.shown_documents([HARBOUR]))

    def somebody_writes() -> None:
        world.files.put("papers/1.pdf", longer)

    world.files.meanwhile = somebody_writes
    result = world.run("documents", customer=HARBOUR.value)
    assert result.outcome == "failed"
    assert "changed while it was read" in result.message
    assert list(world.store.shown_documents([HARBOUR])) == before
    world.files.meanwhile = lambda: None
    assert world.run("documents", customer=HARBOUR.value).outcome == "ok"
    assert content(world, shown(world)) == longer


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("told", [{"size": 4711}, {"sha256": "0a" * 32}])
def test_file_that_is_not_what_the_erp_tells_is_not_published(
    world: World, told: dict[str, object]
) -> None:
    world.erp.add_document(a_paper(HARBOUR, 1, **told))
    result = world.run("documents")
    text = " ".join((*result.remarks, result.message))
    assert "invoice D-1 of C-1001: the file 'papers/1.pdf' has" in text
    assert "and the ERP tells" in text
    assert [key[0] for key in world.store.shown_documents(BOTH)] == [MILL]


@pytest.mark.rule("TL-7", "WA-8")
@pytest.mark.parametrize("place", ["../3.pdf", "/etc/passwd", "papers\\3.pdf", "papers/\0.pdf"])
def test_name_that_leads_elsewhere_is_refused(world: World, place: str) -> None:
    world.erp.add_document(a_paper(HARBOUR, 1, place=place))
    result = world.run("documents")
    assert (result.outcome, result.counts["documents_refused"]) == ("ok", 1)
    assert "invoice D-1 of C-1001: the file" in result.remarks[-1]
    assert "; so the document is not shown. Put it there, or" in result.remarks[-1]
    assert [key[0] for key in world.store.shown_documents(BOTH)] == [MILL]


# When a system is away, empty, or cannot do it at all.


@pytest.mark.rule("TL-7", "MI-3")
def test_place_of_files_that_is_away_takes_nothing_away(world: World) -> None:
    world.run("documents")
    before = world.shown()
    world.files.away = True
    assert world.run("documents").outcome == "try_later"
    assert world.shown() == before


@pytest.mark.rule("TL-7")
def test_read_that_breaks_off_leaves_nothing_behind_and_is_made_up_for(world: World) -> None:
    seen: list[int] = []

    def once() -> None:
        if not seen:
            seen.append(1)
            raise TryLater("the line is cut")

    world.files.meanwhile = once
    assert world.run("documents").outcome == "ok"
    assert len(world.store.shown_documents(BOTH)) == 2


@pytest.mark.rule("TL-7", "MI-3")
def test_erp_that_cannot_tell_documents_any_more_takes_none_away(world: World) -> None:
    world.run("documents")
    world.erp_seen = without(world.erp, "documents")
    assert world.run("documents").outcome == "refused"
    assert len(world.store.shown_documents(BOTH)) == 2


@pytest.mark.rule("TL-7")
def test_store_without_a_place_for_documents_is_left_alone_and_told_so(world: World) -> None:
    store = without(world.store, "shown_documents", "publish_document", "apply_documents")
    result = run_flow(dataclasses.replace(world.context(), store=store), "documents")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert "no place for documents" in result.remarks[-1]


@pytest.mark.rule("TL-7")
def test_settings_without_a_place_of_files_mirror_none_and_say_so(world: World) -> None:
    world.erp_seen = without(world.erp, "read_document")
    result = run_alone(world)
    assert (result.outcome, result.counts) == ("ok", {})
    assert "no place of files" in result.remarks[-1]


@pytest.mark.rule("TL-7", "MI-2")
def test_rehearsal_reads_no_file_and_writes_nothing(world: World) -> None:
    result = world.run("documents", dry_run=True)
    assert (result.counts["would_add"], world.files.reads) == (2, 0)
    assert not world.store.contents


# Web orders.


def imported(world: World) -> None:
    world.cycle()
    for order in (harbour_order(1), mill_order(2), guest_order(3)):
        world.store.place_order(order)
    world.import_orders()


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("by", ["number", "key", "web number", "both"])
def test_document_is_linked_to_the_web_order_that_it_names(world: World, by: str) -> None:
    imported(world)
    entry = world.entry(1)
    ways: dict[str, dict[str, Any]] = {
        "number": {"erp_order": entry.erp_order},
        "key": {"web_reference": entry.key.value},
        "web number": {"web_reference": entry.number},
        "both": {"erp_order": entry.erp_order, "web_reference": entry.key.value},
    }
    world.erp.add_document(a_paper(HARBOUR, 1, **ways[by]))
    world.run("documents")
    assert shown(world).web_order == entry.order_id


@pytest.mark.rule("TL-7", "WA-8")
@pytest.mark.parametrize("other", [2, 3])
def test_document_is_never_linked_to_a_web_order_of_another_account(
    world: World, other: int
) -> None:
    imported(world)
    entry = world.entry(other)
    for named in ({"erp_order": entry.erp_order}, {"web_reference": entry.key.value}):
        world.erp.add_document(a_paper(HARBOUR, 1, **named))
        world.run("documents")
        assert shown(world).web_order is None


@pytest.mark.rule("TL-7")
def test_document_that_names_two_web_orders_is_linked_to_neither(world: World) -> None:
    imported(world)
    world.store.place_order(harbour_order(4))
    world.import_orders()
    first, second = world.entry(1), world.entry(4)
    world.erp.add_document(
        a_paper(HARBOUR, 1, erp_order=first.erp_order, web_reference=second.key.value)
    )
    world.run("documents")
    assert shown(world).web_order is None


@pytest.mark.rule("TL-7")
def test_document_is_linked_once_its_order_is_there(world: World) -> None:
    world.erp.add_document(
        a_paper(HARBOUR, 1, kind=DocumentKind.ORDER_CONFIRMATION, erp_order=ErpOrderNumber("SO-1"))
    )
    world.cycle()
    confirmation = (HARBOUR, DocumentKind.ORDER_CONFIRMATION, DocumentNumber("D-1"))
    assert world.store.shown_documents([HARBOUR])[confirmation].web_order is None
    world.store.place_order(harbour_order(1))
    world.import_orders()
    reads = world.files.reads
    world.run("documents")
    assert world.store.shown_documents([HARBOUR])[confirmation].web_order == world.entry(1).order_id
    assert world.files.reads == reads


@pytest.mark.rule("TL-7", "WA-9", "MI-2")
@pytest.mark.parametrize("file", [None, b"MZ a program"])
def test_link_is_right_also_where_the_file_is_not_to_be_had(
    world: World, file: bytes | None
) -> None:
    imported(world)
    world.run("documents")
    before = shown(world)
    world.erp.add_document(a_paper(HARBOUR, 1, erp_order=world.entry(1).erp_order))
    if file is None:
        world.files.drop("papers/1.pdf")
    else:
        world.files.put("papers/1.pdf", file)
    world.run("documents")
    after = shown(world)
    assert after.web_order == world.entry(1).order_id
    assert (after.version, after.content) == (before.version, before.content)
    writes = world.store.writes
    world.run("documents")
    assert world.store.writes == writes


@pytest.mark.rule("TL-7", "OP-1")
@pytest.mark.parametrize("point", ["store.publish_document", "files.read_file.next"])
@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_process_that_dies_over_a_document_leaves_no_half_of_it(
    make_world: MakeWorld, point: str, when: str
) -> None:
    world = make_world()
    world.script = Script()
    getattr(world.script, when)(point)
    with pytest.raises(Crash):
        world.run("documents")
    papers = world.store.shown_documents(BOTH).values()
    assert all(content(world, document) for document in papers)
    held = {each.content.sha256 for each in papers if each.content}
    assert set(world.store.contents) == held
    world.new_process()
    world.script = None
    assert world.run("documents").outcome == "ok"
    assert len(world.store.shown_documents(BOTH)) == 2


def test_the_fake_counts_what_it_is_asked(world: World) -> None:
    assert isinstance(world.files, MemoryFiles)
    world.run("documents")
    assert (world.files.stamps, world.files.reads) == (2, 2)


# Files that the ERP gives out itself.


@pytest.fixture
def own(world: World) -> World:
    """The ERP gives out the files of each account."""
    for owner, number in ((HARBOUR, 1), (MILL, 2), (RETAIL, 3)):
        world.erp.add_document(a_paper(owner, number), a.PDF.replace(b"Catalog", owner_mark(owner)))
    return world


def run_alone(world: World) -> FlowResult:
    """The flow where the settings name no place of files at all."""
    return run_flow(dataclasses.replace(world.context(), files=None), "documents")


def owner_mark(owner: CustomerId) -> bytes:
    return f"Paper of {owner}".encode()


@pytest.mark.rule("TL-7", "WA-8")
def test_files_of_the_erp_itself_need_no_place_of_files(own: World) -> None:
    result = run_alone(own)

    assert (result.outcome, result.counts) == ("ok", {"added": 2})
    assert {key[0] for key in own.store.shown_documents(BOTH)} == {HARBOUR, MILL}
    for owner in (HARBOUR, MILL):
        assert owner_mark(owner) in content(own, shown(own, owner))
    assert len(own.store.contents) == 2


@pytest.mark.rule("TL-7", "MI-2")
def test_file_of_the_erp_is_read_when_its_version_is_another_and_at_no_other_time(
    own: World,
) -> None:
    run_alone(own)
    reads, writes = own.erp.document_reads, own.store.writes
    assert run_alone(own).counts == {"unchanged": 2}
    assert (own.erp.document_reads, own.store.writes) == (reads, writes)

    own.erp.add_document(a_paper(MILL, 2), PNG)

    assert run_alone(own).counts == {"changed": 1, "unchanged": 1}
    assert own.erp.document_reads == reads + 1
    assert content(own, shown(own, MILL)) == PNG


@pytest.mark.rule("TL-7")
@pytest.mark.parametrize("file", [b"", b"<office:document>", a.PDF[:-8], b"%PDF-" + b" " * 2**21])
def test_file_of_the_erp_that_is_no_whole_paper_costs_its_own_document_only(
    own: World, file: bytes
) -> None:
    run_alone(own)
    before = shown(own)
    own.erp.add_document(a_paper(HARBOUR, 1), file)
    own.erp.add_document(a_paper(MILL, 9), PNG)

    result = run_alone(own)

    assert (result.outcome, result.counts["refused_by_store"]) == ("failed", 1)
    assert "D-1" in result.message
    assert shown(own) == before
    assert content(own, before)
    assert len(own.store.shown_documents([MILL])) == 2


@pytest.mark.rule("TL-7")
def test_documents_without_a_place_of_files_are_told_beside_those_of_the_erp(own: World) -> None:
    own.erp.add_document(a_paper(MILL, 8))

    result = run_alone(own)

    assert result.counts == {"added": 2, "documents_refused": 1}
    assert "the settings name none" in result.remarks[-1]
    assert "Write a system of kind files" in result.remarks[-1]


@pytest.mark.rule("TL-7")
def test_document_that_moves_from_a_place_of_files_into_the_erp_is_read_there(
    world: World,
) -> None:
    world.run("documents")
    world.erp.add_document(a_paper(HARBOUR, 1), PNG)

    assert world.run("documents").counts == {"changed": 1, "unchanged": 1}

    assert content(world, shown(world)) == PNG
    world.erp.add_document(a_paper(HARBOUR, 1))
    assert world.run("documents").counts == {"changed": 1, "unchanged": 1}
    assert content(world, shown(world)) == a.PDF.replace(b"Catalog", b"Paper 1")
