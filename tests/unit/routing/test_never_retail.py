"""Whatever administrators write down, nobody with an assignment is sold as retail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.decision import Routed, Unrouted
from sync.domain.ids import ChannelId, ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, RefusedAssignment, Source
from sync.domain.order import Buyer, WebOrder
from sync.testing import builders as a
from tests.unit.admission.desk import Situation, card, on_terms, routed

GROUPS = (
    RetailGroup(a.RETAIL_ACCOUNT, ("EUR",)),
    RetailGroup(CustomerId("RETAIL-NL"), ("EUR",), frozenset({"NL"})),
    RetailGroup(CustomerId("RETAIL-US"), ("USD", "EUR"), frozenset({"US"})),
)
GROUP_IDS = frozenset(group.customer_id for group in GROUPS)
EVERYWHERE = Channel(ChannelId("all"), CommerceMode.HYBRID, retail_groups=GROUPS)
IDS = [a.ACCOUNT, CustomerId("C-2002"), *sorted(GROUP_IDS)]


class Written(NamedTuple):
    """What the mapping files, the store and the ERP say of the buyer."""

    assignments: tuple[Assignment, ...]
    refused: tuple[RefusedAssignment, ...]
    attribute: str | None
    organisations_attribute: str | None
    emails: tuple[CustomerId, ...]
    precedence: tuple[Source, ...]


users = st.sampled_from([None, a.WEB_USER, WebUserId("u-1")])
companies = st.sampled_from([None, a.ORGANISATION, OrganisationId("org-1")])
subjects = st.tuples(users, companies).filter(lambda pair: pair != (None, None))


@st.composite
def assignments(draw: st.DrawFn) -> Assignment:
    user, organisation = draw(subjects)
    return Assignment(
        draw(st.sampled_from(IDS)),
        user,
        organisation,
        draw(st.sampled_from([None, ContactId("P-1"), ContactId("P-2")])),
        f"customers.csv:{draw(st.integers(2, 9))}",
    )


@st.composite
def refusals(draw: st.DrawFn) -> RefusedAssignment:
    user, organisation = draw(subjects)
    line = draw(st.integers(2, 9))
    return RefusedAssignment("a typo", "Correct it.", user, organisation, f"customers.csv:{line}")


attributes = st.sampled_from([None, "", " C-1001", *(each.value for each in IDS)])
written = st.builds(
    Written,
    st.lists(assignments(), max_size=4).map(tuple),
    st.lists(refusals(), max_size=2).map(tuple),
    attributes,
    attributes,
    st.lists(st.sampled_from(IDS), max_size=2).map(tuple),
    st.permutations(list(Source)).map(tuple),
)
buyers = st.builds(
    Buyer,
    web_user=st.sampled_from([None, a.WEB_USER]),
    signed_in=st.booleans(),
    organisation=st.sampled_from([None, a.ORGANISATION]),
)
orders = st.builds(
    a.a_retail_order,
    buyer=buyers,
    priced_for=st.sampled_from([None, *sorted(GROUP_IDS), CustomerId("C-2002")]),
    payments=st.sampled_from([(card(),), (on_terms(),)]),
    ship_to=st.builds(a.a_typed_address, country=st.sampled_from(["NL", "US", "FR", "??"])),
)


@st.composite
def channels(draw: st.DrawFn) -> Channel:
    mode = draw(st.sampled_from(CommerceMode))
    if mode is CommerceMode.B2B:
        return Channel(a.CHANNEL, mode)
    groups = draw(st.lists(st.sampled_from(GROUPS), min_size=1, unique=True))
    return Channel(a.CHANNEL, mode, guest_checkout=draw(st.booleans()), retail_groups=tuple(groups))


def world(says: Written, channel: Channel, *, organisations: bool) -> Situation:
    user = a.a_web_user(staff_customer_id=says.attribute, open_application=True)
    company = a.an_organisation(staff_customer_id=says.organisations_attribute)
    return Situation(
        channel=channel,
        more_channels=(EVERYWHERE,),
        assignments=says.assignments,
        refused=says.refused,
        precedence=says.precedence,
        users=(user,),
        organisations=(company,),
        email_accounts=says.emails,
        store_organisations=organisations,
    )


def assigned(order: WebOrder, says: Written) -> bool:
    """Whether anything at all is written down for this buyer in this context."""
    user, organisation = order.buyer.web_user, order.buyer.organisation
    subject = (
        {(user, None)} if organisation is None else {(None, organisation), (user, organisation)}
    )
    lines: Sequence[Assignment | RefusedAssignment] = (*says.assignments, *says.refused)
    if any((line.user, line.organisation) in subject for line in lines):
        return True
    if organisation is not None:
        return bool((says.organisations_attribute or "").strip())
    return user is not None and bool((says.attribute or "").strip() or says.emails)


def gist(found: Routed | Unrouted) -> object:
    if isinstance(found, Routed):
        return (found.customer_id, found.retail, found.rule, found.contact)
    return sorted(found.problems, key=repr)


@pytest.mark.rule("WA-2a", "WA-2b", "WA-2c", "WA-2e")
@given(orders, written, channels(), st.booleans())
def test_a_buyer_with_any_assignment_is_never_retail_beside_b2c(
    order: WebOrder, says: Written, channel: Channel, organisations: bool
) -> None:
    found = routed(order, world(says, channel, organisations=organisations))
    if isinstance(found, Routed) and found.retail and channel.mode is not CommerceMode.B2C:
        assert not assigned(order, says)


@pytest.mark.rule("WA-2a", "VE-1")
@given(orders, written, channels(), st.booleans())
def test_retail_goes_to_a_group_of_the_channel_and_to_nothing_else(
    order: WebOrder, says: Written, channel: Channel, organisations: bool
) -> None:
    found = routed(order, world(says, channel, organisations=organisations))
    if isinstance(found, Routed):
        of_channel = {group.customer_id for group in channel.retail_groups}
        assert found.retail is (found.customer_id in of_channel)
        assert found.retail or found.customer_id not in GROUP_IDS
        if channel.mode is CommerceMode.B2B:
            assert not found.retail
        if channel.mode is CommerceMode.B2C:
            assert found.retail


@pytest.mark.rule("WA-2e", "VE-2")
@given(orders, written, channels(), st.booleans())
def test_nobody_orders_under_an_individual_account_without_proof_of_sign_in(
    order: WebOrder, says: Written, channel: Channel, organisations: bool
) -> None:
    found = routed(order, world(says, channel, organisations=organisations))
    if isinstance(found, Routed) and not order.buyer.signed_in:
        assert found.retail
        assert channel.guest_checkout
        assert order.buyer.organisation is None


@pytest.mark.rule("WA-2", "WA-2f")
@given(orders, written, channels(), st.booleans(), st.data())
def test_the_order_in_which_things_are_written_down_does_not_matter(
    order: WebOrder, says: Written, channel: Channel, organisations: bool, data: st.DataObject
) -> None:
    shuffled = says._replace(
        assignments=tuple(data.draw(st.permutations(says.assignments))),
        refused=tuple(data.draw(st.permutations(says.refused))),
        emails=tuple(data.draw(st.permutations(says.emails))),
    )
    groups = tuple(data.draw(st.permutations(channel.retail_groups)))
    other = replace(channel, retail_groups=groups)
    first = routed(order, world(says, channel, organisations=organisations))
    second = routed(order, world(shuffled, other, organisations=organisations))
    assert gist(first) == gist(second)
