"""Show an execution's events as they come."""

import typing
from collections.abc import Iterator

import orjson
import typer

from markethub.cli.output import note, say
from markethub.cli.progress import show_progress
from markethub.domain.execution import ExecutionStatus

if typing.TYPE_CHECKING:
    from markethub.client.events import ExecutionEvent


def watch_events(events: "Iterator[ExecutionEvent]", title: str, *, as_json: bool) -> None:
    """Print each line of the log, and the progress on stderr; exit with 1 unless the end is SUCCESS."""
    status = None
    try:
        with show_progress(title) as show:
            for event in events:
                if as_json:
                    typer.echo(orjson.dumps(event).decode())
                if event["event"] == "log":
                    if not as_json:
                        line = event["data"]
                        say(f"{line['timestamp']} {line['level']:<7} {line['message']}")
                    continue
                show(event["data"])
                status = event["data"]["status"]
    except KeyboardInterrupt:
        note("\nNo longer watching; the hub goes on.")
        raise typer.Exit(130) from None
    if status != ExecutionStatus.SUCCESS:
        raise typer.Exit(1)
