"""Every combination of the decision table, judged by the service and by the oracle.

Buyer, channel, mapping, standing, role, ship-to, payment and order state meet each
other in every way. The account's terms and policy are turned on from one combination
to the next, in step with none of them. Three orders of four are closed or wait; these are
judged without anything being known of their buyer, and whoever asks for it is told on.
"""

from __future__ import annotations

from itertools import cycle, product

import pytest

from sync.domain.order import WebOrder
from tests.unit.admission import oracle
from tests.unit.admission.desk import Desk, LookedUp
from tests.unit.admission.oracle import Case, verdict
from tests.unit.admission.test_decision_table import complaint, order_of, situation_of

SHOWN = 12
TOO_EARLY = frozenset({"closed", "waits"})


@pytest.mark.timeout(3600)
@pytest.mark.rule(
    *("WA-1", "WA-2", "WA-2a", "WA-2b", "WA-2c", "WA-2e", "WA-3", "WA-3a", "WA-4", "WA-5"),
    *("WA-12", "TL-1", "TL-2", "TL-3", "VE-1", "VE-2", "VE-3", "VE-4", "VE-11", "OI-5"),
)
@pytest.mark.parametrize("channel", oracle.CHANNELS)
@pytest.mark.parametrize("buyer", oracle.BUYERS)
def test_the_service_and_the_oracle_agree_on_every_combination(buyer: str, channel: str) -> None:
    order_sides = list(product(oracle.SHIP_TOS, oracle.PAYMENTS, oracle.STATES))
    account_sides = list(product(oracle.TERMS, oracle.POLICIES))
    assert len(order_sides) % len(account_sides), "some would never meet"
    first = Case(buyer, channel, "", "", "", "", "", "", "", "")
    orders = {
        side: order_of(first._replace(ship_to=side[0], payment=side[1], state=side[2]))
        for side in order_sides
    }
    judged = 0
    complaints: list[str] = []
    accounts = cycle(account_sides)
    for mapping, standing, role in product(oracle.MAPPINGS, oracle.STANDINGS, oracle.ROLES):
        asked = first._replace(mapping=mapping, standing=standing, role=role)
        cases = [asked._replace(terms=terms, policy=policy) for terms, policy in account_sides]
        desks = {(case.terms, case.policy): Desk(situation_of(case)) for case in cases}
        for (ship_to, payment, state), order in orders.items():
            terms, policy = next(accounts)
            case = asked._replace(
                terms=terms, policy=policy, ship_to=ship_to, payment=payment, state=state
            )
            found = _found(case, desks[terms, policy], order)
            judged += 1
            if found and len(complaints) < SHOWN:
                complaints.append(found)
    assert not complaints, "\n".join(complaints)
    assert judged == len(order_sides) * 11 * 6 * 4


def _found(case: Case, desk: Desk, order: WebOrder) -> str | None:
    wanted = verdict(case)
    if wanted.outcome not in TOO_EARLY:
        return complaint(case, wanted, desk.judge(order))
    try:
        return complaint(case, wanted, desk.judge_unseen(order))
    except LookedUp:
        told = complaint(case, wanted, desk.judge(order))
        return told or f"{case}\n  {wanted.outcome}, and yet its buyer was looked up"
