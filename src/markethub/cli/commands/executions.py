"""``markethub executions``."""

import typing
from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.durations import format_duration
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_time
from markethub.cli.output import Cell, print_json, print_table, say

if typing.TYPE_CHECKING:
    from markethub.client.answers import ExecutionAnswer, ExecutionDetailAnswer

app = typer.Typer(help="Look at what runs and ran, and stop it.", no_args_is_help=True)

ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="An execution's id or trace id.")]
_ERROR_CHARACTERS = 80


@app.command("list")
def list_executions(
    *,
    search: Annotated[
        str | None,
        typer.Option(help="Part of a job's name or status, or queued, running, completed, failed, timeout."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
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
    """List executions, the newest first."""
    with connect(url, config, data_dir) as hub:
        page = hub.list_job_executions(search, limit=limit, offset=offset, after=after, before=before)
    if as_json:
        print_json(page)
        return
    columns = ("id", "trace_id", "job", "status", "started", "duration", "rows", "error")
    print_table(columns, (_list_row(row) for row in page["data"]))


@app.command("show")
def show_execution(
    *,
    execution_id: ExecutionId,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show one execution with its progress."""
    with connect(url, config, data_dir) as hub:
        found = hub.get_execution(execution_id)
    if as_json:
        print_json(found)
        return
    print_table(("field", "value"), _detail_rows(found))


@app.command("cancel")
def cancel_execution(
    *,
    execution_id: ExecutionId,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """End an execution as FAILURE with the error `cancelled`; what it stored stays."""
    with connect(url, config, data_dir) as hub:
        row = hub.cancel_execution(execution_id)
    if as_json:
        print_json(row)
        return
    # The workers let go of it a moment later.
    say(f"{row['trace_id']}: cancel requested, now {row['status']}")


def _list_row(row: "ExecutionAnswer") -> list[Cell]:
    error = row["error"] or ""
    return [
        row["id"],
        row["trace_id"],
        row["job_name"],
        row["status"],
        row["started_at"],
        _duration(row["duration_ms"]),
        (row["result"] or {}).get("processed"),
        error if len(error) <= _ERROR_CHARACTERS else f"{error[:_ERROR_CHARACTERS]}...",
    ]


def _detail_rows(found: "ExecutionDetailAnswer") -> list[list[Cell]]:
    chunks = found["chunks"]
    rows: list[list[Cell]] = [
        ["id", found["id"]],
        ["trace_id", found["trace_id"]],
        ["job", found["job_name"]],
        ["status", found["status"]],
        ["created", found["created_at"]],
        ["started", found["started_at"]],
        ["completed", found["completed_at"]],
        ["duration", _duration(found["duration_ms"])],
        ["worker", found["worker_id"]],
        ["chunks", f"{chunks['done']} done, {chunks['failed']} failed, {chunks['total']} in all"],
    ]
    rows += [[f"counter {name}", str(count)] for name, count in sorted(found["counters"].items())]
    rows += [[f"parameter {name}", _listed(value)] for name, value in found["parameters_snapshot"].items()]
    rows.append(["error", found["error"]])
    return rows


def _duration(duration_ms: int | None) -> str | None:
    return None if duration_ms is None else format_duration(duration_ms / 1000)


def _listed(value: object) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
