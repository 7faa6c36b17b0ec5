"""An ERP that is known by CSV files alone keeps the contract of every ERP."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.csv_folder.adapter import CsvFolderAdapter
from erp_adapters.csv_folder.layout import OPTIONAL, SHEETS
from erp_adapters.csv_folder.settings import Settings
from sync.domain.ids import CustomerId, IdempotencyKey
from sync.domain.sales_order import ErpOrderState
from sync.errors import Conflict, Misconfigured, OutcomeUnknown, Rejected, TryLater
from sync.kit.disk import Disk
from sync.ports.erp import (
    Erp,
    FindingLevel,
    FindsContacts,
    FindsOrders,
    ReadsInvoices,
    ReadsOrderStatus,
    ReadsPrices,
    SubmitsOrders,
)
from sync.testing import builders as a
from sync.testing.erp_contract import ErpAdapterContract, arrange_customer, arrange_items
from sync.testing.erp_world import OrderRows
from tests.contract.csv_folder_world import CsvWorld

OPTIONS = {"folder": "share", "time_zone": "Europe/Amsterdam"}
ONE = OrderRows(headers=1, lines=1)
NONE = OrderRows(headers=0, lines=0)


def adapter(base: Path, **options: object) -> Any:
    return CsvFolderAdapter.from_settings({**OPTIONS, **options}, {}, base)


@pytest.fixture
def world(tmp_path: Path) -> CsvWorld:
    world = CsvWorld(tmp_path / "share")
    arrange_customer(world)
    arrange_items(world)
    return world


@pytest.mark.rule("WA-14", "OI-1", "MI-1", "WA-6")
class TestCsvFolder(ErpAdapterContract):
    foresees = ("long_street",)

    @pytest.fixture
    def erp_world(self, tmp_path: Path) -> CsvWorld:
        return CsvWorld(tmp_path / "share")

    @pytest.fixture
    def erp(self, erp_world: CsvWorld, tmp_path: Path) -> Iterator[Erp]:
        erp: Erp = adapter(tmp_path)
        yield erp
        erp.close()


def test_what_the_erp_does_not_export_the_adapter_does_not_claim(tmp_path: Path) -> None:
    whole, bare = adapter(tmp_path), adapter(tmp_path, without=list(OPTIONAL))

    assert isinstance(whole, ReadsPrices)
    assert not isinstance(bare, ReadsPrices)
    assert isinstance(whole, ReadsInvoices)
    assert not isinstance(bare, ReadsInvoices)
    assert isinstance(whole, FindsContacts)
    assert not isinstance(bare, FindsContacts)
    assert isinstance(bare, SubmitsOrders)
    assert isinstance(bare, FindsOrders)
    assert isinstance(bare, ReadsOrderStatus)


# Files that are not whole, or not there.


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("name", ["customers", "ship_tos", "prices", "order_status"])
def test_a_file_that_is_not_there_is_no_empty_erp(
    tmp_path: Path, world: CsvWorld, name: str
) -> None:
    (world.folder / f"{name}.csv").unlink()
    erp = adapter(tmp_path)

    reads: dict[str, Callable[[], object]] = {
        "customers": lambda: list(erp.customer_ids()),
        "ship_tos": lambda: erp.ship_tos([a.ACCOUNT]),
        "prices": lambda: list(erp.price_scopes()),
        "order_status": lambda: erp.find_order(a.KEY),
    }
    with pytest.raises(TryLater, match=rf"{name}\.csv is not there"):
        reads[name]()


@pytest.mark.rule("MI-3")
def test_a_share_that_is_gone_is_no_empty_erp(tmp_path: Path, world: CsvWorld) -> None:
    erp = adapter(tmp_path)
    world.folder.rename(tmp_path / "unmounted")

    with pytest.raises(TryLater, match="is the share mounted"):
        list(erp.customer_ids())
    with pytest.raises(TryLater):
        erp.submit_order(a.a_sales_order(), a.KEY)


@pytest.mark.rule("MI-3")
def test_a_file_that_is_still_being_written_is_waited_for(tmp_path: Path, world: CsvWorld) -> None:
    path = world.folder / "customers.csv"
    path.write_bytes(path.read_bytes().rstrip())

    with pytest.raises(TryLater, match="still being written"):
        list(adapter(tmp_path).customer_ids())


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "still being written"),
        ("customer_id,name\nC-1,Ada\n", "the column currencies is missing"),
        ("customer_id,name,currencies,tax_exmpt\n", "did you mean tax_exempt"),
        ("customer_id,name,currencies\nC-1,Ada\n", ":2: 2 values, and 3 columns"),
        ("customer_id,name,currencies\nC-1,Ada,EUR,x\n", ":2: 4 values, and 3 columns"),
        ('customer_id,name,currencies\nC-1,"Ada,EUR\n', "unexpected end of data"),
        ("customer_id,name,currencies,name\n", "the column name twice"),
    ],
)
def test_a_file_that_is_not_as_the_layout_says_stops_the_read(
    tmp_path: Path, world: CsvWorld, content: str, told: str
) -> None:
    (world.folder / "customers.csv").write_text(content)

    with pytest.raises((Misconfigured, TryLater), match=told):
        list(adapter(tmp_path).customer_ids())


def test_a_file_in_another_encoding_is_told_and_never_guessed(
    tmp_path: Path, world: CsvWorld
) -> None:
    text = "customer_id,name,currencies\nC-1001,Größe,EUR\n"
    (world.folder / "customers.csv").write_bytes(text.encode("cp1252"))

    with pytest.raises(Misconfigured, match="not utf-8"):
        list(adapter(tmp_path).customer_ids())
    found = adapter(tmp_path, encoding="cp1252").accounts([a.ACCOUNT])
    assert found[a.ACCOUNT].name == "Größe"


def test_a_file_out_of_a_spreadsheet_is_read(tmp_path: Path, world: CsvWorld) -> None:
    text = "\ufeffcurrencies;customer_id;name\r\nEUR;000123;Ada\r\n\r\n"
    (world.folder / "customers.csv").write_text(text, encoding="utf-8", newline="")

    assert list(adapter(tmp_path, separator=";").customer_ids()) == [CustomerId("000123")]


@pytest.mark.parametrize("column, value", [("credit", "maybe"), ("active", "perhaps")])
def test_a_row_that_cannot_be_read_is_left_out_and_told(
    tmp_path: Path, world: CsvWorld, column: str, value: str
) -> None:
    world.add("customers", customer_id="C-7", name="Ada", currencies="EUR", **{column: value})
    erp = adapter(tmp_path)

    found = erp.accounts([a.ACCOUNT, CustomerId("C-7")])

    assert list(found) == [a.ACCOUNT]
    [record] = erp.take_unreadable()
    assert (record.source, record.key, record.field) == ("customers.csv", "C-7", column)
    assert record.customer == CustomerId("C-7")
    assert erp.take_unreadable() == ()


@pytest.mark.rule("MI-1", "WA-2c")
def test_of_a_customer_with_two_rows_that_differ_none_is_believed(
    tmp_path: Path, world: CsvWorld
) -> None:
    for key, name in (("C-7", "Ada"), ("C-7", "Of another company"), ("C-8", "Bo"), ("C-8", "Bo")):
        world.add("customers", customer_id=key, name=name, currencies="EUR")
    erp = adapter(tmp_path)

    assert list(erp.accounts([CustomerId("C-7"), CustomerId("C-8")])) == [CustomerId("C-8")]

    [record] = erp.take_unreadable()
    assert (record.source, record.key, record.customer) == (
        *("customers.csv", "C-7"),
        CustomerId("C-7"),
    )
    assert record.message == "has two rows that differ in name: which of them is right?"
    [found] = [each for each in erp.check() if each.subject == "file customers.csv"]
    assert "2 of 5 rows cannot be understood: line 3 (C-7), has two rows that differ" in (
        found.message
    )


@pytest.mark.rule("WA-8", "MI-6")
def test_lines_of_two_accounts_invoices_of_one_number_are_never_mixed(
    tmp_path: Path, world: CsvWorld
) -> None:
    other = CustomerId("C-2")
    arrange_customer(world, a.an_account(customer_id=other, contacts=()))
    for owner in (a.ACCOUNT, other):
        world.add_invoice(a.an_invoice(sold_to=owner))
    erp = adapter(tmp_path)

    assert not erp.invoices([a.ACCOUNT, other])
    assert {each.customer for each in erp.take_unreadable()} == {a.ACCOUNT, other}
    assert not erp.invoices([other])
    [wrong] = [each for each in erp.check() if each.subject == "file invoices.csv"]
    assert "2 of 2 rows cannot be understood" in wrong.message
    assert "several accounts have an invoice of this number" in wrong.message


@pytest.mark.rule("WA-2", "WA-2c")
def test_a_contact_without_a_readable_account_is_not_taken_for_nobodys(
    tmp_path: Path, world: CsvWorld
) -> None:
    mail = "desk@agency.example"
    world.add("contacts", customer_id=a.ACCOUNT.value, contact_id="P-1", email=mail)
    world.add("contacts", customer_id="", contact_id="P-2", email=mail.upper())
    world.add("contacts", customer_id="", contact_id="P-3", email="other@agency.example")
    erp = adapter(tmp_path)

    with pytest.raises(Rejected, match=r"a contact in contacts\.csv has a customer_id"):
        erp.accounts_by_email(mail)
    assert list(erp.accounts_by_email("third@agency.example")) == []


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("number", ["1,50", "1.234,50", "1e999", "NaN", "Infinity", "ten"])
def test_a_number_is_never_guessed(tmp_path: Path, world: CsvWorld, number: str) -> None:
    world.add(
        "prices",
        level="default",
        sku="BOLT-M8",
        unit="EA",
        currency="EUR",
        min_quantity="1",
        unit_price=number,
    )
    erp = adapter(tmp_path)

    assert list(erp.prices(list(erp.price_scopes()))) == []
    [record] = erp.take_unreadable()
    assert record.field == "unit_price"


def test_a_new_export_is_read_at_the_next_call(tmp_path: Path, world: CsvWorld) -> None:
    erp = adapter(tmp_path)
    assert len(list(erp.customer_ids())) == 1

    world.add_account(a.an_account(customer_id=CustomerId("C-2002")))

    assert len(list(erp.customer_ids())) == 2


# Orders.


@pytest.mark.rule("WA-14", "WA-13")
def test_the_number_comes_with_the_answer_file(tmp_path: Path, world: CsvWorld) -> None:
    erp = adapter(tmp_path)
    assert erp.submit_order(a.a_sales_order(), a.KEY).number is None
    assert erp.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.RECEIVED
    assert erp.find_order(a.KEY).number is None

    assert world.order_rows() == ONE

    held = erp.find_order(a.KEY)
    assert str(held.number) == "SO-1"
    assert held.differences(a.a_sales_order()) == ()
    assert erp.submit_order(a.a_sales_order(), a.KEY).number == held.number
    assert world.order_rows() == ONE


@pytest.mark.rule("WA-14", "OI-1")
def test_an_order_that_was_taken_and_never_answered_is_not_written_again(
    tmp_path: Path, world: CsvWorld
) -> None:
    erp = adapter(tmp_path)
    erp.submit_order(a.a_sales_order(), a.KEY)
    (world.folder / "orders" / next(iter(world.folder.glob("orders/*.csv"))).name).unlink()

    for each in (erp, adapter(tmp_path)):
        assert each.submit_order(a.a_sales_order(), a.KEY).number is None
        assert each.find_order(a.KEY) is not None

    assert list((world.folder / "orders").iterdir()) == []


@pytest.mark.rule("WA-13", "WA-14", "OI-2")
def test_a_refused_order_can_be_sent_again_and_be_refused_again(
    tmp_path: Path, world: CsvWorld
) -> None:
    erp = adapter(tmp_path)
    world.block(a.SKU)
    for attempt in ("PO 1", "PO 2"):
        erp.submit_order(a.a_sales_order(po_number=attempt), a.KEY)
        assert erp.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.RECEIVED
        assert world.order_rows() == NONE
        assert erp.find_order(a.KEY).refusal == f"{a.SKU} is blocked"
        assert erp.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.REFUSED

    world.unblock(a.SKU)
    erp.submit_order(a.a_sales_order(po_number="PO 3"), a.KEY)

    assert world.order_rows() == ONE
    assert erp.find_order(a.KEY).refusal is None
    written = world.written(a.KEY)
    assert written is not None
    assert written.po_number == "PO 3"


@pytest.mark.rule("OI-1")
def test_another_order_under_a_used_key_is_a_conflict(tmp_path: Path, world: CsvWorld) -> None:
    erp = adapter(tmp_path)
    erp.submit_order(a.a_sales_order(), a.KEY)

    with pytest.raises(Conflict, match="differs"):
        erp.submit_order(a.a_sales_order(total=a.money("1.00")), a.KEY)


@pytest.mark.rule("OI-1")
def test_keys_that_differ_in_capitals_are_two_files_on_any_disk(
    tmp_path: Path, world: CsvWorld
) -> None:
    erp = adapter(tmp_path)
    for key in ("shop-ABC", "shop-abc"):
        erp.submit_order(a.a_sales_order(), IdempotencyKey(key))

    names = {path.name.lower() for path in (world.folder / "orders").iterdir()}
    assert len(names) == 2
    assert world.order_rows().headers == 2


def test_what_the_erp_would_stumble_over_is_refused_at_once(
    tmp_path: Path, world: CsvWorld
) -> None:
    world.drop("items", sku=a.SKU.value)

    with pytest.raises(Rejected, match=r"items\.csv has no item BOLT-M8"):
        adapter(tmp_path).submit_order(a.a_sales_order(), a.KEY)

    assert list((world.folder / "orders").iterdir()) == []


class Failing(Disk):
    """Stops at the given call that changes something, before it or after it."""

    def __init__(self, at: int, *, done: bool) -> None:
        self.left = at
        self._done = done

    def _at(self, change: Callable[[], None]) -> None:
        self.left -= 1
        if self.left == 0 and not self._done:
            raise OSError(5, "Input/output error")
        change()
        if self.left == 0:
            raise OSError(5, "Input/output error")

    def write(self, path: Path, content: bytes) -> None:
        self._at(lambda: super(Failing, self).write(path, content))

    def rename(self, source: Path, target: Path) -> None:
        self._at(lambda: super(Failing, self).rename(source, target))

    def remove(self, path: Path) -> None:
        self._at(lambda: super(Failing, self).remove(path))

    def settle(self, folder: Path) -> None:
        self._at(lambda: super(Failing, self).settle(folder))


class Frozen(Disk):
    """Stands still at its ``at``-th change, while ``meanwhile`` happens."""

    def __init__(self, at: int, meanwhile: Callable[[], None]) -> None:
        self.left, self._meanwhile = at, meanwhile

    def _stand_still(self) -> None:
        self.left -= 1
        if self.left == 0:
            self._meanwhile()

    def write(self, path: Path, content: bytes) -> None:
        self._stand_still()
        super().write(path, content)

    def rename(self, source: Path, target: Path) -> None:
        self._stand_still()
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._stand_still()
        super().remove(path)

    def settle(self, folder: Path) -> None:
        self._stand_still()
        super().settle(folder)


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("before", [None, "half done", "refused"])
def test_a_writer_that_froze_shows_no_second_file_when_it_comes_to_life(
    tmp_path: Path, before: str | None
) -> None:
    """Its order was taken over; whoever took it over is told that somebody is at it."""
    frozen = 0
    for at in range(1, 40):
        base = tmp_path / str(at)
        world = CsvWorld(base / "share")
        arrange_customer(world)
        arrange_items(world)
        if before == "refused":
            world.block(a.SKU)
            adapter(base).submit_order(a.a_sales_order(), a.KEY)
            assert world.order_rows() == NONE
            world.unblock(a.SKU)
        elif before == "half done":
            stopping = Failing(7, done=False)
            with pytest.raises((TryLater, OutcomeUnknown)):
                CsvFolderAdapter.build(Settings.read(OPTIONS, {}, base), stopping).submit_order(  # type: ignore[attr-defined]
                    a.a_sales_order(notes="as it was before"), a.KEY
                )
        taken: list[str] = []

        def import_them(orders: Path = world.folder / "orders", taken: list[str] = taken) -> None:
            for path in orders.glob("[!.]*.csv"):
                taken.append(path.name)
                path.unlink()

        def take_over(base: Path = base, import_them: Callable[[], None] = import_them) -> None:
            nonlocal frozen
            frozen += 1
            import_them()
            erp = adapter(base)
            if erp.find_order(a.KEY) is None:
                with pytest.raises(OutcomeUnknown, match="another process"):
                    erp.submit_order(a.a_sales_order(), a.KEY)
                import_them()

        disk = Frozen(at, take_over)
        erp: Any = CsvFolderAdapter.build(Settings.read(OPTIONS, {}, base), disk)
        erp.submit_order(a.a_sales_order(), a.KEY)
        import_them()

        assert len(taken) == 1
        assert adapter(base).find_order(a.KEY) is not None
        if disk.left > 0:
            break
    assert frozen >= 5


class Lockless(Disk):
    @contextmanager
    def alone(self, path: Path) -> Iterator[bool]:
        with super().alone(path):
            yield False


@pytest.mark.rule("OI-1")
def test_a_share_without_locks_is_told_and_nothing_is_claimed_of_it(
    tmp_path: Path, world: CsvWorld
) -> None:
    for learn in ("check", "send"):
        erp: Any = CsvFolderAdapter.build(Settings.read(OPTIONS, {}, tmp_path), Lockless())
        assert erp.capabilities.unique_external_key
        if learn == "check":
            [told] = [each for each in erp.check() if each.subject == "locks"]
            assert told.level is FindingLevel.WARNING
        else:
            erp.submit_order(a.a_sales_order(), a.KEY)
        assert not erp.capabilities.unique_external_key
    sound = adapter(tmp_path)
    assert [each for each in sound.check() if each.subject == "locks"] == []
    assert sound.capabilities.unique_external_key


def test_a_check_while_another_daemon_sends_finds_nothing_wrong(
    tmp_path: Path, world: CsvWorld
) -> None:
    with Disk().alone(world.folder / "sent" / ".tradesync-check.lock") as locked:
        assert locked
        assert [each for each in adapter(tmp_path).check() if each.subject == "locks"] == []


@pytest.mark.rule("OI-1", "OI-2")
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("answered", [False, True], ids=["first", "after a refusal"])
def test_wherever_an_attempt_stops_the_order_is_there_once(
    tmp_path: Path, done: bool, answered: bool
) -> None:
    """The disk fails at each of its changes in turn, and another process goes on."""
    stopped = 0
    for at in range(1, 40):
        base = tmp_path / str(at)
        world = CsvWorld(base / "share")
        arrange_customer(world)
        arrange_items(world)
        if answered:
            world.block(a.SKU)
            adapter(base).submit_order(a.a_sales_order(), a.KEY)
            assert world.order_rows() == NONE
            world.unblock(a.SKU)
        disk = Failing(at, done=done)
        erp: Any = CsvFolderAdapter.build(Settings.read(OPTIONS, {}, base), disk)
        try:
            erp.submit_order(a.a_sales_order(), a.KEY)
        except TryLater:
            stopped += 1
            assert list((world.folder / "orders").glob("[!.]*")) == []
        except OutcomeUnknown:
            stopped += 1

        after = adapter(base)
        found = after.find_order(a.KEY)
        if found is None or found.refusal is not None:
            after.submit_order(a.a_sales_order(), a.KEY)
        assert world.order_rows() == ONE, f"stopped at change {at}"
        after.submit_order(a.a_sales_order(), a.KEY)
        assert world.order_rows() == ONE
        if disk.left > 0:
            break

    assert stopped >= 8


# Settings and check.


@pytest.mark.parametrize("separator", ["|", "\t", "\x1f", "\x01"])
def test_values_can_be_parted_by_a_sign_that_nobody_types(separator: str, tmp_path: Path) -> None:
    options = {"folder": "share", "time_zone": "UTC", "separator": separator}
    assert Settings.read(options, {}, tmp_path).form.separator == separator


@pytest.mark.parametrize(
    "options, told",
    [
        ({"folder": ""}, "folder: empty"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"folders": "x"}, "did you mean folder"),
        ({"without": ["price"]}, "word 1 of the list is none of contacts"),
        ({"without": "prices"}, "not a list of words"),
        ({"separator": ";;"}, "one character"),
        ({"encoding": "klingon"}, "knows no encoding of text"),
        ({"rounding": "up_a_bit"}, "rounding"),
        ({"amount_places": -1}, "whole number"),
    ],
)
def test_options_that_will_not_do_are_told(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(Misconfigured, match=told):
        adapter(tmp_path, **options)


def test_a_check_finds_everything_in_order(tmp_path: Path, world: CsvWorld) -> None:
    before = sorted(world.folder.rglob("*"))

    findings = adapter(tmp_path).check()

    assert {each.level for each in findings} == {FindingLevel.OK}
    assert len(findings) == len(SHEETS) + 3
    assert sorted(world.folder.rglob("*")) == before


def test_a_check_names_every_file_and_folder_that_is_wrong(tmp_path: Path, world: CsvWorld) -> None:
    (world.folder / "prices.csv").unlink()
    (world.folder / "items.csv").write_text("sku\n")
    (world.folder / "sent").rmdir()

    (world.folder / "order_status.csv").unlink()
    (world.folder / "ship_tos.csv").write_text("customer_id")

    wrong = {f.subject: f for f in adapter(tmp_path).check() if f.level is FindingLevel.ERROR}

    files = {"prices", "items", "order_status", "ship_tos"}
    assert wrong.keys() == {*(f"file {name}.csv" for name in files), "folder sent"}
    prices = wrong["file prices.csv"]
    assert prices.message == f"{world.folder / 'prices.csv'} is not there"
    assert "add 'prices' to the option without" in prices.remedy
    assert "every ERP must write it" in wrong["file order_status.csv"].remedy
    assert "README.md lists files and columns" in wrong["file items.csv"].remedy
    assert "rename it" in wrong["file ship_tos.csv"].remedy


FAR_DOWN = 5000


@pytest.mark.parametrize(
    "name, row, told",
    [
        ("customers", {"customer_id": "C-9", "name": "Ada", "credit": "maybe"}, "credit: 'maybe'"),
        ("contacts", {"customer_id": "", "contact_id": "P"}, "customer_id: is missing"),
        ("locations", {"customer_id": "C-9", "location_id": "L"}, "name: is missing"),
        ("ship_tos", {"customer_id": "C-9", "ship_to_id": "1", "name": "Ada"}, "city: is missing"),
        ("bill_tos", {"customer_id": "C-9", "bill_to_id": "1", "name": "Ada"}, "city: is missing"),
        ("items", {"sku": "BOLT", "stock_unit": "EA", "units": "BOX"}, "units: 'BOX'"),
        ("prices", {"level": "default", "sku": "BOLT", "unit": "EA"}, "currency: is missing"),
        ("invoices", {"invoice_number": "9", "currency": "EUR"}, "invoice_number|customer_id"),
        ("invoice_lines", {"invoice_number": "1", "line_number": "one"}, "line_number: 'one'"),
        ("invoice_dues", {"invoice_number": "1", "due_on": "soon"}, "due_on: 'soon'"),
        ("order_status", {"external_key": "k-9", "state": "lost"}, "state: 'lost'"),
        ("order_shipments", {"external_key": "k"}, "shipment_number: is missing"),
        ("order_line_status", {"external_key": "k", "line_number": "1"}, "sku: is missing"),
    ],
    ids=lambda each: each if isinstance(each, str) and each in SHEETS else "",
)
def test_a_check_finds_a_wrong_row_however_far_down_it_stands(
    tmp_path: Path, world: CsvWorld, name: str, row: dict[str, str], told: str
) -> None:
    whole = {"invoice_number": "1", "customer_id": "C-1", "currency": "EUR", "total": "1"}
    world.add("invoices", invoiced_on="2026-03-01", **whole)
    world.add("order_status", external_key="k", state="received")
    path = world.folder / f"{name}.csv"
    good = len(path.read_text(encoding="utf-8").splitlines())
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write("\r\n" * FAR_DOWN)  # empty lines are none of its rows
        csv.DictWriter(file, SHEETS[name].columns, restval="").writerow(row)

    [wrong] = [f for f in adapter(tmp_path).check() if f.level is not FindingLevel.OK]

    assert (wrong.level, wrong.subject) == (FindingLevel.WARNING, f"file {name}.csv")
    assert wrong.message.startswith(f"1 of {good} rows cannot be understood: ")
    assert f"line {good + FAR_DOWN + 1} (" in wrong.message
    assert re.search(told, wrong.message), wrong.message
    assert "left out" in wrong.remedy


def test_a_check_names_the_first_wrong_rows_and_counts_the_others(
    tmp_path: Path, world: CsvWorld
) -> None:
    for number in range(5):
        world.add("contacts", customer_id=a.ACCOUNT.value, contact_id=f" {number}", email="x")
        world.add("contacts", customer_id="", contact_id=f"P{number}", email="x")

    [wrong] = [f for f in adapter(tmp_path).check() if f.level is not FindingLevel.OK]

    assert wrong.message.startswith("5 of 11 rows cannot be understood: line ")
    assert (wrong.message.count("line "), wrong.message.endswith(" and 2 more")) == (3, True)


@pytest.mark.parametrize("way", ["gone", "shut"])
def test_a_check_tells_once_that_the_folder_cannot_be_looked_at(
    tmp_path: Path, world: CsvWorld, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "gone":
        world.folder.rename(tmp_path / "unmounted")
    else:
        monkeypatch.setattr(Disk, "facts", _denied)

    [told] = adapter(tmp_path).check()

    assert (told.level, told.subject) == (FindingLevel.ERROR, "folder")
    assert told.message.startswith(f"{world.folder}: ")
    assert ("mount the share" if way == "gone" else "let the service read") in told.remedy


def _denied(disk: Disk, path: Path) -> None:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_check_names_an_order_that_nobody_answered(tmp_path: Path, world: CsvWorld) -> None:
    erp = adapter(tmp_path)
    erp.submit_order(a.a_sales_order(), a.KEY)
    [record] = (world.folder / "sent").glob("*.csv")
    os.utime(record, (0, 0))

    [silent] = [f for f in erp.check() if f.level is FindingLevel.WARNING]

    assert "1 orders without an answer" in silent.message
