"""Price lists that accounts share (``sync.ports.price_lists``) in the tables of the store.

What a member is shown is made by ``queries.price_rows``: rows of its own in ``prices``,
and what they and its gaps leave of the list. Whatever is removed from ``prices`` passes
``hide_staged`` or ``hide_keys``, so that no row of a list stays in sight which somebody
took away. A gap costs one row; to leave the list would cost a row for each of the list's.

Needs INSERT and DELETE, as all that is mirrored: a stamp is changed by removing its row
where it still is the expected one, and putting it anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, and_, delete, func, insert, select

from sync.domain.ids import Sku
from sync.domain.pricing import DEFAULT_LIST, Price, PriceKey
from sync.errors import Conflict
from sync.ports.price_lists import ShownList
from sync.ports.price_memory import Partition
from sync.stores.embedded import queries, schema, translate
from sync.stores.embedded.queries import PARTITION, PRICE

if TYPE_CHECKING:
    import pyarrow as pa

    from sync.ports.price_lists import ListRows, SharedChange
    from sync.ports.store import PriceRows

Keys = Mapping[Partition, Collection[tuple[Any, ...]]]

_LISTS, _ROWS, _MEMBERS, _GAPS = (
    schema.shared_price_lists,
    schema.shared_price_rows,
    schema.shared_price_members,
    schema.shared_price_gaps,
)
_GAP = (*PARTITION, *PRICE)


# --- What is there ---


def shown(connection: Connection) -> list[ShownList]:
    counted = select(_ROWS.c.list_id, func.count()).group_by(_ROWS.c.list_id)
    sizes = {list_id: int(size) for list_id, size in connection.execute(counted)}
    members: dict[str, set[Partition]] = {}
    for row in queries.rows(connection, select(_MEMBERS)):
        members.setdefault(row["list_id"], set()).add(_partition(row))
    held = connection.execute(select(_LISTS.c.list_id, _LISTS.c.stamp).order_by(_LISTS.c.list_id))
    return [
        ShownList(list_id, stamp, sizes.get(list_id, 0), frozenset(members.get(list_id, ())))
        for list_id, stamp in held
    ]


def rows_of(connection: Connection, list_id: str) -> pa.Table:
    from sync.columnar.vectors import SCHEMA
    from sync.stores.embedded.price_columns import vector_of_texts

    columns = [_ROWS.c[name] for name in SCHEMA.names]
    return vector_of_texts(connection.execute(select(*columns).where(_ROWS.c.list_id == list_id)))


def own_rows(connection: Connection, list_id: str, items: Collection[Sku]) -> list[PriceRows]:
    from sync.columnar.vectors import vector_of
    from sync.ports.store import PriceRows

    found: dict[Partition, dict[PriceKey, Price]] = {}
    # A row of its own is told before a gap that it covers.
    for table in (schema.prices, _GAPS):
        same = [table.c[name] == _MEMBERS.c[name] for name in PARTITION]
        wanted = select(table).join(_MEMBERS, and_(_MEMBERS.c.list_id == list_id, *same))
        for chunk in queries.chunks(sorted({each.value for each in items})):
            for row in queries.rows(connection, wanted.where(table.c.sku.in_(chunk))):
                price = _price({"unit_price": None, "valid_until": None, **row})
                found.setdefault(_partition(row), {}).setdefault(price.key, price)
    return [PriceRows(*each, vector_of(prices.values())) for each, prices in found.items()]


# --- What is changed, within the transaction of the caller ---


def touch(connection: Connection, partitions: Collection[Partition]) -> None:
    """What these own changes: the lists that they are on get another stamp."""
    if not _any_lists(connection):
        return
    for list_id in sorted(set(_lists_of(connection, partitions).values())):
        _stamped(connection, list_id, uuid.uuid4().hex)


def hide_staged(connection: Connection, changes: Table) -> None:
    """What is laid down to go only, and a list of theirs has, is shown to them no more.

    One statement, whatever their number. ``put`` of ``changes`` is 0 for what only goes.
    """
    of_list = [_ROWS.c[name] == changes.c[name] for name in PRICE]
    found = (
        select(*(changes.c[name] for name in _GAP))
        .distinct()
        .join(_MEMBERS, and_(*(_MEMBERS.c[name] == changes.c[name] for name in PARTITION)))
        .join(_ROWS, and_(_ROWS.c.list_id == _MEMBERS.c.list_id, *of_list))
    )
    there = select(_GAPS.c.sku).where(*(_GAPS.c[name] == changes.c[name] for name in _GAP))
    hidden = found.where(changes.c.put == 0, ~there.exists())
    connection.execute(insert(_GAPS).from_select(list(_GAP), hidden))


def hide_keys(connection: Connection, gone: Keys) -> None:
    """The same of keys as ``queries.PRICE`` names them."""
    lists = _lists_of(connection, gone.keys())
    _hide(connection, {p: _listed(connection, lists[p], gone[p]) for p in lists})


def _hide(connection: Connection, keys: Keys) -> None:
    gaps = [
        (*(_row(partition)[name] for name in PARTITION), *key)
        for partition, some in keys.items()
        for key in sorted(some)
    ]
    queries.delete_rows(connection, _GAPS, _GAP, gaps)
    queries.insert_rows(connection, _GAPS, [dict(zip(_GAP, each, strict=True)) for each in gaps])


def deserted_by(connection: Connection, lists: Collection[str]) -> None:
    """These lists lost a member: those go that have none any more, the others have changed."""
    _drop_deserted(connection, lists)
    for list_id in sorted(lists):
        _stamped(connection, list_id, uuid.uuid4().hex)


def _drop_deserted(connection: Connection, lists: Collection[str]) -> None:
    left: set[str] = set()
    for chunk in queries.chunks(sorted(set(lists))):
        wanted = select(_MEMBERS.c.list_id).where(_MEMBERS.c.list_id.in_(chunk)).distinct()
        left.update(connection.execute(wanted).scalars())
    _drop(connection, set(lists) - left)


def members_of(connection: Connection, customer_id: str) -> set[str]:
    """The lists that this account or a site of it is a member of."""
    sites = schema.account_locations
    own = select(sites.c.location).where(sites.c.customer_id == customer_id)
    mine = and_(_MEMBERS.c.audience == "account", _MEMBERS.c.audience_key == customer_id)
    at_sites = and_(_MEMBERS.c.audience == "location", _MEMBERS.c.audience_key.in_(own))
    return set(connection.execute(select(_MEMBERS.c.list_id).where(mine | at_sites)).scalars())


def apply(connection: Connection, change: SharedChange) -> None:
    """The whole call, in a transaction that begins and ends here."""
    from sync.stores.embedded import price_batches

    joining = {each.partition for each in change.join}
    own = [each for each in change.put_own if (each.audience, each.scope) not in joining]
    put = [*own, *(each.own for each in change.join)]
    lists: set[str] = set()

    def before() -> None:
        lists.update(_before(connection, change))

    def after() -> None:
        for rows in change.put:
            _put(connection, rows)
        # Whoever joins is on no list now: it has no gaps, but what it is told it is shown.
        price_batches.hide(connection, change.remove_own)
        _join(connection, change)
        _drop_deserted(connection, lists)
        held = {list_id for list_id, _ in _stamps(connection, change.expected)}
        for list_id in sorted(held):
            _stamped(connection, list_id, change.stamp)

    for each in change.put:
        _refuse_impossible(each)
    price_batches.apply_between(connection, put, change.remove_own, before, after)


def _before(connection: Connection, change: SharedChange) -> Collection[str]:
    """All but what is put; gives the lists that lost members."""
    from sync.stores.embedded.price_columns import key_texts, keys_of

    lists = _lists_of(connection, change.partitions)
    _refuse_moved(connection, change, set(lists.values()))
    _drop(connection, change.drop)
    _leave(connection, [each for each in change.leave if each in lists])
    hidden = keys_of(change.hide)
    staying = lists.keys() - {*change.leave, *change.quit}
    _hide(connection, {each: hidden[each] for each in hidden if each in staying})
    for rows in change.remove:
        keys = [(rows.list_id, *key) for key in key_texts(rows.rows)]
        queries.delete_rows(connection, _ROWS, ["list_id", *PRICE], keys)
    for partition in (*change.quit, *(each.partition for each in change.join)):
        for table in (schema.prices, _MEMBERS, _GAPS):
            _remove(connection, table, partition)
    return set(lists.values())


def _refuse_moved(connection: Connection, change: SharedChange, concerned: set[str]) -> None:
    """Conflict where a list is not what the call was planned for."""
    if unnamed := (concerned | change.named) - change.expected.keys():
        raise Conflict(f"price lists that nobody named are concerned: {sorted(unnamed)}")
    there = dict(_stamps(connection, change.expected))
    for list_id, expected in change.expected.items():
        stamp = there.get(list_id)
        if stamp == expected and stamp is not None:
            # Removed where it still is that one: of two who try it, one finds nothing.
            was = (_LISTS.c.list_id == list_id) & (_LISTS.c.stamp == stamp)
            if connection.execute(delete(_LISTS).where(was)).rowcount == 1:
                connection.execute(insert(_LISTS), [{"list_id": list_id, "stamp": stamp}])
                continue
        elif stamp in (expected, change.stamp) or (stamp is None and list_id not in change.filled):
            continue
        raise Conflict(f"price list {list_id} is not what it was")
    used = select(_MEMBERS.c.list_id).where(_MEMBERS.c.list_id.in_(list(change.drop))).distinct()
    if kept := connection.execute(used).scalars().all():
        raise Conflict(f"price lists have members again: {sorted(kept)}")
    made = there.keys() | {each.list_id for each in change.put}
    if missing := {each.list_id for each in change.join} - made:
        raise Conflict(f"there are no price lists {sorted(missing)}")


def _put(connection: Connection, rows: ListRows) -> None:
    from sync.stores.embedded.price_columns import key_texts, list_pieces

    if not _stamps(connection, [rows.list_id]):
        connection.execute(insert(_LISTS), [{"list_id": rows.list_id, "stamp": ""}])
    keys = [(rows.list_id, *key) for key in key_texts(rows.rows)]
    queries.delete_rows(connection, _ROWS, ["list_id", *PRICE], keys)
    for piece in list_pieces(rows.list_id, rows.rows):
        queries.insert_rows(connection, _ROWS, piece)


def _join(connection: Connection, change: SharedChange) -> None:
    new = [{**_row(each.partition), "list_id": each.list_id} for each in change.join]
    queries.insert_rows(connection, _MEMBERS, new)


def _refuse_impossible(rows: ListRows) -> None:
    from sync.ports.store import PriceRows
    from sync.stores.embedded.price_columns import refuse_impossible

    nobody = translate.audience(
        {"audience": "accounts", "audience_key": "", "audience_channel": ""}
    )
    refuse_impossible(PriceRows(nobody, DEFAULT_LIST, rows.rows))


def _listed(
    connection: Connection, list_id: str, keys: Collection[tuple[Any, ...]]
) -> set[tuple[Any, ...]]:
    """Those of the keys that the list has."""
    sku = PRICE.index("sku")
    columns = [_ROWS.c[name] for name in PRICE]
    found: set[tuple[Any, ...]] = set()
    for chunk in queries.chunks(sorted({key[sku] for key in keys})):
        of_items = select(*columns).where(_ROWS.c.list_id == list_id, _ROWS.c.sku.in_(chunk))
        found.update(tuple(row) for row in connection.execute(of_items))
    return found.intersection(keys)


def _leave(connection: Connection, partitions: Collection[Partition]) -> None:
    """What they have of their lists becomes their own."""
    names = [column.name for column in schema.prices.columns]
    for partition in partitions:
        rows = queries.listed_rows(_row(partition))
        connection.execute(insert(schema.prices).from_select(names, rows))
        _remove(connection, _MEMBERS, partition)
        _remove(connection, _GAPS, partition)


def _remove(connection: Connection, table: Any, partition: Partition) -> None:
    row = _row(partition)
    connection.execute(delete(table).where(*(table.c[name] == row[name] for name in PARTITION)))


def _drop(connection: Connection, lists: Collection[str]) -> None:
    for list_id in sorted(lists):
        for table in (_ROWS, _LISTS):
            connection.execute(delete(table).where(table.c.list_id == list_id))


def _stamps(connection: Connection, lists: Iterable[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for chunk in queries.chunks(sorted(set(lists))):
        wanted = select(_LISTS.c.list_id, _LISTS.c.stamp).where(_LISTS.c.list_id.in_(chunk))
        found += [(list_id, stamp) for list_id, stamp in connection.execute(wanted)]
    return found


def _stamped(connection: Connection, list_id: str, stamp: str) -> None:
    # Whom another made wait for the row finds it gone, though it is there anew: once more then.
    while _stamps(connection, [list_id]):
        if connection.execute(delete(_LISTS).where(_LISTS.c.list_id == list_id)).rowcount:
            connection.execute(insert(_LISTS), [{"list_id": list_id, "stamp": stamp}])
            return


def _any_lists(connection: Connection) -> bool:
    return connection.execute(select(_LISTS.c.list_id).limit(1)).first() is not None


def _lists_of(connection: Connection, partitions: Collection[Partition]) -> dict[Partition, str]:
    """The list of each that is a member of one."""
    owners = sorted({audience.key for audience, _ in partitions if audience.key})
    found: dict[Partition, str] = {}
    for row in queries.by_keys(connection, _MEMBERS, "audience_key", owners):
        if (partition := _partition(row)) in partitions:
            found[partition] = row["list_id"]
    return found


def _partition(row: Mapping[str, Any]) -> Partition:
    return (translate.audience(row), translate.scope(row))


def _row(partition: Partition) -> dict[str, Any]:
    audience, scope = partition
    return {**translate.audience_row(audience), **translate.scope_row(scope)}


def _price(row: Mapping[str, Any]) -> Price:
    return Price(translate.price_key(row), translate.price_value(row))
