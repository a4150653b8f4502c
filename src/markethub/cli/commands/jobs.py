"""``markethub jobs``.

What changes something goes straight to the control database: whoever owns the data folder owns the hub, and
the API only reads.
"""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import asyncio
import typing
from pathlib import Path
from typing import Annotated

import orjson
import typer

from markethub.cli.commands.executions import print_executions
from markethub.cli.connection import connect, open_control, read_settings
from markethub.cli.durations import format_duration
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_time
from markethub.cli.output import Cell, note, print_json, print_table, say
from markethub.cli.queued import watch_to_end
from markethub.domain.errors import ConflictError, ForbiddenError, UnavailableError
from markethub.domain.node import Role
from markethub.domain.times import format_time

if typing.TYPE_CHECKING:
    from markethub.client.answers import JobAnswer, JobStatisticsAnswer, QueuedAnswer
    from markethub.config import Settings
    from markethub.control.jobs import Job

app = typer.Typer(help="Look at the jobs and their runs; run, pause and resume them.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's name or numeric id.")]
Offset = Annotated[int, typer.Option(min=0, help="Rows to skip.")]


@app.command("list")
def list_jobs(
    *,
    search: Annotated[str | None, typer.Option(help="Part of a job's name, type or category.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show.")] = 50,
    offset: Offset = 0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List the jobs by name."""
    with connect(url, config, data_dir) as hub:
        page = hub.list_jobs(search, limit=limit, offset=offset)
    if as_json:
        print_json(page)
        return
    columns = ("name", "category", "type", "schedule", "enabled", "last_run", "next_run")
    print_table(columns, (_list_row(row) for row in page["data"]))


@app.command("show")
def show_job(
    *,
    job_id: JobId,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show one job, and what its executions did so far."""
    with connect(url, config, data_dir) as hub:
        found = hub.get_job(job_id)
        did = hub.get_job_statistics(job_id)
    if as_json:
        print_json({**found, "statistics": did})
        return
    print_table(("field", "value"), [*_detail_rows(found), *_statistics_rows(did)])


@app.command("history")
def list_history(
    *,
    job_id: JobId,
    search: Annotated[
        str | None,
        typer.Option(help="Part of a status, or queued, running, completed, failed, timeout."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show.")] = 20,
    offset: Offset = 0,
    after: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="Only from this time on.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="Only from before this time.")
    ] = None,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List one job's executions, the newest first."""
    with connect(url, config, data_dir) as hub:
        page = hub.get_job_executions(job_id, search, limit=limit, offset=offset, after=after, before=before)
    print_executions(page, as_json=as_json)


@app.command("run")
def run_job(
    *,
    job_id: JobId,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch it to its end; exit with 1 if it fails.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Run a job once, now, whatever its schedule says; a running hub begins within a second.

    Refused while as many of its executions as its max_instances have not ended, and on a slave or a master
    that was replaced, where nothing would work on it.
    """
    settings = read_settings(config, data_dir)
    _refuse_without_engine(settings, config, data_dir)
    if wait:
        with connect(None, config, data_dir) as hub:
            hub.get_job(job_id)  # nobody to watch: then nothing is queued either
            watch_to_end(hub, asyncio.run(_run(settings, job_id)), as_json=as_json)
        return
    queued = asyncio.run(_run(settings, job_id))
    if as_json:
        print_json(queued)
    else:
        say(queued["trace_id"])
        note(f"{queued['message']}; watch it with: markethub logs {queued['trace_id']} --follow")


@app.command("pause")
def pause_job(*, job_id: JobId, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Begin no due run of a job from now on, until it is resumed; what runs goes on."""
    job = asyncio.run(_set_paused(read_settings(config, data_dir), job_id, paused=True))
    say(f"job {job.name} is paused")


@app.command("resume")
def resume_job(*, job_id: JobId, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Let a paused job run by its schedule again; what came due meanwhile is not caught up."""
    job = asyncio.run(_set_paused(read_settings(config, data_dir), job_id, paused=False))
    if job.next_run_ms is None:
        say(f"job {job.name} is not paused, but disabled in the configuration")
    else:
        say(f"job {job.name} is due next at {format_time(job.next_run_ms)}")


def _refuse_without_engine(settings: "Settings", config: Path | None, data_dir: Path | None) -> None:
    """ForbiddenError on a slave, ConflictError on a master that was replaced."""
    if settings.master is None and not settings.slaves:
        return
    role, is_fenced = settings.node.role, False
    try:
        # Only the running hub knows of a promotion: of its own, or of another node.
        with connect(None, config, data_dir) as hub:
            status = hub.get_node_status()
        role, is_fenced = Role(status["role"]), status["fenced"]
    except UnavailableError:
        pass  # what the configuration says is all there is
    if role is Role.SLAVE:
        where = "" if settings.master is None else f" at {settings.master.address.url}"
        raise ForbiddenError(f"this node is a slave: it runs no jobs; run the job on the master{where}")
    if is_fenced:
        raise ConflictError(
            "this master was replaced: it runs no jobs; run the job on the one that replaced it"
        )


async def _run(settings: "Settings", job_id: str) -> "QueuedAnswer":
    from markethub.services import schedules

    async with open_control(settings) as database:
        started = await schedules.run_job(database, job_id)
    return {
        "execution_id": started.execution_id,
        "trace_id": started.trace_id,
        "status": "queued",
        "message": f"Run of job {job_id} queued",
    }


async def _set_paused(settings: "Settings", job_id: str, *, paused: bool) -> "Job":
    from markethub.services import schedules

    async with open_control(settings) as database:
        change = schedules.pause_job if paused else schedules.resume_job
        return await change(database, job_id)


def _list_row(row: "JobAnswer") -> list[Cell]:
    return [
        row["name"],
        row["job_category"],
        row["job_type"],
        _schedule(row),
        _state(row),
        row["last_run_at"],
        row["next_run_at"],
    ]


def _detail_rows(found: "JobAnswer") -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        ["name", found["name"]],
        ["description", found["description"]],
        ["category", found["job_category"]],
        ["type", found["job_type"]],
        ["schedule", _schedule(found)],
        ["enabled", _state(found)],
        ["timeout_seconds", found["timeout_seconds"]],
        ["max_instances", found["max_instances"]],
        ["last_run", found["last_run_at"]],
        ["next_run", found["next_run_at"]],
        ["created", found["created_at"]],
        ["updated", found["updated_at"]],
    ]
    rows += [
        [f"parameter {name}", value if isinstance(value, str) else orjson.dumps(value).decode()]
        for name, value in found["parameters"].items()
    ]
    return rows


def _statistics_rows(did: "JobStatisticsAnswer") -> list[list[Cell]]:
    duration_ms = did["avg_duration_ms"]
    return [
        ["runs", did["total_runs"]],
        [
            "results",
            f"{did['success_count']} success, {did['failed_count']} failed, {did['timeout_count']} timeout",
        ],
        ["average_duration", None if duration_ms is None else format_duration(duration_ms / 1000)],
        ["rows", f"{did['processed']} processed, {did['inserted']} inserted, {did['updated']} updated"],
    ]


def _schedule(row: "JobAnswer") -> str:
    if row["interval_seconds"] is not None:
        return f"every {row['interval_seconds']} s"
    zone = row.get("time_zone")
    return " ".join(filter(None, (row["schedule"], zone))) or "on request"


def _state(row: "JobAnswer") -> str:
    if row.get("paused"):
        return "paused"
    return "yes" if row["enabled"] else "no"
