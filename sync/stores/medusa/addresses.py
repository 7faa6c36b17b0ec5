"""Addresses between Medusa's form and ours.

Medusa has a company, two names and two street lines. The name of an ERP address
is the company, its "attention" the first name; a street of more than two lines
is joined into the second. What does not fit a form is not lost: the record of
our module keeps the address whole, and orders go by its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.domain.address import Address, TypedAddress

Json = dict[str, Any]
TAG = "tradesync"
PARTS = (
    "company",
    "first_name",
    "last_name",
    "address_1",
    "address_2",
    "city",
    "province",
    "postal_code",
    "country_code",
    "phone",
)


def form_of(address: Address) -> Json:
    """The address as Medusa's form has it; every part is stated, absent ones as empty."""
    first, *others = address.lines
    return {
        "company": address.name,
        "first_name": address.attention or "",
        "last_name": "",
        "address_1": first,
        "address_2": ", ".join(others),
        "city": address.city,
        "province": address.region or "",
        "postal_code": address.postal_code or "",
        "country_code": address.country.lower(),
        "phone": address.phone or "",
    }


def address_text(form: Mapping[str, Any]) -> str:
    """The place as one text, to see whether two forms say the same.

    The module spells it in the same way (src/lib/checkouts.js).
    """
    person = f"{form.get('first_name') or ''} {form.get('last_name') or ''}"
    parts = (
        form.get("company"),
        person,
        form.get("address_1"),
        form.get("address_2"),
        form.get("city"),
        form.get("province"),
        form.get("postal_code"),
    )
    country = str(form.get("country_code") or "").lower()
    return "\n".join([*(_tidy(part) for part in parts), _tidy(country)])


def same_form(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two forms hold the same, an absent part being an empty one."""
    return all((one.get(part) or "") == (other.get(part) or "") for part in PARTS)


def typed(form: Mapping[str, Any]) -> TypedAddress:
    """An address as the shopper typed it; a form may be as empty as it likes."""
    person = _tidy(f"{form.get('first_name') or ''} {form.get('last_name') or ''}")
    company = _text(form.get("company"))
    country = _text(form.get("country_code"))
    return TypedAddress(
        name=company or person or None,
        lines=tuple(
            line for line in (_text(form.get("address_1")), _text(form.get("address_2"))) if line
        ),
        city=_text(form.get("city")),
        country=country.upper() if country else None,
        postal_code=_text(form.get("postal_code")),
        region=_text(form.get("province")),
        attention=person if company and person else None,
        phone=_text(form.get("phone")),
    )


def tag_of(form: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Kind, account and key of an address that we mirrored; None for a shopper's own."""
    metadata = form.get("metadata")
    tag = metadata.get(TAG) if isinstance(metadata, Mapping) else None
    if not isinstance(tag, Mapping):
        return None
    parts = (tag.get("kind"), tag.get("account"), tag.get("key"))
    return (
        (str(parts[0]), str(parts[1]), str(parts[2]))
        if all(isinstance(part, str) and part for part in parts)
        else None
    )


def mirrored_addresses(customer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """ID and account of each address in this customer's book that we mirrored."""
    tagged = [(form["id"], tag_of(form)) for form in customer.get("addresses") or ()]
    return [(address_id, tag[1]) for address_id, tag in tagged if tag is not None]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _tidy(value: object) -> str:
    return " ".join(str(value or "").split())
