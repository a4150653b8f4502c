"""The examples of the DMS API about tasks, against a hub that has the very tasks and runs that they show."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, update

from markethub.control.database import Database
from markethub.control.executions import QueuedExecution, insert_executions
from markethub.control.jobs import JobSpec
from markethub.control.schema import execution, job, job_statistics
from markethub.domain.node import Role
from markethub.domain.times import parse_time
from markethub.services.schedules import apply_jobs
from tests.api.dms_door import Door, open_door
from tests.contract.documented import example

LOGGED = example("dms_maintenance_log_response.json")["logs"][0]
SHOWN = example("dms_task_status_response.json")


def task(name: str, **parameters: Any) -> JobSpec:  # noqa: ANN401 - JSON
    return JobSpec(name, "kline", "sync", "", parameters=parameters)


@asynccontextmanager
async def door_with(
    folder: Path, template: Path, *jobs: JobSpec, role: Role = Role.MASTER
) -> AsyncIterator[tuple[Door, httpx2.AsyncClient]]:
    async with open_door(folder, template, role) as door:
        await apply_jobs(door.hub.database, jobs)
        async with door.caller() as client:
            yield door, client


@pytest.fixture
async def client(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """The hub of the examples about one task, `daily_update`."""
    other = JobSpec("sync_symbols_all", "symbol", "sync", "")
    async with door_with(tmp_path, sqlite_template, task("daily_update"), other) as (door, client):
        await _store_history(door.hub.database)
        yield client


async def _store_history(database: Database) -> None:
    """The run that the page shows, and what the statistics say of a hundred."""
    stats, last = SHOWN["stats"], SHOWN["last_result"]
    counters = {"inserted": last["data_count"] - 1, "updated": 1, "unchanged": 9, "symbols": 5}
    async with database.begin() as connection:
        await connection.execute(
            update(job)
            .where(job.c.name == "daily_update")
            .values(last_run_ms=parse_time(SHOWN["last_run_time"]))
        )
        await insert_executions(
            connection, [QueuedExecution(1, "daily_update", "sync_kline", "{}", "daily_1", 0, None)], 0
        )
        await connection.execute(
            update(execution).values(
                status="SUCCESS",
                created_ms=parse_time(LOGGED["start_time"]),
                started_ms=parse_time(LOGGED["start_time"]),
                completed_ms=parse_time(LOGGED["end_time"]) + 500,
                duration_ms=round(LOGGED["duration"] * 1000),
                counters=json.dumps(counters),
            )
        )
        await connection.execute(
            insert(job_statistics).values(
                job_id=1,
                day_ms=0,
                runs=stats["total_runs"],
                successes=stats["success_count"],
                failures=stats["failed_count"] - 1,
                timeouts=1,
                begun_runs=stats["total_runs"],
                duration_ms=round(stats["avg_duration"] * 1000) * stats["total_runs"],
                processed=20_000,
                inserted=stats["total_data_count"] - 10,
                updated=10,
            )
        )


async def answer(client: httpx2.AsyncClient, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
    response = await client.request(method, f"/api/dms{path}")
    assert response.status_code == 200, response.text
    return response.json()


def same(answered: object, documented: object) -> bool:
    """Values, types, and the order of keys."""
    return json.dumps(answered) == json.dumps(documented)


async def test_the_list_of_tasks(client: httpx2.AsyncClient) -> None:
    documented = [one | {"task_type": "incremental"} for one in example("dms_tasks_response.json")]
    assert same(await answer(client, "GET", "/tasks"), documented)


async def test_one_task(client: httpx2.AsyncClient) -> None:
    shown = await answer(client, "GET", "/tasks/daily_update/status")
    assert same(shown, SHOWN | {"task_type": "incremental"})


async def test_the_maintenance_log(client: httpx2.AsyncClient) -> None:
    documented = example("dms_maintenance_log_response.json")
    assert same(await answer(client, "GET", "/maintenance/log"), documented)
    assert same(await answer(client, "GET", "/maintenance/log?task_name=daily_update"), documented)
    matching = "task_type=incremental&status=completed&limit=1&offset=0"
    assert same(await answer(client, "GET", f"/maintenance/log?{matching}"), documented)
    for other in ("task_type=full_sync", "status=failed", "status=running", "offset=1"):
        assert await answer(client, "GET", f"/maintenance/log?{other}") == {"logs": []}


async def test_starting_one_task_and_all(tmp_path: Path, sqlite_template: Path) -> None:
    jobs = (task("daily_update_us"), task("daily_update_hk"))
    async with door_with(tmp_path, sqlite_template, *jobs) as (_, client):
        started = await answer(client, "POST", "/tasks/trigger?task_name=daily_update_us")
        assert same(started, example("dms_tasks_trigger_response.json"))
        again = await client.post("/api/dms/tasks/trigger?task_name=daily_update_us")
        assert again.status_code == 409
        assert again.json() == {
            "detail": "job daily_update_us has 1 executions that have not ended, and its max_instances is 1"
        }
        both = await answer(client, "POST", "/tasks/trigger-all")
        assert (both["success"], both["result"]["success"]) == (True, False)
        assert both["result"]["message"] == "Triggered 2 task(s), 1 succeeded"
        assert both["result"]["results"] == {
            "daily_update_hk": {"success": True, "status": "running"},
            "daily_update_us": {"success": False, "status": "running", "message": again.json()["detail"]},
        }


@pytest.mark.parametrize("query", ["", "?task_type=incremental"])
async def test_starting_every_task(tmp_path: Path, sqlite_template: Path, query: str) -> None:
    jobs = (task("daily_update_us"), task("daily_update_hk"), JobSpec("other", "ticker", "sync", ""))
    async with door_with(tmp_path, sqlite_template, *jobs) as (_, client):
        started = await answer(client, "POST", f"/tasks/trigger-all{query}")
        assert started == example("dms_tasks_trigger_all_response.json")  # its results stand in no order
        for level in ("result", None):
            shown = started["result"] if level else started
            documented = example("dms_tasks_trigger_all_response.json")
            assert list(shown) == list(documented["result"] if level else documented)
        (us, hk) = (await answer(client, "GET", "/maintenance/log"))["logs"]
        assert (us["end_time"], us["duration"], us["status"], us["result_message"], us["data_count"]) == (
            None, None, "running", "Waiting", 0,
        )  # fmt: skip
        assert {us["task_name"], hk["task_name"]} == {"daily_update_us", "daily_update_hk"}


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("POST", "/tasks/trigger", 400, "task_name"),
        ("POST", "/tasks/trigger?task_name=", 400, "task_name"),
        ("POST", "/tasks/trigger?task_name=nobody", 404, "Task not found: nobody"),
        ("POST", "/tasks/trigger?task_name=sync_symbols_all", 404, "Task not found: sync_symbols_all"),
        ("POST", "/tasks/trigger?task_name=1", 404, "Task not found: 1"),
        ("POST", "/tasks/trigger?name=daily_update", 400, "field 'name' is unknown; allowed are task_name"),
        (
            "POST",
            "/tasks/trigger-all?task_type=partial",
            400,
            "'partial' is not one of incremental, full_sync",
        ),
        ("GET", "/tasks/nobody/status", 404, "Task not found: nobody"),
        ("GET", "/maintenance/log?task_name=nobody", 404, "Task not found: nobody"),
        ("GET", "/maintenance/log?task_type=x", 400, "task_type 'x' is not one of incremental, full_sync"),
        ("GET", "/maintenance/log?status=x", 400, "status 'x' is not one of running, completed, failed"),
        ("GET", "/maintenance/log?limit=0", 400, "limit"),
        ("GET", "/maintenance/log?limit=1001", 400, "limit"),
        ("GET", "/maintenance/log?offset=-1", 400, "offset"),
        ("GET", "/maintenance/log?task_name=%00", 400, "NUL"),
    ],
)
async def test_what_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, status: int, detail: str
) -> None:
    response = await client.request(method, f"/api/dms{path}")
    assert response.status_code == status, response.text
    assert list(response.json()) == ["detail"]
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/tasks/trigger?task_name=daily_update"),
        ("POST", "/tasks/trigger"),
        ("POST", "/tasks/trigger-all"),
        ("GET", "/tasks"),
        ("GET", "/tasks/daily_update/status"),
        ("GET", "/maintenance/log"),
    ],
)
async def test_a_slave_has_no_tasks_to_show(
    tmp_path: Path, sqlite_template: Path, method: str, path: str
) -> None:
    async with door_with(tmp_path, sqlite_template, task("daily_update"), role=Role.SLAVE) as (_, client):
        response = await client.request(method, f"/api/dms{path}")
    assert response.status_code == 403
    assert response.json() == {"detail": "only a master does this; this node is a slave"}


async def test_each_scope_opens_its_own(tmp_path: Path, sqlite_template: Path) -> None:
    async with open_door(tmp_path, sqlite_template) as door, door.caller("token") as client:
        for scope, statuses in {
            "read:dms": (200, 403),
            "write:dms": (403, 200),
            "read:jobs": (403, 403),
        }.items():
            headers = door.bearer(scope)
            for (method, path), status in zip(
                (("GET", "/tasks"), ("POST", "/tasks/trigger-all")), statuses, strict=True
            ):
                response = await client.request(method, f"/api/dms{path}", headers=headers)
                assert response.status_code == status, (scope, response.text)
