"""SQL Server as far as it goes without one: what is sent to the driver, and what is refused.

A stand-in takes the place of pyodbc; nothing here has met a live server.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from sqlalchemy import Engine

from sync.errors import Misconfigured
from sync.kit.engines import EngineOptions, engine_for, parse_url


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("pyodbc")
    vars(module).update(
        paramstyle="qmark",
        version="5.2.0",
        pooling=True,
        Error=Exception,
        DatabaseError=Exception,
        Cursor=type("Cursor", (), {"nextset": None}),
    )
    monkeypatch.setitem(sys.modules, "pyodbc", module)
    return module


PASSWORD = "p;w"


def engine(url: str, password: str | None = PASSWORD, **options: Any) -> Engine:
    return engine_for(parse_url(url, Path("/"), password), EngineOptions(**options))


def sent(url: str, password: str | None = PASSWORD, **options: Any) -> str:
    """The connection string that the driver would be given."""
    made = engine(url, password, **options)
    [text], _ = made.dialect.create_connect_args(made.url)
    return str(text)


URL = "mssql+pyodbc://web@erp.example/acme"


@pytest.mark.rule("OP-7")
@pytest.mark.usefixtures("driver")
def test_the_way_is_encrypted_and_the_certificate_checked_unless_the_options_say_it_aloud() -> None:
    assert "Encrypt=yes" in sent(URL)
    assert "TrustServerCertificate" not in sent(URL)
    assert "TrustServerCertificate=yes" in sent(URL, insecure_trust_any_certificate=True)
    assert "Encrypt=yes" in sent(URL, insecure_trust_any_certificate=True)
    assert "Encrypt=no" in sent(URL, insecure_no_encryption=True)


@pytest.mark.rule("OP-7")
@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    "query, option",
    [
        ("TrustServerCertificate=yes", "insecure_trust_any_certificate"),
        ("trustservercertificate=True", "insecure_trust_any_certificate"),
        ("Encrypt=no", "insecure_no_encryption"),
        ("encrypt=optional", "insecure_no_encryption"),
        (
            "odbc_connect=Driver%3DX%3BEncrypt%3Dyes%3BTrustServerCertificate%3DYes",
            "insecure_trust_any_certificate",
        ),
        ("odbc_connect=Driver%3DX%3BEncrypt%3D%7Bno%7D", "insecure_no_encryption"),
        # The driver takes the first of two.
        ("odbc_connect=Encrypt%3Dno%3BEncrypt%3Dyes", "insecure_no_encryption"),
        ("Encrypt=no&Encrypt=yes", "insecure_no_encryption"),
    ],
)
def test_a_url_cannot_open_the_way_silently(query: str, option: str) -> None:
    with pytest.raises(Misconfigured, match=f"say {option} = true"):
        engine(f"{URL}?{query}", None)

    opened: dict[str, Any] = {option: True}
    engine(f"{URL}?{query}", None, **opened)


SERVER = "Driver={ODBC Driver 17 for SQL Server};Server=erp;Database=x;UID=u;"


@pytest.mark.rule("OP-7")
@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    "more",
    [
        "",
        "PWD=p",
        "Encrypt=;PWD=p",
        "PWD={a;Encrypt=yes}",
        "PWD={a}};Encrypt=yes;}",
        "XEncrypt=yes",
    ],
)
def test_a_whole_connection_string_must_say_encrypt_since_not_every_driver_means_it(
    more: str,
) -> None:
    url = f"mssql+pyodbc:///?odbc_connect={quote_plus(SERVER + more)}"
    with pytest.raises(Misconfigured, match="add Encrypt=yes; to it") as refused:
        engine(url, None)
    assert "UID=u" not in str(refused.value)
    assert sent(url, None, insecure_no_encryption=True) == SERVER + more


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("word", ["Encrypt=yes", "encrypt = Mandatory", "ENCRYPT={strict}"])
def test_a_whole_connection_string_that_says_encrypt_stays_as_it_is(word: str) -> None:
    text = f"{SERVER}PWD={{a}}}};b}};{word};"
    assert sent(f"mssql+pyodbc:///?odbc_connect={quote_plus(text)}", None) == text


@pytest.mark.rule("OP-7")
def test_a_driver_whose_encryption_nobody_here_can_answer_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = types.ModuleType("pymssql")
    vars(module).update(__version__="2.3.2", paramstyle="pyformat", Error=Exception)
    monkeypatch.setitem(sys.modules, "pymssql", module)
    url = "mssql+pymssql://web@erp.example/acme"
    with pytest.raises(
        Misconfigured, match=r"use mssql\+pyodbc.*say insecure_no_encryption = true"
    ):
        engine(url)
    assert engine(url, insecure_no_encryption=True).url.host == "erp.example"


@pytest.mark.rule("OP-7")
def test_a_password_beside_a_whole_connection_string_is_refused_and_not_dropped() -> None:
    with pytest.raises(Misconfigured, match="put the whole URL into the secret") as caught:
        parse_url("mssql+pyodbc:///?odbc_connect=Driver%3DX", Path("/"), "hunter2")

    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("word", ["strict", "mandatory", "yes"])
def test_a_stricter_encryption_of_the_url_stays(word: str) -> None:
    assert f"Encrypt={word}" in sent(f"{URL}?Encrypt={word}")
    assert sent(f"{URL}?Encrypt={word}").lower().count("encrypt=") == 1


@pytest.mark.usefixtures("driver")
def test_another_driver_can_be_named() -> None:
    assert "DRIVER={ODBC Driver 18 for SQL Server}" in sent(URL)
    assert "DRIVER={FreeTDS}" in sent(f"{URL}?driver=FreeTDS")


@pytest.mark.rule("OP-7")
@pytest.mark.usefixtures("driver")
def test_user_and_password_are_quoted_for_the_driver() -> None:
    text = sent("mssql+pyodbc://we%3Bb@erp.example:1444/acme", "p}w;TrustServerCertificate=yes")

    assert "UID={we;b}" in text
    assert "PWD={p}}w;TrustServerCertificate=yes}" in text
    assert "Server=erp.example,1444" in text


@pytest.mark.usefixtures("driver")
def test_without_a_user_the_service_logs_in_as_itself() -> None:
    text = sent("mssql+pyodbc://erp.example/acme", None)

    assert "Trusted_Connection=Yes" in text
    assert "UID" not in text
    assert "PWD" not in text


@pytest.mark.usefixtures("driver")
def test_a_data_source_name_brings_its_own_settings() -> None:
    assert sent("mssql+pyodbc://web@ACME_ERP") == "dsn=ACME_ERP;UID=web;PWD={p;w}"


def test_the_driver_managers_own_pool_is_left_off(driver: types.ModuleType) -> None:
    engine(URL)

    assert driver.pooling is False


class Recorded:
    """A connection that notes what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.timeout = 0

    def cursor(self) -> Recorded:
        return self

    def execute(self, sql: str) -> None:
        self.said.append(sql)

    def close(self) -> None: ...

    def commit(self) -> None:
        self.said.append("COMMIT")


@pytest.mark.usefixtures("driver")
def test_every_session_has_its_time_limits_and_undoes_what_fails() -> None:
    made = engine(URL, statement_timeout_s=30, login_timeout_s=7)
    connection = Recorded()

    for listener in made.pool.dispatch.connect:
        if getattr(listener, "__module__", "").startswith("sync.kit"):
            listener(connection, None)

    assert connection.timeout == 30
    assert connection.said == ["SET XACT_ABORT ON", "SET LOCK_TIMEOUT 15000", "COMMIT"]
