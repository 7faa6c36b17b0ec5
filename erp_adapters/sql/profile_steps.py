"""``writes:`` of a profile: the steps that write an order, looked over before any runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from erp_adapters.sql.fields import EVERYWHERE, FIELDS, FOR_EACH, GROUPS
from erp_adapters.sql.profile_model import (
    DEFAULT,
    LAST_INSERT_ID,
    ORDER_NUMBER,
    Bound,
    Place,
    Step,
    dialect_name,
)
from erp_adapters.sql.profile_parts import fits, read_table, read_types, read_variants
from erp_adapters.sql.yaml_nodes import Node, nearest

STEP = (
    "name",
    "sql",
    "bind",
    "for_each",
    "when_present",
    "when_absent",
    "wrap",
    "capture",
    "expect_rows",
    "otherwise",
    "types",
    "values",
)

_ANSWER_LAST_ID = ("sqlite", "mysql")


def read_writes(
    node: Node | None, place: Place, dialects: Collection[str], number_follows: bool
) -> tuple[tuple[Step, ...], frozenset[str]]:
    """The steps of ``submit_order`` and the fields that it may lose."""
    if node is None:
        return (), frozenset()
    writes = node.mapping("writes", ("submit_order",))
    if "submit_order" not in writes:
        node.complain("writes has no submit_order")
        return (), frozenset()
    parts = writes["submit_order"].mapping("submit_order", ("steps", "not_kept"))
    reading = _Reading(place, dialects)
    nodes = parts["steps"].sequence("steps") if "steps" in parts else []
    steps = tuple(step for each in nodes if (step := reading.step(each)) is not None)
    not_kept = _not_kept(parts.get("not_kept"))
    if not nodes:
        writes["submit_order"].complain("submit_order has no steps")
    elif len(steps) == len(nodes):
        _look_over(steps, not_kept, number_follows, writes["submit_order"])
    return steps, not_kept


def _not_kept(node: Node | None) -> frozenset[str]:
    found: set[str] = set()
    for name, each in node.texts("not_kept") if node is not None else ():
        group, _, tail = name.partition(".")
        if name in FIELDS:
            found.add(name)
        elif tail == "*" and group in GROUPS:
            found |= {f"{group}.{field}" for field in GROUPS[group]}
        else:
            each.complain(f"not_kept: an order has no field {name!r}{nearest(name, FIELDS)}")
    return frozenset(found)


@dataclass(slots=True)
class _Reading:
    """Reads steps one after the other; later ones know what earlier ones captured."""

    place: Place
    dialects: Collection[str]
    names: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)

    def step(self, node: Node) -> Step | None:
        keys = node.mapping("a step", STEP)
        name = (keys["name"].text("name") or "").strip() if "name" in keys else ""
        if not name or "sql" not in keys:
            node.complain("a step needs a name and sql")
            return None
        what = f"step {name}"
        if name in self.names:
            node.complain(f"{what} is there twice")
        self.names.add(name)
        for_each = self._for_each(keys.get("for_each"), what)
        sql = read_variants(keys["sql"], f"sql of {what}", self.dialects)
        if sql is None:
            return None
        bind = self._bind(keys, for_each, what)
        wanted: frozenset[str] = frozenset()
        for scanned in sql.by_dialect.values():
            for unknown in sorted(scanned.parameters - bind.keys() - self.captured):
                hint = nearest(unknown, bind.keys() | self.captured)
                keys["sql"].complain(f"{what}: nothing is bound to :{unknown}{hint}")
            wanted |= scanned.parameters
        for unused in sorted(bind.keys() - wanted):
            keys["bind"].complain(f"{what} binds {unused!r}, which its sql does not use")
        for shadowed in sorted(bind.keys() & self.captured):
            keys["bind"].complain(f"{what}: {shadowed!r} is a captured name already")
        capture = self._capture(keys.get("capture"), what)
        if for_each is not None and capture:
            keys["capture"].complain(f"{what} runs for each of several and cannot capture")
        self.captured |= capture.keys()
        expect = keys["expect_rows"].whole("expect_rows") if "expect_rows" in keys else None
        return Step(
            name=name,
            sql=sql,
            place=Place(self.place.path, node.line),
            bind=bind,
            for_each=for_each,
            when_present=self._fields(keys.get("when_present"), "when_present", for_each, what),
            when_absent=self._fields(keys.get("when_absent"), "when_absent", for_each, what),
            capture=capture,
            expect_rows=expect,
            otherwise=keys["otherwise"].text("otherwise") if "otherwise" in keys else None,
            wrap=self._wrap(keys.get("wrap"), for_each, what),
        )

    def _for_each(self, node: Node | None, what: str) -> str | None:
        if node is None:
            return None
        typed = (node.text("for_each") or "").strip()
        if typed in FOR_EACH:
            return typed
        node.complain(f"{what}: no for_each {typed!r}; there are {', '.join(FOR_EACH)}")
        return None

    def _bind(self, keys: Mapping[str, Node], for_each: str | None, what: str) -> dict[str, Bound]:
        nodes = keys["bind"].mapping("bind") if "bind" in keys else {}
        types = keys["types"].mapping(f"types of {what}", nodes) if "types" in keys else {}
        stored = read_types(types)
        tables = keys["values"].mapping(f"values of {what}", nodes) if "values" in keys else {}
        found = {}
        for parameter, node in nodes.items():
            path = (node.text(f"what {parameter} binds") or "").strip()
            if not self._known(path, for_each, node, what):
                continue
            kind = FIELDS[path]
            storage = stored.get(parameter)
            if storage is not None and not fits(kind, storage.storage):
                types[parameter].complain(
                    f"{what}: {path} is a {kind.value} and cannot be stored as"
                    f" {storage.storage.value}"
                )
            table = None
            if parameter in tables:
                table = read_table(tables[parameter], f"values of {parameter}")
            found[parameter] = Bound(path, kind, storage, table)
        return found

    def _known(self, path: str, for_each: str | None, node: Node, what: str) -> bool:
        groups = EVERYWHERE | ({FOR_EACH[for_each]} if for_each else set())
        here = [name for name in FIELDS if name.partition(".")[0] in groups]
        if path in here:
            return True
        if path in FIELDS:
            node.complain(f"{what}: {path} is only there in a step for_each of its kind")
        else:
            node.complain(f"{what}: an order has no field {path!r}{nearest(path, here)}")
        return False

    def _fields(
        self, node: Node | None, key: str, for_each: str | None, what: str
    ) -> tuple[str, ...]:
        if node is None:
            return ()
        return tuple(
            name
            for name, each in node.texts(key)
            if self._known(name, for_each, each, f"{key} of {what}")
        )

    def _capture(self, node: Node | None, what: str) -> dict[str, dict[str, str]]:
        found = {}
        for name, each in node.items(f"capture of {what}") if node is not None else ():
            nodes = dict(each.items(name)) if each.is_mapping else {DEFAULT: each}
            columns = {
                dialect_name(dialect): (column.text(f"capture of {name}") or "").strip()
                for dialect, column in nodes.items()
            }
            for dialect in self.dialects:
                column = columns.get(dialect) or columns.get(DEFAULT)
                if not column:
                    each.complain(f"{what} captures no {name} on {dialect}")
                elif column == LAST_INSERT_ID and dialect not in _ANSWER_LAST_ID:
                    each.complain(
                        f"{what}: {dialect} has no {LAST_INSERT_ID}; let the statement answer"
                        " the column (RETURNING, OUTPUT) and capture that"
                    )
            found[name] = columns
        return found

    def _wrap(self, node: Node | None, for_each: str | None, what: str) -> int | None:
        if node is None:
            return None
        width = node.whole("wrap")
        if for_each not in ("notes", "flags") or not width:
            node.complain(f"{what}: wrap goes with for_each notes or flags, and counts from 1")
            return None
        return width


def _look_over(
    steps: tuple[Step, ...], not_kept: frozenset[str], number_follows: bool, node: Node
) -> None:
    """What an order must have in any ERP to be an order there."""
    bound = frozenset().union(*(step.fields for step in steps))
    for needed in ("order.key", "order.sold_to", "line.sku"):
        if needed not in bound:
            node.complain(f"no step binds {needed}: the order could not be told from others")
    if not bound & {"line.quantity", "line.stock_quantity"}:
        node.complain("no step binds line.quantity or line.stock_quantity")
    for twice in sorted(bound & not_kept):
        node.complain(f"{twice} is bound, and listed under not_kept")
    numbered = any(ORDER_NUMBER in step.capture and step.for_each is None for step in steps)
    if number_follows == numbered:
        node.complain(
            "a step captures order_number, and the facts say number_follows"
            if numbered
            else "no step captures order_number; say number_follows: true if the ERP gives it later"
        )
