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
    return _encoder(type(value))(value)


def _as_it_is(value: Any) -> Any:
    return value


def _each(value: Any) -> list[Any]:
    return [_encoder(type(item))(item) for item in value]


_ENCODERS: dict[type[Any], Callable[[Any], Any]] = {}


def _encoder(kind: type[Any]) -> Callable[[Any], Any]:
    """How values of exactly this type are encoded; made once, since orders have many of each."""
    found = _ENCODERS.get(kind)
    if found is None:
        found = _ENCODERS[kind] = _made_encoder(kind)
    return found


def _made_encoder(kind: type[Any]) -> Callable[[Any], Any]:
    if issubclass(kind, types.NoneType | bool | str) and not issubclass(kind, enum.Enum):
        return _as_it_is
    if issubclass(kind, enum.Enum | Key):
        return lambda value: value.value
    if issubclass(kind, int):
        return _as_it_is
    if issubclass(kind, Decimal):
        return lambda value: f"{value:f}"
    if issubclass(kind, datetime | date):
        return lambda value: value.isoformat()
    if issubclass(kind, tuple | list):
        return _each
    if issubclass(kind, frozenset):
        return lambda value: sorted(_each(value))
    if issubclass(kind, dict):
        return lambda value: {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _record_encoder(kind)
    raise TypeError(f"no encoding for {kind.__name__}")


def _record_encoder(kind: Any) -> Callable[[Any], Any]:
    # Left out only where reading puts it back: what has no default must stand there.
    fields = [
        (field.name, field.default is None, field.default == ())
        for field in dataclasses.fields(kind)
    ]
    name_of_kind = kind.__name__

    def record(value: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"is": name_of_kind}
        for name, none_is_default, empty_is_default in fields:
            item = getattr(value, name)
            if item is None:
                if not none_is_default:
                    body[name] = None
            elif not (empty_is_default and item == ()):
                body[name] = _encoder(type(item))(item)
        return body

    return record


def dumps(value: object) -> str:
    """Canonical JSON text: equal values give equal text.

    A lone surrogate, which a broken client may send and no database stores,
    makes the whole text ASCII with escapes, so that nothing is lost over it.
    """
    return _text(encode(value))


def _text(body: Any) -> str:
    text = _CANONICAL.encode(body)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _ESCAPED.encode(body)
    return text


_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_ESCAPED = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def loads(kind: type[T] | Any, text: str) -> Any:
    """The value of that type. Raises ValueError for text that is none."""
    return decode(kind, json.loads(text))


def fingerprint(value: object) -> str:
    """SHA-256 over the canonical JSON, in hexadecimal."""
    return fingerprint_of(encode(value))


def fingerprint_of(body: object) -> str:
    """The fingerprint of what ``encode`` gave: to encode it again would change nothing."""
    return hashlib.sha256(_text(body).encode()).hexdigest()


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
    decoders = [
        (field.name, _decoder(hints[field.name]))
        for field in dataclasses.fields(kind)
        if field.init
    ]

    def build(value: Any) -> Any:
        return kind(**{name: decoder(value[name]) for name, decoder in decoders if name in value})

    return build
