"""What was asked for after the import: captures in the store, credits in the ERP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.state.schema import Moment

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    table = op.create_table(
        "settlements",
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("store_id", sa.String(255), nullable=False),
        sa.Column("order_id", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column(
            "number", sa.String(255), nullable=False, comment="of a capture what it leads up to"
        ),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("key", sa.String(255), comment="under which it was asked for"),
        sa.Column("amount", sa.String(64)),
        sa.Column("currency", sa.String(3)),
        sa.Column("reference", sa.String(255), comment="the number that the ERP gave"),
        sa.Column("happened_at", Moment(), comment="by the store's clock"),
        sa.Column("due_at", Moment(), comment="when to see to it; empty: not by itself"),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("pipeline", "store_id", "order_id", "kind", "number"), name="pk_settlements"
        ),
    )
    due = table.c.due_at.is_not(None)
    op.create_index(
        "ix_settlements_due",
        "settlements",
        ["pipeline", "store_id", "due_at"],
        sqlite_where=due,
        postgresql_where=due,
    )
