"""A customer is made whole under its key, or not at all, and the ERP's word is passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.candidates import CustomerSearch
from sync.domain.ids import CustomerId
from sync.errors import Rejected
from sync.ports.erp import FindingLevel
from sync.testing import builders as a
from tests.contract.harbour import PROFILE, create_tables

pytestmark = pytest.mark.rule("VE-9")

MakeErp = Callable[..., Any]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'harbour.db'}")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def erp_with(tmp_path: Path, ledger: Engine) -> Iterator[MakeErp]:
    """The adapter, with the profile changed by these replacements."""
    opened: list[Any] = []

    def make(*changes: tuple[str, str]) -> Any:
        profile = PROFILE.read_text()
        for before, after in changes:
            assert before in profile
            profile = profile.replace(before, after)
        file = tmp_path / "harbour.yaml"
        file.write_text(profile)
        options = {"url": str(ledger.url), "profile": str(file)}
        opened.append(SqlErpAdapter.from_settings(options, {}, Path("/")))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def rows(ledger: Engine) -> list[tuple[Any, ...]]:
    with ledger.connect() as connection:
        customers = connection.execute(text("SELECT customer_no FROM customers ORDER BY 1"))
        contacts = connection.execute(text("SELECT contact_no FROM contacts ORDER BY 1"))
        return [*map(tuple, customers), *map(tuple, contacts)]


def test_the_contact_comes_with_the_customer_or_neither_does(
    erp_with: MakeErp, ledger: Engine
) -> None:
    unwritten = (":email FROM customers WHERE", ":email FROM customers WHERE 1 = 0 AND")
    with pytest.raises(Rejected, match="step contact: 0 rows"):
        erp_with(unwritten).create_customer(a.a_new_customer(), a.KEY)
    assert rows(ledger) == []
    whole = erp_with()
    assert whole.create_customer(a.a_new_customer(), a.KEY) == CustomerId("N-1")
    assert rows(ledger) == [("N-1",), ("N-1-1",)]


def test_a_number_that_is_taken_is_a_refusal_that_says_what_to_do(
    erp_with: MakeErp, ledger: Engine
) -> None:
    with ledger.begin() as connection:
        connection.execute(
            text("INSERT INTO customers (customer_no, name, status) VALUES ('N-2', 'Other', 'A')")
        )
    with pytest.raises(Rejected, match="unique index") as refusal:
        erp_with().create_customer(a.a_new_customer(), a.KEY)
    assert "link it" in refusal.value.remedy
    assert rows(ledger) == [("N-2",)]


def test_a_customer_that_is_not_found_again_is_not_made(erp_with: MakeErp, ledger: Engine) -> None:
    erp = erp_with(("WHERE web_key = :external_key", "WHERE tax_id = :external_key"))
    with pytest.raises(Rejected, match="find_customer does not find"):
        erp.create_customer(a.a_new_customer(), a.KEY)
    assert rows(ledger) == []


def test_two_customers_under_one_key_are_for_a_person(erp_with: MakeErp, ledger: Engine) -> None:
    erp = erp_with(("WHERE web_key = :external_key", "WHERE status = 'A' OR :external_key = ''"))
    with ledger.begin() as connection:
        for number in ("1", "2"):
            connection.execute(
                text("INSERT INTO customers (customer_no, name, status) VALUES (:no, 'X', 'A')"),
                {"no": number},
            )
    with pytest.raises(Rejected, match="2 rows"):
        erp.find_customer(a.KEY)
    with pytest.raises(Rejected, match="2 rows"):
        erp.create_customer(a.a_new_customer(), a.KEY)
    assert rows(ledger) == [("1",), ("2",)]


def test_a_candidate_has_all_its_addresses_and_what_is_unknown_finds_nobody(
    erp_with: MakeErp, ledger: Engine
) -> None:
    erp = erp_with()
    made = erp.create_customer(a.a_new_customer(), a.KEY)
    second = "INSERT INTO contacts (customer_no, contact_no, email) VALUES (:no, '2', 'x@y.z')"
    with ledger.begin() as connection:
        connection.execute(text(second), {"no": made.value})
    (match,) = erp.customers_like(CustomerSearch(email="X@Y.z"))
    assert set(match.emails) == {"ines@lantern.example", "x@y.z"}
    assert (match.active, match.prospect) == (True, False)
    assert erp.customers_like(CustomerSearch("GmbH & Co", "", "")) == []


def test_a_check_tries_the_steps_without_running_them(erp_with: MakeErp, ledger: Engine) -> None:
    findings = {each.subject: each for each in erp_with().check()}
    for step in ("customer", "contact"):
        assert findings[f"create_customer, step {step}"].level is FindingLevel.OK
    wrong = erp_with(("INSERT INTO contacts", "INSERT INTO contakts"))
    found = {each.subject: each for each in wrong.check()}
    assert found["create_customer, step contact"].level is FindingLevel.ERROR
    assert rows(ledger) == []


# Checking.


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("table, of", [("customers", "customers"), ("credits", "credit requests")])
def test_a_check_tells_whether_the_database_refuses_a_second_one_under_one_key(
    erp_with: MakeErp, ledger: Engine, table: str, of: str
) -> None:
    subject = f"unique external key of {of}"
    found = {each.subject: each for each in erp_with().check()}
    assert (found[subject].level, found[subject].message) == (
        FindingLevel.OK,
        f"{table}.web_key has a unique index",
    )
    with ledger.begin() as connection:
        connection.execute(text(f"CREATE TABLE bare AS SELECT * FROM {table}"))
        connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text(f"ALTER TABLE bare RENAME TO {table}"))
    found = {each.subject: each for each in erp_with().check()}
    assert found[subject].level is FindingLevel.ERROR
    assert f"{table}.web_key has no unique index" in found[subject].message
    assert "add a unique index on that column, or take" in found[subject].remedy


def test_a_check_that_cannot_see_where_the_key_is_kept_asks_a_person(erp_with: MakeErp) -> None:
    hidden = (":tax_id, :key)", ":tax_id, :key || :key)")
    found = {each.subject: each for each in erp_with(hidden).check()}
    finding = found["unique external key of customers"]
    # Whatever is made of the key there, it is still the column that it goes into.
    assert finding.level is FindingLevel.OK
    elsewhere = (
        "(customer_no, name, currency, status, tax_id, web_key)\n            VALUES",
        "\n            VALUES",
    )
    found = {each.subject: each for each in erp_with(elsewhere).check()}
    finding = found["unique external key of customers"]
    assert finding.level is FindingLevel.WARNING
    assert "look by hand" in finding.remedy
