"""Who sees what in the shop once the mirrors have written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from sync.domain.account_order import OrderSource
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.document import DocumentKey, DocumentKind
from sync.domain.entitlement import Entitlement
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    InvoiceNumber,
    LocationId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.order import Buyer, Membership, Role
from sync.domain.pricing import (
    DEFAULT_LIST,
    Audience,
    AudienceKind,
    Price,
    PriceQuestion,
    PriceScope,
)
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import (
    AccountOrderView,
    AccountView,
    DocumentView,
    Exceptional,
    ImportNotice,
    ImportState,
    LocationProfile,
    PublishedPriceKey,
)
from sync.stores.embedded import buyer_view, schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.buyer_view import Visitor
from sync.testing import builders as a

Shop = Callable[..., Any]

HYBRID, RETAIL_ONLY = ChannelId("web"), ChannelId("outlet")
FIRST, SECOND = OrganisationId("org-first"), OrganisationId("org-second")
FIRST_ACCOUNT, SECOND_ACCOUNT = CustomerId("C-1"), CustomerId("C-2")
ADA, BEN, RETAIL_RITA = WebUserId("ada"), WebUserId("ben"), WebUserId("rita")
SITE = LocationId("C-1-NORTH")
QUESTION = PriceQuestion(a.SKU, "EA", "EUR", Decimal(10), date(2025, 3, 3))


@pytest.fixture
def town(store: EmbeddedStore, shop: Shop) -> EmbeddedStore:
    """Ada is in two organisations, Ben in the first one's northern site, Rita in none."""
    shop(writing.add_channel, HYBRID, CommerceMode.HYBRID, login_wall=LoginWall.LOGIN_TO_PRICE)
    shop(writing.add_channel, RETAIL_ONLY, CommerceMode.B2C, guest_checkout=True)
    users = [
        a.a_web_user(web_user=ADA, memberships=(Membership(FIRST), Membership(SECOND))),
        a.a_web_user(web_user=BEN, memberships=(Membership(FIRST, location=SITE),)),
        a.a_web_user(web_user=RETAIL_RITA, memberships=()),
    ]
    shop(writing.add_users, users)
    for customer_id, organisation in ((FIRST_ACCOUNT, FIRST), (SECOND_ACCOUNT, SECOND)):
        sites = (LocationProfile(LocationId(f"{customer_id}-NORTH"), "North"),)
        view = a.an_account_view(
            customer_id=customer_id,
            name=f"Company {customer_id}",
            organisations=(organisation,),
            users=(),
            locations=sites,
            price_groups=("GOLD",) if customer_id == FIRST_ACCOUNT else (),
        )
        store.put_accounts([view])
        store.apply_ship_tos(
            [
                a.a_ship_to_view(sold_to=customer_id),
                a.a_ship_to_view(
                    sold_to=customer_id,
                    ship_to_id=ShipToId("SOUTH"),
                    location=LocationId(f"{customer_id}-SOUTH"),
                ),
            ],
            [],
        )
        number = InvoiceNumber(f"INV-{customer_id}")
        store.apply_invoices([a.an_invoice_view(sold_to=customer_id, number=number)], [])
        store.apply_balances([a.a_balance_view(sold_to=customer_id)], [])
        store.apply_account_orders([a.an_account_order_view(sold_to=customer_id)], [])
        part = a.a_customer_part_view(sold_to=customer_id, description=f"of {customer_id}")
        store.apply_customer_parts([part], [])
        store.publish_document(a.a_document_view(sold_to=customer_id), [a.PDF])
        publish(
            store,
            Audience(AudienceKind.ACCOUNT, customer_id.value),
            a.a_price(f"{customer_id.value[-1]}.0000", scope=PriceScope.account(customer_id)),
        )
    return store


def publish(store: EmbeddedStore, audience: Audience, price: Price) -> None:
    store.apply_prices([(PublishedPriceKey(audience, price.key), price.value)], [])


def shoppers(kind: AudienceKind, channel: ChannelId = HYBRID, group: str = "RETAIL") -> Audience:
    return Audience(kind, group, channel)


def unit_price(seen: Shop, visitor: Visitor, question: PriceQuestion = QUESTION) -> str | None:
    found = seen(buyer_view.quote, visitor, question)
    return None if found is None else str(found.price.value.unit_price)


@pytest.mark.rule("TL-3")
def test_a_member_of_two_organisations_is_told_for_whom_they_act(
    town: EmbeddedStore, seen: Shop
) -> None:
    found = seen(buyer_view.acts_for, ADA)
    assert {key: (each.name, each.customer_id) for key, each in found.items()} == {
        FIRST: ("Company C-1", FIRST_ACCOUNT),
        SECOND: ("Company C-2", SECOND_ACCOUNT),
    }
    assert seen(buyer_view.acts_for, RETAIL_RITA) == {}


@pytest.mark.rule("TL-3", "WA-8")
@pytest.mark.parametrize(
    "organisation, account", [(FIRST, FIRST_ACCOUNT), (SECOND, SECOND_ACCOUNT)]
)
def test_everything_follows_the_organisation_that_the_user_has_switched_to(
    town: EmbeddedStore, seen: Shop, organisation: OrganisationId, account: CustomerId
) -> None:
    visitor = Visitor(HYBRID, ADA, organisation)
    assert [each.sold_to for each in seen(buyer_view.invoices, visitor)] == [account]
    assert {each.sold_to for each in seen(buyer_view.ship_tos, visitor)} == {account}
    assert unit_price(seen, visitor) == f"{account.value[-1]}.0000"


@pytest.mark.rule("WA-8")
def test_everybody_of_an_account_sees_all_of_its_invoices(town: EmbeddedStore, seen: Shop) -> None:
    adas = seen(buyer_view.invoices, Visitor(HYBRID, ADA, FIRST))
    assert adas == seen(buyer_view.invoices, Visitor(HYBRID, BEN, FIRST))
    assert len(adas) == 1


@pytest.mark.rule("MI-6", "WA-8")
def test_whoever_sees_an_account_s_invoices_sees_what_it_owes_and_nobody_else(
    town: EmbeddedStore, seen: Shop
) -> None:
    for visitor in (Visitor(HYBRID, ADA, FIRST), Visitor(HYBRID, BEN, FIRST)):
        assert seen(buyer_view.balances, visitor) == (a.a_balance(sold_to=FIRST_ACCOUNT),)
    town.withdraw_account(FIRST_ACCOUNT)
    assert seen(buyer_view.balances, Visitor(HYBRID, ADA, FIRST)) == ()


@pytest.mark.rule("MI-5", "WA-9")
def test_orders_of_an_account_are_seen_by_its_buyers_and_are_nobody_s_own(
    town: EmbeddedStore, seen: Shop
) -> None:
    for user in (ADA, BEN):
        orders = seen(buyer_view.account_orders, Visitor(HYBRID, user, FIRST))
        assert orders == (a.an_account_order(sold_to=FIRST_ACCOUNT),)
        assert seen(buyer_view.own_orders, user) == ()
    town.withdraw_account(FIRST_ACCOUNT)
    assert seen(buyer_view.account_orders, Visitor(HYBRID, ADA, FIRST)) == ()


@pytest.mark.rule("TL-6")
def test_an_organisation_sees_its_own_part_numbers_alone(town: EmbeddedStore, seen: Shop) -> None:
    for organisation, account in ((FIRST, FIRST_ACCOUNT), (SECOND, SECOND_ACCOUNT)):
        [part] = seen(buyer_view.customer_parts, Visitor(HYBRID, ADA, organisation))
        assert (part.sold_to, part.description) == (account, f"of {account}")


@pytest.mark.rule("MI-4", "VE-7")
def test_everybody_sees_the_availability_of_their_own_audiences(
    town: EmbeddedStore, seen: Shop
) -> None:
    to = {
        "1": shoppers(AudienceKind.PUBLIC, RETAIL_ONLY),
        "2": shoppers(AudienceKind.RETAIL),
        "3": Audience(AudienceKind.ACCOUNTS),
        "4": Audience(AudienceKind.ACCOUNT, FIRST_ACCOUNT.value),
    }
    town.apply_availability(
        [(each, a.an_availability(number, warehouse=number)) for number, each in to.items()], []
    )

    def told(visitor: Visitor) -> list[str]:
        return [each.warehouse for each in seen(buyer_view.availability, visitor)]

    assert told(Visitor(HYBRID)) == []
    assert told(Visitor(RETAIL_ONLY)) == ["1"]
    assert told(Visitor(HYBRID, RETAIL_RITA)) == ["2"]
    assert told(Visitor(HYBRID, ADA, FIRST)) == ["3", "4"]
    assert told(Visitor(HYBRID, ADA, SECOND)) == ["3"]


@pytest.mark.rule("VE-5", "VE-1", "VE-7")
def test_a_restricted_item_is_in_the_catalogue_of_whom_it_is_for_and_of_nobody_else(
    town: EmbeddedStore, seen: Shop, shop: Shop
) -> None:
    trade, walled = ChannelId("trade"), ChannelId("walled")
    shop(writing.add_channel, trade, CommerceMode.B2B)
    shop(writing.add_channel, walled, CommerceMode.HYBRID, login_wall=LoginWall.LOGIN_REQUIRED)
    second = town.shown_accounts([SECOND_ACCOUNT])[SECOND_ACCOUNT]
    tagged = replace(second, tags=("LICENSED",), price_groups=("OEM",))
    town.put_accounts([AccountView(a.individual(SECOND_ACCOUNT), tagged)])
    kept = {
        "open": None,
        "nobody's": (),
        "first's": (a.account_audience(FIRST_ACCOUNT),),
        "members'": (Audience(AudienceKind.TAG, "LICENSED"),),
        # A price group of that name is no tag.
        "others'": (Audience(AudienceKind.TAG, "GOLD"), Audience(AudienceKind.TAG, "OEM")),
        "public": (shoppers(AudienceKind.PUBLIC, RETAIL_ONLY),),
        "signed in": (shoppers(AudienceKind.RETAIL, RETAIL_ONLY),),
    }
    skus = [Sku(each) for each in kept]
    town.apply_entitlements(
        [Entitlement(Sku(name), to) for name, to in kept.items() if to is not None], []
    )

    def told(visitor: Visitor) -> set[str]:
        return {sku.value for sku in seen(buyer_view.in_catalogue, visitor, skus)}

    for channel in (HYBRID, trade, walled):
        assert told(Visitor(channel, ADA, FIRST)) == {"open", "first's"}
        assert told(Visitor(channel, ADA, SECOND)) == {"open", "members'"}
    assert told(Visitor(RETAIL_ONLY)) == {"open", "public"}
    assert told(Visitor(RETAIL_ONLY, RETAIL_RITA)) == {"open", "public", "signed in"}
    assert told(Visitor(HYBRID)) == told(Visitor(walled, RETAIL_RITA)) == {"open"}
    # Behind these there is no catalogue at all for them.
    assert told(Visitor(trade)) == told(Visitor(trade, RETAIL_RITA)) == set()
    assert told(Visitor(walled)) == set()

    town.put_accounts([AccountView(a.individual(SECOND_ACCOUNT), replace(tagged, tags=()))])
    assert told(Visitor(HYBRID, ADA, SECOND)) == {"open"}


def confirmed(store: EmbeddedStore, number: str, **changes: Any) -> DocumentView:
    """The first company's confirmation of an order, each with a file of its own."""
    view = a.a_document_view(
        f"%PDF-{number}%%EOF".encode(),
        sold_to=FIRST_ACCOUNT,
        kind=DocumentKind.ORDER_CONFIRMATION,
        number=DocumentNumber(number),
        **changes,
    )
    store.publish_document(view, [f"%PDF-{number}%%EOF".encode()])
    return view


@pytest.mark.rule("TL-7", "WA-8")
def test_everybody_of_an_account_sees_its_documents_with_their_files(
    town: EmbeddedStore, seen: Shop
) -> None:
    for visitor in (Visitor(HYBRID, ADA, FIRST), Visitor(HYBRID, BEN, FIRST)):
        [document] = seen(buyer_view.documents, visitor)
        assert document == a.a_document(sold_to=FIRST_ACCOUNT)
        assert seen(file_of, visitor, document.key) == a.PDF
        # Knowing the key of somebody else's is of no use.
        theirs = a.a_document(sold_to=SECOND_ACCOUNT)
        assert seen(file_of, visitor, theirs.key) is None


def file_of(connection: Connection, visitor: Visitor, key: DocumentKey) -> bytes | None:
    pieces = buyer_view.document_content(connection, visitor, key)
    return None if pieces is None else b"".join(pieces)


@pytest.mark.rule("TL-7", "WA-9")
def test_confirmation_of_a_web_order_is_for_its_buyer_and_for_those_who_see_all_orders(
    town: EmbeddedStore, seen: Shop, shop: Shop
) -> None:
    boss, other_boss = WebUserId("u-boss"), WebUserId("u-other-boss")
    shop(
        writing.add_users,
        [
            a.a_web_user(web_user=boss, memberships=(Membership(FIRST, Role.APPROVE),)),
            a.a_web_user(web_user=other_boss, memberships=(Membership(SECOND, Role.MANAGE),)),
        ],
    )
    placed = a.a_web_order(buyer=Buyer(web_user=BEN, signed_in=True, organisation=FIRST))
    claimed = a.a_web_order(
        order_id=WebOrderId("typed"),
        buyer=Buyer(web_user=ADA, signed_in=False, organisation=SECOND),
    )
    shop(writing.place_orders, [placed, claimed])
    confirmed(town, "by-ben", web_order=placed.order_id)
    confirmed(town, "typed", web_order=claimed.order_id)
    confirmed(town, "of-another-shop", web_reference="W-9")
    confirmed(town, "not-placed-yet", erp_order=ErpOrderNumber("SO-77"))
    confirmed(town, "of-no-order")

    def told(web_user: WebUserId, organisation: OrganisationId = FIRST) -> set[str]:
        visitor = Visitor(HYBRID, web_user, organisation)
        found = {
            each.number.value
            for each in seen(buyer_view.documents, visitor)
            if each.kind is DocumentKind.ORDER_CONFIRMATION
        }
        for number in ("by-ben", "typed", "of-another-shop", "not-placed-yet", "of-no-order"):
            key = (FIRST_ACCOUNT, DocumentKind.ORDER_CONFIRMATION, DocumentNumber(number))
            assert (seen(file_of, visitor, key) is not None) == (number in found)
        return found

    assert told(BEN) == {"by-ben", "of-no-order"}
    assert told(ADA) == {"of-no-order"}
    assert told(boss) == {"by-ben", "of-another-shop", "not-placed-yet", "of-no-order"}
    assert told(other_boss, SECOND) == set()
    assert told(other_boss) == set()


@pytest.mark.rule("TL-7", "MI-5", "WA-9")
def test_confirmation_of_an_order_that_did_not_come_over_the_web_is_the_organisations(
    town: EmbeddedStore, seen: Shop
) -> None:
    came = {"D": OrderSource.DESK, "P": OrderSource.PHONE, "E": OrderSource.EDI}
    came |= {"W": OrderSource.WEB, "O": OrderSource.OTHER}
    for number, source in came.items():
        order = a.an_account_order(number, sold_to=FIRST_ACCOUNT, source=source)
        town.apply_account_orders([AccountOrderView(a.individual(FIRST_ACCOUNT), order)], [])
        confirmed(town, number, erp_order=ErpOrderNumber(number))
    # Another account's order of the number, and one that names a web order, tell nothing.
    theirs = a.an_account_order("T", sold_to=SECOND_ACCOUNT, source=OrderSource.PHONE)
    town.apply_account_orders([AccountOrderView(a.individual(SECOND_ACCOUNT), theirs)], [])
    confirmed(town, "T", erp_order=ErpOrderNumber("T"))
    confirmed(town, "R", erp_order=ErpOrderNumber("P"), web_reference="W-1")

    documents = seen(buyer_view.documents, Visitor(HYBRID, BEN, FIRST))
    told = {each.number.value for each in documents if each.kind is not DocumentKind.INVOICE}
    assert told == {"D", "P", "E"}


@pytest.mark.rule("TL-7", "WA-9")
def test_other_documents_are_linked_to_a_web_order_only_for_who_may_see_it(
    town: EmbeddedStore, seen: Shop, shop: Shop
) -> None:
    placed = a.a_web_order(buyer=Buyer(web_user=BEN, signed_in=True, organisation=FIRST))
    shop(writing.place_orders, [placed])
    linked = a.a_document_view(sold_to=FIRST_ACCOUNT, web_order=placed.order_id)
    town.apply_documents([linked], [])

    [bens] = seen(buyer_view.documents, Visitor(HYBRID, BEN, FIRST))
    [adas] = seen(buyer_view.documents, Visitor(HYBRID, ADA, FIRST))

    assert (bens.web_order, adas.web_order) == (placed.order_id, None)


@pytest.mark.rule("TL-7")
def test_file_that_somebody_changed_in_the_shop_is_not_served(
    town: EmbeddedStore, seen: Shop, shop: Shop
) -> None:
    table = schema.document_pieces

    def spoil(connection: Connection) -> None:
        other = a.PDF.replace(b"Catalog", b"CATALOG")
        connection.execute(update(table).values(content=other))

    shop(spoil)
    visitor = Visitor(HYBRID, ADA, FIRST)
    [document] = seen(buyer_view.documents, visitor)
    assert seen(file_of, visitor, document.key) is None
    assert list(town.document_content(a.a_content().sha256)) == []
    # One of which a piece is gone is not even told of, until it is published anew.
    shop(lambda connection: connection.execute(delete(table)))
    assert seen(buyer_view.documents, visitor) == ()


@pytest.mark.rule("WA-8", "MI-5", "MI-6", "TL-6", "TL-7")
@pytest.mark.parametrize(
    "visitor",
    [
        pytest.param(Visitor(HYBRID), id="anonymous"),
        pytest.param(Visitor(HYBRID, RETAIL_RITA), id="retail user"),
        pytest.param(Visitor(HYBRID, RETAIL_RITA, FIRST), id="no member of the organisation"),
        pytest.param(Visitor(HYBRID, ADA), id="wholesale user in a personal context"),
        pytest.param(Visitor(RETAIL_ONLY, ADA, FIRST), id="wholesale user on a b2c channel"),
        pytest.param(Visitor(HYBRID, WebUserId("unknown"), FIRST), id="unknown user"),
        pytest.param(Visitor(HYBRID, None, FIRST), id="an organisation without a user"),
    ],
)
def test_who_has_no_account_here_sees_nothing_of_any_account(
    town: EmbeddedStore, seen: Shop, visitor: Visitor
) -> None:
    assert seen(buyer_view.profile, visitor) is None
    assert seen(buyer_view.invoices, visitor) == ()
    assert seen(buyer_view.balances, visitor) == ()
    assert seen(buyer_view.account_orders, visitor) == ()
    assert seen(buyer_view.customer_parts, visitor) == ()
    assert seen(buyer_view.documents, visitor) == ()
    for owner in (FIRST_ACCOUNT, SECOND_ACCOUNT):
        assert seen(file_of, visitor, a.a_document(sold_to=owner).key) is None
    assert seen(buyer_view.ship_tos, visitor) == ()
    assert seen(buyer_view.bill_tos, visitor) == ()
    assert seen(buyer_view.prices, visitor) == ()


@pytest.mark.rule("TL-3", "WA-8")
def test_an_exception_counts_for_its_user_while_they_belong_to_the_organisation(
    town: EmbeddedStore, shop: Shop, seen: Shop
) -> None:
    excepted = a.an_account_view(
        customer_id=SECOND_ACCOUNT,
        name="Company C-2",
        organisations=(SECOND,),
        users=(),
        exceptions=(Exceptional(FIRST, BEN),),
    )
    town.put_accounts([excepted])
    ben, ada = (Visitor(HYBRID, each, FIRST) for each in (BEN, ADA))
    assert {each.sold_to for each in seen(buyer_view.invoices, ben)} == {SECOND_ACCOUNT}
    assert {each.sold_to for each in seen(buyer_view.invoices, ada)} == {FIRST_ACCOUNT}

    shop(writing.change_user, a.a_web_user(web_user=BEN, memberships=()))
    assert seen(buyer_view.invoices, ben) == ()
    assert seen(buyer_view.profile, ben) is None


@pytest.mark.rule("WA-2c", "TL-3", "WA-8")
def test_whoever_is_barred_from_the_organisations_account_sees_nothing_of_it(
    town: EmbeddedStore, seen: Shop
) -> None:
    own = a.an_account_view(
        customer_id=FIRST_ACCOUNT,
        name="Company C-1",
        organisations=(FIRST,),
        users=(),
        barred=(Exceptional(FIRST, BEN),),
    )
    town.put_accounts([own])
    assert town.shown_accounts([FIRST_ACCOUNT]) == {FIRST_ACCOUNT: own.profile}
    ben, ada = (Visitor(HYBRID, each, FIRST) for each in (BEN, ADA))
    assert seen(buyer_view.profile, ben) is None
    assert seen(buyer_view.invoices, ben) == ()
    assert {each.sold_to for each in seen(buyer_view.invoices, ada)} == {FIRST_ACCOUNT}


@pytest.mark.rule("WA-8")
def test_after_a_withdrawal_the_former_members_see_nothing(town: EmbeddedStore, seen: Shop) -> None:
    town.withdraw_account(FIRST_ACCOUNT)
    visitor = Visitor(HYBRID, ADA, FIRST)
    assert seen(buyer_view.profile, visitor) is None
    assert seen(buyer_view.invoices, visitor) == ()
    assert seen(buyer_view.ship_tos, visitor) == ()
    assert seen(buyer_view.prices, visitor) == ()
    assert len(seen(buyer_view.invoices, Visitor(HYBRID, ADA, SECOND))) == 1


def test_an_organisation_with_two_accounts_is_shown_neither(
    town: EmbeddedStore, seen: Shop
) -> None:
    town.put_accounts(
        [a.an_account_view(customer_id=CustomerId("C-3"), organisations=(FIRST,), users=())]
    )
    assert seen(buyer_view.profile, Visitor(HYBRID, ADA, FIRST)) is None


def test_a_user_with_an_account_of_their_own_has_it_in_their_personal_context(
    town: EmbeddedStore, seen: Shop
) -> None:
    own = a.an_account_view(customer_id=CustomerId("C-9"), organisations=(), users=(RETAIL_RITA,))
    town.put_accounts([own])
    found = seen(buyer_view.profile, Visitor(HYBRID, RETAIL_RITA))
    assert found == own.profile
    assert seen(buyer_view.acts_for, RETAIL_RITA) == {None: own.profile}


@pytest.mark.rule("VE-6")
def test_a_member_of_a_site_selects_among_its_ship_tos_and_those_of_all_sites(
    town: EmbeddedStore, seen: Shop
) -> None:
    bens = seen(buyer_view.ship_tos, Visitor(HYBRID, BEN, FIRST))
    adas = seen(buyer_view.ship_tos, Visitor(HYBRID, ADA, FIRST))
    assert [each.ship_to_id.value for each in bens] == ["MAIN"]
    assert [each.ship_to_id.value for each in adas] == ["MAIN", "SOUTH"]


@pytest.mark.rule("VE-6", "VE-12")
def test_a_member_of_a_site_pays_its_price_and_a_colleague_the_accounts(
    town: EmbeddedStore, seen: Shop
) -> None:
    local = a.a_price("0.5000", scope=PriceScope.location(SITE))
    publish(town, Audience(AudienceKind.LOCATION, SITE.value), local)
    assert unit_price(seen, Visitor(HYBRID, BEN, FIRST)) == "0.5000"
    assert unit_price(seen, Visitor(HYBRID, ADA, FIRST)) == "1.0000"
    assert unit_price(seen, Visitor(HYBRID, ADA, FIRST, location=SITE)) == "0.5000"
    # Naming another account's site opens nothing.
    assert unit_price(seen, Visitor(HYBRID, ADA, SECOND, location=SITE)) == "2.0000"


@pytest.mark.rule("VE-5")
def test_a_group_price_is_for_the_accounts_in_the_group(town: EmbeddedStore, seen: Shop) -> None:
    # The lower price of a group does not win over a price of the account's own.
    sku = Sku("NUT-M8")
    gold = a.a_price("0.1000", scope=PriceScope.group("GOLD"), sku=sku)
    publish(town, Audience(AudienceKind.GROUP, "GOLD"), gold)
    question = PriceQuestion(sku, "EA", "EUR", Decimal(10), date(2025, 3, 3))
    assert unit_price(seen, Visitor(HYBRID, ADA, FIRST), question) == "0.1000"
    assert unit_price(seen, Visitor(HYBRID, ADA, SECOND), question) is None


@pytest.mark.rule("VE-7")
def test_an_anonymous_visitor_sees_what_is_public_on_this_channel_and_no_more(
    town: EmbeddedStore, seen: Shop
) -> None:
    public = a.a_price("20.0000", scope=DEFAULT_LIST)
    signed_in = a.a_price("19.0000", scope=PriceScope.account(CustomerId("RETAIL")))
    publish(town, shoppers(AudienceKind.PUBLIC, RETAIL_ONLY), public)
    publish(town, shoppers(AudienceKind.RETAIL), signed_in)
    assert seen(buyer_view.prices, Visitor(RETAIL_ONLY)) == (public,)
    assert seen(buyer_view.prices, Visitor(HYBRID)) == ()
    assert seen(buyer_view.prices, Visitor(HYBRID, RETAIL_RITA)) == (signed_in,)
    assert seen(buyer_view.prices, Visitor(RETAIL_ONLY, RETAIL_RITA)) == (public,)
    assert public not in seen(buyer_view.prices, Visitor(HYBRID, ADA, FIRST))


@pytest.mark.rule("VE-7")
def test_a_price_leaked_past_the_login_wall_is_seen_here(town: EmbeddedStore, seen: Shop) -> None:
    leaked = a.a_price("20.0000", scope=DEFAULT_LIST)
    publish(town, shoppers(AudienceKind.PUBLIC), leaked)
    assert seen(buyer_view.prices, Visitor(HYBRID)) == (leaked,)


@pytest.mark.rule("WA-7")
def test_the_shop_never_mixes_the_prices_of_two_retail_groups(
    town: EmbeddedStore, seen: Shop
) -> None:
    for group, amount in (("RETAIL-DE", "20.0000"), ("RETAIL-FR", "18.0000")):
        price = a.a_price(amount, scope=PriceScope.account(CustomerId(group)))
        publish(town, shoppers(AudienceKind.PUBLIC, RETAIL_ONLY, group), price)
    with pytest.raises(ValueError, match="several retail groups"):
        unit_price(seen, Visitor(RETAIL_ONLY))
    german = Visitor(RETAIL_ONLY, retail_group=CustomerId("RETAIL-DE"))
    assert unit_price(seen, german) == "20.0000"
    # A question in a currency that nobody sells in is no such doubt.
    assert unit_price(seen, Visitor(RETAIL_ONLY), _in("SEK")) is None


def _in(currency: str) -> PriceQuestion:
    return PriceQuestion(a.SKU, "EA", currency, Decimal(10), date(2025, 3, 3))


def test_a_channel_that_the_shop_does_not_have_is_an_error(seen: Shop) -> None:
    with pytest.raises(LookupError, match="nowhere"):
        seen(buyer_view.invoices, Visitor(ChannelId("nowhere"), ADA, FIRST))


@pytest.mark.rule("WA-9")
def test_order_history_follows_the_person_and_never_the_account(
    town: EmbeddedStore, shop: Shop, seen: Shop
) -> None:
    def order(number: int, buyer: Buyer) -> Any:
        at = a.PLACED_AT + timedelta(days=number)
        key = WebOrderId(f"order-{number}")
        return a.a_web_order(order_id=key, placed_at=at, modified_at=at, buyer=buyer)

    orders = [
        order(1, a.a_wholesale_buyer(web_user=ADA, organisation=FIRST)),
        order(2, a.a_wholesale_buyer(web_user=BEN, organisation=FIRST)),
        order(3, a.a_wholesale_buyer(web_user=ADA, organisation=SECOND)),
        order(4, Buyer(web_user=ADA, signed_in=False, email="ada@harbour.example")),
        order(5, Buyer(email="ada@harbour.example")),
    ]
    shop(writing.place_orders, orders)
    status = OrderStatus(ErpOrderState.PICKED, ErpOrderNumber("SO-1"))
    notice = ImportNotice(ImportState.PROCESSED, ErpOrderNumber("SO-1"))
    town.show_import(WebOrderId("order-1"), notice)
    town.show_order_status(WebOrderId("order-1"), status)
    adas = seen(buyer_view.own_orders, ADA)
    assert [(each.order, each.notice, each.status) for each in adas] == [
        (orders[2], None, None),
        (orders[0], notice, status),
    ]
    assert [each.order for each in seen(buyer_view.own_orders, BEN)] == [orders[1]]
    assert seen(buyer_view.own_orders, RETAIL_RITA) == ()
