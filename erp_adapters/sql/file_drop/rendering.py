"""One order as the bytes of its files. Nothing is rounded, cut or dropped on the way."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from erp_adapters.sql.fields import FOR_EACH, Repeated, Values, order_values
from erp_adapters.sql.file_drop.model import DropFile, FileDrop, Format, Quoting, WhiteSpace
from erp_adapters.sql.losses import Kept
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.values import Convert, writer
from erp_adapters.sql.writing import refuse_losses
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import SalesOrder
from sync.errors import Rejected
from sync.kit.key_names import safe_name

_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file as the ERP shall see it, and the name under which it is written first."""

    name: str
    hidden: str
    content: bytes


class Renderer:
    """The layouts of one profile, ready to be filled."""

    def __init__(self, profile: Profile, drop: FileDrop) -> None:
        self._profile = profile
        self._drop = drop
        self._kept = Kept(drop.files)
        facts = profile.capabilities
        # No database is asked here: "file" gives exact values of Python.
        self._bind: dict[str, Mapping[str, tuple[str, Convert]]] = {
            file.name: {
                column: (bound.field, writer(bound.kind, facts, "file", bound.stored, bound.values))
                for column, bound in file.bind.items()
            }
            for file in drop.files
        }

    def render(self, order: SalesOrder, key: IdempotencyKey) -> tuple[Rendered, ...]:
        """The files in the order in which the ERP shall see them.

        A file for each of something that the order has none of is left out.
        Raises Rejected where something would get lost, or cannot be written.
        """
        common = order_values(order, key)
        repeated = Repeated(order)
        refuse_losses(order, common, repeated, self._kept, self._profile)
        stem = safe_name(key)
        found = []
        for file in self._drop.files:
            rows = list(self._rows(file, order, common, repeated))
            if rows:
                content = self._content(file, rows, order)
                found.append(
                    Rendered(file.file_name.of(stem), file.file_name.hidden(stem), content)
                )
        return tuple(found)

    def _rows(
        self, file: DropFile, order: SalesOrder, common: Values, repeated: Repeated
    ) -> Iterator[list[str]]:
        if file.for_each is None:
            yield self._row(file, common, order, "")
            return
        group = FOR_EACH[file.for_each]
        for values in repeated.of(file.for_each, file.wrap):
            about = f", {group} {values[f'{group}.number']}"
            yield self._row(file, {**common, **values}, order, about)

    def _row(self, file: DropFile, values: Values, order: SalesOrder, about: str) -> list[str]:
        bind = self._bind[file.name]
        found = []
        for column in file.columns:
            path, convert = bind.get(column, ("", None))
            try:
                value = file.constants.get(column, "") if convert is None else convert(values[path])
                found.append(_as_written(value, self._drop.format))
            except ValueError as error:
                raise Rejected(
                    f"order {order.web_number}, file {file.name}{about}: {path or 'the constant'}"
                    f" cannot be kept in {column}: {error}",
                    code="erp_value",
                    remedy=f"correct {column} in the profile or the order, then replay",
                ) from error
        return found

    def _content(self, file: DropFile, rows: Sequence[Sequence[str]], order: SalesOrder) -> bytes:
        form = self._drop.format
        text = as_text(([file.columns] if form.column_names else []) + list(rows), form)
        try:
            return text.encode(form.encoding)
        except UnicodeEncodeError as error:
            odd = text[error.start : error.end]
            raise Rejected(
                f"order {order.web_number}, file {file.name}: {form.encoding} has no {odd!r}",
                code="erp_value",
                remedy="correct the text in the store, then replay",
            ) from error


def as_text(rows: Sequence[Sequence[str]], form: Format) -> str:
    """Rows in that form, the last one with its line end too."""
    if form.quoting is Quoting.NEVER:
        return "".join(form.separator.join(row) + form.line_end for row in rows)
    text = io.StringIO(newline="")
    csv.writer(
        text,
        delimiter=form.separator,
        quotechar=form.quote,
        quoting=csv.QUOTE_ALL if form.quoting is Quoting.ALL else csv.QUOTE_MINIMAL,
        lineterminator=form.line_end,
    ).writerows(rows)
    return text.getvalue()


def _as_written(value: Any, form: Format) -> str:
    """The value in the file's spelling. Raises ValueError where it would break the row."""
    text = _spelled(value, form)
    if form.white_space is WhiteSpace.SPACE:
        text = _BREAKS.sub(" ", text)
    for letter in text:
        # The end-of-file sign of old systems is among them.
        if letter not in "\t\n\r" and not letter.isprintable() and ord(letter) < ord(" "):
            raise ValueError(f"it holds the control character {letter!r}")
    if form.quoting is Quoting.NEVER:
        broken = {form.separator, "\n", "\r"} & set(text)
        if broken:
            raise ValueError(f"it holds {min(broken)!r}, and values are not quoted")
    return text


def _spelled(value: Any, form: Format) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", form.decimal_point)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else str(value)
