"""Behind a watch that has nothing to say, every port keeps its contract and its protocols."""

from __future__ import annotations

import pytest

from sync.domain.pricing import PriceLevel
from sync.ports import erp as erp_ports
from sync.ports import store as store_ports
from sync.systems import SystemWatch, guarded
from sync.systems.guarded import ASKING, LOCAL
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.erp_contract import ErpAdapterContract
from sync.testing.erp_world import ErpWorld
from sync.testing.files import MemoryFiles
from sync.testing.files_contract import FilesContract, FilesWorld
from sync.testing.store import MemoryStore
from sync.testing.store_contract import StoreContract
from sync.testing.store_world import StoreWorld
from tests.contract.test_memory_erp import MemoryWorld
from tests.contract.test_memory_store import MemoryStoreWorld

CLOCK = ManualClock()


class TestErpBehindAWatch(ErpAdapterContract):
    @pytest.fixture
    def memory(self) -> MemoryErp:
        erp = MemoryErp()
        erp.states = tuple(PriceLevel)
        return erp

    @pytest.fixture
    def erp(self, memory: MemoryErp) -> MemoryErp:
        return guarded(memory, SystemWatch("erp", "erp", CLOCK), CLOCK)

    @pytest.fixture
    def erp_world(self, memory: MemoryErp) -> ErpWorld:
        return MemoryWorld(memory)


class TestStoreBehindAWatch(StoreContract):
    @pytest.fixture
    def memory(self) -> MemoryStore:
        return MemoryStore(page_size=3)

    @pytest.fixture
    def store(self, memory: MemoryStore) -> MemoryStore:
        return guarded(memory, SystemWatch("shop", "store", CLOCK), CLOCK)

    @pytest.fixture
    def store_world(self, memory: MemoryStore) -> StoreWorld:
        return MemoryStoreWorld(memory)


class TestFilesBehindAWatch(FilesContract):
    @pytest.fixture
    def memory(self) -> MemoryFiles:
        return MemoryFiles()

    @pytest.fixture
    def files(self, memory: MemoryFiles) -> MemoryFiles:
        return guarded(memory, SystemWatch("papers", "files", CLOCK), CLOCK)

    @pytest.fixture
    def files_world(self, memory: MemoryFiles) -> FilesWorld:
        return memory


def test_a_port_that_lacks_a_capability_lacks_it_behind_the_watch_too() -> None:
    class Small:
        def find_order(self, key: object) -> None:
            return None

    seen = guarded(Small(), SystemWatch("erp", "erp", CLOCK), CLOCK)
    assert isinstance(seen, erp_ports.FindsOrders)
    assert not isinstance(seen, erp_ports.SubmitsOrders)
    assert not isinstance(seen, store_ports.ReadsWebOrders)
    assert isinstance(seen, Small)


def test_every_method_of_the_ports_is_watched_but_those_that_ask_nothing() -> None:
    both = {"submit_order", "find_order", "feed_now", "changed_orders", "show_import", "order"}
    both |= {"stamp", "read_file", "publish_document"}
    assert both < ASKING
    assert not ASKING & LOCAL
