"""`check` names the ODBC drivers that would keep a whole feed in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from erp_adapters.sql import checking
from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.checking import whole_answer_finding
from sync.kit.engines import given_keywords
from sync.ports.erp import Finding, FindingLevel
from tests.unit.sql.test_price_states import PROFILE, Desk

BY_ITSELF = "postgresql+pyodbc://reader@db/erp"
BY_NAME = "postgresql+pyodbc://reader@ERP"
WHOLE = "postgresql+pyodbc://?odbc_connect=DSN%3DERP%3BUID%3Dreader"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///erp.db",
        "postgresql+psycopg://reader@db/erp",
        "mssql+pyodbc://reader@ERP",
        BY_ITSELF,  # the engine adds it
        f"{BY_ITSELF}?UseDeclareFetch=1",
        f"{BY_NAME}?usedeclarefetch=1",
        f"{WHOLE}%3BUseDeclareFetch%3D1",
    ],
)
def test_nothing_is_said_where_answers_come_in_pieces(url: str) -> None:
    assert whole_answer_finding(make_url(url)) is None


@pytest.mark.parametrize(
    "url", [BY_NAME, WHOLE, f"{BY_ITSELF}?UseDeclareFetch=0", f"{WHOLE}%3BUseDeclareFetch%3D0"]
)
def test_a_data_source_that_does_not_declare_its_fetches_is_named(url: str) -> None:
    finding = whole_answer_finding(make_url(url))
    assert finding is not None
    assert "UseDeclareFetch=1" in finding.remedy


@pytest.mark.parametrize(
    "url, instead",
    [
        ("sqlite+pyodbc:///erp.db", "sqlite:///"),
        ("mariadb+pyodbc://reader@db/erp", "mariadb+pymysql://"),
    ],
)
def test_some_are_better_read_without_odbc(url: str, instead: str) -> None:
    finding = whole_answer_finding(make_url(url))
    assert finding is not None
    assert instead in finding.remedy


def test_keywords_of_a_connection_string_are_seen_whatever_their_case() -> None:
    assert given_keywords(make_url(WHOLE))["dsn"] == {"erp"}


def test_check_says_it_of_profiles_with_feeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Finding("price feeds", FindingLevel.WARNING, "keeps a whole answer in memory", "x")
    monkeypatch.setattr(checking, "whole_answer_finding", lambda url: told)
    desk = Desk(tmp_path)
    with_feeds = desk.erp()
    without = PROFILE.partition("  price_feed_account")[0]
    (tmp_path / "short.yaml").write_text(without)
    options = {"url": f"sqlite:///{tmp_path / 'erp.db'}", "profile": "short.yaml"}
    desk.opened.append(SqlErpAdapter.from_settings(options, {}, tmp_path))
    assert told in with_feeds.check()
    assert told not in desk.opened[-1].check()
    for each in desk.opened:
        each.close()
