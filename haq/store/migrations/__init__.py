"""Alembic's migrations of the store, from one version of haq to the next."""
