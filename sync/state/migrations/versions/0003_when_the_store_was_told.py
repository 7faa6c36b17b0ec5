"""When the store last confirmed something about an order: what was told may be looked at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.state.schema import Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    comment = "when the store last confirmed something new"
    op.add_column("ledger", sa.Column("told_at", Moment(), nullable=True, comment=comment))
    op.execute(
        "UPDATE ledger SET told_at = changed_at WHERE shown IS NOT NULL OR status IS NOT NULL"
    )
    op.create_index(
        "ix_ledger_told",
        "ledger",
        ["pipeline", "store_id", "told_at", "order_id"],
        unique=False,
        sqlite_where=sa.text("told_at IS NOT NULL"),
        postgresql_where=sa.text("told_at IS NOT NULL"),
    )
