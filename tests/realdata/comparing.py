"""Sales orders read back from an ERP, each as one document, and what differs.

The same statements read the original database and the one that the daemon wrote
to, so that nothing but the data can make a difference. Amounts are exact numbers
of four places, whatever the database made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from tests.realdata.adventureworks_erp import RETAIL_GROUP
from tests.realdata.source import exact

Place = tuple[str, ...]
"""An address on file by its ID, or a one-off address by its parts."""


@dataclass(frozen=True, slots=True)
class Line:
    product: int
    quantity: int
    offer: int
    unit_price: Decimal
    discount_rate: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """A sales order without what the ERP makes up by itself (its numbers and stamps)."""

    account: str
    ordered: str
    due: str
    territory: int
    ship_method: int
    card: int | None
    currency_rate: int | None
    po_number: str | None
    sub_total: Decimal
    tax: Decimal
    freight: Decimal
    total: Decimal
    ship_to: Place
    bill_to: Place
    lines: tuple[Line, ...]


_HEADERS = """
SELECT h.SalesOrderID AS id, {number} AS number, c.AccountNumber AS account,
       h.OrderDate AS ordered, h.DueDate AS due, h.TerritoryID AS territory,
       h.ShipMethodID AS ship_method, h.CreditCardID AS card,
       h.CurrencyRateID AS currency_rate, po.PurchaseOrderNumber AS po_number,
       h.SubTotal AS sub_total, h.TaxAmt AS tax, h.Freight AS freight, h.TotalDue AS total,
       h.ShipToAddressID AS ship_to, h.BillToAddressID AS bill_to,
       CASE WHEN c.StoreID IS NULL THEN 1 ELSE 0 END AS retail
  FROM Sales_SalesOrderHeader h
  JOIN Sales_Customer c ON c.CustomerID = h.CustomerID
  LEFT JOIN Sales_SalesOrderPO po ON po.SalesOrderID = h.SalesOrderID
"""

_LINES = """
SELECT d.SalesOrderID AS id, d.ProductID AS product, d.OrderQty AS quantity,
       d.SpecialOfferID AS offer, d.UnitPrice AS unit_price,
       d.UnitPriceDiscount AS discount_rate
  FROM Sales_SalesOrderDetail d
 ORDER BY d.SalesOrderID, d.SalesOrderDetailID
"""

_ONE_OFF = """
SELECT SalesOrderID AS id, Purpose AS purpose, Name AS name, AddressLine1 AS line1,
       AddressLine2 AS line2, City AS city, StateProvinceCode AS region,
       CountryRegionCode AS country, PostalCode AS postal_code
  FROM Sales_SalesOrderAddress
"""

# What an individual's address is where it is typed: the person, the street, and the
# state's code without the padding that its column has.
_TYPED = """
SELECT h.SalesOrderID AS id,
       p.FirstName || coalesce(' ' || p.MiddleName, '') || ' ' || p.LastName AS name,
       a.AddressLine1 AS line1, a.AddressLine2 AS line2, a.City AS city,
       rtrim(s.StateProvinceCode) AS region, s.CountryRegionCode AS country,
       a.PostalCode AS postal_code
  FROM Sales_SalesOrderHeader h
  JOIN Sales_Customer c ON c.CustomerID = h.CustomerID AND c.StoreID IS NULL
  JOIN Person_Person p ON p.BusinessEntityID = c.PersonID
  JOIN Person_Address a ON a.AddressID = h.ShipToAddressID
  JOIN Person_StateProvince s ON s.StateProvinceID = a.StateProvinceID
"""


def originals(connection: Connection) -> dict[str, Document]:
    """The orders of the untouched database, as they should be after their import.

    Those of individuals lie in the retail group's account, each with its own
    one-off address; the source has ship-to and bill-to equal for all of them.
    """
    typed = {row["id"]: _place(row) for row in _rows(connection, _TYPED)}
    headers = _rows(connection, _HEADERS.format(number="'SO' || h.SalesOrderID"))
    lines = _lines(connection)
    found = {}
    for row in headers:
        if row["retail"]:
            assert row["ship_to"] == row["bill_to"]
            place = typed[row["id"]]
            found[row["number"]] = _document(row, RETAIL_GROUP, place, place, lines)
        else:
            ship_to, bill_to = _on_file(row["ship_to"]), _on_file(row["bill_to"])
            found[row["number"]] = _document(row, row["account"], ship_to, bill_to, lines)
    return found


def imported(connection: Connection) -> dict[str, Document]:
    """The orders that the daemon wrote, by the number that the buyer knows."""
    one_off = {(row["id"], row["purpose"]): _place(row) for row in _rows(connection, _ONE_OFF)}
    lines = _lines(connection)
    found = {}
    for row in _rows(connection, _HEADERS.format(number="h.WebOrderNumber")):
        ship_to = one_off.get((row["id"], "S")) or _on_file(row["ship_to"])
        bill_to = one_off.get((row["id"], "B")) or _on_file(row["bill_to"])
        assert row["number"] not in found, f"{row['number']} was written twice"
        found[row["number"]] = _document(row, row["account"], ship_to, bill_to, lines)
    return found


def differences(wanted: Mapping[str, Document], found: Mapping[str, Document]) -> list[str]:
    """In sentences, order by order and field by field; empty where both are the same."""
    told = [f"{number} is not in the ERP" for number in sorted(wanted.keys() - found.keys())]
    told += [f"{number} is in the ERP too much" for number in sorted(found.keys() - wanted.keys())]
    for number in sorted(wanted.keys() & found.keys()):
        for field in fields(Document):
            before, after = getattr(wanted[number], field.name), getattr(found[number], field.name)
            if before != after:
                told.append(f"{number}: {field.name} is {after!r}, not {before!r}")
    return told


def _document(
    row: Mapping[str, Any],
    account: str,
    ship_to: Place,
    bill_to: Place,
    lines: Mapping[int, list[Line]],
) -> Document:
    return Document(
        account=account,
        ordered=str(row["ordered"]),
        due=str(row["due"]),
        territory=row["territory"],
        ship_method=row["ship_method"],
        card=row["card"],
        currency_rate=row["currency_rate"],
        po_number=row["po_number"],
        sub_total=_amount(row["sub_total"]),
        tax=_amount(row["tax"]),
        freight=_amount(row["freight"]),
        total=_amount(row["total"]),
        ship_to=ship_to,
        bill_to=bill_to,
        lines=tuple(lines.get(row["id"], ())),
    )


def _lines(connection: Connection) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = {}
    for row in _rows(connection, _LINES):
        line = Line(
            row["product"],
            row["quantity"],
            row["offer"],
            _amount(row["unit_price"]),
            _amount(row["discount_rate"]),
        )
        found.setdefault(row["id"], []).append(line)
    return found


def _rows(connection: Connection, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.exec_driver_sql(sql).mappings()]


def _place(row: Mapping[str, Any]) -> Place:
    parts = ("name", "line1", "line2", "city", "region", "country", "postal_code")
    return tuple(row[part] or "" for part in parts)


def _on_file(address: int | None) -> Place:
    return ("on file", str(address))


def _amount(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else exact(value)
