"""``facts:`` of a profile, read into the capabilities that the engine plans around."""

from __future__ import annotations

import codecs
import dataclasses
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from erp_adapters.sql.yaml_nodes import Node
from sync.domain.money import ROUNDING_MODES, Rounding
from sync.kit.options import is_encoding
from sync.ports.erp import ErpCapabilities

ROUNDINGS = ("unit_price_rounding", "amount_rounding")
_STATED = [
    each
    for each in dataclasses.fields(ErpCapabilities)
    # The settings tell the time-out, the statements the feeds.
    if each.name not in ("name", "statement_timeout_s", "change_feeds")
]
SWITCHES = tuple(each.name for each in _STATED if isinstance(each.default, bool))
LENGTHS = tuple(each.name for each in _STATED if each.name.endswith(("_length", "_lines")))
FACTS = (*ROUNDINGS, "time_zone", *SWITCHES, *LENGTHS, "order_group", "text_encoding")

SHORTEST_KEY = 16
MOST_PLACES = 12
_UNTOLD = Rounding(2, "ROUND_HALF_UP")  # stands in until the problem has been reported


def read_facts(node: Node | None, name: str) -> tuple[ErpCapabilities, bool]:
    """The capabilities, and whether order numbers follow later."""
    found: dict[str, Any] = dict.fromkeys(ROUNDINGS, _UNTOLD)
    nodes = node.mapping("facts", FACTS) if node is not None else {}
    for rounding in ROUNDINGS:
        if rounding in nodes:
            found[rounding] = _rounding(nodes[rounding], rounding)
        elif node is not None:
            node.complain(f"the fact {rounding} is missing, such as {{places: 2, mode: half_up}}")
    for fact in SWITCHES:
        if fact in nodes:
            found[fact] = bool(nodes[fact].truth(fact))
    for fact in LENGTHS:
        if fact in nodes and (length := nodes[fact].whole(fact)) is not None:
            if length == 0:
                nodes[fact].complain(f"{fact} cannot be 0; leave it out where there is no limit")
            elif fact == "external_key_length" and length < SHORTEST_KEY:
                nodes[fact].complain(f"{fact} must be {SHORTEST_KEY} or more: keys would be alike")
            found[fact] = length
    if "order_group" in nodes and (most := nodes["order_group"].whole("order_group")) is not None:
        if most == 0:
            nodes["order_group"].complain("order_group cannot be 0; 1 writes each order by itself")
        found["order_group"] = max(most, 1)
    if "time_zone" in nodes:
        found["time_zone"] = _zone(nodes["time_zone"])
    if "text_encoding" in nodes:
        found["text_encoding"] = _encoding(nodes["text_encoding"])
    facts = ErpCapabilities(name=name, **found)
    return facts, facts.number_follows


def rounding_modes() -> list[str]:
    """The names that a profile uses: ``half_up`` for ROUND_HALF_UP."""
    return sorted(mode.removeprefix("ROUND_").lower() for mode in ROUNDING_MODES)


def _rounding(node: Node, what: str) -> Rounding:
    parts = node.mapping(what, ("places", "mode"))
    if parts.keys() != {"places", "mode"}:
        node.complain(f"{what} needs places and mode, such as {{places: 2, mode: half_up}}")
        return _UNTOLD
    places = parts["places"].whole("places")
    if places is not None and places > MOST_PLACES:
        node.complain(f"{what}: places must be {MOST_PLACES} or less")
        return _UNTOLD
    mode = (parts["mode"].text("mode") or "").strip()
    if mode not in rounding_modes():
        node.complain(f"{what}: no rounding {mode!r}; there are {', '.join(rounding_modes())}")
        return _UNTOLD
    return _UNTOLD if places is None else Rounding(places, f"ROUND_{mode.upper()}")


def _zone(node: Node) -> str:
    name = (node.text("time_zone") or "").strip()
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last one for "Europe"
        node.complain(f"no time zone {name!r}; use a name such as America/Chicago")
        return "UTC"


def _encoding(node: Node) -> str | None:
    name = (node.text("text_encoding") or "").strip()
    if is_encoding(name):
        return codecs.lookup(name).name
    node.complain(f"Python knows no text encoding {name!r}")
    return None
