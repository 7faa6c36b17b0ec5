"""What people do at the two sides of the sample after the first cycle.

The warehouse ships, the shop gives money back and carries out captures, the credit
department opens an account and suspends another, a company and an employee leave.
Each deed is done once and looks at what is there: played again, nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import Connection, create_engine, delete, insert, select, update

from sync.domain.ids import CustomerId, WebOrderNumber
from sync.sample import erp_schema as erp
from sync.sample.back_office import ship
from sync.sample.customers import trade
from sync.sample.directory import employee, organisation_of, shopper
from sync.stores.embedded import schema as store
from sync.stores.embedded.spelling import decimal_text, moment_text

SHIPPED_WHOLE = WebOrderNumber("W-50102")
SHIPPED_IN_PART = WebOrderNumber("W-50104")
"""Both with an authorised card: of the second all lines but the last have left."""
REFUNDED = WebOrderNumber("W-50103")
REFUND = Decimal("120.00")
"""Paid by card, of which the shop gives a part back: it is credited in the ERP."""

ACCOUNT_OPENED = CustomerId("C00005")
"""So far a customer of the counter; the credit department gives them terms."""
BECOMES_WHOLESALE = shopper(5)
LOSES_ITS_ACCOUNT = trade(36)
"""Its organisation is assigned by the store's attribute, which the shop's staff take out."""
SUSPENDED = trade(27)
EMPLOYEE_LEAVES = employee(trade(28), 2)


def people_act(erp_url: str, store_url: str, day: date) -> list[str]:
    """Whatever of it is still to be done; a sentence for each deed."""
    with _written(erp_url) as connection:
        done = [*_shipped(connection, day), *_credit_department(connection)]
    with _written(store_url) as connection:
        return [*done, *_given_back(connection), *_shop_staff(connection)]


def carry_out_captures(store_url: str) -> list[str]:
    """The shop's payment provider captures what the daemon asked for."""
    done = []
    asked = store.order_captures
    with _written(store_url) as connection:
        wanted = select(asked).where(asked.c.state == "requested").order_by(asked.c.asked_at)
        for row in connection.execute(wanted).mappings().all():
            key = asked.c.capture_key == row["capture_key"]
            connection.execute(update(asked).where(key).values(state="captured"))
            number = _settled(connection, row["order_id"])
            done.append(f"The shop captured {row['amount']} {row['currency']} of {number}.")
    return done


def _settled(connection: Connection, order_id: str) -> str:
    """The payment is captured once all of it is. Gives the order's number."""
    orders, asked, payments = store.orders, store.order_captures, store.order_payments
    order = connection.execute(select(orders).where(orders.c.order_id == order_id)).mappings().one()
    amounts = select(asked.c.amount).where(
        asked.c.order_id == order_id, asked.c.state == "captured"
    )
    if sum(map(Decimal, connection.execute(amounts).scalars())) == Decimal(order["total"]):
        of_order = payments.c.order_id == order_id
        connection.execute(update(payments).where(of_order).values(state="captured"))
        _touch(connection, order_id)
    return str(order["number"])


def _shipped(connection: Connection, day: date) -> Iterator[str]:
    orders = erp.sales_order
    for number, whole in ((SHIPPED_WHOLE, True), (SHIPPED_IN_PART, False)):
        wanted = select(orders).where(
            orders.c.web_order_no == number.value, orders.c.status == "NEW"
        )
        order = connection.execute(wanted).mappings().first()
        if order is not None:
            ship(connection, order, day, whole=whole)
            yield f"The warehouse shipped {'all' if whole else 'a part'} of {number}."


def _credit_department(connection: Connection) -> Iterator[str]:
    customers = erp.customer
    for customer_id, before, after, said in (
        (
            ACCOUNT_OPENED,
            {"customer_class": "CONSUMER"},
            {"customer_class": "TRADE", "terms_code": "NET30"},
            f"The credit department opened an account for customer {ACCOUNT_OPENED}.",
        ),
        (
            SUSPENDED,
            {"status": "A"},
            {"status": "S"},
            f"The credit department suspended customer {SUSPENDED}.",
        ),
    ):
        where = [customers.c[name] == value for name, value in before.items()]
        which = update(customers).where(customers.c.customer_no == customer_id.value, *where)
        if connection.execute(which.values(changed_at=_now(), **after)).rowcount:
            yield said


def _given_back(connection: Connection) -> Iterator[str]:
    """Of an order that the daemon has imported, and nothing was given back of so far."""
    orders, imports, refunds = store.orders, store.order_imports, store.order_refunds
    imported = select(imports.c.order_id).where(imports.c.state == "processed")
    given = select(refunds.c.order_id)
    wanted = select(orders.c.order_id).where(
        orders.c.number == REFUNDED.value,
        orders.c.order_id.in_(imported),
        orders.c.order_id.not_in(given),
    )
    order_id = connection.execute(wanted).scalar()
    if order_id is None:
        return
    row = {
        "order_id": order_id,
        "position": 0,
        "refund_id": "R-1",
        "amount": decimal_text(REFUND),
        "refunded_at": moment_text(datetime.now(UTC)),
    }
    connection.execute(insert(refunds), [row])
    _touch(connection, order_id)
    yield f"The shop gave back {REFUND} of {REFUNDED}."


def _shop_staff(connection: Connection) -> Iterator[str]:
    users, organisations = store.web_users, store.organisations
    member = store.memberships
    became = connection.execute(
        update(users)
        .where(users.c.web_user == BECOMES_WHOLESALE.value, users.c.staff_customer_id.is_(None))
        .values(staff_customer_id=ACCOUNT_OPENED.value)
    )
    if became.rowcount:
        yield f"The shop's staff assigned user {BECOMES_WHOLESALE} to it."
    left = organisation_of(LOSES_ITS_ACCOUNT)
    lost = connection.execute(
        update(organisations)
        .where(
            organisations.c.organisation == left.value,
            organisations.c.staff_customer_id == LOSES_ITS_ACCOUNT.value,
        )
        .values(staff_customer_id=None)
    )
    if lost.rowcount:
        yield f"They took customer {LOSES_ITS_ACCOUNT} away from organisation {left}."
    gone = connection.execute(delete(member).where(member.c.web_user == EMPLOYEE_LEAVES.value))
    if gone.rowcount:
        yield f"Employee {EMPLOYEE_LEAVES} left their company."


def _touch(connection: Connection, order_id: str) -> None:
    orders = store.orders
    now = moment_text(datetime.now(UTC))
    connection.execute(update(orders).where(orders.c.order_id == order_id).values(modified_at=now))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def _written(url: str) -> Iterator[Connection]:
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
