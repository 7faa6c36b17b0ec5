"""Somebody who once applied for an account asks to be erased (OP-9)."""

from __future__ import annotations

import pytest

from sync.domain import registration
from sync.domain.erasure import ERASED, Person
from sync.domain.ids import WebUserId
from sync.domain.registration import LinkCustomer
from sync.flows.context import Uploads
from sync.ports.registrations import Stage
from sync.ports.state import RequestState, ResyncScope
from sync.registration import RegistrationDesk
from sync.state.erasing import Erased
from sync.state.state import SqlState
from sync.testing import builders as a
from sync.testing.files import MemoryFiles
from tests.scenarios.world import MILL, World

pytestmark = pytest.mark.rule("OP-9")

INES = Person(email="INES@lantern.example ")
NAMES = ("Ines Brandt", "ines@lantern.example", "+49 40 555 0199", "licence.pdf")


def kept(world: World) -> SqlState:
    assert isinstance(world.state, SqlState)
    return world.state


def named(world: World) -> list[str]:
    rows = "\n".join(world.dump())
    return [each for each in NAMES if each in rows]


def erase(world: World, person: Person = INES) -> Erased:
    with kept(world).transaction() as state:
        found = state.erasure.registrations_of(person)
        now = world.clock.now()
        return state.erasure.erase([], person, "bob", "request 12", now, found)


def staff(world: World) -> RegistrationDesk:
    return RegistrationDesk(world.context(), "ann")


@pytest.fixture
def active(world: World) -> World:
    world.store.hand_in(a.an_application())
    world.run("registrations")
    staff(world).approve(a.APPLICATION, LinkCustomer(MILL), "Ines Brandt was phoned")
    world.run("registrations")
    world.take_up_assignments()
    world.run("registrations")
    assert set(named(world)) == set(NAMES)
    return world


@pytest.mark.parametrize("person", [INES, Person(WebUserId("u-app-1"))])
def test_her_name_and_address_go_and_what_was_decided_stays(active: World, person: Person) -> None:
    told = erase(active, person)
    assert told.registrations == 1
    assert named(active) == []
    detail = staff(active).show(a.APPLICATION, search=False)
    assert (detail.entry.stage, detail.entry.customer_id) == (Stage.ACTIVE, MILL)
    assert detail.entry.application.company == "Lantern Works GmbH"
    assert [each.event for each in detail.history][-1] == "erased"
    assert [each.detail for each in detail.history if each.event == "approved"] == [ERASED]
    assert erase(active, person) == Erased()
    assert active.run("registrations").counts == {}
    assert named(active) == []


def test_a_company_that_bears_her_own_name_goes_too(world: World) -> None:
    own = a.an_application(company="ines brandt")
    world.store.hand_in(own)
    world.run("registrations")
    staff(world).reject(a.APPLICATION, "no trade")
    world.run("registrations")
    erase(world)
    application = staff(world).show(a.APPLICATION, search=False).entry.application
    assert (application.company, application.tax_id) == (ERASED, ERASED)


def test_one_that_is_under_way_is_named_with_the_way_out_and_nothing_goes(world: World) -> None:
    world.store.hand_in(a.an_application())
    world.run("registrations")
    before = world.dump()
    with kept(world).transaction() as state:
        (found,) = state.erasure.registrations_of(INES)
    assert found.way_out is not None
    assert "tradesync registrations reject app-1" in found.way_out
    with pytest.raises(ValueError, match="app-1"):
        erase(world)
    assert world.dump() == before


def test_somebody_else_is_not_touched(active: World) -> None:
    assert erase(active, Person(email="bo@lantern.example")) == Erased()
    assert set(named(active)) == set(NAMES)


def test_what_a_run_said_of_her_files_goes_with_her(world: World) -> None:
    """Whoever asked for the run is told which file was refused, and the request keeps it."""
    world.uploads = Uploads(MemoryFiles())
    mine = registration.Document("licence", "app-1/Brandt I passport.pdf", "application/pdf")
    world.store.hand_in(a.an_application(documents=(mine,)))
    told = world.run("registrations").remarks
    assert any("Brandt I passport.pdf" in each for each in told)
    with kept(world).transaction() as state:
        now = world.clock.now()
        asked = state.requests.ask("registrations", ResyncScope(), "bob", now)
        state.requests.finish(asked, RequestState.DONE, "\n".join(told), {}, now)
    staff(world).reject(a.APPLICATION, "no trade")
    world.run("registrations")
    assert any("passport" in each for each in world.dump())
    erase(world)
    assert [each for each in world.dump() if "passport" in each] == []
