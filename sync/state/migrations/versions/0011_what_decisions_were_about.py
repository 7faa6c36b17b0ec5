"""Which records a decision was about, and which decisions are announced and not settled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

# How the entries before this one named what they were about.
_ASSIGNED = re.compile(
    r"(?:user (?P<user>\S+)(?: in organisation \S+)?|organisation (?P<organisation>\S+))"
    r" -> (?P<customer>\S+)"
)
_VERSIONS = re.compile(r"\(mapping (\S+) -> ([0-9a-f]+)\)")
_APPLICATION = re.compile(r"application ([^,]+)")
_NONE = "no"  # as in "no account of their own"


def upgrade() -> None:
    told = "whether it took effect is not known; empty: it did"
    op.add_column("audit", sa.Column("begun", sa.Boolean(), comment=told))
    op.drop_index("ix_audit_pipeline", "audit")
    op.create_index("ix_audit_newest", "audit", ["pipeline", "at", "id"])
    op.create_index("ix_audit_actor", "audit", ["pipeline", "actor", "at", "id"])
    op.create_index(
        "ix_audit_begun",
        "audit",
        ["pipeline", "id"],
        sqlite_where=sa.text("begun = 1"),
        postgresql_where=sa.text("begun = true"),
    )
    records = op.create_table(
        "audit_records",
        sa.Column("audit_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "before",
            sa.Text(),
            nullable=False,
            comment="what it said; empty: nothing, or no change",
        ),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", "place", name="pk_audit_records"),
    )
    op.create_index(
        "ix_audit_records_key", "audit_records", ["pipeline", "kind", "key", "audit_id"]
    )
    connection = op.get_bind()
    query = "SELECT id, pipeline, action, subject FROM audit ORDER BY id"
    for row in connection.execute(sa.text(query)).all():
        found = [
            {
                "audit_id": row.id,
                "place": place,
                "pipeline": row.pipeline,
                "kind": kind,
                "key": key,
                "before": before,
                "after": after,
            }
            for place, (kind, key, before, after) in enumerate(_records(connection, row))
        ]
        if found:
            connection.execute(records.insert(), found)


def _records(connection: sa.Connection, row: Any) -> Iterator[tuple[str, str, str, str]]:
    """Kind, key, before and after of what an earlier entry names in its subject."""
    match row.action:
        case "order.replayed" | "order.dismissed":
            query = "SELECT order_id FROM ledger WHERE pipeline = :pipeline AND number = :number"
            values = {"pipeline": row.pipeline, "number": row.subject}
            ids = connection.scalars(sa.text(query), values).all()
            if len(ids) == 1:  # a number that means two orders tells of neither
                yield "order", ids[0], "", ""
        case "plan.confirmed":
            yield "plan", row.subject, "refused", "confirmed"
        case "resync.cancelled":
            yield "request", row.subject, "", "cancelled"
        case "map" | "unmap" | "restore" | "import" | "edited":
            yield from _of_mapping(row.subject)
        case action if action.startswith("registration."):
            named = _APPLICATION.match(row.subject)
            if named:
                yield "application", named[1], "", ""


def _of_mapping(subject: str) -> Iterator[tuple[str, str, str, str]]:
    made = _VERSIONS.search(subject)
    if made:
        yield "mapping", made[2], made[1], made[2]
    assigned = _ASSIGNED.match(subject)
    if assigned is None:
        return
    customer = "" if assigned["customer"] == _NONE else assigned["customer"]
    for kind in ("user", "organisation"):
        if assigned[kind]:
            yield kind, assigned[kind], "", customer
    if customer:
        yield "customer", customer, "", ""
