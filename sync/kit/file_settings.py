"""What all places of files can be told: how large a file may be."""

from __future__ import annotations

from sync.kit.options import Options

MEGABYTE = 1024 * 1024
LIMIT_MB = 20
LARGEST_MB = 1024


def size_limit(given: Options) -> int:
    """``max_file_mb`` in bytes."""
    return given.whole("max_file_mb", LIMIT_MB, 1, LARGEST_MB) * MEGABYTE
