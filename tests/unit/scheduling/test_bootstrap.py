"""Wiring by the names in the settings: the sample site, and what can be wrong with a site."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import sync.secrecy
from sync.bootstrap import Installation, limits_of, open_installation, state_address
from sync.domain.account import IndividualAccount
from sync.domain.ids import CustomerId, OrganisationId, WebUserId
from sync.domain.order import BuyerRecord
from sync.errors import Misconfigured
from sync.routing import Unusable
from sync.sample.build import build_sample
from sync.secrecy import scrubbed
from sync.settings import Settings, load_settings
from sync.testing.clock import ManualClock
from tests.unit.scheduling.conftest import CHANNELS, CODES, CUSTOMERS

SETTINGS = """
[systems.erp]
kind = "erp"
adapter = "{erp}"
[systems.erp.options]
profile = "sample"
url = "sqlite:///erp.sqlite"
[systems.shop]
kind = "store"
adapter = "embedded"
[systems.shop.options]
store_id = "shop"
url = "sqlite:///store.sqlite"
[pipelines.main]
erp = "erp"
store = "shop"
"""
OUTPOST = """
[systems.outpost]
kind = "store"
adapter = "embedded"
[systems.outpost.options]
store_id = "outpost"
url = "sqlite:///outpost.sqlite"
[pipelines.outpost]
erp = "erp"
store = "outpost"
[pipelines.outpost.guards]
removal_floor = 3
[pipelines.outpost.orders]
lease_s = 7
"""


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("databases")
    build_sample(
        f"sqlite:///{folder}/erp.sqlite",
        f"sqlite:///{folder}/store.sqlite",
        today=date(2026, 3, 2),
    )
    (folder / "outpost.sqlite").write_bytes((folder / "store.sqlite").read_bytes())
    return folder


@pytest.fixture
def site(tmp_path: Path, databases: Path) -> Callable[..., Settings]:
    def make(text: str = "", erp: str = "sql", service: str = "") -> Settings:
        for name in ("config", "mappings"):
            (tmp_path / name).mkdir(exist_ok=True)
        for file in databases.glob("*.sqlite"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "mappings" / "channels.yaml").write_text(CHANNELS)
        (tmp_path / "mappings" / "customers.csv").write_text(CUSTOMERS)
        (tmp_path / "mappings" / "codes.yaml").write_text(CODES)
        settings = f"[service]\n{service}\n" + SETTINGS.format(erp=erp) + text
        (tmp_path / "config" / "tradesync.toml").write_text(settings)
        return load_settings(tmp_path, {})

    return make


def opened(settings: Settings, **how: Any) -> Installation:
    """Opened and closed again at once: what was wired can still be looked at."""
    with open_installation(settings, ManualClock(), **how) as installation:
        return installation


@pytest.mark.rule("OP-8")
def test_pipelines_share_their_systems_and_keep_their_limits(site: Callable[..., Settings]) -> None:
    installation = opened(site(OUTPOST))
    main, outpost = installation.pipelines["main"], installation.pipelines["outpost"]
    assert main.erp is outpost.erp
    assert main.watches[0] is outpost.watches[0], "what is known of it is shared too"
    assert main.watches[1] is not outpost.watches[1]
    assert main.store is not outpost.store
    assert main.mapping is not outpost.mapping
    assert main.store.store_id != outpost.store.store_id
    assert limits_of(main.settings).guard("invoices").removal_floor == 20
    assert limits_of(outpost.settings).guard("invoices").removal_floor == 3
    assert limits_of(outpost.settings).orders.lease_s == 7
    assert limits_of(main.settings).orders.lease_s == 300


@pytest.mark.rule("WA-2b", "WA-8", "OP-8")
def test_a_retail_group_of_one_store_is_nobodys_account_in_another_on_the_same_erp(
    site: Callable[..., Settings], tmp_path: Path
) -> None:
    site()
    shutil.copytree(tmp_path / "mappings", tmp_path / "west")
    (tmp_path / "west" / "channels.yaml").write_text(CHANNELS.replace("RETAIL-EU", "RETAIL-W"))
    wrong = "RETAIL-EU,,u-1,,\n"
    (tmp_path / "west" / "customers.csv").write_text(CUSTOMERS + wrong)
    settings = site(OUTPOST.replace('store = "outpost"', 'store = "outpost"\nmappings = "west"'))
    with open_installation(settings, ManualClock()) as installation:
        context = installation.pipelines["outpost"].context()

    group = CustomerId("RETAIL-EU")
    found = context.accounts.find(WebUserId("u-1"), None, BuyerRecord())
    assert isinstance(found, Unusable)
    assert found.problem.code == "retail_group_as_individual"
    with pytest.raises(ValueError, match="retail group"):
        IndividualAccount(group, context.mapping.retail_groups)
    assert context.accounts.find(None, OrganisationId("org-12"), BuyerRecord()) is not None


@pytest.mark.rule("OP-8")
def test_a_pipeline_is_named_where_there_are_several(site: Callable[..., Settings]) -> None:
    several = opened(site(OUTPOST))
    assert several.pipeline("outpost").name == "outpost"
    with pytest.raises(Misconfigured, match="name one of: main, outpost"):
        several.pipeline(None)
    with pytest.raises(Misconfigured, match="there are: main, outpost"):
        several.pipeline("mian")
    assert opened(site()).pipeline(None).name == "main"


@pytest.mark.parametrize("kind, known", [("sql", "sql"), ("embedded", "embedded")])
def test_an_adapter_that_does_not_exist_is_refused_with_those_that_do(
    site: Callable[..., Settings], kind: str, known: str
) -> None:
    settings = site(erp="acme") if kind == "sql" else site(OUTPOST.replace("embedded", "acme"))
    with pytest.raises(Misconfigured, match=rf"adapter 'acme'; there are: .*{known}"):
        opened(settings)


def an_entry_point(
    folder: Path, target: str, monkeypatch: pytest.MonkeyPatch, name: str = "acme"
) -> None:
    """An installed package that brings an adapter of its own."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tradesync.erp_adapters]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_an_adapter_from_another_package_is_found_by_its_entry_point(
    site: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "acme_erp.py").write_text(
        "from sync.testing.erp import MemoryErp\n"
        "class Acme(MemoryErp):\n"
        "    @classmethod\n"
        "    def from_settings(cls, options, secrets, base):\n"
        "        erp = cls()\n"
        "        erp.told = (dict(options), dict(secrets), base)\n"
        "        return erp\n"
    )
    an_entry_point(folder, "acme_erp:Acme", monkeypatch)
    settings = site(erp="acme")
    erp = opened(settings).pipelines["main"].erp
    assert erp.capabilities.name == "memory"
    options, secrets, base = erp.told  # type: ignore[attr-defined]
    assert options["profile"] == "sample"
    assert secrets == {}
    assert base == settings.site.root
    assert [each.name for each in metadata.entry_points(group="tradesync.erp_adapters")] == ["acme"]
    del sys.modules["acme_erp"]


def test_an_adapter_whose_package_is_incomplete_is_no_endless_restart(
    site: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "half_an_erp.py").write_text("import a_driver_that_is_not_there\n")
    an_entry_point(folder, "half_an_erp:Acme", monkeypatch)
    with pytest.raises(Misconfigured, match="a_driver_that_is_not_there"):
        opened(site(erp="acme"))


def test_looking_on_before_the_first_start_makes_no_state(site: Callable[..., Settings]) -> None:
    settings = site()
    before = sorted(settings.site.root.rglob("*"))
    with open_installation(settings, ManualClock(), looks_on=True) as installation:
        line = installation.pipeline(None)
        assert line.context().mapping.channels
        with line.state.transaction() as state:
            assert state.ledger.counts() == dict.fromkeys(state.ledger.counts(), 0)
    assert sorted(settings.site.root.rglob("*")) == before


def test_writing_beside_a_daemon_needs_its_state(site: Callable[..., Settings]) -> None:
    settings = site()
    with pytest.raises(Misconfigured, match="start the service once"):
        opened(settings, upgrade=False)
    opened(settings)
    assert opened(settings, upgrade=False).pipelines


@pytest.mark.rule("OP-7")
def test_what_the_credential_files_hold_is_never_shown(
    site: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync.secrecy, "_known", ())
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in ("state-word", "erp-word"):
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(f"canary of {name}")
    settings = site(
        '[systems.erp.secrets]\npassword = "erp-word"\n',
        service='state_url = "postgresql://u@db.example/state"\nstate_password = "state-word"',
    )
    address = state_address(settings)
    assert "canary" in address
    assert "canary" not in scrubbed(address)
    assert "canary" not in scrubbed("login failed with canary of erp-word")
