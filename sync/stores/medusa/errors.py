"""Medusa's errors in ours, where a plain status code does not say enough.

Every write of this connector sets something to what it should be, after a look
at what is there: metadata, members of a group, an address by our tag, a price by
its row. To come again after an answer that was lost is therefore harmless, and
an unknown outcome is TryLater here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
