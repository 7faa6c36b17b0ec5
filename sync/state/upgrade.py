"""Brings the schema of a state to that of this code, in one transaction.

The state says which migration it is at. The same: nothing is loaded or locked.
Unknown here: a newer version wrote it, and this one must not touch it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from sync.errors import Misconfigured
from sync.state.schema import REVISION

MIGRATIONS = Path(__file__).parent / "migrations"

# Any number will do, as long as all versions of this program use the same.
_UPGRADE_LOCK = 0x7472_6164_6575


def upgrade_schema(engine: Engine) -> None:
    """Create or upgrade. Raises Misconfigured for a state newer than this code."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        found = _revision(connection)
        if found != REVISION:
            _migrate(connection, found)


def require_current_schema(engine: Engine) -> None:
    """Raises Misconfigured for a schema that is not exactly this code's."""
    with engine.begin() as connection:
        found = _revision(connection)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise _too_new(found)
    raise Misconfigured(
        f"the state is at schema {found or 'none'}, this version needs {REVISION};"
        " restart the service, which upgrades it"
    )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _migrate(connection: Connection, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # A percent sign in the path would be taken for interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise _too_new(found)
    command.upgrade(config, "head")


def _too_new(found: str) -> Misconfigured:
    return Misconfigured(
        f"the state is at schema {found}, newer than this version knows ({REVISION});"
        " run the newer version, or restore the backup made before the upgrade"
    )
