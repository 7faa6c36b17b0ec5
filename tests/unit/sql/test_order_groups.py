"""How many orders a profile lets into one transaction, and why not more."""

from __future__ import annotations

from pathlib import Path

import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.profile import SHIPPED, load_profile
from sync.ports.erp import FindsOrdersTogether, SubmitsOrders, SupportsOrderGroups
from tests.unit.sql.test_profile import ORDERS, SMALLEST, complaints, load

WHOLE = SMALLEST + ORDERS
PLAIN = "INSERT INTO orders (web_key, cust) VALUES (:key, :cust) RETURNING no"
PROCEDURE = (f"sql: {PLAIN}", "sql: {}")


def stating(text: str, **facts: object) -> str:
    lines = "".join(f"\n  {name}: {value}" for name, value in facts.items())
    return text.replace("facts:", f"facts:{lines}", 1)


def with_step(sql: str) -> str:
    old, new = PROCEDURE
    assert old in WHOLE
    return WHOLE.replace(old, new.format(sql))


def test_plain_steps_are_written_a_hundred_orders_at_a_time(tmp_path: Path) -> None:
    assert load(tmp_path, WHOLE).capabilities.order_group == 100


def test_profile_may_state_another_number(tmp_path: Path) -> None:
    assert load(tmp_path, stating(WHOLE, order_group=20)).capabilities.order_group == 20
    assert load(tmp_path, stating(WHOLE, order_group=1)).capabilities.order_group == 1


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "sql",
    [
        "EXEC web.take_order @key = :key, @cust = :cust",
        "CALL take_order(:key, :cust)",
        "'{call take_order(:key, :cust)}'",
        "INSERT INTO orders (web_key, cust) VALUES (:key, :cust) RETURNING no; COMMIT",
        "SET NOCOUNT ON; EXEC web.take_order :key, :cust",
        "INSERT INTO answers EXEC web.take_order :key, :cust",
        "IF 1 = 1 EXEC web.take_order :key, :cust",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x; EXEC web.take_order :key, :cust",
        "SELECT 'it''s'; EXECUTE web.take_order :key, :cust",
        "'/* place it */ CALL take_order(:key, :cust)'",
        "'SELECT :key, :cust; /*! CALL take_order() */'",
        "|\n          -- place it\n          EXEC web.take_order :key, :cust",
        "|\n          SELECT :key, :cust; # don't wait\n          CALL take_order('x')",
        "|\n          SELECT 'a\\'; CALL take_order(:key, :cust, 'b')",
        "web.take_order :key, :cust",
    ],
)
def test_what_may_commit_by_itself_gets_no_groups_unless_its_author_says_so(
    tmp_path: Path, sql: str
) -> None:
    assert load(tmp_path, with_step(sql)).capabilities.order_group == 1
    stated = stating(with_step(sql), order_group=50)
    assert load(tmp_path, stated).capabilities.order_group == 50


@pytest.mark.parametrize(
    "sql",
    [
        "|\n          -- no EXEC here\n          " + PLAIN,
        "'/* we do not call, nor commit */ " + PLAIN + "'",
        PLAIN.replace(":cust)", "'EXEC; it''s a COMMIT' || :cust)"),
        PLAIN.replace("web_key", '"call"'),
        PLAIN.replace("web_key", "last_call"),
    ],
)
def test_what_is_said_in_comments_texts_and_names_calls_nothing(tmp_path: Path, sql: str) -> None:
    assert load(tmp_path, with_step(sql)).capabilities.order_group == 100


@pytest.mark.rule("OI-1")
def test_erp_that_would_take_an_order_twice_gets_no_groups(tmp_path: Path) -> None:
    careless = stating(WHOLE, unique_external_key="false")
    assert load(tmp_path, careless).capabilities.order_group == 1
    found = complaints(tmp_path, stating(careless, order_group=10))
    assert any("would take an order twice" in each for each in found), found


def test_profile_that_writes_no_orders_has_no_groups(tmp_path: Path) -> None:
    assert load(tmp_path, SMALLEST).capabilities.order_group == 1
    found = complaints(tmp_path, stating(SMALLEST, order_group=10))
    assert any("not written in steps" in each for each in found), found


@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_number_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    found = complaints(tmp_path, stating(WHOLE, order_group=number))
    assert any("order_group" in each for each in found), found


def test_adapter_claims_groups_only_where_the_profile_has_them(tmp_path: Path) -> None:
    def adapter(text: str) -> object:
        (tmp_path / "acme.yaml").write_text(text)
        options = {"url": "sqlite:///acme.db", "profile": "acme.yaml"}
        return SqlErpAdapter.from_settings(options, {}, tmp_path)

    assert isinstance(adapter(WHOLE), SupportsOrderGroups)
    alone = adapter(stating(WHOLE, order_group=1))
    assert not isinstance(alone, SupportsOrderGroups)
    assert isinstance(alone, SubmitsOrders)
    assert isinstance(alone, FindsOrdersTogether)


def test_orders_that_go_out_as_files_go_in_no_groups() -> None:
    assert load_profile(SHIPPED / "prophet21_orders.yaml").capabilities.order_group == 1
