"""How the order is paid, and whether that is allowed (WA-5)."""

from __future__ import annotations

from sync.admission.facts import AdmissionFacts, Notebook
from sync.admission.tender import SETTLED, amount_of, ended, paid, standing
from sync.domain.mapping import PaymentKind, PaymentMethod
from sync.domain.order import Payment, PaymentState, WebOrder
from sync.domain.sales_order import PayBy, SalesOrderPayment

_NOT_PAID = {
    PaymentState.NONE: ("payment_absent", "The store reports no card payment for the order."),
    PaymentState.DECLINED: ("payment_declined", "The payment was declined."),
    PaymentState.EXPIRED: ("payment_expired", "The authorisation of the payment has expired."),
    PaymentState.REFUNDED: ("payment_refunded", "The payment was given back."),
    PaymentState.PENDING: ("payment_absent", "The card payment is not authorised."),
}
_PAY_AGAIN = (
    "Let the buyer pay in the store, or dismiss the order; it is judged anew when it changes."
)


def plan_payments(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> tuple[set[PaymentKind], tuple[SalesOrderPayment, ...]]:
    """The kinds of payment in use and what to tell the ERP of each payment."""
    if not order.payments:
        notebook.forbid(
            "payment_method_missing",
            "The order states no payment method.",
            "Let the store record how the order is paid, then replay.",
        )
    kinds: set[PaymentKind] = set()
    planned = []
    for payment in standing(order, facts.mapping.codes):
        method = _method(payment, facts, notebook)
        if method is None:
            continue
        kinds.add(method.kind)
        if method.kind is PaymentKind.TERMS:
            _check_terms(payment, facts, notebook)
        else:
            _check_card(payment, facts, notebook)
        planned.append(
            SalesOrderPayment(
                by=PayBy.TERMS if method.kind is PaymentKind.TERMS else PayBy.CARD,
                code=method.erp_code or (payment.method or ""),
                amount=amount_of(payment, order),
                reference=payment.reference,
                captured=payment.state is PaymentState.CAPTURED,
            )
        )
    _check_sum(order, facts, notebook)
    return kinds, tuple(planned)


def _method(payment: Payment, facts: AdmissionFacts, notebook: Notebook) -> PaymentMethod | None:
    if not payment.method:
        notebook.forbid(
            "payment_method_missing",
            "A payment of the order states no method.",
            "Let the store record how the order is paid, then replay.",
        )
        return None
    method = facts.mapping.codes.payment_methods.get(payment.method)
    if method is None:
        notebook.forbid(
            "payment_method_unmapped",
            f'Payment method "{payment.method}" is in no code table.',
            f'Add "{payment.method}" to payment_methods in codes.yaml as card, terms or refused, '
            "then replay.",
        )
        return None
    if method.kind is PaymentKind.REFUSED:
        notebook.forbid(
            "payment_method_refused",
            f'Payment method "{payment.method}" is refused.',
            "Let the buyer pay otherwise, or change the method's kind in codes.yaml.",
        )
        return None
    return method


def _check_terms(payment: Payment, facts: AdmissionFacts, notebook: Notebook) -> None:
    if payment.state in (PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.REFUNDED):
        # Terms need no authorisation, but a refusal that the store reports is not ignored.
        code, sentence = _NOT_PAID[payment.state]
        notebook.forbid(code, sentence, _PAY_AGAIN)
    if facts.retail:
        notebook.forbid(
            "terms_for_retail",
            "A retail order asks for account terms; retail pays by card.",
            "Let the buyer pay by card, or assign the buyer's own customer ID, then replay.",
        )
    elif facts.account is not None and facts.account.terms is None:
        notebook.forbid(
            "account_without_terms",
            f"The order asks for account terms, and customer {facts.account.customer_id} has none.",
            "Give the customer terms in the ERP, or let the buyer pay by card, then replay.",
        )


def _check_card(payment: Payment, facts: AdmissionFacts, notebook: Notebook) -> None:
    # An account without terms pays by card whatever the policy says (WA-1).
    on_terms = facts.account is not None and facts.account.terms is not None
    if facts.retail is False and on_terms and not facts.policy.card_payment:
        notebook.forbid(
            "card_not_allowed",
            "The account's policy allows no card payment.",
            "Allow card_payment for the account in accounts.yaml, or let the buyer order on terms.",
        )
    if payment.state not in SETTLED:
        code, sentence = _NOT_PAID[payment.state]
        notebook.forbid(code, sentence, _PAY_AGAIN)
    elif payment.expires_at is not None and ended(payment, facts.now):
        notebook.forbid(
            "payment_expired",
            f"The authorisation of the card ended at {payment.expires_at:%Y-%m-%d %H:%M} UTC.",
            _PAY_AGAIN,
        )


def _check_sum(order: WebOrder, facts: AdmissionFacts, notebook: Notebook) -> None:
    """Together the payments are the order; two that are each for the whole are one too many."""
    payments = standing(order, facts.mapping.codes)
    together = paid(payments, order)
    if payments and together.amount != order.total.amount:
        notebook.forbid(
            "payments_do_not_add_up",
            f"The payments come to {together}, the order to {order.total}.",
            "Correct the payments in the store, then replay.",
        )
