"""Domain documents as plain JSON values and back, without loss.

Decimals become text with their scale, times ISO 8601, keys their text, enums
their value. Where a field may hold one of several classes, the object carries
``"is"`` with the class name. Used for payloads, frozen instructions and
fingerprints; what it writes must stay readable to operators and to later
versions: a field that is missing takes its default, an unknown one is ignored.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sync.domain.ids import Key

T = TypeVar("T")


def encode(value: object) -> Any:
    """The value in JSON's own types. Raises TypeError for what has no encoding."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Key):
        return value.value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(encode(item) for item in value)
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        body = {"is": type(value).__name__}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            # Left out only where reading puts it back: what has no default must stand there.
            if (item is None or item == ()) and item == field.default:
                continue
            body[field.name] = encode(item)
        return body
    raise TypeError(f"no encoding for {type(value).__name__}")


def dumps(value: object) -> str:
    """Canonical JSON text: equal values give equal text.

    A lone surrogate, which a broken client may send and no database stores,
    makes the whole text ASCII with escapes, so that nothing is lost over it.
    """
    body = encode(value)
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        text = json.dumps(body, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return text


def loads(kind: type[T] | Any, text: str) -> Any:
    """The value of that type. Raises ValueError for text that is none."""
    return decode(kind, json.loads(text))


def fingerprint(value: object) -> str:
    """SHA-256 over the canonical JSON, in hexadecimal."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()


def decode(kind: Any, value: Any) -> Any:
    """The JSON value as that type. Raises ValueError where it does not fit."""
    try:
        return _decoder(kind)(value)
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"not a {kind}: {error}") from error


@functools.cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        parts = [_decoder(argument) for argument in arguments]
        return lambda value: tuple(part(each) for part, each in zip(parts, value, strict=True))
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda value: tuple(item(each) for each in value)
    if origin is frozenset:
        item = _decoder(arguments[0])
        return lambda value: frozenset(item(each) for each in value)
    if origin is dict:
        item = _decoder(arguments[1])
        return lambda value: {key: item(each) for key, each in value.items()}
    if kind is Decimal:
        return Decimal
    if kind in (datetime, date):
        return typing.cast("Callable[[Any], Any]", kind.fromisoformat)
    if isinstance(kind, type) and issubclass(kind, Key | enum.Enum):
        return kind
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast("type[Any]", kind))
    return lambda value: value


def _union(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    choices = [argument for argument in arguments if argument is not types.NoneType]
    if len(choices) == 1:
        only = _decoder(choices[0])
        return lambda value: None if value is None else only(value)
    named = {choice.__name__: _decoder(choice) for choice in choices}

    def choose(value: Any) -> Any:
        return None if value is None else named[value["is"]](value)

    return choose


def _record(kind: type[Any]) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    decoders = {
        field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind) if field.init
    }

    def build(value: Any) -> Any:
        return kind(
            **{name: decoder(value[name]) for name, decoder in decoders.items() if name in value}
        )

    return build
