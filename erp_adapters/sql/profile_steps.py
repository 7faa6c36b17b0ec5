"""``writes:`` of a profile: steps that write or cancel an order, looked over before any runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from erp_adapters.sql.catalogue import Kind
from erp_adapters.sql.fields import (
    CUSTOMER_FIELDS,
    EVERYWHERE,
    FIELDS,
    GROUPS,
    OF_CREDITS,
)
from erp_adapters.sql.file_drop.grammar import read_files
from erp_adapters.sql.file_drop.model import FileDrop
from erp_adapters.sql.profile_binding import read_bind, read_fields, read_for_each, read_wrap
from erp_adapters.sql.profile_model import (
    DEFAULT,
    LAST_INSERT_ID,
    ORDER_NUMBER,
    Place,
    Step,
    dialect_name,
)
from erp_adapters.sql.profile_parts import read_variants
from erp_adapters.sql.statement import Statement, after_returning
from erp_adapters.sql.yaml_nodes import Node, is_name, nearest
from sync.ports.erp import ErpCapabilities

WRITES = ("submit_order", "cancel_order", "create_customer", "credit_request")
KEY = "order.key"
CREDIT_KEY = "credit.key"

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

LONGEST_NAME = 80
_ANSWER_LAST_ID = ("sqlite", "mysql")


@dataclass(frozen=True, slots=True)
class Writes:
    """How an order is written, in steps or as files, what it may lose, and how it is cancelled;
    and how a customer is made."""

    steps: tuple[Step, ...] = ()
    files: FileDrop | None = None
    not_kept: frozenset[str] = frozenset()
    cancel_steps: tuple[Step, ...] = ()
    customer_steps: tuple[Step, ...] = ()
    credit_steps: tuple[Step, ...] = ()


def read_writes(
    node: Node | None,
    place: Place,
    dialects: Collection[str],
    facts: ErpCapabilities,
    reads: Collection[str],
) -> Writes:
    """``writes``; complains of everything that is wrong with it."""
    if node is None:
        return Writes()
    writes = node.mapping("writes", WRITES)
    customer_steps = _creating(writes.get("create_customer"), place, dialects, reads)
    if "submit_order" not in writes:
        node.complain("writes has no submit_order")
        return Writes()
    cancel_steps = _cancelling(writes.get("cancel_order"), place, dialects, reads)
    return replace(
        _submitting(writes["submit_order"], place, dialects, facts, reads),
        cancel_steps=cancel_steps,
        customer_steps=customer_steps,
        credit_steps=_crediting(writes.get("credit_request"), place, dialects, reads),
    )


def _submitting(
    submit: Node,
    place: Place,
    dialects: Collection[str],
    facts: ErpCapabilities,
    reads: Collection[str],
) -> Writes:
    parts = submit.mapping("submit_order", ("steps", "files", "not_kept"))
    not_kept = _not_kept(parts.get("not_kept"))
    if "files" in parts:
        if "steps" in parts:
            submit.complain("submit_order has steps or files, not both")
        drop = read_files(parts["files"], place, facts, not_kept, reads)
        return Writes(files=drop, not_kept=not_kept)
    reading = _Reading(place, dialects)
    nodes = parts["steps"].sequence("steps") if "steps" in parts else []
    steps = tuple(step for each in nodes if (step := reading.step(each)) is not None)
    if not nodes:
        submit.complain("submit_order has no steps")
    elif len(steps) == len(nodes):
        _look_over(steps, not_kept, facts.number_follows, submit)
    if "find_order" not in reads:
        submit.complain("submit_order needs the statement find_order")
    return Writes(steps, not_kept=not_kept)


def _cancelling(
    node: Node | None, place: Place, dialects: Collection[str], reads: Collection[str]
) -> tuple[Step, ...]:
    """``cancel_order``: nothing is known of the order by then but its key."""
    if node is None:
        return ()
    parts = node.mapping("cancel_order", ("steps",))
    reading = _Reading(place, dialects)
    nodes = parts["steps"].sequence("steps") if "steps" in parts else []
    steps = tuple(step for each in nodes if (step := reading.step(each)) is not None)
    if not nodes:
        node.complain("cancel_order has no steps")
    if "order_status" not in reads:
        node.complain("cancel_order needs the statement order_status")
    for step in steps:
        strange = {*step.fields, *step.when_present, *step.when_absent} - {KEY}
        if strange or step.for_each is not None:
            named = ", ".join(sorted(strange)) or f"for_each {step.for_each}"
            node.complain(
                f"step {step.name}: of an order to cancel only {KEY} is known, no {named}"
            )
    if len(steps) == len(nodes) > 0:
        if not any(KEY in step.fields for step in steps):
            node.complain(f"no step of cancel_order binds {KEY}: it would not say which order")
        if not any(step.expect_rows for step in steps):
            node.complain(
                "no step of cancel_order has expect_rows: an order that is shipped already"
                " would be taken for cancelled"
            )
    return steps


def _creating(
    node: Node | None, place: Place, dialects: Collection[str], reads: Collection[str]
) -> tuple[Step, ...]:
    """``create_customer``: who it is goes in by its key, and is found by it again."""
    if node is None:
        return ()
    parts = node.mapping("create_customer", ("steps",))
    reading = _Reading(place, dialects, of_customer=CUSTOMER_FIELDS)
    nodes = parts["steps"].sequence("steps") if "steps" in parts else []
    steps = tuple(step for each in nodes if (step := reading.step(each)) is not None)
    if not nodes:
        node.complain("create_customer has no steps")
    if "find_customer" not in reads:
        node.complain("create_customer needs the statement find_customer")
    if len(steps) == len(nodes) > 0:
        bound = frozenset().union(*(step.fields for step in steps))
        for needed in ("customer.key", "customer.name", "customer.tax_id"):
            if needed not in bound:
                node.complain(f"no step of create_customer binds {needed}")
        for step in steps:
            if step.for_each is not None:
                node.complain(f"step {step.name}: a customer has nothing to repeat it for")
    return steps


def _crediting(
    node: Node | None, place: Place, dialects: Collection[str], reads: Collection[str]
) -> tuple[Step, ...]:
    """``credit_request``: what the store gave back, filed under a key of its own."""
    if node is None:
        return ()
    parts = node.mapping("credit_request", ("steps",))
    reading = _Reading(place, dialects, groups=OF_CREDITS)
    nodes = parts["steps"].sequence("steps") if "steps" in parts else []
    steps = tuple(step for each in nodes if (step := reading.step(each)) is not None)
    if not nodes:
        node.complain("credit_request has no steps")
    if "find_credit" not in reads:
        node.complain("credit_request needs the statement find_credit")
    for step in steps:
        if step.for_each is not None:
            node.complain(f"step {step.name}: a credit is one amount, nothing to repeat it for")
    if len(steps) == len(nodes) > 0:
        bound = frozenset().union(*(step.fields for step in steps))
        for needed in (CREDIT_KEY, "credit.amount"):
            if needed not in bound:
                node.complain(f"no step of credit_request binds {needed}")
    return steps


def _not_kept(node: Node | None) -> frozenset[str]:
    found: set[str] = set()
    for name, each in node.texts("not_kept") if node is not None else ():
        group, _, tail = name.partition(".")
        if name in FIELDS and group not in OF_CREDITS:
            found.add(name)
        elif tail == "*" and group in GROUPS and group not in OF_CREDITS:
            found |= {f"{group}.{field}" for field in GROUPS[group]}
        else:
            each.complain(f"not_kept: an order has no field {name!r}{nearest(name, FIELDS)}")
    return frozenset(found)


@dataclass(slots=True)
class _Reading:
    """Reads steps one after the other; later ones know what earlier ones captured."""

    place: Place
    dialects: Collection[str]
    groups: frozenset[str] = EVERYWHERE
    names: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)
    of_customer: Mapping[str, Kind] | None = None

    def step(self, node: Node) -> Step | None:
        keys = node.mapping("a step", STEP)
        name = (keys["name"].text("name") or "").strip() if "name" in keys else ""
        if not name or "sql" not in keys:
            node.complain("a step needs a name and sql")
            return None
        if not name.isprintable() or len(name) > LONGEST_NAME:
            node.complain(f"the name of a step is one line of at most {LONGEST_NAME} characters")
            return None
        what = f"step {name}"
        if name in self.names:
            node.complain(f"{what} is there twice")
        self.names.add(name)
        for_each = read_for_each(keys.get("for_each"), what)
        sql = read_variants(keys["sql"], f"sql of {what}", self.dialects)
        if sql is None:
            return None
        bind = read_bind(keys, for_each, what, self.groups, self.of_customer)
        wanted: frozenset[str] = frozenset()
        for scanned in sql.by_dialect.values():
            for unknown in sorted(scanned.parameters - bind.keys() - self.captured):
                spare = bind.keys() - scanned.parameters
                hint = nearest(unknown, spare) if spare else ""
                keys["sql"].complain(
                    f"{what}: nothing is bound to :{unknown}; name a field of the order for it"
                    f" under bind, or capture it in an earlier step{hint}"
                )
            wanted |= scanned.parameters
        for unused in sorted(bind.keys() - wanted):
            keys["bind"].complain(f"{what} binds {unused!r}, which its sql does not use")
        for shadowed in sorted(bind.keys() & self.captured):
            keys["bind"].complain(f"{what}: {shadowed!r} is a captured name already")
        capture = self._capture(keys.get("capture"), what)
        for dialect in self.dialects:
            for column in _unanswered(sql.of(dialect), capture, dialect):
                keys["capture"].complain(
                    f"{what} captures {column!r}, which RETURNING does not answer"
                )
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
            when_present=self._fields(keys, "when_present", for_each, what),
            when_absent=self._fields(keys, "when_absent", for_each, what),
            capture=capture,
            expect_rows=expect,
            otherwise=keys["otherwise"].text("otherwise") if "otherwise" in keys else None,
            wrap=read_wrap(keys.get("wrap"), for_each, what),
        )

    def _fields(
        self, keys: Mapping[str, Node], key: str, for_each: str | None, what: str
    ) -> tuple[str, ...]:
        return read_fields(keys.get(key), key, for_each, what, self.groups, self.of_customer)

    def _capture(self, node: Node | None, what: str) -> dict[str, dict[str, str]]:
        found = {}
        for name, each in node.items(f"capture of {what}") if node is not None else ():
            if not is_name(name):
                each.complain(f"{what} captures {name!r}: write letters, digits and _, as in sql")
                continue
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


def _unanswered(
    sql: Statement | None, capture: Mapping[str, Mapping[str, str]], dialect: str
) -> Iterator[str]:
    """Captured columns of which the text after RETURNING says nothing at all."""
    answered = None if sql is None else after_returning(sql.source)
    if answered is None or "*" in answered:
        return
    for columns in capture.values():
        column = columns.get(dialect) or columns.get(DEFAULT)
        if column and column != LAST_INSERT_ID and column.lower() not in answered.lower():
            yield column


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
        node.complain(f"{twice} is bound, and listed under not_kept: list what nothing binds")
    numbered = any(ORDER_NUMBER in step.capture and step.for_each is None for step in steps)
    if number_follows == numbered:
        node.complain(
            "a step captures order_number, and the facts say number_follows"
            if numbered
            else "no step captures order_number; say number_follows: true if the ERP gives it later"
        )
