"""What the ERP said of price lists that need not be read while it says the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "price_states",
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column(
            "state", sa.LargeBinary(16), nullable=False, comment="what the ERP said of the entries"
        ),
        sa.Column("vector", sa.LargeBinary(16), nullable=False),
        sa.Column("since", sa.Date(), nullable=False, comment="in the ERP's calendar"),
        sa.Column("ends", sa.Date(), comment="when the first entry is over; empty: none is"),
        sa.PrimaryKeyConstraint("pipeline", "level", "owner", name="pk_price_states"),
    )
    op.create_index("ix_price_states_vector", "price_states", ["pipeline", "vector"])
