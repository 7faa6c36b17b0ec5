"""What an order file holds, what an answer means, and what a person is told."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from erp_adapters.sql.file_drop.checking import DropCheck
from erp_adapters.sql.file_drop.names import AnswerName, FileName
from erp_adapters.sql.file_drop.rendering import Renderer
from erp_adapters.sql.profile_model import Profile
from sync.domain.ids import ErpOrderNumber, IdempotencyKey
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.errors import AccessDenied, Misconfigured, OutcomeUnknown, Rejected, TryLater
from sync.kit.disk import Disk, translated
from sync.kit.key_names import safe_name
from sync.ports.erp import Finding, FindingLevel
from sync.testing import builders as a
from tests.unit.sql.file_drop_kit import (
    IN,
    OUT,
    REFUSED,
    ROOT,
    SENT,
    Importer,
    MemoryDisk,
    Site,
    drop_of,
    order,
    profile,
    rows,
)

STEM = safe_name(a.KEY)
ANSWER = OUT / f"SO_{STEM}.log"
PENDING = OrderStatus(ErpOrderState.RECEIVED)
Made = Callable[..., Profile]


@pytest.fixture
def quay(tmp_path: Path) -> Profile:
    return profile(tmp_path)


@pytest.fixture
def site(quay: Profile) -> Site:
    return Site(quay, MemoryDisk())


def status(site: Site, key: IdempotencyKey = a.KEY) -> OrderStatus | None:
    return dict(site.outbox.statuses([key])).get(key)


def answered(site: Site, text: str | bytes) -> None:
    site.disk.put(ANSWER, text.encode("cp1252") if isinstance(text, str) else text)


# What the files hold.


@pytest.mark.rule("WA-14")
def test_an_order_is_written_column_by_column(site: Site) -> None:
    lines = (
        a.a_sales_line(unit_price=a.money("9.9900")),
        a.a_sales_line(number=2, quantity=Decimal("2.125"), unit_price=a.money("0.0001")),
    )
    site.send(order(lines=lines, po_number="PO 4711/A", ordered_on=date(2025, 3, 9), notes="Ring."))

    files = site.disk.in_folder(IN)
    assert files.keys() == {f"SOH_{STEM}.txt", f"SOL_{STEM}.txt"}
    [header] = rows(files[f"SOH_{STEM}.txt"])
    total = str(order().total.amount).replace(".", ",")
    assert header == [
        *(a.KEY.value, "C-1001", "MAIN", "PO 4711/A", "03092025", "N", "", total, "Ring.")
    ]
    assert rows(files[f"SOL_{STEM}.txt"]) == [
        [a.KEY.value, "1", "BOLT-M8", "10", "EA", "9,9900"],
        [a.KEY.value, "2", "BOLT-M8", "2,125", "EA", "0,0001"],
    ]


@pytest.mark.rule("OI-9")
def test_line_breaks_become_spaces_only_where_the_profile_says_so(tmp_path: Path) -> None:
    wanted = order(notes="Ring twice.\nDog\tbites.")
    spaced = Site(profile(tmp_path), MemoryDisk())
    spaced.send(wanted)
    [header] = rows(spaced.disk.in_folder(IN)[f"SOH_{STEM}.txt"])
    assert header[-1] == "Ring twice. Dog bites."

    kept = profile(tmp_path, ("white_space: space", "white_space: keep"))
    with pytest.raises(Rejected, match=r"order\.notes cannot be kept in notes") as refused:
        Renderer(kept, drop_of(kept)).render(wanted, a.KEY)
    assert refused.value.code == "erp_value"


@pytest.mark.rule("OI-9")
def test_quoted_values_keep_separators_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'say "5, please"\nand ring\n'
    quoted = profile(
        tmp_path,
        ("separator: tab, quoting: never, white_space: space", "separator: comma, encoding: utf-8"),
    )
    files = Renderer(quoted, drop_of(quoted)).render(order(notes=text), a.KEY)

    content = files[-1].content.decode("utf-8")
    assert '"say ""5, please""\nand ring"' in content
    assert content.endswith("\r\n")


@pytest.mark.rule("OI-9")
def test_a_letter_that_the_encoding_lacks_refuses_the_order(site: Site) -> None:
    with pytest.raises(Rejected, match="cp1252 has no 'Ł'"):
        site.send(order(po_number="Łódź"))

    assert site.disk.in_folder(IN) == {}


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("text", ["a\x1ab", "a\x00b"], ids=["end of file", "nul"])
def test_control_characters_never_reach_the_erp(site: Site, text: str) -> None:
    with pytest.raises(Rejected, match="control character"):
        site.send(order(po_number=text))


@pytest.mark.rule("OI-1")
def test_what_no_file_has_a_place_for_is_refused_and_named(site: Site) -> None:
    with pytest.raises(Rejected, match=r"no place for order\.ship_via") as refused:
        site.send(order(ship_via="UPS"))

    assert refused.value.code == "erp_cannot_keep"


@pytest.mark.rule("OI-1")
def test_file_names_tell_keys_apart_on_any_share() -> None:
    keys = ["shop-1", "shop-10", "Shop-1", "shop/1", "shop_1", "shop:1", "shop 1", "x" * 200]
    names = [FileName("SO_{key}.txt").of(safe_name(IdempotencyKey(key))) for key in keys]

    assert len({name.lower() for name in names}) == len(keys)
    assert names[0] == "SO_shop-1.txt"
    assert all(len(name) < 100 and not set(name) & set('/\\:*?"<>| ') for name in names)


@pytest.mark.rule("OI-1")
def test_the_answer_to_order_ten_is_none_to_order_one() -> None:
    name = AnswerName("SO_{key}.*")

    assert name.stem("SO_shop-10.log") == "shop-10"
    assert name.stem("so_SHOP-1.LOG.bak") == "shop-1"
    assert name.stem("SO_shop-1") is None
    for unclear in ("SO_{key}*", "*{key}.log", "{key}_*.log"):
        with pytest.raises(ValueError, match="cannot tell where"):
            AnswerName(unclear)
    assert AnswerName("{key}_????.log").stem("shop-1_0303.log") == "shop-1"


# What an answer means.


@pytest.mark.rule("WA-14")
def test_silence_is_an_order_on_its_way_and_never_sent_again(site: Site) -> None:
    site.send(order())
    site.disk.files = {path: held for path, held in site.disk.files.items() if path.parent != IN}

    held = site.find()
    assert held is not None
    assert (held.number, held.refusal, held.line_count) == (None, None, 1)
    assert status(site) == PENDING
    assert site.send(order()) == held
    assert site.disk.in_folder(IN) == {}


@pytest.mark.rule("WA-14", "WA-13")
def test_the_number_is_read_from_the_answer(site: Site) -> None:
    site.send(order())
    answered(site, "Import of 3 March\r\nOrder 1000456 created\r\n")

    held = site.find()
    assert held is not None
    assert held.number == ErpOrderNumber("1000456")
    assert held.differences(order()) == ()
    assert status(site) == OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("1000456"))


@pytest.mark.rule("WA-14", "WA-13")
def test_a_refusal_is_told_in_the_erps_own_words(site: Site) -> None:
    site.send(order())
    answered(site, "ERROR: ship-to 12 is  not valid\r\nERROR: no open drawer\r\n")

    held = site.find()
    assert held is not None
    assert held.refusal == "ship-to 12 is not valid no open drawer"
    assert status(site) == OrderStatus(ErpOrderState.REFUSED, message=held.refusal)


@pytest.mark.rule("WA-13", "OI-2")
def test_a_refused_order_is_sent_again_and_the_first_try_is_kept(site: Site) -> None:
    erp = Importer(site.disk, refusing="customer is inactive")
    site.send(order())
    erp.run()
    erp.refusing = ""

    assert site.send(order(po_number="PO 2")) is None
    aside = site.disk.in_folder(REFUSED)
    assert aside.keys() == {f"SO_{STEM}.log.1", f"{STEM}.json.1"}
    assert status(site) == PENDING
    erp.run()
    assert status(site) == OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("SO-1"))


@pytest.mark.rule("WA-13", "OI-2")
def test_files_that_the_erp_left_lying_when_it_refused_are_put_aside_too(site: Site) -> None:
    for _ in range(2):
        site.send(order())
        answered(site, "ERROR: no\r\n")
    site.send(order())

    aside = site.disk.in_folder(REFUSED)
    assert {name.rsplit(".", 1)[1] for name in aside} == {"1", "2"}
    assert len(aside) == 8, "two headers, lines, records and answers"


@pytest.mark.rule("WA-14")
def test_an_answer_half_written_is_none_yet(site: Site) -> None:
    site.send(order())
    for text in (b"", b"Order 10004", b"Order 1000456 created"):
        answered(site, text)
        assert status(site) == PENDING
    answered(site, b"Order 1000456 created\n")

    assert status(site) == OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("1000456"))


@pytest.mark.rule("WA-14")
def test_an_answer_that_grows_while_it_is_read_is_none_yet(site: Site) -> None:
    site.send(order())
    answered(site, "ERROR: the first of many\r\n")
    reading = site.disk.read

    def growing(path: Path) -> bytes:
        content = reading(path)
        if path == ANSWER:
            answered(site, content + b"Order 1 created\r\n")
        return content

    site.disk.read = growing  # type: ignore[method-assign]

    assert status(site) == PENDING


@pytest.mark.rule("WA-14")
def test_an_answer_without_a_last_line_end_counts_once_it_rests(tmp_path: Path) -> None:
    change = (
        "- file_name: SO_{key}.log",
        "- file_name: SO_{key}.log\n          whole_when: settled",
    )
    site = Site(profile(tmp_path, change), MemoryDisk())
    site.send(order())
    answered(site, "Order 10004")
    assert status(site) == PENDING
    site.later(seconds=4)
    answered(site, "Order 1000456 created")
    assert status(site) == PENDING
    site.later(seconds=4)
    assert status(site) == PENDING
    site.later(seconds=1)

    assert status(site) == OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("1000456"))


@pytest.mark.rule("WA-14")
@pytest.mark.parametrize(
    "content",
    [b"Order \x81\x8d created\r\n", b"three ducks\r\n"],
    ids=["wrong encoding", "says neither"],
)
def test_an_answer_that_nobody_understands_leaves_the_outcome_unknown(
    site: Site, content: bytes
) -> None:
    site.send(order())
    answered(site, content)

    with capture_logs() as logs:
        told = [status(site), status(site)]

    assert (
        told
        == [OrderStatus(ErpOrderState.RECEIVED, message="The ERP's answer is not readable.")] * 2
    )
    assert [each["event"] for each in logs] == ["order.answer_unreadable"]
    held = site.find()
    assert held is not None
    assert (held.number, held.refusal) == (None, None)
    assert site.send(order()) == held


@pytest.mark.rule("WA-14")
def test_an_order_taken_after_a_refusal_is_in_the_erp(site: Site) -> None:
    site.send(order())
    answered(site, "ERROR: locked, will try again\r\nOrder 77 created\r\n")

    assert status(site) == OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("77"))


@pytest.mark.rule("WA-14", "OI-1")
def test_two_numbers_for_one_order_are_reported(site: Site) -> None:
    site.send(order())
    answered(site, "Order 77 created\r\nOrder 77 created\r\nOrder 78 created\r\n")

    with capture_logs() as logs:
        told = status(site)

    assert told is not None
    assert told.number == ErpOrderNumber("77")
    assert told.message == "The ERP answered with several order numbers: 77, 78."
    assert [each["event"] for each in logs] == ["order.answered_twice"]


@pytest.mark.rule("WA-14")
def test_an_overdue_answer_is_reported_once_and_may_still_come(site: Site) -> None:
    site.send(order())
    site.later(seconds=3599)
    assert status(site) == PENDING
    site.later(seconds=1)

    with capture_logs() as logs:
        told = [status(site), status(site)]

    overdue = OrderStatus(
        ErpOrderState.RECEIVED, message="The ERP has not answered since 2025-03-03 08:30 UTC."
    )
    assert told == [overdue, overdue]
    assert [(each["event"], each["key"]) for each in logs] == [
        ("order.answer_overdue", a.KEY.value)
    ]
    answered(site, "Order 77 created\r\n")
    assert status(site) == OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("77"))


@pytest.mark.rule("WA-14")
def test_answers_to_orders_of_others_are_reported_and_left_alone(site: Site) -> None:
    site.disk.put(OUT / "SO_desk-9.log", b"Order 9 created\r\n")
    site.disk.put(OUT / "readme.txt", b"\r\n")

    with capture_logs() as logs:
        assert status(site) is None
        assert status(site) is None

    assert [(each["event"], each["files"]) for each in logs] == [
        ("order.answer_unknown", ["SO_desk-9.log"])
    ]
    assert len(site.disk.in_folder(OUT)) == 2


def test_a_damaged_record_holds_up_its_own_order_alone(site: Site) -> None:
    other = IdempotencyKey("shop-2")
    site.send(order())
    site.send(order(), other)
    site.disk.put(SENT / "shop-2.json", b'{"key": "shop')

    with pytest.raises(Rejected, match="it is damaged"):
        site.find(other)
    with capture_logs() as logs:
        told = dict(site.outbox.statuses([other, a.KEY]))
    assert told == {a.KEY: PENDING}
    assert [each["event"] for each in logs] == ["order.record_unreadable"]


@pytest.mark.rule("OI-1")
def test_a_file_in_the_folder_of_the_processed_ones_is_an_order_that_the_erp_has(
    tmp_path: Path,
) -> None:
    change = ("refused: refused}", "refused: refused, processed: done}")
    disk = MemoryDisk()
    disk.folders.add(ROOT / "done")
    disk.put(ROOT / "done" / f"SOH_{STEM}.txt", b"taken long ago\r\n")
    site = Site(profile(tmp_path, change), disk)

    held = site.send(order())

    assert held is not None
    assert disk.in_folder(IN) == {}


@pytest.mark.rule("WA-14")
def test_answers_in_columns(tmp_path: Path) -> None:
    text = """\
        - file_name: RES_{key}.txt
          columns: [status, number, text]
          taken: {status: [OK, WARN]}
          refused: {status: ERR}
          order_number: number
          message: text
"""
    before = """\
        - file_name: SO_{key}.log
          taken: '^Order (?P<order_number>\\S+) created'
          refused: '^ERROR: (?P<message>.*)'
"""
    site = Site(profile(tmp_path, (before, text)), MemoryDisk())
    site.send(order())
    answer = OUT / f"RES_{STEM}.txt"
    for content, state in (
        (b"WARN\tA-1\tprice differs\r\n", ErpOrderState.OPEN),
        (b"ERR\t\tno such item\r\n", ErpOrderState.REFUSED),
        (b"HUH\t\t\r\n", ErpOrderState.RECEIVED),
        (b"OK\tA-1\r\n", ErpOrderState.RECEIVED),
    ):
        site.disk.put(answer, content)
        told = status(site)
        assert told is not None
        assert told.state is state, content


# When the share is gone, and what the check finds.


@pytest.mark.rule("WA-14", "OI-1")
@pytest.mark.parametrize("gone", [IN, OUT, SENT], ids=lambda path: str(path.name))
def test_a_share_that_vanished_is_no_order_that_was_never_sent(site: Site, gone: Path) -> None:
    site.send(order())
    kept = dict(site.disk.files)
    site.disk.folders.discard(gone)
    site.disk.files = {path: held for path, held in kept.items() if path.parent != gone}

    for ask in (site.find, lambda: site.send(order()), lambda: status(site)):
        with pytest.raises(TryLater, match=f"{gone}: .*is the share mounted"):
            ask()

    assert not [path for path in site.disk.files if path.parent == gone]


@pytest.mark.rule("WA-14")
@pytest.mark.parametrize(
    "code, hidden, visible",
    [
        (errno.ENOSPC, TryLater, OutcomeUnknown),
        (errno.ESTALE, TryLater, OutcomeUnknown),
        (errno.ETIMEDOUT, TryLater, OutcomeUnknown),
        (errno.ENOENT, TryLater, OutcomeUnknown),
        (errno.EACCES, AccessDenied, AccessDenied),
        (errno.EROFS, AccessDenied, AccessDenied),
        (errno.EXDEV, Misconfigured, Misconfigured),
    ],
)
def test_what_the_disk_says_names_the_folder(
    code: int, hidden: type[Exception], visible: type[Exception]
) -> None:
    for raised, seen in ((hidden, False), (visible, True)):
        with (
            pytest.raises(raised, match="writing order 7 in /share/in") as caught,
            translated("writing order 7", IN, visible=seen),
        ):
            raise OSError(code, "no")
        assert isinstance(caught.value.__cause__, OSError)


def test_an_error_that_nobody_knows_surfaces_as_it_came() -> None:
    with pytest.raises(OSError, match="no idea"), translated("writing", IN, visible=True):
        raise OSError(errno.EDOM, "no idea")


def on_disk(tmp_path: Path, **changes: Any) -> tuple[DropCheck, Path]:
    """The check of a drop whose folders are really there."""
    share = tmp_path / "share"
    for name in ("in", "out", "sent", "refused"):
        (share / name).mkdir(parents=True)
    made = profile(tmp_path)
    return DropCheck(made, drop_of(made), share, changes.get("files", Disk())), share


def levels(findings: list[Finding]) -> dict[str, FindingLevel]:
    return {each.subject: each.level for each in findings}


@pytest.mark.rule("WA-14")
def test_a_check_tries_every_folder_and_leaves_nothing_behind(tmp_path: Path) -> None:
    check, share = on_disk(tmp_path)

    found = list(check.findings())

    assert [each for each in found if each.level is FindingLevel.ERROR] == []
    assert {f"folder {name}" for name in ("import", "answers", "sent", "refused")} <= levels(
        found
    ).keys()
    assert [path for path in share.rglob("*") if path.is_file()] == []


@pytest.mark.rule("WA-14")
def test_a_check_names_the_folder_that_is_missing(tmp_path: Path) -> None:
    check, share = on_disk(tmp_path)
    (share / "refused").rmdir()

    found = list(check.findings())

    assert levels(found)["folder refused"] is FindingLevel.ERROR
    assert not (share / "refused").exists(), "a folder is never made: a share may be missing"


class Stubborn(Disk):
    """A disk on which one folder lets nobody write, or lies on a file system of its own."""

    def __init__(self, folder: str, code: int, *, renames: bool = False) -> None:
        self.folder, self.code, self.renames = folder, code, renames

    def write(self, path: Path, content: bytes) -> None:
        super().write(path, content[: len(content) // 2] if self._here(path) else content)
        if self._here(path):
            raise OSError(self.code, "no")

    def rename(self, source: Path, target: Path) -> None:
        if self.renames and source.parent.name == self.folder:
            raise OSError(self.code, "no")
        super().rename(source, target)

    def _here(self, path: Path) -> bool:
        return not self.renames and path.parent.name == self.folder


@pytest.mark.rule("WA-14")
@pytest.mark.parametrize(
    "disk, subject",
    [
        (Stubborn("in", errno.EACCES), "folder import"),
        (Stubborn("in", errno.ENOSPC), "folder import"),
        (Stubborn("out", errno.EXDEV, renames=True), "folder answers"),
    ],
    ids=["no right", "no room", "two file systems"],
)
def test_a_check_finds_what_would_stop_an_order(tmp_path: Path, disk: Disk, subject: str) -> None:
    check, share = on_disk(tmp_path, files=disk)

    found = levels(list(check.findings()))

    assert [name for name, level in found.items() if level is FindingLevel.ERROR] == [subject]
    assert [path for path in share.rglob("*") if path.is_file()] == []


@pytest.mark.rule("WA-14")
def test_a_check_tells_of_silence_strangers_and_interrupted_attempts(site: Site) -> None:
    site.send(order())
    site.later(hours=2)
    site.disk.put(OUT / "SO_desk-9.log", b"Order 9 created\r\n")
    site.disk.put(IN / ".SOH_shop-3.txt.part", b"half")
    site.disk.files[SENT / f"{STEM}.json"] = (
        site.disk.files[SENT / f"{STEM}.json"][0],
        int(site.at.timestamp() * 1e9),
    )
    check = DropCheck(site.profile, drop_of(site.profile), ROOT, site.disk)

    def told(unknown: bool) -> list[str]:
        return [each.message for each in check.waiting(site.outbox, site.box, lambda _key: unknown)]

    assert told(True) == [
        "no answer yet to 1 orders, the oldest of 2025-03-03 08:30 UTC: shop/order-1",
        "answers to orders that were not sent from here: desk-9",
        "hidden files of attempts that did not end: .SOH_shop-3.txt.part",
    ]
    # What the ERP's database knows has been answered by it.
    assert len(told(False)) == 2


def test_little_room_is_a_warning(site: Site) -> None:
    site.disk.room = 1000
    check = DropCheck(site.profile, drop_of(site.profile), ROOT, site.disk)

    assert levels(list(check.findings()))["folder import"] is FindingLevel.WARNING


# What a profile may say.


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("number_follows: true", "number_follows: false", "say number_follows: true"),
        ("refused: refused}", "refused: in}", "refused is the same folder as import"),
        ("sent: sent, ", "", "folders has no sent"),
        ("separator: tab", "separator: tabs", "separator is one character, or tab, comma"),
        ("separator: tab", "separator: comma", "must be a character of its own"),
        ("quoting: never", "quoting: seldom", "no quoting 'seldom'"),
        ("quoting: never", "encoding: iso-8859-15", "say text_encoding"),
        ("SOL_{key}.txt", "SOH_{key}.txt", "has the file name of file"),
        ("SOL_{key}.txt", "SOL.txt", "has {key} in it, once"),
        ("SOL_{key}.txt", "../{key}.txt", "none of / "),
        ("picked_up_as: SO*.txt", "picked_up_as: '*'", "half-written"),
        ("picked_up_as: SO*.txt", "picked_up_as: '*.csv'", "does not see"),
        ("quote, spare, total", "quote, quote, total", "has the column 'quote' twice"),
        ("{quote: N}", "{quite: N}", "has no column 'quite'; did you mean 'quote'?"),
        ("{quote: N}", "{po: N}", "'po' is bound and constant"),
        ("customer: order.sold_to, ", "", "no file binds order.sold_to"),
        ("item: line.sku, ", "", "no file binds line.sku"),
        ("SO_{key}.log", "SO_{key}*.log", "cannot tell where {key} ends"),
        ("(?P<message>.*)", "(?P<mesage>.*)", "a group 'mesage'"),
        ("(?P<message>.*)", "(?P<message>.*", "no regular expression"),
        ("answers: out, ", "", "stands in no folder"),
        ("order.terms, ", "order.terms, order.notes, ", "order.notes is bound, and listed"),
    ],
)
def test_a_profile_that_could_not_work_is_refused_with_the_reason(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        profile(tmp_path, (old, new))

    assert any(told in each for each in refused.value.problems), refused.value.problems


def test_the_last_file_must_be_there_for_every_order(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="the last file lets the ERP begin"):
        profile(
            tmp_path,
            ("columns: [set, customer", "for_each: flags\n          columns: [set, customer"),
        )
