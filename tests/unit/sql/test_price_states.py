"""The statements ``price_state_…``: when a list is the same, and when nobody can rely on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.price_states import ReadsPriceStates
from sync.columnar.vectors import vector_of
from sync.domain.ids import CustomerId
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured
from sync.flows.feed_findings import feed_findings
from sync.ports.erp import FindingLevel, PriceState, TellsPriceStates

C1, C2 = PriceScope.account(CustomerId("C-1")), PriceScope.account(CustomerId("c-1"))

PROFILE = """\
name: desk
description: a desk's prices
dialects: [sqlite]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
  time_zone: Europe/Amsterdam
constants: {price_list: NET, unit: EA, currency: EUR}
types: {changed_at: datetime(UTC), now: datetime(UTC)}
reads:
  customer_ids: SELECT no AS customer_id FROM customers
  accounts: |
    SELECT no AS customer_id, no AS name, 'EUR' AS currency FROM customers
     WHERE no IN :customer_ids
  price_scopes: SELECT 'account' AS level, no AS owner FROM customers
  prices_account: |
    SELECT no AS customer_id, item AS sku, 1 AS min_quantity, price AS unit_price
      FROM prices WHERE no IN :customer_ids COLLATE NOCASE [[ AND item IN :skus ]] ORDER BY item, no
  prices_default: SELECT item AS sku, 1 AS min_quantity, price AS unit_price FROM general
  price_feed_account: |
    SELECT no AS customer_id, item AS sku, 1 AS min_quantity, price AS unit_price
      FROM prices ORDER BY no
  price_feed_default: SELECT item AS sku, 1 AS min_quantity, price AS unit_price FROM general
"""
CLOCK = "  clock: SELECT '2026-03-01 12:00:00' AS now\n"
HASHED = """\
  price_state_account: |
    SELECT no AS customer_id, count(*) AS entries, group_concat(item || price) AS fingerprint
      FROM prices GROUP BY no
  price_state_default: SELECT count(*) AS entries, 'all' AS fingerprint FROM general
"""
STAMPED = """\
  price_state_account: |
    SELECT no AS customer_id, count(*) AS entries, max(changed_at) AS changed_at
      FROM prices GROUP BY no
"""

TABLES = """
CREATE TABLE customers (no TEXT);
CREATE TABLE prices (no TEXT, item TEXT, price TEXT, changed_at TEXT);
CREATE TABLE general (item TEXT, price TEXT);
INSERT INTO prices VALUES ('C-1', 'BOLT', '5.0000', '2026-02-01 08:00:00'),
    ('C-1', 'NUT', '6.0000', '2026-02-02 08:00:00'),
    ('c-1', 'BOLT', '6.0000', '2026-02-02 08:00:00');
"""


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[Any] = []
        self.run(*TABLES.split(";"))

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.folder / "erp.db")) as connection:
            for each in statements:
                connection.execute(each)
            connection.commit()

    def erp(self, *parts: str, name: str = "desk.yaml") -> Any:
        (self.folder / name).write_text("".join((PROFILE, *parts)))
        options = {"url": f"sqlite:///{self.folder / 'erp.db'}", "profile": name}
        self.opened.append(SqlErpAdapter.from_settings(options, {}, self.folder))
        return self.opened[-1]

    def states(self, *parts: str) -> dict[PriceScope, PriceState]:
        erp = cast("ReadsPriceStates", self.erp(*parts))
        return dict(erp.price_states(PriceLevel.ACCOUNT))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    for each in made.opened:
        each.close()


def test_states_are_claimed_by_the_levels_that_have_a_statement(desk: Desk) -> None:
    assert not isinstance(desk.erp(), TellsPriceStates)
    erp = desk.erp(HASHED)
    assert isinstance(erp, TellsPriceStates)
    assert set(erp.stated_levels) == {PriceLevel.ACCOUNT, PriceLevel.DEFAULT}
    with pytest.raises(ValueError, match="no statement price_state_item"):
        erp.price_states(PriceLevel.ITEM)


def test_a_check_counts_entries_that_cannot_be_read_where_they_are(desk: Desk) -> None:
    for number in range(1, 4):
        no = f"C-{number}"
        desk.run(f"INSERT INTO customers VALUES ('{no}')", f"DELETE FROM prices WHERE no = '{no}'")
        desk.run(f"INSERT INTO prices VALUES ('{no}', 'BOLT', '5.0000', '')")
        desk.run(f"INSERT INTO prices VALUES ('{no}', 'NUT', 'as agreed', '')")
    desk.run("DELETE FROM prices WHERE no = 'c-1'")

    found = {each.subject: each for each in feed_findings(desk.erp(HASHED))}

    assert found["price state account"].level is FindingLevel.OK, found


def test_statement_without_its_feed_is_refused(desk: Desk) -> None:
    state = "  price_state_item: SELECT count(*) AS entries, 'x' AS fingerprint FROM general\n"
    with pytest.raises(Misconfigured, match="price_state_item"):
        desk.erp(state)


@pytest.mark.rule("WA-7", "MI-2")
@pytest.mark.parametrize("told", [HASHED, CLOCK + STAMPED], ids=["hashed", "stamped"])
def test_deletion_and_change_of_one_list_is_seen_in_its_state_alone(desk: Desk, told: str) -> None:
    first = desk.states(told)
    assert {scope: each.entries for scope, each in first.items()} == {C1: 2, C2: 1}
    desk.run("DELETE FROM prices WHERE no = 'C-1' AND item = 'BOLT'")
    second = desk.states(told)
    desk.run("UPDATE prices SET price = '7', changed_at = '2026-02-03 08:00' WHERE no = 'C-1'")
    third = desk.states(told)
    assert len({each[C1].fingerprint for each in (first, second, third)}) == 3
    assert first[C2] == second[C2] == third[C2]
    assert all(each.settled for each in third.values())


@pytest.mark.rule("WA-7")
def test_change_of_this_moment_is_not_settled(desk: Desk) -> None:
    at = "UPDATE prices SET changed_at = '2026-03-01 11:5{}:00' WHERE no = 'C-1' AND item = 'NUT'"
    desk.run(at.format(1))
    assert not desk.states(CLOCK + STAMPED)[C1].settled
    assert desk.states(CLOCK + STAMPED)[C2].settled
    desk.run(at.format(0))
    assert desk.states(CLOCK + STAMPED)[C1].settled


@pytest.mark.rule("WA-7")
def test_a_day_alone_is_not_settled_before_it_is_over(desk: Desk) -> None:
    """It looks like the first moment of the day; the ERP's clock is at noon."""
    today = "2026-02-28 23:00"  # in UTC
    desk.run(f"UPDATE prices SET changed_at = '{today}' WHERE no = 'C-1' AND item = 'NUT'")
    first = desk.states(CLOCK + STAMPED)[C1]
    desk.run(f"UPDATE prices SET price = '9', changed_at = '{today}' WHERE no = 'C-1'")
    second = desk.states(CLOCK + STAMPED)[C1]
    assert first.fingerprint == second.fingerprint
    assert not first.settled
    assert not second.settled


@pytest.mark.rule("WA-7", "OP-4")
def test_anything_that_reads_prices_otherwise_gives_other_states(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.states(HASHED)
    assert desk.states(HASHED) == first
    assert desk.states(HASHED, "# a word\n")[C1].fingerprint != first[C1].fingerprint
    (desk.folder / "other.db").write_bytes((desk.folder / "erp.db").read_bytes())
    options = {"url": f"sqlite:///{desk.folder / 'other.db'}", "profile": "desk.yaml"}
    desk.states(HASHED)
    elsewhere = SqlErpAdapter.from_settings(options, {}, desk.folder)
    desk.opened.append(elsewhere)
    assert isinstance(elsewhere, TellsPriceStates)
    assert elsewhere.price_states(PriceLevel.ACCOUNT)[C1] != first[C1]
    monkeypatch.setattr("erp_adapters.sql.base.__version__", "99")
    assert desk.states(HASHED)[C1].fingerprint != first[C1].fingerprint


@pytest.mark.rule("OP-4", "MI-3")
@pytest.mark.parametrize(
    "statement, told",
    [
        (STAMPED, "tells changed_at: that needs the statement clock"),
        (
            "  price_state_account: SELECT no AS customer_id, 1 AS entries FROM customers\n",
            "neither a fingerprint nor changed_at",
        ),
        (HASHED.replace("GROUP BY no", "GROUP BY no, item"), "tells the account C-1 twice"),
    ],
)
def test_statement_that_cannot_be_relied_on_is_refused_with_its_place(
    desk: Desk, statement: str, told: str
) -> None:
    desk.run("INSERT INTO customers VALUES ('C-1')")
    with pytest.raises(Misconfigured, match=told) as refused:
        desk.states(statement)
    assert "desk.yaml:" in str(refused.value)


def test_aggregate_of_no_entry_is_no_state(desk: Desk) -> None:
    erp = desk.erp(HASHED)
    assert erp.price_states(PriceLevel.DEFAULT) == {}
    desk.run("INSERT INTO general VALUES ('BOLT', '5')")
    assert len(erp.price_states(PriceLevel.DEFAULT)) == 1


@pytest.mark.rule("WA-6")
def test_single_lists_are_read_by_their_own_key_though_the_database_holds_others_for_equal(
    desk: Desk,
) -> None:
    erp = desk.erp(HASHED)
    every = dict(erp.price_vectors(PriceLevel.ACCOUNT))
    told = dict(erp.price_vectors_of([C2, C1]))
    assert told.keys() == {C1, C2}
    for scope, vector in told.items():
        assert vector.equals(every[scope])
        assert vector.equals(vector_of(erp.prices([scope])))


@pytest.mark.rule("WA-6", "MI-2")
def test_many_lists_are_read_together_and_each_is_told_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erp_adapters.sql.bulk.readers.ROWS", 3)
    names = [f"D-{number:03}" for number in range(45)]
    desk.run(
        *(
            f"INSERT INTO prices VALUES ('{name}', '{item}', '{price}.0000', '')"
            for price, item in enumerate(("BOLT", "NUT", "PIN"), 5)
            for name in (*names, "E-1")
        ),
        "DELETE FROM prices WHERE no = 'D-007'",
        "UPDATE prices SET price = 'dear' WHERE no = 'D-008' AND item = 'NUT'",
        "UPDATE prices SET price = 'dear' WHERE no = 'D-009'",
    )
    erp = desk.erp(HASHED)
    every = dict(erp.price_vectors(PriceLevel.ACCOUNT))
    erp.take_unreadable()
    asked = [PriceScope.account(CustomerId(name)) for name in (*names, "d-010")]
    statements: list[str] = []
    event.listen(
        erp.database.reader,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    told: dict[PriceScope, Any] = {}
    unreadable: dict[str, PriceScope] = {}
    for scope, vector in erp.price_vectors_of(asked):
        assert scope not in told
        for record in erp.take_unreadable():
            unreadable[str(record.customer)] = scope
        told[scope] = vector
    gone = {PriceScope.account(CustomerId(name)) for name in ("D-007", "D-009", "d-010")}
    assert told.keys() == set(asked) - gone
    assert all(vector.equals(every[scope]) for scope, vector in told.items())
    assert {len(vector) for vector in told.values()} == {2, 3}
    # What is bad of an account is told before its vector comes.
    assert set(unreadable) == {"D-008", "D-009"}
    assert unreadable["D-008"] <= PriceScope.account(CustomerId("D-008"))
    # Of 4, 8 and 16 accounts, and of all that are left; few rows each are in sight of no limit.
    assert len([each for each in statements if "IN (" in each]) == 4


@pytest.mark.rule("MI-2")
def test_long_lists_are_read_few_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erp_adapters.sql.price_states.ROWS_TOGETHER", 9)
    names = [f"D-{number:03}" for number in range(16)]
    desk.run(
        *(
            f"INSERT INTO prices VALUES ('{name}', '{item}', '5.0000', '')"
            for name in names
            for item in ("BOLT", "NUT", "PIN")
        )
    )
    erp = desk.erp(HASHED)
    asked: list[int] = []
    event.listen(
        erp.database.reader,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.append(statement.count("?")),
    )
    told = dict(erp.price_vectors_of([PriceScope.account(CustomerId(name)) for name in names]))
    assert len(told) == len(names)
    assert [each for each in asked if each] == [4, 3, 3, 3, 3]


@pytest.mark.rule("MI-2", "OP-1")
def test_lists_that_the_erp_takes_long_over_are_read_few_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"D-{number:03}" for number in range(16)]
    desk.run(*(f"INSERT INTO prices VALUES ('{name}', 'BOLT', '5.0000', '')" for name in names))
    erp = desk.erp(HASHED)
    longest = erp.database.settings.statement_timeout_s
    asked: list[int] = []
    now = [0.0]

    def takes_long(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement.count("?"))
        now[0] += asked[-1] * longest / 12

    event.listen(erp.database.reader, "before_cursor_execute", takes_long)
    monkeypatch.setattr("erp_adapters.sql.price_states.monotonic", lambda: now[0])
    asks = erp.price_vectors_of([PriceScope.account(CustomerId(name)) for name in names])
    for number, (scope, _) in enumerate(asks):
        assert scope.owner == names[number]
        now[0] += longest  # what is made of a list takes the ERP no time
    assert [each for each in asked if each] == [4, 3, 3, 3, 3]
