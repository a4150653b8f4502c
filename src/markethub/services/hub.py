"""What every use case works with."""

from collections.abc import Mapping
from dataclasses import dataclass

from markethub.control.database import Database
from markethub.domain.support import Support
from markethub.engine.engine import Engine
from markethub.engine.scheduler import Scheduler
from markethub.ports.clock import Clock
from markethub.ports.records import RecordStore
from markethub.ports.store import SeriesStore
from markethub.ports.venue import Venue
from markethub.replication.node import Node
from markethub.services.accounts import AccountBook


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one read of the DMS door may ask for; more is an InputError that says so."""

    symbols: int = 10_000
    rows: int = 5_000_000


@dataclass(frozen=True, slots=True)
class Hub:
    """The open parts of one running node; ``app.open_hub`` builds and closes it."""

    store: SeriesStore
    records: RecordStore
    database: Database
    engine: Engine
    venues: Mapping[str, Venue]
    accounts: AccountBook
    support: Support
    clock: Clock
    node: Node
    max_read_rows: int
    """Rows one read may answer with; more is an InputError that says so."""
    backfill_timeout_s: float | None
    """How long a backfill may run before it ends as TIMEOUT; None for as long as it takes."""
    scheduler: Scheduler | None = None
    """What starts the jobs that are due; None where this process starts none."""
    batch_limits: BatchLimits = BatchLimits()
