"""A Northwind whose open orders are still in the shop, and that shop.

The 809 shipped orders stay in the ERP: they are its invoices, and the places they
went to are its ship-tos. The 21 open ones become web orders of their customers'
organisations, each with one buyer.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import URL

from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.ids import (
    BillToId,
    ChannelId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.money import Money, total
from sync.domain.order import (
    Buyer,
    Charge,
    ChargeKind,
    LineDiscount,
    Membership,
    OrderLine,
    OrderState,
    Organisation,
    Payment,
    SelectedBillTo,
    SelectedShipTo,
    WebOrder,
    WebUser,
)
from sync.stores.embedded.engine import create_store, writing_engine
from sync.stores.embedded.writing import (
    add_channel,
    add_organisations,
    add_users,
    place_orders,
)
from tests.realdata.source import copy_of, exact, opened

SITE = Path(__file__).parent / "northwind_site"
TRADE = ChannelId("trade")
_SHIP_METHODS = {1: "speedy", 2: "united", 3: "federal"}

_PREPARED = """
CREATE TABLE Waiting AS SELECT * FROM Orders WHERE ShippedDate IS NULL;
DELETE FROM Order_Details WHERE OrderID IN (SELECT OrderID FROM Waiting);
DELETE FROM Orders WHERE OrderID IN (SELECT OrderID FROM Waiting);
DROP TABLE Waiting;
ALTER TABLE Orders ADD COLUMN ExternalKey NVARCHAR;
ALTER TABLE Orders ADD COLUMN Remarks NVARCHAR;
CREATE UNIQUE INDEX ux_Orders_ExternalKey ON Orders (ExternalKey);
"""

_OPEN = "SELECT * FROM Orders WHERE ShippedDate IS NULL ORDER BY OrderID"

# The place is on file under the first shipped order that went there. NULL and NULL
# are the same here: 19 orders have no postal code, 507 no region.
_ON_FILE = """
SELECT MIN(f.OrderID) FROM Orders f, Orders o
 WHERE o.OrderID = ? AND f.CustomerID = o.CustomerID AND f.ShippedDate IS NOT NULL
   AND f.ShipName = o.ShipName AND f.ShipAddress = o.ShipAddress AND f.ShipCity = o.ShipCity
   AND f.ShipRegion IS o.ShipRegion AND f.ShipPostalCode IS o.ShipPostalCode
   AND f.ShipCountry = o.ShipCountry
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A site on Northwind, ready for its first cycle. ``sources``: web order -> OrderID."""

    root: Path
    erp: Path
    shop: Path
    orders: tuple[WebOrder, ...]
    sources: Mapping[WebOrderNumber, int]


def make_site(original: Path, root: Path) -> Site:
    """The ERP without its open orders, the shop with them, and the mapping of all accounts."""
    shutil.copytree(SITE, root)
    erp, shop = root / "var" / "erp.sqlite", root / "var" / "store.sqlite"
    with opened(copy_of(original, erp)) as database:
        database.executescript(_PREPARED)
    with opened(original) as database:
        customers = database.execute("SELECT * FROM Customers ORDER BY CustomerID").fetchall()
        orders = tuple(_order(database, row) for row in database.execute(_OPEN).fetchall())
    rows = [f"{row['CustomerID']},{row['CustomerID']}" for row in customers]
    assigned = "\n".join(("customer_id,organisation", *rows, ""))
    (root / "mappings" / "customers.csv").write_text(assigned, encoding="utf-8")
    _open_shop(shop, customers, orders)
    return Site(
        root, erp, shop, orders, {order.number: int(order.order_id.value) for order in orders}
    )


def _open_shop(file: Path, customers: list[sqlite3.Row], orders: tuple[WebOrder, ...]) -> None:
    url = URL.create("sqlite", database=str(file))
    create_store(url)
    engine = writing_engine(url)
    try:
        with engine.begin() as connection:
            add_channel(connection, TRADE, CommerceMode.B2B, login_wall=LoginWall.LOGIN_REQUIRED)
            add_organisations(
                connection,
                [
                    Organisation(OrganisationId(row["CustomerID"]), row["CompanyName"])
                    for row in customers
                ],
            )
            add_users(
                connection,
                [
                    WebUser(
                        _buyer(row["CustomerID"]), (Membership(OrganisationId(row["CustomerID"])),)
                    )
                    for row in customers
                ],
            )
            place_orders(connection, orders)
    finally:
        engine.dispose()


def _buyer(customer: str) -> WebUserId:
    return WebUserId(f"buyer-of-{customer}")


def _order(database: sqlite3.Connection, header: sqlite3.Row) -> WebOrder:
    number, customer = header["OrderID"], header["CustomerID"]
    lines = tuple(
        _line(row)
        for row in database.execute(
            "SELECT * FROM Order_Details WHERE OrderID = ? ORDER BY ProductID", [number]
        )
    )
    freight = Money(exact(header["Freight"]), "USD")
    placed = datetime.fromisoformat(header["OrderDate"]).replace(tzinfo=UTC)
    place = database.execute(_ON_FILE, [number]).fetchone()[0]
    return WebOrder(
        order_id=WebOrderId(str(number)),
        number=WebOrderNumber(f"W-{number}"),
        channel=TRADE,
        placed_at=placed,
        modified_at=placed,
        state=OrderState.AWAITING_FULFILMENT,
        buyer=Buyer(_buyer(customer), True, OrganisationId(customer)),
        currency="USD",
        lines=lines,
        total=total((line.net for line in lines), "USD") + freight,
        ship_to=SelectedShipTo(ShipToId(str(place))),
        bill_to=SelectedBillTo(BillToId(customer)),
        charges=(Charge(ChargeKind.FREIGHT, "freight", freight),),
        payments=(Payment("on-account"),),
        requested_date=date.fromisoformat(header["RequiredDate"]),
        ship_via=_SHIP_METHODS[header["ShipVia"]],
    )


def _line(row: sqlite3.Row) -> OrderLine:
    quantity, price = Decimal(row["Quantity"]), Money(exact(row["UnitPrice"]), "USD")
    rate = exact(row["Discount"])
    off = price.times(quantity).times(rate)
    return OrderLine(
        line_id=str(row["ProductID"]),
        sku=Sku(str(row["ProductID"])),
        quantity=quantity,
        unit="piece",
        unit_price=price,
        discounts=(LineDiscount("agreed", off, rate),) if rate else (),
    )
