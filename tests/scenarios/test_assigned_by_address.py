"""Where verified addresses may assign, they count for what is shown as for orders (WA-2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.account import Contact
from sync.domain.ids import ContactId, CustomerId, WebUserId
from sync.domain.mapping import Assignment, Source
from sync.domain.order import Buyer
from sync.domain.pricing import PriceScope
from sync.errors import Misconfigured, Rejected
from sync.explaining import explain_user
from sync.flows import everybody
from sync.flows.cycle import run_flow
from sync.flows.everybody import accounts_by_address
from sync.mapping_check import mapping_findings
from sync.ports.erp import AccountsFound
from sync.remapping import plan_mapping
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Fault, Script
from sync.testing.together import GroupingErp
from tests.scenarios.sight import NOTHING, Person, price, sight
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    RETAIL,
    MakeWorld,
    World,
    fill_erp,
    mill_order,
)

FILE, ATTRIBUTE, ADDRESS = Source.MAPPING_FILE, Source.STORE_ATTRIBUTE, Source.ERP_EMAIL
CLERK = WebUserId("u-300")
CY = Person(CLERK)
ADDRESS_OF_CLERK = "clerk@mill.example"


@pytest.fixture
def shop(world: World) -> World:
    """Mill Tools has a contact who is signed in under the same, verified address."""
    world.erp.change_account(MILL, contacts=(Contact(ContactId("P-9"), "Clerk@Mill.Example"),))
    world.erp.set_price(a.a_price("8.0000", scope=PriceScope.account(MILL)))
    world.erp.set_price(a.a_price("7.0000", scope=PriceScope.account(HARBOUR)))
    clerk(world)
    world.remap(precedence=(FILE, ATTRIBUTE, ADDRESS))
    return world


def clerk(world: World, **changes: Any) -> None:
    said = {"memberships": (), "verified_email": ADDRESS_OF_CLERK} | changes
    world.store.add_user(a.a_web_user(web_user=CLERK, **said))


def sold_to(world: World, number: int) -> list[Any]:
    return [row.order.sold_to for row in world.in_erp(number)]


def by_hand(user: WebUserId = CLERK) -> tuple[Assignment, ...]:
    return (*ASSIGNMENTS, Assignment(HARBOUR, user=user, origin="customers.csv:4"))


@pytest.mark.rule("WA-2", "WA-6", "WA-8")
def test_whoever_orders_under_an_account_by_their_address_sees_it(shop: World) -> None:
    shop.store.place_order(mill_order(1, buyer=Buyer(CLERK, True)))
    shop.cycle()

    assert sold_to(shop, 1) == [MILL]
    assert sight(shop, CY).invoices == {"INV-6001"}
    assert price(shop, CY) == Decimal("8.0000")


@pytest.mark.rule("WA-2", "WA-8")
def test_nobody_sees_the_account_of_a_source_that_comes_after_their_address(shop: World) -> None:
    shop.remap(assignments=by_hand(), precedence=(ADDRESS, FILE))
    shop.store.place_order(mill_order(1, buyer=Buyer(CLERK, True)))
    shop.cycle()

    assert sold_to(shop, 1) == [MILL]
    assert (sight(shop, CY).customer_id, price(shop, CY)) == (MILL, Decimal("8.0000"))

    shop.remap(precedence=(FILE, ADDRESS))
    shop.cycle()
    assert (sight(shop, CY).customer_id, price(shop, CY)) == (HARBOUR, Decimal("7.0000"))


@pytest.mark.rule("WA-2b", "WA-2c", "WA-8")
@pytest.mark.parametrize("other", [HARBOUR, RETAIL])
def test_an_address_that_counts_and_cannot_be_used_opens_nothing(shop: World, other: Any) -> None:
    """Of two accounts, or of a retail group: orders are held, and a later source is not asked."""
    desk = Contact(ContactId("P-8"), ADDRESS_OF_CLERK)
    if other == RETAIL:
        shop.erp.change_account(MILL, contacts=())
    shop.erp.change_account(other, contacts=(desk,))
    shop.remap(assignments=by_hand(), precedence=(ADDRESS, FILE))
    shop.store.place_order(mill_order(1, buyer=Buyer(CLERK, True)))
    shop.cycle()

    held = "retail_group_as_individual" if other == RETAIL else "assignment_conflict"
    assert held in shop.codes(1)
    assert sight(shop, CY) == NOTHING


@pytest.mark.rule("WA-2", "WA-2c", "WA-8")
@pytest.mark.parametrize("kind", [MemoryErp, GroupingErp])
def test_an_address_that_the_erp_cannot_read_holds_that_user_and_nobody_else(
    make_world: MakeWorld, kind: type[MemoryErp]
) -> None:
    clock = ManualClock()
    erp = kind(clock)
    fill_erp(erp)
    erp.add_unreadable_contact(ADDRESS_OF_CLERK)
    world = make_world(clock=clock, erp=erp)
    clerk(world)
    twin = WebUserId("u-301")
    world.store.add_user(
        a.a_web_user(web_user=twin, memberships=(), verified_email="twin@mill.example")
    )
    erp.change_account(MILL, contacts=(Contact(ContactId("P-8"), "twin@mill.example"),))
    world.remap(assignments=by_hand(), precedence=(ADDRESS, FILE))
    world.store.place_order(mill_order(1, buyer=Buyer(CLERK, True)))
    world.store.place_order(mill_order(2, buyer=Buyer(twin, True)))
    planned = run_flow(world.context(), "orders", dry_run=True)
    assert planned.counts["would_be_quarantined"] == planned.counts["would_be_admitted"] == 1
    results = world.cycle()

    assert {each.outcome for each in results} == {"ok"}
    assert world.codes(1) == {"erp_refused"}
    assert sight(world, CY) == NOTHING
    assert sold_to(world, 2) == [MILL]
    assert sight(world, Person(twin)).customer_id == MILL
    said = [each.said for each in mapping_findings(world.context())]
    told = "the ERP cannot tell whose their address is: a contact cannot be read"
    assert f"user {CLERK}: {told}" in said


class Asked(GroupingErp):
    """Keeps what it is asked for; together it tells nothing of ``apart``, or refuses it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.together: list[list[str]] = []
        self.alone: list[str] = []
        self.apart: Collection[str] = ()
        self.refuses = False

    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        self.alone.append(email)
        return super().accounts_by_email(email)

    def accounts_by_emails(self, emails: Collection[str]) -> Mapping[str, AccountsFound]:
        self.together.append(list(emails))
        if self.refuses:
            raise Rejected("it cannot be told", code="erp_unreadable", remedy="correct it")
        alone = list(self.alone)
        told = super().accounts_by_emails(emails)
        self.alone = alone
        return {each: accounts for each, accounts in told.items() if each not in self.apart}


STAFF = [f"user-{number}@mill.example" for number in range(5)]


@pytest.fixture
def asked(make_world: MakeWorld) -> World:
    """Two more users of each address of Mill Tools' staff, the last one a contact."""
    clock = ManualClock()
    world = make_world(clock=clock, erp=Asked(clock))
    fill_erp(world.erp)
    for number in range(2 * len(STAFF)):
        user = a.a_web_user(
            web_user=WebUserId(f"u-4{number:02}"),
            memberships=(),
            verified_email=STAFF[number % len(STAFF)],
        )
        world.store.add_user(user)
    world.erp.change_account(MILL, contacts=(Contact(ContactId("P-7"), STAFF[-1].upper()),))
    world.remap(precedence=(FILE, ADDRESS))
    return world


def staff_found(world: World) -> list[str]:
    """Whose addresses are contacts' of Mill Tools."""
    found = accounts_by_address(world.context())
    assert not found.unread
    return sorted({found.addresses[user] for user, ids in found.accounts.items() if MILL in ids})


def erp_of(world: World) -> Asked:
    assert isinstance(world.erp, Asked)
    return world.erp


@pytest.mark.rule("WA-2")
def test_addresses_are_asked_for_in_blocks_each_once(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert staff_found(asked) == STAFF[-1:]
    [whole] = erp_of(asked).together
    assert (set(STAFF) <= set(whole), len(whole)) == (True, len(set(whole)))
    assert erp_of(asked).alone == []

    erp_of(asked).together.clear()
    monkeypatch.setattr(everybody, "AT_ONCE", 2)
    assert staff_found(asked) == STAFF[-1:]
    blocks = erp_of(asked).together
    assert max(map(len, blocks)) == 2
    assert [each for block in blocks for each in block] + erp_of(asked).alone == whole


@pytest.mark.rule("WA-2", "WA-8")
@pytest.mark.parametrize("refuses", [False, True])
def test_what_is_not_told_of_many_addresses_is_asked_for_by_itself(
    asked: World, refuses: bool
) -> None:
    """It would be taken for nobody's, and a later source would count."""
    erp_of(asked).refuses = refuses
    erp_of(asked).apart = STAFF[-2:]

    assert staff_found(asked) == STAFF[-1:]

    [whole] = erp_of(asked).together
    assert erp_of(asked).alone == (whole if refuses else STAFF[-2:])


@pytest.mark.rule("WA-2", "WA-8", "OP-1")
@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.REPEAT])
def test_a_question_for_many_addresses_that_fails_once_changes_nothing(
    asked: World, fault: Fault
) -> None:
    asked.script = Script().fail("erp.accounts_by_emails", fault)
    assert staff_found(asked) == STAFF[-1:]
    assert not asked.script.unused
    assert erp_of(asked).alone == []


@pytest.mark.rule("WA-2", "WA-8", "OP-1")
def test_a_question_for_many_addresses_that_is_never_answered_takes_nobody_s_sight(
    asked: World,
) -> None:
    member = Person(WebUserId("u-404"))
    asked.cycle()
    assert sight(asked, member).customer_id == MILL

    asked.script = Script()
    for number in range(1, 100):
        asked.script.lost_request("erp.accounts_by_emails", at=number)
    asked.cycle()
    assert asked.script.count("erp.accounts_by_emails")
    assert sight(asked, member).customer_id == MILL


@pytest.mark.rule("WA-2", "WA-2e", "WA-8")
@pytest.mark.parametrize(
    "change",
    [
        {"verified_email": None},
        {"verified_email": "somebody@else.example"},
    ],
)
def test_an_address_that_proves_nothing_any_more_takes_the_sight_along(
    shop: World, change: dict[str, Any]
) -> None:
    shop.cycle()
    assert sight(shop, CY).customer_id == MILL

    clerk(shop, **change)
    shop.cycle()
    assert sight(shop, CY) == NOTHING


@pytest.mark.rule("WA-2", "WA-8", "MI-2")
def test_a_contact_that_leaves_the_erp_loses_sight_and_nothing_else_moves(shop: World) -> None:
    shop.cycle()
    writes = shop.store.writes
    shop.cycle()
    assert shop.store.writes == writes

    shop.erp.change_account(MILL, contacts=())
    shop.cycle()
    assert sight(shop, CY) == NOTHING
    assert sight(shop, Person(a.WEB_USER, a.ORGANISATION)).invoices == {"INV-5001"}


@pytest.mark.rule("WA-2", "WA-8", "OP-4")
def test_a_plan_tells_whom_addresses_move_before_they_do(shop: World) -> None:
    shop.cycle()

    draft = dataclasses.replace(shop.mapping, version="v9", precedence=(FILE, ATTRIBUTE))
    plan = plan_mapping(shop.context(), draft)
    assert [str(each) for each in plan.moves] == [
        (
            f"user {CLERK}: no longer {MILL};"
            " retail where the channel has retail buyers, else in quarantine"
        )
    ]
    [mill] = plan.accounts
    assert (mill.access.customer_id, mill.access.withdrawn) == (MILL, False)

    shop.remap(precedence=(FILE, ATTRIBUTE))
    shop.cycle()
    assert sight(shop, CY) == NOTHING
    back = dataclasses.replace(shop.mapping, version="v9", precedence=(FILE, ADDRESS))
    assert [str(each) for each in plan_mapping(shop.context(), back).moves] == [
        f"user {CLERK}: nobody -> {MILL}"
    ]


@pytest.mark.rule("WA-2", "WA-8", "OP-1")
@pytest.mark.parametrize("precedence", [(FILE, ADDRESS), (ADDRESS, FILE)])
def test_an_erp_that_is_away_takes_nobody_s_sight_whom_it_would_have_to_tell_of(
    shop: World, precedence: tuple[Source, ...]
) -> None:
    """Others lose theirs by our own word, and nobody gains any that an address may forbid."""
    twin = WebUserId("u-301")
    shop.store.add_user(a.a_web_user(web_user=twin, memberships=(), verified_email=None))
    shop.remap(assignments=(*ASSIGNMENTS, Assignment(MILL, user=twin)), precedence=precedence)
    shop.cycle()
    assert sight(shop, Person(twin)).customer_id == sight(shop, CY).customer_id == MILL

    newcomer = WebUserId("u-302")
    shop.store.add_user(
        a.a_web_user(web_user=newcomer, memberships=(), verified_email="new@home.example")
    )
    shop.erp.deny_access()
    shop.remap(assignments=(*ASSIGNMENTS, Assignment(MILL, user=newcomer)))
    shop.run("accounts")

    assert sight(shop, Person(twin)) == NOTHING
    assert sight(shop, CY).customer_id == MILL
    first = precedence[0] is ADDRESS
    assert sight(shop, Person(newcomer)).customer_id == (None if first else MILL)


@pytest.mark.rule("WA-2", "WA-8", "OP-1")
def test_an_account_that_only_an_address_keeps_stays_while_the_erp_is_away(shop: World) -> None:
    shop.remap(assignments=ASSIGNMENTS[:1])
    shop.cycle()
    assert sight(shop, CY).customer_id == MILL
    shop.erp.deny_access()
    shop.remap(assignments=())
    shop.run("accounts")
    assert set(shop.shown()["accounts"]) == {MILL}


@pytest.mark.rule("WA-2")
def test_a_store_that_lists_no_verified_addresses_is_read_user_by_user(shop: World) -> None:
    store = without(shop.store, "with_verified_email")
    context = dataclasses.replace(shop.context(), store=store)
    draft = dataclasses.replace(shop.mapping, version="v9", precedence=(FILE, ATTRIBUTE))
    assert [each.before for each in plan_mapping(context, draft).moves] == [MILL]


@pytest.mark.rule("WA-2", "OP-4")
def test_an_erp_that_is_not_searched_for_addresses_decides_for_nobody(shop: World) -> None:
    """What it cannot tell must not be taken for no, or a later source would count."""
    erp: MemoryErp = without(shop.erp, "accounts_by_email")
    shop.remap(precedence=(ADDRESS, FILE))
    shop.erp_seen = erp

    result = shop.run("accounts")
    assert result.outcome == "failed"
    assert "take erp_email out of it" in result.message
    with pytest.raises(Misconfigured, match="take erp_email out"):
        plan_mapping(shop.context(), dataclasses.replace(shop.mapping, version="v9"))
    said = [(each.place, each.subject) for each in mapping_findings(shop.context())]
    assert ("customers.yaml", "precedence") in said


@pytest.mark.rule("WA-2", "OP-3")
def test_the_user_is_explained_by_the_source_that_shows_them_the_account(shop: World) -> None:
    shop.cycle()
    [answer] = explain_user(shop.context(), CLERK.value)["contexts"]
    assert answer["customer"] == MILL.value == sight(shop, CY).customer_id.value  # type: ignore[union-attr]
