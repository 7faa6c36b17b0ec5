"""Whether a run was for a part: one that looked at some orders makes up for no poll."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    told = "for a part; empty: it ran before this was kept"
    op.add_column("runs", sa.Column("narrow", sa.Boolean(), nullable=True, comment=told))
