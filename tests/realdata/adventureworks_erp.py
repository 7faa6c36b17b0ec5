"""An AdventureWorks without the orders, made ready to take them from a web store.

The database as it comes has no external key, no account for retail buyers and no
place for an address that belongs to one order only. A site that connects it adds
them, and so does this: what is added here is what the shipped profile asks for.
"""

from __future__ import annotations

from pathlib import Path

from tests.realdata.source import opened

RETAIL_GROUP = "AW00099999"

_ADDED = """
ALTER TABLE Sales_SalesOrderHeader ADD COLUMN ExternalKey NVARCHAR;
ALTER TABLE Sales_SalesOrderHeader ADD COLUMN WebOrderNumber NVARCHAR;
ALTER TABLE Sales_SalesOrderHeader ADD COLUMN Comment NVARCHAR;
CREATE UNIQUE INDEX ux_Sales_SalesOrderHeader_ExternalKey
    ON Sales_SalesOrderHeader (ExternalKey);
CREATE TABLE Sales_SalesOrderAddress (
    SalesOrderID INTEGER, Purpose NVARCHAR, Name NVARCHAR, AddressLine1 NVARCHAR,
    AddressLine2 NVARCHAR, City NVARCHAR, StateProvinceCode NVARCHAR,
    CountryRegionCode NVARCHAR, PostalCode NVARCHAR, PRIMARY KEY (SalesOrderID, Purpose));
INSERT INTO Sales_Customer (CustomerID, AccountNumber) VALUES (99999, 'AW00099999');
"""

# Lines without a header stay: they are no orders, and nobody may touch them.
_WITHOUT_ORDERS = """
DELETE FROM Sales_SalesOrderDetail
 WHERE SalesOrderID IN (SELECT SalesOrderID FROM Sales_SalesOrderHeader);
DELETE FROM Sales_SalesOrderPO;
DELETE FROM Sales_SalesOrderHeader;
"""


def prepare(path: Path) -> None:
    """Take the orders out and add what web orders need."""
    with opened(path) as database:
        # As anybody would who writes to SQLite while others read.
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_WITHOUT_ORDERS + _ADDED)


def ship_everything(path: Path) -> int:
    """What the warehouse does a week after the order. Answers how many were shipped."""
    with opened(path) as database:
        return database.execute(
            "UPDATE Sales_SalesOrderHeader SET Status = 5, ModifiedDate = CURRENT_TIMESTAMP,"
            " ShipDate = datetime(OrderDate, '+7 days') WHERE Status = 1"
        ).rowcount
