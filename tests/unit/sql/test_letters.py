"""Texts that a column of MySQL or MariaDB has no letters for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.letters import without_letters


class DriverError(Exception):
    """As PyMySQL's: a number and a sentence."""


def failed(number: int, sentence: str) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, DriverError(number, sentence))


NO_SUCH_LETTER = failed(
    1267,
    "Illegal mix of collations (latin1_german1_ci,IMPLICIT) and (utf8mb4_general_ci,COERCIBLE)"
    " for operation '='",
)
MIXED_COLUMNS = failed(
    1267,
    "Illegal mix of collations (latin1_bin,IMPLICIT) and (latin1_german1_ci,IMPLICIT)"
    " for operation '='",
)
IN_A_LIST = failed(1271, "Illegal mix of collations for operation 'in'")


@pytest.mark.parametrize(
    "error, parameters, instead",
    [
        (NO_SUCH_LETTER, {"po_number": "Ω-1"}, []),
        (NO_SUCH_LETTER, {"po_number": "B-1"}, None),
        (MIXED_COLUMNS, {"po_number": "Ω-1"}, None),
        (failed(1054, "Unknown column 'Ω,COERCIBLE)'"), {"po_number": "Ω-1"}, None),
        (IN_A_LIST, {"skus": ["A", "Ω", "B"]}, [{"skus": ["A", "B"]}, {"skus": ["Ω"]}]),
        (IN_A_LIST, {"skus": ["Ω", "Ł"]}, [{"skus": ["Ω"]}, {"skus": ["Ł"]}]),
        (NO_SUCH_LETTER, {"skus": ["Ω"]}, []),
        (IN_A_LIST, {"skus": ["A", "B"]}, None),
    ],
)
def test_what_is_asked_instead(
    error: DBAPIError, parameters: dict[str, Any], instead: Sequence[Any] | None
) -> None:
    assert without_letters(error, "mysql", parameters, {"skus"}) == instead


def test_another_database_that_uses_the_number_otherwise_is_left_alone() -> None:
    assert without_letters(NO_SUCH_LETTER, "mssql", {"po_number": "Ω-1"}, ()) is None
