"""The examples of the jobs API, against a hub that holds the very jobs and executions that they show."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub import DataHub
from markethub.control.database import Database, open_database
from markethub.control.execution_tally import RowKey, add_rows
from markethub.control.executions import QueuedExecution, insert_executions
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.control.schema import execution, job
from markethub.domain.execution import ExecutionStatus
from markethub.domain.support import SUPPORT
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.engine.settings import EngineSettings
from markethub.jobs.accounts import AccountAccess
from markethub.ports.clock import system_clock
from markethub.services.accounts import AccountBook
from markethub.services.hub import Hub
from markethub.stores.memory import MemorySeriesStore
from tests.api.served_hub import ServedHub, served_hub
from tests.api.stored_records import Accounts
from tests.bare_hub import lone_node
from tests.contract.documented import example, run_curl, run_snippet

JOBS = example("jobs_response.json")["data"]
EXECUTIONS = example("executions_response.json")["data"]
_MORE_JOBS = example("jobs_response.json")["pagination"]["total"] - len(JOBS)
_OF_FIRST_JOB = example("job_executions_response.json")["pagination"]["total"]
_IN_ALL = example("executions_response.json")["pagination"]["total"]
_HOUR_MS = 3_600_000
_OLD_FAILURE = 700


@asynccontextmanager
async def _open_hub(folder: Path) -> AsyncIterator[Hub]:
    database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
    await _store_jobs(database)
    await _store_executions(database)
    store = MemorySeriesStore()
    yield Hub(
        store=store,
        records=store.records,
        database=database,
        engine=Engine(database, {}, EngineSettings()),
        venues={},
        accounts=AccountBook(AccountAccess({}, Accounts()), system_clock),
        support=SUPPORT,
        clock=system_clock,
        node=lone_node(store, system_clock),
        max_read_rows=1000,
        backfill_timeout_s=None,
    )
    await database.close()
    store.close()


async def _store_jobs(database: Database) -> None:
    """The two jobs that the page shows, and as many more as its totals say."""
    shown = [
        JobSpec(
            **{name: row[name] for name in JobSpec.__dataclass_fields__ if name in row}
        )  # the API's names are ours
        for row in JOBS
    ]
    more = [JobSpec(f"cleanup_{n:02}", "log", "cleanup", "") for n in range(_MORE_JOBS - 1)]
    hourly = JobSpec("hourly", "balance", "sync", "", schedule_type="interval", interval_seconds=3600)
    async with database.begin() as connection:
        await ensure_jobs(connection, [*shown, *more, hourly], 0)
        for row in JOBS:
            times = {f"{name}_ms": parse_time(row[f"{name}_at"]) for name in ("last_run", "next_run")}
            times |= {f"{name}_ms": parse_time(row[f"{name}_at"]) for name in ("created", "updated")}
            await connection.execute(update(job).where(job.c.name == row["name"]).values(**times))


async def _store_executions(database: Database) -> None:
    """The two executions that the page shows, and before them one an hour, up to its totals."""
    names = {row["job_id"]: row["job_name"] for row in EXECUTIONS}
    older = ["1"] * (_OF_FIRST_JOB - 1) + ["2"] * (_IN_ALL - _OF_FIRST_JOB - 1)
    newest_ms = parse_time(EXECUTIONS[-1]["started_at"])
    async with database.begin() as connection:
        queued = [
            QueuedExecution(int(number), names[number], "backfill_kline", "{}", f"older_{n}", 0, None)
            for n, number in enumerate(older)
        ]
        await insert_executions(connection, queued, 0)
        begun = newest_ms - execution.c.id * _HOUR_MS
        values = {"created_ms": begun, "started_ms": begun, "completed_ms": begun + 60_000}
        await connection.execute(update(execution).values(status="SUCCESS", duration_ms=60_000, **values))
        await connection.execute(
            update(execution).where(execution.c.id == _OLD_FAILURE).values(status="FAILURE", error="old")
        )
        for row in EXECUTIONS:
            await connection.execute(insert(execution).values(_columns(row)))
        await _tally(connection)


async def _tally(connection: AsyncConnection) -> None:
    """Count what was written by hand, as the engine does with what ends."""
    ended = await connection.execute(select(execution.c.job_id, execution.c.status, execution.c.started_ms))
    keys = (RowKey.of(row.job_id, ExecutionStatus(row.status), row.started_ms) for row in ended)
    await add_rows(connection, Counter(keys))


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    zero = ("priority", "claims", "attempts", "crashes", "not_before_ms")
    same = ("job_name", "status", "duration_ms", "error", "trace_id", "worker_id")
    return {
        "id": int(row["id"]),
        "job_id": int(row["job_id"]),
        "parameters": json.dumps(row["parameters_snapshot"]),
        "result": json.dumps(row["result"]),
        "counters": "{}",
        **{f"{name}_ms": parse_time(row[f"{name}_at"]) for name in ("created", "started", "completed")},
        **{name: row[name] for name in same},
        **dict.fromkeys((*zero, "chunks_total", "chunks_done", "chunks_failed"), 0),
    }


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    folder = tmp_path_factory.mktemp("jobs")
    with served_hub(lambda: _open_hub(folder)) as served:
        yield served


@pytest.fixture(scope="module")
def datahub(shown: ServedHub) -> Iterator[DataHub]:
    with DataHub(shown.url, shown.tokens["read:jobs"]) as client:
        yield client


def answer(name: str, served: ServedHub) -> Any:  # noqa: ANN401  (a JSON value)
    response = run_curl(name, served)
    assert response.status_code == 200, response.text
    return response.json()


def same(answered: object, documented: object) -> bool:
    """Values, types, and the order of keys."""
    return json.dumps(answered) == json.dumps(documented)


def test_the_jobs_list(shown: ServedHub) -> None:
    listed = answer("jobs_everything.sh", shown)
    assert list(listed) == ["data", "pagination"]
    assert same(listed["pagination"], example("jobs_response.json")["pagination"])
    assert same([row for row in listed["data"] if row["name"].startswith("sync_")], JOBS)
    names = [row["name"] for row in listed["data"]]
    assert names == sorted(names)


def test_the_jobs_list_searched_and_reversed(shown: ServedHub) -> None:
    assert same(answer("jobs_search.sh", shown)["data"], JOBS[:1])
    names = [row["name"] for row in answer("jobs_reversed.sh", shown)["data"]]
    assert names == sorted(names, reverse=True)
    assert len(names) == len(JOBS) + _MORE_JOBS


@pytest.mark.parametrize("name", ["job_by_number.sh", "job_by_name.sh"])
def test_one_job(shown: ServedHub, name: str) -> None:
    assert same(answer(name, shown), example("job_response.json"))


def test_a_job_that_is_not_there(shown: ServedHub) -> None:
    headers = {"Authorization": f"Bearer {shown.tokens['read:jobs']}"}
    for path in ("invalid_job_name", "invalid_job_name/executions"):
        with httpx2.Client(
            base_url=shown.url, headers=headers, verify=False, trust_env=False, timeout=60
        ) as client:
            response = client.get(f"/api/v1/jobs/{path}")
        assert response.status_code == 404
        assert same(response.json(), example("job_error.json"))


def test_the_executions_list(shown: ServedHub) -> None:
    listed = answer("executions_latest.sh", shown)
    assert list(listed) == ["data", "pagination"]
    assert same(listed["data"][:2], EXECUTIONS)
    assert same(listed["pagination"], example("executions_response.json")["pagination"])
    failed = answer("executions_failed.sh", shown)["data"]
    assert same(failed[:1], EXECUTIONS[1:])
    assert [row["id"] for row in failed] == ["12344", str(_OLD_FAILURE)]
    ranged = answer("executions_range.sh", shown)
    assert ranged["pagination"]["total"] == 14 * 24  # what started at its end is outside
    assert ranged["data"][0]["started_at"] == "2026-01-14T23:00:00Z"


def test_one_jobs_executions(shown: ServedHub) -> None:
    documented = example("job_executions_response.json")
    listed = answer("job_executions_all.sh", shown)
    assert list(listed) == list(documented)
    assert same(listed["data"][:1], documented["data"])
    assert same(listed["pagination"], documented["pagination"])
    assert [row["id"] for row in answer("job_executions_failed.sh", shown)["data"]] == [str(_OLD_FAILURE)]
    assert answer("job_executions_range.sh", shown)["pagination"]["total"] == 14 * 24 + 1


@pytest.mark.parametrize(
    ("name", "documented"),
    [
        ("jobs_tool.json", JOBS[:1]),
        ("executions_tool.json", EXECUTIONS[1:]),
        ("job_executions_tool.json", EXECUTIONS[:1]),
    ],
)
def test_a_documented_tool_call_of_a_list(datahub: DataHub, name: str, documented: list[object]) -> None:
    call = example(name)
    page = getattr(datahub, call["tool"].removeprefix("datahub_"))(**call["parameters"])
    assert same(page["data"][:1], documented)
    assert page["pagination"]["page_size"] == call["parameters"]["limit"]


def test_the_documented_tool_call_of_one_job(datahub: DataHub) -> None:
    call = example("job_tool.json")
    found = getattr(datahub, call["tool"].removeprefix("datahub_"))(**call["parameters"])
    assert same(found, JOBS[0])


def test_the_snippet_that_watches_failures(shown: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_snippet("watch_failures.py.txt", shown, monkeypatch)[:3] == [
        "任务 sync_symbols_all 失败: Connection timeout",
        "  Trace ID: xyz789abc012",
        "  时间: 2026-01-15T00:00:00Z",
    ]


def test_the_snippet_that_analyses_a_job(shown: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run_snippet("analyse_a_job.py.txt", shown, monkeypatch)
    assert printed == ["平均执行时间: 60.90 秒", "成功率: 100.0%"]  # 99 took 60 s, the newest 150 s


def test_the_snippet_that_shows_schedules(shown: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run_snippet("show_schedules.py.txt", shown, monkeypatch)
    assert printed == [
        "任务: hourly", "  类型: balance", "  调度: None", "  下次执行: None",
        "任务: sync_klines_1h", "  类型: kline", "  调度: 0 * * * *", "  下次执行: 2026-01-15T09:00:00Z",
        "任务: sync_symbols_all", "  类型: symbol", "  调度: 0 0 * * *", "  下次执行: 2026-01-16T00:00:00Z",
    ]  # fmt: skip


def test_the_examples_are_the_pages_own() -> None:
    """Both pages show one and the same execution and snippet; a copy that differs would be a misprint."""
    assert same(example("job_executions_response.json")["data"], EXECUTIONS[:1])
    assert same(example("job_response.json"), JOBS[0])
