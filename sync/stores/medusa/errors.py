"""Medusa's errors in ours, where a plain status code does not say enough.

Every write of this connector sets something to what it should be, after a look
at what is there: metadata, members of a group, an address by our tag, a price by
its row. To come again after an answer that was lost is therefore harmless, and
an unknown outcome is TryLater here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sync.errors import Misconfigured, OutcomeUnknown, Rejected, TryLater

MODULE_MISSING = (
    "the shop does not have the tradesync module, or an older one; install it as"
    " sync/stores/medusa/README.md says"
)


@contextmanager
def repeatable() -> Iterator[None]:
    """A lost answer inside may be answered by doing the same once more."""
    try:
        yield
    except OutcomeUnknown as error:
        raise TryLater(str(error)) from error


@contextmanager
def module_needed() -> Iterator[None]:
    """A path that only the module has: without it there is nothing to talk to."""
    try:
        yield
    except Rejected as error:
        if error.code == "http_404":
            raise Misconfigured(MODULE_MISSING) from error
        raise


def record_in(body: object, name: str) -> dict[str, Any]:
    """The record that an answer holds under this name.

    Raises TryLater where it is none: a proxy may answer 200 with JSON of its own.
    """
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise _not_told(name)
    return found


def records_in(body: object, name: str) -> list[dict[str, Any]]:
    """The same for a list of them."""
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _not_told(name)
    return found


def number_in(body: object, name: str) -> int:
    """The same for a whole number."""
    found = body.get(name) if isinstance(body, dict) else None
    if isinstance(found, bool) or not isinstance(found, int):
        raise _not_told(name)
    return found


def _not_told(name: str) -> TryLater:
    return TryLater(f"the shop answered with JSON of another shape, without {name}")


def unknown_order(order_id: str) -> Rejected:
    return Rejected(
        f"the store has no order {order_id}",
        code="store_unknown_order",
        remedy="see in the store whether the order was deleted",
    )


def ignored_filter(path: str, what: str) -> Misconfigured:
    """Medusa ignores a filter that it does not know, and answers with everything."""
    return Misconfigured(
        f"{path} answered with what was not asked for ({what}): this version of Medusa does not"
        " know the filter; see in sync/stores/medusa/README.md which versions are known to work"
    )
