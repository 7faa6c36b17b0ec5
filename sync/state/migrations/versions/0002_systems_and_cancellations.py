"""How the systems are, cancellations on their way into the ERP, and reduced payloads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.state.schema import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "systems",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("next_try_at", Moment(), nullable=True),
        sa.Column("last_success_at", Moment(), nullable=True),
        sa.Column("last_failure_at", Moment(), nullable=True),
        sa.Column("clock_skew_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_systems")),
    )
    for name, comment in (
        ("cancel_due_at", "when to see to its cancellation in the ERP"),
        ("cancel_asked_at", "when the ERP was asked to cancel it"),
        ("reduced_at", "when what names people was taken out"),
    ):
        op.add_column("ledger", sa.Column(name, Moment(), nullable=True, comment=comment))
    op.create_index(
        "ix_ledger_cancel",
        "ledger",
        ["pipeline", "store_id", "cancel_due_at", "order_id"],
        unique=False,
        sqlite_where=sa.text("cancel_due_at IS NOT NULL"),
        postgresql_where=sa.text("cancel_due_at IS NOT NULL"),
    )
