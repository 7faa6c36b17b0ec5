"""Only the user who owns the state may work with it, root included.

A command run as somebody else would leave log files beside the database that
the daemon may not write, and the daemon would stop at its next transaction.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from sync.errors import AccessDenied


def require_owner(file: Path) -> None:
    """Raises AccessDenied, with the command to use, where somebody else owns the state.

    Where there is no state yet, root may not create one in another user's folder.
    """
    me = os.geteuid()
    try:
        owner = file.stat().st_uid
    except FileNotFoundError:
        if me != 0 or not file.parent.exists():
            return
        owner = file.parent.stat().st_uid
    except PermissionError as error:
        raise AccessDenied(
            f"the state {file} cannot be reached as {_name(me)}; run as the user of the service"
        ) from error
    if owner != me:
        user = _name(owner)
        raise AccessDenied(
            f"the state {file} belongs to {user}, and this runs as {_name(me)}:"
            f" files that it left there would stop the service."
            f" Run it as that user: runuser -u {user} -- tradesync ..."
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
