"""Queue a backfill, watch it, and tell how it ended."""

import typing
from collections.abc import Callable
from pathlib import Path

import typer

from markethub.cli.connection import connect
from markethub.cli.durations import format_duration
from markethub.cli.output import note, print_json, say
from markethub.cli.plans import print_plan
from markethub.cli.progress import show_progress
from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.execution import ExecutionStatus

if typing.TYPE_CHECKING:
    from markethub.client import DataHub
    from markethub.client.answers import ExecutionDetailAnswer, QueuedAnswer
    from markethub.client.calls import Mode


class Extras(typing.TypedDict):
    """The keywords that the client's backfills share."""

    mode: "Mode | None"
    priority: int | None
    dry_run: bool


def name_extras(mode: BackfillMode, priority: int, dry_run: bool) -> Extras:
    """What a person asked for beyond the usual, as the client takes it."""
    return Extras(
        mode=None if mode is BackfillMode.MISSING else typing.cast("Mode", mode.value),
        priority=priority or None,
        dry_run=dry_run,
    )


def run_backfill(
    queue: Callable[["DataHub"], "QueuedAnswer"],
    *,
    no_wait: bool,
    as_json: bool,
    url: str | None,
    config: Path | None,
    data_dir: Path | None,
) -> None:
    """Queue with ``queue``, wait unless told otherwise, print the end; exit with 1 unless it is SUCCESS.

    Of a dry run the plan is printed.
    """
    with connect(url, config, data_dir) as hub:
        queued = queue(hub)
        if "plan" in queued:
            print_plan(queued, as_json)
            return
        if no_wait:
            _print_queued(queued, as_json)
            return
        watch_to_end(hub, queued, as_json=as_json)


def watch_to_end(hub: "DataHub", queued: "QueuedAnswer", *, as_json: bool) -> None:
    """Show the progress of what was queued, then print the end; exit with 1 unless it is SUCCESS."""
    _print_end(_wait(hub, queued), as_json)


def _print_queued(queued: "QueuedAnswer", as_json: bool) -> None:
    if as_json:
        print_json(queued)
        return
    say(queued["trace_id"])
    note(f"{queued['message']}; watch it with: markethub logs {queued['trace_id']} --follow")


def _wait(hub: "DataHub", queued: "QueuedAnswer") -> "ExecutionDetailAnswer":
    trace_id = queued["trace_id"]
    try:
        note(f"{queued['message']} | trace_id={trace_id}")
        with show_progress(trace_id) as show:
            return hub.wait(trace_id, progress=show)
    except KeyboardInterrupt:
        note(f"\nNo longer watching; the hub goes on. To stop it: markethub executions cancel {trace_id}")
        raise typer.Exit(130) from None


def _print_end(ended: "ExecutionDetailAnswer", as_json: bool) -> None:
    if as_json:
        print_json(ended)
    else:
        counters = ended["counters"]
        duration_s = (ended["duration_ms"] or 0) / 1000
        say(
            f"{ended['status']}: {counters.get('processed', 0)} rows in {format_duration(duration_s)}: "
            + ", ".join(f"{counters.get(name, 0)} {name}" for name in ("inserted", "updated", "unchanged"))
        )
        if rejected := counters.get("rejected", 0):
            note(f"{rejected} rows make no sense and were kept out; read them with GET /api/v1/rejects")
    if ended["status"] != ExecutionStatus.SUCCESS:
        note(f"error: {ended['error'] or ended['status']}")
        raise typer.Exit(1)
