"""Schedules, statistics that outlive executions, rules of subscriptions, and who changed what."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("time_zone", sa.Text()))
    op.add_column("job", sa.Column("misfire_grace_seconds", sa.BigInteger()))
    op.add_column("job", sa.Column("catch_up", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("job", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("execution", sa.Column("handler", sa.Text(), nullable=False, server_default=""))
    op.add_column("execution", sa.Column("due_ms", sa.BigInteger()))
    op.execute("UPDATE execution SET handler = job_name")  # every job until now was named after its handler
    due = sa.text("due_ms IS NOT NULL")
    op.create_index(
        "uq_execution_due",
        "execution",
        ["job_id", "due_ms"],
        unique=True,
        sqlite_where=due,
        postgresql_where=due,
    )
    op.create_table(
        "subscription_rule",
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text()),
        sa.Column("configured", sa.Text()),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("exchange", name="pk_subscription_rule"),
    )
    op.create_table(
        "job_statistics",
        sa.Column("job_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("successes", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("timeouts", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False),
        sa.Column("inserted", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_statistics_job_id_job"),
        sa.PrimaryKeyConstraint("job_id", "day_ms", name="pk_job_statistics"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("token_id", sa.BigInteger()),
        sa.Column("token_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at_ms", "id"])
