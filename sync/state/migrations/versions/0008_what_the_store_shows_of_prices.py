"""What the store has confirmed of the price mirror."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "price_partitions",
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("audience", sa.String(16), nullable=False),
        sa.Column("audience_key", sa.String(255), nullable=False),
        sa.Column("channel", sa.String(255), nullable=False, comment="empty: none"),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("store_id", sa.String(255), nullable=False),
        sa.Column("vector", sa.LargeBinary(16), nullable=False),
        sa.Column("rules", sa.LargeBinary(16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="in the ERP's calendar"),
        sa.Column("shown", sa.Integer(), nullable=False, comment="entries in the store"),
        sa.PrimaryKeyConstraint(
            *("pipeline", "audience", "audience_key", "channel", "level", "owner"),
            name="pk_price_partitions",
        ),
    )
    op.create_index("ix_price_partitions_vector", "price_partitions", ["pipeline", "vector"])
    op.create_table(
        "price_vectors",
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(16), nullable=False),
        sa.Column("base", sa.LargeBinary(16), comment="what it is a difference from"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pipeline", "fingerprint", name="pk_price_vectors"),
    )
    op.create_index("ix_price_vectors_base", "price_vectors", ["pipeline", "base"])
