"""What Alembic runs for every command: the connection and its transaction are the caller's (`migrate.py`)."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
