"""Every reason for which an order may wait, be quarantined or be closed.

The code is what operators filter by and what other programs rely on: it never
changes its meaning. Beside it stands the rule that it serves.
"""

from __future__ import annotations

from sync.domain.decision import Closing, Problem

QUARANTINE_CODES: dict[str, str] = {
    # what the store shows cannot be understood
    "order_unreadable": "OI-2",
    "channel_unknown": "TL-4",
    "no_lines": "OI-1",
    # who buys
    "identity_unproven": "WA-2e",
    "user_unknown": "WA-2e",
    "guest_not_allowed": "VE-2",
    "organisation_missing": "TL-1",
    "organisation_unknown": "TL-3",
    "organisation_on_b2c": "WA-2a",
    "not_a_member": "TL-3",
    "no_right_to_order": "VE-4",
    "location_on_personal_order": "VE-8",
    "approval_on_personal_order": "VE-8",
    "location_not_of_account": "VE-6",
    # for which account
    "user_unmapped": "WA-2a",
    "organisation_unmapped": "WA-2a",
    "application_open": "WA-2a",
    "assignment_refused": "WA-2c",
    "assignment_conflict": "WA-2c",
    "retail_group_as_individual": "WA-2b",
    "retail_group_unclear": "WA-2f",
    "retail_group_currency": "WA-2f",
    "customer_unknown": "WA-2c",
    "customer_inactive": "WA-2c",
    "customer_prospect": "WA-12",
    "account_not_active": "VE-3",
    "contact_missing": "WA-12",
    "contact_of_another_account": "WA-12",
    "currency_not_of_account": "WA-16",
    "credit_hold": "WA-15",
    "po_missing": "WA-15",
    # where to
    "ship_to_missing": "WA-4",
    "ship_to_incomplete": "WA-4",
    "ship_to_not_of_account": "WA-4",
    "ship_to_selected_by_retail": "WA-4",
    "custom_ship_to_forbidden": "WA-4",
    "ship_to_override_unsupported": "WA-4",
    "ship_to_id_missing": "WA-11",
    "country_unknown": "OI-9",
    "bill_to_not_of_account": "TL-2",
    "bill_to_incomplete": "OI-1",
    "bill_to_typed_on_terms": "TL-2",
    # paid how
    "payment_method_missing": "WA-5",
    "payment_method_unmapped": "WA-5",
    "payment_method_refused": "WA-5",
    "payment_absent": "WA-5",
    "payment_declined": "WA-5",
    "payment_expired": "OI-5",
    "payment_refunded": "WA-5",
    "payments_do_not_add_up": "OI-7",
    "terms_for_retail": "WA-5",
    "account_without_terms": "WA-5",
    "card_not_allowed": "WA-5",
    # what
    "item_unknown": "OI-8",
    "item_discontinued": "OI-8",
    "item_restricted": "OI-8",
    "unit_unknown": "OI-8",
    "quantity_uneven": "OI-8",
    "kit_parent_missing": "OI-8",
    "too_many_lines": "OI-8",
    "price_differs": "OI-1",
    # amounts and codes
    "total_mismatch": "OI-7",
    "charge_unmapped": "OI-7",
    "discount_unmapped": "OI-7",
    "tax_unmapped": "OI-6",
    "tax_differs": "OI-6",
    "tax_cannot_be_compared": "OI-6",
    "ship_method_unmapped": "OI-9",
    # text
    "text_not_encodable": "OI-9",
    "notes_too_long": "OI-9",
    # what the ERP said
    "erp_refused": "OI-2",
    "gave_up": "OI-2",
}

WAITING_CODES: dict[str, str] = {
    "order_not_ready": "VE-11",
    "approval_pending": "VE-4",
    "payment_pending": "WA-5",
    "order_vanished": "OI-5",
}

CLOSING_RULES: dict[Closing, str] = {
    Closing.CANCELLED: "VE-11",
    Closing.REFUNDED: "VE-11",
    Closing.APPROVAL_REFUSED: "VE-4",
    Closing.VANISHED: "OI-5",
    Closing.DISMISSED: "OI-2",
}


def problem(code: str, sentence: str, remedy: str) -> Problem:
    """A problem with the rule that belongs to its code. Raises KeyError for an unknown code."""
    return Problem(code, sentence, remedy, QUARANTINE_CODES[code])
