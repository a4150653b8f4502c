"""What replication brought to each node, and how each slave stands."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("backup_name", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("sync_mode", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("hour_ms", sa.BigInteger(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("data_count", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_sync_history"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_sync_history_hour",
        "sync_history",
        ["hour_ms", "backup_name", "symbol", "interval", "sync_mode", "status", "error"],
        unique=True,
    )
    op.create_index("ix_sync_history_end", "sync_history", ["end_ms", "id"])
    op.create_index("ix_sync_history_backup_end", "sync_history", ["backup_name", "end_ms", "id"])
    untold = sa.text("pending IS NOT NULL")
    op.create_index(
        "ix_sync_history_pending",
        "sync_history",
        ["backup_name", "pending"],
        sqlite_where=untold,
        postgresql_where=untold,
    )
    op.create_table(
        "replica_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("store_id", sa.Text()),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger()),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("synced_ms", sa.BigInteger()),
        sa.Column("verified_ms", sa.BigInteger()),
        sa.Column("compared", sa.BigInteger()),
        sa.Column("repaired", sa.BigInteger()),
        sa.Column("unsettled", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.Column("reported_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_replica_state"),
    )
