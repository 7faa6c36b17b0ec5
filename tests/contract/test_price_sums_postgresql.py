"""States of prices that PostgreSQL makes of a feed's own statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.bulk.postgresql import by_adbc
from erp_adapters.sql.price_states import STATES
from erp_adapters.sql.price_sums import sums
from erp_adapters.sql.profile import load_profile
from sync.domain.ids import CustomerId
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured, TryLater
from sync.ports.erp import Erp, TellsPriceStates
from sync.testing.erp_contract import ErpAdapterContract
from tests.contract.harbour import PROFILE as HARBOUR
from tests.contract.harbour import HarbourWorld, create_tables, empty_tables
from tests.postgres import database

PROFILE = """
name: sums
description: prices of which nothing is said but how they are read
dialects: [postgresql, sqlite]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
  time_zone: America/Chicago
constants: {price_list: L, unit: EA, currency: USD}
reads:
  customer_ids: SELECT 'C-1' AS customer_id
  accounts: SELECT 'C-1' AS customer_id, 'x' AS name, 'USD' AS currency WHERE 'C-1' IN :customer_ids
  price_scopes: SELECT 'account' AS level, customer_id AS owner FROM price GROUP BY customer_id
  prices_account: SELECT * FROM price WHERE customer_id IN :customer_ids
  price_feed_account: |
    SELECT * FROM price ORDER BY customer_id, sku -- ; (and what follows from it
"""
TABLE = """CREATE TABLE price (customer_id text, sku text, min_quantity integer,
 unit_price numeric(19,4), warehouse text, valid_from date, valid_until date)"""
INSERT = "INSERT INTO price VALUES (:o, :s, :q, :p, :w, :a, :b)"

PriceRow = tuple[str, str, int, Decimal | None, str | None, str | None, str | None]

OWNERS = ("C-1", "C-2")
DAYS = (None, "2026-01-01", "2026-12-31")
ROW = st.tuples(
    st.sampled_from(OWNERS),
    st.sampled_from(("BOLT", "NUT", "nut", "")),
    st.sampled_from((1, 10, -1)),
    st.sampled_from((None, Decimal(0), Decimal("1.5"), Decimal("-1.5"), Decimal("15000"))),
    st.sampled_from((None, "", "W", "1")),
    st.sampled_from(DAYS),
    st.sampled_from(DAYS),
)
ROWS = st.lists(ROW, max_size=8)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture(scope="module")
def staff(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLE)
    yield engine
    engine.dispose()


def an_adapter(url: str, folder: Path, profile: str = PROFILE) -> Any:
    (folder / "sums.yaml").write_text(profile, encoding="utf-8")
    return SqlErpAdapter.from_settings({"url": url, "profile": "sums.yaml"}, {}, folder)


@pytest.fixture(scope="module")
def erp(url: str, staff: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = an_adapter(url, tmp_path_factory.mktemp("sums"))
    yield made
    made.close()


@pytest.fixture(params=["ADBC", "psycopg"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way in which many prices are read."""
    if request.param == "psycopg":
        monkeypatch.setattr("erp_adapters.sql.bulk.readers.by_adbc", lambda *_: None)
    return str(request.param)


def states_of(erp: Any, staff: Engine, rows: Sequence[PriceRow]) -> dict[str, bytes]:
    with staff.begin() as connection:
        connection.exec_driver_sql("TRUNCATE price")
        for row in rows:
            connection.execute(text(INSERT), dict(zip("osqpwab", row, strict=True)))
    told = erp.price_states(PriceLevel.ACCOUNT)
    counted = Counter(row[0] for row in rows)
    assert {scope.owner: each.entries for scope, each in told.items()} == counted
    assert all(each.settled for each in told.values())
    return {scope.owner: each.fingerprint for scope, each in told.items()}


def of(rows: Sequence[PriceRow], owner: str) -> Counter[PriceRow]:
    return Counter(row for row in rows if row[0] == owner)


def _swapped(rows: list[PriceRow], column: int) -> list[PriceRow]:
    """The first two rows have changed one of their values with each other."""
    first, second, *more = (list(row) for row in rows)
    first[column], second[column] = second[column], first[column]
    return [tuple(row) for row in (first, second, *more)]  # type: ignore[misc]


@st.composite
def changed(draw: st.DrawFn) -> tuple[list[PriceRow], list[PriceRow]]:
    """Rows, and the same in another order with one small change, or none."""
    rows = draw(ROWS)
    after = draw(st.permutations(rows))
    if not after:
        return rows, after
    first, *more = after
    match draw(st.sampled_from(("none", "gone", "doubled", "other", "dates", "swapped"))):
        case "gone":
            after = more
        case "doubled":
            after = [first, *after]
        case "other":
            column = draw(st.integers(0, len(first) - 1))
            after = [(*first[:column], draw(ROW)[column], *first[column + 1 :]), *more]
        case "dates":
            after = [(*first[:5], first[6], first[5]), *more]
        case "swapped" if more:
            after = _swapped(after, draw(st.integers(0, len(first) - 1)))
    return rows, after


@pytest.mark.rule("MI-2", "WA-6", "WA-7")
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(pair=changed())
def test_state_is_another_one_exactly_where_the_rows_are_others_whatever_their_order(
    erp: Any, staff: Engine, pair: tuple[list[PriceRow], list[PriceRow]]
) -> None:
    before, after = pair
    was, now = states_of(erp, staff, before), states_of(erp, staff, after)

    for owner in OWNERS:
        assert (was.get(owner) == now.get(owner)) == (of(before, owner) == of(after, owner)), owner


@pytest.mark.rule("WA-7")
def test_two_items_that_change_their_prices_with_each_other_are_seen(
    erp: Any, staff: Engine
) -> None:
    bolt: PriceRow = ("C-1", "BOLT", 1, Decimal("1.5"), None, None, None)
    nut: PriceRow = ("C-1", "NUT", 1, Decimal(2), None, None, None)
    first = states_of(erp, staff, [bolt, nut])
    assert first != states_of(erp, staff, _swapped([bolt, nut], 3))
    assert first == states_of(erp, staff, [nut, bolt])


@pytest.mark.rule("WA-7")
def test_sign_and_weight_of_a_number_are_seen(erp: Any, staff: Engine) -> None:
    """PostgreSQL's own hash of a number knows no sign."""
    told = [
        states_of(erp, staff, [("C-1", "NUT", 1, Decimal(price), None, None, None)])
        for price in (5, -5, 50000)
    ]
    assert len({each["C-1"] for each in told}) == 3


@pytest.mark.rule("WA-6")
def test_keys_that_are_one_without_their_padding_are_one_state(erp: Any, staff: Engine) -> None:
    with staff.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE price; INSERT INTO price VALUES ('C-1', 'BOLT', 1, 5), ('C-1 ', 'NUT', 1, 5)"
        )
    [(scope, state)] = erp.price_states(PriceLevel.ACCOUNT).items()
    assert scope == PriceScope.account(CustomerId("C-1"))
    assert state.entries == 2


@pytest.mark.rule("WA-6", "WA-7")
@pytest.mark.parametrize(
    "spelled, keys",
    [
        ("n::numeric(12,2)", ["7", "8", "9"]),
        ("(n + 0.50)::numeric(12,2)", ["7.50", "8.50", "9.50"]),
        ("n::bigint", ["7", "8", "9"]),
        ("n::double precision", ["7", "8", "9"]),
        ("rpad('C-' || n, 8)::char(8)", ["C-7", "C-8", "C-9"]),
        ("E'\\t' || 'C-' || n || E' \\n'", ["C-7", "C-8", "C-9"]),
        ("'C.0-' || n || '.0'", ["C.0-7.0", "C.0-8.0", "C.0-9.0"]),
    ],
)
def test_owners_are_found_among_all_however_their_keys_are_stored(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str, keys: list[str]
) -> None:
    """Whoever is asked for and not told counts as somebody without any price."""
    monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    feed = f"SELECT {spelled} AS customer_id, 'NUT' AS sku, 1 AS min_quantity, 5 AS unit_price"
    start, end = PROFILE.split("    SELECT * FROM price ORDER")
    rows = f"    {feed} FROM generate_series(6, 12) AS n ORDER"
    erp = an_adapter(url, tmp_path, f"{start}{rows}{end}")
    wanted = [PriceScope.account(CustomerId(key)) for key in keys]

    assert [scope for scope, _ in erp.price_vectors_of(wanted)] == wanted
    every = erp.price_states(PriceLevel.ACCOUNT)
    assert erp.price_states_of(wanted) == {scope: every[scope] for scope in wanted}
    assert [scope for scope, _ in erp.price_vectors_of(wanted)] == wanted
    erp.close()


@pytest.mark.rule("WA-6")
def test_key_that_is_spelled_otherwise_since_counts_from_the_next_look_at_everybody(
    erp: Any, staff: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then its owner is found by the column itself: by an index, where there is one."""
    monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    wanted = [PriceScope.account(CustomerId("C-1"))]
    with staff.begin() as connection:
        connection.exec_driver_sql("TRUNCATE price; INSERT INTO price VALUES ('C-1', 'NUT', 1, 5)")
    before = erp.price_states(PriceLevel.ACCOUNT)
    with staff.begin() as connection:
        connection.exec_driver_sql("INSERT INTO price VALUES ('C-1 ', 'BOLT', 1, 5)")

    assert erp.price_states_of(wanted) == before
    assert [len(rows) for _, rows in erp.price_vectors_of(wanted)] == [1]

    [(_, after)] = erp.price_states(PriceLevel.ACCOUNT).items()
    assert after.entries == 2
    assert [len(rows) for _, rows in erp.price_vectors_of(wanted)] == [2]
    assert erp.price_states_of(wanted) == {wanted[0]: after}


ODD_KEYS = (
    "O'Brien",
    '"',
    "a\\b",
    "E'",
    "100%",
    "%(x)s",
    "%s",
    ":customer_ids",
    "$1",
    "{x}",
    "Müller",
    "株",
)


@pytest.mark.rule("WA-6", "MI-3")
def test_owners_are_found_among_all_whatever_their_keys_are(
    erp: Any, staff: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their keys are put into the statement, which ADBC is given as a whole."""
    monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    told: list[Any] = []

    def noted(*given: Any) -> Any:
        told.append(by_adbc(*given))
        return told[-1]

    monkeypatch.setattr("erp_adapters.sql.bulk.readers.by_adbc", noted)
    fill = text("INSERT INTO price VALUES (:key, 'NUT', 1, :price)")
    with staff.begin() as connection:
        connection.exec_driver_sql("DELETE FROM price")
        for number, key in enumerate((*ODD_KEYS, "others")):
            connection.execute(fill, {"key": key, "price": number})
    wanted = [PriceScope.account(CustomerId(key)) for key in ODD_KEYS]

    assert amounts(erp.price_vectors_of(wanted)) == {
        key: [str(number)] for number, key in enumerate(ODD_KEYS)
    }
    assert [each is not None for each in told] == [True]


def _explained(
    _connection: Any, _cursor: Any, statement: str, given: Any, *_: Any
) -> tuple[str, Any]:
    return f"EXPLAIN {statement}", given


@pytest.mark.rule("WA-6")
def test_owners_whose_keys_are_stored_as_they_are_spelled_are_found_by_an_index(
    url: str, tmp_path: Path
) -> None:
    table = "CREATE TABLE indexed AS SELECT * FROM price LIMIT 0"
    filled = """INSERT INTO indexed SELECT 'C-' || n / 10, 'NUT-' || mod(n, 10), 1, 5
 FROM generate_series(1, 20000) AS n"""
    start, end = PROFILE.split("    SELECT * FROM price ORDER")
    (tmp_path / "sums.yaml").write_text(f"{start}    SELECT * FROM indexed ORDER{end}")
    asked = sums(load_profile(tmp_path / "sums.yaml"), "postgresql", STATES)[PriceLevel.ACCOUNT]
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"{table}; {filled}; CREATE INDEX ON indexed (customer_id)")
            connection.exec_driver_sql("ANALYZE indexed")
            event.listen(connection, "before_cursor_execute", _explained, retval=True)
            assert asked.as_stored is not None
            for query in (asked.as_stored.totals, asked.as_stored.rows):
                [given] = query.executions({"customer_ids": ["C-7", "C-8"]})
                plan = connection.execute(query.sql.ready(given.keys()), given)
                assert "Index" in "".join(row[0] for row in plan)
    finally:
        engine.dispose()


@pytest.mark.rule("WA-6", "OP-1")
def test_feed_may_take_longer_than_a_statement_of_an_order(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """And longer than a transaction may do nothing meanwhile, which is twice that."""
    monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    feed = "SELECT 'C-1' AS customer_id, 'NUT-' || n AS sku, 1 AS min_quantity, 5 AS unit_price"
    start, end = PROFILE.split("    SELECT * FROM price ORDER")
    slow = f"    {feed} FROM generate_series(1, 5) AS n, pg_sleep(0.3 + 0 * n) ORDER"
    (tmp_path / "sums.yaml").write_text(f"{start}{slow}{end}", encoding="utf-8")
    options = {"url": url, "profile": "sums.yaml", "statement_timeout_s": 0.5}
    erp: Any = SqlErpAdapter.from_settings(options, {}, tmp_path)
    wanted = [PriceScope.account(CustomerId("C-1"))]

    try:
        with erp.price_moment() as moment:
            assert set(erp.price_states(PriceLevel.ACCOUNT)) == set(wanted)
            assert [len(rows) for _, rows in erp.price_vectors_of(wanted)] == [5]
            if by == "ADBC":  # psycopg is told piece by piece, each within the time of a statement
                assert [len(rows) for _, rows in erp.price_vectors(PriceLevel.ACCOUNT)] == [5]
            assert moment.lasts
    finally:
        erp.close()


def amounts(vectors: Iterable[tuple[PriceScope, Any]]) -> dict[str, list[str]]:
    """Each owner's prices, in the order of the items."""
    return {
        scope.owner: [f"{each:.0f}" for each in rows.column("unit_price").to_pylist()]
        for scope, rows in vectors
    }


def fill(staff: Engine, *prices: str) -> None:
    with staff.begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM price; INSERT INTO price VALUES " + ",".join(prices)
        )


@pytest.mark.rule("MI-2", "WA-6")
def test_prices_are_told_as_of_the_moment_of_their_states(
    erp: Any, staff: Engine, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Whatever is written meanwhile, and by whichever way it is read."""
    monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    fill(staff, "('C-1', 'BOLT', 1, 5)", "('C-1', 'NUT', 1, 6)", "('C-2', 'NUT', 1, 7)")
    both = [PriceScope.account(CustomerId(each)) for each in OWNERS]

    with erp.price_moment() as moment:
        before = erp.price_states(PriceLevel.ACCOUNT)
        fill(staff, "('C-1', 'BOLT', 1, 8)", "('C-3', 'NUT', 1, 9)")
        for told in (erp.price_vectors(PriceLevel.ACCOUNT), erp.price_vectors_of(both)):
            assert amounts(told) == {"C-1": ["5", "6"], "C-2": ["7"]}
        assert erp.price_states_of(both) == before
        assert moment.lasts
    assert not moment.lasts

    assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["8"], "C-3": ["9"]}
    after = erp.price_states(PriceLevel.ACCOUNT)
    assert after.keys() == {PriceScope.account(CustomerId(each)) for each in ("C-1", "C-3")}
    assert after[both[0]] != before[both[0]]


@pytest.mark.rule("WA-6")
def test_few_are_read_by_another_statement_which_no_moment_is_of(erp: Any, staff: Engine) -> None:
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    with erp.price_moment() as moment:
        [scope] = erp.price_states(PriceLevel.ACCOUNT)
        fill(staff, "('C-1', 'BOLT', 1, 8)")
        assert moment.lasts
        assert amounts(erp.price_vectors_of([scope])) == {"C-1": ["8"]}
        assert not moment.lasts


@pytest.mark.rule("MI-3", "WA-6")
def test_nobody_empties_a_table_of_which_a_moment_is_held(erp: Any, staff: Engine) -> None:
    """Whoever looks as of before a TRUNCATE is told that there is nothing."""
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    emptied = "SET LOCAL lock_timeout = '200ms'; TRUNCATE price"

    with erp.price_moment() as moment:
        erp.price_states(PriceLevel.ACCOUNT)
        with pytest.raises(OperationalError, match="lock timeout"), staff.begin() as connection:
            connection.exec_driver_sql(emptied)
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["5"]}
        moment.end()
        with staff.begin() as connection:
            connection.exec_driver_sql(emptied)
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {}


@pytest.mark.rule("OP-1", "MI-3")
def test_who_empties_a_table_of_a_moment_is_not_kept_by_who_waits_behind(
    erp: Any, staff: Engine, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """He waits for the moment, which waits for its reader, who would wait for him."""
    monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    emptied = "SET LOCAL lock_timeout = '8s'; TRUNCATE price; INSERT INTO price VALUES {}"

    def empty() -> None:
        with staff.begin() as connection:
            connection.exec_driver_sql(emptied.format("('C-1', 'BOLT', 1, 8)"))

    with erp.price_moment() as moment, ThreadPoolExecutor(1) as another:
        erp.price_states(PriceLevel.ACCOUNT)
        done = another.submit(empty)
        with staff.connect() as connection:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not connection.exec_driver_sql(waiting).scalar_one():
                assert not done.done()
        with pytest.raises(TryLater, match="lock"):
            list(erp.price_vectors(PriceLevel.ACCOUNT))
        assert not moment.lasts
        done.result()
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["8"]}


DISCOUNTED = (
    "SELECT customer_id, sku, min_quantity, unit_price - coalesce(less, 0) AS unit_price"
    " FROM price LEFT JOIN lesser ON item = sku"
)
MADE_ANEW = """DROP TABLE IF EXISTS less CASCADE; CREATE TABLE less (item text, less integer);
 CREATE VIEW lesser AS SELECT * FROM less"""
FILLED_ANEW = "TRUNCATE less; INSERT INTO less VALUES ('BOLT', 2)"


@pytest.mark.rule("MI-3", "WA-7")
@pytest.mark.parametrize("way", ["of a moment", "by ADBC", "by psycopg", "many", "few"])
def test_table_that_is_filled_anew_is_waited_for_and_not_taken_for_empty(
    url: str, staff: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Who looks as of before he got at the table finds it empty: a price that nobody wrote."""
    if way in ("by psycopg", "many"):
        monkeypatch.setattr("erp_adapters.sql.bulk.readers.by_adbc", lambda *_: None)
    if way == "many":
        monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    erp = an_adapter(url, tmp_path, PROFILE.replace("SELECT * FROM price", DISCOUNTED))
    scope = PriceScope.account(CustomerId("C-1"))
    with staff.begin() as connection:
        connection.exec_driver_sql(f"{MADE_ANEW}; {FILLED_ANEW}")
    state = erp.price_states(PriceLevel.ACCOUNT)[scope]

    def read() -> None:
        with erp.price_moment() if way == "of a moment" else nullcontext() as moment:
            if moment is not None:
                assert erp.price_states(PriceLevel.ACCOUNT) == {scope: state}
                assert moment.lasts
            if way in ("many", "few"):
                told = erp.price_vectors_of([scope])
            else:
                told = erp.price_vectors(PriceLevel.ACCOUNT)
            assert amounts(told) == {"C-1": ["3"]}

    with ThreadPoolExecutor(1) as another:
        with staff.begin() as connection:
            connection.exec_driver_sql(FILLED_ANEW)
            done = another.submit(read)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not connection.exec_driver_sql(waiting).scalar_one():
                assert not done.done()
        done.result()
    erp.close()


END_OF_LENDER = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in%%'"
)


END_OF_LENDER_ALONE = f"{END_OF_LENDER} AND query LIKE 'SELECT pg_export_snapshot%%'"


@pytest.mark.rule("OP-1", "WA-6")
def test_moment_that_the_server_ended_does_not_last(erp: Any, staff: Engine) -> None:
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    with erp.price_moment() as moment:
        erp.price_states(PriceLevel.ACCOUNT)
        with staff.begin() as connection:
            assert connection.exec_driver_sql(END_OF_LENDER).scalars().all() == [True]
        fill(staff, "('C-1', 'BOLT', 1, 8)")
        with pytest.raises(TryLater):
            list(erp.price_vectors(PriceLevel.ACCOUNT))
        assert not moment.lasts
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["8"]}
        assert not moment.lasts


@pytest.mark.rule("MI-3", "WA-7")
def test_nothing_is_believed_of_a_moment_that_ended_before_all_was_read(
    url: str, staff: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of it a table that was emptied since is empty: such prices nobody has ever written."""
    monkeypatch.setattr("erp_adapters.sql.bulk.readers.by_adbc", lambda *_: None)
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    with staff.begin() as connection:
        connection.exec_driver_sql(f"{MADE_ANEW}; {FILLED_ANEW}")
    erp = an_adapter(url, tmp_path, PROFILE.replace("SELECT * FROM price", DISCOUNTED))

    def end(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SET TRANSACTION SNAPSHOT"):
            with staff.begin() as connection:
                connection.exec_driver_sql(END_OF_LENDER_ALONE)
            with staff.begin() as connection:
                connection.exec_driver_sql("TRUNCATE less; INSERT INTO less VALUES ('BOLT', 1)")

    with erp.price_moment() as moment:
        erp.price_states(PriceLevel.ACCOUNT)
        event.listen(erp.database.reader, "after_cursor_execute", end)
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["5"]}
        with pytest.raises(TryLater):
            assert not moment.lasts
        assert not moment.lasts
    erp.close()


@pytest.mark.rule("WA-6")
def test_no_moment_begins_where_tables_of_another_server_are_read(
    url: str, staff: Engine, tmp_path: Path
) -> None:
    """They are told as they are when they are asked: prices that their states were not of."""
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    with staff.begin() as connection:
        for statement in (
            "CREATE FOREIGN DATA WRAPPER distance",
            "CREATE SERVER far FOREIGN DATA WRAPPER distance",
            "CREATE FOREIGN TABLE abroad (priority integer) SERVER far",
        ):
            connection.exec_driver_sql(statement)
    start, end = PROFILE.split("    SELECT * FROM price ORDER")
    # Nobody can ask that server anything. The lock is taken all the same.
    abroad = "CASE WHEN false THEN (SELECT priority FROM abroad) ELSE 0 END AS priority"
    erp = an_adapter(url, tmp_path, f"{start}    SELECT *, {abroad} FROM price ORDER{end}")
    with erp.price_moment() as moment:
        before = erp.price_states(PriceLevel.ACCOUNT)
        assert not moment.lasts
        assert erp.price_states(PriceLevel.ACCOUNT) == before != {}
    erp.close()


@pytest.mark.rule("OP-1")
def test_states_that_a_lock_keeps_from_a_moment_are_asked_for_later(
    url: str, staff: Engine, tmp_path: Path
) -> None:
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    (tmp_path / "sums.yaml").write_text(PROFILE, encoding="utf-8")
    options = {"url": url, "profile": "sums.yaml", "statement_timeout_s": 0.5}
    erp: Any = SqlErpAdapter.from_settings(options, {}, tmp_path)
    with erp.price_moment() as moment:
        with staff.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE price")
            with pytest.raises(TryLater, match="lock"):
                erp.price_states(PriceLevel.ACCOUNT)
        assert [each.entries for each in erp.price_states(PriceLevel.ACCOUNT).values()] == [1]
        assert not moment.lasts
    erp.close()


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("at", ["SET LOCAL statement_timeout", "SET LOCAL idle"])
def test_connection_that_breaks_when_a_moment_begins_is_met_as_any(
    url: str, staff: Engine, tmp_path: Path, at: str
) -> None:
    """Be it before the states are told, or once they are: then nobody needs it any more."""
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    erp = an_adapter(url, tmp_path)
    broken: list[str] = []

    @event.listens_for(erp.database.reader, "after_cursor_execute")
    def _(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(at) and not broken:
            broken.append(statement)
            with staff.begin() as connection:
                connection.exec_driver_sql(END_OF_LENDER)

    with erp.price_moment() as moment:
        if "idle" not in at:
            with pytest.raises(TryLater):
                erp.price_states(PriceLevel.ACCOUNT)
        assert [each.entries for each in erp.price_states(PriceLevel.ACCOUNT).values()] == [1]
        assert not moment.lasts
    assert broken
    erp.close()


@pytest.mark.rule("OP-1", "MI-3")
def test_server_misses_a_lender_that_went_without_a_word(
    url: str, staff: Engine, tmp_path: Path
) -> None:
    """It may do nothing for as long as it likes, and keeps others from the tables."""
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    erp = an_adapter(url, tmp_path)
    asked: list[str] = []

    @event.listens_for(erp.database.reader, "after_cursor_execute")
    def _(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    with erp.price_moment() as moment:
        erp.price_states(PriceLevel.ACCOUNT)
        assert moment.lasts
    lending = next(at for at, each in enumerate(asked) if "pg_export_snapshot" in each)
    for name in ("idle", "interval", "count"):
        assert any(f"SET LOCAL tcp_keepalives_{name} = " in each for each in asked[:lending])
    erp.close()


@pytest.mark.rule("WA-6")
def test_run_that_was_left_in_the_middle_ends_no_later_ones_moment(erp: Any, staff: Engine) -> None:
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    left = ExitStack()
    earlier = left.enter_context(erp.price_moment())
    erp.price_states(PriceLevel.ACCOUNT)

    with erp.price_moment() as moment:
        before = erp.price_states(PriceLevel.ACCOUNT)
        left.close()
        fill(staff, "('C-1', 'BOLT', 1, 8)")
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["5"]}
        assert erp.price_states_of(before) == before
        assert moment.lasts
        assert not earlier.lasts


@pytest.mark.rule("WA-6")
def test_moment_is_held_by_the_thread_that_asked_for_it(erp: Any, staff: Engine) -> None:
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    with erp.price_moment(), ThreadPoolExecutor(1) as another:
        erp.price_states(PriceLevel.ACCOUNT)
        fill(staff, "('C-1', 'BOLT', 1, 8)")
        told = another.submit(lambda: amounts(erp.price_vectors(PriceLevel.ACCOUNT))).result()
        assert told == {"C-1": ["8"]}
        assert amounts(erp.price_vectors(PriceLevel.ACCOUNT)) == {"C-1": ["5"]}


@pytest.mark.rule("OP-1", "WA-6")
@pytest.mark.parametrize("fault", ["1 / 0 * min_quantity", "no_such_function(min_quantity)"])
def test_no_moment_begins_where_no_states_can_be_told(
    url: str, staff: Engine, tmp_path: Path, fault: str
) -> None:
    fill(staff, "('C-1', 'BOLT', 1, 5)")
    start, end = PROFILE.split("    SELECT * FROM price ORDER")
    columns = f"customer_id, sku, {fault} AS min_quantity, unit_price"
    erp = an_adapter(url, tmp_path, f"{start}    SELECT {columns} FROM price ORDER{end}")
    with erp.price_moment() as moment:
        assert erp.price_states(PriceLevel.ACCOUNT) == {}
        assert not moment.lasts
        with staff.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'; TRUNCATE price")
    erp.close()


@pytest.mark.rule("WA-6")
def test_where_keys_are_told_in_other_words_no_sums_are_made(url: str, tmp_path: Path) -> None:
    erp = an_adapter(url, tmp_path, PROFILE + "values: {customer_id: {OLD: C-1}}\n")
    assert not isinstance(erp, TellsPriceStates)
    erp.close()


@pytest.mark.rule("WA-7", "MI-3")
def test_row_of_nobody_is_told(erp: Any, staff: Engine) -> None:
    with staff.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE price; INSERT INTO price VALUES ('C-1', 'BOLT', 1, 5), (NULL, 'NUT', 1, 5)"
        )
    erp.take_unreadable()
    assert len(erp.price_states(PriceLevel.ACCOUNT)) == 1
    [record] = erp.take_unreadable()
    assert (record.source, record.field) == ("price_feed_account", "customer_id")


@pytest.mark.rule("OP-4", "WA-7")
def test_sum_of_another_statement_is_never_taken_for_the_same(
    erp: Any, url: str, staff: Engine, tmp_path: Path
) -> None:
    row: PriceRow = ("C-1", "BOLT", 1, Decimal(5), None, None, None)
    first = states_of(erp, staff, [row])
    for profile in (PROFILE.replace("L, unit", "M, unit"), PROFILE + "# a word\n"):
        other = an_adapter(url, tmp_path, profile)
        assert states_of(other, staff, [row]) != first
        other.close()


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize(
    "price, for_good",
    [("5 / (min_quantity - 1)", False), ("'{}'::json", False), ("nothing", True)],
)
def test_where_the_server_cannot_sum_up_the_feed_is_read(
    url: str, staff: Engine, tmp_path: Path, price: str, for_good: bool
) -> None:
    feed = f"SELECT customer_id, sku, min_quantity, {price} AS unit_price FROM price"
    start, end = PROFILE.split("    SELECT * FROM price ORDER")
    erp = an_adapter(url, tmp_path, f"{start}    {feed} ORDER{end}")
    with staff.begin() as connection:
        connection.exec_driver_sql("TRUNCATE price; INSERT INTO price VALUES ('C-1', 'BOLT', 1, 5)")
    assert list(erp.stated_levels) == [PriceLevel.ACCOUNT]

    if "json" in price:  # every type can be sent
        assert len(erp.price_states(PriceLevel.ACCOUNT)) == 1
    else:
        assert erp.price_states(PriceLevel.ACCOUNT) == {}
        assert erp.price_states(PriceLevel.ACCOUNT) == {}
        with pytest.raises(Misconfigured):
            list(erp.price_vectors(PriceLevel.ACCOUNT))
    assert list(erp.stated_levels) == ([] if for_good else [PriceLevel.ACCOUNT])
    erp.close()


def test_no_other_database_is_taken_to_make_sums(tmp_path: Path) -> None:
    (tmp_path / "erp.db").touch()
    erp = an_adapter(f"sqlite:///{tmp_path / 'erp.db'}", tmp_path)
    assert not isinstance(erp, TellsPriceStates)
    erp.close()


@pytest.fixture(scope="module")
def ledger() -> Iterator[Engine]:
    with database() as url:
        engine = create_engine(url)
        create_tables(engine)
        yield engine
        engine.dispose()


@pytest.mark.rule("WA-6", "WA-7", "MI-2")
class TestSumsKeepTheContractOfStates(ErpAdapterContract):
    """Harbour Ledger without its own statements; what is not about prices is tested elsewhere."""

    @pytest.fixture
    def erp_world(self, ledger: Engine) -> HarbourWorld:
        empty_tables(ledger)
        return HarbourWorld(ledger)

    @pytest.fixture
    def erp(self, ledger: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Erp]:
        # Few are asked for one by one, as without sums.
        monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
        profile = HARBOUR.read_text(encoding="utf-8")
        first, end = profile.index("  price_state_item:"), profile.index("  invoices:")
        shorter = profile[:first] + profile[end:]
        assert "price_state" not in shorter
        made = an_adapter(ledger.url.render_as_string(hide_password=False), tmp_path, shorter)
        assert set(made.stated_levels) == set(made.batched_levels) == set(PriceLevel)
        yield made
        made.close()


for _name in dir(TestSumsKeepTheContractOfStates):
    if _name.startswith("test_") and not any(word in _name for word in ("state", "vector")):
        setattr(TestSumsKeepTheContractOfStates, _name, None)
