"""How many orders a profile lets into one transaction of the ERP.

By itself a hundred, where nothing speaks against it: the ERP must refuse a second
order under the same key, and the steps must be plain statements. A procedure may
commit by itself, and half a group would then be in the ERP; only somebody who knows
that it does not can say so, by stating the fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from erp_adapters.sql.profile_model import Step
from erp_adapters.sql.yaml_nodes import Node
from sync.ports.erp import ErpCapabilities

FACT = "order_group"
BY_ITSELF = 100

_CALLS_OR_ENDS = re.compile(
    r"\b(?:EXEC|EXECUTE|CALL|BEGIN|DECLARE|COMMIT|ROLLBACK)\b", re.IGNORECASE
)
# Anything else at the head may be a procedure's name: SQL Server needs no EXEC there.
_PLAIN = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|REPLACE|WITH|SET|IF)\b", re.IGNORECASE
)
_NO_WORDS = re.compile(
    r"""
      '(?:[^']|'')*'                # text
    | "(?:[^"]|"")*"                # a quoted name
    | `[^`]*`                       # a quoted name of MySQL
    | --[^\n]*                      # comments, but for those that MySQL runs
    | /\*(?!M?!).*?\*/
    """,
    re.VERBOSE | re.DOTALL,
)
# Where texts and comments may end elsewhere than the pattern above says: MySQL's escapes
# and comments, PostgreSQL's other quotes. Nothing is left out there, lest a call is.
_DOUBTFUL = re.compile(r"\\|\#|\$\w*\$")


def with_groups(
    facts: ErpCapabilities, node: Node | None, steps: Sequence[Step]
) -> ErpCapabilities:
    """The facts with the largest group; complains of one that cannot be."""
    stated = dict(node.items("facts")).get(FACT) if node is not None and node.is_mapping else None
    fits = bool(steps) and facts.unique_external_key
    if stated is None:
        alone = not fits or any(may_commit(step) for step in steps)
        return replace(facts, order_group=1 if alone else BY_ITSELF)
    if facts.order_group > 1 and not fits:
        why = (
            "orders are not written in steps"
            if not steps
            else "the ERP would take an order twice (unique_external_key: false)"
        )
        stated.complain(f"order_group cannot be more than 1: {why}")
    return facts


def may_commit(step: Step) -> bool:
    """Whether the step is more than plain statements, on any dialect.

    In doubt it is: groups only save time, and half of one in the ERP costs orders.
    """
    return any(_calls_or_ends(sql.source) for sql in step.sql.by_dialect.values())


def _calls_or_ends(sql: str) -> bool:
    words = sql if _DOUBTFUL.search(sql) else _NO_WORDS.sub(" ", sql)
    return _CALLS_OR_ENDS.search(words) is not None or _PLAIN.match(words) is None
