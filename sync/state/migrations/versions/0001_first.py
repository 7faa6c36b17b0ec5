"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.state.schema import Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_pipeline", "audit", ["pipeline", "id"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=255), nullable=False),
        sa.Column("order_id", sa.String(length=255), nullable=False),
        sa.Column("number", sa.String(length=255), nullable=False),
        sa.Column("channel", sa.String(length=255), nullable=True),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column(
            "payload", sa.Text(), nullable=False, comment="the version that is or was acted on"
        ),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column(
            "newer_payload",
            sa.Text(),
            nullable=True,
            comment="a newer version than that, judged or not",
        ),
        sa.Column("newer_fingerprint", sa.String(length=64), nullable=True),
        sa.Column(
            "modified_at", Moment(), nullable=False, comment="of the newest version, store's clock"
        ),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column(
            "due_at",
            Moment(),
            nullable=True,
            comment="when to work on it next; empty: not by itself",
        ),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("lease_until", Moment(), nullable=True, comment="set while a worker holds it"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("waiting_for", sa.String(length=64), nullable=True),
        sa.Column("waiting_sentence", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("codes", sa.Text(), nullable=False, comment="|code|code| of what holds it up"),
        sa.Column("trail", sa.Text(), nullable=False),
        sa.Column("differences", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.String(length=255), nullable=True),
        sa.Column("frozen", sa.Text(), nullable=True),
        sa.Column("imported_at", Moment(), nullable=True),
        sa.Column("erp_order", sa.String(length=255), nullable=True),
        sa.Column("closing", sa.String(length=32), nullable=True),
        sa.Column("closing_note", sa.Text(), nullable=True),
        sa.Column("shown", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column(
            "notice_due_at",
            Moment(),
            nullable=True,
            comment="since when the store shows something else",
        ),
        sa.Column(
            "change_due_at",
            Moment(),
            nullable=True,
            comment="since when a newer version is not judged",
        ),
        sa.Column("status_open", sa.Boolean(), nullable=False, comment="the ERP may still move it"),
        sa.PrimaryKeyConstraint("pipeline", "store_id", "order_id", name=op.f("pk_ledger")),
    )
    op.create_index(
        "ix_ledger_change",
        "ledger",
        ["pipeline", "store_id", "change_due_at", "order_id"],
        unique=False,
        sqlite_where=sa.text("change_due_at IS NOT NULL"),
        postgresql_where=sa.text("change_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_changed", "ledger", ["pipeline", "store_id", "changed_at"], unique=False
    )
    op.create_index(
        "ix_ledger_customer",
        "ledger",
        ["pipeline", "store_id", "customer_id", "changed_at"],
        unique=False,
    )
    op.create_index(
        "ix_ledger_due",
        "ledger",
        ["pipeline", "store_id", "placed_at", "order_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_notice",
        "ledger",
        ["pipeline", "store_id", "notice_due_at", "order_id"],
        unique=False,
        sqlite_where=sa.text("notice_due_at IS NOT NULL"),
        postgresql_where=sa.text("notice_due_at IS NOT NULL"),
    )
    op.create_index("ix_ledger_number", "ledger", ["pipeline", "store_id", "number"], unique=False)
    op.create_index(
        "ix_ledger_open",
        "ledger",
        ["pipeline", "store_id", "order_id"],
        unique=False,
        sqlite_where=sa.text("status_open = 1"),
        postgresql_where=sa.text("status_open = true"),
    )
    op.create_index(
        "ix_ledger_state", "ledger", ["pipeline", "store_id", "state", "changed_at"], unique=False
    )
    op.create_table(
        "ledger_events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=255), nullable=False),
        sa.Column("order_id", sa.String(length=255), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_events")),
    )
    op.create_index(
        "ix_ledger_events_order",
        "ledger_events",
        ["pipeline", "store_id", "order_id", "id"],
        unique=False,
    )
    op.create_table(
        "mapping_refusals",
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("pipeline", name=op.f("pk_mapping_refusals")),
    )
    op.create_table(
        "mapping_versions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping_versions")),
    )
    op.create_index(
        "ix_mapping_versions_pipeline", "mapping_versions", ["pipeline", "id"], unique=False
    )
    op.create_table(
        "plans",
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("plan_id", sa.String(length=255), nullable=False),
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=255), nullable=True),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("cleared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("pipeline", "plan_id", name=op.f("pk_plans")),
    )
    op.create_index("ix_plans_digest", "plans", ["pipeline", "flow", "digest"], unique=True)
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("begun_at", Moment(), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_state", "requests", ["pipeline", "state", "id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pipeline", "run_id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_flow", "runs", ["pipeline", "flow", "started_at"], unique=False)
    op.create_index("ix_runs_started", "runs", ["pipeline", "started_at"], unique=False)
    op.create_table(
        "watermarks",
        sa.Column("pipeline", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("pipeline", "name", name=op.f("pk_watermarks")),
    )
