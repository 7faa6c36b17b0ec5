"""Two retail groups whose public prices Medusa cannot tell apart."""

from __future__ import annotations

from typing import Any

import pytest

from sync.domain.ids import ChannelId
from sync.domain.pricing import DEFAULT_LIST, Audience, AudienceKind
from sync.domain.views import PublishedPriceKey
from sync.errors import Misconfigured
from sync.ports.erp import FindingLevel
from sync.ports.store import TellsShoppersApart
from sync.testing import builders as a
from tests.unit.medusa.answers import a_store
from tests.unit.medusa.memory_shop import MemoryShop

WEB = ChannelId("web")


def open_to(group: str, channel: ChannelId = WEB) -> Audience:
    return Audience(AudienceKind.PUBLIC, group, channel)


EU, DE = open_to("RETAIL-EU"), open_to("RETAIL-DE")


@pytest.mark.rule("WA-6", "WA-7")
def test_two_open_groups_of_one_currency_are_named_with_the_way_out() -> None:
    store = a_store()
    assert isinstance(store, TellsShoppersApart)

    [found] = store.shopper_findings({EU: {"EUR", "USD"}, DE: {"EUR"}})

    assert (found.subject, found.level) == ("channel web", FindingLevel.ERROR)
    assert "RETAIL-DE and RETAIL-EU" in found.message
    assert "EUR" in found.message
    assert "USD" not in found.message
    assert "EUR" in found.remedy


@pytest.mark.rule("WA-6")
@pytest.mark.parametrize(
    "shoppers, changes",
    [
        ({EU: {"EUR"}, DE: {"USD"}}, {}),
        ({EU: {"EUR"}, open_to("RETAIL-DE", ChannelId("other")): {"EUR"}}, {}),
        ({EU: {"EUR"}, Audience(AudienceKind.RETAIL, "RETAIL-DE", WEB): {"EUR"}}, {}),
        ({EU: {"EUR"}, Audience(AudienceKind.ACCOUNTS): {"EUR"}}, {}),
        # Nothing is everybody's in a shop that has no public channel.
        ({EU: {"EUR"}, DE: {"EUR"}}, {"public_channel": None}),
        ({}, {}),
    ],
    ids=["currencies", "channels", "walled", "accounts", "no_public_channel", "nobody"],
)
def test_who_can_be_told_apart_is_not_refused(
    shoppers: dict[Audience, set[str]], changes: dict[str, Any]
) -> None:
    assert list(a_store(**changes).shopper_findings(shoppers)) == []


@pytest.mark.rule("WA-6", "WA-7")
def test_prices_of_both_are_refused_before_the_first_write() -> None:
    shop = MemoryShop()
    cheap, dear = a.a_price("9.9900", scope=DEFAULT_LIST), a.a_price("12.5000", scope=DEFAULT_LIST)
    put = [
        (PublishedPriceKey(EU, cheap.key), cheap.value),
        (PublishedPriceKey(DE, dear.key), dear.value),
    ]

    with pytest.raises(Misconfigured, match="RETAIL-DE and RETAIL-EU"):
        shop.store().apply_prices(put, [])

    assert (shop.writes, shop.lists) == ([], {})
