"""``tradesync rules``: the business rules, as a table or as JSON."""

from __future__ import annotations

import click

from sync.cli.output import emit, json_option
from sync.rules import RULES


@click.command(epilog="\b\nExample:\n  tradesync rules --json")
@json_option
def rules(as_json: bool) -> None:
    """List the business rules, each with its ID and whether it is kept already.

    The IDs also stand in build/rules.md after a test run, next to the tests
    that prove each rule.
    """
    emit(
        [
            {
                "id": rule.id,
                "kept": rule.kept,
                "rule": rule.sentence,
                "lacks": rule.lacks,
            }
            for rule in RULES.values()
        ],
        {"id": "ID", "kept": "Kept", "rule": "Rule", "lacks": "But not yet"},
        as_json,
        "Business rules",
    )
