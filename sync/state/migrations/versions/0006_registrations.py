"""Registrations of businesses, and each step that one took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.state.schema import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "registrations",
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=255), nullable=False),
        sa.Column("application", sa.String(length=255), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=True),
        sa.Column(
            "settled", sa.Boolean(), nullable=False, comment="over, and the store was told so"
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "pipeline", "store_id", "application", name=op.f("pk_registrations")
        ),
    )
    op.create_index(
        "ix_registrations_open",
        "registrations",
        ["pipeline", "store_id", "first_seen_at", "application"],
        unique=False,
        sqlite_where=sa.text("settled = 0"),
        postgresql_where=sa.text("settled = false"),
    )
    op.create_table(
        "registration_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=255), nullable=False),
        sa.Column("application", sa.String(length=255), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_events")),
    )
    op.create_index(
        "ix_registration_events_application",
        "registration_events",
        ["pipeline", "store_id", "application", "id"],
        unique=False,
    )
