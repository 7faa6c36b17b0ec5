"""What an account owes, how far its credit goes, and how long what is unpaid is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sync.domain.ids import CustomerId
from sync.domain.money import Money, total


class FigureSource(Enum):
    """Who says so: the ERP itself, or the open amounts of its invoices added up."""

    ERP = "erp"
    INVOICES = "invoices"


@dataclass(frozen=True, slots=True)
class AgeBucket:
    """What is unpaid and so many days overdue, ``from_days`` and ``to_days`` included.

    ``from_days`` None means not due yet, ``to_days`` None that many days and
    more. A negative amount is credit of the account.
    """

    amount: Money
    from_days: int | None = None
    to_days: int | None = None

    def __post_init__(self) -> None:
        if self.from_days is None:
            if self.to_days is not None:
                raise ValueError(f"what is not due yet is not {self.to_days} days overdue")
            return
        if self.from_days < 0 or (self.to_days is not None and self.to_days < self.from_days):
            raise ValueError(f"no days overdue: from {self.from_days} to {self.to_days}")


@dataclass(frozen=True, slots=True)
class Ageing:
    """What is unpaid by age: not due first, then longer and longer overdue, each day once."""

    buckets: tuple[AgeBucket, ...]
    source: FigureSource = FigureSource.ERP

    def __post_init__(self) -> None:
        if not self.buckets:
            raise ValueError("an ageing without a bucket")
        if len({each.amount.currency for each in self.buckets}) > 1:
            raise ValueError("an ageing in several currencies")
        reached: int | None = -1
        for number, each in enumerate(self.buckets):
            if each.from_days is None:
                if number:
                    raise ValueError("what is not due yet comes first, and once")
                continue
            if reached is None or each.from_days <= reached:
                raise ValueError(f"{each.from_days} days overdue belong to two buckets")
            reached = each.to_days

    @property
    def total(self) -> Money:
        return total((each.amount for each in self.buckets), self.buckets[0].amount.currency)


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """How an account stands in one currency.

    ``balance`` is what the account owes; negative where it has credit.
    ``credit_limit`` None means that the ERP states none, ``ageing`` None that
    nobody can tell it. Raises ValueError for amounts in several currencies.
    """

    sold_to: CustomerId
    balance: Money
    credit_limit: Money | None = None
    ageing: Ageing | None = None
    source: FigureSource = FigureSource.ERP

    def __post_init__(self) -> None:
        limit = self.credit_limit
        if limit is not None and limit.amount < 0:
            raise ValueError(f"a credit limit below zero: {limit.amount}")
        others = [] if limit is None else [limit]
        if self.ageing is not None:
            others.append(self.ageing.total)
        for other in others:
            if other.currency != self.currency:
                raise ValueError(
                    f"the balance of {self.sold_to} is in {self.currency}, "
                    f"another amount in {other.currency}"
                )

    @property
    def currency(self) -> str:
        """The ISO 4217 code of every amount in it."""
        return self.balance.currency
