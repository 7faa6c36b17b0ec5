"""Reads an answer's body within bounds, and JSON without guessing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NoReturn

import urllib3

_PIECE = 64 * 1024
# More digits than any amount; a number such as 1e999999 takes a machine down when it is added.
_MOST_DIGITS = 64


class BadBody(Exception):
    """The body cannot be understood. The message quotes nothing of it."""


class TooLarge(BadBody):
    """There is more of it than anybody wants to hold."""


def read_body(
    raw: urllib3.BaseHTTPResponse,
    *,
    whole: bool = True,
    packed_bytes: int,
    unpacked_bytes: int,
    in_time: Callable[[], bool],
) -> bytes:
    """The whole body, unpacked. Raises TooLarge, BadBody, and what the connection raises.

    ``whole``: it must be as long as the answer says. ``in_time`` is asked after
    each piece: a read time-out never ends a server that sends a byte now and then.
    """
    told = raw.headers.get("Content-Length", "")
    if told.isdigit() and int(told) > packed_bytes:
        raise TooLarge(f"an answer of {told} bytes, more than the {packed_bytes} allowed")
    encoding = raw.headers.get("Content-Encoding", "identity").strip().lower()
    promised = int(told) if whole and told.isdigit() else None
    pieces = _pieces(raw, packed_bytes, promised, in_time)
    if encoding in ("", "identity"):
        return b"".join(pieces)
    if encoding not in ("gzip", "x-gzip"):
        raise BadBody(f"packed as {encoding[:20]!r}, which was not asked for")
    return _unpacked(pieces, unpacked_bytes)


def _pieces(
    raw: urllib3.BaseHTTPResponse,
    most: int,
    promised: int | None,
    in_time: Callable[[], bool],
) -> Iterator[bytes]:
    size = 0
    while piece := raw.read1(_PIECE, decode_content=False):
        size += len(piece)
        if size > most:
            raise TooLarge(f"an answer of more than the {most} bytes allowed")
        if not in_time():
            raise BadBody("the answer took too long to arrive")
        yield piece
    if promised is not None and size < promised:
        raise BadBody("the answer breaks off")


def _unpacked(pieces: Iterator[bytes], most: int) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    whole = bytearray()
    try:
        for piece in pieces:
            waiting = piece
            while waiting:
                whole += unpacker.decompress(waiting, most - len(whole) + 1)
                if len(whole) > most:
                    raise TooLarge(f"an answer that unpacks to more than the {most} bytes allowed")
                waiting = unpacker.unconsumed_tail
    except zlib.error:
        raise BadBody("the answer cannot be unpacked") from None
    if not unpacker.eof:
        raise BadBody("the answer breaks off")
    return bytes(whole)


def strict_json(body: bytes) -> Any:
    """What the bytes say, or BadBody: no NaN, no key twice, no guessed encoding.

    Numbers with a fraction or an exponent are Decimal, as they are spelled.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_constant=_no_number,
            object_pairs_hook=_without_repetition,
        )
    except UnicodeDecodeError:
        raise BadBody("the answer is not UTF-8") from None
    except RecursionError:
        raise BadBody("the answer is nested too deeply") from None
    except ValueError:
        # Python's own message tells where, and json's holds the whole document.
        raise BadBody("the answer is no JSON") from None


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _MOST_DIGITS:
        raise BadBody("the answer holds a number beyond all measure")
    return number


def _no_number(name: str) -> NoReturn:
    raise BadBody(f"the answer holds {name}, which is no number")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadBody("the answer says two things under one name")
    return found
