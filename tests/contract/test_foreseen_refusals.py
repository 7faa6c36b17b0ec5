"""What an adapter knows to have no place in its ERP, it knows without asking that ERP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from erp_adapters.csv_folder.adapter import CsvFolderAdapter
from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.errors import GroupRejected, Rejected
from sync.ports.erp import Erp
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from sync.testing.odd_orders import check_without_its_server
from sync.testing.together import GroupingErp
from tests.contract.harbour import PROFILE
from tests.contract.harbour_files import write_profile


@contextmanager
def nobody_listens() -> Iterator[int]:
    """A port of this machine at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def steps(tmp_path: Path) -> Erp:
    url = f"sqlite:///{tmp_path / 'nowhere' / 'harbour.db'}"
    return SqlErpAdapter.from_settings({"url": url, "profile": str(PROFILE)}, {}, tmp_path)


def files(tmp_path: Path) -> Erp:
    write_profile(tmp_path / "profile.yaml", asks_the_database=False)
    options = {
        "url": f"sqlite:///{tmp_path / 'nowhere' / 'harbour.db'}",
        "profile": "profile.yaml",
        "order_folder": "unmounted",
    }
    return SqlErpAdapter.from_settings(options, {}, tmp_path)


def csv_folder(tmp_path: Path) -> Erp:
    return CsvFolderAdapter.from_settings({"folder": "unmounted", "time_zone": "UTC"}, {}, tmp_path)


@pytest.mark.rule("OI-2", "OP-2")
@pytest.mark.parametrize(
    "made, foresees",
    [
        (steps, {"long_street", "fine_quantity"}),
        (files, {"long_street", "control_character"}),
        (csv_folder, {"long_street"}),
    ],
    ids=["steps", "files", "csv_folder"],
)
def test_an_adapter_foresees_without_its_system_and_refuses_nothing_else_by_itself(
    tmp_path: Path, made: type[Erp], foresees: set[str]
) -> None:
    erp = made(tmp_path)  # type: ignore[call-arg]

    assert check_without_its_server(erp) == foresees
    erp.close()


@pytest.mark.rule("OI-2", "OP-2")
def test_tryton_is_known_to_take_no_nameless_discount_before_it_is_asked() -> None:
    with nobody_listens() as port:
        options = {"url": f"http://127.0.0.1:{port}", "database": "erp", "user": "sync"}
        secret = {"password": "a-password-of-nobody"}
        erp = TrytonErpAdapter.from_settings({**options, "web_shop": "webstore"}, secret, Path())

        assert check_without_its_server(erp) == {"fine_quantity", "codeless_discount"}
        erp.close()


@pytest.mark.rule("OI-2", "OP-2")
def test_the_fake_foresees_what_it_has_no_place_for() -> None:
    erp = MemoryErp()
    erp.cannot_keep("notes", "po_number")
    erp.deny_access()

    assert check_without_its_server(erp) == {"notes", "control_character", "other_script"}

    order = a.a_sales_order(notes="Ring twice.", po_number="PO-1")
    foreseen = erp.foreseen_refusal(order, a.KEY)
    assert foreseen is not None
    erp.deny_access(denied=False)
    with pytest.raises(Rejected) as caught:
        erp.submit_order(order, a.KEY)
    assert "no place for notes, po_number" in str(foreseen)
    said = caught.value
    assert (str(said), said.code, said.remedy) == (
        *(str(foreseen), foreseen.code, foreseen.remedy),
    )
    assert erp.orders == ()


@pytest.mark.rule("OI-2")
def test_of_a_group_the_fake_names_the_order_that_it_has_no_place_for() -> None:
    erp = GroupingErp()
    erp.add_account(a.an_account())
    erp.add_ship_to(a.a_ship_to())
    erp.add_item(a.an_item())
    erp.cannot_keep("notes")
    noted = (a.a_sales_order(notes="Ring twice."), a.KEY)

    with pytest.raises(GroupRejected, match="no place for notes") as caught:
        erp.submit_orders([noted])

    assert caught.value.position == 0
    assert erp.orders == ()
