"""What people see in the shop: an anonymous visitor, a shopper, a member of an account.

This is the shop's side of the mirrors, used for demonstrations and to prove
that nothing leaks. It therefore shows everything that was published to an
audience and hides nothing on its own account: a price that was published to the
public of a channel with a login wall is seen here, where a real shop's template
might have covered it up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from sync.domain.account import BillTo, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.address import TypedAddress
from sync.domain.availability import Availability, StockKey
from sync.domain.balance import AccountBalance
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.document import Document, DocumentKey, as_seen
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    LocationId,
    OrganisationId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.invoice import Invoice
from sync.domain.order import Role, StoreOrder
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    EffectivePrice,
    Price,
    PriceKey,
    PriceQuestion,
    PriceValue,
    effective_price,
)
from sync.domain.sales_order import OrderStatus
from sync.domain.views import AccountProfile, ImportNotice
from sync.stores.embedded import account_data, load, queries, schema, translate
from sync.stores.embedded import documents as papers


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody on a channel; without ``web_user`` anonymous.

    ``organisation`` is the one that the user has switched to, None the user's
    own personal context. ``location`` is the site they buy for, where their
    membership leaves the choice. ``retail_group`` is the group whose prices the
    shop shows, where a channel has several.
    """

    channel: ChannelId
    web_user: WebUserId | None = None
    organisation: OrganisationId | None = None
    location: LocationId | None = None
    retail_group: CustomerId | None = None


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order in its buyer's history, with its way into the ERP and what came of it."""

    order: StoreOrder
    notice: ImportNotice | None
    status: OrderStatus | None


def acts_for(
    connection: Connection, web_user: WebUserId
) -> dict[OrganisationId | None, AccountProfile]:
    """For whom the user can act: the account by organisation; None is the user alone (TL-3).

    An organisation without an account, or with more than one, is absent.
    """
    member = load.user(connection, web_user)
    contexts = [each.organisation for each in member.memberships] if member else []
    found: dict[OrganisationId | None, AccountProfile] = {}
    for organisation in (*contexts, None):
        profile = _profile(connection, web_user, organisation)
        if profile is not None:
            found[organisation] = profile
    return found


def profile(connection: Connection, visitor: Visitor) -> AccountProfile | None:
    """The account under which the visitor buys here; None for everybody who is retail.

    On a ``b2c`` channel everybody is. LookupError: the shop has no such channel.
    """
    modes = select(schema.channels.c.mode).where(schema.channels.c.channel == visitor.channel.value)
    mode = connection.execute(modes).scalar()
    if mode is None:
        raise LookupError(f"the shop has no channel {visitor.channel}")
    if visitor.web_user is None or CommerceMode(mode) is CommerceMode.B2C:
        return None
    return _profile(connection, visitor.web_user, visitor.organisation)


def ship_tos(connection: Connection, visitor: Visitor) -> tuple[ShipTo, ...]:
    """Addresses of the account that the visitor may select, by ID.

    Those of another site than the visitor's are left out.
    """
    account = profile(connection, visitor)
    if account is None:
        return ()
    own = [account.customer_id.value]
    rows = queries.by_keys(connection, schema.ship_tos, "customer_id", own)
    site = _site(connection, visitor, account)
    found = (translate.ship_to(row) for row in rows)
    return tuple(each for each in found if site is None or each.location in (None, site))


def bill_tos(connection: Connection, visitor: Visitor) -> tuple[BillTo, ...]:
    account = profile(connection, visitor)
    if account is None:
        return ()
    own = [account.customer_id.value]
    rows = queries.by_keys(connection, schema.bill_tos, "customer_id", own)
    return tuple(translate.bill_to(row) for row in rows)


def invoices(connection: Connection, visitor: Visitor) -> tuple[Invoice, ...]:
    """Every invoice of the visitor's account, by number; none for the retail buyer (WA-8)."""
    account = profile(connection, visitor)
    if account is None:
        return ()
    return tuple(load.invoices(connection, [account.customer_id]).values())


def balances(connection: Connection, visitor: Visitor) -> tuple[AccountBalance, ...]:
    """What the visitor's account owes, by currency; for exactly those who see its invoices."""
    account = profile(connection, visitor)
    if account is None:
        return ()
    return tuple(account_data.balances(connection, [account.customer_id]).values())


def account_orders(connection: Connection, visitor: Visitor) -> tuple[AccountOrder, ...]:
    """Every order of the visitor's account in the ERP, by number; for those who see its invoices.

    They are not the visitor's own: those are in ``own_orders`` (MI-5, WA-9).
    """
    account = profile(connection, visitor)
    if account is None:
        return ()
    return tuple(account_data.orders(connection, [account.customer_id]).values())


def customer_parts(connection: Connection, visitor: Visitor) -> tuple[CustomerPart, ...]:
    """The item numbers of the visitor's own account, by number; nobody else's, ever (TL-6)."""
    account = profile(connection, visitor)
    if account is None:
        return ()
    return tuple(account_data.parts(connection, [account.customer_id]).values())


def documents(connection: Connection, visitor: Visitor) -> tuple[Document, ...]:
    """The documents of the visitor's account that the visitor may see, by key (TL-7, WA-8).

    The confirmation of an order goes to the user who placed it and to those who may
    see the organisation's orders: members who approve or manage. Where it is not known
    who placed it, to those alone, unless the ERP says that it did not come over the web.
    """
    account = profile(connection, visitor)
    if account is None:
        return ()
    held = papers.shown(connection, [account.customer_id])
    sees_order = _orders_seen(connection, visitor, held.values())
    orders = account_data.orders(connection, [account.customer_id]).values()
    otherwise = {each.number for each in orders if each.came_otherwise}
    seen = (
        as_seen(each, sees_order, otherwise.__contains__) for each in held.values() if each.version
    )
    return tuple(each for each in seen if each is not None)


def document_content(
    connection: Connection, visitor: Visitor, key: DocumentKey
) -> Iterator[bytes] | None:
    """The file of a document that the visitor may see, piece by piece; None for any other.

    None also where the content is not what was published: it is read through
    once before its first piece is given away.
    """
    for document in documents(connection, visitor):
        if document.key == key and document.content is not None:
            sha256 = document.content.sha256
            return papers.pieces(connection, sha256) if papers.sound(connection, sha256) else None
    return None


def _orders_seen(
    connection: Connection, visitor: Visitor, held: Collection[Document]
) -> Callable[[WebOrderId | None], bool]:
    """Whether the visitor may see a web order: their own, or as one who oversees them all."""
    user = load.user(connection, visitor.web_user) if visitor.web_user else None
    membership = user.member_of(visitor.organisation) if user and visitor.organisation else None
    oversees = membership is not None and membership.role >= Role.APPROVE
    ids = sorted({each.web_order.value for each in held if each.web_order})
    rows = {row["order_id"]: row for row in queries.order_rows(connection, ids)}

    def sees(order_id: WebOrderId | None) -> bool:
        row = rows.get(order_id.value) if order_id else None
        if row is None:
            return oversees
        if visitor.web_user and row["signed_in"] and row["web_user"] == visitor.web_user.value:
            return True
        organisation = visitor.organisation.value if visitor.organisation else None
        return oversees and row["organisation"] == organisation

    return sees


def audiences(connection: Connection, visitor: Visitor) -> tuple[Audience, ...]:
    """The audiences that the visitor belongs to: an account's, or the channel's shoppers'."""
    published = {translate.audience(row) for row in queries.price_partitions(connection)}
    return _audiences(connection, visitor, published)


def _audiences(
    connection: Connection, visitor: Visitor, published: Collection[Audience]
) -> tuple[Audience, ...]:
    account = profile(connection, visitor)
    if account is not None:
        found = [
            Audience(AudienceKind.ACCOUNTS),
            Audience(AudienceKind.ACCOUNT, account.customer_id.value),
        ]
        site = _site(connection, visitor, account)
        # Sites of other accounts have prices, too.
        if site is not None and _has_site(account, site):
            found.append(Audience(AudienceKind.LOCATION, site.value))
        found.extend(Audience(AudienceKind.GROUP, code) for code in account.price_groups)
        found.extend(Audience(AudienceKind.TAG, tag) for tag in account.tags)
        return tuple(found)
    kinds = {AudienceKind.PUBLIC}
    if visitor.web_user is not None:
        kinds.add(AudienceKind.RETAIL)
    return tuple(
        sorted(
            (
                each
                for each in published
                if each.kind in kinds
                and each.channel == visitor.channel
                and (visitor.retail_group is None or each.key == visitor.retail_group.value)
            ),
            key=lambda each: each.order,
        )
    )


def availability(connection: Connection, visitor: Visitor) -> tuple[Availability, ...]:
    """Every figure that the visitor can see, each once, by item and warehouse (MI-4).

    An item that is not among them is not known to be there or gone.
    """
    published = {translate.audience(row) for row in queries.stock_audiences(connection)}
    found: dict[StockKey, Availability] = {}
    for audience in _audiences(connection, visitor, published):
        found |= account_data.stock(connection, audience)
    return tuple(found[key] for key in sorted(found))


def in_catalogue(connection: Connection, visitor: Visitor, skus: Collection[Sku]) -> frozenset[Sku]:
    """Those of the items that the visitor may see and buy here (VE-5).

    None at all where the channel shows its catalogue to accounts only (VE-1), or to who
    is signed in (VE-7), and the visitor is not.
    """
    account = profile(connection, visitor)
    found = schema.channels
    mode, wall = connection.execute(
        select(found.c.mode, found.c.login_wall).where(found.c.channel == visitor.channel.value)
    ).one()
    if account is None and CommerceMode(mode) is CommerceMode.B2B:
        return frozenset()
    if visitor.web_user is None and LoginWall(wall) is LoginWall.LOGIN_REQUIRED:
        return frozenset()
    kept = account_data.entitlements(connection, skus)
    named = {each for entitlement in kept.values() for each in entitlement.audiences}
    mine = set(_audiences(connection, visitor, named))
    return frozenset(
        sku for sku in skus if sku not in kept or not mine.isdisjoint(kept[sku].audiences)
    )


def prices(connection: Connection, visitor: Visitor) -> tuple[Price, ...]:
    """Every price entry that the visitor can see, each once, in the order of its key."""
    found: dict[PriceKey, PriceValue] = {}
    for audience in audiences(connection, visitor):
        for row in queries.price_rows(connection, translate.audience_row(audience)):
            found[translate.price_key(row)] = translate.price_value(row)
    return tuple(Price(key, found[key]) for key in sorted(found, key=lambda key: key.order))


def quote(
    connection: Connection, visitor: Visitor, question: PriceQuestion
) -> EffectivePrice | None:
    """What the shop shows the visitor for this; None where it shows no price.

    ValueError: the channel has prices of several retail groups in this
    currency, and the visitor does not say whose are meant.
    """
    found: dict[PriceKey, PriceValue] = {}
    groups = set()
    for audience in audiences(connection, visitor):
        wanted = {**translate.audience_row(audience), "sku": question.sku.value}
        for row in queries.price_rows(connection, wanted):
            if row["currency"] == question.currency:
                found[translate.price_key(row)] = translate.price_value(row)
                groups.add(audience.key if audience.channel else "")
    if len(groups) > 1:
        raise ValueError(f"{visitor.channel} has prices of several retail groups: {sorted(groups)}")
    return effective_price((Price(key, value) for key, value in found.items()), question)


def own_orders(connection: Connection, web_user: WebUserId) -> tuple[OwnOrder, ...]:
    """The user's order history, newest first: what they placed signed in, and nothing else.

    It follows the person, never the account (WA-9). An order that only names
    the user, without proof of sign-in, is a guest's.
    """
    ids = queries.order_ids_of_user(connection, web_user.value)
    rows = {row["order_id"]: row for row in queries.order_rows(connection, ids)}
    mine = [rows[order_id] for order_id in ids if rows[order_id]["signed_in"]]
    orders = load.orders(connection, mine)
    keys = [order.order_id for order in orders]
    statuses = load.order_statuses(connection, keys)
    notices = load.import_notices(connection, keys)
    return tuple(
        OwnOrder(order, notices.get(order.order_id), statuses.get(order.order_id))
        for order in orders
    )


def own_addresses(connection: Connection, web_user: WebUserId) -> tuple[TypedAddress, ...]:
    """The address book that the user keeps in the shop, oldest entry first."""
    rows = queries.by_keys(connection, schema.own_addresses, "web_user", [web_user.value])
    return tuple(translate.own_address(row) for row in rows)


def _profile(
    connection: Connection, web_user: WebUserId, organisation: OrganisationId | None
) -> AccountProfile | None:
    key = organisation.value if organisation else None
    ids = queries.accounts_of(connection, web_user.value, key)
    found = load.accounts(connection, [CustomerId(each) for each in ids])
    # Two accounts for one buyer are a mistake in the mapping; showing either
    # might be showing somebody else's.
    return next(iter(found.values())) if len(found) == 1 else None


def _site(connection: Connection, visitor: Visitor, account: AccountProfile) -> LocationId | None:
    """The site that the visitor buys for: the membership's, else the one chosen."""
    user = load.user(connection, visitor.web_user) if visitor.web_user else None
    membership = user.member_of(visitor.organisation) if user and visitor.organisation else None
    if membership is not None and membership.location is not None:
        return membership.location
    return visitor.location if _has_site(account, visitor.location) else None


def _has_site(account: AccountProfile, site: LocationId | None) -> bool:
    return any(location.location_id == site for location in account.locations)
