"""Lists of executions by status: an index reads them in order and counts them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    begun = sa.text("coalesce(started_ms, created_ms)")
    op.create_index("ix_execution_status_started", "execution", ["status", begun, "id"])
    op.create_index("ix_execution_job_status_started", "execution", ["job_id", "status", begun, "id"])
