"""The store's own directory: channels, organisations, users and who belongs where.

Every trade account has an organisation. Most are mapped in ``mappings/``; the
European ones carry their customer ID in an attribute that only the shop's staff
can write. Some people and companies exist to show what happens when the two
systems do not agree about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from sync.domain.account import AccountStatus
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.ids import ChannelId, CustomerId, OrganisationId, WebUserId
from sync.domain.order import Membership, Organisation, Role, WebUser
from sync.sample.customers import (
    IN_EUROS,
    PARENT,
    RETAIL_US,
    SHARED_EMAIL,
    SUBSIDIARY,
    Customers,
    branch_id,
    trade,
)
from sync.sample.names import COMPANIES, mailbox, person

TRADE = ChannelId("trade")
SHOP = ChannelId("shop")
OUTLET = ChannelId("outlet")
RETAIL_USERS = 40


@dataclass(frozen=True, slots=True)
class ShopChannel:
    channel: ChannelId
    title: str
    mode: CommerceMode
    login_wall: LoginWall
    guest_checkout: bool


CHANNELS = (
    ShopChannel(TRADE, "Trade portal", CommerceMode.B2B, LoginWall.LOGIN_REQUIRED, False),
    ShopChannel(SHOP, "Web shop", CommerceMode.HYBRID, LoginWall.OPEN, True),
    ShopChannel(OUTLET, "Clearance outlet", CommerceMode.B2C, LoginWall.LOGIN_TO_PRICE, False),
)


def organisation_of(customer_id: CustomerId) -> OrganisationId:
    """The organisation of a trade account: 000101 is "org-101"."""
    return OrganisationId(f"org-{int(customer_id.value)}")


def employee(customer_id: CustomerId, number: int) -> WebUserId:
    """1 manages the organisation, 2 orders, 3 (where there is one) may only browse."""
    return WebUserId(f"u-{int(customer_id.value)}-{number}")


def shopper(number: int) -> WebUserId:
    return WebUserId(f"u-retail-{number:02d}")


TWIN = WebUserId("u-twin-1")
"""Orders for the parent company and for its subsidiary."""
CONSULTANT = WebUserId("u-twin-2")
"""Works for two companies that have nothing to do with each other."""
SOLE_TRADER = WebUserId("u-sole-trader")
"""A person without an organisation who has an account of their own."""
APPLICANT = WebUserId("u-applicant")
SHARED_MAILBOX = WebUserId("u-shared-mailbox")
"""The verified address is a contact of two accounts."""
KNOWN_BY_EMAIL = WebUserId("u-known-by-email")
MEANT_AS_RETAIL = WebUserId("u-meant-as-retail")
PADDED_ATTRIBUTE = WebUserId("u-padded-attribute")
WRONG_CONTACT = WebUserId("u-wrong-contact")
"""Mapped, as an exception, with the contact of another account."""
NOT_IN_DIRECTORY = WebUserId("u-deleted")

UNMAPPED = OrganisationId("org-newcomers")
MAPPED_TO_NOBODY = OrganisationId("org-typing-error")
STILL_REVIEWED = OrganisationId("org-still-reviewed")
SECOND_OF_ONE = OrganisationId("org-second-desk")
"""Two organisations may stand for one account; both see its invoices."""
NOT_AN_ORGANISATION = OrganisationId("org-dissolved")

WRITTEN_BY_STAFF = IN_EUROS
"""Accounts whose organisation is assigned by the store's attribute, not by a file."""


def newcomer(organisation: OrganisationId) -> WebUserId:
    return WebUserId(f"u-{organisation.value.removeprefix('org-')}")


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody whom the store knows, with the names and addresses that they typed."""

    organisations: tuple[Organisation, ...]
    users: tuple[WebUser, ...]
    names: dict[WebUserId, str]
    emails: dict[WebUserId, str]

    def user(self, web_user: WebUserId) -> WebUser:
        for each in self.users:
            if each.web_user == web_user:
                return each
        raise KeyError(web_user)


def build_directory(chance: Random, customers: Customers) -> Directory:
    """The same people for the same ``chance``."""
    users = [*_employees(customers), *_people_with_stories(customers)]
    retail = list(_shoppers(chance))
    names = {user.web_user: person(chance) for user in (*users, *retail)}
    emails = {
        user.web_user: mailbox(f"{names[user.web_user]}.{index}", "people")
        for index, user in enumerate((*users, *retail))
    }
    return Directory(tuple(_organisations()), (*users, *retail), names, emails)


def _organisations() -> Iterator[Organisation]:
    for number, company in enumerate(COMPANIES, start=1):
        customer_id = trade(number)
        yield Organisation(
            organisation_of(customer_id),
            company,
            AccountStatus.ACTIVE,
            customer_id.value if customer_id in WRITTEN_BY_STAFF else None,
        )
    yield Organisation(UNMAPPED, "Newcomers Ltd", AccountStatus.ACTIVE)
    yield Organisation(MAPPED_TO_NOBODY, "Mistyped Metalworks", AccountStatus.ACTIVE)
    yield Organisation(
        STILL_REVIEWED, "Patience Interiors", AccountStatus.UNDER_REVIEW, open_application=True
    )
    yield Organisation(SECOND_OF_ONE, f"{COMPANIES[16]}, service desk", AccountStatus.ACTIVE)


def _employees(customers: Customers) -> Iterator[WebUser]:
    for number in range(1, len(COMPANIES) + 1):
        customer_id = trade(number)
        organisation = organisation_of(customer_id)
        sites = customers.locations_of(customer_id)
        for index, role in enumerate((Role.MANAGE, Role.ORDER, Role.BROWSE), start=1):
            if index == 3 and number % 4:
                continue
            place = branch_id(customer_id, 1) if sites and index == 2 else None
            yield WebUser(employee(customer_id, index), (Membership(organisation, role, place),))


def _people_with_stories(customers: Customers) -> Iterator[WebUser]:
    yield WebUser(
        TWIN,
        (
            Membership(organisation_of(PARENT), Role.APPROVE),
            Membership(organisation_of(SUBSIDIARY), Role.ORDER),
        ),
    )
    yield WebUser(
        CONSULTANT,
        (
            Membership(organisation_of(trade(19)), Role.ORDER),
            Membership(organisation_of(trade(31)), Role.ORDER),
        ),
    )
    yield WebUser(SOLE_TRADER, verified_email="sole.trader@people.example")
    yield WebUser(APPLICANT, open_application=True)
    yield WebUser(SHARED_MAILBOX, verified_email=SHARED_EMAIL)
    known = customers.account(trade(40)).contacts[0].email
    yield WebUser(KNOWN_BY_EMAIL, verified_email=known)
    yield WebUser(MEANT_AS_RETAIL, staff_customer_id=RETAIL_US.value)
    yield WebUser(PADDED_ATTRIBUTE, staff_customer_id=f" {trade(17)} ")
    yield WebUser(WRONG_CONTACT, (Membership(organisation_of(trade(18)), Role.ORDER),))
    for organisation in (UNMAPPED, MAPPED_TO_NOBODY, STILL_REVIEWED, SECOND_OF_ONE):
        yield WebUser(newcomer(organisation), (Membership(organisation, Role.MANAGE),))


def _shoppers(chance: Random) -> Iterator[WebUser]:
    for number in range(1, RETAIL_USERS + 1):
        verified = f"shopper{number}@mail.example" if chance.random() < 0.7 else None
        yield WebUser(
            shopper(number),
            verified_email=verified,
            preferred_currency="EUR" if number % 4 == 0 else "USD",
        )
