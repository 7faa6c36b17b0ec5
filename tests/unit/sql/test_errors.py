"""What MySQL and MariaDB refuse, in words that name the place and no value."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.errors import Attempt, Moment, translated
from sync.errors import Rejected, RightMissing


class DriverError(Exception):
    """As PyMySQL's: a number and a sentence."""


def failed(number: int, sentence: str) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, DriverError(number, sentence))


@pytest.mark.parametrize(
    "number, sentence, told",
    [
        (1406, "Data too long for column 'LORT' at row 1", "the ERP's column 'LORT' (code 1406)"),
        (
            1366,
            "Incorrect string value: 'for column `Ada` at row 1' for column `d`.`t`.`c` at row 1",
            "the ERP's column d.t.c (code 1366)",
        ),
        (1292, "Truncated incorrect INTEGER value: 'Ada'", "for the ERP (code 1292)"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_column_and_without_itself(
    number: int, sentence: str, told: str
) -> None:
    writing = Attempt("writing order W-1", Moment.WRITING)
    with pytest.raises(Rejected) as caught, translated(writing, "mysql"):
        raise failed(number, sentence)

    assert told in str(caught.value)
    assert "Ada" not in str(caught.value)


def test_a_table_that_mysql_hides_may_not_be_there_at_all() -> None:
    reading = Attempt("statement items")
    with pytest.raises(RightMissing, match="no table of that name"), translated(reading, "mysql"):
        raise failed(1142, "SELECT command denied to user 'r'@'h' for table `d`.`ARTIKLE`")
