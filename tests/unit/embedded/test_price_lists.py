"""Lists that accounts share, as a shop reads them: in code, and by the SQL of the README."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from sync.domain.channel import CommerceMode
from sync.domain.ids import CustomerId, OrganisationId, Sku, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.order import Membership, Role
from sync.domain.pricing import AudienceKind, PriceQuestion, PriceScope
from sync.errors import Misconfigured
from sync.flows.cycle import run_flow
from sync.ports.price_lists import Joining
from sync.ports.store import ListLimits, PriceRows
from sync.stores import embedded
from sync.stores.embedded import buyer_view, schema, writing
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


def _with_lists(limits: Any, entries: int) -> Any:
    return replace(limits, price_batch=entries, price_lists=ListLimits(entries))


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
