"""Who acts for which account, over the whole pipeline, by every source that may say so (WA-2).

Where verified e-mail addresses may assign, the ERP is asked about each of them, as the
import does for the user of an order: whoever orders under an account sees it, and nobody
sees one that a later source names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from sync.domain.ids import CustomerId, WebUserId
from sync.domain.mapping import Source
from sync.domain.order import BuyerRecord, WebUser
from sync.errors import Misconfigured, Refusal
from sync.flows.context import Context
from sync.planning.membership import Members, mapped_accounts
from sync.ports.erp import FindsContacts
from sync.ports.store import ListsStaffAttributes, ListsVerifiedUsers, ReadsBuyers
from sync.secrecy import scrubbed

log = structlog.get_logger()

TOLD_EVERY = 500
"""Addresses between two words about how far the looking for them is."""


def everybody(context: Context) -> Mapping[CustomerId, Members]:
    """Every account that somebody is usably assigned to, with who acts for it.

    Raises what the store raises, and where addresses assign what the ERP raises: a
    directory that cannot be read is no empty one.
    """
    found = accounts_by_address(context)
    for user, refusal in found.unread.items():
        log.warning("user.address_unread", user=user.value, message=scrubbed(str(refusal)))
    return _mapped(context, by_address=found.accounts, left_out=found.unread.keys())


def by_our_word(context: Context) -> tuple[Mapping[CustomerId, Members], Collection[WebUserId]]:
    """The same without the ERP, and the users of whom only their addresses tell.

    Nothing is said of these: none of them is among the members. Raises what the store
    raises.
    """
    unsure = frozenset(each.web_user for each in left_to_addresses(context))
    return _mapped(context, left_out=unsure), unsure


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The accounts with the address of each user whom an address may assign.

    ``unread``: users of whom the ERP cannot tell, and why. Their orders are held, and they
    act for nobody meanwhile, whatever a later source says.
    """

    accounts: Mapping[WebUserId, Sequence[CustomerId]]
    unread: Mapping[WebUserId, Refusal]


def accounts_by_address(context: Context) -> ByAddress:
    """Raises Misconfigured where the ERP cannot be asked for addresses."""
    users = {each.web_user: each.verified_email or "" for each in left_to_addresses(context)}
    if not users:
        return ByAddress({}, {})
    erp, retrying = context.erp, context.retrying()
    if not isinstance(erp, FindsContacts):
        raise Misconfigured(
            "precedence in customers.yaml names erp_email, but this ERP is not searched by e-mail"
            " address; take erp_email out of it"
        )
    addresses = sorted(set(users.values()))
    found: dict[str, Sequence[CustomerId]] = {}
    unread: dict[str, Refusal] = {}
    for done, address in enumerate(addresses, 1):
        try:
            found[address] = tuple(retrying(erp.accounts_by_email, address))
        except Refusal as refusal:
            unread[address] = refusal
        if not done % TOLD_EVERY or done == len(addresses):
            context.progress("users: looking for their addresses in the ERP", done, len(addresses))
    return ByAddress(
        {user: found[address] for user, address in users.items() if address in found},
        {user: unread[address] for user, address in users.items() if address in unread},
    )


def left_to_addresses(context: Context) -> Iterator[WebUser]:
    """Users with a verified address whom no source says anything of before the addresses."""
    precedence = context.mapping.precedence
    if Source.ERP_EMAIL not in precedence:
        return
    before = replace(context.accounts, precedence=precedence[: precedence.index(Source.ERP_EMAIL)])
    for user in _verified(context):
        if before.find(user.web_user, None, BuyerRecord(user=user)) is None:
            yield user


def _verified(context: Context) -> list[WebUser]:
    directory, retrying = context.store, context.retrying()
    if isinstance(directory, ListsVerifiedUsers):
        return retrying(lambda: list(directory.with_verified_email()))
    if not isinstance(directory, ReadsBuyers):
        return []
    keys = retrying(lambda: list(directory.web_users()))
    known = [retrying(directory.buyer, key, None).user for key in keys]
    return [user for user in known if user is not None and user.verified_email is not None]


def _mapped(
    context: Context,
    *,
    by_address: Mapping[WebUserId, Sequence[CustomerId]] | None = None,
    left_out: Collection[WebUserId] = (),
) -> Mapping[CustomerId, Members]:
    source = context.store
    attributes = (
        context.retrying()(lambda: list(source.with_staff_attribute()))
        if isinstance(source, ListsStaffAttributes)
        else []
    )
    return mapped_accounts(
        context.mapping, context.accounts, attributes, by_address or {}, left_out
    )
