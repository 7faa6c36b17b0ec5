"""The mapping files in memory, for flows that write into them."""

from __future__ import annotations

from dataclasses import replace

from sync.domain.ids import CustomerId, OrganisationId
from sync.domain.mapping import Assignment, SyncMapping
from sync.errors import Rejected


class MemoryAssignments:
    """Says what the real files would; ``reasons`` keeps who wrote what, and why.

    ``version`` is that of the files; each edit makes another one. ``people`` is what they
    say beside what is ``written`` here.
    """

    def __init__(self, people: SyncMapping | None = None) -> None:
        self.people = people or SyncMapping(version="files", channels={})
        self.written: dict[OrganisationId, CustomerId] = {}
        self.reasons: list[tuple[str, str]] = []
        self.version = "files"

    def assignment_of(self, organisation: OrganisationId) -> CustomerId | None:
        return self.written.get(organisation)

    def with_assignment(self, organisation: OrganisationId, customer_id: CustomerId) -> SyncMapping:
        self._refuse_another(organisation, customer_id)
        lines = list(self.people.assignments)
        for each, its in {**self.written, organisation: customer_id}.items():
            origin = f"customers.csv:{len(lines) + 2}"
            lines.append(Assignment(its, organisation=each, origin=origin))
        return replace(self.people, assignments=tuple(lines))

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        self._refuse_another(organisation, customer_id)
        held = self.written.get(organisation)
        before = self.version
        if held is None:
            self.written[organisation] = customer_id
            self.reasons.append((actor, reason))
            self.version = f"{before}+"
        return before, self.version

    def _refuse_another(self, organisation: OrganisationId, customer_id: CustomerId) -> None:
        held = self.written.get(organisation)
        if held not in (None, customer_id):
            raise Rejected(
                f"organisation {organisation} stands for customer {held} in the mapping files",
                code="mapped_otherwise",
                remedy="correct the mapping files",
            )
