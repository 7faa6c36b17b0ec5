"""The shipped layout for Prophet 21: its columns in their places, and statements that run."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.database import Settings
from erp_adapters.sql.profile import SHIPPED, load_profile
from sync.domain.ids import ContactId, CustomerId, ErpOrderNumber, ShipToId
from sync.domain.sales_order import ErpOrderState, OneOffShipTo, OnFileShipTo, SalesOrder
from sync.errors import Rejected
from sync.ports.erp import FindingLevel
from sync.testing import builders as a

CUSTOMER = CustomerId("100123")

# Only the columns that the statements name; keys are numbers, as there.
TABLES = """
CREATE TABLE customer (customer_id DECIMAL(19,0), company_id TEXT, delete_flag TEXT,
    customer_name TEXT, terms_id TEXT, taxable_flag TEXT, credit_status TEXT,
    so_po_no_required_flag TEXT);
CREATE TABLE contacts (id TEXT, address_id DECIMAL(19,0), email_address TEXT, delete_flag TEXT);
CREATE TABLE ship_to (company_id TEXT, ship_to_id DECIMAL(19,0), customer_id DECIMAL(19,0),
    delete_flag TEXT, taxable_flag TEXT, preferred_location_id DECIMAL(19,0));
CREATE TABLE address (id DECIMAL(19,0), name TEXT, phys_address1 TEXT, phys_address2 TEXT,
    phys_city TEXT, phys_state TEXT, phys_postal_code TEXT, phys_country TEXT,
    central_phone_number TEXT, email_address TEXT);
CREATE TABLE inv_mast (inv_mast_uid INTEGER, item_id TEXT, item_desc TEXT, base_unit TEXT,
    delete_flag TEXT);
CREATE TABLE item_uom (inv_mast_uid INTEGER, unit_of_measure TEXT, unit_size DECIMAL(19,4),
    delete_flag TEXT, selling_unit TEXT);
CREATE TABLE oe_hdr (order_no TEXT, customer_id DECIMAL(19,0), job_name TEXT, delete_flag TEXT,
    cancel_flag TEXT, completed TEXT, approved TEXT, po_no TEXT);
CREATE TABLE oe_line (order_no TEXT, line_no DECIMAL(19,0), inv_mast_uid INTEGER,
    delete_flag TEXT, parent_oe_line_uid INTEGER, qty_ordered DECIMAL(19,9),
    qty_invoiced DECIMAL(19,9), qty_canceled DECIMAL(19,9));
CREATE TABLE oe_pick_ticket (pick_ticket_no DECIMAL(19,0), order_no TEXT, ship_date TEXT,
    tracking_no TEXT, delete_flag TEXT);
INSERT INTO customer VALUES (100123, '1', 'N', 'Harbour Hardware', '30', 'Y', 'GOOD', 'N');
INSERT INTO contacts VALUES ('2001', 100123, 'buying@harbour.example', 'N');
INSERT INTO ship_to VALUES ('1', 100124, 100123, 'N', NULL, 100);
INSERT INTO address VALUES (100124, 'Harbour Hardware', 'Dock Road 7', NULL, 'Portland', 'ME',
    '04101', 'USA', NULL, NULL);
INSERT INTO inv_mast VALUES (7, 'BOLT-M8', 'Bolt M8', 'EA', 'N');
INSERT INTO item_uom VALUES (7, 'BOX', 100, 'N', 'Y');
"""


@pytest.fixture
def share(tmp_path: Path) -> Path:
    for name in ("Import", "Answers", "Tradesync/Sent", "Tradesync/Refused"):
        (tmp_path / "share" / name).mkdir(parents=True)
    return tmp_path / "share"


@pytest.fixture
def erp(tmp_path: Path, share: Path) -> Iterator[Any]:
    """The shipped profile over SQLite, whose SQL it shares."""
    with closing(sqlite3.connect(tmp_path / "p21.db")) as connection:
        connection.executescript(TABLES)
    profile = load_profile(SHIPPED / "prophet21_orders.yaml")
    options = {"url": "sqlite:///p21.db", "profile": "prophet21_orders", "order_folder": "share"}
    made = SqlErpAdapter.build(
        dataclasses.replace(profile, dialects=("sqlite",)), Settings.read(options, {}, tmp_path)
    )
    yield made
    made.close()


def run(tmp_path: Path, sql: str) -> None:
    with closing(sqlite3.connect(tmp_path / "p21.db")) as connection, connection:
        connection.execute(sql)


def order(**changes: Any) -> SalesOrder:
    base = a.a_sales_order(
        sold_to=CUSTOMER, ship_to=OnFileShipTo(ShipToId("100124")), payments=(), terms="30"
    )
    return dataclasses.replace(base, **changes)


def columns_of(share: Path, prefix: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    [path] = (share / "Import").glob(f"{prefix}_*.txt")
    content = path.read_bytes().decode("cp1252")
    assert content.endswith("\r\n")
    rows = [line.split("\t") for line in content.removesuffix("\r\n").split("\r\n")]
    return [dict(zip(names, row, strict=True)) for row in rows]


def layout(name: str) -> tuple[str, ...]:
    files = load_profile(SHIPPED / "prophet21_orders.yaml").files
    assert files is not None
    return next(file.columns for file in files.files if file.name == name)


def test_every_column_stands_in_its_place() -> None:
    header, lines = layout("header"), layout("lines")

    assert (len(header), len(lines)) == (50, 32)
    at = {name: header.index(name) + 1 for name in header}
    assert (at["Import_Set_No"], at["Customer_ID"], at["Job_Name"]) == (1, 2, 10)
    assert (at["Approved"], at["Ship_To_ID"], at["Ship_To_Country"]) == (14, 15, 22)
    assert (at["Terms"], at["Contract_Number"], at["Promise_Date"]) == (29, 42, 50)
    at = {name: lines.index(name) + 1 for name in lines}
    assert (at["Line_No"], at["Item_ID"], at["Unit_Quantity"], at["Unit_Price"]) == (2, 3, 4, 6)
    assert (at["Tax_Item"], at["Manual_Price_Override"], at["Promise_Date"]) == (16, 24, 32)


@pytest.mark.rule("WA-14", "OI-1")
def test_an_order_fills_the_header_and_a_line_each(erp: Any, share: Path) -> None:
    lines = (a.a_sales_line(), a.a_sales_line(number=2, unit="BOX", quantity=Decimal(2)))
    address = a.an_address(name="Ada Visser", lines=("Canal 12", "2nd floor"), region="ME")
    erp.submit_order(
        order(
            lines=lines,
            ship_to=OneOffShipTo(address, under=ShipToId("100124")),
            contact=ContactId("2001"),
            po_number="PO 4711",
            ordered_on=date(2025, 3, 9),
            hold=True,
            notes="Ring twice.\nMind the\tdog.",
        ),
        a.KEY,
    )

    [header] = columns_of(share, "SOH", layout("header"))
    told = columns_of(share, "SOL", layout("lines"))
    expected = {
        "Customer_ID": "100123",
        "Company_ID": "1",
        "Customer_PO_Number": "PO 4711",
        "Contact_ID": "2001",
        "Taker": "WEB",
        "Job_Name": a.KEY.value,
        "Order_Date": "03092025",
        "Requested_Date": "",
        "Quote": "N",
        "Approved": "N",
        "Ship_To_ID": "100124",
        "Ship_To_Name": "Ada Visser",
        "Ship_To_Address_2": "2nd floor",
        "Ship_To_State": "ME",
        "Packing_Basis": "Partial",
        "Delivery_Instructions": "Ring twice. Mind the dog.",
        "Terms": "30",
    }
    assert expected.items() <= header.items()
    assert len(header["Import_Set_No"]) == 8
    assert {line["Import_Set_Number"] for line in told} == {header["Import_Set_No"]}
    assert [(line["Line_No"], line["Item_ID"], line["Unit_of_Measure"]) for line in told] == [
        ("1", "BOLT-M8", "EA"),
        ("2", "BOLT-M8", "BOX"),
    ]
    assert {line["Manual_Price_Override"] for line in told} == {"Y"}


@pytest.mark.rule("OI-1")
def test_what_the_layout_has_no_column_for_is_refused_by_name(erp: Any) -> None:
    with pytest.raises(Rejected, match=r"no place for payment\.amount, payment\.ref"):
        erp.submit_order(order(payments=a.a_retail_sales_order().payments), a.KEY)


@pytest.mark.rule("OI-1", "OI-8")
def test_a_quantity_that_the_import_would_round_is_refused(erp: Any, share: Path) -> None:
    short = a.a_sales_line(quantity=Decimal("1.25"))
    long = a.a_sales_line(quantity=Decimal("1.125"))
    with pytest.raises(Rejected, match=r"line 1: line\.quantity cannot be kept in Unit_Quantity"):
        erp.submit_order(order(lines=(long,)), a.KEY)
    assert not list((share / "Import").iterdir())

    erp.submit_order(order(lines=(short,)), a.KEY)
    [line] = columns_of(share, "SOL", layout("lines"))
    assert line["Unit_Quantity"] == "1.25"


def refuse_in_a_file(erp: Any, share: Path) -> None:
    """The order goes out, and the import answers that it refuses it."""
    erp.submit_order(order(), a.KEY)
    [header] = (share / "Import").glob("SOH_*.txt")
    answer = share / "Answers" / header.with_suffix(".log").name
    answer.write_text("Error: Customer PO number is required\n")


@pytest.mark.rule("WA-14", "WA-13")
def test_the_number_comes_from_the_database_and_the_reason_from_the_answer(
    erp: Any, share: Path, tmp_path: Path
) -> None:
    refuse_in_a_file(erp, share)
    told = erp.order_statuses([a.KEY])[a.KEY]
    assert (told.state, told.message) == (
        ErpOrderState.REFUSED,
        "Customer PO number is required",
    )

    # The staff entered it by hand after all.
    insert = f"INSERT INTO oe_hdr VALUES ('1000456', 100123, '{a.KEY}', 'N', 'N', 'N', 'Y', NULL)"
    run(tmp_path, insert)
    run(tmp_path, "INSERT INTO oe_line VALUES ('1000456', 1, 7, 'N', NULL, 10, 0, 0)")

    told = erp.order_statuses([a.KEY])[a.KEY]
    assert (told.state, told.number) == (ErpOrderState.OPEN, ErpOrderNumber("1000456"))
    held = erp.find_order(a.KEY)
    assert held is not None
    assert (held.number, held.refusal, held.differences(order())) == (
        ErpOrderNumber("1000456"),
        None,
        (),
    )
    assert erp.submit_order(order(), a.KEY).number == ErpOrderNumber("1000456")


@pytest.mark.rule("WA-14", "OI-3")
def test_no_file_says_what_the_database_says_in_two_ways(
    erp: Any, share: Path, tmp_path: Path
) -> None:
    refuse_in_a_file(erp, share)
    for number in ("1000456", "1000457"):
        told = f"('{number}', 100123, '{a.KEY}', 'N', 'N', 'N', 'Y', NULL)"
        run(tmp_path, f"INSERT INTO oe_hdr VALUES {told}")

    assert erp.order_statuses([a.KEY]) == {}

    [record] = erp.take_unreadable()
    assert (record.source, record.key) == ("order_status", a.KEY.value)


def test_its_statements_answer_what_they_should(erp: Any) -> None:
    errors = [each for each in erp.check() if each.level is FindingLevel.ERROR]

    assert errors == []
    account = erp.accounts([CUSTOMER])[CUSTOMER]
    assert (account.terms, account.contacts[0].contact_id) == ("30", ContactId("2001"))
    [ship_to] = erp.ship_tos([CUSTOMER])
    assert (ship_to.ship_to_id, ship_to.address.country) == (ShipToId("100124"), "US")
    assert erp.items([a.SKU])[a.SKU].factor("BOX") == 100
