"""Checks of the account and of the person who ordered."""

from __future__ import annotations

from sync.admission.facts import AdmissionFacts, Notebook
from sync.domain.account import Account, AccountStatus, CreditStatus
from sync.domain.channel import CommerceMode
from sync.domain.ids import ContactId
from sync.domain.mapping import PaymentKind
from sync.domain.order import Approval, Role, WebOrder


def check_account(order: WebOrder, facts: AdmissionFacts, notebook: Notebook) -> None:
    """Does the ERP have the account, and may it be ordered under?"""
    _check_registration(facts, notebook)
    routed, account = facts.routed, facts.account
    if routed is None:
        return
    unread = facts.unread.get(routed.customer_id)
    if account is None and unread is not None:
        notebook.forbid(
            "customer_unknown",
            f"The ERP's customer {routed.customer_id} cannot be read: {unread}.",
            "Correct the record in the ERP, or the way it is read, then replay.",
        )
        return
    if account is None:
        notebook.forbid(
            "customer_unknown",
            f"The ERP has no customer {routed.customer_id}.",
            "Correct the customer ID in the mapping, or create the customer in the ERP.",
        )
        return
    _check_status(account, notebook)
    # A retail group declares its currencies itself, and routing judged them.
    declared = routed.retail and not account.currencies
    if not declared and order.currency not in account.currencies:
        notebook.forbid(
            "currency_not_of_account",
            f"The order is in {order.currency}, customer {account.customer_id} "
            f"in {', '.join(account.currencies) or 'no currency that the ERP tells'}.",
            "Allow the currency for the customer in the ERP; amounts are never converted.",
        )


def _check_status(account: Account, notebook: Notebook) -> None:
    """The ERP's word: it owns the statuses from active to closed (VE-3)."""
    customer = account.customer_id
    if account.prospect or account.effective_status is AccountStatus.PROSPECT:
        notebook.forbid(
            "customer_prospect",
            f"Customer {customer} is only a prospect in the ERP.",
            "Make the prospect a customer in the ERP, then replay.",
        )
    if not account.active:
        notebook.forbid(
            "customer_inactive",
            f"Customer {customer} is inactive in the ERP.",
            "Reactivate the customer in the ERP or correct the mapping, then replay.",
        )
    # A status that only repeats the two flags above is no reason of its own.
    if account.status is not None and account.status is not AccountStatus.ACTIVE:
        _not_active(f"customer {customer}", account.status, notebook)


def _check_registration(facts: AdmissionFacts, notebook: Notebook) -> None:
    """The store's word: registration owns the statuses below active (VE-3).

    From active on the ERP's own word is newer than what the store repeats of it.
    """
    company = facts.record.organisation
    if company is None or company.status is None or facts.retail:
        return
    if company.status < AccountStatus.ACTIVE:
        _not_active(f"organisation {company.organisation}", company.status, notebook)


def _not_active(whose: str, status: AccountStatus, notebook: Notebook) -> None:
    word = status.name.lower().replace("_", " ")
    notebook.forbid(
        "account_not_active",
        f"The account of {whose} has status {status.value} ({word}); only active ones may order.",
        "Finish its registration or reactivate it, then replay.",
    )


def check_person(order: WebOrder, facts: AdmissionFacts, notebook: Notebook) -> None:
    """May this person order, from this place?"""
    organisation = order.buyer.organisation
    if organisation is not None and order.buyer.signed_in and facts.record.user is not None:
        place = facts.record.user.member_of(organisation)
        if place is not None and place.role < Role.ORDER:
            notebook.forbid(
                "no_right_to_order",
                f"User {order.buyer.web_user} may only browse for organisation {organisation}.",
                "Give the user the right to order in the store, then replay; or dismiss it.",
            )
    if _is_personal(order, facts):
        if order.buyer.location is not None:
            notebook.forbid(
                "location_on_personal_order",
                f"A personal order names location {order.buyer.location}.",
                "Let the buyer order again in the context of their organisation.",
            )
        if order.approval is not Approval.NOT_NEEDED:
            notebook.forbid(
                "approval_on_personal_order",
                "A personal order went through an approval.",
                "Let the buyer order again in the context of their organisation.",
            )
        return
    location = order.buyer.location
    if facts.account is not None and location is not None and facts.location(location) is None:
        notebook.forbid(
            "location_not_of_account",
            f"Location {location} does not belong to customer {facts.account.customer_id}.",
            "Correct the location in the store or in the ERP, then replay.",
        )


def _is_personal(order: WebOrder, facts: AdmissionFacts) -> bool:
    """Whether it is certain that nobody's organisation stands behind the order.

    Where the store knows no organisations, the ERP account that a user is mapped
    to is the user's organisation; while it is not known which one, nothing is
    said about the order's location and approval.
    """
    if not order.personal:
        return False
    if facts.store_organisations or facts.retail:
        return True
    return not order.buyer.signed_in or facts.channel.mode is CommerceMode.B2C


def contact_for(facts: AdmissionFacts, notebook: Notebook) -> ContactId | None:
    """The contact to name on the order; one of another account is forbidden."""
    routed, account = facts.routed, facts.account
    if routed is None or account is None:
        return None
    contact = routed.contact or facts.policy.default_contact
    if contact is None:
        if facts.capabilities.needs_contact:
            notebook.forbid(
                "contact_missing",
                f"The ERP wants a contact, and customer {account.customer_id} has none configured.",
                "Set default_contact for the account in accounts.yaml, then replay.",
            )
        return None
    if contact not in {each.contact_id for each in account.contacts}:
        notebook.forbid(
            "contact_of_another_account",
            f"Contact {contact} does not belong to customer {account.customer_id}.",
            "Correct the contact in the mapping files, then replay.",
        )
        return None
    return contact


def hold_for_credit(
    account: Account | None, kinds: set[PaymentKind], facts: AdmissionFacts, notebook: Notebook
) -> bool:
    """Whether the order is entered on hold because the account is on credit hold."""
    if account is None or account.credit is CreditStatus.OK:
        return False
    if kinds == {PaymentKind.CARD} and facts.policy.card_lifts_credit_hold:
        notebook.flag("Account is on credit hold; paid by card.")
        return False
    if facts.capabilities.order_hold:
        notebook.flag("Account is on credit hold.")
        return True
    notebook.forbid(
        "credit_hold",
        f"Customer {account.customer_id} is on credit hold.",
        "Release the customer in the ERP, then replay.",
    )
    return False


def check_purchase_order(order: WebOrder, facts: AdmissionFacts, notebook: Notebook) -> None:
    """Is there a PO number where one is needed, and is it new?"""
    account = facts.account
    if account is None:
        return
    stated = facts.policy.po_required
    needed = account.po_required if stated is None else stated
    if needed and not (order.po_number and order.po_number.strip()):
        notebook.forbid(
            "po_missing",
            f"Customer {account.customer_id} orders with a PO number only, and there is none.",
            "Ask the buyer for it and add it in the store, then replay.",
        )
    if order.po_number and facts.po_used is not None:
        notebook.flag(f"PO number {order.po_number} was used before, on order {facts.po_used}.")
