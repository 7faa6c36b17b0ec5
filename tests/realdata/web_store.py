"""AdventureWorks seen from the other side: its orders as a web store would have them.

Every header becomes a web order and every line of it a line; nothing is repaired.
Individuals bought on the channel ``web``, signed in, and typed where the goods go.
Stores bought on the channel ``trade``: their contact, for their organisation, to
an address that the ERP keeps. What could not be turned into an order is counted
and told, never dropped silently.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from sync.domain.address import TypedAddress
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.ids import (
    BillToId,
    ChannelId,
    CustomerId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.money import Money, total
from sync.domain.order import (
    Adjustment,
    Buyer,
    Charge,
    ChargeKind,
    LineDiscount,
    Membership,
    OrderLine,
    OrderState,
    Organisation,
    Payment,
    PaymentState,
    SelectedBillTo,
    SelectedShipTo,
    Tax,
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
from tests.realdata.adventureworks_erp import RETAIL_GROUP
from tests.realdata.source import exact, opened

WEB, TRADE = ChannelId("web"), ChannelId("trade")
PAID_SOMEHOW = "unrecorded"
"""The payment method of orders whose source has no card: the store knows that they
were paid, and not how."""

_SHIP_METHODS = {1: "truck-ground", 5: "cargo-transport"}

_HEADERS = """
SELECT h.*, c.StoreID, c.PersonID, e.EmailAddress, po.PurchaseOrderNumber,
       coalesce(r.ToCurrencyCode, 'USD') AS Currency,
       p.FirstName, p.MiddleName, p.LastName,
       a.AddressLine1, a.AddressLine2, a.City, a.PostalCode,
       s.StateProvinceCode, s.CountryRegionCode
  FROM Sales_SalesOrderHeader h
  JOIN Sales_Customer c ON c.CustomerID = h.CustomerID
  JOIN Person_Address a ON a.AddressID = h.ShipToAddressID
  JOIN Person_StateProvince s ON s.StateProvinceID = a.StateProvinceID
  LEFT JOIN Sales_CurrencyRate r ON r.CurrencyRateID = h.CurrencyRateID
  LEFT JOIN Sales_SalesOrderPO po ON po.SalesOrderID = h.SalesOrderID
  LEFT JOIN Person_Person p ON p.BusinessEntityID = c.PersonID
  LEFT JOIN Person_EmailAddress e ON e.BusinessEntityID = c.PersonID
 ORDER BY h.SalesOrderID
"""

_LINES = """
SELECT d.*, p.ProductNumber
  FROM Sales_SalesOrderDetail d
  JOIN Production_Product p ON p.ProductID = d.ProductID
 ORDER BY d.SalesOrderID, d.SalesOrderDetailID
"""

_USERS = """
SELECT e.BusinessEntityID AS id, e.EmailAddress AS email, p.FirstName, p.MiddleName, p.LastName
  FROM Person_EmailAddress e
  LEFT JOIN Person_Person p ON p.BusinessEntityID = e.BusinessEntityID
 ORDER BY e.BusinessEntityID
"""

_MEMBERS = """
SELECT PersonID AS person, StoreID AS store FROM Sales_Customer
 WHERE StoreID IS NOT NULL AND PersonID IS NOT NULL
UNION
SELECT c.PersonID, c.BusinessEntityID FROM Person_BusinessEntityContact c
  JOIN Sales_Store s ON s.BusinessEntityID = c.BusinessEntityID
ORDER BY 1, 2
"""

# Where a store has two customer IDs, the one with a person is the one that orders.
_ACCOUNTS = """
SELECT StoreID AS store, AccountNumber AS account, count(*) OVER (PARTITION BY StoreID) AS ids,
       row_number() OVER (PARTITION BY StoreID ORDER BY PersonID IS NULL, CustomerID) AS place
  FROM Sales_Customer
 WHERE StoreID IS NOT NULL
 ORDER BY StoreID
"""


@dataclass(frozen=True, slots=True)
class WebStore:
    """What the web store knows. ``without_header`` are lines that are part of no order.

    ``sources`` leads from a web order to the SalesOrderID that it was made from;
    ``nameless`` are orders of persons whom the source does not have, and
    ``second_ids`` stores that have another customer ID besides the one that orders.
    """

    users: tuple[WebUser, ...]
    emails: Mapping[WebUserId, str]
    names: Mapping[WebUserId, str]
    organisations: tuple[Organisation, ...]
    accounts: Mapping[OrganisationId, CustomerId]
    orders: tuple[WebOrder, ...]
    sources: Mapping[WebOrderId, int]
    nameless: tuple[WebOrderNumber, ...]
    without_header: tuple[tuple[int, int], ...]
    second_ids: int = 0


def read_web_store(path: Path) -> WebStore:
    """Turn the original database into a web store's records."""
    with opened(path) as database:
        lines: dict[int, list[sqlite3.Row]] = {}
        for row in database.execute(_LINES):
            lines.setdefault(row["SalesOrderID"], []).append(row)
        orders, sources, nameless = [], {}, []
        for header in database.execute(_HEADERS):
            order = _order(header, lines.pop(header["SalesOrderID"]))
            orders.append(order)
            sources[order.order_id] = header["SalesOrderID"]
            if _name(header) is None:
                nameless.append(order.number)
        members: dict[int, list[Membership]] = {}
        for row in database.execute(_MEMBERS):
            place = Membership(OrganisationId(str(row["store"])))
            members.setdefault(row["person"], []).append(place)
        people = database.execute(_USERS).fetchall()
        accounts = database.execute(_ACCOUNTS).fetchall()
        stores = database.execute("SELECT BusinessEntityID, Name FROM Sales_Store").fetchall()
    return WebStore(
        users=tuple(
            WebUser(WebUserId(str(row["id"])), tuple(members.get(row["id"], ()))) for row in people
        ),
        emails={WebUserId(str(row["id"])): row["email"] for row in people},
        names={WebUserId(str(row["id"])): name for row in people if (name := _name(row))},
        organisations=tuple(
            Organisation(OrganisationId(str(row["BusinessEntityID"])), row["Name"].strip())
            for row in stores
        ),
        accounts={
            OrganisationId(str(row["store"])): CustomerId(row["account"])
            for row in accounts
            if row["place"] == 1
        },
        orders=tuple(orders),
        sources=sources,
        nameless=tuple(nameless),
        without_header=tuple(
            (number, row["SalesOrderDetailID"]) for number in sorted(lines) for row in lines[number]
        ),
        second_ids=sum(row["place"] == 2 for row in accounts),
    )


def open_shop(store: WebStore, file: Path) -> None:
    """Write the store's own side into a fresh embedded store."""
    url = URL.create("sqlite", database=str(file))
    create_store(url)
    engine = writing_engine(url)
    try:
        with engine.begin() as connection:
            add_channel(connection, WEB, CommerceMode.HYBRID)
            add_channel(connection, TRADE, CommerceMode.B2B, login_wall=LoginWall.LOGIN_REQUIRED)
            add_organisations(connection, store.organisations)
            add_users(connection, store.users, emails=store.emails, names=store.names)
            place_orders(connection, store.orders)
    finally:
        engine.dispose()


def customers_csv(store: WebStore) -> str:
    """The assignments that an administrator would keep: each store's own customer ID."""
    rows = [f"{store.accounts[key]},{key}" for key in sorted(store.accounts)]
    return "\n".join(("customer_id,organisation", *rows, ""))


def _order(header: sqlite3.Row, lines: list[sqlite3.Row]) -> WebOrder:
    currency = header["Currency"]
    placed = datetime.fromisoformat(header["OrderDate"]).replace(tzinfo=UTC)
    retail = header["StoreID"] is None
    made = tuple(_line(row, currency) for row in lines)
    goods = total((line.net for line in made), currency)
    # The ERP keeps four places of the sum, and a discounted line has more.
    rounding = Money(exact(header["SubTotal"]), currency) - goods
    named = (Adjustment("rounding", rounding),) if rounding.amount else ()
    person = WebUserId(str(header["PersonID"]))
    return WebOrder(
        order_id=WebOrderId(header["rowguid"]),
        number=WebOrderNumber(f"SO{header['SalesOrderID']}"),
        channel=WEB if retail else TRADE,
        placed_at=placed,
        modified_at=placed,
        state=OrderState.AWAITING_FULFILMENT,
        buyer=Buyer(
            web_user=person,
            signed_in=True,
            organisation=None if retail else OrganisationId(str(header["StoreID"])),
            email=header["EmailAddress"],
        ),
        currency=currency,
        lines=made,
        total=Money(exact(header["TotalDue"]), currency),
        ship_to=_typed(header) if retail else SelectedShipTo(_ship_to(header)),
        bill_to=_typed(header) if retail else SelectedBillTo(_bill_to(header)),
        charges=(Charge(ChargeKind.FREIGHT, "freight", Money(exact(header["Freight"]), currency)),),
        taxes=(Tax("sales-tax", Money(exact(header["TaxAmt"]), currency)),),
        adjustments=named,
        payments=(_payment(header, retail),),
        priced_for=CustomerId(RETAIL_GROUP) if retail else None,
        po_number=header["PurchaseOrderNumber"],
        requested_date=date.fromisoformat(header["DueDate"][:10]),
        ship_via=_SHIP_METHODS[header["ShipMethodID"]],
    )


def _line(row: sqlite3.Row, currency: str) -> OrderLine:
    quantity, price = Decimal(row["OrderQty"]), Money(exact(row["UnitPrice"]), currency)
    rate = exact(row["UnitPriceDiscount"])
    off = price.times(quantity).times(rate)
    return OrderLine(
        line_id=str(row["SalesOrderDetailID"]),
        sku=Sku(row["ProductNumber"]),
        quantity=quantity,
        unit="piece",
        unit_price=price,
        discounts=(LineDiscount(str(row["SpecialOfferID"]), off, rate),) if rate else (),
    )


def _payment(header: sqlite3.Row, retail: bool) -> Payment:
    card = header["CreditCardID"]
    if card is not None:
        return Payment("card", PaymentState.CAPTURED, reference=str(card))
    if retail:
        return Payment(PAID_SOMEHOW, PaymentState.CAPTURED)
    return Payment("on-account")


def _typed(header: sqlite3.Row) -> TypedAddress:
    """What the shopper typed. Without a person there is only the e-mail address to go by."""
    second = header["AddressLine2"]
    return TypedAddress(
        name=_name(header) or header["EmailAddress"],
        lines=(header["AddressLine1"], second) if second else (header["AddressLine1"],),
        city=header["City"],
        country=header["CountryRegionCode"],
        postal_code=header["PostalCode"],
        region=header["StateProvinceCode"],
    )


def _name(row: sqlite3.Row) -> str | None:
    parts: list[Any] = [row["FirstName"], row["MiddleName"], row["LastName"]]
    return " ".join(part for part in parts if part) or None


def _ship_to(header: sqlite3.Row) -> ShipToId:
    return ShipToId(str(header["ShipToAddressID"]))


def _bill_to(header: sqlite3.Row) -> BillToId:
    return BillToId(str(header["BillToAddressID"]))
