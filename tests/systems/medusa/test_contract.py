"""The connector keeps the contract of all stores against a real Medusa."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.stores.medusa.adapter import MedusaStore
from sync.testing.store_contract import StoreContract
from tests.systems.medusa.shop import Shop
from tests.systems.medusa.world import MedusaWorld

pytestmark = pytest.mark.system


class TestMedusa(StoreContract):
    # These two are about organisations and nothing else, and Medusa has none; a test
    # that always skips would be a failure where everything else is there.
    test_the_directory_knows_a_user_with_every_membership = None  # type: ignore[assignment]
    test_the_directory_tells_open_applications_and_unverified_mail = None  # type: ignore[assignment]
    # The shop sells none of the contract's items, so that none has a row that could be
    # touched; test_mirrors.py touches the rows of those that it sells.
    test_a_price_that_others_touched_is_still_told = None  # type: ignore[assignment]

    @pytest.fixture
    def store_world(self, world: MedusaWorld) -> MedusaWorld:
        return world

    @pytest.fixture
    def store(self, shop: Shop, store_world: MedusaWorld) -> Iterator[MedusaStore]:
        # The orders of the contract name its own channel, which needs no rule here.
        store = shop.store(channels={}, public_channel=None, price_lists=True)
        yield store
        store.close()
