"""Python looks for garbage in cycles after every 700 objects or so; here less often.

An order is some thousand objects, nearly all of which are gone without that search as
soon as nobody names them any more. Looking through them again and again took about a
tenth of the time of an import. What is in a cycle waits a few megabytes longer.
"""

from __future__ import annotations

import gc

OBJECTS = 20_000


def search_less_often() -> None:
    """From now on, in the whole process."""
    gc.set_threshold(OBJECTS, 20, 20)
