"""While the ERP is away, only those whom its contacts assigned keep their sight (WA-2, WA-8).

The sources are the mapping file, then verified addresses. A line that is gone says
nothing any more, whatever an address might say once the contacts can be read again.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sync.domain.account import Contact
from sync.domain.channel import RetailGroup
from sync.domain.erasure import Person as ErasedPerson
from sync.domain.ids import ContactId, CustomerId, WebUserId
from sync.domain.mapping import Assignment, Source
from sync.domain.pricing import PriceScope
from sync.errors import Rejected
from sync.remapping import plan_mapping
from sync.state import SqlState, open_state
from sync.state.backup import backup_state, restore_state
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Crash, Script
from tests.scenarios.sight import NOTHING, Person, price, sight
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    fill_erp,
)

pytestmark = pytest.mark.rule("WA-2", "WA-8", "OP-1")

FILE, ATTRIBUTE, ADDRESS = Source.MAPPING_FILE, Source.STORE_ATTRIBUTE, Source.ERP_EMAIL
CLERK, CLERKS_ADDRESS = WebUserId("u-300"), "clerk@mill.example"
CY = Person(CLERK)
BUYER = Person(a.WEB_USER, a.ORGANISATION)


class OddContact(MemoryErp):
    """Of the clerk's address it cannot tell all accounts."""

    odd = True

    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        if self.odd and email.casefold() == CLERKS_ADDRESS:
            raise Rejected("a contact cannot be read", code="erp_unreadable", remedy="correct it")
        return super().accounts_by_email(email)


@pytest.fixture
def shop(world: World) -> World:
    """The clerk has a verified address, and the files come before the ERP's contacts."""
    clerk(world)
    world.erp.set_price(a.a_price("8.0000", scope=PriceScope.account(MILL)))
    world.remap(precedence=(FILE, ADDRESS))
    return world


def clerk(world: World, **changes: Any) -> None:
    said = {"memberships": (), "verified_email": CLERKS_ADDRESS} | changes
    world.store.add_user(a.a_web_user(web_user=CLERK, **said))


def contact_of(world: World, *customers: CustomerId) -> None:
    """Whose contact the clerk is, by the ERP."""
    for each in (HARBOUR, MILL, RETAIL):
        own = (Contact(ContactId("P-9"), CLERKS_ADDRESS.upper()),) if each in customers else ()
        world.erp.change_account(each, contacts=own)


def line(customer: CustomerId) -> tuple[Assignment, ...]:
    return (*ASSIGNMENTS, Assignment(customer, user=CLERK, origin="customers.csv:4"))


def seen(world: World) -> CustomerId | None:
    return sight(world, CY).customer_id


def away(world: World, *, gone: bool = True) -> None:
    world.erp.deny_access(gone)


@pytest.fixture
def by_line(shop: World) -> World:
    """A wrong line shows the clerk all that belongs to Mill Tools."""
    shop.remap(assignments=line(MILL))
    shop.cycle()
    assert seen(shop) == MILL
    assert sight(shop, CY).invoices == {"INV-6001"}
    assert price(shop, CY) is not None
    return shop


@pytest.mark.rule("MI-1")
def test_a_line_that_is_gone_takes_the_sight_along_although_the_erp_is_away(
    by_line: World,
) -> None:
    away(by_line)
    by_line.remap(assignments=ASSIGNMENTS)
    result = by_line.run("accounts")

    assert result.outcome == "failed", "the rest could not be mirrored"
    assert sight(by_line, CY) == NOTHING
    assert sight(by_line, BUYER).customer_id == HARBOUR


def test_a_line_that_moved_takes_the_sight_of_the_former_account_at_once(by_line: World) -> None:
    away(by_line)
    by_line.remap(assignments=line(HARBOUR))
    by_line.run("accounts")
    assert seen(by_line) is None

    away(by_line, gone=False)
    by_line.cycle()
    assert seen(by_line) == HARBOUR
    assert sight(by_line, CY).invoices == {"INV-5001"}


@pytest.mark.parametrize(
    "contacts,then",
    [
        ((MILL,), MILL),
        ((HARBOUR,), HARBOUR),
        ((HARBOUR, MILL), None),
        ((RETAIL,), None),
        ((), None),
    ],
)
def test_when_the_erp_is_back_its_contacts_decide_and_nobody_guesses(
    by_line: World, contacts: tuple[CustomerId, ...], then: CustomerId | None
) -> None:
    contact_of(by_line, *contacts)
    away(by_line)
    by_line.remap(assignments=ASSIGNMENTS)
    by_line.run("accounts")
    assert seen(by_line) is None

    away(by_line, gone=False)
    by_line.cycle()
    assert seen(by_line) == then
    invoices = {MILL: {"INV-6001"}, HARBOUR: {"INV-5001"}, None: set[str]()}
    assert sight(by_line, CY).invoices == invoices[then]


def test_whoever_the_contacts_assigned_stays_as_long_as_they_cannot_be_read(shop: World) -> None:
    contact_of(shop, MILL)
    shop.cycle()
    away(shop)
    # Somebody else's line goes, and the run writes.
    shop.remap(assignments=ASSIGNMENTS[:1])
    for _ in range(2):
        shop.run("accounts")
        assert seen(shop) == MILL


def test_a_line_that_came_and_went_while_the_erp_is_away_leaves_nothing_behind(
    shop: World,
) -> None:
    """Whatever the contacts had said before: the line decided last, and it is gone."""
    contact_of(shop, MILL)
    shop.cycle()
    away(shop)
    shop.remap(assignments=line(MILL))
    shop.run("accounts")
    assert seen(shop) == MILL
    shop.remap(assignments=ASSIGNMENTS)
    shop.run("accounts")
    assert seen(shop) is None


def assigned_by_contact(world: World) -> World:
    clerk(world)
    contact_of(world, MILL)
    world.remap(precedence=(FILE, ADDRESS))
    world.cycle()
    world.remap(assignments=line(MILL))
    return world


def test_what_the_contacts_said_is_given_up_before_a_line_shows_anything(
    make_world: MakeWorld,
) -> None:
    """Wherever the run dies that takes up the line: it is the line that counts from then on."""
    recorded = assigned_by_contact(make_world())
    recorded.script = Script()
    recorded.run("accounts")
    writing = ("state.", "store.put", "store.withdraw")
    points = [each for each in recorded.script.points if each[0].startswith(writing)]
    assert points
    for point, at in points:
        world = assigned_by_contact(make_world())
        world.script = Script().crash_before(point, at=at)
        with contextlib.suppress(Crash):
            world.run("accounts")
        world.script = None
        world.new_process()
        assert seen(world) == MILL
        away(world)
        for assignments in (line(MILL), ASSIGNMENTS):
            world.remap(assignments=assignments)
            world.run("accounts")
        assert seen(world) is None, point


@pytest.mark.parametrize(
    "change",
    [{"verified_email": None}, {"verified_email": "somebody@else.example"}],
)
def test_an_address_that_the_contacts_were_never_asked_about_keeps_nothing(
    shop: World, change: dict[str, Any]
) -> None:
    contact_of(shop, MILL)
    shop.cycle()
    away(shop)
    clerk(shop, **change)
    shop.run("accounts")
    assert seen(shop) is None


def forget_everything(world: World) -> None:
    with world.state.transaction() as state:
        state.contact_answers.replace({})


def erase(world: World) -> None:
    assert isinstance(world.state, SqlState)
    with world.state.transaction() as state:
        person = ErasedPerson(email=CLERKS_ADDRESS)
        state.erasure.erase([], person, "ann", "asked for", world.clock.now())


@pytest.mark.rule("OP-9")
@pytest.mark.parametrize("forget", [forget_everything, erase])
def test_of_whom_it_is_not_known_what_the_contacts_said_stays_by_no_source(
    shop: World, forget: Callable[[World], None]
) -> None:
    """Such as with the state of an older version, which kept none of it."""
    contact_of(shop, MILL)
    shop.cycle()
    forget(shop)
    away(shop)
    shop.run("accounts")
    assert seen(shop) is None
    assert sight(shop, BUYER).customer_id == HARBOUR


def test_where_contacts_come_first_a_line_keeps_only_what_it_still_says(shop: World) -> None:
    """Nobody has the clerk's address: the line decides, and the ERP would have to tell so."""
    shop.remap(assignments=line(MILL), precedence=(ADDRESS, FILE))
    shop.cycle()
    away(shop)
    shop.run("accounts")
    assert seen(shop) == MILL, "the line still says so"

    shop.remap(assignments=ASSIGNMENTS)
    shop.run("accounts")
    assert seen(shop) is None


def test_where_contacts_come_first_two_accounts_of_an_address_keep_no_line_in_sight(
    shop: World,
) -> None:
    """They said so, and the run could withdraw nothing before the ERP went away."""
    shop.remap(assignments=line(MILL), precedence=(ADDRESS, FILE))
    shop.cycle()
    contact_of(shop, MILL, HARBOUR)
    shop.erp_seen = without(shop.erp, "accounts")
    assert shop.run("accounts").outcome == "failed"
    assert seen(shop) is None


def test_where_contacts_come_first_one_that_cannot_be_read_keeps_no_line_in_sight(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = OddContact(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    clerk(world)
    erp.odd = False
    world.remap(assignments=line(MILL), precedence=(ADDRESS, FILE))
    world.cycle()
    assert seen(world) == MILL

    erp.odd = True
    world.erp_seen = without(erp, "accounts")
    assert world.run("accounts").outcome == "failed"
    assert seen(world) is None


@pytest.mark.rule("MI-1", "TL-2")
def test_an_organisation_whose_line_is_gone_loses_sight_although_the_erp_is_away(
    shop: World,
) -> None:
    shop.cycle()
    assert sight(shop, BUYER).invoices == {"INV-5001"}
    away(shop)
    shop.remap(assignments=ASSIGNMENTS[1:])
    shop.run("accounts")
    assert sight(shop, BUYER) == NOTHING

    away(shop, gone=False)
    shop.remap(assignments=(Assignment(MILL, organisation=HARBOUR_ORG), *ASSIGNMENTS[1:]))
    shop.cycle()
    assert sight(shop, BUYER).invoices == {"INV-6001"}


def test_an_attribute_that_is_gone_takes_the_sight_along(shop: World) -> None:
    shop.remap(precedence=(FILE, ATTRIBUTE, ADDRESS))
    clerk(shop, staff_customer_id=MILL.value)
    shop.cycle()
    assert seen(shop) == MILL
    away(shop)
    clerk(shop)
    shop.run("accounts")
    assert seen(shop) is None


def test_what_the_contacts_would_say_now_is_not_remembered_by_a_dry_run(shop: World) -> None:
    shop.remap(assignments=line(MILL))
    shop.cycle()
    contact_of(shop, MILL)
    shop.remap(assignments=ASSIGNMENTS)
    before = shop.dump()
    shop.run("accounts", dry_run=True)
    kept = [row for row in shop.dump() if row.startswith("contact_answers")]
    assert kept == [row for row in before if row.startswith("contact_answers")] == []
    away(shop)
    assert shop.run("accounts", dry_run=True).outcome == "failed"
    assert seen(shop) == MILL


def test_an_assignment_that_comes_back_is_shown_again_once_the_erp_is_back(
    by_line: World,
) -> None:
    """Everybody acts for what they did before: no feed of the ERP tells of the way between."""
    before = by_line.mapping.assignments
    by_line.clock.advance(2 * 3600)
    by_line.run("accounts")
    away(by_line)
    by_line.remap(assignments=ASSIGNMENTS)
    by_line.run("accounts")
    away(by_line, gone=False)
    by_line.remap(assignments=before)
    by_line.cycle()
    assert seen(by_line) == MILL


@pytest.mark.rule("OP-4")
def test_a_plan_made_while_the_erp_is_away_tells_what_is_withdrawn_all_the_same(
    by_line: World,
) -> None:
    away(by_line)
    draft = dataclasses.replace(by_line.mapping, version="v9", assignments=ASSIGNMENTS[:1])
    before = by_line.dump()
    plan = plan_mapping(by_line.context(), draft)
    assert by_line.dump() == before, "nothing may be written"

    assert "renew the credentials" in plan.unread
    assert [str(each) for each in plan.moves] == [
        f"organisation {MILL_ORG}: no longer {MILL}; orders for it wait in quarantine",
        f"user {CLERK}: no longer {MILL}; the ERP's contacts decide once they can be read",
    ]
    [mill] = plan.accounts
    assert (mill.access.customer_id, mill.access.withdrawn) == (MILL, True)
    assert mill.named["invoice"] == ("INV-6001",)
    assert [each.items for each in mill.prices if each.items] == [(a.SKU.value,)]


@pytest.mark.rule("OP-4")
def test_a_plan_made_while_the_erp_is_away_tells_who_is_to_keep_what_no_run_took_yet(
    by_line: World,
) -> None:
    """The line is gone, the next run would withdraw, and the draft has the line again."""
    away(by_line)
    before = by_line.mapping.assignments
    by_line.remap(assignments=ASSIGNMENTS[:1])
    draft = dataclasses.replace(by_line.mapping, version="v9", assignments=before)
    [mill] = plan_mapping(by_line.context(), draft).accounts
    assert (mill.access.customer_id, mill.access.withdrawn) == (MILL, False)
    assert {str(each) for each in mill.access.gains} == {
        f"organisation {MILL_ORG}",
        f"user {CLERK}",
    }
    assert mill.named["invoice"] == ("INV-6001",)


@pytest.mark.rule("OP-4", "WA-2b")
def test_a_plan_made_while_the_erp_is_away_keeps_no_contact_in_a_retail_group(
    shop: World,
) -> None:
    contact_of(shop, MILL)
    shop.cycle()
    away(shop)
    web = shop.mapping.channels[WEB]
    groups = (*web.retail_groups, RetailGroup(MILL, ("USD",)))
    draft = dataclasses.replace(
        shop.mapping,
        version="v9",
        assignments=ASSIGNMENTS[:1],
        channels={**shop.mapping.channels, WEB: dataclasses.replace(web, retail_groups=groups)},
    )
    plan = plan_mapping(shop.context(), draft)
    assert f"user {CLERK}: no longer {MILL}; the ERP's contacts decide once they can be read" in {
        str(each) for each in plan.moves
    }


def test_a_restored_state_keeps_nobody_by_what_the_contacts_had_said(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    """Somebody may have been assigned by a line since the backup was taken."""
    file = tmp_path / "state.sqlite"
    world = assigned_by_contact(make_world(engine=open_state(f"sqlite:///{file}")))
    backup = tmp_path / "backup.sqlite"
    backup_state(f"sqlite:///{file}", backup)
    world.engine.dispose()
    restore_state(f"sqlite:///{file}", backup, world.clock.now(), "ann")
    world.engine = open_state(f"sqlite:///{file}")
    away(world)
    world.remap(assignments=ASSIGNMENTS)
    world.run("accounts")
    assert seen(world) is None
