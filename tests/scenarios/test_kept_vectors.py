"""What is remembered of price lists is kept as what differs, and finding that costs little."""

from __future__ import annotations

from typing import Any

import pytest

from sync.columnar import differences
from sync.domain.pricing import PriceScope
from sync.flows import kept_vectors
from sync.testing import builders as a
from tests.scenarios.test_price_batches import SKUS
from tests.scenarios.test_price_checks import ACCOUNTS, a_site


@pytest.mark.rule("MI-2")
def test_short_list_is_laid_beside_few_others_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, looks, alike = a_site(), [0], differences.alike

    def counted(one: Any, other: Any) -> float:
        looks[0] += 1
        return alike(one, other)

    monkeypatch.setattr(differences, "alike", counted)
    for number, each in enumerate(ACCOUNTS):
        price = a.a_price(f"{number + 10}", scope=PriceScope.account(each), sku=SKUS[0])
        site.erp.set_price(price)
    assert site.run().counts["changed"] == len(ACCOUNTS)
    assert 0 < looks[0] <= kept_vectors.LOOKS * len(ACCOUNTS)
