"""Keeps Medusa's price lists as our entries say, changing the rows that differ.

A row is known by its ID and changed by it: Medusa does not mind a second row for
the same quantity, and then charges the cheaper one. A list is one audience's in
one period, or that of accounts which share it (``shared_lists``); its description is how
it is found again, its metadata what it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sync.domain.codec import fingerprint
from sync.domain.ids import ChannelId, CustomerId
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceLevel,
    PriceScope,
    PriceValue,
)
from sync.domain.views import PublishedPriceKey
from sync.kit.pool import together
from sync.kit.turns import Turns
from sync.stores.medusa import translate
from sync.stores.medusa.accounts import Groups, group_name
from sync.stores.medusa.holders import Holder, SharedList
from sync.stores.medusa.looked import LOOK_S, Held, Looked
from sync.stores.medusa.price_bodies import RowKey, changed, new_row, row_key, row_of
from sync.stores.medusa.price_calls import PriceCall, PriceCalls
from sync.stores.medusa.price_rows import ACCOUNTS, Period, in_level, native, rank, rows_of
from sync.stores.medusa.queries import PRICES_PER_WRITE, PricesTold, Queries, pieces
from sync.stores.medusa.spelling import moment_text, read_moment, read_raw
from sync.stores.medusa.translate_orders import UNIT_KEY

Json = dict[str, Any]
Entries = Mapping[PublishedPriceKey, PriceValue]
METADATA = "tradesync"
GROUPS_RULE = "customer.groups.id"
SHARED_WORDS = "tradesync shared"
"""What is in the description of every list that accounts share."""
AUDIENCES_PER_LOOK = 100
# The last day of no entry that anybody wants: an item whose rows say something else
# equals nothing, so a plan puts it right where it is wanted, and else removes it.
NEVER = date.min


@dataclass(slots=True)
class ListPlan:
    """What must change in the list of one period."""

    period: Period
    held: Json | None
    twins: Sequence[str] = ()
    create: list[tuple[RowKey, Decimal]] = field(default_factory=list)
    update: list[tuple[str, RowKey, Decimal]] = field(default_factory=list)
    delete: list[tuple[str, RowKey]] = field(default_factory=list)
    rows_after: int = 0
    head_differs: bool = False

    @property
    def variants(self) -> set[str]:
        """The variants whose prices are not as they should be."""
        changed = [key for key, _ in self.create] + [key for _, key, _ in self.update]
        return {key.variant for key in (*changed, *(key for _, key in self.delete))}

    @property
    def writes(self) -> bool:
        """Whether carrying it out changes anything."""
        rows = self.create or self.update or self.delete
        goes = self.held is not None and not self.rows_after
        return bool(rows or self.twins or self.head_differs or goes)


class _Rules:
    """The rules of our lists' heads, asked for once in a call.

    ``makes_groups``: a group that is missing is made; a mere look makes nothing.
    ``shared``: the IDs of the groups of those who share a list; where they are not told,
    only the other rules of it count.
    """

    def __init__(
        self,
        queries: Queries,
        regions: Callable[[], list[Json]],
        *,
        makes_groups: bool,
        shared: Mapping[SharedList, Collection[str]] | None = None,
    ) -> None:
        self._shared = shared or {}
        self._groups, self._told_regions = Groups(queries), regions
        self._makes_groups = makes_groups
        self._found: dict[Audience, Json | None] = {}
        self._of: dict[Holder, dict[str, list[str]]] = {}
        # A group is looked up and then made: by one thread at a time.
        self._guard = threading.RLock()
        self._regions: dict[str, list[str]] | None = None

    def know(self, audience: Audience, group: Json | None) -> None:
        """That this is its group, or that it has none."""
        self._found[audience] = group

    def group(self, audience: Audience) -> Json | None:
        return self._found.get(audience)

    def read_ahead(self, audiences: Collection[Audience]) -> None:
        """Look up the groups of all of these at once."""
        grouped = [each for each in audiences if rank(each) and each not in self._found]
        if grouped:
            found = self._groups.find(grouped)
            self._found.update({each: found.get(each) for each in grouped})

    def regions(self) -> dict[str, list[str]]:
        """By currency: the regions that sell in it."""
        with self._guard:
            if self._regions is None:
                found: dict[str, list[str]] = {}
                for region in self._told_regions():
                    code = str(region["currency_code"]).upper()
                    found.setdefault(code, []).append(region["id"])
                # Not before all are known: a list without them would be for nobody.
                self._regions = found
            return self._regions

    def of(self, holder: Holder) -> dict[str, list[str]]:
        if rank(holder) == 0:
            return {}
        with self._guard:
            if holder not in self._of:
                self._of[holder] = self._rules_of(holder)
            return self._of[holder]

    def knows_groups(self, holder: Holder) -> bool:
        return isinstance(holder, Audience) or holder in self._shared

    def groups_of(self, audiences: Collection[Audience]) -> list[str]:
        """The IDs of all of their groups, in order; made where they are missing."""
        self.read_ahead(audiences)
        found = (self._group_of(each) for each in audiences)
        return sorted(group["id"] for group in found if group is not None)

    def _rules_of(self, holder: Holder) -> dict[str, list[str]]:
        if isinstance(holder, SharedList):
            groups = sorted(self._shared.get(holder, ()))
        else:
            groups = self.groups_of([holder])
        rules = {GROUPS_RULE: groups}
        if rank(holder) >= 2:
            # True of every cart; what counts is that it is one rule more.
            rules["region_id"] = sorted(each for some in self.regions().values() for each in some)
        return rules

    def _group_of(self, audience: Audience) -> Json | None:
        group = self._found[audience]
        if self._makes_groups:
            group = self._found[audience] = self._groups.ensure(audience, group)
        return group


@dataclass(slots=True)
class _Known:
    """What the writing of some lists needs to know."""

    rules: _Rules
    recorded: dict[Audience, dict[PublishedPriceKey, PriceValue]] = field(default_factory=dict)
    held: dict[Audience, Held] = field(default_factory=dict)
    variants: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the writing of a list that accounts share needs to know."""

    items: Entries
    variants: Mapping[str, Json]
    held: Held


@dataclass(slots=True)
class _Look:
    """What a look at an audience's lists found, and which scopes have been told."""

    wrong: set[str]
    at: float
    told: set[PriceScope] = field(default_factory=set)


class PriceLists:
    def __init__(
        self,
        queries: Queries,
        *,
        unit: str,
        public_channel: ChannelId | None,
        zone: ZoneInfo,
        monotonic: Callable[[], float],
        threads: int = 1,
    ) -> None:
        self._queries, self._monotonic, self._threads = queries, monotonic, threads
        self._looks: dict[Audience, _Look] = {}
        self._looked = Looked(monotonic, threads)
        self._calls, self._turns = PriceCalls(), Turns()
        # Of all calls together, so many lists are read or written at once.
        self._permits = threading.BoundedSemaphore(threads)
        self._unit, self._public, self._zone = unit, public_channel, zone

    def turn_of(self, keys: Collection[PublishedPriceKey]) -> AbstractContextManager[None]:
        """A turn at the lists that ``apply`` will write for these.

        What it writes follows from the records of an audience: from reading them until
        its own are as they will be, nobody else writes that audience's lists.
        """
        if _items_of_all(keys):
            return self._turns.alone()
        return self._turns.of({key.audience for key in keys})

    def call(self, keys: Collection[PublishedPriceKey]) -> AbstractContextManager[PriceCall]:
        """A call about these: what it is told counts as long as no other changes it."""
        return self._calls.one(keys)

    def forget(self) -> None:
        """Groups or lists were changed by others than calls with prices."""
        self._looked.forget()

    def record(self, call: PriceCall, records: Sequence[Json]) -> None:
        """Put the records of a call, and ask for what ``apply`` will need, turn or no turn."""
        listed = [each for each in call.items if native(each, self._public)]
        skus = {sku for each in listed for sku in call.items[each]}
        regions = any(rank(each) >= 2 for each in listed)
        if not listed:
            if records:
                self._queries.apply_records(records, [])
            return
        call.at_once = self._at_once(call, records, listed, skus, regions=regions)
        if not call.at_once:
            self._one_by_one(records, skus, regions=regions)

    def _at_once(
        self,
        call: PriceCall,
        records: Sequence[Json],
        listed: Sequence[Audience],
        skus: Collection[str],
        *,
        regions: bool,
    ) -> bool:
        """Everything in one request. False, and nothing done, where the module is older."""
        if not self._looked.at_once:
            return False
        wanted = self._looked.want(skus, listed, regions=regions)
        try:
            # The scopes of a public audience are told by its records alone.
            told = all(rank(each) for each in listed)
            grouped = [each for each in wanted.audiences if rank(each)]
            answer = self._queries.put_prices(
                records,
                owners=self._owners(listed) if told else (),
                about=skus if told else (),
                skus=wanted.skus,
                groups=[group_name(each) for each in grouped],
                lists=[_words(each) for each in wanted.audiences],
                regions=wanted.regions,
            )
            if answer is None:
                self._looked.not_at_once()
                return False
            groups = Groups(self._queries).ours(grouped, answer.groups)
            lists = {each: _held_of(each, answer.lists) for each in wanted.audiences}
            self._looked.learn(wanted, answer.variants, answer.regions, groups, lists)
            if told and answer.records is not None:
                call.told = dict(translate.price_of(record) for record in answer.records)
        finally:
            self._looked.give_up(wanted)
        return True

    def _one_by_one(self, records: Sequence[Json], skus: Collection[str], *, regions: bool) -> None:
        def look_up() -> None:
            self._looked.variants(self._queries, skus)
            if regions:
                self._looked.regions(self._queries)

        first: list[Callable[[], None]] = [look_up]
        if records:
            first.append(partial(self._queries.apply_records, records, []))
        together(first, lambda each: each(), threads=min(2, self._threads))

    def apply(self, put: Entries, remove: Collection[PublishedPriceKey], call: PriceCall) -> None:
        """Make the lists say what the records will say once these changes are in them.

        To be called within ``turn_of`` all their keys, after ``record``. Those that are put
        are in the records, those to remove still are. The lists of several audiences are
        written at once, those of each in turn; where an audience only loses prices, before
        any other gains one.
        """
        self._looks.clear()
        touched: dict[Audience, set[str]] = {}
        for key in (*put, *remove):
            touched.setdefault(key.audience, set()).add(key.key.sku.value)
        for audience in list(touched):
            # Whole lists go, also with rows of variants that have another SKU by now.
            if self._emptied(audience, put, remove):
                self._drop(audience)
                del touched[audience]
            elif self._astray(audience):
                self._drop(audience)
        items = _items_of_all((*put, *remove))
        if items:
            # An item price comes before every list's own.
            for audience in self._audiences_with(items):
                touched.setdefault(audience, set()).update(items)
        audiences = [
            each
            for each in sorted(touched, key=lambda audience: audience.order)
            if native(each, self._public)
        ]
        skus, gone = {sku for each in audiences for sku in touched[each]}, set(remove)
        known = self._known(audiences, skus, call if not items else None)

        def write(audience: Audience) -> None:
            own = touched[audience]
            entries = _to_be(audience, own, known.recorded, put, gone)
            with self._permits:
                self._write(audience, entries, own, known, at_once=call.at_once)

        # What is put for all accounts comes into the list of each.
        gaining = {key.audience for key in put}
        losing = [each for each in audiences if each not in gaining and ACCOUNTS not in gaining]
        for some in (losing, [each for each in audiences if each not in losing]):
            together(some, write, threads=self._threads)

    def _write(
        self,
        audience: Audience,
        entries: Entries,
        skus: Collection[str],
        known: _Known,
        *,
        at_once: bool,
    ) -> None:
        """Carry out the plans of one audience."""
        rules, held = known.rules, known.held.pop(audience)
        plans = self._plans(audience, _prices(entries), skus, rules, known.variants, held)
        with self._looked.writing(audience) as wrote:
            kept = [
                (plan, self._carry_out(audience, plan, rules, at_once=at_once)) for plan in plans
            ]
            left = {plan.period: [head] for plan, head in kept if head is not None}
            wrote(rules.group(audience), left)

    def _known(
        self, audiences: Sequence[Audience], skus: Collection[str], call: PriceCall | None
    ) -> _Known:
        """What the writing needs: as the call was told it, or else asked for now."""
        known = _Known(self._rules(makes_groups=True))
        stale = set(skus)
        if call is not None and call.told is not None:
            stale &= call.changed
            for key, value in call.told.items():
                if key.key.sku.value not in stale:
                    known.recorded.setdefault(key.audience, {})[key] = value
        questions: list[Callable[[], None]] = []

        def held(audience: Audience) -> None:
            known.held[audience] = self._held(audience)

        def records() -> None:
            for audience, entries in self._recorded(audiences, stale).items():
                known.recorded.setdefault(audience, {}).update(entries)

        groupless = []
        for audience in audiences:
            try:
                known.held[audience] = self._looked.lists(audience)
            except KeyError:
                questions.append(partial(held, audience))
            try:
                known.rules.know(audience, self._looked.group(audience))
            except KeyError:
                groupless.append(audience)
        if stale:
            questions.append(records)
        if groupless:
            questions.append(partial(known.rules.read_ahead, groupless))

        def ask(question: Callable[[], None]) -> None:
            with self._permits:
                question()

        known.variants = self._looked.variants(self._queries, skus)
        together(questions, ask, threads=self._threads)
        return known

    def shown(self, audience: Audience, scope: PriceScope) -> dict[PriceKey, PriceValue]:
        """What the records say of this scope; an item whose rows say something else ends NEVER.

        Whatever has a record is told: what a plan does not see, it can never take away.
        The lists hold what all of the audience's scopes come to, so one look at them
        does for each scope once; who asks again for one gets a new look.
        """
        owner = translate.partition_text(audience, scope)
        if not native(audience, self._public):
            entries = self._entries([owner])
            astray = bool(entries) and self._astray(audience)
            wrong = {key.key.sku.value for key in entries} if astray else set()
            return _told(entries, wrong)
        look, now = self._looks.get(audience), self._monotonic()
        if look is None or scope in look.told or now - look.at > LOOK_S:
            self._looked.forget()
            scopes = {scope, *_scopes(audience, self._queries)}
            owners = [translate.partition_text(audience, each) for each in scopes]
            entries = self._entries(owners)
            look = self._looks[audience] = _Look(self._deviating(audience, entries), now)
        else:
            entries = self._entries([owner])
        look.told.add(scope)
        return _told(
            {key: value for key, value in entries.items() if key.key.scope == scope}, look.wrong
        )

    def _deviating(self, audience: Audience, entries: Entries) -> set[str]:
        """SKUs of this audience whose rows in Medusa are not what these records say."""
        skus = {key.key.sku.value for key in entries}
        if entries and audience != ACCOUNTS and audience.kind is not AudienceKind.PUBLIC:
            owner = translate.partition_text(ACCOUNTS, ITEM_OVERRIDES)
            entries = _with_items(entries, self._entries([owner], sorted(skus)))
        variants = self._looked.variants(self._queries, skus)
        names = {variant["id"]: sku for sku, variant in variants.items()}
        rules = self._rules(makes_groups=False)
        found: set[str] = set()
        held = self._held(audience)
        for plan in self._plans(audience, _prices(entries), skus, rules, variants, held):
            wrong = {names[each] for each in plan.variants if each in names}
            found |= skus if plan.head_differs or plan.twins else wrong
        return found

    # Lists that accounts share. To be called while nobody else writes prices.

    def shared(self) -> list[tuple[SharedList, list[str]]]:
        """Each of our lists that accounts share, as often as it has periods, and whose groups
        it names."""
        found: list[tuple[SharedList, list[str]]] = []
        for each in self._queries.price_lists(SHARED_WORDS):
            said = (each.get("metadata") or {}).get(METADATA)
            list_id = said.get("shared") if isinstance(said, Mapping) else None
            if isinstance(list_id, str):
                found.append(
                    (SharedList(list_id), list((each.get("rules") or {}).get(GROUPS_RULE, [])))
                )
        return found

    def wrong_of_shared(self, shared: SharedList, prices: Collection[Price]) -> set[str]:
        """SKUs of which the list does not say these prices; all where no row of it counts."""
        skus = {price.key.sku.value for price in prices}
        items = self._entries([translate.partition_text(ACCOUNTS, ITEM_OVERRIDES)], sorted(skus))
        variants = self._looked.variants(self._queries, skus)
        names = {variant["id"]: sku for sku, variant in variants.items()}
        rules, held = self._rules(makes_groups=False), self._held(shared)
        found: set[str] = set()
        for plan in self._plans(
            shared, _and_items(prices, _prices(items)), skus, rules, variants, held
        ):
            wrong = {names[each] for each in plan.variants if each in names}
            found |= skus if plan.head_differs or plan.twins else wrong
        return found

    def refuse_untellable(self, holder: Holder, prices: Collection[Price]) -> None:
        """Rejected where Medusa cannot be told one of these; nothing is changed."""
        if isinstance(holder, Audience) and not native(holder, self._public):
            return
        skus = {price.key.sku.value for price in prices}
        variants = self._looked.variants(self._queries, skus)
        rules = self._rules(makes_groups=False)
        for plan in self._plans(holder, prices, skus, rules, variants, {}):
            for key, price in plan.create:
                new_row(key, price)

    def keep_shared(
        self,
        shared: SharedList,
        members: Collection[Audience],
        prices: Collection[Price],
        skus: Collection[str],
        items: Entries | None = None,
        *,
        still: Callable[[], None],
    ) -> None:
        """Make the list say these prices of these items, to these members and nobody else.

        Whom it names is put right before any row changes, period by period.
        ``items``: the item prices for all accounts, where they are not what is recorded.
        ``still`` is asked before each write, and raises where they are no members any more.
        """
        self._looks.clear()
        told = self._ask_for_shared(shared, skus)
        everybodys = items if items is not None else told.items
        prices = _and_items(prices, _prices(everybodys))
        rules = self._rules_of_shared(shared, members)
        plans = self._plans(shared, prices, skus, rules, told.variants, told.held)
        with self._looked.writing(shared):
            for plan in plans:
                if plan.writes:
                    still()
                self._carry_out(shared, plan, rules, at_once=self._looked.at_once)

    def show_shared(
        self, shared: SharedList, members: Collection[Audience], *, still: Callable[[], None]
    ) -> None:
        """Make the list be for these members and nobody else, whatever is in it.

        ``still`` as ``keep_shared`` has it.
        """
        self._looks.clear()
        rules = self._rules_of_shared(shared, members)
        for period, lists in self._held(shared).items():
            for held in lists:
                if not self._head_right(shared, period, held, rules):
                    still()
                    self._queries.change_price_list(held["id"], self._head(shared, period, rules))

    def drop_shared(self, shared: SharedList) -> None:
        self._looks.clear()
        self._drop(shared)

    def drop_own(self, audiences: Collection[Audience]) -> None:
        """The own lists of all of these, whatever is in them."""
        self._looks.clear()
        for some in pieces(sorted(audiences, key=lambda each: each.order), AUDIENCES_PER_LOOK):
            with ExitStack() as stack:
                for each in some:
                    stack.enter_context(self._looked.writing(each))
                lists = self._lists_of(some)
                gone = [held["id"] for each in some for held in _own(each, lists)]
                self._drop_lists(gone)

    def _rules_of_shared(self, shared: SharedList, members: Collection[Audience]) -> _Rules:
        groups = self._rules(makes_groups=True).groups_of(members)
        regions = partial(self._looked.regions, self._queries)
        return _Rules(self._queries, regions, makes_groups=True, shared={shared: groups})

    def _ask_for_shared(self, shared: SharedList, skus: Collection[str]) -> _Told:
        owner = translate.partition_text(ACCOUNTS, ITEM_OVERRIDES)
        answer = None
        if len(skus) <= PRICES_PER_WRITE:
            answer = self._ask(owners=[owner], about=skus, skus=skus, lists=[_words(shared)])
        if answer is None or answer.records is None:
            items = self._entries([owner], sorted(skus))
        else:
            items = dict(translate.price_of(record) for record in answer.records)
        if answer is None:
            variants = self._looked.variants(self._queries, skus)
            return _Told(items, variants, self._held(shared))
        return _Told(items, answer.variants, _held_of(shared, answer.lists))

    def _lists_of(self, audiences: Collection[Audience]) -> list[Json]:
        words = [_words(each) for each in audiences]
        answer = self._ask(owners=(), about=(), skus=(), lists=words)
        if answer is not None:
            return answer.lists
        return [each for some in words for each in self._queries.price_lists(some)]

    def _ask(
        self,
        *,
        owners: Collection[str],
        about: Collection[str],
        skus: Collection[str],
        lists: Collection[str],
    ) -> PricesTold | None:
        """All in one request; None where our module is older."""
        if not self._looked.at_once:
            return None
        answer = self._queries.put_prices(
            (),
            owners=owners if about else (),
            about=about,
            skus=skus,
            groups=(),
            lists=lists,
            regions=False,
        )
        if answer is None:
            self._looked.not_at_once()
        return answer

    def _owners(self, audiences: Iterable[Audience]) -> set[str]:
        """The partitions of these audiences, and that of the item prices for all accounts."""
        owners = {translate.partition_text(ACCOUNTS, ITEM_OVERRIDES)}
        for audience in audiences:
            scopes = _scopes(audience, self._queries)
            owners.update(translate.partition_text(audience, scope) for scope in scopes)
        return owners

    def _rules(self, *, makes_groups: bool) -> _Rules:
        regions = partial(self._looked.regions, self._queries)
        return _Rules(self._queries, regions, makes_groups=makes_groups)

    def drop(self, customer_id: CustomerId) -> None:
        """The account's own lists, whatever is in them."""
        self._looks.clear()
        self._drop(Audience(AudienceKind.ACCOUNT, customer_id.value))

    def _drop(self, holder: Holder) -> None:
        with self._looked.writing(holder):
            lists = self._held(holder).values()
            self._drop_lists([held["id"] for some in lists for held in some])

    def _emptied(
        self, audience: Audience, put: Entries, remove: Collection[PublishedPriceKey]
    ) -> bool:
        """Whether nothing will be recorded of this audience any more."""
        if not _listed(audience) or any(key.audience == audience for key in put):
            return False
        gone = {key for key in remove if key.audience == audience}
        scopes = _scopes(audience, self._queries)
        owners = [translate.partition_text(audience, scope) for scope in scopes]
        records = self._queries.records("price", owners) if gone else ()
        # One page tells, but for the last batch of a withdrawal.
        return bool(gone) and all(translate.price_of(record)[0] in gone for record in records)

    def _astray(self, audience: Audience) -> bool:
        """Whether this audience has a list from when its channel was the public one."""
        public = audience.kind is AudienceKind.PUBLIC and not native(audience, self._public)
        return public and bool(self._held(audience))

    # What should be

    def _entries(
        self, owners: Collection[str], skus: Collection[str] | None = None
    ) -> dict[PublishedPriceKey, PriceValue]:
        """The published entries of these partitions."""
        records = self._queries.records("price", owners, skus)
        return dict(translate.price_of(record) for record in records)

    def _recorded(
        self, audiences: Collection[Audience], skus: Collection[str]
    ) -> dict[Audience, dict[PublishedPriceKey, PriceValue]]:
        """What is recorded of these items for these audiences, and their item prices."""
        if not audiences:
            return {}
        owners = self._owners(audiences)
        found: dict[Audience, dict[PublishedPriceKey, PriceValue]] = {}
        for key, value in self._entries(owners, sorted(skus)).items():
            found.setdefault(key.audience, {})[key] = value
        return found

    def _audiences_with(self, skus: Collection[str]) -> set[Audience]:
        records = self._queries.records("price", None, skus)
        found = {translate.shown_by(owner) for owner in {each["owner"] for each in records}}
        audiences = {partition[0] for partition in found if partition is not None}
        return {each for each in audiences if rank_known(each) and rank(each) > rank(ACCOUNTS)}

    def _plans(
        self,
        holder: Holder,
        prices: Iterable[Price],
        skus: Collection[str],
        rules: _Rules,
        variants: Mapping[str, Json],
        held: Held,
    ) -> list[ListPlan]:
        """One plan for each list that is there or should be, for these items' rows."""
        by_sku: dict[str, list[Price]] = {}
        for price in prices:
            if in_level(holder, price):
                by_sku.setdefault(price.key.sku.value, []).append(price)
        regions = rules.regions() if holder.kind is AudienceKind.ACCOUNT else {}
        wanted: dict[Period, dict[RowKey, Decimal]] = {}
        for sku, some in by_sku.items():
            variant = variants.get(sku)
            if variant is None:
                continue  # the shop does not sell it; the record waits until it does
            unit = str((variant.get("metadata") or {}).get(UNIT_KEY) or self._unit)
            for period, found in rows_of(some, unit).items():
                rows = wanted.setdefault(period, {})
                for step in found:
                    rows |= row_of(holder, variant["id"], step, regions)
        touched = {variants[sku]["id"] for sku in skus if sku in variants}
        return [
            self._compared(
                holder, period, wanted.get(period, {}), held.get(period, []), touched, rules
            )
            for period in sorted(wanted.keys() | held.keys(), key=_period_order)
        ]

    def _compared(
        self,
        holder: Holder,
        period: Period,
        wanted: Mapping[RowKey, Decimal],
        lists: Sequence[Json],
        touched: Collection[str],
        rules: _Rules,
    ) -> ListPlan:
        held = lists[0] if lists else None
        plan = ListPlan(period, held, [each["id"] for each in lists[1:]])
        there: dict[RowKey, list[tuple[str, Decimal]]] = {}
        others = 0
        for row in self._queries.price_rows(held["id"]) if held else ():
            key = row_key(row)
            if key is None or key.variant not in touched:
                others += 1
                continue
            there.setdefault(key, []).append((row["id"], read_raw(row["raw_amount"])))
        for key, price in wanted.items():
            rows = sorted(there.pop(key, []))
            if not rows:
                plan.create.append((key, price))
                continue
            (row_id, amount), *doubles = rows
            if amount != price:
                plan.update.append((row_id, key, price))
            plan.delete += [(double, key) for double, _ in doubles]
        plan.delete += [(row_id, key) for key, rows in there.items() for row_id, _ in rows]
        plan.rows_after = others + len(wanted)
        if held is not None and plan.rows_after:
            plan.head_differs = not self._head_right(holder, period, held, rules)
        return plan

    # What is

    def _held(self, holder: Holder) -> Held:
        """Our lists of this holder; of several for one period the oldest is the one to keep."""
        return _held_of(holder, self._queries.price_lists(_words(holder)))

    def _head(self, holder: Holder, period: Period, rules: _Rules) -> Json:
        starts, ends = period.moments(self._zone)
        told = rules.of(holder)
        # A list that accounts share is there before its first member is.
        lonely = isinstance(holder, SharedList) and not told[GROUPS_RULE]
        return {
            "title": _title(holder, period),
            "description": _words(holder),
            "type": "override",
            "status": "draft" if lonely and rules.knows_groups(holder) else "active",
            "starts_at": moment_text(starts) if starts else None,
            "ends_at": moment_text(ends) if ends else None,
            "rules": told,
            "metadata": {
                METADATA: {
                    **_named(holder),
                    "first": period.first.isoformat() if period.first else None,
                    "last": period.last.isoformat() if period.last else None,
                }
            },
        }

    def _head_right(self, holder: Holder, period: Period, held: Json, rules: _Rules) -> bool:
        wanted = self._head(holder, period, rules)
        there = {name: sorted(values) for name, values in (held.get("rules") or {}).items()}
        if not rules.knows_groups(holder):
            there[GROUPS_RULE] = wanted["rules"][GROUPS_RULE]
        moments = [
            (read_moment(held[name]) if held.get(name) else None)
            == (read_moment(wanted[name]) if wanted[name] else None)
            for name in ("starts_at", "ends_at")
        ]
        same = all(held.get(name) == wanted[name] for name in ("status", "type"))
        return same and all(moments) and there == wanted["rules"]

    # Making it so

    def _carry_out(
        self, holder: Holder, plan: ListPlan, rules: _Rules, *, at_once: bool
    ) -> Json | None:
        """The list that there is then."""
        held = plan.held
        self._drop_lists(plan.twins)
        if plan.rows_after == 0:
            if held is not None:
                self._drop_lists([held["id"]])
            return None
        head = self._head(holder, plan.period, rules) if held is None else None
        if held is not None and plan.head_differs:
            wanted = self._head(holder, plan.period, rules)
            held = self._queries.change_price_list(held["id"], wanted)
        rows = (
            [new_row(key, price) for key, price in plan.create],
            [changed(row, key, price) for row, key, price in plan.update],
            [row for row, _ in plan.delete],
        )
        if not at_once:
            held = held or self._queries.make_price_list(head or {})
            self._queries.write_prices(held["id"], *rows)
        elif head is not None or any(rows):
            held = self._queries.write_rows(held["id"] if held else None, head, *rows)
        return held

    def _drop_lists(self, list_ids: Sequence[str]) -> None:
        if list_ids and not self._queries.drop_price_lists(list_ids):
            for each in list_ids:
                self._queries.drop_price_list(each)


def _held_of(holder: Holder, told: Iterable[Json]) -> Held:
    """Those of these lists that are ours of this holder, the oldest of a period first."""
    found: Held = {}
    for each in _own(holder, told):
        said = each["metadata"][METADATA]
        period = Period(_day(said.get("first")), _day(said.get("last")))
        found.setdefault(period, []).append(each)
    return found


def _own(holder: Holder, told: Iterable[Json]) -> list[Json]:
    """Those of these lists that are ours of this holder, the oldest first."""
    found: list[Json] = []
    [(name, wanted)] = _named(holder).items()
    for each in told:
        said = (each.get("metadata") or {}).get(METADATA)
        if isinstance(said, Mapping) and said.get(name) == wanted:
            found.append(each)
    return sorted(found, key=lambda each: str(each["id"]))


def _named(holder: Holder) -> dict[str, str]:
    """How the metadata of a list says whose it is."""
    if isinstance(holder, SharedList):
        return {"shared": holder.list_id}
    return {"audience": str(holder)}


def _prices(entries: Entries) -> list[Price]:
    return [Price(key.key, value) for key, value in entries.items()]


def _and_items(prices: Collection[Price], items: Iterable[Price]) -> list[Price]:
    """With the item prices for all accounts of the items that are priced at all."""
    priced = {price.key.sku for price in prices}
    return [*prices, *(each for each in items if each.key.sku in priced)]


def _items_of_all(keys: Iterable[PublishedPriceKey]) -> set[str]:
    """The items of which one of these is the item price for all accounts."""
    return {
        key.key.sku.value
        for key in keys
        if key.audience == ACCOUNTS and key.key.scope == ITEM_OVERRIDES
    }


def _told(entries: Entries, wrong: Collection[str]) -> dict[PriceKey, PriceValue]:
    """The entries by key; those of the items that are wrong end NEVER."""
    return {
        key.key: replace(value, valid_until=NEVER) if key.key.sku.value in wrong else value
        for key, value in entries.items()
    }


def _to_be(
    audience: Audience,
    skus: Collection[str],
    recorded: Mapping[Audience, Entries],
    put: Entries,
    gone: Collection[PublishedPriceKey],
) -> dict[PublishedPriceKey, PriceValue]:
    """The entries of these items that this audience's lists are to say."""
    entries = {
        key: value
        for key, value in recorded.get(audience, {}).items()
        if key.key.sku.value in skus and key not in gone
    }
    entries |= {key: value for key, value in put.items() if key.audience == audience}
    if audience == ACCOUNTS or audience.kind is AudienceKind.PUBLIC:
        return entries
    everybodys = {**recorded.get(ACCOUNTS, {}), **put}
    for key in gone:
        everybodys.pop(key, None)
    return _with_items(entries, everybodys)


def _with_items(entries: Entries, items: Entries) -> dict[PublishedPriceKey, PriceValue]:
    """The entries, and the item prices for all accounts of the items that they price at all."""
    priced = {key.key.sku for key in entries}
    before_all = {
        key: value
        for key, value in items.items()
        if key.audience == ACCOUNTS and key.key.scope == ITEM_OVERRIDES and key.key.sku in priced
    }
    return {**before_all, **entries}


def _listed(audience: Audience) -> bool:
    """Whether there can be lists for such an audience."""
    return rank_known(audience) or audience.kind is AudienceKind.PUBLIC


def rank_known(audience: Audience) -> bool:
    return audience.kind in (AudienceKind.ACCOUNTS, AudienceKind.GROUP, AudienceKind.ACCOUNT)


def _scopes(audience: Audience, queries: Queries) -> Sequence[PriceScope]:
    match audience.kind:
        case AudienceKind.ACCOUNTS:
            return (ITEM_OVERRIDES, DEFAULT_LIST)
        case AudienceKind.ACCOUNT:
            # Item prices of what is not for everybody stand with the account itself.
            return (ITEM_OVERRIDES, PriceScope(PriceLevel.ACCOUNT, audience.key))
        case AudienceKind.GROUP:
            return (PriceScope(PriceLevel.GROUP, audience.key),)
    owners = (owner for _, owner in queries.record_owners(["price"]))
    partitions = [translate.shown_by(owner) for owner in owners]
    return [each[1] for each in partitions if each is not None and each[0] == audience]


def _words(holder: Holder) -> str:
    """How our lists of this holder are found: words that nobody else would write."""
    start = SHARED_WORDS if isinstance(holder, SharedList) else "tradesync"
    return f"{start} {fingerprint(str(holder))[:20]}"


def _title(holder: Holder, period: Period) -> str:
    days = [
        f" {word} {day.isoformat()}"
        for word, day in (("from", period.first), ("until", period.last))
        if day is not None
    ]
    return f"ERP prices: {holder}{''.join(days)}"


def _day(text: object) -> date | None:
    return date.fromisoformat(text) if isinstance(text, str) else None


def _period_order(period: Period) -> tuple[Any, ...]:
    return (str(period.first or ""), str(period.last or "9999"))
