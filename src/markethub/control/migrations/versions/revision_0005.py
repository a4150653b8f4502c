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
        sa.Column("source", sa.Text(), nullable=False),
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
        sa.Column("begun_runs", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("processed", sa.BigInteger(), nullable=False),
        sa.Column("inserted", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_job_statistics_job_id_job"),
        sa.PrimaryKeyConstraint("job_id", "day_ms", name="pk_job_statistics"),
    )
    op.add_column("token", sa.Column("requests_per_minute", sa.BigInteger()))
    op.create_table(
        "store_owner",
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", name="pk_store_owner"),
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
    _count_history()
    _tally_executions()
    _cover_started()
    _tally_logs()


def _count_history() -> None:
    """What ended before there were statistics."""
    unfinished = sa.text("completed_ms IS NULL")
    op.drop_index("ix_execution_unfinished", "execution")
    op.create_index(
        "ix_execution_unfinished",
        "execution",
        ["deadline_ms", "status", "job_id"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    if op.get_context().dialect.name == "postgresql":
        counter = "CAST(CAST(counters AS JSON) ->> '{}' AS BIGINT)"
    else:
        counter = "json_extract(counters, '$.{}')"
    counted = [f"coalesce(sum({counter.format(name)}), 0)" for name in ("processed", "inserted", "updated")]
    ended = [
        f"sum(CASE WHEN status = '{status}' THEN 1 ELSE 0 END)"
        for status in ("SUCCESS", "FAILURE", "TIMEOUT")
    ]
    op.execute(
        "INSERT INTO job_statistics (job_id, day_ms, runs, successes, failures, timeouts, begun_runs, "  # noqa: S608 - constants only
        "duration_ms, processed, inserted, updated) "
        f"SELECT job_id, completed_ms - completed_ms % 86400000, count(*), {', '.join(ended)}, "
        f"count(duration_ms), coalesce(sum(duration_ms), 0), {', '.join(counted)} "
        "FROM execution WHERE completed_ms IS NOT NULL "
        "GROUP BY job_id, completed_ms - completed_ms % 86400000"
    )


def _tally_executions() -> None:
    op.create_table(
        "execution_tally",
        sa.Column("day_ms", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("executions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day_ms", "job_id", "status", name="pk_execution_tally"),
    )
    day = "coalesce(started_ms, created_ms) - coalesce(started_ms, created_ms) % 86400000"
    op.execute(
        f"INSERT INTO execution_tally (day_ms, job_id, status, executions) "  # noqa: S608 - constants only
        f"SELECT {day}, job_id, status, count(*) FROM execution WHERE completed_ms IS NOT NULL "
        f"GROUP BY {day}, job_id, status"
    )


def _cover_started() -> None:
    """Let PostgreSQL read the indexes of lists alone; SQLite does as they are."""
    if op.get_context().dialect.name != "postgresql":
        return
    started = sa.text("coalesce(started_ms, created_ms)")
    for name, columns in (
        ("", []),
        ("_job", ["job_id"]),
        ("_status", ["status"]),
        ("_job_status", ["job_id", "status"]),
    ):
        op.drop_index(f"ix_execution{name}_started", "execution")
        op.create_index(
            f"ix_execution{name}_started",
            "execution",
            [*columns, started, "id"],
            postgresql_include=["started_ms", "created_ms"],
        )


def _tally_logs() -> None:
    op.create_index("ix_log_level", "log", ["level", "timestamp_ms", "id"])
    op.create_index("ix_log_execution", "log", ["execution_id", "id"])
    op.create_table(
        "log_tally",
        sa.Column("hour_ms", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour_ms", "job_id", "level", name="pk_log_tally"),
    )
    mark = op.create_table(
        "log_mark",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("tallied_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_mark"),
    )
    op.bulk_insert(mark, [{"id": 1, "tallied_id": 0}])
