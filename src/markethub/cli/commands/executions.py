"""``markethub executions``."""

import sys
import typing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from markethub.cli.connection import connect
from markethub.cli.durations import format_duration
from markethub.cli.exporting import show_export
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, NoWait, check_time
from markethub.cli.output import Cell, note, print_json, print_table, say
from markethub.cli.queued import run_backfill
from markethub.cli.watching import watch_events
from markethub.domain.errors import InputError
from markethub.domain.execution import ChunkStatus

if typing.TYPE_CHECKING:
    from markethub.client.answers import ExecutionAnswer, ExecutionDetailAnswer, ExecutionPage

app = typer.Typer(help="Look at what runs and ran, stop it, or run it again.", no_args_is_help=True)


class ExportFormat(StrEnum):
    """How exported executions are written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="An execution's id or trace id.")]
_ERROR_CHARACTERS = 80
_IN_STATUS: tuple[Literal["done", "failed", "running", "pending"], ...] = (
    "done",
    "failed",
    "running",
    "pending",
)


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
    print_executions(page, as_json=as_json)


@app.command("show")
def show_execution(
    *,
    execution_id: ExecutionId,
    chunks: Annotated[
        bool, typer.Option("--chunks", help="List its chunks, the units of work, instead.")
    ] = False,
    status: Annotated[
        ChunkStatus | None,
        typer.Option(case_sensitive=False, help="List only its chunks in this status; implies --chunks."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Chunks to show.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Chunks to skip.")] = 0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show one execution with its progress, or what became of its chunks."""
    with connect(url, config, data_dir) as hub:
        found = hub.get_execution(execution_id, chunk_status=status, limit=limit, offset=offset)
    if as_json:
        print_json(found)
    elif chunks or status is not None:
        _print_chunks(found)
    else:
        print_table(("field", "value"), _detail_rows(found))


@app.command("watch")
def watch_execution(
    *,
    execution_id: ExecutionId,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as a line of JSON, for programs.")
    ] = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print the log of an execution as it grows, and show how it gets on, until it has ended.

    Ends with 0 when it ended as SUCCESS, else with 1.
    """
    with connect(url, config, data_dir) as hub:
        watch_events(hub.events(execution_id), execution_id, as_json=as_json)


@app.command("export")
def export_executions(
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout; it is replaced.")
    ] = None,
    format_name: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="[default: parquet for a file of that name, else jsonl]"),
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Only of this job, by name or id.")] = None,
    search: Annotated[
        str | None,
        typer.Option(help="Part of a job's name or status, or queued, running, completed, failed, timeout."),
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="Only from this time on.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="Only from before this time.")
    ] = None,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Write the history of executions, in the order they were queued, as JSON lines or Parquet.

    Cleanup jobs delete old executions: what shall be kept for longer is exported before.
    """
    is_parquet = output is not None and output.suffix == ".parquet"
    chosen = format_name or (ExportFormat.PARQUET if is_parquet else ExportFormat.JSONL)
    if output is None and chosen is ExportFormat.PARQUET:
        raise typer.BadParameter("Parquet needs a file: give --output FILE")
    with connect(url, config, data_dir) as hub, show_export() as show:
        try:
            exported = hub.export_executions(
                output or sys.stdout.buffer,
                format=chosen.value,
                job_id=job,
                search=search,
                after=after,
                before=before,
                progress=show,
            )
        except BrokenPipeError:
            raise  # whoever read has had enough
        except OSError as error:
            raise InputError(f"cannot write {output or 'to stdout'}: {error.strerror or error}") from error
    if output is not None:
        note(f"{exported.total_rows} executions, {exported.size_bytes} bytes, in {output}")


@app.command("retry")
def retry_execution(
    *,
    execution_id: ExecutionId,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Run one that failed or timed out again: with its parameters, as a new execution.

    What is stored is not fetched again.
    """
    run_backfill(
        lambda hub: hub.retry_execution(execution_id),
        no_wait=no_wait,
        as_json=as_json,
        url=url,
        config=config,
        data_dir=data_dir,
    )


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


def print_executions(page: "ExecutionPage", *, as_json: bool) -> None:
    """Print a page of the history, as a table or as JSON."""
    if as_json:
        print_json(page)
        return
    columns = ("id", "trace_id", "job", "status", "started", "duration", "rows", "error")
    print_table(columns, (_list_row(row) for row in page["data"]))


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


def _print_chunks(found: "ExecutionDetailAnswer") -> None:
    page = found["chunk_list"]
    print_table(
        ("key", "status", "attempts", "error"),
        ([row["key"], row["status"], row["attempts"], row["error"]] for row in page["data"]),
    )
    place = page["pagination"]
    if place["has_next"]:
        note(f"{place['total']} chunks in all; see the others with --offset or --limit")


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
        ["retry_of", found["retry_of"]],
        [
            "chunks",
            ", ".join(f"{chunks[name]} {name}" for name in _IN_STATUS) + f", {chunks['total']} in all",
        ],
    ]
    rows += [[f"counter {name}", str(count)] for name, count in sorted(found["counters"].items())]
    rows += [[f"parameter {name}", _listed(value)] for name, value in found["parameters_snapshot"].items()]
    rows.append(["error", found["error"]])
    return rows


def _duration(duration_ms: int | None) -> str | None:
    return None if duration_ms is None else format_duration(duration_ms / 1000)


def _listed(value: object) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
