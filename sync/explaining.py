"""Why: answers about a user, an order, a price or an invoice, step by step (OP-3).

Nothing is written. The same answers serve the command line and the console.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sync.domain.account import AccountStatus
from sync.domain.codec import encode
from sync.domain.decision import Admitted, Quarantined, Waits
from sync.domain.ids import (
    CustomerId,
    InvoiceNumber,
    LocationId,
    OrganisationId,
    Sku,
    WebUserId,
)
from sync.domain.money import plain
from sync.domain.order import BuyerRecord
from sync.domain.pricing import Price, PriceQuestion, effective_price, scopes_of
from sync.flows.context import Context, needs
from sync.flows.lookups import Lookups
from sync.flows.mirroring import chunks, members_of_accounts
from sync.flows.orders.discovery import order_id_of
from sync.ports.erp import (
    Finding,
    FindingLevel,
    ReadsAccounts,
    ReadsInvoices,
    TellsUnreadable,
    UnreadableRecord,
)
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsInvoices, ReadsBuyers, ReadsWebOrders
from sync.routing import Unusable, Usable

Answer = dict[str, Any]


def explain_order(context: Context, name: str) -> Answer:
    """What became of the order and why; where it is still open, what would become of it now."""
    order_id = order_id_of(context, name)
    with context.state.transaction() as state:
        entry = state.ledger.entry(order_id)
        history = state.ledger.history(order_id)
    answer: Answer = {"order": name, "steps": []}
    steps: list[str] = answer["steps"]
    if entry is None:
        steps.append("The ledger does not know this order.")
    else:
        answer["state"] = entry.state.value
        answer["erp_order"] = entry.erp_order.value if entry.erp_order else None
        steps.append(f"The ledger has it as {entry.state.value}, attempts: {entry.attempts}.")
        if entry.decision is not None:
            decision = entry.decision
            kind = "retail group" if decision.retail else "account"
            steps.append(
                f"Decided for {kind} {decision.customer_id} by {decision.rule} "
                f"with mapping {decision.mapping_version}."
            )
            steps.extend(decision.trail)
            steps.extend(f"flag: {flag}" for flag in decision.flags)
        if entry.waiting_sentence:
            steps.append(f"It waits: {entry.waiting_sentence}")
        steps.extend(
            f"{each.rule} {each.code}: {each.sentence} Way out: {each.remedy}"
            for each in entry.problems
        )
        steps.extend(entry.trail if entry.decision is None else ())
        steps.extend(entry.differences)
        answer["history"] = [
            f"{event.at:%Y-%m-%d %H:%M:%S} {event.event} ({event.actor}) {event.detail}".rstrip()
            for event in history
        ]
    if entry is None or entry.imported_at is None:
        answer["now"] = _would_become(context, name)
    return answer


def _would_become(context: Context, name: str) -> list[str]:
    store = needs(context.store, ReadsWebOrders, "the store")
    order = store.order(order_id_of(context, name))
    if order is None:
        return ["The store shows no such order."]
    outcome = Lookups(context).judge(order)
    match outcome:
        case Admitted(instruction, decision):
            return [
                f"If it were imported now: into {instruction.sold_to} by {decision.rule}.",
                *decision.trail,
                *(f"flag: {flag}" for flag in decision.flags),
            ]
        case Waits(code, sentence, rule):
            return [f"Now it would wait ({rule} {code}): {sentence}"]
        case Quarantined(problems, trail):
            said = [f"{each.rule} {each.code}: {each.sentence}" for each in problems]
            return ["Now it would be quarantined:", *said, *trail]
        case _:
            return [f"Now it would be closed ({outcome.rule}): {outcome.sentence}"]


def explain_user(context: Context, user: str, organisation: str | None = None) -> Answer:
    """Under which account the user orders, in which context, and what says so."""
    directory = needs(context.store, ReadsBuyers, "the store")
    web_user = WebUserId(user)
    company = OrganisationId(organisation) if organisation else None
    record = directory.buyer(web_user, company)
    steps: list[str] = []
    if record.user is None:
        steps.append(f"The store's directory does not know user {user}.")
    contexts: list[OrganisationId | None] = [company] if company else [None]
    if company is None and record.user is not None:
        contexts.extend(each.organisation for each in record.user.memberships)
    for each in contexts:
        own = directory.buyer(web_user, each) if each is not None else record
        steps.extend(_assignment(context, web_user, each, own))
    return {"user": user, "mapping": context.mapping.version, "steps": steps}


def _assignment(
    context: Context, user: WebUserId, organisation: OrganisationId | None, record: BuyerRecord
) -> list[str]:
    where = f"for organisation {organisation}" if organisation else "in person"
    order = " then ".join(source.value for source in context.accounts.precedence)
    found = context.accounts.find(user, organisation, record)
    if isinstance(found, Usable):
        contact = f", contact {found.contact}" if found.contact else ""
        return [f"Acting {where}: customer {found.customer_id}{contact}, by {found.rule}."]
    if isinstance(found, Unusable):
        return [f"Acting {where}: {found.problem.sentence} {found.problem.remedy}"]
    told = [f"Acting {where}: nobody assigned a customer ID (looked at {order})."]
    return told if organisation is not None else told + _retail_lines(context)


def _retail_lines(context: Context) -> list[str]:
    lines = []
    for channel in context.mapping.channels.values():
        groups = ", ".join(group.customer_id.value for group in channel.retail_groups)
        lines.append(
            f"  on channel {channel.channel_id} ({channel.mode.value}): "
            + (f"retail group {groups}" if groups else "quarantined, nobody is retail here (WA-2a)")
        )
    return lines


def explain_price(
    context: Context,
    customer: str,
    sku: str,
    *,
    quantity: Decimal,
    unit: str | None,
    currency: str | None,
    day: date | None,
    location: str | None = None,
) -> Answer:
    """The ERP's effective price for an account or retail group, with what it won over."""
    lookups = Lookups(context)
    customer_id = CustomerId(customer)
    account = lookups.account(customer_id)
    if account is None:
        return {"steps": [f"The ERP has no customer {customer}."], "price": None}
    place = LocationId(location) if location else None
    scopes = scopes_of(customer_id, account.price_groups, place)
    entries = lookups.entries(scopes, [Sku(sku)]).get(Sku(sku), [])
    at = day or context.today()
    money = currency or (account.currencies[0] if account.currencies else "")
    named_unit = unit or (entries[0].key.unit if entries else "")
    steps = [f"Looked at {', '.join(str(scope) for scope in scopes)}: {len(entries)} entries."]
    decided = None
    if entries and money:
        question = PriceQuestion(Sku(sku), named_unit, money, quantity, at)
        decided = effective_price(entries, question)
    if decided is None:
        steps.append(f"None counts for {plain(quantity)} {named_unit} in {money} on {at}.")
        return {"steps": steps, "price": None}
    steps.append(f"Decides: {_entry(decided.price)}")
    steps.extend(f"Passed over: {_entry(each)}" for each in decided.passed_over)
    price = decided.price.value.unit_price
    if price is None or (price == 0 and context.mapping.zero_price_means_call):
        steps.append('The store shows "call for pricing".')
        price = None
    return {"steps": steps, "price": f"{price:f} {money}" if price is not None else None}


def _entry(entry: Price) -> str:
    key, value = entry.key, entry.value
    until = f" until {value.valid_until}" if value.valid_until else ""
    since = f" from {key.valid_from}" if key.valid_from else ""
    price = f"{value.unit_price:f}" if value.unit_price is not None else "call for pricing"
    return (
        f"{key.scope}, list {key.price_list or '-'}: {price} {key.currency} per {key.unit} "
        f"from {plain(key.min_quantity)}{since}{until}"
    )


def explain_invoice(context: Context, customer: str, number: str) -> Answer:
    """Whether and why the store shows an invoice, and to whom."""
    customer_id = CustomerId(customer)
    if customer_id in context.mapping.retail_groups:
        told = f"{customer} is a retail group: its invoices go to nobody (WA-8)."
        return {"shown": False, "steps": [told]}
    erp = needs(context.erp, ReadsInvoices, "the ERP")
    wanted = InvoiceNumber(number)
    held = {each.number: each for each in erp.invoices([customer_id])}
    members = members_of_accounts(context, ResyncScope(customer=customer))
    store = needs(context.store, MirrorsInvoices, "the store")
    shown = (customer_id, wanted) in store.shown_invoices([customer_id])
    steps = [
        f"The ERP has invoice {number} for {customer}."
        if wanted in held
        else f"The ERP has no invoice {number} for {customer}."
    ]
    if customer_id in members:
        who = members[customer_id]
        names = [f"organisation {each}" for each in who.organisations]
        names += [f"user {each}" for each in who.users]
        steps.append(f"The account is mapped: {', '.join(names) or 'by an exception only'}.")
    else:
        steps.append("Nobody in the store is mapped to the account, so nothing is mirrored.")
    steps.append("The store shows it." if shown else "The store does not show it.")
    invoice = encode(held[wanted]) if wanted in held else None
    return {"shown": shown, "steps": steps, "invoice": invoice}


_STOPPED = frozenset({AccountStatus.SUSPENDED, AccountStatus.CLOSED})


def _odd_customers(context: Context) -> Mapping[CustomerId, UnreadableRecord]:
    records = context.erp.take_unreadable() if isinstance(context.erp, TellsUnreadable) else ()
    return {record.customer: record for record in records if record.customer is not None}


def mapping_findings(context: Context) -> list[Finding]:
    """What the mapping names and the ERP does not have, or has inactive (WA-2c).

    An account that the ERP has and that cannot be read is told as that.
    """
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    _odd_customers(context)  # what was read before is none of ours
    wanted = sorted(members_of_accounts(context, ResyncScope()))
    groups = sorted(context.mapping.retail_groups.customer_ids)
    found: list[Finding] = []
    for batch in chunks([*wanted, *groups], context.limits.accounts_per_read):
        accounts: Mapping[CustomerId, Any] = erp.accounts(batch)
        odd = _odd_customers(context)
        for customer_id in batch:
            account = accounts.get(customer_id)
            if account is None and customer_id in odd:
                said = f"the ERP's record of it cannot be read: {odd[customer_id]}"
                fix = "Correct the record in the ERP, or the statement in the profile."
            elif account is None:
                said, fix = "the ERP has no such customer", "Correct the ID in the mapping files."
            elif account.effective_status is AccountStatus.PROSPECT:
                said, fix = "is only a prospect in the ERP", "Make it a customer in the ERP."
            elif not account.active or account.effective_status in _STOPPED:
                said, fix = "is inactive in the ERP", "Reactivate it, or map the buyers elsewhere."
            else:
                continue
            found.append(Finding(f"customer {customer_id}", FindingLevel.WARNING, said, fix))
    if not found:
        told = f"the ERP has all {len(wanted)} mapped accounts and {len(groups)} retail groups"
        found.append(Finding("mapping", FindingLevel.OK, told))
    return found
