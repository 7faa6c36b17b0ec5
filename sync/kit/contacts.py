"""Whose contact each of several addresses is, put together from what an ERP tells of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from sync.domain.ids import CustomerId
from sync.errors import Rejected


class ContactAnswers:
    """The answer of ``FindsContactsTogether``, contact by contact, in any order.

    An address has the contacts that differ from it in case alone. Where one differs in
    more and yet folds alike ("straße", "strasse"), whether the ERP takes it for a match is
    not known from a question for both: that address has no answer here.
    """

    def __init__(self, emails: Collection[str]) -> None:
        self._found: dict[str, dict[CustomerId, None]] = {each: {} for each in emails}
        self._refused: dict[str, Rejected] = {}
        self._unclear: set[str] = set()
        self._folded: dict[str, list[str]] = defaultdict(list)
        for each in self._found:
            self._folded[each.casefold()].append(each)

    def concern(self, email: str) -> bool:
        """Whether a contact with this address may be one that was asked for."""
        return email.casefold() in self._folded

    def found(self, email: str, customer_id: CustomerId) -> None:
        for each in self._asked(email):
            self._found[each][customer_id] = None

    def refuse(self, email: str, refusal: Rejected) -> None:
        """A contact with this address cannot be read."""
        for each in self._asked(email):
            self._refused.setdefault(each, refusal)

    def _asked(self, email: str) -> Iterator[str]:
        for each in self._folded.get(email.casefold(), ()):
            if each.lower() == email.lower():
                yield each
            else:
                self._unclear.add(each)

    def told(self) -> Mapping[str, Sequence[CustomerId] | Rejected]:
        return {
            each: self._refused.get(each) or tuple(accounts)
            for each, accounts in self._found.items()
            if each not in self._unclear
        }
