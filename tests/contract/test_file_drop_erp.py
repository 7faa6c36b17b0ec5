"""An ERP that is read by SQL and takes its orders as files keeps every ERP's contract."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.database import Settings
from erp_adapters.sql.profile import load_profile
from erp_adapters.sql.profile_model import Profile
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import ErpOrderState
from sync.errors import Conflict
from sync.ports.erp import (
    ChecksPurchaseOrders,
    Erp,
    FindingLevel,
    FindsOrders,
    ReadsOrderStatus,
    SubmitsOrders,
)
from sync.testing import builders as a
from sync.testing.erp_contract import ErpAdapterContract, arrange_customer, arrange_items
from sync.testing.erp_world import ErpWorld, OrderRows
from tests.contract.harbour_files import FOLDERS, HarbourFilesWorld, write_profile

ONE = OrderRows(headers=1, lines=1)
NONE = OrderRows(headers=0, lines=0)


Profiles = Callable[[bool], Profile]


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Profiles:
    """The profile that asks the database about orders, or the one that does not; read once."""
    folder = tmp_path_factory.mktemp("profiles")

    @functools.cache
    def read(asks_the_database: bool) -> Profile:
        path = folder / f"profile-{asks_the_database}.yaml"
        write_profile(path, asks_the_database=asks_the_database)
        return load_profile(path)

    return read


class _OrdersAsFiles(ErpAdapterContract):
    asks_the_database: bool
    foresees = ("control_character", "long_street")

    @pytest.fixture
    def erp_world(self, sqlite_ledger: Engine, tmp_path: Path) -> HarbourFilesWorld:
        share = tmp_path / "share"
        return HarbourFilesWorld(sqlite_ledger, share, answers_only=not self.asks_the_database)

    @pytest.fixture
    def erp(self, sqlite_ledger: Engine, tmp_path: Path, profiles: Profiles) -> Iterator[Erp]:
        options = {
            "url": "sqlite:///harbour.db",
            "profile": "profile.yaml",
            "pool_size": 2,
            "order_folder": "share",
        }
        settings = Settings.read(options, {}, tmp_path)
        erp = SqlErpAdapter.build(profiles(self.asks_the_database), settings)
        yield erp
        erp.close()

    # What the contract asks at once, such an ERP says with its next import.

    def test_an_order_of_a_customer_that_the_erp_lacks_is_refused(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        other = IdempotencyKey("shop-2")
        submits.submit_order(a.a_sales_order(sold_to=a.RETAIL_ACCOUNT), other)

        assert erp_world.order_rows() == NONE
        assert isinstance(erp, ReadsOrderStatus)
        told = erp.order_statuses([other])[other]
        assert (told.state, told.message) == (ErpOrderState.REFUSED, "unknown customer or item")

    def test_a_purchase_order_number_is_known_to_be_used(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(po_number="PO 4711/A"), a.KEY)
        assert erp_world.order_rows() == ONE

        assert isinstance(erp, ChecksPurchaseOrders)
        other = IdempotencyKey("shop-2")
        assert erp.purchase_order_used(a.ACCOUNT, "PO 4711/A", other) is not None
        assert erp.purchase_order_used(a.ACCOUNT, "PO 4711/A", a.KEY) is None

    # What only such an ERP has.

    @pytest.mark.rule("WA-14", "WA-13")
    def test_the_number_comes_with_the_import(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        assert submits.submit_order(a.a_sales_order(), a.KEY).number is None
        assert isinstance(erp, FindsOrders)
        assert isinstance(erp, ReadsOrderStatus)
        waiting = erp.find_order(a.KEY)
        assert waiting is not None
        assert waiting.number is None
        assert erp.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.RECEIVED

        assert erp_world.order_rows() == ONE

        held = erp.find_order(a.KEY)
        assert held is not None
        assert held.number is not None
        assert held.differences(a.a_sales_order()) == ()
        told = erp.order_statuses([a.KEY])[a.KEY]
        assert (told.state, told.number) == (ErpOrderState.OPEN, held.number)
        assert submits.submit_order(a.a_sales_order(), a.KEY).number == held.number

    @pytest.mark.rule("WA-14", "OI-1")
    def test_an_order_that_the_import_took_but_did_not_answer_is_never_written_again(
        self, erp: Erp, erp_world: HarbourFilesWorld, tmp_path: Path
    ) -> None:
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(), a.KEY)
        erp_world.imports.run()
        for answer in (tmp_path / "share" / "out").iterdir():
            answer.unlink()

        for _ in range(3):
            submits.submit_order(a.a_sales_order(), a.KEY)

        assert list((tmp_path / "share" / "in").iterdir()) == []
        assert erp_world.order_rows() == ONE

    @pytest.mark.rule("WA-13", "WA-14", "OI-2")
    def test_a_refused_order_can_be_sent_again_after_the_correction(
        self, erp: Erp, erp_world: HarbourFilesWorld, tmp_path: Path
    ) -> None:
        submits = self._order_world(erp, erp_world)
        erp_world.block_item(a.SKU)
        submits.submit_order(a.a_sales_order(), a.KEY)
        assert erp_world.order_rows() == NONE
        assert isinstance(erp, FindsOrders)
        assert isinstance(erp, ReadsOrderStatus)
        refused = erp.find_order(a.KEY)
        assert refused is not None
        assert refused.refusal == f"{a.SKU} is blocked"
        told = erp.order_statuses([a.KEY])[a.KEY]
        assert (told.state, told.message) == (ErpOrderState.REFUSED, refused.refusal)

        erp_world.unblock_item(a.SKU)
        submits.submit_order(a.a_sales_order(po_number="PO 2"), a.KEY)

        assert erp.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.RECEIVED
        assert erp_world.order_rows() == ONE
        held = erp.find_order(a.KEY)
        assert held is not None
        assert held.refusal is None
        kept = sorted(path.name[:4] for path in (tmp_path / "share" / "refused").iterdir())
        assert kept == ["RES_", "shop"], "the refused answer and our record of what was sent"

    @pytest.mark.rule("OI-1")
    def test_another_order_under_a_key_on_its_way_is_a_conflict(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(), a.KEY)

        with pytest.raises(Conflict, match="differs"):
            submits.submit_order(a.a_sales_order(total=a.money("1.00")), a.KEY)

    @pytest.mark.rule("WA-14")
    def test_a_missing_folder_is_found_by_the_check(
        self, erp: Erp, erp_world: ErpWorld, tmp_path: Path
    ) -> None:
        arrange_customer(erp_world)
        arrange_items(erp_world)
        (tmp_path / "share" / "out").rmdir()

        errors = [each for each in erp.check() if each.level is FindingLevel.ERROR]

        assert [each.subject for each in errors] == ["folder answers"]
        assert "mount the share" in errors[0].remedy

    @pytest.mark.rule("WA-14")
    def test_a_check_leaves_no_file_behind(
        self, erp: Erp, erp_world: ErpWorld, tmp_path: Path
    ) -> None:
        arrange_customer(erp_world)

        erp.check()

        assert all(list((tmp_path / "share" / name).iterdir()) == [] for name in FOLDERS)

    def test_it_claims_to_submit_and_to_find(self, erp: Erp, erp_world: ErpWorld) -> None:
        assert isinstance(erp, SubmitsOrders)
        assert isinstance(erp, FindsOrders)
        assert isinstance(erp, ReadsOrderStatus)


@pytest.mark.rule("WA-14", "OI-1")
class TestOrdersAsFilesAndADatabaseThatTells(_OrdersAsFiles):
    asks_the_database = True


@pytest.mark.rule("WA-14", "OI-1")
class TestOrdersAsFilesAndAnswersAlone(_OrdersAsFiles):
    asks_the_database = False
