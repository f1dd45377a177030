"""Answers keep where to find what was made.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Those of before have none."""
    op.add_column("answers", sa.Column("location", sa.Text()))


def downgrade() -> None:
    """Forget it."""
    with op.batch_alter_table("answers") as table:
        table.drop_column("location")
