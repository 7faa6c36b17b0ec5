"""What the store's directory says of users and organisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.domain.account import AccountStatus
from sync.domain.ids import LocationId, OrganisationId, WebUserId
from sync.domain.order import BuyerRecord, Membership, Role
from sync.stores.embedded import writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.testing import builders

Shop = Callable[..., Any]


@pytest.mark.rule("TL-3")
def test_a_user_keeps_every_membership_with_role_and_location(
    store: EmbeddedStore, shop: Shop
) -> None:
    user = builders.a_web_user(
        memberships=(
            Membership(OrganisationId("zeta"), Role.MANAGE, LocationId("SITE-1")),
            Membership(OrganisationId("alpha"), Role.BROWSE),
        ),
        staff_customer_id="C-1001",
        open_application=True,
        preferred_currency="SEK",
    )
    shop(writing.add_user, user)
    assert store.buyer(user.web_user, None) == BuyerRecord(user=user)


def test_an_email_that_nobody_verified_is_not_told(store: EmbeddedStore, shop: Shop) -> None:
    user = builders.a_web_user(verified_email=None)
    shop(writing.add_user, user, email="typed@somewhere.example")
    found = store.buyer(user.web_user, None).user
    assert found is not None
    assert found.verified_email is None


def test_an_unknown_user_or_organisation_is_none(store: EmbeddedStore, shop: Shop) -> None:
    organisation = builders.an_organisation()
    shop(writing.add_organisation, organisation)
    record = store.buyer(WebUserId("nobody"), organisation.organisation)
    assert record == BuyerRecord(None, organisation)
    assert store.buyer(None, OrganisationId("none")) == BuyerRecord()


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize("status", [None, *AccountStatus])
def test_every_status_of_an_organisation_is_told_as_it_is(
    store: EmbeddedStore, shop: Shop, status: AccountStatus | None
) -> None:
    organisation = builders.an_organisation(
        status=status, staff_customer_id=" RETAIL ", open_application=True
    )
    shop(writing.add_organisation, organisation)
    assert store.buyer(None, organisation.organisation).organisation == organisation


def test_a_changed_user_leaves_no_old_membership_behind(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.add_user, builders.a_web_user())
    changed = builders.a_web_user(memberships=(), verified_email=None)
    shop(writing.change_user, changed)
    assert store.buyer(changed.web_user, None).user == changed


def test_a_shop_of_twenty_thousand_users_is_told_to_the_last(
    store: EmbeddedStore, shop: Shop
) -> None:
    users = [builders.a_web_user(web_user=WebUserId(f"u-{number:05}")) for number in range(20_000)]
    shop(writing.add_users, users)
    assert list(store.web_users()) == [user.web_user for user in users]
    shop(writing.add_organisations, [builders.an_organisation()])
    assert list(store.organisations()) == [builders.ORGANISATION]
