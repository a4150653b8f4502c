"""Budgets that processes share: windows, sharers, gates."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_window",
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("touched_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "number", name="pk_budget_window"),
    )
    op.create_table(
        "budget_sharer",
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("last_window", sa.BigInteger(), nullable=False),
        sa.Column("touched_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "process", name="pk_budget_sharer"),
    )
    op.create_table(
        "budget_gate",
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("closed_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_ban", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("budget", name="pk_budget_gate"),
    )
