"""``jobs run``, ``pause`` and ``resume`` on the control database, and ``reload`` where nothing runs."""

import asyncio
import json
from pathlib import Path

import pytest

from markethub.config import Settings
from markethub.control.audit import AuditRow, list_audit
from markethub.control.database import open_database
from markethub.control.jobs import JobSpec
from markethub.domain.times import format_time
from markethub.ports.clock import system_clock
from markethub.services.schedules import apply_jobs
from tests.cli.conftest import Node
from tests.cli.invocation import Run

JOBS = [
    JobSpec("backfill_kline", "kline", "backfill", ""),
    JobSpec(
        "hourly", "kline", "sync", "", schedule_type="cron", schedule="0 * * * *", time_zone="Asia/Tokyo"
    ),
]


@pytest.fixture
def offline(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line of someone with a data folder on which no hub runs."""

    async def prepare() -> None:
        database = await open_database(Settings(data_dir=tmp_path).control_url)
        await apply_jobs(database, JOBS)
        await database.close()

    asyncio.run(prepare())
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path))
    return cli


def audited(data_dir: Path) -> list[AuditRow]:
    async def read() -> list[AuditRow]:
        database = await open_database(Settings(data_dir=data_dir).control_url)
        try:
            async with database.read() as connection:
                return (await list_audit(connection))[0]
        finally:
            await database.close()

    return asyncio.run(read())


def test_a_run_is_queued_without_a_hub(offline: Run, tmp_path: Path) -> None:
    outcome = offline("jobs", "run", "hourly")
    assert outcome.code == 0
    trace_id = outcome.out.strip()
    assert trace_id.startswith("hourly_")
    assert f"Run of job hourly queued; watch it with: markethub logs {trace_id} --follow" in outcome.err
    second = offline("jobs", "run", "hourly")
    assert (second.code, second.out) == (1, "")
    assert second.err == (
        "error: job hourly has 1 executions that have not ended, and its max_instances is 1\n"
    )
    (row,) = audited(tmp_path)
    assert (row.action, row.target, row.address) == ("job.run", trace_id, "local")


def test_a_run_in_json(offline: Run) -> None:
    queued = json.loads(offline("jobs", "run", "hourly", "--json").out)
    assert queued["trace_id"].startswith("hourly_")
    assert (queued["status"], queued["execution_id"]) == ("queued", 1)


def test_nothing_is_queued_to_be_watched_where_no_hub_runs(offline: Run) -> None:
    outcome = offline("jobs", "run", "hourly", "--wait")
    assert (outcome.code, "no MarketHub server found" in outcome.err) == (1, True)
    assert offline("jobs", "run", "hourly").code == 0


def test_pausing_and_resuming(offline: Run) -> None:
    assert offline("jobs", "pause", "hourly").out == "job hourly is paused\n"
    resumed = offline("jobs", "resume", "hourly")
    assert resumed.out.startswith("job hourly is due next at 20")
    assert resumed.out.endswith(":00:00Z\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "backfill_kline"), "job backfill_kline runs on request only"),
        (("pause", "backfill_kline"), "job backfill_kline has no schedule: it runs on request only"),
        (("resume", "nothing"), "Job not found: nothing"),
        (("run", "nothing"), "Job not found: nothing"),
    ],
)
def test_what_cannot_be_done(offline: Run, arguments: tuple[str, ...], told: str) -> None:
    outcome = offline("jobs", *arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: {told}")


@pytest.mark.parametrize("verb", ["run", "pause", "resume"])
def test_a_folder_without_a_control_database(cli: Run, verb: str) -> None:
    outcome = cli("jobs", verb, "hourly")
    assert outcome.code == 1
    assert outcome.err.startswith("error: no control database at")


def test_a_run_watched_to_its_end(local: Run, node: Node) -> None:
    outcome = local("jobs", "run", "sync_tickers_all", "--wait")
    assert (outcome.code, outcome.out[:9]) == (0, "SUCCESS: ")


def due_after(time_ms: int) -> str:
    """When the schedule ``5 0 * * *`` comes next."""
    day_ms, at_ms = 86_400_000, 300_000
    return format_time((time_ms - at_ms) // day_ms * day_ms + day_ms + at_ms)


def test_a_paused_job_is_listed_as_such(local: Run, node: Node) -> None:
    def listed() -> list[str]:
        return local("jobs", "list", "--search", "sync_klines_1d").table()[0]

    before = listed()
    assert (before[3], before[4], before[6] != "") == ("5 0 * * *", "yes", True)
    local("jobs", "pause", "sync_klines_1d")
    try:
        assert (listed()[4], listed()[6]) == ("paused", "")
        shown = json.loads(local("jobs", "show", "sync_klines_1d", "--json").out)
        assert (shown["enabled"], shown["paused"], shown["next_run_at"]) == (False, True, None)
    finally:
        resumed_ms = system_clock()
        local("jobs", "resume", "sync_klines_1d")
    after = listed()
    assert after[:6] == before[:6]
    # Not as before where that moment has passed since: on this hub nobody schedules, so it stood still.
    assert after[6] in (due_after(resumed_ms), due_after(system_clock()))
    assert "paused" not in json.loads(local("jobs", "show", "sync_klines_1d", "--json").out)


def test_reload_where_no_hub_runs(offline: Run, tmp_path: Path) -> None:
    outcome = offline("reload")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: no hub runs on {tmp_path}")
