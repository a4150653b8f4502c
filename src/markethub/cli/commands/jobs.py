"""``markethub jobs``."""

import typing
from typing import Annotated

import orjson
import typer

from markethub.cli.commands.executions import print_executions
from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_time
from markethub.cli.output import Cell, print_json, print_table

if typing.TYPE_CHECKING:
    from markethub.client.answers import JobAnswer

app = typer.Typer(help="Look at the jobs and at what became of their runs.", no_args_is_help=True)

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
    """Show one job."""
    with connect(url, config, data_dir) as hub:
        found = hub.get_job(job_id)
    if as_json:
        print_json(found)
        return
    print_table(("field", "value"), _detail_rows(found))


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


def _list_row(row: "JobAnswer") -> list[Cell]:
    return [
        row["name"],
        row["job_category"],
        row["job_type"],
        _schedule(row),
        _yes_or_no(row["enabled"]),
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
        ["enabled", _yes_or_no(found["enabled"])],
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


def _schedule(row: "JobAnswer") -> str:
    if row["interval_seconds"] is not None:
        return f"every {row['interval_seconds']} s"
    return row["schedule"] or "on request"


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
