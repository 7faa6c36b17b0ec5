"""What a database cannot even look for, because its columns have no such letter.

MySQL and MariaDB compare no text with a column whose character set lacks one of its
letters: a PO number with an emoji, typed by a buyer, ends the statement. What is asked
for cannot be in that column, so the answer is that there is none; of a list it is so
for the texts with such letters, and the others are asked for by themselves. Where the
text of the statement mixes columns that cannot be compared, no parameter is to blame,
and the error stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError

from sync.kit.driver_errors import read_error

BLANK_FINDS_NOTHING = frozenset({"customer_candidates"})
"""Statements that look for several things, each of which may be empty text."""

_TWO, _THREE, _MANY = 1267, 1270, 1271
_OF_A_PARAMETER = ",COERCIBLE)"


def is_beyond_ascii(value: object) -> bool:
    return isinstance(value, str) and not value.isascii()


def without_letters(
    error: DBAPIError, dialect: str, parameters: Mapping[str, Any], lists: Collection[str]
) -> Sequence[Mapping[str, Any]] | None:
    """What to ask instead; nothing where it can only be answered by no row.

    None where the statement failed for another reason.
    """
    if dialect != "mysql" or error.orig is None:
        return None
    told = read_error(error.orig, dialect)
    if told.native not in (_TWO, _THREE, _MANY):
        return None
    for name in sorted(lists & parameters.keys()):
        values = parameters[name]
        odd = [value for value in values if is_beyond_ascii(value)]
        if odd and len(values) > 1:
            plain = [value for value in values if not is_beyond_ascii(value)]
            pieces = [plain] if plain else []
            pieces += [[value] for value in odd]
            return [{**parameters, name: piece} for piece in pieces]
    asked = [parameters[name] for name in parameters.keys() - lists]
    asked += [value for name in lists & parameters.keys() for value in parameters[name]]
    ours = _OF_A_PARAMETER in told.text and any(is_beyond_ascii(value) for value in asked)
    return [] if ours else None
