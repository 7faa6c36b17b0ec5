"""The ERP's database as the ports see it, by its profile alone.

A profile may lack statements, and the engine asks ``isinstance`` what an
adapter can do. So each capability is a class of its own here, in the order of
the ports, and ``SqlErpAdapter`` puts together those whose statements the
profile has.
"""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from erp_adapters.sql import translate
from erp_adapters.sql.base import TWICE, Parts, Reading, SqlErpBase, single, unreadable
from erp_adapters.sql.customers import CreatesCustomersInSteps
from erp_adapters.sql.database import Database, Settings
from erp_adapters.sql.file_drop.adapter import SubmitsOrdersAsFiles
from erp_adapters.sql.orders import (
    CancelsOrdersInSteps,
    FindsOrdersByKey,
    ReadsOrderStatusByKey,
    RequestsCreditsInSteps,
    SubmitsOrdersInGroups,
    SubmitsOrdersInSteps,
)
from erp_adapters.sql.price_feeds import FEEDS, ReadsPriceFeeds
from erp_adapters.sql.price_states import STATES, ReadsPriceStates
from erp_adapters.sql.price_sums import sums
from erp_adapters.sql.profile import find_profile, load_profile
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.queries import Answer, BadRow, Row
from erp_adapters.sql.record_states import States, Unclear, same, unlooked
from sync.domain import codec
from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.candidates import CustomerMatch, CustomerSearch, bare_tax_id, telling_word
from sync.domain.document import DocumentRecord
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, Sku
from sync.domain.invoice import Invoice
from sync.domain.money import Money
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price, PriceLevel, PriceScope
from sync.domain.times import Watermark
from sync.errors import Misconfigured
from sync.kit.contacts import ContactAnswers
from sync.kit.shelf import Shelf
from sync.ports.erp import (
    AccountsFound,
    Erp,
    Feed,
    InvoicesTold,
    PurchaseOrder,
    ShipTosTold,
    TaxQuestion,
)

T = TypeVar("T")

LEVELS: Mapping[PriceLevel, tuple[str, str | None]] = {
    PriceLevel.ITEM: ("prices_item", None),
    PriceLevel.LOCATION: ("prices_location", "location_id"),
    PriceLevel.ACCOUNT: ("prices_account", "customer_id"),
    PriceLevel.GROUP: ("prices_group", "group_code"),
    PriceLevel.DEFAULT: ("prices_default", None),
}
_OWNERS = {
    "location_id": "location_ids",
    "customer_id": "customer_ids",
    "group_code": "group_codes",
}


class _ReadsAccounts(SqlErpBase):
    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        wanted = {each.value for each in customer_ids}
        with self._read("accounts") as reading:
            asked = {"customer_ids": wanted}
            rows = [
                row
                for row in reading.rows("accounts", **asked).rows
                if row["customer_id"] in wanted
            ]
            currencies = Parts(reading.rows("account_currencies", **asked), "customer_id")
            groups = Parts(reading.rows("account_price_groups", **asked), "customer_id")
            tags = Parts(reading.rows("account_tags", **asked), "customer_id")
            contacts = Parts(reading.rows("contacts", **asked), "customer_id")
            parts = (currencies, groups, tags, contacts)

            def make(row: Row) -> Account:
                return translate.account(row, *(each.of(row["customer_id"]) for each in parts))

            broken = frozenset[str]().union(*(each.broken for each in parts))
            query = self.queries["accounts"]
            whole = [row for row in rows if row["customer_id"] not in broken]
            found = list(reading.build(query, single(reading, query, whole), make))
        return {account.customer_id: account for account in found}

    def customer_ids(self) -> Iterator[CustomerId]:
        with self._read("customer_ids") as reading:
            rows = reading.rows("customer_ids").rows
            found = list(
                reading.build(
                    self.queries["customer_ids"], rows, lambda row: CustomerId(row["customer_id"])
                )
            )
        return iter(dict.fromkeys(found))

    def locations(self, customer_ids: Collection[CustomerId]) -> Sequence[Location]:
        return self._of_customers("locations", customer_ids, translate.location)

    def _of_customers(
        self, name: str, customer_ids: Collection[CustomerId], make: Callable[[Row], T]
    ) -> list[T]:
        """One document for each row of a statement by customer."""
        if name not in self.queries:
            return []
        wanted = {each.value for each in customer_ids}
        with self._read(name) as reading:
            query = self.queries[name]
            rows = reading.rows(name, customer_ids=wanted).rows
            own = [row for row in rows if row["customer_id"] in wanted]
            return list(reading.build(query, single(reading, query, own), make))


class _FindsContacts(SqlErpBase):
    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        wanted = email.casefold()
        with self._read("contacts_by_email") as reading:
            rows = reading.rows("contacts_by_email", email=email.lower()).rows
            # A collation may take é for e; an e-mail address does not.
            exact = [row for row in rows if row["email"].casefold() == wanted]
            found = list(
                reading.build(
                    self.queries["contacts_by_email"],
                    exact,
                    lambda row: CustomerId(row["customer_id"]),
                )
            )
            for bad in reading.bad:
                if (bad.known.get("email") or email).casefold() == wanted:
                    reading.bad.clear()
                    raise unreadable("contacts_by_email", bad.key, bad.told)
        return list(dict.fromkeys(found))


class _FindsContactsTogether(_FindsContacts):
    def accounts_by_emails(self, emails: Collection[str]) -> Mapping[str, AccountsFound]:
        answers, query = ContactAnswers(emails), self.queries["contacts_by_emails"]
        with self._read(query.name) as reading:
            rows = reading.rows(query.name, emails={each.lower() for each in emails}).rows
            own = [row for row in rows if answers.concern(row["email"])]
            for email, customer_id in reading.build(query, own, _contact):
                answers.found(email, customer_id)
            unread, reading.bad = reading.bad, []
            for bad in unread:
                address = bad.known.get("email")
                if address is None:
                    # It may be of any of them; of which, only single questions tell.
                    return {}
                if answers.concern(address):
                    why = bad.told
                    answers.refuse(address, unreadable(query.name, bad.key, why))
                else:
                    reading.bad.append(bad)
        return answers.told()


def _contact(row: Row) -> tuple[str, CustomerId]:
    return row["email"], CustomerId(row["customer_id"])


class _FindsCustomers(SqlErpBase):
    def customers_like(self, sought: CustomerSearch) -> Sequence[CustomerMatch]:
        asked = {
            "tax_id": bare_tax_id(sought.tax_id),
            "company": telling_word(sought.name),
            "email": sought.email.lower(),
        }
        if not any(asked.values()):
            return []
        with self._read("customer_candidates") as reading:
            query = self.queries["customer_candidates"]
            rows: dict[str, list[Row]] = defaultdict(list)
            for row in reading.rows("customer_candidates", **asked).rows:
                rows[row["customer_id"]].append(row)
            firsts = [each[0] for each in rows.values()]
            return list(
                reading.build(
                    query,
                    firsts,
                    lambda row: translate.customer_match(row, rows[row["customer_id"]]),
                )
            )


class _ReadsShipTos(_ReadsAccounts):
    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        return self._of_customers("ship_tos", customer_ids, translate.ship_to)

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]:
        return self._of_customers("bill_tos", customer_ids, translate.bill_to)

    def ship_tos_unless(
        self, customer_ids: Collection[CustomerId], known: Mapping[CustomerId, bytes]
    ) -> ShipTosTold:
        try:
            return self._ship_tos_unless({each.value for each in customer_ids}, _texts(known))
        except Unclear:
            return ShipTosTold(self.ship_tos(customer_ids), self.bill_tos(customer_ids), {})

    def _ship_tos_unless(self, wanted: Set[str], known: Mapping[str, bytes]) -> ShipTosTold:
        with self._read("ship_tos") as reading:
            places = {name: self.queries.get(name) for name in ("ship_tos", "bill_tos")}
            told = {
                name: unlooked(reading, query, customer_ids=wanted)
                for name, query in places.items()
            }
            owners = {name: each.keys("customer_id") for name, each in told.items()}
            states = States(self._way, wanted)
            for name, each in told.items():
                states.add(
                    ((owner,), row) for owner, row in zip(owners[name], each.spelled(), strict=True)
                )
            made = states.made()
            spared = same(made, known)

            def read(name: str, make: Callable[[Row], T]) -> list[T]:
                query = places[name]
                if query is None:
                    return []
                kept = [owner not in spared for owner in owners[name]]
                with self._judged(reading.connection) as mine:
                    mine.spared(kept.count(False))
                    rows = mine.noted(told[name].read(kept)).rows
                    own = [row for row in rows if row["customer_id"] in wanted]
                    return list(mine.build(query, single(mine, query, own), make))

            return ShipTosTold(
                read("ship_tos", translate.ship_to), read("bill_tos", translate.bill_to), _ids(made)
            )


class _ReadsItems(SqlErpBase):
    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        wanted = {each.value for each in skus}
        with self._read("items") as reading:
            rows = reading.rows("items", skus=wanted).rows
            units = Parts(reading.rows("item_units", skus=wanted), "sku")
            customers = Parts(reading.rows("item_customers", skus=wanted), "sku")
            tags = Parts(reading.rows("item_tags", skus=wanted), "sku")
            parts = (units, customers, tags)
            broken = frozenset[str]().union(*(each.broken for each in parts))
            whole = [row for row in rows if row["sku"] in wanted - broken]

            def make(row: Row) -> Item:
                return translate.item(row, *(each.of(row["sku"]) for each in parts))

            query = self.queries["items"]
            found = list(reading.build(query, single(reading, query, whole), make))
        return {item.sku: item for item in found}


class _ListsRestrictedItems(SqlErpBase):
    def restricted_items(self) -> Iterator[Sku]:
        query = self.queries["restricted_items"]
        found: dict[Sku, None] = {}
        with self._read("restricted_items") as reading:
            for row in reading.stream("restricted_items"):
                found.update(
                    dict.fromkeys(reading.build(query, (row,), lambda row: Sku(row["sku"])))
                )
        return iter(found)


class _ReadsPrices(SqlErpBase):
    def price_scopes(self) -> Iterator[PriceScope]:
        with self._read("price_scopes") as reading:
            rows = reading.rows("price_scopes").rows
            found = list(reading.build(self.queries["price_scopes"], rows, translate.price_scope))
        served = {level for level, (name, _) in LEVELS.items() if name in self.queries}
        return iter({scope for scope in found if scope.level in served})

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        owners: dict[PriceLevel, set[str]] = defaultdict(set)
        for scope in scopes:
            owners[scope.level].add(scope.owner)
        named = None if skus is None else {sku.value for sku in skus}
        if named is not None and not named:
            return
        for level in sorted(owners):
            if LEVELS[level][0] in self.queries:
                yield from self._prices(level, owners[level], named)

    def _prices(
        self, level: PriceLevel, owners: set[str], skus: set[str] | None
    ) -> Iterator[Price]:
        name, column = LEVELS[level]
        given: dict[str, Any] = {"skus": skus}
        if column is not None:
            given[_OWNERS[column]] = owners

        def make(row: Row) -> Price:
            return translate.price(row, level, row[column] if column else "")

        with self._read(name) as reading:
            for row in reading.stream(name, **given):
                if column is not None and row[column] not in owners:
                    continue
                if skus is None or row["sku"] in skus:
                    yield from reading.build(self.queries[name], (row,), make)


class _ReadsInvoices(SqlErpBase):
    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        wanted = {each.value for each in customer_ids}
        with self._read("invoices") as reading:
            answer = reading.rows("invoices", customer_ids=wanted)
            return self._made(reading, wanted, answer, reading.rows)

    def _made(
        self,
        reading: Reading,
        wanted: Collection[str],
        answer: Answer,
        parts_of: Callable[..., Answer],
    ) -> list[Invoice]:
        """``parts_of`` answers the statements of lines and dues, by their names."""
        query = self.queries["invoices"]
        own = [row for row in answer.rows if row["customer_id"] in wanted]
        rows = single(reading, query, own, "customer_id", "invoice_number")
        asked = {
            "customer_ids": {row["customer_id"] for row in rows},
            "invoice_numbers": {row["invoice_number"] for row in rows},
        }
        owner = {row["invoice_number"]: row["customer_id"] for row in rows}
        # Of two accounts also where one's cannot be believed: its lines are there.
        shared = _of_several([*answer.rows, *(bad.known for bad in answer.bad)])
        lines = Parts(parts_of("invoice_lines", **asked), "invoice_number", owner)
        dues = Parts(parts_of("invoice_dues", **asked), "invoice_number", owner)

        def make(row: Row) -> Invoice:
            number, customer = row["invoice_number"], row["customer_id"]
            own_lines, own_dues = lines.of(number, customer), dues.of(number, customer)
            parts = (*own_lines, *own_dues)
            if number in shared and not all(part["customer_id"] for part in parts):
                raise ValueError(
                    "several accounts have an invoice of this number, and its lines do not"
                    " say whose they are: let them answer customer_id"
                )
            return translate.invoice(row, own_lines, own_dues)

        whole = []
        for row in rows:
            number, customer = row["invoice_number"], row["customer_id"]
            if not (lines.breaks(number, customer) or dues.breaks(number, customer)):
                whole.append(row)
            elif number in shared:
                why = "a line of it, or of another account's of this number, is unreadable"
                reading.bad.append(BadRow(query.name, row, "", why, query.key_of(row)))
        return list(reading.build(query, whole, make))

    def invoices_unless(
        self, customer_ids: Collection[CustomerId], known: Mapping[CustomerId, bytes]
    ) -> InvoicesTold:
        """A number that several accounts have is part of the state of each: whether its lines
        can be believed depends on all of them."""
        try:
            return self._invoices_unless({each.value for each in customer_ids}, _texts(known))
        except Unclear:
            return InvoicesTold(self.invoices(customer_ids), {})

    def _invoices_unless(self, wanted: Set[str], known: Mapping[str, bytes]) -> InvoicesTold:
        with self._read("invoices") as reading:
            heads = unlooked(reading, self.queries["invoices"], customer_ids=wanted)
            owners, numbers = heads.keys("customer_id"), heads.keys("invoice_number")
            pairs = list(zip(owners, numbers, strict=True))
            asked = {
                "customer_ids": {owner for owner in owners if owner in wanted},
                "invoice_numbers": {number for owner, number in pairs if owner in wanted},
            }
            parts = {name: unlooked(reading, self.queries.get(name), **asked) for name in _PARTS}
            numbers_of = {name: each.keys("invoice_number") for name, each in parts.items()}
            owning: dict[str, set[str]] = defaultdict(set)
            for owner, number in pairs:
                owning[number].add(owner)
            states = States(self._way, wanted)
            told = [(heads, numbers), *((parts[name], numbers_of[name]) for name in _PARTS)]
            for each, of in told:
                spelled = zip(of, each.spelled(), strict=True)
                states.add((owning.get(number, ()), row) for number, row in spelled)
            made = states.made()
            spared = same(made, known)
            done = {number for number, owned in owning.items() if owned <= spared}

            reading.spared(sum(number in done for number in numbers))

            def parts_of(name: str, **asked: Set[str]) -> Answer:
                """Of the invoices that could be read, as if only they were asked for."""
                left = asked["invoice_numbers"] - done
                return reading.noted(parts[name].read([each in left for each in numbers_of[name]]))

            answer = reading.noted(heads.read([number not in done for number in numbers]))
            found = self._made(reading, wanted, answer, parts_of)
            left = [each for each in found if each.sold_to.value not in spared]
            return InvoicesTold(left, _ids(made))


_PARTS = ("invoice_lines", "invoice_dues")


def _texts(known: Mapping[CustomerId, bytes]) -> dict[str, bytes]:
    return {customer_id.value: state for customer_id, state in known.items()}


def _ids(states: Mapping[str, bytes]) -> dict[CustomerId, bytes]:
    return {CustomerId(key): state for key, state in states.items()}


def _of_several(rows: Collection[Row]) -> set[str]:
    """Invoice numbers that stand for documents of more than one account.

    ``rows`` may lack what could not be read of them.
    """
    owners: dict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        if row.get("invoice_number") is not None:
            owners[row["invoice_number"]].add(row.get("customer_id"))
    return {number for number, customers in owners.items() if len(customers) > 1}


class _ReadsBalances(SqlErpBase):
    def balances(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountBalance]:
        wanted = {each.value for each in customer_ids}
        with self._read("balances") as reading:
            rows = reading.rows("balances", customer_ids=wanted).rows
            ageing = Parts(reading.rows("balance_ageing", customer_ids=wanted), "customer_id")
            query = self.queries["balances"]
            own = [row for row in rows if row["customer_id"] in wanted - ageing.broken]

            def make(row: Row) -> AccountBalance:
                parts = ageing.of(row["customer_id"])
                same = [part for part in parts if part["currency"] == row["currency"]]
                return translate.balance(row, same)

            return list(reading.build(query, single(reading, query, own), make))


class _ReadsAccountOrders(SqlErpBase):
    def account_orders(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountOrder]:
        wanted = {each.value for each in customer_ids}
        query = self.queries["account_orders"]
        with self._read("account_orders") as reading:
            answer = reading.rows("account_orders", customer_ids=wanted)
            own = [row for row in answer.rows if row["customer_id"] in wanted]
            rows = single(reading, query, own)
            asked = {
                "customer_ids": {row["customer_id"] for row in rows},
                "order_numbers": {row["order_number"] for row in rows},
            }
            owner = {row["order_number"]: row["customer_id"] for row in rows}
            lines = Parts(reading.rows("account_order_lines", **asked), "order_number", owner)

            def make(row: Row) -> AccountOrder:
                return translate.account_order(row, lines.of(row["order_number"]))

            whole = [row for row in rows if row["order_number"] not in lines.broken]
            return list(reading.build(query, whole, make))


class _ReadsCustomerParts(SqlErpBase):
    def customer_parts(self, customer_ids: Collection[CustomerId]) -> Sequence[CustomerPart]:
        wanted = {each.value for each in customer_ids}
        query = self.queries["customer_parts"]
        with self._read("customer_parts") as reading:
            rows = reading.rows("customer_parts", customer_ids=wanted).rows
            own = [row for row in rows if row["customer_id"] in wanted]
            rows = single(reading, query, own)
            return list(reading.build(query, rows, translate.customer_part))


class _ReadsDocuments(SqlErpBase):
    def documents(self, customer_ids: Collection[CustomerId]) -> Sequence[DocumentRecord]:
        wanted = {each.value for each in customer_ids}
        query = self.queries["documents"]
        with self._read("documents") as reading:
            rows = reading.rows("documents", customer_ids=wanted).rows
            own = [row for row in rows if row["customer_id"] in wanted]
            rows = single(reading, query, own)
            return list(reading.build(query, rows, translate.document))


class _ReadsAvailability(SqlErpBase):
    def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
        named = None if skus is None else {sku.value for sku in skus}
        if named is not None and not named:
            return iter(())
        query, shelf = self.queries["availability"], Shelf()
        with self._read("availability") as reading:
            for row in reading.stream("availability", skus=named):
                if named is None or row["sku"] in named:
                    for figure in reading.build(query, (row,), translate.availability):
                        shelf.add((row["sku"], row["warehouse"]), codec.dumps(figure))
            unclear = {key for key, bodies in shelf.several() if _differ(bodies)}
            for sku, warehouse in sorted(unclear):
                row = {"sku": sku, "warehouse": warehouse}
                reading.bad.append(BadRow(query.name, row, "", TWICE, query.key_of(row)))
        return (codec.loads(Availability, body) for key, body in shelf if key not in unclear)


def _differ(bodies: Collection[str]) -> bool:
    return len({codec.loads(Availability, body) for body in bodies}) > 1


class _TellsChanges(SqlErpBase):
    def changed_customers(
        self, feed: Feed, since: Watermark
    ) -> tuple[Collection[CustomerId], Watermark]:
        name = self._feed(feed)
        with self._read(name) as reading:
            reached = self._now(reading)
            rows = reading.rows(name, since=since.at).rows
            found = list(
                reading.build(self.queries[name], rows, lambda row: CustomerId(row["customer_id"]))
            )
        return list(dict.fromkeys(found)), reached

    def feed_now(self, feed: Feed) -> Watermark:
        self._feed(feed)
        with self._read("clock") as reading:
            return self._now(reading)

    def _feed(self, feed: Feed) -> str:
        if feed not in self.capabilities.change_feeds:
            raise ValueError(f"{self.profile.name} tells no changes of {feed.value}")
        return f"changed_{feed.value}"

    def _now(self, reading: Reading) -> Watermark:
        row = self._one(reading, "clock")
        if row is None:
            raise Misconfigured("the statement clock answers no row")
        # Whole seconds: the columns that tell changes often keep no fractions,
        # and a change stamped within this second would look older than it.
        return Watermark(row["now"].astimezone(UTC).replace(microsecond=0))


class _ChecksPurchaseOrders(SqlErpBase):
    def purchase_order_used(
        self, customer_id: CustomerId, po_number: str, key: IdempotencyKey
    ) -> ErpOrderNumber | None:
        asked = PurchaseOrder(customer_id, po_number, key)
        return self.purchase_orders_used([asked]).get(asked)

    def purchase_orders_used(
        self, asked: Collection[PurchaseOrder]
    ) -> Mapping[PurchaseOrder, ErpOrderNumber]:
        questions = [
            {
                "customer_id": each.customer_id.value,
                "po_number": each.po_number,
                "external_key": each.key.value,
            }
            for each in asked
        ]
        with self._read("purchase_order_used") as reading:
            answers = reading.rows_each("purchase_order_used", questions)
        found = {}
        for each, answer in zip(asked, answers, strict=True):
            numbers = [row["order_number"] for row in answer.rows]
            if numbers:
                found[each] = ErpOrderNumber(min(numbers))
        return found


class _QuotesTax(SqlErpBase):
    def order_tax(self, question: TaxQuestion) -> Money | None:
        asked = {
            "goods": question.goods,
            "charges": question.charges,
            "customer_id": question.customer_id.value,
            # Empty rather than absent: a statement may name all of them at once.
            "ship_to_id": question.ship_to_id.value if question.ship_to_id else "",
            "country": question.country or "",
            "region": question.region or "",
            "postal_code": question.postal_code or "",
            "currency": question.currency,
            "day": question.day,
        }
        with self._read("order_tax") as reading:
            rows = reading.rows("order_tax", **asked).rows
        # Several rows, such as one for each authority, are one tax together.
        known = [row["tax"] for row in rows if row["tax"] is not None]
        return Money(sum(known, Decimal(0)), question.currency) if known else None


_SERVES: tuple[tuple[str, type[SqlErpBase]], ...] = (
    ("accounts", _ReadsAccounts),
    ("contacts_by_email", _FindsContacts),
    ("contacts_by_emails", _FindsContactsTogether),
    ("customer_candidates", _FindsCustomers),
    ("ship_tos", _ReadsShipTos),
    ("items", _ReadsItems),
    ("restricted_items", _ListsRestrictedItems),
    ("price_scopes", _ReadsPrices),
    *((name, ReadsPriceFeeds) for name, _ in FEEDS.values()),
    *((name, ReadsPriceStates) for name in STATES.values()),
    ("invoices", _ReadsInvoices),
    ("balances", _ReadsBalances),
    ("account_orders", _ReadsAccountOrders),
    ("customer_parts", _ReadsCustomerParts),
    ("documents", _ReadsDocuments),
    ("availability", _ReadsAvailability),
    ("clock", _TellsChanges),
    ("find_order", FindsOrdersByKey),
    ("order_status", ReadsOrderStatusByKey),
    ("purchase_order_used", _ChecksPurchaseOrders),
    ("order_tax", _QuotesTax),
)
"""Statement -> what a profile that has it can do."""


class SqlErpAdapter:
    """Makes the adapter that a profile describes. It is never one itself."""

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> Erp:
        """The adapter of a site whose folder is ``base``.

        Does not connect. Raises Misconfigured for options, a profile or a
        driver that will not do.
        """
        settings = Settings.read(options, secrets, base)
        profile = load_profile(find_profile(settings.profile, base))
        return cls.build(profile, settings)

    @classmethod
    def build(cls, profile: Profile, settings: Settings) -> Erp:
        """An object that satisfies the protocols that the profile serves, and no others."""
        database = Database(settings, profile.capabilities.time_zone)
        profile.require_dialect(database.dialect)
        return _class_for(profile, database.dialect)(profile, database)


def _class_for(profile: Profile, dialect: str) -> type[SqlErpBase]:
    parts: list[type[SqlErpBase]] = [serves for name, serves in _SERVES if name in profile.reads]
    if sums(profile, dialect, STATES):
        parts.append(ReadsPriceStates)
    if profile.steps:
        together = profile.capabilities.order_group > 1
        parts.append(SubmitsOrdersInGroups if together else SubmitsOrdersInSteps)
    if profile.cancel_steps:
        parts.append(CancelsOrdersInSteps)
    if profile.customer_steps:
        parts.append(CreatesCustomersInSteps)
    if profile.credit_steps:
        parts.append(RequestsCreditsInSteps)
    if profile.files is not None:
        parts.append(SubmitsOrdersAsFiles)
    # A class that another one contains already would have no place in the order.
    chosen = [
        part
        for part in dict.fromkeys(parts)
        if not any(other is not part and issubclass(other, part) for other in parts)
    ]
    made: type[SqlErpBase] = types.new_class("SqlErp", (*chosen,) or (SqlErpBase,))
    return made
