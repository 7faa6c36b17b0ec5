"""One row of a Medusa price list: what it is known by, and how it goes over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync.domain.pricing import AudienceKind
from sync.errors import Rejected
from sync.stores.medusa.holders import Holder
from sync.stores.medusa.price_rows import Step
from sync.stores.medusa.spelling import exact_number

Json = dict[str, Any]
TOO_PRECISE = "price_too_precise"


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """What tells one row of a list from the next."""

    variant: str
    currency: str
    from_quantity: Decimal | None
    to_quantity: Decimal | None
    region: str | None


def row_of(
    holder: Holder, variant: str, step: Step, regions: Mapping[str, Iterable[str]]
) -> dict[RowKey, Decimal]:
    """The row; for accounts one in each region that sells in the currency."""
    from_quantity = Decimal(step.from_quantity) if step.from_quantity > 1 else None
    to_quantity = Decimal(step.to_quantity) if step.to_quantity is not None else None
    places: Iterable[str | None] = (None,)
    if holder.kind is AudienceKind.ACCOUNT:
        places = regions.get(step.currency, ())
    return {
        RowKey(variant, step.currency, from_quantity, to_quantity, region): step.price
        for region in places
    }


def row_key(row: Json) -> RowKey | None:
    variant = ((row.get("price_set") or {}).get("variant") or {}).get("id")
    if not isinstance(variant, str):
        return None
    rules = {each["attribute"]: each["value"] for each in row.get("price_rules") or ()}
    return RowKey(
        variant,
        str(row["currency_code"]).upper(),
        _quantity(row.get("min_quantity")),
        _quantity(row.get("max_quantity")),
        rules.get("region_id"),
    )


def _quantity(value: object) -> Decimal | None:
    return Decimal(str(value)) if value is not None else None


def changed(row: str, key: RowKey, price: Decimal) -> Json:
    """The amount and nothing else: all other parts are what the row is known by."""
    return {"id": row, "variant_id": key.variant, "amount": _amount(price)}


def _amount(price: Decimal) -> float | int:
    try:
        return exact_number(price)
    except ValueError as error:
        raise Rejected(
            str(error),
            code=TOO_PRECISE,
            remedy="give the price fewer digits in the ERP, or leave the item out of the shop",
        ) from error


def new_row(key: RowKey, price: Decimal) -> Json:
    return {
        "variant_id": key.variant,
        "currency_code": key.currency.lower(),
        "amount": _amount(price),
        "min_quantity": int(key.from_quantity) if key.from_quantity is not None else None,
        "max_quantity": int(key.to_quantity) if key.to_quantity is not None else None,
        "rules": {"region_id": key.region} if key.region is not None else {},
    }
