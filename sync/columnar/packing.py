"""Vectors as few bytes: Arrow's own layout, compressed as a whole (zstd).

Their columns are known, so no schema is among the bytes. A vector that differs little
from another one is only what differs: a hundred bytes for a price or two.
"""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

from sync.columnar.differences import Difference, changed
from sync.columnar.vectors import SCHEMA

_LEVEL = 3
_QUICK_LEVEL = -5
_WHOLE, _DIFFERING = b"W", b"D"
_LENGTH = struct.Struct("<Q")
_COUNTS = struct.Struct("<II")


def pack(vector: pa.Table) -> bytes:
    """The vector by itself."""
    return _WHOLE + _compressed(_rows(vector))


def pack_quickly(rows: pa.Table) -> bytes:
    """The same for rows that are put aside for a moment only: it may take more room."""
    return _WHOLE + _compressed(_rows(rows), _QUICK_LEVEL)


def pack_difference(found: Difference, vector: pa.Table) -> bytes:
    """The vector as what it is different in from another one, which unpacking needs."""
    counts = _COUNTS.pack(len(found.gone), len(found.come))
    rows = _rows(vector.take(found.come))
    return _DIFFERING + _compressed(counts + _bytes(found.gone) + _bytes(found.come) + rows)


def unpack(content: bytes, base: pa.Table | None = None) -> pa.Table:
    """The vector again. Raises ValueError for other bytes, or without the base it needs."""
    kind, plain = content[:1], _plain(content[1:])
    if kind == _WHOLE:
        return _table(plain)
    if kind != _DIFFERING or base is None:
        raise ValueError("not a packed vector, or the one is missing that it differs from")
    gone, come = _COUNTS.unpack_from(plain)
    middle = _COUNTS.size + 4 * gone
    end = middle + 4 * come
    places = [_places(plain[_COUNTS.size : middle], gone), _places(plain[middle:end], come)]
    return changed(base, places[0], _table(plain[end:]), places[1])


def _rows(vector: pa.Table) -> bytes:
    batches = vector.combine_chunks().to_batches()
    if not batches:
        batches = [pa.RecordBatch.from_pylist([], schema=SCHEMA)]
    return bytes(batches[0].serialize())


def _table(plain: bytes) -> pa.Table:
    batch = pa.ipc.read_record_batch(pa.py_buffer(plain), SCHEMA)
    return pa.Table.from_batches([batch], SCHEMA)


def _compressed(plain: bytes, level: int = _LEVEL) -> bytes:
    packed = pa.Codec("zstd", compression_level=level).compress(plain, asbytes=True)
    return _LENGTH.pack(len(plain)) + packed


def _plain(content: bytes) -> bytes:
    try:
        (length,) = _LENGTH.unpack_from(content)
        plain: bytes = pa.Codec("zstd").decompress(content[_LENGTH.size :], length, asbytes=True)
    except (struct.error, OSError, pa.ArrowException) as error:
        raise ValueError("not a packed vector") from error
    return plain


def _bytes(places: pa.Array[Any]) -> bytes:
    # Also where nothing is: there is no buffer then.
    buffer = places.cast(pa.int32()).buffers()[1]
    return bytes(buffer)[: 4 * len(places)] if buffer is not None else b""


def _places(plain: bytes, count: int) -> pa.Array[Any]:
    found = pa.Array.from_buffers(pa.int32(), count, [None, pa.py_buffer(plain)])
    return found.cast(pa.int64())
