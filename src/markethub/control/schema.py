"""Tables of the control database.

Times are Unix milliseconds UTC in BIGINT, JSON is TEXT written by one encoder, so SQLite and PostgreSQL
hold the same values and sort them alike.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    literal_column,
    text,
    true,
)

SCHEMA_REVISION = "0006"
"""The migration this code is written for; a test holds it equal to the newest file in ``migrations/``."""


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    # SQLite numbers rows by itself only where the type is exactly INTEGER
    return Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)


job = Table(
    "job",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("job_type", Text, nullable=False),
    Column("job_category", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("schedule_type", Text),
    Column("schedule", Text),
    Column("interval_seconds", BigInteger),
    # of a cron schedule; an IANA name
    Column("time_zone", Text),
    # how late a run may start; later ones are left out, but for one where catch_up says so
    Column("misfire_grace_seconds", BigInteger),
    Column("catch_up", Boolean, nullable=False, server_default=true()),
    Column("parameters", Text, nullable=False),
    Column("timeout_seconds", BigInteger),
    Column("max_instances", BigInteger, nullable=False),
    # as the configuration says; paused is the operator's, and outlives a reload
    Column("enabled", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("last_run_ms", BigInteger),
    Column("next_run_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

execution = Table(
    "execution",
    metadata,
    _id(),
    Column("job_id", BigInteger, ForeignKey("job.id"), nullable=False),
    Column("job_name", Text, nullable=False),
    # what runs it, as the job said when it was queued
    Column("handler", Text, nullable=False, server_default=""),
    # the moment of a schedule that it is for; null for one on request
    Column("due_ms", BigInteger),
    Column("status", Text, nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("trace_id", Text, nullable=False, unique=True),
    Column("timeout_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("completed_ms", BigInteger),
    Column("duration_ms", BigInteger),
    Column("deadline_ms", BigInteger),
    Column("worker_id", Text),
    # planning is leased work like a chunk; see the table below
    Column("claims", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("crashes", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger),
    Column("chunks_total", BigInteger, nullable=False),
    Column("chunks_done", BigInteger, nullable=False),
    Column("chunks_failed", BigInteger, nullable=False),
    Column("counters", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    # no foreign key: what is cleaned up must not keep what retried it
    Column("retry_of", BigInteger),
    sqlite_autoincrement=True,
)
pending_execution = execution.c.status == literal_column("'PENDING'")
"""As a literal: no planner matches a bound value with a partial index. So is ``pending_chunk``."""

started_or_created = func.coalesce(execution.c.started_ms, execution.c.created_ms)
"""When an execution counts as begun in lists; one that has not started counts with its creation."""

# PostgreSQL reads an index on an expression alone only if it holds the expression's columns as well.
_OF_STARTED = ("started_ms", "created_ms")
Index("ix_execution_started", started_or_created, execution.c.id, postgresql_include=_OF_STARTED)
Index(
    "ix_execution_job_started",
    execution.c.job_id,
    started_or_created,
    execution.c.id,
    postgresql_include=_OF_STARTED,
)
Index(
    "ix_execution_status_started",
    execution.c.status,
    started_or_created,
    execution.c.id,
    postgresql_include=_OF_STARTED,
)
Index(
    "ix_execution_job_status_started",
    execution.c.job_id,
    execution.c.status,
    started_or_created,
    execution.c.id,
    postgresql_include=_OF_STARTED,
)
_DUE = text("due_ms IS NOT NULL")
# However clocks jump and however many processes look: a due run is stored once.
Index(
    "uq_execution_due",
    execution.c.job_id,
    execution.c.due_ms,
    unique=True,
    sqlite_where=_DUE,
    postgresql_where=_DUE,
)
_PENDING = text("status = 'PENDING'")
Index(
    "ix_execution_claim",
    execution.c.priority.desc(),
    execution.c.id,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
_UNFINISHED = text("completed_ms IS NULL")
Index(
    "ix_execution_unfinished",
    execution.c.deadline_ms,
    execution.c.status,
    execution.c.job_id,
    sqlite_where=_UNFINISHED,
    postgresql_where=_UNFINISHED,
)
_LEASED = text("lease_until_ms IS NOT NULL")
Index(
    "ix_execution_lease",
    execution.c.lease_until_ms,
    sqlite_where=_LEASED,
    postgresql_where=_LEASED,
)

# How many ended executions are stored, by the UTC day they began (as lists have it), job and status: see
# ``log_tally``.
execution_tally = Table(
    "execution_tally",
    metadata,
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("status", Text, primary_key=True),
    Column("executions", BigInteger, nullable=False),
)

chunk = Table(
    "chunk",
    metadata,
    _id(),
    Column("execution_id", BigInteger, ForeignKey("execution.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("execution_priority", BigInteger, nullable=False),
    Column("priority", BigInteger, nullable=False),
    # the fence: raised by every claim and never lowered, so a worker that lost its lease cannot finish
    Column("claims", BigInteger, nullable=False),
    # spent tries: raised when one fails or its worker dies, untouched when the lease is given back
    Column("attempts", BigInteger, nullable=False),
    Column("crashes", BigInteger, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger),
    Column("worker_id", Text),
    Column("error", Text),
    Column("finished_ms", BigInteger),
    UniqueConstraint("execution_id", "key"),
    sqlite_autoincrement=True,
)
pending_chunk = chunk.c.status == literal_column("'PENDING'")
Index(
    "ix_chunk_claim",
    chunk.c.execution_priority.desc(),
    chunk.c.priority.desc(),
    chunk.c.id,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
Index("ix_chunk_lease", chunk.c.lease_until_ms, sqlite_where=_LEASED, postgresql_where=_LEASED)

log = Table(
    "log",
    metadata,
    _id(),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("trace_id", Text),
    Column("job_id", BigInteger),
    Column("execution_id", BigInteger),
    Column("worker_id", Text),
)
# Each ends in the id: it orders lines of one millisecond, and paging reads the index alone in order.
Index("ix_log_timestamp", log.c.timestamp_ms, log.c.id)
Index("ix_log_trace", log.c.trace_id, log.c.timestamp_ms, log.c.id)
Index("ix_log_job", log.c.job_id, log.c.timestamp_ms, log.c.id)
Index("ix_log_level", log.c.level, log.c.timestamp_ms, log.c.id)
# In the order of writing: whoever follows an execution goes on after the last line it has.
Index("ix_log_execution", log.c.execution_id, log.c.id)

# How many lines there are by hour, job (0 for none) and level, of those up to the mark's id: to count ten
# million of them, or to skip half of them, takes far longer than to read a page.
log_tally = Table(
    "log_tally",
    metadata,
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("level", Text, primary_key=True),
    Column("lines", BigInteger, nullable=False),
)

# One row: whoever changes the tally locks it first.
log_mark = Table(
    "log_mark",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tallied_id", BigInteger, nullable=False),
)

token = Table(
    "token",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("last_used_ms", BigInteger),
    # of its own; null for what the settings say
    Column("requests_per_minute", BigInteger),
    sqlite_autoincrement=True,
)

# The answer is kept with the key and without a foreign key: it outlives the execution's row.
request_key = Table(
    "request_key",
    metadata,
    Column("token_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("execution_id", BigInteger, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False, index=True),
)

subscription = Table(
    "subscription",
    metadata,
    _id(),
    Column("exchange", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("exchange", "symbol"),
    sqlite_autoincrement=True,
)

# How the symbols of an exchange were chosen: by name (rule is null) or by a rule, which chose first when
# resolved_ms is set. ``configured`` is what the configuration last said, null for nothing: it counts again
# only when it says something else. ``source`` tells whose choice is in force.
subscription_rule = Table(
    "subscription_rule",
    metadata,
    Column("exchange", Text, primary_key=True),
    Column("rule", Text),
    Column("configured", Text),
    Column("source", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("resolved_ms", BigInteger),
)

# What a job's ended executions did, by UTC day of their end; it outlives their rows.
job_statistics = Table(
    "job_statistics",
    metadata,
    Column("job_id", BigInteger, ForeignKey("job.id"), primary_key=True),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("runs", BigInteger, nullable=False),
    Column("successes", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("timeouts", BigInteger, nullable=False),
    # of those that had begun
    Column("begun_runs", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("processed", BigInteger, nullable=False),
    Column("inserted", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

# Who changed what. No foreign keys: it outlives what it tells of.
audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at_ms", BigInteger, nullable=False),
    Column("token_id", BigInteger),
    Column("token_name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("details", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_audit_at", audit.c.at_ms, audit.c.id)

# One row: the store of the process that works on this database.
store_owner = Table(
    "store_owner",
    metadata,
    Column("store_id", Text, primary_key=True),
    Column("place", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
)

# What replication brought to each node, added up by the hour: one row for each series (or table of records:
# its name, with no interval), mode, status and reason. ``pending`` numbers the changes that the node's master
# has not been told of; null for told ones, and for all rows of a master.
sync_history = Table(
    "sync_history",
    metadata,
    _id(),
    Column("backup_name", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("interval", Text, nullable=False),
    Column("sync_mode", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("hour_ms", BigInteger, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("data_count", BigInteger, nullable=False),
    Column("pending", BigInteger),
    sqlite_autoincrement=True,
)
Index(
    "uq_sync_history_hour",
    sync_history.c.hour_ms,
    sync_history.c.backup_name,
    sync_history.c.symbol,
    sync_history.c.interval,
    sync_history.c.sync_mode,
    sync_history.c.status,
    sync_history.c.error,
    unique=True,
)
Index("ix_sync_history_end", sync_history.c.end_ms, sync_history.c.id)
Index("ix_sync_history_backup_end", sync_history.c.backup_name, sync_history.c.end_ms, sync_history.c.id)
_UNTOLD = text("pending IS NOT NULL")
Index(
    "ix_sync_history_pending",
    sync_history.c.backup_name,
    sync_history.c.pending,
    sqlite_where=_UNTOLD,
    postgresql_where=_UNTOLD,
)

# How each slave stands, as it last told: which history it follows up to which revision, what of it it wants
# (JSON), and what its last verification found.
replica_state = Table(
    "replica_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("store_id", Text),
    Column("epoch", BigInteger, nullable=False),
    Column("revision", BigInteger),
    Column("selection", Text, nullable=False),
    Column("synced_ms", BigInteger),
    Column("verified_ms", BigInteger),
    Column("compared", BigInteger),
    Column("repaired", BigInteger),
    Column("unsettled", BigInteger),
    Column("error", Text),
    Column("reported_ms", BigInteger, nullable=False),
)

# What processes behind one address spend at the venues. Numbers count a venue's windows from 1970; a gate is
# dated by the venue's clock.
budget_window = Table(
    "budget_window",
    metadata,
    Column("budget", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("used", BigInteger, nullable=False),
    # of the last take, so that one statement can answer it
    Column("granted", BigInteger, nullable=False),
    Column("touched_ms", BigInteger, nullable=False),
)

budget_sharer = Table(
    "budget_sharer",
    metadata,
    Column("budget", Text, primary_key=True),
    Column("process", Text, primary_key=True),
    Column("last_window", BigInteger, nullable=False),
    Column("touched_ms", BigInteger, nullable=False),
)

budget_gate = Table(
    "budget_gate",
    metadata,
    Column("budget", Text, primary_key=True),
    Column("closed_until_ms", BigInteger, nullable=False),
    Column("is_ban", Boolean, nullable=False),
)
