"""The first schema.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )
    op.create_table(
        "trials",
        of_run(),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.JSON(), nullable=False),
    )
    op.create_table("evaluations", sa.Column("content", sa.String(64), primary_key=True), *entry())
    op.create_table("measurements", of_run(), *entry())
    op.create_table(
        "checkpoints",
        of_run(),
        sa.Column("episodes", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )


def of_run() -> "sa.Column[str]":
    """The run that a row is of."""
    key = sa.ForeignKey("runs.id", ondelete="CASCADE")
    return sa.Column("run_id", sa.String(32), key, primary_key=True)


def entry() -> tuple["sa.Column[str]", "sa.Column[str]", "sa.Column[object]"]:
    """What is known, by kind and key."""
    return (
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(160), primary_key=True),
        sa.Column("data", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    for name in ("checkpoints", "measurements", "evaluations", "trials", "runs"):
        op.drop_table(name)
