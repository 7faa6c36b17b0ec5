"""What one person sees in the store, of all that the mirrors have put there.

The store's own part is written down here once more, as plainly as it can be: the
account of a buyer is the one whose profile names the organisation that they act for,
or themselves; what hangs on that account is theirs to see. Whoever has none is a
shopper, and sees what the channel shows to shoppers.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from sync.domain.channel import CommerceMode
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    LocationId,
    OrganisationId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.order import WebOrder
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceQuestion,
    effective_price,
)
from sync.domain.views import AccountProfile
from sync.testing import builders as a
from tests.scenarios.world import WEB, World


@dataclass(frozen=True)
class Person:
    """Somebody in front of the store; without a user an anonymous visitor.

    ``organisation`` is the one that they act for at the moment, ``location`` their
    site of it.
    """

    user: WebUserId | None = None
    organisation: OrganisationId | None = None
    location: LocationId | None = None
    channel: ChannelId = WEB


ANYBODY = Person()


@dataclass(frozen=True)
class Sight:
    """``account`` is the profile that the person acts under, if any."""

    account: AccountProfile | None
    ship_tos: Set[str]
    bill_tos: Set[str]
    invoices: Set[str]

    @property
    def customer_id(self) -> CustomerId | None:
        return self.account.customer_id if self.account is not None else None


NOTHING = Sight(None, frozenset(), frozenset(), frozenset())


def account_of(world: World, person: Person) -> AccountProfile | None:
    """The account whose buyer the person is, by what the store was told."""
    channel = world.mapping.channels[person.channel]
    if person.user is None or channel.mode is CommerceMode.B2C:
        return None
    known = world.store.buyer(person.user, person.organisation).user
    if known is None:
        return None
    if person.organisation is not None and known.member_of(person.organisation) is None:
        return None
    shown = world.store.shown_accounts(list(world.store.shown_customer_ids())).values()
    if person.organisation is None:
        found = [each for each in shown if person.user in each.users]
    else:
        pair = (person.organisation, person.user)
        found = [
            each
            for each in shown
            if pair in {(one.organisation, one.user) for one in each.exceptions}
        ] or [
            each
            for each in shown
            if person.organisation in each.organisations
            and pair not in {(one.organisation, one.user) for one in each.barred}
        ]
    assert len(found) <= 1, f"{person} would see several accounts"
    return found[0] if found else None


def sight(world: World, person: Person) -> Sight:
    """Addresses and invoices that the store shows to this person."""
    account = account_of(world, person)
    if account is None:
        return NOTHING
    own = [account.customer_id]
    return Sight(
        account,
        frozenset(key.value for _, key in world.store.shown_ship_tos(own)),
        frozenset(key.value for _, key in world.store.shown_bill_tos(own)),
        frozenset(number.value for _, number in world.store.shown_invoices(own)),
    )


def audiences(world: World, person: Person) -> list[Audience]:
    """Whose prices the person may read, on this channel."""
    account = account_of(world, person)
    if account is not None:
        found = [a.account_audience(account.customer_id), Audience(AudienceKind.ACCOUNTS)]
        found += [Audience(AudienceKind.GROUP, each) for each in account.price_groups]
        if person.location is not None:
            found.append(Audience(AudienceKind.LOCATION, person.location.value))
        return found
    kinds = [AudienceKind.PUBLIC] + ([AudienceKind.RETAIL] if person.user is not None else [])
    return [
        Audience(kind, group.customer_id.value, person.channel)
        for group in world.mapping.channels[person.channel].retail_groups
        for kind in kinds
    ]


def price(
    world: World,
    person: Person,
    quantity: int = 10,
    *,
    sku: Sku = a.SKU,
    currency: str = "EUR",
) -> Decimal | None:
    """What one piece costs this person, by what the store shows; None where it shows none."""
    seen = world.store.shown_to(audiences(world, person))
    entries = [Price(key.key, value) for key, value in seen]
    today = world.clock.now().astimezone(ZoneInfo(world.erp.capabilities.time_zone)).date()
    asked = PriceQuestion(sku, "EA", currency, Decimal(quantity), today)
    decided = effective_price(entries, asked)
    return decided.price.value.unit_price if decided is not None else None


def history(world: World, user: WebUserId, *orders: int) -> dict[str, str | None]:
    """Of these orders those of the user, each with the ERP's number as the store shows it."""
    found: dict[str, str | None] = {}
    for number in orders:
        order = world.store.order(WebOrderId(f"order-{number}"))
        if isinstance(order, WebOrder) and order.buyer.web_user == user:
            notice = world.store.notice(order.order_id)
            told = notice.erp_order if notice is not None else None
            found[order.number.value] = told.value if told is not None else None
    return found
