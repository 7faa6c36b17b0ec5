"""Prices as the ERP keeps them, who may see them, and which one applies.

One rule decides the effective price everywhere (in the ERP fake, the embedded
store, ``explain price`` and the tolerance check of the order import), so that
they cannot disagree: ``effective_price``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum

from sync.domain.ids import ChannelId, CustomerId, LocationId, Sku
from sync.domain.money import currency_code, exact


class PriceLevel(IntEnum):
    """Where a price is agreed; a lower number wins (VE-12)."""

    ITEM = 1
    LOCATION = 2
    ACCOUNT = 3
    GROUP = 4
    DEFAULT = 5


@dataclass(frozen=True, slots=True, order=True)
class PriceScope:
    """One level with the key of whom it is for; ``owner`` is empty for ITEM and DEFAULT."""

    level: PriceLevel
    owner: str = ""

    def __post_init__(self) -> None:
        unowned = self.level in (PriceLevel.ITEM, PriceLevel.DEFAULT)
        if unowned == bool(self.owner):
            raise ValueError(f"price scope {self.level.name} with owner {self.owner!r}")

    @classmethod
    def account(cls, customer_id: CustomerId) -> PriceScope:
        return cls(PriceLevel.ACCOUNT, customer_id.value)

    @classmethod
    def location(cls, location_id: LocationId) -> PriceScope:
        return cls(PriceLevel.LOCATION, location_id.value)

    @classmethod
    def group(cls, code: str) -> PriceScope:
        return cls(PriceLevel.GROUP, code)

    def __str__(self) -> str:
        name = self.level.name.lower()
        return f"{name} {self.owner}" if self.owner else name


ITEM_OVERRIDES = PriceScope(PriceLevel.ITEM)
DEFAULT_LIST = PriceScope(PriceLevel.DEFAULT)


@dataclass(frozen=True, slots=True)
class PriceKey:
    """What tells one price entry of a scope from the next.

    ``price_list`` is the ERP's code of the list, contract or price page.
    ``min_quantity`` is the quantity, in ``unit``, from which the entry counts.
    ``valid_from`` is a day in the ERP's calendar; None: since ever.
    ``warehouse`` is the ship-from location that the price depends on, if any.
    """

    scope: PriceScope
    price_list: str
    sku: Sku
    unit: str
    currency: str
    min_quantity: Decimal
    valid_from: date | None = None
    priority: int = 0
    warehouse: str | None = None

    def __post_init__(self) -> None:
        currency_code(self.currency)
        exact(self.min_quantity)

    @property
    def order(self) -> tuple[object, ...]:
        """Sorts entries of any scopes: scope, list, item, unit, currency, quantity, date."""
        return (
            self.scope,
            self.price_list,
            self.sku.value,
            self.unit,
            self.currency,
            self.warehouse or "",
            self.priority,
            self.valid_from or date.min,
            self.min_quantity,
        )


@dataclass(frozen=True, slots=True)
class PriceValue:
    """The price per unit, to the ERP's last decimal place; both days are included.

    ``unit_price`` None: the ERP has no price that may be shown ("call for
    pricing"); it is never a zero and never a guess.
    """

    unit_price: Decimal | None
    valid_until: date | None = None

    def __post_init__(self) -> None:
        if self.unit_price is not None and exact(self.unit_price) < 0:
            raise ValueError(f"a negative price: {self.unit_price}")


@dataclass(frozen=True, slots=True)
class Price:
    """One entry: a key and what it costs."""

    key: PriceKey
    value: PriceValue

    def counts_on(self, day: date) -> bool:
        started = self.key.valid_from is None or self.key.valid_from <= day
        return started and (self.value.valid_until is None or day <= self.value.valid_until)


class AudienceKind(Enum):
    """Who may see what is published (VE-7). ACCOUNTS: the buyers of every account.

    GROUP: those of the accounts with this price group; TAG: of those that carry this
    tag, which is another name space (VE-5).
    """

    PUBLIC = "public"
    RETAIL = "retail"
    ACCOUNTS = "accounts"
    ACCOUNT = "account"
    LOCATION = "location"
    GROUP = "group"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Audience:
    """A kind with its key.

    PUBLIC and RETAIL carry the channel and, as key, the retail group whose
    price it is; ACCOUNT, LOCATION, GROUP and TAG carry a key and no channel;
    ACCOUNTS carries neither. Raises ValueError for anything else.
    """

    kind: AudienceKind
    key: str = ""
    channel: ChannelId | None = None

    def __post_init__(self) -> None:
        shopper = self.kind in (AudienceKind.PUBLIC, AudienceKind.RETAIL)
        if shopper != (self.channel is not None):
            raise ValueError(f"audience {self.kind.value} with channel {self.channel}")
        if (self.kind is AudienceKind.ACCOUNTS) == bool(self.key):
            raise ValueError(f"audience {self.kind.value} with key {self.key!r}")

    @property
    def order(self) -> tuple[str, str, str]:
        return (self.kind.value, self.key, self.channel.value if self.channel else "")

    def __str__(self) -> str:
        parts = [self.kind.value, self.key, f"on {self.channel}" if self.channel else ""]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """What does one ``unit`` of ``sku`` cost when ``quantity`` are bought on ``day``?"""

    sku: Sku
    unit: str
    currency: str
    quantity: Decimal
    day: date
    warehouse: str | None = None


@dataclass(frozen=True, slots=True)
class EffectivePrice:
    """The entry that decides, and those it won over, in the order of the decision."""

    price: Price
    passed_over: tuple[Price, ...] = ()


def effective_price(entries: Iterable[Price], question: PriceQuestion) -> EffectivePrice | None:
    """Which of the entries applies; None where none does.

    ``entries`` are those of every scope that the buyer is entitled to, in any
    order. Levels decide first (item, location, account, group, default).
    Within a level a *ladder* is one list's entries of the same priority and
    period; the ladder of the highest priority, then of the latest start, that
    has a step for the quantity is taken, and among equals the lower price.
    Between several groups the best price counts (VE-5).
    """
    fitting = [entry for entry in entries if _fits(entry, question)]
    steps = _steps(fitting)
    decided: list[Price] = []
    for level in PriceLevel:
        at_level = [step for step in steps if step.key.scope.level is level]
        if at_level:
            decided.extend(_ranked(at_level, level))
    return EffectivePrice(decided[0], tuple(decided[1:])) if decided else None


def scopes_of(
    customer_id: CustomerId, groups: Sequence[str], location: LocationId | None = None
) -> tuple[PriceScope, ...]:
    """Every scope that an account's buyer is entitled to, highest level first."""
    scopes = [ITEM_OVERRIDES]
    if location is not None:
        scopes.append(PriceScope.location(location))
    scopes.append(PriceScope.account(customer_id))
    scopes.extend(PriceScope.group(code) for code in groups)
    scopes.append(DEFAULT_LIST)
    return tuple(scopes)


def _fits(entry: Price, question: PriceQuestion) -> bool:
    key = entry.key
    return (
        key.sku == question.sku
        and key.unit == question.unit
        and key.currency == question.currency
        and key.min_quantity <= question.quantity
        and key.warehouse in (None, question.warehouse)
        and entry.counts_on(question.day)
    )


def _steps(fitting: Iterable[Price]) -> list[Price]:
    """Of each ladder the step with the greatest quantity."""
    best: dict[tuple[object, ...], Price] = {}
    for entry in fitting:
        key = entry.key
        ladder = (
            key.scope,
            key.price_list,
            key.priority,
            key.valid_from,
            entry.value.valid_until,
            key.warehouse,
        )
        held = best.get(ladder)
        if held is None or _beats(entry, held):
            best[ladder] = entry
    return list(best.values())


def _beats(entry: Price, held: Price) -> bool:
    """The greater step; where an ERP states one step twice, the lower price."""
    if entry.key.min_quantity == held.key.min_quantity:
        return _amount(entry) < _amount(held)
    return entry.key.min_quantity > held.key.min_quantity


def _amount(step: Price) -> Decimal:
    # "Call for pricing" loses to any price of the same rank.
    return step.value.unit_price if step.value.unit_price is not None else Decimal("Infinity")


def _ranked(steps: list[Price], level: PriceLevel) -> list[Price]:
    def rank(step: Price) -> tuple[object, ...]:
        started = step.key.valid_from or date.min
        return (
            step.key.warehouse is None,
            -step.key.priority,
            -started.toordinal(),
            _amount(step),
            step.key.order,
            step.value.valid_until or date.max,
        )

    ordered = sorted(steps, key=rank)
    if level is not PriceLevel.GROUP:
        return ordered
    winners: dict[PriceScope, Price] = {}
    for step in ordered:
        winners.setdefault(step.key.scope, step)
    best = sorted(winners.values(), key=lambda step: (_amount(step), rank(step)))
    return best + [step for step in ordered if step not in best]
