"""Which version of the mapping decided about an order, whatever was decided."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# As a quarantine said it in its trail before this.
_BEFORE, _AFTER = "mapping ", " was in force"


def upgrade() -> None:
    told = "of the mapping that decided it last"
    op.add_column("ledger", sa.Column("mapping_version", sa.String(255), comment=told))
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.execute(
            "UPDATE ledger SET mapping_version = json_extract(decision, '$.mapping_version')"
            " WHERE decision IS NOT NULL"
        )
    else:
        op.execute(
            "UPDATE ledger SET mapping_version = decision::json ->> 'mapping_version'"
            " WHERE decision IS NOT NULL"
        )
    held = connection.execute(
        sa.text(
            "SELECT pipeline, store_id, order_id, trail FROM ledger"
            " WHERE mapping_version IS NULL AND trail LIKE :said"
        ),
        {"said": f"%{_BEFORE}%{_AFTER}%"},
    ).all()
    for row in held:
        *trail, last = json.loads(row.trail)
        if not (last.startswith(_BEFORE) and last.endswith(_AFTER)):
            continue
        connection.execute(
            sa.text(
                "UPDATE ledger SET mapping_version = :version, trail = :trail WHERE"
                " pipeline = :pipeline AND store_id = :store_id AND order_id = :order_id"
            ),
            {
                "version": last.removeprefix(_BEFORE).removesuffix(_AFTER),
                "trail": json.dumps(trail, ensure_ascii=False, separators=(",", ":")),
                "pipeline": row.pipeline,
                "store_id": row.store_id,
                "order_id": row.order_id,
            },
        )
