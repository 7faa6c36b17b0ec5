"""What steps and files of a profile have in common: fields bound to names of the ERP."""

from __future__ import annotations

from collections.abc import Mapping

from erp_adapters.sql.catalogue import Kind
from erp_adapters.sql.fields import EVERYWHERE, FIELDS, FOR_EACH, OF_CREDITS
from erp_adapters.sql.profile_model import Bound
from erp_adapters.sql.profile_parts import fits, read_table, read_types
from erp_adapters.sql.yaml_nodes import Node, nearest


def read_for_each(node: Node | None, what: str) -> str | None:
    """What it is repeated for; None: it is there once for the order."""
    if node is None:
        return None
    typed = (node.text("for_each") or "").strip()
    if typed in FOR_EACH:
        return typed
    node.complain(f"{what}: no for_each {typed!r}; there are {', '.join(FOR_EACH)}")
    return None


def read_bind(
    keys: Mapping[str, Node],
    for_each: str | None,
    what: str,
    groups: frozenset[str] = EVERYWHERE,
    of_customer: Mapping[str, Kind] | None = None,
) -> dict[str, Bound]:
    """``bind`` with its ``types`` and ``values``.

    ``of_customer``: the fields of a customer, where none of an order are known.
    """
    nodes = keys["bind"].mapping("bind") if "bind" in keys else {}
    types = keys["types"].mapping(f"types of {what}", nodes) if "types" in keys else {}
    stored = read_types(types)
    tables = keys["values"].mapping(f"values of {what}", nodes) if "values" in keys else {}
    found = {}
    for parameter, node in nodes.items():
        path = (node.text(f"what {parameter} binds") or "").strip()
        if not known_field(path, for_each, node, what, groups, of_customer):
            continue
        kind = (of_customer or FIELDS)[path]
        storage = stored.get(parameter)
        if storage is not None and not fits(kind, storage.storage):
            types[parameter].complain(
                f"{what}: {path} is a {kind.value} and cannot be stored as {storage.storage.value}"
            )
        table = None
        if parameter in tables:
            table = read_table(tables[parameter], f"values of {parameter}")
        found[parameter] = Bound(path, kind, storage, table)
    return found


def known_field(
    path: str,
    for_each: str | None,
    node: Node,
    what: str,
    everywhere: frozenset[str] = EVERYWHERE,
    of_customer: Mapping[str, Kind] | None = None,
) -> bool:
    """Whether that field is there; complains where it is not."""
    if of_customer is not None:
        if path not in of_customer:
            hint = nearest(path, of_customer)
            node.complain(f"{what}: a customer has no field {path!r}{hint}")
        return path in of_customer
    groups = everywhere | ({FOR_EACH[for_each]} if for_each else set())
    here = [name for name in FIELDS if name.partition(".")[0] in groups]
    if path in here:
        return True
    if path in FIELDS and path.partition(".")[0] in FOR_EACH.values():
        node.complain(f"{what}: {path} is only there in a step for_each of its kind")
    else:
        thing = "a credit" if everywhere == OF_CREDITS else "an order"
        node.complain(f"{what}: {thing} has no field {path!r}{nearest(path, here)}")
    return False


def read_fields(
    node: Node | None,
    key: str,
    for_each: str | None,
    what: str,
    groups: frozenset[str] = EVERYWHERE,
    of_customer: Mapping[str, Kind] | None = None,
) -> tuple[str, ...]:
    """A list of fields, such as ``when_present``."""
    if node is None:
        return ()
    return tuple(
        name
        for name, each in node.texts(key)
        if known_field(name, for_each, each, f"{key} of {what}", groups, of_customer)
    )


def read_wrap(node: Node | None, for_each: str | None, what: str) -> int | None:
    """The characters of one piece of a long text."""
    if node is None:
        return None
    width = node.whole("wrap")
    if for_each not in ("notes", "flags") or not width:
        node.complain(f"{what}: wrap goes with for_each notes or flags, and counts from 1")
        return None
    return width
