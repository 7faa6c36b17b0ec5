"""What an adapter refuses by itself, told before it is asked to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from sync.errors import Rejected

P = ParamSpec("P")


def refusal_of(
    prepare: Callable[P, object], *args: P.args, **keywords: P.kwargs
) -> Rejected | None:
    """What preparing an order for the ERP raises of it; it must ask nobody."""
    try:
        prepare(*args, **keywords)
    except Rejected as refusal:
        return refusal
    return None
