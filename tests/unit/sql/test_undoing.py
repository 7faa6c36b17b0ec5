"""Which table of MySQL or MariaDB a step writes to."""

from __future__ import annotations

import pytest

from erp_adapters.sql.undoing import written_table


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "sql, table",
    [
        ("INSERT INTO desk (a) VALUES (:a)", "desk"),
        ("insert ignore into `erp`.`desk` VALUES (:a)", "erp.desk"),
        ("INSERT desk VALUES (:a)", "desk"),
        ("INSERT LOW_PRIORITY INTO\n  desk SELECT :a", "desk"),
        ("INSERT INTO `my desk` VALUES (:a)", "my desk"),
        ("REPLACE desk VALUES (:a)", "desk"),
        ("UPDATE IGNORE desk SET a = :a", "desk"),
        ("UPDATE desk d SET a = :a", "desk"),
        ("DELETE QUICK FROM erp.desk WHERE a = :a", "erp.desk"),
        ("CALL take_order(:a)", None),
        ("SELECT a FROM desk", None),
    ],
)
def test_a_table_that_keeps_half_an_order_is_found_however_the_step_begins(
    sql: str, table: str | None
) -> None:
    assert written_table(sql) == table
