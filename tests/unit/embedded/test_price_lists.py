"""Lists that accounts share, as a shop reads them: in code, and by the SQL of the README."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

from sync.domain.channel import CommerceMode
from sync.domain.ids import CustomerId, OrganisationId, Sku, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.order import Membership, Role
from sync.domain.pricing import AudienceKind, PriceQuestion, PriceScope
from sync.errors import Misconfigured
from sync.flows.cycle import run_flow
from sync.ports.price_lists import Joining, ListRows, SharedChange
from sync.ports.store import ListLimits, PriceRows
from sync.stores import embedded
from sync.stores.embedded import buyer_view, queries, schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.checking import settings_from
from sync.testing import builders as a
from sync.testing.store_contract import in_rows
from tests.faults.sites import MirrorSite
from tests.scenarios.world import ASSIGNMENTS

Shop = Callable[..., Any]
ACCOUNTS = [CustomerId(f"C-{number}") for number in range(6)]
ITEMS = [Sku(f"ITEM-{number}") for number in range(4)]


class ListedShop(MirrorSite):
    """Six accounts on the embedded store: the same prices, one of them with one of its own."""

    def __init__(self, store: EmbeddedStore, shop: Shop) -> None:
        super().__init__(flows=("accounts", "prices"))
        for number, account in enumerate(ACCOUNTS):
            organisation = OrganisationId(f"org-{number}")
            shop(writing.add_organisation, a.an_organisation(organisation=organisation))
            member = Membership(organisation, Role.ORDER, None)
            user = a.a_web_user(
                web_user=WebUserId(f"u-{number}"),
                memberships=(member,),
                staff_customer_id=None,
            )
            shop(writing.add_user, user)
            self.erp.add_account(a.an_account(customer_id=account))
            for sku in ITEMS:
                self.erp.add_item(a.an_item(sku=sku))
                self.price(account, sku, "5.0000")
        self.price(ACCOUNTS[5], ITEMS[2], "4.5000")
        assigned = [
            Assignment(each, organisation=OrganisationId(f"org-{number}"))
            for number, each in enumerate(ACCOUNTS)
        ]
        self.remap(assignments=(*ASSIGNMENTS, *assigned))
        self.embedded = store

    def price(self, account: CustomerId, sku: Sku, amount: str) -> None:
        self.erp.set_price(a.a_price(amount, scope=PriceScope.account(account), sku=sku))

    def context(self, *given: Any) -> Any:
        self.store = self.embedded  # type: ignore[assignment]
        return super().context(*given)

    def run(self) -> None:
        for flow in self.flows:
            result = run_flow(self.context(), flow)
            assert result.outcome == "ok", result.message


def _by_the_readme() -> str:
    told = (Path(embedded.__file__).parent / "README.md").read_text(encoding="utf-8")
    [found] = re.findall(r"```sql\n(SELECT audience,.*?)```", told, re.DOTALL)
    return str(found)


@pytest.mark.rule("WA-6", "VE-7")
def test_shop_reads_lists_and_own_rows_as_if_all_stood_in_one_table(
    store: EmbeddedStore, shop: Shop, seen: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lists save calls where a call is small.
    monkeypatch.setattr("sync.flows.price_writing.ROWS_PER_CALL", 4)
    limits = store.capabilities
    monkeypatch.setattr(store, "_capabilities", _with_lists(limits, 4))
    site = ListedShop(store, shop)
    site.run()
    [held] = store.shown_price_lists()
    assert (held.rows, len(held.members)) == (4, 6)

    rows = seen(lambda connection: connection.execute(text(_by_the_readme())).mappings().all())
    told = {(row["owner"], row["sku"]): row["unit_price"] for row in rows if row["level"] == 3}
    for account in ACCOUNTS:
        for sku in ITEMS:
            own = account == ACCOUNTS[5] and sku == ITEMS[2]
            assert told[account.value, sku.value] == ("4.5" if own else "5")
    in_table = seen(lambda connection: len(connection.execute(schema.prices.select()).all()))
    assert in_table < len(ACCOUNTS) * len(ITEMS)

    today = site.context().today()
    question = PriceQuestion(ITEMS[2], "EA", "EUR", a.a_price().key.min_quantity, today)
    amounts = []
    for number in range(6):
        visitor = buyer_view.Visitor(
            a.CHANNEL, WebUserId(f"u-{number}"), OrganisationId(f"org-{number}")
        )
        if number == 0:
            shop(writing.add_channel, a.CHANNEL, CommerceMode.HYBRID)
        answer = seen(buyer_view.quote, visitor, question)
        amounts.append(str(answer.price.value.unit_price))
        assert len(seen(buyer_view.prices, visitor)) >= len(ITEMS)
    assert amounts == ["5"] * 5 + ["4.5"]


@pytest.mark.rule("WA-7", "WA-10", "VE-7")
def test_shop_does_not_show_what_an_account_lost_of_its_list(
    store: EmbeddedStore, shop: Shop, seen: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.flows.price_writing.ROWS_PER_CALL", 4)
    limits = _with_lists(store.capabilities, 4, gaps=True)
    monkeypatch.setattr(store, "_capabilities", limits)
    site = ListedShop(store, shop)
    site.run()
    lost = PriceScope.account(ACCOUNTS[1])
    for each in list(site.erp.prices([lost], [ITEMS[2]])):
        site.erp.remove_price(each.key)
    site.run()

    assert [len(each.members) for each in store.shown_price_lists()] == [6]
    assert seen(queries.count, schema.shared_price_gaps) == 1
    rows = seen(lambda connection: connection.execute(text(_by_the_readme())).mappings().all())
    told = {(row["owner"], row["sku"]) for row in rows if row["level"] == 3}
    everything = {(account.value, sku.value) for account in ACCOUNTS for sku in ITEMS}
    assert everything - told == {(ACCOUNTS[1].value, ITEMS[2].value)}
    shop(writing.add_channel, a.CHANNEL, CommerceMode.HYBRID)
    shown = seen(buyer_view.prices, buyer_view.Visitor(a.CHANNEL, *_user_of(1)))
    assert {each.key.sku for each in shown if each.key.scope == lost} == {*ITEMS} - {ITEMS[2]}


def _user_of(number: int) -> tuple[WebUserId, OrganisationId]:
    return WebUserId(f"u-{number}"), OrganisationId(f"org-{number}")


@pytest.mark.rule("MI-2")
def test_what_members_lose_takes_a_row_each_and_no_statement_more(store: EmbeddedStore) -> None:
    told = [_losing(store, list_id, members) for list_id, members in (("L", 2), ("M", 40))]
    assert [rows for rows, _ in told] == [2, 40]
    few, many = (statements for _, statements in told)
    assert many == few


def _losing(store: EmbeddedStore, list_id: str, members: int) -> tuple[int, int]:
    """How many rows more the store has once each of so many has lost one of 200, and by how
    many statements."""
    prices = [a.a_price("5", sku=Sku(f"ITEM-{number}")) for number in range(200)]
    whose = [CustomerId(f"{list_id}-{number}") for number in range(members)]
    mine = [in_rows(prices, a.account_audience(each))[0] for each in whose]
    own = [replace(each, scope=PriceScope.account(w)) for each, w in zip(mine, whose, strict=True)]
    joining = [Joining(list_id, replace(each, rows=each.rows.slice(0, 0))) for each in own]
    listed = ListRows(list_id, own[0].rows)
    store.apply_shared_prices(SharedChange("a", {list_id: None}, put=[listed], join=joining))
    before, statements = _rows(store), list[str]()

    def count(connection: Any, cursor: Any, statement: str, *given: Any) -> None:
        statements.append(statement)

    event.listen(store.engine, "before_cursor_execute", count)
    store.apply_price_rows(
        [], [replace(each, rows=each.rows.slice(at, 1)) for at, each in enumerate(own)]
    )
    event.remove(store.engine, "before_cursor_execute", count)
    [held] = [each for each in store.shown_price_lists() if each.list_id == list_id]
    assert len(held.members) == members
    assert len(store.shown_prices(own[0].audience, own[0].scope)) == 199
    return _rows(store) - before, len(statements)


def _rows(store: EmbeddedStore) -> int:
    with store.engine.connect() as connection:
        return sum(queries.count(connection, table) for table in schema.metadata.sorted_tables)


def _with_lists(limits: Any, entries: int, *, gaps: bool = False) -> Any:
    return replace(limits, price_batch=entries, price_lists=ListLimits(entries, gaps=gaps))


@pytest.mark.rule("VE-8", "VE-7")
def test_no_shopper_can_be_a_member_of_a_list(store: EmbeddedStore, shop: Shop) -> None:
    prices = in_rows([a.a_price()], a.retail_audience())
    with pytest.raises(ValueError, match="may share no price list"):
        Joining("L", prices[0])
    for audience in (a.account_audience(ACCOUNTS[0]), a.account_audience(a.ACCOUNT)):
        other = PriceRows(audience, PriceScope.group("GOLD"), prices[0].rows)
        with pytest.raises(ValueError, match="may share no price list"):
            Joining("L", other)
    row = {"audience_channel": "web", "level": 3, "list_id": "L"}
    for kind, key, owner in (
        (AudienceKind.PUBLIC, "R", "R"),
        (AudienceKind.RETAIL, "R", "R"),
        (AudienceKind.ACCOUNT, "A", "B"),
    ):
        given = {**row, "audience": kind.value, "audience_key": key, "owner": owner}
        with pytest.raises(IntegrityError):
            shop(_insert_member, given)


def _insert_member(connection: Connection, row: dict[str, object]) -> None:
    connection.execute(schema.shared_price_members.insert(), [row])


def test_lists_are_there_where_the_settings_say_so(tmp_path: Path) -> None:
    good = {"url": "sqlite:///shop.db", "store_id": "shop"}
    for told, claimed in ((None, False), (True, True), (False, False)):
        options = good if told is None else {**good, "price_lists": told}
        opened = EmbeddedStore.from_settings(options, {}, tmp_path)
        assert (opened.capabilities.price_lists is not None) == claimed
        opened.close()
    with pytest.raises(Misconfigured) as refused:
        settings_from({**good, "price_lists": "yes"}, {}, tmp_path)
    assert "price_lists" in str(refused.value.problems)
