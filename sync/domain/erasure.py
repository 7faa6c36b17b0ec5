"""A person's data taken out of what was kept about orders; keys and amounts stay (OP-9).

Every function here gives the same answer when it is asked twice, and one that
does not depend on what the person's data were: so an erased order that the store
shows again, with or without them, becomes what is kept of it, and only an edit
of goods, amounts or keys tells the two apart.

What stays: keys, states, codes, amounts, items, quantities, dates, countries.
What goes: names, addresses, telephone numbers, e-mail addresses, notes, every
sentence that may quote them, and order and payment references that are text
rather than keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sync.domain.address import Address, TypedAddress
from sync.domain.decision import Decision, Problem
from sync.domain.ids import WebUserId
from sync.domain.order import OrderLine, Payment, StoreOrder, UnreadableOrder, WebOrder
from sync.domain.sales_order import (
    OneOffShipTo,
    OrderStatus,
    SalesOrder,
    SalesOrderLine,
    SalesOrderPayment,
)
from sync.domain.views import ImportNotice

ERASED = "[erased]"

# Shorter texts would be found in every other sentence.
SHORTEST_TEXT = 4

# Letters and digits without a space, at least one digit: a number of somebody's system.
_KEY = re.compile(r"(?:PO[ #:.-]{0,2})?(?=[^0-9]*[0-9])[A-Za-z0-9][A-Za-z0-9._/#:-]{0,63}")
_CARD = re.compile(r"[0-9]{13,19}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_WHOSE = re.compile(r"user|customer|buyer|shopper", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose orders: those of a web user, or all that name an e-mail address."""

    web_user: WebUserId | None = None
    email: str | None = None

    def named_in(self, order: StoreOrder, instruction: SalesOrder | None) -> bool:
        if isinstance(order, UnreadableOrder):
            return self._in_raw(order.payload)
        if self.web_user is not None:
            said = (order.buyer.web_user, instruction.web_user if instruction else None)
            return self.web_user in said
        return self.email is not None and _folded(self.email) in set(emails(order, instruction))

    def _in_raw(self, payload: str) -> bool:
        """In what the store said of an order that could not be read, as a value of its own."""
        try:
            said = list(_scalars(json.loads(payload)))
        except (ValueError, RecursionError):
            sought = self.email or (self.web_user.value if self.web_user else "")
            return bool(sought) and _folded(sought) in payload.casefold()
        if self.web_user is not None:
            return any(
                str(value) == self.web_user.value for key, value in said if _WHOSE.search(key)
            )
        return self.email is not None and any(
            isinstance(value, str) and _folded(value) == _folded(self.email) for _, value in said
        )


def emails(order: StoreOrder, instruction: SalesOrder | None = None) -> Iterator[str]:
    """Every e-mail address that the order names, folded for comparing."""
    found: list[str | None] = []
    if isinstance(order, WebOrder):
        found.append(order.buyer.email)
        found += [each.email for each in _typed_in(order)]
    if instruction is not None:
        found.append(instruction.email)
        found += [each.email for each in _addresses(instruction)]
    return (_folded(each) for each in found if each)


def personal_texts(order: StoreOrder, instruction: SalesOrder | None = None) -> frozenset[str]:
    """What names or reaches the person, to be looked for in other texts.

    Town, region and postal code alone say nothing of one person and are left out.
    """
    found: set[str | None] = set()
    if isinstance(order, WebOrder):
        found |= {order.buyer.email, order.buyer.phone, order.notes}
        found |= {line.note for line in order.lines}
        for each in _typed_in(order):
            found |= {each.name, each.attention, each.email, each.phone, *each.lines}
    if instruction is not None:
        found |= {instruction.email, instruction.phone, instruction.notes}
        for one in _addresses(instruction):
            found |= {one.name, one.attention, one.email, one.phone, *one.lines}
    told = {text.strip() for text in found if text}
    return frozenset(text for text in told if len(text) >= SHORTEST_TEXT and text != ERASED)


def without_person(order: StoreOrder) -> StoreOrder:
    """The order with everything that is no key, code, amount or date taken out."""
    if isinstance(order, UnreadableOrder):
        # Nobody can say what in it is whose.
        return replace(order, problems=(ERASED,), payload=ERASED)
    return replace(
        order,
        buyer=replace(order.buyer, email=None, phone=None),
        lines=tuple(_line(each) for each in order.lines),
        ship_to=_somewhere(order.ship_to) if _typed(order.ship_to) else order.ship_to,
        bill_to=_somewhere(order.bill_to) if _typed(order.bill_to) else order.bill_to,
        payments=tuple(_payment(each) for each in order.payments),
        po_number=_key_or_erased(order.po_number),
        notes=None,
        collect_account=_key_or_erased(order.collect_account),
    )


def recognised(shown: StoreOrder, kept: StoreOrder) -> StoreOrder:
    """An erased order as the store shows it now, to be compared with what is kept of it.

    A store that erases the person too takes keys away with the rest: the user,
    the typed addresses, references. That something is gone is no edit.
    """
    order = without_person(shown)
    if not isinstance(order, WebOrder) or not isinstance(kept, WebOrder):
        return order
    buyer, was = order.buyer, kept.buyer
    if buyer.web_user is None:
        buyer = replace(buyer, web_user=was.web_user, signed_in=was.signed_in)
    if buyer.organisation is None:
        buyer = replace(buyer, organisation=was.organisation, location=was.location)
    references = [each.reference for each in kept.payments]
    if len(references) == len(order.payments):
        payments = tuple(
            each if each.reference else replace(each, reference=before)
            for each, before in zip(order.payments, references, strict=True)
        )
    else:
        payments = order.payments
    return replace(
        order,
        buyer=buyer,
        ship_to=_kept_address(order.ship_to, kept.ship_to),
        bill_to=_kept_address(order.bill_to, kept.bill_to),
        payments=payments,
        po_number=order.po_number or kept.po_number,
        collect_account=order.collect_account or kept.collect_account,
    )


def instruction_without_person(order: SalesOrder) -> SalesOrder:
    """What went to the ERP, likewise."""
    ship_to, bill_to = order.ship_to, order.bill_to
    if isinstance(ship_to, OneOffShipTo):
        ship_to = replace(ship_to, address=_address(ship_to.address))
    if isinstance(bill_to, Address):
        bill_to = _address(bill_to)
    return replace(
        order,
        ship_to=ship_to,
        bill_to=bill_to,
        lines=tuple(_instructed_line(each) for each in order.lines),
        payments=tuple(_instructed_payment(each) for each in order.payments),
        po_number=_key_or_erased(order.po_number),
        notes="",
        phone=None,
        email=None,
        collect_account=_key_or_erased(order.collect_account),
        flags=sentences(order.flags),
    )


def decision_without_person(decision: Decision) -> Decision:
    return replace(decision, trail=sentences(decision.trail), flags=sentences(decision.flags))


def problem_without_person(problem: Problem) -> Problem:
    """Code and rule stay; the words are gone, for they may quote anything."""
    return replace(problem, sentence=ERASED, remedy=ERASED)


def notice_without_person(notice: ImportNotice) -> ImportNotice:
    return replace(notice, message=sentence(notice.message))


def status_without_person(status: OrderStatus) -> OrderStatus:
    return replace(status, message=sentence(status.message))


def sentence(text: str | None) -> str | None:
    return ERASED if text else text


def sentences(texts: Iterable[str]) -> tuple[str, ...]:
    """One word for all of them: how many there were is no business of anybody."""
    return (ERASED,) if any(True for _ in texts) else ()


def is_key(text: str) -> bool:
    """Whether a reference is a number of somebody's system, and no text about a person.

    Card and bank account numbers are not: they lead to the person.
    """
    if not _KEY.fullmatch(text) or _IBAN.fullmatch(text.upper()):
        return False
    return not (_CARD.fullmatch(text) and _checks_out(text))


def _key_or_erased(text: str | None) -> str | None:
    return text if text is None or is_key(text) else ERASED


def _item_number(text: str | None) -> str | None:
    """An item number need not hold a digit, but it is one word."""
    return text if text is None or re.fullmatch(r"[^\s@]{1,64}", text) else ERASED


def _checks_out(digits: str) -> bool:
    """The check digit of card numbers (Luhn)."""
    doubled = [
        int(digit) * 2 if place % 2 else int(digit) for place, digit in enumerate(reversed(digits))
    ]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _typed_in(order: WebOrder) -> list[TypedAddress]:
    return [each for each in (order.ship_to, order.bill_to) if isinstance(each, TypedAddress)]


def _typed(address: object) -> bool:
    return isinstance(address, TypedAddress)


def _somewhere(address: Any) -> TypedAddress:
    country = address.country
    known = country is not None and len(country) in (2, 3) and country.isalpha()
    return TypedAddress(name=ERASED, country=country if known else None)


def _kept_address(shown: Any, kept: Any) -> Any:
    gone = shown is None or (_typed(shown) and shown.country is None)
    return kept if gone and _typed(kept) else shown


def _address(address: Address) -> Address:
    return Address(name=ERASED, lines=(ERASED,), city=ERASED, country=address.country)


def _line(line: OrderLine) -> OrderLine:
    return replace(line, note=None, customer_part_number=_item_number(line.customer_part_number))


def _payment(payment: Payment) -> Payment:
    return replace(payment, reference=_key_or_erased(payment.reference))


def _instructed_line(line: SalesOrderLine) -> SalesOrderLine:
    return replace(line, note=None, customer_part_number=_item_number(line.customer_part_number))


def _instructed_payment(payment: SalesOrderPayment) -> SalesOrderPayment:
    return replace(payment, reference=_key_or_erased(payment.reference))


def _addresses(instruction: SalesOrder) -> list[Address]:
    found = []
    if isinstance(instruction.ship_to, OneOffShipTo):
        found.append(instruction.ship_to.address)
    if isinstance(instruction.bill_to, Address):
        found.append(instruction.bill_to)
    return found


def _folded(text: str) -> str:
    return text.strip().casefold()


def _scalars(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _scalars(below, str(name))
    elif isinstance(value, list):
        for below in value:
            yield from _scalars(below, key)
    elif value is not None:
        yield key, value
