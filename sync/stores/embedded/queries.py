"""What is asked of the database, as rows. Nothing here knows a domain type.

Lists of keys go in chunks, because a statement holds only so many parameters.
The children of a page are fetched by one query per table, never one per row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from sync.stores.embedded import schema

Row = Mapping[str, Any]
T = TypeVar("T")

CHUNK = 500


def chunks(items: Collection[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


# --- Web orders ---


def end_of_feed(connection: Connection) -> tuple[str, str] | None:
    """Time of change and ID of the order that changed last; None without orders."""
    table = schema.orders
    newest = select(table.c.modified_at, table.c.order_id)
    newest = newest.order_by(table.c.modified_at.desc(), table.c.order_id.desc()).limit(1)
    found = connection.execute(newest).first()
    return None if found is None else (found.modified_at, found.order_id)


def orders_between(
    connection: Connection,
    since: str | None,
    after: tuple[str, str] | None,
    until: tuple[str, str],
    limit: int,
) -> list[Row]:
    """The next orders of the feed: at or after ``since``, past ``after``, up to ``until``."""
    table = schema.orders
    wanted = select(table).where(_place_up_to(until))
    if since is not None:
        wanted = wanted.where(table.c.modified_at >= since)
    if after is not None:
        # The first half is implied by the second, and lets the index be used.
        wanted = wanted.where(table.c.modified_at >= after[0], _place_past(after))
    wanted = wanted.order_by(table.c.modified_at, table.c.order_id).limit(limit)
    return rows(connection, wanted)


def order_rows(connection: Connection, order_ids: Collection[str]) -> list[Row]:
    return by_keys(connection, schema.orders, "order_id", order_ids)


def order_ids_numbered(connection: Connection, number: str) -> list[str]:
    table = schema.orders
    wanted = select(table.c.order_id).where(table.c.number == number).order_by(table.c.order_id)
    return list(connection.execute(wanted).scalars())


def order_ids_of_user(connection: Connection, web_user: str) -> list[str]:
    """Orders that name this user, newest first."""
    table = schema.orders
    wanted = select(table.c.order_id).where(table.c.web_user == web_user)
    wanted = wanted.order_by(table.c.placed_at.desc(), table.c.order_id.desc())
    return list(connection.execute(wanted).scalars())


def order_parts(
    connection: Connection, order_ids: Collection[str]
) -> dict[str, dict[str, list[Row]]]:
    """Rows of every part table by order ID and table name, in their own order."""
    found: dict[str, dict[str, list[Row]]] = {order_id: {} for order_id in order_ids}
    for table in schema.ORDER_PARTS:
        for row in by_keys(connection, table, "order_id", order_ids):
            found[row["order_id"]].setdefault(table.name, []).append(row)
    return found


def _place_past(place: tuple[str, str]) -> ColumnElement[bool]:
    table = schema.orders
    return or_(
        table.c.modified_at > place[0],
        and_(table.c.modified_at == place[0], table.c.order_id > place[1]),
    )


def _place_up_to(place: tuple[str, str]) -> ColumnElement[bool]:
    table = schema.orders
    return or_(
        table.c.modified_at < place[0],
        and_(table.c.modified_at == place[0], table.c.order_id <= place[1]),
    )


# --- Keys ---


def key_page(connection: Connection, table: Table, after: str | None, limit: int) -> list[str]:
    """The next keys of a table with a key of one column, ascending."""
    (key,) = table.primary_key.columns
    wanted = select(key).order_by(key).limit(limit)
    if after is not None:
        wanted = wanted.where(key > after)
    return list(connection.execute(wanted).scalars())


def mirrored_customers(connection: Connection) -> list[str]:
    """Customer IDs with anything mirrored under them, also prices and stock to them alone."""
    of_tables = [select(table.c.customer_id) for table in schema.MIRRORED_BY_CUSTOMER]
    starts = starts_of_key(connection, schema.prices, PARTITION[:2])
    priced = {each["audience_key"] for each in starts if each["audience"] == "account"}
    members = schema.shared_price_members
    sharing = select(members.c.audience_key).where(members.c.audience == "account")
    stock = schema.availability
    told = select(stock.c.audience_key).where(stock.c.audience == "account")
    kept = schema.item_audiences
    kept_for = select(kept.c.audience_key).where(kept.c.audience == "account")
    others = connection.execute(union(*of_tables, told, kept_for, sharing)).scalars()
    return sorted(priced.union(others))


def accounts_of(connection: Connection, web_user: str, organisation: str | None) -> list[str]:
    """Accounts that the organisation acts for, or without one the user; by customer ID.

    A user's own exception within an organisation wins over the organisation's account,
    for as long as the user belongs to the organisation. Whoever is barred from that
    account has none.
    """
    members = schema.memberships
    if organisation is not None:
        own = schema.account_exceptions
        excepted = (
            select(own.c.customer_id)
            .join(
                members,
                (members.c.organisation == own.c.organisation)
                & (members.c.web_user == own.c.web_user),
            )
            .where(own.c.web_user == web_user, own.c.organisation == organisation)
        )
        found = sorted(set(connection.execute(excepted).scalars()))
        if found:
            return found
    if organisation is None:
        table = schema.account_users
        wanted = select(table.c.customer_id).where(table.c.web_user == web_user)
    else:
        table, barred = schema.account_organisations, schema.account_barred
        kept_out = (
            select(barred.c.customer_id)
            .where(
                barred.c.customer_id == table.c.customer_id,
                barred.c.organisation == organisation,
                barred.c.web_user == web_user,
            )
            .exists()
        )
        wanted = (
            select(table.c.customer_id)
            .join(members, members.c.organisation == table.c.organisation)
            .where(
                members.c.web_user == web_user,
                members.c.organisation == organisation,
                ~kept_out,
            )
        )
    return sorted(set(connection.execute(wanted).scalars()))


def staff_attributed(connection: Connection, table: Table) -> list[Row]:
    """Users or organisations whose staff-only attribute names an account, by key."""
    wanted = select(table).where(table.c.staff_customer_id.is_not(None))
    return rows(connection, wanted.order_by(*table.primary_key.columns))


def channels(connection: Connection) -> list[Row]:
    return rows(connection, select(schema.channels).order_by(schema.channels.c.channel))


def verified(connection: Connection) -> list[Row]:
    """Users whose e-mail address was verified, by key."""
    users = schema.web_users
    wanted = select(users).where(users.c.email_verified)
    return rows(connection, wanted.order_by(users.c.web_user))


# --- Prices ---

PARTITION = ("audience", "audience_key", "audience_channel", "level", "owner")


PRICE = (
    *("price_list", "sku", "unit", "currency", "min_quantity", "valid_from"),
    *("priority", "warehouse"),
)
"""What tells one row of a partition, or of a shared list, from the next."""


def price_partitions(connection: Connection) -> list[Row]:
    own = starts_of_key(connection, schema.prices, PARTITION)
    members, listed = schema.shared_price_members, schema.shared_price_rows
    filled = select(listed.c.list_id).where(listed.c.list_id == members.c.list_id).exists()
    shared = rows(connection, select(*(members.c[name] for name in PARTITION)).where(filled))
    found = {tuple(row[name] for name in PARTITION): row for row in (*own, *shared)}
    return list(found.values())


def stock_audiences(connection: Connection) -> list[Row]:
    columns = [schema.availability.c[name] for name in PARTITION[:3]]
    return rows(connection, select(*columns).distinct().order_by(*columns))


def stocked_items(connection: Connection, after: str | None, limit: int) -> list[str]:
    """The next items of which a figure is shown, ascending."""
    key = schema.availability.c.sku
    wanted = select(key).distinct().order_by(key).limit(limit)
    if after is not None:
        wanted = wanted.where(key > after)
    return list(connection.execute(wanted).scalars())


def stock_rows(connection: Connection, audience: Row) -> list[Row]:
    table = schema.availability
    wanted = select(table).where(*(table.c[name] == value for name, value in audience.items()))
    return rows(connection, wanted.order_by(table.c.sku, table.c.warehouse))


def price_rows(connection: Connection, partition: Row) -> list[Row]:
    """All that is shown under these columns: own rows, and of shared lists what they leave."""
    prices = schema.prices
    own = select(prices).where(*(prices.c[name] == value for name, value in partition.items()))
    return rows(connection, union_all(own, listed_rows(partition)))


def listed_rows(partition: Row | None = None) -> Select[Any]:
    """Rows of shared lists for each of their members, with the columns of ``prices``.

    Without those that the member has a row of its own instead of, and without its gaps.
    """
    prices, listed, members, gaps = (
        schema.prices,
        schema.shared_price_rows,
        schema.shared_price_members,
        schema.shared_price_gaps,
    )
    columns = {name: members.c[name] for name in PARTITION}
    columns |= {name: listed.c[name] for name in (*PRICE, "unit_price", "valid_until")}
    key = (*PARTITION, *PRICE)
    instead = [prices.c[name] == columns[name] for name in key]
    without = [gaps.c[name] == columns[name] for name in key]
    found = (
        select(*(columns[column.name] for column in prices.columns))
        .select_from(members.join(listed, members.c.list_id == listed.c.list_id))
        .where(~select(prices.c.sku).where(*instead).exists())
        .where(~select(gaps.c.sku).where(*without).exists())
    )
    return found.where(*(columns[name] == value for name, value in (partition or {}).items()))


def withdraw(connection: Connection, customer_id: str) -> int:
    """Remove all that is mirrored under this customer ID; how many rows there were.

    Prices of a site go along where no other account has a site of that key.
    """
    sites = schema.account_locations
    own = select(sites.c.location).where(sites.c.customer_id == customer_id)
    others = select(sites.c.location).where(sites.c.customer_id != customer_id)
    removed = 0
    for table in (schema.prices, schema.shared_price_members, schema.shared_price_gaps):
        of_account = and_(table.c.audience == "account", table.c.audience_key == customer_id)
        of_site = and_(
            table.c.audience == "location",
            table.c.audience_key.in_(own),
            table.c.audience_key.not_in(others),
        )
        removed += connection.execute(delete(table).where(or_(of_account, of_site))).rowcount
    for published in (schema.availability, schema.item_audiences):
        # An item that was kept for this account alone is nobody's then, not everybody's.
        to_account = and_(
            published.c.audience == "account", published.c.audience_key == customer_id
        )
        removed += connection.execute(delete(published).where(to_account)).rowcount
    contents = contents_of(connection, customer_id)
    for table in schema.MIRRORED_BY_CUSTOMER:
        of_table = delete(table).where(table.c.customer_id == customer_id)
        removed += connection.execute(of_table).rowcount
    drop_unused(connection, contents)
    return removed


# --- Contents of documents ---


def contents_of(connection: Connection, customer_id: str) -> set[str]:
    """The SHA-256 of each content that a document of this customer has."""
    table = schema.documents
    wanted = select(table.c.sha256).where(table.c.customer_id == customer_id)
    return set(connection.execute(wanted).scalars())


def content_of(connection: Connection, key: tuple[str, str, str]) -> str | None:
    """The SHA-256 of the content of one document; None where there is no such document."""
    table = schema.documents
    names = ("customer_id", "kind", "number")
    matching = [table.c[name] == value for name, value in zip(names, key, strict=True)]
    return connection.execute(select(table.c.sha256).where(*matching)).scalar()


def content_sizes(connection: Connection, contents: Collection[str]) -> dict[str, int]:
    """How many bytes are held of each of these contents; one of which nothing is there is absent.

    Nothing is read but lengths.
    """
    table = schema.document_pieces
    found: dict[str, int] = {}
    for chunk in chunks(contents):
        wanted = select(table.c.sha256, func.sum(func.length(table.c.content)))
        wanted = wanted.where(table.c.sha256.in_(chunk)).group_by(table.c.sha256)
        found |= {sha256: int(size) for sha256, size in connection.execute(wanted)}
    return found


def content_piece(connection: Connection, sha256: str, position: int) -> bytes | None:
    table = schema.document_pieces
    wanted = select(table.c.content).where(table.c.sha256 == sha256, table.c.position == position)
    return connection.execute(wanted).scalar()


def drop_unused(connection: Connection, contents: Collection[str]) -> None:
    """Remove those of these contents that no document has any more."""
    table = schema.document_pieces
    for chunk in chunks(contents):
        used = select(schema.documents.c.sha256).where(schema.documents.c.sha256.in_(chunk))
        connection.execute(
            delete(table).where(table.c.sha256.in_(chunk), table.c.sha256.not_in(used))
        )


# --- Any table ---


def rows(connection: Connection, statement: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def starts_of_key(connection: Connection, table: Table, names: Sequence[str]) -> list[Row]:
    """Every different start of the table's key, ascending; ``names`` are its first columns.

    On PostgreSQL by a leap from each to the next, so that it costs as much as there are of
    them. DISTINCT reads the whole table, which may have millions of rows. SQLite has no
    subquery that looks at the row beside it, and one that is behind a key reads all of its rows.
    """
    columns = [table.c[name] for name in names]
    if connection.dialect.name == "sqlite":
        return rows(connection, select(*columns).distinct().order_by(*columns))
    first = select(*columns).order_by(*columns).limit(1).subquery()
    found = select(first).cte("found", recursive=True)
    beside = table.alias("other")
    other = [beside.c[name] for name in names]
    behind = tuple_(*other) > tuple_(*found.c)
    after = select(*other).where(behind).order_by(*other).limit(1).lateral("after")
    found = found.union_all(select(after).select_from(found.join(after, true())))
    return rows(connection, select(found).order_by(*found.c))


def by_keys(connection: Connection, table: Table, column: str, keys: Collection[str]) -> list[Row]:
    """Rows whose ``column`` is one of the keys, by primary key within each chunk."""
    found: list[Row] = []
    for chunk in chunks(keys):
        wanted = select(table).where(table.c[column].in_(chunk))
        found += rows(connection, wanted.order_by(*table.primary_key.columns))
    return found


def mirrored_keys(
    connection: Connection, table: Table, column: str, numbers: Collection[str]
) -> list[Row]:
    """The primary keys of rows whose ``column`` is one of the numbers, whosever they are."""
    found: list[Row] = []
    for chunk in chunks(numbers):
        wanted = select(*table.primary_key.columns).where(table.c[column].in_(chunk))
        found += rows(connection, wanted.order_by(*table.primary_key.columns))
    return found


def count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def insert_rows(connection: Connection, table: Table, new: Sequence[Row]) -> None:
    for chunk in chunks(new):
        connection.execute(insert(table), [dict(row) for row in chunk])


def delete_rows(
    connection: Connection, table: Table, columns: Sequence[str], keys: Collection[tuple[Any, ...]]
) -> None:
    """Remove the rows whose ``columns`` hold one of the keys; absent ones do not matter."""
    if not keys:
        return
    matching = [table.c[name] == bindparam(f"key_{name}") for name in columns]
    names = [f"key_{name}" for name in columns]
    connection.execute(
        delete(table).where(*matching),
        [dict(zip(names, key, strict=True)) for key in keys],
    )
