"""What must become of an order: a second opinion, kept apart from the code on purpose.

It is written from the rules alone and in another way than the service: no
domain types, no steps that return early, only words about a case and, for each
rule, the sentence that says when it forbids. Where both disagree, one of them
has misread a rule.

A case says who bought (``buyer``), where (``channel``), what the administrators
wrote about the buyer or the organisation (``mapping``), how the account stands
(``standing``), whether it has terms (``terms``), what the employee may do
(``role``), where the goods go (``ship_to``), how it is paid (``payment``), what
the account's policy allows (``policy``) and what the store says (``state``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

BUYERS = (
    "guest",
    "signed-in user",  # ordering for themselves
    "applicant",  # the same, with an open business application
    "deleted user",  # signed in then, unknown to the directory now
    "claimed user",  # named by the order without proof
    "employee",  # ordering for an organisation they belong to
    "outsider",  # ordering for one they do not belong to
    "claimed employee",  # named with their organisation, without proof
)
CHANNELS = ("b2b", "b2c", "b2c without guests", "hybrid", "hybrid without guests")
MAPPINGS = (
    "none",
    "account",
    "refused",
    "two accounts",
    "retail group",
    "no such customer",
    "staff attribute",
    "verified address",  # a contact of the account has it
    "address of two accounts",
    "exception",  # the user's within the organisation, which has none of its own
    "elsewhere only",  # the user's own where they act for an organisation, and its where not
)
STANDINGS = ("active", "inactive", "prospect", "suspended", "closed", "not yet active")
TERMS = ("on terms", "prepaid")
ROLES = ("browse", "order", "approve", "manage")
SHIP_TOS = ("own", "foreign", "typed", "incomplete", "none")
PAYMENTS = (
    "terms",
    "authorised",
    "captured",
    "pending",
    "declined",
    "expired",
    "absent",
    "over by the clock",
    "refused method",
    "unknown method",
    "no method",
)
POLICIES = ("nothing", "cards", "typed addresses", "cards and typed addresses")
STATES = (
    "created",
    "pending approval",
    "awaiting payment",
    "verifying payment",
    "held",
    "awaiting fulfilment",
    "partly fulfilled",
    "fulfilled",
    "cancelled",
    "refunded",
    "approval refused",
)


class Case(NamedTuple):
    buyer: str
    channel: str
    mapping: str
    standing: str
    terms: str
    role: str
    ship_to: str
    payment: str
    policy: str
    state: str


class Verdict(NamedTuple):
    """``outcome`` is closed, waits, quarantined or admitted; ``account`` own or group."""

    outcome: str
    account: str = ""
    rules: frozenset[str] = frozenset()


def verdict(case: Case) -> Verdict:
    if over(case):
        return Verdict("closed")
    if delayed(case):
        return Verdict("waits")
    broken = forbidden_for_the_buyer(without_the_order(case)) | {
        rule for rule, forbids in OF_THE_ORDER if forbids(case)
    }
    if broken:
        return Verdict("quarantined", rules=broken)
    return Verdict("admitted", "group" if sold_as_retail(case) else "own")


def over(c: Case) -> bool:
    return c.state in {"cancelled", "refunded", "approval refused"}


def delayed(c: Case) -> bool:
    unpaid = c.payment in {"declined", "expired", "absent", "over by the clock", "no method"}
    return any(
        (
            c.state == "pending approval",
            c.payment == "pending",
            c.state in {"created", "verifying payment", "held"},
            c.state == "awaiting payment" and unpaid,
            # "Awaiting payment" is imported for orders on account terms only.
            c.state == "awaiting payment" and c.payment != "terms",
        )
    )


# ------------------------------------------------------------------ who is who


def proven(c: Case) -> bool:
    return c.buyer in {"signed-in user", "applicant", "deleted user", "employee", "outsider"}


def for_organisation(c: Case) -> bool:
    return c.buyer in {"employee", "outsider", "claimed employee"}


def says(c: Case) -> str:
    """What is written down for the context of the order, in the words of the plain cases."""
    match c.mapping:
        case "verified address" | "address of two accounts" if (
            for_organisation(c) or c.buyer == "deleted user"
        ):
            return "none"  # an address is a person's, and only while they are there
        case "verified address":
            return "account"
        case "address of two accounts":
            return "two accounts"
        case "exception":
            return "account" if for_organisation(c) else "none"
        case "elsewhere only":
            return "none"
    return c.mapping


def mapped(c: Case) -> bool:
    """Somebody wrote something down about them, of whatever use.

    Of whoever proved who they are it must be for this context. An unproven name is
    nobody's to guess at where anything at all is known of it.
    """
    if c.buyer == "guest":
        return False
    if proven(c):
        return says(c) != "none"
    unknown = c.mapping == "elsewhere only" and c.buyer == "claimed user"
    return c.mapping != "none" and not unknown


def mode(c: Case) -> str:
    return c.channel.split()[0]


def takes_guests(c: Case) -> bool:
    return c.channel in {"b2c", "hybrid"}


def lacks_organisation(c: Case) -> bool:
    return mode(c) == "b2b" and not for_organisation(c)


def mapping_counts(c: Case) -> bool:
    """Nobody's mapping counts on b2c, nor a person's where the organisation's would."""
    return proven(c) and mode(c) != "b2c" and not lacks_organisation(c)


def has_own_account(c: Case) -> bool:
    return mapping_counts(c) and says(c) in {"account", "staff attribute", "no such customer"}


# ------------------------------------------------------- what each rule forbids


def wa_2a(c: Case) -> bool:
    if mode(c) == "b2c":
        applies = c.buyer == "applicant" and c.payment == "terms"
        return for_organisation(c) or applies
    unmapped = not mapped(c)
    applies = c.buyer == "applicant" and c.payment == "terms" and mode(c) == "hybrid"
    return unmapped and (for_organisation(c) or applies)


def wa_2b(c: Case) -> bool:
    return mapping_counts(c) and c.mapping == "retail group"


def wa_2c(c: Case) -> bool:
    useless = says(c) in {"refused", "two accounts"}
    return (mapping_counts(c) and useless) or (
        decided(c) == "own" and (c.mapping == "no such customer" or (c.standing == "inactive"))
    )


def wa_2e(c: Case) -> bool:
    claimed = c.buyer in {"claimed user", "claimed employee"}
    return c.buyer == "deleted user" or (claimed and (mapped(c) or for_organisation(c)))


def ve_2(c: Case) -> bool:
    return not proven(c) and not mapped(c) and not takes_guests(c)


def tl_1(c: Case) -> bool:
    return lacks_organisation(c)


def tl_3(c: Case) -> bool:
    return c.buyer == "outsider"


def ve_4(c: Case) -> bool:
    return c.buyer == "employee" and c.role == "browse"


def decided(c: Case) -> str:
    """The account as far as who buys decides it: own, group or nobody's."""
    return _decided(c.buyer, c.channel, c.mapping, c.payment)


@lru_cache(maxsize=1024)
def _decided(buyer: str, channel: str, mapping: str, payment: str) -> str:
    c = Case(buyer, channel, mapping, "", "", "", "", payment, "", "")
    if any(forbids(c) for forbids in (wa_2a, wa_2b, wa_2e, ve_2, tl_1, tl_3)):
        return "nobody's"
    if mapping_counts(c) and says(c) in {"refused", "two accounts"}:
        return "nobody's"
    return "own" if has_own_account(c) else "group"


def sold_as_retail(c: Case) -> bool:
    return decided(c) == "group"


def sold_to_account(c: Case) -> bool:
    """Under an individual account that the ERP has."""
    return decided(c) == "own" and c.mapping != "no such customer"


def wa_12(c: Case) -> bool:
    return decided(c) == "own" and (c.mapping == "no such customer" or c.standing == "prospect")


def ve_3(c: Case) -> bool:
    applying = for_organisation(c) and c.standing == "not yet active"
    return applying or (sold_to_account(c) and c.standing in {"suspended", "closed"})


def wa_4(c: Case) -> bool:
    if c.ship_to == "none" or c.ship_to == "incomplete":
        return True
    if sold_as_retail(c):
        return c.ship_to != "typed"
    if c.ship_to == "typed":
        return decided(c) == "own" and "typed addresses" not in c.policy
    return c.ship_to == "foreign" and sold_to_account(c)


def wa_5(c: Case) -> bool:
    if c.payment in {"declined", "absent", "refused method", "unknown method", "no method"}:
        return True
    if c.payment == "terms":
        return sold_as_retail(c) or (sold_to_account(c) and c.terms == "prepaid")
    return sold_to_account(c) and c.terms == "on terms" and "cards" not in c.policy


def oi_5(c: Case) -> bool:
    return c.payment in {"expired", "over by the clock"}


OF_THE_BUYER = (
    ("WA-2a", wa_2a),
    ("WA-2b", wa_2b),
    ("WA-2c", wa_2c),
    ("WA-2e", wa_2e),
    ("WA-12", wa_12),
    ("VE-2", ve_2),
    ("VE-3", ve_3),
    ("VE-4", ve_4),
    ("TL-1", tl_1),
    ("TL-3", tl_3),
)
OF_THE_ORDER = (("WA-4", wa_4), ("WA-5", wa_5), ("OI-5", oi_5))
FORBIDS = (*OF_THE_BUYER, *OF_THE_ORDER)


def without_the_order(c: Case) -> Case:
    """The case without what none of the buyer's rules asks; how it is paid, WA-2a asks."""
    return Case(c.buyer, c.channel, c.mapping, c.standing, "", c.role, "", c.payment, "", "")


@lru_cache(maxsize=1024)
def forbidden_for_the_buyer(c: Case) -> frozenset[str]:
    """Orders of one buyer come by the hundred, and all of them meet the same rules here."""
    return frozenset(rule for rule, forbids in OF_THE_BUYER if forbids(c))


# A customer that the ERP does not have breaks two rules (WA-2c and WA-12) for
# one reason, which the service names under the first.
ONE_REASON = {"no such customer": frozenset({"WA-12"})}
