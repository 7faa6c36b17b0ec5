"""Tryton as the ports see it: one class for each capability, in the order of the ports."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from erp_adapters.tryton import checking, queries, translate
from erp_adapters.tryton.base import TrytonBase
from erp_adapters.tryton.finding import ChecksPurchaseOrdersByReference, ReadsOrderStatusByWebId
from erp_adapters.tryton.groups import SubmitsGroupsOfSales
from erp_adapters.tryton.papers import GivesOutPapers
from erp_adapters.tryton.prices import Prices
from erp_adapters.tryton.queries import ANY_ACTIVE, AT_ONCE, Clause, Row
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from erp_adapters.tryton.site import PLAIN_LIST
from erp_adapters.tryton.taxes import QuotesTaxOfLines
from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.ids import CustomerId, Sku
from sync.domain.invoice import Invoice
from sync.domain.pricing import Price, PriceLevel, PriceQuestion, PriceScope
from sync.domain.times import Watermark
from sync.errors import Rejected
from sync.kit.contacts import ContactAnswers
from sync.ports.erp import AccountFile, AccountsFound, AskedPrice, Feed, Finding


class _ReadsAccounts(TrytonBase):
    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        rows = self._parties({each.value for each in customer_ids})
        lists = self._places.price_list_rows() if rows else {}
        return self._accounts(rows, lists, self._first_ship_tos({row["code"] for row in rows}))

    def _parties(self, codes: Collection[str]) -> list[Row]:
        if not codes:
            return []
        domain = [*self._places.site.customers, ANY_ACTIVE]
        rows = queries.rows_in(self._rpc, "party.party", "code", codes, domain, queries.PARTY)
        return [row for row in rows if row["code"] in codes]

    def _accounts(
        self, rows: Sequence[Row], lists: Mapping[int, Row], first_ship_tos: Mapping[str, str]
    ) -> Mapping[CustomerId, Account]:
        site, names = self._places.site, self._places.price_lists(lists)
        default = None
        if any(row["sale_price_list"] is None for row in rows):
            default = self._places.default_price_list()

        def make(row: Row) -> Account:
            number = row["sale_price_list"] or default
            group = PLAIN_LIST if number is None else names[number]
            return translate.account(row, site.currency, group, first_ship_tos.get(row["code"]))

        made = self._built("party.party", rows, make, _code, _code)
        return {account.customer_id: account for account in made}

    def _first_ship_tos(self, codes: Collection[str]) -> Mapping[str, str]:
        """What Tryton would ship to by itself: the first address that is for delivery."""
        fields = ("party.code", "sequence")
        rows = queries.rows_in(
            self._rpc, "party.address", "party.code", codes, [("delivery", "=", True)], fields
        )
        return {code: str(own[0]["id"]) for code, own in translate.by_owner(rows).items()}

    def customer_ids(self) -> Iterator[CustomerId]:
        domain = [*self._places.site.customers, ANY_ACTIVE]
        rows = list(queries.rows(self._rpc, "party.party", domain, ("code",)))
        return self._built("party.party", rows, lambda row: CustomerId(row["code"]), _code, _code)

    def locations(self, customer_ids: Collection[CustomerId]) -> Sequence[Location]:
        return []


class _FindsContacts(TrytonBase):
    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        wanted = email.casefold()
        found = self._contacts([email])
        codes = {code for address, code in found if address.casefold() == wanted}
        return [_customer_of_contact(code) for code in self._customers(codes)]

    def accounts_by_emails(self, emails: Collection[str]) -> Mapping[str, AccountsFound]:
        """One search for their contacts, and one for whose parties are customers."""
        answers = ContactAnswers(emails)
        found = [each for each in self._contacts(emails) if answers.concern(each[0])]
        known = set(self._customers({code for _, code in found}))
        for address, code in found:
            if code not in known:
                continue
            try:
                answers.found(address, _customer_of_contact(code))
            except Rejected as refusal:
                answers.refuse(address, refusal)
        return answers.told()

    def _contacts(self, emails: Collection[str]) -> Iterator[tuple[str, str]]:
        """Address and party's code of each contact that may have one of these addresses.

        A wildcard in an address only widens the search: the caller decides what matches.
        """
        ordered, fields = sorted(set(emails)), ("value", "party.code")
        for start in range(0, len(ordered), AT_ONCE):
            either = [("value", "ilike", each) for each in ordered[start : start + AT_ONCE]]
            domain: list[object] = [("type", "=", "email"), ["OR", *either]]
            for row in queries.rows(self._rpc, "party.contact_mechanism", domain, fields):
                code = (row["party."] or {}).get("code")
                if code:
                    yield row["value"] or "", code

    def _customers(self, codes: Collection[str]) -> list[str]:
        """Those of these parties' codes that are customers', inactive ones included."""
        domain = [*self._places.site.customers, ANY_ACTIVE]
        rows = queries.rows_in(self._rpc, "party.party", "code", codes, domain, ("code",))
        return [row["code"] for row in rows]


def _customer_of_contact(code: str) -> CustomerId:
    try:
        return CustomerId(code)
    except ValueError as error:
        raise Rejected(
            f"a contact belongs to a party whose code is no customer ID: {error}",
            code="erp_unreadable",
            remedy="correct the party's code in Tryton",
        ) from error


class _ReadsShipTos(TrytonBase):
    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        return self._ship_tos(self._addresses(customer_ids, ("delivery", "=", True)))

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]:
        return self._bill_tos(self._addresses(customer_ids, ("invoice", "=", True)))

    def _ship_tos(self, owned: Mapping[str, Sequence[Row]]) -> list[ShipTo]:
        def make(row: Row) -> ShipTo:
            return translate.ship_to(row, default=row["id"] in first)

        rows, first = _in_turn(owned)
        return list(self._built("party.address", rows, make, _number, _owner))

    def _bill_tos(self, owned: Mapping[str, Sequence[Row]]) -> list[BillTo]:
        def make(row: Row) -> BillTo:
            return translate.bill_to(row, default=row["id"] in first)

        rows, first = _in_turn(owned)
        return list(self._built("party.address", rows, make, _number, _owner))

    def _addresses(self, customer_ids: Collection[CustomerId], use: Clause) -> dict[str, list[Row]]:
        """The active addresses of that use by customer, as Tryton shows them."""
        codes = {each.value for each in customer_ids}
        fields = (*queries.ADDRESS, *queries.USES)
        rows = queries.rows_in(self._rpc, "party.address", "party.code", codes, [use], fields)
        return translate.by_owner(row for row in rows if row["party."]["code"] in codes)


class _ReadsAccountFiles(_ReadsAccounts, _ReadsShipTos):
    def account_files(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountFile]:
        """One search for the customers, and one for all of their addresses."""
        rows = self._parties({each.value for each in customer_ids})
        if not rows:
            return {}
        lists = self._places.price_list_rows()
        either: Clause = ["OR", *((use, "=", True) for use in queries.USES)]
        owned = self._addresses([CustomerId(row["code"]) for row in rows], either)
        with self._looking_up() as sales:
            sales.lookups.knows(parties={row["code"]: int(row["id"]) for row in rows}, lists=lists)
            sales.addresses.knows(
                {
                    int(each["id"]): int(each["party."]["id"])
                    for own in owned.values()
                    for each in own
                }
            )
        delivery, invoice = (_of_use(owned, use) for use in queries.USES)
        first = {code: str(own[0]["id"]) for code, own in delivery.items()}
        ship_tos, bill_tos = self._ship_tos(delivery), self._bill_tos(invoice)
        return {
            each: AccountFile(
                account,
                tuple(ship_to for ship_to in ship_tos if ship_to.sold_to == each),
                tuple(bill_to for bill_to in bill_tos if bill_to.sold_to == each),
            )
            for each, account in self._accounts(rows, lists, first).items()
        }


class _ReadsItems(TrytonBase):
    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        codes = {each.value for each in skus}
        # An order is about a few, and it asks about them again; of more nobody does.
        few = 0 < len(codes) <= AT_ONCE // 2
        asked = codes | self._places.amounts if few else codes
        found: dict[str, list[Row]] = {code: [] for code in asked}
        for row in queries.rows_in(
            self._rpc, "product.product", "code", asked, [ANY_ACTIVE], queries.PRODUCT
        ):
            found.setdefault(row["code"], []).append(row)
        held = {code: found[code] for code in sorted(codes) if found[code]}
        units = self._units(
            {row["default_uom."]["category"] for same in held.values() for row in same}
        )
        if few:
            with self._looking_up() as sales:
                sales.lookups.knows(products=found, units=units)

        def make(row: Row) -> Item:
            if len(_chosen(held[row["code"]])) > 1:
                raise ValueError("several products that can be sold have this code")
            return translate.item(row, units.get(row["default_uom."]["category"], ()))

        chosen = [_chosen(same)[0] for same in held.values()]
        made = self._built("product.product", chosen, make, _code, lambda row: None)
        return {item.sku: item for item in made}

    def _units(self, categories: Collection[int]) -> Mapping[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        for row in queries.rows_in(
            self._rpc, "product.uom", "category", categories, [], queries.UNIT
        ):
            found.setdefault(row["category"], []).append(row)
        return found


class _ReadsPrices(TrytonBase):
    def price_scopes(self) -> Iterator[PriceScope]:
        return Prices(self._rpc, self._places).scopes()

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        groups = {scope.owner for scope in scopes if scope.level is PriceLevel.GROUP}
        if groups:
            yield from Prices(self._rpc, self._places).entries(groups, skus)


class _AnswersPriceQuestions(TrytonBase):
    def asked_prices(self, asked: Collection[AskedPrice]) -> Mapping[AskedPrice, Price]:
        by_list: dict[str, list[PriceQuestion]] = {}
        for scope, question in asked:
            if scope.level is PriceLevel.GROUP:
                by_list.setdefault(scope.owner, []).append(question)
        if not by_list:
            return {}
        skus = {each.sku for questions in by_list.values() for each in questions}
        with self._looking_up() as sales:
            lists = sales.lookups.price_lists(by_list.keys() - {PLAIN_LIST})
            rows = sales.lookups.all_products(sorted(sku.value for sku in skus))
        prices = Prices(self._rpc, self._places)
        sold = prices.to_sell([each for same in rows.values() for each in same])
        found: dict[AskedPrice, Price] = {}
        for name, questions in by_list.items():
            if name == PLAIN_LIST or name in lists:
                answers = prices.answers(name, lists.get(name), sold, questions)
                found.update(((PriceScope.group(name), each), price) for each, price in answers)
        return found


class _ReadsInvoices(TrytonBase):
    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        codes = {each.value for each in customer_ids}
        domain = [
            ("type", "=", "out"),
            ("state", "in", ["posted", "paid"]),
            ("company", "=", self._places.site.company),
        ]
        rows = queries.rows_in(
            self._rpc, "account.invoice", "party.code", codes, domain, queries.INVOICE
        )
        own = (row for row in rows if row["party."]["code"] in codes)
        made = self._built(
            "account.invoice", own, translate.invoice, lambda row: str(row["number"]), _owner
        )
        return list(made)


class _TellsChanges(TrytonBase):
    def changed_customers(
        self, feed: Feed, since: Watermark
    ) -> tuple[Collection[CustomerId], Watermark]:
        reached = self.feed_now(feed)
        found: dict[CustomerId, None] = {}
        for model, code in _CHANGES[feed]:
            domain: list[object] = [("last_modified_at", ">=", since.at), (code, "!=", None)]
            if model == "party.address":
                domain.append(ANY_ACTIVE)
            for row in queries.rows(self._rpc, model, domain, (code,)):
                owner = row["code"] if code == "code" else (row["party."] or {}).get("code")
                if owner:
                    found[CustomerId(owner)] = None
        return list(found), reached

    def feed_now(self, feed: Feed) -> Watermark:
        if feed not in self.capabilities.change_feeds:
            raise ValueError(f"tryton tells no changes of {feed.value}")
        return Watermark(self._rpc.server_clock())


_CHANGES: Mapping[Feed, Sequence[tuple[str, str]]] = {
    Feed.ACCOUNTS: (("party.party", "code"), ("party.contact_mechanism", "party.code")),
    # A name without one of its own is the party's, a phone the contact mechanism's.
    Feed.SHIP_TOS: (
        ("party.address", "party.code"),
        ("party.party", "code"),
        ("party.contact_mechanism", "party.code"),
    ),
    Feed.INVOICES: (("account.invoice", "party.code"),),
}
"""Where a change of each feed leaves its time: a part does not touch the whole in Tryton."""


class TrytonErpAdapter(
    _ReadsAccountFiles,
    _FindsContacts,
    _ReadsItems,
    _ReadsPrices,
    _AnswersPriceQuestions,
    _ReadsInvoices,
    GivesOutPapers,
    _TellsChanges,
    SubmitsGroupsOfSales,
    ReadsOrderStatusByWebId,
    ChecksPurchaseOrdersByReference,
    QuotesTaxOfLines,
):
    """One Tryton database, as one user and one company."""

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], root: Path
    ) -> TrytonErpAdapter:
        """The adapter of a site whose folder is ``root``.

        Does not connect. Raises Misconfigured for options that will not do.
        """
        settings, password = Settings.read(options, secrets, root)
        rpc = Rpc(settings, password, now=lambda: datetime.now(UTC), monotonic=monotonic)
        return cls(settings, rpc)

    def check(self) -> Sequence[Finding]:
        return checking.check(self.settings, self._rpc, self._places)


def _chosen(rows: Sequence[Row]) -> Sequence[Row]:
    """Of several products with one code those that can be sold; where none can, the first."""
    salable = [row for row in rows if row["active"] and row["salable"]]
    return salable or rows[:1]


def _in_turn(owned: Mapping[str, Sequence[Row]]) -> tuple[list[Row], set[int]]:
    """All of these addresses, and which of them Tryton takes by itself."""
    rows = [row for own in owned.values() for row in own]
    return rows, {int(own[0]["id"]) for own in owned.values()}


def _of_use(owned: Mapping[str, Sequence[Row]], use: str) -> dict[str, list[Row]]:
    found = {code: [row for row in own if row[use]] for code, own in owned.items()}
    return {code: own for code, own in found.items() if own}


def _code(row: Row) -> str:
    return str(row["code"])


def _number(row: Row) -> str:
    return str(row["id"])


def _owner(row: Row) -> str | None:
    code = (row["party."] or {}).get("code")
    return None if code is None else str(code)
