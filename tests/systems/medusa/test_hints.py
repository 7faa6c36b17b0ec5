"""The module tells of changes: signed, with an ID and no more, and again where it was refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sync.domain.ids import WebOrderId
from sync.kit.hint_body import orders_of
from sync.kit.signatures import genuine
from tests.systems.medusa.hints import Hints
from tests.systems.medusa.shop import Shop
from tests.systems.medusa.world import MedusaWorld

pytestmark = pytest.mark.system


@pytest.mark.rule("OP-7")
def test_a_hint_is_signed_over_its_very_bytes_and_says_only_which(
    shop: Shop, world: MedusaWorld, hints: Hints
) -> None:
    before = len(hints.seen)
    hints.refuse = 1  # the next delivery meets a daemon that restarts

    order_id = shop.placed()

    hint = hints.wait_for(lambda each: json.loads(each.body)["orders"] == [order_id])
    assert genuine(hint.body, hint.signature, [hints.secret], datetime.now(UTC))
    assert not genuine(hint.body + b" ", hint.signature, [hints.secret], datetime.now(UTC))
    assert orders_of(hint.body) == {WebOrderId(order_id)}
    assert json.loads(hint.body).keys() == {"delivery", "event", "orders"}
    refused = hints.seen[before]
    delivery = json.loads(refused.body)["delivery"]
    hints.wait_for(
        lambda each: json.loads(each.body)["delivery"] == delivery and each is not refused
    )
