"""What the engines of many small databases may share."""

from __future__ import annotations

from sqlalchemy import Engine

_first: dict[str, Engine] = {}


def compiled_once(engine: Engine) -> Engine:
    """The engine, using what an earlier one has compiled for the same driver.

    What a statement compiles to belongs to a dialect, and every engine brings one of
    its own: the few hundred statements of a test would be compiled for each test.
    """
    first = _first.setdefault(f"{engine.dialect.name}+{engine.dialect.driver}", engine)
    if first is not engine:
        with engine.connect():
            pass  # the first connection tells its dialect what the server can do
        engine.dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
    return engine
