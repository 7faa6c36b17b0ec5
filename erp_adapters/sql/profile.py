"""Loads a profile and says everything that is wrong with it, with file and line.

A profile comes from people who know their database and not this code, so what
can be told without the database is told here, all at once: unknown words with
the nearest known one, parameters that nobody fills, columns that no alias
names, steps that bind what an order does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from erp_adapters.sql.catalogue import FEEDS, READS, Column, Kind, Read
from erp_adapters.sql.facts import read_facts
from erp_adapters.sql.order_groups import with_groups
from erp_adapters.sql.profile_model import (
    Place,
    Profile,
    ReadStatement,
    StoredAs,
    Table,
    dialect_name,
)
from erp_adapters.sql.profile_parts import FITTING, read_table, read_types, read_variants
from erp_adapters.sql.profile_steps import read_writes
from erp_adapters.sql.statement import names_column
from erp_adapters.sql.values import reader
from erp_adapters.sql.yaml_nodes import Node, Problems, is_name, load, nearest
from sync.errors import Misconfigured
from sync.ports.erp import ErpCapabilities

SHIPPED = Path(__file__).parent / "profiles"

TOP = (
    "name",
    "description",
    "dialects",
    "facts",
    "constants",
    "values",
    "types",
    "reads",
    "writes",
)

STATEMENT = ("sql", "types", "values", "constants")

PARAMETERS: Mapping[str, Kind] = {
    "customer_ids": Kind.KEY,
    "location_ids": Kind.KEY,
    "group_codes": Kind.KEY,
    "skus": Kind.KEY,
    "invoice_numbers": Kind.KEY,
    "order_numbers": Kind.KEY,
    "external_keys": Kind.KEY,
    "external_key": Kind.KEY,
    "customer_id": Kind.KEY,
    "po_number": Kind.TEXT,
    "email": Kind.TEXT,
    "emails": Kind.TEXT,
    "tax_id": Kind.TEXT,
    "company": Kind.TEXT,
    "goods": Kind.AMOUNT,
    "charges": Kind.AMOUNT,
    "ship_to_id": Kind.TEXT,
    "country": Kind.TEXT,
    "region": Kind.TEXT,
    "postal_code": Kind.TEXT,
    "currency": Kind.KEY,
    "day": Kind.DATE,
    "since": Kind.DATETIME,
}
"""Every parameter that a read may use, and what it holds."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "customer_ids": ("accounts",),
    "accounts": ("customer_ids",),
    "account_currencies": ("accounts",),
    "account_price_groups": ("accounts",),
    "account_tags": ("accounts",),
    "contacts": ("accounts",),
    "locations": ("accounts",),
    "contacts_by_email": ("accounts",),
    "contacts_by_emails": ("contacts_by_email",),
    "customer_candidates": ("accounts",),
    "find_customer": ("accounts",),
    "ship_tos": ("accounts",),
    "bill_tos": ("ship_tos",),
    "item_units": ("items",),
    "item_customers": ("items",),
    "item_tags": ("items", "account_tags"),
    "restricted_items": ("items",),
    "prices_item": ("price_scopes",),
    "prices_location": ("price_scopes", "locations"),
    "prices_account": ("price_scopes",),
    "prices_group": ("price_scopes",),
    "prices_default": ("price_scopes",),
    "price_feed_item": ("prices_item",),
    "price_feed_location": ("prices_location",),
    "price_feed_account": ("prices_account",),
    "price_feed_group": ("prices_group",),
    "price_feed_default": ("prices_default",),
    "price_state_item": ("price_feed_item",),
    "price_state_location": ("price_feed_location",),
    "price_state_account": ("price_feed_account",),
    "price_state_group": ("price_feed_group",),
    "price_state_default": ("price_feed_default",),
    "invoices": ("accounts",),
    "invoice_lines": ("invoices",),
    "invoice_dues": ("invoices",),
    "balances": ("accounts",),
    "balance_ageing": ("balances",),
    "account_orders": ("accounts",),
    "account_order_lines": ("account_orders",),
    "customer_parts": ("accounts",),
    "documents": ("accounts",),
    "availability": ("items",),
    "find_orders": ("find_order",),
    "order_shipments": ("order_status",),
    "order_line_status": ("order_status",),
    **{f"changed_{feed}": ("clock",) for feed in FEEDS},
}
"""Statement -> those without which it can do nothing."""


def find_profile(name: str, base: Path) -> Path:
    """Where the profile is: a path relative to ``base``, or the name of a shipped one."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return base / name
    known = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    if name in known:
        return SHIPPED / f"{name}.yaml"
    raise Misconfigured(
        f"no profile {name!r} comes with tradesync (there are: {', '.join(known) or 'none'});"
        " a profile of your own is named by its path, such as config/acme.yaml"
    )


def load_profile(path: Path) -> Profile:
    """The profile, sound as far as can be told without its database.

    Raises Misconfigured with every problem that it has.
    """
    problems = Problems(path)
    # Before it is read: where somebody writes it at this moment, it is taken for another one.
    digest = _digest(path)
    top = load(path, problems)
    problems.raise_if_any("profile")
    assert top is not None  # noqa: S101 - a file without a top node has raised
    profile = _Loading(path, problems).profile(top)
    problems.raise_if_any("profile")
    return replace(profile, digest=digest)


def _digest(path: Path) -> bytes:
    """Of the file as it is now. What cannot be read is told by whoever reads it."""
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError:
        content = b""
    return hashlib.sha256(content).digest()


@dataclass(slots=True)
class Shared:
    """What stands at the top of a profile for every statement."""

    constants: dict[str, tuple[str, Node]]
    values: dict[str, Table]
    types: dict[str, StoredAs]


@dataclass(slots=True)
class _Loading:
    path: Path
    problems: Problems

    def profile(self, top: Node) -> Profile:
        keys = top.mapping("a profile", TOP)
        for name in ("name", "description", "dialects", "facts", "reads"):
            if name not in keys:
                top.complain(f"{name} is missing")
        name = self._text(keys, "name")
        if "\n" in name:
            keys["name"].complain("name must be one line of text")
        dialects = self._dialects(keys.get("dialects"))
        facts, _ = read_facts(keys.get("facts"), name or "erp")
        shared = self._shared(keys)
        reads = self._reads(keys.get("reads"), shared, facts, dialects)
        writes = read_writes(keys.get("writes"), Place(self.path, 1), dialects, facts, reads)
        facts = with_groups(facts, keys.get("facts"), writes.steps)
        return Profile(
            name=name,
            description=self._text(keys, "description"),
            dialects=dialects,
            path=self.path,
            capabilities=facts,
            reads=reads,
            steps=writes.steps,
            not_kept=writes.not_kept,
            files=writes.files,
            cancel_steps=writes.cancel_steps,
            customer_steps=writes.customer_steps,
            credit_steps=writes.credit_steps,
        )

    def _text(self, keys: Mapping[str, Node], name: str) -> str:
        if name not in keys:
            return ""
        typed = keys[name].text(name)
        lines = (typed or "").strip().split("\n")
        if typed is not None and not (lines[0] and all(map(str.isprintable, lines))):
            keys[name].complain(f"{name} must be text that can be read")
        return "\n".join(lines)

    def _dialects(self, node: Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        found = node.texts("dialects")
        if not found:
            node.complain("dialects names none: write one such as sqlite, postgresql, mssql")
        for text, each in found:
            if not is_name(text):
                each.complain(
                    f"{text!r} is no dialect: write one such as sqlite, postgresql, mssql"
                )
        return tuple(dialect_name(text) for text, _ in found)

    def _shared(self, keys: Mapping[str, Node]) -> Shared:
        shared = Shared({}, {}, {})
        columns = {column.name for read in READS.values() for column in read.columns}
        if "constants" in keys:
            for name, node in keys["constants"].mapping("constants", columns).items():
                typed = node.text(f"the constant {name}")
                if typed is not None:
                    shared.constants[name] = (typed, node)
        if "values" in keys:
            for name, node in keys["values"].mapping("values", columns).items():
                shared.values[name] = read_table(node, f"values of {name}")
        if "types" in keys:
            known = columns | PARAMETERS.keys()
            shared.types = read_types(keys["types"].mapping("types", known))
        return shared

    def _reads(
        self,
        node: Node | None,
        shared: Shared,
        facts: ErpCapabilities,
        dialects: Collection[str],
    ) -> dict[str, ReadStatement]:
        if node is None:
            return {}
        found = {}
        nodes = node.mapping("reads", READS)
        for name, each in nodes.items():
            statement = self._read(READS[name], each, shared, facts, dialects)
            if statement is not None:
                found[name] = statement
        for name, each in nodes.items():
            for needed in NEEDS.get(name, ()):
                if needed not in nodes:
                    each.complain(f"{name} needs the statement {needed}")
        if "price_scopes" in nodes and not any(name.startswith("prices_") for name in nodes):
            nodes["price_scopes"].complain("price_scopes needs a statement prices_…")
        return found

    def _read(
        self,
        read: Read,
        node: Node,
        shared: Shared,
        facts: ErpCapabilities,
        dialects: Collection[str],
    ) -> ReadStatement | None:
        columns = {column.name: column for column in read.columns}
        own: dict[str, Node] = {"sql": node}
        if node.is_mapping:
            own = node.mapping(
                f"the statement {read.name}", ("sql", "types", "values", "constants")
            )
        if "sql" not in own:
            node.complain(f"{read.name} has no sql")
            return None
        sql = read_variants(own["sql"], f"sql of {read.name}", dialects, read.lists)
        if sql is None:
            return None
        values = {name: table for name, table in shared.values.items() if name in columns}
        if "values" in own:
            for name, each in own["values"].mapping(f"values of {read.name}", columns).items():
                values[name] = read_table(each, f"values of {name}")
        named = columns.keys() | read.parameters
        types = {name: stored for name, stored in shared.types.items() if name in named}
        if "types" in own:
            types.update(read_types(own["types"].mapping(f"types of {read.name}", named)))
        constants = {name: held for name, held in shared.constants.items() if name in columns}
        if "constants" in own:
            of = f"constants of {read.name}"
            for name, each in own["constants"].mapping(of, columns).items():
                constants[name] = (each.text(f"the constant {name}") or "", each)
        statement = ReadStatement(
            read,
            sql,
            Place(self.path, node.line),
            types,
            values,
            {name: typed for name, (typed, _) in constants.items()},
        )
        self._look_over(statement, own, constants, facts)
        return statement

    def _look_over(
        self,
        statement: ReadStatement,
        own: Mapping[str, Node],
        constants: Mapping[str, tuple[str, Node]],
        facts: ErpCapabilities,
    ) -> None:
        read = statement.read
        for scanned in statement.sql.by_dialect.values():
            for unknown in sorted(scanned.parameters - read.parameters):
                hint = nearest(unknown, read.parameters) or "; it has none"
                own["sql"].complain(f"{read.name} knows no parameter :{unknown}{hint}")
            if read.needs and not scanned.always & set(read.needs):
                wanted = " or ".join(f":{name}" for name in read.needs)
                own["sql"].complain(f"{read.name} must use {wanted}, outside of [[ ]]")
            for column in read.columns:
                there = column.name in constants or names_column(scanned.source, column.name)
                if column.required and not there:
                    own["sql"].complain(
                        f"{read.name} must answer a column {column.name}: write"
                        f" `… AS {column.name}`, or a value for it under constants"
                    )
        for column in read.columns:
            self._fits(column, statement, own, constants, facts)

    def _fits(
        self,
        column: Column,
        statement: ReadStatement,
        own: Mapping[str, Node],
        constants: Mapping[str, tuple[str, Node]],
        facts: ErpCapabilities,
    ) -> None:
        """Types that go with the column, and tables and constants that lead to its words."""
        where = f"{statement.name}.{column.name}"
        stored = statement.types.get(column.name)
        if stored is not None and stored.storage not in FITTING[column.kind]:
            names = ", ".join(sorted(each.value for each in FITTING[column.kind]))
            own.get("types", own["sql"]).complain(f"{where} can be stored as {names}")
            return
        convert = reader(column, facts, stored, None)
        for word in statement.values.get(column.name, {}).values():
            try:
                convert(word)
            except ValueError as error:
                own.get("values", own["sql"]).complain(f"values of {where}: {error}")
        if column.name in constants:
            typed, node = constants[column.name]
            try:
                if convert(typed) is None:
                    node.complain(f"the constant {where} is empty")
            except ValueError as error:
                node.complain(f"the constant {where}: {error}")
