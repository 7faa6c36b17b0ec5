"""Why: answers about a user, an order, a price or an invoice, step by step (OP-3).

Nothing is written. The answers are for the command line. Where neither a system nor
the mapping knows what is asked about, ``found`` is False; else it may be left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sync.domain.account import Item
from sync.domain.channel import RetailGroup
from sync.domain.codec import encode
from sync.domain.decision import Admitted, Quarantined, Waits
from sync.domain.document import Document, DocumentKind, DocumentRecord
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    DocumentNumber,
    InvoiceNumber,
    LocationId,
    OrganisationId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.mapping import Source
from sync.domain.money import plain
from sync.domain.order import BuyerRecord
from sync.domain.pricing import (
    EffectivePrice,
    Price,
    PriceQuestion,
    PriceScope,
    scopes_of,
)
from sync.domain.unit_prices import UnitPrice, unit_price
from sync.errors import Rejected
from sync.flows.context import Context, needs
from sync.flows.lookups import Lookups
from sync.flows.mirroring import members_of_accounts
from sync.flows.orders.discovery import look_up
from sync.flows.orders.foreseeing import WOULD_REFUSE, outlook
from sync.mapping.problems import suggestion
from sync.mapping_check import ErpKeys
from sync.planning.documents import told_version
from sync.ports.audit import AuditEntry, AuditFilter, RecordKind
from sync.ports.erp import ReadsDocuments, ReadsInvoices, ReadsItems
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.ports.state import LedgerEntry, LedgerEvent, ResyncScope, Transaction
from sync.ports.store import (
    FindsShownDocuments,
    FindsShownInvoices,
    MirrorsDocuments,
    MirrorsInvoices,
    ReadsBuyers,
    ReadsWebOrders,
)
from sync.records import account_records
from sync.routing import Told, Unusable, Usable

Answer = dict[str, Any]


def explain_order(context: Context, name: str) -> Answer:
    """What became of the order and why; where it is still open, what would become of it now."""
    looked = look_up(context, name)
    order_id = looked.order_id
    with context.state.transaction() as state:
        entry = state.ledger.entry(order_id)
        history = state.ledger.history(order_id)
        settlements = state.settlements.of(order_id)
        decisions = _decisions(state, RecordKind.ORDER, order_id.value, _IN_HISTORY)
    answer: Answer = {"order": name, "steps": []}
    steps: list[str] = answer["steps"]
    if entry is None:
        steps.append("The ledger does not know this order.")
        if order_id.value != name:
            steps.append(f"The store has it under the key {order_id}, and nobody read it yet.")
        steps.extend(looked.tried)
    else:
        answer["state"] = entry.state.value
        answer["erp_order"] = entry.erp_order.value if entry.erp_order else None
        answer["mapping"] = entry.mapping_version
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
        elif entry.mapping_version is not None:
            steps.append(f"Decided by mapping {entry.mapping_version}.")
        if entry.waiting_sentence:
            steps.append(f"It waits: {entry.waiting_sentence}")
        steps.extend(map(str, entry.problems))
        steps.extend(entry.trail if entry.decision is None else ())
        steps.extend(entry.differences)
        steps.extend(filter(None, map(_settled, settlements)))
        answer["decisions"] = decisions
        answer["history"] = [
            f"{event.at:%Y-%m-%d %H:%M:%S} {event.event} ({event.actor}) {event.detail}".rstrip()
            for event in history
        ]
    if entry is None or entry.imported_at is None:
        answer.update(_would_become(context, order_id, entry, _refused_at(history)))
    answer["found"] = entry is not None or answer["outlook"] is not None
    return answer


def _refused_at(history: Sequence[LedgerEvent]) -> datetime | None:
    """When the ERP itself refused the order, if its last attempt ended so."""
    held = [each for each in history if each.event in ("quarantined", "refused_by_erp")]
    if not held:
        return None
    last = held[-1]
    asked = last.detail.startswith("erp_refused: ") and WOULD_REFUSE not in last.detail
    return last.at if asked or last.event != "quarantined" else None


_IN_HISTORY = ("order.replayed", "order.dismissed", "person.erased")
# Of the decisions about one record so many are told; `tradesync audit` tells all.
_DECISIONS = 5


def _decisions(
    state: Transaction, kind: RecordKind, key: str, but: Collection[str] = ()
) -> list[str]:
    """What people decided about the record, newest first; not the kinds in ``but``."""
    found = state.audit.entries(AuditFilter(record=(kind, key)), limit=50, records=1_000)
    told = [_decision(each, kind, key) for each in found if each.action not in but]
    more = f"and more: tradesync audit --{kind.value} {key}"
    return told[:_DECISIONS] + ([more] if len(told) > _DECISIONS else [])


def _decision(entry: AuditEntry, kind: RecordKind, key: str) -> str:
    its = next((each for each in entry.records if (each.kind, each.key) == (kind, key)), None)
    change = f" {its.before or '-'} -> {its.after or '-'}" if its and its.before + its.after else ""
    begun = ", begun" if entry.begun else ""
    why = f": {entry.reason}" if entry.reason else ""
    return f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.action}{change} ({entry.actor}{begun}){why}"


def _settled(settlement: Settlement) -> str | None:
    """A capture or a refund in a sentence (OI-10); None for what says nothing by itself."""
    amount, at = settlement.amount, f"{settlement.changed_at:%Y-%m-%d %H:%M} UTC"
    under = f" under the key {settlement.key}" if settlement.key else ""
    number = f" as {settlement.reference}" if settlement.reference else ""
    match settlement.kind, settlement.state:
        case SettlementKind.SHIPPED, SettlementState.WANTED:
            return "Something has been shipped: what is to be captured for it is still to be seen."
        case SettlementKind.CAPTURE, SettlementState.DONE:
            return f"The store captured {amount} at {at}{under}."
        case SettlementKind.CAPTURE, SettlementState.FOR_A_PERSON:
            return f"The store refused at {at} to capture {amount}."
        case SettlementKind.CAPTURE, SettlementState.DROPPED:
            return f"A capture of {amount} did not reach the store, and was dropped at {at}."
        case SettlementKind.CAPTURE, _:
            return f"The store was asked at {at} to capture {amount}{under}: no answer yet."
        case SettlementKind.REFUND, SettlementState.DONE:
            return f"Refund {settlement.number} of {amount} is credited in the ERP{number}."
        case SettlementKind.REFUND, SettlementState.FOR_A_PERSON:
            return f"Refund {settlement.number} of {amount} is for a person since {at}."
        case SettlementKind.REFUND, SettlementState.ASKED:
            told = f"The ERP was asked at {at} to credit refund {settlement.number} of {amount}"
            return f"{told}{under}: no answer yet."
        case SettlementKind.REFUND, _:
            return f"Refund {settlement.number} of {amount} is still to be seen to."
    return None


def _would_become(
    context: Context, order_id: WebOrderId, entry: LedgerEntry | None, refused_at: datetime | None
) -> Answer:
    """``now`` in words, and ``outlook`` the same for programs."""
    store = needs(context.store, ReadsWebOrders, "the store")
    order = store.order(order_id)
    if order is None:
        return {"now": ["The store shows no such order."], "outlook": None}
    if entry is not None:
        key = entry.key
    else:
        with context.state.transaction() as state:
            key = state.ledger.key_of(order)
    outcome = outlook(Lookups(context), order, key)
    told: Answer = {"outcome": type(outcome).__name__.lower()}
    match outcome:
        case Admitted(instruction, decision):
            told |= {"customer": instruction.sold_to.value, "rule": decision.rule}
            now = [f"If it were imported now: into {instruction.sold_to} by {decision.rule}."]
            if refused_at is not None:
                told["erp_refused_at"] = refused_at.isoformat(timespec="seconds")
                now.append(
                    f"But the ERP itself refused it at {refused_at:%Y-%m-%d %H:%M} UTC, and will"
                    " again where nothing was corrected: only sending it tells."
                )
            now += [
                *decision.trail,
                *(f"flag: {flag}" for flag in decision.flags),
            ]
        case Waits(code, sentence, rule):
            told |= {"code": code, "rule": rule, "sentence": sentence}
            now = [f"Now it would wait ({rule} {code}): {sentence}"]
        case Quarantined(problems, trail):
            told["problems"] = [asdict(each) for each in problems]
            now = ["Now it would be quarantined:", *map(str, problems), *trail]
        case _:
            told |= {"rule": outcome.rule, "sentence": outcome.sentence}
            now = [f"Now it would be closed ({outcome.rule}): {outcome.sentence}"]
    return {"now": now, "outlook": told}


def explain_user(context: Context, user: str, organisation: str | None = None) -> Answer:
    """Under which account the user orders, in each context, and what every source says.

    ``contexts`` holds one answer for the user in person and one for each
    organisation (or only for the one asked about); ``steps`` the same in words.
    """
    directory = needs(context.store, ReadsBuyers, "the store")
    web_user = WebUserId(user)
    company = OrganisationId(organisation) if organisation else None
    record = directory.buyer(web_user, company)
    steps, found = _strangers(context, record, web_user, company)
    wanted: list[OrganisationId | None] = [company] if company else [None]
    if company is None and record.user is not None:
        wanted.extend(each.organisation for each in record.user.memberships)
    contexts = []
    for each in wanted:
        own = directory.buyer(web_user, each) if each is not None else record
        told = _assigned(context, web_user, each, own)
        contexts.append(told)
        steps.extend(told["steps"])
    with context.state.transaction() as state:
        decisions = _decisions(state, RecordKind.USER, user)
        for each in filter(None, wanted):
            theirs = _decisions(state, RecordKind.ORGANISATION, each.value)
            decisions += [f"organisation {each}: {one}" for one in theirs]
    return {
        "user": user,
        "mapping": context.mapping.version,
        "steps": steps,
        "decisions": decisions,
        "contexts": [{name: told[name] for name in told if name != "steps"} for told in contexts],
        "found": found,
    }


def _strangers(
    context: Context, record: BuyerRecord, user: WebUserId, organisation: OrganisationId | None
) -> tuple[list[str], bool]:
    """Whom of the two the store does not know, with a way out; whether each is known somewhere."""
    steps, found = [], True
    if record.user is None:
        steps.append(f"The store's directory does not know user {user}.")
        way_out = _NOT_AN_ADDRESS if "@" in user.value else _LETTER_BY_LETTER
        steps.append(f"{way_out} What follows would hold for a user of that ID.")
        found = any(each.user == user for each in context.mapping.assignments)
    if organisation is not None and record.organisation is None:
        steps.append(f"The store's directory does not know organisation {organisation}.")
        named = {each.organisation for each in context.mapping.assignments}
        found = found and organisation in named
    return steps, found


_NOT_AN_ADDRESS = "Name the user by the ID that the store gave them, not by an e-mail address."
_LETTER_BY_LETTER = "Compare the ID with the one in the store, letter by letter."


def _assigned(
    context: Context, user: WebUserId, organisation: OrganisationId | None, record: BuyerRecord
) -> Answer:
    """What the sources say of the user in this context, and which of them counts."""
    where = f"for organisation {organisation}" if organisation else "in person"
    emails = Lookups(context).email_accounts(record)
    told = list(context.accounts.ask(user, organisation, record, emails))
    counts = next((each for each in told if each.found is not None), None)
    found = counts.found if counts else None
    sources = [
        {"source": _source(each), "says": _says(each.found), "counts": each is counts}
        for each in told
    ]
    unasked = [each for each in Source if each not in context.accounts.precedence]
    sources += [{"source": each.value, "says": None, "counts": False} for each in unasked]
    if isinstance(found, Usable):
        contact = f", contact {found.contact}" if found.contact else ""
        steps = [f"Acting {where}: customer {found.customer_id}{contact}, by {found.rule}."]
    elif isinstance(found, Unusable):
        steps = [f"Acting {where}: {found.problem.sentence} {found.problem.remedy}"]
    else:
        order = " then ".join(source.value for source in context.accounts.precedence)
        steps = [f"Acting {where}: nobody assigned a customer ID (looked at {order})."]
    steps += _source_lines(told, counts, unasked)
    if found is None and organisation is None:
        steps += _retail_lines(context)
    return {
        "organisation": organisation.value if organisation else None,
        "customer": found.customer_id.value if isinstance(found, Usable) else None,
        "sources": sources,
        "steps": steps,
    }


def _source_lines(
    told: Sequence[Told], counts: Told | None, unasked: Sequence[Source]
) -> Iterator[str]:
    decided = False
    for each in told:
        says = _says(each.found)
        if each is counts:
            yield f"  {_source(each)}: {says} (this counts)"
        elif says and decided:
            yield f"  {_source(each)}: {says} (comes after it, and does not count)"
        else:
            yield f"  {_source(each)}: nothing"
        decided = decided or each is counts
    for source in unasked:
        yield f"  {source.value}: not asked, it is not in precedence in customers.yaml"


def _source(told: Told) -> str:
    return f"{told.source.value}, exception" if told.exception else told.source.value


def _says(found: Usable | Unusable | None) -> str | None:
    if isinstance(found, Usable):
        return f"customer {found.customer_id}, {found.rule.removeprefix('WA-2 ')}"
    return found.problem.sentence.rstrip(".") if found is not None else None


def _retail_lines(context: Context) -> list[str]:
    lines = []
    for channel in context.mapping.channels.values():
        groups = _groups(channel.retail_groups)
        lines.append(
            f"  on channel {channel.channel_id} ({channel.mode.value}): "
            + (f"retail group {groups}" if groups else "quarantined, nobody is retail here (WA-2a)")
        )
    return lines


def _groups(groups: Sequence[RetailGroup]) -> str:
    """The retail groups of a channel and, where there are several, what tells which one it is."""
    if len(groups) < 2:
        return "".join(group.customer_id.value for group in groups)
    named = " or ".join(f"{each.customer_id} ({_sells(each)})" for each in groups)
    differ = {"currency": {frozenset(each.currencies) for each in groups}}
    differ["country"] = {each.countries for each in groups}
    by = " and ".join(name for name, values in differ.items() if len(values) > 1)
    fits = f"else by the order's {by}" if by else "and nothing else tells them apart"
    return f"{named}: the one that priced the cart, {fits} (WA-2f)"


def _sells(group: RetailGroup) -> str:
    where = f" in {', '.join(sorted(group.countries))}" if group.countries else ""
    return f"{', '.join(group.currencies)}{where}"


def explain_users_price(
    context: Context,
    user: str,
    sku: str,
    *,
    organisation: str | None,
    location: str | None = None,
    **asked: Any,
) -> Answer:
    """The price of a web user in one context: their account's, at their own location.

    Where no account is assigned there is no answer: which retail group prices a
    cart follows from channel, currency and country, and is asked for by name.
    """
    directory = needs(context.store, ReadsBuyers, "the store")
    company = OrganisationId(organisation) if organisation else None
    record = directory.buyer(WebUserId(user), company)
    told = _assigned(context, WebUserId(user), company, record)
    strange, found = _strangers(context, record, WebUserId(user), company)
    steps = [*strange, *told["steps"]]
    nothing: Answer = {"customer": None, "steps": steps, "price": None, "found": found}
    member = record.user.member_of(company) if record.user and company else None
    if company is not None and member is None:
        steps.append(f"User {user} is no member of organisation {company} (TL-3).")
        return nothing
    if told["customer"] is None:
        if any(each["counts"] for each in told["sources"]):
            steps.append("Orders of this user are quarantined until that is corrected.")
        else:
            steps.append("Without an account, ask for a retail group's price by its customer ID.")
        return nothing
    if location is None and member is not None and member.location is not None:
        location = member.location.value
        steps.append(f"The user buys for location {location}.")
    answer = explain_price(context, told["customer"], sku, location=location, **asked)
    steps += answer["steps"]
    found = found and answer.get("found", True)
    return {**answer, "customer": told["customer"], "steps": steps, "found": found}


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
    warehouse: str | None = None,
    channel: str | None = None,
) -> Answer:
    """The ERP's effective price for an account or retail group, level by level.

    ``warehouse``: where it ships from, else what the ``channel`` says; with neither,
    prices that hold for one warehouse alone do not count (WA-10). The price is per
    ``unit``, by the item's stock unit where the ERP has none for it: the answer names
    that unit, and the steps what was converted.
    """
    lookups = Lookups(context)
    customer_id = CustomerId(customer)
    there = context.mapping.channels
    if channel is not None and ChannelId(channel) not in there:
        remedy = suggestion(channel, [each.value for each in there])
        told = f"channels.yaml has no channel {channel}: {remedy}"
        return {"steps": [told], "price": None, "found": False}
    if channel is not None and warehouse is None:
        warehouse = there[ChannelId(channel)].warehouse
    account = lookups.account(customer_id)
    if account is None:
        hints = [*_meant_a_user(context, customer, sku), *_swapped(lookups, sku, "the item")]
        steps = _no_customer(context, customer_id, hints)
        return {"steps": steps, "price": None, "found": False}
    item: Item | None = None
    if isinstance(context.erp, ReadsItems):
        item = context.erp.items([Sku(sku)]).get(Sku(sku))
        if item is None:
            return {"steps": [*_no_item(context.erp, sku)], "price": None, "found": False}
    place = LocationId(location) if location else None
    scopes = scopes_of(customer_id, account.price_groups, place)
    entries = lookups.entries(scopes, [Sku(sku)]).get(Sku(sku), [])
    at = day or context.today()
    money = currency or (account.currencies[0] if account.currencies else "")
    named_unit = unit or (entries[0].key.unit if entries else "")
    steps = [f"Looked at {', '.join(str(scope) for scope in scopes)}: {len(entries)} entries."]
    found: UnitPrice | None = None
    if entries and money:
        question = PriceQuestion(Sku(sku), named_unit, money, quantity, at, warehouse)
        found = unit_price(entries, question, item)
    decided = found.decided if found is not None else None
    levels = list(_levels(scopes, entries, decided))
    steps.extend(f"{each['scope']}: {each['says']}" for each in levels)
    if not entries:
        steps.append(f"No level has any price of {sku}.")
        return {"steps": steps, "levels": levels, "price": None}
    if found is None or decided is None or found.factor is not None:
        steps.append(f"None counts for {plain(quantity)} {named_unit} in {money} on {at}.")
        steps.extend(_stock_units(found, named_unit, item))
    if found is None or decided is None:
        return {"steps": steps, "levels": levels, "price": None}
    steps.append(f"Decides: {_entry(decided.price)}")
    steps.extend(f"Passed over: {_entry(each)}" for each in decided.passed_over)
    amount = found.amount
    zero_is_none, otherwise = _zero_is_none(context, customer_id, channel)
    if amount is not None and amount.amount == 0:
        steps.extend(otherwise)
    if amount is None or (amount.amount == 0 and zero_is_none):
        steps.append('The store shows "call for pricing".')
        amount = None
    elif found.factor is not None:
        each = f"{decided.price.value.unit_price:f} {money} per {found.question.unit}"
        product = f"{each} x {plain(found.factor)} = {amount} per {named_unit}"
        steps.append(f"Converted: {product}.")
    shown = str(amount) if amount is not None else None
    return {"steps": steps, "levels": levels, "price": shown, "unit": named_unit}


def _stock_units(found: UnitPrice | None, unit: str, item: Item | None) -> Iterator[str]:
    """What became of the way over the item's stock unit, where no entry is for the unit."""
    if item is None or found is None or unit == item.stock_unit:
        return
    if found.factor is None:
        known = ", ".join([item.stock_unit, *(name for name, _ in item.units)])
        yield (
            f"It cannot be converted: the ERP does not say how many {item.stock_unit} are in one "
            f"{unit} of {item.sku} (it has {known}). Ask with --unit for one of those, or add "
            "the unit to the item in the ERP."
        )
        return
    held = f"{plain(found.question.quantity)} {found.question.unit}"
    counts = "what counts is looked for by" if found.decided else "and none counts for"
    yield f"One {unit} is {plain(found.factor)} {item.stock_unit}, {counts} {held}."


def _zero_is_none(
    context: Context, customer_id: CustomerId, channel: str | None
) -> tuple[bool, list[str]]:
    """Whether zero is no price for those who buy under this customer (WA-10).

    Shoppers see it as their channel has it; where several say otherwise, so it is told.
    """
    mapping = context.mapping
    served = [key for key, each in mapping.channels.items() if each.retail_group(customer_id)]
    if channel is not None and ChannelId(channel) in served:
        served = [ChannelId(channel)]
    said = {key.value: mapping.zero_means_call(key) for key in served}
    if len(set(said.values())) > 1:
        on = ", ".join(key for key, none in said.items() if none)
        told = f"Zero is no price on {on} only: name the --channel."
        return mapping.zero_price_means_call, [told]
    return next(iter(said.values()), mapping.zero_price_means_call), []


def _meant_a_user(context: Context, name: str, sku: str) -> Iterator[str]:
    """A hint for whoever wrote a web user where a customer belongs."""
    directory = context.store
    if isinstance(directory, ReadsBuyers) and directory.buyer(WebUserId(name), None).user:
        yield f"The store has a user {name}: tradesync explain price {sku} --user {name}"


def _no_customer(context: Context, missed: CustomerId, hints: Sequence[str]) -> list[str]:
    """That the ERP does not have it, and what may be meant."""
    meant = ErpKeys(context).meant(missed)
    told = f"The ERP has no customer {missed}{meant}."
    return [told, *hints] if hints or meant else [told, _AS_IN_THE_ERP]


def _no_item(erp: ReadsItems, sku: str) -> Iterator[str]:
    meant = erp.items([Sku(each) for each in (sku.upper(), sku.lower())])
    yield f"The ERP has no item {sku}."
    if meant:
        yield f"It has {', '.join(str(each) for each in sorted(meant))}: capitals count."
    else:
        yield _AS_IN_THE_ERP


_AS_IN_THE_ERP = "Write it as the ERP does: zeros, capitals and what is between them count."


def _swapped(lookups: Lookups, other: str, what: str) -> Iterator[str]:
    """A hint for whoever wrote the customer last."""
    if other and other == other.strip() and lookups.account(CustomerId(other)) is not None:
        yield f"It has a customer {other}: write the customer first, then {what}."


def _levels(
    scopes: Sequence[PriceScope], entries: Sequence[Price], decided: EffectivePrice | None
) -> Iterator[dict[str, str]]:
    """What each level has, highest first: the chain that led to the price."""
    fitting = (decided.price, *decided.passed_over) if decided else ()
    for scope in scopes:
        has = sum(entry.key.scope == scope for entry in entries)
        fits = [entry for entry in fitting if entry.key.scope == scope]
        if decided is not None and decided.price in fits:
            says = "decides"
        elif fits:
            says = "has a price, and a higher level or a better group decides"
        elif has:
            says = "has entries, and none for this unit, currency, quantity and day"
        else:
            says = "has none"
        yield {"scope": str(scope), "says": says}


def _entry(entry: Price) -> str:
    key, value = entry.key, entry.value
    until = f" until {value.valid_until}" if value.valid_until else ""
    since = f" from {key.valid_from}" if key.valid_from else ""
    place = f", shipped from {key.warehouse}" if key.warehouse else ""
    price = f"{value.unit_price:f}" if value.unit_price is not None else "call for pricing"
    return (
        f"{key.scope}, list {key.price_list or '-'}: {price} {key.currency} per {key.unit} "
        f"from {plain(key.min_quantity)}{since}{until}{place}"
    )


def explain_invoice(context: Context, customer: str, number: str) -> Answer:
    """Whether and why the store shows an invoice, and to whom."""
    customer_id, wanted = CustomerId(customer), InvoiceNumber(number)
    refused = _nobodys(context, customer_id, number, "invoice")
    if refused is not None:
        return refused
    erp = needs(context.erp, ReadsInvoices, "the ERP")
    held = {each.number: each for each in erp.invoices([customer_id])}
    store = needs(context.store, MirrorsInvoices, "the store")
    shown = (customer_id, wanted) in store.shown_invoices([customer_id])
    steps = [
        f"The ERP has invoice {number} for {customer}."
        if wanted in held
        else f"The ERP has no invoice {number} for {customer}."
    ]
    steps.append(_mapped(context, customer_id))
    steps.append("The store shows it." if shown else "The store does not show it.")
    if isinstance(store, FindsShownInvoices):
        steps.extend(_elsewhere(store.shown_invoice_keys([wanted]), customer_id))
    invoice = encode(held[wanted]) if wanted in held else None
    found = shown or invoice is not None
    return {"shown": shown, "steps": steps, "invoice": invoice, "found": found}


def explain_document(context: Context, customer: str, number: str) -> Answer:
    """Whether and why the store shows the documents of a number, and to whom."""
    customer_id, wanted = CustomerId(customer), DocumentNumber(number)
    refused = _nobodys(context, customer_id, number, "document")
    if refused is not None:
        return refused
    store, erp = context.store, context.erp
    if not isinstance(store, MirrorsDocuments):
        return {"shown": False, "steps": ["The store has no place for documents."]}
    if not isinstance(erp, ReadsDocuments):
        told = "The ERP's adapter or profile tells of no documents."
        return {"shown": False, "steps": [told]}
    records = [each for each in erp.documents([customer_id]) if each.number == wanted]
    held = {k: v for k, v in store.shown_documents([customer_id]).items() if k[2] == wanted}
    steps = [] if records else [f"The ERP has no document {number} for {customer}."]
    for record in records:
        steps.append(f"The ERP has {record.kind.value} {number} for {customer}.")
        steps.append(_file(context, record))
    steps.append(_mapped(context, customer_id))
    for key, document in held.items():
        name = f"{key[1].value} {number}"
        steps.append(f"The store shows {name}. {_readers(document)}")
        if not document.version:
            steps.append(f"Its file is not there whole: the next run publishes {name} anew.")
    if not held:
        steps.append("The store does not show it.")
    if isinstance(store, FindsShownDocuments):
        asked = [(kind, wanted) for kind in DocumentKind]
        steps.extend(_elsewhere(store.shown_document_keys(asked), customer_id))
    documents = [encode(each) for each in held.values()]
    found = bool(records or held)
    return {"shown": bool(held), "steps": steps, "documents": documents, "found": found}


def _file(context: Context, record: DocumentRecord) -> str:
    named = f"Its file is {record.place!r}"
    if told_version(record) is not None:
        return f"{named}, and the ERP itself tells which state of it is the right one."
    if context.files is None:
        return f"{named}, and the settings name no place of files."
    try:
        stamp = context.files.stamp(record.place)
    except Rejected as error:
        return f"{named}: {error}"
    if stamp is None:
        return f"{named}, which is not there."
    return f"{named}, which is there with {stamp.size} bytes."


def _readers(document: Document) -> str:
    """Who of the account may read it, as a store must keep it (TL-7)."""
    everybody = "Everybody who sees the account's invoices may read it."
    if document.kind is not DocumentKind.ORDER_CONFIRMATION:
        linked = f" It belongs to web order {document.web_order}." if document.web_order else ""
        return everybody + linked
    oversee = "those who may see all orders of the organisation"
    if document.web_order is not None:
        return (
            f"It confirms web order {document.web_order}: who placed it may read it, and {oversee}."
        )
    if document.erp_order is None and document.web_reference is None:
        return everybody
    return (
        f"It confirms an order that is none of this store's: {oversee} may read it, and"
        " everybody where the account's orders say that it came by desk, telephone or EDI."
    )


def explain_account(context: Context, customer: str) -> Answer:
    """What the ERP has of an account and what the store shows of it, kind by kind."""
    customer_id = CustomerId(customer)
    refused = _nobodys(context, customer_id, "", "account")
    if refused is not None:
        return refused
    answer: Answer = {"shown": False, "steps": [_mapped(context, customer_id)], "records": []}
    for each in account_records(context, customer_id):
        answer["shown"] = answer["shown"] or bool(each.shown)
        answer["steps"].append(str(each))
        answer["records"].append(
            {
                "kind": each.kind,
                "in_erp": each.in_erp,
                "shown": each.shown,
            }
        )
    return answer


def _nobodys(context: Context, customer_id: CustomerId, other: str, what: str) -> Answer | None:
    """Why nothing of this account is ever shown; None where something may be."""
    if customer_id in context.mapping.retail_groups:
        its = "all that is its own goes" if what == "account" else f"its {what}s go"
        told = f"{customer_id} is a retail group: {its} to nobody (WA-8)."
        return {"shown": False, "steps": [told]}
    lookups = Lookups(context)
    if lookups.account(customer_id) is None:
        hints = [*_swapped(lookups, other, f"the {what}")]
        steps = _no_customer(context, customer_id, hints)
        return {"shown": False, "steps": steps, "found": False}
    return None


def _mapped(context: Context, customer_id: CustomerId) -> str:
    members = members_of_accounts(context, ResyncScope(customer=customer_id.value))
    if customer_id not in members:
        return "Nobody in the store is mapped to the account, so nothing is mirrored."
    who = members[customer_id]
    names = [f"organisation {each}" for each in who.organisations]
    names += [f"user {each}" for each in who.users]
    return f"The account is mapped: {', '.join(names) or 'by an exception only'}."


def _elsewhere(keys: Collection[tuple[Any, ...]], customer_id: CustomerId) -> Iterator[str]:
    """Who else is shown something of this number: it may be another account's, or have moved."""
    for owner in sorted({key[0] for key in keys} - {customer_id}):
        yield f"The store shows one of this number to the buyers of {owner} too."
