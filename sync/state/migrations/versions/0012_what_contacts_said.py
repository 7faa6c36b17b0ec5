"""Whom the ERP's contacts assigned to an account, for when they cannot be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "contact_answers",
        sa.Column("pipeline", sa.String(64), nullable=False),
        sa.Column("web_user", sa.String(255), nullable=False),
        sa.Column(
            "customer_id",
            sa.String(255),
            comment="empty: they name no account that could be used",
        ),
        sa.Column(
            "address",
            sa.String(64),
            nullable=False,
            comment="a digest of what was asked for",
        ),
        sa.PrimaryKeyConstraint("pipeline", "web_user", name="pk_contact_answers"),
    )
