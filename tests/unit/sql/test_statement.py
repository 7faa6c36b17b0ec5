"""The grammar of one SQL text: parameters, lists, optional parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_adapters.sql.statement import (
    StatementError,
    after_returning,
    is_one,
    names_column,
    scan,
    without_order,
)

LISTS = {"skus", "customer_ids"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'at 12:30 :not' AS t",
        'SELECT ":not" FROM t',
        "SELECT 1 -- :not here",
        "SELECT /* :not\n here */ 1",
        "SELECT x::text, '[[' FROM t",
        "SELECT $$ :not $$, $tag$ :not $tag$",
        "SELECT 'it''s :not'",
        "SELECT `:not` FROM t",
    ],
)
def test_colons_in_quotes_comments_and_casts_are_text(sql: str) -> None:
    statement = scan(sql)

    assert statement.parameters == frozenset()
    assert str(statement.ready(())).replace("\\:", ":") == sql


def test_a_parameter_is_bound_and_never_part_of_the_text() -> None:
    statement = scan("SELECT 1 FROM t WHERE a = :name AND b::text = :other;")

    assert statement.parameters == {"name", "other"}
    compiled = statement.ready({"name", "other"}).compile()
    assert set(compiled.params) == {"name", "other"}
    assert "b::text" in str(compiled)


def test_an_optional_part_needs_all_of_its_parameters() -> None:
    statement = scan(
        "SELECT 1 WHERE a = :a [[ AND b = :b AND c = :c ]] [[ AND d IN :skus ]]", LISTS
    )

    assert statement.always == {"a"}
    assert statement.used({"a", "b"}) == {"a"}
    assert statement.used({"a", "b", "c"}) == {"a", "b", "c"}
    assert "AND b" not in str(statement.ready({"a", "b"}))
    assert "AND c = :c" in str(statement.ready({"a", "b", "c"}))
    assert "AND d IN" in str(statement.ready({"a", "skus"}))


def test_brackets_of_other_languages_are_left_alone() -> None:
    assert str(scan("SELECT [a b] FROM t WHERE x[1] = y[2]]").ready(())).endswith("y[2]]")


@pytest.mark.parametrize(
    "sql, complaint, line",
    [
        ("", "empty", 0),
        ("SELECT 1\n WHERE a IN (:skus)", "without parentheses", 1),
        ("SELECT 1 WHERE a = :skus", "IN :skus", 0),
        ("SELECT 1\n[[ AND a = 1 ]]", "without a parameter", 1),
        ("SELECT 1 [[ AND a = :a", "without its", 0),
        ("SELECT 1 [[ AND a = :a [[ AND b = :b ]] ]]", r"\[\[ inside", 0),
    ],
)
def test_a_slip_is_told_with_its_line(sql: str, complaint: str, line: int) -> None:
    with pytest.raises(StatementError, match=complaint) as caught:
        scan(sql, LISTS)
    assert caught.value.line == line


def test_the_same_choice_is_compiled_once() -> None:
    statement = scan("SELECT 1 WHERE a = :a [[ AND b = :b ]]")

    assert statement.ready({"a"}) is statement.ready({"a", "x"})
    assert statement.ready({"a"}) is not statement.ready({"a", "b"})


def test_compiling_without_running_puts_null_for_every_parameter() -> None:
    statement = scan("INSERT INTO t VALUES (:a, ':a', :ab) /* x::int */", ())
    assert statement.with_nulls() == "INSERT INTO t VALUES (NULL, ':a', NULL) /* x::int */"
    assert scan("SELECT 1 WHERE a IN :skus", LISTS).with_nulls() == "SELECT 1 WHERE a IN (NULL)"


@pytest.mark.parametrize(
    "sql, found",
    [
        ("SELECT a AS name FROM t", True),
        ("SELECT a AS names FROM t", False),
        ("SELECT t.* FROM t", True),
        ("SELECT count(*) AS n FROM t", False),
        ("EXEC web.customers", True),
    ],
)
def test_what_a_text_can_answer(sql: str, found: bool) -> None:
    assert names_column(sql, "name") is found


def unbracketed(sql: str) -> str:
    return sql.replace("[[", "").replace("]]", "")


@given(st.text(alphabet="ab :'\"[]-/*$\n\\", max_size=40))
def test_the_database_gets_the_text_as_it_was_written(sql: str) -> None:
    try:
        statement = scan(sql)
    except StatementError:
        return
    sent = str(statement.ready(statement.parameters).compile())
    # Brackets around optional parts are gone, those in quotes are not.
    assert unbracketed(sent) == unbracketed(statement.source)


def test_a_parameter_that_the_database_numbers_is_named() -> None:
    sql = scan("INSERT INTO o VALUES (:key, 'a:b', CAST(:day AS date), :key, :name)")

    told = sql.naming_parameters("could not determine data type of parameter $3")
    assert told == "could not determine data type of parameter :name"
    assert sql.naming_parameters("parameter $9") == "parameter $9"
    listed = scan("SELECT 1 WHERE a IN :skus AND b = :key", {"skus"})
    assert listed.naming_parameters("parameter $2") == "parameter $2"


@pytest.mark.parametrize(
    "sql, without",
    [
        ("SELECT a FROM t ORDER BY a, b DESC", "SELECT a FROM t"),
        ("SELECT a FROM t\n ORDER  BY a -- as above", "SELECT a FROM t"),
        (
            "SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1",
            "SELECT a FROM t UNION ALL SELECT b FROM u",
        ),
        ("SELECT 'ORDER BY a' FROM t", None),
        ('SELECT a AS "order by" FROM t /* ORDER BY a */', None),
        ("SELECT row_number() OVER (ORDER BY a) FROM t", None),
        ("WITH x AS (SELECT a FROM t ORDER BY a) SELECT a FROM x", None),
        ("SELECT a FROM t ORDER BY a LIMIT 5", None),
        ("SELECT a FROM t ORDER BY a OFFSET 5", None),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS ONLY", None),
        ("SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b", None),
    ],
)
def test_order_is_left_out_where_it_decides_nothing_else(sql: str, without: str | None) -> None:
    assert without_order(sql) == (sql if without is None else without)


def test_semicolon_in_a_quote_or_a_comment_parts_no_statements() -> None:
    assert is_one("SELECT ';' FROM t -- ; so it is")
    assert not is_one("SELECT 1; SELECT 2")


@pytest.mark.parametrize(
    "sql, answered",
    [
        ("INSERT INTO o (key) VALUES (:key) RETURNING no", " no"),
        ("INSERT INTO o (key) VALUES (:key) RETURNING no -- RETURNING it", " no -- RETURNING it"),
        ("INSERT INTO o (key) VALUES (:key) RETURNING \"No\", 'RETURNING'", " \"No\", 'RETURNING'"),
        ("WITH n AS (INSERT INTO o RETURNING a) INSERT INTO p RETURNING b", " b"),
        ("EXEC web.take_order @note = 'RETURNING goods'", None),
        ("INSERT INTO o (key) OUTPUT INSERTED.no /* not RETURNING */ VALUES (:key)", None),
    ],
)
def test_a_word_in_quotes_and_comments_answers_nothing(sql: str, answered: str | None) -> None:
    assert after_returning(sql) == answered
