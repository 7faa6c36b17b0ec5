"""What lets a process of the tests waste less of its time."""

from __future__ import annotations

import functools
import sys
import typing

from sync.cli.garbage import search_less_often


def keep_pace() -> None:
    """For the whole process."""
    # As every command of the service does. A test builds whole worlds and drops them.
    search_less_often()
    _ask_protocols_once()


def _ask_protocols_once() -> None:
    """Until 3.12 Python gathers a protocol's members anew whenever an object is held
    against it; of a random schedule that was a fifth."""
    held = vars(typing)
    for name in ("_get_protocol_attrs", "_is_callable_members_only"):
        if sys.version_info < (3, 12) and not hasattr(held[name], "cache_info"):
            held[name] = functools.cache(held[name])
