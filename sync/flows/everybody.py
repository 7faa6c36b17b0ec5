"""Who acts for which account, over the whole pipeline, by every source that may say so (WA-2).

Where verified e-mail addresses may assign, the ERP is asked about each of them, as the
import does for the user of an order: whoever orders under an account sees it, and nobody
sees one that a later source names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from sync.domain.ids import CustomerId, WebUserId
from sync.domain.mapping import Source
from sync.domain.order import BuyerRecord, WebUser
from sync.errors import Misconfigured, Refusal
from sync.flows.context import Context
from sync.flows.retrying import Retrying
from sync.planning.membership import Members, mapped_accounts
from sync.ports.erp import AccountsFound, FindsContacts, FindsContactsTogether
from sync.ports.state import ContactAnswer
from sync.ports.store import ListsStaffAttributes, ListsVerifiedUsers, ReadsBuyers
from sync.routing import AccountMap, Usable
from sync.secrecy import scrubbed

log = structlog.get_logger()

AT_ONCE = 500
"""Addresses that the ERP is asked for at once, and between two words about how far it is."""


def everybody(context: Context, *, remember: bool = False) -> Mapping[CustomerId, Members]:
    """Every account that somebody is usably assigned to, with who acts for it.

    ``remember`` keeps what the ERP's contacts said, for ``by_our_word``: before whatever
    follows from it is shown. Raises what the store raises, and where addresses assign what
    the ERP raises: a directory that cannot be read is no empty one.
    """
    found = accounts_by_address(context)
    if remember:
        _remember(context, found.answers(context))
    for user, refusal in found.unread.items():
        log.warning("user.address_unread", user=user.value, message=scrubbed(str(refusal)))
    return _mapped(context, by_address=found.accounts, left_out=found.unread.keys())


@dataclass(frozen=True, slots=True)
class OurWord:
    """Who acts for which account, as far as it is known without the ERP.

    ``last``: users of whom their addresses have to tell, none of them among the
    ``members``, each with the account that is theirs by what the ERP's contacts said last;
    where they never said anything of that address, by a source after the addresses. None
    is no account.
    """

    members: Mapping[CustomerId, Members]
    last: Mapping[WebUserId, CustomerId | None]


def by_our_word(context: Context) -> OurWord:
    """The same without the ERP. Raises what the store raises."""
    unsure = {each.web_user: each for each in left_to_addresses(context)}
    known: Mapping[WebUserId, ContactAnswer] = {}
    if unsure:
        with context.state.transaction() as state:
            known = state.contact_answers.known()
    last = {key: _last_word(context.accounts, user, known.get(key)) for key, user in unsure.items()}
    return OurWord(_mapped(context, left_out=unsure.keys()), last)


def _last_word(
    accounts: AccountMap, user: WebUser, said: ContactAnswer | None
) -> CustomerId | None:
    known: Sequence[CustomerId] = ()
    if said is not None and said.is_about(user.verified_email or ""):
        if said.customer_id is None:
            return None
        # Of what they said then, what the mapping still lets anybody have.
        known = (said.customer_id,)
    found = accounts.find(user.web_user, None, BuyerRecord(user=user), known)
    return found.customer_id if isinstance(found, Usable) else None


def forget_decided(context: Context, word: OurWord) -> None:
    """Keep what the ERP's contacts said of nobody of whom another source decides by now.

    Should that assignment end before they can be read again, it leaves nothing behind.
    """
    with context.state.transaction() as state:
        known = state.contact_answers.known()
        state.contact_answers.replace({key: known[key] for key in known.keys() & word.last.keys()})


def _remember(context: Context, answers: Mapping[WebUserId, ContactAnswer]) -> None:
    with context.state.transaction() as state:
        state.contact_answers.replace(answers)


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The accounts with the address of each user whom an address may assign.

    ``unread``: users of whom the ERP cannot tell, and why. Their orders are held, and they
    act for nobody meanwhile, whatever a later source says. ``addresses`` are what was asked
    for, of them all.
    """

    accounts: Mapping[WebUserId, Sequence[CustomerId]]
    unread: Mapping[WebUserId, Refusal]
    addresses: Mapping[WebUserId, str] = field(default_factory=dict)

    def answers(self, context: Context) -> Mapping[WebUserId, ContactAnswer]:
        """Of each who is a contact, or may be, the account that is theirs by that."""
        found: dict[WebUserId, CustomerId | None] = dict.fromkeys(self.unread)
        for user, accounts in self.accounts.items():
            if accounts:
                told = context.accounts.find(user, None, BuyerRecord(), accounts)
                found[user] = told.customer_id if isinstance(told, Usable) else None
        return {
            user: ContactAnswer.to(self.addresses[user], customer_id)
            for user, customer_id in found.items()
        }


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
    for start in range(0, len(addresses), AT_ONCE):
        block = addresses[start : start + AT_ONCE]
        for address, answer in _looked_up(erp, block, retrying):
            if isinstance(answer, Refusal):
                unread[address] = answer
            else:
                found[address] = tuple(answer)
        done = start + len(block)
        context.progress("users: looking for their addresses in the ERP", done, len(addresses))
    return ByAddress(
        {user: found[address] for user, address in users.items() if address in found},
        {user: unread[address] for user, address in users.items() if address in unread},
        users,
    )


def _looked_up(
    erp: FindsContacts, addresses: Sequence[str], retrying: Retrying
) -> Iterator[tuple[str, Sequence[CustomerId] | Refusal]]:
    """Each of these addresses, with the accounts or why the ERP cannot tell them.

    By one question where the ERP takes them together; what that leaves open, and what it
    refuses, each by itself.
    """
    told: Mapping[str, AccountsFound] = {}
    if isinstance(erp, FindsContactsTogether) and len(addresses) > 1:
        with suppress(Refusal):
            told = retrying(erp.accounts_by_emails, addresses)
    for address in addresses:
        if address in told:
            yield address, told[address]
            continue
        try:
            yield address, retrying(erp.accounts_by_email, address)
        except Refusal as refusal:
            yield address, refusal


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
