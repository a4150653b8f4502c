"""Alembic's entry: migrates on the connection that ``control.migrate`` hands over, in its transaction."""

from alembic import context

from markethub.control.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
