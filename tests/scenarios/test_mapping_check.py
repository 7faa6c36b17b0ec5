"""What the check says about mapped accounts that the ERP has, but would not take orders for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.account import AccountStatus, Contact
from sync.domain.channel import CommerceMode, LoginWall, RetailGroup
from sync.domain.ids import (
    ChannelId,
    ContactId,
    CustomerId,
    OrganisationId,
    ShipToId,
    WebUserId,
)
from sync.domain.mapping import AccountPolicy, Assignment, Source
from sync.domain.order import Membership, Organisation, WebUser
from sync.mapping_check import doubts_about, mapping_findings
from sync.ports.erp import FindingLevel
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    DOCK,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_store,
    guest_order,
    harbour_order,
)


@pytest.mark.rule("WA-2c", "OP-4")
@pytest.mark.parametrize(
    "changes, told",
    [
        ({"active": False}, "is inactive in the ERP"),
        ({"status": AccountStatus.CLOSED}, "is inactive in the ERP"),
        ({"status": AccountStatus.SUSPENDED}, "is inactive in the ERP"),
        ({"prospect": True}, "is only a prospect in the ERP"),
        ({"status": AccountStatus.PROSPECT}, "is only a prospect in the ERP"),
    ],
)
def test_mapped_account_that_may_not_order_is_named_however_the_erp_says_it(
    world: World, changes: dict[str, Any], told: str
) -> None:
    world.erp.change_account(HARBOUR, **changes)

    [finding] = mapping_findings(world.context())

    assert (finding.subject, finding.message) == (f"customer {HARBOUR}", told)
    assert finding.level is FindingLevel.WARNING


@pytest.mark.rule("WA-2c")
def test_mapped_accounts_that_may_order_are_counted(world: World) -> None:
    [finding] = mapping_findings(world.context())

    assert finding.level is FindingLevel.OK


@pytest.mark.rule("OP-4")
def test_lines_about_people_whom_the_store_does_not_know_are_named(world: World) -> None:
    other = CustomerId("C-3003")
    world.erp.add_account(a.an_account(customer_id=other))
    world.remap(
        assignments=(
            *ASSIGNMENTS,
            Assignment(HARBOUR, user=WebUserId("u-gone"), origin="customers.csv:12"),
            Assignment(other, organisation=OrganisationId("org-gone"), origin="customers.csv:4"),
            Assignment(
                MILL,
                user=HARBOUR_BUYER,
                organisation=OrganisationId("org-gone"),
                origin="customers.csv:9",
            ),
        )
    )

    found = mapping_findings(world.context())

    assert [(each.place, each.subject) for each in found] == [
        ("customers.csv:4", "organisation org-gone"),
        ("customers.csv:9", "organisation org-gone"),
        ("customers.csv:12", "user u-gone"),
    ]
    assert {each.message for each in found} == {
        "the store has no such organisation",
        "the store has no such user",
    }


@pytest.mark.rule("OP-4", "TL-3")
def test_exception_of_a_user_who_is_not_of_the_organisation_is_named_with_its_line(
    world: World,
) -> None:
    within = Assignment(HARBOUR, user=HARBOUR_BUYER, organisation=HARBOUR_ORG, origin="c.csv:4")
    outside = Assignment(HARBOUR, user=HARBOUR_BUYER, organisation=MILL_ORG, origin="c.csv:5")
    world.remap(assignments=(*ASSIGNMENTS, within, outside))

    [finding] = mapping_findings(world.context())

    assert (finding.place, finding.subject) == ("c.csv:5", f"user {HARBOUR_BUYER}")
    assert finding.message == f"does not belong to organisation {MILL_ORG} in the store"


@pytest.mark.rule("OP-4", "WA-2c")
def test_a_policy_for_a_customer_that_nobody_is_assigned_to_is_held_against_the_erp_too(
    world: World,
) -> None:
    typo = CustomerId("C-10O1")
    world.erp.add_account(a.an_account(customer_id=CustomerId("C-3003")))
    policies = {each: AccountPolicy() for each in (typo, HARBOUR, CustomerId("C-3003"))}
    world.remap(account_policies=policies)
    [finding] = mapping_findings(world.context())
    assert (finding.subject, finding.message) == (
        f"customer {typo}",
        "the ERP has no such customer",
    )
    assert (finding.place, finding.path) == ("accounts.yaml", ("accounts", typo.value))


@pytest.mark.rule("OP-4")
def test_a_default_contact_of_another_account_is_named_where_it_stands(world: World) -> None:
    theirs = ContactId("MILL-1")
    world.erp.change_account(MILL, contacts=(Contact(theirs),))
    policy = AccountPolicy(default_contact=theirs)
    world.remap(account_policies={HARBOUR: policy, MILL: policy})
    [finding] = mapping_findings(world.context())
    assert finding.message == f"is no contact of customer {HARBOUR} in the ERP"
    assert finding.path == ("accounts", HARBOUR.value, "default_contact")


@pytest.mark.rule("OP-4")
def test_a_contact_of_another_account_is_named(world: World) -> None:
    theirs = ContactId("MILL-1")
    world.erp.change_account(MILL, contacts=(Contact(theirs),))
    world.remap(
        assignments=(
            Assignment(HARBOUR, organisation=HARBOUR_ORG, contact=theirs, origin="customers.csv:2"),
            Assignment(MILL, organisation=MILL_ORG, contact=theirs, origin="customers.csv:3"),
        )
    )

    [finding] = mapping_findings(world.context())

    assert (finding.place, finding.subject) == ("customers.csv:2", f"contact {theirs}")
    assert finding.message == f"is no contact of customer {HARBOUR} in the ERP"


@pytest.mark.rule("OP-4", "WA-12")
def test_a_contact_that_two_people_or_two_companies_claim_is_named_with_both_lines(
    world: World,
) -> None:
    ann, bob = WebUserId("u-ann"), WebUserId("u-bob")
    second = OrganisationId("org-second")
    world.store.add_organisation(Organisation(second, "Harbour Two"))
    memberships = (Membership(HARBOUR_ORG), Membership(second))
    for user in (ann, bob):
        world.store.add_user(a.a_web_user(web_user=user, memberships=memberships))
    desk, person = ContactId("DESK"), ContactId("ANN")
    world.erp.change_account(HARBOUR, contacts=(Contact(desk), Contact(person)))
    world.erp.change_account(MILL, contacts=(Contact(person),))
    lines = [
        Assignment(HARBOUR, organisation=HARBOUR_ORG, contact=desk),
        # One user in two contexts, and the user who is the desk: one person each.
        Assignment(HARBOUR, user=ann, contact=person),
        Assignment(HARBOUR, user=ann, organisation=HARBOUR_ORG, contact=person),
        Assignment(HARBOUR, user=bob, contact=desk),
        # The same key at another account is another contact.
        Assignment(MILL, organisation=MILL_ORG, contact=person),
    ]
    told = [replace(each, origin=f"c.csv:{line}") for line, each in enumerate(lines, 2)]
    world.remap(assignments=tuple(told))
    assert [each.level for each in mapping_findings(world.context())] == [FindingLevel.OK]

    wrong = (
        Assignment(HARBOUR, user=bob, organisation=HARBOUR_ORG, contact=person, origin="c.csv:7"),
        Assignment(HARBOUR, organisation=second, contact=desk, origin="c.csv:8"),
    )
    world.remap(assignments=(*told, *wrong))
    found = [each for each in mapping_findings(world.context()) if "claimed" in each.message]
    assert [(each.place, each.subject) for each in found] == [
        ("c.csv:7", "contact ANN"),
        ("c.csv:8", "contact DESK"),
    ]
    assert "user u-ann (c.csv:3)" in found[0].message
    assert f"organisation {HARBOUR_ORG} (c.csv:2)" in found[1].message


@pytest.mark.rule("OP-4", "OP-2")
def test_check_tells_how_far_it_is_while_a_large_directory_is_read(make_world: MakeWorld) -> None:
    class Large(MemoryStore):
        def web_users(self) -> Iterator[WebUserId]:
            for number in range(1200):
                read.append(number)
                yield WebUserId(f"u-{number}")

    read: list[int] = []
    told: list[tuple[str, int, int]] = []
    store = Large()
    fill_store(store)
    world = make_world(store=store)
    world.remap(assignments=(*ASSIGNMENTS, Assignment(MILL, user=WebUserId("u-7"))))

    def progress(step: str, done: int, total: int | None) -> bool:
        told.append((step, done, len(read)))
        return False

    mapping_findings(replace(world.context(), progress=progress))
    # Told in between, and not only when all was there.
    assert [(done, at) for step, done, at in told if step.startswith("users:")] == [
        (500, 500),
        (1000, 1000),
        (1200, 1200),
    ]


SHARED = "purchasing@shared.example"


def told(world: World) -> dict[str, str]:
    return {
        each.subject: each.message
        for each in mapping_findings(world.context())
        if each.level is FindingLevel.WARNING
    }


@pytest.mark.rule("WA-2", "WA-2c", "OP-4")
def test_an_address_that_is_a_contact_of_two_accounts_is_told_by_its_user_where_it_may_decide(
    world: World,
) -> None:
    desk, mine = Contact(ContactId("P-9"), SHARED), Contact(ContactId("P-8"), "mine@mill.example")
    world.erp.change_account(HARBOUR, contacts=(desk,))
    world.erp.change_account(MILL, contacts=(desk, mine))
    world.store.add_user(WebUser(WebUserId("u-shared"), verified_email=SHARED))
    world.store.add_user(WebUser(WebUserId("u-mapped"), verified_email=SHARED))
    world.store.add_user(WebUser(WebUserId("u-mine"), verified_email="mine@mill.example"))
    world.store.add_user(WebUser(WebUserId("u-unverified")))
    mapped = Assignment(MILL, user=WebUserId("u-mapped"), origin="customers.csv:4")
    world.remap(assignments=(ASSIGNMENTS[0], mapped))

    assert told(world) == {}, "no address decides here"

    world.remap(precedence=(Source.MAPPING_FILE, Source.ERP_EMAIL))
    [(subject, message)] = told(world).items()
    assert subject == "user u-shared"
    assert f"2 accounts ({HARBOUR}, {MILL})" in message
    assert SHARED not in message, "addresses are people's"

    world.remap(precedence=(Source.ERP_EMAIL, Source.MAPPING_FILE))
    assert set(told(world)) == {"user u-shared", "user u-mapped"}, "now it decides before the file"


@pytest.mark.rule("WA-2b")
def test_an_attribute_and_another_pipelines_group_are_told_before_an_order_is_held(
    world: World,
) -> None:
    world.store.add_user(WebUser(WebUserId("u-retail"), staff_customer_id=RETAIL.value))
    company = OrganisationId("org-odd")
    world.store.add_organisation(Organisation(company, "Odd", staff_customer_id=" C-1 "))
    world.remap(groups_elsewhere=frozenset({MILL}))

    found = told(world)

    assert set(found) == {"user u-retail", "organisation org-odd", f"organisation {MILL_ORG}"}
    assert "is a retail group" in found["user u-retail"]
    assert "no customer ID" in found["organisation org-odd"]
    assert "is a retail group" in found[f"organisation {MILL_ORG}"]
    world.remap(precedence=(Source.MAPPING_FILE,))
    assert set(told(world)) == {f"organisation {MILL_ORG}"}, "attributes count for nothing now"


@pytest.mark.rule("WA-8", "OP-4")
def test_two_organisations_with_one_account_are_told_that_they_see_each_other(
    world: World,
) -> None:
    world.store.add_organisation(Organisation(OrganisationId("org-twin"), "Twin"))
    both = (Membership(HARBOUR_ORG), Membership(MILL_ORG))
    world.store.add_user(a.a_web_user(memberships=both))
    world.remap(
        assignments=(
            *ASSIGNMENTS,
            Assignment(HARBOUR, organisation=OrganisationId("org-twin"), origin="customers.csv:4"),
            Assignment(
                HARBOUR, user=HARBOUR_BUYER, organisation=MILL_ORG, origin="customers.csv:5"
            ),
            Assignment(HARBOUR, user=HARBOUR_BUYER, origin="customers.csv:6"),
        )
    )
    [finding] = mapping_findings(world.context())
    assert (finding.place, finding.subject) == ("customers.csv:4", "organisation org-twin")
    assert f"organisation {HARBOUR_ORG} has too (customers.csv:2)" in finding.message


@pytest.mark.rule("WA-12", "WA-11", "OP-4")
def test_what_the_policies_name_and_the_customer_does_not_have_is_told_of_retail_groups_too(
    world: World,
) -> None:
    theirs, gone = ContactId("P-9"), ShipToId("GONE")
    own = AccountPolicy(ship_to_override=DOCK)
    world.remap(
        retail_policy=AccountPolicy(
            custom_ship_to=True, default_contact=theirs, ship_to_override=gone
        ),
        account_policies={HARBOUR: own, MILL: AccountPolicy(ship_to_override=DOCK)},
    )

    found = {(each.place, each.path): each for each in mapping_findings(world.context())}

    assert {place: each.subject for place, each in found.items()} == {
        ("accounts.yaml", ("retail", "default_contact")): "contact P-9",
        ("accounts.yaml", ("retail", "ship_to_override")): "ship-to GONE",
        ("accounts.yaml", ("accounts", MILL.value, "ship_to_override")): f"ship-to {DOCK}",
    }
    messages = {each.message for each in found.values()}
    assert f"is no ship-to of customer {RETAIL} in the ERP" in messages
    assert f"is no contact of customer {RETAIL} in the ERP" in messages


@pytest.mark.rule("WA-16", "WA-2f", "OP-4")
def test_a_currency_in_which_the_erp_sells_a_retail_group_nothing_is_told(world: World) -> None:
    world.erp.change_account(RETAIL, currencies=("EUR",))
    groups = (RetailGroup(RETAIL, ("EUR", "GBP")),)
    world.remap(channels={**world.mapping.channels, WEB: a_channel(retail_groups=groups)})

    [finding] = mapping_findings(world.context())

    assert (finding.place, finding.text) == ("channels.yaml", "GBP")
    assert finding.path == ("channels", WEB.value, "retail_groups", 0, "currencies", 1)
    assert "the ERP sells to it in EUR" in finding.message
    pounds = a.money("9.9900", "GBP")
    order = guest_order(
        1,
        currency="GBP",
        lines=(a.a_line(unit_price=pounds),),
        total=a.money("99.90", "GBP"),
        payments=(a.a_card_payment(amount=a.money("99.90", "GBP")),),
    )
    world.store.place_order(order)
    world.import_orders()
    assert "currency_not_of_account" in world.codes(1)

    world.erp.change_account(RETAIL, currencies=())
    assert told(world) == {}, "an ERP that tells none leaves it to the mapping"


TWIN, LONER = OrganisationId("org-twin"), WebUserId("u-loner")


@pytest.fixture
def twins(world: World) -> World:
    """A company and a person of whom nobody meant anything yet."""
    world.store.add_organisation(Organisation(TWIN, "Twin"))
    world.store.add_user(WebUser(LONER))
    world.store.add_user(WebUser(WebUserId("u-other")))
    return world


@pytest.mark.rule("WA-8", "OP-4")
def test_a_person_who_is_given_the_account_of_a_company_they_are_not_of_is_told(
    twins: World,
) -> None:
    lines = (
        Assignment(HARBOUR, user=LONER, origin="customers.csv:4"),
        Assignment(HARBOUR, user=HARBOUR_BUYER, origin="customers.csv:5"),
    )
    twins.remap(assignments=(*ASSIGNMENTS, *lines))

    [finding] = mapping_findings(twins.context())

    assert (finding.place, finding.subject) == ("customers.csv:4", f"user {LONER}")
    assert f"organisation {HARBOUR_ORG} has too (customers.csv:2)" in finding.message
    about = doubts_about(twins.context(), lines[0]).others
    assert [each.message for each in about if "has too" in each.message] == [
        finding.message,
        finding.message.replace(f"organisation {HARBOUR_ORG}", f"user {HARBOUR_BUYER}").replace(
            "customers.csv:2", "customers.csv:5"
        ),
    ]


@pytest.mark.rule("WA-8", "OP-4")
def test_two_people_with_one_account_are_told_where_companies_are_organisations(
    twins: World, make_world: MakeWorld
) -> None:
    account = CustomerId("C-7")
    twins.erp.add_account(a.an_account(customer_id=account))
    both = tuple(
        Assignment(account, user=WebUserId(each), origin=f"customers.csv:{line}")
        for line, each in ((4, "u-loner"), (5, "u-other"))
    )
    twins.remap(assignments=(*ASSIGNMENTS, *both))
    [finding] = mapping_findings(twins.context())
    assert (finding.place, finding.subject) == ("customers.csv:5", "user u-other")
    assert f"user {LONER} has too (customers.csv:4)" in finding.message

    # There is no other way where a store knows people only.
    store = MemoryStore(capabilities=StoreCapabilities(name="memory", organisations=False))
    for each in both:
        assert each.user is not None
        store.add_user(WebUser(each.user))
    people = make_world(store=store, erp=twins.erp)
    people.remap(assignments=both)
    assert told(people) == {}


@pytest.mark.rule("WA-8", "OP-4")
@pytest.mark.parametrize("first", [True, False])
def test_an_attribute_that_gives_away_somebody_elses_account_is_told_where_it_counts(
    twins: World, first: bool
) -> None:
    twins.store.add_organisation(Organisation(TWIN, "Twin", staff_customer_id=HARBOUR.value))
    twins.store.add_user(WebUser(LONER, staff_customer_id=MILL.value))

    found = told(twins)

    assert set(found) == {f"organisation {TWIN}", f"user {LONER}"}
    assert f"organisation {HARBOUR_ORG} has too (customers.csv:2)" in found[f"organisation {TWIN}"]

    # A line of the files that counts before it speaks for itself.
    own = CustomerId("C-7")
    twins.erp.add_account(a.an_account(customer_id=own))
    order = (Source.MAPPING_FILE, Source.STORE_ATTRIBUTE)
    twins.remap(
        assignments=(*ASSIGNMENTS, Assignment(own, organisation=TWIN, origin="customers.csv:4")),
        precedence=order if first else order[::-1],
    )
    assert (f"organisation {TWIN}" in told(twins)) is not first


@pytest.mark.rule("WA-2", "OP-4")
def test_a_line_that_a_source_before_the_files_overrules_is_told(twins: World) -> None:
    """Whoever writes the line would wonder why nothing comes of it."""
    own = CustomerId("C-7")
    desk = Contact(ContactId("P-9"), "loner@home.example")
    twins.erp.add_account(a.an_account(customer_id=own, contacts=(desk,)))
    twins.store.add_user(WebUser(LONER, verified_email="loner@home.example"))
    twins.store.add_organisation(Organisation(TWIN, "Twin", staff_customer_id=own.value))
    seven = CustomerId("C-8")
    twins.erp.add_account(a.an_account(customer_id=seven))
    lines = (
        Assignment(seven, organisation=TWIN, origin="customers.csv:4"),
        Assignment(seven, user=LONER, origin="customers.csv:5"),
        Assignment(seven, user=HARBOUR_BUYER, organisation=HARBOUR_ORG, origin="customers.csv:6"),
    )

    def overruled() -> dict[str, str]:
        found = mapping_findings(twins.context())
        return {each.place: each.message for each in found if "before the files" in each.message}

    last = (Source.MAPPING_FILE, Source.STORE_ATTRIBUTE, Source.ERP_EMAIL)
    twins.remap(assignments=(*ASSIGNMENTS, *lines), precedence=last)
    assert overruled() == {}

    twins.remap(precedence=last[::-1])
    told = overruled()
    assert set(told) == {"customers.csv:4", "customers.csv:5"}
    assert f"attribute of organisation {TWIN}" in told["customers.csv:4"]
    assert f"address of user {LONER}" in told["customers.csv:5"]
    assert all(each.endswith(f"says customer {own}") for each in told.values())
    for line in lines[:2]:
        about = doubts_about(twins.context(), line).others
        assert told[line.origin] in {each.message for each in about}

    # Where both say the same, nothing is to be told.
    twins.remap(
        assignments=(
            *ASSIGNMENTS,
            *(replace(each, customer_id=own) for each in lines[:2]),
        )
    )
    assert overruled() == {}


@pytest.mark.rule("OP-4", "VE-1")
def test_a_channel_that_orders_come_over_and_the_mapping_lacks_is_told(world: World) -> None:
    world.store.place_order(harbour_order(1, channel=ChannelId("popup")))
    world.store.place_order(harbour_order(2))
    world.cycle()

    [finding] = mapping_findings(world.context())

    assert (finding.subject, finding.place) == ("channel popup", "channels.yaml")
    assert finding.message == "orders come over it (1 are open), and channels.yaml lacks it"


@pytest.mark.rule("TL-4", "VE-1", "VE-2", "VE-7", "OP-4")
def test_channels_of_the_store_are_held_against_those_of_the_mapping(world: World) -> None:
    assert told(world) == {}, "a store that tells of none is not taken to have none"
    walled = a_channel(login_wall=LoginWall.LOGIN_REQUIRED, guest_checkout=False)
    world.store.add_channel(walled)
    world.store.add_channel(a_channel(channel_id=ChannelId("tradr")))

    found = {
        (each.subject, each.path): (each.message, each.remedy)
        for each in mapping_findings(world.context())
    }

    trade, web = ("channels", "trade"), ("channels", "web")
    assert set(found) == {
        ("channel tradr", ("channels",)),
        ("channel trade", trade),
        ("channel web", (*web, "login_wall")),
        ("channel web", (*web, "guest_checkout")),
    }
    assert found["channel trade", trade] == (
        "the store has no such channel: no order comes over it",
        "Write it as the store does: did you mean tradr?",
    )
    said = found["channel web", (*web, "login_wall")][0]
    assert said == "the store has login_wall login_required, the mapping open"
    said = found["channel web", (*web, "guest_checkout")][0]
    assert said == "the store has guest_checkout off, the mapping on"


@pytest.mark.rule("VE-1", "OP-4")
def test_a_channel_that_the_store_opens_to_other_buyers_than_the_mapping_is_told(
    world: World,
) -> None:
    """Account holders would see their own prices, and their orders be everybody's."""
    for each in world.mapping.channels.values():
        world.store.add_channel(each)
    assert told(world) == {}
    b2c = a_channel(mode=CommerceMode.B2C)
    world.remap(channels={**world.mapping.channels, WEB: b2c})
    assert told(world) == {"channel web": "the store has commerce_mode hybrid, the mapping b2c"}
