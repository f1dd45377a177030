"""Run by alembic: the migrations on the connection that `haq.store.migrate` hands over."""

from alembic import context

from api.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
