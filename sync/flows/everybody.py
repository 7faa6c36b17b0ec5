"""Who acts for which account, over the whole pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from sync.domain.ids import CustomerId
from sync.flows.context import Context
from sync.planning.membership import Members, mapped_accounts
from sync.ports.store import ListsStaffAttributes


def everybody(context: Context) -> Mapping[CustomerId, Members]:
    """Every account that somebody is usably assigned to, with who acts for it.

    Raises what the store raises: a directory that cannot be read is no empty one.
    """
    source = context.store
    attributes = (
        context.retrying()(lambda: list(source.with_staff_attribute()))
        if isinstance(source, ListsStaffAttributes)
        else []
    )
    return mapped_accounts(context.mapping, context.accounts, attributes)
