"""Price lists that accounts share (``sync.ports.price_lists``): one list of Medusa names the
groups of all of them.

Of two lists that fit a buyer Medusa charges the cheaper price, so a member is named by no
other list of its rank and has no row of its own; whoever is told one leaves first. The
records of our module say who is a member of which list and what the list says, and Medusa
is made to say the same, in this order:

- Whom a list names is put right before a row of it changes, so that nobody sees a row that
  was not made for them.
- Whoever leaves has a copy of the list of its own before the list stops naming it.
- Whoever joins is named by a list that is as it should be, and only then named no more by
  the one before, or its own list goes. Between the two its buyers pay the lower of what
  was and what will be theirs: both are their own.

So a run may die at any moment. A member that is not named by its list and by no other, or
that still has rows of its own, is told with values that equal nothing: the next run makes
it join once more, or tells it its own prices. Turned down: to take the group out of the one
list before it is in the other. Its buyers would see the prices of all accounts meanwhile,
for a whole night where the run dies.

Not thread-safe: to be called while nobody else writes prices.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sync.domain.pricing import (
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceScope,
    PriceValue,
)
from sync.domain.views import PublishedPriceKey
from sync.errors import Conflict, Rejected
from sync.ports.price_lists import Joining, ListRows, SharedChange, ShownList
from sync.ports.price_memory import Partition
from sync.stores.medusa import translate
from sync.stores.medusa.accounts import ACCOUNTS, group_name
from sync.stores.medusa.holders import SharedList
from sync.stores.medusa.looked import LOOK_S
from sync.stores.medusa.price_bodies import TOO_PRECISE
from sync.stores.medusa.price_lists import NEVER, PriceLists
from sync.stores.medusa.queries import PRICES_PER_WRITE, Queries, pieces
from sync.stores.medusa.translate import ACCOUNT_GROUP, AUDIENCE_GROUP

if TYPE_CHECKING:
    import pyarrow as pa

Json = dict[str, Any]
Entries = Mapping[PublishedPriceKey, PriceValue]
Write = Callable[[Entries, Collection[PublishedPriceKey]], None]
OWNERS_PER_READ = 500
MEMBERS = 1000
"""Accounts that share a list, at most: Medusa takes 100 kB of a list's head, and an ID has 35."""


@dataclass
class _Held:
    """What is recorded: the stamp of each list, and which list a member has."""

    stamps: dict[str, str] = field(default_factory=dict)
    list_of: dict[Partition, str] = field(default_factory=dict)

    def members(self, list_id: str) -> frozenset[Partition]:
        return frozenset(each for each, held in self.list_of.items() if held == list_id)

    def audiences(self, list_id: str) -> set[Audience]:
        return {audience for audience, _ in self.members(list_id)}

    def of_audiences(self, audiences: Collection[Audience]) -> dict[Partition, str]:
        return {each: held for each, held in self.list_of.items() if each[0] in audiences}


@dataclass
class _Look:
    """What the lists in Medusa were found to be, for the questions that follow.

    ``everywhere``: accounts that every price list of a shared list names, ``anywhere``:
    that any of them does. ``strange``: lists that name a group which is no member's of any.
    ``told``: what has been asked for since.
    """

    at: float
    held: _Held
    everywhere: dict[str, set[str]] = field(default_factory=dict)
    anywhere: dict[str, set[str]] = field(default_factory=dict)
    strange: set[str] = field(default_factory=set)
    told: set[Partition] = field(default_factory=set)
    wrong: dict[str, set[str]] = field(default_factory=dict)


class SharedLists:
    """``write`` puts and removes prices of audiences that are members of no list."""

    def __init__(
        self,
        queries: Queries,
        price_lists: PriceLists,
        *,
        write: Write,
        monotonic: Callable[[], float],
    ) -> None:
        self._queries, self._price_lists, self._write = queries, price_lists, write
        self._monotonic = monotonic
        self._look: _Look | None = None
        self._known: tuple[float, _Held] | None = None
        # Lists that were seen to name somebody who is no member.
        self._misnamed: set[str] = set()
        # Members that were seen to be named by another list, and not yet by their own.
        self._astray: dict[str, set[Audience]] = {}

    # What is there

    def lists(self) -> list[ShownList]:
        held = self._read()
        found = []
        for list_id, stamp in sorted(held.stamps.items()):
            owner = translate.list_owner(list_id)
            rows = sum(1 for _ in self._queries.records("price", [owner]))
            found.append(ShownList(list_id, stamp, rows, held.members(list_id)))
        return found

    def rows_of(self, list_id: str) -> pa.Table:
        from sync.columnar.vectors import vector_of

        return vector_of(self._rows(list_id))

    def partitions(self, owners: Iterable[str]) -> set[Partition]:
        """What is shown of these owners of prices, to whomever."""
        own: set[Partition] = set()
        members: set[Partition] = set()
        filled: set[str] = set()
        for owner in owners:
            list_id = translate.list_of(owner)
            partition = translate.shown_by(owner)
            if list_id is not None:
                filled.add(list_id)
            elif partition is not None:
                is_own = owner == translate.partition_text(*partition)
                (own if is_own else members).add(partition)
        held = self._read() if members else _Held()
        return own | {each for each in members if held.list_of.get(each) in filled}

    def shown(self, audience: Audience, scope: PriceScope) -> dict[PriceKey, PriceValue]:
        """As the port says; of a member all that its list says, as far as Medusa says so too."""
        look = self._look_of((audience, scope))
        list_id = look.held.list_of.get((audience, scope)) if look is not None else None
        if look is None or list_id is None:
            shown = self._price_lists.shown(audience, scope)
            astray = look is not None and _named_elsewhere(look, audience, None)
            return _never(shown) if astray else shown
        own = self._own((audience, scope))
        prices = self._rows(list_id)
        shown = {replace(each.key, scope=scope): each.value for each in prices} | own
        if own or self._is_astray(look, (audience, scope), list_id):
            return _never(shown)
        if list_id not in look.wrong:
            self._price_lists.forget()
            shared = SharedList(list_id)
            look.wrong[list_id] = self._price_lists.wrong_of_shared(shared, prices)
        wrong = look.wrong[list_id]
        return {
            key: replace(value, valid_until=NEVER) if key.sku.value in wrong else value
            for key, value in shown.items()
        }

    def recorded(self, audience: Audience, scope: PriceScope) -> dict[PriceKey, PriceValue]:
        """What a member is to show; nothing for who is none."""
        list_id = self._read_soon().list_of.get((audience, scope))
        prices = self._rows(list_id) if list_id is not None else []
        return {replace(each.key, scope=scope): each.value for each in prices}

    def concerns(self, audiences: Collection[Audience]) -> bool:
        """Whether ``release`` has anything to do before these are told prices of their own."""
        return bool(self._misnamed or self._read_soon().of_audiences(audiences))

    # What others do to members

    def release(self, audiences: Collection[Audience]) -> None:
        """These leave their lists, and go on showing what they show."""
        held = self._read()
        with self._changing():
            self._settle(held)
            self._leave(held, held.of_audiences(audiences), uuid.uuid4().hex)

    def withdraw(self, audience: Audience) -> None:
        """Its list is not for it any more, nor anything in it; with nobody left the list goes."""
        held = self._read()
        quitting = held.of_audiences([audience])
        if quitting:
            with self._changing():
                self._quit(held, quitting, uuid.uuid4().hex)

    def items_change(self, put: Entries, remove: Collection[PublishedPriceKey]) -> None:
        """Item prices for all accounts change, which stand in every list with the item."""
        keys = {key for key in (*put, *remove) if _is_everybodys(key)}
        skus = {key.key.sku.value for key in keys}
        if not skus:
            return
        if not self._read_soon().stamps:
            return
        held, owner = self._read(), translate.partition_text(ACCOUNTS, ITEM_OVERRIDES)
        records = self._queries.records("price", [owner], sorted(skus))
        items = dict(translate.price_of(record) for record in records)
        items |= {key: value for key, value in put.items() if key in keys}
        items = {key: value for key, value in items.items() if key not in remove}
        with self._changing():
            for list_id in sorted(held.stamps):
                prices = self._rows(list_id, skus)
                own = {price.key.sku.value for price in prices}
                if own:
                    shared, members = SharedList(list_id), held.audiences(list_id)
                    still = self._still(held, list_id)
                    self._price_lists.keep_shared(shared, members, prices, own, items, still=still)

    # A whole call

    def apply(self, change: SharedChange) -> None:
        """As the port says. Rows are recorded first, and what they say is made so then.

        The stamps come last: a call that broke off is the same call once more.
        """
        from sync.columnar.vectors import prices_of

        held = self._read()
        touched = {each.audience for each in (*change.put_own, *change.remove_own)}
        self._refuse_moved(held, change, touched)
        self._refuse_joining(held, change.join)
        put = {rows.list_id: self._prices(rows) for rows in change.put}
        removed = {
            rows.list_id: [each.key for each in self._prices(rows)] for rows in change.remove
        }
        # What is recorded of a list its members take along when they leave.
        for list_id, prices in put.items():
            self._price_lists.refuse_untellable(SharedList(list_id), prices)
        for each in change.put_own:
            own_prices = prices_of(each.rows, each.scope)
            self._price_lists.refuse_untellable(each.audience, own_prices)
        before = set(held.list_of.values())
        with self._changing():
            self._settle(held)
            for list_id in change.drop:
                self._drop(held, list_id)
            leaving = {each: held.list_of[each] for each in change.leave if each in held.list_of}
            self._leave(held, leaving | held.of_audiences(touched))
            self._record(held, put, change.stamp)
            self._quit(held, dict.fromkeys(change.quit))
            for list_id in sorted(put.keys() | removed.keys()):
                if list_id in held.stamps:
                    self._change(held, list_id, put.get(list_id, ()), removed.get(list_id, ()))
            own: dict[PublishedPriceKey, PriceValue] = {}
            for each in change.put_own:
                for price in prices_of(each.rows, each.scope):
                    own[PublishedPriceKey(each.audience, price.key)] = price.value
            gone = [
                PublishedPriceKey(each.audience, price.key)
                for each in change.remove_own
                for price in prices_of(each.rows, each.scope)
            ]
            if own or gone:
                self._write(own, [key for key in gone if key not in own])
            self._join(held, change.join)
            self._finish(held, change, before)

    def _finish(self, held: _Held, change: SharedChange, before: Collection[str]) -> None:
        """Lists that members left for another are for them no more; one without any goes."""
        deserted = set(before) - set(held.list_of.values())
        for list_id in sorted(change.expected.keys() & held.stamps.keys()):
            members = held.audiences(list_id)
            # Whoever left it may have done so when this call was tried before.
            if list_id in deserted or not (members or list_id in change.filled):
                self._drop(held, list_id)
            elif members and change.join:
                self._show(held, list_id, members)
        stamped = [each for each in sorted(change.expected) if each in held.stamps]
        if stamped:
            self._still(held, *stamped)()
        self._stamp(stamped, change.stamp)

    def _refuse_moved(
        self, held: _Held, change: SharedChange, touched: Collection[Audience]
    ) -> None:
        """Conflict where a list is not what the call was planned for."""
        for list_id, expected in change.expected.items():
            stamp = held.stamps.get(list_id)
            gone = stamp is None and list_id not in change.filled
            if stamp not in (expected, change.stamp) and not gone:
                raise Conflict(f"price list {list_id} is not what it was")
        concerned = {held.list_of[each] for each in change.partitions if each in held.list_of}
        concerned |= set(held.of_audiences(touched).values()) | change.named
        if unnamed := concerned - change.expected.keys():
            raise Conflict(f"price lists that nobody named are concerned: {sorted(unnamed)}")
        if kept := set(held.list_of.values()).intersection(change.drop):
            raise Conflict(f"price lists have members again: {sorted(kept)}")
        there = held.stamps.keys() | {each.list_id for each in change.put}
        if missing := {each.list_id for each in change.join} - there:
            raise Conflict(f"there are no price lists {sorted(missing)}")

    def _refuse_joining(self, held: _Held, joining: Collection[Joining]) -> None:
        """Rejected for whoever Medusa could not show the list and nothing else."""
        for each in joining:
            if each.partition[0].kind is not AudienceKind.ACCOUNT:
                raise _no_member(f"{each.partition[0]} is no group of customers")
            if len(each.own.rows):
                raise _no_member(f"{each.partition[0]} is to have prices of its own")
        apart = {
            translate.partition_text(each.partition[0], ITEM_OVERRIDES): each.partition[0]
            for each in joining
        }
        for some in pieces(sorted(apart), OWNERS_PER_READ):
            for record in self._queries.records("price", some):
                raise _no_member(f"{apart[record['owner']]} has item prices of its own")
        coming: dict[str, set[Partition]] = {}
        for each in joining:
            coming.setdefault(each.list_id, set()).add(each.partition)
        for list_id, new in coming.items():
            if len(held.members(list_id) | new) > MEMBERS:
                raise _no_member(f"the list {list_id} would have more than {MEMBERS} accounts")

    # Its parts, each of which may be carried out again

    def _record(self, held: _Held, put: Mapping[str, Collection[Price]], stamp: str) -> None:
        """All of it or nothing; a list that is new has its stamp from its first row on."""
        new = [each for each in sorted(put) if each not in held.stamps]
        records = [translate.stamp_record(each, stamp) for each in new]
        records += [
            translate.list_price_record(list_id, each)
            for list_id, prices in sorted(put.items())
            for each in prices
        ]
        if records:
            self._queries.apply_records(records, [])
        held.stamps |= dict.fromkeys(new, stamp)

    def _change(
        self, held: _Held, list_id: str, put: Collection[Price], removed: Collection[PriceKey]
    ) -> None:
        """Make Medusa say what is recorded, but for what goes; then that goes from the records."""
        skus = {price.key.sku.value for price in put} | {key.sku.value for key in removed}
        kept = {price.key for price in put}
        gone = {key for key in removed if key not in kept}
        prices = [each for each in self._rows(list_id, skus) if each.key not in gone]
        shared = SharedList(list_id)
        members, still = held.audiences(list_id), self._still(held, list_id)
        self._price_lists.keep_shared(shared, members, prices, skus, still=still)
        self._clean(held, list_id, self._with_rows_of_their_own(held.members(list_id)))
        if gone:
            named = [translate.list_price_named(list_id, key) for key in gone]
            self._queries.apply_records([], named)

    def _leave(
        self, held: _Held, leaving: Mapping[Partition, str], stamp: str | None = None
    ) -> None:
        for partition, list_id in sorted(leaving.items(), key=_order):
            audience, scope = partition
            own = self._own(partition)
            copy: dict[PublishedPriceKey, PriceValue] = {}
            for each in self._rows(list_id):
                key = replace(each.key, scope=scope)
                # What was recorded before a run died, in this or in joining, is there already.
                copy[PublishedPriceKey(audience, key)] = own.get(key, each.value)
            for some in pieces(list(copy.items()), PRICES_PER_WRITE):
                self._copy(some)
        self._without(held, leaving, stamp)

    def _copy(self, prices: Sequence[tuple[PublishedPriceKey, PriceValue]]) -> None:
        """Put all of these that Medusa can be told: no other keeps anybody on a list.

        An item price for all accounts may have come over one of them since.
        """
        try:
            self._write(dict(prices), [])
        except Rejected as refusal:
            if refusal.code != TOO_PRECISE:
                raise
            middle = len(prices) // 2
            for some in (prices[:middle], prices[middle:]) if middle else ():
                self._copy(some)

    def _quit(
        self, held: _Held, quitting: Mapping[Partition, object], stamp: str | None = None
    ) -> None:
        """Out of sight first, then out of the records."""
        members = {each: held.list_of[each] for each in quitting if each in held.list_of}
        for partition in quitting.keys() - members.keys():
            keys = [PublishedPriceKey(partition[0], key) for key in self._own(partition)]
            for some in pieces(keys, PRICES_PER_WRITE):
                self._write({}, some)
        self._without(held, members, stamp, clean=True)

    def _without(
        self,
        held: _Held,
        gone: Mapping[Partition, str],
        stamp: str | None,
        *,
        clean: bool = False,
    ) -> None:
        """These are members no more; ``clean``: nor is anything of their own left."""
        for list_id in sorted(set(gone.values())):
            some = {each for each, theirs in gone.items() if theirs == list_id}
            left = {audience for audience, _ in held.members(list_id) - some}
            if left:
                self._show(held, list_id, left)
            else:
                self._drop_rows(held, list_id)
            if clean:
                self._clean(held, list_id, some)
            named = [translate.member_named(each) for each in sorted(some, key=str)]
            stamps = [translate.stamp_record(list_id, stamp)] if stamp and left else []
            named += [] if left else [translate.stamp_named(list_id)]
            self._queries.apply_records(stamps, named)
            if stamp and left:
                held.stamps[list_id] = stamp
            for each in some:
                del held.list_of[each]
            if not left:
                held.stamps.pop(list_id, None)

    def _join(self, held: _Held, joining: Collection[Joining]) -> None:
        lists: dict[str, set[Partition]] = {}
        for each in joining:
            lists.setdefault(each.list_id, set()).add(each.partition)
        for list_id, some in sorted(lists.items()):
            there = held.members(list_id)
            self._keep(held, list_id, held.audiences(list_id))
            records = [translate.member_record(each, list_id) for each in sorted(some, key=str)]
            self._queries.apply_records(records, [])
            held.list_of |= dict.fromkeys(some, list_id)
            self._show(held, list_id, held.audiences(list_id))
            self._clean(held, list_id, some | self._with_rows_of_their_own(there))

    def _show(self, held: _Held, list_id: str, members: Collection[Audience]) -> None:
        still = self._still(held, list_id)
        self._price_lists.show_shared(SharedList(list_id), members, still=still)

    def _still(self, held: _Held, *lists: str) -> Callable[[], None]:
        """To be asked just before a write that goes by who is a member.

        Conflict where another worker has changed one of the lists since: one whose lease is over
        and that hung in the middle of a call would name those again who have left. Medusa
        takes no condition with a write, so what is under way by then still arrives; the
        next run puts that right.
        """

        def ask() -> None:
            records = self._queries.records("price", None, [translate.LIST_STAMPS])
            there = dict(found for each in records if (found := translate.stamp_of(each)))
            for each in lists:
                if there.get(each) != held.stamps.get(each):
                    raise Conflict(f"price list {each} was changed by somebody else meanwhile")

        return ask

    def _keep(self, held: _Held, list_id: str, members: Collection[Audience]) -> None:
        """All of the list: nobody joins one that does not say what it should."""
        prices = self._rows(list_id)
        skus = {price.key.sku.value for price in prices}
        still = self._still(held, list_id)
        self._price_lists.keep_shared(SharedList(list_id), members, prices, skus, still=still)

    def _clean(self, held: _Held, list_id: str, partitions: Collection[Partition]) -> None:
        """Nothing of their own is left: first in Medusa, then in the records."""
        if not partitions:
            return
        self._still(held, list_id)()
        self._price_lists.drop_own({audience for audience, _ in partitions})
        owners = [translate.partition_text(*each) for each in partitions]
        for some in pieces(sorted(owners), OWNERS_PER_READ):
            self._queries.drop_records(["price"], some)

    def _drop(self, held: _Held, list_id: str) -> None:
        self._drop_rows(held, list_id)
        self._queries.apply_records([], [translate.stamp_named(list_id)])
        held.stamps.pop(list_id, None)

    def _drop_rows(self, held: _Held, list_id: str) -> None:
        self._still(held, list_id)()
        self._price_lists.drop_shared(SharedList(list_id))
        self._queries.drop_records(["price"], [translate.list_owner(list_id)])

    def _stamp(self, lists: Collection[str], stamp: str) -> None:
        if lists:
            self._queries.apply_records([translate.stamp_record(each, stamp) for each in lists], [])

    # What is recorded

    def _read(self) -> _Held:
        held = _Held()
        about = [translate.LIST_STAMPS, translate.LIST_MEMBERS]
        for record in self._queries.records("price", None, about):
            if stamp := translate.stamp_of(record):
                held.stamps[stamp[0]] = stamp[1]
            elif member := translate.member_of(record):
                held.list_of[member[0]] = member[1]
        self._known = (self._monotonic(), held)
        return held

    def _read_soon(self) -> _Held:
        """As it was a moment ago: nobody but this connector changes it."""
        known = self._known
        if known is not None and self._monotonic() - known[0] <= LOOK_S:
            return known[1]
        return self._read()

    def _rows(self, list_id: str, skus: Collection[str] | None = None) -> list[Price]:
        about = sorted(skus) if skus is not None else None
        records = self._queries.records("price", [translate.list_owner(list_id)], about)
        return [translate.list_price_of(record) for record in records]

    def _own(self, partition: Partition) -> dict[PriceKey, PriceValue]:
        records = self._queries.records("price", [translate.partition_text(*partition)])
        found = (translate.price_of(record) for record in records)
        return {key.key: value for key, value in found}

    def _with_rows_of_their_own(self, members: Collection[Partition]) -> set[Partition]:
        """Of these, who was leaving or joining when a run died."""
        owners = {translate.partition_text(*each): each for each in members}
        found: set[Partition] = set()
        for some in pieces(sorted(owners), OWNERS_PER_READ):
            found |= {owners[each["owner"]] for each in self._queries.records("price", some)}
        return found

    def _prices(self, rows: ListRows) -> list[Price]:
        from sync.columnar.vectors import prices_of

        return prices_of(rows.rows, translate.list_scope(rows.list_id))

    # What Medusa has

    def _look_of(self, partition: Partition) -> _Look | None:
        """None where no list can concern it. Who asks for it again gets a new look."""
        if partition[0].kind is not AudienceKind.ACCOUNT:
            return None
        look = self._look
        if look is None or partition in look.told or self._monotonic() - look.at > LOOK_S:
            look = self._look = self._look_at(self._read())
        look.told.add(partition)
        return look if look.held.stamps or look.held.list_of or look.anywhere else None

    def _look_at(self, held: _Held) -> _Look:
        look = _Look(self._monotonic(), held)
        # Also where nothing is recorded of any: a list that was left behind is still charged.
        there = self._price_lists.shared()
        groups = self._queries.groups_by_id({each for _, named in there for each in named})
        audience_of = {
            key: str(account)
            for key, group in groups.items()
            if (account := _account_of(group)) is not None
        }
        # Nobody else can be relied on to be asked for.
        asked_for = {str(audience) for audience, _ in held.list_of}
        for shared, named in there:
            names = {audience_of[each] for each in named if each in audience_of}
            list_id = shared.list_id
            look.everywhere[list_id] = look.everywhere.get(list_id, names) & names
            look.anywhere[list_id] = look.anywhere.get(list_id, set()) | names
            if names - {str(each) for each in held.audiences(list_id)} or len(names) < len(named):
                self._misnamed.add(list_id)
            if names - asked_for or len(names) < len(named):
                look.strange.add(list_id)
        for (audience, _), list_id in held.list_of.items():
            is_named = str(audience) in look.everywhere.get(list_id, ())
            if not is_named and _named_elsewhere(look, audience, list_id):
                self._astray.setdefault(list_id, set()).add(audience)
        return look

    def _is_astray(self, look: _Look, partition: Partition, list_id: str) -> bool:
        """Whether Medusa shows the member something else than its list, whatever that says."""
        audience = partition[0]
        there = list_id in look.anywhere
        if there and str(audience) not in look.everywhere[list_id]:
            return True
        # Somebody must be told with what equals nothing, or nobody would put it right.
        first = min(look.held.members(list_id), key=lambda each: each[0].order)
        strange = list_id in look.strange and partition == first
        return strange or _named_elsewhere(look, audience, list_id)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """What was looked up before is not believed afterwards."""
        self._look = self._known = None
        try:
            yield
        finally:
            self._look = self._known = None

    def _settle(self, held: _Held) -> None:
        """Lists that were seen to name others than their members name them no more.

        Whoever was on the way from one of them to another arrives there first. A list of
        which nothing is recorded is nobody's, and goes.
        """
        for list_id, astray in sorted(self._astray.items()):
            arriving = astray & held.audiences(list_id)
            if arriving:
                self._keep(held, list_id, held.audiences(list_id) - arriving)
                self._show(held, list_id, held.audiences(list_id))
        for list_id in sorted(self._misnamed):
            if list_id in held.stamps:
                self._show(held, list_id, held.audiences(list_id))
            else:
                self._price_lists.drop_shared(SharedList(list_id))
        self._misnamed.clear()
        self._astray.clear()


def _account_of(group: Json) -> Audience | None:
    """The account whose buyers this group is by name and by our words on it.

    Who renames it makes another one of it: the buyers move on to a new one of that name.
    """
    said = group.get("metadata") or {}
    if not (key := said.get(ACCOUNT_GROUP)):
        return None
    account = Audience(AudienceKind.ACCOUNT, str(key))
    ours = said.get(AUDIENCE_GROUP) == str(account) and group["name"] == group_name(account)
    return account if ours else None


def _named_elsewhere(look: _Look, audience: Audience, list_id: str | None) -> bool:
    """Whether another list than this one is for the audience."""
    return any(str(audience) in names for other, names in look.anywhere.items() if other != list_id)


def _never(shown: Mapping[PriceKey, PriceValue]) -> dict[PriceKey, PriceValue]:
    return {key: replace(value, valid_until=NEVER) for key, value in shown.items()}


def _is_everybodys(key: PublishedPriceKey) -> bool:
    return key.audience == ACCOUNTS and key.key.scope == ITEM_OVERRIDES


def _no_member(why: str) -> Rejected:
    return Rejected(
        f"no price list of Medusa can be shared so: {why}",
        code="store_list_not_for_it",
        remedy="none is needed: its prices are told row by row",
    )


def _order(member: tuple[Partition, str]) -> tuple[str, ...]:
    (audience, _), list_id = member
    return (list_id, *audience.order)
