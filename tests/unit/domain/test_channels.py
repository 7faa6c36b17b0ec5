"""A channel's policies fit together, or it cannot be declared."""

from __future__ import annotations

import pytest

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.ids import CustomerId
from sync.domain.order import OrderState
from sync.testing import builders as a

GROUP = RetailGroup(a.RETAIL_ACCOUNT, ("EUR",))


@pytest.mark.rule("VE-2")
def test_a_b2b_channel_has_no_guest_checkout() -> None:
    with pytest.raises(ValueError, match="a b2b channel has no guest checkout"):
        Channel(a.CHANNEL, CommerceMode.B2B, guest_checkout=True)


@pytest.mark.rule("WA-2a")
def test_a_b2b_channel_has_no_retail_group_to_fall_back_to() -> None:
    with pytest.raises(ValueError, match="a b2b channel has no retail group"):
        Channel(a.CHANNEL, CommerceMode.B2B, retail_groups=(GROUP,))
    assert Channel(a.CHANNEL, CommerceMode.B2B).retail_group(a.RETAIL_ACCOUNT) is None


@pytest.mark.rule("WA-10")
@pytest.mark.parametrize("zero", [True, False])
def test_a_b2b_channel_has_no_shoppers_to_show_a_price_of_zero_to(zero: bool) -> None:
    with pytest.raises(ValueError, match="a b2b channel has no shoppers"):
        Channel(a.CHANNEL, CommerceMode.B2B, zero_price_means_call=zero)


@pytest.mark.rule("WA-3")
@pytest.mark.parametrize("mode", [CommerceMode.B2C, CommerceMode.HYBRID])
def test_a_channel_with_retail_buyers_needs_a_retail_group(mode: CommerceMode) -> None:
    with pytest.raises(ValueError, match="a retail group is needed"):
        Channel(a.CHANNEL, mode)
    channel = Channel(a.CHANNEL, mode, retail_groups=(GROUP,))
    assert channel.retail_group(a.RETAIL_ACCOUNT) is GROUP
    assert channel.retail_group(CustomerId("RETAIL-US")) is None


def test_a_retail_group_sells_in_some_real_currency() -> None:
    with pytest.raises(ValueError, match="has no currency"):
        RetailGroup(a.RETAIL_ACCOUNT, ())
    with pytest.raises(ValueError, match="not an ISO 4217 code"):
        RetailGroup(a.RETAIL_ACCOUNT, ("eur",))


@pytest.mark.rule("VE-11")
def test_only_paid_or_later_orders_are_importable_by_default() -> None:
    channel = Channel(a.CHANNEL, CommerceMode.HYBRID, retail_groups=(GROUP,))

    assert channel.importable == {
        OrderState.AWAITING_FULFILMENT,
        OrderState.PARTLY_FULFILLED,
        OrderState.FULFILLED,
    }
    assert channel.import_unpaid_terms
