"""How many of what each kept version of the mapping holds, and how long its files are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    told = "how many of what is in it; empty: taken up before it was kept"
    op.add_column("mapping_versions", sa.Column("counts", sa.Text(), nullable=True, comment=told))
    told = "characters of the files"
    op.add_column("mapping_versions", sa.Column("size", sa.Integer(), nullable=True, comment=told))
    op.execute("UPDATE mapping_versions SET size = length(files)")
