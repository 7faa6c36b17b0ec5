"""Whose a price list of Medusa is: an audience's, or that of accounts which share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sync.domain.pricing import Audience, AudienceKind


@dataclass(frozen=True, slots=True)
class SharedList:
    """A list that accounts share, in Medusa of the rank that an account's own list has.

    It is no audience: nobody is entitled to it but by being a member.
    """

    list_id: str

    @property
    def kind(self) -> AudienceKind:
        return AudienceKind.ACCOUNT

    @property
    def key(self) -> str:
        return self.list_id

    def __str__(self) -> str:
        # No audience is spelled so.
        return f"shared list {self.list_id}"


Holder: TypeAlias = Audience | SharedList
