"""The changes of ``plan prices``, each with what it was and what it would be.

There may be millions: they are put into a file as they are told, and copied from there
into the JSON that is printed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING

import click

from sync.cli.shown import as_record
from sync.domain.money import plain, shown_amount
from sync.secrecy import scrubbed

if TYPE_CHECKING:
    from sync.domain.pricing import PriceValue
    from sync.flows.context import FlowResult, PriceChange

PRICES = "prices"


class PriceChanges:
    """Keeps what it takes until it is closed."""

    def __init__(self) -> None:
        # Closed by __exit__: it is used in a with statement.
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115

    def __enter__(self) -> PriceChanges:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def take(self, changes: Iterator[PriceChange]) -> None:
        for each in changes:
            self._file.write(json.dumps(_record(each), ensure_ascii=False) + "\n")

    def lines(self) -> Iterator[str]:
        """One JSON object for each change."""
        self._file.seek(0)
        return (line.rstrip("\n") for line in self._file)


def echo_plans(results: Sequence[FlowResult], changes: PriceChanges) -> None:
    """Print the results as a JSON list; that of prices holds all its ``changes``."""
    click.echo("[")
    for number, result in enumerate(results, 1):
        record = json.dumps(as_record(result), indent=2).removesuffix("\n}")
        end = "," if number < len(results) else ""
        if result.flow != PRICES:
            click.echo(f"{record}\n}}{end}")
            continue
        click.echo(f'{record},\n  "changes": [')
        held: str | None = None
        for line in changes.lines():
            if held is not None:
                click.echo(f"    {held},")
            held = line
        if held is not None:
            click.echo(f"    {held}")
        click.echo(f"  ]\n}}{end}")
    click.echo("]")


def _record(change: PriceChange) -> dict[str, object]:
    key, audience = change.key.key, change.key.audience
    kind = "added" if change.before is None else "changed"
    return {
        "change": "removed" if change.after is None else kind,
        "sku": scrubbed(key.sku.value),
        "audience": scrubbed(str(audience)),
        "scope": scrubbed(str(key.scope)),
        "price_list": scrubbed(key.price_list),
        "currency": key.currency,
        "unit": key.unit,
        "min_quantity": plain(key.min_quantity),
        "valid_from": key.valid_from.isoformat() if key.valid_from else None,
        "warehouse": key.warehouse,
        "priority": key.priority,
        "before": _value(change.before, key.currency),
        "after": _value(change.after, key.currency),
    }


def _value(value: PriceValue | None, currency: str) -> dict[str, object] | None:
    if value is None:
        return None
    price, until = value.unit_price, value.valid_until
    return {
        "unit_price": None if price is None else shown_amount(price, currency),
        "valid_until": until.isoformat() if until else None,
    }
