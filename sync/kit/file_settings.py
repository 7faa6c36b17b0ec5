"""What all places of files can be told: how large a file may be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

MEGABYTE = 1024 * 1024
LIMIT_MB = 20
LARGEST_MB = 1024


def size_limit(options: Mapping[str, object], problems: list[str]) -> int:
    """``max_file_mb`` in bytes; what is wrong with it goes into ``problems``."""
    given = options.get("max_file_mb", LIMIT_MB)
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or not 1 <= int(str(given)) <= LARGEST_MB:
        problems.append(f"max_file_mb: not a whole number from 1 to {LARGEST_MB}: {given!r}")
        return LIMIT_MB * MEGABYTE
    return int(str(given)) * MEGABYTE


def unknown(
    options: Collection[str], known: Collection[str], secrets: Collection[str], few: Collection[str]
) -> list[str]:
    """A problem for each option and secret that is not known."""
    found = [f"{name}: no such option" for name in sorted(set(options) - set(known))]
    return found + [f"secrets.{name}: no such secret" for name in sorted(set(secrets) - set(few))]
