"""What the store has confirmed of the ship-tos and invoices of accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "record_memory",
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("store_id", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("customer_id", sa.String(255), nullable=False),
        sa.Column(
            "state", sa.LargeBinary(16), nullable=False, comment="what the ERP said of the records"
        ),
        sa.Column(
            "shown",
            sa.Integer,
            nullable=False,
            comment="records in the store; -1: forgotten, by somebody else than the mirror",
        ),
        sa.PrimaryKeyConstraint(
            "pipeline", "store_id", "kind", "customer_id", name="pk_record_memory"
        ),
    )
