"""Accounts whose rows are the same are not told again, and nothing else is told otherwise."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sync.domain.ids import CustomerId
from sync.errors import Misconfigured
from tests.unit.sql import test_adapter
from tests.unit.sql.test_adapter import HEADER, INVOICES, Made, Run

run, made = test_adapter.run, test_adapter.made

ONE, OTHER, NOBODY = CustomerId("C-1001"), CustomerId("C-2"), CustomerId("C-3")
ALL = [ONE, OTHER, NOBODY]
ROWS = (
    "INSERT INTO invoices VALUES ('1', 'C-1001', '2025-03-03', 100), ('2', 'C-2', '2025-03-04', 5)",
    "INSERT INTO invoice_lines VALUES ('1', 1, 1, 60), ('1', 2, 1, 40), ('2', 1, 1, 5)",
)
WITH_OWNERS = INVOICES.replace(
    "SELECT inv AS invoice_number, line", "SELECT inv AS invoice_number, no AS customer_id, line"
)


def fill(run: Run, *more: str) -> None:
    for statement in (*ROWS, *more):
        run(statement)


def told(erp: Any, known: Any = None) -> tuple[list[Any], list[Any], Any]:
    found = erp.invoices_unless(ALL, known or {})
    left_out = [(each.key, each.customer) for each in erp.take_unreadable()]
    return list(found.invoices), left_out, found.states


@pytest.mark.rule("MI-1", "MI-2")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invoices SET total = 101 WHERE inv = '1'",
        "UPDATE invoice_lines SET qty = 2 WHERE inv = '1' AND line = 2",
        "DELETE FROM invoice_lines WHERE inv = '1' AND line = 2",
        "INSERT INTO invoice_lines VALUES ('1', 3, 0, 0)",
        "DELETE FROM invoices WHERE inv = '1'",
        "INSERT INTO invoices VALUES ('3', 'C-1001', '2025-03-05', 1)",
        "INSERT INTO invoices VALUES ('1', 'C-1001', '2025-03-03', 100)",
        "UPDATE invoices SET no = 'C-1001' WHERE inv = '2'",
        "UPDATE invoices SET day = NULL WHERE inv = '1'",
        "UPDATE invoice_lines SET inv = '1' WHERE inv = '2'",
    ],
)
def test_any_other_row_gives_another_state_and_all_of_the_account(
    made: Made, run: Run, change: str
) -> None:
    fill(run)
    erp = made(HEADER, INVOICES)
    before = told(erp)[2]
    assert told(erp, before) == ([], [], before)
    run(change)
    invoices, left_out, states = told(erp, before)
    assert states[ONE] != before[ONE]
    assert states[NOBODY] == before[NOBODY]
    plain = [each for each in erp.invoices(ALL) if states[each.sold_to] != before[each.sold_to]]
    assert invoices == plain
    assert left_out == [(each.key, each.customer) for each in erp.take_unreadable()]


@pytest.mark.rule("MI-2")
def test_order_of_the_rows_is_no_change(made: Made, run: Run) -> None:
    fill(run)
    erp = made(HEADER, INVOICES)
    before = told(erp)[2]
    for table in ("invoices", "invoice_lines"):
        run(f"CREATE TABLE turned AS SELECT * FROM {table} ORDER BY rowid DESC")
        run(f"DROP TABLE {table}")
        run(f"ALTER TABLE turned RENAME TO {table}")
    assert told(erp, before) == ([], [], before)


ODD: Sequence[tuple[str, ...]] = (
    (),
    # A number that both accounts have, with lines that do not say whose they are.
    ("INSERT INTO invoices VALUES ('1', 'C-2', '2025-03-04', 7)",),
    # Two rows of one invoice that differ, and a row that cannot be read.
    ("INSERT INTO invoices VALUES ('1', 'C-1001', '2025-03-03', 99)",),
    ("INSERT INTO invoices VALUES ('1', 'C-1001', 'soon', 100)",),
    ("INSERT INTO invoices VALUES ('3', 'C-2', NULL, 1)",),
    # Lines that cannot be read, of one account and of a number that both have.
    ("INSERT INTO invoice_lines VALUES ('2', 2, 'many', 1)",),
    (
        "INSERT INTO invoices VALUES ('1', 'C-2', '2025-03-04', 7)",
        "INSERT INTO invoice_lines VALUES ('1', 9, 'many', 1)",
    ),
)


@pytest.mark.rule("WA-8", "MI-6", "MI-3")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("parts", [INVOICES, WITH_OWNERS])
def test_who_is_not_spared_is_told_as_without_the_short_cut(
    made: Made, run: Run, odd: Sequence[str], parts: str
) -> None:
    run("ALTER TABLE invoice_lines ADD no TEXT") if parts == WITH_OWNERS else None
    filled = [each.replace("VALUES", "(inv, line, qty, net) VALUES") if "_lines" in each else each
              for each in (*ROWS, *odd)]  # fmt: skip
    for statement in filled:
        run(statement)
    if parts == WITH_OWNERS:
        run("UPDATE invoice_lines SET no = CASE WHEN line > 1 OR inv = '2' THEN 'C-2'"
            " ELSE 'C-1001' END")  # fmt: skip
    erp = made(HEADER, parts)
    wanted = list(erp.invoices(ALL))
    left_out = [(each.key, each.customer) for each in erp.take_unreadable()]
    invoices, unread, states = told(erp)
    assert (invoices, unread) == (wanted, left_out)
    for some in itertools.chain.from_iterable(itertools.combinations(ALL, n) for n in (1, 2)):
        spared, unread, again = told(erp, {each: states[each] for each in some})
        assert again == states
        assert spared == [each for each in wanted if each.sold_to not in some]
        rest = {each for each in left_out if each[1] not in some}
        assert rest <= set(unread) <= set(left_out)


@pytest.mark.rule("MI-1", "MI-3")
def test_unreadable_line_that_names_another_account_takes_no_invoice_away(
    made: Made, run: Run
) -> None:
    """As a draft of theirs that has the same number: no line of this invoice is theirs."""
    run("ALTER TABLE invoice_lines ADD no TEXT")
    run("INSERT INTO invoices VALUES ('2', 'C-2', '2025-03-04', 5)")
    run("INSERT INTO invoice_lines VALUES ('2', 1, 1, 5, 'C-2'), ('2', 2, 'many', 1, 'C-9')")
    erp = made(HEADER, WITH_OWNERS)
    (invoice,) = erp.invoices(ALL)
    assert [line.number for line in invoice.lines] == [1]
    assert [each.customer for each in erp.take_unreadable()] == [CustomerId("C-9")]
    assert told(erp)[0] == [invoice]


HEADS = (
    ["1", "2", "3"],
    ["C-1001", "C-2", "c-2", "C-9"],
    ["2025-03-03", "soon", None],
    [5, 5.5, "x"],
)
LINES = (["1", "2", "3"], [1, 2, None], [1, "many"], [5, None], ["C-1001", "C-2", "C-9", None])
ORDINARY = (2, 2, 1, 2), (3, 2, 1, 1, 2)


def any_row(random: Random, columns: Sequence[Sequence[Any]], ordinary: Sequence[int]) -> list[Any]:
    """The first values of a column are ordinary ones, and more frequent."""
    odd = random.random() < 0.2
    pairs = zip(columns, ordinary, strict=True)
    return [random.choice(values if odd else values[:count]) for values, count in pairs]


@pytest.mark.rule("WA-8", "MI-1", "MI-3")
@pytest.mark.parametrize("seed", range(12))
def test_whatever_rows_become_what_is_spared_is_told_as_it_was(
    made: Made, run: Run, seed: int
) -> None:
    """What could be read is remembered, as the mirror does it, and never tells another story."""
    random = Random(seed)
    run("ALTER TABLE invoice_lines ADD no TEXT")
    erp = made(HEADER, random.choice([INVOICES, WITH_OWNERS]))
    known: dict[CustomerId, bytes] = {}
    once: dict[tuple[CustomerId, bytes], list[Any]] = {}
    spared_at_all = 0
    for _ in range(25):
        for _ in range(random.randint(0, 2)):
            table, columns, ordinary = random.choice(
                [("invoices", HEADS, ORDINARY[0]), ("invoice_lines", LINES, ORDINARY[1])]
            )
            if random.random() < 0.4:
                run(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")
            else:
                marks = ", ".join("?" * len(columns))
                run(f"INSERT INTO {table} VALUES ({marks})", *any_row(random, columns, ordinary))
        plain = list(erp.invoices(ALL))
        left_out = {each.customer for each in erp.take_unreadable()}
        invoices, _, states = told(erp, known)
        spared = {each for each in ALL if known.get(each, b"") == states[each]}
        assert invoices == [each for each in plain if each.sold_to not in spared]
        for each in ALL:
            mine = [invoice for invoice in plain if invoice.sold_to == each]
            assert once.setdefault((each, states[each]), mine) == mine
            if each not in left_out:
                known[each] = states[each]
            elif each not in spared:
                known.pop(each, None)
        spared_at_all += len(spared)
    assert spared_at_all, "otherwise nothing was tried"


@pytest.mark.rule("MI-3")
def test_rows_of_which_nobody_knows_whose_they_are_have_no_state(made: Made, run: Run) -> None:
    fill(run, "INSERT INTO invoices VALUES ('9', NULL, '2025-03-04', 7)")
    everybody = INVOICES.replace("WHERE no IN :customer_ids", "WHERE no IN :customer_ids OR 1")
    erp = made(HEADER, everybody)
    invoices, left_out, states = told(erp)
    assert [each.number.value for each in invoices] == ["1", "2"]
    assert left_out == [("9", None)]
    assert states == {}


@pytest.mark.rule("MI-3")
def test_statement_that_is_wrong_altogether_is_said_so_still(made: Made, run: Run) -> None:
    fill(run)
    erp = made(HEADER, INVOICES)
    before = told(erp)[2]
    run("UPDATE invoices SET day = 'soon'")
    for number in range(10):
        run(f"INSERT INTO invoices VALUES ('X{number}', 'C-1001', 'soon', 1)")
    with pytest.raises(Misconfigured, match="none of 12 rows could be read"):
        erp.invoices_unless(ALL, before)


@pytest.mark.rule("MI-3")
def test_rows_that_are_spared_were_readable(made: Made, run: Run) -> None:
    """Many that cannot be read of one account are bad data, while others are there."""
    fill(run)
    erp = made(HEADER, INVOICES)
    before = told(erp)[2]
    for number in range(10):
        run(f"INSERT INTO invoices VALUES ('X{number}', 'C-1001', 'soon', 1)")
    run("DELETE FROM invoices WHERE inv = '1'")
    invoices, left_out, _ = told(erp, before)
    assert (invoices, len(left_out)) == ([], 10)


@pytest.mark.rule("MI-1")
@pytest.mark.parametrize("otherwise", ["version", "profile", "place"])
def test_anything_that_reads_records_otherwise_gives_other_states(
    made: Made, run: Run, otherwise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(run)
    before = told(made(HEADER, INVOICES))[2]
    parts: tuple[str, ...] = (HEADER, INVOICES)
    options: dict[str, object] = {}
    if otherwise == "version":
        monkeypatch.setattr("erp_adapters.sql.base.__version__", "99")
    elif otherwise == "profile":
        parts = (HEADER, INVOICES.replace("day AS", "date(day) AS"))
    else:
        shutil.copy(tmp_path / "erp.db", tmp_path / "other.db")
        options = {"url": "sqlite:///other.db"}
    erp = made(*parts, **options)
    invoices, _, states = told(erp, before)
    assert len(invoices) == 2
    assert not set(states.values()) & set(before.values())


PLACES = """\
  ship_tos: |
    SELECT no AS customer_id, id AS ship_to_id, called AS name, called AS line1, called AS city,
           'BE' AS country
      FROM places WHERE sort = 'ship' AND no IN :customer_ids
  bill_tos: |
    SELECT no AS customer_id, id AS bill_to_id, called AS name, called AS line1, called AS city,
           'BE' AS country
      FROM places WHERE sort = 'bill' AND no IN :customer_ids
"""


def fill_places(run: Run, **counts: int) -> None:
    """So many of each sort that can be read, and with ``no_`` before it that cannot."""
    run("CREATE TABLE IF NOT EXISTS places (sort TEXT, no TEXT, id TEXT, called TEXT)")
    for name, count in counts.items():
        sort, word = name.removeprefix("no_"), None if name.startswith("no_") else "Dock"
        for number in range(count):
            run("INSERT INTO places VALUES (?, 'C-1001', ?, ?)", sort, f"{name}-{number}", word)


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("wrong", ["ship", "bill"])
def test_one_wrong_statement_of_addresses_is_said_so_although_the_other_is_right(
    made: Made, run: Run, wrong: str
) -> None:
    right = {"ship": "bill", "bill": "ship"}[wrong]
    fill_places(run, **{right: 3, f"no_{wrong}": 10})
    erp = made(HEADER, PLACES)
    with pytest.raises(Misconfigured, match="none of 10 rows could be read"):
        erp.ship_tos_unless(ALL, {})


@pytest.mark.rule("MI-3")
def test_a_few_bad_addresses_of_either_kind_are_no_wrong_statement(made: Made, run: Run) -> None:
    fill_places(run, no_ship=6, no_bill=6)
    erp = made(HEADER, PLACES)
    assert erp.ship_tos_unless(ALL, {}).ship_tos == []
    assert len(erp.take_unreadable()) == 12
