"""What a profile lacks is told by the statements of its documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.database import Settings
from erp_adapters.sql.profile import find_profile, load_profile
from erp_adapters.sql.written import WRITTEN_AS
from sync.flows.serving import NEEDS
from sync.ports import erp as erp_port
from sync.ports.erp import Erp, lacking

README = Path(__file__).resolve().parents[3] / "erp_adapters/sql/profiles/README.md"
BARE = """\
name: bare
description: an ERP of which nobody has written more than its time
dialects: [sqlite]
facts:
  unit_price_rounding: {places: 2, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
reads:
  clock: SELECT CURRENT_TIMESTAMP AS now
"""


def opened(profile: Path) -> Erp:
    settings = Settings.read(
        {"url": "sqlite:///erp.db", "profile": str(profile)}, {}, profile.parent
    )
    return SqlErpAdapter.build(load_profile(profile), settings)


@pytest.fixture
def bare(tmp_path: Path) -> Erp:
    file = tmp_path / "bare.yaml"
    file.write_text(BARE, encoding="utf-8")
    return opened(file)


@pytest.mark.rule("OP-3")
def test_everything_that_a_flow_needs_is_told_as_a_statement_that_is_documented(bare: Erp) -> None:
    page = README.read_text(encoding="utf-8")
    for flow, needs in NEEDS.items():
        told = lacking(bare, needs.erp, "the ERP")
        assert (told is None) == (not needs.erp), flow
        if told is not None:
            assert told.startswith("the ERP's profile lacks the statement")
            assert not re.search("[A-Z][a-z]+[A-Z]", told), told
    for statement in WRITTEN_AS.values():
        assert f"`{statement}`" in page or f"### {statement}\n" in page, statement


def test_a_profile_that_has_the_statement_has_what_it_is_named_for() -> None:
    profile = load_profile(find_profile("sample", README.parent))
    erp = opened(find_profile("sample", README.parent))
    written = {
        *profile.reads,
        *(("submit_order",) if profile.steps else ()),
        *(("cancel_order",) if profile.cancel_steps else ()),
        *(("create_customer",) if profile.customer_steps else ()),
        *(("credit_request",) if profile.credit_steps else ()),
    }
    for name, statement in WRITTEN_AS.items():
        assert isinstance(erp, getattr(erp_port, name)) == (statement in written), name
    assert len(written.intersection(WRITTEN_AS.values())) > 15
