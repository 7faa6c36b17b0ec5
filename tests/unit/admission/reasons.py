"""One order for every reason to quarantine: right in all respects but one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sync.admission import LinePrice
from sync.domain.account import AccountStatus, CreditStatus
from sync.domain.ids import BillToId, ContactId, CustomerId, LocationId, ShipToId, Sku
from sync.domain.mapping import (
    AccountPolicy,
    Assignment,
    OnDifference,
    RefusedAssignment,
)
from sync.domain.order import (
    Approval,
    Charge,
    ChargeKind,
    OrderDiscount,
    Payment,
    PaymentState,
    Role,
    SelectedBillTo,
    SelectedShipTo,
    Tax,
    WebOrder,
)
from sync.testing import builders as a
from tests.unit.admission.desk import (
    B2B,
    B2C,
    CODES,
    ERP,
    EURO_GROUP,
    HYBRID,
    OF_ORGANISATION,
    Situation,
    card,
    on_terms,
    personal,
    priced,
    situation,
)

Case = tuple[WebOrder, Situation]

STRICT = AccountPolicy(on_price_difference=OnDifference.HOLD)
NO_OVERRIDE = replace(ERP, tax_override=False)


def _wholesale(here: Situation | None = None, **changes: Any) -> Case:
    return a.a_web_order(**changes), here or Situation()


def _retail(here: Situation | None = None, **changes: Any) -> Case:
    return a.a_retail_order(**changes), here or Situation()


def _account(**changes: Any) -> Situation:
    return situation(accounts=(a.an_account(**changes), a.a_retail_account()))


def _tables(**tables: Any) -> Situation:
    return situation(codes=replace(CODES, **tables))


def _buyer(**changes: Any) -> dict[str, Any]:
    return {"buyer": a.a_wholesale_buyer(**changes)}


def _kit_part(**changes: Any) -> Any:
    return a.a_line(line_id="2", unit_price=a.money("0.00"), **changes)


REASONS: dict[str, Callable[[], Case]] = {
    "no_lines": lambda: _wholesale(lines=(), total=a.money("0.00")),
    # who buys
    "identity_unproven": lambda: _wholesale(**_buyer(signed_in=False)),
    "user_unknown": lambda: (personal(), situation(users=())),
    "guest_not_allowed": lambda: _retail(situation(channel=replace(HYBRID, guest_checkout=False))),
    "organisation_missing": lambda: _wholesale(situation(channel=B2B), **_buyer(organisation=None)),
    "organisation_unknown": lambda: _wholesale(situation(organisations=())),
    "organisation_on_b2c": lambda: _wholesale(situation(channel=B2C)),
    "not_a_member": lambda: _wholesale(situation(users=(a.a_web_user(memberships=()),))),
    "no_right_to_order": lambda: _wholesale(
        situation(
            users=(
                a.a_web_user(
                    memberships=(replace(a.a_web_user().memberships[0], role=Role.BROWSE),)
                ),
            )
        )
    ),
    "location_on_personal_order": lambda: _retail(buyer=a.a_guest(location=LocationId("SITE-1"))),
    "approval_on_personal_order": lambda: _retail(approval=Approval.APPROVED),
    "location_not_of_account": lambda: _wholesale(**_buyer(location=LocationId("SITE-9"))),
    # for which account
    "user_unmapped": lambda: _wholesale(
        situation(channel=B2B, assignments=(), store_organisations=False),
        **_buyer(organisation=None),
    ),
    "organisation_unmapped": lambda: _wholesale(situation(assignments=())),
    "application_open": lambda: (
        personal(payments=(on_terms(),)),
        situation(users=(a.a_web_user(open_application=True),)),
    ),
    "assignment_refused": lambda: _wholesale(
        situation(
            assignments=(),
            refused=(
                RefusedAssignment("the ID is padded", "Remove the blanks.", None, a.ORGANISATION),
            ),
        )
    ),
    "assignment_conflict": lambda: _wholesale(
        situation(
            assignments=(
                OF_ORGANISATION,
                Assignment(
                    CustomerId("C-2"), organisation=a.ORGANISATION, origin="customers.csv:9"
                ),
            )
        )
    ),
    "retail_group_as_individual": lambda: _wholesale(
        situation(assignments=(replace(OF_ORGANISATION, customer_id=a.RETAIL_ACCOUNT),))
    ),
    "retail_group_unclear": lambda: _retail(priced_for=CustomerId("RETAIL-MARS")),
    "retail_group_currency": lambda: _retail(
        situation(
            channel=replace(HYBRID, retail_groups=(replace(EURO_GROUP, currencies=("USD",)),))
        )
    ),
    "customer_unknown": lambda: _wholesale(situation(accounts=())),
    "customer_inactive": lambda: _wholesale(_account(active=False)),
    "customer_prospect": lambda: _wholesale(_account(prospect=True)),
    "account_not_active": lambda: _wholesale(_account(status=AccountStatus.SUSPENDED)),
    "contact_missing": lambda: _wholesale(situation(erp=replace(ERP, needs_contact=True))),
    "contact_of_another_account": lambda: _wholesale(
        situation(assignments=(replace(OF_ORGANISATION, contact=ContactId("P-999")),))
    ),
    "currency_not_of_account": lambda: _wholesale(_account(currencies=("USD",))),
    "credit_hold": lambda: _wholesale(_account(credit=CreditStatus.HOLD)),
    "po_missing": lambda: _wholesale(_account(po_required=True)),
    # where to
    "ship_to_missing": lambda: _wholesale(ship_to=None),
    "ship_to_incomplete": lambda: _retail(ship_to=a.a_typed_address(city=None)),
    "ship_to_not_of_account": lambda: _wholesale(ship_to=SelectedShipTo(ShipToId("ELSEWHERE"))),
    "ship_to_selected_by_retail": lambda: _retail(ship_to=SelectedShipTo(a.SHIP_TO)),
    "custom_ship_to_forbidden": lambda: _wholesale(ship_to=a.a_typed_address()),
    "ship_to_override_unsupported": lambda: _retail(
        situation(erp=replace(ERP, ship_to_override=False))
    ),
    "ship_to_id_missing": lambda: _retail(situation(erp=replace(ERP, needs_ship_to_id=True))),
    "country_unknown": lambda: _retail(ship_to=a.a_typed_address(country="Holland")),
    "bill_to_not_of_account": lambda: _wholesale(bill_to=SelectedBillTo(BillToId("ELSEWHERE"))),
    "bill_to_incomplete": lambda: _retail(bill_to=a.a_typed_address(lines=())),
    "bill_to_typed_on_terms": lambda: _wholesale(bill_to=a.a_typed_address()),
    # paid how
    "payment_method_missing": lambda: _wholesale(payments=()),
    "payment_method_unmapped": lambda: _wholesale(payments=(Payment("cowrie shells"),)),
    "payment_method_refused": lambda: _wholesale(payments=(Payment("cash"),)),
    "payment_absent": lambda: _retail(payments=(card(PaymentState.NONE),)),
    "payment_declined": lambda: _retail(payments=(card(PaymentState.DECLINED),)),
    "payment_expired": lambda: _retail(payments=(card(PaymentState.EXPIRED),)),
    "payment_refunded": lambda: _retail(payments=(card(PaymentState.REFUNDED),)),
    "payments_do_not_add_up": lambda: _retail(payments=(card(amount=a.money("99.89")),)),
    "terms_for_retail": lambda: _retail(payments=(on_terms(),)),
    "account_without_terms": lambda: _wholesale(_account(terms=None)),
    "card_not_allowed": lambda: _wholesale(
        situation(policy=AccountPolicy(card_payment=False)), payments=(card(),)
    ),
    # what
    "item_unknown": lambda: _wholesale(lines=(a.a_line(sku=Sku("UNHEARD-OF")),)),
    "item_discontinued": lambda: _wholesale(situation(items=(a.an_item(discontinued=True),))),
    "item_restricted": lambda: _wholesale(
        situation(items=(a.an_item(allowed_to=frozenset({CustomerId("C-2")})),))
    ),
    "unit_unknown": lambda: _wholesale(lines=(a.a_line(unit="HOGSHEAD"),)),
    "quantity_uneven": lambda: (
        priced(a.a_web_order(lines=(a.a_line(quantity=Decimal("2.5")),))),
        Situation(),
    ),
    "kit_parent_missing": lambda: _wholesale(lines=(a.a_line(), _kit_part(kit_parent="7"))),
    "too_many_lines": lambda: (
        priced(a.a_web_order(lines=(a.a_line(), a.a_line(line_id="2")))),
        situation(erp=replace(ERP, max_order_lines=1)),
    ),
    "price_differs": lambda: _wholesale(
        situation(policy=STRICT, prices={"1": LinePrice(Decimal("10.00"))})
    ),
    # amounts and codes
    "total_mismatch": lambda: _wholesale(total=a.money("99.91")),
    "charge_unmapped": lambda: (
        priced(a.a_web_order(charges=(Charge(ChargeKind.FEE, "gift wrap", a.money("1.00")),))),
        _tables(charges={"freight": "FRT"}),
    ),
    "discount_unmapped": lambda: (
        priced(a.a_web_order(discounts=(OrderDiscount("FRIENDS", a.money("1.00")),))),
        _tables(discounts={"WELCOME": "CPN"}),
    ),
    "tax_unmapped": lambda: (
        priced(a.a_web_order(taxes=(Tax("MOON", a.money("1.00")),))),
        _tables(taxes={"VAT": "V21"}),
    ),
    "tax_differs": lambda: _wholesale(situation(erp=NO_OVERRIDE, erp_tax=a.money("5.00"))),
    "tax_cannot_be_compared": lambda: _wholesale(situation(erp=NO_OVERRIDE)),
    "ship_method_unmapped": lambda: (
        a.a_web_order(ship_via="drone"),
        _tables(ship_methods={"van": "VAN"}),
    ),
    # text
    "text_not_encodable": lambda: _wholesale(
        situation(erp=replace(ERP, text_encoding="cp1252")), notes="Łódź"
    ),
    "notes_too_long": lambda: _wholesale(
        situation(erp=replace(ERP, notes_length=10)), notes="eleven char"
    ),
}

# What no judgement of an order can say; the flows do.
ONLY_FLOWS_SAY = frozenset({"order_unreadable", "channel_unknown", "erp_refused", "gave_up"})
