"""The proof that the store shows what the ERP says, and nothing that it must not.

Both read the two systems through their ports and write nothing. ``forbidden``
is what no moment may show once a run has gone through under the mapping at hand
(WA-8, WA-3a, VE-7); ``differing`` is what is left to mirror when every flow has
gone through and nothing was refused (MI-1, WA-6, WA-7). They are written down a
second time here, on purpose: a mistake in a planner must not hide itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from sync.domain.account import Account, Item
from sync.domain.channel import Channel, LoginWall
from sync.domain.document import Document, DocumentRecord
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, AudienceKind, PriceKey, PriceLevel, PriceScope, PriceValue
from sync.flows.context import Context, needs
from sync.flows.mirroring import members_of_accounts
from sync.ports.erp import (
    ListsRestrictedItems,
    ReadsAccountOrders,
    ReadsAccounts,
    ReadsAvailability,
    ReadsBalances,
    ReadsCustomerParts,
    ReadsDocumentFiles,
    ReadsDocuments,
    ReadsInvoices,
    ReadsItems,
    ReadsPrices,
    ReadsShipTos,
)
from sync.ports.files import HoldsFiles
from sync.ports.state import ResyncScope
from sync.ports.store import (
    MirrorsAccountOrders,
    MirrorsAccounts,
    MirrorsAvailability,
    MirrorsBalances,
    MirrorsCustomerParts,
    MirrorsDocuments,
    MirrorsEntitlements,
    MirrorsInvoices,
    MirrorsPrices,
    MirrorsShipTos,
)

MIRRORS = (
    *("accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts"),
    *("entitlements", "availability", "documents", "account_orders"),
)


def forbidden(context: Context) -> list[str]:
    """What the store shows and must not, in sentences; empty where nothing is wrong."""
    return [
        *_of_retail_groups(context),
        *_prices_for_the_wrong_eyes(context),
        *_stock_for_the_wrong_eyes(context),
        *_items_for_the_wrong_eyes(context),
    ]


def differing(context: Context, flows: Collection[str] = MIRRORS) -> list[str]:
    """In what the store differs from the ERP after these flows, in sentences."""
    found: list[str] = []
    for flow, compare in _COMPARED.items():
        if flow in flows:
            found.extend(compare(context))
    return found


def _of_retail_groups(context: Context) -> Iterator[str]:
    groups = sorted(context.mapping.retail_groups.customer_ids)
    accounts = needs(context.store, MirrorsAccounts, "the store")
    shown = set(accounts.shown_customer_ids())
    invoices = needs(context.store, MirrorsInvoices, "the store").shown_invoices(groups)
    places = needs(context.store, MirrorsShipTos, "the store")
    addresses = [*places.shown_ship_tos(groups), *places.shown_bill_tos(groups)]
    owed = needs(context.store, MirrorsBalances, "the store").shown_balances(groups)
    parts = needs(context.store, MirrorsCustomerParts, "the store").shown_customer_parts(groups)
    if parts:
        yield f"the store shows part numbers of retail groups: {sorted(parts)}"
    papers = needs(context.store, MirrorsDocuments, "the store")
    if papers.shown_documents(groups):
        yield f"the store shows documents of retail groups: {sorted(groups)}"
    for (owner, *_), document in papers.shown_documents(sorted(shown)).items():
        if document.sold_to != owner:
            yield f"a document of {document.sold_to} is shown to {owner}"
        yield from _content(papers, document)
    ordered = needs(context.store, MirrorsAccountOrders, "the store")
    if ordered.shown_account_orders(groups):
        yield "the store shows orders of retail groups"
    for (owner, number), order in ordered.shown_account_orders(sorted(shown)).items():
        if order.sold_to != owner:
            yield f"order {number} of {order.sold_to} is shown to {owner}"
        if order.key is not None:
            yield f"order {number} is shown with the key that the ERP has it under"
    for group in groups:
        if any(owner == group for owner, _ in owed):
            yield f"the store shows what the retail group {group} owes"
        if group in shown or accounts.shown_accounts([group]):
            yield f"the store shows something of the retail group {group}"
        if any(owner == group for owner, _ in invoices):
            yield f"the store shows invoices of the retail group {group}"
        if any(owner == group for owner, _ in addresses):
            yield f"the store shows addresses of the retail group {group}"
    # A record may also stand under a wrong owner.
    for (owner, _), invoice in (
        needs(context.store, MirrorsInvoices, "the store").shown_invoices(sorted(shown)).items()
    ):
        if invoice.sold_to != owner:
            yield f"an invoice of {invoice.sold_to} is shown to {owner}"


def _content(papers: MirrorsDocuments, document: Document) -> Iterator[str]:
    """A file that is no document, or another than was told, is shown to nobody."""
    told, name = document.content, f"{document.kind.value} {document.number}"
    held = b"".join(papers.document_content(told.sha256)) if told else b""
    digest = hashlib.sha256(held).hexdigest()
    if told is None or (told.size, told.sha256) != (len(held), digest):
        yield f"the file of {name} is not the one published"
    if document.version.startswith("sha256:") and document.version != f"sha256:{digest}":
        yield f"the file of {name} has another SHA-256 than the ERP told"
    if not _is_a_paper(held):
        yield f"the file of {name} is no PDF, PNG or JPEG"


def _is_a_paper(file: bytes) -> bool:
    ends = {b"%PDF-": b"%%EOF", b"\x89PNG\r\n\x1a\n": b"IEND", b"\xff\xd8\xff": b"\xff\xd9"}
    return any(file.startswith(head) and end in file[-1024:] for head, end in ends.items())


def _prices_for_the_wrong_eyes(context: Context) -> Iterator[str]:
    groups = context.mapping.retail_groups
    store = needs(context.store, MirrorsPrices, "the store")
    for audience, scope in sorted(store.shown_price_partitions(), key=_partition_order):
        own = scope.level is PriceLevel.ACCOUNT
        if audience.channel is not None:
            channel = context.mapping.channels.get(audience.channel)
            group = CustomerId(audience.key)
            if channel is None or channel.retail_group(group) is None:
                yield f"prices are shown to {audience}, and no such shoppers are declared"
            elif audience.kind is AudienceKind.PUBLIC and channel.login_wall is not LoginWall.OPEN:
                yield f"prices are shown to everybody behind the login wall of {audience.channel}"
            if own and scope.owner != audience.key:
                yield f"the prices of {scope.owner} are shown to {audience}"
        elif audience.kind is AudienceKind.ACCOUNT and CustomerId(audience.key) in groups:
            yield f"the retail group {audience.key} is shown prices as if it were an account"
        if own and audience.kind is AudienceKind.ACCOUNT and scope.owner != audience.key:
            yield f"the prices of {scope.owner} are shown to {audience}"
        if own and audience.kind in (AudienceKind.ACCOUNTS, AudienceKind.GROUP):
            yield f"the prices of {scope.owner} are shown to {audience}"


def _stock_for_the_wrong_eyes(context: Context) -> Iterator[str]:
    store = needs(context.store, MirrorsAvailability, "the store")
    for audience in sorted(store.shown_stock_audiences(), key=lambda each: each.order):
        if audience.kind is AudienceKind.ACCOUNT:
            if CustomerId(audience.key) in context.mapping.retail_groups:
                yield f"the retail group {audience.key} is shown stock as if it were an account"
            continue
        if audience.channel is None:
            continue
        channel = context.mapping.channels.get(audience.channel)
        if channel is None or channel.retail_group(CustomerId(audience.key)) is None:
            yield f"stock is shown to {audience}, and no such shoppers are declared"
        elif audience.kind is AudienceKind.PUBLIC and channel.login_wall is not LoginWall.OPEN:
            yield f"stock is shown to everybody behind the login wall of {audience.channel}"


def _items_for_the_wrong_eyes(context: Context) -> Iterator[str]:
    store = needs(context.store, MirrorsEntitlements, "the store")
    for sku, kept in sorted(store.shown_entitlements(list(store.shown_restricted_items())).items()):
        for audience in kept.audiences:
            if audience.kind is AudienceKind.ACCOUNT:
                if CustomerId(audience.key) in context.mapping.retail_groups:
                    yield f"item {sku} is kept for the retail group {audience.key} as an account"
            elif audience.channel is not None:
                channel = context.mapping.channels.get(audience.channel)
                if channel is None or channel.retail_group(CustomerId(audience.key)) is None:
                    yield f"item {sku} is kept for {audience}, and no such shoppers are declared"
                elif (
                    audience.kind is AudienceKind.PUBLIC
                    and channel.login_wall is not LoginWall.OPEN
                ):
                    yield f"item {sku} is shown to everybody behind a login wall: {audience}"


def _mapped(context: Context) -> list[CustomerId]:
    """Accounts with buyers in the store that the ERP has."""
    members = sorted(members_of_accounts(context, ResyncScope()))
    there = needs(context.erp, ReadsAccounts, "the ERP").accounts(members)
    return [each for each in members if each in there]


def _accounts(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    store = needs(context.store, MirrorsAccounts, "the store")
    members = members_of_accounts(context, ResyncScope())
    held = needs(context.erp, ReadsAccounts, "the ERP").accounts(mapped)
    shown = store.shown_accounts(mapped)
    for each in mapped:
        profile, account = shown.get(each), held[each]
        if profile is None:
            yield f"the account {each} is not shown"
            continue
        said = (account.name, account.terms, account.effective_status, account.credit)
        told = (profile.name, profile.terms, profile.status, profile.credit)
        if said != told:
            yield f"the account {each} is {said} in the ERP, and {told} in the store"
        if set(profile.tags) != set(account.tags):
            yield f"the account {each} has the tags {profile.tags}, and {account.tags} in the ERP"
        if profile.organisations != members[each].organisations:
            yield f"the account {each} is shown to {profile.organisations}"
    for each in sorted(set(store.shown_customer_ids()) - set(mapped)):
        yield f"something is shown of {each}, for whom nobody is mapped"


def _places(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    erp = needs(context.erp, ReadsShipTos, "the ERP")
    store = needs(context.store, MirrorsShipTos, "the store")
    said = {(each.sold_to, each.ship_to_id): each for each in erp.ship_tos(mapped)}
    if said != dict(store.shown_ship_tos(mapped)):
        yield "the ship-tos in the store are not those of the ERP"
    billed = {(each.sold_to, each.bill_to_id): each for each in erp.bill_tos(mapped)}
    if billed != dict(store.shown_bill_tos(mapped)):
        yield "the bill-tos in the store are not those of the ERP"


def _invoices(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    erp = needs(context.erp, ReadsInvoices, "the ERP")
    store = needs(context.store, MirrorsInvoices, "the store")
    said = {(each.sold_to, each.number): each for each in erp.invoices(mapped)}
    if said != dict(store.shown_invoices(mapped)):
        yield "the invoices in the store are not those of the ERP"


def _balances(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    erp = needs(context.erp, ReadsBalances, "the ERP")
    shown = needs(context.store, MirrorsBalances, "the store").shown_balances(mapped)
    said = {(each.sold_to, each.currency): each for each in erp.balances(mapped)}
    if said.keys() != shown.keys():
        yield "the balances in the store are not those of the ERP"
        return
    for key, balance in said.items():
        told = shown[key]
        if (balance.balance, balance.credit_limit) != (told.balance, told.credit_limit):
            yield f"{key[0]} owes {balance.balance}, and the store shows {told.balance}"
        if balance.ageing is not None and balance.ageing != told.ageing:
            yield f"the ageing of {key[0]} is not the ERP's"


def _account_orders(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    erp = needs(context.erp, ReadsAccountOrders, "the ERP")
    store = needs(context.store, MirrorsAccountOrders, "the store")
    said = {(each.sold_to, each.number): each for each in erp.account_orders(mapped)}
    shown = store.shown_account_orders(mapped)
    bare = {key: replace(each, web_order=None) for key, each in shown.items()}
    if bare != {key: replace(each, key=None) for key, each in said.items()}:
        yield "the orders of accounts in the store are not those of the ERP"
        return
    with context.state.transaction() as state:
        for key, order in said.items():
            linked = shown[key].web_order
            entry = state.ledger.entry(linked) if linked is not None else None
            if entry is None and linked is None:
                continue
            if entry is None or (entry.key, entry.customer_id) != (order.key, order.sold_to):
                yield f"order {order.number} of {order.sold_to} is shown as web order {linked}"


def _customer_parts(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    erp = needs(context.erp, ReadsCustomerParts, "the ERP")
    store = needs(context.store, MirrorsCustomerParts, "the store")
    said = {each.key: each for each in erp.customer_parts(mapped)}
    if said != dict(store.shown_customer_parts(mapped)):
        yield "the part numbers in the store are not those of the ERP"


def _entitlements(context: Context) -> Iterator[str]:
    erp = needs(context.erp, ListsRestrictedItems, "the ERP")
    items = needs(context.erp, ReadsItems, "the ERP")
    store = needs(context.store, MirrorsEntitlements, "the store")
    listed = set(erp.restricted_items())
    shown = store.shown_entitlements(list({*listed, *store.shown_restricted_items()}))
    told = items.items([*listed, *shown])
    members = needs(context.erp, ReadsAccounts, "the ERP").accounts(_mapped(context))
    for sku in sorted(listed - shown.keys()):
        yield f"everybody sees item {sku}, which is not for everybody"
    for sku, kept in sorted(shown.items()):
        item = told.get(sku)
        let_in = {
            each.customer_id
            for each in members.values()
            if Audience(AudienceKind.ACCOUNT, each.customer_id.value) in kept.audiences
            or any(Audience(AudienceKind.TAG, tag) in kept.audiences for tag in each.tags)
        }
        if item is None:
            if kept.audiences:
                yield f"somebody sees item {sku}, of which the ERP tells nothing"
            continue
        if item.allowed_to is None and sku not in listed:
            yield f"item {sku} is hidden, and everybody may buy it"
        entitled = {
            each.customer_id
            for each in members.values()
            if item.allowed_to is not None
            and (each.customer_id in item.allowed_to or item.allowed_tags & set(each.tags))
        }
        if let_in != entitled:
            yield f"item {sku} is shown to {sorted(let_in)}, and is for {sorted(entitled)}"
        for audience, account, _ in _shoppers(context):
            own = item.allowed_to is not None and item.open_to(account.customer_id, account.tags)
            if own != (audience in kept.audiences):
                yield f"item {sku} is for {audience}: {own}, and the store says otherwise"


def _documents(context: Context) -> Iterator[str]:
    mapped = _mapped(context)
    erp = needs(context.erp, ReadsDocuments, "the ERP")
    shown = needs(context.store, MirrorsDocuments, "the store").shown_documents(mapped)
    said = {each.key: each for each in erp.documents(mapped)}
    for key in shown.keys() - said.keys():
        yield f"the store shows document {key[2]} of {key[0]}, and the ERP has none"
    for key, record in said.items():
        held = _file_of(context, record)
        if held is None:
            continue
        file, version = held
        digest = hashlib.sha256(file).hexdigest()
        if not _is_a_paper(file) or record.sha256 not in (None, digest):
            continue
        version = version if record.sha256 is None else f"sha256:{digest}"
        told = shown.get(key)
        if told is None or told.content is None or told.content.sha256 != digest:
            yield f"document {key[2]} of {key[0]} is not shown with its file"
        elif (told.issued_on, told.place, told.version) != (
            record.issued_on,
            record.place,
            version,
        ):
            yield f"document {key[2]} of {key[0]} is not as the ERP tells it"


def _file_of(context: Context, record: DocumentRecord) -> tuple[bytes, str] | None:
    """The file of the document, with its version; None where it is not there."""
    if record.version is not None:
        gives = needs(context.erp, ReadsDocumentFiles, "the ERP")
        file = b"".join(gives.read_document(record.place, record.version))
        return file, f"erp:{record.version}"
    files = needs(context.files, HoldsFiles, "the place of files")
    stamp = files.stamp(record.place)
    if stamp is None:
        return None
    return b"".join(files.read_file(record.place, stamp.version)), stamp.version


def _availability(context: Context) -> Iterator[str]:
    erp = needs(context.erp, ReadsAvailability, "the ERP")
    store = needs(context.store, MirrorsAvailability, "the store")
    said = {each.key: each for each in erp.availability()}
    items = needs(context.erp, ReadsItems, "the ERP").items({sku for sku, _ in said})
    mapped = _mapped(context)
    retail = context.mapping.retail_groups.customer_ids
    buyers = needs(context.erp, ReadsAccounts, "the ERP").accounts([*mapped, *retail])
    seen = set()
    for audience in store.shown_stock_audiences():
        for key, figure in store.shown_availability(audience).items():
            if key[0] not in items or not _is_for(audience, items[key[0]], buyers):
                yield f"{audience} is shown stock of {key[0]}, which is not for them"
            if said.get(key) is None or said[key].available != figure.available:
                yield f"{audience} sees {figure}, and the ERP says {said.get(key)}"
            seen.add((audience, key))
    for key in said:
        item = items.get(key[0])
        if item is None or not item.active:
            continue
        if item.allowed_to is None:
            to = [Audience(AudienceKind.ACCOUNTS)] if mapped else []
        else:
            own = [each for each in mapped if each in item.allowed_to]
            to = [Audience(AudienceKind.ACCOUNT, each.value) for each in own]
            to += [Audience(AudienceKind.TAG, tag) for tag in sorted(item.allowed_tags)]
        to += [
            audience
            for audience, account, channel in _shoppers(context)
            if _is_for(audience, item, {account.customer_id: account})
            and channel.warehouse in (None, key[1])
        ]
        yield from (f"{each} does not see {key}" for each in to if (each, key) not in seen)


def _prices(context: Context) -> Iterator[str]:
    erp = needs(context.erp, ReadsPrices, "the ERP")
    store = needs(context.store, MirrorsPrices, "the store")
    retail = context.mapping.retail_groups.customer_ids
    buyers = needs(context.erp, ReadsAccounts, "the ERP").accounts([*_mapped(context), *retail])
    for audience, scope in sorted(store.shown_price_partitions(), key=_partition_order):
        said = _entries(context, erp, scope, audience)
        shown = store.shown_prices(audience, scope)
        items = _items_of(context, shown)
        for key, value in shown.items():
            if not _is_for(audience, items.get(key.sku), buyers):
                yield f"{audience} sees a price of {key.sku}, which is not for them"
            if said.get(key) != value:
                yield f"{audience} sees {value} for {key.sku}, and the ERP says {said.get(key)}"
    for owner in _mapped(context):
        scope = PriceScope.account(owner)
        own = Audience(AudienceKind.ACCOUNT, owner.value)
        said = _entries(context, erp, scope, own)
        items = _items_of(context, said)
        mine = {k: v for k, v in said.items() if _is_for(own, items.get(k.sku), buyers)}
        if dict(store.shown_prices(own, scope)) != mine:
            yield f"{owner} does not see its own prices as the ERP has them"


def _shoppers(context: Context) -> Iterator[tuple[Audience, Account, Channel]]:
    """The shoppers of each channel, with the account of their retail group in the ERP."""
    groups = context.mapping.retail_groups.customer_ids
    accounts = needs(context.erp, ReadsAccounts, "the ERP").accounts(sorted(groups))
    for channel in context.mapping.channels.values():
        is_open = channel.login_wall is LoginWall.OPEN
        kind = AudienceKind.PUBLIC if is_open else AudienceKind.RETAIL
        for group in channel.retail_groups:
            if group.customer_id in accounts:
                audience = Audience(kind, group.customer_id.value, channel.channel_id)
                yield audience, accounts[group.customer_id], channel


def _items_of(context: Context, prices: Collection[PriceKey]) -> Mapping[Sku, Item]:
    return needs(context.erp, ReadsItems, "the ERP").items({key.sku for key in prices})


def _is_for(audience: Audience, item: Item | None, accounts: Mapping[CustomerId, Account]) -> bool:
    """Whether an item, if it is not for everybody, is for this audience."""
    if item is None or item.allowed_to is None:
        return True
    if audience.kind is AudienceKind.TAG:
        return audience.key in item.allowed_tags
    if audience.kind in (AudienceKind.ACCOUNTS, AudienceKind.GROUP):
        return False
    account = accounts.get(CustomerId(audience.key or "-"))
    if audience.kind is AudienceKind.LOCATION:
        return True
    return account is not None and item.open_to(account.customer_id, account.tags)


def _entries(
    context: Context, erp: ReadsPrices, scope: PriceScope, audience: Audience
) -> dict[PriceKey, PriceValue]:
    """What the ERP says, with what has ended left out and zero read as the mapping reads it."""
    found = {}
    for entry in erp.prices([scope]):
        value = entry.value
        if value.valid_until is not None and value.valid_until < context.today():
            continue
        if value.unit_price == 0 and context.mapping.zero_means_call(audience.channel):
            value = PriceValue(None, value.valid_until)
        found[entry.key] = value
    return found


def _partition_order(partition: tuple[Audience, PriceScope]) -> tuple[object, ...]:
    audience, scope = partition
    return (audience.order, scope)


_COMPARED: Mapping[str, Callable[[Context], Iterator[str]]] = {
    "accounts": _accounts,
    "ship_tos": _places,
    "prices": _prices,
    "invoices": _invoices,
    "balances": _balances,
    "customer_parts": _customer_parts,
    "entitlements": _entitlements,
    "availability": _availability,
    "documents": _documents,
    "account_orders": _account_orders,
}
