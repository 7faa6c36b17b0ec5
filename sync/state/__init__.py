"""What the daemon remembers, in SQLite or PostgreSQL: the ports of ``sync.ports.state``."""

from sync.state.engine import open_state
from sync.state.state import SqlState

__all__ = ["SqlState", "open_state"]
