"""Runs the migrations on the connection that ``sync.state.upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from sync.state.schema import metadata

# The caller's transaction is the only one: a half-made schema never commits.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
