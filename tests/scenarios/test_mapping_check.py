"""What the check says about mapped accounts that the ERP has, but would not take orders for."""

from __future__ import annotations

from typing import Any

import pytest

from sync.domain.account import AccountStatus
from sync.explaining import mapping_findings
from sync.ports.erp import FindingLevel
from tests.scenarios.world import HARBOUR, World


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
