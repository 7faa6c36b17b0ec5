"""Thousands of combinations, each judged by the service and by the oracle."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from sync.domain.account import Account, AccountStatus
from sync.domain.channel import Channel, CommerceMode
from sync.domain.decision import Admitted, Closed, Outcome, Quarantined, Waits
from sync.domain.ids import ChannelId, CustomerId, ShipToId
from sync.domain.mapping import AccountPolicy, Assignment, RefusedAssignment, Source
from sync.domain.order import (
    Approval,
    Buyer,
    Membership,
    OrderState,
    Payment,
    PaymentState,
    Role,
    SelectedShipTo,
    WebOrder,
)
from sync.testing import builders as a
from tests.unit.admission import oracle
from tests.unit.admission.desk import B2B, EURO_GROUP, NOW, Situation, card, judge, on_terms
from tests.unit.admission.oracle import Case, Verdict, verdict

DRAWS = 56
"""Cases drawn for each combination of buyer, channel and mapping."""

CIRCUMSTANCES = {
    "standing": oracle.STANDINGS,
    "terms": oracle.TERMS,
    "role": oracle.ROLES,
    "ship_to": oracle.SHIP_TOS,
    "payment": oracle.PAYMENTS,
    "policy": oracle.POLICIES,
    "state": oracle.STATES,
}

CHANNELS = {
    "b2b": B2B,
    "b2c": Channel(a.CHANNEL, CommerceMode.B2C, guest_checkout=True, retail_groups=(EURO_GROUP,)),
    "b2c without guests": Channel(a.CHANNEL, CommerceMode.B2C, retail_groups=(EURO_GROUP,)),
    "hybrid": Channel(
        a.CHANNEL, CommerceMode.HYBRID, guest_checkout=True, retail_groups=(EURO_GROUP,)
    ),
    "hybrid without guests": Channel(a.CHANNEL, CommerceMode.HYBRID, retail_groups=(EURO_GROUP,)),
}
# A b2b channel has no retail group; what one is, is declared for the whole site.
ELSEWHERE = replace(CHANNELS["hybrid"], channel_id=ChannelId("elsewhere"))
BUYERS = {
    "guest": a.a_guest(),
    "signed-in user": Buyer(a.WEB_USER, True),
    "applicant": Buyer(a.WEB_USER, True),
    "deleted user": Buyer(a.WEB_USER, True),
    "claimed user": Buyer(a.WEB_USER),
    "employee": Buyer(a.WEB_USER, True, a.ORGANISATION),
    "outsider": Buyer(a.WEB_USER, True, a.ORGANISATION),
    "claimed employee": Buyer(a.WEB_USER, False, a.ORGANISATION),
}
SHIP_TOS = {
    "own": SelectedShipTo(a.SHIP_TO),
    "foreign": SelectedShipTo(ShipToId("ELSEWHERE")),
    "typed": a.a_typed_address(),
    "incomplete": a.a_typed_address(city=None),
    "none": None,
}
PAYMENTS: dict[str, tuple[Payment, ...]] = {
    "terms": (on_terms(),),
    "authorised": (card(),),
    "captured": (card(PaymentState.CAPTURED),),
    "pending": (card(PaymentState.PENDING),),
    "declined": (card(PaymentState.DECLINED),),
    "expired": (card(PaymentState.EXPIRED),),
    "absent": (card(PaymentState.NONE),),
    "over by the clock": (card(expires_at=NOW),),
    "refused method": (Payment("cash", PaymentState.CAPTURED),),
    "unknown method": (Payment("cowrie shells", PaymentState.CAPTURED),),
    "no method": (),
}
STATES = {
    "created": OrderState.CREATED,
    "pending approval": OrderState.PENDING_APPROVAL,
    "awaiting payment": OrderState.AWAITING_PAYMENT,
    "verifying payment": OrderState.VERIFYING_PAYMENT,
    "held": OrderState.HELD,
    "awaiting fulfilment": OrderState.AWAITING_FULFILMENT,
    "partly fulfilled": OrderState.PARTLY_FULFILLED,
    "fulfilled": OrderState.FULFILLED,
    "cancelled": OrderState.CANCELLED,
    "refunded": OrderState.REFUNDED,
    "approval refused": OrderState.PENDING_APPROVAL,
}
OTHER = CustomerId("C-2002")
MISSING = CustomerId("C-9999")
ADDRESSES = {"verified address": (a.ACCOUNT,), "address of two accounts": (a.ACCOUNT, OTHER)}
"""The accounts that have the user's verified e-mail address as a contact."""


def cases() -> list[Case]:
    """The same cases in every run.

    Each begins with circumstances under which somebody could order, of which
    none to all are then replaced by others: wholly random ones would hardly
    ever be admitted, and hide what a single circumstance does.
    """
    chance = Random(20250303)
    found = set()
    for buyer in oracle.BUYERS:
        for channel in oracle.CHANNELS:
            for mapping in oracle.MAPPINGS:
                for _ in range(DRAWS):
                    found.add(Case(buyer, channel, mapping, **circumstances(chance)))
    return sorted(found)


def circumstances(chance: Random) -> dict[str, str]:
    drawn = {
        "standing": "active",
        "terms": "on terms",
        "role": chance.choice(("order", "approve", "manage")),
        "ship_to": chance.choice(("own", "typed")),
        "payment": chance.choice(("terms", "authorised", "captured")),
        "policy": "cards and typed addresses",
        "state": chance.choice(("awaiting fulfilment", "fulfilled")),
    }
    spoiled = chance.choice((0, 1, 1, 2, 2, 3, len(CIRCUMSTANCES)))
    for name in chance.sample(sorted(CIRCUMSTANCES), spoiled):
        drawn[name] = chance.choice(CIRCUMSTANCES[name])
    return drawn


def order_of(case: Case) -> WebOrder:
    refused = case.state == "approval refused"
    return a.a_web_order(
        buyer=BUYERS[case.buyer],
        ship_to=SHIP_TOS[case.ship_to],
        payments=PAYMENTS[case.payment],
        state=STATES[case.state],
        approval=Approval.REFUSED if refused else Approval.NOT_NEEDED,
    )


def situation_of(case: Case) -> Situation:
    organisation = oracle.for_organisation(case)
    both: dict[str, Any] = {"organisation": a.ORGANISATION, "user": a.WEB_USER}
    mine, other = ("organisation", "user") if organisation else ("user", "organisation")
    whose, elsewhere = {mine: both[mine]}, {other: both[other]}

    def assigned(customer_id: CustomerId, to: dict[str, Any] = whose) -> Assignment:
        return Assignment(customer_id, origin=f"customers.csv:{customer_id}", **to)

    assignments = {
        "account": (assigned(a.ACCOUNT),),
        "two accounts": (assigned(a.ACCOUNT), assigned(OTHER)),
        "retail group": (assigned(a.RETAIL_ACCOUNT),),
        "no such customer": (assigned(MISSING),),
        "exception": (assigned(a.ACCOUNT, both),),
        "elsewhere only": (assigned(a.ACCOUNT, elsewhere),),
    }.get(case.mapping, ())
    refusal = RefusedAssignment("a typo", "Correct it.", origin="customers.csv:1", **whose)
    attribute = a.ACCOUNT.value if case.mapping == "staff attribute" else None
    user = a.a_web_user(
        memberships=(Membership(a.ORGANISATION, Role[case.role.upper()]),),
        open_application=case.buyer == "applicant",
        staff_customer_id=None if organisation else attribute,
    )
    if case.buyer == "outsider":
        user = replace(user, memberships=())
    status = AccountStatus.ACTIVE
    if case.standing == "not yet active":
        turn = oracle.MAPPINGS.index(case.mapping) + oracle.ROLES.index(case.role)
        status = AccountStatus(turn % AccountStatus.ACTIVE)
    known = case.buyer not in ("guest", "deleted user")
    company = a.an_organisation(
        status=status, staff_customer_id=attribute if organisation else None
    )
    return Situation(
        channel=CHANNELS[case.channel],
        more_channels=(ELSEWHERE,),
        assignments=assignments,
        refused=(refusal,) if case.mapping == "refused" else (),
        users=() if case.buyer == "deleted user" else (user,),
        organisations=(company,),
        precedence=tuple(Source),
        email_accounts=ADDRESSES.get(case.mapping) if known else None,
        accounts=(account_of(case), a.a_retail_account()),
        policy=AccountPolicy(
            custom_ship_to="typed addresses" in case.policy, card_payment="cards" in case.policy
        ),
    )


def account_of(case: Case) -> Account:
    ended = {"suspended": AccountStatus.SUSPENDED, "closed": AccountStatus.CLOSED}
    return a.an_account(
        terms="NET30" if case.terms == "on terms" else None,
        active=case.standing != "inactive",
        prospect=case.standing == "prospect",
        status=ended.get(case.standing),
    )


def complaint(case: Case, wanted: Verdict, outcome: Outcome) -> str | None:
    """How the service's outcome differs from the oracle's verdict; None where it does not."""
    kinds = {Closed: "closed", Waits: "waits", Quarantined: "quarantined", Admitted: "admitted"}
    kind = kinds[type(outcome)]
    if kind != wanted.outcome:
        reasons = [each.code for each in outcome.problems] if kind == "quarantined" else ""  # type: ignore[union-attr]
        return f"{case}\n  is {kind} {reasons}, the oracle says {wanted}"
    if isinstance(outcome, Admitted):
        account = {"own": a.ACCOUNT, "group": a.RETAIL_ACCOUNT}[wanted.account]
        told = (outcome.order.sold_to, outcome.order.retail, outcome.decision.customer_id)
        if told != (account, wanted.account == "group", account):
            return f"{case}\n  went to {told}, the oracle says {wanted.account}"
    if isinstance(outcome, Quarantined):
        named = {each.rule for each in outcome.problems}
        needed = wanted.rules - oracle.ONE_REASON.get(case.mapping, frozenset())
        if not needed <= named or not named <= wanted.rules:
            return f"{case}\n  breaks {sorted(named)}, the oracle says {sorted(wanted.rules)}"
    return None


@pytest.mark.timeout(600)
@pytest.mark.rule(
    *("WA-1", "WA-2", "WA-2a", "WA-2b", "WA-2c", "WA-2e", "WA-3", "WA-3a", "WA-4", "WA-5"),
    *("WA-12", "TL-1", "TL-2", "TL-3", "VE-1", "VE-2", "VE-3", "VE-4", "VE-11", "OI-5"),
)
def test_the_service_and_the_oracle_agree_on_thousands_of_orders() -> None:
    table = cases()
    assert len(table) > 20_000
    complaints = [
        found
        for case in table
        if (found := complaint(case, verdict(case), judge(order_of(case), situation_of(case))))
    ]
    assert not complaints, f"{len(complaints)} of {len(table)}:\n" + "\n".join(complaints[:12])


def test_the_table_shows_every_outcome_and_every_rule_of_the_oracle() -> None:
    verdicts = [verdict(case) for case in cases()]
    for outcome in ("closed", "waits", "quarantined", "admitted"):
        assert sum(each.outcome == outcome for each in verdicts) > 100
    assert {each.account for each in verdicts} == {"", "own", "group"}
    assert {rule for each in verdicts for rule in each.rules} == {
        rule for rule, _ in oracle.FORBIDS
    }
