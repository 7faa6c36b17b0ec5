"""Every single fault of a registration's way, and every two of them while it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from sync.testing.enumerating import Point, Trial, every_fault, every_pair
from sync.testing.faults import Call, Fault
from tests.faults.registrations import (
    carried_out,
    made_active,
    mapped_only,
    never_a_second_customer,
    only_created,
    staff_change_their_mind,
    taken_up,
)

TRIALS: Sequence[Callable[[], Trial]] = (taken_up, carried_out, mapped_only, made_active)


@pytest.mark.rule("VE-9", "VE-3", "TL-5", "OP-1")
@pytest.mark.parametrize("make", TRIALS, ids=lambda each: str(each.__name__))
def test_one_customer_one_mapping_and_an_active_account_whatever_fails(
    make: Callable[[], Trial],
) -> None:
    done = every_fault(make)
    assert done.cases > 50
    assert not done.found, "\n".join(done.found[:10])


def around_the_customer(log: Sequence[Call]) -> list[Point]:
    """From the look-up of the key to the record of the mapping."""
    names = [call.point for call in log]
    if "erp.find_customer" not in names:
        return []
    begin = names.index("erp.find_customer")
    puts = [at for at, name in enumerate(names) if name == "mapping.put_assignment"]
    end = puts[0] + 3 if puts and puts[0] > begin else len(names)
    return [(call.point, call.number) for call in log[begin:end] if "shown" not in call.point]


@pytest.mark.rule("VE-9", "OP-1")
def test_any_two_faults_while_the_customer_is_made_make_no_second_one() -> None:
    first = (Fault.LOST_REPLY, Fault.CRASH_AFTER, Fault.OVERTAKEN, Fault.LATE_REQUEST)
    done = every_pair(only_created, around_the_customer, first=first)
    assert done.cases > 100
    assert not done.found, "\n".join(done.found[:10])


@pytest.mark.rule("VE-9", "OP-1")
def test_an_erp_that_does_not_know_its_keys_is_asked_for_one_customer() -> None:
    assert never_a_second_customer() is None


@pytest.mark.rule("VE-9")
def test_staff_may_change_their_mind_at_any_moment_and_whoever_is_rejected_is_not_mapped() -> None:
    assert staff_change_their_mind() is None
