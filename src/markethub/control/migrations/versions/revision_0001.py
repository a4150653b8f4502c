"""Jobs, executions, chunks, logs, tokens, subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PENDING = sa.text("status = 'PENDING'")
_LEASED = sa.text("lease_until_ms IS NOT NULL")
_UNFINISHED = sa.text("completed_ms IS NULL")


def upgrade() -> None:
    _create_job()
    _create_log()
    _create_subscription()
    _create_token()
    _create_execution()
    _create_chunk()


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("job_type", sa.Text(), nullable=False),
        sa.Column("job_category", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("schedule_type", sa.Text()),
        sa.Column("schedule", sa.Text()),
        sa.Column("interval_seconds", sa.BigInteger()),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("timeout_seconds", sa.BigInteger()),
        sa.Column("max_instances", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("last_run_ms", sa.BigInteger()),
        sa.Column("next_run_ms", sa.BigInteger()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("name", name="uq_job_name"),
        sqlite_autoincrement=True,
    )


def _create_log() -> None:
    op.create_table(
        "log",
        sa.Column("id", _ID, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text()),
        sa.Column("job_id", sa.BigInteger()),
        sa.Column("execution_id", sa.BigInteger()),
        sa.Column("worker_id", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_log"),
    )
    op.create_index("ix_log_job", "log", ["job_id", "timestamp_ms", "id"])
    op.create_index("ix_log_timestamp", "log", ["timestamp_ms", "id"])
    op.create_index("ix_log_trace", "log", ["trace_id", "timestamp_ms", "id"])


def _create_subscription() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", _ID, nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
        sa.UniqueConstraint("exchange", "symbol", name="uq_subscription_exchange_symbol"),
        sqlite_autoincrement=True,
    )


def _create_token() -> None:
    op.create_table(
        "token",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger()),
        sa.Column("revoked_ms", sa.BigInteger()),
        sa.Column("last_used_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sqlite_autoincrement=True,
    )


def _create_execution() -> None:
    op.create_table(
        "execution",
        sa.Column("id", _ID, nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("job_name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("timeout_ms", sa.BigInteger()),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger()),
        sa.Column("completed_ms", sa.BigInteger()),
        sa.Column("duration_ms", sa.BigInteger()),
        sa.Column("deadline_ms", sa.BigInteger()),
        sa.Column("worker_id", sa.Text()),
        sa.Column("claims", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("crashes", sa.BigInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger()),
        sa.Column("chunks_total", sa.BigInteger(), nullable=False),
        sa.Column("chunks_done", sa.BigInteger(), nullable=False),
        sa.Column("chunks_failed", sa.BigInteger(), nullable=False),
        sa.Column("counters", sa.Text(), nullable=False),
        sa.Column("result", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_execution_job_id"),
        sa.PrimaryKeyConstraint("id", name="pk_execution"),
        sa.UniqueConstraint("trace_id", name="uq_execution_trace_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_execution_started", "execution", [sa.text("coalesce(started_ms, created_ms)"), "id"])
    op.create_index(
        "ix_execution_job_started", "execution", ["job_id", sa.text("coalesce(started_ms, created_ms)"), "id"]
    )
    op.create_index(
        "ix_execution_claim",
        "execution",
        [sa.text("priority DESC"), "id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index(
        "ix_execution_unfinished",
        "execution",
        ["deadline_ms", "status"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_execution_lease", "execution", ["lease_until_ms"], sqlite_where=_LEASED, postgresql_where=_LEASED
    )


def _create_chunk() -> None:
    op.create_table(
        "chunk",
        sa.Column("id", _ID, nullable=False),
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("execution_priority", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("claims", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("crashes", sa.BigInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger()),
        sa.Column("worker_id", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("finished_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(["execution_id"], ["execution.id"], name="fk_chunk_execution_id"),
        sa.PrimaryKeyConstraint("id", name="pk_chunk"),
        sa.UniqueConstraint("execution_id", "key", name="uq_chunk_execution_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_chunk_claim",
        "chunk",
        [sa.text("execution_priority DESC"), sa.text("priority DESC"), "id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index(
        "ix_chunk_lease", "chunk", ["lease_until_ms"], sqlite_where=_LEASED, postgresql_where=_LEASED
    )
