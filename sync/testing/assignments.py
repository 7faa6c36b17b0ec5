"""The mapping files in memory, for flows that write into them."""

from __future__ import annotations

from sync.domain.ids import CustomerId, OrganisationId
from sync.errors import Rejected


class MemoryAssignments:
    """Says what the real files would; ``reasons`` keeps who wrote what, and why.

    ``version`` is that of the files; each edit makes another one.
    """

    def __init__(self) -> None:
        self.written: dict[OrganisationId, CustomerId] = {}
        self.reasons: list[tuple[str, str]] = []
        self.version = "files"

    def assignment_of(self, organisation: OrganisationId) -> CustomerId | None:
        return self.written.get(organisation)

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        held = self.written.get(organisation)
        if held not in (None, customer_id):
            raise Rejected(
                f"organisation {organisation} stands for customer {held} in the mapping files",
                code="mapped_otherwise",
                remedy="correct the mapping files",
            )
        before = self.version
        if held is None:
            self.written[organisation] = customer_id
            self.reasons.append((actor, reason))
            self.version = f"{before}+"
        return before, self.version
