"""`check` names the ODBC drivers that would keep a whole feed in memory."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from erp_adapters.sql.checking import whole_answer_finding
from sync.kit.engines import given_keywords

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
