"""How far a run is that has not ended, for ``status``."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    told = "how far it is; empty: it has ended, or has only begun"
    op.add_column("runs", sa.Column("steps", sa.Text(), nullable=True, comment=told))
