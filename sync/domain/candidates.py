"""Which customers of the ERP an applicant may be already, for a person to choose from.

Nothing is ever linked by what comes out here: a tax ID may be mistyped, an
e-mail address shared, a name common. It orders what staff look at, with reasons.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sync.domain.account import RetailGroups
from sync.domain.ids import CustomerId
from sync.domain.registration import Application

SAME_TAX_ID = 60
SAME_NAME = 25
ALIKE_NAME = 12
SAME_EMAIL = 15
SAME_DOMAIN = 5

# Anybody may have an address there, so that it says nothing of a company.
_FOR_ANYBODY = frozenset(
    {"aol.com", "gmail.com", "gmx.de", "gmx.net", "hotmail.com", "icloud.com", "outlook.com"}
    | {"proton.me", "web.de", "yahoo.com"}
)
# What companies of any name are called.
_FORMS = frozenset(
    {"ag", "bv", "co", "company", "corp", "corporation", "gmbh", "inc", "incorporated", "kg"}
    | {"limited", "llc", "ltd", "nv", "ohg", "oy", "plc", "sa", "sarl", "se", "srl", "the", "und"}
    | {"and"}
)


@dataclass(frozen=True, slots=True)
class CustomerSearch:
    """What is known of somebody who may be a customer already; empty where it is not."""

    name: str = ""
    tax_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class CustomerMatch:
    """A customer that the ERP found, as far as it told."""

    customer_id: CustomerId
    name: str
    tax_id: str | None = None
    emails: tuple[str, ...] = ()
    active: bool = True
    prospect: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A match with its score, 100 at the most, and what speaks for and against it."""

    customer_id: CustomerId
    name: str
    score: int
    reasons: tuple[str, ...]


def search_for(application: Application) -> CustomerSearch:
    """What the application gives to look for."""
    return CustomerSearch(
        name=" ".join((application.company or "").split()),
        tax_id="".join((application.tax_id or "").split()),
        email=(application.email or "").strip(),
    )


def candidates(
    sought: CustomerSearch,
    matches: Iterable[CustomerMatch],
    groups: RetailGroups,
) -> tuple[Candidate, ...]:
    """The matches that have something in common with it, best first.

    A retail group is never among them (WA-2b). Those of equal score are in the
    order of their IDs.
    """
    found = [
        _judged(sought, match)
        for match in {each.customer_id: each for each in matches}.values()
        if match.customer_id not in groups
    ]
    return tuple(
        sorted(
            (each for each in found if each.score > 0),
            key=lambda each: (-each.score, each.customer_id),
        )
    )


def is_another(application: Application, name: str, tax_id: str | None) -> bool:
    """Whether a customer of this name and tax ID is surely not the applicant.

    The tax ID decides where the ERP tells one: names are rewritten there.
    """
    sought = search_for(application)
    if tax_id:
        return _letters(sought.tax_id) != _letters(tax_id)
    return not _alike(_words(sought.name), _words(name))


def telling_word(name: str) -> str:
    """The first word of a company's name that not every company has, in small letters.

    For systems that can look for one piece of text; empty where there is none.
    """
    words = re.findall(r"\w+", name.casefold())
    return next((each for each in words if each not in _FORMS), "")


def bare_tax_id(tax_id: str) -> str:
    """Its letters and digits, in capitals: people write them with dots, dashes and spaces."""
    return "".join(each for each in tax_id if each.isalnum()).upper()


def _judged(sought: CustomerSearch, match: CustomerMatch) -> Candidate:
    score, reasons = 0, []
    if sought.tax_id and match.tax_id:
        if _letters(sought.tax_id) == _letters(match.tax_id):
            score += SAME_TAX_ID
            reasons.append("same tax ID")
        else:
            reasons.append(f"another tax ID: {match.tax_id}")
    ours, theirs = _words(sought.name), _words(match.name)
    if ours and ours == theirs:
        score += SAME_NAME
        reasons.append("same name")
    elif _alike(ours, theirs):
        score += ALIKE_NAME
        reasons.append("similar name")
    points, reason = _by_email(sought.email, match.emails)
    if points:
        score += points
        reasons.append(reason)
    if score and match.prospect:
        reasons.append("a prospect in the ERP")
    if score and not match.active:
        reasons.append("inactive in the ERP")
    return Candidate(match.customer_id, match.name, score, tuple(reasons))


def _by_email(email: str, contacts: Iterable[str]) -> tuple[int, str]:
    ours = email.casefold()
    known = {each.strip().casefold() for each in contacts}
    if not ours:
        return 0, ""
    if ours in known:
        return SAME_EMAIL, "e-mail of a contact"
    domain = ours.rpartition("@")[2]
    theirs = {each.rpartition("@")[2] for each in known}
    if domain and domain not in _FOR_ANYBODY and domain in theirs:
        return SAME_DOMAIN, f"contacts at {domain}"
    return 0, ""


def _letters(value: str) -> str:
    """Letters and digits alone: people write tax IDs with dots, dashes and spaces."""
    return "".join(each for each in _plain(value) if each.isalnum())


def _words(name: str) -> frozenset[str]:
    words = frozenset(re.findall(r"\w+", _plain(name)))
    return words - _FORMS or words


def _alike(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """At least half of all words in common."""
    return 2 * len(ours & theirs) >= len(ours | theirs) > 0


def _plain(value: str) -> str:
    apart = unicodedata.normalize("NFKD", value)
    return "".join(each for each in apart if not unicodedata.combining(each)).casefold()
