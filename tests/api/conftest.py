"""A real server on a real socket: memory store, SQLite, an engine whose work never ends by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest

from markethub.app import JOBS
from markethub.control.database import open_database
from markethub.control.jobs import ensure_jobs
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import SUPPORT
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.engine.handler import Counters, NewChunk, Plan, RunningChunk, RunningExecution, WorkLog
from markethub.engine.settings import EngineSettings
from markethub.jobs.accounts import AccountAccess
from markethub.ports.clock import system_clock
from markethub.ports.store import Coverage
from markethub.services.accounts import AccountBook
from markethub.services.hub import Hub
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import KLINES
from tests.api.served_hub import ServedHub, served_hub
from tests.api.stored_records import Accounts, store_records
from tests.bare_hub import lone_node

_START_MS = parse_time("2024-01-01")
_SERIES = Series(Symbol.parse("BTC_USDT.BNC"), Interval.H1)
_STORED_HOURS = [hour for hour in range(100) if hour not in (50, 51)]


class _Parked:
    """Plans one chunk that runs until it is cancelled, so that no test depends on how fast work ends."""

    async def plan(self, execution: RunningExecution, log: WorkLog) -> Plan:
        log.info(f"Planned for {execution.trace_id}")
        return Plan([NewChunk("BTC_USDT.BNC 1h 2024", "BNC", {})], {"processed": 0})

    async def run(self, chunk: RunningChunk, log: WorkLog) -> Counters:
        log.warning(f"{chunk.key} waits")
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody sets this future")


@asynccontextmanager
async def _open_hub(folder: Path) -> AsyncIterator[Hub]:
    store = MemorySeriesStore()
    database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
    async with database.begin() as connection:
        await ensure_jobs(connection, JOBS, system_clock())
    # Room for the parked work of every test: what nobody cancels holds its place to the end.
    settings = EngineSettings(grace_s=0, concurrency=10_000, plan_concurrency=100)
    engine = Engine(database, {job.name: _Parked() for job in JOBS}, settings)
    _store_bars(store)
    store_records(store.records)
    await engine.start()
    try:
        yield Hub(
            store=store,
            records=store.records,
            database=database,
            engine=engine,
            venues={},
            accounts=AccountBook(AccountAccess({}, Accounts()), system_clock),
            support=SUPPORT,
            clock=system_clock,
            node=lone_node(store, system_clock),
            max_read_rows=1000,
            backfill_timeout_s=None,
        )
    finally:
        await engine.drain()
        await database.close()
        store.close()


def _store_bars(store: MemorySeriesStore) -> None:
    hours = _STORED_HOURS
    columns: dict[str, list[float | int | None]] = {
        name: [hour + 1.5 for hour in hours] for name in KLINES.names
    }
    columns["open_time"] = [_START_MS + hour * 3_600_000 for hour in hours]
    columns["trades"] = [None for _ in hours]
    bars = pa.table({name: pa.array(columns[name], KLINES.field(name).type) for name in KLINES.names}, KLINES)
    asked = Span(_START_MS, _START_MS + 100 * 3_600_000)
    store.upsert(_SERIES, bars, [Coverage(asked, "rest", _START_MS)]).result()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    folder = tmp_path_factory.mktemp("api")
    with served_hub(lambda: _open_hub(folder)) as served:
        yield served


@pytest.fixture(scope="session")
def stranger(served: ServedHub) -> Iterator[httpx2.Client]:
    """A client without a token."""
    with httpx2.Client(base_url=served.url, verify=False, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def admin(served: ServedHub) -> Iterator[httpx2.Client]:
    """A client that may do everything."""
    headers = {"Authorization": f"Bearer {served.tokens['admin']}"}
    with httpx2.Client(
        base_url=served.url, headers=headers, verify=False, trust_env=False, timeout=60
    ) as client:
        yield client


@pytest.fixture(scope="session")
def as_scope(served: ServedHub) -> Callable[[str], dict[str, str]]:
    """Make the headers of a caller who holds one scope."""
    return lambda scope: {"Authorization": f"Bearer {served.tokens[scope]}"}
