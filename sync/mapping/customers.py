"""customers.yaml and customers.csv: who stands for which ERP account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, Assignments, Source
from sync.mapping.channels import Groups
from sync.mapping.findings import Findings, Page
from sync.mapping.models import CustomersFile
from sync.mapping.problems import FileProblem, shortened
from sync.mapping.tables import Assigned
from sync.mapping.tree import at


def assigned_in(entries: CustomersFile, page: Page) -> list[Assigned]:
    """The assignments of the YAML file, each with the place of its customer ID."""
    rows = []
    for index, entry in enumerate(entries.assignments):
        place = at(page.tree, ("assignments", index, "customer_id"))
        rows.append(
            Assigned(
                entry.user,
                entry.organisation,
                entry.customer_id,
                entry.contact,
                page.file,
                place.line,
                place.column,
                entry.note,
            )
        )
    return rows


def judge_precedence(
    entries: CustomersFile, page: Page, rows: Sequence[Assigned], findings: Findings
) -> None:
    """Each source counts once; assignments that would never count are a mistake."""
    for index, source in enumerate(entries.precedence):
        if source in entries.precedence[:index]:
            findings.problems.append(
                page.about(("precedence", index), "stands there twice", "keep one")
            )
    if rows and Source.MAPPING_FILE not in entries.precedence:
        findings.problems.append(
            page.about(
                ("precedence",),
                f"leaves out mapping_file, so none of the {len(rows)} assignments would count",
                "add mapping_file, or take the assignments out",
            )
        )


def judge_assignments(rows: Iterable[Assigned], groups: Groups, findings: Findings) -> Assignments:
    """The assignments in the order of the files; those that may not count are problems."""
    return Assignments(map(_assignment, _accepted(rows, groups, findings)))


def _accepted(rows: Iterable[Assigned], groups: Groups, findings: Findings) -> Iterator[Assigned]:
    first: dict[tuple[str, str], Assigned] = {}
    for row in rows:
        if not row.user and not row.organisation:
            findings.problems.append(
                _problem(
                    row,
                    "the assignment names neither a user nor an organisation",
                    "name one of them, or both for an exception within the organisation",
                )
            )
            continue
        group = groups.meant_by(row.customer_id)
        if group is not None:
            findings.problems.append(_of_a_group(row, group.customer_id, group.place))
        earlier = first.setdefault((row.user, row.organisation), row)
        if earlier is not row:
            findings.problems.append(_twice(row, earlier))
        elif group is None:
            yield row


def _assignment(row: Assigned) -> Assignment:
    return Assignment(
        CustomerId(row.customer_id),
        WebUserId(row.user) if row.user else None,
        OrganisationId(row.organisation) if row.organisation else None,
        ContactId(row.contact) if row.contact else None,
        row.origin,
    )


def _of_a_group(row: Assigned, group: str, place: str) -> FileProblem:
    same = "is" if row.customer_id == group else f"may be taken by the ERP for {group},"
    return _problem(
        row,
        f"customer_id {same} a retail group ({place}): {_who(row)} would see the invoices"
        " that all its buyers share",
        "assign the buyer's own customer ID; a retail buyer needs no assignment at all",
    )


def _twice(row: Assigned, earlier: Assigned) -> FileProblem:
    where = f"line {earlier.line}" if earlier.file == row.file else earlier.origin
    if earlier.customer_id == row.customer_id:
        message = f"{_who(row)} is assigned in {where} already"
    else:
        message = f"{_who(row)} is assigned to {shortened(earlier.customer_id)} in {where}"
    return _problem(row, message, "keep one of the two")


def _who(row: Assigned) -> str:
    user, organisation = shortened(row.user), shortened(row.organisation)
    if not row.organisation:
        return f"user {user}"
    if not row.user:
        return f"organisation {organisation}"
    return f"user {user} in organisation {organisation}"


def _problem(row: Assigned, message: str, remedy: str) -> FileProblem:
    return FileProblem(row.file, row.line, row.column, shortened(row.customer_id), message, remedy)
