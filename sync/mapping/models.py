"""The shape of the mapping files, field by field.

These are what an administrator writes, not what the engine works with: the
assembling turns them into the domain's types and judges how they fit together.
A field that was left out keeps its default; only what was written is judged.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sync.domain.channel import CommerceMode, LoginWall, Registration
from sync.domain.mapping import DEFAULT_PRECEDENCE, OnDifference, PaymentKind, Source
from sync.domain.order import OrderState
from sync.mapping.words import (
    Amount,
    Country,
    Currency,
    Flag,
    Jurisdiction,
    OrNothing,
    Text,
    listing,
    section,
    word,
)

Mode = Annotated[CommerceMode, word(CommerceMode)]
Wall = Annotated[LoginWall, word(LoginWall)]
Registrations = Annotated[Registration, word(Registration)]
Importable = Annotated[OrderState, word(OrderState)]
Difference = Annotated[OnDifference, word(OnDifference)]
Kind = Annotated[PaymentKind, word(PaymentKind)]
Place = Annotated[Source, word(Source)]
Codes = Annotated[dict[Text, Text], BeforeValidator(section), OrNothing]


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class RetailGroupEntry(Entry):
    customer_id: Text
    currencies: Annotated[list[Currency], Field(min_length=1)]
    countries: list[Country] = []


class ChannelEntry(Entry):
    """``login_wall`` and ``registration`` follow the mode where nothing is written, and
    ``zero_price_means_call`` what accounts.yaml says."""

    commerce_mode: Mode
    login_wall: Wall = LoginWall.OPEN
    guest_checkout: Flag = False
    registration: Registrations = Registration.BOTH
    retail_groups: list[RetailGroupEntry] = []
    importable: Annotated[list[Importable], Field(min_length=1)] = []
    import_unpaid_terms: Flag = True
    warehouse: Text = ""
    zero_price_means_call: Flag = True


Documents = Annotated[dict[Jurisdiction, list[Text]], BeforeValidator(section), OrNothing]


class ChannelsFile(Entry):
    channels: Annotated[dict[Text, ChannelEntry], Field(min_length=1)]
    required_documents: Documents = {}


class AssignmentEntry(Entry):
    customer_id: Text
    user: Text = ""
    organisation: Text = ""
    contact: Text = ""
    note: str = ""


class CustomersFile(Entry):
    precedence: Annotated[list[Place], Field(min_length=1)] = list(DEFAULT_PRECEDENCE)
    assignments: Annotated[list[AssignmentEntry], BeforeValidator(listing), OrNothing] = []


class PolicyEntry(Entry):
    """The fields of ``AccountPolicy``; what is not written comes from the broader policy."""

    custom_ship_to: Flag = False
    card_payment: Flag = True
    card_lifts_credit_hold: Flag = False
    po_required: Flag = False
    price_tolerance: Amount = Decimal(0)
    on_price_difference: Difference = OnDifference.FLAG
    tax_tolerance: Amount = Decimal(0)
    ship_to_override: Text = ""
    default_contact: Text = ""


Policies = Annotated[dict[Text, PolicyEntry], BeforeValidator(section), OrNothing]


class AccountsFile(Entry):
    default: Annotated[PolicyEntry, BeforeValidator(section), OrNothing] = PolicyEntry()
    retail: Annotated[PolicyEntry, BeforeValidator(section), OrNothing] = PolicyEntry()
    accounts: Policies = {}
    zero_price_means_call: Flag = True


class PaymentMethodEntry(Entry):
    kind: Kind
    erp_code: Text = ""


Payments = Annotated[dict[Text, PaymentMethodEntry], BeforeValidator(section), OrNothing]
Countries = Annotated[dict[Text, Country], BeforeValidator(section), OrNothing]


class CodesFile(Entry):
    payment_methods: Payments = {}
    ship_methods: Codes = {}
    units: Codes = {}
    taxes: Codes = {}
    countries: Countries = {}
    charges: Codes = {}
    discounts: Codes = {}
