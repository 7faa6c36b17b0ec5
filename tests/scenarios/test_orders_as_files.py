"""The whole way of an order through an ERP that takes files and answers with files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.views import ImportNotice, ImportState
from sync.ports.erp import Erp
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.erp_world import OrderRows
from tests.contract.harbour import create_tables
from tests.contract.harbour_files import HarbourFilesWorld, write_profile
from tests.scenarios.world import MakeWorld, World, harbour_order, order_id

ONE = OrderRows(headers=1, lines=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[HarbourFilesWorld]:
    """Harbour Ledger with the account and the item that the order needs."""
    engine = create_engine(f"sqlite:///{tmp_path / 'harbour.db'}", poolclass=NullPool)
    create_tables(engine)
    ledger = HarbourFilesWorld(engine, tmp_path / "share", answers_only=True)
    ledger.add_account(a.an_account())
    ledger.add_account(a.a_retail_account())
    ledger.add_item(a.an_item())
    ledger.add_ship_to(a.a_ship_to())
    ledger.add_price(a.a_price("9.9900"))
    yield ledger
    engine.dispose()


@pytest.fixture
def world(make_world: MakeWorld, ledger: HarbourFilesWorld, tmp_path: Path) -> Iterator[World]:
    write_profile(tmp_path / "files.yaml", asks_the_database=False)
    options = {"url": "sqlite:///harbour.db", "profile": "files.yaml", "order_folder": "share"}
    erp: Erp = SqlErpAdapter.from_settings(options, {}, tmp_path)
    yield make_world(erp_seen=erp)
    erp.close()


def shown(world: World) -> ImportNotice | None:
    return world.store.notice(order_id(1))


def answered(world: World) -> None:
    """The next look at what the ERP has said."""
    world.clock.advance(600)
    world.run("order_status")


@pytest.mark.rule("WA-14", "WA-13")
def test_the_buyer_sees_processing_until_the_answer_brings_the_number(
    world: World, ledger: HarbourFilesWorld
) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()
    answered(world)
    notice = shown(world)
    assert notice is not None
    assert notice.state is ImportState.PROCESSING

    assert ledger.order_rows() == ONE
    answered(world)

    notice = shown(world)
    assert notice is not None
    assert notice.state is ImportState.PROCESSED
    assert notice.erp_order is not None


@pytest.mark.rule("WA-14", "OI-1")
def test_an_erp_that_never_answers_gets_the_order_once(
    world: World, ledger: HarbourFilesWorld, tmp_path: Path
) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()
    assert ledger.order_rows() == ONE
    for answer in (tmp_path / "share" / "out").iterdir():
        answer.unlink()

    for _ in range(30):
        world.import_orders()
        answered(world)

    assert world.state_of() is LedgerState.IMPORTED
    assert ledger.order_rows() == ONE
    assert list((tmp_path / "share" / "in").iterdir()) == []


@pytest.mark.rule("WA-13", "WA-14", "OI-2")
def test_an_order_refused_in_an_answer_is_replayed_after_the_correction(
    world: World, ledger: HarbourFilesWorld
) -> None:
    ledger.block_item(a.SKU)
    world.store.place_order(harbour_order())
    world.import_orders()
    assert ledger.order_rows() == OrderRows(headers=0, lines=0)
    answered(world)
    assert world.state_of() is LedgerState.QUARANTINED
    notice = shown(world)
    assert notice is not None
    assert notice.state is ImportState.ABORTED
    assert f"{a.SKU} is blocked" in (notice.message or "")

    # Nothing is sent again by itself.
    world.import_orders()
    ledger.unblock_item(a.SKU)
    assert ledger.order_rows() == OrderRows(headers=0, lines=0)

    assert world.replay()
    world.import_orders()
    assert ledger.order_rows() == ONE
    answered(world)

    notice = shown(world)
    assert notice is not None
    assert notice.state is ImportState.PROCESSED
