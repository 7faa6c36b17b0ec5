"""A small JSON Schema validator: the words that our schemas use, and no others."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_SAID = frozenset({"$schema", "$defs", "title", "description"})


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> bool:
    """Whether the value is valid. Raises ValueError for a word that is not known here."""
    root = schema if root is None else root
    return all(
        _keeps(word, demand, value, schema, root)
        for word, demand in schema.items()
        if word not in _SAID
    )


def _keeps(
    word: str, demand: Any, value: Any, schema: dict[str, Any], root: dict[str, Any]
) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match word:
        case "$ref":
            return fits(value, root["$defs"][demand.removeprefix("#/$defs/")], root)
        case "anyOf":
            return any(fits(value, each, root) for each in demand)
        case "type":
            return isinstance(value, _TYPES[demand]) and (
                demand == "boolean" or not isinstance(value, bool)
            )
        case "enum":
            return value in demand
        case "const":
            return bool(value == demand)
        case "required":
            return not isinstance(value, dict) or all(name in value for name in demand)
        case "properties":
            return not isinstance(value, dict) or all(
                fits(value[name], each, root) for name, each in demand.items() if name in value
            )
        case "additionalProperties":
            if not isinstance(value, dict):
                return True
            others = [value[name] for name in value if name not in schema.get("properties", {})]
            if isinstance(demand, bool):
                return demand or not others
            return all(fits(each, demand, root) for each in others)
        case "propertyNames":
            return not isinstance(value, dict) or all(fits(name, demand, root) for name in value)
        case "items":
            return not isinstance(value, list) or all(fits(each, demand, root) for each in value)
        case "minItems" | "minProperties":
            return not isinstance(value, list | dict) or len(value) >= demand
        case "minLength":
            return not isinstance(value, str) or len(value) >= demand
        case "maxLength":
            return not isinstance(value, str) or len(value) <= demand
        case "pattern":
            return not isinstance(value, str) or re.search(demand, value) is not None
        case "minimum":
            return not number or value >= demand
        case "maximum":
            return not number or value <= demand
        case "exclusiveMinimum":
            return not number or value > demand
    raise ValueError(f"no validator here knows {word!r}")
