"""Request keys of callers, and which execution another one retries."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("execution", sa.Column("retry_of", sa.BigInteger()))
    op.create_table(
        "request_key",
        sa.Column("token_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key", name="pk_request_key"),
    )
    op.create_index("ix_request_key_created_ms", "request_key", ["created_ms"])
